"""`ide mine`: a bulk run over many articles."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagedataextractor.cli.options import (
    command_line,
    db_option,
    licence_option,
    scale_options,
    segmentation_options,
)

if TYPE_CHECKING:
    from imagedataextractor.mining.corpus import Corpus
    from imagedataextractor.mining.executors import WorkExecutor
    from imagedataextractor.mining.plan import Plan
    from imagedataextractor.mining.progress import Counts
    from imagedataextractor.options import Manual
    from imagedataextractor.records import Run
    from imagedataextractor.settings import Settings
    from imagedataextractor.store import Store
    from imagedataextractor.targets import Target

__all__ = ["command"]

#: Targets that --dry-run names.
_SHOWN = 20


@click.command("mine")
@click.argument("what", required=False, metavar="[DEFINITION|FOLDER]")
@click.option("--dois", "doi_file", type=click.Path(path_type=Path), metavar="FILE", help="Articles by DOI.")
@licence_option
@db_option
@click.option("--workers", type=click.IntRange(min=0), metavar="N", help="Worker processes; 0: one a core.")
@click.option("--inline", is_flag=True, help="No worker processes: for a debugger.")
@click.option("--dask", metavar="ADDRESS", help="Workers of a Dask cluster, as tcp://host:8786.")
@click.option(
    "--dask-resource", "resources", multiple=True, metavar="NAME=N", help="Dask resource a call takes: GPU=1."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N targets.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--again", is_flag=True, help="Do again what is finished.")
@click.option("--assume-em", is_flag=True, help="Take every panel for a micrograph of particles.")
@click.option("--retry-set-aside", is_flag=True, help="Try again what was set aside for killing its workers.")
@click.option("--wait", is_flag=True, help="Wait while another `ide mine` works on the same database.")
@click.option("--keep-figures/--drop-figures", default=None, help="Keep downloads once they are in the database.")
@click.option("--log", "log_file", type=click.Path(path_type=Path), metavar="FILE", help="JSON lines with the run id.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@scale_options
@segmentation_options
def command(
    what: str | None,
    doi_file: Path | None,
    licences: tuple[str, ...],
    db: str | None,
    workers: int | None,
    inline: bool,
    dask: str | None,
    resources: tuple[str, ...],
    limit: int | None,
    dry_run: bool,
    again: bool,
    assume_em: bool,
    retry_set_aside: bool,
    wait: bool,
    keep_figures: bool | None,
    log_file: Path | None,
    as_json: bool,
    ocr: str | None,
    scalebar: str | None,
    bar_px: float | None,
    field_width: str | None,
    nm_per_px: float | None,
    **segmentation: Any,
) -> None:
    """Mine a corpus into the database: resumable, parallel.

    DEFINITION is a TOML file, or the name of one that comes with the program; instead, a FOLDER of
    articles and images, or a list of DOIs as `ide search` writes it. What is finished in the database
    is passed over, so the same command again goes on where the last one stopped, however that was.
    Ctrl-C finishes what is in flight; a second one stops at once.
    """
    from imagedataextractor.errors import UsageError
    from imagedataextractor.options import choose

    if (what is None) == (doi_file is None):
        raise UsageError("mine: give one of DEFINITION, FOLDER and --dois FILE")
    if inline + (dask is not None) + (workers is not None) > 1:
        raise UsageError("mine: one of --workers, --inline and --dask says where the work is done")
    corpus, settings = _corpus_and_settings(what, doi_file, limit)
    mining = {"workers": workers, "keep_figures": keep_figures}
    articles = {"licences": licences or None}
    settings = _over(
        settings, db=db, articles=articles, mining=mining, scalebar={"ocr": ocr}, segmentation=segmentation
    )
    _, manual = choose(
        {
            "settings": settings,
            "nm_per_px": nm_per_px,
            "scalebar": scalebar,
            "bar_px": bar_px,
            "field_width": field_width,
            "assume_em": assume_em,
        }
    )
    request = _Request(
        corpus, settings, manual, again, retry_set_aside, wait, inline, dask, _resources(resources), log_file, as_json
    )
    if dry_run:
        _dry_run(request)
        return
    code = _mine(request)
    if code == 130:
        # Downloads under way would be waited for; everything that counts is committed.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    if code:
        raise click.exceptions.Exit(code)


@dataclass(frozen=True)
class _Request:
    """What was asked for on the command line."""

    corpus: Corpus
    settings: Settings
    manual: Manual
    again: bool
    retry_set_aside: bool
    wait: bool
    inline: bool
    dask: str | None
    resources: dict[str, float]
    log_file: Path | None
    as_json: bool


def _tell(line: str) -> None:
    click.echo(f"ide: {line}", err=True)


# ---------------------------------------------------------------- what was asked for


def _corpus_and_settings(what: str | None, doi_file: Path | None, limit: int | None) -> tuple[Corpus, Settings]:
    """The corpus, and the user's settings with those of the definition over them."""
    from imagedataextractor.mining.corpus import Corpus, load_definition
    from imagedataextractor.settings import load_settings

    settings = load_settings()
    if doi_file is not None:
        return Corpus(dois_file=doi_file, limit=limit), settings
    assert what is not None
    path = Path(what)
    if path.is_dir():
        return Corpus(folder=path, limit=limit), settings
    definition = load_definition(_definition_file(what))
    given = definition.with_settings(settings)
    if "IDE_DB" in os.environ:
        given = dataclasses.replace(given, db=settings.db)
    corpus = definition.corpus if limit is None else dataclasses.replace(definition.corpus, limit=limit)
    return corpus, given


def _definition_file(what: str) -> Path:
    """A file, or the name of a definition that comes with the program."""
    from imagedataextractor.errors import InputError
    from imagedataextractor.resources import resource_path

    path = Path(what)
    if path.exists() or path.suffix == ".toml":
        return path
    known = {file.stem: file for file in resource_path("pipelines").glob("*.toml")}
    if what not in known:
        raise InputError(f"{what}: no such file or folder, nor a definition here ({', '.join(sorted(known))})")
    return known[what]


def _over(settings: Settings, *, db: str | None, **tables: dict[str, Any]) -> Settings:
    """The settings with what the command line gives over them."""
    changes: dict[str, Any] = {} if db is None else {"db": db}
    for name, values in tables.items():
        given = {key: value for key, value in values.items() if value is not None}
        changes[name] = dataclasses.replace(getattr(settings, name), **given)
    return dataclasses.replace(settings, **changes)


def _resources(given: tuple[str, ...]) -> dict[str, float]:
    from imagedataextractor.errors import UsageError

    found = {}
    for item in given:
        name, _, amount = item.partition("=")
        try:
            found[name] = float(amount or 1)
        except ValueError:
            raise UsageError(f"--dask-resource takes NAME=N, not {item!r}") from None
    return found


def _new_run(request: _Request) -> Run:
    from imagedataextractor.images import sha256_of
    from imagedataextractor.pipeline import Stages, new_run
    from imagedataextractor.segmentation.weights import find_weights

    stages = Stages(request.settings, request.manual)
    weights = sha256_of(find_weights(request.settings.segmentation.model))
    return new_run(stages, command_line(sys.argv), weights_sha256=weights)


# ---------------------------------------------------------------- doing it


def _mine(request: _Request) -> int:
    """The whole run; its exit code."""
    from imagedataextractor.mining.corpus import corpus_targets
    from imagedataextractor.mining.progress import Counts, Log
    from imagedataextractor.settings import cache_dir
    from imagedataextractor.store import Store

    with contextlib.ExitStack() as stack:
        store = stack.enter_context(Store.open(request.settings.db))
        stack.enter_context(_alone(store, wait=request.wait))
        targets = corpus_targets(request.corpus, request.settings, cache_dir(), _tell)
        run = _new_run(request)
        plan = _plan(request, targets, store, run)
        survey = plan.survey()
        store.start_run(run)
        log = stack.enter_context(Log(request.log_file, run.id))
        for line in survey.lines():
            _tell(line)
        counts = Counts(total=survey.total, skipped=survey.done + survey.set_aside)
        store.update_run(run.id, targets_total=counts.total, targets_skipped=counts.skipped)
        log.write("started", command=run.command, targets=survey.total, to_do=survey.to_do)
        state, code = "failed", 1
        try:
            if survey.to_do:
                state, code = _go(request, plan, store, run.id, counts, log)
            else:
                state, code = _verdict(counts)
        except KeyboardInterrupt:
            state, code = "interrupted", 130
        finally:
            log.write("ended", state=state, **dataclasses.asdict(counts))
            # Where the database itself is what failed, that error is the one to be told.
            with contextlib.suppress(Exception) if sys.exc_info()[0] else contextlib.nullcontext():
                store.finish_run(run.id, state=state, exit_code=code)
        _summary(request, store, run.id, counts, state)
        return code


def _plan(request: _Request, targets: Iterable[Target], store: Store | None, run: Run) -> Plan:
    from imagedataextractor.mining.plan import Plan
    from imagedataextractor.store import digest_of_run

    digest = digest_of_run(run)
    return Plan(targets, store, digest, again=request.again, retry_set_aside=request.retry_set_aside)


def _go(request: _Request, plan: Plan, store: Store, run_id: str, counts: Counts, log: Any) -> tuple[str, int]:
    """Do what is to do; how the run ended, and its exit code."""
    from imagedataextractor.mining.ahead import DiskBudget
    from imagedataextractor.mining.progress import make_progress
    from imagedataextractor.mining.run import mine
    from imagedataextractor.mining.stop import StopRequest
    from imagedataextractor.mining.worker import PipelineWork, Retrieval, prune_segmentations
    from imagedataextractor.mining.writer import MineOptions
    from imagedataextractor.settings import cache_dir

    settings, cache = request.settings, cache_dir()
    prune_segmentations(cache)
    stop = StopRequest()
    with _executor(request) as executor, make_progress(log) as progress:
        mine(
            plan,
            PipelineWork(settings, request.manual, cache, store.em_places()),
            executor,
            store,
            run_id,
            counts=counts,
            options=MineOptions(max_attempts=settings.mining.max_attempts),
            retriever=Retrieval(settings, cache),
            budget=DiskBudget(settings.mining.disk_budget_bytes, keep=settings.mining.keep_figures),
            progress=progress,
            stop=stop,
        )
    return ("interrupted", 130) if stop else _verdict(counts)


def _verdict(counts: Counts) -> tuple[str, int]:
    if counts.failed + counts.set_aside:
        return "failed", 1
    return ("interrupted", 1) if counts.waiting else ("finished", 0)


def _executor(request: _Request) -> WorkExecutor:
    from imagedataextractor.mining.executors import DaskExecutor, InlineExecutor, ProcessExecutor

    if request.inline:
        return InlineExecutor()
    if request.dask is not None:
        return DaskExecutor(request.dask, request.resources)
    return ProcessExecutor(request.settings.mining.workers)


@contextlib.contextmanager
def _alone(store: Store, *, wait: bool) -> Any:
    """Only one bulk run writes to a database; another one waits, or is told so."""
    from imagedataextractor.errors import StoreError

    lock = store.lock("mine")
    if not lock.acquire():
        if not wait:
            raise StoreError(f"{store.name}: another `ide mine` is at work on it; wait for it, or give --wait")
        _tell(f"{store.name}: waiting for another `ide mine` to end")
        lock.acquire(wait=True)
    try:
        yield
    finally:
        lock.release()


def _dry_run(request: _Request) -> None:
    """What a run would find to do, without touching anything."""
    from imagedataextractor.mining.corpus import corpus_targets
    from imagedataextractor.settings import cache_dir

    targets = corpus_targets(request.corpus, request.settings, cache_dir(), _tell)
    with contextlib.ExitStack() as stack:
        store = _existing_store(request.settings.db)
        if store is not None:
            stack.enter_context(store)
        plan = _plan(request, targets, store, _new_run(request))
        survey = plan.survey()
        units = [unit.target for unit in islice(plan, _SHOWN)]
    if request.as_json:
        content = {**dataclasses.asdict(survey), "to_do": survey.to_do, "first": [target.key for target in units]}
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    for line in survey.lines():
        click.echo(line)
    click.echo(f"would do {survey.to_do:,}, into {request.settings.db.rsplit('@', 1)[-1]}:")
    for target in units:
        click.echo(f"  {target.key}")
    if survey.to_do > len(units):
        click.echo(f"  … and {survey.to_do - len(units):,} more")


def _existing_store(db: str) -> Store | None:
    """The database for reading; None where there is none yet."""
    from imagedataextractor.errors import StoreError
    from imagedataextractor.store import Store

    try:
        return Store.open(db, read_only=True)
    except StoreError as error:
        if "no such database" in str(error):
            return None
        raise


def _summary(request: _Request, store: Store, run_id: str, counts: Counts, state: str) -> None:
    from imagedataextractor.mining.progress import duration

    if request.as_json:
        click.echo(json.dumps({"run": run_id, "state": state, **dataclasses.asdict(counts)}))
    else:
        click.echo(
            f"{counts.done:,} done, {counts.failed:,} with failures, {counts.set_aside:,} set aside, "
            f"{counts.skipped:,} passed over; {counts.figures:,} figures, {counts.panels:,} measured panels, "
            f"{counts.particles:,} particles in {store.name}"
        )
        _tell(f"workers read for {duration(counts.read_s)} and extracted for {duration(counts.extract_s)}")
    if counts.waiting:
        _tell(f"{counts.waiting:,} articles wait for the quota of a service{_renewed(counts.resume_at)}")
    if state == "interrupted" and not counts.waiting:
        _tell("stopped; the same command again goes on from here")
    elif counts.failed + counts.set_aside:
        _tell("not all could be done: see `ide status`; the same command again retries what failed")


def _renewed(resume_at: float) -> str:
    """When and how a run that waits for a quota goes on."""
    when = time.strftime(", renewed at %Y-%m-%d %H:%M UTC", time.gmtime(resume_at)) if resume_at else ""
    return f"{when}: the same command goes on with them then"
