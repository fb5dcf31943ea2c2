"""Many articles: what is to do, done on many cores or machines, resumed wherever it was stopped.

    targets ──► plan ──► retrieve ahead ──► workers ──► one writer ──► database
              (skip what    (threads,       (executors)   (batched
               is done)      disk budget)                  transactions)

The database is the only memory: a run that was killed at any moment goes on from what was
committed. Workers return packed results and touch no database; the thread that calls `mine` is the
only one that writes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import logging
import os
import queue
import shutil
import signal
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from imagedataextractor.errors import IdeError, QuotaError, StoreError
from imagedataextractor.mining.executors import WorkerLostError, WorkExecutor
from imagedataextractor.records import Article, Failure, Figure
from imagedataextractor.store import PackedArticle, Store, TargetState
from imagedataextractor.targets import Target, fingerprint

__all__ = [
    "Counts",
    "DiskBudget",
    "MineOptions",
    "Outcome",
    "Plan",
    "Progress",
    "Retriever",
    "StopRequest",
    "Survey",
    "Unit",
    "Work",
    "mine",
    "without_finished",
]

log = logging.getLogger(__name__)

#: Targets whose state is asked of the database at a time.
_CHUNK = 500
#: Calls handed to the executor for each of its slots, so that no worker waits for its next one.
_CALLS_A_SLOT = 2
#: Articles retrieved ahead at the same time. The services set the pace, so more would only wait.
_RETRIEVERS = 4


# ---------------------------------------------------------------- what is to do


@dataclass(frozen=True)
class Unit:
    """A target to work on, and what of it is finished already.

    ``finished`` holds label and SHA-256 of pictures that need no second look.
    """

    target: Target
    fingerprint: str | None = None
    finished: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """What a worker returns: a packed result, or why there is none, and what it took."""

    packed: PackedArticle | None = None
    failure: Failure | None = None
    read_s: float = 0.0
    extract_s: float = 0.0


class Work(Protocol):
    """What a worker does with a unit; must be picklable."""

    def __call__(self, unit: Unit, /) -> Outcome: ...

    def probe(self) -> None:
        """Do a little of everything, on no article: a worker that dies of this can do none."""


@dataclass
class Survey:
    """How many targets are in which state, before anything is done."""

    total: int = 0
    new: int = 0
    done: int = 0
    changed: int = 0
    stale: int = 0
    failed: int = 0
    set_aside: int = 0

    @property
    def to_do(self) -> int:
        return self.total - self.done - self.set_aside

    def lines(self) -> list[str]:
        """The survey in words."""
        parts = [
            (self.done, "finished before, passed over"),
            (self.set_aside, "set aside after killing their workers, passed over (--retry-set-aside)"),
            (self.failed, "failed before: what is missing will be tried again"),
            (self.stale, "finished under other settings or another model: stale, will be done again"),
            (self.changed, "finished, but their files changed: will be done again"),
            (self.new, "new"),
        ]
        width = len(f"{self.total:,}")
        head = f"{self.total:,} target" + ("" if self.total == 1 else "s")
        return [head] + [f"  {count:>{width},} {what}" for count, what in parts if count]


class Plan:
    """Which of many targets are to be worked on. Iterating yields units; no list is kept.

    Parameters
    ----------
    targets : iterable of Target
        Gone through more than once.
    store : Store or None
        None where there is no database yet: then all of them are new.
    digest : str
        The settings digest under which they shall be finished.
    again : bool
        Work on all of them, finished or not.
    retry_set_aside : bool
        Work on those that killed their workers, too.
    """

    def __init__(
        self,
        targets: Iterable[Target],
        store: Store | None,
        digest: str,
        *,
        again: bool = False,
        retry_set_aside: bool = False,
    ) -> None:
        self._targets = targets
        self._store = store
        self._digest = digest
        self._again = again
        self._retry_set_aside = retry_set_aside

    def __iter__(self) -> Iterator[Unit]:
        for target, mark, state in self._states():
            kind = "new" if self._again else self._kind(state, mark)
            if kind == "failed":
                yield Unit(target, mark, self._finished_figures(target))
            elif kind not in ("done", "set aside"):
                yield Unit(target, mark)

    def survey(self) -> Survey:
        """Count the targets by state."""
        found = Survey()
        for _, mark, state in self._states():
            found.total += 1
            kind = "new" if self._again else self._kind(state, mark).replace(" ", "_")
            setattr(found, kind, getattr(found, kind) + 1)
        return found

    def _finished_figures(self, target: Target) -> frozenset[tuple[str, str]]:
        return frozenset() if self._store is None else self._store.finished_figures(target.key, self._digest)

    def _kind(self, state: TargetState | None, mark: str | None) -> str:
        if state is None:
            return "new"
        if state.state == "done" and state.fingerprint != mark:
            return "changed"
        if state.state == "set aside" and self._retry_set_aside:
            return "failed"
        return state.state

    def _states(self) -> Iterator[tuple[Target, str | None, TargetState | None]]:
        seen = _Seen()
        marks: dict[Path, str] = {}
        targets = (target for target in self._targets if seen.is_new(target.key))
        while chunk := list(islice(targets, _CHUNK)):
            keys = [target.key for target in chunk]
            states = {} if self._store is None else self._store.target_states(keys, self._digest)
            for target in chunk:
                yield target, fingerprint(target, marks), states.get(target.key)
            if len(marks) > _CHUNK:  # the targets of a folder come together: no need to know all folders
                marks.clear()


class _Seen:
    """Which keys came already: a list of a million DOIs may name some twice.

    A hash table of 64-bit digests with linear probing, which takes a fifth of the memory of a set.
    """

    def __init__(self) -> None:
        self._slots = array("Q", [0]) * 1024
        self._count = 0

    def is_new(self, key: str) -> bool:
        digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest()
        if not self._add(int.from_bytes(digest) or 1):  # 0 is an empty slot
            return False
        self._count += 1
        if 2 * self._count > len(self._slots):
            full, self._slots = self._slots, array("Q", [0]) * (2 * len(self._slots))
            for number in filter(None, full):
                self._add(number)
        return True

    def _add(self, number: int) -> bool:
        slots, place = self._slots, number % len(self._slots)
        while slots[place]:
            if slots[place] == number:
                return False
            place = (place + 1) % len(slots)
        slots[place] = number
        return True


def without_finished(
    article: Article, finished: frozenset[tuple[str, str]], sha256_of: Callable[[str], str]
) -> Article:
    """The article without the figures all of whose pictures are finished."""
    if not finished:
        return article
    left = tuple(figure for figure in article.figures if not _is_finished(figure, finished, sha256_of))
    return dataclasses.replace(article, figures=left)


def _is_finished(figure: Figure, finished: frozenset[tuple[str, str]], sha256_of: Callable[[str], str]) -> bool:
    labels = [figure.picture_label(position) for position in range(len(figure.graphics))]
    known = {name for name, _ in finished}
    if not figure.graphics or not known.issuperset(labels):
        return False
    try:
        return all(
            (name, sha256_of(graphic)) in finished for name, graphic in zip(labels, figure.graphics, strict=True)
        )
    except OSError:
        return False


# ---------------------------------------------------------------- retrieving ahead


class DiskBudget:
    """How much disk the downloaded articles may take.

    Parameters
    ----------
    limit_bytes : int
    keep : bool
        Whether downloads are kept once their article is in the database.
    """

    def __init__(self, limit_bytes: int, *, keep: bool) -> None:
        self.limit_bytes = limit_bytes
        self.keep = keep
        self.held_bytes = 0
        self._sizes: dict[str, tuple[Path, int]] = {}

    @property
    def is_spent(self) -> bool:
        return self.held_bytes >= self.limit_bytes

    def add(self, key: str, folder: Path) -> None:
        """Note what was downloaded for a target."""
        size = _size_of(folder)
        self._sizes[key] = (folder, size)
        self.held_bytes += size

    def done(self, key: str) -> None:
        """The target is in the database: drop its download, unless downloads are kept."""
        folder, size = self._sizes.pop(key, (None, 0))
        if folder is not None and not self.keep:
            _remove(folder)
            self.held_bytes -= size


def _remove(folder: Path) -> None:
    """Remove a download all at once: a kill amid it must not leave one that lacks files."""
    going = folder.with_name(f"{folder.name}.dropped")
    shutil.rmtree(going, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.rename(going)
    shutil.rmtree(going, ignore_errors=True)


def _size_of(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(path, name)).st_size
    return total


class Retriever(Protocol):
    """Fetches what a target needs from the network and returns the folder it lies in, or None."""

    def __call__(self, target: Target, /) -> Path | None: ...


# ---------------------------------------------------------------- the run


@dataclass
class Counts:
    """How far a run is."""

    total: int = 0
    skipped: int = 0
    retrieved: int = 0
    extracted: int = 0
    done: int = 0
    failed: int = 0
    set_aside: int = 0
    #: Articles that a service's spent quota keeps back: neither done nor failed; and when it is renewed at
    #: the latest, seconds since 1970 (0 where no service said).
    waiting: int = 0
    resume_at: float = 0.0
    figures: int = 0
    panels: int = 0
    particles: int = 0
    lost_workers: int = 0
    #: Seconds that workers spent on reading articles, and on extracting particles from them.
    read_s: float = 0.0
    extract_s: float = 0.0

    @property
    def written(self) -> int:
        return self.done + self.failed + self.set_aside


class Progress(Protocol):
    """Is told how far the run is, several times a second, and of every failure."""

    def update(self, counts: Counts) -> None: ...

    def failed(self, failure: Failure) -> None: ...


@dataclass(frozen=True)
class MineOptions:
    """How a run works; nothing here changes the rows.

    Attributes
    ----------
    max_attempts : int
        Tries of a target that kills its worker before it is set aside.
    batch_articles, batch_particles, batch_s
        A transaction is committed when so many articles or particles wait, or the first of them
        has waited so many seconds.
    """

    max_attempts: int = 3
    batch_articles: int = 50
    batch_particles: int = 20_000
    batch_s: float = 1.0


class StopRequest:
    """Ctrl-C, twice: the first asks to finish what is in flight, the second stops at once.

    Parameters
    ----------
    tell : function, optional
        Called at the first one.
    """

    def __init__(self, tell: Callable[[], None] | None = None) -> None:
        self._count = 0
        self._tell = tell

    def __call__(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self._count += 1
        if self._count > 1:
            raise KeyboardInterrupt
        if self._tell is not None:
            self._tell()

    def __bool__(self) -> bool:
        return self._count > 0

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listen to Ctrl-C and to SIGTERM, by which batch systems announce the end of a job."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def mine(
    plan: Iterable[Unit],
    work: Work,
    executor: WorkExecutor,
    store: Store,
    run_id: str,
    *,
    counts: Counts | None = None,
    options: MineOptions | None = None,
    retriever: Retriever | None = None,
    budget: DiskBudget | None = None,
    progress: Progress | None = None,
    stop: StopRequest | None = None,
) -> Counts:
    """Work on all units and write what comes out.

    Parameters
    ----------
    plan : iterable of Unit
        Taken from as workers become free; it is never held in memory as a whole.
    work : Work
        Called with each unit on the executor.
    executor : WorkExecutor
    store, run_id
        Where results go; the run was begun with ``store.start_run``.
    counts : Counts, optional
        Where to count on; `total` and `skipped` are the caller's.
    retriever : Retriever, optional
        Called in threads for DOIs, ahead of the workers.
    budget : DiskBudget, optional
        Holds the retriever back while too much is on disk.
    stop : StopRequest, optional
        Once true, nothing new is begun; what is in flight is finished and written.

    Returns
    -------
    Counts

    Raises
    ------
    StoreError
        The database cannot be written; what was committed stays, the next run goes on from there.
    IdeError
        The disk budget is spent and downloads are kept; the disk of the downloads is full; or workers
        die whatever they work on.
    """
    counts = counts or Counts()
    run = _Run(work, executor, store, run_id, counts, options or MineOptions(), budget, progress)
    stop = StopRequest() if stop is None else stop  # not `or`: one that is not yet asked for is false
    if retriever is None:
        run.go(_Direct(iter(plan)), stop)
    else:
        with _Ahead(iter(plan), retriever, budget, counts) as ahead:
            run.go(ahead, stop)
    return counts


class _Direct:
    """Units as they come from the plan."""

    def __init__(self, source: Iterator[Unit]) -> None:
        self._source = source
        self.exhausted = False

    def take(self, in_flight: int) -> tuple[Unit, Failure | None] | None:
        unit = next(self._source, None)
        self.exhausted = unit is None
        return None if unit is None else (unit, None)


class _Ahead:
    """Units whose download is at hand: DOIs are retrieved in threads while workers are busy."""

    def __init__(self, source: Iterator[Unit], retriever: Retriever, budget: DiskBudget | None, counts: Counts) -> None:
        self._source = source
        self._retriever = retriever
        self._budget = budget
        self._counts = counts
        self._pool = ThreadPoolExecutor(_RETRIEVERS, thread_name_prefix="retrieve")
        self._waiting: deque[tuple[Unit, Future[Path | None]]] = deque()
        self._dry = False

    def __enter__(self) -> _Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def exhausted(self) -> bool:
        return self._dry and not self._waiting

    def take(self, in_flight: int) -> tuple[Unit, Failure | None] | None:
        """A unit that is ready, or why it could not be retrieved; None where none is ready yet."""
        self._fill(in_flight)
        for position, (unit, future) in enumerate(self._waiting):
            if future.done():
                del self._waiting[position]
                return unit, self._note(unit, future)
        return None

    def _fill(self, in_flight: int) -> None:
        while not self._dry and len(self._waiting) < 2 * _RETRIEVERS:
            if self._budget is not None and self._budget.is_spent:
                if in_flight or self._waiting:
                    return  # what is in flight makes room, unless downloads are kept
                if self._budget.keep:
                    raise IdeError(
                        f"downloads have filled the disk budget ({self._budget.limit_bytes:,} bytes): raise "
                        "mining.disk_budget_bytes or set mining.keep_figures = false, and run the same command again"
                    )
            unit = next(self._source, None)
            if unit is None:
                self._dry = True
                return
            future: Future[Path | None] = Future()
            if unit.target.kind == "doi":
                future = self._pool.submit(self._retriever, unit.target)
            else:
                future.set_result(None)
            self._waiting.append((unit, future))

    def _note(self, unit: Unit, future: Future[Path | None]) -> Failure | None:
        if unit.target.kind != "doi":
            return None
        error = future.exception()
        if _is_disk_full(error):
            raise IdeError(f"{error}: free some space, then run the same command again") from error
        if isinstance(error, QuotaError):
            self._counts.resume_at = max(self._counts.resume_at, error.resets_at or 0.0)
        if isinstance(error, IdeError):
            return Failure("articles", unit.target.key, type(error).__name__, str(error))
        if error is not None:
            return _fault("articles", unit.target.key, error)
        self._counts.retrieved += 1
        folder = future.result()
        if folder is not None and self._budget is not None:
            self._budget.add(unit.target.key, folder)
        return None


def _is_disk_full(error: BaseException | None) -> bool:
    """Then all that follow would fail as well, and not of themselves."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False


class _Run:
    """The loop: hand out units, take results, write them in batches."""

    def __init__(
        self,
        work: Work,
        executor: WorkExecutor,
        store: Store,
        run_id: str,
        counts: Counts,
        options: MineOptions,
        budget: DiskBudget | None,
        progress: Progress | None,
    ) -> None:
        self._work = work
        self._executor = executor
        self._store = store
        self._run_id = run_id
        self.counts = counts
        self._options = options
        self._budget = budget
        self._progress = progress
        # What is at work or to be tried again, with the tries it has had; None is the probe.
        self._in_flight: dict[Future[Any], tuple[Unit | None, int]] = {}
        self._finished: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._again: deque[tuple[Unit | None, int]] = deque()
        self._suspects: list[tuple[Unit, str]] = []
        self._pending: list[tuple[Unit, Outcome]] = []
        self._pending_since = 0.0

    def go(self, source: _Direct | _Ahead, stop: StopRequest) -> None:
        with stop.on_signals():
            try:
                while not self._is_over(source, stop):
                    self._hand_out(source, stop)
                    self._take_results()
                    self._write_when_due()
                    if self._progress is not None:
                        self._progress.update(self.counts)
                self._write()
            except (KeyboardInterrupt, StoreError):
                self._executor.kill()
                raise
            except Exception:
                self._executor.kill()
                self._write()  # what was done before is not lost with the rest
                raise
        if self._progress is not None:
            self._progress.update(self.counts)

    def _is_over(self, source: _Direct | _Ahead, stop: StopRequest) -> bool:
        nothing_left = bool(stop) or (source.exhausted and not self._again)
        return nothing_left and not self._in_flight

    def _hand_out(self, source: _Direct | _Ahead, stop: StopRequest) -> None:
        room = _CALLS_A_SLOT * self._executor.slots
        while not stop and len(self._in_flight) < room:
            if self._again:
                future = self._begin(*self._again.popleft())
            else:
                taken = None if source.exhausted else source.take(len(self._in_flight))
                if taken is None:
                    return
                unit, failure = taken
                if failure is not None:
                    self._append(unit, Outcome(failure=failure))
                    continue
                future = self._begin(unit, 0)
            if future.done():
                return  # done on the spot: write it before the next is begun

    def _begin(self, unit: Unit | None, tries: int) -> Future[Any]:
        call = self._work.probe if unit is None else partial(self._work, unit)
        future: Future[Any] = self._executor.submit(call)
        self._in_flight[future] = (unit, tries)
        future.add_done_callback(self._finished.put)
        return future

    def _take_results(self) -> None:
        # Long enough not to spin, short enough to notice Ctrl-C, downloads and waiting batches.
        try:
            future = self._finished.get(timeout=0.1)
        except queue.Empty:
            return
        while True:
            self._note(future)
            try:
                future = self._finished.get_nowait()
            except queue.Empty:
                return

    def _note(self, future: Future[Any]) -> None:
        unit, tries = self._in_flight.pop(future)
        error = future.exception()
        if isinstance(error, WorkerLostError):
            self._worker_lost(unit, tries + error.tries, str(error))
        elif isinstance(error, IdeError):
            raise error  # not of this article: the cluster is gone, or a model is not there
        elif unit is None:
            self._set_suspects_aside()
        elif error is not None:
            self._append(unit, Outcome(failure=_fault("mining", unit.target.key, error)))
        else:
            self.counts.extracted += 1
            self._append(unit, future.result())

    def _worker_lost(self, unit: Unit | None, tries: int, message: str) -> None:
        """Try again; what had its tries is suspected, and a probe shall tell whether it was to blame."""
        self.counts.lost_workers += 1
        log.warning("worker lost on %s, attempt %d: %s", unit.target.key if unit else "the probe", tries, message)
        if tries < self._options.max_attempts:
            self._again.append((unit, tries))
        elif unit is None:
            raise IdeError(
                f"workers die whatever they work on ({message}): see `ide doctor`, give them more memory or take "
                "fewer (--workers), then run the same command again"
            )
        else:
            if not self._suspects:
                self._again.appendleft((None, 0))
            self._suspects.append((unit, f"{unit.target.key}: set aside after {tries} attempts: {message}"))

    def _set_suspects_aside(self) -> None:
        """Workers are well: it was the articles that killed them."""
        for unit, told in self._suspects:
            self._append(unit, Outcome(failure=Failure("mining", unit.target.key, "WorkerLostError", told)))
        self._suspects.clear()

    # ------------------------------------------------------------ writing

    def _append(self, unit: Unit, outcome: Outcome) -> None:
        if outcome.failure is not None and outcome.failure.error_class == QuotaError.__name__:
            # Not the article's fault: it stays to be done, and what does not need that service goes on.
            if not self.counts.waiting:
                log.warning("%s. Such articles wait; the others go on", outcome.failure.message)
            self.counts.waiting += 1
            return
        if not self._pending:
            self._pending_since = time.monotonic()
        self._pending.append((unit, outcome))

    def _write_when_due(self) -> None:
        if not self._pending:
            return
        options = self._options
        particles = sum(_particles(outcome) for _, outcome in self._pending)
        if (
            len(self._pending) >= options.batch_articles
            or particles >= options.batch_particles
            or time.monotonic() - self._pending_since >= options.batch_s
        ):
            self._write()

    def _write(self) -> None:
        """Commit what is pending, in one transaction."""
        if not self._pending:
            return
        batch, self._pending = self._pending, []
        try:
            self._write_batch(batch)
        except StoreError:
            raise
        except Exception:  # one result that cannot be written must not take the others with it
            log.debug("a batch of %d could not be written as one", len(batch), exc_info=True)
            for unit, outcome in batch:
                self._write_alone(unit, outcome)

    def _write_batch(self, batch: list[tuple[Unit, Outcome]]) -> None:
        after = dataclasses.replace(self.counts)
        for _, outcome in batch:
            _add(after, outcome)
        with self._store.transaction():
            for unit, outcome in batch:
                self._write_one(unit, outcome)
            self._store.update_run(
                self._run_id,
                targets_done=after.done,
                targets_failed=after.failed + after.set_aside,
                targets_skipped=after.skipped,
            )
        for unit, outcome in batch:
            self._count(outcome)
            if self._budget is not None:
                self._budget.done(unit.target.key)

    def _write_alone(self, unit: Unit, outcome: Outcome) -> None:
        try:
            self._write_batch([(unit, outcome)])
        except StoreError:
            raise
        except Exception as error:
            told = Outcome(failure=_fault("store", unit.target.key, error))
            self._write_batch([(unit, told)])

    def _write_one(self, unit: Unit, outcome: Outcome) -> None:
        if outcome.packed is not None:
            self._store.write_article(
                outcome.packed, self._run_id, target=unit.target.key, fingerprint=unit.fingerprint
            )
        elif outcome.failure is not None:
            state = "set aside" if _is_set_aside(outcome) else "failed"
            self._store.record_failure(outcome.failure, self._run_id, target=unit.target.key, state=state)

    def _count(self, outcome: Outcome) -> None:
        _add(self.counts, outcome)
        if self._progress is not None:
            for failure in _failures(outcome):
                self._progress.failed(failure)


def _add(counts: Counts, outcome: Outcome) -> None:
    if _is_set_aside(outcome):
        counts.set_aside += 1
    elif _failures(outcome):
        counts.failed += 1
    else:
        counts.done += 1
    counts.read_s += outcome.read_s
    counts.extract_s += outcome.extract_s
    if outcome.packed is not None:
        figures = outcome.packed.result.figures
        counts.figures += len(figures)
        counts.panels += sum(panel.segmentation is not None for figure in figures for panel in figure.panels)
        counts.particles += _particles(outcome)


def _particles(outcome: Outcome) -> int:
    if outcome.packed is None:
        return 0
    return sum(len(panel.particles) for figure in outcome.packed.result.figures for panel in figure.panels)


def _failures(outcome: Outcome) -> tuple[Failure, ...]:
    if outcome.packed is not None:
        return outcome.packed.result.failures
    return () if outcome.failure is None else (outcome.failure,)


def _is_set_aside(outcome: Outcome) -> bool:
    return outcome.failure is not None and outcome.failure.error_class == "WorkerLostError"


def _fault(stage: str, target: str, error: BaseException) -> Failure:
    """A failure that is the program's fault, not the input's."""
    detail = " ".join(str(error).split())[:200]
    return Failure(stage, target, type(error).__name__, f"{target}: {type(error).__name__}: {detail}")
