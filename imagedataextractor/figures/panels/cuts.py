"""Whether the page is to be cut at a gutter.

Each bare strip through a piece of the page is described by some sixty numbers: how wide it is beside the
piece's other gutters, what lies on either side of it, and where the letters stand. A small network
trained on figures whose panels are known tells whether the strip lies inside a panel, parts two panels,
or has something beside it that belongs to no panel: a heading, a letter that was not read, a stray word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.network import chances, load_weights
from imagedataextractor.figures.panels.layout import Core, Layout, ink_box, runs
from imagedataextractor.records import Box

__all__ = [
    "DROP_AFTER",
    "DROP_BEFORE",
    "FEATURES",
    "KEEP",
    "PART",
    "Gutter",
    "Page",
    "describe",
    "gutters",
    "halves",
    "judge",
    "tight",
]

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

WEIGHTS = "cuts.safetensors"
#: What can be done at a gutter: nothing, part the panels on its sides, or drop one of the sides.
KEEP, PART, DROP_BEFORE, DROP_AFTER = range(4)
#: Narrowest strip of paper that counts as a gutter, px of the reduced copy.
GUTTER_PX = 2
#: Thickest line of a frame around a panel, px.
FRAME_PX = 4
#: The widest gutters of a piece along each axis that are looked at.
MOST_GUTTERS = 12
#: Side from which ink is more than a stray pixel, px.
LEAST_INK_PX = 2
#: Length from which one stray pixel does not close a gutter, px.
SPECK_LENGTH_PX = 100
#: Share of a row or column that is ink where a frame's line runs along it.
FRAME_LINE = 0.95


@dataclass(frozen=True)
class Gutter:
    """A bare strip through a piece of the page: rows (axis 0) or columns (axis 1) `first` to `last - 1`."""

    axis: int
    first: int
    last: int

    @property
    def middle(self) -> int:
        return (self.first + self.last) // 2


class Page:
    """What all gutters of one page are judged by."""

    def __init__(
        self, layout: Layout, ink: Bools, cores: Sequence[Core], letters: Sequence[Box], missing: int = 0
    ) -> None:
        self.layout = layout
        self.ink = ink
        self.size = layout.size
        self.letters = _corners(letters)
        self.missing = missing
        self.cores = _corners([c.box for c in cores])
        self.kinds = np.array([("block", "axes", "mass").index(c.kind) for c in cores], np.int64)
        areas = (self.cores[:, 2] - self.cores[:, 0]) * (self.cores[:, 3] - self.cores[:, 1])
        self.usual_area = float(np.median(areas)) if areas.size else 0.1 * ink.size
        _, _, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
        x, y, w, h = (stats[1:, k].astype(np.float64) for k in range(4))
        large = np.minimum(w, h) >= LEAST_INK_PX
        self.blobs = np.stack([x, y, x + w, y + h], axis=1)[large]
        self.bare = (ink.mean(axis=1), ink.mean(axis=0))


def _corners(boxes: Sequence[Box]) -> npt.NDArray[np.float64]:
    return np.array([[b.x0, b.y0, b.x1, b.y1] for b in boxes], np.float64).reshape(-1, 4)


def gutters(page: Page, box: Box) -> list[Gutter]:
    """The widest strips of bare paper through the whole of `box`, along both axes."""
    found: list[Gutter] = []
    part = page.ink[box.slices]
    for axis in (0, 1):
        inked = part.mean(axis=1 - axis)
        origin = box.y0 if axis == 0 else box.x0
        length = part.shape[1 - axis]
        speck = 1.0 / length if length > SPECK_LENGTH_PX else 0.0
        strips = [(origin + a, origin + b) for a, b in runs(inked <= speck) if b - a >= GUTTER_PX]
        strips.sort(key=lambda s: s[0] - s[1])
        found += [Gutter(axis, a, b) for a, b in strips[:MOST_GUTTERS]]
    return found


def judge(page: Page, box: Box, strips: Sequence[Gutter]) -> Floats:
    """Chances of `KEEP`, `PART`, `DROP_BEFORE` and `DROP_AFTER` at each gutter, shape (gutters, 4)."""
    return chances(load_weights(WEIGHTS), describe(page, box, strips))


def describe(page: Page, box: Box, strips: Sequence[Gutter]) -> Floats:
    """The numbers by which gutters are judged, shape (gutters, len(FEATURES))."""
    numbers = np.zeros((len(strips), len(FEATURES)), np.float32)
    for axis in (0, 1):
        chosen = [i for i, s in enumerate(strips) if s.axis == axis]
        if chosen:
            other = [s.last - s.first for s in strips if s.axis != axis]
            table = _along(page, box, [strips[i] for i in chosen], axis, max(other, default=0))
            numbers[chosen] = np.stack([table[name] for name in FEATURES], axis=1)
    return numbers


def _along(
    page: Page, box: Box, strips: Sequence[Gutter], axis: int, widest_other: int
) -> dict[str, npt.NDArray[np.float64]]:
    """Numbers about the gutters of one axis."""
    first = np.array([s.first for s in strips], np.float64)
    last = np.array([s.last for s in strips], np.float64)
    at = np.array([s.middle for s in strips], np.float64)
    width = last - first
    start, stop = (box.y0, box.y1) if axis == 0 else (box.x0, box.x1)
    across = box.width if axis == 0 else box.height
    size, length, count = page.size, stop - start, len(strips)
    each = np.ones(count)
    table: dict[str, npt.NDArray[np.float64]] = {
        "axis": axis * each,
        "width": np.log(width / size),
        "width_of_length": np.log(width / length),
        "width_of_widest": np.log(width / width.max()),
        "width_of_widest_other": np.log(width / max(1, widest_other)),
        "as_wide": np.array([(width >= 0.7 * w).sum() for w in width], np.float64),
        "wider": np.array([(width > 1.3 * w).sum() for w in width], np.float64),
        "length": length / size * each,
        "across": across / size * each,
        "aspect": np.log(length / across) * each,
        "area": np.sqrt(box.area) / size * each,
        "gutters": np.log(count) * each,
        "whole_page_inked": np.array([page.bare[axis][s.first : s.last].mean() for s in strips]),
        "page_letters": min(len(page.letters), 12) * each,
        "lettered": float(len(page.letters) > 1) * each,
        "missing": min(page.missing, 4) * each,
        "page_cores": min(len(page.cores), 24) * each,
        "page_blocks": min(int((page.kinds == 0).sum()), 24) * each,
        "page_aspect": np.log(page.ink.shape[0] / page.ink.shape[1]) * each,
        "black": float(page.layout.paper == 0) * each,
    }
    sides = (_side(page, box, axis, first, at, after=False), _side(page, box, axis, last, at, after=True))
    for name in sides[0]:
        table[name + "_before"], table[name + "_after"] = sides[0][name], sides[1][name]
    begin, end = (np.abs(sides[0][k] - sides[1][k]) for k in ("begin", "end"))
    table["begin_apart"], table["end_apart"] = begin, end
    table["thickness_ratio"] = np.log(sides[0]["thickness"] / sides[1]["thickness"])
    table["extent_ratio"] = np.log(sides[0]["extent"] / sides[1]["extent"])
    table |= _letters_beside(page, box, axis, first, last, at)
    return table


def _side(
    page: Page,
    box: Box,
    axis: int,
    edge: npt.NDArray[np.float64],
    at: npt.NDArray[np.float64],
    *,
    after: bool,
) -> dict[str, npt.NDArray[np.float64]]:
    """Numbers about what lies on one side of each gutter."""
    part = page.ink[box.slices] if axis == 0 else page.ink[box.slices].T
    start, stop = (box.y0, box.y1) if axis == 0 else (box.x0, box.x1)
    lines = part[::-1] if after else part
    depth = np.maximum(1, (stop - edge if after else edge - start)).astype(np.int64)
    inked = lines.any(axis=1)
    across = part.shape[1]
    begin = np.minimum.accumulate(np.where(inked, lines.argmax(axis=1), across))[depth - 1]
    end = np.maximum.accumulate(np.where(inked, across - lines[:, ::-1].argmax(axis=1), 0))[depth - 1]
    extent = np.maximum(1, end - begin)
    mass = np.cumsum(lines.sum(axis=1))[depth - 1]
    per_line = lines.sum(axis=1)
    rim = np.maximum(per_line[depth - 1], per_line[np.maximum(0, depth - 3)]) / extent
    numbers = {
        "thickness": depth / page.size,
        "thickness_share": depth / (stop - start),
        "extent": extent / page.size,
        "begin": begin / page.size,
        "end": end / page.size,
        "density": mass / (depth * extent),
        "rim": rim,
        "form": np.log(depth / extent),
    }
    lying = 1 if axis == 0 else 0  # the column of the first coordinate along the axis
    for name, items in (("blob", page.blobs), ("core", page.cores)):
        inside = _inside(items, box)
        mine = inside[None] & ((((items[:, lying] + items[:, lying + 2]) / 2)[None] >= at[:, None]) == after)
        areas = (items[:, 2] - items[:, 0]) * (items[:, 3] - items[:, 1])
        largest = np.where(mine, areas[None], 0).max(axis=1, initial=0)
        if name == "blob":
            numbers["blobs"] = np.log1p(mine.sum(axis=1))
            numbers["largest_blob"] = np.sqrt(largest) / page.size
            tall = (items[:, lying + 2] - items[:, lying])[None]
            numbers["tallest_blob"] = np.where(mine, tall, 0).max(axis=1, initial=0) / page.size
        else:
            for k, kind in enumerate(("blocks", "axes", "masses")):
                numbers[kind] = np.minimum((mine & (page.kinds == k)[None]).sum(axis=1), 6).astype(np.float64)
            numbers["largest_core"] = np.sqrt(largest / page.usual_area)
            numbers["cores_cover"] = (mine * areas[None]).sum(axis=1) / (depth * extent)
    return numbers


def _inside(items: npt.NDArray[np.float64], box: Box) -> Bools:
    x, y = (items[:, 0] + items[:, 2]) / 2, (items[:, 1] + items[:, 3]) / 2
    return np.asarray((x >= box.x0) & (x < box.x1) & (y >= box.y0) & (y < box.y1), np.bool_)


def _letters_beside(
    page: Page,
    box: Box,
    axis: int,
    first: npt.NDArray[np.float64],
    last: npt.NDArray[np.float64],
    at: npt.NDArray[np.float64],
) -> dict[str, npt.NDArray[np.float64]]:
    """Where the panels' letters stand about each gutter."""
    letters = page.letters[_inside(page.letters, box)]
    names = ("letters_before", "letters_after", "letters_apart", "letter_follows", "letter_precedes", "letter_corner")
    if len(letters) == 0:
        return {name: np.zeros(len(at)) for name in names}
    lying = 1 if axis == 0 else 0
    low, high = letters[:, lying], letters[:, lying + 2]
    height = float((letters[:, 3] - letters[:, 1]).max())
    middle = (low + high) / 2
    after = middle[None] >= at[:, None]
    gap = np.where(after, middle[None], 1e9).min(axis=1) - np.where(after, -1e9, middle[None]).max(axis=1)
    follows = (low[None] - last[:, None] >= -1) & (low[None] - last[:, None] <= height)
    precedes = (first[:, None] - high[None] >= -1) & (first[:, None] - high[None] <= height)
    # The letter of what comes after stands at its beginning across the gutter too.
    cross = letters[:, 1 - lying] - (box.x0 if axis == 0 else box.y0)
    corner = np.where(after, cross[None], 1e9).min(axis=1) / page.size
    return {
        "letters_before": np.minimum((~after).sum(axis=1), 4).astype(np.float64),
        "letters_after": np.minimum(after.sum(axis=1), 4).astype(np.float64),
        "letters_apart": np.clip(gap / height, 0, 10),
        "letter_follows": follows.any(axis=1).astype(np.float64),
        "letter_precedes": precedes.any(axis=1).astype(np.float64),
        "letter_corner": np.clip(corner, 0, 1),
    }


_OF_SIDES = (
    *("thickness", "thickness_share", "extent", "begin", "end", "density", "rim", "form", "blobs", "largest_blob"),
    *("tallest_blob", "blocks", "axes", "masses", "largest_core", "cores_cover"),
)
#: Names of the numbers, in their order.
FEATURES = (
    *("axis", "width", "width_of_length", "width_of_widest", "width_of_widest_other", "as_wide", "wider", "length"),
    *("across", "aspect", "area", "gutters", "whole_page_inked", "page_letters", "lettered", "missing"),
    *("page_cores", "page_blocks", "page_aspect", "black"),
    *(name + side for name in _OF_SIDES for side in ("_before", "_after")),
    *("begin_apart", "end_apart", "thickness_ratio", "extent_ratio"),
    *("letters_before", "letters_after", "letters_apart", "letter_follows", "letter_precedes", "letter_corner"),
)


def halves(page: Page, box: Box, gutter: Gutter) -> tuple[Box | None, Box | None]:
    """The tight boxes of what lies before and after a gutter."""
    if gutter.axis == 0:
        parts = (Box(box.x0, box.y0, box.x1, gutter.middle), Box(box.x0, gutter.middle, box.x1, box.y1))
    else:
        parts = (Box(box.x0, box.y0, gutter.middle, box.y1), Box(gutter.middle, box.y0, box.x1, box.y1))
    return tight(page, parts[0]), tight(page, parts[1])


def tight(page: Page, box: Box) -> Box | None:
    """The box of the ink in `box`, without a frame that is drawn around all of it; None where there is no ink."""
    found = ink_box(page.ink, box)
    if found is None:
        return None
    inner = _inside_frame(page.ink[found.slices])
    return tight(page, inner.shifted(found.x0, found.y0)) if inner is not None else found


def _inside_frame(ink: Bools) -> Box | None:
    """What four thin lines along the sides enclose, if there are such lines with paper inside them."""
    height, width = ink.shape
    if min(height, width) < 8 * FRAME_PX:
        return None
    depths = []
    for side in (ink, ink[::-1], ink.T, ink.T[::-1]):
        along = side[: FRAME_PX + 2].mean(axis=1)
        line = int((np.cumsum(along < FRAME_LINE) == 0).sum())
        # Inside the line only the two lines that meet it leave ink.
        if not 0 < line <= FRAME_PX or along[line + 1] > 4 * FRAME_PX / side.shape[1]:
            return None
        depths.append(line + 1)
    top, foot, left, right = depths
    return Box(left, top, width - right, height - foot)
