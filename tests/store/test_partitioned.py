"""The table of particles in parts: the program writes and reads as before."""

from __future__ import annotations

import psycopg
import pytest
from store_results import make_result, make_run

from imagedataextractor.resources import resource_path
from imagedataextractor.store import Store

SCRIPT = resource_path("db", "postgresql", "partition_particles.sql").read_text(encoding="utf-8")


def test_a_database_in_parts_holds_and_shows_its_rows(postgresql_url):
    with Store.open(postgresql_url):
        pass
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(SCRIPT)
    with Store.open(postgresql_url) as store:
        store.start_run(make_run())
        for _ in range(2):  # the second time every row is replaced
            store.write_article(make_result(), "run-1")
        (shown,) = store.query("SELECT count(*) FROM measured_particles")[1]
        where = store.query("SELECT tableoid::regclass::text, count(*) FROM particles GROUP BY 1")[1]
    assert shown[0] > 0
    assert [tuple(row) for row in where] == [("particles_0", shown[0])]
    with psycopg.connect(postgresql_url) as connection, pytest.raises(psycopg.errors.RaiseException, match="not empty"):
        connection.execute(SCRIPT)
