"""Read publishers' HTML pages, live or saved: Nature, Springer, RSC, ACS, Wiley, ScienceDirect and their like.

Pages differ in their wrappers, but agree that a figure is an element that holds a picture and a text
starting with a label ("Fig. 1"). That is what is looked for; the places where publishers put the
description, the label and the full-size picture are named below.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from lxml import etree

from imagedataextractor.articles.dois import plain_doi
from imagedataextractor.articles.figure_words import FIGURE_WORD, LABEL_END
from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.read.document import Document, DocumentFigure
from imagedataextractor.articles.read.markup import (
    MAX_BYTES,
    FlatText,
    flatten,
    plain_text,
    unique_urls,
)
from imagedataextractor.errors import InputError

__all__ = ["read_html"]

_LABEL = re.compile(
    r"\s*(?P<label>(?:(?:supplementary|supporting|extended\s+data|appendix)\s+)?"
    rf"(?:{FIGURE_WORD}|schemes?|charts?|plates?|graphs?|diagrams?)\s*\.?\s*"
    rf"(?:[A-Z]{{1,2}}[.-]?)?\d+(?:[.-]\d+)?[a-z]?){LABEL_END}\s*(?:[.:|\u2013\u2014\uff0e\uff1a]+\s*)?",
    re.IGNORECASE,
)
_BLOCKS = frozenset(
    {"p", "div", "section", "li", "ul", "ol", "br", "td", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "dd", "dt", "dl"}
    | {"figcaption", "table", "tbody"}
)
_BOLD = frozenset({"b", "strong"})
_NEVER = frozenset(
    {"script", "style", "svg", "noscript", "button", "template", "select", "picture", "source", "video", "audio"}
    | {"input", "iframe", "annotation", "annotation-xml", "object"}
)
#: Words of the page itself, in or beside captions.
_CONTROL_TEXT = re.compile(
    r"\W*(?:full[\s-]*size\s+(?:image|table|figure)|open\s+in\s+(?:figure\s+)?viewer|power\s?point(?:\s+slide)?|"
    r"download\b.{0,60}|high[\s-]*res(?:olution)?\s+(?:image|version)\b.{0,40}|view\s+(?:large|full|figure|in|larger|a)\b.{0,40}|"
    r"enlarge\b.{0,30}|open\s+(?:image\s+)?in\s+(?:a\s+)?new\s+(?:tab|window)|figure\s+viewer|source\s+data|"
    r"original\s+image\b.{0,40}|standard\s+image\b.{0,40}|click\s+(?:here|to|on)\b.{0,60}|"
    r"show\s+(?:more|less|all)\b.{0,20}|ppt|larger\s+image|return\s+to\s+figure\b.{0,20}|loading\.*|expand\b.{0,20})\W*",
    re.IGNORECASE,
)
_CONTROL_CLASS = re.compile(
    r"(?:^|\s)(?:links-for-figure|figure-links|figure-extra|figure__links|figure-viewer\S*|fig-links|download-\S+|"
    r"sr-only|visually-hidden|u-visually-hidden|u-hide-print|c-article__pill-button|modal|popup|tooltip|fig-buttons|"
    r"figure-button\S*|open-in-viewer|article-section__\S*links|p-figure-links|figlinks|html-fig-download)(?:\s|$)",
    re.IGNORECASE,
)
#: Classes of what wraps a figure where a publisher does not use the element ``figure``.
_WRAPPER = re.compile(
    r"(?:^|\s)(?:image_table|figure|fig|figpanel|figureView|html-fig-wrap|FigureDesc|NLM_fig|figure-wrap|fig-section|"
    r"inline-figure|article-section__inline-figure|inlineFigure|article__inlineFigure|iconblock|boxout|fig-group|"
    r"ltx_figure|figWrapper|fig-inline|fig-expansion|c-article-section__figure|groupcaption|floatingFigure|"
    r"figure-container|figureContainer)(?:\s|$)"
)
_CAPTION = re.compile(
    r"(?:^|\s)(?:fig-?caption|captions?|figure[_-]*caption|caption-?text|graphic_title|image_title|NLM_caption|"
    r"hlFld-FigureCaption|html-fig_caption|html-fig_description|figure__caption|figure-description|figtitle|ltx_caption|"
    r"c-article-section__figure-description|legend|fig-legend|FigureCaption|caption-\S+|caption_target)(?:\s|$)",
    re.IGNORECASE,
)
_PICTURE_FILE = re.compile(r"\.(?:jpe?g|png|gif|tiff?|webp|bmp)(?:$|[?#])", re.IGNORECASE)
#: Pictures that are none of an article's figures.
_NO_FIGURE = re.compile(
    r"charmap|/entities/|spacer|\bicons?\b|logo|sprite|\bblank\b|placeholder|avatar|orcid|/math/|equation|button|"
    r"arrow|badge|/blank\.",
    re.IGNORECASE,
)
#: From the address of a reduced picture to that of the full one, where a publisher's addresses tell.
_FULL_SIZE = (
    (re.compile(r"(//media\.springernature\.com/)(?:lw|w|h|m)\d+(?:h\d+)?(?=/)"), r"\1full"),
    (re.compile(r"(/images/)(?:medium|small)(/[\w.-]+)\.gif$"), r"\1large\2.jpeg"),
    (re.compile(r"(els-cdn\.com/content/image/1-s2\.0-[^/]+?-(?:gr|fx|sc)\d+)(?=\.(?:jpg|gif|png)\b)"), r"\1_lrg"),
    (re.compile(r"(mdpi(?:-res)?\.com/.*-g\d+\w?)-550(?=\.\w+)"), r"\1"),
)
_SOURCES = ("data-lg-src", "data-original", "data-src", "data-lsrc", "data-image", "src")
_BOLD_CLASS = re.compile(r"(?:^|\s)(?:bold|html-bold|ltx_font_bold)(?:\s|$)")
#: Pictures whose name holds the code of the character that they show.
_CHARACTER_PICTURE = re.compile(r"char_([0-9a-f]{4,5})\.gif", re.IGNORECASE)
#: Codes that stand for no character known to others: such a picture's name in words says more.
_PRIVATE_USE = (0xE000, 0xF8FF)
_NAMED = {"double bond": "=", "triple bond": "\u2261", "bond": "\u2013", "thin space": " ", "degree": "\u00b0"}
#: Longest heading in which a figure's label stands outside its caption, characters: a longer one is a caption itself.
_LONGEST_HEADING = 200
#: Longest text of a control ("Download full-size image"), characters.
_LONGEST_CONTROL = 160
#: Side below which a picture is an icon, px.
_ICON_PX = 40


def read_html(data: bytes, path: Path) -> Document:
    """Read a publisher's page.

    Parameters
    ----------
    data : bytes
        The page, in UTF-8 where that fits, else in the encoding that it declares.
    path : Path
        Named in errors.

    Raises
    ------
    InputError
        The page is too large, or holds nothing that can be parsed.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: {len(data) // 1_000_000} MB of HTML is too large to be an article")
    root = _parsed(data, path)
    meta = _metadata(root)
    base = _base_url(root, meta)
    return Document(
        doi=_doi(root, meta),
        title=_title(root, meta),
        abstract=_abstract(root, meta),
        paragraphs=tuple(_paragraphs(root)),
        authors=tuple(
            dict.fromkeys(_given_first(a) for a in meta.get("citation_author") or meta.get("dc.creator") or [])
        ),
        journal=_value(meta, "citation_journal_title", "prism.publicationname", "citation_journal_abbrev"),
        year=_year(meta),
        licence=_licence(root),
        figures=tuple(_figures(root, base)),
        links=unique_urls(urljoin(base, url) for url in meta.get("citation_pdf_url", []) + _data_links(root)),
    )


def _parsed(data: bytes, path: Path) -> Any:
    parser = etree.HTMLParser(encoding=_encoding(data), no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError, AssertionError) as error:
        raise InputError(f"{path}: cannot be read as HTML ({(str(error).splitlines() or ['empty'])[0]})") from error
    if root is None:
        raise InputError(f"{path}: holds no HTML")
    for element in root.iter(etree.Element):
        if ":" in element.tag or "}" in element.tag:  # "mml:math" and the like
            name = re.split(r"[:}]", element.tag)[-1]
            element.tag = name if re.fullmatch(r"[A-Za-z][\w.-]*", name) else "span"
    return root


def _encoding(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        declared = re.search(rb"<meta[^>]+charset=[\"']?([\w-]+)", data[:4096], re.IGNORECASE)
        name = declared[1].decode("ascii", "replace") if declared else "windows-1252"
        try:
            etree.HTMLParser(encoding=name)
        except LookupError:
            return "windows-1252"
        return "windows-1252" if name.lower().replace("-", "") == "utf8" else name
    return "utf-8"


# ---------------------------------------------------------------- about the article


def _metadata(root: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for element in root.iter("meta"):
        name = (element.get("name") or element.get("property") or "").lower()
        content = " ".join((element.get("content") or "").split())
        if name and content:
            found.setdefault(name, []).append(content)
    return found


def _value(meta: dict[str, list[str]], *names: str) -> str:
    return next((meta[name][0] for name in names if name in meta), "")


def _title(root: Any, meta: dict[str, list[str]]) -> str:
    return _value(meta, "citation_title", "dc.title", "og:title") or plain_text(next(root.iter("title"), None))


_ABSTRACT = re.compile(r"(?:^|[\s_-])abs(?:tract)?(?:\d*|[\s_-].*)$", re.IGNORECASE)
#: Parts of a page that are none of the article's text.
_NO_TEXT = ("figure", "figcaption", "table", "nav", "header", "footer", "aside", "form", "li", "button")
#: Characters from which a paragraph says something.
_MIN_PARAGRAPH_CHARS = 60


def _abstract(root: Any, meta: dict[str, list[str]]) -> str:
    for element in root.iter("section", "div"):
        named = f"{element.get('id', '')} {element.get('class', '')} {element.get('aria-labelledby', '')}"
        if any(_ABSTRACT.search(name) for name in named.split()):
            words = " ".join(filter(None, map(plain_text, element.iter("p"))))
            if len(words) >= _MIN_PARAGRAPH_CHARS:
                return words
    return _value(meta, "citation_abstract", "dc.description", "dcterms.abstract", "og:description", "description")


def _paragraphs(root: Any) -> Iterator[str]:
    for element in root.iter("p"):
        if next(element.iterancestors(*_NO_TEXT), None) is None:
            words = plain_text(element)
            if len(words) >= _MIN_PARAGRAPH_CHARS:
                yield words


def _base_url(root: Any, meta: dict[str, list[str]]) -> str:
    for element in root.iter("base"):
        if element.get("href", "").startswith("http"):
            return str(element.get("href"))
    for element in root.iter("link"):
        if element.get("rel") == "canonical" and element.get("href", "").startswith("http"):
            return str(element.get("href"))
    return _value(meta, "citation_fulltext_html_url", "citation_abstract_html_url", "og:url", "prism.url")


def _doi(root: Any, meta: dict[str, list[str]]) -> str | None:
    for name in (
        "citation_doi",
        "prism.doi",
        "dc.identifier",
        "dc.identifier.doi",
        "bepress_citation_doi",
        "publication_doi",
    ):
        for content in meta.get(name, []):
            if plain_doi(content):
                return plain_doi(content)
    for element in root.iter("a", "link"):
        if re.match(r"https?://(?:dx\.)?doi\.org/10\.", element.get("href", "")):
            return plain_doi(element.get("href"))
    return None


def _given_first(name: str) -> str:
    surname, comma, given = name.partition(", ")
    return f"{given} {surname}" if comma else name


def _year(meta: dict[str, list[str]]) -> int | None:
    names = ("citation_publication_date", "citation_online_date", "prism.publicationdate", "dc.date", "citation_date")
    years = [re.search(r"(?:19|20)\d\d", content) for name in names for content in meta.get(name, [])]
    return min((int(match[0]) for match in years if match), default=None)


def _licence(root: Any) -> str | None:
    """The Creative Commons licence that the page links to; else None: a page's footer is no licence."""
    links = [e.get("href", "") for e in root.iter("a", "link") if "creativecommons.org/" in e.get("href", "")]
    named = [name for name in map(normalise_licence, links) if name and name.startswith("CC")]
    return named[0] if named else None


def _data_links(root: Any) -> list[str]:
    hosts = re.compile(r"https?://(?:\w+\.)*(?:zenodo\.org|figshare\.com|github\.com|osf\.io|dryad\w*\.org)/")
    return [a.get("href", "") for a in root.iter("a") if hosts.match(a.get("href", ""))]


# ---------------------------------------------------------------- figures


def _figures(root: Any, base: str) -> Iterator[DocumentFigure]:
    seen: set[str] = set()
    for block in _figure_blocks(root):
        text = _caption_of(block)
        match = _LABEL.match(text.text)
        if match is None:
            continue
        label = " ".join(match["label"].split())
        if label.lower() in seen:
            continue  # pages show a figure again in a gallery or a pop-up
        seen.add(label.lower())
        start = match.end()
        yield DocumentFigure(
            label=label,
            caption=text.text[start:],
            graphics=tuple(_graphics(block, base)),
            emphasised=tuple((max(0, a - start), b - start) for a, b in text.emphasised if b > start),
            id=block.get("id") or None,
        )


def _figure_blocks(root: Any) -> Iterator[Any]:
    """Elements that hold one figure each: of nested wrappers the outermost that holds one label only."""
    candidates = [e for e in root.iter(etree.Element) if e.tag == "figure" or _WRAPPER.search(e.get("class", ""))]
    chosen = set()
    for element in candidates:
        if any(ancestor in chosen for ancestor in element.iterancestors()):
            continue
        inner = [e for e in element.iterdescendants() if e.tag == "figure" or _WRAPPER.search(e.get("class", ""))]
        labels = {m["label"].lower() for m in (_LABEL.match(_caption_of(e).text) for e in inner) if m}
        if len(labels) > 1:
            continue  # several figures side by side: taken one by one
        if _LABEL.match(_caption_of(element).text):
            chosen.add(element)
            yield element


def _caption_of(block: Any) -> FlatText:
    """Label and description of a figure, in the order in which they are read."""
    parts = [e for e in block.iterdescendants() if e.tag == "figcaption" or _is_description(e)]
    outermost = [e for e in parts if not any(other in parts for other in e.iterancestors())]
    text = FlatText()
    for part in outermost or [block]:
        text.gap()
        flatten(part, text, blocks=_BLOCKS, bold=_BOLD, skip=_is_skipped, text_of=_character)
        text.gap()
    if outermost and not _LABEL.match(text.text):
        return _with_outer_label(block, outermost, text)
    return text


def _is_description(element: Any) -> bool:
    return isinstance(element.tag, str) and (
        element.get("data-test") in {"bottom-caption", "figure-caption-text"}
        or bool(_CAPTION.search(element.get("class", "")))
    )


def _with_outer_label(block: Any, parts: list[Any], text: FlatText) -> FlatText:
    """The description behind a label that stands outside it, in a heading or the like."""
    for element in block.iterdescendants("h1", "h2", "h3", "h4", "h5", "h6", "b", "strong", "span", "div", "p", "a"):
        if any(part is element or part in element.iterancestors() for part in parts):
            continue
        own = plain_text(element)
        match = _LABEL.match(own)
        if match and len(own) <= _LONGEST_HEADING and not any(part in element.iterdescendants() for part in parts):
            whole = FlatText()
            whole.add(own)
            whole.gap()
            offset = whole.mark() + 1
            whole.add(text.text)
            whole.emphasised = [(a + offset, b + offset) for a, b in text.emphasised]
            return whole
    return text


def _is_skipped(element: Any) -> bool:
    if element.tag in _NEVER or element.get("aria-hidden") == "true" or element.get("hidden") is not None:
        return True
    if _CONTROL_CLASS.search(element.get("class", "")):
        return True
    return element.tag in {"a", "span", "div", "li", "p"} and bool(_CONTROL_TEXT.fullmatch(_short_text(element)))


def _short_text(element: Any) -> str:
    """An element's text where it is short enough to be a control's; else something that is none."""
    pieces: list[str] = []
    size = 0
    for piece in element.itertext():
        pieces.append(piece)
        size += len(piece)
        if size > _LONGEST_CONTROL:
            return "-"
    return " ".join("".join(pieces).split())


def _stands_in_words(picture: Any, block: Any) -> bool:
    """Whether a picture of a figure stands in its caption, beside words."""
    for element in picture.iterancestors():
        if element is block:
            return False
        if element.tag == "figcaption" or _is_description(element):
            return bool(plain_text(element))
    return False


def _character(element: Any) -> str:
    """The character that a picture stands for, as RSC draws what old fonts lack."""
    match = _CHARACTER_PICTURE.search(element.get("src", "")) if element.tag == "img" else None
    if match and not _PRIVATE_USE[0] <= int(match[1], 16) <= _PRIVATE_USE[1]:
        return chr(int(match[1], 16))
    named = element.get("alt", "") if element.tag == "img" else ""
    return _named_character(named) if match or named.startswith("[") else ""


def _named_character(name: str) -> str:
    """The character of a name such as "[small alpha, Greek]" or "[double bond, length as m-dash]"; "" for others."""
    words = re.split(r"[\s,]+", name.strip(" []").lower())
    if words[0] in {"small", "capital"} and len(words) > 1:
        with contextlib.suppress(KeyError):
            return unicodedata.lookup(f"GREEK {words[0]} LETTER {words[1]}")
    return next((character for start, character in _NAMED.items() if " ".join(words).startswith(start)), "")


def _graphics(block: Any, base: str) -> Iterator[tuple[str, ...]]:
    """One entry a picture of the figure: its addresses, the largest first."""
    links = [
        a.get("href", "")
        for a in block.iter("a")
        if _PICTURE_FILE.search(a.get("href", "")) and not _is_page(a.get("href", ""))
    ]
    pictures = [e for e in block.iter("img") if _is_figure_picture(e)]
    # Pictures amid the words of a caption are symbols and formulae, unless there are no others.
    pictures = [e for e in pictures if not _stands_in_words(e, block)] or pictures
    seen: set[str] = set()
    for picture in pictures:
        around = next((a for a in picture.iterancestors("a") if a.get("href", "") in links), None)
        larger = [around.get("href", "")] if around is not None else links if len(pictures) == 1 else []
        own = [url for url in (picture.get(name, "") for name in _SOURCES) if url and not url.startswith("data:")]
        addresses = [_resolved(url, base) for url in (*_by_size(larger), *own)]
        addresses = list(dict.fromkeys(url for address in addresses for url in (*_full_size(address), address) if url))
        if addresses and addresses[0] not in seen:
            seen.add(addresses[0])
            yield tuple(addresses)
    if not pictures and links:
        yield tuple(_resolved(url, base) for url in _by_size(links))


def _by_size(urls: list[str]) -> list[str]:
    """Addresses of one picture, those that promise the most pixels first."""
    promising = re.compile(r"hi-?res|high|large|_lrg|full|original|/lg/", re.IGNORECASE)
    return sorted(dict.fromkeys(urls), key=lambda url: not promising.search(url))


def _is_page(url: str) -> bool:
    """Whether an address leads to a page around a picture, be the picture named in its query."""
    return bool(re.search(r"\.html?(?:$|[?#])", url))


def _is_figure_picture(element: Any) -> bool:
    sources = (element.get(name, "") for name in _SOURCES)
    source = next((url for url in sources if url and not url.startswith("data:")), "")
    described = f"{element.get('class', '')} {source}"
    small = [element.get(side, "") for side in ("width", "height")]
    tiny = all(side.isdigit() and int(side) < _ICON_PX for side in small)
    return bool(source) and not tiny and not _NO_FIGURE.search(described)


def _full_size(url: str) -> list[str]:
    return [pattern.sub(replacement, url) for pattern, replacement in _FULL_SIZE if pattern.search(url)]


def _resolved(url: str, base: str) -> str:
    """An address with its host, where the page tells it; references beside a saved page stay as they are."""
    url = url.strip()
    if url.startswith("//"):
        return f"https:{url}"
    return urljoin(base, url) if url.startswith("/") and base else url
