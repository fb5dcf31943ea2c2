"""The interface of a source, and what sources share.

A source is one module with one object that has `Source`'s members, and one line in
`retrieve.SOURCES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from imagedataextractor.articles.read import read_article
from imagedataextractor.articles.read.graphics import GRAPHIC_SUFFIXES, file_name
from imagedataextractor.articles.retrieve.http import AccessError, Client, NotFoundError, Service
from imagedataextractor.errors import IdeError, QuotaError
from imagedataextractor.settings import Keys, Services

__all__ = [
    "NOT_ITS_OWN",
    "Fetched",
    "Source",
    "best_by_stem",
    "fetch_figures",
    "figure_references",
    "local_name",
    "server_of",
]

#: What a source declines with whose collection cannot hold a DOI: not worth telling the user.
NOT_ITS_OWN = "not one of its DOIs"


@dataclass(frozen=True)
class Fetched:
    """What a source gave.

    Attributes
    ----------
    article : Path
        The full text, in the folder that the source was given.
    licence : str or None
    missing : tuple of str
        Figure files that the text names and that are not there.
    retry : bool
        Whether asking again later may bring what is missing (a fault, not an absence).
    """

    article: Path
    licence: str | None = None
    missing: tuple[str, ...] = ()
    retry: bool = False


class Source(Protocol):
    """Where full texts and figures come from."""

    name: str

    def declines(self, doi: str, services: Services, keys: Keys) -> str | None:
        """Why this source is not asked for this DOI, in one line; None where it is."""

    def fetch(self, doi: str, client: Client, folder: Path) -> Fetched:
        """Put the full text and its figures into `folder`.

        Raises
        ------
        NotFoundError, AccessError, QuotaError, ServiceError, InputError
        """


def figure_references(article: Path) -> list[str]:
    """References to figure files that a text makes and that do not lie beside it."""
    return [reference for figure in read_article(article).figures for reference in figure.missing]


def server_of(url: str) -> Service:
    """Somebody's server that another service pointed to: a request a second, each server by itself."""
    return Service(f"the server {urlsplit(url).hostname or url[:60]}", "", interval_s=1.0)


def local_name(reference: str, suffix: str = "") -> str:
    """File name for a downloaded figure, without anything that a file system could mistake."""
    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in file_name(reference)).lstrip(".")[:150]
    return name if not suffix or name.lower().endswith(suffix) else f"{name}{suffix}"


def fetch_figures(
    client: Client,
    service: Service,
    folder: Path,
    wanted: Mapping[str, Sequence[str]],
    *,
    headers: Mapping[str, str] | None = None,
    md5s: Mapping[str, str] | None = None,
) -> tuple[tuple[str, ...], bool]:
    """Download figure files, each from the first of its addresses that has it.

    Parameters
    ----------
    wanted : mapping
        File name in `folder` → addresses, the best first.
    md5s : mapping or None
        Address → MD5 sum, where it is announced.

    Returns
    -------
    missing : tuple of str
        File names that no address gave.
    retry : bool
        Whether one of them failed by a fault rather than by absence.

    Raises
    ------
    QuotaError
        The service gives no more for now.
    """
    missing: list[str] = []
    retry = False
    for name, addresses in wanted.items():
        fault = False
        for address in addresses:
            try:
                client.download(
                    service, address, folder / name, headers=headers, kind="image", md5=(md5s or {}).get(address)
                )
                break
            except (NotFoundError, AccessError):
                continue
            except QuotaError:
                raise  # what is there already is not fetched again once the allowance is renewed
            except IdeError:
                fault = True
        else:
            missing.append(name)
            retry = retry or fault
    return tuple(missing), retry


def best_by_stem(names: Iterable[str]) -> dict[str, str]:
    """Stem (lower case) → the name with the least compressed picture format."""
    best: dict[str, str] = {}
    for name in names:
        path = Path(name)
        suffix = path.suffix.lower()
        if suffix not in GRAPHIC_SUFFIXES:
            continue
        stem = path.stem.lower()
        kept = best.get(stem)
        if kept is None or GRAPHIC_SUFFIXES.index(suffix) < GRAPHIC_SUFFIXES.index(Path(kept).suffix.lower()):
            best[stem] = name
    return best
