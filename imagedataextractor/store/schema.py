"""What is written about the schema, made from the tables and columns themselves.

    python -m imagedataextractor.store.schema picture > db/schema.md
    python -m imagedataextractor.store.schema columns > docs/columns.md

The first is a Mermaid diagram, which GitHub and most documentation tools show as a picture; `make generated`
writes both.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from imagedataextractor.measurement.columns import COLUMNS, Column
from imagedataextractor.store.tables import metadata
from imagedataextractor.store.view import VIEW

__all__ = ["column_page", "column_texts", "schema_picture"]


def schema_picture() -> str:
    """A Markdown page with the entity-relationship diagram of all tables."""
    lines = ["# The schema", "", "Made by `make generated`.", "", "```mermaid", "erDiagram"]
    tables = sorted(metadata.tables.values(), key=lambda table: list(metadata.tables).index(table.name))
    for table in tables:
        lines += _relations(table)
    for table in tables:
        lines += [f"    {table.name} {{", *(f"        {line}" for line in _columns(table)), "    }"]
    return "\n".join([*lines, "```", ""])


def _relations(table: sa.Table) -> Iterator[str]:
    # A line from every table to the runs would hide the rest; the column says it.
    for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
        if key.column.table.name != "runs":
            yield f'    {key.column.table.name} ||--o{{ {table.name} : "{key.parent.name}"'


def _columns(table: sa.Table) -> Iterator[str]:
    unique = {
        column.name
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
        for column in constraint.columns
    }
    for column in table.columns:
        keys = [
            *(["PK"] if column.primary_key else []),
            *(["FK"] if column.foreign_keys else []),
            *(["UK"] if column.name in unique else []),
        ]
        kind = str(column.type).split("(")[0].lower().replace(" ", "_")
        yield f"{kind} {column.name} {', '.join(keys)}".rstrip()


# ---------------------------------------------------------------- columns


def column_page() -> str:
    """A Markdown page with every column of a particle, and of the view measured_particles."""
    own = {column.name for column in COLUMNS}
    lines = [
        "# The columns of a particle",
        "",
        "Made by `make generated` from `measurement/columns.py` and `store/view.py`. The same names are used by the",
        "table `particles`, the view `measured_particles`, CSV, Parquet, COCO, `ide measure --json` and",
        "`ParticleTable`; (v) marks what the view has, where `label` is called `particle`.",
        "",
        *_column_table(COLUMNS, viewed={column.name for column in VIEW} | {"label"}),
        "",
        "## Where it comes from",
        "",
        "The view has these besides:",
        "",
        *_column_table([column for column in VIEW if column.name not in own | {"particle"}], viewed=set()),
        "",
    ]
    return "\n".join(lines)


def _column_table(columns: Sequence[Column], *, viewed: set[str]) -> Iterator[str]:
    yield "| column | unit | kind | meaning | formula or source |"
    yield "| --- | --- | --- | --- | --- |"
    for column in columns:
        mark = " (v)" if column.name in viewed else ""
        yield f"| `{column.name}`{mark} | {column.unit} | {column.kind.value} | {column.meaning} | {column.source} |"


def column_texts(columns: Sequence[Column]) -> dict[str, str]:
    """Name of a column → its meaning and unit, in words; for Datasette."""
    return {column.name: f"{column.meaning}, {column.unit}" if column.unit else column.meaning for column in columns}


if __name__ == "__main__":
    print({"picture": schema_picture, "columns": column_page}[sys.argv[1]](), end="")
