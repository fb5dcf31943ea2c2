"""A database and a folder for the tests of bulk runs."""

from __future__ import annotations

import pytest
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
