"""Elsevier's Article and Object Retrieval: full text as XML, every figure in its largest size.

Needs an API key, and for articles behind a subscription an institution token or an entitled network.
Without entitlement the service still answers with status 200, but with the abstract alone; and a wrong
request for a picture answers with a few hundred bytes of XML. Both are told from the content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.read.elsevier_xml import read_elsevier
from imagedataextractor.articles.read.graphics import GRAPHIC_SUFFIXES, file_name
from imagedataextractor.articles.read.markup import parse_xml, plain_text
from imagedataextractor.articles.retrieve.http import AccessError, Client, NotFoundError, Service
from imagedataextractor.articles.retrieve.source import (
    NOT_ITS_OWN,
    Fetched,
    fetch_figures,
    figure_references,
    local_name,
)
from imagedataextractor.settings import Keys, Services

__all__ = ["SOURCE", "headers", "service"]

#: DOI prefixes of Elsevier and the imprints and societies that it hosts.
_PREFIXES = (
    *("10.1016/", "10.1006/", "10.1053/", "10.1054/", "10.1067/", "10.1078/", "10.1197/", "10.1205/", "10.1240/"),
    *("10.1529/", "10.1580/", "10.2353/", "10.3129/", "10.3182/", "10.3816/", "10.4065/"),
)


def service(services: Services) -> Service:
    return Service("Elsevier", services.elsevier, interval_s=0.12)


def headers(keys: Keys, accept: str) -> dict[str, str]:
    """Headers of a request: the key, the institution's token where there is one, what is wanted."""
    sent = {"X-ELS-APIKey": keys.elsevier_api_key, "Accept": accept}
    if keys.elsevier_insttoken:
        sent["X-ELS-Insttoken"] = keys.elsevier_insttoken
    return sent


class Elsevier:
    """Full text and figures from Elsevier."""

    name = "Elsevier"

    def declines(self, doi: str, services: Services, keys: Keys) -> str | None:
        if not doi.startswith(_PREFIXES):
            return NOT_ITS_OWN
        if not keys.elsevier_api_key:
            return "no API key; get one at https://dev.elsevier.com and set IDE_ELSEVIER_API_KEY"
        return None

    def fetch(self, doi: str, client: Client, folder: Path) -> Fetched:
        elsevier = service(client.services)
        article = folder / "article.xml"
        client.download(
            elsevier,
            elsevier.url(f"content/article/doi/{quote(doi, safe='/()')}"),
            article,
            params={"view": "FULL"},
            headers=headers(client.keys, "text/xml"),
            kind="xml",
        )
        root = parse_xml(article.read_bytes(), article)
        licence = _licence(root)
        document = read_elsevier(root, article)
        if not _is_full(root):
            article.unlink()
            raise AccessError(
                "Elsevier: gives the abstract only; the full text needs a subscription "
                "(an institution's network, or IDE_ELSEVIER_INSTTOKEN)"
            )
        eid = plain_text(next(root.iter("eid"), None))
        listed = {} if document.figures and _lists_objects(root) else self._attachments(doi, client)
        graphics = [references for figure in document.figures for references in figure.graphics]
        wanted = {local_name(n): a for n, a in (_addresses(g, eid, listed, elsevier) for g in graphics) if a}
        _, retry = fetch_figures(client, elsevier, folder, wanted, headers=headers(client.keys, "*/*"))
        return Fetched(article, licence, tuple(figure_references(article)), retry)

    def _attachments(self, doi: str, client: Client) -> Mapping[str, str]:
        """Reference ("gr1") → address of its largest picture, from the list of an article's objects."""
        elsevier = service(client.services)
        try:
            answer = client.get(
                elsevier,
                elsevier.url(f"content/object/doi/{quote(doi, safe='/()')}"),
                params={"view": "META"},
                headers=headers(client.keys, "application/json"),
                kind="json",
            )
        except (NotFoundError, AccessError):
            return {}
        return _largest(answer.json())


def _is_full(root: Any) -> bool:
    """Whether there is more than the abstract: figures, or words in the body."""
    return next(root.iter("figure"), None) is not None or bool(plain_text(next(root.iter("body"), None)))


def _lists_objects(root: Any) -> bool:
    return next(root.iter("object"), None) is not None


def _licence(root: Any) -> str | None:
    text = plain_text(next(root.iter("openaccessUserLicense"), None))
    return normalise_licence(text, plain_text(next(root.iter("copyright"), None)))


def _largest(content: Any) -> dict[str, str]:
    """The largest picture of each reference; every field of the list may be absent."""
    response = content.get("attachment-metadata-response") if isinstance(content, dict) else None
    listed = response.get("attachment") if isinstance(response, dict) else None
    best: dict[str, tuple[int, str]] = {}
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, dict):
            continue
        name = str(entry.get("filename") or entry.get("eid") or "")
        url = str(entry.get("prism:url") or "")
        reference = str(entry.get("ref") or "") or re.sub(r"_lrg$", "", Path(name).stem.rpartition("-")[2])
        if not url or not reference or Path(name or "x.jpg").suffix.lower() not in GRAPHIC_SUFFIXES:
            continue
        area = _number(entry.get("width")) * _number(entry.get("height")) or _number(entry.get("size"))
        if reference not in best or area > best[reference][0]:
            best[reference] = (area, url)
    return {reference: url for reference, (_, url) in best.items()}


def _number(value: object) -> int:
    return int(str(value)) if str(value).isdigit() else 0


def _addresses(
    references: tuple[str, ...], eid: str, listed: Mapping[str, str], elsevier: Service
) -> tuple[str, list[str]]:
    """File name of a figure and its addresses on the service, the largest picture first."""
    locator = references[-1]
    urls = [_on_service(url, elsevier) for url in references if url.startswith("http")]
    if locator in listed:
        urls.insert(0, _on_service(listed[locator], elsevier))
    if eid:
        stem = elsevier.url(f"content/object/eid/{eid}-{locator}")
        urls += [f"{stem}_lrg.jpg?httpAccept=*/*", f"{stem}.jpg?httpAccept=*/*"]
    named = next((file_name(url) for url in urls if Path(file_name(url)).suffix.lower() in GRAPHIC_SUFFIXES), "")
    return named or f"{locator}.jpg", list(dict.fromkeys(_without_thumbnails(urls)))


def _without_thumbnails(urls: list[str]) -> Iterator[str]:
    """Addresses but those of thumbnails (".sml"), in which no particle can be seen."""
    yield from (url for url in urls if not re.search(r"\.sml(?:$|\?)", url))


def _on_service(url: str, elsevier: Service) -> str:
    """An address that the service gives, on the base URL of the settings (a proxy, a mirror)."""
    parts = urlsplit(url)
    if not (parts.hostname or "").endswith("api.elsevier.com"):
        return url
    return elsevier.url(parts.path) + (f"?{parts.query}" if parts.query else "")


SOURCE = Elsevier()
