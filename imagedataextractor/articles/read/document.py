"""What a reader finds in a document, before figure files are looked for and captions are read.

Readers know their format and nothing else: no files beside the document, no captions' meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Document", "DocumentFigure"]


@dataclass(frozen=True)
class DocumentFigure:
    """A figure as the document gives it.

    Attributes
    ----------
    graphics : tuple of tuple of str
        One entry a picture; each lists the references to it, best resolution first.
    rendered : tuple of Path
        Pictures that the reader wrote itself (figures cut out of a PDF).
    emphasised : tuple of (start, end)
        Spans of the caption set in bold: some publishers mark panel letters by that alone.
    licence : str or None
        The figure's own licence, where it states one.
    """

    label: str
    caption: str
    graphics: tuple[tuple[str, ...], ...] = ()
    rendered: tuple[Path, ...] = ()
    emphasised: tuple[tuple[int, int], ...] = ()
    licence: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Document:
    """An article as the document gives it. ``doi`` is lower case; ``paragraphs`` are those of its body."""

    doi: str | None = None
    title: str = ""
    abstract: str = ""
    paragraphs: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    journal: str = ""
    year: int | None = None
    licence: str | None = None
    figures: tuple[DocumentFigure, ...] = field(default_factory=tuple)
    links: tuple[str, ...] = ()
