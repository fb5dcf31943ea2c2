"""Small graphs as SVG text, for pages that need no script and no other file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

__all__ = ["curve_svg", "histogram_svg", "ranges_svg"]

_WIDTH, _HEIGHT = 300, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 8, 8, 34


def _ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values (1, 2 or 5 · 10ⁿ apart) between low and high."""
    span = high - low
    if span <= 0:
        return [low]
    step = 10.0 ** np.floor(np.log10(span / most))
    step = next((s * step for s in (1, 2, 5, 10) if span / (s * step) <= most), 10 * step)
    first = np.ceil(low / step - 1e-9)
    return [float(f"{value:.12g}") + 0.0 for value in np.arange(first, np.floor(high / step + 1e-9) + 1) * step]


def _frame(x: tuple[float, float], y: tuple[float, float], x_label: str, y_label: str, inside: str) -> str:
    """Axes with ticks and labels around what is drawn inside."""
    name = escape(f"{y_label} by {x_label}")
    parts = [f'<svg class="graph" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{name}">']
    bottom = _HEIGHT - _BOTTOM
    for value in _ticks(*x):
        at = _across(value, x)
        parts.append(f'<path class="tick" d="M{at:.1f} {bottom}v4"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 15}" text-anchor="middle">{value:g}</text>')
    for value in _ticks(*y, most=4):
        at = _up(value, y)
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{at + 3.5:.1f}" text-anchor="end">{value:g}</text>')
    parts.append(inside)
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}"/>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(x_label)}</text></svg>')
    return "".join(parts)


def _across(value: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return _LEFT + (value - low) / ((high - low) or 1.0) * (_WIDTH - _LEFT - _RIGHT)


def _up(value: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return _HEIGHT - _BOTTOM - (value - low) / ((high - low) or 1.0) * (_HEIGHT - _TOP - _BOTTOM)


def histogram_svg(edges: Sequence[float], counts: Sequence[int], x_label: str, mark: float | None = None) -> str:
    """A histogram; `mark` draws a dashed line, for the median."""
    x, y = (edges[0], edges[-1]), (0.0, max(1.0, float(max(counts)) * 1.06))
    bars = []
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        left, right, top = _across(low, x), _across(high, x), _up(count, y)
        bars.append(
            f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 0.5):.1f}" '
            f'height="{_up(0, y) - top:.1f}"><title>{low:.4g} – {high:.4g}: {count}</title></rect>'
        )
    if mark is not None:
        bars.append(f'<path class="mark" d="M{_across(mark, x):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
    return _frame(x, y, x_label, "particles", "".join(bars))


def curve_svg(xs: Sequence[float], ys: Sequence[float], x_label: str, y_label: str, level: float | None = None) -> str:
    """A curve; `level` draws a dashed horizontal line."""
    x, y = (0.0, max(xs)), (0.0, max(1.0, float(max(ys)) * 1.06))
    points = " ".join(f"{_across(a, x):.1f},{_up(b, y):.1f}" for a, b in zip(xs, ys, strict=True))
    inside = f'<polyline class="curve" points="{points}"/>'
    if level is not None:
        inside += f'<path class="mark" d="M{_LEFT} {_up(level, y):.1f}H{_WIDTH - _RIGHT}"/>'
    return _frame(x, y, x_label, y_label, inside)


def ranges_svg(rows: Sequence[tuple[str, str, float, float, float]], x_label: str) -> str:
    """One line a row on a logarithmic axis, from low to high with a dot at the middle.

    Rows are (name, anchor, low, middle, high); the name links to the anchor.
    """
    left, right, step, top = 190, 20, 20, 8
    width, bottom = 900, top + step * len(rows)
    low = min(row[2] for row in rows) / 1.15
    high = max(row[4] for row in rows) * 1.15

    def across(value: float) -> float:
        return float(left + np.log(value / low) / np.log(high / low) * (width - left - right))

    parts = [f'<svg class="graph wide" viewBox="0 0 {width} {bottom + 40}" role="img" aria-label="{escape(x_label)}">']
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for value in [step_ * 10.0**n for n in decades for step_ in (1, 2, 5)]:
        if low <= value <= high:
            at = across(value)
            parts.append(f'<path class="grid" d="M{at:.1f} {top}V{bottom}"/>')
            parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{value:g}</text>')
    for index, (name, anchor, start, middle, end) in enumerate(rows):
        y = top + step * (index + 0.5)
        label = f'<text x="{left - 10}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        parts.append(
            f'<a href="#{escape(anchor)}">{label}</a>'
            f'<path class="range" d="M{across(start):.1f} {y:.1f}H{across(end):.1f}"/>'
            f'<circle class="dot" cx="{across(middle):.1f}" cy="{y:.1f}" r="4">'
            f"<title>{escape(name)}: {start:.4g} – {middle:.4g} – {end:.4g}</title></circle>"
        )
    centre = (left + width - right) / 2
    parts.append(f'<text x="{centre:.0f}" y="{bottom + 34}" text-anchor="middle">{escape(x_label)}</text></svg>')
    return "".join(parts)
