"""A picture with its particles, as the readers of labels give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon

from imagedataextractor.errors import InputError

__all__ = ["Labelled", "Particle", "label_map", "pixels_in"]

Outline = npt.NDArray[np.float64]
#: The outlines of one particle, each of shape (n, 2) in pixels (a pixel's edges are whole numbers), or its pixels as a
#: mask of the picture's size. What two outlines both enclose is a hole.
Particle = tuple[Outline, ...] | npt.NDArray[np.bool_]

#: How far outlines may reach beyond a picture, px: people draw over the edge, but not far.
BEYOND_PX = 10.0
_MOST_LABELS = np.iinfo(np.uint16).max


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture as a file of labels speaks of it.

    Attributes
    ----------
    picture : str
        Its file name or path, as written; "" where the labels' own file name says it.
    particles : sequence of Particle
    size : tuple of int, optional
        Height and width, where the labels tell them.
    part : tuple of int, optional
        x0, y0, x1, y1 of the part that was labelled; by default all of it.
    pixels : bytes, optional
        The picture's file, where the labels hold it.
    labels : int array, shape (H, W), optional
        A label map, where there are no outlines.
    left_out : int
        Marks that enclose nothing (points, lines), or crowds.
    """

    picture: str
    particles: Sequence[Particle] = ()
    size: tuple[int, int] | None = None
    part: tuple[int, int, int, int] | None = None
    pixels: bytes | None = None
    labels: npt.NDArray[np.int32] | None = None
    left_out: int = 0


def pixels_in(particle: Particle, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels whose centre a particle's outlines enclose."""
    if isinstance(particle, np.ndarray):
        if particle.shape != shape:
            raise InputError(f"a mask of {particle.shape} pixels does not fit a picture of {shape}")
        return particle
    inside = np.zeros(shape, bool)
    for outline in particle:
        x, y = (outline - 0.5).T  # counted from pixel centres
        rows, columns = polygon(y, x, shape)  # type: ignore[no-untyped-call]
        filled = np.zeros(shape, bool)
        filled[rows, columns] = True
        inside ^= filled
    return inside


def label_map(found: Labelled, shape: tuple[int, int]) -> npt.NDArray[np.uint16]:
    """One value a particle, 0 for the ground; where two overlap, the smaller one lies on top.

    Raises
    ------
    InputError
        The labels do not fit a picture of this shape, or are too many.
    """
    height, width = shape
    if found.size is not None and found.size != shape:
        raise InputError(
            f"its labels are of a picture of {found.size[1]} × {found.size[0]}, and it has {width} × {height}"
        )
    if found.labels is not None:
        if found.labels.shape != shape:
            raise InputError(f"its label map has {found.labels.shape} pixels (rows, columns), and it {shape}")
        _, numbers = np.unique(np.append(found.labels, 0), return_inverse=True)
        if numbers.max() > _MOST_LABELS:
            raise InputError(f"{numbers.max()} particles are more than a 16-bit label map holds")
        return np.asarray(numbers[:-1].reshape(shape), np.uint16)
    if len(found.particles) > _MOST_LABELS:
        raise InputError(f"{len(found.particles)} particles are more than a 16-bit label map holds")
    for particle in found.particles:
        for outline in () if isinstance(particle, np.ndarray) else particle:
            if not np.isfinite(outline).all():
                raise InputError("an outline has a corner that is no number")
            far = max(-outline.min(), (outline - (width, height)).max())
            if far > BEYOND_PX:
                raise InputError(
                    f"an outline reaches {far:.0f} px beyond its {width} × {height} pixels; is it of another picture?"
                )
    masks = [_Cut.of(particle, shape) for particle in found.particles]
    labels = np.zeros(shape, np.uint16)
    for value, cut in enumerate(sorted((cut for cut in masks if cut.area), key=lambda cut: -cut.area), 1):
        labels[cut.rows, cut.columns] = value
    return labels


@dataclass(frozen=True, eq=False)
class _Cut:
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]

    @property
    def area(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, particle: Particle, shape: tuple[int, int]) -> _Cut:
        """The pixels of a particle, looked for within its box only."""
        if isinstance(particle, np.ndarray):
            rows, columns = np.nonzero(pixels_in(particle, shape))
            return cls(rows, columns)
        corners = np.concatenate(particle)
        x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, (shape[1] - 1, shape[0] - 1)).tolist()
        x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 1, (shape[1], shape[0])).tolist()
        inside = pixels_in(tuple(outline - (x0, y0) for outline in particle), (y1 - y0, x1 - x0))
        rows, columns = np.nonzero(inside)
        return cls(rows + y0, columns + x0)
