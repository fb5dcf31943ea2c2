"""Searching: every source page by page, into a file that can be gone on with."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from http_server import Reply, Request, Server

from imagedataextractor.articles.doi_lists import read_doi_list
from imagedataextractor.articles.retrieve.http import Client
from imagedataextractor.articles.search import Query, search, search_to_file
from imagedataextractor.cli.search import command, parse_years
from imagedataextractor.errors import ServiceError, UsageError
from imagedataextractor.settings import Keys, Services

QUERY = Query("SEM TEM", 2015, 2020)


@pytest.fixture
def client(services: Services, keys: Keys, cache: Path) -> Client:
    return Client(services, keys, cache, sleep=lambda _: None)


def record(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "doi": f"10.1234/A.{number}",
        "title": f"Paper <i>{number}</i>.",
        "pubYear": "2018",
        "isOpenAccess": "Y",
        "license": "cc by",
        "journalInfo": {"journal": {"title": "J. Tests"}},
        **fields,
    }


def europepmc(server: Server, *pages: list[dict[str, Any]]) -> None:
    """Pages of results with cursors "*", "c1", "c2" …; the last page repeats its cursor, as the service does."""
    for number, page in enumerate(pages):
        cursor = "*" if number == 0 else f"c{number}"
        following = f"c{min(number + 1, len(pages) - 1)}" if len(pages) > 1 else "*"
        answer = {"hitCount": 99, "nextCursorMark": following, "resultList": {"result": page}}
        server.on("/europepmc/search", Reply(answer), cursorMark=cursor)


def test_europe_pmc_to_the_end(server: Server, client: Client) -> None:
    europepmc(server, [record(1), record(2)], [record(3), {"id": "9", "title": "no DOI"}], [record(4)])
    query = Query("SEM", 2015, 2020, open_access=True, journal="J. Tests")
    hits = [hit for page in search(query, "europepmc", client) for hit in page.hits]
    assert [hit.doi for hit in hits] == [f"10.1234/a.{n}" for n in (1, 2, 3, 4)]
    assert (hits[0].title, hits[0].year, hits[0].licence, hits[0].journal) == ("Paper 1.", 2018, "CC BY", "J. Tests")
    asked = server.requests[0].query["query"]
    assert asked == '(SEM) AND (PUB_YEAR:[2015 TO 2020]) AND (OPEN_ACCESS:y) AND (JOURNAL:"J. Tests")'


def test_crossref_to_the_end(server: Server, client: Client) -> None:
    def work(number: int) -> dict[str, Any]:
        return {
            "DOI": f"10.1234/C.{number}",
            "title": ["T"],
            "issued": {"date-parts": [[2016, 3]]},
            "license": [{"URL": "http://creativecommons.org/licenses/by-nc/4.0/"}],
        }

    pages: dict[str, tuple[list[dict[str, Any]], str]] = {
        "*": ([work(1)], "a=="),
        "a==": ([work(2)], "b=="),
        "b==": ([], "b=="),
    }

    def route(request: Request) -> Reply:
        items, following = pages[request.query["cursor"]]
        return Reply({"message": {"items": items, "next-cursor": following, "total-results": 2}})

    server.routes.append(route)
    hits = [hit for page in search(QUERY, "crossref", client) for hit in page.hits]
    assert [(hit.doi, hit.year, hit.licence) for hit in hits] == [
        ("10.1234/c.1", 2016, "CC BY-NC 4.0"),
        ("10.1234/c.2", 2016, "CC BY-NC 4.0"),
    ]
    assert "from-pub-date:2015,until-pub-date:2020" in server.requests[0].query["filter"]
    assert server.requests[0].query["mailto"] == "someone@lab.example"


def test_sciencedirect_to_the_end(server: Server, client: Client, keys: Keys) -> None:
    def route(request: Request) -> Reply:
        body = json.loads(request.body)
        offset = body["display"]["offset"]
        numbers = range(offset, min(offset + body["display"]["show"], 150))
        results = [
            {"doi": f"10.1016/S.{n}", "title": "T", "openAccess": True, "publicationDate": "2019-01-01"}
            for n in numbers
        ]
        return Reply({"resultsFound": 150, "results": results})

    server.routes.append(route)
    hits = [hit for page in search(QUERY, "sciencedirect", client) for hit in page.hits]
    assert len(hits) == 150
    assert [r.method for r in server.requests] == ["PUT", "PUT"]
    first = json.loads(server.requests[0].body)
    assert (first["qs"], first["date"]) == ("SEM TEM", "2015-2020")
    assert server.requests[0].headers["x-els-apikey"] == keys.elsevier_api_key


def test_sciencedirect_without_a_key(services: Services, cache: Path) -> None:
    with pytest.raises(UsageError, match="IDE_ELSEVIER_API_KEY"):
        next(search(QUERY, "sciencedirect", Client(services, Keys(), cache)))


def test_what_the_source_does_not_filter_is_filtered_here(server: Server, client: Client) -> None:
    page = [record(1), record(2, license="cc by-nc"), record(3, license=None), record(4, pubYear="2021")]
    europepmc(server, page)
    query = dataclasses.replace(QUERY, licences=("CC BY",))
    hits = [hit for found in search(query, "europepmc", client) for hit in found.hits]
    assert [hit.doi for hit in hits] == ["10.1234/a.1"]


def test_file_of_results(server: Server, client: Client, tmp_path: Path) -> None:
    europepmc(server, [record(1, title="A\ttab"), record(2)], [record(2), record(3)])
    path = tmp_path / "dois.tsv"
    assert search_to_file(QUERY, "europepmc", client, path) == 3
    lines = path.read_text().splitlines()
    assert lines[0].split("\t") == ["doi", "title", "year", "licence", "journal", "open_access", "source"]
    assert lines[1].split("\t") == ["10.1234/a.1", "A tab", "2018", "CC BY", "J. Tests", "true", "europepmc"]
    assert read_doi_list(path) == ["10.1234/a.1", "10.1234/a.2", "10.1234/a.3"]
    asked = len(server.requests)
    assert search_to_file(QUERY, "europepmc", client, path) == 3
    assert len(server.requests) == asked


def test_interrupted_search_goes_on_where_it_stopped(
    server: Server, services: Services, keys: Keys, tmp_path: Path, cache: Path
) -> None:
    failing = [True]

    def fails(request: Request) -> Reply | None:
        return Reply(status=400) if failing[0] and request.query.get("cursorMark") == "c1" else None

    server.routes.append(fails)
    europepmc(server, [record(1)], [record(2)], [record(3)])
    path = tmp_path / "dois.tsv"
    with pytest.raises(ServiceError):
        search_to_file(QUERY, "europepmc", Client(services, keys, cache, sleep=lambda _: None), path)
    assert read_doi_list(path) == ["10.1234/a.1"]
    failing[0] = False
    before = len(server.requests)
    other = Client(services, keys, tmp_path / "other cache", sleep=lambda _: None)
    assert search_to_file(QUERY, "europepmc", other, path) == 3
    assert [r.query["cursorMark"] for r in server.requests[before:]] == ["c1", "c2"]


def test_limit_can_be_raised(server: Server, client: Client, tmp_path: Path) -> None:
    europepmc(server, [record(n) for n in range(5)], [record(n) for n in range(5, 10)])
    path = tmp_path / "dois.tsv"
    assert search_to_file(QUERY, "europepmc", client, path, limit=3) == 3
    assert search_to_file(QUERY, "europepmc", client, path, limit=7) == 7
    assert search_to_file(QUERY, "europepmc", client, path) == 10
    assert read_doi_list(path) == [f"10.1234/a.{n}" for n in range(10)]


def test_results_of_another_search_are_not_mixed(server: Server, client: Client, tmp_path: Path) -> None:
    europepmc(server, [record(1)])
    path = tmp_path / "dois.tsv"
    search_to_file(QUERY, "europepmc", client, path)
    with pytest.raises(UsageError, match="another search"):
        search_to_file(Query("other"), "europepmc", client, path)
    path.with_name("dois.tsv.state.json").unlink()
    with pytest.raises(UsageError, match="another search"):
        search_to_file(QUERY, "europepmc", client, path)


def test_a_search_that_could_not_begin_leaves_the_file_to_another(
    server: Server, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "dois.tsv"
    server.on("/europepmc/search", Reply(status=400))
    with pytest.raises(ServiceError):
        search_to_file(Query("SEM AND ("), "europepmc", client, path)
    assert path.exists()
    server.routes.clear()
    europepmc(server, [record(1)])
    assert search_to_file(QUERY, "europepmc", client, path) == 1


def test_an_empty_query_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [" ", "--out", str(tmp_path / "x.tsv")])
    assert isinstance(result.exception, UsageError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("body", [Reply("<html>busy</html>"), Reply({"resultList": None}), Reply([1])])
def test_garbage_is_no_result(server: Server, client: Client, body: Reply) -> None:
    server.on("/europepmc/search", body)
    with pytest.raises(ServiceError):
        next(search(QUERY, "europepmc", client))


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("text", "years"),
    [
        (None, (None, None)),
        ("2015-2020", (2015, 2020)),
        ("2018", (2018, 2018)),
        ("2015-", (2015, None)),
        ("-2020", (None, 2020)),
    ],
)
def test_years(text: str | None, years: tuple[int | None, int | None]) -> None:
    assert parse_years(text) == years


@pytest.mark.parametrize("text", ["", "20", "2020-2015", "x", "2015 2020"])
def test_bad_years(text: str) -> None:
    with pytest.raises(UsageError):
        parse_years(text)


def test_command(server: Server, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    europepmc(server, [record(1), record(2, license="cc by-nc")])
    monkeypatch.setenv("IDE_EUROPEPMC_URL", services.europepmc)
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    out = tmp_path / "found.tsv"
    arguments = ["SEM", "--years", "2015-2020", "--licence", "CC BY", "--out", str(out), "--json"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"file": str(out), "articles": 1, "source": "europepmc"}
    assert read_doi_list(out) == ["10.1234/a.1"]
