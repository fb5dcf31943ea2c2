"""Words of other people on every page, in a browser: nothing that they wrote runs."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from browser import CHROMIUM, Page, browser
from served import HOSTILE, make_database

from imagedataextractor.cli import main as ide_main
from imagedataextractor.records import Box
from imagedataextractor.review.named import served_name
from imagedataextractor.store import Correction, CorrectionKind, StatedScale, Store, load_named_queries
from imagedataextractor.store.tables import MEASURED_PARTICLES, metadata

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

#: Ways in which words become a program: an element, an attribute, an address, a template, the end of a script.
EVIL = (
    "</script></style></title><script>window.ran=1</script><svg onload=window.ran=1><img src=x onerror=window.ran=1>"
    '"\' onmouseover=window.ran=1 autofocus onfocus=window.ran=1 x="{{7*7}}${window.ran=1}`'
)
ADDRESS = "javascript:window.ran=1"
#: Columns whose words come from articles, file names, pictures and people.
COLUMNS = {
    "articles": ("title", "journal", "licence", "source", "abstract"),
    "figures": ("label", "caption", "licence", "channel"),
    "panels": (
        *("subcaption", "technique", "info_bar_text", "detector", "stated_text", "stated_sample", "material"),
        *("material_text",),
    ),
    "scalebars": ("text", "reason"),
    "segmentations": ("model",),
    "runs": ("command", "host"),
    "failures": ("target", "error_class", "message"),
    "corrections": ("why", "made_by"),
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which every word that the program did not choose is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    address = make_database(folder)
    path = Path(address.removeprefix("sqlite:///"))
    with Store.open(address) as store:
        (sha256,) = store.query("SELECT image_sha256 FROM figures")[1][0]
        scale = StatedScale(nm_per_px=2.0)
        store.correct(
            Correction(CorrectionKind.SCALE, sha256, Box(400, 0, 800, 300), scale=scale, why="x", made_by="x")
        )
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, columns in COLUMNS.items():
            for column in columns:
                connection.execute(f'UPDATE "{table}" SET "{column}" = ? || \'{column}\'', (EVIL,))
        connection.execute("UPDATE articles SET key = ?, doi = NULL, path = ?", (EVIL, ADDRESS))
    return path


@pytest.fixture(scope="module")
def address(hostile: Path) -> Iterator[str]:
    command = [sys.executable, "-c", "from imagedataextractor.cli import main; main()"]
    process = subprocess.Popen(
        [*command, "review", "--port", "0", "--db", f"sqlite:///{hostile}"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
    assert found is not None
    yield found[0]
    process.terminate()
    process.wait(30)
    process.stderr.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def require_nothing_ran(page: Page, at: str) -> None:
    page.ask("document.querySelectorAll('*').forEach(e => e.dispatchEvent(new Event('mouseover', {bubbles: true})))")
    assert page.ask("String(window.ran)") == "undefined", at
    assert page.ask("document.title") != "hacked", at
    assert page.ask("[...document.querySelectorAll('a')].filter(a => a.protocol === 'javascript:').length") == 0, at
    assert page.ask("document.querySelectorAll('[onerror], [onload], [onmouseover], [onfocus]').length") == 0, at


def test_nothing_runs_on_any_page_of_the_review(page: Page, address: str) -> None:
    database = f"{address}/my~20particles"
    tables = [table.name for table in metadata.sorted_tables]
    pages = [address, database, f"{address}/-/review"]
    pages += [f"{database}/{name}" for name in (*tables, MEASURED_PARTICLES, *map(served_name, load_named_queries()))]
    pages += [f"{database}/{name}/1" for name in tables if name not in ("runs", "targets", "leases")]
    for at in pages:
        page.open(at)
        require_nothing_ran(page, at)
    page.open(f"{address}/-/review")
    assert page.ask("document.body.innerText").count("window.ran") > 0  # the words are there, as words
    links = page.ask("[...document.querySelectorAll('a')].map(a => a.href).filter(h => h.includes('/-/review/'))")
    assert links
    for at in sorted(set(links))[:2]:
        page.open(f"{at}?message={HOSTILE.replace('#', '')}")
        require_nothing_ran(page, at)


def test_nothing_runs_in_a_report(page: Page, hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = hostile.parent / "report <img src=x onerror=window.ran=1>.html"
    monkeypatch.setattr(sys, "argv", ["ide", "report", "--db", f"sqlite:///{hostile}", "--out", str(out)])
    with pytest.raises(SystemExit) as leaving:
        ide_main()
    assert leaving.value.code == 0
    page.open(out.as_uri())
    require_nothing_ran(page, out.name)
    assert page.ask("document.body.innerText").count("window.ran") > 0
    assert page.ask("document.scripts.length") == 0
