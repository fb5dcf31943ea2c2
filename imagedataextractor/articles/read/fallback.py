"""Read what no reader of ours claims, with ChemDataExtractor: plain text, USPTO patents, unknown HTML and XML.

`chemdataextractor-lite` (extra ``chemdataextractor``) takes documents apart into titles, headings, paragraphs and
figures. Where it finds no figures (plain text, patents), the paragraphs that open with a figure's label are
the captions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from imagedataextractor.articles.dois import plain_doi
from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.read.document import Document, DocumentFigure
from imagedataextractor.articles.read.markup import MAX_BYTES, attribute, first
from imagedataextractor.errors import InputError

__all__ = ["EXTRA_NEEDED", "PATENT_ROOTS", "UNNUMBERED", "is_installed", "read_fallback"]

EXTRA_NEEDED = "pip install 'imagedataextractor[chemdataextractor]' reads it with ChemDataExtractor"
#: What figures without a label are called.
UNNUMBERED = "unnumbered figure"
#: Root elements of United States patents in XML.
PATENT_ROOTS = frozenset({"us-patent-grant", "us-patent-application", "PATDOC"})

_LABEL = re.compile(
    r"\s*(?P<label>(?:(?:supplementary|supporting|extended\s+data)\s+)?(?:fig(?:ure|s|\.)?|scheme|chart|plate)s?\s*\.?\s*"
    r"(?:[A-Z]{1,2}[.-]?)?\d+[A-Za-z]?)(?![\w-])\s*(?P<stop>[.:|\u2013\u2014-]+\s*)?(?=\S)",
    re.IGNORECASE,
)
#: What follows a label in a sentence that speaks of the figure rather than describing it.
_SENTENCE = re.compile(r"[a-z]|[,;)]")
#: Headings under which every paragraph with a label describes a figure, whatever its wording.
_LISTS = re.compile(r"\b(?:drawings?|figure\s+(?:captions?|legends?)|captions?|legends?|list\s+of\s+figures)\b", re.I)
#: What a patent puts between a figure's number and what it shows.
_SHOWS = re.compile(r"(?:is|are|shows?|depicts?|illustrates?|presents?|provides?|represents?)\s+(?=\S)", re.IGNORECASE)
_SUFFIXES = {"xml": "xml", "html": "html", "text": "txt"}
#: Characters of a document's beginning in which its own DOI and licence stand.
_HEAD_CHARS = 5_000
#: Words of a line that can be a title.
_MAX_TITLE_WORDS = 40
_MAX_HEADING_WORDS = 6
_MIN_YEAR, _MAX_YEAR = 1600, 2200


def is_installed() -> bool:
    """Whether ChemDataExtractor is there."""
    from importlib.util import find_spec

    return find_spec("chemdataextractor") is not None


def read_fallback(data: bytes, path: Path, kind: str, root: Any = None) -> Document:
    """Read a document with ChemDataExtractor.

    Parameters
    ----------
    data : bytes
        The file.
    path : Path
        Named in errors.
    kind : {"xml", "html", "text"}
    root : element, optional
        Its root where it is XML that our own parser took, for what ChemDataExtractor leaves out.

    Raises
    ------
    InputError
        ChemDataExtractor is not installed, or cannot read the document.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: {len(data) // 1_000_000} MB is too large to be an article")
    elements = _elements(data, path, kind)
    words = "\n".join(_text(element) for element in elements)
    told: dict[str, Any] = next((e.data for e in elements if type(e).__name__ == "MetaData"), {})
    patent = root is not None and root.tag in PATENT_ROOTS
    figures = tuple(_figures(elements))
    year = re.match(r"\d{4}", str(told.get("date") or ""))
    return Document(
        doi=plain_doi(str(told.get("doi") or "")) or (None if patent else plain_doi(words[:_HEAD_CHARS])),
        title=" ".join(str(told.get("title") or _title(elements)).split()),
        abstract=_abstract(elements),
        paragraphs=tuple(_text(e) for e in elements if type(e).__name__ == "Paragraph"),
        authors=tuple(_names(told.get("authors"))),
        journal=str(told.get("journal") or ""),
        year=int(year[0]) if year and _MIN_YEAR <= int(year[0]) <= _MAX_YEAR else None,
        licence=_licence(words),
        figures=_with_drawings(figures, root) if patent else figures,
    )


def _elements(data: bytes, path: Path, kind: str) -> list[Any]:
    try:
        from chemdataextractor import Document as Loaded
        from chemdataextractor.reader import DEFAULT_READERS, XmlReader
    except ImportError as error:
        raise InputError(f"{path}: in none of the forms that are read here; {EXTRA_NEEDED}") from error

    class UnknownXml(XmlReader):  # type: ignore[misc, unused-ignore]
        """Generic XML by the names that publishers give its parts."""

        title_css = "article-title, document-title, title, h1"
        heading_css = "heading, section-title, h2, h3, h4"
        figure_css = "figure, fig"
        figure_caption_css = "figcaption, caption, legend"
        figure_label_css = "label"
        figure_download_link_css = "img::attr(src), img::attr(href), graphic::attr(src), graphic::attr(href)"

    readers = [UnknownXml() if type(reader) is XmlReader else reader for reader in DEFAULT_READERS]
    try:
        # Its readers look at the suffix, which here may be anything.
        return list(Loaded.from_string(data, fname=f"article.{_SUFFIXES[kind]}", readers=readers).elements)
    except Exception as error:  # whatever its readers raise on what is no document
        detail = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: ChemDataExtractor cannot read it ({detail[:120]})") from error


def _text(element: Any) -> str:
    return str(getattr(element, "text", None) or "")


def _title(elements: Iterable[Any]) -> str:
    """The document's title element, else a first paragraph that is short enough for one."""
    for element in elements:
        if type(element).__name__ == "Title" and _text(element).strip():
            return _text(element)
    first_words = next((_text(e).strip() for e in elements if _text(e).strip()), "")
    line = first_words.splitlines()[0] if first_words else ""
    return line if len(line.split()) <= _MAX_TITLE_WORDS and not line.endswith(".") else ""


def _abstract(elements: Iterable[Any]) -> str:
    """The paragraphs under the heading "Abstract", or the one that opens with the word."""
    under = False
    found: list[str] = []
    for element in elements:
        words = " ".join(_text(element).split())
        if type(element).__name__ in {"Heading", "Title"}:
            under = bool(re.fullmatch(r"\W*abstract\W*", words, re.IGNORECASE))
        elif opened := re.match(r"abstract\b[:.\s]*(?=\S)", words, re.IGNORECASE):
            return words[opened.end() :]
        elif under:
            found.append(words)
    return " ".join(found)


def _names(authors: Any) -> Iterator[str]:
    names = authors if isinstance(authors, list | tuple) else re.split(r";|\band\b", str(authors or ""))
    yield from (" ".join(str(name).split()) for name in names if str(name).strip())


def _licence(words: str) -> str | None:
    near = re.search(r"creative\s*commons.{0,200}|\bCC[- ]BY\b.{0,20}", words, re.IGNORECASE | re.DOTALL)
    licence = normalise_licence(near[0]) if near else None
    return licence if licence and licence.startswith("CC") else None


# ---------------------------------------------------------------- figures


def _figures(elements: Iterable[Any]) -> Iterator[DocumentFigure]:
    """Figures that are elements of their own, and captions that are paragraphs; of one label the first."""
    seen: set[str] = set()
    unnumbered = 0
    in_list = False
    for element in elements:
        kind = type(element).__name__
        if kind in {"Heading", "Title"}:
            in_list = bool(_LISTS.search(_text(element)))
        if kind == "Figure":
            caption = " ".join(f"{element.label or ''} {_text(element.caption)}".split())
            links = tuple((str(link),) for link in element.links if link)
            if not caption and not links:
                continue
            match = _LABEL.match(caption)
            unnumbered += match is None
            label = _tidy(match["label"]) if match else f"{UNNUMBERED} {unnumbered}"
            if label.lower() not in seen:
                seen.add(label.lower())
                own_id = getattr(element, "id", None)
                yield DocumentFigure(label, caption[match.end() :] if match else caption, links, id=own_id or None)
        elif kind in {"Paragraph", "Text"}:
            for words in _text(element).split("\n") if in_list else [_text(element)]:
                figure = _captioned(words, in_list)
                if figure is not None and figure.label.lower() not in seen:
                    seen.add(figure.label.lower())
                    yield figure
            in_list = in_list or _is_list_heading(_text(element))


def _is_list_heading(words: str) -> bool:
    """Whether a paragraph ends in a heading of figures: in plain text a heading is a line like any other."""
    last = (words.strip().splitlines() or [""])[-1]
    return len(last.split()) <= _MAX_HEADING_WORDS and bool(_LISTS.search(last)) and not _LABEL.match(last)


def _captioned(words: str, in_list: bool) -> DocumentFigure | None:
    """The figure that a paragraph describes; None where it is a paragraph like others."""
    words = " ".join(words.split())
    match = _LABEL.match(words)
    if match is None:
        return None
    rest = words[match.end() :]
    if in_list:
        rest = _SHOWS.sub("", rest, count=1) if _SHOWS.match(rest) else rest
    elif not match["stop"] and _SENTENCE.match(rest):
        return None
    return DocumentFigure(_tidy(match["label"]), rest[:1].upper() + rest[1:] if in_list else rest)


def _tidy(label: str) -> str:
    return " ".join(label.split())


def _with_drawings(figures: tuple[DocumentFigure, ...], root: Any) -> tuple[DocumentFigure, ...]:
    """A patent's figures with its sheets of drawings, where there is one sheet a figure."""
    drawings = first(root, "drawings")
    sheets = [] if drawings is None else [attribute(image, "file") for image in drawings.iter("img")]
    # The first is the drawing of the front page, which shows one of the others again.
    sheets = [file for file in sheets if file and not re.search(r"D0+\.", file)]
    if len(sheets) != len(figures):
        return figures
    return tuple(
        DocumentFigure(figure.label, figure.caption, (*figure.graphics, (file,)), id=figure.id)
        for figure, file in zip(figures, sheets, strict=True)
    )
