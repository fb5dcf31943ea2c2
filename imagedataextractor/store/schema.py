"""The picture of the schema, drawn from the tables themselves.

    python -m imagedataextractor.store.schema > db/schema.md

writes a Mermaid diagram, which GitHub and most documentation tools show as a picture.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from imagedataextractor.store.tables import metadata

__all__ = ["schema_picture"]


def schema_picture() -> str:
    """A Markdown page with the entity-relationship diagram of all tables."""
    lines = ["# The schema", "", "Made by `python -m imagedataextractor.store.schema`.", "", "```mermaid", "erDiagram"]
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


if __name__ == "__main__":
    print(schema_picture(), end="")
