"""A corpus to show: the open articles beside the checkout in a small database, with its report and pages of Datasette.

    make show                                            # ../shared/samples → show/
    python docs/show.py FOLDER --out show --screenshots  # other articles; pictures of the pages, by Chromium

Into the folder go `show.db`, `report.html`, `ATTRIBUTION.md` (every article with its DOI, licence and what was found in
it) and, with --screenshots, PNGs of Datasette's pages. The database holds numbers and captions; the report shows
figures, so it may be passed on only with the attribution, and only where all of its articles allow that.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import imagedataextractor as ide
from imagedataextractor.errors import InputError

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "samples"

#: Pages of Datasette that show numbers and words, and no figure of an article.
PAGES = {
    "tables": "/show",
    "materials": "/show/materials",
    "licences": "/show/licences",
}

#: Characters of a title that are shown.
TITLE = 120

ARTICLES = """
SELECT a.doi, a.title, a.journal, a.year, coalesce(a.licence, 'not stated') AS licence,
    count(DISTINCT s.id) AS panels, coalesce(sum(s.n_accepted), 0) AS particles
FROM articles a
LEFT JOIN figures f ON f.article_id = a.id
LEFT JOIN panels n ON n.figure_id = f.id
LEFT JOIN segmentations s ON s.panel_id = n.id AND s.is_current
WHERE a.doi IS NOT NULL
GROUP BY a.id
ORDER BY particles DESC, a.doi
"""


def attribution(database: Path) -> str:
    """The articles as a Markdown table."""
    with ide.open_database(database) as db:
        rows = db.query(ARTICLES).to_dict()
    lines = [
        "# Where it comes from",
        "",
        "Measured by ImageDataExtractor in the figures of these articles, each of which stands under its own licence.",
        "",
        "| article | licence | measured panels | accepted particles |",
        "| --- | --- | --- | --- |",
    ]
    for doi, title, journal, year, licence, panels, particles in zip(*rows.values(), strict=True):
        name = textwrap.shorten(title, TITLE, placeholder="…")
        lines.append(f"| [{name}](https://doi.org/{doi}), {journal}, {year} | {licence} | {panels} | {particles} |")
    return "\n".join(lines) + "\n"


def take_screenshots(database: Path, folder: Path) -> None:
    """One PNG a page of `PAGES`."""
    browser = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if browser is None:
        raise InputError("screenshots need Chromium; `apt install chromium`, or leave --screenshots out")
    port = 8765
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from imagedataextractor.cli import main; main()",
            "serve",
            "--port",
            str(port),
            "--db",
            str(database),
        ]
    ) as server:
        stop = threading.Timer(600, server.kill)  # s: a server that never answers ends here
        stop.start()
        try:
            _wait_for(f"http://127.0.0.1:{port}/")
            for name, page in PAGES.items():
                with tempfile.TemporaryDirectory() as profile:
                    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1100,800"]
                    target = f"--screenshot={folder / name}.png"
                    url = f"http://127.0.0.1:{port}{page}"
                    subprocess.run(
                        [browser, *options, f"--user-data-dir={profile}", target, url], check=True, capture_output=True
                    )
        finally:
            stop.cancel()
            server.kill()


def _wait_for(url: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise InputError(f"{url}: `ide serve` does not answer")


def main() -> None:
    """Mine, report, attribute, and picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", nargs="?", type=Path, default=SAMPLES)
    parser.add_argument("--out", type=Path, default=Path("show"))
    parser.add_argument("--screenshots", action="store_true")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    database = arguments.out / "show.db"
    print(ide.mine(arguments.articles, db=database))
    with ide.open_database(database) as db:
        db.report(arguments.out / "report.html")
    (arguments.out / "ATTRIBUTION.md").write_text(attribution(database), encoding="utf-8")
    if arguments.screenshots:
        take_screenshots(database, arguments.out)
    print(f"{arguments.out}: show.db, report.html, ATTRIBUTION.md")


if __name__ == "__main__":
    main()
