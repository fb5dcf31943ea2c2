"""Many articles: what is to do, done on many cores or machines, resumed wherever it was stopped.

    targets ──► plan ──► retrieve ahead ──► workers ──► one writer ──► database
              (skip what    (threads,       (executors)   (batched
               is done)      disk budget)                  transactions)

The database is the only memory: a run that was killed at any moment goes on from what was
committed. Workers return packed results and touch no database; the thread that calls `mine` is the
only one that writes.
"""

from __future__ import annotations

import logging
import queue
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial
from typing import Any

from imagedataextractor.errors import IdeError, StoreError
from imagedataextractor.mining.ahead import Ahead, Direct, DiskBudget, Retriever
from imagedataextractor.mining.executors import WorkerLostError, WorkExecutor
from imagedataextractor.mining.progress import Counts, Progress
from imagedataextractor.mining.stop import StopRequest
from imagedataextractor.mining.units import Outcome, Unit, Work
from imagedataextractor.mining.writer import BatchWriter, MineOptions
from imagedataextractor.store import Store

__all__ = ["mine"]

log = logging.getLogger(__name__)

#: Calls handed to the executor for each of its slots, so that no worker waits for its next one.
_CALLS_A_SLOT = 2
#: Seconds the loop waits for a result: long enough not to spin, short enough to notice Ctrl-C, downloads
#: and waiting batches.
_WAIT_S = 0.1


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
    options = options or MineOptions()
    writer = BatchWriter(store, run_id, counts, options, budget, progress)
    run = _Run(work, executor, writer, counts, progress, options.max_attempts)
    stop = StopRequest() if stop is None else stop  # not `or`: one that is not yet asked for is false
    if retriever is None:
        run.go(Direct(iter(plan)), stop)
    else:
        with Ahead(iter(plan), retriever, budget, counts) as ahead:
            run.go(ahead, stop)
    return counts


class _Run:
    """The loop: hand out units, take results, write them in batches."""

    def __init__(
        self,
        work: Work,
        executor: WorkExecutor,
        writer: BatchWriter,
        counts: Counts,
        progress: Progress | None,
        max_attempts: int,
    ) -> None:
        self._work = work
        self._executor = executor
        self._writer = writer
        self._counts = counts
        self._progress = progress
        self._max_attempts = max_attempts
        # What is at work or to be tried again, with the tries it has had; None is the probe.
        self._in_flight: dict[Future[Any], tuple[Unit | None, int]] = {}
        self._finished: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._again: deque[tuple[Unit | None, int]] = deque()
        self._is_stopping = False
        self._suspects: list[tuple[Unit, str]] = []

    def go(self, source: Direct | Ahead, stop: StopRequest) -> None:
        with stop.on_signals():
            try:
                while not self._is_over(source, stop):
                    if stop:
                        self._stop_once()
                    self._hand_out(source, stop)
                    self._take_results()
                    self._writer.write_when_due()
                    if self._progress is not None:
                        self._progress.update(self._counts)
                self._writer.write()
            except (KeyboardInterrupt, StoreError):
                self._executor.kill()
                raise
            except Exception:
                self._executor.kill()
                self._writer.write()  # what was done before is not lost with the rest
                raise
        if self._progress is not None:
            self._progress.update(self._counts)

    def _stop_once(self) -> None:
        """What no worker has begun is left for the next run; say what is finished still."""
        if self._is_stopping:
            return
        self._is_stopping = True
        for future in [future for future in self._in_flight if future.cancel()]:
            del self._in_flight[future]
        if self._progress is not None:
            self._progress.stopping([unit.target.key for unit, _ in self._in_flight.values() if unit is not None])

    def _is_over(self, source: Direct | Ahead, stop: StopRequest) -> bool:
        nothing_left = bool(stop) or (source.exhausted and not self._again)
        return nothing_left and not self._in_flight

    def _hand_out(self, source: Direct | Ahead, stop: StopRequest) -> None:
        room = _CALLS_A_SLOT * self._executor.slots
        while not stop and len(self._in_flight) < room:
            if self._again:
                future = self._begin(*self._again.popleft())
            else:
                taken = None if source.exhausted else source.take(len(self._in_flight))
                if taken is None:
                    return
                unit, refused = taken
                if refused is not None:
                    self._writer.add(unit, refused)
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
        try:
            future = self._finished.get(timeout=_WAIT_S)
        except queue.Empty:
            return
        while True:
            self._note(future)
            try:
                future = self._finished.get_nowait()
            except queue.Empty:
                return

    def _note(self, future: Future[Any]) -> None:
        if future.cancelled():
            return
        unit, tries = self._in_flight.pop(future)
        error = future.exception()
        if isinstance(error, WorkerLostError):
            self._worker_lost(unit, tries + error.tries, str(error))
        elif isinstance(error, IdeError):
            raise error  # not of this article: the cluster is gone, or a model is not there
        elif unit is None:
            self._set_suspects_aside()
        elif error is not None:
            self._writer.add(unit, Outcome.of_error("mining", unit.target.key, error))
        else:
            self._counts.extracted += 1
            self._writer.add(unit, future.result())

    def _worker_lost(self, unit: Unit | None, tries: int, message: str) -> None:
        """Try again; what had its tries is suspected, and a probe shall tell whether it was to blame."""
        self._counts.lost_workers += 1
        log.warning("worker lost on %s, attempt %d: %s", unit.target.key if unit else "the probe", tries, message)
        if tries < self._max_attempts:
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
            self._writer.add(unit, Outcome.of_error("mining", unit.target.key, WorkerLostError(told)))
        self._suspects.clear()
