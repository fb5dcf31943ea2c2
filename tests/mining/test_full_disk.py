"""Full disks: of the downloads, and of the pictures; that of the database is in tests/store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from mining_work import MadeUp, targets
from PIL import Image
from small_disk import enlarge, small_disk
from store_results import all_rows

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.cli import ide
from imagedataextractor.errors import IdeError
from imagedataextractor.files import write_atomically
from imagedataextractor.mining.executors import InlineExecutor
from imagedataextractor.mining.plan import Plan
from imagedataextractor.mining.run import mine
from imagedataextractor.store import Store
from imagedataextractor.targets import Target


def test_a_full_disk_of_downloads_stops_the_run_and_fails_no_article(store, tmp_path):
    with small_disk(tmp_path / "disk", "256k") as disk:

        def retrieve(target: Target) -> Path:
            folder = disk / target.key.rsplit(".", 1)[1]
            write_atomically(folder / "figure.jpg", bytes(20_000))
            return folder

        def run() -> int:
            plan = Plan(targets(40), store, store.digest_of("run-1"))
            return mine(plan, MadeUp(), InlineExecutor(), store, "run-1", retriever=retrieve).done

        with pytest.raises(IdeError, match=r"No space left on device.*free some space"):
            run()
        _, found = store.query("SELECT state, count(*) FROM targets GROUP BY state")
        assert [state for state, _ in found] == ["done"]
        assert 0 < found[0][1] < 40
        enlarge(disk, "2m")
        assert run() == 40 - found[0][1]


def test_a_full_disk_of_pictures_costs_no_measurement(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    Image.fromarray(draw_micrograph(np.random.default_rng(1), shape=(200, 260)).image).save("a.png")
    command = ["extract", "a.png", "--mode", "discriminative", "--nm-per-px", "2", "--assume-em", "--pictures", "disk"]
    with small_disk(tmp_path / "disk", "4k") as disk:
        (disk / "full").write_bytes(bytes(4096))
        failed = CliRunner().invoke(ide, command)
        assert failed.exit_code == 1
        assert "No space left on device" in failed.stderr
        assert "Traceback" not in failed.output
        with Store.open("particles.db", read_only=True) as store:
            before = all_rows(store)["particles"]
            assert store.query("SELECT stage FROM failures WHERE resolved_at IS NULL")[1] == [("report",)]
        assert before
        enlarge(disk, "2m")
        assert CliRunner().invoke(ide, command).exit_code == 0
        assert list(disk.glob("*.png"))
    with Store.open("particles.db", read_only=True) as store:
        assert all_rows(store)["particles"] == before
        assert store.query("SELECT count(*) FROM failures WHERE resolved_at IS NULL")[1] == [(0,)]
