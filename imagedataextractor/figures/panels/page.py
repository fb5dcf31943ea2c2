"""Cut the page into panels: along its gutters, as far as the network of the gutters says so."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.letters.naming import assign_letters
from imagedataextractor.figures.panels.cuts import (
    DROP_AFTER,
    DROP_BEFORE,
    KEEP,
    PART,
    Gutter,
    Page,
    gutters,
    halves,
    judge,
    tight,
)
from imagedataextractor.figures.panels.layout import Core, Layout, bounding_box, ink_box
from imagedataextractor.records import Box

__all__ = ["Region", "cut_page", "page_of"]

#: Share of a piece that images must cover to be panels of their own although no gutter parts them.
TILED = 0.75
#: Ink around an image, as a share of its area, that is writing beside it and no part of the panel.
MOSTLY = 0.008
#: Least share of the page of a panel that has neither a letter nor anything that was recognised.
LEAST_AREA = 0.015
#: Chance of "keep" above which no gutter is cut.
KEEP_FROM = 0.5
#: The same where letters stand on both sides.
KEEP_LETTERED = 0.9
#: What has no letter joins a panel that has one if it is this near to it, as a share of the page's size …
NEAR = 0.06
#: … if it is not as large, by this factor, or is read after that panel's letter and before the next …
LESSER = 0.5
#: … what is less apart than this share of the page's size being in one line …
LEVEL = 0.06
#: … and no third panel reaches into the two by more than this share of itself.
OVERLAP = 0.05
#: Letters at least this far apart, as a share of the page's size, name panels that can be parted between them …
APART = 0.1
#: … in the last part of the way from one to the next …
BEFORE_LETTER = 0.3
#: … on a line of which no more than this share is ink.
CROSSED = 0.05
#: Distance below its panel at which a letter is still that panel's, in heights of the letter.
BELOW_GAP = 4.0
#: A drawing without axes makes a panel of its own only if its box is at least this share of the page …
MASS_AREA = 0.03
#: … and its shorter side at least this share of the page's size (the root of its area).
MASS_SIDE = 0.12
#: Letters from which one tells where another panel begins.
LEAST_LETTERS = 2
#: Share of a mass of drawing that lies outside of the images, at least: gutters that are no paper hold nothing more.
FREE_SHARE = 0.4
#: Reach, px, down to which a mass is taken apart.
LEAST_REACH_PX = 5
#: Sides of a strip, on both of which there is a letter where it parts two.
BOTH_SIDES = 2


@dataclass(frozen=True)
class Region:
    """A piece of the page and what lies in it; `box` is the panel, tight around its ink."""

    box: Box
    cores: tuple[Core, ...]


def cut_page(layout: Layout, letters: Sequence[Box] = (), missing: int = 0) -> list[Region]:
    """Panels of a figure.

    Parameters
    ----------
    layout : Layout
    letters : sequence of Box
        Where panel letters are printed (px of the reduced copy), as far as they are known.
    missing : int
        How many letters are known to be missing among them: a page that has c and d has a and b.

    Returns
    -------
    list of Region
        In no particular order.
    """
    page, cores = page_of(layout, letters, missing)
    height, width = layout.shape
    whole = tight(page, Box(0, 0, width, height))
    if whole is None:
        return []
    ties = _ties(cores, letters)
    regions = _Cutter(page, ties, letters).cut(whole, cores, list(range(len(letters))))
    return regions if ties or missing else _under_their_letters(regions, letters, layout.size)


def _under_their_letters(regions: list[Region], letters: Sequence[Box], size: float) -> list[Region]:
    """The regions, those without a letter joined to the one whose letter stands before them.

    Where the letters run on without a gap and every one has its region, there is no name left for another panel,
    except after the last: what follows that may be a panel whose letter was not read.
    """
    owners = assign_letters(letters, [r.box for r in regions])
    if len(letters) < LEAST_LETTERS or sum(owner is not None for owner in owners) < len(letters):
        return regions
    named = {owner: region for owner, region in zip(owners, regions, strict=True) if owner is not None}
    alone: list[Region] = []
    for region in sorted((r for r, owner in zip(regions, owners, strict=True) if owner is None), key=_corner):
        options = [
            (_gap(named[name].box, region.box), name)
            for name in range(len(letters) - 1)
            if _may_join(region.box, name, letters, named[name].box, size)
            and not _reaches_into(bounding_box([named[name].box, region.box]), name, named)
        ]
        gap, name = min(options, default=(size, -1))
        if gap > NEAR * size:
            alone.append(region)
            continue
        held = named[name]
        named[name] = Region(bounding_box([held.box, region.box]), held.cores + region.cores)
    return list(named.values()) + alone


def _may_join(box: Box, name: int, letters: Sequence[Box], panel: Box, size: float) -> bool:
    """Whether `box` may be a part of a letter's panel: a lesser one below or right of it, or what is read next."""
    level = LEVEL * size
    if box.area < LESSER * panel.area:
        return box.y0 > letters[name].y0 - level and box.x1 > letters[name].x1
    return name == _last_before(box, letters, level)


def _last_before(box: Box, letters: Sequence[Box], level: float) -> int | None:
    """The last of the letters before `box`, as they are read: by rows or, where that is not their order, by columns."""
    for by_rows in (True, False):
        places = [(a.y0, a.x0) if by_rows else (a.x0, a.y0) for a in letters]
        if all(_reads_on(a, b, level) for a, b in itertools.pairwise(places)):
            place = (box.y0, box.x0) if by_rows else (box.x0, box.y0)
            return max((i for i, a in enumerate(places) if _reads_on(a, place, level)), default=None)
    return None


def _reads_on(a: tuple[int, int], b: tuple[int, int], level: float) -> bool:
    """Whether (line, place in the line) `b` comes after `a`; lines are `level` apart at least."""
    return b[0] > a[0] + level or (abs(b[0] - a[0]) <= level and b[1] > a[1] - level)


def _reaches_into(joined: Box, name: int, named: dict[int, Region]) -> bool:
    others = [region.box for other, region in named.items() if other != name]
    return any(joined.intersection(box).area > OVERLAP * box.area for box in others)


def _corner(region: Region) -> tuple[int, int]:
    return region.box.y0, region.box.x0


def _gap(a: Box, b: Box) -> float:
    """How far two boxes are apart, along the axis along which they are farther apart."""
    return float(max(a.x0 - b.x1, b.x0 - a.x1, a.y0 - b.y1, b.y0 - a.y1, 0))


def page_of(layout: Layout, letters: Sequence[Box], missing: int = 0) -> tuple[Page, list[Core]]:
    """The page as its gutters are judged, and what makes panels on it."""
    ink = layout.ink.copy()
    for block in layout.blocks:
        ink[block.box.slices] = True
    cores = _joined(list(layout.blocks) + list(layout.axes))
    cores = _joined(cores + _masses(layout, cores, letters), share=0.6)
    for tie in _ties(cores, letters).values():
        ink[tie.slices] = True
    return Page(layout, ink, cores, letters, missing), cores


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
        free = 1.0 - sum(box.intersection(c.box).area for c in cores) / box.area
        large = box.area >= MASS_AREA * layout.grey.size and min(w, h) >= MASS_SIDE * layout.size
        if not (large and free > FREE_SHARE):
            continue
        # Drawings across a narrow gutter are reached too: they come apart at a shorter reach, and stay large.
        parts = _gathered(ink, box, reach // 2 | 1, layout, cores, letters) if reach > LEAST_REACH_PX else []
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


@dataclass(frozen=True)
class _Cutter:
    """Cuts the page, piece by piece, at the gutter that is the likeliest to be cut."""

    page: Page
    ties: dict[int, Box]
    letters: Sequence[Box]

    def cut(self, box: Box, cores: list[Core], letters: list[int]) -> list[Region]:
        strip, action = self.best(box, letters)
        if strip is None:
            return self.leaf(box, cores, letters)
        before, after = halves(self.page, box, strip)
        regions: list[Region] = []
        for side, (part, dropped) in enumerate(((before, DROP_BEFORE), (after, DROP_AFTER))):
            if part is None or action == dropped:
                continue
            mine = [c for c in cores if _on_side(c.box, strip) == side]
            # What is dropped may hold the letter of what stays.
            named = [i for i in letters if action != PART or _on_side(self.letters[i], strip) == side]
            regions += self.cut(part, mine, named)
        return regions

    def best(self, box: Box, letters: list[int]) -> tuple[Gutter | None, int]:
        """Where to cut a piece, and what to do there; None where it is a panel."""
        strips = gutters(self.page, box)
        if strips:
            chances = judge(self.page, box, strips)
            at = int(chances[:, KEEP].argmin())
            if chances[at, KEEP] <= KEEP_FROM:
                return strips[at], 1 + int(chances[at, 1:].argmax())
            # A piece with two letters of a sequence without gaps is two panels, unless there is hardly any doubt.
            inside = [letter for letter in (self.letters[i] for i in letters) if letter.intersection(box).area]
            sides = [{_on_side(letter, strip) for letter in inside} for strip in strips]
            doubted = [float(c[KEEP]) if len(s) == BOTH_SIDES else 1.0 for c, s in zip(chances, sides, strict=True)]
            if not self.page.missing and min(doubted) <= KEEP_LETTERED:
                return strips[int(np.argmin(doubted))], PART
        return self.between_letters(box, letters), PART

    def between_letters(self, box: Box, letters: list[int]) -> Gutter | None:
        """The barest line that parts two letters between which there is no gutter.

        Such panels reach into each other's room. Where there are gutters, they were judged with the letters.
        """
        found: list[tuple[float, Gutter]] = []
        if self.page.missing:
            return None  # a sequence with gaps may be chance
        for axis in (0, 1):
            inked = self.page.ink[box.slices].mean(axis=1 - axis)
            origin = box.y0 if axis == 0 else box.x0
            starts = sorted((self.letters[i].y0 if axis == 0 else self.letters[i].x0) - origin for i in letters)
            starts = [at for at in starts if 0 <= at < len(inked)]
            for a, b in itertools.pairwise(starts):
                if b - a < APART * self.page.size or not inked[a : b + 1].all():
                    continue
                # The letter is the first thing of what follows, or stands a little inside of it.
                first = max(1, a + 1, b - round(BEFORE_LETTER * (b - a)))
                line = b - int(inked[first : b + 1][::-1].argmin())
                found.append((float(inked[line]), Gutter(axis, origin + line, origin + line)))
        inked_least, gutter = min(found, key=lambda f: f[0], default=(1.0, None))
        return gutter if inked_least <= CROSSED else None

    def leaf(self, box: Box, cores: list[Core], letters: list[int]) -> list[Region]:
        if not letters and not cores and box.area < LEAST_AREA * self.page.ink.size:
            return []
        blocks = [c for c in cores if c.kind == "block"]
        # One letter over several images makes them one panel, if the figure's letters are to be trusted.
        grouped = len(letters) == 1 and len(self.letters) > 1
        # The strips of a gel make one panel together.
        strips = not any(_is_picture(c) for c in blocks)
        if len(blocks) > 1 and not grouped and not strips and self.tiled(box, blocks):
            # No straight gutter divides them: each stands for itself.
            return [Region(core.box, (core,)) for core in cores]
        if len(cores) == 1 and blocks and self.mostly(box, blocks[0].box):
            return [Region(blocks[0].box, tuple(cores))]
        return [Region(self.without_letters(box, letters), tuple(cores))]

    def tiled(self, box: Box, blocks: list[Core]) -> bool:
        """Whether images cover the piece, so that only their own edges can divide it."""
        return sum(b.box.area for b in blocks) > TILED * box.area

    def mostly(self, box: Box, block: Box) -> bool:
        """Whether what surrounds the block is only writing: little ink, on little room."""
        outside = self.page.ink[box.slices].sum() - self.page.ink[block.slices].sum()
        return bool(outside < MOSTLY * block.area)

    def without_letters(self, box: Box, letters: Sequence[int]) -> Box:
        """`box` shrunk to the ink that is left when the panel letters are wiped away."""
        if not letters:
            return box
        ink = self.page.ink[box.slices].copy()
        for i in letters:
            letter = self.ties.get(i, self.letters[i]).intersection(box).shifted(-box.x0, -box.y0)
            ink[letter.slices] = False
        tight = ink_box(ink, Box(0, 0, box.width, box.height))
        return box if tight is None else bounding_box([tight.shifted(box.x0, box.y0)])


#: A bare strip longer than this many times its height (a gel, a colour bar) is part of a panel, not one.
STRIP_ASPECT = 3.5


def _on_side(box: Box, strip: Gutter) -> int:
    middle = (box.y0 + box.y1) / 2 if strip.axis == 0 else (box.x0 + box.x1) / 2
    return int(middle >= strip.middle)


def _is_picture(core: Core) -> bool:
    aspect = core.box.width / max(1, core.box.height)
    return core.kind == "block" and 1 / STRIP_ASPECT < aspect < STRIP_ASPECT
