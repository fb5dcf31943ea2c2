"""A database and a folder for the tests of bulk runs."""

from __future__ import annotations

import pytest
from postgresql_server import start_postgresql
from store_results import make_run

from imagedataextractor.store import Store


@pytest.fixture
def db(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/particles.db"


@pytest.fixture
def store(db):
    with Store.open(db) as opened:
        opened.start_run(make_run())
        yield opened


@pytest.fixture(scope="session")
def postgresql_server():
    """A private PostgreSQL server; tests that need it are skipped where there is none."""
    with start_postgresql() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server) -> str:
    return postgresql_server.new_database()
