"""Licences, as one short name each, from the URLs and the sentences that documents give.

``CC BY 4.0``, ``CC BY-NC-ND 4.0``, ``CC0 1.0`` …; what is no Creative Commons licence keeps its own
words, shortened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from imagedataextractor.errors import LicenceError

__all__ = ["THIRD_PARTY", "figure_licence", "licence_allowed", "normalise_licence", "require_licence"]

#: Licence of a figure that is reprinted from elsewhere: the article's own licence does not cover it.
THIRD_PARTY = "third party, reproduced with permission"

_URL = re.compile(r"creativecommons\.org/(?:licen[sc]es|publicdomain)/(?P<kind>[a-z-]+)(?:/(?P<version>\d\.\d))?", re.I)
_SHORT = re.compile(
    r"(?<![a-z])cc[\s_-]*(?P<kind>by(?:[\s_-]*(?:nc|nd|sa))*|0|zero)(?![a-z])(?:[\s_-]*v?(?P<version>\d\.\d))?",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"creative\s+commons\s+(?:(?P<words>attribution[\w\s,\u2010-\u2015-]*?)|(?P<zero>zero|cc0|public\s+domain))"
    r"(?=\s*(?:\(|licen[sc]e|international|unported|public|\d|$|[.;]))(?P<rest>[^.;]{0,60}?(?P<version>\d\.\d))?",
    re.IGNORECASE,
)
_REPRODUCED = re.compile(
    r"\b(?:re(?:produced|printed|used)|adapted|modified|taken|copied)\b[^.]{0,80}?\b(?:with|by|under)\s+(?:kind\s+|the\s+)?permission|"
    r"\bwith\s+(?:kind\s+)?permission\s+(?:from|of)\b|\bcopyright\s*(?:©\s*)?(?:19|20)\d\d\b|©\s*(?:19|20)\d\d\b",
    re.IGNORECASE,
)
#: Longest text of a licence that is no Creative Commons licence.
_MAX_CHARS = 120


def normalise_licence(*texts: str | None) -> str | None:
    """The short name of the licence that URLs or sentences speak of, the first one that tells.

    Parameters
    ----------
    *texts : str or None
        URLs, codes ("cc by-nc") or sentences, the most telling first.

    Returns
    -------
    str or None
        "CC BY 4.0", "CC BY-NC", "CC0 1.0" …; the first text itself, shortened, where none is a
        Creative Commons licence; None where there is no text.
    """
    given = [text.strip() for text in texts if text and text.strip()]
    named = [name for name in map(_creative_commons, given) if name]
    if named:
        # A URL without its version is completed by a text that has it.
        kind = named[0].split(" ")[1] if " " in named[0] else named[0]
        return next(
            (name for name in named if name[-1].isdigit() and name != "CC0" and kind in name.split(" ")), named[0]
        )
    return " ".join(given[0].split())[:_MAX_CHARS] if given else None


def _creative_commons(text: str) -> str | None:
    match = _URL.search(text) or _SHORT.search(text)
    if match:
        return _named(match["kind"], match["version"])
    match = _WORDS.search(text)
    if not match:
        return None
    if match["zero"]:
        return _named("zero", match["version"])
    words = match["words"].lower()
    parts = ["by"]
    for part, pattern in (("nc", r"non\W?commercial"), ("nd", r"no\W?deriv"), ("sa", r"share\W?alike")):
        if re.search(pattern, words):
            parts.append(part)
    return _named("-".join(parts), match["version"])


def _named(kind: str, version: str | None) -> str | None:
    kind = re.sub(r"[\s_-]+", "-", kind.lower())
    if kind in {"0", "zero", "mark", "publicdomain"}:
        return f"CC0 {version}" if version else "CC0"
    if not kind.startswith("by"):
        return None
    return f"CC {kind.upper()} {version}" if version else f"CC {kind.upper()}"


def figure_licence(own: str | None, caption: str, article: str | None) -> str | None:
    """Licence of a figure: its own, or that of the article unless the caption says it is reprinted."""
    if own:
        return own
    return THIRD_PARTY if _REPRODUCED.search(caption) else article


def licence_allowed(licence: str | None, wanted: Iterable[str]) -> bool:
    """Whether a licence is among the wanted ones.

    "CC BY" takes every version of CC BY, but not CC BY-NC; "CC" takes every Creative Commons
    licence; nothing wanted takes everything. Upper and lower case, spaces and hyphens do not matter.
    """
    names = [_plain(name) for name in wanted if name.strip()]
    if not names:
        return True
    if licence is None:
        return False
    have = _plain(licence)
    return any(
        have == name or have.startswith(f"{name} ") or (name == "cc" and have.startswith("cc")) for name in names
    )


def require_licence(name: str, licence: str | None, wanted: Sequence[str], *, unknown_too: bool = False) -> None:
    """Refuse what stands under another licence than those wanted.

    Parameters
    ----------
    name : str
        Of the article, for the error.
    licence : str or None
    wanted : sequence of str
        As for `licence_allowed`.
    unknown_too : bool
        Let pass what states no licence.

    Raises
    ------
    LicenceError
        With the licence that it stands under.
    """
    if licence_allowed(licence, wanted) or (unknown_too and licence is None):
        return
    told = f"its licence is {licence}" if licence else "it states no licence"
    raise LicenceError(f"{name}: {told}, not {' or '.join(wanted)}; passed over")


def _plain(licence: str) -> str:
    name = normalise_licence(licence) or licence
    return re.sub(r"[\s_]+", " ", name.lower()).strip()
