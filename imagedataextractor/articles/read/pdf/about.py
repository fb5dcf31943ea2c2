"""What a PDF tells of its article: title, DOI, licence, abstract."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium

from imagedataextractor.articles.dois import plain_doi
from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.read.document import Document, DocumentFigure
from imagedataextractor.articles.read.pdf.captions import BROKEN
from imagedataextractor.articles.read.pdf.layout import Page

__all__ = ["about_article"]

#: Shortest title, characters: what is shorter in a file's properties is a file name or an article number.
_SHORTEST_TITLE = 12
#: Characters up to which a line of large type is a logo or a heading ("Letter", "Article"), not the title.
_SHORT_LINE = 8


def about_article(
    document: Any, text: Sequence[str], pages: Sequence[Page], figures: tuple[DocumentFigure, ...]
) -> Document:
    told = document.get_metadata_dict()
    start = " ".join(text[:2])
    doi = _doi_of(told, start)
    title = told.get("Title", "").strip()
    if len(title) < _SHORTEST_TITLE or re.search(
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
    return re.sub(rf"(?<=[a-z])[{BROKEN}]\s*(?=[a-z])", "", text)


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


def _largest_text(pages: Sequence[Page]) -> str:
    """The title of an article that tells it nowhere: the largest lines of its first page."""
    lines = [line for line in (pages[0].lines if pages else []) if len(line.text.strip()) > _SHORT_LINE]
    if not lines:
        return ""
    largest = max(line.size for line in lines)
    return " ".join(line.text.strip() for line in lines if line.size > 0.93 * largest)[:300]
