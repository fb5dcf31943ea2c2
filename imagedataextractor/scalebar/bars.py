"""Find the things in a picture that look like a scale bar, and measure their ends to sub-pixel.

What is drawn by hand or program on a micrograph differs from the micrograph in being flat along its
length and in having straight, sharp edges. Candidates come from three searches: long horizontal runs
at many grey levels (blocks and lines on any ground), the same on the picture less its surroundings
(thin and faint lines), and equally spaced short strokes (rulers). What is a bar and what is not is
judged elsewhere, from the features that are measured here.

Coordinates are edges: pixel i spans i … i+1, so that a bar filling pixels 5 to 9 runs from 5.0 to 10.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.records import Box

__all__ = ["Bar", "find_bars", "find_rulers", "join_across"]

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

#: Shortest bar that is looked for, px. Shorter ones cannot give a scale to 5 %.
MIN_LENGTH_PX = 13
#: Width to which a larger picture is reduced for the search, about, px.
SEARCH_WIDTH_PX = 900
#: A solid bar is at least this much longer than thick.
MIN_ASPECT = 1.9
#: Thickest bar, as a share of the picture's height.
MAX_THICKNESS = 0.14
#: Share of its bounding box that a bar fills.
MIN_EXTENT = 0.82
#: Candidates that are measured, at most: bounds the time on a picture of stripes.
MAX_CANDIDATES = 150
#: A bar ends where its level falls by this many grey levels, or by this many times its own unevenness.
END_DROP, END_NOISE = 16.0, 6.0
#: Grey level up to which a filling is black, and by how much, at least, the ground is then brighter.
BLACK = 40
#: Grey levels at which runs are sought.
LEVELS = (28, 48, 70, 92, 114, 136, 158, 180, 200, 216, 230, 242, 251)
#: Thickness of the thin lines that are sought against their surroundings, px, and the contrasts.
THIN_PX = (7, 15)
THIN_CONTRASTS = (9, 18, 34, 60)


@dataclass(frozen=True)
class Bar:
    """A candidate, measured.

    Attributes
    ----------
    x0, x1, y0, y1 : float
        Outer edges at half level; of a ruler x0 and x1 are the middles of the first and last stroke.
    polarity : {+1, -1}
        Brighter or darker than what surrounds it.
    form : {"solid", "broken", "ruler"}
    level : float
        Its grey level, 0 … 255.
    contrast : float
        Of its grey level against above and below, in grey levels (the weaker of the two).
    edge_share : float
        Share of its length along which above and below differ from it by a third of the contrast.
    flatness : float
        Standard deviation along its length, grey levels.
    ends : float
        Drop at its ends over its contrast (the weaker of the two), cut to 0 … 1.5. An end at the
        picture's edge is not counted.
    clarity : float
        Drop at its ends over its unevenness, 0 … 1: a flat bar ends clearly even on a ground nearly as bright.
    extent : float
        Share of its bounding box that it fills.
    at_border : bool
        It touches the picture's edge, left, right, top or bottom.
    cut : bool
        It touches the left or right edge: its length may be cut.
    strokes : int
        Strokes seen (rulers), else 0.
    lesser : bool
        It is the filling of an outlined bar, or the outline of a black one: the other of the two counts.
    """

    x0: float
    x1: float
    y0: float
    y1: float
    polarity: int
    form: Literal["solid", "broken", "ruler"]
    level: float
    contrast: float
    edge_share: float
    flatness: float
    ends: float
    clarity: float
    extent: float
    at_border: bool
    cut: bool
    strokes: int = 0
    lesser: bool = False

    @property
    def length(self) -> float:
        return self.x1 - self.x0

    @property
    def thickness(self) -> float:
        return self.y1 - self.y0

    @property
    def y(self) -> float:
        return 0.5 * (self.y0 + self.y1)

    @property
    def box(self) -> Box:
        return Box(int(self.x0), int(self.y0), int(np.ceil(self.x1)), int(np.ceil(self.y1)))

    def shifted(self, dx: float, dy: float) -> Bar:
        return replace(self, x0=self.x0 + dx, x1=self.x1 + dx, y0=self.y0 + dy, y1=self.y1 + dy)


@dataclass(frozen=True)
class _Strip:
    """A connected set of long runs: first guess of a bar."""

    x0: int
    x1: int
    y0: int
    y1: int
    polarity: int
    extent: float

    def times(self, factor: int) -> _Strip:
        """The strip in a picture `factor` times as large."""
        return replace(self, x0=self.x0 * factor, x1=self.x1 * factor, y0=self.y0 * factor, y1=self.y1 * factor)


def find_bars(grey: Grey) -> list[Bar]:
    """All strips of a picture that may be solid bars, measured; no order.

    Parameters
    ----------
    grey : uint8 array, shape (H, W)
    """
    # A large picture is searched reduced, and only measured at its own resolution.
    factor = max(1, round(grey.shape[1] / SEARCH_WIDTH_PX))
    small = grey
    if factor > 1:
        columns, rows = max(1, grey.shape[1] // factor), max(1, grey.shape[0] // factor)
        whole = grey[: rows * factor, : columns * factor]
        small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8)
    height, width = small.shape
    shortest = MIN_LENGTH_PX
    if width < shortest + 2 or height < 3:
        return []
    strips: list[_Strip] = []
    for polarity in (1, -1):
        signed = small if polarity > 0 else 255 - small
        for level in LEVELS:
            strips += _strips((signed >= level).astype(np.uint8), polarity, shortest)
        for size in THIN_PX:
            opened = cv2.morphologyEx(signed, cv2.MORPH_OPEN, np.ones((size, 1), np.uint8))
            thin = cv2.subtract(signed, opened)
            for contrast in THIN_CONTRASTS:
                strips += _strips((thin >= contrast).astype(np.uint8), polarity, shortest)
    strips.sort(key=lambda s: -(s.extent + min(s.x1 - s.x0, 100) / 100))
    bars: list[Bar] = []
    for strip in _distinct(strips)[:MAX_CANDIDATES]:
        bar = _measure(grey, strip.times(factor))
        if bar is not None:
            bars.append(bar)
    lesser = _beside_the_mark(bars)
    return [replace(bar, lesser=i in lesser) for i, bar in enumerate(bars)]


def _beside_the_mark(bars: Sequence[Bar]) -> set[int]:
    """Which of the bars are the lesser half of an outlined bar: its filling, or its outline.

    Where lines of the other polarity, slightly longer, lie above and below a bar, both give nearly the
    same length, and one of them counts. Hand-read labels go by the outline, around white or empty
    bars, but by the filling where it is black and the bright line around it only sets it off.
    """
    lesser: set[int] = set()
    for i, bar in enumerate(bars):
        lines = [(j, line) for j, line in enumerate(bars) if _outlines(line, bar)]
        above = [(j, line) for j, line in lines if abs(line.y1 - bar.y0) <= 2.0]
        below = [(j, line) for j, line in lines if abs(line.y0 - bar.y1) <= 2.0]
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
        and line.thickness <= 8
        and 0.5 <= left <= 8
        and 0.5 <= right <= 8
        and abs(left - right) <= 3
    )


def _strips(mask: npt.NDArray[np.uint8], polarity: int, shortest: int) -> Iterator[_Strip]:
    height, width = mask.shape
    runs = cv2.morphologyEx(
        mask, cv2.MORPH_OPEN, np.ones((1, shortest), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    if not cv2.countNonZero(runs):
        return
    _, _, stats, _ = cv2.connectedComponentsWithStats(runs, connectivity=4)
    x, y, w, h, area = (stats[1:, i] for i in range(5))
    good = (w >= MIN_ASPECT * h) & (h <= max(3.0, MAX_THICKNESS * height)) & (w < 0.97 * width)
    good &= area >= MIN_EXTENT * w * h
    for i in np.flatnonzero(good):
        yield _Strip(
            int(x[i]), int(x[i] + w[i]), int(y[i]), int(y[i] + h[i]), polarity, float(area[i]) / float(w[i] * h[i])
        )


def _distinct(strips: Sequence[_Strip]) -> list[_Strip]:
    """Without those that are nearly the same as an earlier one."""
    kept: list[_Strip] = []
    table = np.zeros((0, 5))
    for s in strips:
        row = np.array([[s.x0, s.x1, s.y0, s.y1, s.polarity]], float)
        if len(table):
            slack = np.maximum(2.0, 0.04 * (s.x1 - s.x0))
            near = (np.abs(table[:, :2] - row[:, :2]) <= slack).all(1) & (table[:, 4] == s.polarity)
            near &= (np.minimum(table[:, 3], s.y1) - np.maximum(table[:, 2], s.y0)) > 0
            if near.any():
                continue
        kept.append(s)
        table = np.vstack([table, row])
        if len(kept) >= MAX_CANDIDATES:
            break
    return kept


def _measure(grey: Grey, strip: _Strip) -> Bar | None:
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
    above = _median(down[max(0, y0 - 6) : y0 - 1]) if y0 >= 2 else None
    below = _median(down[y1 + 1 : y1 + 6]) if y1 + 2 <= len(down) else None
    grounds = [g for g in (above, below) if g is not None]
    ground = sum(grounds) / len(grounds) if grounds else level - 255.0
    if level - ground < 5:
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
    cut = left + end0.at <= 0.6 or left + end1.at >= width - 0.6
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
        if drop <= 2:
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
            if left.polarity != right.polarity or abs(left.y - right.y) > 1.5:
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


# ---------------------------------------------------------------- rulers

#: Strokes of a whole ruler: instruments (Hitachi, FEI) draw eleven, ten intervals.
WHOLE_RULER = 11
#: Fewest strokes that are taken for a ruler.
MIN_STROKES = 7
#: Spacing of a ruler's strokes, px.
MIN_STEP_PX, MAX_STEP_PX = 6.0, 150.0
#: Strokes on one line above which they are a texture, not a ruler.
MAX_STROKES = 60


def find_rulers(grey: Grey) -> list[Bar]:
    """Rows of equally spaced short strokes or dots, measured from first to last middle.

    Strokes that are hidden (by a particle) or lost (at the edge) are allowed for where the spacing
    of the others is clear.
    """
    rulers: list[Bar] = []
    for polarity in (1, -1):
        signed = grey if polarity > 0 else 255 - grey
        opened = cv2.morphologyEx(signed, cv2.MORPH_OPEN, np.ones((1, 11), np.uint8))
        thin = cv2.subtract(signed, opened).astype(np.uint8)
        for contrast in (18, 40, 85):
            rulers += _rulers_at(grey, thin, contrast, polarity)
    rulers.sort(key=lambda r: (-r.strokes, r.flatness))
    kept: list[Bar] = []
    for ruler in rulers:
        if all(abs(ruler.y - other.y) > 3 or min(ruler.x1, other.x1) <= max(ruler.x0, other.x0) for other in kept):
            kept.append(ruler)
    return kept


def _rulers_at(grey: Grey, thin: Grey, contrast: int, polarity: int) -> list[Bar]:
    height, _ = grey.shape
    mask = (thin >= contrast).astype(np.uint8)
    count, _, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count <= MIN_STROKES:
        return []
    y, w, h, area = (stats[1:, i].astype(float) for i in range(1, 5))
    centre_x = centres[1:, 0] + 0.5
    small = (w <= 9) & (h >= 2) & (h <= max(24.0, 0.05 * height)) & (w <= 2.5 * h) & (area >= 0.45 * w * h)
    rulers = []
    indices = np.flatnonzero(small)
    if not MIN_STROKES <= len(indices) <= 1500:
        return []
    # Strokes stand on a common line; which of top, middle or bottom is common differs by maker.
    for anchor in (y, y + 0.5 * h, y + h):
        order = indices[np.argsort(anchor[indices], kind="stable")]
        values = anchor[order]
        seen: set[int] = set()
        for i in range(len(order)):
            j = int(np.searchsorted(values, values[i] + 2.01, side="right"))
            if j - i < MIN_STROKES or j in seen:
                continue
            seen.add(j)
            group = order[i:j]
            found = _progression(np.sort(centre_x[group]))
            if found is not None:
                first, step, hits = found
                members = group[np.isin(centre_x[group], hits)]
                if np.median(w[members]) > 0.5 * step:  # the gaps between strokes, not the strokes
                    continue
                rulers.append(_as_ruler(grey, thin, contrast, polarity, first, step, hits, y[members], h[members]))
    return rulers


def _progression(xs: npt.NDArray[np.float64]) -> tuple[float, float, npt.NDArray[np.float64]] | None:
    """The longest run of equally spaced values: first, spacing, and the values on it."""
    best: tuple[float, float, npt.NDArray[np.float64]] | None = None
    if not MIN_STROKES <= len(xs) <= MAX_STROKES:
        return None
    steps = np.diff(xs)
    likely = (steps >= MIN_STEP_PX) & (steps <= MAX_STEP_PX)
    # A ruler's spacing is that of many neighbours; this leaves few of the steps of a texture.
    alike = np.abs(steps[:, None] - steps[None, :]) <= np.minimum(1.2, 0.12 * steps)[:, None]
    likely &= alike.sum(axis=1) >= MIN_STROKES - 3
    tried: set[tuple[int, int]] = set()
    for i in np.flatnonzero(likely):
        step = float(steps[i])
        key = (round(step), round(float(xs[i]) % step))
        if key in tried:
            continue
        tried.add(key)
        offset, slope = float(xs[i]), step
        # Strokes stand on whole pixels: the spacing of two neighbours is refined on more and more of them.
        for reach in (2, 4, 7, WHOLE_RULER - 1):
            k = np.round((xs - offset) / slope)
            on = (np.abs(xs - offset - k * slope) <= min(1.2, 0.15 * slope)) & (np.abs(k) <= reach)
            if np.count_nonzero(on) < 3 or np.ptp(k[on]) < 2:
                break
            slope, offset = (float(v) for v in np.polyfit(k[on], xs[on], 1))
        if np.count_nonzero(on) < MIN_STROKES:
            continue
        ks, first_of = np.unique(k[on], return_index=True)
        span = ks[-1] - ks[0] + 1
        if len(ks) < MIN_STROKES or span - len(ks) > 2 or span > WHOLE_RULER:
            continue
        values = xs[on][first_of]
        slope, offset = (float(v) for v in np.polyfit(ks, values, 1))
        if np.abs(values - offset - slope * ks).max() > max(0.8, 0.05 * slope):
            continue
        if best is None or len(values) > len(best[2]):
            best = (float(offset), float(slope), values)
    return best


def _as_ruler(
    grey: Grey,
    thin: Grey,
    contrast: int,
    polarity: int,
    first: float,
    step: float,
    hits: npt.NDArray[np.float64],
    tops: npt.NDArray[np.float64],
    heights: npt.NDArray[np.float64],
) -> Bar:
    _, width = grey.shape
    ks = np.round((hits - first) / step)
    x0, x1 = float(first + ks.min() * step), float(first + ks.max() * step)
    y0, y1 = float(np.median(tops)), float(np.median(tops + heights))
    seen = int(ks.max() - ks.min()) + 1
    # A ruler that runs out of the picture on one side, with a stroke or two missing, is a whole one cut.
    missing = WHOLE_RULER - seen
    off_left, off_right = x0 - step < 1.0, x1 + step > width - 1.0
    cut = missing > 0 and (off_left or off_right)
    if 0 < missing <= 2 and off_left != off_right:
        x0, x1 = (x0 - missing * step, x1) if off_left else (x0, x1 + missing * step)
        seen = WHOLE_RULER
    residual = float(np.std(hits - first - ks * step))
    return Bar(
        x0=x0,
        x1=x1,
        y0=y0,
        y1=y1,
        polarity=polarity,
        form="ruler",
        level=255.0 if polarity > 0 else 0.0,
        contrast=float(contrast),
        edge_share=len(hits) / WHOLE_RULER,
        flatness=residual,
        ends=1.0,
        clarity=1.0,
        extent=len(hits) / WHOLE_RULER,
        at_border=False,
        cut=cut,
        strokes=seen,
    )
