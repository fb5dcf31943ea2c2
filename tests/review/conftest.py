"""A served database, asked by Datasette's own client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from served import make_database

pytest.importorskip("datasette")

from imagedataextractor.review.serving import datasette_on


class Site:
    """A Datasette application that is asked one page after the other."""

    def __init__(self, db: str, **options: Any) -> None:
        self.db = db
        self.application = datasette_on(db, **options)
        self._loop = asyncio.new_event_loop()

    def get(self, path: str, **options: Any) -> Any:
        return self._loop.run_until_complete(self.application.client.get(path, **options))

    def post(self, path: str, **options: Any) -> Any:
        return self._loop.run_until_complete(self.application.client.post(path, **options))

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """For tests that only read."""
    return make_database(tmp_path_factory.mktemp("served"))


@pytest.fixture
def sites() -> Any:
    made: list[Site] = []

    def make(db: str, **options: Any) -> Site:
        made.append(Site(db, **options))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(sites: Callable[..., Site], database: str) -> Site:
    return sites(database)


@pytest.fixture
def own_database(tmp_path: Path) -> str:
    """For tests that correct."""
    return make_database(tmp_path)
