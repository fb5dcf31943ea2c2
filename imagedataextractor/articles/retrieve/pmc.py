"""PubMed Central's open data: full text as JATS and every figure file, on a public bucket.

The bucket is asked over plain HTTPS: the versions of an article, the metadata of the highest one, and
the files that the metadata list, with their MD5 sums. The bucket knows articles by PMCID; which one
belongs to a DOI says Europe PMC, or PubMed Central's own converter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.read.graphics import file_name
from imagedataextractor.articles.read.markup import parse_xml
from imagedataextractor.articles.retrieve import europepmc
from imagedataextractor.articles.retrieve.http import Client, NotFoundError, Service
from imagedataextractor.articles.retrieve.source import (
    Fetched,
    best_by_stem,
    fetch_figures,
    figure_references,
    local_name,
)
from imagedataextractor.errors import InputError, ServiceError
from imagedataextractor.settings import Keys, Services

__all__ = ["SOURCE", "pmcid_of"]


def _bucket(services: Services) -> Service:
    return Service("PMC open data", services.pmc_bucket, interval_s=0.05)


def pmcid_of(doi: str, client: Client) -> tuple[str, str | None]:
    """PMCID of a DOI, and the article's licence where it is known.

    Raises
    ------
    NotFoundError
        PubMed Central does not hold the article.
    ServiceError
        Neither Europe PMC nor the converter could be asked.
    """
    try:
        known = europepmc.find(doi, client)
    except ServiceError as error:
        pmcid = _converted(doi, client, error)
        return pmcid, None
    if known.pmcid is None:
        return _converted(doi, client, NotFoundError("PMC: does not hold this article")), known.licence
    return known.pmcid, known.licence


def _converted(doi: str, client: Client, reason: ServiceError) -> str:
    """PMCID from PubMed Central's id converter; `reason` is raised where it has none either."""
    converter = Service("PMC id converter", client.services.pmc_idconv, interval_s=0.34)
    params = {"ids": doi, "idtype": "doi", "format": "json", "tool": "imagedataextractor"}
    if client.services.contact:
        params["email"] = client.services.contact
    try:
        content = client.get(converter, converter.url(""), params=params, kind="json", max_age_s=86_400.0).json()
    except ServiceError as error:
        raise reason from error
    records = content.get("records") if isinstance(content, dict) else None
    for record in records if isinstance(records, list) else []:
        if isinstance(record, dict) and re.fullmatch(r"PMC\d+", str(record.get("pmcid", ""))):
            return str(record["pmcid"])
    raise reason


class Pmc:
    """Full text and figures from the bucket."""

    name = "PMC open data"

    def declines(self, doi: str, services: Services, keys: Keys) -> str | None:
        return None

    def fetch(self, doi: str, client: Client, folder: Path) -> Fetched:
        pmcid, licence = pmcid_of(doi, client)
        bucket = _bucket(client.services)
        version = self._latest(pmcid, client, bucket)
        metadata = self._metadata(version, client, bucket)
        url, md5 = _address(str(metadata.get("xml_url") or ""), bucket)
        if not url:
            raise NotFoundError(f"PMC open data: holds {pmcid}, but no full text of it")
        article = folder / f"{pmcid}.xml"
        client.download(bucket, url, article, kind="xml", md5=md5)
        wanted, md5s = self._wanted(article, metadata, bucket)
        _, retry = fetch_figures(client, bucket, folder, wanted, md5s=md5s)
        licence = normalise_licence(str(metadata.get("license_code") or "")) or licence
        return Fetched(article, licence, tuple(figure_references(article)), retry)

    def _latest(self, pmcid: str, client: Client, bucket: Service) -> str:
        """Key of the highest version, as "PMC123.2"."""
        answer = client.get(
            bucket,
            bucket.url(""),
            params={"list-type": "2", "prefix": f"{pmcid}.", "delimiter": "/"},
            kind="xml",
            max_age_s=86_400.0,
        )
        try:
            root = parse_xml(answer.body, Path("listing"))
        except InputError as error:
            raise ServiceError(f"PMC open data: the listing cannot be read ({error})") from error
        prefixes = [element.text or "" for element in root.iter("Prefix", "Key")]
        versions = {int(m[1]) for m in (re.match(rf"{pmcid}\.(\d+)(?:/|$)", prefix) for prefix in prefixes) if m}
        if not versions:
            raise NotFoundError(f"PMC open data: does not hold {pmcid}")
        return f"{pmcid}.{max(versions)}"

    def _metadata(self, version: str, client: Client, bucket: Service) -> Mapping[str, Any]:
        answer = client.get(bucket, bucket.url(f"metadata/{version}.json"), kind="json", max_age_s=86_400.0)
        content = answer.json()
        if not isinstance(content, dict):
            raise ServiceError(f"PMC open data: the metadata of {version} cannot be understood")
        return content

    def _wanted(
        self, article: Path, metadata: Mapping[str, Any], bucket: Service
    ) -> tuple[dict[str, list[str]], dict[str, str]]:
        """File name → address of every figure that the text names and the bucket has; address → MD5."""
        listed = metadata.get("media_urls")
        media: dict[str, tuple[str, str | None]] = {}
        for entry in listed if isinstance(listed, list) else []:
            url, md5 = _address(str(entry), bucket)
            if url:
                media[file_name(url)] = (url, md5)
        by_stem = best_by_stem(media)
        wanted: dict[str, list[str]] = {}
        md5s: dict[str, str] = {}
        for reference in figure_references(article):
            name = file_name(reference)
            found = by_stem.get(name.lower()) or by_stem.get(Path(name).stem.lower())
            if found is None:
                continue
            url, md5 = media[found]
            wanted[local_name(found)] = [url]
            if md5:
                md5s[url] = md5
        return wanted, md5s


def _address(listed: str, bucket: Service) -> tuple[str | None, str | None]:
    """HTTPS address and MD5 sum of an object listed as ``s3://bucket/key?md5=…``."""
    parts = urlsplit(listed)
    if parts.scheme not in {"s3", "https", "http"} or not parts.path.strip("/"):
        return None, None
    md5 = parse_qs(parts.query).get("md5", [""])[0].lower()
    key = quote(parts.path.lstrip("/"), safe="/%._-~()+,")
    in_bucket = parts.scheme == "s3" or (parts.hostname or "").startswith("pmc-oa-opendata.")
    url = bucket.url(key) if in_bucket else f"{parts.scheme}://{parts.netloc}/{key}"
    return url, md5 if re.fullmatch(r"[0-9a-f]{32}", md5) else None


SOURCE = Pmc()
