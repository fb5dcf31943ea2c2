"""What was asked for and what became of it: the rows of runs, targets and failures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from imagedataextractor.records import ArticleResult, Failure
from imagedataextractor.store.statements import Statements
from imagedataextractor.store.values import now, text, text_or_none

__all__ = ["Ledger"]


class Ledger:
    """Writes runs, targets and failures, within its caller's transaction."""

    def __init__(self, statements: Statements) -> None:
        self._execute, self._upsert = statements.execute, statements.upsert

    # ------------------------------------------------------------ runs

    def insert_run(self, values: Mapping[str, Any]) -> None:
        """A new row of `runs`; JSON columns as text."""
        columns = {name: text(value) if isinstance(value, str) else value for name, value in values.items()}
        marks = ", ".join("?" * len(columns))
        self._execute(f"INSERT INTO runs ({', '.join(columns)}) VALUES ({marks})", tuple(columns.values()))

    def update_run(self, run_id: str, values: Mapping[str, Any]) -> None:
        changes = ", ".join(f"{name} = ?" for name in values)
        self._execute(f"UPDATE runs SET {changes} WHERE id = ?", (*values.values(), run_id))

    def running(self, host: str) -> Sequence[Any]:
        """Id and process of the runs that are not noted as over, of one machine."""
        return self._execute("SELECT id, pid FROM runs WHERE state = 'running' AND host = ?", (host,))

    def run_digest(self, run_id: str) -> str | None:
        rows = self._execute("SELECT settings_digest FROM runs WHERE id = ?", (run_id,))
        return str(rows[0][0]) if rows else None

    # ------------------------------------------------------------ targets and failures

    def write_target(
        self,
        key: str,
        digest: str,
        state: str,
        run_id: str,
        *,
        fingerprint: str | None = None,
        article_id: int | None = None,
    ) -> None:
        """Note how far a target has come: "done", "failed" or "set aside"."""
        attempts = self._execute(
            "SELECT attempts FROM targets WHERE key = ? AND settings_digest = ?", (text(key), digest)
        )
        if article_id is not None:
            # Rows under other settings, of this target or of another one of the same article, hold no longer.
            self._execute(
                "UPDATE targets SET is_latest = ? WHERE (key = ? OR article_id = ?) AND settings_digest <> ?",
                (False, text(key), article_id, digest),
            )
        self._upsert(
            "targets",
            ("key", "settings_digest"),
            key=text(key),
            settings_digest=digest,
            state=state,
            is_latest=True,
            fingerprint=fingerprint,
            attempts=1 + (attempts[0][0] if attempts else 0),
            article_id=article_id,
            updated_at=now(),
            run_id=run_id,
        )

    def write_failure(self, failure: Failure, key: str, run_id: str) -> str:
        """One failure row; its digest. A failure met before counts one attempt more and is open again."""
        values = tuple(map(text, (failure.stage, failure.target, failure.error_class, failure.message)))
        digest = hashlib.sha256("\0".join((text(key), *values)).encode()).hexdigest()
        seen = self._execute("SELECT attempt, first_seen_at FROM failures WHERE digest = ?", (digest,))
        attempt, first_seen = (seen[0][0] + 1, seen[0][1]) if seen else (1, now())
        self._upsert(
            "failures",
            ("digest",),
            digest=digest,
            target_key=text(key),
            stage=values[0],
            target=values[1],
            error_class=values[2],
            message=values[3],
            figure=text_or_none(failure.figure),
            panel=text_or_none(failure.panel),
            attempt=attempt,
            first_seen_at=first_seen,
            last_seen_at=now(),
            resolved_at=None,
            run_id=run_id,
            resolved_run_id=None,
        )
        return digest

    def write_failures(self, result: ArticleResult, name: str, run_id: str) -> None:
        """The failures of this attempt; those of earlier attempts that did not come again are resolved."""
        still_open = {self.write_failure(failure, name, run_id) for failure in result.failures}
        sql = "SELECT id, digest FROM failures WHERE target_key = ? AND resolved_at IS NULL"
        for failure_id, digest in self._execute(sql, (name,)):
            if digest not in still_open:
                self._execute(
                    "UPDATE failures SET resolved_at = ?, resolved_run_id = ? WHERE id = ?",
                    (now(), run_id, failure_id),
                )
