"""Results made small and quick to write.

A database keeps no pixels. `pack` leaves the pixel arrays out of a result and counts and averages the
particles, so that a worker process can send it, and the writer has no more to do than to hand it over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.records import ArticleResult, PanelResult, ParticleTable, Reason

__all__ = ["PackedArticle", "pack", "summary_of"]


@dataclass(frozen=True, eq=False)
class PackedArticle:
    """A result without its pixel arrays; ``summaries[figure][panel]`` are columns of `segmentations`."""

    result: ArticleResult
    summaries: tuple[tuple[Mapping[str, Any], ...], ...]


def pack(result: ArticleResult) -> PackedArticle:
    """The part of a result that the database keeps."""
    summaries = tuple(tuple(summary_of(panel.particles) for panel in figure.panels) for figure in result.figures)
    figures = tuple(
        dataclasses.replace(figure, panels=tuple(map(_without_arrays, figure.panels))) for figure in result.figures
    )
    return PackedArticle(dataclasses.replace(result, figures=figures), summaries)


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
    return dataclasses.replace(panel, segmentation=segmentation)


def summary_of(particles: ParticleTable) -> dict[str, Any]:
    """Columns of `segmentations` that count and average the particles; None where there are none, or no scale."""
    accepted = particles.accepted
    nm = np.sort(_known(accepted["ecd_nm"]))
    return {
        "n_particles": len(particles),
        "n_accepted": len(accepted),
        "n_border": int(particles["touches_border"].sum()),
        "n_uncertain": int((particles["reason"] == Reason.UNCERTAIN).sum()),
        "ecd_mean_px": _mean(accepted["ecd_px"]),
        "ecd_mean_nm": _mean(nm),
        "ecd_sd_nm": float(nm.std(ddof=1)) if nm.size > 1 else None,
        "ecd_median_nm": float(nm[(nm.size - 1) // 2] + nm[nm.size // 2]) / 2 if nm.size else None,
        "ecd_min_nm": float(nm[0]) if nm.size else None,
        "ecd_max_nm": float(nm[-1]) if nm.size else None,
        "aspect_ratio_mean": _mean(accepted["aspect_ratio"]),
        "uncertainty_mean": _mean(accepted["uncertainty"]),
    }


def _known(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values[np.isfinite(values)]


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    known = _known(values)
    return float(known.sum() / known.size) if known.size else None
