"""Functions of SQL that statistics needs and SQLite lacks: `median(x)` and `sd(x)`.

PostgreSQL has them by other names: `percentile_cont(0.5) WITHIN GROUP (ORDER BY x)` and `stddev_samp(x)`.
"""

from __future__ import annotations

import math
import sqlite3
import statistics
from array import array

__all__ = ["add_functions"]

#: Numbers from which a sample has a spread.
_LEAST_SPREAD = 2


class _Numbers:
    """An aggregate of numbers; NULL is left out, as in SQL's own aggregates."""

    def __init__(self) -> None:
        self.numbers = array("d")

    def step(self, value: float | None) -> None:
        if value is not None:
            self.numbers.append(float(value))


class _Median(_Numbers):
    def finalize(self) -> float | None:
        return statistics.median(self.numbers) if self.numbers else None


class _StandardDeviation(_Numbers):
    """Of a sample: divided by n - 1. NULL for fewer than two numbers."""

    def finalize(self) -> float | None:
        n = len(self.numbers)
        if n < _LEAST_SPREAD:
            return None
        mean = math.fsum(self.numbers) / n
        return math.sqrt(math.fsum((x - mean) ** 2 for x in self.numbers) / (n - 1))


def add_functions(connection: sqlite3.Connection) -> None:
    """Let a connection know `median(x)` and `sd(x)`, aggregates over numbers."""
    connection.create_aggregate("median", 1, _Median)  # type: ignore[arg-type]
    connection.create_aggregate("sd", 1, _StandardDeviation)  # type: ignore[arg-type]
