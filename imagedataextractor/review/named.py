"""The named queries as Datasette asks them: by names that hide no table, with defaults, with numbers as numbers."""

from __future__ import annotations

import re
from typing import Any

from imagedataextractor.store import NamedQuery, load_named_queries
from imagedataextractor.store.tables import MEASURED_PARTICLES, metadata

__all__ = ["EXAMPLES", "canned_queries", "served_name"]

#: What stands in the form for a parameter that has no default: taken from the database, to be changed.
EXAMPLES: dict[str, str] = {
    "doi": (
        "SELECT a.doi FROM segmentations s JOIN panels n ON n.id = s.panel_id JOIN figures f ON f.id = n.figure_id "
        "JOIN articles a ON a.id = f.article_id WHERE s.is_current AND a.doi IS NOT NULL "
        "GROUP BY a.id ORDER BY sum(s.n_accepted) DESC, a.id LIMIT 1"
    ),
    "low_nm": "SELECT min(ecd_min_nm) FROM segmentations WHERE is_current",
    "high_nm": "SELECT max(ecd_max_nm) FROM segmentations WHERE is_current",
}

#: Parameters that are words even where no default says so; all others are numbers.
_WORDS = frozenset({"doi"})


def served_name(name: str) -> str:
    """The name of a query in Datasette, where a query hides the table of the same name."""
    return f"{name}-query" if name in metadata.tables or name == MEASURED_PARTICLES else name


def canned_queries() -> dict[str, dict[str, Any]]:
    """Datasette's canned queries: name → SQL, description and parameters."""
    return {
        served_name(query.name): {
            "sql": _typed(query),
            "title": query.name,
            "description": query.description,
            "params": list(query.parameters),
            "hide_sql": True,
        }
        for query in load_named_queries().values()
    }


def _typed(query: NamedQuery) -> str:
    """The SQL with each parameter as what it is: Datasette hands on text, and an empty field as the empty text."""
    sql = query.sql
    for name, default in query.parameters.items():
        if name in _WORDS or isinstance(default, str):
            continue
        value = f"CAST(nullif(:{name}, '') AS NUMERIC)"
        typed = value if default is None else f"coalesce({value}, {default!r})"
        sql = re.sub(rf"(?<![:\w]):{name}\b", typed, sql)
    return sql
