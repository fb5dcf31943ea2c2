"""What the frame does to a distribution, and how it is undone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError

__all__ = ["border_weights", "extents"]

Reals = npt.NDArray[np.float64]


def border_weights(widths: npt.ArrayLike, heights: npt.ArrayLike, frame: tuple[float, float]) -> Reals:
    """How many particles each one that lies wholly inside the frame stands for.

    Parameters
    ----------
    widths, heights : arrays, shape (n,)
        Horizontal and vertical Feret diameters: the sides of the upright bounding boxes, in the unit of the
        frame.
    frame : tuple of float
        Width and height of what was looked at.

    Returns
    -------
    float array, shape (n,)
        1/p, p = (W − F_x)·(H − F_y)/(W·H) the probability that a particle of this size, its centre anywhere in
        the frame, does not touch the border.

    Raises
    ------
    InputError
        A particle is as large as the frame: it could have lain nowhere else.

    Notes
    -----
    The correction of R. E. Miles (1974) and C. Lantuéjoul (1980), as in J. Serra, Image Analysis and
    Mathematical Morphology, Academic Press 1982, chapter VIII, and ISO 13322-1, 6.3.
    """
    wide, high = np.asarray(widths, float), np.asarray(heights, float)
    width, height = frame
    if len(wide) and (wide.max() >= width or high.max() >= height):
        raise InputError("a particle is as large as the frame; nothing is known of those that touched it")
    return np.asarray(width * height / ((width - wide) * (height - high)))


def extents(outlines: list[npt.NDArray[np.float64]]) -> tuple[Reals, Reals]:
    """Widths and heights of the upright bounding boxes of outlines, each of shape (k, 2)."""
    sides = np.array([np.ptp(outline, axis=0) for outline in outlines]).reshape(-1, 2)
    return sides[:, 0], sides[:, 1]
