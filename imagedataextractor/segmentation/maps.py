"""What a network answers about an image, at the resolution at which it was shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Maps"]


@dataclass(frozen=True, eq=False)
class Maps:
    """The networks' answer at the resolution it was given.

    Attributes
    ----------
    embedding, bandwidth : float32 array (2, H, W)
        px and 1/px².
    seed : float32 array (H, W)
        Seed of the averaged raw outputs, 0 … 1.
    information : float32 array (H, W)
        Mutual information per pixel, nats; zeros for a single pass.
    image : uint8 array (H, W)
        The grey image that the network was given.
    scale : float
        Magnification of the original at which these are.
    """

    embedding: npt.NDArray[np.float32]
    bandwidth: npt.NDArray[np.float32]
    seed: npt.NDArray[np.float32]
    information: npt.NDArray[np.float32]
    image: npt.NDArray[np.uint8]
    scale: float = 1.0
