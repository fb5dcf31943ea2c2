"""arXiv: the PDF of a preprint, and its licence. One request every three seconds, one at a time, as asked."""

from __future__ import annotations

import re
from pathlib import Path

from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.read.markup import parse_xml, plain_text
from imagedataextractor.articles.retrieve.http import Client, Service
from imagedataextractor.articles.retrieve.source import NOT_ITS_OWN, Fetched
from imagedataextractor.errors import IdeError
from imagedataextractor.settings import Keys, Services

__all__ = ["SOURCE"]

_DOI = re.compile(r"10\.48550/arxiv\.(?P<id>[\w.-]+(?:/\d+)?)", re.IGNORECASE)


class Arxiv:
    """A preprint by its DOI."""

    name = "arXiv"

    def declines(self, doi: str, services: Services, keys: Keys) -> str | None:
        return None if _DOI.fullmatch(doi) else NOT_ITS_OWN

    def fetch(self, doi: str, client: Client, folder: Path) -> Fetched:
        match = _DOI.fullmatch(doi)
        assert match is not None  # `declines` was asked first
        arxiv = Service("arXiv", client.services.arxiv, interval_s=3.0, single=True)
        path = client.download(arxiv, arxiv.url(f"pdf/{match['id']}"), folder / "article.pdf", kind="pdf")
        return Fetched(path, self._licence(match["id"], client, arxiv))

    def _licence(self, identifier: str, client: Client, arxiv: Service) -> str | None:
        """The licence, which only the harvesting interface tells; None where it does not answer."""
        params = {"verb": "GetRecord", "identifier": f"oai:arXiv.org:{identifier}", "metadataPrefix": "arXiv"}
        try:
            answer = client.get(arxiv, arxiv.url("oai2"), params=params, kind="xml")
            root = parse_xml(answer.body, Path("record"))
        except IdeError:
            return None  # a preprint without a known licence is still the preprint that was asked for
        return normalise_licence(plain_text(next(root.iter("license"), None)))


SOURCE = Arxiv()
