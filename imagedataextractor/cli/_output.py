"""How a command prints rows: a table for people, CSV or JSON for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, TextIO

import click

__all__ = ["print_csv", "print_json", "print_table"]

#: Widest column of a table, characters; longer values are cut with an ellipsis.
_MAX_WIDTH = 60


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Rows in aligned columns, numbers to the right, long text cut."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        min(_MAX_WIDTH, max(len(name), *(len(row[i]) for row in cells))) if cells else len(name)
        for i, name in enumerate(columns)
    ]
    numeric = [any(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    click.echo(_line(columns, widths, numeric))
    click.echo("  ".join("-" * width for width in widths))
    for row in cells:
        click.echo(_line(row, widths, numeric))


def _line(values: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = (
        cut.rjust(width) if right else cut.ljust(width)
        for value, width, right in zip(values, widths, numeric, strict=True)
        for cut in [value if len(value) <= width else value[: width - 1] + "…"]
    )
    return "  ".join(padded).rstrip()


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], file: TextIO | None = None) -> int:
    """RFC 4180, UTF-8, one header line; NULL is empty; the number of rows."""
    writer = csv.writer(file or sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow(["" if value is None else _plain(value) for value in row])
        count += 1
    return count


def print_json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A list of objects, one a row, written as it comes."""
    click.echo("[", nl=False)
    for number, row in enumerate(rows):
        content = {name: _plain(value) for name, value in zip(columns, row, strict=True)}
        click.echo(f"{',' if number else ''}\n{json.dumps(content, ensure_ascii=False)}", nl=False)
    click.echo("\n]")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | Decimal):
        return f"{float(value):.5g}"
    if isinstance(value, bytes | memoryview):
        return f"<{len(value)} bytes>"
    return " ".join(str(value).split())


def _plain(value: Any) -> Any:
    """What CSV and JSON can hold: bytes in hexadecimal."""
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
