"""SQL on an open connection, written once for both databases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.engine import Connection

__all__ = ["Statements"]


class Statements:
    """Runs statements over one connection, within its caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self.is_postgresql = connection.dialect.name == "postgresql"
        # The driver's own cursor: SQLAlchemy's costs a fifth of a millisecond a statement, as much
        # as all the rest of a panel's rows.
        driver: Any = connection.connection.driver_connection
        self.cursor = driver.cursor()
        self._upserts: dict[str, str] = {}

    def upsert(self, table: str, keys: tuple[str, ...], **values: Any) -> int:
        """Insert a row, or update the one of the same natural key; its id."""
        name = f"{table}:{','.join(values)}"
        if name not in self._upserts:
            self._upserts[name] = _upsert_sql(table, keys, tuple(values))
        return int(self.execute(self._upserts[name], tuple(values.values()))[0][0])

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> Sequence[Any]:
        """Run a statement written with ``?``; its rows, if it gives any."""
        self.cursor.execute(self._marked(sql), values)
        return self.cursor.fetchall() if self.cursor.description else ()

    def execute_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement written with ``?`` for every row."""
        self.cursor.executemany(self._marked(sql), rows)

    def _marked(self, sql: str) -> str:
        return sql.replace("?", "%s") if self.is_postgresql else sql


def _upsert_sql(table: str, keys: Iterable[str], columns: Sequence[str]) -> str:
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in keys)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes} RETURNING id"
    )
