"""What a model's inference goes by, as its weights file keeps it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from imagedataextractor.segmentation.choice import ChoiceSettings
from imagedataextractor.segmentation.clustering import ClusterSettings

__all__ = ["InferenceSettings", "RuleName"]

#: "pyramid": this project's rules (`pyramid`); the others are those of 2021 (`published`).
RuleName = Literal["pyramid", "published", "published-native"]

#: Keys of headers before format 2 that mean nothing any more.
_FORMER = {"certain_seed", "flips", "min_score"}


@dataclass(frozen=True)
class InferenceSettings:
    """A model's own settings.

    Attributes
    ----------
    rules : str
        How the image is brought to the network and particles are made of its answer.
    samples : int
        T, the Monte Carlo samples.
    threshold : float
        t_u: a particle of this uncertainty and more is rejected, nats.
    clustering : ClusterSettings
        How a level's proposals are made.
    choice : ChoiceSettings
        How particles are chosen among them.
    """

    rules: RuleName = "pyramid"
    samples: int = 8
    threshold: float = 0.0125
    clustering: ClusterSettings = field(default_factory=ClusterSettings)
    choice: ChoiceSettings = field(default_factory=ChoiceSettings)

    def to_header(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_header(cls, values: Mapping[str, Any]) -> InferenceSettings:
        """From plain values; what is not there has its default.

        Raises
        ------
        TypeError, ValueError
            A key that is not known, or a value that cannot be.
        """
        given = {key: value for key, value in values.items() if key not in _FORMER}
        for name, kind in (("clustering", ClusterSettings), ("choice", ChoiceSettings)):
            if name in given:
                given[name] = kind(**given[name])
        settings = cls(**given)
        if settings.rules not in get_args(RuleName):
            raise ValueError(f"rules {settings.rules!r} are unknown")
        if settings.samples < 1 or not settings.threshold >= 0:
            raise ValueError(f"{settings.samples} samples with a threshold of {settings.threshold}")
        return settings
