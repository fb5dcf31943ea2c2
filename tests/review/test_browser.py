"""The pages as a person has them: in a browser, by keyboard alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from browser import CHROMIUM, browser

from imagedataextractor.store import Store

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

#: Where the pictures of the pages are kept, for those who want to look at them.
SHOTS = os.environ.get("IDE_TEST_SCREENSHOTS")


@pytest.fixture
def address(own_database):
    """`ide review` as a process of its own; where it listens."""
    command = [sys.executable, "-c", "from imagedataextractor.cli import main; main()"]
    process = subprocess.Popen(
        [*command, "review", "--port", "0", "--db", own_database], stderr=subprocess.PIPE, text=True
    )
    line = process.stderr.readline()
    yield re.search(r"http://127\.0\.0\.1:\d+", line)[0]
    process.terminate()
    process.wait(30)
    process.stderr.close()


@pytest.fixture
def page(tmp_path):
    with browser(tmp_path / "profile") as opened:
        yield opened


def counts(database: str) -> dict:
    with Store.open(database, read_only=True) as store:
        sql = "SELECT panel, count(*), max(nm_per_px) FROM measured_particles WHERE accepted GROUP BY panel"
        return {panel: (count, scale) for panel, count, scale in store.query(sql)[1]}


def test_a_review_by_keyboard_alone(page, address, own_database, tmp_path):
    shots = Path(SHOTS or tmp_path)
    before = counts(own_database)
    page.open(f"{address}/-/review")
    page.screenshot(shots / "queue.png")
    page.press("Enter", loads=True)  # the panel that needs it most: the one without a scale
    assert page.ask("document.title").startswith("Figure 1b")
    page.press("c")
    page.type("500 nm")
    page.press("Tab")
    page.type("100")
    page.press("Enter", loads=True)
    assert counts(own_database)["b"] == (before["b"][0], 5.0)

    page.press("n")
    while not page.ask("document.querySelector('.chosen').classList.contains('accepted')"):
        page.press("n")
    page.screenshot(shots / "panel.png")
    page.press("x", loads=True)
    label = page.ask("document.querySelector('.chosen').dataset.label")
    assert page.ask("document.querySelector('.chosen').classList.contains('corrected')")
    assert counts(own_database)["b"][0] == before["b"][0] - 1
    page.press("x", loads=True)
    assert counts(own_database)["b"][0] == before["b"][0]
    assert page.ask("document.querySelector('.chosen').dataset.label") == label

    page.press("s")
    for _ in range(3):
        page.press("ArrowLeft", shift=True)
    page.press(" ")
    for _ in range(6):
        page.press("ArrowRight", shift=True)
    page.screenshot(shots / "split.png")
    page.press(" ", loads=True)
    assert page.ask("document.getElementById('message').textContent") == "split"
    assert counts(own_database)["b"][0] == before["b"][0] + 1
    page.press("u", loads=True)
    assert counts(own_database)["b"][0] == before["b"][0]

    page.press("e", loads=True)
    assert "b" not in counts(own_database)
    page.press("u", loads=True)
    page.press("l", loads=True)
    page.press("j", loads=True)
    assert page.ask("document.title").startswith("Figure 1a")
    assert page.ask("document.title + document.querySelectorAll('img').length") == "Figure 1a – review0"
    page.press("q", loads=True)
    assert page.ask("document.querySelectorAll('tr.done').length") == 1


def test_particles_are_drawn_and_merged_by_keys(page, address, own_database):
    before = counts(own_database)
    page.open(f"{address}/-/review")
    page.press("Enter", loads=True)
    page.press("d")
    # a square of 20 px, from the middle of the panel
    page.press(" ")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        for _ in range(2):
            page.press(key, shift=True)
        page.press(" ")
    page.press("Enter", loads=True)
    assert page.ask("document.getElementById('message').textContent") == "draw"
    with Store.open(own_database, read_only=True) as store:
        ((area,),) = store.query("SELECT max(area_px) FROM particles WHERE correction_id IS NOT NULL")[1]
    assert area == pytest.approx(400, abs=45)
    page.press("u", loads=True)
    assert counts(own_database) == before

    accepted = "document.querySelector('.chosen').classList.contains('accepted')"
    for mark in (True, False):
        page.press("n")
        while not page.ask(accepted):
            page.press("n")
        if mark:
            page.press(" ")
    page.press("m", loads=True)
    assert page.ask("document.getElementById('message').textContent") == "merge"
    assert counts(own_database)["b"][0] == before["b"][0] - 1
    page.press("u", loads=True)
    assert counts(own_database) == before


@pytest.mark.parametrize(
    "path", ["", "/my+particles", "/my+particles/measured_particles", "/my+particles/size-distribution"]
)
def test_datasette_pages_in_a_browser(page, address, tmp_path, path):
    page.open(address + path)
    page.screenshot(Path(SHOTS or tmp_path) / f"page{path.replace('/', '-')}.png")
    assert page.ask("document.title") not in ("hacked", "")
    assert page.ask("document.querySelectorAll('.message-error').length") == 0
