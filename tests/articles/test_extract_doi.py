"""`ide extract --doi`: from cold to rows against a server with true payloads; then from the cache alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from http_server import Reply, Server
from test_retrieve import in_bucket, known, unknown

from imagedataextractor.cli import ide
from imagedataextractor.resources import resource_path

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
            "SELECT doi, figure, panel, ecd_nm FROM measured_particles ORDER BY 1, 2, 3, 4"
        ).fetchall()


def test_from_a_doi_to_rows_and_again_without_a_request(server: Server) -> None:
    sample = resource_path("data", "sample")
    known(server, DOI, pmcid="PMC1")
    media = {path.name: path.read_bytes() for path in sample.iterdir() if path.suffix in (".jpg", ".png")}
    in_bucket(server, "PMC1.2", (sample / "ide-sample-1.xml").read_bytes(), media)
    result = extract("--doi", DOI)
    assert result.exit_code == 0, result.output
    rows = particles()
    assert len(rows) > 100
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
