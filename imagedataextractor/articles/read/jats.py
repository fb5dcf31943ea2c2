"""Read JATS and its forebears (NLM), as PubMed Central, Europe PMC, Springer Nature and eLife give it.

What publishers do differently and this reader takes as equal: figures in the text, in
``floats-group`` or in ``fig-group``; the caption in ``title``, in ``p`` or in both; several graphics a
figure, in ``alternatives``, in ``p`` or with a thumbnail beside; file names with and without suffix;
an envelope around the article.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from imagedataextractor.articles.dois import plain_doi
from imagedataextractor.articles.figure_words import FIGURE_WORD, LABEL_END
from imagedataextractor.articles.licences import normalise_licence
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

__all__ = ["is_jats", "read_jats"]

_BLOCKS = frozenset(
    {"p", "title", "subtitle", "sec", "list", "list-item", "disp-formula", "disp-quote", "break", "attrib", "caption"}
    | {"def", "def-item", "def-list", "label", "td", "tr", "th"}
)
_BOLD = frozenset({"bold", "b"})
#: Elements that are no words of a caption.
_WORDLESS = frozenset(
    {"graphic", "inline-graphic", "media", "object-id", "permissions", "alt-text", "long-desc", "label", "target"}
    | {"annotation", "annotation-xml", "index-term"}
)
_THUMBNAIL = re.compile(r"thumb|small|preview", re.IGNORECASE)
_NUMBERED = re.compile(
    r"\s*(?:supplement\w*\s+|extended\s+data\s+|appendix\s+)?(?:fig|scheme|chart|plate|image|box|graph)", re.I
)
_LABEL = re.compile(rf"\s*((?:{FIGURE_WORD}|Scheme|Chart)\s*S?\d+){LABEL_END}", re.IGNORECASE)
_REVIEWS = ("sub-article", "response")


def is_jats(root: Any) -> bool:
    """Whether an XML document is or holds a JATS article."""
    return _article(root) is not None


def _article(root: Any) -> Any | None:
    return root if root.tag == "article" else next(root.iter("article"), None)


def read_jats(root: Any, path: Path) -> Document:
    """Read a JATS article.

    Parameters
    ----------
    root : element
        Root of the document, namespaces stripped (`markup.parse_xml`); an envelope around the
        article, as Springer Nature's interface sends, is taken off.
    path : Path
        Named in errors.

    Raises
    ------
    InputError
        There is no article in the document.
    """
    article: Any = _article(root)
    if article is None:
        raise InputError(f"{path}: no article in it (root element {root.tag!r})")
    meta = first(article, "article-meta")
    meta = article if meta is None else meta
    return Document(
        doi=_doi(meta),
        title=plain_text(
            first(meta, "title-group", "article-title") if first(meta, "title-group") is not None else None
        ),
        abstract=_abstract(meta),
        paragraphs=tuple(filter(None, map(plain_text, _paragraphs(article)))),
        authors=tuple(_authors(meta)),
        journal=plain_text(first(article, "journal-title")),
        year=_year(meta),
        licence=_licence(children(meta, "permissions")),
        figures=tuple(_figures(article)),
        links=unique_urls(attribute(e, "href") for e in article.iter("self-uri", "ext-link", "uri")),
    )


def _doi(meta: Any) -> str | None:
    for identifier in meta.iter("article-id"):
        if attribute(identifier, "pub-id-type") == "doi":
            return plain_doi(plain_text(identifier))
    return None


def _abstract(meta: Any) -> str:
    """The abstract proper, in the article's own language: graphical ones and highlights say the same again."""
    own = [element for element in children(meta, "abstract") if not attribute(element, "abstract-type")]
    return " ".join(filter(None, (plain_text(p) for element in own[:1] for p in element.iter("p"))))


def _paragraphs(article: Any) -> Iterator[Any]:
    """Paragraphs of the body, captions and tables left out."""
    for paragraph in (p for body in children(article, "body") for p in body.iter("p")):
        if next(paragraph.iterancestors("caption", "fig", "table-wrap", "boxed-text", "p"), None) is None:
            yield paragraph


def _authors(meta: Any) -> Iterator[str]:
    for contributor in meta.iter("contrib"):
        if attribute(contributor, "contrib-type") not in {"author", ""}:
            continue
        surname = plain_text(first(contributor, "surname"))
        given = plain_text(first(contributor, "given-names"))
        name = f"{given} {surname}".strip() or plain_text(first(contributor, "string-name"))
        name = name or plain_text(first(contributor, "collab"))
        if name:
            yield name


def _year(meta: Any) -> int | None:
    """The year of first publication: the earliest of the dates given."""
    years = [plain_text(first(date, "year")) for date in children(meta, "pub-date")]
    numbers = [int(year) for year in years if re.fullmatch(r"(?:1[6-9]|2[01])\d\d", year)]
    return min(numbers, default=None)


def _licence(permissions: list[Any]) -> str | None:
    for permission in permissions:
        for licence in permission.iter("license"):
            urls = [attribute(licence, "href")]
            urls += [plain_text(e) for e in licence.iter("license_ref")]
            urls += [attribute(e, "href") for e in licence.iter("ext-link", "uri")]
            found = normalise_licence(*(u for u in urls if "creativecommons" in u), plain_text(licence), *urls)
            if found:
                return found
        for reference in permission.iter("license_ref"):
            return normalise_licence(plain_text(reference))
    return None


# ---------------------------------------------------------------- figures


def _figures(article: Any) -> Iterator[DocumentFigure]:
    """Figures in the order of the document; those of reviews and translations are not the article's."""
    unnumbered = 0
    for element in _figure_elements(article):
        figure = _grouped(element) if element.tag == "fig-group" else _figure(element)
        if not figure.label:
            match = _LABEL.match(figure.caption)
            unnumbered += not match
            label = match[1] if match else f"unnumbered figure {unnumbered}"
            figure = replace(figure, label=label)
        yield figure


def _figure_elements(element: Any) -> Iterator[Any]:
    for child in element:
        if not isinstance(child.tag, str) or child.tag in _REVIEWS:
            continue
        if child.tag == "fig":
            yield child
            yield from _figure_elements(child)
        elif child.tag == "fig-group" and _is_one_figure(child):
            yield child
        else:
            yield from _figure_elements(child)


def _is_one_figure(group: Any) -> bool:
    """Whether a group is one numbered figure in parts, rather than several figures side by side."""
    has_own = bool(children(group, "label")) or bool(children(group, "caption"))
    parts = [plain_text(label) for fig in group.iter("fig") for label in children(fig, "label")[:1]]
    return has_own and not any(_NUMBERED.match(label) for label in parts)


def _figure(fig: Any) -> DocumentFigure:
    text = FlatText()
    for caption in children(fig, "caption"):
        _flatten_caption(caption, text)
    if not text.text:
        # A few files keep the description beside the figure's caption instead of in it.
        for part in children(fig, "p", "attrib"):
            _flatten_caption(part, text)
    return DocumentFigure(
        label=" ".join(filter(None, (plain_text(label) for label in children(fig, "label")))),
        caption=text.text,
        graphics=tuple(_graphics(fig)),
        emphasised=tuple(text.emphasised),
        licence=_licence(children(fig, "permissions")),
        id=attribute(fig, "id") or None,
    )


def _grouped(group: Any) -> DocumentFigure:
    """One figure from a group whose parts are panels."""
    whole = _figure(group)
    text = FlatText()
    for caption in children(group, "caption"):
        _flatten_caption(caption, text)
    for fig in group.iter("fig"):
        for part in children(fig, "label", "caption"):
            text.gap()
            if part.tag == "label":
                text.add(plain_text(part))
            else:
                _flatten_caption(part, text)
    graphics = [graphic for fig in group.iter("fig") for graphic in _graphics(fig)]
    return replace(whole, caption=text.text, graphics=(*whole.graphics, *graphics), emphasised=tuple(text.emphasised))


def _flatten_caption(caption: Any, out: FlatText) -> None:
    out.gap()
    flatten(caption, out, blocks=_BLOCKS, bold=_BOLD, skip=_is_no_words)
    out.gap()


def _is_no_words(element: Any) -> bool:
    if element.tag == "tex-math":
        # TeX beside MathML says the same again, in code.
        parent = element.getparent()
        return parent is not None and next(iter(parent.iter("math")), None) is not None
    return element.tag in _WORDLESS


def _graphics(fig: Any) -> Iterator[tuple[str, ...]]:
    """One entry a picture of this figure: the references to it, the best first."""
    own = [e for e in fig.iter("graphic", "media") if _owner(e) is fig and _is_picture(e)]
    # Pictures amid the words of a caption are symbols and formulae, unless there are no others.
    for element in [e for e in own if next(e.iterancestors("caption", "fig")).tag != "caption"] or own:
        parent: Any = element.getparent()
        if parent.tag == "alternatives":
            versions = [e for e in children(parent, "graphic", "media") if _is_picture(e)]
            if versions[0] is element:
                yield tuple(attribute(e, "href") for e in sorted(versions, key=_is_thumbnail))
        elif not (_is_thumbnail(element) and len(list(fig.iter("graphic"))) > 1):
            yield (attribute(element, "href"),)


def _owner(element: Any) -> Any:
    """The figure an element belongs to: figures may hold figures, tables and formulae."""
    return next(
        (e for e in element.iterancestors("fig", "fig-group", "table-wrap", "disp-formula", "inline-formula")), None
    )


def _is_picture(element: Any) -> bool:
    kind = f"{attribute(element, 'mimetype')} {attribute(element, 'mime-subtype')}".lower()
    href = attribute(element, "href")
    if element.tag == "media":
        return bool(href) and (
            "image" in kind or bool(re.search(r"\.(?:jpe?g|png|gif|tiff?|bmp|webp)$", href, re.IGNORECASE))
        )
    return bool(href) and "video" not in kind


def _is_thumbnail(element: Any) -> bool:
    return any(_THUMBNAIL.search(attribute(element, name)) for name in ("content-type", "specific-use", "role"))
