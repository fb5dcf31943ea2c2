"""Europe PMC: what is known of a DOI, its full text as JATS, and its figures as a zip.

No key. The zip of figures fails for many articles; `pmc`, which is asked first, is the better source
of figures.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.read.graphics import file_name
from imagedataextractor.articles.retrieve.http import Client, NotFoundError, Service, is_whole
from imagedataextractor.articles.retrieve.source import Fetched, best_by_stem, figure_references, local_name
from imagedataextractor.errors import IdeError, ServiceError
from imagedataextractor.files import write_atomically
from imagedataextractor.settings import Keys, Services

__all__ = ["SOURCE", "Known", "find", "service"]

#: Largest picture taken out of a zip, bytes, and the largest sum of them.
_MAX_MEMBER_BYTES = 100_000_000
_MAX_ZIP_BYTES = 1_000_000_000


def service(services: Services) -> Service:
    return Service("Europe PMC", services.europepmc, interval_s=0.1)


@dataclass(frozen=True)
class Known:
    """What Europe PMC knows of an article. ``pmcid`` is None where PubMed Central does not hold it."""

    pmcid: str | None
    licence: str | None
    open_access: bool


def find(doi: str, client: Client) -> Known:
    """Look a DOI up.

    Raises
    ------
    NotFoundError
        Europe PMC does not know the DOI.
    ServiceError
        It could not be asked, or its answer cannot be understood.
    """
    europepmc = service(client.services)
    answer = client.get(
        europepmc,
        europepmc.url("search"),
        params={"query": f'DOI:"{doi}"', "resultType": "core", "format": "json", "pageSize": "25", "cursorMark": "*"},
        kind="json",
        max_age_s=86_400.0,
    )
    for result in results(answer.json()):
        if scalar(result, "doi").lower() == doi:
            return Known(
                pmcid=scalar(result, "pmcid") or None,
                licence=normalise_licence(scalar(result, "license")),
                open_access=scalar(result, "isOpenAccess") == "Y",
            )
    raise NotFoundError("Europe PMC: does not know this DOI")


def results(content: Any) -> list[Mapping[str, Any]]:
    """The records of a search answer."""
    listed = content.get("resultList") if isinstance(content, dict) else None
    found = listed.get("result") if isinstance(listed, dict) else None
    if not isinstance(found, list):
        raise ServiceError("Europe PMC: the answer holds no result list")
    return [record for record in found if isinstance(record, dict)]


def scalar(record: Mapping[str, Any], name: str) -> str:
    """A field as text; some clients of this service wrap every value in a list."""
    value = record.get(name)
    while isinstance(value, list):
        value = value[0] if value else None
    return str(value) if isinstance(value, str | int | float) else ""


class EuropePmc:
    """Full text and figures from Europe PMC itself."""

    name = "Europe PMC"

    def declines(self, doi: str, services: Services, keys: Keys) -> str | None:
        return None

    def fetch(self, doi: str, client: Client, folder: Path) -> Fetched:
        known = find(doi, client)
        if known.pmcid is None:
            raise NotFoundError("Europe PMC: knows this DOI, but has no full text of it")
        europepmc = service(client.services)
        article = folder / f"{known.pmcid}.xml"
        client.download(europepmc, europepmc.url(f"{known.pmcid}/fullTextXML"), article, kind="xml")
        missing = figure_references(article)
        retry = False
        if missing:
            try:
                self._figures(known.pmcid, client, folder, missing)
            except NotFoundError:
                pass
            except IdeError:
                retry = True  # its zip service often fails: the text is of use without it
            missing = figure_references(article)
        return Fetched(article, known.licence, tuple(missing), retry)

    def _figures(self, pmcid: str, client: Client, folder: Path, wanted: list[str]) -> None:
        europepmc = service(client.services)
        path = folder / "supplementaryFiles.zip"
        client.download(
            europepmc,
            europepmc.url(f"{pmcid}/supplementaryFiles"),
            path,
            params={"includeInlineImage": "true"},
            kind="zip",
        )
        try:
            unpack_figures(path.read_bytes(), folder, wanted)
        finally:
            path.unlink(missing_ok=True)


def unpack_figures(data: bytes, folder: Path, wanted: list[str]) -> None:
    """Write the wanted pictures of a zip into `folder`, under their bare names.

    Raises
    ------
    ServiceError
        The zip is broken or holds more than a figure archive can.
    """
    stems = {Path(file_name(w)).stem.lower() for w in wanted} | {file_name(w).lower() for w in wanted}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {file_name(info.filename): info for info in archive.infolist() if not info.is_dir()}
            chosen = [name for stem, name in best_by_stem(members).items() if stem in stems]
            if sum(members[name].file_size for name in chosen) > _MAX_ZIP_BYTES:
                raise ServiceError("Europe PMC: the figure archive is too large; refused")
            for name in chosen:
                with archive.open(members[name]) as stream:
                    picture = stream.read(_MAX_MEMBER_BYTES + 1)
                if len(picture) <= _MAX_MEMBER_BYTES and is_whole(picture):
                    write_atomically(folder / local_name(name), picture)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error) as error:
        raise ServiceError(f"Europe PMC: the figure archive is broken ({error})") from error


SOURCE = EuropePmc()
