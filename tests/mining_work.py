"""What workers do in the tests of bulk runs: made-up results, at a known cost, with known accidents.

Importable by worker processes, which take the path of modules from the process that starts them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from store_results import make_result, make_run

from imagedataextractor.errors import InputError
from imagedataextractor.mining.executors import InlineExecutor, ProcessExecutor
from imagedataextractor.mining.plan import Plan
from imagedataextractor.mining.progress import Counts
from imagedataextractor.mining.run import mine
from imagedataextractor.mining.units import Outcome, Unit
from imagedataextractor.mining.writer import MineOptions
from imagedataextractor.records import Failure
from imagedataextractor.store import Store, pack
from imagedataextractor.targets import Target


def targets(count: int) -> list[Target]:
    return [Target("doi", f"doi:10.1000/example.{n}", doi=f"10.1000/example.{n}") for n in range(1, count + 1)]


def number_of(unit: Unit) -> int:
    return int(unit.target.key.rsplit(".", 1)[1])


@dataclass(frozen=True)
class MadeUp:
    """Result number N for target N, after `seconds` of waiting.

    ``broken`` numbers raise, ``refused`` ones fail as bad input does, ``poison`` ones kill the
    process; ``once`` is a folder in which each of the `fragile` numbers kills its process at the
    first try only. ``trace`` is a file that each call adds its number to.
    """

    seconds: float = 0.0
    broken: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()
    poison: frozenset[int] = frozenset()
    fragile: frozenset[int] = frozenset()
    once: Path | None = None
    trace: Path | None = None
    sizes: dict[str, int] = field(default_factory=lambda: {"figures": 1, "panels": 1, "particles": 5})

    def __call__(self, unit: Unit) -> Outcome:
        number = number_of(unit)
        if self.trace is not None:
            with self.trace.open("a") as file:
                file.write(f"{number}\n")
        if self.seconds:
            time.sleep(self.seconds)
        if number in self.poison:
            os.kill(os.getpid(), signal.SIGKILL)
        if number in self.fragile and self.once is not None and not (self.once / str(number)).exists():
            (self.once / str(number)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number in self.broken:
            raise ZeroDivisionError(f"number {number} is broken")
        if number in self.refused:
            return Outcome(failure=Failure("articles", unit.target.key, "InputError", f"{unit.target.key}: not XML"))
        return Outcome(pack(make_result(number, **self.sizes)))

    def probe(self) -> None:
        """Nothing is wrong with the workers."""


@dataclass(frozen=True)
class Refusing:
    """A model that is not there: no article can be done."""

    def __call__(self, unit: Unit) -> Outcome:
        raise InputError("no model is called 'none'")

    def probe(self) -> None: ...


@dataclass(frozen=True)
class Dying:
    """Workers that die of whatever they do, as where a library is broken or memory too small for a model."""

    def __call__(self, unit: Unit) -> Outcome:
        os._exit(9)

    def probe(self) -> None:
        os._exit(9)


def main() -> None:
    """A bulk run in a process of its own: DB COUNT WORKERS SECONDS RUN_ID."""
    # Not a library's business: a test kills this process, and the workers must notice by themselves.
    db, count, workers, seconds, run_id = sys.argv[1:6]
    with Store.open(db) as store:
        run = make_run(run_id)
        store.start_run(run)
        plan = Plan(targets(int(count)), store, store.digest_of(run_id))
        survey = plan.survey()
        print(f"to do {survey.to_do}", flush=True)
        executor = ProcessExecutor(int(workers)) if int(workers) else InlineExecutor()
        with executor:
            counts = mine(
                plan,
                MadeUp(float(seconds)),
                executor,
                store,
                run_id,
                counts=Counts(total=survey.total, skipped=survey.done),
                options=MineOptions(batch_articles=5, batch_s=0.05),
            )
        store.finish_run(run_id)
    print(f"done {counts.done}, threads {threading.active_count()}", flush=True)


if __name__ == "__main__":
    main()
