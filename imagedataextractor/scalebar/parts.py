"""Bars of several parts: lines that their text breaks in two, and fillings with an outline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imagedataextractor.records import Box
from imagedataextractor.scalebar.bar import Bar

__all__ = ["beside_the_mark", "join_across"]

#: Grey level up to which a filling is black, and by how much, at least, the ground is then brighter.
BLACK = 40
#: Gap, px, up to which an outline's line lies at a bar; thickest line of an outline, px; how far it reaches over the
#: bar at each end, px, at least and at most, and how much those may differ, px.
OUTLINE_GAP_PX, OUTLINE_LINE_PX, OUTLINE_OVER_PX, OUTLINE_UNEVEN_PX = 2.0, 8, (0.5, 8), 3
#: Heights in which the halves of a line that its text breaks may differ, px.
BROKEN_LEVEL_PX = 1.5


def beside_the_mark(bars: Sequence[Bar]) -> set[int]:
    """Which of the bars are the lesser half of an outlined bar: its filling, or its outline.

    Where lines of the other polarity, slightly longer, lie above and below a bar, both give nearly the
    same length, and one of them counts. Hand-read labels go by the outline, around white or empty
    bars, but by the filling where it is black and the bright line around it only sets it off.
    """
    lesser: set[int] = set()
    for i, bar in enumerate(bars):
        lines = [(j, line) for j, line in enumerate(bars) if _outlines(line, bar)]
        above = [(j, line) for j, line in lines if abs(line.y1 - bar.y0) <= OUTLINE_GAP_PX]
        below = [(j, line) for j, line in lines if abs(line.y0 - bar.y1) <= OUTLINE_GAP_PX]
        if not above or not below:
            continue
        ground = min(line.level - line.polarity * line.contrast for _, line in (*above, *below))
        if bar.polarity < 0 and bar.level <= BLACK and ground - bar.level >= BLACK:
            lesser |= {j for j, _ in (*above, *below)}
        else:
            lesser.add(i)
    return lesser


def _outlines(line: Bar, bar: Bar) -> bool:
    left, right = bar.x0 - line.x0, line.x1 - bar.x1
    return (
        line.polarity != bar.polarity
        and line.thickness <= OUTLINE_LINE_PX
        and OUTLINE_OVER_PX[0] <= min(left, right)
        and max(left, right) <= OUTLINE_OVER_PX[1]
        and abs(left - right) <= OUTLINE_UNEVEN_PX
    )


def join_across(bars: Sequence[Bar], text: Box) -> list[Bar]:
    """Bars that a text breaks in two ("|— 200 nm —|"): pairs left and right of it on its middle line."""
    middle = 0.5 * (text.y0 + text.y1)
    level_with = [b for b in bars if abs(b.y - middle) <= 0.4 * text.height and b.thickness <= 0.6 * text.height]
    joined = []
    for left in level_with:
        if not text.x0 - 2.5 * text.height <= left.x1 <= text.x0 + 0.6 * text.height:
            continue
        for right in level_with:
            if not text.x1 - 0.6 * text.height <= right.x0 <= text.x1 + 2.5 * text.height:
                continue
            if left.polarity != right.polarity or abs(left.y - right.y) > BROKEN_LEVEL_PX:
                continue
            if max(left.length, right.length) > 1.6 * min(left.length, right.length) + 6:
                continue
            joined.append(
                replace(
                    left,
                    x1=right.x1,
                    form="broken",
                    contrast=min(left.contrast, right.contrast),
                    edge_share=min(left.edge_share, right.edge_share),
                    flatness=max(left.flatness, right.flatness),
                    ends=min(left.ends, right.ends),
                    clarity=min(left.clarity, right.clarity),
                    extent=min(left.extent, right.extent),
                    at_border=left.at_border or right.at_border,
                    cut=left.cut or right.cut,
                )
            )
    return joined
