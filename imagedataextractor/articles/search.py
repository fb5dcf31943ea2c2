"""Find articles by a query: Europe PMC, Crossref or ScienceDirect, page by page to the end.

The result is a file of tab-separated values, one article a line, that `ide mine --dois` reads. It grows as
the pages come; a second file beside it holds where the search stands, so that a search that was
interrupted goes on from there. A DOI is written once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from imagedataextractor.articles.doi_lists import read_doi_list
from imagedataextractor.articles.dois import plain_doi
from imagedataextractor.articles.licences import licence_allowed, normalise_licence
from imagedataextractor.articles.retrieve import crossref, elsevier, europepmc
from imagedataextractor.articles.retrieve.http import Client
from imagedataextractor.errors import InputError, ServiceError, UsageError
from imagedataextractor.files import write_atomically

__all__ = ["SEARCHES", "Hit", "Query", "SearchName", "search", "search_to_file"]

#: The services that can be searched.
SearchName = Literal["europepmc", "crossref", "sciencedirect"]
#: A page of results is asked for anew after this time, seconds.
_PAGE_AGE_S = 86_400.0
_COLUMNS = ("doi", "title", "year", "licence", "journal", "open_access", "source")


@dataclass(frozen=True)
class Query:
    """What is searched for.

    Attributes
    ----------
    text : str
        In the words of the source.
    first_year, last_year : int or None
        Years of publication, both included.
    licences : tuple of str
        As for `licence_allowed`; empty takes all.
    open_access : bool
        Only articles that are free to read.
    journal : str or None
    """

    text: str
    first_year: int | None = None
    last_year: int | None = None
    licences: tuple[str, ...] = ()
    open_access: bool = False
    journal: str | None = None


@dataclass(frozen=True)
class Hit:
    """An article found. ``open_access`` is None where the source does not tell."""

    doi: str
    title: str
    year: int | None
    licence: str | None
    journal: str
    open_access: bool | None
    source: str


@dataclass(frozen=True)
class Page:
    """A page of results. ``cursor`` leads to the next one; None at the end. ``total`` is the source's count."""

    hits: tuple[Hit, ...]
    cursor: str | None
    total: int | None


def search(query: Query, source: str, client: Client, *, cursor: str | None = None) -> Iterator[Page]:
    """Pages of results, from `cursor` (or the beginning) to the end.

    Parameters
    ----------
    query : Query
    source : str
        A key of `SEARCHES`.
    client : Client
    cursor : str or None
        From a page of an earlier call with the same query.

    Raises
    ------
    UsageError
        There is no such source, or its key is absent.
    ServiceError
    """
    if source not in SEARCHES:
        raise UsageError(f"no source {source!r} to search; there are: {', '.join(SEARCHES)}")
    seen = {cursor or "*"}
    while True:
        page = SEARCHES[source](query, client, cursor)
        yield dataclasses.replace(page, hits=tuple(hit for hit in page.hits if _fits(hit, query)))
        # A service that hands out the same cursor again has come to its end.
        if page.cursor is None or page.cursor in seen or not page.hits:
            return
        seen.add(page.cursor)
        cursor = page.cursor


def _fits(hit: Hit, query: Query) -> bool:
    """What the source may not have filtered itself."""
    if query.licences and not licence_allowed(hit.licence, query.licences):
        return False
    if hit.year is not None and (hit.year < (query.first_year or 0) or hit.year > (query.last_year or 9999)):
        return False
    if query.journal and hit.journal and query.journal.lower() not in hit.journal.lower():
        return False
    return not (query.open_access and hit.open_access is False)


# ---------------------------------------------------------------- sources


def _europepmc(query: Query, client: Client, cursor: str | None) -> Page:
    words = [f"({query.text})"]
    if query.first_year or query.last_year:
        words.append(f"(PUB_YEAR:[{query.first_year or 1500} TO {query.last_year or 3000}])")
    if query.open_access:
        words.append("(OPEN_ACCESS:y)")
    if query.journal:
        words.append(f'(JOURNAL:"{query.journal}")')
    service = europepmc.service(client.services)
    content = client.get(
        service,
        service.url("search"),
        params={
            "query": " AND ".join(words),
            "resultType": "core",
            "format": "json",
            "pageSize": "1000",
            "cursorMark": cursor or "*",
        },
        kind="json",
        max_age_s=_PAGE_AGE_S,
    ).json()
    hits = []
    for record in europepmc.results(content):
        doi = plain_doi(europepmc.scalar(record, "doi"))
        if doi:
            info = record.get("journalInfo")
            journal = (info.get("journal") or {}).get("title") if isinstance(info, dict) else None
            year = europepmc.scalar(record, "pubYear")
            free = europepmc.scalar(record, "isOpenAccess")
            hits.append(
                Hit(
                    doi,
                    _plain(europepmc.scalar(record, "title")),
                    int(year) if year.isdigit() else None,
                    normalise_licence(europepmc.scalar(record, "license")),
                    _plain(str(journal or europepmc.scalar(record, "journalTitle"))),
                    free == "Y" if free else None,
                    "europepmc",
                )
            )
    following = content.get("nextCursorMark")
    total = content.get("hitCount")
    return Page(tuple(hits), str(following) if following else None, total if isinstance(total, int) else None)


def _crossref(query: Query, client: Client, cursor: str | None) -> Page:
    filters = ["type:journal-article"]
    if query.first_year:
        filters.append(f"from-pub-date:{query.first_year}")
    if query.last_year:
        filters.append(f"until-pub-date:{query.last_year}")
    if query.open_access or query.licences:
        filters.append("has-license:true")
    params = {
        "query.bibliographic": query.text,
        "filter": ",".join(filters),
        "rows": "500",
        "cursor": cursor or "*",
        **crossref.parameters(client.services),
    }
    if query.journal:
        params["query.container-title"] = query.journal
    service = crossref.service(client.services)
    content = client.get(service, service.url("works"), params=params, kind="json", max_age_s=_PAGE_AGE_S).json()
    message = content.get("message") if isinstance(content, dict) else None
    items = message.get("items") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(items, list):
        raise ServiceError("Crossref: the answer holds no list of works")
    works = [crossref.work_from(item) for item in items if isinstance(item, dict)]
    hits = [
        Hit(
            work.doi,
            _plain(work.title),
            work.year,
            work.licence,
            _plain(work.journal),
            _is_open(work.licence),
            "crossref",
        )
        for work in works
        if work.doi
    ]
    following, total = message.get("next-cursor"), message.get("total-results")
    return Page(tuple(hits), str(following) if following and hits else None, total if isinstance(total, int) else None)


def _is_open(licence: str | None) -> bool:
    return bool(licence and licence.startswith("CC"))


#: Results that ScienceDirect gives for one query at most, and on one page.
_SCIENCEDIRECT_MAX, _SCIENCEDIRECT_PAGE = 6000, 100


def _sciencedirect(query: Query, client: Client, cursor: str | None) -> Page:
    if not client.keys.elsevier_api_key:
        raise UsageError(
            "ScienceDirect needs an API key; get one at https://dev.elsevier.com and set IDE_ELSEVIER_API_KEY"
        )
    offset = int(cursor or 0)
    body: dict[str, Any] = {
        "qs": query.text,
        "display": {"offset": offset, "show": _SCIENCEDIRECT_PAGE, "sortBy": "date"},
    }
    if query.first_year or query.last_year:
        body["date"] = f"{query.first_year or 1800}-{query.last_year or 2100}"
    if query.open_access:
        body["filters"] = {"openAccess": True}
    if query.journal:
        body["pub"] = query.journal
    service = dataclasses.replace(elsevier.service(client.services), name="ScienceDirect", interval_s=0.5)
    content = client.put_json(
        service,
        service.url("content/search/sciencedirect"),
        body,
        headers=elsevier.headers(client.keys, "application/json"),
        max_age_s=_PAGE_AGE_S,
    ).json()
    listed = content.get("results") if isinstance(content, dict) else None
    results = [record for record in listed if isinstance(record, dict)] if isinstance(listed, list) else []
    hits = []
    for record in results:
        doi = plain_doi(str(record.get("doi") or ""))
        if doi:
            year = re.match(r"(\d{4})", str(record.get("publicationDate") or ""))
            free = bool(record.get("openAccess"))
            hits.append(
                Hit(
                    doi,
                    _plain(str(record.get("title") or "")),
                    int(year[1]) if year else None,
                    None,
                    _plain(str(record.get("sourceTitle") or "")),
                    free,
                    "sciencedirect",
                )
            )
    total = int(content.get("resultsFound") or 0) if isinstance(content, dict) else 0
    following = offset + len(results)
    more = results and following < min(total, _SCIENCEDIRECT_MAX)
    return Page(tuple(hits), str(following) if more else None, total)


#: Name of a source → a function that fetches the page at a cursor.
SEARCHES: Mapping[str, Callable[[Query, Client, str | None], Page]] = {
    "europepmc": _europepmc,
    "crossref": _crossref,
    "sciencedirect": _sciencedirect,
}


def _plain(text: str) -> str:
    """A title on one line, without markup."""
    return " ".join(re.sub(r"</?[a-zA-Z][\w:]*[^>]*>", "", text).split())


# ---------------------------------------------------------------- files


def search_to_file(
    query: Query,
    source: str,
    client: Client,
    path: Path,
    *,
    limit: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> int:
    """Search, and write what is found to `path`; go on where an earlier, interrupted search stopped.

    Parameters
    ----------
    path : Path
        The file of results. ``PATH.state.json`` beside it holds the position of the search.
    limit : int or None
        Articles in the file at most.
    progress : function of (articles so far, articles the source counts)

    Returns
    -------
    int
        Articles in the file.

    Raises
    ------
    UsageError
        The file holds the results of another search.
    InputError
        The file cannot be read or written.
    ServiceError
        The source failed; what was found before is in the file.
    """
    mark = hashlib.sha256(json.dumps([source, dataclasses.asdict(query)], sort_keys=True).encode()).hexdigest()[:16]
    state_path = path.with_name(f"{path.name}.state.json")
    state = _state(state_path)
    ours = "search" in state
    known = read_doi_list(path) if path.exists() and ours else []
    seen = set(known)
    if state.get("search") != mark or not path.exists():
        # A search that found nothing, or could not begin, leaves nothing worth keeping.
        if path.exists() and (known or not ours):
            raise UsageError(f"{path}: holds the results of another search; give another file or remove it")
        write_atomically(path, ("\t".join(_COLUMNS) + "\n").encode())
        state = {"search": mark, "cursor": None, "complete": False}
        write_atomically(state_path, json.dumps(state).encode())
    if state.get("complete") or (limit is not None and len(seen) >= limit):
        return len(seen)
    for page in search(query, source, client, cursor=state.get("cursor")):
        new = []
        for hit in page.hits:
            if hit.doi not in seen and (limit is None or len(seen) < limit):
                seen.add(hit.doi)
                new.append(hit)
        _append(path, new)
        full = limit is not None and len(seen) >= limit
        # A page that the limit cut short is asked for again when the limit is raised.
        if not full:
            state = {"search": mark, "cursor": page.cursor, "complete": page.cursor is None}
            write_atomically(state_path, json.dumps(state).encode())
        if progress is not None:
            progress(len(seen), page.total)
        if full:
            return len(seen)
    write_atomically(state_path, json.dumps({"search": mark, "cursor": None, "complete": True}).encode())
    return len(seen)


def _state(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _append(path: Path, hits: Sequence[Hit]) -> None:
    lines = "".join("\t".join(_cells(hit)) + "\n" for hit in hits)
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(lines)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _cells(hit: Hit) -> Iterator[str]:
    for column in _COLUMNS:
        value = getattr(hit, column)
        yield "" if value is None else str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
