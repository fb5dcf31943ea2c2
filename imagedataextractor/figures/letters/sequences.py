"""Sequences of letters: which candidates go on from each other, and which sequence is the figure's.

For every style and size of print the candidates are taken that make the names of its sequence and agree about where
they stand. Each such run is described by some fifty numbers, and a small network tells how convincing it is beside the
others, and beside there being no letters at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.letters.blobs import font_range
from imagedataextractor.figures.letters.styles import Candidate, Table, tables
from imagedataextractor.figures.network import forward, load_weights
from imagedataextractor.figures.panels.layout import Layout
from imagedataextractor.records import Box

__all__ = ["FEATURES", "WEIGHTS", "Chosen", "LetterRun", "best_run", "describe", "runs"]

FloatArray = npt.NDArray[np.float64]

WEIGHTS = "letters.safetensors"
#: Share of a sequence's letters that may be unreadable …
MOST_MISSING = 0.4
#: … and unreadable letters that are passed over at its beginning, where that share allows none.
MOST_MISSING_ALONE = 2
#: Probability from which a reading may be a letter of a sequence, and where the caption speaks of that letter.
LEAST, LEAST_TOLD = 0.3, 0.2
#: Probability from which a capital among small letters is believed.
SURE = 0.75
#: Probability from which a character of a sequence's size is counted as one that could be of it.
LIKELY = 0.5
#: Evidence that a letter must add to a sequence, and that it must make up for each one missing before it.
LETTER_COST, MISSING_COST = 0.33, 0.35
#: Letters at the end that a sequence may do without, at most.
DROPPED = 3
#: How much less convincing than no letters at all a sequence may be, in the network's logits; and where the caption
#: names letters. Measured on figures of articles that the network had not learned from.
DOUBT, DOUBT_TOLD = 0.5, 2.0
#: How far apart letters in one line may be, and what is one line when they are read, as a share of the page's size.
IN_LINE, LEVEL = 0.012, 0.05
#: Letters from which the least convincing one may be left out, and from which a capital may stand among them.
SPARES_ONE, LEAST_BEFORE_CAPITAL = 4, 3
#: Letters from which roman and numbered names are a sequence: "i" and "a1" alone are any mark.
LEAST_SPECIAL = 2
#: First names of a sequence at whose sizes others are sought, and the probability from which one is seen there.
FIRST_NAMES, SEEN = 4, 0.4
#: Value below which a name has no candidate.
LEAST_VALUE = 0.02
#: Letters from which there is an order.
LEAST_ORDER = 2
#: What the network's numbers count: sequences of two, and of four and more; letters read less surely than this, and
#: such as agree less with the others. It was trained on these.
COUNT_TWO, COUNT_MANY, READ_UNSURELY, AGREE_LITTLE = 2, 4, 0.6, 0.4


@dataclass(frozen=True)
class Chosen:
    """A name of the sequence, the candidate that is taken for it, and how well that goes with the others (0 … 1)."""

    index: int
    name: str
    chance: float
    agreement: float
    candidate: Candidate
    font_px: float


@dataclass(frozen=True)
class LetterRun:
    """Letters of one style and size that make a sequence.

    `rivals` is how many characters of that size could be letters of the sequence.
    """

    letters: tuple[Chosen, ...]
    table: Table
    font_px: float
    rivals: int


def runs(candidates: list[Candidate], layout: Layout, told: frozenset[str] = frozenset()) -> list[LetterRun]:
    """Every sequence that the candidates make, of any style and size, and some of each that are shorter.

    Parameters
    ----------
    candidates : list of Candidate
    layout : Layout
    told : frozenset of str
        Letters that the caption speaks of, in small letters; empty if there is no caption.

    Returns
    -------
    list of LetterRun
        Each once, in no particular order.
    """
    low, high = font_range(layout)
    found: dict[tuple[object, ...], LetterRun] = {}
    for table in tables(candidates):
        for font_px in _font_sizes(table, low, high, told):
            letters, rivals = _sequence(table, font_px, layout, told)
            for some in _and_shorter(letters):
                if _may_be(some, table, told):
                    key = (table.wrapped, table.names, rivals, *((c.name, c.candidate.box) for c in some))
                    found.setdefault(key, LetterRun(tuple(some), table, font_px, rivals))
    return list(found.values())


def _and_shorter(letters: list[Chosen]) -> list[list[Chosen]]:
    """A sequence as it is, without its last letters, and without the least convincing one: chance adds letters."""
    shorter = [letters[:-k] for k in range(1, DROPPED + 1) if len(letters) - k > 1]
    if len(letters) >= SPARES_ONE:
        worst = min(range(1, len(letters) - 1), key=lambda k: _evidence(letters[k]))
        shorter.append(letters[:worst] + letters[worst + 1 :])
    return [letters, *shorter]


def _may_be(letters: Sequence[Chosen], table: Table, told: frozenset[str]) -> bool:
    """Whether a sequence is one at all: what begins late is, if it is long or the caption names its letters."""
    if not letters:
        return False
    names = [c.name.lower() for c in letters]
    if table.roman and not {"i", "ii"} <= set(names):
        return False
    if (table.roman or table.numbered) and len(names) < LEAST_SPECIAL:
        return False
    known = len([m for m in _meant(names, table) if m & told])
    begins = names[0] == _first(table)
    if len(names) == 1:
        return bool(known) or (begins and table.wrapped)
    if begins or known >= len(names) - 1:
        return True
    read = len(names) >= (1.0 - MOST_MISSING) * (letters[-1].index + 1)
    return read and not table.numbered and len(names) > (1 if table.wrapped else 2)


def _first(table: Table) -> str:
    return "i" if table.roman else "a1" if table.numbered else "a"


def _meant(names: Sequence[str], table: Table) -> list[set[str]]:
    """What a caption may call the letters: where a1 and a2 are printed, it may speak of a alone."""
    return [{name, name[0]} if table.numbered else {name} for name in names]


def best_run(
    candidates: list[Candidate], layout: Layout, told: frozenset[str] = frozenset()
) -> tuple[LetterRun, float] | None:
    """The most convincing sequence and its logit; None where none is convincing.

    Parameters are those of `runs`.
    """
    found = runs(candidates, layout, told)
    if not found:
        return None
    weights = load_weights(WEIGHTS)
    numbers = np.stack([describe(run, layout, told) for run in found])
    scaled = np.clip((numbers - weights["mean"]) / weights["scale"], -5, 5).astype(np.float32)
    logits = forward(weights, scaled)[..., 0].mean(axis=0)
    least = -(DOUBT_TOLD if told else DOUBT)
    # Where there are both, Roman numerals number the parts of the lettered panels.
    roman = np.array([run.table.roman for run in found])
    if (logits[~roman] > least).any():
        logits[roman] = -np.inf
    best = int(logits.argmax())
    return (found[best], float(logits[best])) if logits[best] > least else None


# ---------------------------------------------------------------- what tells

#: What a run is described by.
FEATURES = (
    *("one letter", "two letters", "letters", "four or more", "begins at a", "first", "missing inside", "share read"),
    *("mean chance", "least chance", "doubtful", "mean agreement", "least agreement", "disagreeing"),
    *("evidence", "chance in all", "agreement in all"),
    *("with brackets", "bracketed style", "roman", "numbered", "capitals", "strokes"),
    *("font to the largest", "font to the least", "font to the page", "spread of fonts", "farthest font"),
    *("share of its size", "characters of its size", "rivals"),
    *("in reading order", "all in reading order", "in line", "nearest pair", "width", "height", "left", "top"),
    *("on images", "half on images", "sharing images", "share sharing images", "images with one", "no image", "images"),
    *("told", "letters told", "letters not told", "told and missing"),
)


def describe(run: LetterRun, layout: Layout, told: frozenset[str] = frozenset()) -> npt.NDArray[np.float32]:
    """The numbers by which a run is judged.

    Parameters
    ----------
    run : LetterRun
    layout : Layout
        The one its candidates come from.
    told : frozenset of str

    Returns
    -------
    float32 array, shape (len(FEATURES),)
    """
    numbers = [
        *_of_names(run),
        *_of_chances(run),
        *_of_style(run),
        *_of_font(run, layout),
        *_of_rivals(run),
        *_of_places(run, layout),
        *_of_images(run, layout),
        *_of_caption(run, told),
    ]
    return np.array(numbers, np.float32)


def _of_names(run: LetterRun) -> list[float]:
    count, first = len(run.letters), run.letters[0].index
    span = run.letters[-1].index + 1
    begins = run.letters[0].name.lower() == _first(run.table)
    return [
        count == 1,
        count == COUNT_TWO,
        np.log(count),
        count >= COUNT_MANY,
        begins,
        first,
        span - count - first,
        count / span,
    ]


def _of_chances(run: LetterRun) -> list[float]:
    chance = np.array([c.chance for c in run.letters])
    agreement = np.array([c.agreement for c in run.letters])
    return [
        *(chance.mean(), chance.min(), (chance < READ_UNSURELY).mean()),
        *(agreement.mean(), agreement.min(), (agreement < AGREE_LITTLE).mean()),
        *(sum(map(_evidence, run.letters)), np.log(chance).sum(), np.log(agreement + 0.02).sum()),
    ]


def _of_style(run: LetterRun) -> list[float]:
    wrapped = float(np.mean([c.candidate.wrapped for c in run.letters]))
    strokes = float(np.mean([c.name.lower() in "ilc" for c in run.letters]))
    table = run.table
    return [wrapped, table.wrapped, table.roman, table.numbered, table.names[0][0].isupper(), strokes]


def _of_font(run: LetterRun, layout: Layout) -> list[float]:
    low, high = font_range(layout)
    sizes = np.array([c.font_px for c in run.letters]) / run.font_px
    share = [np.log(run.font_px / high), np.log(run.font_px / low), run.font_px / layout.size]
    return [*share, sizes.std(), np.abs(sizes - 1.0).max()]


def _of_rivals(run: LetterRun) -> list[float]:
    count = len(run.letters)
    return [np.log(count / max(1, run.rivals)), np.log(run.rivals + 1), max(0, run.rivals - count)]


def _of_places(run: LetterRun, layout: Layout) -> list[float]:
    height, width = layout.shape
    boxes = np.array([[b.x0, b.y0, b.x1, b.y1] for b in (c.candidate.box for c in run.letters)], np.float64)
    corner = boxes[:, :2] / layout.size
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 / layout.size
    ordered = _in_order(centre)
    in_line, nearest = 0.0, 1.0
    if len(boxes) > 1:
        itself = np.diag(np.full(len(boxes), 9.0))
        apart = np.abs(corner[:, None] - corner) + itself[..., None]
        in_line = float((apart.min(axis=1) < IN_LINE).any(axis=1).mean())
        nearest = float((np.hypot(*np.moveaxis(centre[:, None] - centre, -1, 0)) + itself).min())
    extent = np.ptp(centre, axis=0) * layout.size / (width, height)
    start = corner.min(axis=0) * layout.size / (width, height)
    return [ordered, ordered == 1.0, in_line, nearest, *extent, *start]


def _in_order(centre: FloatArray) -> float:
    """Share of the letters that stand right of the one before or below it, by rows or by columns."""
    if len(centre) < LEAST_ORDER:
        return 1.0
    shares = []
    for x, y in (centre.T, centre.T[::-1]):
        on, down = np.diff(x), np.diff(y)
        shares.append(float(((down > LEVEL) | ((np.abs(down) <= LEVEL) & (on > -LEVEL))).mean()))
    return max(shares)


def _of_images(run: LetterRun, layout: Layout) -> list[float]:
    inside = float(np.mean([c.candidate.inside for c in run.letters]))
    images = [block.box for block in layout.blocks]
    owners = [_holding(c.candidate.box, images) for c in run.letters]
    held = [owner for owner in owners if owner is not None]
    sharing = len(held) - len(set(held))
    return [
        *(inside, inside * (1.0 - inside), sharing, sharing / len(run.letters)),
        *(len(set(held)) / max(1, len(images)), not images, np.log(len(images) + 1)),
    ]


def _holding(box: Box, images: Sequence[Box]) -> int | None:
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return next((i for i, b in enumerate(images) if b.x0 <= x < b.x1 and b.y0 <= y < b.y1), None)


def _of_caption(run: LetterRun, told: frozenset[str]) -> list[float]:
    if not told:
        return [0.0, 0.0, 0.0, 0.0]
    meant = _meant([c.name.lower() for c in run.letters], run.table)
    known = len(told & set().union(*meant))
    return [1.0, known, sum(not (of_name & told) for of_name in meant), len(told) - known]


# ---------------------------------------------------------------- the runs


def _font_sizes(table: Table, low: float, high: float, told: frozenset[str]) -> list[float]:
    """Sizes worth trying: at which the first names of a sequence, or of the caption, are seen, and between them."""
    first = [k for k, name in enumerate(table.names) if k < FIRST_NAMES or name.lower() in told]
    seen = table.font_px[:, first][table.chance[:, first] > SEEN]
    sizes = sorted({round(float(s)) for s in seen if low <= s <= high})
    between = {(a + b) // 2 for a, b in itertools.pairwise(sizes) if b - a <= 2 * _tolerance(a)}
    return [float(s) for s in sorted(between.union(sizes))]


def _sequence(table: Table, font_px: float, layout: Layout, told: frozenset[str]) -> tuple[list[Chosen], int]:
    """For every name its best candidate of this size, as far as the sequence goes on; and how many there are in all."""
    chance = np.where(np.abs(table.font_px - font_px) <= _tolerance(font_px), table.chance, 0.0)
    least = np.array([LEAST_TOLD if name.lower() in told else LEAST for name in table.names])
    chance = np.where(chance > least, chance, 0.0)
    rows = np.flatnonzero(chance.any(axis=1))
    likely = [table.candidates[i].box for i in np.flatnonzero(chance.max(axis=1) > LIKELY)]
    rivals = {(round(box.x0 / font_px), round(box.y0 / font_px)) for box in likely}
    picked = _Places([table.candidates[i] for i in rows], layout, font_px).pick(chance[rows])
    run: list[Chosen] = []
    swapped = False
    for index, name in enumerate(table.names):
        span = index - run[0].index + 1 if run else 0
        if index in picked:
            row, agreement = int(rows[picked[index][0]]), picked[index][1]
            size = float(table.font_px[row, index])
            run.append(Chosen(index, name, float(chance[row, index]), agreement, table.candidates[row], size))
        elif (
            len(run) >= LEAST_BEFORE_CAPITAL
            and not swapped
            and (capital := _other_case(table, index, font_px)) is not None
        ):
            run.append(capital)
            swapped = True
        elif span - len(run) > max(MOST_MISSING * span, MOST_MISSING_ALONE):
            break
    return _without_tail(run, told), len(rivals)


def _tolerance(font_px: float) -> float:
    """How far off a size measured on one letter may be, px."""
    return max(1.6, 0.17 * font_px)


def _other_case(table: Table, index: int, font_px: float) -> Chosen | None:
    """One capital among small letters, if it is beyond doubt: authors do that."""
    if table.other_case is None or table.other_px is None:
        return None
    sizes = table.other_px[:, index]
    of_size = np.abs(sizes - font_px) <= _tolerance(font_px)
    column = np.where(of_size, table.other_case[:, index], 0.0)
    best = int(np.argmax(column))
    if column[best] <= SURE:
        return None
    name = table.names[index].swapcase()
    return Chosen(index, name, float(column[best]), 0.5, table.candidates[best], float(sizes[best]))


def _without_tail(run: list[Chosen], told: frozenset[str]) -> list[Chosen]:
    """The sequence up to where going on makes it no more convincing: late in an alphabet chance finds matches."""
    best, value, count = 0.0, 0.0, 0
    for k, chosen in enumerate(run):
        missing = chosen.index - run[k - 1].index - 1 if k else 0
        value += _evidence(chosen) - LETTER_COST - MISSING_COST * missing + (chosen.name.lower() in told)
        if value > best and 1.0 - (k + 1) / (chosen.index - run[0].index + 1) <= MOST_MISSING:
            best, count = value, k + 1
    return run[:count]


def _evidence(chosen: Chosen) -> float:
    return chosen.chance**2 * (0.5 + 0.5 * chosen.agreement)


class _Places:
    """Where candidates stand: at which corners of images, in line with each other, in reading order."""

    def __init__(self, candidates: Sequence[Candidate], layout: Layout, font_px: float) -> None:
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
                if column[best] > LEAST_VALUE:
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
