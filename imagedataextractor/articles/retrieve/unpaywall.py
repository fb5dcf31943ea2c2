"""Unpaywall: where a legal, open PDF of an article lies. Asks for a contact address with every request."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.retrieve.http import Client, NotFoundError, Service
from imagedataextractor.articles.retrieve.source import Fetched, server_of
from imagedataextractor.errors import IdeError, ServiceError
from imagedataextractor.settings import Keys, Services

__all__ = ["SOURCE"]

#: PDFs tried at most: repositories hold copies of copies.
_MAX_PLACES = 4


class Unpaywall:
    """A PDF from wherever Unpaywall knows an open one."""

    name = "Unpaywall"

    def declines(self, doi: str, services: Services, keys: Keys) -> str | None:
        if "@" not in services.contact:
            return "needs a contact address; set IDE_CONTACT to your e-mail address"
        return None

    def fetch(self, doi: str, client: Client, folder: Path) -> Fetched:
        unpaywall = Service("Unpaywall", client.services.unpaywall, interval_s=0.2)
        answer = client.get(
            unpaywall,
            unpaywall.url(f"v2/{quote(doi, safe='/')}"),
            params={"email": client.services.contact},
            kind="json",
            max_age_s=86_400.0,
        )
        places = list(_places(answer.json()))
        if not places:
            raise NotFoundError("Unpaywall: knows no open PDF of this DOI")
        reasons = []
        for url, licence in places[:_MAX_PLACES]:
            try:
                path = client.download(server_of(url), url, folder / "article.pdf", kind="pdf")
                return Fetched(path, licence)
            except IdeError as error:
                reasons.append(str(error))
        raise ServiceError(f"Unpaywall: {reasons[-1]}")


def _places(content: Any) -> list[tuple[str, str | None]]:
    """Address and licence of each open PDF, the best first, the published version before the others."""
    if not isinstance(content, dict):
        raise ServiceError("Unpaywall: the answer holds no record")
    best, others = content.get("best_oa_location"), content.get("oa_locations")
    locations = [best, *(others if isinstance(others, list) else [])]
    found: dict[str, dict[str, Any]] = {}
    for location in locations:
        if isinstance(location, dict) and location.get("url_for_pdf"):
            found.setdefault(str(location["url_for_pdf"]), location)
    ranked = sorted(found, key=lambda url: found[url].get("version") != "publishedVersion")
    return [(url, normalise_licence(str(found[url].get("license") or ""))) for url in ranked]


SOURCE = Unpaywall()
