"""The pages of a PDF: their text in lines, their ink without running heads, in points from the top left corner."""

from __future__ import annotations

import ctypes
import math
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium_c
from scipy import ndimage

from imagedataextractor.articles.read.pdf.labels import is_label
from imagedataextractor.images.channels import is_flat

__all__ = [
    "HEAD",
    "MIN_SIDE",
    "Line",
    "Page",
    "Rect",
    "body_style",
    "is_body",
    "read_page",
    "remove_repeated_ink",
    "running_text",
    "without_boxes",
]

#: Scale at which the layout is judged, pixels a point: one pixel a point tells a line from a gap.
_LAYOUT_SCALE = 1.0


#: Grey level below which a pixel counts as ink.
_INK = 235


MIN_SIDE = 30.0


#: Part of a page's height, at its top and its foot, where running heads stand.
HEAD = 0.1


#: Ligatures, and two characters that a widespread typesetting system's fonts give without a proper code.
_LIGATURES = {
    "\ue103": "fi",
    "\ue104": "fl",
    "\x01": "\u2212",
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
    "\ufb06": "st",
}
#: Turns of a page, degrees clockwise.
_QUARTER, _HALF, _THREE_QUARTERS = 90, 180, 270
#: Longest side of a page, points (seven metres): what claims more is a damaged file.
_LONGEST_SIDE_PT = 20_000
#: Pixels at which the layout of a page is judged, at most: a poster is rendered coarser.
_MOST_LAYOUT_PX = 4_000_000
#: Characters that are looked at on a page, and those that tell how its text is turned, at most.
_MOST_CHARACTERS, _TURN_SAMPLES = 60_000, 500
#: Code of the space: what lies below is not printed.
_SPACE = 32
#: Codes of characters end here, and those of the halves of pairs (surrogates) lie here; neither is a character.
_CODES_END, _SURROGATES = 0x110000, range(0xD800, 0xE000)
#: Pages from which what they share is told from what they show, and the share of them that has it then: text fills
#: columns alike on every page, only what is in nearly all of them is furniture.
_LEAST_PAGES, _FURNITURE_SHARE = 3, 0.9


@dataclass(frozen=True)
class Rect:
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    def union(self, other: Rect) -> Rect:
        return Rect(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def overlap_x(self, other: Rect) -> float:
        return min(self.x1, other.x1) - max(self.x0, other.x0)


@dataclass(frozen=True)
class Line:
    """A line of text. ``size`` is the height of its characters, ``font`` the name most of them have."""

    text: str
    box: Rect
    size: float
    font: str
    bold: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class _Sheet:
    """How the coordinates of a file become those of a page turned so that its text is upright.

    ``turn`` is clockwise, in degrees: 0, 90, 180 or 270.
    """

    left: float
    bottom: float
    right: float
    top: float
    turn: int = 0

    @property
    def size(self) -> tuple[float, float]:
        width, height = self.right - self.left, self.top - self.bottom
        return (width, height) if self.turn % _HALF == 0 else (height, width)

    def placed(self, x0: float, y0: float, x1: float, y1: float) -> Rect:
        """A rectangle of the file, whose y grows upwards, on the page."""
        if self.turn == _QUARTER:
            return Rect(y0 - self.bottom, x0 - self.left, y1 - self.bottom, x1 - self.left)
        if self.turn == _HALF:
            return Rect(self.right - x1, y0 - self.bottom, self.right - x0, y1 - self.bottom)
        if self.turn == _THREE_QUARTERS:
            return Rect(self.top - y1, self.right - x1, self.top - y0, self.right - x0)
        return Rect(x0 - self.left, self.top - y1, x1 - self.left, self.top - y0)


@dataclass
class Page:
    number: int
    width: float
    height: float
    lines: list[Line]
    ink: npt.NDArray[np.bool_]
    sheet: _Sheet


def read_page(document: Any, number: int) -> Page:
    page = document[number]
    page.set_rotation(0)
    left, bottom, right, top = page.get_bbox()
    sheet = _Sheet(left, bottom, right, top, _turn_of(page))
    width, height = sheet.size
    if not (0 < width < _LONGEST_SIDE_PT and 0 < height < _LONGEST_SIDE_PT):
        return Page(number, 1, 1, [], np.zeros((1, 1), bool), _Sheet(0, 0, 1, 1))
    page.set_rotation(sheet.turn)
    scale = min(_LAYOUT_SCALE, math.sqrt(_MOST_LAYOUT_PX / (width * height)))
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False)
    pixels = bitmap.to_numpy()
    ink = _resized((pixels if is_flat(pixels) else pixels[:, :, 0]) < _INK, round(height), round(width))
    textpage = page.get_textpage()
    lines = list(_lines(textpage, sheet))
    textpage.close()
    page.close()
    return Page(number, width, height, lines, ink, sheet)


def _turn_of(page: Any) -> int:
    """The turn that sets most of a page's text upright, whatever the page says of itself."""
    textpage = page.get_textpage()
    count = textpage.count_chars()
    angles = Counter(
        round(math.degrees(pdfium_c.FPDFText_GetCharAngle(textpage.raw, index)) / _QUARTER) % 4
        for index in range(0, min(count, _MOST_CHARACTERS), max(1, count // _TURN_SAMPLES))
        if pdfium_c.FPDFText_GetUnicode(textpage.raw, index) > _SPACE
    )
    textpage.close()
    return int(-_QUARTER * angles.most_common(1)[0][0]) % 360 if angles else 0


def _resized(mask: npt.NDArray[np.bool_], height: int, width: int) -> npt.NDArray[np.bool_]:
    """A mask at one pixel a point, whatever scale a huge page was rendered at."""
    if mask.shape == (height, width):
        return mask
    rows = np.minimum((np.arange(height) * mask.shape[0] / height).astype(int), mask.shape[0] - 1)
    columns = np.minimum((np.arange(width) * mask.shape[1] / width).astype(int), mask.shape[1] - 1)
    resized: npt.NDArray[np.bool_] = mask[np.ix_(rows, columns)]
    return resized


def _lines(textpage: Any, sheet: _Sheet) -> Iterator[Line]:
    """Lines of a page in the order of the document, from its characters and their boxes."""
    count = min(textpage.count_chars(), _MOST_CHARACTERS)
    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    raw = textpage.raw
    characters: list[tuple[str, Rect | None, str]] = []
    for index in range(count):
        code = pdfium_c.FPDFText_GetUnicode(raw, index)
        character = chr(code) if 0 < code < _CODES_END and code not in _SURROGATES else ""
        if character in "\r\n":
            if characters:
                yield from _split_wide(characters)
            characters = []
            continue
        box = None
        if character.strip():
            x0, y0, x1, y1 = textpage.get_charbox(index, loose=True)
            if x1 > x0 and y1 > y0:
                box = sheet.placed(x0, y0, x1, y1)
            pdfium_c.FPDFText_GetFontInfo(raw, index, name, 128, ctypes.byref(flags))
        characters.append((character, box, name.value.decode("latin-1")))
    if characters:
        yield from _split_wide(characters)


def _split_wide(characters: Sequence[tuple[str, Rect | None, str]]) -> Iterator[Line]:
    """A run of characters as lines: text of two columns that the file gives as one line is parted."""
    run: list[tuple[str, Rect | None, str]] = []
    last: Rect | None = None
    for entry in characters:
        box = entry[1]
        if box is not None and last is not None:
            em = max(box.height, 1.0)
            if box.x0 - last.x1 > 2.5 * em or box.x0 < last.x0 - 3 * em or abs(box.y1 - last.y1) > 1.2 * em:
                yield from _line(run)
                run = []
        run.append(entry)
        last = box or last
    yield from _line(run)


def _line(run: Sequence[tuple[str, Rect | None, str]]) -> Iterator[Line]:
    boxes = [box for _, box, _ in run if box is not None]
    if not boxes:
        return
    fonts = Counter(font for _, box, font in run if box is not None)
    sizes = [box.height for _, box, font in run if box is not None and font == fonts.most_common(1)[0][0]]
    pieces: list[str] = []
    bold: list[tuple[int, int]] = []
    length = 0
    for character, box, font in run:
        piece = _LIGATURES.get(character, character)
        if box is not None and re.search(r"bold|[-,.]bd|black|heavy|semibold|demi", font, re.IGNORECASE):
            if bold and bold[-1][1] == length:
                bold[-1] = (bold[-1][0], length + len(piece))
            else:
                bold.append((length, length + len(piece)))
        pieces.append(piece)
        length += len(piece)
    x0, x1 = min(b.x0 for b in boxes), max(b.x1 for b in boxes)
    y0, y1 = statistics.median(b.y0 for b in boxes), statistics.median(b.y1 for b in boxes)
    yield Line("".join(pieces), Rect(x0, y0, x1, y1), statistics.median(sizes), fonts.most_common(1)[0][0], tuple(bold))


def body_style(pages: Sequence[Page]) -> tuple[str, float]:
    """Font and size that most of the text has."""
    weights: Counter[tuple[str, float]] = Counter()
    for page in pages:
        for line in page.lines:
            weights[(line.font, round(line.size * 2) / 2)] += len(line.text)
    return weights.most_common(1)[0][0] if weights else ("", 10.0)


def is_body(line: Line, body: tuple[str, float]) -> bool:
    return line.font == body[0] and abs(line.size - body[1]) <= 0.06 * body[1] + 0.25


def remove_repeated_ink(pages: Sequence[Page]) -> None:
    """Take away what stands at the same place on several pages: headers, margins, logos."""
    _remove_running_heads(pages)
    shapes = Counter(page.ink.shape for page in pages)
    shape, count = shapes.most_common(1)[0]
    if count < _LEAST_PAGES:
        return
    same = [page for page in pages if page.ink.shape == shape]
    share = np.mean([ndimage.binary_dilation(page.ink, iterations=1) for page in same], axis=0)
    repeated = share > _FURNITURE_SHARE
    for page in same:
        page.ink &= ~repeated


def _remove_running_heads(pages: Sequence[Page]) -> None:
    """Take away the lines at the top and the foot of pages that differ at most by their numbers."""
    places = {
        id(line): (re.sub(r"\d+", "#", " ".join(line.text.split())), round(line.box.y0 / 4))
        for page in pages
        for line in page.lines
        if (line.box.y1 < HEAD * page.height or line.box.y0 > (1 - HEAD) * page.height) and not is_label(line.text)
    }
    often = {place for place, count in Counter(places.values()).items() if count > 1}
    for page in pages:
        heads = [line for line in page.lines if places.get(id(line)) in often]
        page.ink = without_boxes(page.ink, [line.box for line in heads])
        page.lines = [line for line in page.lines if places.get(id(line)) not in often]


def running_text(page: Page, body: tuple[str, float]) -> list[Line]:
    """Lines of paragraphs: in the body's style, and wide or with a neighbour above or below."""
    lines = [line for line in page.lines if is_body(line, body)]
    kept = []
    for line in lines:
        neighbour = any(
            other is not line
            and abs(other.box.y0 - line.box.y0) < 1.9 * body[1]
            and abs(other.box.y0 - line.box.y0) > 0.3 * body[1]
            and line.box.overlap_x(other.box) > 0.5 * min(line.box.width, other.box.width)
            and other.box.width > 0.2 * page.width
            for other in lines
        )
        if neighbour or line.box.width > 0.3 * page.width:
            kept.append(line)
    return kept


def without_boxes(ink: npt.NDArray[np.bool_], boxes: Sequence[Rect]) -> npt.NDArray[np.bool_]:
    cleared = ink.copy()
    for box in boxes:
        cleared[max(0, int(box.y0) - 2) : int(box.y1) + 3, max(0, int(box.x0) - 2) : int(box.x1) + 3] = False
    return cleared
