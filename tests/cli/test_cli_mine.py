"""`ide mine`, called as a user calls it."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import pty
import struct
import termios
import threading
import time

import cv2
import numpy as np
import pytest

import imagedataextractor
from imagedataextractor import cli
from imagedataextractor.errors import UsageError
from imagedataextractor.mining.progress import Counts, Log, Shown, describe, duration
from imagedataextractor.records import Failure
from imagedataextractor.store import Store


@pytest.fixture
def ide(monkeypatch, capsys, tmp_path):
    """Run `ide ARGUMENTS`; its exit code, stdout and stderr."""
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("IDE_DB", raising=False)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["ide", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def pictures(tmp_path):
    """Two small micrographs with discs, twice the first, and a file that is no picture."""
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for name in ("a", "b"):
        image = rng.normal(60, 8, (160, 200)).astype(np.float32)
        for x, y in rng.integers(25, 135, (6, 2)).tolist():
            cv2.circle(image, (x, y), 11, 180, -1)
        cv2.imwrite(str(folder / f"{name}.png"), np.clip(cv2.GaussianBlur(image, (0, 0), 1.2), 0, 255).astype(np.uint8))
    (folder / "copy-of-a.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def test_a_folder_is_mined_and_a_rerun_does_what_is_missing(ide, pictures, tmp_path):
    db = tmp_path / "p.db"
    arguments = ("mine", pictures, "--db", db, "--inline", "--mode", "discriminative", "--nm-per-px", "2")
    code, out, _ = ide(*arguments, "--dry-run")
    assert code == 0
    assert "would do 4" in out
    assert not db.exists()

    code, out, err = ide(*arguments, "--log", tmp_path / "log.jsonl", "--json")
    assert code == 1
    summary = json.loads(out)
    assert (summary["done"], summary["failed"], summary["state"]) == (3, 1, "failed")
    assert "broken.png" in err
    assert "4 targets" in err
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events if event["event"] != "progress"] == ["started", "failure", "ended"]
    assert {event["run"] for event in events} == {summary["run"]}
    with Store.open(str(db), read_only=True) as store:
        # The copy is the same picture: one article, and segmented once.
        assert store.query("SELECT count(*) FROM articles WHERE source = 'image'")[1] in ([(2,)], [(3,)])
        particles = store.query("SELECT count(*) FROM particles")[1]
        run = store.query("SELECT state, targets_total, targets_done, targets_failed FROM runs")[1]
        assert run == [("failed", 4, 3, 1)]
    assert len(list((tmp_path / "cache" / "segmentations").glob("??/*.npz"))) <= 2

    (pictures / "broken.png").unlink()
    code, out, err = ide(*arguments, "--json")
    assert code == 0
    assert (json.loads(out)["done"], json.loads(out)["skipped"]) == (0, 3)
    assert "3 finished before, passed over" in err
    with Store.open(str(db), read_only=True) as store:
        assert store.query("SELECT count(*) FROM particles")[1] == particles
    assert not list(tmp_path.glob("*.part*"))


def test_two_bulk_runs_on_one_database(ide, pictures, tmp_path):
    db = tmp_path / "p.db"
    with Store.open(str(db)) as store:
        lock = store.lock("mine")
        assert lock.acquire()
        code, out, err = ide("mine", pictures, "--db", db, "--inline")
        assert (code, out) == (1, "")
        assert "another `ide mine` is at work on it" in err
        lock.release()
        assert store.lock("mine").acquire()


def test_the_second_bulk_run_waits_if_told_to(ide, tmp_path):
    db = tmp_path / "p.db"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    with Store.open(str(db)) as store:
        lock, held = store.lock("mine"), threading.Event()

        def hold() -> None:
            if lock.acquire():
                held.set()
            time.sleep(0.5)
            lock.release()

        threading.Thread(target=hold).start()
        assert held.wait(10)
        code, _, err = ide("mine", tmp_path / "in", "--db", db, "--inline", "--wait")
        assert "waiting for another `ide mine` to end" in err
        assert code == 1
        assert store.query("SELECT state FROM targets")[1] == [("failed",)]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["mine"], 2, "give one of"),
        (["mine", "gold-nanoparticles", "--dois", "x"], 2, "give one of"),
        (["mine", "nonsense"], 1, "gold-nanoparticles"),
        (["mine", "nowhere.toml"], 1, "no such file"),
        (["mine", ".", "--inline", "--workers", "2"], 2, "one of --workers"),
        (["mine", ".", "--dask-resource", "GPU=many"], 2, "NAME=N"),
        (["mine", "--dois", "/nowhere/list.txt", "--dry-run"], 1, "/nowhere/list.txt"),
    ],
)
def test_mistakes_are_one_line(ide, arguments, code, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    got, out, err = ide(*arguments)
    assert (got, out) == (code, "")
    assert err.count("\n") == 1
    assert says in err


def test_a_list_of_dois_is_surveyed_without_a_request(ide, tmp_path):
    (tmp_path / "list.tsv").write_text("doi\ttitle\n10.1000/A\tOne\n10.1000/b\tTwo\n")
    code, out, _ = ide("mine", "--dois", tmp_path / "list.tsv", "--dry-run", "--json", "--db", tmp_path / "p.db")
    assert code == 0
    assert json.loads(out)["first"] == ["doi:10.1000/a", "doi:10.1000/b"]


# ---------------------------------------------------------------- progress


class Stream:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None: ...


def test_progress_on_a_terminal_is_one_line_and_failures_stand_above_it():
    stream = Stream()
    with Shown(Log(None, "r"), stream, terminal=True) as shown:
        shown.update(Counts(total=10, done=3, failed=1, extracted=4, particles=1234))
        shown.failed(Failure("articles", "x", "E", "x: not there"))
    assert stream.text.startswith("\r4/10 (40 %), 4 extracted, 4 written, 1,234 particles, 1 failed")
    assert "ide: x: not there" in stream.text
    assert stream.text.count("\n") == 2


def read_terminal(main: int) -> str:
    told = b""
    try:
        while piece := os.read(main, 65536):
            told += piece
    except OSError:  # the other side is closed, and all is read
        pass
    os.close(main)
    return told.decode()


def test_progress_fits_the_terminal_and_ends_with_the_end():
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    with os.fdopen(side, "w") as stream, Shown(Log(None, "r"), stream, terminal=True) as shown:
        for done in (1, 9_999, 10_000):
            shown.update(Counts(total=10_000, done=done, extracted=done, retrieved=done, particles=99_999_999))
        logging.getLogger("imagedataextractor.mining").warning("worker lost on %s", "x")
    told = read_terminal(main)
    lines = [part for part in told.replace("\r\n", "\n").replace("\n", "\r").split("\r") if part]
    assert max(map(len, lines)) < 60
    assert lines[0].startswith("1/10,000 (0 %), 1 retrieved")
    assert lines[1].strip() == "ide: worker lost on x"
    assert lines[-1].startswith("10,000/10,000 (100 %)")


def test_warnings_and_progress_are_in_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr("imagedataextractor.mining.progress._PLAIN_S", 0.0)
    with Log(tmp_path / "log", "r") as log, Shown(log, Stream(), terminal=True) as shown:
        logging.getLogger("imagedataextractor.mining").warning("worker lost")
        shown.update(Counts(total=10, done=3))
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(event["run"], event["event"]) for event in events] == [("r", "warning"), ("r", "progress")]
    assert (events[0]["message"], events[1]["done"]) == ("worker lost", 3)


def test_progress_elsewhere_is_plain_lines():
    stream = Stream()
    with Shown(Log(None, "r"), stream, terminal=False) as shown:
        for done in range(5):
            shown.update(Counts(total=10, done=done))
    assert stream.text == "ide: 0/10 (0 %), 0 extracted, 0 written, 0 particles, 0 failed\n"


def test_rate_and_time_left():
    counts = Counts(total=1000, skipped=100, done=200, extracted=200, retrieved=250)
    assert describe(counts, 2.0) == (
        "300/1,000 (30 %), 250 retrieved, 200 extracted, 200 written, 0 particles, 0 failed, 120.0/min, 6 min left"
    )
    assert [duration(s) for s in (5, 200, 7200, 400_000)] == ["5 s", "3 min", "2 h 0 min", "4 d 15 h"]


def test_python_mines_with_the_same_words(pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IDE_CONFIG", "")
    db = f"sqlite:///{tmp_path / 'p.db'}"
    words = {"db": db, "inline": True, "mode": "discriminative", "nm_per_px": 2.0}
    result = imagedataextractor.mine(pictures, **words)
    assert (result.state, result.exit_code) == ("failed", 1)  # one of the pictures is broken
    assert result.counts.done + result.counts.failed == result.counts.total > 1
    again = imagedataextractor.mine(pictures, **words)
    assert again.counts.skipped == result.counts.done
    with pytest.raises(UsageError, match="one of"):
        imagedataextractor.mine()
