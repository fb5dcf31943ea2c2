"""`ide extract --doi`: from cold to rows against a server with true payloads; then from the cache alone."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from http_server import Reply, Server
from small_micrograph import small_micrograph
from test_retrieve import in_bucket, jats, known, unknown

from imagedataextractor.cli import ide
from imagedataextractor.errors import LicenceError
from imagedataextractor.pipeline import Stages, process_article, read_target
from imagedataextractor.settings import ArticleSettings, Settings
from imagedataextractor.targets import find_targets

DOI = "10.5555/ide-sample.1"


@pytest.fixture(autouse=True)
def environment(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "config.toml").write_text("[services]\ntimeout_s = 2.0\nattempts = 2\nbackoff_s = 0.01\n")
    monkeypatch.setenv("IDE_CONFIG", str(tmp_path / "config.toml"))
    for name in ("EUROPEPMC", "ELSEVIER", "SPRINGER", "CROSSREF", "UNPAYWALL", "ARXIV"):
        monkeypatch.setenv(f"IDE_{name}_URL", f"{server.url}/{name.lower()}")
    monkeypatch.setenv("IDE_PMC_IDCONV_URL", f"{server.url}/idconv")
    monkeypatch.setenv("IDE_PMC_BUCKET_URL", f"{server.url}/bucket")


def extract(*arguments: str) -> Result:
    return CliRunner().invoke(ide, ["extract", "--mode", "discriminative", *arguments])


def particles() -> list[tuple[object, ...]]:
    with sqlite3.connect("particles.db") as connection:
        return connection.execute(
            "SELECT doi, figure, panel, ecd_px FROM measured_particles ORDER BY 1, 2, 3, 4"
        ).fetchall()


def test_from_a_doi_to_rows_and_again_without_a_request(server: Server) -> None:
    known(server, DOI, pmcid="PMC1")
    media = {"fig1.png": small_micrograph(np.random.default_rng(3))}
    in_bucket(server, "PMC1.2", jats({"fig1.png": "TEM image of the particles."}, DOI).encode(), media)
    result = extract("--doi", DOI)
    assert result.exit_code == 0, result.output
    rows = particles()
    assert len(rows) > 3
    assert {row[0] for row in rows} == {DOI}
    asked = len(server.requests)
    assert asked > 0
    assert extract("--doi", DOI, "--again").exit_code == 0
    assert len(server.requests) == asked
    assert particles() == rows


def test_a_doi_that_nobody_knows_is_one_line_and_a_failure_row(server: Server) -> None:
    unknown(server)
    result = extract("--doi", "10.5555/none")
    assert result.exit_code == 1
    assert "10.5555/none" in result.stderr
    assert "Traceback" not in result.output
    with sqlite3.connect("particles.db") as connection:
        assert connection.execute("SELECT count(*) FROM failures").fetchone() == (1,)


@pytest.mark.parametrize(
    "reply", [Reply("garbage"), Reply("", 500), Reply("", 429), Reply(b""), Reply("<html>log in</html>")]
)
def test_services_that_fail_are_named_with_what_they_did(server: Server, reply: Reply) -> None:
    for path in ("/europepmc/search", "/idconv/", "/bucket/"):
        server.on(path, reply)
    result = extract("--doi", DOI)
    assert result.exit_code == 1
    assert "Europe PMC" in result.stderr or "PMC" in result.stderr
    assert "Traceback" not in result.output


def failures() -> list[tuple[str, str]]:
    with sqlite3.connect("particles.db") as connection:
        return connection.execute("SELECT error_class, message FROM failures WHERE resolved_at IS NULL").fetchall()


def mine(*arguments: str) -> Result:
    return CliRunner().invoke(ide, ["mine", "--inline", "--mode", "discriminative", *arguments])


ELSEVIER = (
    '<full-text-retrieval-response xmlns:ce="http://www.elsevier.com/xml/common/dtd"><coredata><eid>1-s2.0-S1</eid>'
    "</coredata><objects/><originalText><ce:figure><ce:label>Fig. 1</ce:label><ce:caption><ce:simple-para>Scheme."
    "</ce:simple-para></ce:caption></ce:figure></originalText></full-text-retrieval-response>"
)


def test_a_bulk_run_goes_on_where_a_quota_is_spent_and_keeps_its_articles_to_be_done(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDE_ELSEVIER_API_KEY", "els-key-1234")
    known(server, "10.1234/free", pmcid="PMC1")
    in_bucket(server, "PMC1.2", jats({"fig1": "Scheme of the reactor."}, "10.1234/free").encode(), {})
    unknown(server)
    quota = Reply(status=429, headers={"X-ELS-Status": "QUOTA_EXCEEDED", "X-RateLimit-Reset": "4102444800"})
    # Which of the two is asked for first, or whether both are, is open: retrieval runs side by side.
    week_over = threading.Event()
    server.routes.insert(0, lambda r: quota if "/elsevier/" in r.path and not week_over.is_set() else None)
    for name in "ab":
        server.on(f"/elsevier/content/article/doi/10.1016/{name}", Reply(ELSEVIER))
    Path("dois.txt").write_text("10.1016/a\n10.1016/b\n10.1234/free\n")

    first = mine("--dois", "dois.txt", "--json")
    assert first.exit_code == 1
    counts = json.loads(first.stdout)
    assert (counts["done"], counts["failed"], counts["waiting"], counts["state"]) == (1, 0, 2, "interrupted")
    assert "2 articles wait for the quota of a service, renewed at 2100-01-01 00:00 UTC" in first.stderr
    assert "same command" in first.stderr
    assert failures() == []

    (tmp_path / "cache" / "pace" / "elsevier.spent").unlink()
    week_over.set()
    again = json.loads(mine("--dois", "dois.txt", "--json").stdout)
    assert (again["done"], again["skipped"], again["waiting"], again["state"]) == (2, 1, 0, "finished")


def test_extract_says_that_an_article_waits_for_a_quota(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDE_ELSEVIER_API_KEY", "els-key-1234")
    unknown(server)
    quota = Reply(status=429, headers={"X-ELS-Status": "QUOTA_EXCEEDED", "X-RateLimit-Reset": "4102444800"})
    server.on("/elsevier/content/article/doi/10.1016/a", quota)
    result = extract("--doi", "10.1016/a")
    assert result.exit_code == 1
    assert "renewed at 2100-01-01 00:00 UTC" in result.stderr
    assert "1 wait for a quota; the same command again goes on with them" in result.stderr
    assert failures() == []


def test_articles_of_another_licence_are_rows_with_the_reason(server: Server) -> None:
    for number, licence in enumerate(("cc by", "cc by-nc"), start=1):
        known(server, f"10.1234/{number}", pmcid=f"PMC{number}", license=licence)
        text = jats({"fig1": "Scheme of the reactor."}, f"10.1234/{number}")
        in_bucket(server, f"PMC{number}.1", text.encode(), {})
    Path("dois.txt").write_text("10.1234/1\n10.1234/2\n")
    result = mine("--dois", "dois.txt", "--licence", "CC BY")
    assert result.exit_code == 1
    (failure,) = failures()
    assert failure == ("LicenceError", "10.1234/2: its licence is CC BY-NC, not CC BY; passed over")
    assert server.asked("/bucket/PMC2.1/PMC2.1.xml") == []
    assert extract("--doi", "10.1234/2", "--licence", "CC BY").exit_code == 1
    assert extract("--doi", "10.1234/2", "--licence", "CC").exit_code == 0
    assert failures() == []


def test_definition_holds_its_articles_to_its_licences(server: Server) -> None:
    known(server, "10.1234/1", pmcid="PMC1", license="cc by-nd")
    Path("corpus.toml").write_text(
        'title = "T"\n[corpus]\ndois = ["10.1234/1"]\nlicences = ["CC BY"]\n', encoding="utf-8"
    )
    assert mine("corpus.toml").exit_code == 1
    assert [error for error, _ in failures()] == ["LicenceError"]


def test_files_and_figures_of_another_licence(tmp_path: Path) -> None:
    path = tmp_path / "article.xml"
    licence = '<permissions><license xlink:href="http://creativecommons.org/licenses/by/4.0/"/></permissions>'
    captions = {"gone1": "TEM image. Reprinted with permission from ref. 3.", "gone2": "TEM image of rods."}
    path.write_text(jats(captions).replace("</article-meta>", f"{licence}</article-meta>"))
    (target,), _ = find_targets([path])
    with pytest.raises(LicenceError, match=r"CC BY 4\.0, not CC0"):
        read_target(target, Stages(Settings(articles=ArticleSettings(("CC0",)))))
    stages = Stages(Settings(articles=ArticleSettings(("CC BY",))))
    result = process_article(read_target(target, stages), stages)
    assert [failure.target.rpartition(" / ")[2] for failure in result.failures] == ["Figure 2"]
