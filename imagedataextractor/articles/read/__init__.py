"""Read an article file, whatever its format, into one `Article`.

In: a file, and where its figure files lie. Out: an `Article` with captions, their facts, and the pictures' paths.
The format is told from the content, not from the file's name. One module a format: `jats`,
`elsevier_xml`, `html`, `pdf`; what none of them claims goes to ChemDataExtractor (`fallback`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from imagedataextractor.articles.body_sizes import with_body_sizes
from imagedataextractor.articles.captions import parse_caption
from imagedataextractor.articles.dois import plain_doi
from imagedataextractor.articles.licences import figure_licence
from imagedataextractor.articles.materials import Words
from imagedataextractor.articles.read.document import Document, DocumentFigure
from imagedataextractor.articles.read.elsevier_xml import is_elsevier, read_elsevier
from imagedataextractor.articles.read.fallback import (
    EXTRA_NEEDED,
    PATENT_ROOTS,
    UNNUMBERED,
    is_installed,
    read_fallback,
)
from imagedataextractor.articles.read.graphics import GraphicsFolder, file_name
from imagedataextractor.articles.read.html import read_html
from imagedataextractor.articles.read.jats import is_jats, read_jats
from imagedataextractor.articles.read.markup import MAX_BYTES, parse_xml
from imagedataextractor.errors import InputError
from imagedataextractor.records import Article, Figure

__all__ = [
    "ARTICLE_SUFFIXES",
    "articles_among",
    "figure_files",
    "find_articles",
    "is_article_file",
    "may_be_article",
    "read_article",
]

#: Suffixes of article files, the richest format first.
ARTICLE_SUFFIXES = (".xml", ".nxml", ".html", ".htm", ".xhtml", ".pdf")
#: Root elements of the XML that `read_article` reads.
_ARTICLE_ROOTS = frozenset(
    {"article", "response", "pmc-articleset", "full-text-retrieval-response", "OAI-PMH", "html", "doc"} | PATENT_ROOTS
)
_HEAD_BYTES = 8192
#: Bytes that stand in no text.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x7f]")
#: Files that are articles when they are named, but not when they lie in a folder among others.
_NAMED_SUFFIXES = (".txt", ".xml")
#: Beginning of a document in which its own DOI stands.
_DOI_BYTES = 500_000


def read_article(path: Path, *, figure_dir: Path | None = None, work_dir: Path | None = None) -> Article:
    """Read an article file.

    Parameters
    ----------
    path : Path
        JATS or Elsevier XML, a publisher's HTML page, a PDF; with ChemDataExtractor also plain text, patents and
        other XML.
    figure_dir : Path or None
        Where its figure files lie; None for the folder of the file itself.
    work_dir : Path or None
        Where figures that must be cut out of the document (PDF) are written, as PNG. With None they
        are named by page and position, but not written.

    Returns
    -------
    Article
        Every figure with its label, its full caption, what the caption says, and every graphic: the
        absolute path where the file is at hand, otherwise the document's own reference.
        References looked for and not found are also in ``Figure.missing``.

    Raises
    ------
    InputError
        The file cannot be read, or is no article.
    """
    data = _contents(path)
    kind = _kind(data)
    if kind == "pdf":
        from imagedataextractor.articles.read.pdf import read_pdf

        document = read_pdf(data, path, work_dir)
    elif kind == "html":
        document = read_html(data, path)
        if not document.figures and is_installed():
            document = _with_fallback_figures(document, data, path)
    elif kind == "text":
        document = _read_text(data, path)
    else:
        document = _read_xml(data, path)
    words = Words.of(
        document.title,
        document.abstract,
        (figure.caption for figure in document.figures),
        "\n".join(document.paragraphs),
    )
    folder = GraphicsFolder(figure_dir if figure_dir is not None else path.parent)
    figures = tuple(_figure(figure, document, words, folder, kind) for figure in document.figures)
    return Article(
        key=document.doi or f"sha256:{hashlib.sha256(data).hexdigest()[:16]}",
        doi=document.doi,
        title=document.title,
        abstract=document.abstract,
        authors=document.authors,
        journal=document.journal,
        year=document.year,
        licence=document.licence,
        figures=_with_body_sizes(figures, document),
        links=document.links,
        source=kind,
        path=path,
    )


def _contents(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder, not an article file")
        if path.stat().st_size > 2 * MAX_BYTES:
            raise InputError(f"{path}: {path.stat().st_size // 1_000_000} MB is too large for an article")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not data.strip():
        raise InputError(f"{path}: is empty")
    return data


def _kind(data: bytes) -> str:
    """Format of a document ("pdf", "html", "xml" or "text"), told from its first bytes."""
    head = data[:_HEAD_BYTES]
    if b"%PDF-" in head[:1024]:
        return "pdf"
    start = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if start.startswith(b"<!doctype html") or re.match(
        rb"(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!doctype[^>]*>\s*)*<(?:html|head|body|div)\b", start, re.S
    ):
        return "html"
    if start.startswith(b"<!doctype") and b"<html" in start and b"-//w3c//dtd" in start:
        return "html"
    return "xml" if start.startswith(b"<") else "text"


def _read_xml(data: bytes, path: Path) -> Document:
    root = parse_xml(data, path)
    if is_elsevier(root):
        return read_elsevier(root, path)
    if is_jats(root):
        return read_jats(root, path)
    if not is_installed():
        raise InputError(f"{path}: XML with root element {root.tag!r} is no article that is known here; {EXTRA_NEEDED}")
    document = read_fallback(data, path, "xml", root)
    if not document.figures:
        raise InputError(f"{path}: XML with root element {root.tag!r} without the caption of a figure is no article")
    return document


def _read_text(data: bytes, path: Path) -> Document:
    if _CONTROL.search(data):
        raise InputError(f"{path}: is neither XML, HTML nor PDF, and no text")
    document = read_fallback(data, path, "text")
    if not document.figures:
        raise InputError(f"{path}: is text without the caption of a figure; no article")
    return document


def _with_fallback_figures(document: Document, data: bytes, path: Path) -> Document:
    """A page of an unknown publisher with the figures that ChemDataExtractor finds in it.

    Pictures without a number are portraits and advertisements more often than figures.
    """
    try:
        found = read_fallback(data, path, "html").figures
    except InputError:
        return document
    numbered = (figure for figure in found if not figure.label.startswith(UNNUMBERED))
    return replace(document, figures=tuple(numbered))


def _figure(figure: DocumentFigure, document: Document, words: Words, folder: GraphicsFolder, kind: str) -> Figure:
    graphics: list[str] = []
    missing: list[str] = []
    # A PDF holds its figures itself: without a folder to write them to they are named, not missing.
    by_name = figure.graphics if kind != "pdf" else ()
    graphics.extend(references[0] for references in figure.graphics if kind == "pdf")
    for references in by_name:
        found = folder.find(references)
        if found is None and len(figure.graphics) == 1 and kind == "html":
            found = folder.find_numbered(figure.label)
        if found is not None:
            graphics.append(str(found.absolute()))
        else:
            graphics.append(_harmless(references[0]))
            missing.append(_harmless(references[0]))
    graphics.extend(str(path) for path in figure.rendered)
    return Figure(
        label=figure.label,
        caption=figure.caption,
        graphics=tuple(graphics),
        missing=tuple(missing),
        licence=figure_licence(figure.licence, figure.caption, document.licence),
        facts=parse_caption(figure.caption, figure.label, emphasised=figure.emphasised, words=words),
        id=figure.id,
    )


def _with_body_sizes(figures: Sequence[Figure], document: Document) -> tuple[Figure, ...]:
    """The figures with the particle sizes that the article's text states of them."""
    if len({figure.label for figure in figures}) < len(figures):
        return tuple(figures)  # which figure a reference means cannot be told
    facts = with_body_sizes(
        {figure.label: figure.facts for figure in figures},
        {figure.label: figure.caption for figure in figures},
        (document.abstract, *document.paragraphs),
    )
    return tuple(replace(figure, facts=facts[figure.label]) for figure in figures)


def _harmless(reference: str) -> str:
    """A reference that cannot be mistaken for a file: web addresses and relative paths stay as they are."""
    if re.match(r"https?://", reference, re.IGNORECASE):
        return reference
    climbs = ".." in re.split(r"[/\\]", reference)
    return file_name(reference) if climbs or ":" in reference or reference.startswith(("/", "\\")) else reference


def figure_files(path: Path) -> frozenset[Path]:
    """The picture files at hand that an article shows as its figures; none of an article that cannot be read.

    A PDF holds its figures itself, so that pictures beside it are none of them.
    """
    if path.suffix.lower() == ".pdf":
        return frozenset()
    try:
        article = read_article(path)
    except InputError:
        return frozenset()
    return frozenset(Path(graphic) for figure in article.figures for graphic in figure.graphics)


def is_article_file(path: Path) -> bool:
    """Whether a file is taken for an article: by its suffix and, for XML, by its root element.

    XML whose root element cannot be told (an empty or broken file) counts as an article, so that
    reading it says what is wrong.
    """
    suffix = path.suffix.lower()
    if suffix not in ARTICLE_SUFFIXES or not path.is_file():
        return False
    if suffix not in {".xml", ".nxml"}:
        return True
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return True
    text = re.sub(
        r"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\])?\s*>", "", head.decode("utf-8", "replace"), flags=re.DOTALL
    )
    root = re.search(r"<(?:[\w.-]+:)?([\w.-]+)", text)
    return root is None or root[1] in _ARTICLE_ROOTS


def may_be_article(path: Path) -> bool:
    """Whether a file that is named outright is read as an article: also plain text, and XML of an unknown kind."""
    return is_article_file(path) or (path.suffix.lower() in _NAMED_SUFFIXES and path.is_file())


def find_articles(folder: Path) -> list[Path]:
    """Article files in a folder and below, sorted; one a publication.

    Where a publication lies in one folder in several formats (``PMC1.xml`` and ``PMC1.pdf``, or an XML and
    a PDF of the same DOI), only the richest is taken: XML before HTML before PDF.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    return sorted(articles_among(sorted(folder.rglob("*"))))


def articles_among(files: Iterable[Path]) -> list[Path]:
    """Those of the files that are articles, one a publication, as for `find_articles`."""
    chosen: dict[tuple[Path, str], Path] = {}
    for path in filter(is_article_file, files):
        key = (path.parent, path.stem.lower())
        rank = ARTICLE_SUFFIXES.index(path.suffix.lower())
        if key not in chosen or rank < ARTICLE_SUFFIXES.index(chosen[key].suffix.lower()):
            chosen[key] = path
    formats = {ARTICLE_SUFFIXES.index(path.suffix.lower()) for path in chosen.values()}
    return _richest_by_doi(list(chosen.values())) if len(formats) > 1 else list(chosen.values())


def _richest_by_doi(files: Sequence[Path]) -> list[Path]:
    """The files without those whose DOI a file of a richer format in the same folder has, too."""
    dois = {path: stated_doi(path) for path in files}
    ranks: dict[tuple[Path, str], int] = {}
    for path, doi in dois.items():
        if doi is not None:
            key, rank = (path.parent, doi), ARTICLE_SUFFIXES.index(path.suffix.lower())
            ranks[key] = min(rank, ranks.get(key, rank))
    return [
        path
        for path, doi in dois.items()
        if doi is None or ARTICLE_SUFFIXES.index(path.suffix.lower()) == ranks[path.parent, doi]
    ]


_STATED_DOI = re.compile(
    rb"pub-id-type\s*=\s*[\"']doi[\"'][^>]*>([^<]*)<|<(?:prism:|xocs:|ce:)?doi>([^<]*)<|"
    rb"<meta\b([^>]*\bcitation_doi\b[^>]*)>",
    re.IGNORECASE,
)


def stated_doi(path: Path) -> str | None:
    """The DOI that an article file states at its beginning, without reading all of it; None where there is none."""
    if path.suffix.lower() == ".pdf":
        from imagedataextractor.articles.read.pdf import pdf_doi

        return pdf_doi(path)
    try:
        with path.open("rb") as stream:
            match = _STATED_DOI.search(stream.read(_DOI_BYTES))
    except OSError:
        return None
    return plain_doi((match[1] or match[2] or match[3]).decode("utf-8", "replace")) if match else None
