"""Where the panels of a figure lie, from its pixels alone.

A figure is a page of white (or black) paper with two sorts of things on it. *Blocks* are solid
rectangles of pixels: micrographs, photographs, maps. *Drawings* are ink on paper: plots, schematics
and text. Blocks are found as connected ink that fills its rectangle and are cut where dark or white
lines, or long straight edges, run through their whole extent. Drawings are gathered around the axes
that carry them. The page is then cut along its gutters as long as every cut leaves something that
can be a panel on either side.

Everything here works on a reduced copy of the figure; `Layout.scale` leads back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.panels.seams import divide, flat_share, is_even_ground, runs
from imagedataextractor.images.channels import is_flat
from imagedataextractor.records import Box

__all__ = ["Core", "Layout", "analyse", "bounding_box", "ink_box", "least_side", "luma", "magnified", "runs", "shrink"]

BoolArray = npt.NDArray[np.bool_]
GreyArray = npt.NDArray[np.uint8]

#: Longest side of the copy that the analysis looks at, px. A gutter of 2 px in a figure of
#: 2,000 px is still there; twice as many pixels cost four times the time and find nothing more.
WORK_SIDE = 1200
#: How far a pixel may be from the paper's colour before it counts as ink, grey levels of 255.
#: JPEG leaves ripples of about 10 levels around letters.
INK_LEVELS = 18
#: Fraction of its rectangle that a block's filled outline must cover.
BLOCK_FILL = 0.86
#: Fraction of a block's own pixels that must be ink; the inside of a plot's frame is paper.
BLOCK_INK = 0.55
#: Shortest side of a block, as a fraction of the figure's size (the root of its area).
CORE_SIDE = 0.06
#: Shortest axis, as a fraction of the figure's size.
AXIS_SIDE = 0.09
#: An axes core smaller than this share of the largest one is the frame of a legend.
LEGEND_AREA = 0.15
#: Mean grey level below which a few pixels together are not paper.
FAINT_LEVEL = 252
#: Height of a data bar as a share of its micrograph's, at most.
BAR_SHARE = 0.25
#: Ruled lines around images reach at least this far, as a share of the figure's size …
RULE_REACH = 0.15
#: … are no thicker than this, px …
RULE_PX = 4
#: … and nearly all of their ink is in straight strokes: an axis has ticks.
RULE_STRAIGHT = 0.97
#: An image in a ruled cell covers at least this share of it.
RULED_IMAGE = 0.35
#: Share of flat pixels above which a coloured block is part of a drawing rather than a panel of its own.
FLAT_DRAWING = 0.38
#: White and black of the page, grey levels; of a black page the share of its rim that may be white, of its rim that is
#: black at least, and of the whole that may be white.
WHITE, BLACK, WHITE_RIM, BLACK_RIM, WHITE_SHARE = 235, 20, 0.05, 0.6, 0.1
#: Where an image may be nearly white in parts: share of a block that is ink, and of the figure that it takes.
PARTLY_INKED, PARTLY_AREA = 0.4, 0.04
#: Share of a row or column that is no paper where an image runs along it; of the image itself, and of its block.
ALONG_IMAGE, IMAGE_FILL, IMAGE_OF_BLOCK = 0.7, 0.93, 0.7
#: Share of coloured pixels above which a flat block is a drawing's.
COLOURED_DRAWING = 0.2
#: How far a data bar may be off the foot of its micrograph, px: over it, under it, and to the sides.
FOOT_OVER_PX, FOOT_UNDER_PX, FOOT_ASIDE_PX = 2, 3, 3
#: Contrast of the strokes of axes, grey levels, and their thickness, px, at most.
STROKE_LEVELS, STROKE_PX = 50, 8
#: Writing along axes: height, px and as a share of the figure's size; width as such a share; area, px; marks of it.
WRITING_PX, WRITING_HEIGHT, WRITING_WIDTH, WRITING_AREA_PX, LEAST_MARKS = 4, 0.06, 0.12, 6, 3


@dataclass(frozen=True)
class Core:
    """Something that makes a panel: a solid block, a pair of axes, or a mass of drawing."""

    kind: str  # "block", "axes" or "mass"
    box: Box


@dataclass
class Layout:
    """What the analysis of one figure saw, in pixels of the reduced copy.

    `full` is the figure itself in grey, `picture` the copy as it is; `enlarged` is by what the figure was magnified
    before all that.
    """

    full: GreyArray
    picture: GreyArray
    grey: GreyArray
    coloured: BoolArray
    scale: float
    paper: int
    ink: BoolArray
    blocks: list[Core] = field(default_factory=list)
    axes: list[Core] = field(default_factory=list)
    enlarged: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.grey.shape
        return height, width

    @property
    def size(self) -> float:
        """Root of the area: what lengths are compared with, whatever the page's proportions."""
        return float(np.sqrt(self.grey.size))

    def to_full(self, box: Box) -> Box:
        """A box of the reduced copy, in pixels of the figure."""
        height, width = self.full.shape
        return Box(
            max(0, min(width - 1, round(box.x0 / self.scale))),
            max(0, min(height - 1, round(box.y0 / self.scale))),
            max(1, min(width, round(box.x1 / self.scale))),
            max(1, min(height, round(box.y1 / self.scale))),
        )


def magnified(layout: Layout, factor: float) -> Layout:
    """What the search for letters needs of a layout, of the figure enlarged by `factor`: greys, blocks and axes.

    Its boxes are in pixels of the enlarged figure. The ink and the colours stay as they are.
    """
    height, width = layout.full.shape
    size = (round(width * factor), round(height * factor))
    grey = np.asarray(cv2.resize(layout.full, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    ratio = factor / layout.scale
    blocks, axes = ([replace(c, box=c.box.scaled(ratio)) for c in cores] for cores in (layout.blocks, layout.axes))
    return replace(layout, full=grey, grey=grey, scale=1.0, blocks=blocks, axes=axes, enlarged=factor)


def bounding_box(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds all of `boxes` (at least one)."""
    boxes = list(boxes)
    return Box(min(b.x0 for b in boxes), min(b.y0 for b in boxes), max(b.x1 for b in boxes), max(b.y1 for b in boxes))


def ink_box(ink: BoolArray, within: Box) -> Box | None:
    """The tight box of the ink inside `within`, or None where there is none."""
    part = ink[within.slices]
    rows = np.flatnonzero(part.any(axis=1))
    columns = np.flatnonzero(part.any(axis=0))
    if rows.size == 0:
        return None
    return Box(
        within.x0 + int(columns[0]),
        within.y0 + int(rows[0]),
        within.x0 + int(columns[-1]) + 1,
        within.y0 + int(rows[-1]) + 1,
    )


def shrink(image: npt.NDArray[np.uint8], longest: int) -> npt.NDArray[np.uint8]:
    """A copy whose longest side is at most `longest` px, by area averaging; the image itself if it is small."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1.0:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def luma(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Luma (ITU-R BT.601), without the floating-point copy that the largest figures have no memory for."""
    if is_flat(image):
        return image
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def analyse(image: npt.NDArray[np.uint8], *, divided: bool = True) -> Layout:
    """Blocks and axes of a figure.

    Parameters
    ----------
    image : uint8 array, shape (H, W) or (H, W, 3)
    divided : bool
        Cut blocks of touching images into single ones.

    Returns
    -------
    Layout
        In pixels of a copy whose longest side is at most `WORK_SIDE`.
    """
    height, width = image.shape[:2]
    scale = min(1.0, WORK_SIDE / max(height, width))
    full = luma(image)
    image = shrink(image, WORK_SIDE)
    grey = full if scale == 1.0 else luma(image)
    paper = _paper_level(grey)
    coloured = _coloured_mask(image)
    # Pale yellow on white is as bright as paper, but it is no paper.
    ink = ((grey < paper - INK_LEVELS) if paper else (grey > INK_LEVELS)) | coloured
    ink &= ~_rules_around_images(ink)
    layout = Layout(full=full, picture=image, grey=grey, coloured=coloured, scale=scale, paper=paper, ink=ink)
    images = _solid_boxes(layout)
    if divided:
        images = _with_data_bars(layout.grey, divide(layout.grey, layout.picture, images, least_side(layout)))
    layout.blocks = [Core("block", b) for b in images]
    layout.axes = _find_axes(layout)
    return layout


def _paper_level(grey: GreyArray) -> int:
    """Grey level of the paper: white unless the figure's rim is mostly black and hardly any of it is white."""
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if (rim > WHITE).mean() < WHITE_RIM and (rim < BLACK).mean() > BLACK_RIM and (grey > WHITE).mean() < WHITE_SHARE:
        return 0
    return 255


def _coloured_mask(image: npt.NDArray[np.uint8]) -> BoolArray:
    if is_flat(image):
        return np.zeros(image.shape, np.bool_)
    channels = cv2.split(image)
    highest = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    lowest = cv2.min(cv2.min(channels[0], channels[1]), channels[2])
    return np.asarray(cv2.subtract(highest, lowest) > 2 * INK_LEVELS, dtype=np.bool_)


def _rules_around_images(ink: BoolArray) -> BoolArray:
    """Frames around images and the lines of tables that hold images, as a mask: they are no part of any panel."""
    found = np.zeros(ink.shape, np.bool_)
    reach = max(24.0, RULE_REACH * float(np.sqrt(ink.size)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    for i, (x, y, w, h, area) in enumerate(stats[1:].tolist(), start=1):
        if min(w, h) < reach or area > 4 * RULE_PX * (w + h):
            continue
        part = (slice(y, y + h), slice(x, x + w))
        lines = labels[part] == i
        if _is_ruled(lines) and _holds_images(lines, ink[part]):
            found[part] |= lines
    return found


def _is_ruled(lines: BoolArray) -> bool:
    """Whether ink consists of thin straight horizontal and vertical strokes alone."""
    part = lines.astype(np.uint8)
    thick = cv2.morphologyEx(part, cv2.MORPH_OPEN, np.ones((RULE_PX + 1, RULE_PX + 1), np.uint8))
    length = max(12, min(lines.shape) // 4)
    across = cv2.morphologyEx(part, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    along = cv2.morphologyEx(part, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    straight = cv2.max(across, along)
    return not thick.any() and int(straight.sum()) >= RULE_STRAIGHT * int(part.sum())


def _holds_images(lines: BoolArray, ink: BoolArray) -> bool:
    """Whether a third or more of the cells that lines enclose hold an image."""
    _, _, cells, _ = cv2.connectedComponentsWithStats((~lines).astype(np.uint8), connectivity=4)
    images, enclosed = 0, 0
    for x, y, w, h, area in cells[1:].tolist():
        # What is open to a side is outside of the lines.
        if x == 0 or y == 0 or x + w == lines.shape[1] or y + h == lines.shape[0] or area < 0.9 * w * h:
            continue
        enclosed += 1
        inside = ink[y : y + h, x : x + w].astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
        images += any(
            bw * bh > RULED_IMAGE * area and size > BLOCK_FILL * bw * bh for _, _, bw, bh, size in stats[1:].tolist()
        )
    return images > 0 and 3 * images >= enclosed


# ---------------------------------------------------------------- blocks


def least_side(layout: Layout) -> int:
    """Shortest side of an image that makes a panel, px of the copy."""
    return max(12, round(CORE_SIDE * layout.size))


def _solid_boxes(layout: Layout) -> list[Box]:
    """Solid rectangles of ink: images, or several of them that touch."""
    shortest = least_side(layout)
    ink = layout.ink.astype(np.uint8)
    # Axis ticks, letters and leaders that touch an image hang on it by thin strokes.
    # An opening as wide as a few strokes lets go of them.
    thickness = max(5, round(0.01 * layout.size) | 1)
    kernel = np.ones((thickness, thickness), np.uint8)
    solid = np.asarray(cv2.morphologyEx(_fill_holes(ink), cv2.MORPH_OPEN, kernel), dtype=np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=4)
    pieces: list[Box] = []
    for x, y, w, h, area in stats[1:].tolist():
        box = Box(x, y, x + w, y + h)
        inked = float(ink[box.slices].mean())
        if area < BLOCK_FILL * box.area:
            large = inked > PARTLY_INKED and box.area > PARTLY_AREA * ink.size
            found = _bright_rectangle(layout, box) if large else None
            if found is None:
                continue  # not a rectangle
            box, inked = found, 1.0
        if min(box.width, box.height) < shortest or inked < BLOCK_INK:
            continue  # too small, or the frame of a plot
        flat = flat_share(layout.grey[box.slices])
        if flat > FLAT_DRAWING and float(layout.coloured[box.slices].mean()) > COLOURED_DRAWING:
            continue
        pieces.append(box)
    return _drop_nested(pieces)


def _fill_holes(ink: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    contours, _ = cv2.findContours(ink, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = np.zeros_like(ink)
    cv2.drawContours(filled, contours, -1, 1, thickness=cv2.FILLED)
    return filled


def _bright_rectangle(layout: Layout, box: Box) -> Box | None:
    """The rectangle of an image that is in parts nearly as white as the paper, or None.

    Paper is exactly white; the brightest parts of a micrograph are so only here and there.
    """
    if layout.paper == 0:
        return None
    pad = round(0.05 * layout.size)
    zone = Box(box.x0 - pad, box.y0 - pad, box.x1 + pad, box.y1 + pad).intersection(
        Box(0, 0, layout.grey.shape[1], layout.grey.shape[0])
    )
    faint = cv2.blur(layout.grey[zone.slices], (5, 5)) < FAINT_LEVEL
    found = Box(0, 0, faint.shape[1], faint.shape[0])
    for _ in range(3):
        # What hangs over the image's edge (an inset, a label) leaves most of its row or column bare.
        across = max(runs(faint[found.slices].mean(axis=1) > ALONG_IMAGE), key=_length, default=(0, 0))
        found = Box(found.x0, found.y0 + across[0], found.x1, found.y0 + across[1])
        if found.area == 0:
            return None
        along = max(runs(faint[found.slices].mean(axis=0) > ALONG_IMAGE), key=_length, default=(0, 0))
        found = Box(found.x0 + along[0], found.y0, found.x0 + along[1], found.y1)
        if found.area == 0:
            return None
    filled = float(faint[found.slices].mean())
    tight = found.shifted(zone.x0, zone.y0)
    return tight if filled > IMAGE_FILL and tight.area > IMAGE_OF_BLOCK * box.area else None


def _length(run: tuple[int, int]) -> int:
    return run[1] - run[0]


def _drop_nested(boxes: Sequence[Box]) -> list[Box]:
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: -b.area):
        if not any(box.intersection(k).area > 0.8 * box.area for k in kept):
            kept.append(box)
    return kept


def _with_data_bars(grey: GreyArray, pieces: list[Box]) -> list[Box]:
    """The pieces, each data bar again one with the micrograph above it, from which and in which it was cut."""
    joined: list[Box] = []
    used: set[Box] = set()
    for piece in sorted(pieces, key=lambda b: -b.area):
        if piece in used:
            continue
        parts = [b for b in pieces if b not in used and _is_at_foot(b, piece)]
        bar = Box(piece.x0, piece.y1, piece.x1, max((b.y1 for b in parts), default=piece.y1))
        if is_even_ground(grey[bar.slices]):
            used.update(parts)
            joined.append(bounding_box([piece, bar]))
        else:
            joined.append(piece)
    return [b for b in joined if b not in used]


def _is_at_foot(part: Box, piece: Box) -> bool:
    """Whether `part` lies right under `piece`, no wider than it and as low as a data bar."""
    under = -FOOT_OVER_PX <= part.y0 - piece.y1 <= FOOT_UNDER_PX
    within = part.x0 >= piece.x0 - FOOT_ASIDE_PX and part.x1 <= piece.x1 + FOOT_ASIDE_PX
    return under and within and part.height <= BAR_SHARE * piece.height


# ---------------------------------------------------------------- axes


def _find_axes(layout: Layout) -> list[Core]:
    """Boxes spanned by the axes and frames of plots, outside the blocks."""
    shortest = max(24, round(AXIS_SIDE * layout.size))
    contrast = cv2.absdiff(layout.grey, np.full_like(layout.grey, layout.paper))
    strokes = (contrast > STROKE_LEVELS).astype(np.uint8)
    for block in layout.blocks:
        strokes[block.box.slices] = 0
    horizontal = _strokes(strokes, shortest, axis=1)
    vertical = _strokes(strokes, shortest, axis=0)
    near = max(4, round(0.01 * layout.size))
    boxes = []
    for h in horizontal:
        for v in vertical:
            at_end = min(abs(v.x0 - h.x0), abs(v.x1 - h.x1)) <= near
            meets = v.y0 - near <= h.y0 <= v.y1 + near and min(abs(h.y0 - v.y1), abs(h.y0 - v.y0)) <= near
            if at_end and meets:
                boxes.append(bounding_box([h, v]))
    merged = [b for b in _merge_overlapping(boxes) if _is_numbered(layout, b)]
    largest = max((b.area for b in merged), default=0)
    return [Core("axes", b) for b in merged if b.area >= LEGEND_AREA * largest]


def _is_numbered(layout: Layout, box: Box) -> bool:
    """Whether numbers or words stand along the left or lower side, as along the axes of a plot."""
    height, width = layout.shape
    reach = round(0.1 * layout.size)
    slack = round(0.02 * layout.size)
    below = Box(box.x0 - slack, box.y1 - slack // 2, box.x1 + slack, box.y1 + reach)
    beside = Box(box.x0 - reach, box.y0 - slack, box.x0 + slack // 2, box.y1 + slack)
    for band in (below, beside):
        zone = band.intersection(Box(0, 0, width, height))
        if zone.area == 0:
            continue
        part = layout.ink[zone.slices].astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
        _, _, wide, high, area = stats[1:].T
        writing = (high >= WRITING_PX) & (high <= WRITING_HEIGHT * layout.size) & (wide <= WRITING_WIDTH * layout.size)
        if int((writing & (area >= WRITING_AREA_PX)).sum()) >= LEAST_MARKS:
            return True
    return False


def _strokes(strokes: npt.NDArray[np.uint8], shortest: int, axis: int) -> list[Box]:
    """Straight strokes at least `shortest` long and at most a few pixels thick."""
    kernel = np.ones((1, shortest) if axis == 1 else (shortest, 1), np.uint8)
    lines = cv2.morphologyEx(strokes, cv2.MORPH_OPEN, kernel)
    _, _, stats, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    found = []
    for x, y, w, h, _ in stats[1:].tolist():
        if (h if axis == 1 else w) <= STROKE_PX:
            found.append(Box(x, y, x + w, y + h))
    return found


def _merge_overlapping(boxes: Sequence[Box]) -> list[Box]:
    """Union of boxes that share more than a fifth of the smaller one, until none do."""
    merged = list(boxes)
    changed = True
    while changed:
        changed = False
        for i in range(len(merged)):
            for j in range(i + 1, len(merged)):
                a, b = merged[i], merged[j]
                if a.intersection(b).area > 0.2 * min(a.area, b.area):
                    merged[i] = bounding_box([a, b])
                    del merged[j]
                    changed = True
                    break
            if changed:
                break
    return merged
