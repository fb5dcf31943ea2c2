"""Crossref: who published a DOI, under which licence, and where its full text may be mined.

No key; with a contact address the requests go to the faster, "polite" pool. A full text is fetched only
from links that the publisher gave for text mining, and only under a Creative Commons licence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.retrieve.http import AccessError, Client, Kind, NotFoundError, Service
from imagedataextractor.articles.retrieve.source import Fetched, figure_references, server_of
from imagedataextractor.errors import IdeError, QuotaError, ServiceError
from imagedataextractor.settings import Keys, Services

__all__ = ["SOURCE", "Work", "find", "service", "work_from"]

#: Content types of full texts that can be read, the best first, with the kind of answer that each must be.
_KINDS: Mapping[str, Kind] = {"application/xml": "xml", "text/xml": "xml", "application/pdf": "pdf"}


@dataclass(frozen=True)
class Work:
    """What Crossref knows of a DOI. ``links`` are (address, content type), those for mining first."""

    doi: str
    title: str
    year: int | None
    journal: str
    licence: str | None
    links: tuple[tuple[str, str], ...]


def service(services: Services) -> Service:
    return Service("Crossref", services.crossref, interval_s=0.1 if services.contact else 0.2, single=True)


def parameters(services: Services) -> dict[str, str]:
    """The contact address, as the polite pool asks for it."""
    return {"mailto": services.contact} if services.contact else {}


def work_from(message: Mapping[str, Any]) -> Work:
    """A record of the service as a `Work`; fields that are absent stay empty."""
    licences = [entry for entry in message.get("license") or [] if isinstance(entry, dict)]
    # The licence of the published version; "tdm" and "vor" entries may differ.
    licences.sort(key=lambda entry: entry.get("content-version") not in {"vor", "unspecified"})
    links = [entry for entry in message.get("link") or [] if isinstance(entry, dict) and entry.get("URL")]
    links.sort(key=lambda entry: entry.get("intended-application") != "text-mining")
    parts = (message.get("issued") or {}).get("date-parts") or [[None]]
    year = parts[0][0] if parts and parts[0] else None
    return Work(
        doi=str(message.get("DOI") or "").lower(),
        title=_first(message.get("title")),
        year=int(year) if isinstance(year, int) else None,
        journal=_first(message.get("container-title")),
        licence=normalise_licence(*(str(entry.get("URL") or "") for entry in licences)),
        links=tuple((str(entry["URL"]), str(entry.get("content-type") or "unspecified")) for entry in links),
    )


def find(doi: str, client: Client) -> Work:
    """Look a DOI up.

    Raises
    ------
    NotFoundError
        Crossref does not know the DOI.
    ServiceError
        It could not be asked, or its answer cannot be understood.
    """
    crossref = service(client.services)
    answer = client.get(
        crossref,
        crossref.url(f"works/{quote(doi, safe='')}"),
        params=parameters(client.services),
        kind="json",
        max_age_s=86_400.0,
    )
    content = answer.json()
    message = content.get("message") if isinstance(content, dict) else None
    if not isinstance(message, dict):
        raise ServiceError("Crossref: the answer holds no record")
    return work_from(message)


def _first(values: object) -> str:
    return " ".join(str(values[0]).split()) if isinstance(values, list) and values else ""


class Crossref:
    """Full text from the publisher's own links for text mining."""

    name = "Crossref"

    def declines(self, doi: str, services: Services, keys: Keys) -> str | None:
        return None

    def fetch(self, doi: str, client: Client, folder: Path) -> Fetched:
        work = find(doi, client)
        if not (work.licence or "").startswith("CC"):
            raise AccessError(f"Crossref: the licence ({work.licence or 'none given'}) is not open")
        return self._from_links(work, client, folder)

    def _from_links(self, work: Work, client: Client, folder: Path) -> Fetched:
        reasons = []
        for content_type, kind in _KINDS.items():
            for url in (url for url, given in work.links if given == content_type):
                try:
                    path = client.download(server_of(url), url, folder / f"article.{kind}", kind=kind)
                    return Fetched(path, work.licence, tuple(figure_references(path)))
                except QuotaError:
                    raise
                except IdeError as error:
                    reasons.append(str(error))
        if reasons:
            raise ServiceError(f"Crossref: {reasons[-1]}")
        raise NotFoundError("Crossref: knows this DOI, but gives no link to its full text")


SOURCE = Crossref()
