"""Springer Nature's open-access interface: full text as JATS, figures from the publisher's static server.

Needs a key of its own, free of charge. The answer echoes the key: the client takes it out before
anything is stored.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from imagedataextractor.articles.read import read_article
from imagedataextractor.articles.read.graphics import file_name
from imagedataextractor.articles.read.markup import parse_xml, plain_text
from imagedataextractor.articles.retrieve.http import Client, NotFoundError, Service
from imagedataextractor.articles.retrieve.source import (
    NOT_ITS_OWN,
    Fetched,
    fetch_figures,
    figure_references,
    local_name,
)
from imagedataextractor.settings import Keys, Services

__all__ = ["SOURCE"]

#: DOI prefixes of Springer, Nature, BioMed Central and the societies that publish with them.
_PREFIXES = (
    *("10.1007/", "10.1038/", "10.1186/", "10.1057/", "10.1140/", "10.1134/", "10.1023/", "10.1208/", "10.1245/"),
    *("10.1251/", "10.1365/", "10.1379/", "10.1617/", "10.1631/", "10.3103/", "10.3758/", "10.12942/", "10.1065/"),
)


class Springer:
    """Full text and figures from Springer Nature."""

    name = "Springer Nature"

    def declines(self, doi: str, services: Services, keys: Keys) -> str | None:
        if not doi.startswith(_PREFIXES):
            return NOT_ITS_OWN
        if not keys.springer_api_key:
            return "no API key; get one at https://dev.springernature.com and set IDE_SPRINGER_API_KEY"
        return None

    def fetch(self, doi: str, client: Client, folder: Path) -> Fetched:
        api = Service("Springer Nature", client.services.springer, interval_s=0.6)
        article = folder / "article.xml"
        client.download(
            api,
            api.url("openaccess/jats"),
            article,
            params={"q": f"doi:{doi}", "api_key": client.keys.springer_api_key, "s": "1", "p": "1"},
            kind="xml",
        )
        root = parse_xml(article.read_bytes(), article)
        total = next((plain_text(e) for e in root.iter("total")), "")
        if total == "0" or next(root.iter("article"), None) is None:
            article.unlink()
            raise NotFoundError("Springer Nature: has no open-access full text of this DOI")
        static = Service("Springer Nature's pictures", client.services.springer_static, interval_s=0.2)
        _, retry = fetch_figures(client, static, folder, _wanted(doi, article, static))
        return Fetched(article, read_article(article).licence, tuple(figure_references(article)), retry)


def _wanted(doi: str, article: Path, static: Service) -> dict[str, list[str]]:
    """File name → addresses of every figure that the text names, the full size before a reduced one."""
    wanted = {}
    for reference in figure_references(article):
        name = file_name(reference)
        if not re.search(r"\.\w{3,4}$", name):
            name = f"{name}.png"
        path = f"springer-static/image/art%3A{quote(doi, safe='')}/MediaObjects/{quote(name)}"
        wanted[local_name(name)] = [static.url(f"{size}/{path}") for size in ("full", "lw1200", "lw685")]
    return wanted


SOURCE = Springer()
