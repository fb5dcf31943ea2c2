"""DOIs in texts and as people paste them, brought to one form: bare and lower case."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from imagedataextractor.errors import InputError

__all__ = ["INVISIBLE", "clean_doi", "plain_doi", "plain_dois"]

#: Characters that take no room and come along when text is copied: soft hyphens, zero-width spaces, direction marks.
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
#: Hyphens that PDF files and word processors put in the place of "-".
_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
_START = re.compile(r"(?<![\d.])10\.\d{4,9}(?:\.\d+)*(?:/|%2f)[^\s\"]*", re.IGNORECASE)
#: Some old DOIs (SICI) hold a part in angle brackets: "10.1002/1521-3773(20000117)39:2<310::AID-ANIE310>3.0.CO;2-K".
_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/(?:[^\s\"<>]|<\d+:[:\w.-]+>)+", re.IGNORECASE)
#: An address that leads up to a DOI, with or without its scheme: "https://doi.org/", "www.doi.org/".
_ADDRESS = re.compile(r"(?:https?:/{1,2}|(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?/)[^\s\"]*$", re.IGNORECASE)
_PARAMETERS = re.compile(r"[?#]|&(?!lt;|gt;)")
#: What publishers' addresses hang on to a DOI: the form in which the article is shown.
_VIEW = re.compile(
    r"(?:/(?:full|abstract|abs|e?pdf|meta|html|full-?text|references|figures|suppl_file)(?:\.html?|/.*)?|\.pdf)$", re.I
)
#: The same behind a DOI that was copied out of an address: "?ref=pdf".
_QUERY = re.compile(r"\?[a-z_]+=[^?]*$", re.IGNORECASE)
#: A second DOI right behind the first, or behind markup without a space ("10.1/a'>x</a><p>10.1/b").
_NEXT = re.compile(
    r"[,;|](?=(?:https?:|doi:)|10\.\d{4,9}/)|['<>{}](?=[^\s\",;]*?(?<![\w.(/:-])(?:https?:[^\s\"<>]*/|doi:)?10\.\d{4,9}/)",
    re.IGNORECASE,
)
_PUNCTUATION = ".,;:'\u2019\u201d\u00bb*_|"
_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"))
#: Words that introduce a DOI.
_WORD = re.compile(
    r"\W*(?:(?:digital\s+object\s+identifier|doi)(?![a-z.])\s*(?:\(doi\)\s*|number\s*|no\.?\s*)?[:=#]?\s*)+",
    re.IGNORECASE,
)
#: All that may stand before a DOI that is given by itself.
_BEFORE = re.compile(
    r"[<(\[{\"'\u201c\u2018\u00ab]*(?:(?:https?:/{0,2}|(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?/)\S*|(?:info:|urn:)?doi[:/])?",
    re.IGNORECASE,
)


def plain_dois(text: str | None) -> list[str]:
    """All DOIs of a text, once each, in order; see `plain_doi`."""
    return list(dict.fromkeys(_dois_in(text)))


def plain_doi(text: str | None) -> str | None:
    """The first DOI in a text, lower case; None where there is none.

    Understood are bare DOIs, "doi:10.1/X", addresses at doi.org and at publishers (without what they hang
    on: "/full", "?via=ihub"), percent- and HTML-encoded DOIs, and invisible characters within.
    """
    return next(_dois_in(text), None)


def _dois_in(text: str | None) -> Iterator[str]:
    given = _visible(text or "")
    position = 0
    while match := _START.search(given, position):
        first = _NEXT.split(match.group(), maxsplit=1)[0]
        position = match.start() + len(first)
        doi = _DOI.match(_decoded(first, given[: match.start()]))
        if doi is not None:
            yield _trimmed(doi.group()).lower()


def _visible(text: str) -> str:
    """A text in plain characters: no entities, nothing invisible, no full-width letters, one kind of hyphen."""
    return INVISIBLE.sub("", unicodedata.normalize("NFKC", html.unescape(text)).translate(_HYPHENS))


def _decoded(found: str, before: str) -> str:
    """What begins with a DOI, without percent signs and without what an address hangs on."""
    address = _ADDRESS.search(before)
    if address is not None:
        found = _PARAMETERS.split(found, maxsplit=1)[0]
    if re.search(r"%[0-9a-f]{2}", found, re.IGNORECASE):
        found = unquote(found)
    if address is not None and not re.search(r"\bdoi\.org\b", address.group(), re.IGNORECASE):
        found = _VIEW.sub("", found)
    return found


def _trimmed(doi: str) -> str:
    """A DOI without the punctuation of the sentence around it."""
    doi = _QUERY.sub("", _closed(doi)).rstrip(_PUNCTUATION + "/")
    while any(doi.endswith(close) and doi.count(close) > doi.count(opening) for opening, close in _PAIRS):
        doi = doi[:-1].rstrip(_PUNCTUATION)
    return doi


def _closed(doi: str) -> str:
    """A DOI up to the first brace or bracket that it closes and did not open: "{10.1/a}{title" in TeX."""
    for opening, close in _PAIRS[1:]:
        depth = 0
        for place, character in enumerate(doi):
            depth += (character == opening) - (character == close)
            if depth < 0:
                doi = doi[:place]
                break
    return doi


def clean_doi(text: str) -> str:
    """The DOI that a text is, in its bare form, lower case.

    Taken as people paste it ("DOI 10.1/X", "doi.org/10.1/X", "https://pubs.acs.org/doi/10.1/X", percent-encoded),
    but with no other words around it.

    Raises
    ------
    InputError
        The text is no DOI.
    """
    given = _visible(text).strip()
    alone = _WORD.sub("", given, count=1) if _WORD.match(given) else given
    alone = re.sub(r"(?<=/)\s+(?=10\.)|\s+(?:\[doi\])?[.,;]?$", "", alone)
    doi = plain_doi(alone)
    start = _START.search(alone)
    single = start is not None and not re.search(r"\s", alone) and not _NEXT.search(alone, start.start())
    if doi is None or start is None or not single or not _BEFORE.fullmatch(alone[: start.start()]):
        raise InputError(f"{given[:100]!r} is no DOI; a DOI looks like 10.3390/molecules25040891")
    return doi
