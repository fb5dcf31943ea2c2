"""Where images touch: the seams of a block of pixels.

Images that are printed without a gutter meet at a straight edge or at a line of a pixel or two. Rows and
columns that could be such a seam (bare lines, steps through the whole extent, the places where the
edges of neighbouring images go on) are described by some forty numbers, and a small network trained on
figures whose panels are known tells whether other pictures lie on either side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.network import chances, load_weights
from imagedataextractor.images.channels import is_flat
from imagedataextractor.records import Box

__all__ = ["FEATURES", "Seam", "describe", "divide", "flat_share", "is_even_ground", "parts_of", "runs", "seams"]

Floats = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]

WEIGHTS = "seams.safetensors"
#: Chance from which a block is cut at a seam.
CUT_FROM = 0.5
#: Mean grey level of a stretch of two images up to which no edge can be seen where they meet.
UNSEEN_LEVEL = 45
#: A blurred white line stands out from the pixels this far on either side, px, by at least so many levels.
RIDGE_REACH = 3
RIDGE_LEVELS = 12
#: Candidates of one kind along one axis, at most.
MOST_STEPS, MOST_PLACES = 6, 6
#: Rows on either side of a seam whose textures are compared.
NEAR_ROWS = 48
#: What is white, and what is black, of a line between images, grey levels; share of a line that is so all along.
WHITE, BLACK, LINE_SHARE = 225, 30, 0.97
#: Thickest line, as a share of the block; least contrast (share of what is beside it that is not so); and an even strip
#: between two images as bright as it: its thickness, px, and its spread, grey levels, which theirs is twice.
LINE_THICKNESS, LINE_CONTRAST, STRIP_PX, STRIP_SPREAD = 0.3, 0.05, 4, 3.0
#: Shares of a ridge along which it does not contradict one, and along which it is seen.
RIDGE_SHARE, RIDGE_SEEN = 0.9, 0.5
#: A step that may part two images: share of the visible extent, and of its least part; change across it, in medians.
STEP_SHARE, STEP_EVERYWHERE, CHANGE = 0.3, 0.03, 1.2
#: Extent across a block from which its seams are sought, px; height from which changes and steps along it are told.
LEAST_WIDTH_PX, LEAST_CHANGE_PX, LEAST_SAMPLED_PX = 8, 16, 20
#: Distance, px, up to which a seam is at the edge of another image.
AT_PLACE_PX = 3
#: Rows from which a side's levels make a mean.
LEAST_LEVEL_ROWS = 4
#: A data bar's ground: difference within which it is even, share of a column and of all that is so, of the columns;
#: and the levels below or above which it lies.
EVEN_LEVELS, EVEN_SHARE, EVEN_COLUMNS, DARK_GROUND, BRIGHT_GROUND = 12, 0.5, 0.75, 60, 190
#: Foot or head of a block that may be a data bar, as a share of its height.
BAR_SHARE = 0.3
#: Grey level from which a pixel is lit, and spread of its neighbourhood up to which that is flat.
LIT_LEVEL, FLAT_SPREAD = 25, 2


class Line(IntEnum):
    """What lies between two images at a seam."""

    NONE = 0
    WHITE = 1
    BLACK = 2
    #: A thin white line that scaling has blurred.
    RIDGE = 3


@dataclass(frozen=True)
class Seam:
    """Rows (axis 0) or columns (axis 1) `first` to `last - 1` that may part two images; none if they are equal."""

    axis: int
    first: int
    last: int
    line: Line = Line.NONE
    contrast: float = 0.0

    @property
    def middle(self) -> int:
        return (self.first + self.last) // 2


def divide(grey: Picture, colour: Picture, boxes: Sequence[Box], shortest: int) -> list[Box]:
    """Blocks cut into single images.

    Parameters
    ----------
    grey : uint8 array, shape (H, W)
    colour : uint8 array, shape (H, W) or (H, W, 3)
    boxes : sequence of Box
        Blocks of touching images.
    shortest : int
        Least side of an image, px.
    """
    pieces = list(boxes)
    for _ in range(2):  # the second time with the edges that were found at first
        places = pieces
        pieces = [piece for box in pieces for piece in _divide(grey, colour, box, places, shortest)]
        if len(pieces) == len(places):
            break
    return pieces


def _divide(grey: Picture, colour: Picture, box: Box, others: Sequence[Box], shortest: int) -> list[Box]:
    found = seams(grey, box, others, shortest)
    if not found:
        return [box]
    scores = chances(load_weights(WEIGHTS), describe(grey, colour, box, found, others))[:, 1]
    best = int(scores.argmax())
    if scores[best] < CUT_FROM:
        return [box]
    return [p for part in parts_of(box, found[best]) for p in _divide(grey, colour, part, others, shortest)]


def parts_of(box: Box, seam: Seam) -> tuple[Box, Box]:
    """What lies before and after a seam."""
    if seam.axis == 0:
        return Box(box.x0, box.y0, box.x1, seam.first), Box(box.x0, seam.last, box.x1, box.y1)
    return Box(box.x0, box.y0, seam.first, box.y1), Box(seam.last, box.y0, box.x1, box.y1)


# ---------------------------------------------------------------- candidates


def seams(grey: Picture, box: Box, others: Sequence[Box], shortest: int) -> list[Seam]:
    """Rows and columns of a block that could part two images."""
    found: list[Seam] = []
    for axis in (0, 1):
        part = grey[box.slices] if axis == 0 else grey[box.slices].T
        if part.shape[0] < 2 * shortest or part.shape[1] < LEAST_WIDTH_PX:
            continue
        origin = box.y0 if axis == 0 else box.x0
        places = _places(others, box, axis)
        found += [
            Seam(axis, origin + s.first, origin + s.last, s.line, s.contrast)
            for s in _along(part, shortest, [p - origin for p in places], axis)
        ]
    return found


def _places(others: Sequence[Box], box: Box, axis: int) -> list[int]:
    """Where the edges of other images lie along an axis."""
    return sorted({v for b in others if b != box for v in ((b.y0, b.y1) if axis == 0 else (b.x0, b.x1))})


def _along(part: Picture, shortest: int, places: Sequence[int], axis: int) -> list[Seam]:
    rows = part.astype(np.float32)
    height = len(rows)
    found = _lines(rows, shortest, axis) + _ridges(rows, shortest, axis)
    share, everywhere, _ = _steps(rows)
    change = _change_across(rows)
    middle = np.zeros(height, bool)
    middle[shortest : height - shortest] = True
    strength = np.zeros(height)
    strength[1:] = np.where((share > STEP_SHARE) & (everywhere > STEP_EVERYWHERE), share, 0)
    found += [Seam(axis, y, y) for y in _peaks(np.where(middle, strength, 0), MOST_STEPS)]
    found += [Seam(axis, y, y) for y in _peaks(np.where(middle & (change > CHANGE), change, 0), MOST_PLACES)]
    for place in sorted({p for p in places if shortest <= p <= height - shortest})[: 2 * MOST_PLACES]:
        near = change[max(0, place - 4) : place + 5]
        y = max(0, place - 4) + int(near.argmax())
        if shortest <= y <= height - shortest:
            found.append(Seam(axis, y, y))
    kept: list[Seam] = []
    for seam in found:
        if not any(k.first - 3 <= seam.middle <= k.last + 3 for k in kept):
            kept.append(seam)
    return kept


def _peaks(values: npt.NDArray[np.floating], most: int) -> list[int]:
    """Places of the largest values, none within four of another."""
    values = values.copy()
    places = []
    for _ in range(most):
        at = int(values.argmax())
        if values[at] <= 0:
            break
        places.append(at)
        values[max(0, at - 4) : at + 5] = 0
    return places


def _lines(rows: Floats, shortest: int, axis: int) -> list[Seam]:
    """White and black lines through the whole extent."""
    height = len(rows)
    found: list[Seam] = []
    spread = rows.std(axis=1)
    for line, mask in ((Line.WHITE, rows > WHITE), (Line.BLACK, rows < BLACK)):
        share = mask.mean(axis=1)
        for first, last in runs(share > LINE_SHARE):
            if first < shortest or height - last < shortest or last - first > LINE_THICKNESS * height:
                continue
            beside = np.r_[max(0, first - 4) : max(1, first - 2), last + 2 : min(height, last + 4)]
            contrast = 1.0 - float(share[beside].max())
            # A strip of one colour between two images that are themselves nearly as dark or bright.
            flat = float(np.median(spread[first:last])) < STRIP_SPREAD < 0.5 * float(spread[beside].min())
            if contrast > LINE_CONTRAST or (flat and last - first >= STRIP_PX):
                found.append(Seam(axis, first, last, line, contrast))
    return found


def _ridges(rows: Floats, shortest: int, axis: int) -> list[Seam]:
    """Thin white lines that scaling has blurred: brighter than what lies on both sides, all along."""
    height = len(rows)
    reach = RIDGE_REACH
    sides = np.maximum(rows[: -2 * reach], rows[2 * reach :])
    over = rows[reach:-reach] - sides
    # Where both images are nearly white themselves, no line can be seen.
    unseen = (sides > WHITE) & (over > -RIDGE_LEVELS)
    clear = over > RIDGE_LEVELS
    share = (clear | unseen).mean(axis=1)
    seen = clear.mean(axis=1)
    found = []
    for first, last in runs((share > RIDGE_SHARE) & (seen > RIDGE_SEEN)):
        y = first + reach + int(np.argmax(seen[first:last]))
        if shortest <= y < height - shortest and last - first <= 2 * reach:
            found.append(Seam(axis, y - 1, y + 2, Line.RIDGE, float(seen[first:last].max())))
    return found


def _steps(rows: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Between each row and the next: share of the visible extent with a step, of its least part, parts visible."""
    step = np.abs(np.diff(rows, axis=0))
    # The share of the row where the step is larger than what is usual a few rows away.
    clear = (step > 2.0 * np.maximum(cv2.blur(step, (1, 9)), 6.0)).astype(np.float32)
    parts = np.array_split(np.arange(rows.shape[1]), 6)
    shares = np.stack([clear[:, p].mean(axis=1) for p in parts])
    # Where two black images meet there is no edge to be seen; enough of it must be seen elsewhere.
    level = np.stack([rows[:, p].mean(axis=1) for p in parts])
    unseen = np.maximum(level[:, :-1], level[:, 1:]) < UNSEEN_LEVEL
    seen = (~unseen).sum(axis=0)
    share = np.where(unseen, 0, shares).sum(axis=0) / np.maximum(seen, 1)
    return share, np.where(unseen, 1.0, shares).min(axis=0), seen / 6


def _change_across(rows: Floats) -> npt.NDArray[np.float64]:
    """How much the picture differs a few rows above and below each row, relative to its median.

    A line drawn across an image has the same image on both sides; where two images meet, they differ.
    """
    height = rows.shape[0]
    change = np.zeros(height)
    if height < LEAST_CHANGE_PX:
        return change
    smooth = cv2.blur(rows, (1, 3), borderType=cv2.BORDER_REPLICATE)  # row y: mean of y - 1 … y + 1
    y = np.arange(6, height - 6)
    change[6 : height - 6] = np.abs(smooth[y - 5] - smooth[y + 4]).mean(axis=1)
    return change / max(1e-6, float(np.median(change[6 : height - 6])))


def runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of True: (first, one past the last)."""
    padded = np.concatenate([[0], mask.astype(np.int8), [0]])
    change = np.diff(padded)
    return list(zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True))


def is_even_ground(bar: Picture) -> bool:
    """Black or white with writing on it, from side to side, as a data bar."""
    if bar.size == 0:
        return False
    ground = int(np.bincount(bar.ravel(), minlength=256).argmax())
    even = np.abs(bar.astype(np.int16) - ground) <= EVEN_LEVELS
    wide = float((even.mean(axis=0) > EVEN_SHARE).mean())
    tone = ground < DARK_GROUND or ground > BRIGHT_GROUND
    return tone and float(even.mean()) > EVEN_SHARE and wide > EVEN_COLUMNS


def flat_share(part: Picture) -> float:
    """Share of a block's pixels, the dark ones aside, whose 3 x 3 neighbourhood is of one grey.

    Instruments never give two equal pixels for long; drawing programs do.
    """
    kernel = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(part, kernel), cv2.erode(part, kernel))
    lit = part > LIT_LEVEL
    return float(((spread <= FLAT_SPREAD) & lit).sum() / max(1, int(lit.sum())))


# ---------------------------------------------------------------- numbers


def describe(grey: Picture, colour: Picture, box: Box, found: Sequence[Seam], others: Sequence[Box]) -> Floats:
    """The numbers by which seams are judged, shape (seams, len(FEATURES))."""
    size = float(np.sqrt(grey.size))
    flat = flat_share(grey[box.slices])
    numbers = np.zeros((len(found), len(FEATURES)), np.float32)
    for axis in (0, 1):
        chosen = [i for i, s in enumerate(found) if s.axis == axis]
        if not chosen:
            continue
        part = grey[box.slices] if axis == 0 else np.ascontiguousarray(grey[box.slices].T)
        tints = _tints(colour[box.slices], axis)
        origin = box.y0 if axis == 0 else box.x0
        view = _View(part.astype(np.float32), tints, size)
        places = [p - origin for p in _places(others, box, axis)]
        for i in chosen:
            seam = found[i]
            local = Seam(axis, seam.first - origin, seam.last - origin, seam.line, seam.contrast)
            table = view.numbers(local, places)
            table |= {"images": min(len(others), 12), "flat": flat}
            numbers[i] = [table[name] for name in FEATURES]
    return numbers


def _tints(part: Picture, axis: int) -> Floats | None:
    """Mean of red - green and of blue - green along every row (axis 0) or column, shape (rows, 2)."""
    if is_flat(part):
        return None
    means = part.mean(axis=1 - axis, dtype=np.float32)
    return np.stack([means[:, 0] - means[:, 1], means[:, 2] - means[:, 1]], axis=1)


class _View:
    """A block along one axis, with what all its seams are compared with."""

    def __init__(self, rows: Floats, tints: Floats | None, size: float) -> None:
        self.rows, self.tints, self.size = rows, tints, size
        self.share, self.everywhere, self.seen = _steps(rows)
        self.change = _change_across(rows)
        self.smooth = cv2.blur(rows, (1, 3), borderType=cv2.BORDER_REPLICATE)
        height = len(rows)
        sample = np.linspace(5, height - 6, 24).astype(int) if height > LEAST_CHANGE_PX else np.array([], int)
        self.usual_match = float(np.median([_match(self.smooth[y - 3], self.smooth[y + 3]) for y in sample] or [0]))
        self.noise = np.abs(np.diff(rows, axis=1)).mean(axis=1)
        self.deviation = rows.std(axis=1)
        self.level = rows.mean(axis=1)

    def numbers(self, seam: Seam, places: Sequence[int]) -> dict[str, float]:
        height, width = self.rows.shape
        first, last = seam.first, seam.last
        y = int(np.clip(seam.middle, 1, height - 2))
        near = slice(max(0, first - 3), min(height - 1, last + 3))
        above, below = self.smooth[max(0, first - 3)], self.smooth[min(height - 1, last + 2)]
        difference = below - above
        change = float(self.change[near].max(initial=0))
        before, after = slice(max(0, first - NEAR_ROWS), max(1, first - 1)), slice(last + 1, last + 1 + NEAR_ROWS)
        place = min((abs(p - y) for p in places), default=1000)
        step = slice(max(0, y - 2), y + 2)
        fractions = [abs(y / height - f) for f in (0.5, 1 / 3, 2 / 3, 0.25, 0.75)]
        tint = 0.0
        if self.tints is not None:
            tint = float(np.abs(self.tints[before].mean(axis=0) - self.tints[after].mean(axis=0)).max()) / 64
        return {
            "white": float(seam.line == Line.WHITE),
            "black": float(seam.line == Line.BLACK),
            "ridge": float(seam.line == Line.RIDGE),
            "contrast": seam.contrast,
            "thickness": (last - first) / 8,
            "share": float(self.share[step].max(initial=0)),
            "everywhere": float(self.everywhere[step].max(initial=0)),
            "seen": float(self.seen[step].max(initial=0)),
            "change": change,
            "change_rank": float((self.change > 0.8 * change).mean()),
            "change_least": self._least_change(first, last),
            "match": _match(above, below),
            "usual_match": self.usual_match,
            "one_sign": abs(float(np.sign(difference).mean())),
            "shift": abs(float(difference.mean())) / 64,
            "shift_spread": float(difference.std()) / 64,
            "noise_ratio": _log_ratio(self.noise[before], self.noise[after]),
            "deviation_ratio": _log_ratio(self.deviation[before], self.deviation[after]),
            "level_gap": abs(float(self.level[before].mean() - self.level[after].mean())) / 64,
            "level_steps": self._level_steps(before, after),
            "tones_apart": _tones_apart(self.rows[before], self.rows[after]),
            "tint_gap": tint,
            "deviation": float(self.deviation.mean()) / 64,
            "noise": float(np.log(self.noise.mean() + 1)),
            "dark": float((self.rows[near] < UNSEEN_LEVEL).mean()),
            "bright": float((self.rows[near] > WHITE).mean()),
            "least_side": min(first, height - last) / self.size,
            "least_share": min(first, height - last) / height,
            "height": height / self.size,
            "width": width / self.size,
            "form_before": float(np.log(max(1, first) / width)),
            "form_after": float(np.log(max(1, height - last) / width)),
            "fraction": min(fractions),
            "half": fractions[0],
            "place": min(place, 40) / 40,
            "at_place": float(place <= AT_PLACE_PX),
            "bar_below": self._is_bar(self.rows[last:]),
            "bar_above": self._is_bar(self.rows[:first]),
            "axis": float(seam.axis),
        }

    def _is_bar(self, rows: Floats) -> float:
        """1 where the foot or head of the block is low and even as a data bar."""
        return float(len(rows) < BAR_SHARE * len(self.rows) and is_even_ground(rows.astype(np.uint8)))

    def _least_change(self, first: int, last: int) -> float:
        """The change across the seam in the quarter where it is least, relative to what is usual there."""
        height = len(self.rows)
        near = self.smooth[max(0, first - 3)], self.smooth[min(height - 1, last + 2)]
        ys = np.linspace(6, height - 7, 16).astype(int) if height > LEAST_SAMPLED_PX else np.array([0])
        usual = np.abs(self.smooth[np.maximum(ys - 3, 0)] - self.smooth[np.minimum(ys + 3, height - 1)])
        here = np.abs(near[0] - near[1])
        quarters = np.array_split(np.arange(self.rows.shape[1]), 4)
        return float(min(here[q].mean() / (np.median(usual[:, q].mean(axis=1)) + 1) for q in quarters))

    def _level_steps(self, before: slice, after: slice) -> float:
        """The step of the rows' means across the seam, in steps that are usual between rows further apart."""
        a, b = self.level[before], self.level[after]
        if min(len(a), len(b)) < LEAST_LEVEL_ROWS:
            return 0.0
        usual = float(np.median(np.abs(np.diff(self.level[::4])))) + 0.5
        return float(np.clip(abs(a[-3:].mean() - b[:3].mean()) / usual, 0, 20))


def _match(a: Floats, b: Floats) -> float:
    """Correlation of two rows."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (np.sqrt(float((a * a).sum()) * float((b * b).sum())) + 1e-3))


def _log_ratio(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    if len(a) == 0 or len(b) == 0:
        return 0.0
    return abs(float(np.log((a.mean() + 1) / (b.mean() + 1))))


def _tones_apart(a: Floats, b: Floats) -> float:
    """Total variation between the grey levels of two sides."""
    if a.size == 0 or b.size == 0:
        return 0.0
    counts = [np.bincount((side.ravel() / 16).astype(np.int64), minlength=17) / side.size for side in (a, b)]
    return 0.5 * float(np.abs(counts[0] - counts[1]).sum())


#: Names of the numbers, in their order.
FEATURES = (
    *("white", "black", "ridge", "contrast", "thickness", "share", "everywhere", "seen", "change", "change_rank"),
    *("change_least", "match", "usual_match", "one_sign", "shift", "shift_spread", "noise_ratio", "deviation_ratio"),
    *("level_gap", "level_steps", "tones_apart", "tint_gap", "deviation", "noise", "dark", "bright", "least_side"),
    *("least_share", "height", "width", "form_before", "form_after", "fraction", "half", "place", "at_place"),
    *("bar_below", "bar_above", "axis", "images", "flat"),
)
