"""A bulk run from what was asked for to its end: corpus and settings, the database, the run's rows.

In: a definition, a folder or a list of DOIs, with options. Out: how the run ended, and what it counted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from imagedataextractor.errors import InputError, StoreError, UsageError
from imagedataextractor.images import sha256_of
from imagedataextractor.mining.ahead import DiskBudget
from imagedataextractor.mining.corpus import Corpus, corpus_targets, load_definition
from imagedataextractor.mining.executors import DaskExecutor, InlineExecutor, ProcessExecutor, WorkExecutor
from imagedataextractor.mining.plan import Plan, Survey
from imagedataextractor.mining.progress import Counts, Log, duration, make_progress
from imagedataextractor.mining.run import mine as run_through
from imagedataextractor.mining.stop import StopRequest
from imagedataextractor.mining.worker import PipelineWork, Retrieval, prune_segmentations
from imagedataextractor.mining.writer import MineOptions
from imagedataextractor.options import Manual, Options, choose
from imagedataextractor.pipeline import Stages, new_run
from imagedataextractor.records import Run
from imagedataextractor.resources import resource_path
from imagedataextractor.scales import PictureScales, keep_scales, read_scales
from imagedataextractor.segmentation.weights import find_weights
from imagedataextractor.settings import Settings, cache_dir, load_settings
from imagedataextractor.store import Store, digest_of_run
from imagedataextractor.targets import Target
from imagedataextractor.telling import Tell, tell_nobody

__all__ = ["INTERRUPTED", "Bulk", "BulkRequest", "MineResult", "Preview", "preview"]

#: Exit code of a run that was stopped, as shells give it to a command ended by Ctrl-C.
INTERRUPTED = 130


@dataclass(frozen=True)
class MineResult:
    """How a bulk run ended.

    Attributes
    ----------
    run : str
        Its id in the table runs.
    state : {"finished", "failed", "interrupted"}
    counts : Counts
    database : str
        Where the rows are, without password.
    exit_code : int
        0 where all was done, 1 where something failed or waits, 130 where it was stopped.
    """

    run: str
    state: str
    counts: Counts
    database: str
    exit_code: int

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped by Ctrl-C or a signal."""
        return self.exit_code == INTERRUPTED

    def time_line(self) -> str:
        """How long its workers were at work, in words."""
        read, extracted = duration(self.counts.read_s), duration(self.counts.extract_s)
        return f"workers read for {read} and extracted for {extracted}"

    def lines(self) -> list[str]:
        """The result in words."""
        counts = self.counts
        return [
            f"{counts.done:,} done, {counts.failed:,} with failures, {counts.set_aside:,} set aside, "
            f"{counts.skipped:,} passed over; {counts.figures:,} figures, {counts.panels:,} measured panels, "
            f"{counts.particles:,} particles in {self.database}"
        ]

    def __repr__(self) -> str:
        return f"<MineResult: {self.state}; {self.lines()[0]}>"


@dataclass(frozen=True)
class Preview:
    """What a bulk run would find to do: how much, the first targets, and the database without its password."""

    survey: Survey
    first: tuple[Target, ...]
    database: str

    def __repr__(self) -> str:
        return f"<Preview: {self.survey.to_do:,} to do, into {self.database}>"


@dataclass(frozen=True)
class BulkRequest:
    """What was asked for.

    Attributes
    ----------
    corpus, settings, manual
        Which articles, how, and what the user knows of the pictures.
    scales
        A table of their scales.
    again, retry_set_aside
        Do again what is finished, or what killed its workers.
    wait
        Wait while another bulk run works on the same database.
    inline, dask, resources
        Where the work is done: in this process, on a Dask cluster; else in processes of this machine.
    log_file
        JSON lines with the run's id.
    command
        How the run is named in its row.
    """

    corpus: Corpus
    settings: Settings
    manual: Manual
    scales: PictureScales | None = None
    again: bool = False
    retry_set_aside: bool = False
    wait: bool = False
    inline: bool = False
    dask: str | None = None
    resources: Mapping[str, float] = field(default_factory=dict)
    log_file: Path | None = None
    command: str = "imagedataextractor.mine"

    @classmethod
    def of(
        cls,
        what: str | Path | None,
        dois: str | Path | None,
        options: Options,
        *,
        db: str | None = None,
        limit: int | None = None,
        workers: int | None = None,
        keep_figures: bool | None = None,
        **rest: Any,
    ) -> BulkRequest:
        """A request in the words of `ide mine`.

        Raises
        ------
        UsageError
            It contradicts itself.
        InputError
            There is no such definition, folder or list.
        """
        if (what is None) == (dois is None):
            raise UsageError("mine: give one of DEFINITION, FOLDER and --dois FILE")
        if bool(rest.get("inline")) + (rest.get("dask") is not None) + (workers is not None) > 1:
            raise UsageError("mine: one of --workers, --inline and --dask says where the work is done")
        user = options.get("settings") or load_settings()
        corpus, settings = _corpus_and_settings(what, dois, limit, user)
        settings, manual = choose({**options, "settings": settings})
        given: dict[str, Any] = {"workers": workers, "keep_figures": keep_figures}
        mining = dataclasses.replace(settings.mining, **{k: v for k, v in given.items() if v is not None})
        settings = dataclasses.replace(settings, mining=mining, db=settings.db if db is None else db)
        table = options.get("scales")
        return cls(corpus, settings, manual, None if table is None else read_scales(table), **rest)


def _corpus_and_settings(
    what: str | Path | None, doi_file: str | Path | None, limit: int | None, settings: Settings
) -> tuple[Corpus, Settings]:
    """The corpus, and the user's settings with those of the definition over them."""
    if doi_file is not None:
        return Corpus(dois_file=Path(doi_file), limit=limit), settings
    assert what is not None
    path = Path(what)
    if path.is_dir():
        return Corpus(folder=path, limit=limit), settings
    definition = load_definition(_definition_file(str(what)))
    given = definition.with_settings(settings)
    if "IDE_DB" in os.environ:
        given = dataclasses.replace(given, db=settings.db)
    corpus = definition.corpus if limit is None else dataclasses.replace(definition.corpus, limit=limit)
    return corpus, given


def _definition_file(what: str) -> Path:
    """A file, or the name of a definition that comes with the program."""
    path = Path(what)
    if path.exists() or path.suffix == ".toml":
        return path
    known = {file.stem: file for file in resource_path("pipelines").glob("*.toml")}
    if what not in known:
        raise InputError(f"{what}: no such file or folder, nor a definition here ({', '.join(sorted(known))})")
    return known[what]


class Bulk:
    """One bulk run: opened, gone through, and noted in the database.

    Parameters
    ----------
    request : BulkRequest
    tell : function of str, optional
        Is told in a line what is going on.
    """

    def __init__(self, request: BulkRequest, tell: Tell = tell_nobody) -> None:
        self._request = request
        self._tell = tell

    def run(self) -> MineResult:
        """Do all that is to do.

        Raises
        ------
        IdeError
            The corpus cannot be had, or the database cannot be opened or written.
        """
        request = self._request
        with contextlib.ExitStack() as stack:
            store = stack.enter_context(Store.open(request.settings.db))
            stack.enter_context(self._alone(store))
            if request.scales is not None and request.corpus.folder is not None:
                keep_scales(store, request.scales, [request.corpus.folder])
            targets = corpus_targets(request.corpus, request.settings, cache_dir(), self._tell)
            run = _new_run(request)
            plan = _plan(request, targets, store, run)
            survey = plan.survey()
            store.start_run(run)
            log = stack.enter_context(Log(request.log_file, run.id))
            for line in survey.lines():
                self._tell(line)
            counts = Counts(total=survey.total, skipped=survey.done + survey.set_aside)
            store.update_run(run.id, targets_total=counts.total, targets_skipped=counts.skipped)
            log.write("started", command=run.command, targets=survey.total, to_do=survey.to_do)
            state, code = "failed", 1
            try:
                if survey.to_do:
                    state, code = self._go(plan, store, run.id, counts, log)
                else:
                    state, code = _verdict(counts)
            except KeyboardInterrupt:
                state, code = "interrupted", INTERRUPTED
            finally:
                log.write("ended", state=state, **dataclasses.asdict(counts))
                # Where the database itself is what failed, that error is the one to be told.
                with contextlib.suppress(Exception) if sys.exc_info()[0] else contextlib.nullcontext():
                    store.finish_run(run.id, state=state, exit_code=code)
            return MineResult(run.id, state, counts, store.name, code)

    def _go(self, plan: Plan, store: Store, run_id: str, counts: Counts, log: Log) -> tuple[str, int]:
        """Do what is to do; how the run ended, and its exit code."""
        request, settings, cache = self._request, self._request.settings, cache_dir()
        prune_segmentations(cache)
        stop = StopRequest()
        with _executor(request) as executor, make_progress(log) as progress:
            run_through(
                plan,
                PipelineWork(settings, request.manual, cache, store.em_places(), request.scales),
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
        return ("interrupted", INTERRUPTED) if stop else _verdict(counts)

    @contextlib.contextmanager
    def _alone(self, store: Store) -> Iterator[None]:
        """Only one bulk run writes to a database; another one waits, or is told so."""
        lock = store.lock("mine")
        if not lock.acquire():
            if not self._request.wait:
                raise StoreError(f"{store.name}: another `ide mine` is at work on it; wait for it, or give --wait")
            self._tell(f"{store.name}: waiting for another `ide mine` to end")
            lock.acquire(wait=True)
        try:
            yield
        finally:
            lock.release()


def preview(request: BulkRequest, shown: int, tell: Tell = tell_nobody) -> Preview:
    """What a run would find to do, without touching anything: the survey, and the first targets."""
    targets = corpus_targets(request.corpus, request.settings, cache_dir(), tell)
    with contextlib.ExitStack() as stack:
        store = _existing_store(request.settings.db)
        if store is not None:
            stack.enter_context(store)
        plan = _plan(request, targets, store, _new_run(request))
        first = tuple(unit.target for unit in islice(plan, shown))
        return Preview(plan.survey(), first, request.settings.db.rsplit("@", 1)[-1])


def _new_run(request: BulkRequest) -> Run:
    stages = Stages(request.settings, request.manual)
    weights = sha256_of(find_weights(request.settings.segmentation.model))
    return new_run(stages, request.command, weights_sha256=weights)


def _plan(request: BulkRequest, targets: Iterable[Target], store: Store | None, run: Run) -> Plan:
    digest = digest_of_run(run)
    return Plan(targets, store, digest, again=request.again, retry_set_aside=request.retry_set_aside)


def _verdict(counts: Counts) -> tuple[str, int]:
    if counts.failed + counts.set_aside:
        return "failed", 1
    return ("interrupted", 1) if counts.waiting else ("finished", 0)


def _executor(request: BulkRequest) -> WorkExecutor:
    if request.inline:
        return InlineExecutor()
    if request.dask is not None:
        return DaskExecutor(request.dask, request.resources)
    return ProcessExecutor(request.settings.mining.workers)


def _existing_store(db: str) -> Store | None:
    """The database for reading; None where there is none yet."""
    try:
        return Store.open(db, read_only=True)
    except StoreError as error:
        if "no such database" in str(error):
            return None
        raise
