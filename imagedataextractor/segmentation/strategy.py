"""What a set of rules of inference must do."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from imagedataextractor.records import Mode, Segmentation

__all__ = ["Strategy", "is_uncertain"]


class Strategy(Protocol):
    """Rules of inference with the network that they run: `pyramid.Pyramid` or `published.Published`."""

    def segment(
        self,
        image: npt.NDArray[np.uint8],
        *,
        mode: Mode,
        samples: int,
        threshold: float,
        seed: int,
        exclude: npt.NDArray[np.bool_] | None,
        supported: bool | None,
    ) -> Segmentation:
        """Segment one micrograph; the parameters are those of `Segmenter.segment`."""


def is_uncertain(uncertainty: npt.NDArray[np.float64], threshold: float) -> npt.NDArray[np.bool_]:
    """Which particles the paper's filter rejects: those of uncertainty ≥ t_u."""
    return np.asarray(uncertainty >= threshold)
