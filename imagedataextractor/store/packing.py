"""Results made small and quick to write.

What a database keeps of a panel is a table of numbers and the outlines. `pack` makes these of the
particle records and leaves out the pixel arrays, which no row holds: a packed article is a
fraction of the size, so that a worker process can send it, and the writer has no more to do than
to hand it over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from imagedataextractor.records import ArticleResult, PanelResult, Particle, Reason
from imagedataextractor.store import tables
from imagedataextractor.store.contours import encode_contours

__all__ = ["NUMBERS", "PackedArticle", "PackedParticles", "pack"]

#: Particle columns that hold plain numbers, in the order of the table.
NUMBERS = tuple(column.name for column in tables.particles.columns if isinstance(column.type, sa.Double))
_numbers_of = attrgetter(*NUMBERS)
_SUMMARISED = [NUMBERS.index(name) for name in ("ecd_px", "ecd_nm", "aspect_ratio", "uncertainty")]


@dataclass(frozen=True, eq=False)
class PackedParticles:
    """The particles of one panel, a column each.

    Attributes
    ----------
    numbers : float64 array, shape (N, len(NUMBERS))
        NaN where unknown.
    labels, touches_border, accepted, reasons, contours : lists of length N
    summary : mapping
        Columns of `segmentations` that count and average the particles.
    """

    numbers: npt.NDArray[np.float64]
    labels: list[int]
    touches_border: list[bool]
    accepted: list[bool]
    reasons: list[Reason | None]
    contours: list[bytes | None]
    summary: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class PackedArticle:
    """A result whose particles and pixel arrays are taken out; ``particles[figure][panel]`` holds the former."""

    result: ArticleResult
    particles: tuple[tuple[PackedParticles, ...], ...]


def pack(result: ArticleResult) -> PackedArticle:
    """The part of a result that the database keeps."""
    particles = tuple(tuple(_pack_particles(panel.particles) for panel in figure.panels) for figure in result.figures)
    figures = tuple(
        dataclasses.replace(figure, panels=tuple(map(_without_arrays, figure.panels))) for figure in result.figures
    )
    return PackedArticle(dataclasses.replace(result, figures=figures), particles)


def _without_arrays(panel: PanelResult) -> PanelResult:
    segmentation = panel.segmentation
    if segmentation is not None:
        none = np.empty(0)
        segmentation = dataclasses.replace(
            segmentation,
            label_map=np.empty((0, 0), np.int32),
            uncertainty=none,
            score=none,
            filtered=np.empty(0, bool),
            uncertainty_map=None,
        )
    return dataclasses.replace(panel, segmentation=segmentation, particles=())


def _pack_particles(particles: Sequence[Particle]) -> PackedParticles:
    # Through an array because that turns NumPy scalars and None into plain floats at a fraction of
    # the cost of asking each value.
    numbers = np.array([_numbers_of(p) for p in particles], dtype=np.float64).reshape(len(particles), len(NUMBERS))
    numbers[np.isinf(numbers)] = np.nan
    accepted = [bool(p.accepted) for p in particles]
    touches_border = [bool(p.touches_border) for p in particles]
    reasons = [p.reason for p in particles]
    summary = {
        "n_particles": len(particles),
        "n_accepted": sum(accepted),
        "n_border": sum(touches_border),
        "n_uncertain": reasons.count(Reason.UNCERTAIN),
        **_sizes(numbers[np.array(accepted, dtype=bool)]),
    }
    return PackedParticles(
        numbers,
        [int(p.label) for p in particles],
        touches_border,
        accepted,
        reasons,
        encode_contours([p.contour for p in particles]),
        summary,
    )


def _sizes(accepted: npt.NDArray[np.float64]) -> dict[str, float | None]:
    """Statistics of the accepted particles; None where there are none, or no scale."""
    ecd_px, ecd_nm, aspect_ratio, uncertainty = (_finite(accepted[:, column]) for column in _SUMMARISED)
    nm = np.sort(ecd_nm)
    return {
        "ecd_mean_px": _mean(ecd_px),
        "ecd_mean_nm": _mean(nm),
        "ecd_sd_nm": float(nm.std(ddof=1)) if nm.size > 1 else None,
        "ecd_median_nm": float(nm[(nm.size - 1) // 2] + nm[nm.size // 2]) / 2 if nm.size else None,
        "ecd_min_nm": float(nm[0]) if nm.size else None,
        "ecd_max_nm": float(nm[-1]) if nm.size else None,
        "aspect_ratio_mean": _mean(aspect_ratio),
        "uncertainty_mean": _mean(uncertainty),
    }


def _finite(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values[~np.isnan(values)]


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    return float(values.sum() / values.size) if values.size else None
