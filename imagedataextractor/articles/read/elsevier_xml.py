"""Read Elsevier's full-text XML, as its Article Retrieval interface sends it.

The envelope lists the picture files of the article in several sizes (``objects/object``); the article
itself names only locators (``gr1``). A figure's graphic is the largest object of its locator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imagedataextractor.articles.dois import plain_doi
from imagedataextractor.articles.licences import figure_licence, normalise_licence
from imagedataextractor.articles.read.document import Document, DocumentFigure
from imagedataextractor.articles.read.markup import (
    FlatText,
    attribute,
    children,
    first,
    flatten,
    plain_text,
    unique_urls,
)
from imagedataextractor.errors import InputError

__all__ = ["is_elsevier", "read_elsevier"]

#: Elements set apart from their neighbours. ``hsp`` and ``br`` are themselves white space.
_BLOCKS = frozenset(
    {"simple-para", "para", "note-para", "list", "list-item", "caption", "section-title", "hsp", "vsp", "br"}
)
_BOLD = frozenset({"bold"})
_WORDLESS = frozenset({"alt-text", "link", "label", "e-component", "annotation", "annotation-xml", "footnote"})
#: What Elsevier's named glyphs look like; the others have no character of their own.
_GLYPHS = {"sbnd": "\u2013", "dbnd": "=", "tbnd": "\u2261", "rarr": "\u2192", "hellip": "\u2026"}
#: Locators of pictures: figures, schemes, chemical structures; not films and supplements ("mmc1").
_NO_PICTURE = re.compile(r"^(?:mmc|am|si)\d*$", re.IGNORECASE)
_CATEGORIES = ("high", "standard", "thumbnail")


def is_elsevier(root: Any) -> bool:
    """Whether an XML document is or holds an Elsevier full text."""
    return _article(root) is not None


def _article(root: Any) -> Any:
    if root.tag == "full-text-retrieval-response":
        return root
    found = first(root, "full-text-retrieval-response")
    if found is not None:
        return found
    # Without the envelope, the article is told from JATS by an element of Elsevier's own.
    return root if first(root, "item-info") is not None else None


def read_elsevier(root: Any, path: Path) -> Document:
    """Read an Elsevier article.

    Parameters
    ----------
    root : element
        Root of the document, namespaces stripped (`markup.parse_xml`).
    path : Path
        Named in errors.

    Raises
    ------
    InputError
        There is no article in the document.
    """
    article = _article(root)
    if article is None:
        raise InputError(f"{path}: no Elsevier article in it (root element {root.tag!r})")
    core = first(article, "coredata")
    core = article if core is None else core
    doi = plain_doi(plain_text(first(core, "doi"))) or plain_doi(plain_text(first(core, "identifier")))
    title = plain_text(first(core, "title")) or plain_text(first(article, "head", "title"))
    year = re.match(r"(\d{4})", plain_text(first(core, "coverDate")) or _copyright_year(article))
    return Document(
        doi=doi,
        title=title,
        abstract=_abstract(article, core),
        paragraphs=tuple(filter(None, map(plain_text, _paragraphs(article)))),
        authors=tuple(dict.fromkeys(_authors(article))),
        journal=plain_text(first(core, "publicationName")),
        year=int(year[1]) if year else None,
        licence=normalise_licence(
            plain_text(first(core, "openaccessUserLicense")),
            plain_text(first(article, "oa-user-license")),
            plain_text(first(core, "copyright")),
        ),
        figures=tuple(_figures(article)),
        links=unique_urls(attribute(e, "href") for e in article.iter("link", "inter-ref")),
    )


def _abstract(article: Any, core: Any) -> str:
    """The author's abstract: graphical ones and highlights say the same again."""
    for abstract in article.iter("abstract"):
        if attribute(abstract, "class") in {"", "author"}:
            words = " ".join(plain_text(part) for part in abstract.iter("simple-para"))
            if words:
                return words
    return plain_text(first(core, "description"))


def _paragraphs(article: Any) -> Iterator[Any]:
    """Paragraphs of the body, captions and notes left out."""
    for body in article.iter("body"):
        for paragraph in body.iter("para"):
            if next(paragraph.iterancestors("caption", "footnote", "para", "table"), None) is None:
                yield paragraph


def _copyright_year(article: Any) -> str:
    copyright_ = first(article, "item-info", "copyright")
    return attribute(copyright_, "year") if copyright_ is not None else ""


def _authors(article: Any) -> Iterator[str]:
    named = [
        f"{plain_text(first(author, 'given-name'))} {plain_text(first(author, 'surname'))}".strip()
        for group in article.iter("author-group")
        for author in children(group, "author")
    ]
    if any(named):
        yield from filter(None, named)
        return
    for creator in article.iter("creator"):
        surname, _, given = plain_text(creator).partition(", ")
        yield f"{given} {surname}".strip()


# ---------------------------------------------------------------- figures


def _figures(article: Any) -> Iterator[DocumentFigure]:
    objects = _objects(article)
    eid = plain_text(first(article, "eid"))
    unnumbered = 0
    for figure in article.iter("figure"):
        if next(figure.iterancestors("figure", "biography"), None) is not None:
            continue  # parts of a figure, portraits
        text = FlatText()
        for caption in _captions(figure):
            text.gap()
            flatten(_with_glyphs(caption), text, blocks=_BLOCKS, bold=_BOLD, skip=lambda e: e.tag in _WORDLESS)
        label = " ".join(filter(None, (plain_text(e) for e in children(figure, "label")))) or _abstract_of(figure)
        if not label:
            unnumbered += 1
        yield DocumentFigure(
            label=label or f"unnumbered figure {unnumbered}",
            caption=text.text,
            graphics=tuple(_graphics(figure, objects, eid)),
            emphasised=tuple(text.emphasised),
            licence=figure_licence(None, " ".join(map(plain_text, children(figure, "source", "copyright"))), None),
            id=attribute(figure, "id") or None,
        )


def _abstract_of(figure: Any) -> str:
    """What the abstract that a figure stands in is called ("Graphical abstract"); "" outside of one."""
    abstract = next(figure.iterancestors("abstract"), None)
    return "" if abstract is None else plain_text(first(abstract, "section-title")) or "Graphical abstract"


def _captions(figure: Any) -> Iterator[Any]:
    """The caption elements in order, parts of the figure included; of several languages the first."""
    own = children(figure, "caption")
    languages = {attribute(caption, "lang") for caption in own}
    chosen = attribute(own[0], "lang") if own else ""
    if "en" in languages:
        chosen = "en"
    yield from (caption for caption in own if len(languages) == 1 or attribute(caption, "lang") == chosen)
    for part in children(figure, "figure"):
        yield from children(part, "label")
        yield from _captions(part)


def _with_glyphs(caption: Any) -> Any:
    for glyph in caption.iter("glyph"):
        glyph.text = _GLYPHS.get(attribute(glyph, "name"), "")
    return caption


def _objects(article: Any) -> dict[str, list[str]]:
    """Locator → addresses of its pictures, the largest first; thumbnails only where there is nothing else."""
    listed: dict[str, list[tuple[int, int, str]]] = {}
    for entry in article.iter("object"):
        reference, address = attribute(entry, "ref"), (entry.text or "").strip()
        category = attribute(entry, "category").lower()
        if not reference or not address or not (attribute(entry, "mimetype") or "image").lower().startswith("image"):
            continue
        rank = _CATEGORIES.index(category) if category in _CATEGORIES else 1
        area = _number(attribute(entry, "width")) * _number(attribute(entry, "height"))
        listed.setdefault(reference, []).append((rank, -area, address))
    for entry in article.iter("attachment"):
        reference = plain_text(first(entry, "file-basename"))
        eid = plain_text(first(entry, "attachment-eid"))
        if reference and eid and reference not in listed:
            kind = plain_text(first(entry, "attachment-type"))
            rank = 0 if kind == "IMAGE-HIGH-RES" else 2 if kind == "IMAGE-THUMBNAIL" else 1
            listed.setdefault(f"\0{reference}", []).append((rank, 0, eid))
    for key in [key for key in listed if key.startswith("\0")]:
        listed.setdefault(key[1:], listed.pop(key))
    return {reference: [address for _, _, address in sorted(found)] for reference, found in listed.items()}


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _graphics(figure: Any, objects: dict[str, list[str]], eid: str) -> Iterator[tuple[str, ...]]:
    seen: set[str] = set()
    for link in figure.iter("link"):
        locator = attribute(link, "locator") or attribute(link, "href").rpartition("/")[2]
        if not locator or _NO_PICTURE.match(locator):
            continue
        if next(link.iterancestors("e-component", "caption", "figure"), figure).tag != "figure":
            continue  # a film, or a link in the words of the caption
        addresses = objects.get(locator, [])
        if locator in seen:
            continue  # the same picture for print and screen
        seen.add(locator)
        # Saved files carry the locator alone or behind the article's identifier, with "_lrg" for the largest.
        names = [f"{eid}-{locator}", locator] if eid else [locator]
        yield (*addresses[:1], *(f"{name}_lrg" for name in names), *addresses[1:], *names)
