"""Find and read the letters that name the panels: a, (a), A., iv, a1 …

Blobs of ink of the right size, alone or with brackets, are candidates: anywhere on the paper, and
near the corners of images in black or white. The glyph network says what each could be. The letters
of a figure are the candidates of one style and size that make a sequence (a, b, c …; i, ii, iii … in
brackets; or a1, a2, b1 …) and stand as panel letters do: in line with each other, at the same place
of their images, in reading order. Characters elsewhere (axis ticks, markers, annotations) make none.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.blobs import (
    LONGEST_NAME,
    Word,
    font_range,
    is_narrow,
    words_on_images,
    words_on_paper,
)
from imagedataextractor.figures.glyphs import CLASSES, frame_of, read_glyphs
from imagedataextractor.figures.layout import Layout, bounding_box
from imagedataextractor.figures.naming import ROMAN, missing_letters
from imagedataextractor.records import Box

__all__ = ["Letter", "find_letters"]

FloatArray = npt.NDArray[np.float64]

#: Candidates looked at in one figure, at most.
MOST_WORDS = 1500
#: Share of a sequence's letters that may be unreadable …
MOST_MISSING = 0.4
#: … and unreadable letters that are passed over at its beginning, where that share allows none.
MOST_MISSING_ALONE = 2
#: Probability from which a reading may be a letter of a sequence, and where the caption speaks of that letter.
LEAST, LEAST_TOLD = 0.3, 0.2
#: Probability from which a single reading is believed without the caption's word for it.
SURE = 0.75
#: Evidence that a letter must add to a sequence, and that it must make up for each one missing before it.
LETTER_COST, MISSING_COST = 0.33, 0.35
#: Probability from which the letter of a panel on its own is believed, how much less will do if it has brackets …
SURE_SINGLE, BRACKETS_SINGLE = 0.9, 0.4
#: … and how far from the corner it may be, in its heights.
CORNER_SINGLE = 2.5
#: Last letter that is believed there without brackets: few figures have more panels, and texture makes m, n and s.
#: A mere stroke (I, l) is believed as little.
LAST_SINGLE = "l"
#: Share of its figure that a panel on its own covers.
WHOLE = 0.6
#: Share that a sequence must make up of the characters of its size that are letters with this probability.
LIKELY = 0.5
LEAST_SHARE = 0.17
#: What is left of the probability of a letter without brackets in a figure whose letters have them.
LOST_BRACKETS = 0.6
#: How much more a letter counts that the caption speaks of.
TOLD = 1.5
#: How much more convincing a letter is that has brackets.
BRACKETS = 1.5
#: What Roman numerals count beside letters: where there are both, they number the parts of the lettered panels.
ROMAN_WORTH = 0.5


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
    told = frozenset(e.strip("()[]. ").lower() for e in expected)
    candidates = _read(layout, words_on_paper(layout) + words_on_images(layout, first_corner=True))
    letters = _best_sequence(candidates, layout, told)
    # Names that are missing may stand in corners that were not looked at.
    few = len(letters) < max(2, 0.5 * len(layout.blocks))
    if layout.blocks and (few or missing_letters([letter.text for letter in letters])):
        candidates += _read(layout, words_on_images(layout, first_corner=False))
        letters = _best_sequence(candidates, layout, told)
    if not letters and _is_one_image(layout):
        letters = _single(candidates, layout)
    return letters


# ---------------------------------------------------------------- candidates


def _read(layout: Layout, words: Sequence[Word]) -> list[_Candidate]:
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


_OPEN, _CLOSE, _NOTHING = CLASSES.index("("), CLASSES.index(")"), CLASSES.index("")


def _as_candidate(word: list[Box], chances: npt.NDArray[np.float32], inside: bool) -> _Candidate | None:
    opened = len(word) > 1 and chances[0, _OPEN] > 0.4
    closed = len(word) > 1 and chances[-1, _CLOSE] > 0.4
    # One bracket that is read well vouches for the other.
    opened |= bool(closed) and len(word) > 2 and is_narrow(word[0]) and chances[0, _OPEN] > 0.05
    first, last = int(opened), len(word) - int(closed)
    height = max(blob.height for blob in word)
    while last - first > 1 and not closed and _is_speck(word[last - 1], height, chances[last - 1]):
        last -= 1
    while last - first > 1 and not opened and _is_speck(word[first], height, chances[first]):
        first += 1
    glyphs = tuple(word[first:last])
    if not 1 <= len(glyphs) <= (LONGEST_NAME if opened and closed else 2):
        return None
    return _Candidate(chances[first:last], bounding_box(word), glyphs, bool(opened or closed), inside)


def _is_speck(blob: Box, height: float, chances: npt.NDArray[np.float32]) -> bool:
    """Whether a blob is the stop of "a.", or a mark beside a letter that is no character."""
    if max(blob.width, blob.height) <= 0.4 * height:
        return True
    return blob.height < 0.65 * height and float(chances[_NOTHING]) > 0.3


# ---------------------------------------------------------------- names

_LOWER = np.array([CLASSES.index(c) for c in string.ascii_lowercase])
_UPPER = np.array([CLASSES.index(c) for c in string.ascii_uppercase])
#: Letters of the same form in both cases: their size alone tells which, so either reading counts.
_SAME_FORM = np.array([c in "cijklmopsuvwxyz" for c in string.ascii_lowercase])
#: Heights of the letters as a share of a plain capital's; the tails of some reach below the line in some fonts.
_LOWER_HEIGHT = np.array(
    [{"t": 0.9, "j": 1.3}.get(c, 1.02 if c in "bdfhklgpqyi" else 0.74) for c in string.ascii_lowercase]
)
_UPPER_HEIGHT = np.array([1.12 if c in "JQ" else 1.0 for c in string.ascii_uppercase])
#: Strokes that look like a capital I, a small l and a one.
_STROKES = [CLASSES.index(c) for c in "Il1"]


@dataclass(frozen=True)
class _Table:
    """Candidates of one style against the names of its sequence.

    `chance` and `font_px` have the shape (candidates, names). `other_case` is the chance of each letter
    in the case that the style has not.
    """

    candidates: list[_Candidate]
    names: tuple[str, ...]
    chance: npt.NDArray[np.float32]
    font_px: FloatArray
    wrapped: bool
    other_case: npt.NDArray[np.float32] | None = None

    @property
    def numbered(self) -> bool:
        return len(self.names[0]) == 2

    @property
    def roman(self) -> bool:
        return self.names is ROMAN


def _tables(candidates: list[_Candidate]) -> list[_Table]:
    """A table for every style that the candidates could be of."""
    tables = [_roman(candidates)]
    for upper in (False, True):
        for wrapped in (False, True):
            tables.append(_letters(candidates, upper=upper, wrapped=wrapped))
            tables.append(_numbered(candidates, upper=upper, wrapped=wrapped))
    return [t for t in tables if t is not None and t.names]


def _letters(candidates: list[_Candidate], *, upper: bool, wrapped: bool) -> _Table | None:
    """a, b, c … or A, B, C …"""
    group = [c for c in candidates if c.wrapped <= wrapped and len(c.glyphs) == 1]
    if not any(c.wrapped == wrapped for c in group):
        return None
    chances = np.stack([c.chances[0] for c in group])
    found = np.array([1.0 if c.wrapped == wrapped else LOST_BRACKETS for c in group], np.float32)
    chance = _chance_of_letters(chances, upper=upper) * found[:, None]
    other = np.where(_SAME_FORM, 0.0, chances[:, _LOWER if upper else _UPPER]).astype(np.float32)
    names = tuple(string.ascii_uppercase if upper else string.ascii_lowercase)
    return _Table(group, names, chance, _font_px(group, upper=upper), wrapped, other)


def _chance_of_letters(chances: npt.NDArray[np.float32], *, upper: bool) -> npt.NDArray[np.float32]:
    """Probability of each of 26 letters, of whatever looks the same in this case."""
    low, high = chances[:, _LOWER], chances[:, _UPPER]
    chance = np.where(_SAME_FORM, low + high, high if upper else low).astype(np.float32)
    stroke = string.ascii_lowercase.index("i" if upper else "l")
    chance[:, stroke] = chances[:, _STROKES].sum(axis=1)
    return chance


def _font_px(group: list[_Candidate], *, upper: bool) -> FloatArray:
    """Size of the font of which each candidate's first character would be each letter."""
    heights = np.array([[c.glyphs[0].height] for c in group], np.float64)
    return np.asarray(heights / (_UPPER_HEIGHT if upper else _LOWER_HEIGHT), np.float64)


#: Characters that look like those of which small Roman numerals are made.
_ROMAN_LIKE = {c: np.array([CLASSES.index(x) for x in like]) for c, like in (("i", "il1Ij"), ("v", "vVy"), ("x", "xX"))}


#: Chance that a stroke is an i, whatever the network takes it for: its neighbours are close by, which misleads it.
STROKE_IS_I = 0.5


def _chance_of_numeral(numeral: str, chances: npt.NDArray[np.float32], glyph: Box) -> float:
    """Probability that a blob is "i", "v" or "x", from what looks like it."""
    stroke = STROKE_IS_I if numeral == "i" and glyph.width < 0.4 * glyph.height else 0.0
    return max(stroke, float(chances[_ROMAN_LIKE[numeral]].sum()))


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
            font_px[row, column] = height if "i" in name else height / 0.74
            if len(name) == len(candidate.glyphs):
                parts = zip(name, candidate.chances, candidate.glyphs, strict=True)
                each = [_chance_of_numeral(c, chances, glyph) for c, chances, glyph in parts]
                chance[row, column] = np.prod(each) ** (1 / len(each))
    return _Table(group, ROMAN, chance, font_px, wrapped=True)


_DIGITS = np.array([CLASSES.index(c) for c in "123456789"])


def _numbered(candidates: list[_Candidate], *, upper: bool, wrapped: bool) -> _Table | None:
    """a1, a2, b1 …: only the names that are seen, in order."""
    group = [c for c in candidates if c.wrapped == wrapped and len(c.glyphs) == 2]
    if not group:
        return None
    chances = np.stack([c.chances for c in group])
    letter = _chance_of_letters(chances[:, 0], upper=upper)
    digit = chances[:, 1][:, _DIGITS].copy()
    digit[:, 0] = chances[:, 1][:, [*_STROKES, CLASSES.index("i")]].sum(axis=1)
    both = np.sqrt(letter[:, :, None] * digit[:, None, :]).reshape(len(group), -1)
    seen = np.flatnonzero(both.max(axis=0) > SURE)
    alphabet = string.ascii_uppercase if upper else string.ascii_lowercase
    names = tuple(f"{alphabet[k // 9]}{k % 9 + 1}" for k in seen)
    return _Table(group, names, both[:, seen], _font_px(group, upper=upper)[:, seen // 9], wrapped)


# ---------------------------------------------------------------- the sequence


@dataclass(frozen=True)
class _Chosen:
    """A name of the sequence, the candidate that is taken for it, and how well that goes with the others (0 … 1)."""

    index: int
    name: str
    chance: float
    agreement: float
    candidate: _Candidate


def _best_sequence(candidates: list[_Candidate], layout: Layout, told: frozenset[str]) -> list[Letter]:
    """The most convincing run of letters over all styles and sizes."""
    best: tuple[float, float, list[_Chosen]] = (0.0, 0.0, [])
    low, high = font_range(layout)
    for table in _tables(candidates):
        for font_px in _font_sizes(table, low, high, told):
            run, rivals = _sequence(table, font_px, layout, told)
            value = _worth(run, table, told, font_px / high) * _share(len(run), rivals)
            if value > best[0]:
                best = (value, font_px, run)
    _, font_px, run = best
    return [Letter(c.name, min(1.0, c.chance), c.candidate.box, font_px, c.candidate.inside) for c in run]


def _single(candidates: list[_Candidate], layout: Layout) -> list[Letter]:
    """The letter of a figure that is one image (a panel on its own), if it is beyond doubt; none or one."""
    low, high = font_range(layout)
    best: tuple[float, list[Letter]] = (SURE_SINGLE, [])
    for table in _tables(candidates):
        if table.roman:
            continue
        for row, candidate in enumerate(table.candidates):
            column = int(np.argmax(table.chance[row]))
            chance, font_px = float(table.chance[row, column]), float(table.font_px[row, column])
            name = table.names[column]
            if not candidate.wrapped and (name in "lI" or name[0].lower() > LAST_SINGLE):
                continue
            value = chance + (BRACKETS_SINGLE if candidate.wrapped and table.wrapped else 0.0)
            if value > best[0] and low <= font_px <= high and _near_corner(candidate.box, layout):
                best = (value, [Letter(name, min(1.0, chance), candidate.box, font_px, candidate.inside)])
    return best[1]


def _is_one_image(layout: Layout) -> bool:
    return len(layout.blocks) == 1 and layout.blocks[0].box.area > WHOLE * layout.grey.size


def _near_corner(box: Box, layout: Layout) -> bool:
    height, width = layout.shape
    reach = CORNER_SINGLE * box.height
    return min(box.x0, width - box.x1) < reach and min(box.y0, height - box.y1) < reach


def _font_sizes(table: _Table, low: float, high: float, told: frozenset[str]) -> list[float]:
    """Sizes worth trying: at which the first names of a sequence, or of the caption, are seen, and between them."""
    first = [k for k, name in enumerate(table.names) if k < 4 or name.lower() in told]
    seen = table.font_px[:, first][table.chance[:, first] > 0.4]
    sizes = sorted({round(float(s)) for s in seen if low <= s <= high})
    between = {(a + b) // 2 for a, b in itertools.pairwise(sizes) if b - a <= 2 * _tolerance(a)}
    return [float(s) for s in sorted(between.union(sizes))]


def _share(count: int, rivals: int) -> float:
    """How much is left of a sequence's worth, among so many characters of its size that could be letters.

    Where there is much writing, chance finds sequences in it: panel letters are a good part of what is of their size.
    """
    share = count / max(1, rivals)
    return 0.0 if share < LEAST_SHARE else float(np.sqrt(share))


def _sequence(table: _Table, font_px: float, layout: Layout, told: frozenset[str]) -> tuple[list[_Chosen], int]:
    """For every name its best candidate of this size, as far as the sequence goes on; and how many there are in all."""
    chance = np.where(np.abs(table.font_px - font_px) <= _tolerance(font_px), table.chance, 0.0)
    least = np.array([LEAST_TOLD if name.lower() in told else LEAST for name in table.names])
    chance = np.where(chance > least, chance, 0.0)
    rows = np.flatnonzero(chance.any(axis=1))
    likely = [table.candidates[i].box for i in np.flatnonzero(chance.max(axis=1) > LIKELY)]
    rivals = {(round(box.x0 / font_px), round(box.y0 / font_px)) for box in likely}
    picked = _Places([table.candidates[i] for i in rows], layout, font_px).pick(chance[rows])
    run: list[_Chosen] = []
    swapped = False
    for index, name in enumerate(table.names):
        span = index - run[0].index + 1 if run else 0
        if index in picked:
            row, agreement = int(rows[picked[index][0]]), picked[index][1]
            run.append(_Chosen(index, name, float(chance[row, index]), agreement, table.candidates[row]))
        elif len(run) >= 3 and not swapped and (capital := _other_case(table, index, font_px)) is not None:
            run.append(capital)
            swapped = True
        elif span - len(run) > max(MOST_MISSING * span, MOST_MISSING_ALONE):
            break
    return _without_tail(run, told), len(rivals)


def _tolerance(font_px: float) -> float:
    """How far off a size measured on one letter may be, px."""
    return max(1.6, 0.17 * font_px)


def _other_case(table: _Table, index: int, font_px: float) -> _Chosen | None:
    """One capital among small letters, if it is beyond doubt: authors do that."""
    if table.other_case is None:
        return None
    of_size = np.abs(table.font_px.min(axis=1) - font_px) <= 1.5 * _tolerance(font_px)
    column = np.where(of_size, table.other_case[:, index], 0.0)
    best = int(np.argmax(column))
    if column[best] <= SURE:
        return None
    return _Chosen(index, table.names[index].swapcase(), float(column[best]), 0.5, table.candidates[best])


def _without_tail(run: list[_Chosen], told: frozenset[str]) -> list[_Chosen]:
    """The sequence up to where going on makes it no more convincing: late in an alphabet chance finds matches."""
    best, value, count = 0.0, 0.0, 0
    for k, chosen in enumerate(run):
        missing = chosen.index - run[k - 1].index - 1 if k else 0
        value += _evidence(chosen) - LETTER_COST - MISSING_COST * missing + (chosen.name.lower() in told)
        if value > best and 1.0 - (k + 1) / (chosen.index - run[0].index + 1) <= MOST_MISSING:
            best, count = value, k + 1
    return run[:count]


def _evidence(chosen: _Chosen) -> float:
    return chosen.chance**2 * (0.5 + 0.5 * chosen.agreement)


class _Places:
    """Where candidates stand: at which corners of images, in line with each other, in reading order."""

    def __init__(self, candidates: Sequence[_Candidate], layout: Layout, font_px: float) -> None:
        near = max(0.02 * max(layout.shape), 0.3 * font_px)
        boxes = np.array([[c.box.x0, c.box.y0, c.box.x1, c.box.y1] for c in candidates], np.float64).reshape(-1, 4)
        inside = np.array([c.inside for c in candidates], np.bool_)
        corner, offset = _corner_offsets(boxes, layout)
        self._at_corner = ~inside | (np.abs(offset).max(axis=1, initial=0.0) < 3.0 * font_px)
        x0, y0, x1, y1 = (boxes[:, k] for k in range(4))

        def close(values: FloatArray) -> npt.NDArray[np.bool_]:
            return np.asarray(np.abs(values[:, None] - values) < near)

        aligned = close(x0) | close(x1) | close(y0) | close(y1)
        same_place = (inside[:, None] == inside) & (
            ~inside[:, None] | ((corner[:, None] == corner) & close(offset[:, 0]) & close(offset[:, 1]))
        )
        self._alike = 0.5 * aligned + 0.5 * same_place
        wide = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)
        tall = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
        self._overlap = (wide > 0) & (tall > 0)
        # [i, j]: j cannot come after i, since it stands to the left of it and above.
        self._disorder = (x0[:, None] > x0 + near) & (y0[:, None] > y0 + near)

    def pick(self, chance: FloatArray) -> dict[int, tuple[int, float]]:
        """The candidate (row) that is each name (column), and its agreement with the others.

        They are the likeliest that agree with each other; names that no candidate can be are left out.
        """
        picked: dict[int, int] = {}
        if not len(chance):
            return {}
        value = chance * np.where(self._at_corner, 1.0, 0.5)[:, None]
        order = [int(n) for n in np.argsort(-value.max(axis=0)) if value[:, n].any()]
        for _ in range(3):
            before = dict(picked)
            for name in order:
                column = value[:, name] * self._agreement(name, picked)
                best = int(np.argmax(column))
                if column[best] > 0.02:
                    picked[name] = best
                else:
                    picked.pop(name, None)
            if picked == before:
                break
        return {name: (i, float(self._agreement(name, picked)[i])) for name, i in picked.items()}

    def _agreement(self, name: int, picked: dict[int, int]) -> FloatArray:
        """How well each candidate, as this name, goes with what was picked for the other names: 0 … 1."""
        others = [(n, i) for n, i in picked.items() if n != name]
        if not others:
            return np.ones(len(self._at_corner))
        rows = np.array([i for _, i in others])
        later = np.array([n > name for n, _ in others])
        alike = (self._alike[:, rows].mean(axis=1) + self._alike[:, rows].max(axis=1)) / 2
        disorder = np.where(later, self._disorder[:, rows], self._disorder[rows].T).mean(axis=1)
        free = ~self._overlap[:, rows].any(axis=1)
        return np.asarray((0.13 + 0.87 * alike) * (1.0 - disorder) ** 2 * np.where(free, 1.0, 0.02), np.float64)


def _corner_offsets(boxes: FloatArray, layout: Layout) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Which corner of its image (0 … 3) each box is nearest to, and its distance from it, (N,) and (N, 2)."""
    if not layout.blocks or not len(boxes):
        return np.zeros(len(boxes), np.intp), np.zeros((len(boxes), 2))
    x = np.stack([boxes[:, 0], boxes[:, 2]] * 2, axis=1)
    y = np.stack([boxes[:, 1], boxes[:, 1], boxes[:, 3], boxes[:, 3]], axis=1)
    blocks = np.array([[b.box.x0, b.box.y0, b.box.x1, b.box.y1] for b in layout.blocks], np.float64)
    dx = x[:, None] - blocks[None][:, :, [0, 2, 0, 2]]
    dy = y[:, None] - blocks[None][:, :, [1, 1, 3, 3]]
    flat = np.maximum(np.abs(dx), np.abs(dy)).reshape(len(boxes), -1)
    best = flat.argmin(axis=1)
    rows = np.arange(len(boxes))
    offset = np.stack([dx.reshape(len(boxes), -1)[rows, best], dy.reshape(len(boxes), -1)[rows, best]], axis=1)
    return best % 4, offset


def _worth(run: list[_Chosen], table: _Table, told: frozenset[str], size: float) -> float:
    """How convincing a sequence is; 0 where it should not be believed."""
    if not run:
        return 0.0
    texts = [c.name.lower() for c in run]
    # Where a1 and a2 are printed, the caption may speak of a alone.
    meant = {t: {t, t[0]} if table.numbered else {t} for t in texts}
    mean = float(np.mean([c.chance for c in run]))
    starts = texts[0] == ("i" if table.roman else "a1" if table.numbered else "a")
    known = len(told & set().union(*meant.values()))
    several = table.roman or table.numbered
    if mean < 0.5 or (not told and mean < 0.7) or (several and len(run) < 2):
        return 0.0
    if table.roman and not {"i", "ii"} <= set(texts):
        return 0.0
    # The first letters may be unreadable; brackets, or a long run, speak for themselves.
    long = len(run) > (1 if table.wrapped else 2) and len(run) >= (1.0 - MOST_MISSING) * (run[-1].index + 1)
    if not starts and known < max(1, len(texts) - 1) and not (long and mean > SURE and not several):
        return 0.0
    if len(run) == 1 and not (known or (starts and table.wrapped)):
        return 0.0
    value = sum(map(_evidence, run)) + size
    if table.wrapped:
        value *= BRACKETS
    if table.roman:
        value *= ROMAN_WORTH
    if told:
        # The caption's word counts for as much as the letters are well read and agree: it makes no letters of texture.
        value += sum((TOLD * _evidence(c) if meant[c.name.lower()] & told else -1.0) for c in run)
    return value
