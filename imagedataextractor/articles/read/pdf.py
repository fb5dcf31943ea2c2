"""Read a PDF: captions from its text, figures by rendering the page and cutting them out.

Pictures inside a PDF cannot be trusted one by one: a figure may be stored as five strips, as vector
drawings, or twice, once off the page. What is seen is what counts. So each page is rendered, the ink of
running text and of what repeats on every page is taken away, and the ink that is left above a caption
(or below it, where there is none above) is its figure.

Lengths are in points (1/72 inch) unless a name says otherwise; y grows downwards from the page's top.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from scipy import ndimage

from imagedataextractor.articles.dois import plain_doi
from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.read.document import Document, DocumentFigure
from imagedataextractor.errors import InputError
from imagedataextractor.files import replacing

__all__ = ["pdf_doi", "read_pdf"]

#: Pages read at most; no article has more, and a book would take minutes.
MAX_PAGES = 200
#: Scale at which the layout is judged, pixels a point: one pixel a point tells a line from a gap.
_LAYOUT_SCALE = 1.0
#: Grey level below which a pixel counts as ink.
_INK = 235
#: Gap that parts one thing on the page from the next, points: more than between the panels of a
#: figure, less than between a figure and what stands above it.
_JOIN_GAP = 14.0
_MIN_SIDE = 30.0
#: Share of ink from which a thing is a picture rather than a drawing or text, and the gap that pictures
#: of one figure may leave between them, points.
_SOLID = 0.35
_PICTURE_GAP = 50.0
#: Share of their common height from which two things stand level, and letters from which one is a table.
_LEVEL, _MAX_LETTERS = 0.7, 120
#: Part of a page's height, at its top and its foot, where running heads stand.
_HEAD = 0.1
#: Resolution of the cut-out figures, pixels an inch: that of the embedded pictures within these bounds.
_MIN_DPI, _MAX_DPI = 200.0, 600.0
_MAX_PIXELS = 60_000_000

_LABEL = re.compile(
    r"(?P<label>(?P<kind>fig(?:ure|\.|ur)?|scheme|chart|extended\s+data\s+fig(?:ure|\.)?|supplementary\s+fig(?:ure|\.)?)"
    r"\s*(?P<number>[A-Z]{0,2}\.?\d{1,3}))(?P<stop>\s*[.:|\u2013\u2014\u00b7\u2022]\s*|\s+|$)(?=\S|$)",
    re.IGNORECASE,
)
#: What opens a caption of something else.
_TITLE = re.compile(rf"{_LABEL.pattern}|table\s*\d", re.IGNORECASE)
#: What a label by itself lacks to be taken for a caption before one with words.
_LABEL_ALONE = 1.0
#: What follows a label in a sentence that speaks of the figure.
_SENTENCE = re.compile(
    r"(?:shows?|presents?|displays?|illustrates?|depicts?|and|is|are|in|reveals?|demonstrates?|gives?|exhibits?|"
    r"compares?|summari[sz]es?|indicates?|provides?|describes?|plots?|reports?|that|which|for|with|were|was|can)\b|[,;)]"
)
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
#: Characters that the library puts where a word is broken at the end of a line.
_BROKEN = "\u00ad\ufffe\x02"


@dataclass(frozen=True)
class _Rect:
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

    def union(self, other: _Rect) -> _Rect:
        return _Rect(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def overlap_x(self, other: _Rect) -> float:
        return min(self.x1, other.x1) - max(self.x0, other.x0)


@dataclass(frozen=True)
class _Line:
    """A line of text. ``size`` is the height of its characters, ``font`` the name most of them have."""

    text: str
    box: _Rect
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
        return (width, height) if self.turn % 180 == 0 else (height, width)

    def placed(self, x0: float, y0: float, x1: float, y1: float) -> _Rect:
        """A rectangle of the file, whose y grows upwards, on the page."""
        if self.turn == 90:
            return _Rect(y0 - self.bottom, x0 - self.left, y1 - self.bottom, x1 - self.left)
        if self.turn == 180:
            return _Rect(self.right - x1, y0 - self.bottom, self.right - x0, y1 - self.bottom)
        if self.turn == 270:
            return _Rect(self.top - y1, self.right - x1, self.top - y0, self.right - x0)
        return _Rect(x0 - self.left, self.top - y1, x1 - self.left, self.top - y0)


@dataclass
class _Page:
    number: int
    width: float
    height: float
    lines: list[_Line]
    ink: npt.NDArray[np.bool_]
    sheet: _Sheet


@dataclass
class _Caption:
    page: _Page
    label: str
    text: str
    box: _Rect
    lines: list[_Line]
    score: float
    order: int = 0
    emphasised: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    """Where a figure lies."""

    page: _Page
    box: _Rect


def read_pdf(data: bytes, path: Path, work_dir: Path | None = None) -> Document:
    """Read an article from a PDF.

    Parameters
    ----------
    data : bytes
        The file.
    path : Path
        Named in errors.
    work_dir : Path or None
        Where the figures are written as PNG, named by page and position in points
        ("p3_54-72-287-301_figure-2.png"). With None nothing is written, and the same names stand
        for the figures.

    Raises
    ------
    InputError
        The PDF is broken, protected by a password or without text (a scan), or `work_dir` cannot be
        written.
    """
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        reason = "is protected by a password" if "password" in str(error).lower() else "is broken or no PDF"
        raise InputError(f"{path}: {reason}") from error
    try:
        pages = [_read_page(document, number) for number in range(min(len(document), MAX_PAGES))]
        if not any(page.lines for page in pages):
            raise InputError(f"{path}: holds no text (a scan?); figures cannot be told from it")
        _remove_repeated_ink(pages)
        body = _body_style(pages)
        captions = _captions(pages, body)
        places = {
            id(caption): None if box is None else _Place(page, box)
            for page in pages
            for caption, box in _placed_figures(page, captions, body)
        }
        places |= _found_elsewhere(pages, captions, places)
        figures = [_figure(document, caption, places[id(caption)], work_dir) for caption in captions]
        text = [" ".join(line.text for line in page.lines) for page in pages]
        return _about(document, text, pages, tuple(figures))
    except pdfium.PdfiumError as error:
        raise InputError(f"{path}: a page cannot be read ({error})") from error
    finally:
        document.close()


# ---------------------------------------------------------------- text


def _read_page(document: Any, number: int) -> _Page:
    page = document[number]
    page.set_rotation(0)
    left, bottom, right, top = page.get_bbox()
    sheet = _Sheet(left, bottom, right, top, _turn_of(page))
    width, height = sheet.size
    if not (0 < width < 20_000 and 0 < height < 20_000):
        return _Page(number, 1, 1, [], np.zeros((1, 1), bool), _Sheet(0, 0, 1, 1))
    page.set_rotation(sheet.turn)
    scale = min(_LAYOUT_SCALE, math.sqrt(4_000_000 / (width * height)))
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False)
    ink = bitmap.to_numpy()[:, :, 0] < _INK if bitmap.to_numpy().ndim == 3 else bitmap.to_numpy() < _INK
    ink = _resized(ink, round(height), round(width))
    textpage = page.get_textpage()
    lines = list(_lines(textpage, sheet))
    textpage.close()
    page.close()
    return _Page(number, width, height, lines, ink, sheet)


def _turn_of(page: Any) -> int:
    """The turn that sets most of a page's text upright, whatever the page says of itself."""
    textpage = page.get_textpage()
    count = textpage.count_chars()
    angles = Counter(
        round(math.degrees(pdfium_c.FPDFText_GetCharAngle(textpage.raw, index)) / 90) % 4
        for index in range(0, min(count, 60_000), max(1, count // 500))
        if pdfium_c.FPDFText_GetUnicode(textpage.raw, index) > 32
    )
    textpage.close()
    return int(-90 * angles.most_common(1)[0][0]) % 360 if angles else 0


def _resized(mask: npt.NDArray[np.bool_], height: int, width: int) -> npt.NDArray[np.bool_]:
    """A mask at one pixel a point, whatever scale a huge page was rendered at."""
    if mask.shape == (height, width):
        return mask
    rows = np.minimum((np.arange(height) * mask.shape[0] / height).astype(int), mask.shape[0] - 1)
    columns = np.minimum((np.arange(width) * mask.shape[1] / width).astype(int), mask.shape[1] - 1)
    resized: npt.NDArray[np.bool_] = mask[np.ix_(rows, columns)]
    return resized


def _lines(textpage: Any, sheet: _Sheet) -> Iterator[_Line]:
    """Lines of a page in the order of the document, from its characters and their boxes."""
    count = min(textpage.count_chars(), 60_000)
    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    raw = textpage.raw
    characters: list[tuple[str, _Rect | None, str]] = []
    for index in range(count):
        code = pdfium_c.FPDFText_GetUnicode(raw, index)
        character = chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
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


def _split_wide(characters: Sequence[tuple[str, _Rect | None, str]]) -> Iterator[_Line]:
    """A run of characters as lines: text of two columns that the file gives as one line is parted."""
    run: list[tuple[str, _Rect | None, str]] = []
    last: _Rect | None = None
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


def _line(run: Sequence[tuple[str, _Rect | None, str]]) -> Iterator[_Line]:
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
    yield _Line(
        "".join(pieces), _Rect(x0, y0, x1, y1), statistics.median(sizes), fonts.most_common(1)[0][0], tuple(bold)
    )


def _body_style(pages: Sequence[_Page]) -> tuple[str, float]:
    """Font and size that most of the text has."""
    weights: Counter[tuple[str, float]] = Counter()
    for page in pages:
        for line in page.lines:
            weights[(line.font, round(line.size * 2) / 2)] += len(line.text)
    return weights.most_common(1)[0][0] if weights else ("", 10.0)


def _is_body(line: _Line, body: tuple[str, float]) -> bool:
    return line.font == body[0] and abs(line.size - body[1]) <= 0.06 * body[1] + 0.25


# ---------------------------------------------------------------- captions


def _captions(pages: Sequence[_Page], body: tuple[str, float]) -> list[_Caption]:
    """The caption of each label: of all lines that start with it, the one that looks most like a caption."""
    best: dict[str, _Caption] = {}
    for page in pages:
        for index, line in enumerate(page.lines):
            match = _LABEL.match(line.text.lstrip())
            if match is None:
                continue
            score = _caption_score(page, index, match, body)
            if score <= 0:
                continue
            key = _key(match)
            if key not in best or score > best[key].score:
                best[key] = _collected(page, index, match, score)
    return sorted(best.values(), key=lambda c: (c.page.number, c.order, c.box.y0))


def _key(label: re.Match[str]) -> str:
    return re.sub(r"\W+", "", f"{label['kind'].lower()[:3]}{label['number'].lower()}")


def _caption_score(page: _Page, index: int, match: re.Match[str], body: tuple[str, float]) -> float:
    """How much a line that starts with a label looks like a caption rather than like a sentence; > 0: it does."""
    line = page.lines[index]
    text = line.text.lstrip()
    rest = text[match.end() :]
    score = 0.0
    if not _is_body(line, body):
        score += 2.0
    if re.search(r"[.:|\u2013\u2014\u00b7\u2022]", match["stop"]):
        score += 1.0
    offset = len(line.text) - len(text)
    if any(start <= offset + 1 and end >= offset + len(match["label"]) - 1 for start, end in line.bold):
        score += 1.0
    if re.match(r"[a-z]\)|\(|[A-Z0-9]|[a-z][,.]?\s", rest):
        score += 0.5
    if not rest:
        score -= _LABEL_ALONE
    if _SENTENCE.match(rest):
        score -= 3.0
    if _continues_paragraph(page, index):
        score -= 2.0
    return score - 0.75


def _continues_paragraph(page: _Page, index: int) -> bool:
    """Whether the line above, in the same style and close, ends without a full stop."""
    line = page.lines[index]
    for other in page.lines[max(0, index - 2) : index]:
        close = 0 < line.box.y0 - other.box.y0 < 1.7 * max(line.size, other.size)
        same = other.font == line.font and abs(other.size - line.size) < 0.5
        if close and same and line.box.overlap_x(other.box) > 0 and not re.search(r"[.:)\]]\s*$", other.text):
            return True
    return False


def _collected(page: _Page, index: int, match: re.Match[str], score: float) -> _Caption:
    """A caption with all its lines, from its first."""
    first = page.lines[index]
    lines = [first]
    box = first.box
    step: float | None = None
    for line in page.lines[index + 1 :]:
        last = lines[-1]
        pitch = line.box.y0 - last.box.y0
        if abs(pitch) < 0.4 * first.size and -first.size <= line.box.x0 - last.box.x1 < 3 * first.size:
            lines.append(line)  # the same line, parted by a wide space or a script
            box = box.union(line.box)
            continue
        limit = 1.35 * step if step is not None else 2.2 * first.size
        same_size = abs(line.size - first.size) <= 0.12 * first.size + 0.3
        if not (0 < pitch <= limit and line.box.overlap_x(box) > 0 and same_size):
            if _is_script(line, last, first.size):
                lines.append(line)
                continue
            if not _goes_on_beside(line, lines, box):
                break
            step = None
            lines.append(line)
            box = box.union(line.box)
            continue
        heading = _LABEL.match(line.text.lstrip())
        if heading and re.search(r"[.:|]", heading["stop"]):
            break
        step = pitch if step is None else min(step, pitch)
        lines.append(line)
        box = box.union(line.box)
    text, emphasised = _joined(lines)
    skipped = len(text) - len(text.lstrip())
    found = _LABEL.match(text, skipped)
    start = found.end() if found else 0
    emphasised = [(max(0, a - start), b - start) for a, b in emphasised if b > start]
    label = " ".join(match["label"].split())
    label = label.capitalize() if label.isupper() else label
    number = int(re.sub(r"\D", "", match["number"]) or 0)
    return _Caption(page, label, text[start:].strip(), box, lines, score, number, emphasised)


def _goes_on_beside(line: _Line, lines: Sequence[_Line], box: _Rect) -> bool:
    """Whether a caption that is not at its end goes on at its top, in the next column."""
    first = lines[0]
    alike = line.font == first.font and abs(line.size - first.size) < 0.5
    level = abs(line.box.y0 - first.box.y0) < 0.5 * first.size and line.box.x0 > box.x1
    return alike and level and not re.search(r"[.!?]\s*$", lines[-1].text) and not _TITLE.match(line.text.lstrip())


def _is_script(line: _Line, last: _Line, size: float) -> bool:
    """Whether a line is a sub- or superscript that the file gives as a line of its own."""
    near = last.box.x0 - size < line.box.x0 < last.box.x1 + 3 * size
    return len(line.text.strip()) <= 6 and near and abs(line.box.y1 - last.box.y1) < 0.9 * size


def _joined(lines: Sequence[_Line]) -> tuple[str, list[tuple[int, int]]]:
    """Lines as one text, words that were broken at line ends made whole; bold spans with it."""
    text = ""
    bold: list[tuple[int, int]] = []
    for line in lines:
        if text and text[-1] in _BROKEN:
            # A break between capitals or figures is a hyphen of the word's own ("HAT-CN").
            own = not line.text[:1].islower() and not text[-2:-1].islower()
            text = text[:-1] + ("-" if own else "")
        elif text and not text.endswith((" ", "\u2010", "\u2013")) and not re.search(r"\w-$", text):
            text += " "
        bold += [(len(text) + start, len(text) + end) for start, end in line.bold]
        text += line.text.rstrip(" ")
    for character in _BROKEN:
        text = text.replace(character, "\u2010" if character == "\u00ad" else "")
    # White space is kept one character for one, so that the bold spans stay where they are.
    return re.sub(r"[^\S ]|\x00", " ", text), bold


# ---------------------------------------------------------------- figures


def _remove_repeated_ink(pages: Sequence[_Page]) -> None:
    """Take away what stands at the same place on several pages: headers, margins, logos."""
    _remove_running_heads(pages)
    shapes = Counter(page.ink.shape for page in pages)
    shape, count = shapes.most_common(1)[0]
    if count < 3:
        return
    same = [page for page in pages if page.ink.shape == shape]
    share = np.mean([ndimage.binary_dilation(page.ink, iterations=1) for page in same], axis=0)
    # Text fills columns alike on every page; only what is in nearly all of them is furniture.
    repeated = share > 0.9
    for page in same:
        page.ink &= ~repeated


def _remove_running_heads(pages: Sequence[_Page]) -> None:
    """Take away the lines at the top and the foot of pages that differ at most by their numbers."""
    places = {
        id(line): (re.sub(r"\d+", "#", " ".join(line.text.split())), round(line.box.y0 / 4))
        for page in pages
        for line in page.lines
        if (line.box.y1 < _HEAD * page.height or line.box.y0 > (1 - _HEAD) * page.height) and not _is_label(line)
    }
    often = {place for place, count in Counter(places.values()).items() if count > 1}
    for page in pages:
        heads = [line for line in page.lines if places.get(id(line)) in often]
        page.ink = _without(page.ink, [line.box for line in heads])
        page.lines = [line for line in page.lines if places.get(id(line)) not in often]


def _figure(document: Any, caption: _Caption, place: _Place | None, work_dir: Path | None) -> DocumentFigure:
    graphics: tuple[tuple[str, ...], ...] = ()
    rendered: tuple[Path, ...] = ()
    if place is not None:
        page, box = place.page, place.box
        kind = re.sub(r"\W+", "-", caption.label.lower()).strip("-")
        position = "-".join(str(round(value)) for value in (box.x0, box.y0, box.x1, box.y1))
        name = f"p{page.number + 1}_{position}_{kind}.png"
        if work_dir is None:
            graphics = ((name,),)
        else:
            rendered = (_rendered(document, page, box, work_dir / name),)
    return DocumentFigure(
        caption.label, caption.text, graphics, rendered=rendered, emphasised=tuple(caption.emphasised)
    )


#: Captions of a page up to which every way of giving them their figures is tried.
_MAX_TRIED = 5


def _placed_figures(
    page: _Page, captions: Sequence[_Caption], body: tuple[str, float]
) -> list[tuple[_Caption, _Rect | None]]:
    """Where the figures of a page lie, one a caption; None where there is no ink that it could be.

    A figure stands above its caption, or below it, or beside; no two captions share one. Of all ways to
    give each caption its figure, the one is taken that leaves fewest without, and then the one with the
    most figures above their captions.
    """
    own = [caption for caption in captions if caption.page is page]
    if not own:
        return []
    text = [line.box for line in _running_text(page, body)]
    choices = [_above_and_below(caption, own, text) for caption in own]
    ways = itertools.product((0, 1), repeat=len(own)) if len(own) <= _MAX_TRIED else ((0,) * len(own), (1,) * len(own))
    best = max(ways, key=lambda way: (_well_placed([c[k] for c, k in zip(choices, way, strict=True)]), -sum(way)))
    placed: list[tuple[_Caption, _Rect | None]] = []
    for caption, choice, which in zip(own, choices, best, strict=True):
        box = choice[which]
        if box is None or any(_overlap(box, other) for _, other in placed if other is not None):
            beside = _beside(_ink_of_figures(caption, own, text), caption, _barriers(caption, own, text))
            box = beside or box
        placed.append((caption, box))
    return placed


def _well_placed(boxes: Sequence[_Rect | None]) -> int:
    """How many figures have a place that none before them has."""
    found: list[_Rect] = []
    for box in boxes:
        if box is not None and not any(_overlap(box, other) for other in found):
            found.append(box)
    return len(found)


def _overlap(one: _Rect, other: _Rect) -> bool:
    """Whether two figures share much of the smaller one's area."""
    width = one.overlap_x(other)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    smaller = min(one.width * one.height, other.width * other.height)
    return width > 0 and height > 0 and width * height > 0.3 * smaller


def _above_and_below(
    caption: _Caption, captions: Sequence[_Caption], text: Sequence[_Rect]
) -> tuple[_Rect | None, _Rect | None]:
    """The figure's place if it is looked for above the caption first, and if below it first."""
    page = caption.page
    others = [other for other in captions if other is not caption]
    ink = _ink_of_figures(caption, captions, text)
    barriers = _barriers(caption, captions, text)
    above = _ink_box(ink, _above(caption, barriers, page), caption, others)
    below = _ink_box(ink, _below(caption, barriers, page), caption, others)
    return above or below, below or above


def _barriers(caption: _Caption, captions: Sequence[_Caption], text: Sequence[_Rect]) -> list[_Rect]:
    others = [other for other in captions if other is not caption]
    return [*text, *(line.box for other in others for line in other.lines), *(other.box for other in others)]


def _ink_of_figures(caption: _Caption, captions: Sequence[_Caption], text: Sequence[_Rect]) -> npt.NDArray[np.bool_]:
    """The ink of a page without its text and the captions' frames."""
    lines = [line.box for each in captions for line in each.lines]
    others = [other for other in captions if other is not caption]
    return _without_frames(_without(caption.page.ink, [*text, *lines]), [caption, *others])


def _running_text(page: _Page, body: tuple[str, float]) -> list[_Line]:
    """Lines of paragraphs: in the body's style, and wide or with a neighbour above or below."""
    lines = [line for line in page.lines if _is_body(line, body)]
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


def _without(ink: npt.NDArray[np.bool_], boxes: Sequence[_Rect]) -> npt.NDArray[np.bool_]:
    cleared = ink.copy()
    for box in boxes:
        cleared[max(0, int(box.y0) - 2) : int(box.y1) + 3, max(0, int(box.x0) - 2) : int(box.x1) + 3] = False
    return cleared


def _without_frames(ink: npt.NDArray[np.bool_], captions: Sequence[_Caption]) -> npt.NDArray[np.bool_]:
    """Take away frames drawn around a figure with its caption, and rules across the page."""
    labels, _ = ndimage.label(ink, structure=np.ones((3, 3)))
    cleared = ink.copy()
    for index, slices in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = slices
        height, width = rows.stop - rows.start, columns.stop - columns.start
        around = any(
            columns.start < c.box.x0 and columns.stop > c.box.x1 - 1 and rows.start < c.box.y0 < rows.stop
            for c in captions
        )
        filled = int((labels[slices] == index).sum())
        thin = filled < 0.08 * height * width
        head = rows.stop < _HEAD * ink.shape[0] or rows.start > (1 - _HEAD) * ink.shape[0]
        rule = height <= 3 and (head or width > 0.25 * ink.shape[1])
        if (around and thin) or rule:
            cleared[slices][labels[slices] == index] = False
    return cleared


def _above(caption: _Caption, barriers: Sequence[_Rect], page: _Page) -> _Rect:
    top = max(
        (
            b.y1
            for b in barriers
            if b.y1 <= caption.box.y0 + 3 and b.overlap_x(caption.box) > 0.15 * min(b.width, caption.box.width)
        ),
        default=0.0,
    )
    return _Rect(0.0, top, page.width, caption.box.y0)


def _below(caption: _Caption, barriers: Sequence[_Rect], page: _Page) -> _Rect:
    bottom = min(
        (
            b.y0
            for b in barriers
            if b.y0 >= caption.box.y1 - 3 and b.overlap_x(caption.box) > 0.15 * min(b.width, caption.box.width)
        ),
        default=page.height,
    )
    return _Rect(0.0, caption.box.y1, page.width, bottom)


def _ink_box(ink: npt.NDArray[np.bool_], region: _Rect, caption: _Caption, others: Sequence[_Caption]) -> _Rect | None:
    """Extent of the things in a region that stand over (or under) the caption and belong together."""
    y0, y1 = int(max(region.y0, 0)), int(region.y1)
    part = ink[y0:y1]
    if part.shape[0] < _MIN_SIDE or not part.any():
        return None
    gap = int(_JOIN_GAP) | 1
    padded = np.pad(part, gap).astype(np.uint8)
    joined = ndimage.minimum_filter(ndimage.maximum_filter(padded, gap), gap)[gap:-gap, gap:-gap] > 0
    labels, _ = ndimage.label(joined | part, structure=np.ones((3, 3)))
    things, pictures = [], []
    for index, slices in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = slices
        own = part[slices] & (labels[slices] == index)
        if not own.any():
            continue
        thing = _Rect(columns.start, rows.start + y0, columns.stop, rows.stop + y0)
        things.append(thing)
        solid = own.mean() > _SOLID and min(thing.width, thing.height) >= _MIN_SIDE
        if solid and not any(_is_nearer(other, caption, thing) for other in others):
            pictures.append(thing)
    box = _cluster(things, caption, region)
    if box is None:
        return None
    # What goes on beyond the region is no neighbour that stands level.
    whole = [t for t in things if t.y0 > y0 + 1 and t.y1 < y1 - 1]
    free = [t for t in whole if not any(_is_nearer(other, caption, t) for other in others)]
    return _with_level(_with_pictures(box, pictures), free, caption.page)


def _is_nearer(other: _Caption, caption: _Caption, thing: _Rect) -> bool:
    """Whether another caption stands under or over a thing, and not much further away than ours."""
    in_line = other.box.overlap_x(thing) > 0.2 * min(other.box.width, thing.width)
    return in_line and -3 <= _gap(other, thing) <= max(_gap(caption, thing), 0.0) + _MIN_SIDE


def _gap(caption: _Caption, thing: _Rect) -> float:
    """Height between a caption and a thing above or below it; negative where they overlap in height."""
    return max(caption.box.y0 - thing.y1, thing.y0 - caption.box.y1)


def _with_level(box: _Rect, things: Sequence[_Rect], page: _Page) -> _Rect:
    """A figure's extent with what stands level with it in the other column, where a short caption does not reach."""
    for thing in things:
        shared = min(thing.y1, box.y1) - max(thing.y0, box.y0)
        level = shared > _LEVEL * (max(thing.y1, box.y1) - min(thing.y0, box.y0))
        apart = thing.x0 > box.x1 or thing.x1 < box.x0
        if level and apart and thing.width >= _MIN_SIDE and _letters_in(thing, page) < _MAX_LETTERS:
            box = box.union(thing)
    return box


def _letters_in(thing: _Rect, page: _Page) -> int:
    """Letters that stand in a thing: a plot has few, a table many."""
    inside = [line for line in page.lines if thing.y0 < (line.box.y0 + line.box.y1) / 2 < thing.y1]
    return sum(len(line.text.strip()) for line in inside if line.box.overlap_x(thing) > 0.5 * line.box.width)


def _with_pictures(box: _Rect, pictures: Sequence[_Rect]) -> _Rect:
    """A figure's extent with the solid pictures around it: panels may stand wide apart."""
    left = list(pictures)
    while True:
        for picture in left:
            gap_x = max(picture.x0 - box.x1, box.x0 - picture.x1)
            gap_y = max(picture.y0 - box.y1, box.y0 - picture.y1)
            if (gap_x <= _PICTURE_GAP and gap_y < 0) or (gap_y <= _PICTURE_GAP and gap_x < 0):
                left.remove(picture)
                box = box.union(picture)
                break
        else:
            return box


def _cluster(things: list[_Rect], caption: _Caption, region: _Rect) -> _Rect | None:
    """Union of the things over the caption, from the nearest on, as long as the gaps are small."""
    below = region.y0 >= caption.box.y1 - 3
    over = [t for t in things if t.overlap_x(caption.box) > 0 and max(t.width, t.height) > 4]
    over.sort(key=lambda t: t.y0 if below else -t.y1)
    box: _Rect | None = None
    for thing in over:
        if box is None:
            if thing.height < 6 and thing.width < 60:
                continue  # a page number or a stray mark
            box = thing
            continue
        gap = thing.y0 - box.y1 if below else box.y0 - thing.y1
        if gap <= 1.8 * _JOIN_GAP:
            box = box.union(thing)
    if box is None:
        return None
    # What stands beside the figure at its height, and near, is its other panels.
    changed = True
    while changed:
        changed = False
        for thing in things:
            inside = thing.x0 >= box.x0 and thing.x1 <= box.x1 and thing.y0 >= box.y0 and thing.y1 <= box.y1
            beside = min(thing.y1, box.y1) - max(thing.y0, box.y0) > 0.5 * thing.height
            near = max(thing.x0 - box.x1, box.x0 - thing.x1) < 1.2 * _JOIN_GAP
            wide = caption.box.x0 - 2 <= (thing.x0 + thing.x1) / 2 <= caption.box.x1 + 2
            if not inside and beside and (near or wide) and _same_column(thing, box, caption):
                box = box.union(thing)
                changed = True
    return box if box.width >= _MIN_SIDE and box.height >= _MIN_SIDE else None


def _same_column(thing: _Rect, box: _Rect, caption: _Caption) -> bool:
    """Whether a thing beside a figure may be part of it: figures of two columns keep to themselves."""
    reach = box.union(caption.box)
    return thing.overlap_x(reach) > 0 or min(abs(thing.x0 - box.x1), abs(box.x0 - thing.x1)) < _JOIN_GAP


def _beside(ink: npt.NDArray[np.bool_], caption: _Caption, barriers: Sequence[_Rect]) -> _Rect | None:
    """The figure left or right of its caption."""
    page = caption.page
    best: _Rect | None = None
    for x0, x1 in ((0.0, caption.box.x0), (caption.box.x1, page.width)):
        level = [b for b in barriers if b.overlap_x(_Rect(x0, 0, x1, 1)) > 10]
        top = max((b.y1 for b in level if b.y1 <= caption.box.y0), default=0.0)
        bottom = min((b.y0 for b in level if b.y0 >= caption.box.y1), default=page.height)
        part = ink[int(top) : int(bottom), int(x0) : int(x1)]
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        if rows.size == 0:
            continue
        box = _Rect(x0 + columns[0], top + rows[0], x0 + columns[-1] + 1, top + rows[-1] + 1)
        big = box.width >= 2 * _MIN_SIDE and box.height >= 2 * _MIN_SIDE
        if big and (best is None or box.width * box.height > best.width * best.height):
            best = box
    return best


#: Letters on a page up to which it holds a figure and nothing else.
_MAX_PAGE_LETTERS = 600


def _found_elsewhere(
    pages: Sequence[_Page], captions: Sequence[_Caption], places: Mapping[int, _Place | None]
) -> dict[int, _Place]:
    """Figures whose captions stand on another page: on the facing one, or in a list, as in manuscripts.

    Pages that hold a picture and no caption are given to the captions without a figure: by the label that
    such a page carries, else to the caption of the next page, else one by one where they are as many. Where they
    are not, nobody can tell which is whose, and the captions stay without.
    """
    homeless = [caption for caption in captions if places[id(caption)] is None or not caption.text]
    taken = {place.page.number for caption in captions if (place := places[id(caption)]) and caption.text}
    free = {page.number: box for page in pages if page.number not in taken and (box := _picture_of(page)) is not None}
    if not homeless or not free:
        return {}
    found: dict[int, _Place] = {}

    def give(caption: _Caption, number: int) -> None:
        found[id(caption)] = _Place(pages[number], free.pop(number))

    labelled = {key: number for number in free for key in _labels_on(pages[number])}
    for caption in homeless:
        number = labelled.get(_key_of(caption))
        if number in free:
            give(caption, number)
    left = [caption for caption in homeless if id(caption) not in found]
    unnamed = [number for number in sorted(free) if number not in labelled.values()]
    on_page = Counter(caption.page.number for caption in left)
    for caption in left:
        number = caption.page.number
        facing = [near for near in (number - 1, number + 1) if near in free and near in unnamed]
        if on_page[number] == 1 and len(facing) == 1:
            give(caption, facing[0])
    left = sorted((c for c in left if id(c) not in found), key=lambda c: (c.label.split()[0], c.order))
    unnamed = [number for number in unnamed if number in free]
    if len(left) == len(unnamed):
        for caption, number in zip(left, unnamed, strict=True):
            give(caption, number)
    return found


def _key_of(caption: _Caption) -> str:
    match = _LABEL.match(caption.label)
    return _key(match) if match else caption.label.lower()


def _labels_on(page: _Page) -> Iterator[str]:
    """The labels that stand on a page by themselves, without a caption."""
    for line in page.lines:
        match = _LABEL.match(line.text.strip())
        if match is not None and _is_label(line):
            yield _key(match)


def _is_label(line: _Line) -> bool:
    """Whether a line is a figure's label and nothing else."""
    match = _LABEL.match(line.text.strip())
    return match is not None and match.end() == len(line.text.strip())


def _picture_of(page: _Page) -> _Rect | None:
    """Extent of the picture on a page that holds nothing else; None for other pages."""
    if sum(len(line.text.strip()) for line in page.lines) > _MAX_PAGE_LETTERS:
        return None
    apart = [line.box for line in page.lines if _LABEL.match(line.text.strip()) or line.text.strip().isdigit()]
    ink = _without(page.ink, apart)
    labels, _ = ndimage.label(ink, structure=np.ones((3, 3)))
    extents = [
        _Rect(columns.start, rows.start, columns.stop, rows.stop) for rows, columns in ndimage.find_objects(labels)
    ]
    if not any(min(extent.width, extent.height) >= 2 * _MIN_SIDE for extent in extents):
        return None
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return _Rect(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def _rendered(document: Any, page: _Page, box: _Rect, path: Path) -> Path:
    """Write a part of a page as PNG, at the resolution of the pictures in it."""
    path = path.absolute()
    if path.is_file():
        return path
    opened = document[page.number]
    opened.set_rotation(page.sheet.turn)
    scale = _native_scale(opened, page, box)
    margin = 1.5
    crop = (
        max(0.0, box.x0 - margin),
        max(0.0, page.height - box.y1 - margin),
        max(0.0, page.width - box.x1 - margin),
        max(0.0, box.y0 - margin),
    )
    picture = opened.render(scale=scale, crop=crop, may_draw_forms=False).to_pil().convert("RGB")
    opened.close()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            picture.save(temporary, format="PNG", dpi=(scale * 72, scale * 72))
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be written ({error.strerror or error})") from error
    return path


def _native_scale(opened: Any, page: _Page, box: _Rect) -> float:
    """Pixels a point of the finest picture in a box, within bounds."""
    densities = [_MIN_DPI / 72]
    for item in opened.get_objects(filter=(pdfium_c.FPDF_PAGEOBJ_IMAGE,), max_depth=4):
        try:
            x0, y0, x1, y1 = item.get_bounds()
            pixels = item.get_px_size()
        except pdfium.PdfiumError:
            continue
        placed = page.sheet.placed(x0, y0, x1, y1)
        inside = placed.overlap_x(box) > 0.5 * placed.width and min(placed.y1, box.y1) > max(placed.y0, box.y0)
        if inside and placed.width > 5 and placed.height > 5:
            densities.append(max(pixels[0] / placed.width, pixels[1] / placed.height))
    wanted = min(max(densities), _MAX_DPI / 72)
    return min(wanted, math.sqrt(_MAX_PIXELS / max(1.0, box.width * box.height)))


# ---------------------------------------------------------------- about the article


def _about(document: Any, text: Sequence[str], pages: Sequence[_Page], figures: tuple[DocumentFigure, ...]) -> Document:
    told = document.get_metadata_dict()
    start = " ".join(text[:2])
    doi = _doi_of(told, start)
    title = told.get("Title", "").strip()
    if len(title) < 12 or re.search(
        r"\.(?:indd|docx?|tex|dvi|pdf|qxd|3d)\b|untitled|microsoft word|^\S+$|10\.\d{4}", title, re.I
    ):
        title = _largest_text(pages)
    year = re.search(r"(?:©|copyright|published|accepted|received)\D{0,40}((?:19|20)\d\d)", start, re.IGNORECASE)
    created = re.search(r"D:((?:19|20)\d\d)", told.get("CreationDate", ""))
    licence = normalise_licence(" ".join(text[:2])) if re.search("creative ?commons|CC[- ]BY", start, re.I) else None
    if licence is None or not licence.startswith("CC"):
        whole = " ".join(text)
        near = re.search(r"(?:creative\s+commons|creativecommons|CC[- ]BY).{0,200}", whole, re.IGNORECASE)
        licence = normalise_licence(near[0]) if near else None
    return Document(
        doi=doi,
        title=" ".join(title.split()),
        abstract=_abstract(start),
        paragraphs=tuple(_unhyphenated(page) for page in text),
        authors=tuple(name.strip() for name in re.split(r";|,| and ", told.get("Author", "")) if name.strip()),
        journal="",
        year=int((year or created)[1]) if year or created else None,  # type: ignore[index]
        licence=licence if licence and licence.startswith("CC") else None,
        figures=figures,
    )


_ABSTRACT = re.compile(
    r"\babstract\b[:.\s]*(?P<words>.{150,4000}?)(?=\bkey\s?words?\b|\b(?:1|I)?\.?\s*introduction\b|\u00a9|\bcopyright\b)",
    re.IGNORECASE | re.DOTALL,
)


def _abstract(start: str) -> str:
    match = _ABSTRACT.search(start)
    return _unhyphenated(match["words"]).strip() if match else ""


def _unhyphenated(text: str) -> str:
    """Text in which words that were broken at the ends of lines are whole again."""
    return re.sub(rf"(?<=[a-z])[{_BROKEN}]\s*(?=[a-z])", "", text)


def _doi_of(told: Mapping[str, str], start: str) -> str | None:
    """The DOI that a file's properties or else its first pages tell."""
    return plain_doi(told.get("Subject", "")) or plain_doi(told.get("Title", "")) or plain_doi(_unbroken(start))


def pdf_doi(path: Path) -> str | None:
    """The DOI in a PDF's properties or on its first page; None where there is none, or it cannot be read."""
    try:
        document = pdfium.PdfDocument(path)
    except (pdfium.PdfiumError, OSError):
        return None
    try:
        start = document[0].get_textpage().get_text_bounded() if len(document) else ""
        return _doi_of(document.get_metadata_dict(), " ".join(start.split()))
    except pdfium.PdfiumError:
        return None
    finally:
        document.close()


def _unbroken(text: str) -> str:
    """Text in which a DOI that was broken after a slash or a dot is whole again."""
    return re.sub(r"(10\.\d{4,9}/[\w.()/:;-]*[./-])\s+(?=[\w])", r"\1", text)


def _largest_text(pages: Sequence[_Page]) -> str:
    """The title of an article that tells it nowhere: the largest lines of its first page."""
    lines = [line for line in (pages[0].lines if pages else []) if len(line.text.strip()) > 8]
    if not lines:
        return ""
    largest = max(line.size for line in lines)
    return " ".join(line.text.strip() for line in lines if line.size > 0.93 * largest)[:300]
