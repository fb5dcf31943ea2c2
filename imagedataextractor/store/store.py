"""The database as the rest of the program sees it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import psutil
from sqlalchemy.engine import URL, Connection, Engine

from imagedataextractor.errors import InputError, StoreError
from imagedataextractor.records import ArticleResult, Box, Failure, Run
from imagedataextractor.store import queries, session
from imagedataextractor.store.corrections import CORRECTION_COLUMNS, Correction, Corrections, Kind, read_correction
from imagedataextractor.store.ledger import Ledger
from imagedataextractor.store.packing import PackedArticle, pack
from imagedataextractor.store.provenance import digest_of_run
from imagedataextractor.store.statements import Statements
from imagedataextractor.store.values import now
from imagedataextractor.store.writing import Writer

__all__ = ["Store", "TargetState"]

#: Keys asked for in one statement; SQLite takes no more than some thousands of parameters.
_KEYS_A_STATEMENT = 500


@dataclasses.dataclass(frozen=True)
class TargetState:
    """How far a target has come.

    ``state`` is "done", "failed" (the next run tries again), "set aside" (it does not), or "stale"
    (what the database shows of it was made under other settings).
    """

    state: str
    fingerprint: str | None
    attempts: int


@dataclasses.dataclass(frozen=True)
class _Jobs:
    """Who writes what, over one connection."""

    ledger: Ledger
    corrections: Corrections
    articles: Writer

    @classmethod
    def on(cls, connection: Connection) -> _Jobs:
        statements = Statements(connection)
        ledger, corrections = Ledger(statements), Corrections(statements)
        return cls(ledger, corrections, Writer(statements, ledger, corrections))


class Store:
    """An open database. Make one with `Store.open`; it is a context manager.

    One store belongs to one thread; several stores, in several processes, may have the same
    database open: SQLite lets one write while all read.
    """

    def __init__(self, url: URL, engine: Engine | None, *, timeout_s: float) -> None:
        self._url = url
        self._engine = engine
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        self._jobs: _Jobs | None = None
        self._reader: queries.Reader | None = None
        self._digests: dict[str, str] = {}

    # ------------------------------------------------------------ opening and closing

    @classmethod
    def open(
        cls, url: str, *, create: bool = True, read_only: bool = False, timeout_s: float = session.LOCK_TIMEOUT_S
    ) -> Store:
        """Open a database, and make it or bring it up to date where that is needed.

        Parameters
        ----------
        url : str
            ``sqlite:///FILE``, the path of an SQLite file, or ``postgresql://USER@HOST/NAME``.
        create : bool
            Make the SQLite file where there is none.
        read_only : bool
            Open without being able to write; an older schema is refused then.
        timeout_s : float
            Seconds to wait for another program that is writing, or for the server.

        Raises
        ------
        StoreError
            It is not there, cannot be read or written, is locked, is not ours, or is newer than
            this program.
        """
        parsed = session.parse_url(url)
        if read_only:
            store = cls(parsed, None, timeout_s=timeout_s)
            store._read().check_schema()
            return store
        engine = session.open_engine(parsed, create=create, timeout_s=timeout_s)
        session.ensure_schema(engine, parsed)
        return cls(parsed, engine, timeout_s=timeout_s)

    def close(self) -> None:
        """Close the connections. Nothing is left uncommitted."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._connection is not None:
            self._connection.close()
            self._connection = self._jobs = None
        if self._engine is not None:
            self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> URL:
        """The address; `name` is how it may be shown."""
        return self._url

    @property
    def name(self) -> str:
        """The address as it may be shown: without a password."""
        return session.shown(self._url)

    # ------------------------------------------------------------ transactions

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Several writes as one: all of them are kept, or none. Writes outside it are one each.

        Inside a transaction that is already open this does nothing, so that a batch of articles
        may be wrapped in one.
        """
        connection = self._connect()
        if connection.in_transaction():
            yield
            return
        with session.clear_errors(self._url), connection.begin():
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[_Jobs]:
        with self.transaction(), session.clear_errors(self._url):
            assert self._jobs is not None
            yield self._jobs

    def _connect(self) -> Connection:
        if self._engine is None:
            raise StoreError(f"{self.name}: was opened read-only")
        if self._connection is None:
            with session.clear_errors(self._url):
                self._connection = self._engine.connect()
                self._jobs = _Jobs.on(self._connection)
        return self._connection

    # ------------------------------------------------------------ runs

    def start_run(self, run: Run, *, targets_total: int | None = None) -> None:
        """Note a run as begun, and runs of this machine whose process is gone as interrupted."""
        self._digests[run.id] = digest_of_run(run)
        values = {
            "id": run.id,
            "started_at": run.started_at,
            "updated_at": now(),
            "command": run.command,
            "settings": json.dumps(dict(run.settings), sort_keys=True, default=str),
            "settings_digest": self._digests[run.id],
            "versions": json.dumps(dict(run.versions), sort_keys=True, default=str),
            "weights_sha256": run.weights_sha256,
            "models": json.dumps(dict(run.models), sort_keys=True),
            "seed": run.seed,
            "state": "running",
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "targets_total": targets_total,
        }
        with self._writing() as jobs:
            self._note_dead_runs(jobs.ledger)
            jobs.ledger.insert_run(values)

    def _note_dead_runs(self, ledger: Ledger) -> None:
        for run_id, pid in ledger.running(socket.gethostname()):
            if not pid or not psutil.pid_exists(pid):
                ledger.update_run(run_id, {"state": "interrupted", "finished_at": now()})

    def update_run(self, run_id: str, **counts: int) -> None:
        """Note the progress of a run: any of targets_total, _done, _failed, _skipped."""
        with self._writing() as jobs:
            jobs.ledger.update_run(run_id, {**counts, "updated_at": now()})

    def finish_run(self, run_id: str, *, state: str = "finished", exit_code: int = 0) -> None:
        """Note a run as over: "finished", "failed" or "interrupted"."""
        with self._writing() as jobs:
            jobs.ledger.update_run(
                run_id, {"state": state, "exit_code": exit_code, "finished_at": now(), "updated_at": now()}
            )

    def digest_of(self, run_id: str) -> str:
        """The settings digest of a run.

        Raises
        ------
        StoreError
            There is no such run.
        """
        if run_id not in self._digests:
            with self._writing() as jobs:
                digest = jobs.ledger.run_digest(run_id)
            if digest is None:
                raise StoreError(f"{self.name}: there is no run {run_id!r}; start_run comes first")
            self._digests[run_id] = digest
        return self._digests[run_id]

    # ------------------------------------------------------------ results

    def write_article(
        self,
        result: ArticleResult | PackedArticle,
        run_id: str,
        *,
        target: str | None = None,
        fingerprint: str | None = None,
    ) -> int:
        """Write all rows of one article in one transaction; writing them again changes nothing.

        Parameters
        ----------
        result : ArticleResult or PackedArticle
            The latter comes from `pack`, which may have been called in another process.
        run_id : str
            A run begun with `start_run`. Rows of a panel under the same settings are replaced,
            those under other settings kept, no longer as the current ones.
        target : str, optional
            What was asked for (a path, a DOI), where that is not the article's own key; `is_done`
            knows it by this name.
        fingerprint : str, optional
            What the target looked like (its size and date, say), to notice a change.

        Returns
        -------
        int
            How many corrections stand for its pictures and were applied.

        Raises
        ------
        StoreError
            The database cannot be written; nothing of this article is kept then.
        """
        digest = self.digest_of(run_id)
        packed = pack(result) if isinstance(result, ArticleResult) else result
        with self._writing() as jobs:
            before = jobs.articles.corrections_applied
            jobs.articles.write_article(packed, run_id, digest, target, fingerprint)
            return jobs.articles.corrections_applied - before

    def record_failure(
        self, failure: Failure, run_id: str, *, target: str | None = None, state: str = "failed"
    ) -> None:
        """Note what could not be done at all, where there is no article to write.

        Parameters
        ----------
        failure : Failure
        run_id : str
        target : str, optional
            The target that failed with it; by default `failure.target`. A later success of that
            target resolves the failure.
        state : {"failed", "set aside"}
            Whether the next run tries it again.
        """
        digest = self.digest_of(run_id)
        key = target or failure.target
        with self._writing() as jobs:
            jobs.ledger.write_failure(failure, key, run_id)
            jobs.ledger.write_target(key, digest, state, run_id)

    # ------------------------------------------------------------ corrections

    def correct(self, correction: Correction) -> Correction:
        """Keep what a person says of a picture, and let all rows of it follow; the correction with its id."""
        with self._writing() as jobs:
            return dataclasses.replace(correction, id=jobs.corrections.add(correction))

    def take_back(self, correction_id: int, by: str) -> Correction:
        """Note a correction as undone, and let the rows follow.

        Raises
        ------
        InputError
            There is no such correction, or it was taken back before.
        """
        found = self.corrections(correction_id)
        if not found:
            raise InputError(f"{self.name}: there is no correction {correction_id}; see `ide correct --list`")
        if found[0].undone_at is not None:
            raise InputError(f"{self.name}: correction {correction_id} was taken back on {found[0].undone_at}")
        with self._writing() as jobs:
            jobs.corrections.take_back(found[0], by)
        return self.corrections(correction_id)[0]

    def corrections(self, correction_id: int | None = None) -> list[Correction]:
        """All corrections, those that were taken back too, in order; or the one of an id."""
        only = "" if correction_id is None else "WHERE id = :id "
        sql = f"SELECT {CORRECTION_COLUMNS} FROM corrections {only}ORDER BY id"
        _, rows = self.query(sql, {} if correction_id is None else {"id": correction_id})
        return [read_correction(row) for row in rows]

    def scales_by_hand(self, image_sha256: str) -> list[tuple[tuple[str, int], float]]:
        """The scales, nm per px, that hold for a picture's panels in place of those that the program found.

        Returns
        -------
        list of ((image_sha256, panel_index), nm_per_px)
        """
        sql = (
            "SELECT f.image_sha256, n.panel_index, b.nm_per_px FROM scalebars b JOIN panels n ON n.id = b.panel_id "
            "JOIN figures f ON f.id = n.figure_id WHERE b.is_current AND NOT b.is_latest AND b.nm_per_px IS NOT NULL "
            "AND f.image_sha256 = :sha256"
        )
        _, rows = self.query(sql, {"sha256": image_sha256})
        return [((sha256, index), scale) for sha256, index, scale in rows]

    def em_places(self) -> frozenset[tuple[str, Box | None]]:
        """Pictures, and boxes in them, that a person said to be electron micrographs after all."""
        said: dict[tuple[str, Box | None], bool] = {}
        for correction in self.corrections():
            if correction.undone_at is None and correction.kind in (Kind.EM, Kind.NOT_EM):
                said[correction.image_sha256, correction.box] = correction.kind is Kind.EM
        return frozenset(place for place, is_em in said.items() if is_em)

    def lock(self, name: str) -> session.Lock:
        """A lock that only one process at a time holds on this database; see `session.Lock`."""
        return session.Lock(self._url, name)

    # ------------------------------------------------------------ resuming

    def is_done(
        self, key: str, digest: str, image_sha256s: Iterable[str] = (), *, fingerprint: str | None = None
    ) -> bool:
        """Whether a target has been finished, without failures, under these settings.

        Parameters
        ----------
        key : str
            The article's key or DOI, or the target given to `write_article`.
        digest : str
            See `digest_of_run` and `digest_of`.
        image_sha256s : iterable of str
            Pictures that it must have been finished with.
        fingerprint : str, optional
            Not done if the target had another one then.
        """
        found = self.target_states([key], digest).get(key)
        if found is None or found.state != "done" or (fingerprint is not None and found.fingerprint != fingerprint):
            return False
        wanted = set(image_sha256s)
        if not wanted:
            return True
        sql = (
            "SELECT f.image_sha256 FROM targets t JOIN figures f ON f.article_id = t.article_id "
            "WHERE t.settings_digest = :digest AND t.key = :key"
        )
        _, rows = self.query(sql, {"digest": digest, "key": key})
        return wanted <= {row[0] for row in rows}

    def target_states(self, keys: Sequence[str], digest: str) -> dict[str, TargetState]:
        """The states of those of the targets that were tried, under these settings or others.

        A target whose current rows were made under others is "stale" if it was finished then, and one that
        was only tried under others is absent.
        """
        states: dict[str, TargetState] = {}
        for start in range(0, len(keys), _KEYS_A_STATEMENT):
            names = {f"k{i}": key for i, key in enumerate(keys[start : start + _KEYS_A_STATEMENT])}
            sql = (
                "SELECT key, settings_digest, state, is_latest, fingerprint, attempts FROM targets "
                f"WHERE key IN ({', '.join(f':{name}' for name in names)})"
            )
            for key, its_digest, state, is_latest, fingerprint, attempts in self.query(sql, names)[1]:
                if its_digest == digest and (is_latest or state != "done"):
                    states[key] = TargetState(state, fingerprint, attempts)
                elif state == "done":
                    states.setdefault(key, TargetState("stale", fingerprint, attempts))
        return states

    def finished_figures(self, key: str, digest: str) -> frozenset[tuple[str, str]]:
        """Label and SHA-256 of the pictures of a target that were finished under these settings."""
        sql = (
            "SELECT DISTINCT f.label, f.image_sha256 FROM targets t JOIN articles a ON a.id = t.article_id "
            "JOIN figures f ON f.article_id = a.id "
            "WHERE t.key = :key AND a.target = :key AND f.settings_digest = :digest"
        )
        return frozenset((label, sha256) for label, sha256 in self.query(sql, {"key": key, "digest": digest})[1])

    # ------------------------------------------------------------ reading

    def _read(self) -> queries.Reader:
        if self._reader is None:
            self._reader = queries.Reader(self._url, timeout_s=self._timeout_s)
        return self._reader

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Ask the database, over a connection that cannot write.

        Parameters
        ----------
        sql : str
            One statement; parameters are written ``:name``.
        params : mapping, optional

        Returns
        -------
        columns : list of str
        rows : list of tuple

        Raises
        ------
        UsageError
            The statement is wrong, or would change something.
        StoreError
            The database cannot be read.
        """
        return self._read().query(sql, params)

    def iterate(self, sql: str, params: Mapping[str, Any] | None = None) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
        """As `query`, but the rows come one after the other and are not held in memory together."""
        return self._read().iterate(sql, params)
