"""Results into the database, many in one transaction."""

from __future__ import annotations

import dataclasses
import logging
import time
from dataclasses import dataclass

from imagedataextractor.errors import StoreError
from imagedataextractor.mining.ahead import DiskBudget
from imagedataextractor.mining.progress import Counts, Progress
from imagedataextractor.mining.units import Ending, Outcome, Unit
from imagedataextractor.store import Store

__all__ = ["BatchWriter", "MineOptions"]

log = logging.getLogger(__name__)


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


class BatchWriter:
    """Collects outcomes and commits them, together with how far the run is."""

    def __init__(
        self,
        store: Store,
        run_id: str,
        counts: Counts,
        options: MineOptions,
        budget: DiskBudget | None,
        progress: Progress | None,
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._counts = counts
        self._options = options
        self._budget = budget
        self._progress = progress
        self._pending: list[tuple[Unit, Outcome]] = []
        self._pending_since = 0.0

    def add(self, unit: Unit, outcome: Outcome) -> None:
        """Note what became of a unit; it is written with the next batch."""
        if outcome.ending is Ending.WAITING:
            # Not the article's fault: it stays to be done, and what does not need that service goes on.
            if not self._counts.waiting and outcome.failure is not None:
                log.warning("%s. Such articles wait; the others go on", outcome.failure.message)
            self._counts.add(outcome)
            return
        if not self._pending:
            self._pending_since = time.monotonic()
        self._pending.append((unit, outcome))

    def write_when_due(self) -> None:
        if not self._pending:
            return
        options = self._options
        if (
            len(self._pending) >= options.batch_articles
            or sum(outcome.particles for _, outcome in self._pending) >= options.batch_particles
            or time.monotonic() - self._pending_since >= options.batch_s
        ):
            self.write()

    def write(self) -> None:
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
        after = dataclasses.replace(self._counts)
        for _, outcome in batch:
            after.add(outcome)
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
            self._write_batch([(unit, Outcome.of_error("store", unit.target.key, error))])

    def _write_one(self, unit: Unit, outcome: Outcome) -> None:
        key = unit.target.key
        if outcome.packed is not None:
            self._store.write_article(outcome.packed, self._run_id, target=key, fingerprint=unit.fingerprint)
        elif outcome.failure is not None:
            self._store.record_failure(outcome.failure, self._run_id, target=key, state=outcome.ending)

    def _count(self, outcome: Outcome) -> None:
        self._counts.add(outcome)
        if self._progress is not None:
            for failure in outcome.failures:
                self._progress.failed(failure)
