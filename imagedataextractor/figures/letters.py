"""Find and read the letters that name the panels: a, (a), A., iv, a1 …

Blobs of ink of the right size, alone or with brackets, are candidates: anywhere on the paper, and
near the corners of images in black or white. The glyph network says what each could be. Among the
candidates of one size and style, the letters of a figure are those that make a sequence: a, b, c …;
i, ii, iii … in brackets; or a1, a2, b1 …. Characters elsewhere (axis ticks, markers, annotations)
make none.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.glyphs import CLASSES, frame_of, read_glyphs
from imagedataextractor.figures.layout import Layout, bounding_box
from imagedataextractor.figures.naming import ROMAN
from imagedataextractor.records import Box

__all__ = ["Letter", "find_letters"]

#: Height of a panel letter's font as a fraction of the figure's longer side, and its least in px.
FONT_SHARE = (0.006, 0.075)
FONT_LEAST_PX = 7.0
#: Gap to the next character of the same word, in heights.
WORD_GAP = 0.42
#: Share of an image's side, from its corners, where its letter may be.
CORNER_SHARE = 0.28
#: Thresholds at which white and black letters are looked for inside images, grey levels.
BRIGHT_LEVELS = (235,)
DARK_LEVELS = (25,)
#: Levels by which letters stand out from what is around them, and the widest stroke, px of the copy.
RAISED_LEVELS = (50, 110)
STROKE_PX = 13
#: Blobs of a character's size in one corner above which they are texture.
MOST_BLOBS = 60
#: Candidates looked at in one figure, at most.
MOST_WORDS = 1500
#: Share of a sequence's letters that may be unreadable.
MOST_MISSING = 0.4
#: Unreadable letters that are passed over at the beginning of a sequence, where that share allows none.
MOST_MISSING_ALONE = 2
#: Probability from which a single reading is believed without the caption's word for it.
SURE = 0.75
#: Height of a lower-case letter without ascender as a share of a capital's.
_X_HEIGHT = 0.74
_LOWER = np.array([CLASSES.index(c) for c in string.ascii_lowercase])
_UPPER = np.array([CLASSES.index(c) for c in string.ascii_uppercase])
_OPEN, _CLOSE = CLASSES.index("("), CLASSES.index(")")
#: Characters of a name at most: "viii".
LONGEST_NAME = 4


@dataclass(frozen=True)
class Letter:
    """A panel letter: as printed (without brackets), how sure, and where (px of the reduced copy)."""

    text: str
    score: float
    box: Box
    font_px: float
    inside: bool


@dataclass(frozen=True)
class _Candidate:
    chances: npt.NDArray[np.float32]  # probability of every class for every character, brackets aside
    box: Box  # with its brackets
    glyphs: tuple[Box, ...]
    wrapped: bool
    inside: bool  # printed on an image


def find_letters(layout: Layout, expected: Collection[str] = ()) -> list[Letter]:
    """Letters of the panels of a figure.

    Parameters
    ----------
    layout : Layout
    expected : collection of str
        Letters that the caption speaks of, if it is known.

    Returns
    -------
    list of Letter
        In the order of the sequence; empty where no sequence is found.
    """
    wanted = [e.strip("()[]. ") for e in expected]
    candidates = _read(layout, _on_paper(layout) + _on_images(layout, first_corner=True))
    letters = _best_sequence(candidates, layout, wanted)
    if len(letters) < 2 and layout.blocks:
        candidates += _read(layout, _on_images(layout, first_corner=False))
        letters = _best_sequence(candidates, layout, wanted)
    return letters


# ---------------------------------------------------------------- candidates


def _font_range(layout: Layout) -> tuple[float, float]:
    longest = max(layout.shape)
    return max(FONT_LEAST_PX, FONT_SHARE[0] * longest), max(24.0, FONT_SHARE[1] * longest)


def _blobs(mask: npt.NDArray[np.uint8], low: float, high: float) -> list[Box]:
    """Connected blobs of the size of a character; the dots of i and j go with their stems."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    w, h, area = stats[:, 2], stats[:, 3], stats[:, 4]
    tall = (h >= 0.6 * low) & (h <= 1.4 * high) & (w <= 1.9 * np.maximum(h, 1)) & (area >= 0.1 * w * h) & (w >= 1)
    tall[0] = False
    chosen = stats[tall][:, :4].tolist()
    dots = stats[(h >= 1) & (h <= 0.35 * high) & (w <= 0.4 * high) & (np.arange(len(h)) > 0) & ~tall][:, :4]
    boxes = []
    for x, y, width, height in chosen:
        box = Box(x, y, x + width, y + height)
        if len(dots) and width < 0.7 * height:
            above = y - (dots[:, 1] + dots[:, 3])
            middle = dots[:, 0] + dots[:, 2] / 2
            fits = (above >= 0) & (above <= 0.35 * height) & (middle >= x - 1) & (middle <= x + width + 1)
            fits &= dots[:, 3] <= 0.4 * height
            if fits.any():
                dx, dy, dw, dh = dots[np.flatnonzero(fits)[0]].tolist()
                box = bounding_box([box, Box(dx, dy, dx + dw, dy + dh)])
        boxes.append(box)
    return boxes


@dataclass(frozen=True)
class _Word:
    blobs: tuple[Box, ...]
    bright: bool
    inside: bool


def _on_paper(layout: Layout) -> list[_Word]:
    low, high = _font_range(layout)
    contrast = cv2.absdiff(layout.grey, np.full_like(layout.grey, layout.paper))
    mask = (contrast > 90).astype(np.uint8)
    for block in layout.blocks:
        mask[block.box.slices] = 0
    words = _alone_or_bracketed(_blobs(mask, low, high))
    return [_Word(tuple(w), layout.paper == 0, False) for w in words]


def _on_images(layout: Layout, *, first_corner: bool) -> list[_Word]:
    """Words in the upper left corners of the images, where most letters are, or in the other corners."""
    low, high = _font_range(layout)
    found: dict[tuple[int, ...], _Word] = {}
    for block in layout.blocks:
        corners = _corners(block.box, high)
        for corner in corners[:1] if first_corner else corners[1:]:
            for mask, bright in _corner_masks(layout.grey[corner.slices]):
                blobs = [b for b in _blobs(mask, low, high) if _clear_of_rim(b, mask.shape)]
                if len(blobs) > MOST_BLOBS:  # texture, not writing
                    continue
                shifted = [b.shifted(corner.x0, corner.y0) for b in blobs]
                for word in _alone_or_bracketed(shifted):
                    # The same blob at the next threshold is a pixel larger or smaller.
                    box = bounding_box(word)
                    key = (bright, len(word), *((v + 1) // 3 for v in (box.x0, box.y0, box.x1, box.y1)))
                    found.setdefault(key, _Word(tuple(word), bright, True))
    return list(found.values())


def _corner_masks(patch: npt.NDArray[np.uint8]) -> list[tuple[npt.NDArray[np.uint8], bool]]:
    """Where white, and where black, writing could be: nearly pure, or standing out from its surroundings."""
    kernel = np.ones((STROKE_PX, STROKE_PX), np.uint8)
    raised = cv2.morphologyEx(patch, cv2.MORPH_TOPHAT, kernel)
    sunk = cv2.morphologyEx(patch, cv2.MORPH_BLACKHAT, kernel)
    masks = [(patch > level, True) for level in BRIGHT_LEVELS] + [(patch < level, False) for level in DARK_LEVELS]
    masks += [(raised > level, True) for level in RAISED_LEVELS] + [(sunk > level, False) for level in RAISED_LEVELS]
    return [(mask.astype(np.uint8), bright) for mask, bright in masks]


def _clear_of_rim(box: Box, shape: tuple[int, ...]) -> bool:
    return box.x0 > 0 and box.y0 > 0 and box.x1 < shape[1] and box.y1 < shape[0]


def _corners(box: Box, high: float) -> list[Box]:
    width = min(box.width, max(round(CORNER_SHARE * box.width), round(2.5 * high)))
    height = min(box.height, max(round(CORNER_SHARE * box.height), round(2.0 * high)))
    return [
        Box(box.x0, box.y0, box.x0 + width, box.y0 + height),
        Box(box.x1 - width, box.y0, box.x1, box.y0 + height),
        Box(box.x0, box.y1 - height, box.x0 + width, box.y1),
        Box(box.x1 - width, box.y1 - height, box.x1, box.y1),
    ]


def _read(layout: Layout, words: Sequence[_Word]) -> list[_Candidate]:
    """What each word could be; those that cannot be a panel letter are left out."""
    words = list(words)[:MOST_WORDS]
    frames = [frame_of(layout.full, layout.to_full(blob), bright=word.bright) for word in words for blob in word.blobs]
    if not frames:
        return []
    chances = read_glyphs(np.stack(frames))
    candidates, at = [], 0
    for word in words:
        candidate = _as_candidate(list(word.blobs), chances[at : at + len(word.blobs)], word.inside)
        at += len(word.blobs)
        if candidate is not None:
            candidates.append(candidate)
    return candidates


def _alone_or_bracketed(blobs: list[Box]) -> list[list[Box]]:
    """Words of at most three characters."""
    ordered = sorted(blobs, key=lambda b: b.x0)
    follows: dict[int, int] = {}
    preceded: set[int] = set()
    x0 = np.array([b.x0 for b in ordered])
    for i, a in enumerate(ordered):
        stop = int(np.searchsorted(x0, a.x1 + 1.2 * a.height))
        for j in range(i + 1, stop):
            b = ordered[j]
            size = max(a.height, b.height)
            level = min(a.y1, b.y1) - max(a.y0, b.y0) > 0.4 * min(a.height, b.height)
            if level and b.x0 - a.x1 <= WORD_GAP * size and b.x1 > a.x1:
                follows[i] = j
                preceded.add(j)
                break
    words = []
    for i in range(len(ordered)):
        if i in preceded:
            continue
        word, at = [ordered[i]], i
        while at in follows:
            at = follows[at]
            word.append(ordered[at])
        if len(word) <= 3 or (len(word) <= LONGEST_NAME + 2 and _narrow(word[0]) and _narrow(word[-1])):
            words.append(word)
        elif _narrow(word[0]) and _narrow(word[2]):
            words.append(word[:3])  # "(f)" with something printed close behind it
    return words


def _narrow(blob: Box) -> bool:
    """Whether a blob can be a bracket."""
    return blob.width < 0.55 * blob.height


def _full_stop(blob: Box, before: Box) -> bool:
    """Whether a blob can be the stop of "a."."""
    low = abs(blob.y1 - before.y1) <= 0.25 * before.height
    return low and max(blob.width, blob.height) <= 0.4 * before.height


def _as_candidate(word: list[Box], chances: npt.NDArray[np.float32], inside: bool) -> _Candidate | None:
    opened = len(word) > 1 and chances[0, _OPEN] > 0.4
    closed = len(word) > 1 and chances[-1, _CLOSE] > 0.4
    # One bracket that is read well vouches for the other.
    opened |= bool(closed) and len(word) > 2 and _narrow(word[0]) and chances[0, _OPEN] > 0.05
    last = len(word) - int(closed)
    if not closed and last > 1 and _full_stop(word[-1], word[-2]):
        last -= 1
    core = slice(int(opened), last)
    glyphs = tuple(word[core])
    if not 1 <= len(glyphs) <= (LONGEST_NAME if opened and closed else 2):
        return None
    return _Candidate(chances[core], bounding_box(word), glyphs, bool(opened or closed), inside)


# ---------------------------------------------------------------- the sequence

#: Letters of the same form in both cases: their size alone tells which, so either reading counts.
_SAME_FORM = np.array([c in "cijklmopsuvwxyz" for c in string.ascii_lowercase])
#: Height of each lower-case letter as a share of a capital's height.
_LOWER_HEIGHT = np.array(
    [1.0 if c in "bdfhklgpqyij" else 0.86 if c == "t" else _X_HEIGHT for c in string.ascii_lowercase]
)


@dataclass(frozen=True)
class _Table:
    """Candidates of one style against the names of its sequence.

    `chance` and `font_px` have the shape (candidates, names). `other_case` is the chance of each letter
    in the case that the style has not.
    """

    candidates: list[_Candidate]
    names: tuple[str, ...]
    chance: npt.NDArray[np.float32]
    font_px: npt.NDArray[np.float64]
    wrapped: bool
    other_case: npt.NDArray[np.float32] | None = None


def _letters(candidates: list[_Candidate], *, upper: bool, wrapped: bool) -> _Table | None:
    """a, b, c … or A, B, C …"""
    group = [c for c in candidates if c.wrapped == wrapped and len(c.glyphs) == 1]
    if not group:
        return None
    chances = np.stack([c.chances[0] for c in group])
    low, high = chances[:, _LOWER], chances[:, _UPPER]
    chance = np.where(_SAME_FORM, low + high, high if upper else low).astype(np.float32)
    names = string.ascii_uppercase if upper else string.ascii_lowercase
    other = np.where(_SAME_FORM, 0.0, low if upper else high).astype(np.float32)
    return _Table(group, tuple(names), chance, _font_px(group, upper=upper), wrapped, other)


def _font_px(group: list[_Candidate], *, upper: bool) -> npt.NDArray[np.float64]:
    """Size of the font of which each candidate's first character would be each letter."""
    heights = np.array([[c.glyphs[0].height] for c in group], np.float64)
    return np.repeat(heights, 26, axis=1) if upper else heights / _LOWER_HEIGHT


#: Characters that look like those of which small Roman numerals are made.
_ROMAN_LIKE = {c: np.array([CLASSES.index(x) for x in like]) for c, like in (("i", "il1Ij"), ("v", "vVy"), ("x", "xX"))}


def _roman(candidates: list[_Candidate]) -> _Table | None:
    """i, ii, iii … in brackets."""
    group = [c for c in candidates if c.wrapped]
    if not group:
        return None
    chance = np.zeros((len(group), len(ROMAN)), np.float32)
    font_px = np.zeros(chance.shape)
    for row, candidate in enumerate(group):
        height = float(max(g.height for g in candidate.glyphs))
        for column, name in enumerate(ROMAN):
            font_px[row, column] = height if "i" in name else height / _X_HEIGHT
            if len(name) == len(candidate.glyphs):
                each = [float(p[_ROMAN_LIKE[c]].sum()) for p, c in zip(candidate.chances, name, strict=True)]
                chance[row, column] = np.prod(each) ** (1 / len(each))
    return _Table(group, ROMAN, chance, font_px, wrapped=True)


_DIGITS = np.array([CLASSES.index(c) for c in "123456789"])


def _numbered(candidates: list[_Candidate], *, upper: bool, wrapped: bool) -> _Table | None:
    """a1, a2, b1 …: only the names that are seen, in order."""
    group = [c for c in candidates if c.wrapped == wrapped and len(c.glyphs) == 2]
    if not group:
        return None
    chances = np.stack([c.chances for c in group])
    low, high = chances[:, 0][:, _LOWER], chances[:, 0][:, _UPPER]
    letter = np.where(_SAME_FORM, low + high, high if upper else low)
    digit = chances[:, 1][:, _DIGITS].copy()
    digit[:, 0] += chances[:, 1][:, [CLASSES.index(c) for c in "lIi"]].sum(axis=1)
    both = np.sqrt(letter[:, :, None] * digit[:, None, :]).reshape(len(group), -1)
    seen = np.flatnonzero(both.max(axis=0) > SURE)
    alphabet = string.ascii_uppercase if upper else string.ascii_lowercase
    names = tuple(f"{alphabet[k // 9]}{k % 9 + 1}" for k in seen)
    return _Table(group, names, both[:, seen], _font_px(group, upper=upper)[:, seen // 9], wrapped)


def _best_sequence(candidates: list[_Candidate], layout: Layout, expected: Sequence[str]) -> list[Letter]:
    """The most convincing run of letters over all styles and sizes."""
    best: tuple[float, list[Letter]] = (0.0, [])
    low, high = _font_range(layout)
    tables = [_roman(candidates)]
    for upper in (False, True):
        for wrapped in (False, True):
            tables.append(_letters(candidates, upper=upper, wrapped=wrapped))
            tables.append(_numbered(candidates, upper=upper, wrapped=wrapped))
    for table in tables:
        if table is None or not table.names:
            continue
        for font_px in _font_sizes(table, low, high, expected):
            letters = _sequence(table, font_px, layout, expected)
            value = _worth(letters, table, expected, font_px / high)
            if value > best[0]:
                best = (value, letters)
    return best[1]


def _font_sizes(table: _Table, low: float, high: float, expected: Sequence[str]) -> list[float]:
    """Sizes worth trying: those at which the first names of a sequence, or of the caption, are seen."""
    wanted = {e.lower() for e in expected}
    first = [k for k, name in enumerate(table.names) if k < 4 or name.lower() in wanted]
    seen = table.font_px[:, first][table.chance[:, first] > 0.4]
    return sorted({round(float(s), 0) for s in seen if low <= s <= high})


def _sequence(table: _Table, font_px: float, layout: Layout, expected: Sequence[str]) -> list[Letter]:
    """For every name its best candidate of this size, as far as the sequence goes on."""
    tolerance = max(1.6, 0.17 * font_px)
    of_size = np.abs(table.font_px - font_px) <= tolerance
    chance = np.where(of_size, table.chance, 0.0)
    wanted = {e.lower() for e in expected}
    chosen: list[tuple[int, float, _Candidate]] = []
    names = list(table.names)
    for index, name in enumerate(table.names):
        least = 0.2 if name.lower() in wanted else 0.3
        column = chance[:, index]
        fitting = np.flatnonzero(column > least)
        if fitting.size == 0 and table.other_case is not None and len(chosen) >= 3:
            # One capital among small letters, if it is beyond doubt: authors do that.
            column = np.where(
                np.abs(table.font_px.min(axis=1) - font_px) <= 1.5 * tolerance, table.other_case[:, index], 0
            )
            fitting = np.flatnonzero(column > SURE)
            names[index] = name.swapcase() if fitting.size else name
        if fitting.size == 0:
            span = index - chosen[0][0] + 1 if chosen else 0
            if span - len(chosen) > max(MOST_MISSING * span, MOST_MISSING_ALONE):
                break
            continue
        before = [c for _, _, c in chosen]
        values = [float(column[i]) * _fits_page(table.candidates[i], before, layout) for i in fitting]
        best = int(fitting[int(np.argmax(values))])
        chosen.append((index, float(column[best]), table.candidates[best]))
    while chosen and table.names[chosen[-1][0]].lower() not in wanted:
        # The tail of an alphabet is where chance finds matches.
        alone = len(chosen) > 1 and chosen[-1][0] - chosen[-2][0] > 2
        if chosen[-1][1] >= SURE and not alone:
            break
        chosen.pop()
    while chosen and _missing(chosen[-1][0], chosen) > MOST_MISSING:
        chosen.pop()
    return [Letter(names[i], min(1.0, p), c.box, font_px, c.inside) for i, p, c in chosen]


def _missing(index: int, chosen: Sequence[tuple[int, float, _Candidate]]) -> float:
    """Share of the names up to `index` that nothing was chosen for."""
    return 1.0 - len(chosen) / (index - chosen[0][0] + 1)


def _fits_page(candidate: _Candidate, before: list[_Candidate], layout: Layout) -> float:
    """Larger where the candidate lines up with letters that were chosen before and stands at a corner."""
    near = 0.02 * max(layout.shape)
    value = 1.0
    if any(abs(c.box.x0 - candidate.box.x0) < near or abs(c.box.y0 - candidate.box.y0) < near for c in before):
        value *= 1.6
    if any(c.inside == candidate.inside for c in before[-1:]):
        value *= 1.2
    if any(c.box.intersection(candidate.box).area > 0 for c in before):
        return 0.01
    if candidate.inside:
        offset = min(_corner_distance(candidate.box, b.box) for b in layout.blocks)
        value *= 1.5 if offset < 2.0 * candidate.box.height else 1.0
    return value


def _corner_distance(letter: Box, block: Box) -> float:
    return max(abs(letter.x0 - block.x0), abs(letter.y0 - block.y0))


def _worth(letters: list[Letter], table: _Table, expected: Sequence[str], size: float) -> float:
    """How convincing a sequence is; 0 where it should not be believed."""
    if not letters:
        return 0.0
    texts = [x.text.lower() for x in letters]
    numbered = len(table.names[0]) == 2
    # Where a1 and a2 are printed, the caption may speak of a alone.
    meant = {t: {t, t[0]} if numbered else {t} for t in texts}
    wanted = {e.lower() for e in expected}
    mean = float(np.mean([x.score for x in letters]))
    starts = texts[0] == ("i" if table.names is ROMAN else "a1" if numbered else "a")
    told = len(wanted & set().union(*meant.values()))
    several = table.names is ROMAN or numbered
    if mean < 0.5 or (not wanted and mean < 0.7) or (several and len(letters) < 2):
        return 0.0
    if table.names is ROMAN and not {"i", "ii"} <= set(texts):
        return 0.0
    # The first letter may be unreadable; brackets, or a long run from b or c, speak for themselves.
    run = len(texts) > 1 if table.wrapped else len(texts) > 3 and texts[0] in "bc"
    sure = run and mean > SURE and not several
    if not starts and told < max(1, len(texts) - 1) and not sure:
        return 0.0
    if len(letters) == 1 and not (told or (starts and table.wrapped)):
        return 0.0
    value = sum(x.score**2 for x in letters) + (0.5 if table.wrapped else 0.0) + size
    if wanted:
        value += 1.5 * told - 1.0 * sum(not names & wanted for names in meant.values())
    return value
