"""Pictures inside pictures: the insets of a micrograph.

Two sorts are looked for. A *picture* laid over another leaves a rectangle whose sides are long
straight steps (or frame lines), where they do not lie on the outer picture's own border. A *plot*
drawn straight onto the micrograph leaves axes and coloured ink, which a grey micrograph has not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.panels.layout import bounding_box, luma, runs, shrink
from imagedataextractor.images.channels import is_flat
from imagedataextractor.records import Box

__all__ = ["Inset", "find_insets"]

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
#: Shortest side of a panel that is searched, px.
LEAST_SIDE_PX = 60
#: Difference of the channels from which a pixel is coloured, levels: of spectra and maps, and of a plot's ink.
COLOURED_LEVELS, INK_COLOURED_LEVELS = 40, 70
#: Share of coloured pixels above which the whole is a false-colour micrograph, where coloured pictures are sought and
#: where a plot's ink is; and from which a rectangle is coloured.
FALSE_COLOUR, FALSE_COLOUR_INK, COLOURED_SHARE = 0.6, 0.3, 0.5
#: Share of a coloured patch that is ink of its own, at least: arrows, outlines and letters are coloured too, but thin.
PLOT_INK = 0.12
#: A label's ground: share of it that is of one grey level, which lies below or above these.
LABEL_EVEN, LABEL_DARK, LABEL_BRIGHT = 0.5, 40, 215
#: What stands for the cover of a side on the picture's border, above all shares; and free sides that an inset has.
ON_BORDER, BORDER_FROM, LEAST_FREE = 2.0, 1.5, 2
#: Contrast of the strokes of axes, grey levels.
AXIS_LEVELS = 25


@dataclass(frozen=True)
class Inset:
    """A part of a picture that shows something else; `drawn` is a plot drawn straight onto it."""

    box: Box
    drawn: bool = False


#: Longest side of the copy that is searched, px.
SEARCH_SIDE = 420
#: Sides of an inset as fractions of the panel's: smaller ones are labels, larger ones the panel itself.
SIDE_RANGE = (0.2, 0.72)
#: Longer strips than this (long over short side) are labels and data bars.
MOST_ASPECT = 2.2
#: Share of an inset's free side along which the step must be seen.
SIDE_COVERED = 0.8
#: Least distance (total variation) between the tones inside and outside an inset.
TONE_DISTANCE = 0.25
#: Lines in one direction between which rectangles are looked for, at most.
MOST_LINES = 14
#: The same for insets in a corner of the picture, where most are.
CORNER_SIDE_COVERED = 0.7
#: Pixels along an edge that are averaged before its step is judged, against noise.
ALONG_PX = 7
#: Pixels from the side of an inset at which the picture is compared: clear of a frame line, and as far again.
NEAR_PX, FAR_PX = 4, 12
#: How much more the picture changes across the side of an inset than it does beside it.
BREAK = 1.25
#: Least height of a step, grey levels.
STEP_LEVELS = 14.0


def find_insets(panel: npt.NDArray[np.uint8]) -> list[Inset]:
    """Insets of a picture.

    Parameters
    ----------
    panel : uint8 array, shape (H, W) or (H, W, 3)

    Returns
    -------
    list of Inset
        In pixels of the panel, none inside another, largest first.
    """
    if min(panel.shape[:2]) < LEAST_SIDE_PX:
        return []
    small = shrink(panel, SEARCH_SIDE)
    grey = luma(small)
    plots = [Inset(b, drawn=True) for b in _drawn_plots(small)]
    found = _apart(plots + [Inset(b) for b in _laid_over(grey)] + [Inset(b, drawn=True) for b in _coloured(small)])
    scale = panel.shape[0] / small.shape[0]
    height, width = panel.shape[:2]
    whole = Box(0, 0, width, height)
    scaled = [
        Inset(Box(*(round(v * scale) for v in (i.box.x0, i.box.y0, i.box.x1, i.box.y1))).intersection(whole), i.drawn)
        for i in found
    ]
    return sorted(scaled, key=lambda i: -i.box.area)


def _laid_over(grey: Grey) -> list[Box]:
    """Rectangles that show another picture than what is around them."""
    found = []
    for box in _rectangles(grey):
        if not _is_label(grey[box.slices]) and _differs(grey, box) and _breaks_off(grey, box):
            found.append(box)
    return found


def _coloured(panel: npt.NDArray[np.uint8]) -> list[Box]:
    """Coloured rectangles over a grey micrograph, which may be as dark as it: spectra, maps."""
    if is_flat(panel):
        return []
    spread = np.asarray(panel.max(axis=2) - panel.min(axis=2), np.uint8)
    if float((spread > COLOURED_LEVELS).mean()) > FALSE_COLOUR:
        return []
    return [b for b in _laid_over(spread) if float((spread[b.slices] > COLOURED_LEVELS).mean()) > COLOURED_SHARE]


def _breaks_off(grey: Grey, box: Box) -> bool:
    """Whether the picture changes across the rectangle's sides; a frame drawn onto it has the same on both sides."""
    levels = cv2.blur(grey, (3, 3)).astype(np.float32)
    across: list[float] = []
    beside: list[float] = []
    for rows, first, last, places in (
        (levels, box.y0, box.y1, (box.x0, box.x1)),
        (levels.T, box.x0, box.x1, (box.y0, box.y1)),
    ):
        for at in places:
            if not FAR_PX <= at < rows.shape[1] - FAR_PX:
                continue
            side = rows[first:last]
            near = (side[:, at - NEAR_PX], side[:, at + NEAR_PX])
            across.append(float(np.abs(near[0] - near[1]).mean()))
            outer = float(np.abs(near[0] - side[:, at - FAR_PX]).mean())
            inner = float(np.abs(near[1] - side[:, at + FAR_PX - 1]).mean())
            beside.append(0.5 * (outer + inner))
    return not across or float(np.mean(across)) > BREAK * (float(np.mean(beside)) + 1.0)


def _apart(insets: list[Inset]) -> list[Inset]:
    """Of insets that overlap, the first."""
    kept: list[Inset] = []
    for inset in insets:
        if all(k.box.intersection(inset.box).area <= 0.1 * min(k.box.area, inset.box.area) for k in kept):
            kept.append(inset)
    return kept


def _differs(grey: Grey, box: Box) -> bool:
    """Whether the tones inside are others than outside; stripes and facets of one picture have the same."""
    inside = np.bincount(grey[box.slices].ravel() >> 4, minlength=16).astype(np.float64)
    outside = np.bincount(grey.ravel() >> 4, minlength=16) - inside
    if outside.sum() <= 0:
        return False
    distance = 0.5 * float(np.abs(inside / inside.sum() - outside / outside.sum()).sum())
    return distance >= TONE_DISTANCE


def _is_label(part: Grey) -> bool:
    """Whether a rectangle is only the even ground behind writing, as behind a scale bar's text."""
    levels = np.bincount(part.ravel(), minlength=256)
    ground = int(levels.argmax())
    even = float(levels[max(0, ground - 8) : ground + 9].sum()) / part.size
    return even > LABEL_EVEN and (ground < LABEL_DARK or ground > LABEL_BRIGHT)


# ---------------------------------------------------------------- pictures laid over the picture


def _rectangles(grey: Grey) -> list[Box]:
    height, width = grey.shape
    vertical = _steps(grey, axis=1)
    horizontal = _steps(grey, axis=0)
    xs = _long_lines(vertical, round(SIDE_RANGE[0] * height), axis=1)
    ys = _long_lines(horizontal, round(SIDE_RANGE[0] * width), axis=0)
    v_sum = np.vstack([np.zeros((1, width), np.float32), np.cumsum(vertical, axis=0)])
    h_sum = np.hstack([np.zeros((height, 1), np.float32), np.cumsum(horizontal, axis=1)])
    lefts, rights = np.array([0, *xs]), np.array([*xs, width])
    tops, bottoms = np.array([0, *ys]), np.array([*ys, height])
    scores = _sides_covered(v_sum, h_sum, lefts, rights, tops, bottoms)
    corner = _in_corner(lefts, rights, tops, bottoms, height, width)
    best = np.argwhere(scores >= np.where(corner, CORNER_SIDE_COVERED, SIDE_COVERED))
    boxes = [Box(int(lefts[a]), int(tops[c]), int(rights[b]), int(bottoms[d])) for a, b, c, d in best]
    scored = [(float(scores[tuple(i)]), box) for i, box in zip(best, boxes, strict=True)]
    scored.sort(key=lambda s: -s[0] * np.sqrt(s[1].area))
    kept: list[Box] = []
    for _, box in scored:
        if not any(k.intersection(box).area > 0.1 * min(k.area, box.area) for k in kept):
            kept.append(box)
    return kept


def _in_corner(
    lefts: npt.NDArray[np.int_],
    rights: npt.NDArray[np.int_],
    tops: npt.NDArray[np.int_],
    bottoms: npt.NDArray[np.int_],
    height: int,
    width: int,
) -> npt.NDArray[np.bool_]:
    """Which rectangles fill a corner of the picture, shape (lefts, rights, tops, bottoms)."""
    beside = (lefts[:, None] == 0) | (rights[None] == width)
    above = (tops[:, None] == 0) | (bottoms[None] == height)
    return np.asarray(beside[:, :, None, None] & above[None, None], np.bool_)


def _steps(grey: Grey, axis: int) -> Floats:
    """1 where the grey level steps across `axis` more than it does nearby; index i: between i-1 and i."""
    levels = cv2.blur(grey, (1, ALONG_PX) if axis == 1 else (ALONG_PX, 1)).astype(np.float32)
    if axis == 0:
        levels = levels.T
    height, width = levels.shape
    step = np.zeros((height, width), np.float32)
    # A scaled figure blurs an edge over two or three pixels: compare neighbours two apart.
    step[:, 2:-2] = np.abs(levels[:, 3:-1] - levels[:, :-4])
    usual = cv2.blur(step, (15, 1))
    clear = ((step > STEP_LEVELS) & (step > 1.5 * usual)).astype(np.float32)
    # Both pixels beside a sharp edge see it; so may the line be one pixel off.
    clear = np.asarray(cv2.dilate(clear, np.ones((1, 3), np.uint8)), np.float32)
    return clear.T if axis == 0 else clear


def _long_lines(clear: Floats, least: int, axis: int) -> list[int]:
    """Positions along `axis` at which steps line up over at least `least` pixels without much of a gap."""
    lines = clear if axis == 1 else clear.T
    closed = cv2.morphologyEx(lines.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 1), np.uint8))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((max(3, int(0.8 * least)), 1), np.uint8))
    strength = opened.sum(axis=0)
    positions = []
    for first, last in runs(strength > 0):
        positions.append(first + int(np.argmax(lines[:, first:last].sum(axis=0))))
    margin = 0.03 * lines.shape[1]
    positions = [p for p in positions if margin < p < lines.shape[1] - margin]
    strongest = sorted(positions, key=lambda p: -float(strength[p]))[:MOST_LINES]
    return sorted(strongest)


def _sides_covered(
    v_sum: Floats,
    h_sum: Floats,
    lefts: npt.NDArray[np.int_],
    rights: npt.NDArray[np.int_],
    tops: npt.NDArray[np.int_],
    bottoms: npt.NDArray[np.int_],
) -> npt.NDArray[np.float64]:
    """For every rectangle between the given lines, the share covered of its least covered free side.

    Shape (lefts, rights, tops, bottoms). A side on the picture's border is not free; a rectangle with
    fewer than two free sides, or of a size that no inset has, scores 0.
    """
    height, width = h_sum.shape[0], v_sum.shape[1]
    w = (rights[None, :] - lefts[:, None])[:, :, None, None]
    h = (bottoms[None, :] - tops[:, None])[None, None]
    fits = (w <= MOST_ASPECT * h) & (h <= MOST_ASPECT * w)
    fits = fits & (w >= SIDE_RANGE[0] * width) & (w <= SIDE_RANGE[1] * width)
    fits = fits & (h >= SIDE_RANGE[0] * height) & (h <= SIDE_RANGE[1] * height)
    down = np.maximum(bottoms[None, :] - tops[:, None], 1)
    across = np.maximum(rights[None, :] - lefts[:, None], 1)

    def upright(x: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
        column = v_sum[:, np.minimum(x, width - 1)].T
        share = (column[:, bottoms][:, None, :] - column[:, tops][:, :, None]) / down
        share[(x == 0) | (x == width)] = ON_BORDER
        return np.asarray(share, np.float64)

    def level(y: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
        row = h_sum[np.minimum(y, height - 1)]
        share = (row[:, rights][:, None, :] - row[:, lefts][:, :, None]) / across
        share[(y == 0) | (y == height)] = ON_BORDER
        return np.asarray(share, np.float64)

    sides = np.stack(
        np.broadcast_arrays(
            upright(lefts)[:, None],
            upright(rights)[None],
            level(tops).transpose(1, 2, 0)[:, :, :, None],
            level(bottoms).transpose(1, 2, 0)[:, :, None, :],
        )
    )
    enough = (sides <= BORDER_FROM).sum(axis=0) >= LEAST_FREE
    return np.where(fits & enough, sides.min(axis=0), 0.0)


# ---------------------------------------------------------------- plots drawn onto the picture


def _drawn_plots(panel: npt.NDArray[np.uint8]) -> list[Box]:
    """Plots with coloured bars or curves over a grey micrograph, with their axes and labels."""
    if is_flat(panel):
        return []
    height, width = panel.shape[:2]
    spread = panel.max(axis=2).astype(np.int16) - panel.min(axis=2)
    coloured = (spread > INK_COLOURED_LEVELS).astype(np.uint8)
    if coloured.mean() > FALSE_COLOUR_INK:
        return []
    reach = max(5, round(0.03 * max(height, width)))
    joined = cv2.dilate(coloured, np.ones((reach, reach), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = []
    for x, y, w, h, _ in stats[1:].tolist():
        inside = coloured[y : y + h, x : x + w]
        if w < SIDE_RANGE[0] * width or h < SIDE_RANGE[0] * height or inside.mean() < PLOT_INK:
            continue
        box = Box(x, y, x + w, y + h)
        boxes.append(_with_axes(luma(panel), box))
    return boxes


def _with_axes(grey: Grey, box: Box) -> Box:
    """`box` widened to the axes around it and the numbers along them."""
    height, width = grey.shape
    dark = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((7, 7), np.uint8))
    strokes = (dark > AXIS_LEVELS).astype(np.uint8)
    pad_x, pad_y = round(0.35 * box.width), round(0.35 * box.height)
    zone = Box(max(0, box.x0 - pad_x), max(0, box.y0 - pad_y), min(width, box.x1 + pad_x), min(height, box.y1 + pad_y))
    part = strokes[zone.slices]
    lines = [box]
    for kernel in (np.ones((1, max(8, box.width // 2)), np.uint8), np.ones((max(8, box.height // 2), 1), np.uint8)):
        found = cv2.morphologyEx(part, cv2.MORPH_OPEN, kernel)
        _, _, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
        lines += [Box(x, y, x + w, y + h).shifted(zone.x0, zone.y0) for x, y, w, h, _ in stats[1:].tolist()]
    axes = bounding_box(lines)
    # Numbers and title of the axes take about a fifth of the plot's size on the left and below.
    return Box(
        max(0, axes.x0 - round(0.2 * axes.width)),
        max(0, axes.y0 - round(0.05 * axes.height)),
        min(width, axes.x1 + round(0.05 * axes.width)),
        min(height, axes.y1 + round(0.2 * axes.height)),
    )
