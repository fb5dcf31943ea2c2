"""Articles retrieved in threads while workers are busy with others, within a bound on disk."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from imagedataextractor.errors import IdeError, QuotaError
from imagedataextractor.mining.progress import Counts
from imagedataextractor.mining.units import Outcome, Unit
from imagedataextractor.targets import Target

__all__ = ["Ahead", "Direct", "DiskBudget", "Retriever"]

#: Articles retrieved ahead at the same time. The services set the pace, so more would only wait.
_RETRIEVERS = 4


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


class Direct:
    """Units as they come from the plan."""

    def __init__(self, source: Iterator[Unit]) -> None:
        self._source = source
        self.exhausted = False

    def take(self, in_flight: int) -> tuple[Unit, Outcome | None] | None:
        unit = next(self._source, None)
        self.exhausted = unit is None
        return None if unit is None else (unit, None)


class Ahead:
    """Units whose download is at hand: DOIs are retrieved in threads while workers are busy."""

    def __init__(self, source: Iterator[Unit], retriever: Retriever, budget: DiskBudget | None, counts: Counts) -> None:
        self._source = source
        self._retriever = retriever
        self._budget = budget
        self._counts = counts
        self._pool = ThreadPoolExecutor(_RETRIEVERS, thread_name_prefix="retrieve")
        self._waiting: deque[tuple[Unit, Future[Path | None]]] = deque()
        self._dry = False

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def exhausted(self) -> bool:
        return self._dry and not self._waiting

    def take(self, in_flight: int) -> tuple[Unit, Outcome | None] | None:
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

    def _note(self, unit: Unit, future: Future[Path | None]) -> Outcome | None:
        if unit.target.kind != "doi":
            return None
        error = future.exception()
        if _is_disk_full(error):
            raise IdeError(f"{error}: free some space, then run the same command again") from error
        if isinstance(error, QuotaError):
            self._counts.resume_at = max(self._counts.resume_at, error.resets_at or 0.0)
        if error is not None:
            return Outcome.of_error("articles", unit.target.key, error)
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
