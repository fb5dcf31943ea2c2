"""The executors: inline, local processes, a Dask cluster; workers that die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import wait
from pathlib import Path

import pytest
from mining_work import Dying, MadeUp, targets
from store_results import all_rows

from imagedataextractor.errors import IdeError, ServiceError
from imagedataextractor.mining.executors import DaskExecutor, InlineExecutor, ProcessExecutor, WorkerLostError
from imagedataextractor.mining.plan import Plan
from imagedataextractor.mining.run import mine
from imagedataextractor.mining.writer import MineOptions
from imagedataextractor.store import Store


@pytest.fixture(scope="module")
def processes():
    with ProcessExecutor(2, threads=1) as executor:
        yield executor


def test_results_and_errors_come_back(processes):
    assert processes.slots == 2
    futures = [processes.submit(divmod, n, 7) for n in range(20)]
    assert [future.result(60) for future in futures] == [divmod(n, 7) for n in range(20)]
    with pytest.raises(ZeroDivisionError):
        processes.submit(divmod, 1, 0).result(60)
    assert isinstance(InlineExecutor().submit(divmod, 1, 0).exception(), ZeroDivisionError)


def test_what_cannot_be_sent_back_is_an_error_and_not_a_hang(processes):
    with pytest.raises(RuntimeError, match="pickle"):
        processes.submit(eval, "lambda: 1").result(60)


def test_threads_are_pinned_in_the_workers_and_only_there(processes):
    before = os.environ.get("OMP_NUM_THREADS")
    assert processes.submit(os.getenv, "OMP_NUM_THREADS").result(60) == "1"
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_a_dead_worker_fails_its_own_call_only(processes):
    futures = [processes.submit(time.sleep, 0.2) for _ in range(2)]
    deadly = processes.submit(os._exit, 3)
    futures += [processes.submit(time.sleep, 0.01) for _ in range(5)]
    with pytest.raises(WorkerLostError, match="exit code 3"):
        deadly.result(60)
    assert [future.result(60) for future in futures] == [None] * 7
    with pytest.raises(WorkerLostError, match="SIGKILL"):
        processes.submit(signal.raise_signal, signal.SIGKILL).result(60)


def test_a_worker_does_not_heed_ctrl_c(processes):
    pid = processes.submit(os.getpid).result(60)
    os.kill(pid, signal.SIGINT)
    assert processes.submit(abs, -1).result(60) == 1


def test_kill_stops_at_once():
    executor = ProcessExecutor(1)
    running = executor.submit(time.sleep, 1000)
    waiting = executor.submit(time.sleep, 1000)
    while not running.running():
        time.sleep(0.01)
    executor.kill()
    assert waiting.cancelled()


# ---------------------------------------------------------------- with the bulk run


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The rows of an undisturbed run over 12 targets."""
    from store_results import make_run

    with Store.open(str(tmp_path_factory.mktemp("expected") / "p.db")) as store:
        store.start_run(make_run())
        mine(Plan(targets(12), store, store.digest_of("run-1")), MadeUp(), InlineExecutor(), store, "run-1")
        return all_rows(store)


def test_processes_give_the_same_rows_as_inline(store, processes, expected):
    plan = Plan(targets(12), store, store.digest_of("run-1"))
    assert mine(plan, MadeUp(), processes, store, "run-1").done == 12
    assert all_rows(store) == expected


def test_workers_that_die_are_survived_by_retry(store, processes, expected, tmp_path):
    work = MadeUp(fragile=frozenset({2, 3, 9}), once=tmp_path)
    counts = mine(Plan(targets(12), store, store.digest_of("run-1")), work, processes, store, "run-1")
    assert (counts.done, counts.lost_workers) == (12, 3)
    assert all_rows(store) == expected


def test_a_poison_article_is_set_aside_after_three_tries_with_its_reason(store, processes, tmp_path):
    trace = tmp_path / "trace"
    work = MadeUp(poison=frozenset({4}), trace=trace)
    counts = mine(Plan(targets(6), store, store.digest_of("run-1")), work, processes, store, "run-1")
    assert (counts.done, counts.failed, counts.set_aside) == (5, 0, 1)
    assert trace.read_text().split().count("4") == 3
    _, rows = store.query("SELECT stage, target, error_class, message FROM failures")
    assert rows[0][:3] == ("mining", "doi:10.1000/example.4", "WorkerLostError")
    assert "set aside after 3 attempts" in rows[0][3]
    assert "SIGKILL" in rows[0][3]
    assert list(Plan(targets(6), store, store.digest_of("run-1"))) == []
    retry = Plan(targets(6), store, store.digest_of("run-1"), retry_set_aside=True)
    assert mine(retry, MadeUp(), processes, store, "run-1").done == 1
    assert store.query("SELECT count(*) FROM failures WHERE resolved_at IS NULL")[1] == [(0,)]


def test_workers_that_die_whatever_they_do_stop_the_run_and_no_article_is_blamed(store):
    plan = Plan(targets(1000), store, store.digest_of("run-1"))
    with ProcessExecutor(1) as executor, pytest.raises(IdeError, match=r"whatever they work on .*exit code 9"):
        mine(plan, Dying(), executor, store, "run-1", options=MineOptions(max_attempts=1))
    assert store.query("SELECT count(*) FROM targets")[1] == [(0,)]


def test_workers_that_cannot_be_started_stop_the_run(store, monkeypatch):
    def refuse(threads: int) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("imagedataextractor.mining.executors._Worker", refuse)
    with ProcessExecutor(2) as executor, pytest.raises(IdeError, match="no worker process could be started"):
        mine(Plan(targets(10), store, store.digest_of("run-1")), MadeUp(), executor, store, "run-1")


# ---------------------------------------------------------------- Dask


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory):
    """A scheduler and two worker processes on this machine."""
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    folder = tmp_path_factory.mktemp("dask")
    here = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{here}:{os.environ.get('PYTHONPATH', '')}"}
    address_file = folder / "scheduler.json"

    def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *arguments, "--no-dashboard"],
            cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    started = [
        start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(address_file)),
        start("dask_worker", "--scheduler-file", str(address_file), "--nworkers", "2", "--nthreads", "1",
              "--local-directory", str(folder), "--resources", "SLOT=1"),
    ]  # fmt: skip
    deadline = time.monotonic() + 120
    while not (address_file.exists() and address_file.read_text().strip().endswith("}")):
        if time.monotonic() > deadline:
            pytest.fail("the Dask scheduler did not start")
        time.sleep(0.1)
    yield json.loads(address_file.read_text())["address"]
    for process in reversed(started):
        process.terminate()
        process.wait(60)


def test_a_dask_cluster_gives_the_same_rows(store, dask_cluster, expected):
    with DaskExecutor(dask_cluster, {"SLOT": 1}) as executor:
        executor._client.wait_for_workers(2, timeout=120)
        assert executor.slots == 2
        futures = [executor.submit(divmod, 7, n) for n in range(2)]
        wait(futures, 60)
        assert isinstance(futures[0].exception(), ZeroDivisionError)
        assert futures[1].result() == (7, 0)
        plan = Plan(targets(12), store, store.digest_of("run-1"))
        assert mine(plan, MadeUp(), executor, store, "run-1").done == 12
    assert all_rows(store) == expected


def test_dask_workers_that_die_are_survived_and_poison_is_set_aside(store, dask_cluster, tmp_path):
    with DaskExecutor(dask_cluster) as executor:
        executor._client.wait_for_workers(2, timeout=120)
        work = MadeUp(fragile=frozenset({3}), once=tmp_path)
        counts = mine(Plan(targets(6), store, store.digest_of("run-1")), work, executor, store, "run-1")
        assert (counts.done, counts.set_aside) == (6, 0)
        assert (tmp_path / "3").exists()
        work = MadeUp(poison=frozenset({7}))
        counts = mine(Plan(targets(7), store, store.digest_of("run-1")), work, executor, store, "run-1")
        assert (counts.done, counts.set_aside) == (0, 1)


def test_a_cluster_without_the_workers_that_are_asked_for_is_told_of_once(dask_cluster, caplog):
    with DaskExecutor(dask_cluster, {"GPU": 1}) as executor:
        for _ in range(2):
            executor._counted_at = float("-inf")
            assert executor.slots == 1
    (record,) = caplog.records
    assert "no Dask worker with GPU is there; waiting for one" in record.getMessage()


def test_no_scheduler_is_one_clear_line():
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with pytest.raises(ServiceError, match="no Dask scheduler"):
        DaskExecutor("tcp://127.0.0.1:1", timeout_s=1)
