"""Find rulers, rows of equally spaced short strokes or dots, as instruments draw them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.scalebar.bar import Bar, Grey

__all__ = ["WHOLE_RULER", "find_rulers"]

#: Strokes of a whole ruler: instruments (Hitachi, FEI) draw eleven, ten intervals.
WHOLE_RULER = 11
#: Fewest strokes that are taken for a ruler.
MIN_STROKES = 7
#: Spacing of a ruler's strokes, px.
MIN_STEP_PX, MAX_STEP_PX = 6.0, 150.0
#: Strokes on one line above which they are a texture, not a ruler.
MAX_STROKES = 60
#: Heights within which two rulers are one, px.
SAME_RULER_PX = 3
#: A stroke: width, px; height, px and as a share of the picture's; width over height; share of its box that it fills.
STROKE_WIDTH_PX, STROKE_HEIGHT_PX, STROKE_HEIGHT, STROKE_ASPECT, STROKE_FILL = 9, (2, 24.0), 0.05, 2.5, 0.45
#: Marks of a stroke's size above which a picture is of texture: bounds the time.
MOST_MARKS = 1500
#: Strokes from which a spacing is refined, and intervals that they span; strokes that may be hidden, or lie outside.
LEAST_REFINED, LEAST_SPAN, MOST_HIDDEN, MOST_OUTSIDE = 3, 2, 2, 2


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
        if not any(_is_one(ruler, other) for other in kept):
            kept.append(ruler)
    return kept


def _is_one(ruler: Bar, other: Bar) -> bool:
    """Whether two rulers lie on one line and overlap."""
    return abs(ruler.y - other.y) <= SAME_RULER_PX and min(ruler.x1, other.x1) > max(ruler.x0, other.x0)


def _rulers_at(grey: Grey, thin: Grey, contrast: int, polarity: int) -> list[Bar]:
    height, _ = grey.shape
    mask = (thin >= contrast).astype(np.uint8)
    count, _, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count <= MIN_STROKES:
        return []
    y, w, h, area = (stats[1:, i].astype(float) for i in range(1, 5))
    centre_x = centres[1:, 0] + 0.5
    small = (w <= STROKE_WIDTH_PX) & (w <= STROKE_ASPECT * h) & (area >= STROKE_FILL * w * h)
    small &= (h >= STROKE_HEIGHT_PX[0]) & (h <= max(STROKE_HEIGHT_PX[1], STROKE_HEIGHT * height))
    rulers = []
    indices = np.flatnonzero(small)
    if not MIN_STROKES <= len(indices) <= MOST_MARKS:
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
                rulers.append(_as_ruler(grey, contrast, polarity, first, step, hits, y[members], h[members]))
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
            if np.count_nonzero(on) < LEAST_REFINED or np.ptp(k[on]) < LEAST_SPAN:
                break
            slope, offset = (float(v) for v in np.polyfit(k[on], xs[on], 1))
        if np.count_nonzero(on) < MIN_STROKES:
            continue
        ks, first_of = np.unique(k[on], return_index=True)
        span = ks[-1] - ks[0] + 1
        if len(ks) < MIN_STROKES or span - len(ks) > MOST_HIDDEN or span > WHOLE_RULER:
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
    if 0 < missing <= MOST_OUTSIDE and off_left != off_right:
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
