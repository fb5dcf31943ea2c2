"""Find blobs of ink of a character's size, and the words of few characters that they make."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.panels.layout import Layout, bounding_box
from imagedataextractor.records import Box

__all__ = ["LONGEST_NAME", "Word", "find_blobs", "font_range", "print_masks", "words_on_images", "words_on_paper"]

#: Height of a panel letter's font as a fraction of the figure's longer side, and its least in px …
FONT_SHARE = (0.006, 0.075)
FONT_LEAST_PX = 5.0
#: … and as a fraction of an image's shorter side, if that is more: of a figure that is one image.
FONT_IMAGE_SHARE = 0.18
#: Width of the widest character, in its heights.
WIDEST = 1.9
#: Gap to the next character of the same word, in heights.
WORD_GAP = 0.42
#: Share of an image's side, from its corners, where its letter may be.
CORNER_SHARE = 0.28
#: Contrasts with the paper at which letters are looked for: thin strokes show at the lowest, characters
#: whose edges touch are apart at the highest.
PAPER_LEVELS = (90, 50, 150)
#: How far apart, in heights, the edges of two blobs may be that are one.
SAME_BLOB = 0.05
#: Thresholds at which white and black letters are looked for inside images, grey levels.
BRIGHT_LEVEL, DARK_LEVEL = 235, 25
#: Levels by which letters stand out from what is around them.
RAISED_LEVELS = (50, 80, 110)
#: The widest stroke, px of the copy, and as a share of the largest font.
STROKE_PX = 13
STROKE_SHARE = 0.22
#: Blobs of a character's size in one corner, the nearest to it, that are looked at: more are texture.
MOST_BLOBS = 40
#: Characters of a name at most: "viii".
LONGEST_NAME = 4
#: Characters of a letter in brackets, "(f)"; brackets add two to a name.
BRACKETED, BRACKETS = 3, 2


@dataclass(frozen=True)
class Word:
    """Blobs beside each other, px of the reduced copy."""

    blobs: tuple[Box, ...]
    bright: bool
    inside: bool  # printed on an image


def font_range(layout: Layout) -> tuple[float, float]:
    """Least and largest size of the font of panel letters, px of the reduced copy."""
    longest = max(layout.shape)
    image = min((min(b.box.width, b.box.height) for b in layout.blocks), default=0)
    least = max(FONT_LEAST_PX * layout.enlarged, FONT_SHARE[0] * longest)
    return least, max(24.0, FONT_SHARE[1] * longest, FONT_IMAGE_SHARE * image)


def find_blobs(mask: npt.NDArray[np.uint8], low: float, high: float) -> list[Box]:
    """Connected blobs of the size of a character; the dots of i and j go with their stems.

    Parameters
    ----------
    mask : uint8 array, shape (H, W)
        1 where there is ink.
    low, high : float
        Sizes of the font, px.
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    w, h, area = stats[:, 2], stats[:, 3], stats[:, 4]
    tall = (h >= 0.6 * low) & (h <= 1.4 * high) & (w <= WIDEST * np.maximum(h, 1)) & (area >= 0.1 * w * h) & (w >= 1)
    tall[0] = False
    small = np.flatnonzero((h <= 0.35 * high) & (w <= 0.4 * high) & (np.arange(len(h)) > 0))
    dots = stats[small][:, :4]
    boxes: dict[int, Box] = {}
    taken: set[int] = set()
    for i in np.flatnonzero(tall).tolist():
        x, y, width, height = stats[i, :4].tolist()
        boxes[i] = Box(x, y, x + width, y + height)
        if not len(dots) or width >= 0.7 * height:
            continue
        above = y - (dots[:, 1] + dots[:, 3])
        middle = dots[:, 0] + dots[:, 2] / 2
        fits = (above >= 0) & (above <= 0.35 * height) & (middle >= x - 1) & (middle <= x + width + 1)
        fits &= dots[:, 3] <= 0.4 * height
        if fits.any():
            dot = int(np.flatnonzero(fits)[0])
            dx, dy, dw, dh = dots[dot].tolist()
            boxes[i] = bounding_box([boxes[i], Box(dx, dy, dx + dw, dy + dh)])
            taken.add(int(small[dot]))
    return [box for i, box in boxes.items() if i not in taken]


def words_on_paper(layout: Layout) -> list[Word]:
    """Words of few characters beside the images."""
    low, high = font_range(layout)
    contrast = cv2.absdiff(layout.grey, np.full_like(layout.grey, layout.paper))
    for block in layout.blocks:
        contrast[block.box.slices] = 0
    words = _Distinct()
    for level in PAPER_LEVELS:
        mask = _without_lines((contrast > level).astype(np.uint8), round(2.5 * high))
        for blobs in _alone_or_bracketed(find_blobs(mask, low, high)):
            words.add(Word(tuple(blobs), layout.paper == 0, False))
    return words.all()


def _without_lines(mask: npt.NDArray[np.uint8], length: int) -> npt.NDArray[np.uint8]:
    """The mask without straight strokes that are longer than a character: frames and axes, which letters may touch."""
    across = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    along = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    return np.asarray(cv2.subtract(mask, cv2.max(across, along)), np.uint8)


def words_on_images(layout: Layout, *, first_corner: bool) -> list[Word]:
    """Words in the upper left corners of the images, where most letters are, or in the other corners."""
    low, high = font_range(layout)
    stroke = max(STROKE_PX, round(STROKE_SHARE * high))
    words = _Distinct()
    for block in layout.blocks:
        corners = _corners(block.box, high)
        for corner, (x, y) in corners[:1] if first_corner else corners[1:]:
            for mask, bright in print_masks(layout.grey[corner.slices], stroke):
                blobs = [b for b in find_blobs(mask, low, high) if _clear_of_rim(b, mask.shape)]
                blobs = [b.shifted(corner.x0, corner.y0) for b in blobs]
                blobs = sorted(blobs, key=lambda b: abs(b.x0 - x) + abs(b.y0 - y))[:MOST_BLOBS]
                for word in _alone_or_bracketed(blobs):
                    words.add(Word(tuple(word), bright, True))
    return words.all()


class _Distinct:
    """Words, each once: the same blob at the next threshold is a pixel larger or smaller."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, ...], list[tuple[Box, Word]]] = {}

    def add(self, word: Word) -> None:
        box = bounding_box(word.blobs)
        near = max(1.0, SAME_BLOB * box.height)
        cell = (word.bright, len(word.blobs), (box.x0 + box.x1) // 16, (box.y0 + box.y1) // 16)
        known = self._found.setdefault(cell, [])
        if not any(_off(box, other) <= near for other, _ in known):
            known.append((box, word))

    def all(self) -> list[Word]:
        return [word for known in self._found.values() for _, word in known]


def _off(a: Box, b: Box) -> int:
    return max(abs(a.x0 - b.x0), abs(a.y0 - b.y0), abs(a.x1 - b.x1), abs(a.y1 - b.y1))


def print_masks(patch: npt.NDArray[np.uint8], stroke: int) -> list[tuple[npt.NDArray[np.uint8], bool]]:
    """Where white, and where black, writing could be: nearly pure, or standing out from its surroundings.

    Parameters
    ----------
    patch : uint8 array, shape (H, W)
    stroke : int
        Width of the widest stroke that is to stand out, px.

    Returns
    -------
    list of (mask, bright)
        uint8 masks of the patch's shape, and whether they are of white writing.
    """
    kernel = np.ones((stroke, stroke), np.uint8)
    raised = cv2.morphologyEx(patch, cv2.MORPH_TOPHAT, kernel)
    sunk = cv2.morphologyEx(patch, cv2.MORPH_BLACKHAT, kernel)
    masks = [(patch > BRIGHT_LEVEL, True), (patch < DARK_LEVEL, False)]
    masks += [(raised > level, True) for level in RAISED_LEVELS] + [(sunk > level, False) for level in RAISED_LEVELS]
    return [(mask.astype(np.uint8), bright) for mask, bright in masks]


def _clear_of_rim(box: Box, shape: tuple[int, ...]) -> bool:
    return box.x0 > 0 and box.y0 > 0 and box.x1 < shape[1] and box.y1 < shape[0]


def _corners(box: Box, high: float) -> list[tuple[Box, tuple[int, int]]]:
    """Regions of the four corners, the upper left one first, each with its corner (x, y)."""
    width = min(box.width, max(round(CORNER_SHARE * box.width), round(2.5 * high)))
    height = min(box.height, max(round(CORNER_SHARE * box.height), round(2.0 * high)))
    return [
        (Box(box.x0, box.y0, box.x0 + width, box.y0 + height), (box.x0, box.y0)),
        (Box(box.x1 - width, box.y0, box.x1, box.y0 + height), (box.x1, box.y0)),
        (Box(box.x0, box.y1 - height, box.x0 + width, box.y1), (box.x0, box.y1)),
        (Box(box.x1 - width, box.y1 - height, box.x1, box.y1), (box.x1, box.y1)),
    ]


def _alone_or_bracketed(blobs: list[Box]) -> list[list[Box]]:
    """Words of at most three characters, or as many as the longest name has with its brackets."""
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
        bracketed = len(word) <= LONGEST_NAME + BRACKETS and is_narrow(word[0]) and is_narrow(word[-1])
        if len(word) <= BRACKETED or bracketed:
            words.append(word)
        elif is_narrow(word[0]) and is_narrow(word[2]):
            words.append(word[:BRACKETED])  # "(f)" with something printed close behind it
    return words


def is_narrow(blob: Box) -> bool:
    """Whether a blob can be a bracket."""
    return blob.width < 0.55 * blob.height
