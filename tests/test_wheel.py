"""The wheel, and not the checkout, holds everything that `ide extract` needs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package from a wheel, in a folder of its own."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    kept = ("imagedataextractor", "data", "db", "pipelines")
    for name in kept:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(place), str(source)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (wheel,) = place.glob("*.whl")
    target = place / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target


def run(installed, folder, *arguments):
    code = "import imagedataextractor as i, sys; sys.stderr.write(i.__file__ + '\\n'); "
    code += "from imagedataextractor.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_extract_and_query_run_from_the_wheel(installed, tmp_path):
    picture = ROOT / "data" / "sample" / "ide-sample-1-g005.jpg"
    done = run(installed, tmp_path, "extract", str(picture), "--mode", "discriminative")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(str(installed))
    with sqlite3.connect(tmp_path / "particles.db") as connection:
        (count,) = connection.execute("SELECT count(*) FROM particles").fetchone()
    assert count > 0
    assert run(installed, tmp_path, "query", "--named", "runs").returncode == 0


def test_a_stage_is_trained_from_the_wheel(installed, tmp_path):
    (tmp_path / "micrographs").mkdir()
    shutil.copy(ROOT / "data" / "sample" / "ide-sample-1-g005.jpg", tmp_path / "micrographs")
    asked = ["train", "figures", "micrographs", "--network", "letters", "--letters", "1", "--out", "weights"]
    done = run(installed, tmp_path, *asked)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(str(installed))
    assert (tmp_path / "weights" / "letters.safetensors").is_file()


def test_every_folder_of_the_package_is_in_the_wheel(installed):
    wanted = {p.parent.relative_to(ROOT) for p in (ROOT / "imagedataextractor").rglob("*.py")}
    assert all((installed / folder).is_dir() for folder in wanted)
    for area in ("data/weights", "data/sample", "db/queries", "db/migrations/versions", "pipelines"):
        assert any((installed / "imagedataextractor" / area).iterdir())
