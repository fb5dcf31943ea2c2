"""Measure one strip of a picture, the first guess of a bar: its ends to sub-pixel, its edges, and its features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from imagedataextractor.scalebar.bar import MIN_LENGTH_PX, Bar, Grey

__all__ = ["Strip", "measure"]

Floats = npt.NDArray[np.float32]

#: A bar ends where its level falls by this many grey levels, or by this many times its own unevenness.
END_DROP, END_NOISE = 16.0, 6.0
#: Rows about a strip, px, in which its ground is measured: the one beside it is blurred, the next five are ground.
BLURRED_PX, GROUND_PX = 1, 6
#: Least contrast of a bar against its ground, and least drop at its end, grey levels.
LEAST_CONTRAST, LEAST_DROP = 5, 2
#: Distance, px, within which an end is at the picture's edge.
AT_EDGE_PX = 0.6


@dataclass(frozen=True)
class Strip:
    """A connected set of long runs: first guess of a bar."""

    x0: int
    x1: int
    y0: int
    y1: int
    polarity: int
    extent: float

    def times(self, factor: int) -> Strip:
        """The strip in a picture `factor` times as large."""
        return replace(self, x0=self.x0 * factor, x1=self.x1 * factor, y0=self.y0 * factor, y1=self.y1 * factor)


def measure(grey: Grey, strip: Strip) -> Bar | None:
    """Ends, edges and features of one strip; None where it is not distinct from what is around it."""
    height, width = grey.shape
    margin = 14
    left, right = max(0, strip.x0 - margin), min(width, strip.x1 + margin)
    top, bottom = max(0, strip.y0 - margin), min(height, strip.y1 + margin)
    patch = strip.polarity * grey[top:bottom, left:right].astype(np.float32)
    x0, x1, y0, y1 = strip.x0 - left, strip.x1 - left, strip.y0 - top, strip.y1 - top

    inset = max(1, (x1 - x0) // 10)
    columns = patch[:, x0 + inset : x1 - inset]
    down = np.median(columns, axis=1)
    core_row = int(y0 + np.argmax(down[y0:y1]))
    level = float(down[core_row])
    # Rows that belong to the bar: nearly as far from the ground as its best row.
    above = _median(down[max(0, y0 - GROUND_PX) : y0 - BLURRED_PX]) if y0 > BLURRED_PX else None
    below = _median(down[y1 + BLURRED_PX : y1 + GROUND_PX]) if y1 + BLURRED_PX < len(down) else None
    grounds = [g for g in (above, below) if g is not None]
    ground = sum(grounds) / len(grounds) if grounds else level - 255.0
    if level - ground < LEAST_CONTRAST:
        return None
    core = [r for r in range(y0, y1) if down[r] >= level - 0.25 * (level - ground)]
    rows = np.array(core if core else [core_row])
    profile = patch[rows].mean(axis=0)

    end0 = _end(profile, x0, x1, -1)
    end1 = _end(profile, x0, x1, +1)
    if end1.at - end0.at < MIN_LENGTH_PX - 2:
        return None
    edge_top = _crossing(down, core_row, -1, 0.5 * (level + (ground if above is None else above)))
    edge_bottom = _crossing(down, core_row, +1, 0.5 * (level + (ground if below is None else below)))

    inner = slice(max(0, int(np.ceil(end0.at)) + 1), max(1, int(end1.at) - 1))
    along = profile[inner]
    contrasts, shares = [], []
    for edge, direction in ((edge_top, -1), (edge_bottom, +1)):
        row = int(np.floor(edge)) + (direction * 2 if direction < 0 else 2)
        if 0 <= row < len(patch):
            outside = patch[row][inner]
            difference = along - outside
            contrasts.append(float(np.median(difference)))
            shares.append(float(np.mean(difference > max(4.0, 0.33 * (level - ground)))))
    if not contrasts or not len(along):
        return None
    contrast = min(contrasts)
    cut = left + end0.at <= AT_EDGE_PX or left + end1.at >= width - AT_EDGE_PX
    drops = [end.drop for end in (end0, end1) if end.drop is not None]
    drop = min(drops, default=0.0)
    flatness = float(np.std(along))
    return Bar(
        x0=left + end0.at,
        x1=left + end1.at,
        y0=top + edge_top,
        y1=top + edge_bottom,
        polarity=strip.polarity,
        form="solid",
        level=strip.polarity * level,
        contrast=contrast,
        edge_share=min(shares),
        flatness=flatness,
        ends=float(np.clip(drop / max(contrast, 5.0), 0, 1.5)),
        clarity=float(np.clip(drop / (3.0 * flatness + 6.0), 0, 1)),
        extent=strip.extent,
        at_border=cut or top + edge_top <= 1.0 or top + edge_bottom >= height - 1.0,
        cut=cut,
    )


@dataclass(frozen=True)
class _End:
    at: float
    drop: float | None


def _end(profile: Floats, x0: int, x1: int, direction: int) -> _End:
    """Where a profile along the bar falls to half between the bar's level and the ground outside.

    The search goes outwards from inside the bar, so that an end stroke (of an I-beam) darker than the
    line itself is still bar. The first place counts where the profile leaves the bar's own level for
    good: what lies beyond may be nearly as bright, a particle for one, and only then the ground. Where
    the level is too uneven for that, the end is sought at half level, a second time with the ground
    measured next to the first answer.
    """
    n = len(profile)
    quarter = max(2, min(12, (x1 - x0) // 4))
    start = x0 + quarter if direction < 0 else x1 - 1 - quarter
    within = profile[x0 + 1 : start + 1] if direction < 0 else profile[start : x1 - 1]
    inside = _median(within)
    leaves = max(END_DROP, END_NOISE * _median(np.abs(within - inside)))
    i = start
    while 0 <= i < n:
        if profile[i] < inside - leaves:
            outside = _outside(profile, float(i if direction > 0 else i + 1), direction)
            if outside is not None and inside - outside >= leaves:
                return _End(_crossing(profile, start, direction, 0.5 * (inside + outside)), inside - outside)
        i += direction
    edge = float(x0 if direction < 0 else x1)
    drop = 0.0
    for _ in range(2):
        outside = _outside(profile, edge, direction)
        if outside is None:  # the bar runs to the edge of the picture
            return _End(0.0 if direction < 0 else float(n), None)
        drop = inside - outside
        if drop <= LEAST_DROP:
            break
        edge = _crossing(profile, start, direction, 0.5 * (inside + outside))
    return _End(edge, drop)


def _outside(profile: Floats, edge: float, direction: int) -> float | None:
    """Level of the ground just outside an end: the median of pixels 2 … 6 beyond it."""
    n = len(profile)
    if direction < 0:
        a, b = int(np.floor(edge)) - 6, int(np.floor(edge)) - 1
    else:
        a, b = int(np.ceil(edge)) + 1, int(np.ceil(edge)) + 6
    beyond = profile[max(0, a) : max(0, min(n, b))]
    return _median(beyond) if len(beyond) else None


def _median(values: Floats) -> float:
    """The median of a few values; `numpy.median` takes ten times as long for them."""
    ordered: list[float] = sorted(values.tolist())
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else 0.5 * (ordered[middle - 1] + ordered[middle])


def _crossing(profile: npt.NDArray[np.floating], start: int, direction: int, level: float) -> float:
    """First place outwards from pixel `start` where a profile falls below `level`, to sub-pixel.

    Values are those of pixel centres (i + 0.5); linear between them. The end of the profile where it
    never falls.
    """
    i = start
    n = len(profile)
    while 0 <= i + direction < n and profile[i + direction] >= level:
        i += direction
    j = i + direction
    if not 0 <= j < n:
        return 0.0 if direction < 0 else float(n)
    if profile[i] <= profile[j] or profile[i] < level:
        return i + 0.5 + 0.5 * direction
    share = float((profile[i] - level) / (profile[i] - profile[j]))
    return i + 0.5 + direction * share
