"""Models loaded once, applied to whatever is named: the engine behind `extract` and `ide extract`."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
import numpy.typing as npt

from imagedataextractor.articles.captions import parse_caption
from imagedataextractor.errors import IdeError, QuotaError, StoreError, UsageError
from imagedataextractor.figures import split_figure
from imagedataextractor.images import as_picture, load_image
from imagedataextractor.options import Options, choose, takes_options
from imagedataextractor.pipeline import Stages, Watcher, new_run, process_article, process_pixels, process_target
from imagedataextractor.records import Article, Failure, FigureResult, PanelResult
from imagedataextractor.results import ReadScaleBar, Result, Segmented, SplitFigure, made_folder, picture_name, stems_of
from imagedataextractor.scalebar import read_file_scale, read_scale_bar, with_file_scale
from imagedataextractor.targets import Target, find_targets, fingerprint
from imagedataextractor.telling import PassedOver, tell_nobody

if TYPE_CHECKING:
    from imagedataextractor.scales import PictureScales
    from imagedataextractor.store import Store

__all__ = ["Extractor", "Source", "load_pixels", "made_folder"]

Pixels = npt.NDArray[np.uint8]

#: What can be extracted: a file or folder, a DOI, a picture's pixels, an article that was read, or several of them.
Source = str | Path | npt.NDArray[Any] | Article | Sequence[Any]


@dataclass(frozen=True, eq=False)
class _Given:
    """A picture or an article that is at hand, and no file."""

    key: str
    pixels: Pixels | None = None
    article: Article | None = None


class Extractor:
    """Models and engines, loaded when first used and kept for many pictures.

    Parameters
    ----------
    **options
        See `Options`; what is not given is taken from the user's settings, as on the command line.

    Raises
    ------
    UsageError
        An option makes no sense.

    Examples
    --------
    >>> import imagedataextractor as ide
    >>> with ide.Extractor(samples=8, device="cpu") as x:  # doctest: +SKIP
    ...     for path in paths:
    ...         x.extract(path).to_pandas()
    """

    @takes_options
    def __init__(self, **options: Unpack[Options]) -> None:
        self.settings, self.manual = choose(options)
        self._stages: Stages | None = Stages(self.settings, self.manual, scales=_scales(options.get("scales")))

    @property
    def stages(self) -> Stages:
        if self._stages is None:
            raise UsageError("this Extractor is closed; make another one")
        return self._stages

    def close(self) -> None:
        """Let go of the models and their memory."""
        self._stages = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        chosen = self.settings.segmentation
        return f"<Extractor: model {chosen.model!r}, {chosen.mode}, device {chosen.device!r}>"

    # ------------------------------------------------------------ all the way

    def extract(
        self,
        source: Source,
        *,
        db: str | Path | None = None,
        again: bool = False,
        pictures: str | Path | None = None,
    ) -> Result:
        """Everything that `source` holds, in one result; see `imagedataextractor.extract`."""
        return Result.of(list(self.iterate(source, db=db, again=again, pictures=pictures)))

    def iterate(
        self,
        source: Source,
        *,
        db: str | Path | None = None,
        again: bool = False,
        pictures: str | Path | None = None,
        command: str | None = None,
        unused: PassedOver = tell_nobody,
    ) -> Iterator[Result]:
        """One target after the other, so that a folder of thousands needs no more memory than one picture.

        Parameters as for `imagedataextractor.extract`; `command` is what the run is recorded as, and
        `unused` is called with each file of a folder that is neither a picture nor an article, and with why.

        Yields
        ------
        Result
            Of one target: what was found, why it failed, or that it was passed over.
        """
        _ = self.stages  # a closed one is told at once, not as the failure of every target
        found, failures = _targets(source, unused)
        folder = None if pictures is None else made_folder(Path(pictures))
        paths = [target.path for target in found if isinstance(target, Target) and target.path is not None]
        watch = None if folder is None else _painter(folder, paths)
        if self.stages.scales is not None and len(paths) == len(found):
            for file, why in self.stages.scales.check(paths):
                unused(Path(file), why)
        if db is None:
            yield from (Result(failures=(failure,)) for failure in failures)
            for target in found:
                yield self._one(target, watch)
            return
        from imagedataextractor.store import Store

        with Store.open(str(db)) as store:
            yield from self._recorded(found, failures, store, again, watch, command or _command())

    def _one(self, target: Target | _Given, watch: Watcher | None) -> Result:
        """One target, of which nothing is kept."""
        try:
            return self._result(target, watch)
        except QuotaError as error:
            return Result(waiting=(_failure(target, error),))
        except IdeError as error:
            return Result(failures=(_failure(target, error),))

    def _result(self, target: Target | _Given, watch: Watcher | None) -> Result:
        if isinstance(target, Target):
            found = process_target(target, self.stages, watch)
        elif target.article is not None:
            found = process_article(target.article, self.stages, watch)
        else:
            assert target.pixels is not None
            found = process_pixels(target.pixels, target.key, self.stages, watch)
            digests = [figure.image_sha256 for figure in found.figures]
            return Result((found,), found.failures, pixels=dict.fromkeys(digests, target.pixels))
        return Result((found,), found.failures)

    def _recorded(
        self,
        found: Sequence[Target | _Given],
        failures: Sequence[Failure],
        store: Store,
        again: bool,
        watch: Watcher | None,
        command: str,
    ) -> Iterator[Result]:
        """All targets into the database, as one run."""
        self.stages.em_places = store.em_places()
        if self.stages.scales is not None:
            from imagedataextractor.scales import keep_scales

            files = [(t.kind, t.path) for t in found if isinstance(t, Target) and t.path is not None]
            # An article's figures lie beside it.
            keep_scales(store, self.stages.scales, [p.parent if kind == "article" else p for kind, p in files])
        run = new_run(self.stages, command)
        store.start_run(run, targets_total=len(found) + len(failures))
        counts = Counter(failed=len(failures))
        state, code = "interrupted", 130
        try:
            # What is no file is told, and not kept: nothing would ever resolve a failure of that name.
            yield from (Result(failures=(failure,)) for failure in failures)
            for target in found:
                result = self._into(target, store, run.id, again, watch)
                counts[_outcome(result)] += 1
                store.update_run(run.id, **{f"targets_{name}": counts[name] for name in ("done", "failed", "skipped")})
                yield result
            code = int(counts["failed"] + counts["waiting"] > 0)
            state = "failed" if counts["failed"] else "interrupted" if counts["waiting"] else "finished"
        finally:
            store.finish_run(run.id, state=state, exit_code=code)

    def _into(self, target: Target | _Given, store: Store, run_id: str, again: bool, watch: Watcher | None) -> Result:
        """One target into the database."""
        mark = fingerprint(target) if isinstance(target, Target) else None
        if (
            not again
            and isinstance(target, Target)
            and store.is_done(target.key, store.digest_of(run_id), fingerprint=mark)
        ):
            return Result(passed_over=(target.key,))
        try:
            result = self._result(target, watch)
        except StoreError:
            raise
        except QuotaError as error:
            # Not the article's fault: it stays to be done, without a failure to its name.
            return Result(waiting=(_failure(target, error),))
        except IdeError as error:
            failure = _failure(target, error)
            store.record_failure(failure, run_id, target=target.key)
            return Result(failures=(failure,))
        (article,) = result.articles
        name = target.key if isinstance(target, Target) else None
        standing = store.write_article(article, run_id, target=name, fingerprint=mark)
        held = {key: scale for figure in article.figures for key, scale in store.scales_by_hand(figure.image_sha256)}
        return dataclasses.replace(result, standing=standing or 0, held=held if standing else {})

    # ------------------------------------------------------------ single stages

    def _pixels(self, image: str | Path | npt.NDArray[Any]) -> Pixels:
        return load_pixels(image, self.manual.page)

    def segment(self, image: str | Path | npt.NDArray[Any]) -> Segmented:
        """The particles of one micrograph; see `imagedataextractor.segment`."""
        pixels = self._pixels(image)
        chosen = self.settings.segmentation
        found = self.stages.segmenter.segment(
            pixels, mode=chosen.mode, samples=chosen.samples, threshold=chosen.threshold, seed=chosen.seed
        )
        return Segmented.of(pixels, found)

    def read_scale_bar(self, image: str | Path | npt.NDArray[Any], *, caption: str = "") -> ReadScaleBar:
        """The scale of one micrograph; see `imagedataextractor.read_scale_bar`."""
        pixels = self._pixels(image)
        statements = parse_caption(caption).scale_statements if caption else ()
        bar = read_scale_bar(pixels, engine=self.stages.ocr, statements=statements, settings=self.settings.scalebar)
        if isinstance(image, str | Path) and (stated := read_file_scale(Path(image))) is not None:
            bar = with_file_scale(bar, stated)
        return ReadScaleBar.of(pixels, bar)

    def split_figure(self, image: str | Path | npt.NDArray[Any], *, caption: str = "") -> SplitFigure:
        """The panels of one figure; see `imagedataextractor.split_figure`."""
        pixels = self._pixels(image)
        facts = parse_caption(caption) if caption else None
        extent = "figure" if caption else self.manual.extent or "own"
        settings = self.settings.figures
        panels = split_figure(pixels, facts=facts, ocr=self.stages.ocr, settings=settings, extent=extent)
        return SplitFigure(pixels, panels)


# ---------------------------------------------------------------- what was named


def _scales(path: str | Path | None) -> PictureScales | None:
    if path is None:
        return None
    from imagedataextractor.scales import read_scales

    return read_scales(path)


def load_pixels(image: str | Path | npt.NDArray[Any], page: int | None = None) -> Pixels:
    """The pixels of a file (of its page `page`, from 1), an array, or what makes an array of itself, as a PIL image.

    Raises
    ------
    InputError
        The file cannot be read, or the array is no picture.
    """
    return load_image(image, page) if isinstance(image, str | Path) else as_picture(np.asarray(image))


def _targets(source: Source, unused: PassedOver) -> tuple[list[Target | _Given], list[Failure]]:
    """Units of work in the order in which they were named, and what cannot be used."""
    found: list[Target | _Given] = []
    failures: list[Failure] = []
    for number, item in enumerate(_items(source), 1):
        if isinstance(item, Article):
            found.append(_Given(item.doi or item.key, article=item))
        elif isinstance(item, str | Path):
            targets, failed = _named(item, unused)
            known = {target.key for target in found}
            found += [target for target in targets if target.key not in known]
            failures += failed
        else:
            found.append(_Given(f"image {number}", pixels=load_pixels(item)))
    if not found and not failures:
        raise UsageError("nothing to extract: name files, folders or DOIs")
    return found, failures


def _items(source: Source) -> Iterable[Any]:
    is_many = isinstance(source, Sequence) and not isinstance(source, str)
    return source if is_many else [source]  # type: ignore[return-value]


def _named(item: str | Path, unused: PassedOver) -> tuple[list[Target], list[Failure]]:
    """A path, or a DOI where there is no such path."""
    from imagedataextractor.articles.dois import clean_doi

    if not isinstance(item, str) or Path(item).exists():
        return find_targets([Path(item)], passed_over=unused)
    try:
        return find_targets([], [clean_doi(item)])
    except IdeError:
        what = f"{item}: no such file or folder, and no DOI (which looks like 10.3390/molecules25040891)"
        return [], [Failure("input", item, "InputError", what)]


def _failure(target: Target | _Given, error: IdeError) -> Failure:
    return Failure("articles", target.key, type(error).__name__, str(error))


def _outcome(result: Result) -> str:
    if result.waiting:
        return "waiting"
    return "failed" if result.failures else "skipped" if result.passed_over else "done"


def _command() -> str:
    """What a run of no command line is recorded as."""
    return f"python {Path(sys.argv[0]).name}".strip() if sys.argv and sys.argv[0] else "python"


# ---------------------------------------------------------------- pictures


def _painter(folder: Path, paths: Sequence[Path]) -> Watcher:
    from imagedataextractor.report import draw_overlay

    stems = stems_of(paths)

    def paint(article: Article, figure: FigureResult, panel: PanelResult, pixels: Pixels) -> None:
        name = picture_name(article, figure, panel.panel, stems)
        draw_overlay(pixels, panel.particles, panel.scalebar, folder / name)

    return paint
