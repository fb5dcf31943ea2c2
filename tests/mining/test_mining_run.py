"""Bulk runs: what is done, what is passed over, what fails, what is written."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from mining_work import MadeUp, Refusing, targets
from store_results import all_rows, make_result, make_run

from imagedataextractor.errors import IdeError, InputError, StoreError
from imagedataextractor.mining.ahead import DiskBudget
from imagedataextractor.mining.executors import InlineExecutor, ProcessExecutor, WorkerLostError
from imagedataextractor.mining.plan import Plan, without_finished
from imagedataextractor.mining.progress import Counts
from imagedataextractor.mining.run import mine
from imagedataextractor.mining.stop import StopRequest
from imagedataextractor.mining.units import Outcome, Unit
from imagedataextractor.mining.writer import MineOptions
from imagedataextractor.records import Failure, ScaleBar
from imagedataextractor.store import Store, pack
from imagedataextractor.targets import Target


def run_over(store: Store, count: int, work=None, run_id: str = "run-1", executor=None, **options) -> Counts:
    plan = Plan(targets(count), store, store.digest_of(run_id))
    return mine(plan, work or MadeUp(), executor or InlineExecutor(), store, run_id, **options)


def states(store: Store) -> dict[str, str]:
    return dict(store.query("SELECT key, state FROM targets")[1])


# ---------------------------------------------------------------- what is done


def test_every_target_becomes_rows(store):
    counts = run_over(store, 7)
    assert (counts.done, counts.failed, counts.particles) == (7, 0, 35)
    assert store.query("SELECT count(*) FROM measured_particles")[1] == [(35,)]
    assert store.query("SELECT targets_done, targets_failed FROM runs")[1] == [(7, 0)]


def test_a_rerun_does_only_what_is_missing_and_says_so(store, tmp_path):
    run_over(store, 3)
    before = all_rows(store)
    plan = Plan(targets(5), store, store.digest_of("run-1"))
    assert plan.survey().lines() == [
        "5 targets",
        "  3 finished before, passed over",
        "  2 new",
    ]
    trace = tmp_path / "trace"
    run_over(store, 5, MadeUp(trace=trace))
    assert trace.read_text().split() == ["4", "5"]
    assert set(before["particles"]) < set(all_rows(store)["particles"])


def test_a_changed_setting_makes_stale(store, tmp_path):
    run_over(store, 2)
    store.start_run(make_run("run-2", threshold=0.9))
    plan = Plan(targets(3), store, store.digest_of("run-2"))
    assert "  2 finished under other settings or another model: stale, will be done again" in plan.survey().lines()
    assert len(list(plan)) == 3
    store.start_run(make_run("run-3", device="cuda"))  # where it is done is no matter
    assert Plan(targets(2), store, store.digest_of("run-3")).survey().done == 2


def test_a_file_that_changed_is_done_again(store, tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"one")
    digest = store.digest_of("run-1")
    target = Target("image", str(picture), picture)
    (unit,) = Plan([target], store, digest)
    store.write_article(make_result(), "run-1", target=target.key, fingerprint=unit.fingerprint)
    assert list(Plan([target], store, digest)) == []
    picture.write_bytes(b"other")
    assert Plan([target], store, digest).survey().changed == 1
    assert len(list(Plan([target], store, digest))) == 1


def test_postgresql_gets_the_same_rows(store, postgresql_url):
    with Store.open(postgresql_url) as other:
        other.start_run(make_run())
        work = MadeUp(refused=frozenset({3}))
        for database in (store, other):
            run_over(database, 6, work)
            run_over(database, 8, work)
        assert all_rows(other) == all_rows(store)
        lock = other.lock("mine")
        assert lock.acquire()
        with Store.open(postgresql_url) as third:
            assert not third.lock("mine").acquire()
            lock.release()
            assert third.lock("mine").acquire()


def test_a_target_named_twice_is_one(store):
    plan = Plan(targets(3) + targets(3), store, store.digest_of("run-1"))
    assert plan.survey().total == 3
    assert len(list(plan)) == 3


def test_no_key_is_taken_for_another_or_missed():
    names = [f"10.1000/{number % 7000}" for number in range(9000)]
    twice = [Target("doi", f"doi:{name}", doi=name) for name in names]
    plan = Plan(twice, None, "digest")
    assert [unit.target.doi for unit in plan] == names[:7000]


def test_again_does_everything(store):
    run_over(store, 3)
    before = all_rows(store)
    plan = Plan(targets(3), store, store.digest_of("run-1"), again=True)
    assert plan.survey().to_do == 3
    assert mine(plan, MadeUp(), InlineExecutor(), store, "run-1").done == 3
    assert all_rows(store) == before


def test_figures_that_are_finished_are_left_out(store):
    result = make_result(figures=3)
    hashes = {f"f{i}.png": figure.image_sha256 for i, figure in enumerate(result.figures)}
    finished = frozenset({("Figure 1", hashes["f0.png"]), ("Figure 2", "another picture")})
    left = without_finished(result.article, finished, hashes.__getitem__)
    assert [figure.label for figure in left.figures] == ["Figure 2", "Figure 3", "Figure 4"]
    assert without_finished(result.article, frozenset(), hashes.__getitem__) == result.article


def test_a_retry_knows_what_of_the_article_is_finished(store):
    failure = Failure(
        "segmentation", "10.1000/Example.1 / Figure 1 / panel a", "MemoryError", "no memory", "Figure 1", "a"
    )
    result = make_result(1, failures=(failure,))
    (target,) = targets(1)
    store.write_article(result, "run-1", target=target.key)
    (unit,) = Plan([target], store, store.digest_of("run-1"))
    assert unit.finished == {("Figure 2", result.figures[1].image_sha256)}


# ---------------------------------------------------------------- what fails


def test_failures_are_rows_and_the_rest_goes_on(store):
    counts = run_over(store, 5, MadeUp(broken=frozenset({2}), refused=frozenset({4})))
    assert (counts.done, counts.failed) == (3, 2)
    assert sorted(store.query("SELECT target, stage, error_class FROM failures")[1]) == [
        ("doi:10.1000/example.2", "mining", "ZeroDivisionError"),
        ("doi:10.1000/example.4", "articles", "InputError"),
    ]
    assert run_over(store, 5).done == 2
    assert store.query("SELECT count(*) FROM failures WHERE resolved_at IS NULL")[1] == [(0,)]
    assert set(states(store).values()) == {"done"}


def test_failures_within_an_article_are_told_and_counted(store):
    class Partly:
        def __call__(self, unit: Unit) -> Outcome:
            return Outcome(pack(make_result(1, failures=(Failure("figures", "x / Figure 9", "E", "no picture"),))))

        def probe(self) -> None: ...

    class Told:
        def __init__(self) -> None:
            self.failures: list[Failure] = []

        def update(self, counts: Counts) -> None: ...

        def failed(self, failure: Failure) -> None:
            self.failures.append(failure)

    told = Told()
    counts = run_over(store, 1, Partly(), progress=told)
    assert (counts.done, counts.failed) == (0, 1)
    assert [failure.message for failure in told.failures] == ["no picture"]
    assert states(store) == {"doi:10.1000/example.1": "failed"}


def test_a_result_that_cannot_be_written_does_not_take_the_batch_with_it(store):
    class OneOdd(MadeUp):
        def __call__(self, unit: Unit) -> Outcome:
            outcome = super().__call__(unit)
            if not unit.target.key.endswith(".2"):
                return outcome
            figure = outcome.packed.result.figures[0]
            odd = dataclasses.replace(figure.panels[0], scalebar=ScaleBar(confidence="high"))
            result = dataclasses.replace(outcome.packed.result, figures=(dataclasses.replace(figure, panels=(odd,)),))
            return Outcome(dataclasses.replace(outcome.packed, result=result))

    counts = run_over(store, 4, OneOdd(), options=MineOptions(batch_articles=100, batch_s=100))
    assert (counts.done, counts.failed) == (3, 1)
    assert store.query("SELECT stage, target FROM failures")[1] == [("store", "doi:10.1000/example.2")]
    assert store.query("SELECT targets_done, targets_failed FROM runs")[1] == [(3, 1)]


class Mortal(InlineExecutor):
    """As if each call that raises had killed its worker."""

    def submit(self, fn, /, *args, **kwargs):
        future = super().submit(fn, *args, **kwargs)
        if future.exception() is None:
            return future
        lost: Future = Future()
        lost.set_exception(WorkerLostError("killed by SIGKILL"))
        return lost


def test_any_number_of_poison_articles_in_a_row_is_set_aside_and_the_run_goes_on(store):
    plan = Plan(targets(50), store, store.digest_of("run-1"))
    counts = mine(plan, MadeUp(broken=frozenset(range(1, 41))), Mortal(), store, "run-1")
    assert (counts.done, counts.failed, counts.set_aside, counts.lost_workers) == (10, 0, 40, 120)
    assert store.query("SELECT count(*) FROM failures WHERE message LIKE '%set aside after 3 attempts%'")[1] == [(40,)]
    again = Plan(targets(50), store, store.digest_of("run-1"), retry_set_aside=True)
    assert mine(again, MadeUp(), InlineExecutor(), store, "run-1").done == 40


def test_a_probe_that_dies_too_stops_the_run_and_no_article_is_blamed(store):
    class Sick(MadeUp):
        def probe(self) -> None:
            raise ZeroDivisionError

    run_over(store, 5)
    with pytest.raises(IdeError, match=r"whatever they work on .*killed by SIGKILL"):
        mine(
            Plan(targets(1000), store, store.digest_of("run-1")),
            Sick(broken=frozenset(range(1000))),
            Mortal(),
            store,
            "run-1",
        )
    assert set(states(store).values()) == {"done"}


def test_a_missing_model_stops_the_run_instead_of_failing_every_article(store):
    with pytest.raises(InputError, match="no model"):
        run_over(store, 1000, Refusing())
    assert states(store) == {}


def test_a_database_that_cannot_be_written_stops_the_run(store, tmp_path):
    with Store.open(str(tmp_path / "particles.db"), timeout_s=0.1) as impatient:
        other = sqlite3.connect(tmp_path / "particles.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        plan = Plan(targets(10), impatient, store.digest_of("run-1"))
        with pytest.raises(StoreError, match="locked"):
            mine(plan, MadeUp(), InlineExecutor(), impatient, "run-1")
        other.execute("ROLLBACK")
        other.close()
    assert run_over(store, 10).done == 10


def test_a_reader_that_holds_the_database_holds_nothing_up(store, tmp_path):
    run_over(store, 2)
    reader = sqlite3.connect(tmp_path / "particles.db", isolation_level=None)
    reader.execute("BEGIN")
    count = "SELECT count(*) FROM targets"
    assert reader.execute(count).fetchone() == (2,)
    assert run_over(store, 10).done == 8
    assert reader.execute(count).fetchone() == (2,)  # its own moment
    reader.execute("ROLLBACK")
    assert reader.execute(count).fetchone() == (10,)
    reader.close()


# ---------------------------------------------------------------- stopping


def test_a_stop_finishes_what_is_in_flight_and_begins_nothing_new(store):
    stop = StopRequest()

    class StopsAtThird(MadeUp):
        def __call__(self, unit: Unit) -> Outcome:
            if unit.target.key.endswith(".3"):
                stop()
            return super().__call__(unit)

    counts = run_over(store, 10, StopsAtThird(), stop=stop)
    assert counts.done == 3
    assert len(states(store)) == 3
    assert run_over(store, 10).done == 7


def test_the_second_request_stops_at_once():
    stop = StopRequest()
    assert not stop
    stop()
    assert stop
    with pytest.raises(KeyboardInterrupt):
        stop()


def test_a_stop_names_what_it_waits_for_and_leaves_what_is_queued(store):
    told: list[list[str]] = []
    stop = StopRequest()

    class Watching:
        def update(self, counts: Counts) -> None:
            if not stop:
                stop()

        def failed(self, failure: Failure) -> None: ...

        def stopping(self, targets: list[str]) -> None:
            told.append(targets)

    with ProcessExecutor(1, threads=1) as executor:
        counts = run_over(store, 5, MadeUp(seconds=1.5), executor=executor, progress=Watching(), stop=stop)
    # One call runs, the second of the slot's two is queued and given back.
    assert len(told) == 1
    assert len(told[0]) == counts.done == 1


# ---------------------------------------------------------------- retrieving ahead


class FakeNetwork:
    """Downloads of 100 bytes each into a folder."""

    def __init__(self, folder: Path, absent: frozenset[int] = frozenset()) -> None:
        self.folder = folder
        self.absent = absent
        self.asked: list[str] = []
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, target: Target) -> Path:
        name = target.key.rsplit(".", 1)[1]
        with self._lock:
            self.asked.append(target.key)
        if int(name) in self.absent:
            raise IdeError(f"{target.doi}: no source has its full text")
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "f.jpg").write_bytes(bytes(100))
        with self._lock:
            self.most = max(self.most, len(list(self.folder.iterdir())))
        return folder


def test_what_cannot_be_retrieved_is_a_failure_and_asked_for_once(store, tmp_path):
    (tmp_path / "d").mkdir()
    network = FakeNetwork(tmp_path / "d", absent=frozenset({2}))
    trace = tmp_path / "trace"
    counts = run_over(store, 4, MadeUp(trace=trace), retriever=network)
    assert (counts.done, counts.failed, counts.retrieved) == (3, 1, 3)
    assert sorted(network.asked) == [target.key for target in targets(4)]
    assert sorted(trace.read_text().split()) == ["1", "3", "4"]
    assert store.query("SELECT stage, message FROM failures")[1] == [
        ("articles", "10.1000/example.2: no source has its full text")
    ]


def test_downloads_that_are_not_kept_stay_within_the_budget(store, tmp_path):
    (tmp_path / "d").mkdir()
    network = FakeNetwork(tmp_path / "d")
    budget = DiskBudget(250, keep=False)
    counts = run_over(store, 40, retriever=network, budget=budget, options=MineOptions(batch_articles=1))
    assert counts.done == 40
    assert list((tmp_path / "d").iterdir()) == []
    assert budget.held_bytes == 0
    assert network.most < 20


def test_a_download_is_dropped_whole_or_not_at_all(tmp_path, monkeypatch):
    folder = tmp_path / "article"
    folder.mkdir()
    (folder / "retrieved.json").write_text("{}")
    (folder / "fig1.png").write_bytes(b"1")
    budget = DiskBudget(250, keep=False)
    budget.add("doi:1", folder)

    def killed_amid(path, ignore_errors):
        if path.exists():
            (path / "fig1.png").unlink()
            raise KeyboardInterrupt

    monkeypatch.setattr("imagedataextractor.mining.ahead.shutil.rmtree", killed_amid)
    with pytest.raises(KeyboardInterrupt):
        budget.done("doi:1")
    assert not folder.exists()


def test_downloads_that_are_kept_stop_the_run_when_the_budget_is_spent(store, tmp_path):
    (tmp_path / "d").mkdir()
    network = FakeNetwork(tmp_path / "d")
    with pytest.raises(IdeError, match="disk budget"):
        run_over(store, 40, retriever=network, budget=DiskBudget(1000, keep=True))
    assert 10 <= len(states(store)) < 40
    assert set(states(store).values()) == {"done"}
    run_over(store, 40, retriever=FakeNetwork(tmp_path / "d"), budget=DiskBudget(10**9, keep=True))
    assert len(states(store)) == 40
    assert set(states(store).values()) == {"done"}
