"""Parse XML safely, and flatten marked-up text to plain text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lxml import etree

from imagedataextractor.articles.dois import INVISIBLE
from imagedataextractor.errors import InputError

__all__ = [
    "FlatText",
    "attribute",
    "children",
    "first",
    "flatten",
    "parse_xml",
    "plain_text",
    "unique_urls",
]

#: Bytes above which a document is refused: the longest articles are some megabytes.
MAX_BYTES = 100_000_000

#: Digits raised behind a digit get characters of their own: "10<sup>3</sup> nm" would read 103 nm without them.
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def parse_xml(data: bytes, path: Path) -> Any:
    """Root element of an XML document, its namespaces stripped.

    No DTD is loaded, no entity is expanded and nothing is fetched.

    Raises
    ------
    InputError
        The document is not well formed, declares entities or is too large.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: {len(data) // 1_000_000} MB of XML is too large to be an article")
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise InputError(f"{path}: broken XML ({_first_line(error)})") from error
    except (ValueError, LookupError) as error:
        raise InputError(f"{path}: cannot be read as XML ({_first_line(error)})") from error
    _refuse_declared_entities(root, path)
    for element in root.iter(etree.Element):
        if "}" in element.tag:
            element.tag = element.tag.rpartition("}")[2]
    return root


def _refuse_declared_entities(root: Any, path: Path) -> None:
    """Refuse a document that uses entities of its own; characters such as ``&nbsp;`` are understood."""
    subset = root.getroottree().docinfo.internalDTD
    declared = {entity.name for entity in subset.iterentities()} if subset is not None else set()
    if declared and any(entity.name in declared for entity in root.iter(etree.Entity)):
        raise InputError(f"{path}: uses XML entities of its own, which articles do not need; refused")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no detail"])[0]


def attribute(element: Any, name: str) -> str:
    """Value of an attribute, whatever its namespace; "" where it is absent."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value).strip()
    return ""


def children(element: Any, *names: str) -> list[Any]:
    """Child elements of these names."""
    return [child for child in element if child.tag in names]


def first(element: Any, *path: str) -> Any:
    """First descendant found by going down `path`, each step anywhere below the one before; else None."""
    for name in path:
        if element is None:
            return None
        element = next(iter(element.iter(name)), None)
    return element


class FlatText:
    """Text that grows piece by piece, with white space collapsed and the bold spans kept."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._space = False
        self.emphasised: list[tuple[int, int]] = []

    def add(self, text: str | None) -> None:
        if not text:
            return
        text = INVISIBLE.sub("", text)
        words = text.split()
        if not words:
            self._space = self._space or bool(text)
            return
        piece = " ".join(words)
        if (self._space or text[0].isspace()) and self._length:
            piece = f" {piece}"
        self._pieces.append(piece)
        self._length += len(piece)
        self._space = text[-1].isspace()

    def gap(self) -> None:
        """The next piece is separated from the last by a space."""
        self._space = True

    def mark(self) -> int:
        """The offset at which the next piece starts (a space before it included)."""
        return self._length

    @property
    def ends_in_digit(self) -> bool:
        """Whether the last character is a digit, to which a digit that follows would belong."""
        return not self._space and bool(self._pieces) and self._pieces[-1][-1].isdigit()

    @property
    def text(self) -> str:
        return "".join(self._pieces)


def flatten(
    element: Any,
    out: FlatText,
    *,
    blocks: frozenset[str],
    bold: frozenset[str],
    skip: Callable[[Any], bool],
    text_of: Callable[[Any], str] | None = None,
) -> FlatText:
    """Append an element's text to `out`.

    Parameters
    ----------
    blocks : set of tag names
        Elements that are set apart from their neighbours: a space goes on either side.
    bold : set of tag names
        Elements whose span is kept in ``out.emphasised``.
    skip : function of an element
        Whether to leave an element out (its tail stays).
    text_of : function of an element
        Text that an element without text stands for.
    """
    out.add(element.text)
    if text_of is not None:
        out.add(text_of(element))
    for child in element:
        if child.tag is etree.Entity:
            out.add(html.unescape(child.text or ""))
        elif isinstance(child.tag, str) and not skip(child):
            start = out.mark()
            if child.tag in blocks:
                out.gap()
            raised = _raised_digits(child) if out.ends_in_digit else ""
            if raised:
                out.add(raised)
            else:
                flatten(child, out, blocks=blocks, bold=bold, skip=skip, text_of=text_of)
            if child.tag in blocks:
                out.gap()
            if child.tag in bold and out.mark() > start:
                out.emphasised.append((start, out.mark()))
        out.add(child.tail)
    return out


def _raised_digits(element: Any) -> str:
    """The digits of a superscript in characters that say so; "" where it is none or holds anything else."""
    if element.tag != "sup":
        return ""
    text = "".join(element.itertext()).strip()
    return text.translate(_SUPERSCRIPTS) if text.isascii() and text.isdigit() else ""


def plain_text(element: Any) -> str:
    """An element's text with white space collapsed; "" for None."""
    if element is None:
        return ""
    out = FlatText()
    return flatten(element, out, blocks=frozenset(), bold=frozenset(), skip=lambda _: False).text


def unique_urls(urls: Iterable[str]) -> tuple[str, ...]:
    """Web addresses (http and https) once each, in order."""
    return tuple(dict.fromkeys(url for url in urls if re.match(r"https?://", url, re.IGNORECASE)))
