"""The shapes that the pixels of a picture come in: (H, W), or (H, W, C)."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

__all__ = ["RGB", "RGBA", "has_channels", "is_flat"]

#: Channels of a colour picture, and of one that says how much of each pixel shows.
RGB, RGBA = 3, 4

_FLAT_AXES, _CHANNEL_AXES = 2, 3


def is_flat(array: npt.NDArray[Any]) -> bool:
    """Whether an array has rows and columns alone: (H, W)."""
    return array.ndim == _FLAT_AXES


def has_channels(array: npt.NDArray[Any]) -> bool:
    """Whether an array has rows, columns and channels: (H, W, C)."""
    return array.ndim == _CHANNEL_AXES
