"""`ide mine --dois` as a process of its own, against a server with true payloads: watched, stopped, killed, resumed."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from http_server import Reply, Request, Server
from small_micrograph import small_micrograph
from test_retrieve import in_bucket, jats, known

from imagedataextractor.cli import ide

DOIS = [f"10.1234/{number}" for number in range(1, 5)]
#: A scale by hand saves the search for bars that are not there: what is watched here is the run.
MINE = ("mine", "--mode", "discriminative", "--nm-per-px", "1", "--db", "p.db", "--drop-figures")


class Gate:
    """Holds back the articles from the first closed one on, until it is opened for them."""

    def __init__(self, server: Server) -> None:
        self._open = [threading.Event() for _ in DOIS]
        server.routes.insert(0, self)

    def __call__(self, request: Request) -> Reply | None:
        if request.path.startswith("/bucket/PMC"):
            self._open[int(request.path.removeprefix("/bucket/PMC").split(".")[0]) - 1].wait(60)
        return None

    def open(self, count: int) -> None:
        for event in self._open[:count]:
            event.set()


@pytest.fixture
def environment(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "config.toml").write_text("[services]\ntimeout_s = 60\n")
    monkeypatch.setenv("IDE_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("IDE_EUROPEPMC_URL", f"{server.url}/europepmc")
    monkeypatch.setenv("IDE_PMC_IDCONV_URL", f"{server.url}/idconv")
    monkeypatch.setenv("IDE_PMC_BUCKET_URL", f"{server.url}/bucket")
    Path("dois.txt").write_text("\n".join(DOIS))


@pytest.fixture
def gate(server: Server, environment: None) -> Gate:
    """Four articles of one small micrograph each."""
    rng = np.random.default_rng(3)
    for number, doi in enumerate(DOIS, start=1):
        picture = small_micrograph(rng)
        known(server, doi, pmcid=f"PMC{number}")
        text = jats({"fig1.png": "TEM image of the particles."}, doi).encode()
        in_bucket(server, f"PMC{number}.2", text, {"fig1.png": picture})
    return Gate(server)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a bulk run; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from imagedataextractor.cli import main; main()", *MINE, "--dois", "dois.txt"]
        started.append(subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=stderr, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def done(db: str = "p.db") -> set[str]:
    if not Path(db).exists():
        return set()
    with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as connection:
        try:
            rows = connection.execute("SELECT key FROM targets WHERE state = 'done'").fetchall()
        except sqlite3.OperationalError:  # being made
            return set()
        return {key.removeprefix("doi:") for (key,) in rows}


def rows(db: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(db) as connection:
        return connection.execute(
            "SELECT doi, figure, panel, particle, ecd_px, x_px, accepted FROM measured_particles ORDER BY 1, 2, 3, 4"
        ).fetchall()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def status() -> dict[str, object]:
    result = CliRunner().invoke(ide, ["status", "--db", "p.db", "--json"])
    assert result.exit_code == 0, result.output
    run: dict[str, object] = json.loads(result.stdout)["run"]
    return run


def test_a_bulk_run_is_watched_stopped_killed_and_gone_on_with(
    gate: Gate, server: Server, start: Callable[..., subprocess.Popen[str]]
) -> None:
    gate.open(1)
    terminal, stderr = pty.openpty()
    first = start("--workers", "1", stderr=stderr)
    os.close(stderr)
    wait_for(lambda: len(done()) == 1, first)
    # From another shell: how far it is; and a second run is refused while asking is not.
    running = status()
    assert (running["state"], running["targets_total"], running["targets_done"]) == ("running", 4, 1)
    second = CliRunner().invoke(ide, [*MINE, "--dois", "dois.txt"])
    assert second.exit_code == 1
    assert "another `ide mine` is at work on it" in str(second.exception)
    # Ctrl-C: what is in flight are downloads, which nobody waits for.
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130
    told = read_terminal(terminal)
    assert "\r1/4 (25 %), 1 retrieved, 1 extracted, 1 written" in told
    assert "stopped; the same command again goes on from here" in told
    assert "stopped; the same command again goes on from here" in told
    assert status()["state"] == "interrupted"

    gate.open(2)
    third = start("--inline")
    wait_for(lambda: len(done()) == 2, third)
    third.kill()
    third.communicate()

    gate.open(4)
    last = start("--inline", "--json")
    out, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    assert "2 finished before, passed over" in err
    assert "\r" not in err
    counts = json.loads(out)
    assert (counts["done"], counts["skipped"], counts["retrieved"], counts["failed"]) == (2, 2, 2, 0)
    assert done() == set(DOIS)
    for number in (1, 2):
        assert len(server.asked(f"/bucket/PMC{number}.2/fig1.png")) == 1
    # Nothing is kept, but for what the kill came before.
    assert {path.parts[3] for path in Path("cache").rglob("fig1.png")} <= {"10.1234_2", "10.1234_2.dropped"}

    undisturbed = CliRunner().invoke(ide, [*MINE, "--inline", "--dois", "dois.txt", "--db", "whole.db"])
    assert undisturbed.exit_code == 0, undisturbed.output
    assert rows("whole.db") == rows("p.db")
    assert len(rows("p.db")) > 4


def read_terminal(terminal: int) -> str:
    data = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            os.close(terminal)
            return data.decode()
        data += piece


def test_what_a_query_finds_is_to_be_done(environment: None, server: Server) -> None:
    found = [{"id": str(n), "doi": doi, "title": "T", "pubYear": "2018"} for n, doi in enumerate(DOIS)]
    pages = {"*": found, "c": []}
    for cursor, page in pages.items():
        answer = {"hitCount": len(found), "nextCursorMark": "c", "resultList": {"result": page}}
        server.on("/europepmc/search", Reply(answer), cursorMark=cursor)
    Path("corpus.toml").write_text('title = "T"\n[corpus]\nquery = "TEM"\nlimit = 3\n')
    for limit in ((), ("--limit", "2")):
        result = CliRunner().invoke(ide, ["mine", "corpus.toml", "--db", "p.db", "--dry-run", "--json", *limit])
        assert result.exit_code == 0, result.output
        surveyed = json.loads(result.stdout)
        count = 2 if limit else 3
        assert (surveyed["new"], surveyed["first"]) == (count, [f"doi:{doi}" for doi in DOIS[:count]])
