"""Ask the database, without being able to change it.

Named queries are the .sql files in db/queries. Such a file begins with comment lines: what it
answers, and a line for each parameter, with the value it has when none is given::

    -- The largest accepted particles, with where they are.
    -- param limit = 20

A parameter without a default is asked for: ``-- param doi``. The statement itself names it ``:limit``.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect
from sqlalchemy.engine import URL

from imagedataextractor.errors import StoreError, UsageError
from imagedataextractor.resources import resource_path
from imagedataextractor.store.session import clear_errors, connect_sqlite_read_only, refusal, shown, sqlite_path
from imagedataextractor.store.tables import MEASURED_PARTICLES, SCHEMA_REVISION, metadata
from imagedataextractor.store.view import VIEW

__all__ = ["NamedQuery", "Reader", "load_named_queries", "named_queries", "parameter_value"]

_PARAMETER = re.compile(r"^--\s*param\s+(?P<name>\w+)\s*(?:=\s*(?P<default>.*?)\s*)?$")

#: Rows fetched at a time where all rows of a large answer are wanted one after the other.
_BLOCK = 5_000


@dataclass(frozen=True)
class NamedQuery:
    """A question kept in a file: its name, what it answers, its SQL, its parameters' defaults (None: asked for)."""

    name: str
    description: str
    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def bind(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The parameters of one call: what is given over the defaults.

        Raises
        ------
        UsageError
            One is missing, or is not a parameter of this query.
        """
        unknown = sorted(set(given) - set(self.parameters))
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise UsageError(f"{self.name}: no parameter is called {unknown[0]!r}; it takes: {known}")
        bound = {
            name: parameter_value(given[name]) if name in given else default
            for name, default in self.parameters.items()
        }
        missing = [name for name, value in bound.items() if value is None]
        if missing:
            raise UsageError(f"{self.name}: needs --param {missing[0]}=VALUE")
        return bound


def load_named_queries() -> dict[str, NamedQuery]:
    """All named queries that come with the package, by name."""
    files = sorted(resource_path("db", "queries").glob("*.sql"))
    return {file.stem: _parse(file.stem, file.read_text(encoding="utf-8")) for file in files}


def named_queries() -> dict[str, str]:
    """Name → SQL of every named query."""
    return {name: query.sql for name, query in load_named_queries().items()}


def _parse(name: str, content: str) -> NamedQuery:
    description: list[str] = []
    parameters: dict[str, Any] = {}
    lines = content.splitlines()
    while lines and lines[0].startswith("--"):
        line = lines.pop(0)
        found = _PARAMETER.match(line)
        if found:
            default = found["default"]
            parameters[found["name"]] = None if default is None else parameter_value(default)
        else:
            description.append(line.removeprefix("--").strip())
    return NamedQuery(name, " ".join(description), "\n".join(lines).strip(), parameters)


def parameter_value(text: str) -> int | float | str:
    """A parameter as it is meant: a whole number, a number, or the text itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


#: Tables and the view, with their columns.
_SCHEMA: Mapping[str, Sequence[str]] = {
    **{table.name: [column.name for column in table.columns] for table in metadata.sorted_tables},
    MEASURED_PARTICLES: [column.name for column in VIEW],
}


class Reader:
    """A connection that can only read."""

    def __init__(self, url: URL, *, timeout_s: float) -> None:
        self._url = url
        # One connection, so one question at a time.
        self._lock = threading.RLock()
        with clear_errors(url):
            self._connection = self._connect(timeout_s)

    def _connect(self, timeout_s: float) -> Any:
        if self._url.drivername == "sqlite":
            return connect_sqlite_read_only(sqlite_path(self._url), timeout_s=timeout_s)
        try:
            import psycopg
        except ModuleNotFoundError as error:
            raise StoreError("PostgreSQL needs psycopg: pip install 'imagedataextractor[postgresql]'") from error
        address = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg.connect(address, connect_timeout=int(timeout_s), autocommit=False)
        connection.read_only = True
        return connection

    def check_schema(self) -> None:
        """Refuse a database whose schema this program does not know.

        Raises
        ------
        StoreError
        """
        try:
            _, rows = self.query("SELECT version_num FROM alembic_version")
            revision = rows[0][0] if rows else None
        except UsageError:  # there is no such table
            revision = None
        if revision != SCHEMA_REVISION:
            raise StoreError(refusal(self._url, revision))
        if self._url.drivername == "sqlite" and (lost := self._lost()):
            raise StoreError(
                f"{shown(self._url)}: is damaged: {lost} is not there; restore a copy, or start a new one with --db"
            )

    def _lost(self) -> str | None:
        """The first table or column that another program took away."""
        with self._lock, clear_errors(self._url):
            for name, wanted in _SCHEMA.items():
                there = {row[1] for row in self._connection.execute(f'PRAGMA table_info("{name}")')}
                missing = [column for column in wanted if column not in there]
                if missing:
                    return f"the column {name}.{missing[0]}" if there else f"the table {name}"
        return None

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and all rows. See `Store.query`."""
        columns, rows = self.iterate(sql, params)
        return columns, list(rows)

    def iterate(self, sql: str, params: Mapping[str, Any] | None = None) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
        """Column names and an iterator over the rows, which are not held in memory together."""
        with self._lock, self._question(sql):
            cursor = self._start(sql, params)
            columns = [column[0] for column in cursor.description or ()]
            first = cursor.fetchmany(_BLOCK) if columns else []
        return columns, self._rows(cursor, first)

    def _rows(self, cursor: Any, block: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        try:
            while block:
                yield from block
                if len(block) < _BLOCK:
                    return
                with self._lock, self._question():
                    block = cursor.fetchmany(_BLOCK)
        finally:
            # The database may have been closed before all was read.
            with self._lock, contextlib.suppress(sqlite3.ProgrammingError):
                cursor.close()
                self._connection.rollback()  # ends the snapshot, so that old rows can be cleared away

    def _start(self, sql: str, params: Mapping[str, Any] | None) -> Any:
        if self._url.drivername == "sqlite":
            return self._connection.execute(sql, dict(params or {}))
        statement = sql
        if params:
            dialect = psycopg_dialect.dialect()  # type: ignore[no-untyped-call]
            statement = str(sa.text(sql).compile(dialect=dialect))
        cursor = self._connection.cursor()
        # Prepared, because the server takes only a single statement that way: no "; COMMIT; DELETE …".
        return cursor.execute(statement, dict(params) if params else None, prepare=True)

    def _question(self, sql: str = "") -> Any:
        return _question_errors(self._url, self._connection, sql)

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class _question_errors:  # noqa: N801 - a context manager, used as a function
    """What is wrong with the question itself is a UsageError, everything else a StoreError."""

    def __init__(self, url: URL, connection: Any, sql: str) -> None:
        self._clear = clear_errors(url)
        self._connection = connection
        self._sql = sql

    def __enter__(self) -> None:
        self._clear.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        if error is not None and not isinstance(error, StoreError | UsageError):
            if not isinstance(self._connection, sqlite3.Connection):
                self._connection.rollback()
            if _is_about_the_question(error):
                raise UsageError(f"the query: {_explained(error, self._connection, self._sql)}") from error
        return self._clear.__exit__(kind, error, trace)


#: What a database says of a name that it does not know, and of a statement that would change something.
_NO_COLUMN = re.compile(r"no such column|column .* does not exist")
_NO_TABLE = re.compile(r"no such table|relation .* does not exist")
_WOULD_WRITE = re.compile(r"not authorized|readonly|read-only|attempt to write")


def _explained(error: BaseException, connection: Any, sql: str) -> str:
    """What is wrong with a question, with the names that would have been right."""
    said = str(error).strip().splitlines()[0]
    if _WOULD_WRITE.search(said):
        return f"the database is open read-only, and only a SELECT can be asked of it ({said})"
    if not (_NO_COLUMN.search(said) or _NO_TABLE.search(said)):
        return said
    tables = _tables(connection)
    if _NO_TABLE.search(said):
        return f"{said}; there are {', '.join(tables)}"
    words = set(re.findall(r"\w+", sql.lower()))
    named = [table for table in tables if table in words] or [MEASURED_PARTICLES]
    try:
        return "; ".join([said, *(f"{table} has {', '.join(_columns(connection, table))}" for table in named)])
    except sqlite3.Error:  # a view of what is not there any more
        return said


def _tables(connection: Any) -> list[str]:
    """Names of the tables and views, but for the ones that the schema's own keeping needs."""
    if isinstance(connection, sqlite3.Connection):
        sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
    else:
        sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    return sorted(name for (name,) in connection.execute(sql) if name != "alembic_version")


def _columns(connection: Any, table: str) -> list[str]:
    """Names of a table's columns; `table` is one of `_tables`."""
    return [column[0] for column in connection.execute(f'SELECT * FROM "{table}" LIMIT 0').description]


def _is_about_the_question(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", None)
        return name in (None, "SQLITE_ERROR", "SQLITE_AUTH", "SQLITE_MISUSE", "SQLITE_RANGE", "SQLITE_MISMATCH") or (
            name == "SQLITE_READONLY" and "attempt to write" in str(error)
        )
    if type(error).__module__.split(".")[0] != "psycopg":
        return False
    # Classes of SQLSTATE: 22 data, 25006 read-only, 42 syntax or access, 0A not supported.
    state = getattr(error, "sqlstate", None) or ""
    return state[:2] in ("22", "42", "0A") or state == "25006" or type(error).__name__ == "ProgrammingError"
