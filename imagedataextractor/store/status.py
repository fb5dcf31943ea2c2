"""What the database says about a run, while it is under way or after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagedataextractor.store.particles import expected_values

if TYPE_CHECKING:
    from imagedataextractor.store.store import Store

__all__ = ["Status", "status_of"]

_RUN = (
    "SELECT id, state, command, started_at, updated_at, finished_at, exit_code, host, pid, "
    "targets_total, targets_done, targets_failed, targets_skipped, settings_digest, weights_sha256, seed FROM runs "
)

#: Counting the particles themselves would read all of them; the segmentations know.
_ROWS = (
    "SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM figures), (SELECT count(*) FROM panels), "
    "(SELECT count(*) FROM segmentations WHERE is_current), "
    "(SELECT count(*) FROM segmentations WHERE is_current AND nm_per_px IS NOT NULL), "
    "(SELECT coalesce(sum(n_particles), 0) FROM segmentations WHERE is_current), "
    "(SELECT coalesce(sum(n_accepted), 0) FROM segmentations WHERE is_current)"
)
_ROW_NAMES = (
    "articles",
    "figures",
    "panels",
    "measured panels",
    "with a scale",
    "particles",
    "accepted particles",
)

_FAILURES = (
    "SELECT stage, target, error_class, message, attempt FROM failures WHERE resolved_at IS NULL "
    "ORDER BY last_seen_at DESC, id DESC LIMIT :limit"
)


@dataclass(frozen=True)
class Status:
    """One run, what the database holds, and its open failures.

    ``run`` is None where there is no such run; ``failures`` are (stage, target, error class,
    message, attempt), the newest first, and ``open_failures`` counts all of them.
    """

    run: dict[str, Any] | None
    rows: dict[str, int]
    failures: list[tuple[Any, ...]]
    open_failures: int

    def as_dict(self) -> dict[str, Any]:
        names = ("stage", "target", "error_class", "message", "attempt")
        return {
            "run": self.run,
            "rows": self.rows,
            "open_failures": self.open_failures,
            "failures": [dict(zip(names, row, strict=True)) for row in self.failures],
        }


def status_of(store: Store, run_id: str | None = None, *, failures: int = 20) -> Status:
    """The state of a run (the last one by default), read without disturbing it.

    Parameters
    ----------
    store : Store
    run_id : str, optional
    failures : int
        How many open failures to return.
    """
    if run_id is None:
        columns, found = store.query(_RUN + "ORDER BY started_at DESC, updated_at DESC, id DESC LIMIT 1")
    else:
        columns, found = store.query(_RUN + "WHERE id = :id", {"id": run_id})
    run = dict(zip(columns, found[0], strict=True)) if found else None
    with expected_values(store):
        counts = [int(value) for value in store.query(_ROWS)[1][0]]
    open_failures = int(store.query("SELECT count(*) FROM failures WHERE resolved_at IS NULL")[1][0][0])
    rows = store.query(_FAILURES, {"limit": failures})[1]
    return Status(run, dict(zip(_ROW_NAMES, counts, strict=True)), rows, open_failures)
