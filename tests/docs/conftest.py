"""One folder with the guide's example files and one database made from them, for all of its tests."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import pytest
from markdown_blocks import ROOT
from warm_ide import warm

#: What the database of the guide holds.
TARGETS = ("data/sample", "my-micrographs", "micrograph.png")


@dataclass(frozen=True)
class Workplace:
    """The folder in which blocks are run, and what it holds at the beginning of each page."""

    folder: Path
    kept: Path
    environment: dict[str, str]

    def bash(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def renew(self) -> None:
        """As it was at the beginning: what a page did is gone."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.kept, self.folder)


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    if not hasattr(os, "fork") or sys.platform == "darwin" or shutil.which("bash") is None:
        pytest.skip("the guide's blocks are run on Linux")
    place = tmp_path_factory.mktemp("guide")
    kept, folder, programs = place / "kept", place / "work", place / "bin"
    programs.mkdir()
    runpy.run_path(str(ROOT / "docs" / "example_files.py"))["write_example_files"](kept)
    without = {k: v for k, v in os.environ.items() if not k.startswith("IDE_")}
    with warm(programs):
        environment = {
            **without,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(place),  # without the user's own settings
            "MPLCONFIGDIR": matplotlib.get_configdir(),
            "IDE_CACHE": str(place / "cache"),
            "MPLBACKEND": "agg",
            "OMP_NUM_THREADS": "1",
        }
        found = Workplace(folder, kept, environment)
        found.renew()
        made = found.bash(f"ide extract {' '.join(TARGETS)} --scales scales.csv")
        assert made.returncode == 0, made.stderr
        shutil.copy(folder / "particles.db", kept)
        yield found
