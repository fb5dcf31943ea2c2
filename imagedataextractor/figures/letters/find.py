"""Find and read the letters that name the panels: a, (a), A., iv, a1 …

Blobs of ink of the right size, alone or with brackets, are candidates: anywhere on the paper, and
near the corners of images in black or white. The glyph network says what each could be, and
`figures.sequences` which sequence of them, if any, names the panels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.letters.blobs import (
    LONGEST_NAME,
    Word,
    font_range,
    is_narrow,
    words_on_images,
    words_on_paper,
)
from imagedataextractor.figures.letters.glyphs import CLASSES, frame_of, read_glyphs
from imagedataextractor.figures.letters.naming import missing_letters
from imagedataextractor.figures.letters.sequences import LetterRun, best_run
from imagedataextractor.figures.letters.styles import Candidate, tables
from imagedataextractor.figures.panels.layout import Layout, bounding_box, magnified
from imagedataextractor.records import Box

__all__ = ["Letter", "candidate_lists", "find_letters", "for_search"]

#: Small figures are magnified for the search, up to this longest side, px, and no more than so many times: the edges of
#: characters of few pixels, and the gaps between them, lie between pixels.
MAGNIFIED_SIDE, MAGNIFY = 1200, 2.0
#: Letters for this share of the images are enough not to look at the other corners.
LETTERED = 0.7
#: Candidates looked at in one figure, at most.
MOST_WORDS = 1500
#: Probability from which the letter of a panel on its own is believed, how much less will do if it has brackets …
SURE_SINGLE, BRACKETS_SINGLE = 0.9, 0.4
#: … and how far from the corner it may be, in its heights.
CORNER_SINGLE = 2.5
#: Last letter that is believed there without brackets: few figures have more panels, and texture makes m, n and s.
#: A mere stroke (I, l) is believed as little.
LAST_SINGLE = "l"
#: Share of its figure that a panel on its own covers.
WHOLE = 0.6
#: Probability from which a blob is a bracket, and the one that will do where the other bracket is read well.
BRACKET, BRACKET_VOUCHED = 0.4, 0.05
#: Characters of a name without brackets, at most: "a1".
LONGEST_BARE = 2
#: Height, as a share of the letter's, up to which a mark is a stop, and up to which one that may well be no character
#: (from this probability on) is none.
SPECK, SPECK_DOUBTED, NO_CHARACTER = 0.4, 0.65, 0.3


@dataclass(frozen=True)
class Letter:
    """A panel letter: as printed (without brackets), how sure, and where (px of the reduced copy)."""

    text: str
    score: float
    box: Box
    font_px: float
    inside: bool


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
    search = for_search(layout)
    factor = search.enlarged
    letters = _find(search, told)
    return [replace(x, box=x.box.scaled(1 / factor), font_px=x.font_px / factor) for x in letters]


def for_search(layout: Layout) -> Layout:
    """The layout in which letters are looked for: a magnified one of a small figure."""
    factor = min(MAGNIFY, MAGNIFIED_SIDE / max(layout.shape))
    return magnified(layout, factor) if factor > 1.0 else layout


def _find(layout: Layout, told: frozenset[str]) -> list[Letter]:
    lists = candidate_lists(layout)
    candidates = next(lists)
    best = best_run(candidates, layout, told)
    if layout.blocks and (best is None or _may_go_on(best[0], layout)):
        candidates = next(lists)
        # With more to choose from, what was right may be missed.
        best = max((x for x in (best, best_run(candidates, layout, told)) if x), key=lambda x: x[1], default=None)
    if best is not None:
        return _as_letters(best[0])
    return _single(candidates, layout) if _is_one_image(layout) else []


def _may_go_on(run: LetterRun, layout: Layout) -> bool:
    """Whether there may be letters in corners that were not looked at."""
    return len(run.letters) < LETTERED * len(layout.blocks) or missing_letters([c.name for c in run.letters]) > 0


# ---------------------------------------------------------------- candidates


def candidate_lists(layout: Layout) -> Iterator[list[Candidate]]:
    """What could be letters on the paper and at the upper left corners of images; then, with it, at all corners."""
    found = _read(layout, words_on_paper(layout) + words_on_images(layout, first_corner=True))
    yield found
    yield found + _read(layout, words_on_images(layout, first_corner=False))


def _read(layout: Layout, words: Sequence[Word]) -> list[Candidate]:
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


def _as_candidate(word: list[Box], chances: npt.NDArray[np.float32], inside: bool) -> Candidate | None:
    opened = len(word) > 1 and chances[0, _OPEN] > BRACKET
    closed = len(word) > 1 and chances[-1, _CLOSE] > BRACKET
    # One bracket that is read well vouches for the other.
    opened |= bool(closed) and len(word) > LONGEST_BARE and is_narrow(word[0]) and chances[0, _OPEN] > BRACKET_VOUCHED
    first, last = int(opened), len(word) - int(closed)
    height = max(blob.height for blob in word)
    while last - first > 1 and not closed and _is_speck(word[last - 1], height, chances[last - 1]):
        last -= 1
    while last - first > 1 and not opened and _is_speck(word[first], height, chances[first]):
        first += 1
    glyphs = tuple(word[first:last])
    if not 1 <= len(glyphs) <= (LONGEST_NAME if opened and closed else LONGEST_BARE):
        return None
    return Candidate(chances[first:last], bounding_box(word), glyphs, bool(opened or closed), inside)


def _is_speck(blob: Box, height: float, chances: npt.NDArray[np.float32]) -> bool:
    """Whether a blob is the stop of "a.", or a mark beside a letter that is no character."""
    if max(blob.width, blob.height) <= SPECK * height:
        return True
    return blob.height < SPECK_DOUBTED * height and float(chances[_NOTHING]) > NO_CHARACTER


# ---------------------------------------------------------------- the figure's letters


def _as_letters(run: LetterRun) -> list[Letter]:
    return [Letter(c.name, min(1.0, c.chance), c.candidate.box, run.font_px, c.candidate.inside) for c in run.letters]


def _single(candidates: list[Candidate], layout: Layout) -> list[Letter]:
    """The letter of a figure that is one image (a panel on its own), if it is beyond doubt; none or one."""
    low, high = font_range(layout)
    best: tuple[float, list[Letter]] = (SURE_SINGLE, [])
    for table in tables(candidates):
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
