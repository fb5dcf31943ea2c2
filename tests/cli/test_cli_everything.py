"""A folder of everything: each file ends as a row, a failure, or one line that says why it was passed over."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.written import GENERATOR_META, save_marked

ARTICLE = (
    "<article><front/><body><fig id='f1'><label>Figure 1</label><caption><p>SEM image of particles.</p></caption>"
    "<graphic href='fig1'/></fig></body></article>"
)


def fill(folder: Path) -> None:
    """Everything that people have lying in a folder, and what breaks programs."""
    grey = draw_micrograph(np.random.default_rng(1), shape=(120, 160), kind="tem").image
    deep = grey.astype(np.uint16) * 9
    folder.mkdir()
    Image.fromarray(grey).save(folder / "a.png")
    tifffile.imwrite(folder / "float.tif", grey.astype(np.float64))
    tifffile.imwrite(folder / "colours.tif", np.dstack([deep] * 3), photometric="rgb")
    with tifffile.TiffWriter(folder / "pages.tif") as file:
        file.write(grey[::4, ::4], subfiletype=1)
        file.write(grey)
    Image.fromarray(grey[::-1]).save(os.fsencode(folder) + b"/na\xefve.png")
    Image.fromarray(grey.T).save(folder / "quote's and\nline.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:400])
    (folder / "words.jpg").write_text("no picture")
    (folder / "empty.xml").write_text("")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (folder / "paper.xml").write_text(ARTICLE)
    Image.fromarray(grey[:, ::-1]).save(folder / "fig1.png")
    (folder / "notes.txt").write_text("x")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "gone.tif").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.png")
    save_marked(Image.fromarray(grey), folder / "overlay.png")
    (folder / "report.html").write_text(f"<!DOCTYPE html><html><head>{GENERATOR_META}</head></html>")


def names_in(text: str, names: list[str]) -> set[str]:
    return {name for name in names if name in text}


@pytest.mark.skipif(sys.platform == "win32", reason="names of files are bytes elsewhere")
def test_every_file_of_a_folder_of_everything_is_accounted_for(tmp_path):
    folder = tmp_path / "all"
    fill(folder)
    environment = {**os.environ, "IDE_CACHE": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path)}
    code = "import imagedataextractor.cli as cli; cli.main()"
    command = [sys.executable, "-c", code, "extract", "--mode", "discriminative", "--nm-per-px", "2", str(folder)]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True, errors="replace"
    )
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    printed = sorted(os.fsencode(name).decode("utf-8", "backslashreplace") for name in os.listdir(folder))
    with sqlite3.connect(tmp_path / "particles.db") as connection:
        rows = "\n".join(
            str(path)
            for (path,) in connection.execute("SELECT image_path FROM figures UNION SELECT path FROM articles")
        )
        pages = connection.execute("SELECT page, pages FROM figures WHERE image_path LIKE '%pages.tif'").fetchall()
        failures = "\n".join(
            f"{target}" for (target,) in connection.execute("SELECT target FROM failures WHERE resolved_at IS NULL")
        )
    assert pages == [(2, 2)]
    lines = "\n".join(line for line in run.stderr.splitlines() if "passed over" in line)
    assert names_in(rows, printed) >= {"a.png", "float.tif", "colours.tif", "pages.tif", "na\\xefve.png", "fig1.png"}
    assert names_in(failures, printed) >= {"empty.png", "cut.png", "words.jpg", "empty.xml", "broken.pdf"}
    assert names_in(lines, printed) == {
        *(".DS_Store", "gone.tif", "notes.txt", "overlay.png", "pipe.png", "report.html"),
    }
    assert names_in(rows + failures + lines, printed) == set(printed)
