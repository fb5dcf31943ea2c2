"""What characters could name panels, for every style in which figures are lettered.

A style is a sequence of names (a, b, c …; A, B, C …; i, ii, iii … in brackets; a1, a2, b1 …), with or without
brackets. For each there is a table of how likely every candidate is each of its names, and of the size that the font
would then have.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.letters.glyphs import CLASSES
from imagedataextractor.figures.letters.naming import ROMAN
from imagedataextractor.records import Box

__all__ = ["Candidate", "Table", "tables"]

FloatArray = npt.NDArray[np.float64]

#: What is left of the probability of a letter without brackets in a figure whose letters have them.
LOST_BRACKETS = 0.6
#: Probability from which a numbered name (a1) is one of the figure's.
SEEN = 0.75
#: Characters of a numbered name: "a1".
NUMBERED = 2


@dataclass(frozen=True)
class Candidate:
    """A word of few characters that could be a panel's name.

    `chances` has the shape (characters, classes), brackets aside; `box` holds the brackets too.
    """

    chances: npt.NDArray[np.float32]
    box: Box
    glyphs: tuple[Box, ...]
    wrapped: bool
    inside: bool  # printed on an image


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
class Table:
    """Candidates of one style against the names of its sequence.

    `chance` and `font_px` have the shape (candidates, names). `other_case` and `other_px` are the same of each letter
    in the case that the style has not.
    """

    candidates: list[Candidate]
    names: tuple[str, ...]
    chance: npt.NDArray[np.float32]
    font_px: FloatArray
    wrapped: bool
    other_case: npt.NDArray[np.float32] | None = None
    other_px: FloatArray | None = None

    @property
    def numbered(self) -> bool:
        return len(self.names[0]) == NUMBERED

    @property
    def roman(self) -> bool:
        return self.names is ROMAN


def tables(candidates: list[Candidate]) -> list[Table]:
    """A table for every style that the candidates could be of."""
    tables = [_roman(candidates)]
    for upper in (False, True):
        for wrapped in (False, True):
            tables.append(_letters(candidates, upper=upper, wrapped=wrapped))
            tables.append(_numbered(candidates, upper=upper, wrapped=wrapped))
    return [t for t in tables if t is not None and t.names]


def _letters(candidates: list[Candidate], *, upper: bool, wrapped: bool) -> Table | None:
    """a, b, c … or A, B, C …"""
    group = [c for c in candidates if c.wrapped <= wrapped and len(c.glyphs) == 1]
    if not any(c.wrapped == wrapped for c in group):
        return None
    chances = np.stack([c.chances[0] for c in group])
    found = np.array([1.0 if c.wrapped == wrapped else LOST_BRACKETS for c in group], np.float32)
    chance = _chance_of_letters(chances, upper=upper) * found[:, None]
    other = np.where(_SAME_FORM, 0.0, chances[:, _LOWER if upper else _UPPER]).astype(np.float32)
    names = tuple(string.ascii_uppercase if upper else string.ascii_lowercase)
    sizes, other_sizes = _font_px(group, upper=upper), _font_px(group, upper=not upper)
    return Table(group, names, chance, sizes, wrapped, other, other_sizes)


def _chance_of_letters(chances: npt.NDArray[np.float32], *, upper: bool) -> npt.NDArray[np.float32]:
    """Probability of each of 26 letters, of whatever looks the same in this case."""
    low, high = chances[:, _LOWER], chances[:, _UPPER]
    chance = np.where(_SAME_FORM, low + high, high if upper else low).astype(np.float32)
    stroke = string.ascii_lowercase.index("i" if upper else "l")
    chance[:, stroke] = chances[:, _STROKES].sum(axis=1)
    return chance


def _font_px(group: list[Candidate], *, upper: bool) -> FloatArray:
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


def _roman(candidates: list[Candidate]) -> Table | None:
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
    return Table(group, ROMAN, chance, font_px, wrapped=True)


_DIGITS = np.array([CLASSES.index(c) for c in "123456789"])


def _numbered(candidates: list[Candidate], *, upper: bool, wrapped: bool) -> Table | None:
    """a1, a2, b1 …: only the names that are seen, in order."""
    group = [c for c in candidates if c.wrapped == wrapped and len(c.glyphs) == NUMBERED]
    if not group:
        return None
    chances = np.stack([c.chances for c in group])
    letter = _chance_of_letters(chances[:, 0], upper=upper)
    digit = chances[:, 1][:, _DIGITS].copy()
    digit[:, 0] = chances[:, 1][:, [*_STROKES, CLASSES.index("i")]].sum(axis=1)
    both = np.sqrt(letter[:, :, None] * digit[:, None, :]).reshape(len(group), -1)
    seen = np.flatnonzero(both.max(axis=0) > SEEN)
    alphabet = string.ascii_uppercase if upper else string.ascii_lowercase
    names = tuple(f"{alphabet[k // 9]}{k % 9 + 1}" for k in seen)
    return Table(group, names, both[:, seen], _font_px(group, upper=upper)[:, seen // 9], wrapped)
