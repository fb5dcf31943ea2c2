"""The view's grade is the report's."""

from __future__ import annotations

import itertools
import sqlite3

from imagedataextractor.report.trust import PanelFacts, trust_of
from imagedataextractor.resources import resource_path


def _grade_sql() -> str:
    text = resource_path("db", "migrations", "versions", "0008_trust.py").read_text(encoding="utf-8")
    return text[text.index("    CASE") : text.index("    END AS trust") + len("    END AS trust")]


def test_the_grade_in_sql_is_the_report_s() -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE s (n_particles, n_accepted, n_border, n_uncertain, nm_per_px, ecd_mean_nm);"
        "CREATE TABLE b (confidence, reason); CREATE TABLE n (stated_size_nm);"
    )
    cases = itertools.product(
        (40, 60), (0, 4, 5, 29, 30), (0, 40), (0, 12, 13, 20), (None, 1.0), (None, 0.4, 0.5, 0.89, 0.9),
        (None, "", "two readings"), (None, 100.0), (None, 70.0, 100.0, 126.0, 151.0),
    )  # fmt: skip
    for found, accepted, border, uncertain, nm, confidence, doubt, stated, mean in cases:
        facts = PanelFacts(found, accepted, border, uncertain, nm, confidence, doubt, stated, mean)
        expected = trust_of(facts).grade
        for table, values in (
            ("s", (found, accepted, border, uncertain, nm, mean)), ("b", (confidence, doubt)), ("n", (stated,))
        ):  # fmt: skip
            database.execute(f"DELETE FROM {table}")
            database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
        ((grade,),) = database.execute(f"SELECT {_grade_sql()} FROM s, b, n").fetchall()
        assert grade == expected, facts
