"""Where the figures of a page lie: the ink above their captions, below or beside."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from imagedataextractor.articles.read.pdf.captions import Caption
from imagedataextractor.articles.read.pdf.layout import HEAD, MIN_SIDE, Page, Rect, running_text, without_boxes

__all__ = ["Place", "placed_figures"]

#: Gap that parts one thing on the page from the next, points: more than between the panels of a
#: figure, less than between a figure and what stands above it.
_JOIN_GAP = 14.0


#: Share of ink from which a thing is a picture rather than a drawing or text, and the gap that pictures
#: of one figure may leave between them, points.
_SOLID = 0.35


_PICTURE_GAP = 50.0


#: Share of their common height from which two things stand level, and letters from which one is a table.
_LEVEL, _MAX_LETTERS = 0.7, 120
#: Thickest rule across a page, points, and the share of the page's width from which it is one.
_RULE_PT, _RULE_SHARE = 3, 0.25
#: How far a caption's box may reach into what it stands under, points: boxes of letters are taller than their ink.
_OVERLAP_PT = 3
#: Size up to which a thing is dust, points.
_DUST_PT = 4
#: Height and width below which the thing nearest a caption is a page number or a stray mark, points.
_MARK_HEIGHT_PT, _MARK_WIDTH_PT = 6, 60
#: Width, points, from which text stands in the way of a figure beside its caption.
_BARRIER_PT = 10


@dataclass(frozen=True)
class Place:
    """Where a figure lies."""

    page: Page
    box: Rect


#: Captions of a page up to which every way of giving them their figures is tried.
_MAX_TRIED = 5


def placed_figures(
    page: Page, captions: Sequence[Caption], body: tuple[str, float]
) -> list[tuple[Caption, Rect | None]]:
    """Where the figures of a page lie, one a caption; None where there is no ink that it could be.

    A figure stands above its caption, or below it, or beside; no two captions share one. Of all ways to
    give each caption its figure, the one is taken that leaves fewest without, and then the one with the
    most figures above their captions.
    """
    own = [caption for caption in captions if caption.page is page]
    if not own:
        return []
    text = [line.box for line in running_text(page, body)]
    choices = [_above_and_below(caption, own, text) for caption in own]
    ways = itertools.product((0, 1), repeat=len(own)) if len(own) <= _MAX_TRIED else ((0,) * len(own), (1,) * len(own))
    best = max(ways, key=lambda way: (_well_placed([c[k] for c, k in zip(choices, way, strict=True)]), -sum(way)))
    placed: list[tuple[Caption, Rect | None]] = []
    for caption, choice, which in zip(own, choices, best, strict=True):
        box = choice[which]
        if box is None or any(_overlap(box, other) for _, other in placed if other is not None):
            beside = _beside(_ink_of_figures(caption, own, text), caption, _barriers(caption, own, text))
            box = beside or box
        placed.append((caption, box))
    return placed


def _well_placed(boxes: Sequence[Rect | None]) -> int:
    """How many figures have a place that none before them has."""
    found: list[Rect] = []
    for box in boxes:
        if box is not None and not any(_overlap(box, other) for other in found):
            found.append(box)
    return len(found)


def _overlap(one: Rect, other: Rect) -> bool:
    """Whether two figures share much of the smaller one's area."""
    width = one.overlap_x(other)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    smaller = min(one.width * one.height, other.width * other.height)
    return width > 0 and height > 0 and width * height > 0.3 * smaller


def _above_and_below(
    caption: Caption, captions: Sequence[Caption], text: Sequence[Rect]
) -> tuple[Rect | None, Rect | None]:
    """The figure's place if it is looked for above the caption first, and if below it first."""
    page = caption.page
    others = [other for other in captions if other is not caption]
    ink = _ink_of_figures(caption, captions, text)
    barriers = _barriers(caption, captions, text)
    above = _ink_box(ink, _above(caption, barriers, page), caption, others)
    below = _ink_box(ink, _below(caption, barriers, page), caption, others)
    return above or below, below or above


def _barriers(caption: Caption, captions: Sequence[Caption], text: Sequence[Rect]) -> list[Rect]:
    others = [other for other in captions if other is not caption]
    return [*text, *(line.box for other in others for line in other.lines), *(other.box for other in others)]


def _ink_of_figures(caption: Caption, captions: Sequence[Caption], text: Sequence[Rect]) -> npt.NDArray[np.bool_]:
    """The ink of a page without its text and the captions' frames."""
    lines = [line.box for each in captions for line in each.lines]
    others = [other for other in captions if other is not caption]
    return _without_frames(without_boxes(caption.page.ink, [*text, *lines]), [caption, *others])


def _without_frames(ink: npt.NDArray[np.bool_], captions: Sequence[Caption]) -> npt.NDArray[np.bool_]:
    """Take away frames drawn around a figure with its caption, and rules across the page."""
    labels, _ = ndimage.label(ink, structure=np.ones((3, 3)))
    cleared = ink.copy()
    for index, slices in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = slices
        height, width = rows.stop - rows.start, columns.stop - columns.start
        around = any(
            columns.start < c.box.x0 and columns.stop > c.box.x1 - 1 and rows.start < c.box.y0 < rows.stop
            for c in captions
        )
        filled = int((labels[slices] == index).sum())
        thin = filled < 0.08 * height * width
        head = rows.stop < HEAD * ink.shape[0] or rows.start > (1 - HEAD) * ink.shape[0]
        rule = height <= _RULE_PT and (head or width > _RULE_SHARE * ink.shape[1])
        if (around and thin) or rule:
            cleared[slices][labels[slices] == index] = False
    return cleared


def _above(caption: Caption, barriers: Sequence[Rect], page: Page) -> Rect:
    top = max(
        (
            b.y1
            for b in barriers
            if b.y1 <= caption.box.y0 + 3 and b.overlap_x(caption.box) > 0.15 * min(b.width, caption.box.width)
        ),
        default=0.0,
    )
    return Rect(0.0, top, page.width, caption.box.y0)


def _below(caption: Caption, barriers: Sequence[Rect], page: Page) -> Rect:
    bottom = min(
        (
            b.y0
            for b in barriers
            if b.y0 >= caption.box.y1 - 3 and b.overlap_x(caption.box) > 0.15 * min(b.width, caption.box.width)
        ),
        default=page.height,
    )
    return Rect(0.0, caption.box.y1, page.width, bottom)


def _ink_box(ink: npt.NDArray[np.bool_], region: Rect, caption: Caption, others: Sequence[Caption]) -> Rect | None:
    """Extent of the things in a region that stand over (or under) the caption and belong together."""
    y0, y1 = int(max(region.y0, 0)), int(region.y1)
    part = ink[y0:y1]
    if part.shape[0] < MIN_SIDE or not part.any():
        return None
    gap = int(_JOIN_GAP) | 1
    padded = np.pad(part, gap).astype(np.uint8)
    joined = ndimage.minimum_filter(ndimage.maximum_filter(padded, gap), gap)[gap:-gap, gap:-gap] > 0
    labels, _ = ndimage.label(joined | part, structure=np.ones((3, 3)))
    things, pictures = [], []
    for index, slices in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = slices
        own = part[slices] & (labels[slices] == index)
        if not own.any():
            continue
        thing = Rect(columns.start, rows.start + y0, columns.stop, rows.stop + y0)
        things.append(thing)
        solid = own.mean() > _SOLID and min(thing.width, thing.height) >= MIN_SIDE
        if solid and not any(_is_nearer(other, caption, thing) for other in others):
            pictures.append(thing)
    box = _cluster(things, caption, region)
    if box is None:
        return None
    # What goes on beyond the region is no neighbour that stands level.
    whole = [t for t in things if t.y0 > y0 + 1 and t.y1 < y1 - 1]
    free = [t for t in whole if not any(_is_nearer(other, caption, t) for other in others)]
    return _with_level(_with_pictures(box, pictures), free, caption.page)


def _is_nearer(other: Caption, caption: Caption, thing: Rect) -> bool:
    """Whether another caption stands under or over a thing, and not much further away than ours."""
    in_line = other.box.overlap_x(thing) > 0.2 * min(other.box.width, thing.width)
    return in_line and -_OVERLAP_PT <= _gap(other, thing) <= max(_gap(caption, thing), 0.0) + MIN_SIDE


def _gap(caption: Caption, thing: Rect) -> float:
    """Height between a caption and a thing above or below it; negative where they overlap in height."""
    return max(caption.box.y0 - thing.y1, thing.y0 - caption.box.y1)


def _with_level(box: Rect, things: Sequence[Rect], page: Page) -> Rect:
    """A figure's extent with what stands level with it in the other column, where a short caption does not reach."""
    for thing in things:
        shared = min(thing.y1, box.y1) - max(thing.y0, box.y0)
        level = shared > _LEVEL * (max(thing.y1, box.y1) - min(thing.y0, box.y0))
        apart = thing.x0 > box.x1 or thing.x1 < box.x0
        if level and apart and thing.width >= MIN_SIDE and _letters_in(thing, page) < _MAX_LETTERS:
            box = box.union(thing)
    return box


def _letters_in(thing: Rect, page: Page) -> int:
    """Letters that stand in a thing: a plot has few, a table many."""
    inside = [line for line in page.lines if thing.y0 < (line.box.y0 + line.box.y1) / 2 < thing.y1]
    return sum(len(line.text.strip()) for line in inside if line.box.overlap_x(thing) > 0.5 * line.box.width)


def _with_pictures(box: Rect, pictures: Sequence[Rect]) -> Rect:
    """A figure's extent with the solid pictures around it: panels may stand wide apart."""
    left = list(pictures)
    while True:
        for picture in left:
            gap_x = max(picture.x0 - box.x1, box.x0 - picture.x1)
            gap_y = max(picture.y0 - box.y1, box.y0 - picture.y1)
            if (gap_x <= _PICTURE_GAP and gap_y < 0) or (gap_y <= _PICTURE_GAP and gap_x < 0):
                left.remove(picture)
                box = box.union(picture)
                break
        else:
            return box


def _cluster(things: list[Rect], caption: Caption, region: Rect) -> Rect | None:
    """Union of the things over the caption, from the nearest on, as long as the gaps are small."""
    below = region.y0 >= caption.box.y1 - _OVERLAP_PT
    over = [t for t in things if t.overlap_x(caption.box) > 0 and max(t.width, t.height) > _DUST_PT]
    over.sort(key=lambda t: t.y0 if below else -t.y1)
    box: Rect | None = None
    for thing in over:
        if box is None:
            if thing.height < _MARK_HEIGHT_PT and thing.width < _MARK_WIDTH_PT:
                continue
            box = thing
            continue
        gap = thing.y0 - box.y1 if below else box.y0 - thing.y1
        if gap <= 1.8 * _JOIN_GAP:
            box = box.union(thing)
    if box is None:
        return None
    # What stands beside the figure at its height, and near, is its other panels.
    changed = True
    while changed:
        changed = False
        for thing in things:
            inside = thing.x0 >= box.x0 and thing.x1 <= box.x1 and thing.y0 >= box.y0 and thing.y1 <= box.y1
            beside = min(thing.y1, box.y1) - max(thing.y0, box.y0) > 0.5 * thing.height
            near = max(thing.x0 - box.x1, box.x0 - thing.x1) < 1.2 * _JOIN_GAP
            wide = caption.box.x0 - 2 <= (thing.x0 + thing.x1) / 2 <= caption.box.x1 + 2
            if not inside and beside and (near or wide) and _same_column(thing, box, caption):
                box = box.union(thing)
                changed = True
    return box if box.width >= MIN_SIDE and box.height >= MIN_SIDE else None


def _same_column(thing: Rect, box: Rect, caption: Caption) -> bool:
    """Whether a thing beside a figure may be part of it: figures of two columns keep to themselves."""
    reach = box.union(caption.box)
    return thing.overlap_x(reach) > 0 or min(abs(thing.x0 - box.x1), abs(box.x0 - thing.x1)) < _JOIN_GAP


def _beside(ink: npt.NDArray[np.bool_], caption: Caption, barriers: Sequence[Rect]) -> Rect | None:
    """The figure left or right of its caption."""
    page = caption.page
    best: Rect | None = None
    for x0, x1 in ((0.0, caption.box.x0), (caption.box.x1, page.width)):
        level = [b for b in barriers if b.overlap_x(Rect(x0, 0, x1, 1)) > _BARRIER_PT]
        top = max((b.y1 for b in level if b.y1 <= caption.box.y0), default=0.0)
        bottom = min((b.y0 for b in level if b.y0 >= caption.box.y1), default=page.height)
        part = ink[int(top) : int(bottom), int(x0) : int(x1)]
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        if rows.size == 0:
            continue
        box = Rect(x0 + columns[0], top + rows[0], x0 + columns[-1] + 1, top + rows[-1] + 1)
        big = box.width >= 2 * MIN_SIDE and box.height >= 2 * MIN_SIDE
        if big and (best is None or box.width * box.height > best.width * best.height):
            best = box
    return best
