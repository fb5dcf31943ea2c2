"""A large corpus without its pictures: simulated articles through the real coordinator, Dask and PostgreSQL.

    python benchmarks/simulated_corpus.py --articles 2000
    python benchmarks/simulated_corpus.py --articles 200000 --workers 2
    python benchmarks/simulated_corpus.py --articles 200000 --dask tcp://head:8786 --db postgresql://me@server/empty

An article has as many figures, panels and particles as the literature's (`SHAPE`), drawn anew from its number, with
outlines of real vertex counts; one in `FAILING` fails in a figure. What costs time in a real run, downloading and
segmenting, costs nothing here, so that the coordinator and the database are as busy as a large cluster would keep
them. Without `--db` a private PostgreSQL server is made in a temporary folder and removed; without `--dask` a cluster
on this machine. Prints articles and rows a second, the size of each table, the coordinator's peak memory, the same
command again, and the time of every named query; it fails if a row is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import mining
import numpy as np
import psutil
import store as store_benchmark

from imagedataextractor.mining.executors import DaskExecutor
from imagedataextractor.mining.units import Outcome, Unit
from imagedataextractor.records import (
    Article,
    ArticleResult,
    Box,
    Failure,
    Figure,
    FigureResult,
    Panel,
    PanelResult,
    ParticleTable,
    ScaleBar,
    Segmentation,
)
from imagedataextractor.store import Store, load_named_queries, pack

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from postgresql_server import start_postgresql


@dataclass(frozen=True)
class Shape:
    """What an article holds. Figures and panels: the open articles of ../shared/samples; particles: EMPS."""

    #: Figures with electron micrographs, mean of a Poisson distribution; at least one.
    em_figures: float = 2.0
    #: Measured panels of such a figure, mean of a Poisson distribution; at least one.
    panels: float = 2.5
    #: Particles of a panel: median and sigma of a log-normal distribution (EMPS: mean 24, most 500 and more).
    particles: float = 13.0
    sigma: float = 1.1
    most: int = 2000


SHAPE = Shape()

#: One article in so many fails in one of its figures.
FAILING = 50

#: Tables of particles that a worker draws once and takes the first rows of: drawing is no part of what is measured.
POOL = 4


@dataclass(frozen=True)
class Simulated:
    """The work of one unit: a result of the given shape, the same for the same article."""

    def __call__(self, unit: Unit) -> Outcome:
        return Outcome(pack(simulated_result(_number(unit))))

    def probe(self) -> None: ...


def _number(unit: Unit) -> int:
    return int(unit.target.key.rsplit("/", 1)[1])


def counts_of(number: int) -> list[list[int]]:
    """Particles of each panel of each figure of an article."""
    rng = np.random.default_rng(number)
    figures = []
    for _ in range(max(1, rng.poisson(SHAPE.em_figures))):
        sizes = rng.lognormal(np.log(SHAPE.particles), SHAPE.sigma, max(1, rng.poisson(SHAPE.panels)))
        figures.append(np.clip(sizes, 1, SHAPE.most).astype(int).tolist())
    return figures


def simulated_result(number: int) -> ArticleResult:
    """The records of article `number`."""
    figures, failures = [], []
    counts = counts_of(number)
    for index, panels in enumerate(counts):
        figure = Figure(f"Figure {index + 1}", "TEM images of (a) gold and (b) silica particles.")
        results = tuple(_panel(place, count, number) for place, count in enumerate(panels))
        sha256 = f"{number:056x}{index:08x}"
        figures.append(FigureResult(figure, figure.label, f"{number}-{index}.png", sha256, 1200, 900, results))
    if number % FAILING == 0:
        where = f"10.1000/{number} / Figure {len(counts) + 1}"
        failures.append(Failure("figures", where, "InputError", "the file is cut off", f"Figure {len(counts) + 1}"))
    article = Article(f"article-{number}", f"10.1000/{number}", f"Article {number}", journal="Simulated", year=2026)
    return ArticleResult(article, tuple(figures), tuple(failures))


def _panel(place: int, count: int, number: int) -> PanelResult:
    segmentation = Segmentation(np.zeros((1, 1), np.int32), np.zeros(count), np.zeros(count), np.zeros(count, bool))
    panel = Panel(place, Box(0, 0, 500, 400), "abcdefghijkl"[place % 12], "em", 0.99, "TEM")
    scale = ScaleBar(100.0, "nm", 50.0, nm_per_px=2.0, confidence=0.9)
    return PanelResult(panel, scale, segmentation, _particles(count, number))


def _particles(count: int, number: int) -> ParticleTable:
    return _drawn(number % POOL)[:count]


@functools.cache
def _drawn(seed: int) -> ParticleTable:
    rng = np.random.default_rng(seed)
    rows = (store_benchmark.make_particle(label + 1, rng) for label in range(SHAPE.most))
    return ParticleTable.from_rows(rows, nm_per_px=2.0)


# ---------------------------------------------------------------- the run


def main() -> None:
    """Run, check, time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2, help="of the cluster on this machine")
    parser.add_argument("--dask", metavar="ADDRESS", help="a cluster whose workers can import this file")
    parser.add_argument("--db", help="an empty PostgreSQL database; a private server if not given")
    arguments = parser.parse_args()
    print(f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with contextlib.ExitStack() as stack:
        url = arguments.db or stack.enter_context(start_postgresql()).new_database()
        address = arguments.dask or stack.enter_context(_cluster(arguments.workers))
        executor = stack.enter_context(DaskExecutor(address))
        with Store.open(url) as store:
            measure_run(store, arguments.articles, executor)
            measure_database(store, arguments.articles)


@contextlib.contextmanager
def _cluster(workers: int) -> Iterator[str]:
    import distributed

    with (
        tempfile.TemporaryDirectory() as folder,
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, local_directory=folder
        ) as cluster,
    ):
        yield cluster.scheduler_address


def measure_run(store: Store, articles: int, executor: DaskExecutor) -> None:
    # Under its own name, by which the workers of a cluster can import it.
    from simulated_corpus import Simulated

    before, began = _cpu_seconds(store), time.perf_counter()
    counts = mining.work_through(store, "first", articles, Simulated(), executor)
    wall = time.perf_counter() - began
    used = {who: seconds - before[who] for who, seconds in _cpu_seconds(store).items()}
    rows = _scalar(store, "SELECT sum(n_particles) FROM segmentations")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{articles:,} articles, {rows:,} particles in {wall:.0f} s: {articles / wall:,.0f} articles/s, "
        f"{rows / wall:,.0f} rows/s; coordinator's peak {peak:.0f} MB",
        flush=True,
    )
    each = ", ".join(f"{who} {1000 * seconds / articles:.1f} ms" for who, seconds in used.items())
    print(f"CPU an article: {each}; {rows / (used['coordinator'] + used['server']):,.0f} rows a second of both's CPU")
    print(f"done {counts.done:,}, failed {counts.failed:,}")
    began = time.perf_counter()
    again = mining.work_through(store, "second", articles, Simulated(), executor)
    print(f"the same again: {again.skipped:,} passed over, {time.perf_counter() - began:.1f} s", flush=True)


def _cpu_seconds(store: Store) -> dict[str, float]:
    """CPU seconds so far; 0 for workers and servers on other machines."""

    def of(processes: Iterable[psutil.Process]) -> float:
        total = 0.0
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    pids = store.query("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")[1]
    return {
        "coordinator": time.process_time(),
        "workers": of(psutil.Process().children(recursive=True)),
        "server": of(psutil.Process(pid) for (pid,) in pids if psutil.pid_exists(pid)),
    }


def measure_database(store: Store, articles: int) -> None:
    expected = sum(sum(map(sum, counts_of(number))) for number in range(articles))
    found = _scalar(store, "SELECT count(*) FROM particles")
    failures = _scalar(store, "SELECT count(*) FROM failures WHERE resolved_at IS NULL")
    if (found, failures) != (expected, -(-articles // FAILING)):
        sys.exit(f"{found:,} particles and {failures:,} failures in the database, {expected:,} particles expected")
    total = _scalar(store, "SELECT pg_database_size(current_database())")
    print(
        f"database {total / 1e9:.2f} GB: {total / articles / 1e3:.0f} kB an article, {total / found:.0f} B a particle"
    )
    sizes = "SELECT relname, pg_total_relation_size(oid), pg_indexes_size(oid) FROM pg_class WHERE relkind = 'r' "
    for name, size, indexes in store.query(sizes + "AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC LIMIT 6")[
        1
    ]:
        print(f"  {name:<16}{size / 1e6:>10.0f} MB, of which indices {indexes / 1e6:.0f} MB")
    for query in load_named_queries().values():
        given = {name: value for name, value in store_benchmark.GIVEN.items() if name in query.parameters}
        began = time.perf_counter()
        _, rows = store.query(query.sql, query.bind(given))
        print(f"  {query.name:<24}{len(rows):>8} rows {1000 * (time.perf_counter() - began):>9.0f} ms", flush=True)


def _scalar(store: Store, sql: str) -> Any:
    return store.query(sql)[1][0][0]


if __name__ == "__main__":
    main()
