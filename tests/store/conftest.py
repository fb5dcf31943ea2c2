"""Databases and results to put into them."""

from __future__ import annotations

import pytest
from postgresql_server import start_postgresql
from store_results import make_run

from imagedataextractor.records import Run
from imagedataextractor.store import Store


@pytest.fixture(scope="session")
def postgresql_server():
    """A private PostgreSQL server on 127.0.0.1; tests that need it are skipped where there is none."""
    with start_postgresql() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server) -> str:
    return postgresql_server.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path) -> str:
    """The address of a database that does not exist yet (SQLite) or is empty (PostgreSQL)."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/particles.db"
    return request.getfixturevalue("postgresql_url")


@pytest.fixture
def run() -> Run:
    return make_run()


@pytest.fixture
def store(url: str, run: Run):
    """An open database with one run under way."""
    with Store.open(url) as opened:
        opened.start_run(run)
        yield opened
