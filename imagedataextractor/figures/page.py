"""Cut the page into panels: along its gutters, so that each piece keeps one thing that makes a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.layout import Core, Layout, bounding_box, ink_box, runs
from imagedataextractor.records import Box

__all__ = ["Region", "cut_page"]

#: Narrowest strip of paper that counts as a gutter, px of the reduced copy.
GUTTER_PX = 3
#: Distance below its panel at which a letter is still that panel's, in heights of the letter.
BELOW_GAP = 4.0
#: A drawing without axes makes a panel of its own only if its box is at least this share of the page …
MASS_AREA = 0.03
#: … and its shorter side at least this share of the page's size (the root of its area).
MASS_SIDE = 0.12


@dataclass(frozen=True)
class Region:
    """A piece of the page and what lies in it; `box` is the panel, tight around its ink."""

    box: Box
    cores: tuple[Core, ...]
    letter: int | None = None


@dataclass(frozen=True)
class _Page:
    layout: Layout
    ink: npt.NDArray[np.bool_]
    letters: Sequence[Box]
    complete: bool
    ties: dict[int, Box]
    usual_area: float
    usual_gutter: float


def cut_page(layout: Layout, letters: Sequence[Box] = (), *, complete: bool = False) -> list[Region]:
    """Panels of a figure.

    Parameters
    ----------
    layout : Layout
    letters : sequence of Box
        Where panel letters are printed (px of the reduced copy), if they are known: pieces of the
        page are then cut apart only if each keeps a letter, or something as large as a panel.
    complete : bool
        The letters are known to be all there are: a plot without one is part of a panel.

    Returns
    -------
    list of Region
        In no particular order. `Region.letter` is an index into `letters`.
    """
    ink = layout.ink.copy()
    for block in layout.blocks:
        ink[block.box.slices] = True
    height, width = layout.shape
    cores = list(layout.blocks) + list(layout.axes)
    cores = _joined(cores)
    cores = _joined(cores + _masses(layout, cores, letters), share=0.6)
    areas = [c.box.area for c in cores if c.kind != "mass"]
    page = _Page(
        layout,
        ink,
        letters,
        complete,
        _ties(cores, letters),
        float(np.median(areas)) if areas else 0.0,
        _usual_gutter(layout.blocks),
    )
    whole = ink_box(ink, Box(0, 0, width, height))
    if whole is None:
        return []
    for tie in page.ties.values():
        ink[tie.slices] = True
    return _cut(page, whole, cores, list(range(len(letters))))


def _ties(cores: Sequence[Core], letters: Sequence[Box]) -> dict[int, Box]:
    """Strips that hold each letter to the panel above it, where the figure's letters are printed below the panels.

    Such letters stand under the middle of their panels and nearer to them than to what follows.
    """
    ties: dict[int, Box] = {}
    for i, letter in enumerate(letters):
        middle = (letter.x0 + letter.x1) / 2
        over = [c.box for c in cores if c.box.x0 < middle < c.box.x1 and c.box.y1 <= letter.y0 + 2]
        under = [c.box for c in cores if c.box.x0 < letter.x1 and letter.x0 < c.box.x1 and c.box.y0 >= letter.y1 - 2]
        if not over:
            continue
        panel = max(over, key=lambda b: b.y1)
        gap = letter.y0 - panel.y1
        centred = abs(middle - (panel.x0 + panel.x1) / 2) < 0.22 * panel.width
        if centred and gap < BELOW_GAP * letter.height and all(b.y0 - letter.y1 >= 0.6 * gap for b in under):
            ties[i] = Box(letter.x0, panel.y1 - 1, letter.x1, letter.y1)
    return ties if len(ties) > 0.5 * len(letters) else {}


def _usual_gutter(blocks: Sequence[Core]) -> float:
    """Median gap between neighbouring images, px; 0 where there are too few to tell."""
    gaps = []
    for a in blocks:
        right = [
            b.box.x0 - a.box.x1
            for b in blocks
            if b.box.x0 >= a.box.x1 and min(a.box.y1, b.box.y1) - max(a.box.y0, b.box.y0) > 0.5 * a.box.height
        ]
        if right:
            gaps.append(min(right))
    return float(np.median(gaps)) if len(gaps) > 1 else 0.0


def _joined(cores: Sequence[Core], share: float = 0.3) -> list[Core]:
    """Cores that overlap are one: a picture inside a plot, two frames of the same plot."""
    joined = sorted(cores, key=lambda c: -c.box.area)
    changed = True
    while changed:
        changed = False
        for i, a in enumerate(joined):
            for j in range(i + 1, len(joined)):
                b = joined[j]
                if a.box.intersection(b.box).area > share * min(a.box.area, b.box.area):
                    joined[i] = Core(a.kind, bounding_box([a.box, b.box]))
                    del joined[j]
                    changed = True
                    break
            if changed:
                break
    return joined


def _masses(layout: Layout, cores: Sequence[Core], letters: Sequence[Box]) -> list[Core]:
    """Drawings that have neither axes nor a solid rectangle: schematics, formulas, free-form plots."""
    ink = layout.ink.astype(np.uint8)
    for core in cores:
        ink[core.box.slices] = 0
    for letter in letters:
        ink[letter.slices] = 0
    reach = max(5, round(0.025 * layout.size) | 1)
    height, width = layout.shape
    return [Core("mass", box) for box in _gathered(ink, Box(0, 0, width, height), reach, layout, cores, letters)]


def _gathered(
    ink: npt.NDArray[np.uint8], zone: Box, reach: int, layout: Layout, cores: Sequence[Core], letters: Sequence[Box]
) -> list[Box]:
    """Boxes of the ink in `zone` that is within `reach` of each other, as far as they are large enough."""
    joined = cv2.morphologyEx(ink[zone.slices], cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    found: list[Box] = []
    for x, y, w, h, _ in stats[1:].tolist():
        box = Box(x, y, x + w, y + h).shifted(zone.x0, zone.y0)
        # The gutters between images, where they are no paper, hold nothing beside the images.
        free = 1.0 - sum(box.intersection(c.box).area for c in cores) / box.area
        large = box.area >= MASS_AREA * layout.grey.size and min(w, h) >= MASS_SIDE * layout.size
        if not (large and free > 0.4):
            continue
        # Drawings across a narrow gutter are reached too: they come apart at a shorter reach, and stay large.
        parts = _gathered(ink, box, reach // 2 | 1, layout, cores, letters) if reach > 5 else []
        inked = int(ink[box.slices].sum())
        held = sum(int(ink[p.slices].sum()) for p in parts)
        apart = all(a is b or a.intersection(b).area == 0 for a in parts for b in parts)
        if _spans_panels(box, cores, letters):
            found += parts if apart else []
        else:
            found += parts if len(parts) > 1 and apart and held > 0.9 * inked else [box]
    return found


def _spans_panels(box: Box, cores: Sequence[Core], letters: Sequence[Box]) -> bool:
    """Whether a mass of ink reaches around several things of which each makes a panel."""
    held = sum(c.box.intersection(box).area > 0.6 * c.box.area for c in cores)
    named = sum(x.intersection(box).area > 0.5 * x.area for x in letters)
    return held > 1 or named > 1


def _cut(page: _Page, box: Box, cores: list[Core], letters: list[int]) -> list[Region]:
    best: tuple[float, int, int] | None = None
    for axis in (0, 1):
        for first, last in _gutters(page.ink, box, axis):
            value = _value_of_cut(page, axis, first, last, cores, letters)
            if value is not None and (best is None or value > best[0]):
                best = (value, axis, (first + last) // 2)
    if best is None:
        return _leaf(page, box, cores, letters)
    _, axis, at = best
    regions: list[Region] = []
    for side in (0, 1):
        part = _half(box, axis, at, side)
        inked = ink_box(page.ink, part)
        if inked is not None:
            mine = [c for c in cores if _on_side(c.box, axis, at) == side]
            my_letters = [i for i in letters if _on_side(page.letters[i], axis, at) == side]
            regions += _cut(page, inked, mine, my_letters)
    return regions


def _half(box: Box, axis: int, at: int, side: int) -> Box:
    if axis == 0:
        return Box(box.x0, box.y0, box.x1, at) if side == 0 else Box(box.x0, at, box.x1, box.y1)
    return Box(box.x0, box.y0, at, box.y1) if side == 0 else Box(at, box.y0, box.x1, box.y1)


def _on_side(box: Box, axis: int, at: int) -> int:
    middle = (box.y0 + box.y1) / 2 if axis == 0 else (box.x0 + box.x1) / 2
    return int(middle >= at)


def _gutters(ink: npt.NDArray[np.bool_], box: Box, axis: int) -> list[tuple[int, int]]:
    """Strips of bare paper through the whole of `box`, in page coordinates: (first, one past the last)."""
    part = ink[box.slices]
    inked = part.mean(axis=1 - axis)
    origin = box.y0 if axis == 0 else box.x0
    length = part.shape[1 - axis]
    speck = 1.0 / length if length > 100 else 0.0  # one stray pixel does not close a gutter
    return [(origin + a, origin + b) for a, b in runs(inked <= speck) if b - a >= GUTTER_PX]


def _value_of_cut(
    page: _Page, axis: int, first: int, last: int, cores: Sequence[Core], letters: Sequence[int]
) -> float | None:
    """How good it is to cut here; None where one side would be left with nothing that makes a panel."""
    at = (first + last) // 2
    sides: tuple[list[Core], list[Core]] = ([], [])
    for core in cores:
        sides[_on_side(core.box, axis, at)].append(core)
    lettered = [0, 0]
    for i in letters:
        lettered[_on_side(page.letters[i], axis, at)] += 1
    if letters and len(page.letters) >= 2:
        apart = lettered[0] and lettered[1] and _letters_apart(page, axis, at, letters)
        bare = bool(cores) and not all(sides)
        if (not apart or bare) and not _stand_alone(page, sides, lettered, last - first):
            return None
    elif not all(sides) or all(c.kind == "mass" for c in cores):
        return None
    value = float(last - first)
    if letters and not (lettered[0] and lettered[1]):
        value *= 0.2  # where letters tell panels apart, they are followed first
    elif letters:
        value += 0.5 * value * _letter_follows(page, axis, last, letters)
    return value


def _letters_apart(page: _Page, axis: int, at: int, letters: Sequence[int]) -> bool:
    """Whether the letters on either side stand clearly apart, not on one line that the cut grazes."""
    middles = [
        (page.letters[i].y0 + page.letters[i].y1) / 2 if axis == 0 else (page.letters[i].x0 + page.letters[i].x1) / 2
        for i in letters
    ]
    before, after = [m for m in middles if m < at], [m for m in middles if m >= at]
    height = max(page.letters[i].height for i in letters)
    return min(after) - max(before) > 1.5 * height


#: A bare strip longer than this many times its height (a gel, a colour bar) is part of a panel, not one.
STRIP_ASPECT = 3.5


def _stand_alone(page: _Page, sides: tuple[list[Core], list[Core]], lettered: Sequence[int], width: int) -> bool:
    """Whether both sides can be panels although not each has a letter that was read.

    A panel without a letter is as large as its neighbours and as far from them as they are from each
    other; parts of one panel are smaller, or closer together.
    """
    if width < 0.4 * page.usual_gutter:
        return False
    for side, count in zip(sides, lettered, strict=True):
        solid = [c for c in side if _is_picture(c) or (c.kind == "axes" and not page.complete)]
        if not count and not any(c.box.area >= 0.35 * page.usual_area for c in solid):
            return False
        if not side or all(_is_axis_title(c) for c in side):
            return False
    return True


def _is_axis_title(core: Core) -> bool:
    """A narrow column of ink beside a plot: words set upright."""
    return core.kind == "mass" and core.box.height > 2 * core.box.width


def _is_picture(core: Core) -> bool:
    aspect = core.box.width / max(1, core.box.height)
    return core.kind == "block" and 1 / STRIP_ASPECT < aspect < STRIP_ASPECT


def _letter_follows(page: _Page, axis: int, last: int, letters: Sequence[int]) -> bool:
    """Whether the ink right after the gutter begins with a letter, as panels do."""
    for i in letters:
        box = page.letters[i]
        start, size = (box.y0, box.height) if axis == 0 else (box.x0, box.height)
        if -1 <= start - last <= size:
            return True
    return False


def _leaf(page: _Page, box: Box, cores: list[Core], letters: list[int]) -> list[Region]:
    letter = letters[0] if letters else None
    if not cores:
        height, width = page.layout.shape
        if letter is None and (box.area < MASS_AREA * height * width or len(page.layout.blocks) > 0):
            return []
        return [Region(_without_letter(page, box, letters), (), letter)]
    if len(cores) == 1 and cores[0].kind == "block" and _mostly(page, box, cores[0].box):
        return [Region(cores[0].box, tuple(cores), letter)]
    # One letter over several images makes them one panel, if the figure's letters are to be trusted.
    grouped = len(letters) == 1 and (len(page.letters) > 1 or page.complete)
    # The strips of a gel make one panel together.
    strips = all(c.kind == "block" and not _is_picture(c) for c in cores)
    if len(cores) > 1 and not grouped and not strips and any(c.kind == "block" for c in cores):
        return _leaf_of_many(page, cores, letters)
    return [Region(_without_letter(page, box, letters), tuple(cores), letter)]


def _mostly(page: _Page, box: Box, block: Box) -> bool:
    """Whether what surrounds the block is only writing: little ink, on little room."""
    outside = page.ink[box.slices].sum() - page.ink[block.slices].sum()
    return bool(outside < 0.25 * block.area)


def _leaf_of_many(page: _Page, cores: list[Core], letters: list[int]) -> list[Region]:
    """A piece that no straight gutter divides: each core stands for itself, with the letter nearest to it."""
    pairs = sorted((_distance(page.letters[i], core.box), i, k) for i in letters for k, core in enumerate(cores))
    letter_of: dict[int, int] = {}
    for distance, i, k in pairs:
        near = distance < 0.3 * (cores[k].box.width + cores[k].box.height)
        if near and k not in letter_of and i not in letter_of.values():
            letter_of[k] = i
    return [Region(core.box, (core,), letter_of.get(k)) for k, core in enumerate(cores)]


def _distance(letter: Box, box: Box) -> float:
    """From a letter to the corner of a box where its letter would be."""
    return abs(letter.x0 - box.x0) + abs(letter.y0 - box.y0)


def _without_letter(page: _Page, box: Box, letters: Sequence[int]) -> Box:
    """`box` shrunk to the ink that is left when the panel letters are wiped away."""
    if not letters:
        return box
    ink = page.ink[box.slices].copy()
    for i in letters:
        letter = page.ties.get(i, page.letters[i]).intersection(box).shifted(-box.x0, -box.y0)
        ink[letter.slices] = False
    tight = ink_box(ink, Box(0, 0, box.width, box.height))
    return box if tight is None else bounding_box([tight.shifted(box.x0, box.y0)])
