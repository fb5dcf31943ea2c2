"""One article through every stage: the only module that knows their order.

    Article → figures picked by caption → panels → scale bars → segmentation → particles

Nothing here opens a database or a socket; what comes out is one `ArticleResult`, failures included.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import platform
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from imagedataextractor import __version__
from imagedataextractor.articles.licences import licence_allowed, require_licence
from imagedataextractor.articles.read import read_article
from imagedataextractor.errors import IdeError, InputError, printable
from imagedataextractor.figures import split_figure
from imagedataextractor.images import read_picture, sha256_of
from imagedataextractor.measurement import measure_particles, panel_statistics
from imagedataextractor.models import stage_models
from imagedataextractor.ocr import OcrEngine, load_engine
from imagedataextractor.options import Manual
from imagedataextractor.records import (
    Article,
    ArticleResult,
    Box,
    CaptionFacts,
    Failure,
    Figure,
    FigureResult,
    Panel,
    PanelResult,
    Run,
    ScaleBar,
    Segmentation,
)
from imagedataextractor.scalebar import (
    read_acquisition,
    read_file_scale,
    read_scale_bar,
    reconcile,
    user_bar,
    user_field_width,
    user_scale,
    with_file_scale,
    with_particle_sizes,
)
from imagedataextractor.segmentation import Segmenter
from imagedataextractor.settings import Settings
from imagedataextractor.targets import Target

if TYPE_CHECKING:
    from imagedataextractor.scales import PictureScales

__all__ = [
    "Stages",
    "Watcher",
    "crops_folder",
    "new_run",
    "process_article",
    "process_pixels",
    "process_target",
    "read_target",
]

#: A panel's edges are blurred and known to a pixel or two: a particle this near to them is cut off.
EDGE_MARGIN_PX = 2
#: A panel is the one that a person named by its box if they have half of their union in common.
SAME_PANEL_IOU = 0.5
#: Share of a picture above which its only panel is the picture, less margins, data bar and flat ground: no
#: other of its size lies beside it.
WHOLE_PICTURE = 0.5

log = logging.getLogger(__name__)

T = TypeVar("T")
Image = npt.NDArray[np.uint8]

#: Called with every measured panel and its pixels, for pictures; see `report.draw_overlay`.
Watcher = Callable[[Article, FigureResult, PanelResult, npt.NDArray[np.uint8]], None]


@dataclass
class Stages:
    """What the stages need, loaded when first used: models, engines, settings."""

    settings: Settings = field(default_factory=Settings)
    manual: Manual = field(default_factory=Manual)
    work_dir: Path | None = None
    #: Pictures by SHA-256, and boxes in them (None: all of it), that people said to be micrographs of particles.
    em_places: frozenset[tuple[str, Box | None]] = frozenset()
    #: Scales that people keep in a table, by the picture's file.
    scales: PictureScales | None = None

    @cached_property
    def ocr(self) -> OcrEngine:
        return load_engine(self.settings.scalebar.ocr)

    @cached_property
    def segmenter(self) -> Segmenter:
        chosen = self.settings.segmentation
        return Segmenter.load(chosen.model, chosen.device)


def new_run(stages: Stages, command: str, *, weights_sha256: str | None = None) -> Run:
    """The provenance of an invocation: settings, versions, the models of every stage.

    The model is loaded to know its weights, unless `weights_sha256` says which they are.
    """
    versions = {"imagedataextractor": __version__, "python": platform.python_version()}
    for package in ("numpy", "onnxruntime", "opencv-python-headless", "rapidocr", "scikit-image", "scipy", "torch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # an equivalent build under another name
            continue
    manual = {name: value for name, value in dataclasses.asdict(stages.manual).items() if value}
    return Run(
        id=uuid.uuid4().hex,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        settings={**stages.settings.public(), **({"manual": manual} if manual else {})},
        versions=versions,
        weights_sha256=weights_sha256 or stages.segmenter.weights_sha256,
        seed=stages.settings.segmentation.seed,
        models=stage_models(stages.settings.scalebar.ocr),
    )


def process_target(target: Target, stages: Stages, watch: Watcher | None = None) -> ArticleResult:
    """Any target through every stage.

    Raises
    ------
    IdeError
        The target cannot be had or read at all; anything that goes wrong within it is a failure in
        the result instead.
    """
    return process_article(read_target(target, stages), stages, watch)


def read_target(target: Target, stages: Stages) -> Article:
    """The article that a target is: retrieved, read, or a picture that stands for itself.

    Raises
    ------
    IdeError
        It cannot be had or read, or stands under another licence than those the settings ask for.
    """
    if target.kind == "doi":
        return _retrieved(target, stages)
    assert target.path is not None
    try:
        return _read_file(target.path, target.kind, stages)
    except IdeError:
        raise
    except OSError as error:
        raise InputError(f"{target.path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a fault of ours must not cost the other targets of a run
        log.debug("%s", target.key, exc_info=True)
        detail = " ".join(str(error).split())[:200]
        raise InputError(f"{target.path}: cannot be read ({type(error).__name__}: {detail})") from error


def _read_file(path: Path, kind: str, stages: Stages) -> Article:
    if kind == "article":
        article = read_article(path, work_dir=_crops(path, stages))
        require_licence(str(path), article.licence, stages.settings.articles.licences)
        return article
    return _picture_as_article(path)


def _retrieved(target: Target, stages: Stages) -> Article:
    from imagedataextractor.articles.retrieve import retrieve
    from imagedataextractor.settings import cache_dir

    assert target.doi is not None
    cache = stages.work_dir or cache_dir()
    settings = stages.settings
    found = retrieve(
        target.doi,
        services=settings.services,
        keys=settings.keys,
        cache=cache,
        licences=settings.articles.licences,
    )
    article = read_article(found.article_file, figure_dir=found.folder, work_dir=_crops(found.article_file, stages))
    return dataclasses.replace(
        article,
        doi=article.doi or target.doi.lower(),
        licence=article.licence or found.licence,
        source=found.source,
    )


def _crops(path: Path, stages: Stages) -> Path | None:
    """Where figures cut out of a PDF are kept; other articles need no such place."""
    return crops_folder(path, stages.work_dir) if path.suffix.lower() == ".pdf" else None


def crops_folder(path: Path, cache: Path | None = None) -> Path:
    """Where figures cut out of an article's file are kept: a folder of its own, known by the file's content."""
    from imagedataextractor.settings import cache_dir

    try:
        digest = sha256_of(path)[:16]
    except OSError:
        digest = "unreadable"  # reading the article says why
    return (cache or cache_dir()) / "pdf" / digest


def _picture_as_article(path: Path) -> Article:
    """A picture file by itself: an article without text, known by the picture's content."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    name = printable(path.name)
    figure = Figure(label=name, caption="", graphics=(str(path.absolute()),))
    return Article(key=f"image:{sha256_of(path)[:16]}", title=name, figures=(figure,), source="image", path=path)


def process_article(article: Article, stages: Stages, watch: Watcher | None = None) -> ArticleResult:
    """An article's figures through panels, scale bars, segmentation and measurement.

    Figures whose caption speaks of no electron micrograph, and those under another licence than the
    settings ask for (reprinted ones, say), are passed over; they are in `article.figures` all the
    same. Whatever fails becomes a `Failure` and the rest goes on.
    """
    figures: list[FigureResult] = []
    failures: list[Failure] = []
    name = article.doi or (printable(article.path) if article.path else article.key)
    if not article.figures:
        failures.append(Failure("articles", name, "NoFigures", f"{name}: the article has no figures"))
    licences = stages.settings.articles.licences
    for figure in article.figures:
        if not (article.source == "image" or (figure.facts.is_em and licence_allowed(figure.licence, licences))):
            continue
        if not figure.graphics:
            at = _Place(name, figure.label)
            failures.append(at.failure("figures", "MissingGraphic", "the figure has no picture"))
        for position, graphic in enumerate(figure.graphics):
            at = _Place(name, figure.picture_label(position))
            if graphic in figure.missing or not Path(graphic).is_file():
                failures.append(at.failure("figures", "MissingGraphic", f"the picture file {graphic} is not there"))
                continue
            found, failed = _guarded(
                "figures", at, partial(_process_figure, article, figure, Path(graphic), at, stages, watch)
            )
            failures += failed
            if found is not None:
                figures.append(found[0])
                failures += found[1]
    return ArticleResult(article, tuple(figures), tuple(failures))


@dataclass(frozen=True)
class _Place:
    """Where in an article something failed."""

    article: str
    figure: str
    panel: str | None = None

    def of(self, panel: Panel) -> _Place:
        return dataclasses.replace(self, panel=panel.label or str(panel.index + 1))

    def __str__(self) -> str:
        return f"{self.article} / {self.figure}" + (f" / panel {self.panel}" if self.panel else "")

    def failure(self, stage: str, error_class: str, message: str) -> Failure:
        """A failure here, whose message begins with the place."""
        return Failure(stage, str(self), error_class, f"{self}: {message}", self.figure, self.panel)


def _guarded(stage: str, at: _Place, work: Callable[[], T]) -> tuple[T | None, list[Failure]]:
    """Do a piece of work; what it raises becomes a failure row."""
    try:
        return work(), []
    except IdeError as error:
        return None, [Failure(stage, str(at), type(error).__name__, str(error), at.figure, at.panel)]
    except Exception as error:  # a fault of ours must not cost the rest of a long run
        log.debug("%s: %s", at, stage, exc_info=True)
        detail = " ".join(str(error).split())[:200]
        name = type(error).__name__
        return None, [at.failure(stage, name, f"{name}: {detail}")]


def _process_figure(
    article: Article, figure: Figure, path: Path, at: _Place, stages: Stages, watch: Watcher | None
) -> tuple[FigureResult, list[Failure]]:
    """One picture file of a figure."""
    page = stages.manual.page if article.source == "image" else None
    read = read_picture(path, page)
    if read.choice and article.source == "image":
        log.warning("%s: %s is taken; --page takes another page", printable(path), read.choice)
    picture = _Picture(read.pixels, sha256_of(path), path, read.page, read.pages, read.channel)
    return _process_picture(article, figure, picture, at, stages, watch)


@dataclass(frozen=True, eq=False)
class _Picture:
    """The pixels of a figure, the digest that they are known by, and of their file, if they have one, which page."""

    pixels: Image
    sha256: str
    path: Path | None = None
    page: int = 1
    pages: int = 1
    channel: str = ""


def process_pixels(pixels: Image, name: str, stages: Stages, watch: Watcher | None = None) -> ArticleResult:
    """A picture that is no file through the stages, known by its content.

    Parameters
    ----------
    pixels : uint8 array, shape (H, W) or (H, W, 3)
    name : str
        What it is called in place of a file name.
    """
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    picture = _Picture(pixels, digest.hexdigest())
    figure = Figure(label=name, caption="")
    article = Article(key=f"image:{picture.sha256[:16]}", title=name, figures=(figure,), source="image")
    at = _Place(name, name)
    found, failed = _guarded("figures", at, partial(_process_picture, article, figure, picture, at, stages, watch))
    if found is None:
        return ArticleResult(article, (), tuple(failed))
    return ArticleResult(article, (found[0],), (*failed, *found[1]))


def _process_picture(
    article: Article, figure: Figure, picture: _Picture, at: _Place, stages: Stages, watch: Watcher | None
) -> tuple[FigureResult, list[Failure]]:
    image = picture.pixels
    extent = (stages.manual.extent or "own") if article.source == "image" else "figure"
    panels = split_figure(image, facts=figure.facts, ocr=stages.ocr, settings=stages.settings.figures, extent=extent)
    if stages.manual.assume_em:
        panels = [_as_em(panel) for panel in panels]
    else:
        said = [box for sha256, box in stages.em_places if sha256 == picture.sha256]
        panels = [_as_em(panel) if _is_among(panel.box, said) else panel for panel in panels]
    failures: list[Failure] = []
    bars: list[ScaleBar] = []
    for panel in panels:
        bar, failed = _guarded("scalebar", at.of(panel), partial(_scale_of, image, panel, figure, stages))
        failures += failed
        bars.append(bar if bar is not None else ScaleBar(reason="failed"))
    if not stages.manual.gives_scale:
        bars = reconcile(bars, panels, figure.facts.scale_statements, stages.settings.scalebar)
        if article.source == "image" and picture.path is not None:  # an article's figures are copies
            bars = _with_file(picture.path, image, panels, bars)
    if stages.scales is not None and picture.path is not None:
        bars, failed = _with_table(stages.scales, picture.path, panels, bars, at)
        failures += failed
    results: list[PanelResult] = []
    for panel, bar in zip(panels, bars, strict=True):
        if panel.kind != "em":
            results.append(PanelResult(panel))
            continue
        work = partial(_process_panel, image, figure, panel, bar, stages)
        done, failed = _guarded("segmentation", at.of(panel), work)
        failures += failed
        results.append(done if done is not None else PanelResult(panel, bar))
    height, width = image.shape[:2]
    path = "" if picture.path is None else str(picture.path)
    of_file = (picture.page, picture.pages, picture.channel)
    result = FigureResult(
        *(figure, at.figure, path, picture.sha256, width, height, tuple(results), *of_file),
        acquisition=read_acquisition(picture.path) if article.source == "image" and picture.path is not None else None,
    )
    if watch is not None:
        for measured in filter(lambda panel: panel.segmentation is not None, results):
            # A picture that cannot be drawn must not cost what was measured.
            look = partial(watch, article, result, measured, image[measured.panel.box.slices])
            failures += _guarded("report", at.of(measured.panel), look)[1]
    return result, failures


def _as_em(panel: Panel) -> Panel:
    return dataclasses.replace(panel, kind="em", kind_score=1.0, measurable=True)


def _is_among(box: Box, places: Sequence[Box | None]) -> bool:
    return any(place is None or box.iou(place) >= SAME_PANEL_IOU for place in places)


def _scale_of(image: Image, panel: Panel, figure: Figure, stages: Stages) -> ScaleBar:
    """The scale of one panel before its siblings are asked; nothing is looked for outside micrographs."""
    if panel.kind != "em":
        return ScaleBar(reason=f"not an electron micrograph ({panel.kind})")
    if stages.manual.gives_scale:
        return _scale_by_hand(stages.manual, panel)
    statements = [s for s in figure.facts.scale_statements if not s.panels or (panel.label or "").lower() in s.panels]
    return read_scale_bar(
        image[panel.box.slices],
        engine=stages.ocr,
        statements=statements,
        exclude=panel.insets,
        settings=stages.settings.scalebar,
        stated=stages.manual.bar,
    )


def _scale_by_hand(manual: Manual, panel: Panel) -> ScaleBar:
    if manual.nm_per_px is not None:
        return user_scale(manual.nm_per_px)
    if manual.field_width_nm is not None:
        return user_field_width(manual.field_width_nm, panel.box.width)
    assert manual.bar is not None
    assert manual.bar_px is not None
    return user_bar(*manual.bar, manual.bar_px)


def _with_table(
    scales: PictureScales, path: Path, panels: Sequence[Panel], bars: Sequence[ScaleBar], at: _Place
) -> tuple[list[ScaleBar], list[Failure]]:
    """The scales after the table of them is heard; a person's word is the last."""
    said: list[ScaleBar] = []
    failures: list[Failure] = []
    for panel, bar in zip(panels, bars, strict=True):
        work = partial(scales.apply, path, panel, bar)
        stated, failed = _guarded("scalebar", at.of(panel), work) if panel.kind == "em" else (bar, [])
        said.append(bar if stated is None else stated)
        failures += failed
    return said, failures


def _with_file(path: Path, image: Image, panels: Sequence[Panel], bars: Sequence[ScaleBar]) -> list[ScaleBar]:
    """The scales after the file's own tags are heard; they speak of the panel that is the whole picture."""
    outer = [i for i, panel in enumerate(panels) if panel.parent is None]
    whole = len(outer) == 1 and panels[outer[0]].box.area > WHOLE_PICTURE * image.shape[0] * image.shape[1]
    scale = read_file_scale(path) if whole else None
    if scale is None:
        return list(bars)
    return [with_file_scale(bar, scale) if i == outer[0] else bar for i, bar in enumerate(bars)]


def _process_panel(image: Image, figure: Figure, panel: Panel, bar: ScaleBar, stages: Stages) -> PanelResult:
    """Segment and measure one micrograph."""
    limits = stages.settings.figures
    too_small = min(panel.box.width, panel.box.height) < limits.min_panel_px
    if not panel.measurable or too_small or panel.kind_score < limits.em_threshold:
        return PanelResult(panel, bar)
    chosen = stages.settings.segmentation
    pixels = image[panel.box.slices]
    # The data bar is cut off and not merely masked: a particle that it cuts lies on the border then.
    view = panel.box.without_info_bar(panel.info_bar.box if panel.info_bar else None)
    part = pixels[view.slices]
    shift = (-view.x0, -view.y0)
    hidden = _mask(part.shape, [box.shifted(*shift) for box in panel.insets])
    found = stages.segmenter.segment(
        part,
        mode=chosen.mode,
        samples=chosen.samples,
        threshold=chosen.threshold,
        seed=chosen.seed,
        exclude=hidden if hidden.any() else None,
        supported=_shows_support(figure.facts, panel),
    )
    areas_px = np.bincount(found.label_map.ravel(), minlength=len(found.rejected) + 1)[1:][~found.rejected]
    bar = with_particle_sizes(bar, np.sqrt(4 * areas_px / np.pi).tolist())
    written = [box.shifted(*shift) for box in (panel.label_box, bar.text_box, bar.bar_box) if box is not None]
    particles = measure_particles(
        found.label_map,
        nm_per_px=bar.nm_per_px,
        uncertainty=found.uncertainty,
        score=found.score,
        filtered=found.filtered,
        support=found.support,
        annotation=hidden | _mask(part.shape, written),
        margin_px=EDGE_MARGIN_PX,
        image=part,
        transmission=_transmission(panel),
    )
    height, width = part.shape[:2]
    statistics = panel_statistics(particles, bar.nm_per_px, shape=(height, width), excluded_px=int(hidden.sum()))
    particles = particles.shifted(view.x0, view.y0)
    return PanelResult(panel, bar, _in_panel(found, view, pixels.shape[:2]), particles, statistics)


def _transmission(panel: Panel) -> bool | None:
    """Whether the panel's electrons went through the sample; None where nobody says."""
    if panel.technique is None:
        return None
    return "TEM" in panel.technique


def _shows_support(facts: CaptionFacts, panel: Panel) -> bool | None:
    """True where the words name a composite, "Pt/SiO2": one material on the other. They never say that none is."""
    stated = facts.materials.get(panel.label or "") or facts.materials.get("")
    return True if stated is not None and "/" in stated.name else None


def _mask(shape: Sequence[int], boxes: Sequence[Box]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(tuple(shape[:2]), bool)
    bounds = Box(0, 0, shape[1], shape[0])
    for box in boxes:
        mask[bounds.intersection(box).slices] = True
    return mask


def _in_panel(found: Segmentation, view: Box, shape: tuple[int, ...]) -> Segmentation:
    """The segmentation of the cut-out part, padded to the panel's size."""
    if found.label_map.shape == tuple(shape):
        return found
    labels = np.zeros(shape, np.int32)
    labels[view.slices] = found.label_map
    information = None
    if found.uncertainty_map is not None:
        information = np.zeros(shape, np.float32)
        information[view.slices] = found.uncertainty_map
    return dataclasses.replace(found, label_map=labels, uncertainty_map=information)
