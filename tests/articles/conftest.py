"""Fixtures of the articles' tests: a server, the settings that lead to it, and a cache folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from http_server import Server

from imagedataextractor.settings import Keys, Services


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def services(server: Server) -> Services:
    """Every service on the local server, each below a path of its own; short pauses."""
    return Services(
        europepmc=f"{server.url}/europepmc",
        pmc_idconv=f"{server.url}/idconv",
        pmc_bucket=f"{server.url}/bucket",
        elsevier=f"{server.url}/elsevier",
        springer=f"{server.url}/springer",
        springer_static=f"{server.url}/static",
        crossref=f"{server.url}/crossref",
        unpaywall=f"{server.url}/unpaywall",
        arxiv=f"{server.url}/arxiv",
        contact="someone@lab.example",
        timeout_s=0.5,
        attempts=3,
        backoff_s=0.01,
    )


@pytest.fixture
def keys() -> Keys:
    return Keys(elsevier_api_key="els-key-1234", elsevier_insttoken="inst-token-5678", springer_api_key="spr-key-9012")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
