"""The public face: what ``import imagedataextractor as ide`` offers, and what the command line calls.

Each function is one sentence of the command line in Python, with the same words: ``ide extract figure.png
--nm-per-px 0.5`` is ``ide.extract("figure.png", nm_per_px=0.5)``. A new one takes plain values, loads what it
needs inside (importing this module costs little, calling it costs what the call does), returns a class of
`results` or `database`, and has a line in ``imagedataextractor.__init__``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from imagedataextractor.options import Options, takes_options
from imagedataextractor.telling import Tell, tell_nobody

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

    from imagedataextractor.database import Database
    from imagedataextractor.extractor import Source
    from imagedataextractor.measurement.distributions import Comparison
    from imagedataextractor.mining.bulk import MineResult, Preview
    from imagedataextractor.records import Failure, Mode
    from imagedataextractor.report.screening import Screening
    from imagedataextractor.results import (
        Evaluation,
        Measurement,
        PlotWords,
        ReadArticle,
        ReadScaleBar,
        Result,
        Rows,
        Segmented,
        SplitFigure,
    )
    from imagedataextractor.segmentation.weights import ModelFile
    from imagedataextractor.store import Correction, Store
    from imagedataextractor.training.calibration.release import ReleasedModel
    from imagedataextractor.training.figures.amounts import Amounts, NetworkName
    from imagedataextractor.training.labels.importing import Imported
    from imagedataextractor.training.segmentation.settings import TrainingWords

__all__ = [
    "compare",
    "correct",
    "doctor",
    "evaluate",
    "extract",
    "fetch_model",
    "find_articles",
    "find_images",
    "import_labels",
    "import_model",
    "list_models",
    "measure",
    "mine",
    "open_database",
    "plot",
    "preview_mine",
    "read_article",
    "read_scale_bar",
    "release_model",
    "screen",
    "search",
    "segment",
    "split_figure",
    "summary",
    "train_figures",
    "train_scalebar",
    "train_segmentation",
    "undo_correction",
]


@takes_options
def extract(
    source: Source,
    *,
    db: str | Path | None = None,
    again: bool = False,
    pictures: str | Path | None = None,
    **options: Unpack[Options],
) -> Result:
    """Particles out of pictures, figures and articles.

    Parameters
    ----------
    source : path, DOI, array, PIL image, Article, or a list of them
        A picture (a micrograph, or a figure of several panels), an article (.xml, .html, .pdf with its figure
        files beside it), a folder of either, a DOI to retrieve, the pixels of a picture, or what `read_article`
        returned.
    db : str or path, optional
        A database into which everything is written, as `ide extract` does: what is finished there under the
        same options is passed over, what failed is tried again. Without it nothing is written.
    again : bool
        With `db`: do again what is finished.
    pictures : path, optional
        A folder for the overlays of the measured panels.
    **options
        See `options.Options`: mode, samples, threshold, seed, model, device, ocr, licences, nm_per_px, scalebar,
        assume_em, settings. What is not given is taken from the user's settings.

    Returns
    -------
    Result
        ``to_pandas()`` has the rows that `ide extract` writes into the view measured_particles; what could not
        be done is in ``failures``, one line each.

    Raises
    ------
    UsageError
        Nothing is named, or an option makes no sense.
    StoreError
        The database cannot be written.

    Examples
    --------
    >>> import imagedataextractor as ide
    >>> result = ide.extract("figure3.png", nm_per_px=0.5)  # doctest: +SKIP
    >>> result.to_pandas().query("accepted").ecd_nm.median()  # doctest: +SKIP
    """
    from imagedataextractor.extractor import Extractor

    with Extractor(**options) as extractor:
        return extractor.extract(source, db=db, again=again, pictures=pictures)


@takes_options
def segment(image: str | Path | npt.NDArray[Any], **options: Unpack[Options]) -> Segmented:
    """The particles of one micrograph as a label map.

    The whole image is taken as one micrograph; `split_figure` cuts a figure into its panels.

    Parameters
    ----------
    image : path, PIL image, or array of shape (H, W) or (H, W, 3)
    **options
        mode, samples, threshold, seed, model, device; see `options.Options`.

    Returns
    -------
    Segmented
        ``label_map`` (int32, 0 background), ``uncertainty`` and ``score`` of each particle; ``measure(nm_per_px)``.

    Raises
    ------
    InputError
        The image cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> import imagedataextractor as ide
    >>> from imagedataextractor.artificial.micrographs import draw_micrograph
    >>> drawn = draw_micrograph(np.random.default_rng(1), shape=(200, 300))
    >>> found = ide.segment(drawn.image, mode="discriminative")
    >>> found.label_map.shape
    (200, 300)
    """
    from imagedataextractor.extractor import Extractor

    with Extractor(**options) as extractor:
        return extractor.segment(image)


@takes_options
def read_scale_bar(
    image: str | Path | npt.NDArray[Any], *, caption: str = "", **options: Unpack[Options]
) -> ReadScaleBar:
    """The scale of one micrograph: from its scale bar, else from the tags of its file.

    Parameters
    ----------
    image : path, PIL image, or array of shape (H, W) or (H, W, 3)
    caption : str
        Its caption, which may state the bar's length.
    **options
        ocr; see `options.Options`.

    Returns
    -------
    ReadScaleBar
        ``nm_per_px`` is None, and ``reason`` says why, where no scale can be trusted.

    Raises
    ------
    InputError
        The image cannot be read.
    """
    from imagedataextractor.extractor import Extractor

    with Extractor(**options) as extractor:
        return extractor.read_scale_bar(image, caption=caption)


@takes_options
def split_figure(image: str | Path | npt.NDArray[Any], *, caption: str = "", **options: Unpack[Options]) -> SplitFigure:
    """The panels of one figure: boxes, letters and what each of them shows.

    Parameters
    ----------
    image : path, PIL image, or array of shape (H, W) or (H, W, 3)
    caption : str
        Says which letters to look for, and what each panel shows.
    **options
        ocr; see `options.Options`.

    Returns
    -------
    SplitFigure
        A sequence of `records.Panel` in reading order, each followed by its insets.

    Raises
    ------
    InputError
        The image cannot be read.
    """
    from imagedataextractor.extractor import Extractor

    with Extractor(**options) as extractor:
        return extractor.split_figure(image, caption=caption)


def measure(
    label_map: str | Path | npt.NDArray[np.integer] | Segmented,
    *,
    nm_per_px: float | None = None,
    image: str | Path | npt.NDArray[np.generic] | None = None,
    report: Tell = tell_nobody,
) -> Measurement:
    """Size and shape of every particle of a label map.

    Parameters
    ----------
    label_map : path, integer array of shape (H, W), or Segmented
        0 background, every other value one particle; an 8- or 16-bit PNG or TIFF, or a .npy file. What `segment`
        returned is measured with its filter: rejected particles keep their row and say why.
    nm_per_px : float, optional
        The scale; without it the columns in nm are empty.
    image : path or array of shape (H, W) or (H, W, C), optional
        The micrograph: with it outlines are moved to the particles' edges before they are measured.
    report : function of str, optional
        Is told how a map that is not plain was understood: colours, or a mask with one value for all.

    Returns
    -------
    Measurement

    Raises
    ------
    InputError
        It is no label map, or the scale is no positive number.

    Examples
    --------
    >>> import numpy as np
    >>> import imagedataextractor as ide
    >>> labels = np.zeros((20, 20), np.int32)
    >>> labels[5:10, 4:14] = 1
    >>> ide.measure(labels, nm_per_px=2.0).to_pandas()[["label", "area_nm2", "accepted"]]
       label  area_nm2  accepted
    0      1     200.0      True
    """
    from imagedataextractor.images import load_image
    from imagedataextractor.images.labels import read_label_map
    from imagedataextractor.measurement import measure_particles
    from imagedataextractor.results import Measurement, Segmented

    if isinstance(label_map, Segmented):
        return label_map.measure(nm_per_px)
    labels = read_label_map(Path(label_map), report) if isinstance(label_map, str | Path) else label_map
    shown = load_image(Path(image)) if isinstance(image, str | Path) else image
    return Measurement.of(measure_particles(labels, nm_per_px=nm_per_px, image=shown))


def read_article(path: str | Path, *, figures: str | Path | None = None, out: str | Path | None = None) -> ReadArticle:
    """An article file: its figures with captions, labels, licences, and what the captions say.

    Parameters
    ----------
    path : path
        JATS or Elsevier XML, a publisher's HTML page, or a PDF.
    figures : path, optional
        Where its figure files lie, if not beside it.
    out : path, optional
        Where figures that are cut out of a PDF are written; by default the cache.

    Returns
    -------
    ReadArticle
        A `records.Article`, a row a figure; ``extract`` takes it.

    Raises
    ------
    InputError
        The file cannot be read, or is no article.
    """
    from imagedataextractor.articles.read import read_article as read
    from imagedataextractor.pipeline import crops_folder
    from imagedataextractor.results import ReadArticle

    path = Path(path)
    work_dir = crops_folder(path) if out is None else Path(out) / path.stem
    return ReadArticle.of(read(path, figure_dir=None if figures is None else Path(figures), work_dir=work_dir))


def find_images(
    paths: Sequence[str | Path], unused: Callable[[Path, str], None] | None = None
) -> tuple[list[Path], list[Failure]]:
    """The pictures that files and folders hold, in order; a path that cannot be used is a failure, one line.

    `unused` is called with each picture that this program wrote, and with why it is passed over.
    """
    from imagedataextractor.targets import find_images as find

    return _found(paths, lambda path: find(path, unused or tell_nobody))


def find_articles(paths: Sequence[str | Path]) -> tuple[list[Path], list[Failure]]:
    """The article files that files and folders hold, in order; a path that cannot be used is a failure, one line."""
    from imagedataextractor.articles.read import find_articles as find
    from imagedataextractor.errors import InputError

    def in_path(path: Path) -> list[Path]:
        found = find(path) if path.is_dir() else [path]
        if not found:
            raise InputError(f"{path}: no article file (.xml, .html, .pdf) in this folder")
        return found

    return _found(paths, in_path)


def _found(paths: Sequence[str | Path], find: Callable[[Path], list[Path]]) -> tuple[list[Path], list[Failure]]:
    from imagedataextractor.errors import IdeError
    from imagedataextractor.records import Failure

    found: list[Path] = []
    failures: list[Failure] = []
    for path in map(Path, paths):
        try:
            found += find(path)
        except IdeError as error:
            failures.append(Failure("input", str(path), type(error).__name__, str(error)))
    return found, failures


def search(
    query: str,
    *,
    source: str = "europepmc",
    years: tuple[int | None, int | None] | None = None,
    licences: Sequence[str] = (),
    open_access: bool = False,
    journal: str | None = None,
    limit: int | None = None,
    out: str | Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Rows:
    """Articles by a query.

    Parameters
    ----------
    query : str
        In the words of the source.
    source : {"europepmc", "crossref", "sciencedirect"}
    years : (first, last), optional
        Years of publication, both included; None leaves an end open.
    licences : sequence of str
        Only articles under these ("CC BY").
    open_access : bool
        Only articles that are free to read.
    journal : str, optional
    limit : int, optional
        Stop after so many.
    out : path, optional
        A file that grows as the pages come; the same call again goes on where it was stopped. `mine` takes it.
    progress : function of (articles so far, articles that the source counts), optional

    Returns
    -------
    Rows
        doi, title, year, licence, journal, open_access, source.

    Raises
    ------
    UsageError
        The query is empty, or there is no such source.
    ServiceError
        The source does not answer.
    """
    from itertools import chain, islice

    from imagedataextractor.articles.retrieve.http import Client
    from imagedataextractor.articles.search import Query, search_to_file
    from imagedataextractor.articles.search import search as pages_of
    from imagedataextractor.errors import UsageError
    from imagedataextractor.results import Rows
    from imagedataextractor.settings import cache_dir, load_settings

    if not query.strip():
        raise UsageError("search: the query is empty; say what to look for")
    first, last = years or (None, None)
    settings = load_settings()
    client = Client(settings.services, settings.keys, cache_dir())
    wanted = Query(query, first, last, tuple(licences), open_access, journal)
    if out is not None:
        search_to_file(wanted, source, client, Path(out), limit=limit, progress=progress)
        return _hits_in(Path(out))
    hits = islice(chain.from_iterable(page.hits for page in pages_of(wanted, source, client)), limit)
    names = ("doi", "title", "year", "licence", "journal", "open_access", "source")
    return Rows(names, [tuple(getattr(hit, name) for name in names) for hit in hits])


def _hits_in(path: Path) -> Rows:
    """The file of a search as rows."""
    import csv

    from imagedataextractor.results import Rows

    meanings: dict[str, Callable[[str], Any]] = {"year": int, "open_access": lambda text: text == "true"}
    with path.open(encoding="utf-8", newline="") as file:
        names, *lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    return Rows(
        names,
        [
            tuple(meanings.get(name, str)(cell) if cell else None for name, cell in zip(names, line, strict=True))
            for line in lines
        ],
    )


def open_database(url: str | Path | None = None, *, migrate: bool = False) -> Database:
    """A database of measured particles, to be read.

    Parameters
    ----------
    url : str or path, optional
        The path of an SQLite file, ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``; by default that of
        the user's settings (``$IDE_DB``, else particles.db in the current folder).
    migrate : bool
        Bring a database of an older schema up to date first, which changes it.

    Returns
    -------
    Database
        A context manager; ``query("SELECT …")`` gives rows, ``to_pandas()`` a DataFrame of them.

    Raises
    ------
    StoreError
        It is not there, or cannot be read.
    """
    from imagedataextractor.database import Database

    return Database(_url(url), migrate=migrate)


def summary(
    *names: str | Path,
    db: str | Path | None = None,
    group_by: str | None = None,
    groups: str | Path | None = None,
    quantity: str = "ecd_nm",
) -> Rows:
    """Statistics of the particles of a database, sample by sample.

    Parameters
    ----------
    *names : str or path
        Only these pictures, folders, DOIs; by default all.
    db : str or path, optional
        As in `open_database`.
    group_by : str, optional
        What a sample is: "sample" (the folder of pictures by themselves, the figure of an article; the default),
        "folder", "picture", "panel", "figure", "article", "journal", "year", "material", "technique", "all", or a
        column of `groups`.
    groups : path, optional
        A CSV file with the columns file, panel (if any) and others.
    quantity : str
        A column of particles: "ecd_nm", "feret_max_nm", "feret_min_nm", "area_nm2", "perimeter_nm", "aspect_ratio",
        "circularity", "solidity".

    Returns
    -------
    Rows
        group, pictures, panels, without_scale (panels that give nothing for want of a scale), n, and of the accepted
        particles mean, sd, median, d10, d50, d90 by number, with 95 % intervals (_low, _high) of mean and median;
        below five particles only what needs no estimate.

    Raises
    ------
    UsageError
        There is no such grouping or quantity.
    InputError
        A name is not in the database, or the CSV file makes no sense.
    """
    from imagedataextractor.summaries import groups_of, summary_rows

    with open_database(db) as database:
        found = groups_of(database.store, names, group_by=group_by, groups=groups, quantity=quantity)
    return summary_rows(found, quantity)


def plot(
    *names: str | Path,
    db: str | Path | None = None,
    group_by: str | None = None,
    groups: str | Path | None = None,
    quantity: str = "ecd_nm",
    title: str | None = None,
    out: str | Path | None = None,
    **style: Unpack[PlotWords],
) -> Figure:
    """Distributions of sizes in a database, as a paper prints them: one histogram a sample, side by side.

    Parameters
    ----------
    *names, db, group_by, groups, quantity
        As in `summary`; ``group_by="all"`` pools everything in one histogram.
    title : str, optional
    out : path, optional
        Write it there: .pdf, .svg, or .png at 300 dpi.
    **style
        fit, bins, bin_width, column; see `results.Result.plot`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError, InputError
        As in `summary`; or there are too many groups for one figure, or `out` cannot be written.
    """
    from imagedataextractor.results import new_figure, returned
    from imagedataextractor.summaries import groups_of, plot_groups

    with open_database(db) as database:
        found = groups_of(database.store, names, group_by=group_by, groups=groups, quantity=quantity)
    figure = new_figure()
    plot_groups(found, figure, quantity, style, title=title, out=out)
    return returned(figure)


def correct(
    picture: str | Path,
    *,
    db: str | Path | None = None,
    figure: str | None = None,
    panel: str | int | None = None,
    reject: Sequence[int] = (),
    restore: Sequence[int] = (),
    merge: Sequence[int] = (),
    split: int | None = None,
    along: Sequence[Sequence[float]] = (),
    draw: Sequence[Sequence[Sequence[float]]] = (),
    nm_per_px: float | None = None,
    scalebar: str | None = None,
    bar_px: float | None = None,
    field_width: str | None = None,
    is_em: bool | None = None,
    forget: bool = False,
    why: str = "",
    by: str | None = None,
) -> list[Correction]:
    """Say what a picture in the database really shows; every number obeys, in every later run too.

    Parameters
    ----------
    picture : str or path
        Its file, its path in the database, its SHA-256, or a DOI.
    db : str or path, optional
        As in `open_database`.
    figure, panel : str, optional
        The figure of a DOI; the panel's letter, or its number from 1.
    reject, restore, merge : sequence of int
        Numbers of particles that shall not count, that shall, and that are one.
    split, along : int, two points
        A particle that is two, and the line that divides it, (x, y) in pixels of the panel.
    draw : sequence of outlines
        Missing particles, (x, y) vertices in pixels of the panel.
    nm_per_px, scalebar, bar_px, field_width
        The scale: itself, the bar's length ("200 nm") with its pixels, or the panel's width ("1.8 um").
    is_em : bool, optional
        Whether it is an electron micrograph; one that was not taken for one is measured by the next run.
    forget : bool
        Leave the picture out of everything.
    why, by : str, optional
        The reason, and who says so.

    Returns
    -------
    list of Correction
        With their ids, which `undo_correction` takes.

    Raises
    ------
    InputError
        There is no such picture, panel or particle in the database, or several.
    UsageError
        Nothing is said, or what is said makes no sense.
    """
    from imagedataextractor.corrections import Said, stated_scale
    from imagedataextractor.corrections import correct as say

    scale = stated_scale(nm_per_px, scalebar, bar_px, field_width)
    said = Said(reject, restore, merge, split, along, draw, scale, is_em, forget)
    with _writable(db) as store:
        return say(store, picture, said, figure=figure, panel=None if panel is None else str(panel), why=why, by=by)


def undo_correction(correction_id: int, *, db: str | Path | None = None, by: str | None = None) -> Correction:
    """Take a correction back; its row stays, with who did so and when.

    Raises
    ------
    InputError
        There is no such correction, or it was taken back before.
    """
    from imagedataextractor.corrections import undo

    with _writable(db) as store:
        return undo(store, correction_id, by=by)


def _writable(db: str | Path | None) -> Store:
    from imagedataextractor.store import Store

    return Store.open(_url(db), create=False)


def _url(db: str | Path | None) -> str:
    """The database that is named, else that of the user's settings."""
    from imagedataextractor.settings import load_settings

    return str(db) if db is not None else load_settings().db


def compare(
    first: str | Path,
    second: str | Path,
    *,
    by: Literal["ecd_nm", "feret_min_nm"] = "ecd_nm",
    group_by: str | None = None,
    groups: str | Path | None = None,
    db: str | Path | None = None,
) -> Comparison:
    """Compare the sizes of two samples: distributions and means, with intervals.

    Parameters
    ----------
    first, second : str or path
        Files of particles (`ide measure --json`, `ide export`), or what the database knows: a DOI or article key, a
        picture, a folder of pictures, or a group, as `summary` names them.
    group_by, groups
        As in `summary`: the names are those of such groups.
    by : str
        The size that is compared.
    db : str or path, optional
        As in `open_database`.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        A sample is not there, or has no particles.
    """
    from imagedataextractor.measurement.distributions import compare as of_two
    from imagedataextractor.report.samples import read_sample

    one, other = (read_sample(str(name), _url(db), group_by=group_by, groups=groups) for name in (first, second))
    shared = max(one.relative_uncertainty, other.relative_uncertainty)
    return of_two(one.column(by), other.column(by), relative_uncertainty=shared)


def screen(
    sample: str | Path,
    out: str | Path = "screening.html",
    *,
    group_by: str | None = None,
    groups: str | Path | None = None,
    db: str | Path | None = None,
) -> Screening:
    """Screen a sample by the European definition of a nanomaterial, and write one printable page.

    Parameters
    ----------
    sample : str or path
    group_by, groups
        As in `compare`.
    out : path
        The page: .html or .pdf.
    db : str or path, optional
        As in `open_database`.

    Returns
    -------
    Screening
        Its ``verdict``, and what the page says besides.

    Raises
    ------
    UsageError, InputError
        The ending is another, or the sample is not there.
    """
    from imagedataextractor.report.samples import read_sample
    from imagedataextractor.report.screening import write_screening

    return write_screening(read_sample(str(sample), _url(db), group_by=group_by, groups=groups), Path(out))


def doctor(db: str | Path | None = None) -> Rows:
    """What is installed, which device, which API keys, which weights, and what to do about what is missing.

    Returns
    -------
    Rows
        what, state ("ok", "missing", "optional"), detail, advice.
    """
    from dataclasses import astuple, fields

    from imagedataextractor.diagnosis import Finding, diagnose
    from imagedataextractor.results import Rows

    found = diagnose(None if db is None else str(db))
    return Rows([field.name for field in fields(Finding)], [astuple(finding) for finding in found])


def list_models() -> list[ModelFile]:
    """The segmentation models on this machine: those that come with the program, and those in the cache."""
    from imagedataextractor.segmentation.weights import list_models as models_here

    return models_here()


def fetch_model(name: str = "bpartis-2021") -> ModelFile:
    """Download a published model into the cache; nothing in it is run.

    Raises
    ------
    InputError, ServiceError
        There is no such model, or it cannot be had.
    """
    from imagedataextractor.segmentation.published import fetch

    return fetch(name)


def import_model(path: str | Path, *, name: str | None = None) -> ModelFile:
    """Take a model file at hand into the cache.

    Parameters
    ----------
    path : path
        The wheel imagedataextractor 2.0.4, a checkpoint of the paper's network, or a .safetensors file of this project.
    name : str, optional
        What to call it; by default the file's own name.

    Raises
    ------
    InputError
        It is none of these.
    """
    from imagedataextractor.segmentation.published import import_model as take_in

    return take_in(Path(path), name)


def evaluate(
    *,
    gt: str | Path | None = None,
    pred: str | Path | None = None,
    names: str | Path | None = None,
    missing: Literal["error", "empty"] = "error",
    model: str | None = None,
    data: str | Path | None = None,
    split: str = "val",
    mode: Mode = "filtered",
    samples: int | None = None,
    threshold: float | None = None,
    seed: int = 0,
    device: str = "auto",
    keep: str | Path | None = None,
    report: Tell = tell_nobody,
) -> Evaluation:
    """Score predicted label maps (`gt`, `pred`), or a model (`model`, `data`), against the truth.

    Parameters
    ----------
    gt, pred : path
        Folders of true and predicted label maps of the same names.
    names : path, optional
        A file with one name a line; by default all.
    missing : {"error", "empty"}
        An absent prediction stops, or counts as finding nothing.
    model : str
        A name of `list_models`, or a weights file.
    data, split : path, str
        A folder in the EMPS layout, and the part of its split.csv, or "all".
    mode, samples, threshold, seed, device
        As in `segment`.
    keep : path, optional
        A folder for the model's label maps.
    report : function of str, optional
        Is told how far it has come.

    Returns
    -------
    Evaluation

    Raises
    ------
    UsageError
        Neither of the two is asked for, or both.
    InputError
        Something is not there, or cannot be read.
    """
    from imagedataextractor.errors import UsageError
    from imagedataextractor.results import Evaluation
    from imagedataextractor.training.segmentation.evaluation import score_folders, score_model

    if gt is not None and pred is not None and model is None and data is None:
        named = None if names is None else Path(names)
        empty = missing == "empty"
        return Evaluation(score_folders(Path(gt), Path(pred), named, missing_is_empty=empty, tell=report))
    if gt is not None or pred is not None or model is None or data is None:
        raise UsageError("give either --gt and --pred, or --model and --data")
    if names is not None:
        raise UsageError("--names goes with --gt and --pred; with --model, --split chooses the images")
    return Evaluation(
        score_model(
            model,
            Path(data),
            split,
            mode=mode,
            samples=samples,
            threshold=threshold,
            seed=seed,
            device=device,
            keep=None if keep is None else Path(keep),
            tell=report,
        )
    )


@takes_options
def mine(
    what: str | Path | None = None,
    *,
    dois: str | Path | None = None,
    db: str | Path | None = None,
    limit: int | None = None,
    workers: int | None = None,
    inline: bool = False,
    dask: str | None = None,
    again: bool = False,
    retry_set_aside: bool = False,
    wait: bool = False,
    keep_figures: bool | None = None,
    log: str | Path | None = None,
    resources: Mapping[str, float] | None = None,
    command: str = "imagedataextractor.mine",
    report: Tell = tell_nobody,
    **options: Unpack[Options],
) -> MineResult:
    """A bulk run over many articles, resumable and parallel, as `ide mine`.

    Parameters
    ----------
    what : str or Path, optional
        A definition (TOML file, or the name of one that comes with the program) or a folder.
    dois : str or Path, optional
        Instead, a file with DOIs.
    db : str or Path, optional
        The database; else that of the definition or of the user's settings.
    limit : int, optional
        Only the first so many targets.
    workers : int, optional
        Worker processes, 0 for one a core. Workers are started anew: a script needs the usual
        ``if __name__ == "__main__":``.
    inline : bool
        No worker processes: for a debugger.
    dask : str, optional
        Address of a Dask scheduler, in place of worker processes.
    again, retry_set_aside : bool
        Do again what is finished, or what was set aside for killing its workers.
    wait : bool
        Wait while another bulk run works on the same database.
    keep_figures : bool, optional
        Keep downloads once they are in the database.
    log : str or Path, optional
        A file for JSON lines about the run.
    resources : mapping, optional
        With `dask`: what a call takes of a worker's resources, as ``{"GPU": 1}``.
    command : str
        How the run is named in its row.
    report : function of str, optional
        Is told what is going on.
    **options
        See `Options`.

    Returns
    -------
    MineResult
        How the run ended, and what it counted; the rows are in the database.

    Raises
    ------
    UsageError
        The request contradicts itself.
    InputError
        There is no such definition, folder or list.
    StoreError
        The database cannot be opened or written, or another bulk run is at work on it.
    """
    from imagedataextractor.mining.bulk import Bulk, BulkRequest

    request = BulkRequest.of(
        what,
        dois,
        options,
        db=None if db is None else str(db),
        limit=limit,
        workers=workers,
        keep_figures=keep_figures,
        inline=inline,
        dask=dask,
        again=again,
        retry_set_aside=retry_set_aside,
        wait=wait,
        log_file=None if log is None else Path(log),
        resources=resources or {},
        command=command,
    )
    return Bulk(request, report).run()


@takes_options
def preview_mine(
    what: str | Path | None = None,
    *,
    dois: str | Path | None = None,
    db: str | Path | None = None,
    limit: int | None = None,
    again: bool = False,
    retry_set_aside: bool = False,
    shown: int = 20,
    report: Tell = tell_nobody,
    **options: Unpack[Options],
) -> Preview:
    """What `mine` would find to do, without touching anything.

    Parameters
    ----------
    what, dois, db, limit, again, retry_set_aside, report, **options
        As in `mine`.
    shown : int
        Targets that are named.

    Returns
    -------
    Preview
        ``survey`` counts, ``first`` names targets, ``database`` is where the rows would go.
    """
    from imagedataextractor.mining.bulk import BulkRequest, preview

    request = BulkRequest.of(
        what,
        dois,
        options,
        db=None if db is None else str(db),
        limit=limit,
        again=again,
        retry_set_aside=retry_set_aside,
    )
    return preview(request, shown, report)


def import_labels(
    labels: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    pictures: str | Path | None = None,
    validation: float = 0.2,
    seed: int = 0,
    report: Tell = tell_nobody,
) -> Imported:
    """Bring labels of other programs into the layout that `train_segmentation` reads.

    Parameters
    ----------
    labels : path or sequence of path
        Files or folders: VIA, COCO, labelme, ImageJ ROIs, Cellpose, label maps.
    out : path
        A folder: images/NAME.png, segmaps/NAME.png, split.csv.
    pictures : path, optional
        Folder of the pictures; by default they lie beside the labels, or where these say.
    validation : float
        Share of the pictures that is kept for validation.
    seed : int
        Which of them.
    report : function of str, optional
        Is told of marks that enclose no particle.

    Returns
    -------
    Imported
        ``pictures`` and ``particles`` written, and what was ``left_out`` and why, a line each.

    Raises
    ------
    InputError
        Nothing could be imported.
    """
    from imagedataextractor.training.labels.importing import import_labels as import_files

    named = [labels] if isinstance(labels, str | Path) else labels
    where = None if pictures is None else Path(pictures)
    return import_files(
        [Path(name) for name in named], Path(out), pictures=where, validation=validation, seed=seed, tell=report
    )


def train_segmentation(
    data: str | Path,
    out: str | Path,
    *,
    architecture: Literal["lite0", "erfnet"] = "lite0",
    split: str = "train",
    validate: str = "val",
    validate_images: int = 40,
    add: Sequence[tuple[str | Path, float]] = (),
    add_boxed: Sequence[tuple[str | Path, float]] = (),
    leave_out: Sequence[str] = (),
    synthetic: int = 0,
    synthetic_share: float = 0.15,
    initial: str | Path | None = None,
    device: str = "auto",
    threads: int = 0,
    release: str | Path | None = None,
    report: Tell = tell_nobody,
    **words: Unpack[TrainingWords],
) -> Path:
    """Train a segmentation network; a run that was stopped goes on from its folder.

    Parameters
    ----------
    data : path
        Folder in the EMPS layout: images/, segmaps/, split.csv.
    out : path
        The run folder: checkpoint, weights, learning curve.
    architecture : {"lite0", "erfnet"}
        The default network, or that of the paper.
    split, validate : str
        Parts of split.csv to learn from ("all" for all of it) and to choose the best weights by ("" for none).
    validate_images : int
        Images of the latter; 0 for all.
    add, add_boxed : sequence of (folder, share)
        Other data sets and their shares of the crops; the outlines of the latter were made from boxes.
    leave_out : sequence of str
        Patterns of names of images to keep apart.
    synthetic, synthetic_share : int, float
        Synthetic micrographs to mix in, and their share of the crops.
    initial : str or path, optional
        A model to start from.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    threads : int
        CPU threads; 0 leaves it to PyTorch.
    release : path, optional
        Then make a model of the weights, as `release_model`, fitted on the images of `validate`.
    report : function of str, optional
        Is told how it goes.
    **words
        steps, learning_rate, cooldown, frozen_blocks, seed, sizes, scales, long_weight, seed_loss, validate_every,
        workers; see `training.segmentation.settings.TrainingSettings`.

    Returns
    -------
    Path
        The weights, or the model.

    Raises
    ------
    UsageError, InputError
        What is asked for makes no sense, or the data cannot be used.
    """
    from imagedataextractor.errors import UsageError
    from imagedataextractor.training.segmentation.run import Material, train_on_folders

    if release is not None and not validate:
        raise UsageError("--release fits on the images of --validate, which names none; use `ide model release`")
    material = Material(
        Path(data), split, validate, validate_images, add, add_boxed, leave_out, synthetic, synthetic_share
    )
    weights = train_on_folders(
        material,
        Path(out),
        architecture=architecture,
        initial=initial,
        device=device,
        threads=threads,
        report=report,
        **words,
    )
    if release is None:
        return weights
    parts = [f"{data}={validate}"]
    return release_model(weights, release, data=parts, keep=Path(out) / "proposals", device=device, report=report).path


def train_figures(
    micrographs: str | Path,
    out: str | Path,
    *,
    networks: Sequence[NetworkName] = ("glyphs", "letters", "kinds", "cuts"),
    panels: Sequence[str | Path] = (),
    data: Sequence[str | Path] = (),
    amounts: Amounts | None = None,
    seed: int = 0,
    workers: int = 1,
    report: Tell = tell_nobody,
) -> Path:
    """Train the networks of the figures stage.

    Parameters
    ----------
    micrographs : path
        Folder of pictures to draw with.
    out : path
        Folder for the weights. Figures are read with those that are there already, else with the installed ones.
    networks : sequence of {"glyphs", "letters", "kinds", "cuts"}
    panels, data : sequence of path
        Files of labelled figures (JSON), and folders in which those may lie.
    amounts : Amounts, optional
        How much is drawn.
    seed : int
    workers : int
        Processes; the weights are the same with any number. A script needs the usual ``if __name__ == "__main__":``.
    report : function of str, optional
        Is told how it goes.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        There are no micrographs, a label file is none, or there are no labelled panels for "kinds".
    """
    from imagedataextractor.training.figures.amounts import Amounts
    from imagedataextractor.training.figures.stage import train_networks

    return train_networks(
        Path(micrographs),
        Path(out),
        networks=networks,
        panels=[Path(file) for file in panels],
        data=[Path(folder) for folder in data],
        amounts=amounts or Amounts(),
        seed=seed,
        workers=workers,
        report=report,
    )


def train_scalebar(
    data: str | Path,
    out: str | Path,
    *,
    labels: str | Path,
    cache: str | Path | None = None,
    drawn: int = 0,
    report: Tell = tell_nobody,
) -> Path:
    """Fit the models that judge scale bars on hand-read ones.

    Parameters
    ----------
    data : path
        Folder in the EMPS layout: images/, and metadata.csv with the article of each, if known.
    out : path
        The models, as JSON.
    labels : path
        CSV: filename, has_bar, value, unit, x0, x1, y, bar_px.
    cache : path, optional
        Keep what OCR reads here.
    drawn : int
        Drawn pictures for the ranking to learn from, too.
    report : function of str, optional
        Is told the weights.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        The labels or the images cannot be read.
    """
    from imagedataextractor.training.scalebar.judge import fit_model
    from imagedataextractor.training.scalebar.labelled import load_rows

    rows = load_rows(Path(labels), Path(data))
    cached = None if cache is None else Path(cache)
    return fit_model(rows, Path(data) / "images", Path(out), cache=cached, drawn=drawn, report=report)


def release_model(
    weights: str | Path,
    out: str | Path,
    *,
    data: Sequence[str] = (),
    drawn: int = 0,
    like: str | None = None,
    samples: int = 8,
    notes: Mapping[str, Any] | None = None,
    licence_of: str | None = None,
    companion: str | None = None,
    keep: str | Path = "runs/proposals",
    device: str = "auto",
    report: Tell = tell_nobody,
) -> ReleasedModel:
    """Make a model of a training run's weights: fit the judge of proposals and the settings, and write it.

    Parameters
    ----------
    weights, out : path
    data : sequence of str
        Labelled images that the weights have not seen: "FOLDER", "FOLDER=SPLIT" or "FOLDER=FILE" of names.
    drawn : int
        Drawn micrographs to add.
    like : str, optional
        Take settings and judge from this model, and fit nothing.
    samples : int
        T.
    notes : mapping, optional
        name, origin, licence and training of the header, where they are to be others than the weights'.
    licence_of : str, optional
        Carry the licence notice of this model.
    companion : str, optional
        A model to be asked beside this one, and believed where it sees far more: name or path.
    keep : path
        Folder of the network's outputs: a stopped run goes on.
    device : str
    report : function of str, optional

    Returns
    -------
    ReleasedModel
        path, sha256, and the summary of the scores by folds.

    Raises
    ------
    UsageError, InputError
        No images are named, or something cannot be read.
    """
    from imagedataextractor.training.calibration.release import make_model

    return make_model(
        Path(weights),
        Path(out),
        parts=data,
        drawn=drawn,
        like=like,
        samples=samples,
        notes=notes or {"name": Path(out).stem},
        licence_of=licence_of,
        companion=companion,
        keep=Path(keep),
        device=device,
        report=report,
    )
