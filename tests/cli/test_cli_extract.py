"""`ide extract`: from files to rows, what fails, and doing it again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.cli import ide

#: Columns that differ from run to run.
VOLATILE = {"run_id", "started_at", "updated_at", "finished_at", "created_at", "resolved_at", "first_seen", "last_seen"}


@pytest.fixture(autouse=True)
def quiet_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def extract(*arguments):
    return CliRunner().invoke(ide, ["extract", "--mode", "discriminative", *map(str, arguments)])


def micrograph(path, seed=1, shape=(300, 400)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_micrograph(np.random.default_rng(seed), shape=shape).image).save(path)
    return path


def rows(table, columns=None, path="particles.db"):
    with sqlite3.connect(path) as connection:
        names = [r[1] for r in connection.execute(f"PRAGMA table_info({table})")]
        wanted = columns or [n for n in names if n not in VOLATILE and n != "id" and not n.endswith("_id")]
        return sorted(connection.execute(f"SELECT {', '.join(wanted)} FROM {table}").fetchall(), key=repr)


def everything(path="particles.db"):
    return {t: rows(t, path=path) for t in ("articles", "figures", "panels", "scalebars", "segmentations", "particles")}


def test_a_folder_of_micrographs_becomes_rows_with_a_scale_given_by_hand(tmp_path):
    for seed in (1, 2):
        micrograph(tmp_path / "mine" / f"{seed}.png", seed)
    result = extract(tmp_path / "mine", "--nm-per-px", "2", "--assume-em")
    assert result.exit_code == 0, result.output
    found = rows("particles", ["ecd_px", "ecd_nm", "area_px", "area_nm2"])
    assert found
    for ecd_px, ecd_nm, area_px, area_nm2 in found:
        assert ecd_nm == pytest.approx(2 * ecd_px)
        assert area_nm2 == pytest.approx(4 * area_px)


def test_without_a_scale_every_nm_column_is_null(tmp_path):
    flat = np.full((300, 300), 60, np.uint8)
    y, x = np.mgrid[:300, :300]
    for cx, cy in ((80, 80), (200, 90), (140, 210)):
        flat[(x - cx) ** 2 + (y - cy) ** 2 < 30**2] = 190
    noise = np.random.default_rng(0).normal(0, 6, flat.shape)
    Image.fromarray(np.clip(flat + noise, 0, 255).astype(np.uint8)).save(tmp_path / "a.png")
    result = extract("a.png", "--assume-em")
    assert result.exit_code == 0, result.output
    found = rows("particles", ["ecd_px", "ecd_nm", "area_nm2", "feret_max_nm"])
    assert len(found) == 3
    assert all(row[0] == pytest.approx(60, rel=0.1) and row[1:] == (None, None, None) for row in found)


def test_the_same_command_twice_gives_the_same_rows_and_again_too(tmp_path):
    micrograph(tmp_path / "a.png")
    extract("a.png", "--nm-per-px", "1")
    first = everything()
    again = extract("a.png", "--nm-per-px", "1")
    assert "passed over" in again.stderr
    assert everything() == first
    assert extract("a.png", "--nm-per-px", "1", "--again").exit_code == 0
    assert everything() == first


def test_bad_files_are_failures_with_one_line_and_the_good_ones_are_done(tmp_path):
    folder = tmp_path / "mixed"
    micrograph(folder / "good.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:3000])
    (folder / "text.jpg").write_text("no picture")
    result = extract(folder, tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "nowhere: no such file or folder" in result.stderr
    messages = rows("failures", ["message"])
    assert len(messages) == 3  # a path that was mistyped would stay an open failure for ever
    assert all("\n" not in message for (message,) in messages)
    assert [label for label, sha in rows("figures", ["label", "image_sha256"]) if sha] == ["good.png"]
    counts = ["targets_total", "targets_done", "targets_failed", "targets_skipped", "state", "exit_code"]
    assert rows("runs", counts) == [(5, 1, 4, 0, "failed", 1)]

    # What was wrong is put right: the second run does that, and only that.
    for name in ("empty.png", "cut.png", "text.jpg"):
        (folder / name).unlink()
    result = extract(folder)
    assert result.exit_code == 0
    assert "passed over" in result.stderr
    assert (1, 0, 0, 1, "finished", 0) in rows("runs", counts)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xml", "<article><body></body>", "a.xml"),
        ("a.xml", "<article><front/><body/></article>", "no figures"),
        ("a.xml", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><article><p>&x;</p></article>', "a.xml"),
        (
            "a.xml",
            "<article><body><fig><label>Fig. 1</label><caption><p>SEM image</p></caption>"
            '<graphic href="../../../etc/passwd"/></fig></body></article>',
            "not there",
        ),
        ("a.pdf", "%PDF-1.7 broken", "a.pdf"),
    ],
)
def test_broken_and_hostile_articles_are_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    result = extract(name)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "root:" not in result.output
    assert "Traceback" not in result.output
    assert rows("failures", ["message"])


def test_json_gives_one_object_a_target(tmp_path):
    micrograph(tmp_path / "a.png")
    micrograph(tmp_path / "b.png", 5)
    result = extract("a.png", "b.png", "--json", "--nm-per-px", "1.5", "--assume-em")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["title"] for line in lines] == ["a.png", "b.png"]
    assert all(panel["nm_per_px"] == 1.5 for line in lines for panel in line["panels"])


def test_pictures_are_drawn_of_every_measured_panel(tmp_path):
    micrograph(tmp_path / "a.png")
    assert extract("a.png", "--assume-em", "--pictures", "seen").exit_code == 0
    assert len(list((tmp_path / "seen").glob("*.png"))) == len(rows("segmentations"))


def test_a_database_that_cannot_be_written_is_one_line(tmp_path):
    micrograph(tmp_path / "a.png")
    result = CliRunner().invoke(ide, ["extract", "a.png", "--db", "sqlite:////proc/none/x.db"])
    assert result.exit_code != 0
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from imagedataextractor.cli import main; main()",
            "extract",
            "a.png",
            "--db",
            "/proc/x.db",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_killed_half_way_and_run_again_ends_with_the_rows_of_an_unbroken_run(tmp_path):
    for seed in range(4):
        micrograph(tmp_path / "mine" / f"{seed}.png", seed + 20)
    assert extract(tmp_path / "mine", "--db", "whole.db").exit_code == 0
    command = [sys.executable, "-c", "from imagedataextractor.cli import main; main()", "extract", "mine"]
    command += ["--mode", "discriminative", "--db", "sqlite:///broken.db"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ)
    assert process.stdout is not None
    for line in process.stdout:  # the first summary says that one picture is in the database
        if "0.png" in line:
            break
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    before = len(rows("articles", path="broken.db"))
    assert extract(tmp_path / "mine", "--db", "broken.db").exit_code == 0
    assert 1 <= before <= 4
    assert everything("broken.db") == everything("whole.db")
