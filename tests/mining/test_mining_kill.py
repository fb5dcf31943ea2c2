"""Kill −9 at random moments, then the same command again: the rows of an undisturbed run.

A fixed seed chooses the moments. benchmarks/mining.py does the same many more times.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mining_work import MadeUp, targets
from store_results import all_rows, make_run

from imagedataextractor.mining.executors import InlineExecutor
from imagedataextractor.mining.plan import Plan
from imagedataextractor.mining.run import mine
from imagedataextractor.store import Store

COUNT = 60
HERE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    with Store.open(str(tmp_path_factory.mktemp("expected") / "p.db")) as store:
        store.start_run(make_run())
        mine(Plan(targets(COUNT), store, store.digest_of("run-1")), MadeUp(), InlineExecutor(), store, "run-1")
        return all_rows(store)


def start(db: str, run_id: str, *, workers: int, seconds: float) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, str(HERE / "mining_work.py"), db, str(COUNT), str(workers), str(seconds), run_id]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children_of(pid: int) -> list[int]:
    """Worker processes: the children that work, without multiprocessing's own helper."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (entry / "cmdline").read_text()
        except (OSError, IndexError):
            continue
        if parent == pid and "resource_tracker" not in command:
            found.append(int(entry.name))
    return found


def wait_for(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("kind", "workers"), [("sqlite", 2), ("postgresql", 0)])
def test_a_killed_coordinator_loses_nothing_and_repeats_nothing(request, expected, kind, workers):
    db = request.getfixturevalue("db" if kind == "sqlite" else "postgresql_url")
    if not Path("/proc").is_dir():
        pytest.skip("finding the workers needs /proc")
    moments = random.Random(workers)
    orphans: list[int] = []
    for attempt in range(3):
        process = start(db, f"run-{attempt}", workers=workers, seconds=0.01)
        assert process.stdout.readline().startswith("to do")
        time.sleep(moments.uniform(0.05, 0.5))
        orphans += children_of(process.pid)
        process.kill()
        process.communicate()
    process = start(db, "run-last", workers=workers, seconds=0)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    with Store.open(db, read_only=True) as store:
        assert all_rows(store) == expected
        run_states = dict(store.query("SELECT id, state FROM runs")[1])
    # A later run may have had too little left to be caught by the kill; the first cannot.
    assert run_states["run-0"] == "interrupted"
    assert run_states["run-last"] == "finished"
    assert set(run_states.values()) <= {"interrupted", "finished"}
    wait_for(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() and b"spawn" in _cmdline(pid) for pid in orphans))


def _cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_killed_workers_are_replaced(db, expected):
    if not Path("/proc").is_dir():
        pytest.skip("finding the workers needs /proc")
    moments = random.Random(7)
    process = start(db, "run-1", workers=2, seconds=0.05)
    assert process.stdout.readline() == f"to do {COUNT}\n"
    for _ in range(4):
        wait_for(lambda: process.poll() is not None or children_of(process.pid))
        time.sleep(moments.uniform(0.0, 0.3))
        workers = children_of(process.pid)
        if workers:
            os.kill(moments.choice(workers), signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    with Store.open(db, read_only=True) as store:
        assert all_rows(store) == expected


def test_ctrl_c_finishes_what_is_in_flight(db, expected):
    process = start(db, "run-1", workers=2, seconds=0.1)
    assert process.stdout.readline() == f"to do {COUNT}\n"
    with Store.open(db, read_only=True) as store:
        wait_for(lambda: store.query("SELECT count(*) FROM targets")[1][0][0] >= 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    done = int(out.split()[1].rstrip(","))
    assert 1 <= done < COUNT
    with Store.open(db, read_only=True) as store:
        assert store.query("SELECT count(*), min(state), max(state) FROM targets")[1] == [(done, "done", "done")]
    again = start(db, "run-2", workers=0, seconds=0)
    assert again.communicate(timeout=120)[0].startswith(f"to do {COUNT - done}\n")
    with Store.open(db, read_only=True) as store:
        assert all_rows(store) == expected


def test_a_second_ctrl_c_stops_at_once_and_keeps_what_was_committed(db, expected):
    process = start(db, "run-1", workers=2, seconds=0.1)
    with Store.open(db) as store:
        wait_for(lambda: store.query("SELECT count(*) FROM targets")[1][0][0] >= 1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
        assert process.returncode != 0
        assert "KeyboardInterrupt" in err
        assert store.query("SELECT count(*) FROM targets WHERE state = 'done'")[1][0][0] >= 1
        store.start_run(make_run("run-2"))
        mine(Plan(targets(COUNT), store, store.digest_of("run-2")), MadeUp(), InlineExecutor(), store, "run-2")
        assert all_rows(store) == expected
