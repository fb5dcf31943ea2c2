"""Captions: of all lines that begin with a label, those that look most like one, with all that belongs to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from imagedataextractor.articles.read.pdf.labels import LABEL, SENTENCE, TITLE, key_of_label
from imagedataextractor.articles.read.pdf.layout import Line, Page, Rect, is_body

__all__ = ["BROKEN", "Caption", "find_captions", "key_of_caption"]

#: What a label by itself lacks to be taken for a caption before one with words.
_LABEL_ALONE = 1.0


#: Characters that the library puts where a word is broken at the end of a line.
BROKEN = "\u00ad\ufffe\x02"
#: Sizes of type that differ by less are the same, points: files round them.
_SAME_SIZE_PT = 0.5
#: Longest line that can be a sub- or superscript by itself, characters.
_LONGEST_SCRIPT = 6


@dataclass
class Caption:
    page: Page
    label: str
    text: str
    box: Rect
    lines: list[Line]
    score: float
    order: int = 0
    emphasised: list[tuple[int, int]] = field(default_factory=list)


def find_captions(pages: Sequence[Page], body: tuple[str, float]) -> list[Caption]:
    """The caption of each label: of all lines that start with it, the one that looks most like a caption."""
    best: dict[str, Caption] = {}
    for page in pages:
        for index, line in enumerate(page.lines):
            match = LABEL.match(line.text.lstrip())
            if match is None:
                continue
            score = _caption_score(page, index, match, body)
            if score <= 0:
                continue
            key = key_of_label(match)
            if key not in best or score > best[key].score:
                best[key] = _collected(page, index, match, score)
    return sorted(best.values(), key=lambda c: (c.page.number, c.order, c.box.y0))


def _caption_score(page: Page, index: int, match: re.Match[str], body: tuple[str, float]) -> float:
    """How much a line that starts with a label looks like a caption rather than like a sentence; > 0: it does."""
    line = page.lines[index]
    text = line.text.lstrip()
    rest = text[match.end() :]
    score = 0.0
    if not is_body(line, body):
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
    if SENTENCE.match(rest):
        score -= 3.0
    if _continues_paragraph(page, index):
        score -= 2.0
    return score - 0.75


def _continues_paragraph(page: Page, index: int) -> bool:
    """Whether the line above, in the same style and close, ends without a full stop."""
    line = page.lines[index]
    for other in page.lines[max(0, index - 2) : index]:
        close = 0 < line.box.y0 - other.box.y0 < 1.7 * max(line.size, other.size)
        same = other.font == line.font and abs(other.size - line.size) < _SAME_SIZE_PT
        if close and same and line.box.overlap_x(other.box) > 0 and not re.search(r"[.:)\]]\s*$", other.text):
            return True
    return False


def _collected(page: Page, index: int, match: re.Match[str], score: float) -> Caption:
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
        heading = LABEL.match(line.text.lstrip())
        if heading and re.search(r"[.:|]", heading["stop"]):
            break
        step = pitch if step is None else min(step, pitch)
        lines.append(line)
        box = box.union(line.box)
    text, emphasised = _joined(lines)
    skipped = len(text) - len(text.lstrip())
    found = LABEL.match(text, skipped)
    start = found.end() if found else 0
    emphasised = [(max(0, a - start), b - start) for a, b in emphasised if b > start]
    label = " ".join(match["label"].split())
    label = label.capitalize() if label.isupper() else label
    number = int(re.sub(r"\D", "", match["number"]) or 0)
    return Caption(page, label, text[start:].strip(), box, lines, score, number, emphasised)


def _goes_on_beside(line: Line, lines: Sequence[Line], box: Rect) -> bool:
    """Whether a caption that is not at its end goes on at its top, in the next column."""
    first = lines[0]
    alike = line.font == first.font and abs(line.size - first.size) < _SAME_SIZE_PT
    level = abs(line.box.y0 - first.box.y0) < 0.5 * first.size and line.box.x0 > box.x1
    return alike and level and not re.search(r"[.!?]\s*$", lines[-1].text) and not TITLE.match(line.text.lstrip())


def _is_script(line: Line, last: Line, size: float) -> bool:
    """Whether a line is a sub- or superscript that the file gives as a line of its own."""
    near = last.box.x0 - size < line.box.x0 < last.box.x1 + 3 * size
    return len(line.text.strip()) <= _LONGEST_SCRIPT and near and abs(line.box.y1 - last.box.y1) < 0.9 * size


def _joined(lines: Sequence[Line]) -> tuple[str, list[tuple[int, int]]]:
    """Lines as one text, words that were broken at line ends made whole; bold spans with it."""
    text = ""
    bold: list[tuple[int, int]] = []
    for line in lines:
        if text and text[-1] in BROKEN:
            # A break between capitals or figures is a hyphen of the word's own ("HAT-CN").
            own = not line.text[:1].islower() and not text[-2:-1].islower()
            text = text[:-1] + ("-" if own else "")
        elif text and not text.endswith((" ", "\u2010", "\u2013")) and not re.search(r"\w-$", text):
            text += " "
        bold += [(len(text) + start, len(text) + end) for start, end in line.bold]
        text += line.text.rstrip(" ")
    for character in BROKEN:
        text = text.replace(character, "\u2010" if character == "\u00ad" else "")
    # White space is kept one character for one, so that the bold spans stay where they are.
    return re.sub(r"[^\S ]|\x00", " ", text), bold


def key_of_caption(caption: Caption) -> str:
    match = LABEL.match(caption.label)
    return key_of_label(match) if match else caption.label.lower()
