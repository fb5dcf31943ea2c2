"""Speed of the database: rows written a second, and how long the named queries take.

    python benchmarks/store.py write
    python benchmarks/store.py write --db postgresql://user@127.0.0.1/empty
    python benchmarks/store.py queries --particles 10000000

`write` puts made-up articles through `Store.write_article`, a transaction a batch, with the outlines of
discs of 3 to 40 pixels radius, and counts particle rows a second: from the records of the pipeline,
as `ide extract` writes them, and packed, as the writer of `ide mine` gets them from its workers.
`queries` fills an SQLite file with the plainest SQL
there is (kept for the next time), then times every named query, and says which of them read the
whole of the particles table.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import gc
import hashlib
import json
import math
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from imagedataextractor.measurement.columns import COLUMNS, NUMBERS, STORED, Kind
from imagedataextractor.measurement.outlines import trace_outlines
from imagedataextractor.records import (
    Article,
    ArticleResult,
    Box,
    Figure,
    FigureResult,
    Panel,
    PanelResult,
    ParticleTable,
    Reason,
    Run,
    ScaleBar,
    Segmentation,
)
from imagedataextractor.store import Store, load_named_queries, pack

#: Vertices of the outlines that `queries` fills in; a disc of 12 pixels radius has so many.
VERTICES = 52


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="particle rows written a second")
    write.add_argument("--db", help="database to write to; a temporary SQLite file if not given")
    write.add_argument("--articles", type=int, default=200)
    write.add_argument("--panels", type=int, default=10, help="measured panels an article")
    write.add_argument("--particles", type=int, default=100, help="particles a panel")
    write.add_argument("--batch", type=int, default=10, help="articles a transaction")
    queries = commands.add_parser("queries", help="time of every named query")
    queries.add_argument("--particles", type=int, default=10_000_000)
    queries.add_argument("--file", type=Path, default=Path(tempfile.gettempdir()) / "ide-benchmark.db")
    arguments = parser.parse_args()
    print(f"{date.today()}, {platform.processor() or platform.machine()}, SQLite {sqlite3.sqlite_version}")
    if arguments.command == "write":
        measure_writing(arguments)
    else:
        measure_queries(arguments.file, arguments.particles)


# ---------------------------------------------------------------- writing


def measure_writing(arguments: argparse.Namespace) -> None:
    articles = [make_article(n, arguments.panels, arguments.particles) for n in range(min(arguments.articles, 50))]
    vertices = statistics.mean(len(p.contour) for panel in articles[0].figures[0].panels for p in panel.particles)
    # The articles above live to the end; the collector need not look through them again and again.
    gc.freeze()
    for how in ("records", "packed"):
        with tempfile.TemporaryDirectory() as folder, Store.open(arguments.db or f"sqlite:///{folder}/b.db") as store:
            rates = list(_write(store, articles, arguments, packed=how == "packed"))
            kind = store.url.drivername.split("+")[0]
        total = arguments.articles * arguments.panels * arguments.particles
        walls, cpus = zip(*rates, strict=True)
        print(
            f"{kind}, {how}: {total:,} particles, {vertices:.0f} vertices each: "
            f"{statistics.harmonic_mean(walls):,.0f} rows/s ({statistics.median(walls):,.0f} the median batch, "
            f"{statistics.harmonic_mean(cpus):,.0f} a second of this process's CPU)"
        )


def _write(
    store: Store, articles: list[ArticleResult], arguments: argparse.Namespace, *, packed: bool
) -> Iterator[tuple[float, float]]:
    """Rows a second, and a second of CPU, of each batch."""
    run = Run(f"benchmark-{time.time()}", "2026-01-01T00:00:00+00:00", "benchmark", {}, {}, "", 0)
    store.start_run(run)
    for start in range(0, arguments.articles, arguments.batch):
        numbers = range(start, min(start + arguments.batch, arguments.articles))
        batch = [renamed(articles[n % len(articles)], f"{run.id}-{n}") for n in numbers]
        given = [pack(article) for article in batch] if packed else batch
        began, used = time.perf_counter(), time.process_time()
        with store.transaction():
            for article in given:
                store.write_article(article, run.id)
        rows = len(batch) * arguments.panels * arguments.particles
        yield rows / (time.perf_counter() - began), rows / (time.process_time() - used)


def make_article(number: int, panels: int, particles: int) -> ArticleResult:
    rng = np.random.default_rng(number)
    figure = Figure("Figure 1", "TEM images.")
    results = []
    for index in range(panels):
        segmentation = Segmentation(
            np.zeros((1, 1), np.int32), np.zeros(particles), np.zeros(particles), np.zeros(particles, bool)
        )
        found = ParticleTable.from_rows((make_particle(label + 1, rng) for label in range(particles)), nm_per_px=1.0)
        panel = Panel(index, Box(0, 0, 1000, 1000), "a", "em", 0.99, "TEM")
        results.append(PanelResult(panel, ScaleBar(nm_per_px=1.0, confidence=0.9), segmentation, found))
    picture = FigureResult(figure, "Figure 1", "f.png", "", 1000, 1000, tuple(results))
    return ArticleResult(Article(f"{number}", figures=(figure,)), (picture,))


def renamed(result: ArticleResult, number: str) -> ArticleResult:
    article = dataclasses.replace(result.article, key=f"article-{number}", doi=f"10.1000/{number}")
    sha256 = hashlib.sha256(number.encode()).hexdigest()
    return ArticleResult(article, tuple(dataclasses.replace(f, image_sha256=sha256) for f in result.figures))


@functools.cache
def disc_outline(radius: int) -> tuple[tuple[float, float], ...]:
    y, x = np.mgrid[: 2 * radius + 1, : 2 * radius + 1]
    return trace_outlines(((x - radius) ** 2 + (y - radius) ** 2 <= radius**2).astype(np.int32))[1]


def make_particle(label: int, rng: np.random.Generator) -> dict[str, Any]:
    """A row for `ParticleTable.from_rows`."""
    radius, x, y = (float(value) for value in rng.uniform((3, 50, 50), (40, 950, 950)))
    x, y = round(x), round(y)
    drawn = [c.name for c in COLUMNS if c.kind is Kind.NUMBER and c.name in STORED]
    return {
        **dict(zip(drawn, rng.lognormal(3, 0.5, len(drawn)).tolist(), strict=True)),
        "label": label, "x_px": x, "y_px": y, "touches_border": label % 10 == 0, "uncertainty": 0.01, "score": 0.9,
        "reason": None if label % 10 else Reason.BORDER,
        "contour": [(x + dx, y + dy) for dx, dy in disc_outline(round(radius))],
    }  # fmt: skip


# ---------------------------------------------------------------- named queries

PARTICLES_A_PANEL, PANELS_A_FIGURE, FIGURES_AN_ARTICLE = 100, 3, 3
GIVEN = {"doi": "10.1000/17", "low_nm": "20", "high_nm": "21"}


def measure_queries(file: Path, particles: int) -> None:
    if not (file.exists() and _count(file) >= particles):
        file.unlink(missing_ok=True)
        began = time.perf_counter()
        fill(file, particles)
        print(f"filled {file} in {time.perf_counter() - began:.0f} s")
    print(f"{file}: {_count(file):,} particles, {file.stat().st_size / 1e9:.1f} GB")
    print(f"{'query':<24}{'rows':>8}{'first ms':>10}{'again ms':>10}{'CPU ms':>8}  full scan of particles")
    for query in load_named_queries().values():
        parameters = query.bind({name: value for name, value in GIVEN.items() if name in query.parameters})
        with Store.open(str(file), read_only=True) as store:
            times, cpu = [], []
            for _ in range(3):
                began, used = time.perf_counter(), time.process_time()
                _, rows = store.query(query.sql, parameters)
                times.append((time.perf_counter() - began) * 1000)
                cpu.append((time.process_time() - used) * 1000)
        scans = _scans(file, query.sql, parameters)
        print(f"{query.name:<24}{len(rows):>8}{times[0]:>10.1f}{min(times[1:]):>10.1f}{min(cpu):>8.1f}  {scans}")


def _scans(file: Path, sql: str, parameters: dict[str, object]) -> str:
    with sqlite3.connect(file) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    return "yes" if any(step.split()[:2] in (["SCAN", "p"], ["SCAN", "particles"]) for step in plan) else "no"


def _count(file: Path) -> int:
    with sqlite3.connect(file) as connection:
        return int(connection.execute("SELECT coalesce(sum(n_particles), 0) FROM segmentations").fetchone()[0])


def fill(file: Path, particles: int) -> None:
    """A database of the given size. Sizes differ from panel to panel as in the literature (log-normal)."""
    with Store.open(str(file)) as store:
        run = Run("benchmark", "2026-01-01T00:00:00+00:00", "benchmark", {}, {}, "", 0)
        store.start_run(run)
    rng = np.random.default_rng(0)
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -262144"):
        connection.execute(f"PRAGMA {pragma}")
    segmentations = math.ceil(particles / PARTICLES_A_PANEL)
    columns = ("segmentation_id", "label", *NUMBERS, "touches_border", "accepted", "reason", "contour")
    insert = f"INSERT INTO particles ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    contour = b"\x03" + bytes(VERTICES + 3)
    for first in range(1, segmentations + 1, 1000):
        connection.execute("BEGIN")
        for number in range(first, min(first + 1000, segmentations + 1)):
            _fill_panel(connection, number)
            ecd = rng.lognormal(rng.normal(3.5, 1.0), rng.uniform(0.02, 0.5), PARTICLES_A_PANEL)
            accepted = rng.random(PARTICLES_A_PANEL) > 0.2
            _fill_segmentation(connection, number, ecd, accepted)
            values = rng.lognormal(3, 1, (PARTICLES_A_PANEL, len(NUMBERS))).tolist()
            place = NUMBERS.index("ecd_nm")
            rows = []
            for label in range(PARTICLES_A_PANEL):
                values[label][place] = float(ecd[label])
                kept = bool(accepted[label])
                rows.append((number, label + 1, *values[label], not kept, kept, None if kept else "border", contour))
            connection.executemany(insert, rows)
        connection.execute("COMMIT")
    connection.execute("PRAGMA optimize")
    connection.close()


def _fill_panel(connection: sqlite3.Connection, number: int) -> None:
    figure, index = divmod(number - 1, PANELS_A_FIGURE)
    article, figure_index = divmod(figure, FIGURES_AN_ARTICLE)
    if index == 0 and figure_index == 0:
        connection.execute(
            "INSERT INTO articles VALUES (?, ?, ?, ?, '[]', 'Journal', ?, 'CC-BY-4.0', 'jats', NULL, ?, 'benchmark')",
            (
                article + 1,
                f"10.1000/{article}",
                f"10.1000/{article}",
                f"Article {article}",
                2000 + article % 25,
                f"t{article}",
            ),
        )
        connection.execute(
            "INSERT INTO targets (key, settings_digest, state, attempts, article_id, updated_at, run_id) "
            "VALUES (?, 'benchmark', 'done', 1, ?, '', 'benchmark')",
            (f"10.1000/{article}", article + 1),
        )
    if index == 0:
        connection.execute(
            "INSERT INTO figures VALUES (?, ?, ?, ?, 1, '[]', NULL, 'f.png', ?, 1000, 1000, 'benchmark', 'benchmark')",
            (
                figure + 1,
                article + 1,
                f"Figure {figure_index + 1}",
                "TEM images of the sample. " * 20,
                f"{figure % 39000:064d}",
            ),
        )
    connection.execute(
        "INSERT INTO panels (id, figure_id, panel_index, label, kind, kind_score, technique, measurable, subcaption, "
        "x0, y0, x1, y1, insets, stated_size_nm, run_id) "
        "VALUES (?, ?, ?, ?, 'em', 0.9, 'TEM', 1, ?, 0, 0, 1000, 1000, '[]', ?, 'benchmark')",
        (number, figure + 1, index, "abc"[index], "TEM image of the sample.", 30.0 if number % 5 == 0 else None),
    )
    connection.execute(
        "INSERT INTO scalebars (panel_id, settings_digest, is_current, nm_per_px, confidence, run_id) "
        "VALUES (?, 'benchmark', 1, 1.0, 0.9, 'benchmark')",
        (number,),
    )


def _fill_segmentation(connection: sqlite3.Connection, number: int, ecd: np.ndarray, accepted: np.ndarray) -> None:
    nm = ecd[accepted] if accepted.any() else ecd[:1]
    connection.execute(
        "INSERT INTO segmentations VALUES "
        "(?, ?, 'benchmark', 1, 'default', '', 'filtered', 8, 0.1, 0, 1.0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, number, len(ecd), int(accepted.sum()), 5, 3, float(nm.mean()), float(nm.mean()), float(nm.std()),
         float(np.median(nm)), float(nm.min()), float(nm.max()), 1.2, 0.01, json.dumps({}), "benchmark"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
