"""BPartIS: particles of a micrograph as a label map, each with its epistemic uncertainty.

`Segmenter` is the stage. In comes one micrograph; `architectures` has the networks, `pyramid` and
`published` the two sets of rules by which particles are made of a network's answer, `weights` the
files that hold both. Out goes a `records.Segmentation`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.images import sha256_of
from imagedataextractor.records import MODES, Mode, Segmentation

if TYPE_CHECKING:
    from imagedataextractor.segmentation.strategy import Strategy
    from imagedataextractor.segmentation.weights import WeightsInfo

__all__ = ["MODES", "Segmenter"]


class Segmenter:
    """A trained model, loaded once and applied to many micrographs.

    Attributes
    ----------
    name, weights_sha256 : str
        What every segmentation records.
    info : WeightsInfo
        What its file says; ``info.inference`` has its own settings.
    """

    def __init__(self, name: str, strategy: Strategy, info: WeightsInfo, weights_sha256: str, device: str) -> None:
        self.name = name
        self.device = device
        self.info = info
        self.weights_sha256 = weights_sha256
        self._strategy = strategy

    @classmethod
    def load(cls, name: str = "default", device: str = "auto") -> Segmenter:
        """Load a model by name, or from the path of a weights file.

        Raises
        ------
        InputError
            No such model here; the message says how to get it.
        UsageError
            The device cannot be used.
        """
        from imagedataextractor.segmentation.companion import WithCompanion
        from imagedataextractor.segmentation.inference import choose_device
        from imagedataextractor.segmentation.pyramid import Pyramid
        from imagedataextractor.segmentation.weights import find_weights

        device = choose_device(device)
        path = find_weights(name)
        strategy, info = _rules(name, device)
        if info.companion:
            other = _companion(path, info)
            companion, _ = _rules(other, device)
            assert isinstance(strategy, Pyramid)
            assert isinstance(companion, Pyramid)
            strategy = WithCompanion(strategy, companion)
        return cls(name, strategy, info, sha256_of(path), device)

    @property
    def samples(self) -> int:
        """The model's own T."""
        return self.info.inference.samples

    @property
    def threshold(self) -> float:
        """The model's own t_u, nats."""
        return self.info.inference.threshold

    def segment(
        self,
        image: npt.NDArray[np.uint8],
        *,
        mode: Mode = "filtered",
        samples: int | None = None,
        threshold: float | None = None,
        seed: int = 0,
        exclude: npt.NDArray[np.bool_] | None = None,
        supported: bool | None = None,
    ) -> Segmentation:
        """Segment one micrograph, at its own resolution.

        Parameters
        ----------
        image : uint8 array, (H, W) or (H, W, 3)
        mode : {"discriminative", "bayesian", "filtered"}
        samples : int, optional
            T; the model's own by default.
        threshold : float, optional
            t_u in nats; the model's own by default.
        seed : int
            Of the dropout: the same image, settings and seed give the same result.
        exclude : bool array (H, W), optional
            Pixels that are no micrograph (insets, data bars): nothing is found there.
        supported : bool, optional
            Whether the image is known to show particles on a support ("Pt nanoparticles on silica"), or not
            to; by default the picture alone decides. The published rules know no supports.
        """
        samples = self.samples if samples is None else samples
        threshold = self.threshold if threshold is None else threshold
        if mode not in MODES:
            raise UsageError(f"mode {mode!r} is unknown; choose one of {', '.join(MODES)}")
        if samples < 1:
            raise UsageError(f"the number of samples must be at least 1, not {samples}")
        found = self._strategy.segment(
            image,
            mode=mode,
            samples=samples,
            threshold=threshold,
            seed=seed,
            exclude=exclude,
            supported=supported,
        )
        return dataclasses.replace(found, model=self.name, weights_sha256=self.weights_sha256)


def _rules(name: str | Path, device: str) -> tuple[Strategy, WeightsInfo]:
    """The rules of one model with its network, and what its file says.

    Raises
    ------
    InputError
        As `load_weights`; the weights do not fit the network, or the network not the rules.
    """
    from imagedataextractor.segmentation.architectures import Network, build_network
    from imagedataextractor.segmentation.pyramid import Pyramid
    from imagedataextractor.segmentation.weights import find_weights, load_judge, load_weights

    path = find_weights(name)
    info, tensors = load_weights(name)
    network = build_network(info.architecture)
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:  # its message lists every tensor of the network
        raise InputError(f"{path}: the weights do not fit the network {info.architecture!r}") from error
    network = network.eval().to(device)
    if info.inference.rules == "pyramid":
        assert isinstance(network, Network)
        return Pyramid(network, info.inference, load_judge(path), device), info
    from imagedataextractor.segmentation.erfnet import BPartISNet
    from imagedataextractor.segmentation.published import RULES, Published

    if not isinstance(network, BPartISNet):
        raise InputError(f"{path}: the rules {info.inference.rules!r} are for the paper's network alone")
    return Published(network, RULES[info.inference.rules], device), info


def _companion(path: Path, info: WeightsInfo) -> Path:
    """The file of a model's companion: beside the model's own, or by its name.

    Raises
    ------
    InputError
        It is not there, or is not the one that the model was made with.
    """
    from imagedataextractor.segmentation.weights import find_weights

    beside = path.with_name(f"{info.companion}{path.suffix}")
    other = beside if beside.is_file() else find_weights(info.companion)
    if sha256_of(other) != info.companion_sha256:
        raise InputError(
            f"{other}: not the model {info.companion!r} that {path} is to be used with; put that one beside it"
        )
    return other
