"""Speed and soundness of bulk runs.

    python benchmarks/mining.py overhead --articles 10000
    python benchmarks/mining.py rerun --articles 10000
    python benchmarks/mining.py memory --articles 1000 100000
    python benchmarks/mining.py workers
    python benchmarks/mining.py kill --times 30
    python benchmarks/mining.py kill --times 5 --dask
    python benchmarks/mining.py kill --times 5 --db postgresql://user@127.0.0.1/postgres

`overhead` puts articles whose stages cost nothing through the whole machinery: plan, worker
processes, writing; wall seconds an article. `rerun` goes over a database in which all is done.
`memory` compares the peak memory of the process that coordinates. `workers` compares one and two
workers on calls that keep a core busy. `kill` stops the coordinator, then workers, with SIGKILL at
random moments (fixed seed), resumes, and compares every row with those of an undisturbed run; with
`--dask` the workers are those of a Dask cluster of two, with `--db` the databases are made on, and
removed from, that PostgreSQL server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from imagedataextractor.mining.executors import DaskExecutor, InlineExecutor, ProcessExecutor, WorkExecutor
from imagedataextractor.mining.plan import Plan
from imagedataextractor.mining.progress import Counts
from imagedataextractor.mining.run import mine
from imagedataextractor.mining.units import Outcome, Unit
from imagedataextractor.records import (
    Article,
    ArticleResult,
    Box,
    Figure,
    FigureResult,
    Panel,
    PanelResult,
    ParticleTable,
    Run,
    ScaleBar,
    Segmentation,
)
from imagedataextractor.store import Store, pack
from imagedataextractor.targets import Target

PARTICLES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    overhead = commands.add_parser("overhead", help="cost of an article whose stages are trivial")
    overhead.add_argument("--articles", type=int, default=10_000)
    overhead.add_argument("--workers", type=int, default=2)
    overhead.add_argument("--db", help="database; a temporary SQLite file if not given")
    rerun = commands.add_parser("rerun", help="a run over what is finished")
    rerun.add_argument("--articles", type=int, default=10_000)
    memory = commands.add_parser("memory", help="peak memory of the coordinator")
    memory.add_argument("--articles", type=int, nargs="+", default=[1_000, 100_000])
    commands.add_parser("workers", help="two workers against one")
    kill = commands.add_parser("kill", help="SIGKILL at random moments, then resume")
    kill.add_argument("--times", type=int, default=30)
    kill.add_argument("--seed", type=int, default=0)
    kill.add_argument("--db", help="a database of a PostgreSQL server, where others may be made")
    kill.add_argument("--dask", action="store_true", help="workers of a Dask cluster on this machine")
    child = commands.add_parser("child")  # a run in a process of its own, for `memory` and `kill`
    child.add_argument("--db", required=True)
    child.add_argument("--articles", type=int, required=True)
    child.add_argument("--workers", type=int, default=2)
    child.add_argument("--dask", help="address of a scheduler")
    child.add_argument("--seconds", type=float, default=0.0)
    arguments = parser.parse_args()
    if arguments.command != "child":
        print(f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    measures: dict[str, Callable[[argparse.Namespace], None]] = {
        "overhead": measure_overhead,
        "rerun": measure_rerun,
        "memory": measure_memory,
        "workers": measure_workers,
        "kill": measure_kill,
        "child": be_child,
    }
    measures[arguments.command](arguments)


# ---------------------------------------------------------------- made-up work


@dataclass(frozen=True)
class Targets:
    """DOIs made as they are asked for."""

    count: int

    def __iter__(self) -> Iterator[Target]:
        for number in range(self.count):
            yield Target("doi", f"doi:10.1000/{number}", doi=f"10.1000/{number}")


@dataclass(frozen=True)
class Trivial:
    """One figure, one panel, a few particles; the same for the same target. ``seconds`` of waiting."""

    seconds: float = 0.0

    def __call__(self, unit: Unit) -> Outcome:
        if self.seconds:
            time.sleep(self.seconds)
        return Outcome(pack(trivial_result(int(unit.target.key.rsplit("/", 1)[1]))))

    def probe(self) -> None: ...


@dataclass(frozen=True)
class Busy:
    """Keeps one core busy with what segmentation consists of: products of matrices and filters."""

    rounds: int = 40

    def __call__(self, unit: Unit) -> Outcome:
        rng = np.random.default_rng(0)
        for _ in range(self.rounds):
            np.sort(rng.normal(size=200_000))
        return Trivial()(unit)

    def probe(self) -> None: ...


def trivial_result(number: int) -> ArticleResult:
    figure = Figure("Figure 1", "TEM images.")
    panel = PanelResult(
        Panel(0, Box(0, 0, 500, 500), "a", "em", 0.99, "TEM"),
        ScaleBar(100.0, "nm", 50.0, nm_per_px=2.0, confidence=0.9),
        Segmentation(np.zeros((1, 1), np.int32), np.zeros(0), np.zeros(0), np.zeros(0, bool)),
        trivial_particles(number),
    )
    picture = FigureResult(figure, "Figure 1", "f.png", f"{number:064d}", 500, 500, (panel,))
    return ArticleResult(
        Article(f"article-{number}", f"10.1000/{number}", f"Article {number}", figures=(figure,)), (picture,)
    )


def trivial_particles(number: int) -> ParticleTable:
    size = 5.0 + (np.arange(1, PARTICLES + 1) * 7 + number) % 40
    one, zero = np.ones(PARTICLES), np.zeros(PARTICLES)
    widths = ("ecd_px", "feret_max_px", "feret_min_px", "major_axis_px", "minor_axis_px")
    corners = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    return ParticleTable(
        {
            "label": np.arange(1, PARTICLES + 1), "x_px": 20 * one, "y_px": 30 * one, "area_px": size**2,
            "perimeter_px": 4 * size, **dict.fromkeys(widths, size), "aspect_ratio": one, "circularity": 0.8 * one,
            "solidity": one, "orientation_deg": zero, "touches_border": zero, "uncertainty": 0.01 * one,
            "score": 0.9 * one, "contour": [side * corners for side in size],
        },
        nm_per_px=2.0,
    )  # fmt: skip


def start(store: Store, run_id: str) -> str:
    store.start_run(Run(run_id, f"2026-01-01T00:00:0{len(run_id) % 10}+00:00", "benchmark", {}, {}, "", 0))
    return store.digest_of(run_id)


def work_through(store: Store, run_id: str, articles: int, work: Any, executor: WorkExecutor) -> Counts:
    plan = Plan(Targets(articles), store, start(store, run_id))
    survey = plan.survey()
    counts = Counts(total=survey.total, skipped=survey.done)
    if survey.to_do:
        mine(plan, work, executor, store, run_id, counts=counts)
    store.finish_run(run_id)
    return counts


# ---------------------------------------------------------------- measures


def measure_overhead(arguments: argparse.Namespace) -> None:
    for name, executor in (("inline", InlineExecutor()), ("processes", ProcessExecutor(arguments.workers))):
        with tempfile.TemporaryDirectory() as folder, executor:
            executor.submit(trivial_result, 0).result()  # workers are up
            with Store.open(arguments.db or f"{folder}/b.db") as store:
                began, used = time.perf_counter(), time.process_time()
                work_through(store, f"{name}-{time.time()}", arguments.articles, Trivial(), executor)
                wall, cpu = time.perf_counter() - began, time.process_time() - used
        each = 1000 / arguments.articles
        print(f"{name:<10} {arguments.articles:,} articles: {wall * each:.2f} ms an article "
              f"({cpu * each:.2f} ms of the coordinator's CPU)")  # fmt: skip


def measure_rerun(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Store.open(f"{folder}/b.db") as store:
            work_through(store, "first", arguments.articles, Trivial(), InlineExecutor())
        began = time.perf_counter()
        with Store.open(f"{folder}/b.db") as store:
            counts = work_through(store, "second", arguments.articles, Trivial(), InlineExecutor())
        print(f"re-run over {counts.skipped:,} finished articles: {time.perf_counter() - began:.2f} s")


def measure_memory(arguments: argparse.Namespace) -> None:
    first = 0.0
    for articles in arguments.articles:
        with tempfile.TemporaryDirectory() as folder:
            out = run_child(f"{folder}/b.db", articles, workers=1)
        peak = float(out.split()[-1])
        first = first or peak
        print(f"{articles:>9,} articles: peak {peak:.0f} MB ({peak - first:+.0f} MB)")


def measure_workers(_: argparse.Namespace) -> None:
    times = {}
    for workers in (1, 2):
        with ProcessExecutor(workers, threads=1) as executor, tempfile.TemporaryDirectory() as folder:
            for future in [executor.submit(time.sleep, 0.5) for _ in range(workers)]:
                future.result()
            with Store.open(f"{folder}/b.db") as store:
                began = time.perf_counter()
                work_through(store, "run", 40, Busy(), executor)
                times[workers] = time.perf_counter() - began
        print(f"{workers} worker(s): {times[workers]:.1f} s for 40 articles")
    print(f"two workers against one: {times[1] / times[2]:.2f} times as fast")


def measure_kill(arguments: argparse.Namespace) -> None:
    articles = 80
    moments = random.Random(arguments.seed)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        cluster = stack.enter_context(dask_cluster(folder)) if arguments.dask else None
        with Store.open(f"{folder}/whole.db") as store:
            work_through(store, "whole", articles, Trivial(), InlineExecutor())
            expected = every_row(store)
        for victim in ("coordinator", "worker"):
            same = hit = 0
            for number in range(arguments.times):
                with database(arguments.db, f"{folder}/{victim}-{number}.db") as db:
                    hit += kill_at_random(victim, db, articles, moments, cluster)
                    run_child(db, articles, workers=1, dask=cluster.address if cluster else None)
                    with Store.open(db, read_only=True) as store:
                        same += every_row(store) == expected
            print(f"{victim} killed {arguments.times} times ({hit} while at work): the same rows {same} times")


def kill_at_random(victim: str, db: str, articles: int, moments: random.Random, cluster: DaskCluster | None) -> bool:
    """Whether the victim was at work. If it is a worker, the coordinator goes on to the end by itself."""
    process = child(db, articles, workers=1, seconds=0.01, dask=cluster.address if cluster else None)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(moments.uniform(0.0, 2.0))
    victims = [process.pid]
    if victim == "worker":
        victims = cluster.workers()[:1] if cluster else children_of(process.pid)
    at_work = process.poll() is None and bool(victims)
    for pid in victims if at_work else []:
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    return at_work


@contextlib.contextmanager
def database(server: str | None, file: str) -> Iterator[str]:
    """A new database: the file, or one on the server that is removed in the end."""
    if server is None:
        yield file
        return
    import psycopg

    name = f"ide_benchmark_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield server.rsplit("/", 1)[0] + f"/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class DaskCluster:
    """A scheduler, and the process that starts a worker anew whenever one dies."""

    address: str
    nanny: int

    def workers(self) -> list[int]:
        return children_of(self.nanny)


@contextlib.contextmanager
def dask_cluster(folder: str) -> Iterator[DaskCluster]:
    """Two worker processes on this machine."""
    address = Path(folder) / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with contextlib.ExitStack() as stack:

        def start(module: str, *arguments: str) -> int:
            command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments, "--scheduler-file", str(address)]
            process = subprocess.Popen([*command, "--no-dashboard"], env=environment, **quiet)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process.pid

        start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        nanny = start("dask_worker", "--nworkers", "2", "--nthreads", "1", "--host", "127.0.0.1")
        while not (address.exists() and address.read_text() and len(children_of(nanny)) == 2):
            time.sleep(0.1)
        yield DaskCluster(json.loads(address.read_text())["address"], nanny)


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == pid and "resource_tracker" not in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except (OSError, IndexError, ValueError):
            continue
    return found


def every_row(store: Store) -> list[tuple[Any, ...]]:
    """All rows without ids, run ids and times."""
    sql = (
        "SELECT a.key, f.label, n.panel_index, p.label, a.title, f.image_sha256, s.is_current, s.ecd_mean_nm, t.key, "
        "t.state, p.x_px, p.area_px, p.ecd_nm, p.accepted, p.contour FROM particles p "
        "JOIN segmentations s ON s.id = p.segmentation_id JOIN panels n ON n.id = s.panel_id "
        "JOIN figures f ON f.id = n.figure_id JOIN articles a ON a.id = f.article_id "
        "JOIN targets t ON t.article_id = a.id"
    )
    counts = "SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM figures), (SELECT count(*) FROM panels), \
        (SELECT count(*) FROM scalebars), (SELECT count(*) FROM targets), (SELECT count(*) FROM failures)"
    return sorted(store.query(sql)[1], key=lambda row: row[:4]) + store.query(counts)[1]


# ---------------------------------------------------------------- runs in processes of their own


def child(
    db: str, articles: int, *, workers: int, seconds: float = 0.0, dask: str | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "child", "--db", db, "--articles", str(articles), "--workers", str(workers)]
    command += ["--seconds", str(seconds), *(["--dask", dask] if dask else [])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def run_child(db: str, articles: int, *, workers: int, dask: str | None = None) -> str:
    process = child(db, articles, workers=workers, dask=dask)
    out, _ = process.communicate()
    if process.returncode:
        sys.exit(f"the run failed with exit code {process.returncode}")
    return out


def be_child(arguments: argparse.Namespace) -> None:
    # Under its own name, by which the workers of a cluster can import it.
    from mining import Trivial

    executor = DaskExecutor(arguments.dask) if arguments.dask else ProcessExecutor(arguments.workers, threads=1)
    with Store.open(arguments.db) as store, executor:
        print("begun", flush=True)
        work_through(store, f"{os.getpid()}-{time.time()}", arguments.articles, Trivial(arguments.seconds), executor)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}", flush=True)


if __name__ == "__main__":
    main()
