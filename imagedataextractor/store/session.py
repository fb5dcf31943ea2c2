"""Open a database: SQLite or PostgreSQL, migrated, with errors that say what to do.

Everything that differs between the two databases and is not about rows stands here.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.engine import URL, Connection, Engine, make_url

from imagedataextractor.errors import IdeError, StoreError
from imagedataextractor.resources import resource_path
from imagedataextractor.store.functions import add_functions
from imagedataextractor.store.tables import SCHEMA_REVISION

__all__ = [
    "LOCK_TIMEOUT_S",
    "Dsn",
    "Lock",
    "clear_errors",
    "connect_sqlite_read_only",
    "ensure_schema",
    "open_engine",
    "parse_url",
    "shown",
    "sqlite_path",
]

#: Seconds to wait for another program that is writing to the same SQLite file.
LOCK_TIMEOUT_S = 30.0

#: Page cache of an SQLite connection, KiB: the inner pages of every index at ten million particles. More
#: would make neither writing nor the named queries faster, since the system caches the file as well.
_SQLITE_CACHE_KIB = 8_192

#: Page of a new SQLite file, bytes. Particle rows take half a kilobyte: in larger pages fewer of them
#: are the first of theirs, which makes writing a quarter faster (benchmarks/store.py).
_SQLITE_PAGE_BYTES = 16_384

#: Any number will do for PostgreSQL's advisory locks, so long as it is ours: "ide", then a purpose.
_MIGRATION_LOCK = 0x696465_01

Dsn: TypeAlias = str


def parse_url(url: Dsn) -> URL:
    """The database's address: a SQLAlchemy URL, or the plain path of an SQLite file.

    Raises
    ------
    StoreError
        It is not an address of SQLite or PostgreSQL.
    """
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise StoreError(
            "the database address cannot be read; it looks like sqlite:///particles.db or postgresql://user@host/name"
        ) from error
    kind = parsed.drivername.split("+")[0]
    if kind == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise StoreError("sqlite:// without a path keeps nothing; name a file, as in sqlite:///particles.db")
        return parsed.set(drivername="sqlite", query={})
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreError(f"{kind}: no such kind of database here; use sqlite:///FILE or postgresql://USER@HOST/NAME")


def sqlite_path(url: URL) -> Path:
    """The file of an SQLite address."""
    return Path(str(url.database))


def shown(url: URL) -> str:
    """The address as it may be shown: a path, or a URL without its password."""
    if url.drivername == "sqlite":
        return str(url.database)
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


def open_engine(url: URL, *, create: bool, timeout_s: float = LOCK_TIMEOUT_S) -> Engine:
    """An engine that writes. Nothing is connected yet.

    Raises
    ------
    StoreError
        The file, or its folder, is not there; or the driver is not installed.
    """
    if url.drivername == "sqlite":
        path = sqlite_path(url)
        _check_sqlite_file(path, create=create)
        engine = sa.create_engine(url, connect_args={"timeout": timeout_s}, poolclass=sa.pool.NullPool)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_immediate)
        return engine
    try:
        return sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args={"connect_timeout": int(timeout_s)})
    except ModuleNotFoundError as error:
        raise StoreError("PostgreSQL needs psycopg: pip install 'imagedataextractor[postgresql]'") from error


def _check_sqlite_file(path: Path, *, create: bool) -> None:
    if path.is_dir():
        raise StoreError(f"{path}: is a folder, not a database")
    if path.exists():
        return
    if not create:
        raise StoreError(f"{path}: no such database; `ide extract` makes one, or name another with --db")
    if not path.parent.is_dir():
        raise StoreError(f"{path}: the folder {path.parent} does not exist; make it first, or name another with --db")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun by hand below: Python's own way begins them too late to be safe.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA page_size = {_SQLITE_PAGE_BYTES}")  # of a new file; an older one keeps its own
    # A file that is being made by another process is locked for a moment, and changing the
    # journal does not wait for the lock by itself: hence only where it is not WAL already.
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode = WAL")
    # With WAL, NORMAL loses nothing committed when a process dies, and never corrupts the file.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA cache_size = -{_SQLITE_CACHE_KIB}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once, so that two writers queue instead of deadlocking.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def connect_sqlite_read_only(path: Path, *, timeout_s: float = LOCK_TIMEOUT_S) -> sqlite3.Connection:
    """A connection that cannot write: the file is opened read-only, and ATTACH and PRAGMA are refused."""
    _check_sqlite_file(path, create=False)
    quoted = path.absolute().as_uri()
    connection = sqlite3.connect(f"{quoted}?mode=ro", uri=True, timeout=timeout_s, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if os.access(path.parent, os.W_OK) and not _on_read_only_disk(path.parent):
            raise
        # A WAL database wants a shared-memory file beside it. On a read-only disk there can be
        # none, and nobody can be writing either.
        connection = sqlite3.connect(f"{quoted}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_SQLITE_CACHE_KIB}")
    add_functions(connection)
    connection.set_authorizer(_only_reading)
    return connection


def _on_read_only_disk(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return False
    except OSError as error:
        return error.errno != errno.ENOSPC


_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})


def _only_reading(action: int, first: str | None, second: str | None, _db: str | None, _trigger: str | None) -> int:
    if action in _READING:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and (second is None or str(first).endswith(("_info", "_list", "_xinfo"))):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


# ---------------------------------------------------------------- schema


def ensure_schema(engine: Engine, url: URL) -> None:
    """Make the tables of a new database, and bring an older one up to date, in one transaction.

    Raises
    ------
    StoreError
        The database is newer than this program, or belongs to something else.
    """
    with clear_errors(url):
        with engine.connect() as connection:
            if _revision(connection) == SCHEMA_REVISION:
                return
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            revision = _revision(connection)  # another process may have been quicker
            if revision == SCHEMA_REVISION:
                return
            _check_migratable(connection, revision, url)
            _migrate(connection)


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def _check_migratable(connection: Connection, revision: str | None, url: URL) -> None:
    if revision is None:
        if sa.inspect(connection).get_table_names():
            raise StoreError(f"{shown(url)}: holds tables that are not ImageDataExtractor's; name another with --db")
        return
    if revision not in known_revisions():
        raise StoreError(refusal(url, revision))


def refusal(url: URL, revision: str | None) -> str:
    """Why a database of another schema is not read, and what to do."""
    if revision is None:
        return f"{shown(url)}: is not a database of ImageDataExtractor"
    if revision in known_revisions():
        return (
            f"{shown(url)}: its schema ({revision}) is older than this program's ({SCHEMA_REVISION}); "
            "bring it up to date with `ide status --migrate`"
        )
    return (
        f"{shown(url)}: its schema ({revision}) is newer than this program's ({SCHEMA_REVISION}); "
        "upgrade imagedataextractor"
    )


def known_revisions() -> frozenset[str]:
    """Every schema revision that this program can bring up to date."""
    from alembic.script import ScriptDirectory

    return frozenset(script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions())


def _migrate(connection: Connection) -> None:
    from alembic import command

    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, SCHEMA_REVISION)


def _alembic() -> Any:
    # Imported here: Alembic costs a third of a second, and only a new or old database needs it.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resource_path("db", "migrations")).replace("%", "%%"))
    return config


# ---------------------------------------------------------------- locks


class Lock:
    """A lock on a whole database, held by one process at a time and let go when that process ends.

    It keeps bulk runs from doing the same work twice; reading and single writes need no lock. For
    SQLite it is a file beside the database, for PostgreSQL an advisory lock.
    """

    def __init__(self, url: URL, name: str) -> None:
        self._url = url
        self._name = name
        self._held: Any = None

    def acquire(self, *, wait: bool = False) -> bool:
        """Take the lock; whether it was free. With `wait`, only once it is.

        Raises
        ------
        StoreError
        """
        with clear_errors(self._url):
            if self._url.drivername == "sqlite":
                return self._acquire_file(wait)
            return self._acquire_advisory(wait)

    def _acquire_file(self, wait: bool) -> bool:
        # Not the database itself: closing any descriptor of it would drop SQLite's own locks.
        database = sqlite_path(self._url)
        path = database.with_name(f".{database.name}.{self._name}-lock")
        lock = FileLock(path)
        try:
            lock.acquire(blocking=wait)
        except Timeout:
            return False
        self._held = lock
        return True

    def _acquire_advisory(self, wait: bool) -> bool:
        connection = open_engine(self._url, create=False).connect()
        number = int.from_bytes(hashlib.sha256(f"ide {self._name}".encode()).digest()[:7])
        if wait:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({number})")
        elif not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({number})").scalar():
            connection.close()
            return False
        connection.commit()  # the lock is the session's; no transaction is left open with it
        self._held = connection
        return True

    def release(self) -> None:
        """Let go; nothing happens if it is not held."""
        held, self._held = self._held, None
        if held is None:
            return
        if isinstance(held, FileLock):
            held.release()
        else:
            held.close()


# ---------------------------------------------------------------- errors


@contextlib.contextmanager
def clear_errors(url: URL) -> Iterator[None]:
    """Turn what a driver raises inside the block into a StoreError of one clear line."""
    try:
        yield
    except IdeError:
        raise
    except sa.exc.DBAPIError as error:
        raise StoreError(f"{shown(url)}: {_explain(error.orig or error)}") from error
    except UnicodeDecodeError as error:  # SQLite hands on the text of a damaged page as it is
        raise StoreError(f"{shown(url)}: {_SQLITE_ADVICE['SQLITE_CORRUPT']} ({error.reason})") from error
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreError(f"{shown(url)}: {_explain(error)}") from error
    except Exception as error:
        if type(error).__module__.split(".")[0] == "psycopg":
            raise StoreError(f"{shown(url)}: {_explain(error)}") from error
        raise


_SQLITE_ADVICE = {
    "SQLITE_BUSY": "locked by another program for too long; close what is writing to it and run the same command again",
    "SQLITE_LOCKED": "locked by another program; close what is writing to it and run the same command again",
    "SQLITE_READONLY": "cannot be written to; make the file and its folder writable, or name another with --db",
    "SQLITE_FULL": "the disk is full; free some space and run the same command again (what was committed is kept)",
    "SQLITE_CANTOPEN": "cannot be opened; check that its folder exists and may be read and written",
    "SQLITE_NOTADB": "is not an SQLite database; name another with --db",
    "SQLITE_CORRUPT": "is damaged; restore a copy, or start a new one with --db",
    "SQLITE_IOERR": "the disk cannot be read or written; check its space and health, and run the same command again",
}

#: The same by PostgreSQL's SQLSTATE.
_POSTGRESQL_ADVICE = {
    "25006": "the server allows reading only; ask for the right to write, or name another with --db",
    "42501": "this user lacks the right; ask the database's owner for it",
    "53100": "the server's disk is full; free some space and run the same command again (what was committed is kept)",
    "55P03": "locked by another program for too long; run the same command again later",
    "3D000": "there is no such database on the server; make it with `createdb`",
    "28P01": "the server refused the user name or password",
    "28000": "the server refused the user name or password",
}


def _explain(error: BaseException) -> str:
    detail = (str(error).strip().splitlines() or [type(error).__name__])[0]
    name = getattr(error, "sqlite_errorname", None)
    if name:
        for prefix, advice in _SQLITE_ADVICE.items():
            if name.startswith(prefix):
                return f"{advice} ({detail})"
    state = getattr(error, "sqlstate", None)
    if state in _POSTGRESQL_ADVICE:
        return f"{_POSTGRESQL_ADVICE[state]} ({detail})"
    if isinstance(error, sqlite3.OperationalError) or type(error).__name__ == "OperationalError":
        return f"cannot be reached ({detail})"
    return detail
