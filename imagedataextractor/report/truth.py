"""Measured beside true: how well the sample article's known particles were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imagedataextractor.records import Box

__all__ = ["MeasuredPanel", "PanelComparison", "compare_with_truth", "format_comparison"]

#: Two boxes that overlap this much are the same panel.
_SAME_PANEL_IOU = 0.5

#: A measured particle is the true one if its centre is closer than this share of the true diameter …
_SAME_PLACE = 0.3

#: … and its diameter differs by no more than this factor (areas in a ratio of 2, as IoU ≥ 0.5 asks).
_SAME_SIZE = 2**0.5
#: Relative error of a scale up to which it is read right, as the summary says: 2 %.
_SCALE_IS_RIGHT = 0.02


@dataclass(frozen=True)
class MeasuredPanel:
    """One panel as the database has it.

    ``particles`` are tuples (x_px, y_px, ecd_px, accepted) in pixels of the panel.
    """

    figure: str
    panel: str | None
    box: Box
    kind: str
    nm_per_px: float | None
    particles: tuple[tuple[float, float, float, bool], ...] = ()


@dataclass(frozen=True)
class PanelComparison:
    """One panel's truth beside its measurement; a None is what is unknown or was not found.

    Counts and medians are of whole particles: those that neither frame nor data bar cuts off, and on
    the measured side those that are accepted. ``found`` of the true ones have a measured particle, of
    about their size, in their place, and ``false`` measured ones have no true one in theirs.
    """

    figure: str
    panel: str | None
    kind: str
    seen: bool
    true_nm_per_px: float | None
    nm_per_px: float | None
    true_count: int
    count: int
    found: int
    false: int
    true_median_ecd_nm: float | None
    median_ecd_nm: float | None

    @property
    def scale_error(self) -> float | None:
        """Relative."""
        if self.nm_per_px is None or self.true_nm_per_px is None:
            return None
        return self.nm_per_px / self.true_nm_per_px - 1

    @property
    def size_error(self) -> float | None:
        """Relative error of the median ECD."""
        if self.median_ecd_nm is None or self.true_median_ecd_nm is None:
            return None
        return self.median_ecd_nm / self.true_median_ecd_nm - 1


def compare_with_truth(measured: Sequence[MeasuredPanel], truth: Mapping[str, Any]) -> list[PanelComparison]:
    """Compare measured panels with an article's truth.

    Parameters
    ----------
    measured : sequence of MeasuredPanel
    truth : mapping
        The content of truth.json, see `artificial.article.draw_sample_article`.

    Returns
    -------
    list of PanelComparison
        One a true panel, in the order of the truth. Panels are matched by figure and by IoU ≥ 0.5 of
        their boxes; one that has no match counts as not seen.
    """
    rows = []
    for figure in truth["figures"]:
        candidates = [panel for panel in measured if panel.figure == figure["label"]]
        rows += [_compare(figure["label"], panel, candidates) for panel in figure["panels"]]
    return rows


def _compare(figure: str, true: Mapping[str, Any], candidates: Sequence[MeasuredPanel]) -> PanelComparison:
    box = Box(*true["box"])
    best = max(candidates, key=lambda panel: panel.box.iou(box), default=None)
    seen = best if best is not None and best.box.iou(box) >= _SAME_PANEL_IOU else None
    whole = [p for p in true["particles"] if p["whole"]]
    dx, dy = (seen.box.x0 - box.x0, seen.box.y0 - box.y0) if seen else (0, 0)
    drawn = [(p["x_px"], p["y_px"], p["ecd_px"]) for p in true["particles"]]
    every = [(x + dx, y + dy, ecd) for x, y, ecd, _ in seen.particles] if seen else []
    accepted = [(x + dx, y + dy, ecd) for x, y, ecd, good in seen.particles if good] if seen else []
    scale = seen.nm_per_px if seen else None
    median = float(np.median([ecd for *_, ecd in accepted])) * scale if accepted and scale is not None else None
    return PanelComparison(
        figure=figure,
        panel=true["letter"] or (None if true["parent"] is None else " inset"),
        kind=true["kind"],
        seen=seen is not None,
        true_nm_per_px=true["nm_per_px"],
        nm_per_px=scale,
        true_count=len(whole),
        count=len(accepted),
        found=_matched([(p["x_px"], p["y_px"], p["ecd_px"]) for p in whole], every),
        false=len(accepted) - _matched(accepted, drawn),
        true_median_ecd_nm=true["median_ecd_nm"],
        median_ecd_nm=median,
    )


_Disc = tuple[float, float, float]


def _matched(these: Sequence[_Disc], those: Sequence[_Disc]) -> int:
    """How many of these have one of those, each used once, in their place and of about their size."""
    left = list(those)
    count = 0
    for x, y, ecd in these:
        near = [
            (float(np.hypot(a - x, b - y)), index)
            for index, (a, b, other) in enumerate(left)
            if np.hypot(a - x, b - y) < _SAME_PLACE * ecd and 1 / _SAME_SIZE <= other / ecd <= _SAME_SIZE
        ]
        if near:
            left.pop(min(near)[1])
            count += 1
    return count


def format_comparison(rows: Sequence[PanelComparison]) -> str:
    """The comparison as a table of text, with the medians of its errors below."""
    head = (
        "panel",
        "nm/px true",
        "read",
        "particles true",
        "accepted",
        "found",
        "false",
        "median ECD true",
        "measured",
    )
    table = [head, *(_cells(row) for row in rows if row.kind == "em")]
    widths = [max(len(line[i]) for line in table) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in table
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", *_verdict(rows)])


def _cells(row: PanelComparison) -> tuple[str, ...]:
    name = f"{row.figure}{row.panel or ''}" if row.seen else f"{row.figure}{row.panel or ''} (not seen)"
    return (
        name,
        _number(row.true_nm_per_px),
        _number(row.nm_per_px),
        str(row.true_count),
        str(row.count),
        str(row.found),
        str(row.false),
        _number(row.true_median_ecd_nm, " nm"),
        _number(row.median_ecd_nm, " nm"),
    )


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.4g}{unit}"


def _verdict(rows: Sequence[PanelComparison]) -> list[str]:
    panels = [row for row in rows if row.kind == "em"]
    true, found = sum(r.true_count for r in panels), sum(r.found for r in panels)
    accepted, false = sum(r.count for r in panels), sum(r.false for r in panels)
    scaled = [r for r in panels if r.true_nm_per_px is not None]
    right = [r for r in scaled if r.scale_error is not None and abs(r.scale_error) <= _SCALE_IS_RIGHT]
    invented = [r for r in panels if r.true_nm_per_px is None and r.nm_per_px is not None]
    others = [r for r in rows if r.kind != "em" and r.count]
    scales = f"{len(right)} of {len(scaled)} within {100 * _SCALE_IS_RIGHT:g} %"
    lines = [
        f"particles: {found} of {true} found, {false} of {accepted} accepted ones false",
        f"scales: {scales}, {len(invented)} where there is none to read",
    ]
    errors = [abs(r.size_error) for r in panels if r.size_error is not None]
    if errors:
        lines.append(f"median ECD: off by {100 * float(np.median(errors)):.1f} % (median over {len(errors)} panels)")
    if others:
        lines.append(f"particles reported in panels that show none: {sum(r.count for r in others)}")
    return lines
