"""What the calls of the public face return: results that show themselves, and give their rows as tables.

Everything that has rows is a `Table`: a mapping of columns, once, from which pandas, Arrow and the display in
notebooks are made. Everything that has a picture says how it is drawn (`draw`), once, from which `show`,
`save` and the display in notebooks are made. A new kind of result does the same.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.images import load_image
from imagedataextractor.measurement import ParticleTable
from imagedataextractor.measurement.columns import STORED
from imagedataextractor.records import (
    Article,
    ArticleResult,
    Box,
    Failure,
    FigureResult,
    PanelResult,
    Reason,
    ScaleBar,
    Segmentation,
)
from imagedataextractor.records import Figure as FigureRecord
from imagedataextractor.records import Panel as PanelRecord
from imagedataextractor.store.view import VIEW
from imagedataextractor.written import save_marked

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from imagedataextractor.report.trust import Trust
    from imagedataextractor.training.segmentation.evaluation import Scored

__all__ = [
    "Drawn",
    "Evaluation",
    "MeasuredPanel",
    "Measurement",
    "PlotWords",
    "ReadArticle",
    "ReadScaleBar",
    "Result",
    "Rows",
    "Segmented",
    "SplitFigure",
    "Table",
]

Pixels = npt.NDArray[np.uint8]


class PlotWords(TypedDict, total=False):
    """What may be said of a plot; see `Result.plot`."""

    fit: Literal["lognormal", "normal", "none"]
    bins: int | npt.ArrayLike | None
    bin_width: float | None
    column: Literal["single", "double"] | None


#: Panels and rows that a notebook shows of a result.
_SHOWN_PANELS, _SHOWN_ROWS = 12, 20
#: Longest name of a picture's file, characters: below the 143 bytes that encrypted file systems take.
_LONGEST_NAME = 120
#: Longest side of a picture in a notebook, px.
_SHOWN_PX = 640


# ---------------------------------------------------------------- tables


class Table:
    """Rows with named columns.

    Subclasses give `columns`; this makes of it what other programs take.
    """

    def columns(self) -> dict[str, list[Any]]:
        """Name → values, None where unknown, all of the same length."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Name → array, shape (n,).

        Numbers are float64 (NaN where unknown), int64 where all are whole and known, flags bool; text is object.
        """
        return {name: _as_array(values) for name, values in self.columns().items()}

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.to_dict())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows for every library that speaks Arrow: ``polars.from_arrow(result)``, ``pyarrow.table(result)``.

        Raises
        ------
        UsageError
            pyarrow is not installed.
        """
        try:
            import pyarrow as pa
        except ModuleNotFoundError as error:
            raise UsageError("Arrow needs pyarrow: pip install 'imagedataextractor[parquet]'") from error
        table = pa.table({name: pa.array(values) for name, values in self.columns().items()})
        return table.__arrow_c_stream__(requested_schema)

    def _html_table(self) -> str:
        return _html_rows(self.columns())


def _as_array(values: Sequence[Any]) -> npt.NDArray[Any]:
    kinds = {type(value) for value in values if value is not None}
    complete = all(value is not None for value in values)
    if kinds == {bool} and complete:
        return np.array(values, bool)
    if kinds == {int} and complete:
        return np.array(values, np.int64)
    if kinds and kinds <= {int, float}:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _html_rows(columns: Mapping[str, Sequence[Any]]) -> str:
    """The first rows as HTML; every text escaped, since captions and file names are other people's."""
    count = len(next(iter(columns.values()), ()))
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_cell(values[row]))}</td>' for values in columns.values())}</tr>"
        for row in range(min(count, _SHOWN_ROWS))
    )
    more = f"<p>… {count - _SHOWN_ROWS:,} more rows</p>" if count > _SHOWN_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


# ---------------------------------------------------------------- pictures


class Drawn:
    """Something that can be looked at. Subclasses give `draw`."""

    def draw(self) -> Pixels:
        """The picture, uint8 (H, W, 3)."""
        raise NotImplementedError

    def show(self) -> Figure:
        """Show the picture, in a notebook or a window; the Matplotlib figure is returned."""
        picture = self.draw()
        figure = new_figure()
        height, width = picture.shape[:2]
        figure.set_size_inches(8, max(1.0, 8 * height / width))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(picture)
        axes.set_axis_off()
        return returned(figure, show=True)

    def save(self, path: str | Path) -> Path:
        """Write the picture; the ending says in which format.

        Raises
        ------
        InputError
            It cannot be written.
        """
        from PIL import Image

        target, picture = Path(path), Image.fromarray(self.draw())
        with _writing(target):
            save_marked(picture, target)
        return target

    def _html_picture(self) -> str:
        return html_picture(self.draw())


def html_picture(pixels: Pixels) -> str:
    """A picture, made small, inside HTML."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((_SHOWN_PX, _SHOWN_PX))
    content = io.BytesIO()
    picture.save(content, "PNG")
    return f'<img src="data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}">'


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Make the folder of a file that is about to be written, and say in one line why it cannot be."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{target}: cannot be written ({reason})") from error


def made_folder(folder: Path) -> Path:
    """The folder, made where it is missing.

    Raises
    ------
    InputError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made a folder ({error.strerror or error})") from error
    return folder


def new_figure() -> Figure:
    import matplotlib.pyplot as plt

    return plt.figure()


def returned(figure: Figure, *, show: bool = False) -> Figure:
    """The figure, in a window if that is wanted and there are windows; in a notebook, returning it shows it."""
    import matplotlib
    import matplotlib.pyplot as plt

    backend = matplotlib.get_backend().lower()
    if "inline" in backend or backend == "agg":
        plt.close(figure)  # kept by pyplot, it would be shown twice, or held for ever
    elif show:
        plt.show()
    return figure


# ---------------------------------------------------------------- particles as rows

#: Ids that rows have in a database only.
_DATABASE_IDS = ("segmentation_id", "run_id")
#: Columns of a row, as in the view measured_particles.
_COLUMNS = tuple(column.name for column in VIEW if column.name not in _DATABASE_IDS)

#: Columns of a panel's row.
_PANEL = (
    "figure",
    "panel",
    "page",
    "pages",
    "kind",
    "kind_score",
    "nm_per_px",
    "scale_confidence",
    "scale_reason",
    "particles",
    "accepted",
    "median_ecd_nm",
)


def _plain(value: Any) -> Any:
    """As the database keeps it: Python's own types, None for what is no finite number."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


class Measurement(ParticleTable, Table):
    """The particles of a label map, as `measure` gives them: a `ParticleTable` that shows itself.

    Examples
    --------
    >>> import imagedataextractor as ide
    >>> labels = np.zeros((20, 20), np.int32)
    >>> labels[5:10, 4:14] = 1
    >>> ide.measure(labels, nm_per_px=2.0)
    <Measurement: 1 particle, 1 accepted, median ECD 15.96 nm>
    """

    __slots__ = ()

    @classmethod
    def of(cls, table: ParticleTable) -> Measurement:
        return cls({name: table[name] for name in STORED}, nm_per_px=table.nm_per_px)

    def columns(self) -> dict[str, list[Any]]:
        """Every column of a particle but its contour."""
        return {name: list(map(_plain, values)) for name, values in ParticleTable.to_dict(self).items()}

    def plot(self, **style: Unpack[PlotWords]) -> Figure:
        """The size distribution of the accepted particles; see `Result.plot`."""
        return _size_plot({"particles": self}, style)

    def __repr__(self) -> str:
        return f"<Measurement: {_particles_in_words([self])}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self)[1:-1])}</p>{self._html_table()}"


def _sizes(tables: Sequence[ParticleTable], unit: str) -> npt.NDArray[np.float64]:
    """ECDs of the accepted particles of those tables that know them in this unit."""
    known = [table.accepted[f"ecd_{unit}"] for table in tables if unit == "px" or table.nm_per_px is not None]
    return np.concatenate([np.empty(0), *known])


def _unit_of(tables: Sequence[ParticleTable]) -> str:
    """Nm where any scale is known, else px."""
    return "nm" if _sizes(tables, "nm").size else "px"


def _size_plot(groups: Mapping[str, ParticleTable | Sequence[ParticleTable]], style: Mapping[str, Any]) -> Figure:
    """One histogram a group, all in one unit: those without a scale are left out beside those with one."""
    from imagedataextractor.report.plots import PlotStyle, size_figure

    tables = {name: [group] if isinstance(group, ParticleTable) else list(group) for name, group in groups.items()}
    unit = _unit_of([table for group in tables.values() for table in group])
    sizes = {name: found for name, group in tables.items() if (found := _sizes(group, unit)).size}
    if not sizes:
        raise InputError("there is no accepted particle to plot")
    figure = new_figure()
    axis = f"equivalent circular diameter / {unit}"
    size_figure(sizes, figure, axis=axis, unit=unit, style=PlotStyle(**style))
    return returned(figure)


def _particles_in_words(tables: Sequence[ParticleTable]) -> str:
    unit = _unit_of(tables)
    sizes = _sizes(tables, unit)
    median = f", median ECD {np.median(sizes):.4g} {unit}" if sizes.size else ""
    accepted = sum(len(table.accepted) for table in tables)
    return f"{counted(sum(map(len, tables)), 'particle')}, {accepted:,} accepted{median}"


def counted(count: int, thing: str) -> str:
    """'1 panel', '1,200 panels'."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


# ---------------------------------------------------------------- one panel


@functools.lru_cache(maxsize=2)
def _pixels_of(path: str, page: int | None, shape: tuple[int, int]) -> Pixels:
    image = load_image(path, page)
    if image.shape[:2] != shape:
        raise InputError(f"{path}: is another picture than the one that was measured; measure it again")
    return image


class MeasuredPanel(Table, Drawn):
    """One panel of a picture, with everything learnt of it.

    Attributes
    ----------
    article, figure : str
        The publication's DOI or key (a picture's own key where it stands for itself); the figure's label.
    label, index : str or None, int
        Its letter; its place in the figure, from 0.
    page, pages : int
        Which page of the picture's file was taken, from 1, and how many it has.
    kind, kind_score
        What it shows, and the probability of that.
    scalebar : ScaleBar or None
        Its ``reason`` says why there is no scale, where there is none.
    nm_per_px : float or None
    particles : ParticleTable
        The rejected ones too, with their reason.
    label_map : int32 array, shape (H, W), or None
        Of all particles: 0 background, i particle i. None where nothing was measured.
    uncertainty_map : float32 array, shape (H, W), or None
        Mutual information per pixel, nats.
    """

    def __init__(
        self,
        article: ArticleResult,
        figure: FigureResult,
        panel: PanelResult,
        *,
        pixels: Pixels | None = None,
    ) -> None:
        self.result = panel
        self._article = article.article
        self._figure = figure
        self._pixels = pixels
        self.article = self._article.doi or self._article.key
        self.figure = figure.label
        self.label = panel.panel.label
        self.index = panel.panel.index
        self.page = figure.page
        self.pages = figure.pages
        self.kind = panel.panel.kind
        self.kind_score = panel.panel.kind_score
        self.scalebar = panel.scalebar
        self.nm_per_px = None if panel.scalebar is None else panel.scalebar.nm_per_px
        self.particles = panel.particles

    @property
    def name(self) -> str:
        """As an author would call it: "Figure 2b"; panels without a letter by their number."""
        if self.label:
            return f"{self.figure}{'' if self._article.source != 'image' else ' '}{self.label}"
        return self.figure if len(self._figure.panels) == 1 else f"{self.figure} [{self.index + 1}]"

    @property
    def full_name(self) -> str:
        """With the article that it is in, where it is in one: "10.1039/c5nr01234a Figure 2b"."""
        if self._article.source == "image":
            return self.name
        return f"{self._article.doi or self._article.title or self._article.key} {self.name}"

    @property
    def place(self) -> tuple[str, int]:
        """The SHA-256 of its picture, and its index: what it is known by, whatever it is called."""
        return self._figure.image_sha256, self.index

    @property
    def box(self) -> Box:
        """Where it lies in its figure, px."""
        return self.result.panel.box

    @property
    def is_measured(self) -> bool:
        return self.result.segmentation is not None

    @property
    def label_map(self) -> npt.NDArray[np.int32] | None:
        return None if self.result.segmentation is None else self.result.segmentation.label_map

    @property
    def uncertainty_map(self) -> npt.NDArray[np.float32] | None:
        return None if self.result.segmentation is None else self.result.segmentation.uncertainty_map

    @property
    def image(self) -> Pixels:
        """Its pixels, read again from the picture's file.

        Raises
        ------
        InputError
            The file is gone, or another one.
        """
        whole = self._pixels
        if whole is None:
            whole = _pixels_of(self._figure.image_path, self.page, (self._figure.height_px, self._figure.width_px))
        return whole[self.box.slices]

    def columns(self) -> dict[str, list[Any]]:
        """One row a particle, as in the view measured_particles of the database."""
        count = len(self.particles)
        same = self._same_for_all()
        return {
            name: [same[name]] * count
            if name in same
            else list(map(_plain, self.particles["label" if name == "particle" else name]))
            for name in _COLUMNS
        }

    def _same_for_all(self) -> dict[str, Any]:
        """What the rows of all particles of the panel share."""
        article, panel, bar = self._article, self.result.panel, self.scalebar or ScaleBar()
        doi = article.doi.lower() if article.doi else None
        material = self._figure.figure.facts.material_of(panel.label)
        return {
            "doi": doi,
            "article": doi or article.key,
            "title": article.title,
            "journal": article.journal,
            "year": article.year,
            "figure": self.figure,
            "image_path": self._figure.image_path,
            "image_sha256": self._figure.image_sha256,
            "panel": panel.label,
            "panel_index": panel.index,
            "subcaption": panel.subcaption,
            "technique": panel.technique,
            "material": None if material is None else material.name,
            "material_confidence": None if material is None else material.confidence,
            "nm_per_px": _plain(bar.nm_per_px),
            "scale_source": bar.source,
            "scale_confidence": _plain(bar.confidence),
            "magnification": _plain(bar.magnification),
            "trust": self.trust.grade,
        }

    @property
    def trust(self) -> Trust:
        """How far its numbers can be trusted without looking: A, B or C, and why."""
        from imagedataextractor.report.trust import PanelFacts, trust_of

        accepted, reasons = self.particles.accepted, self.particles["reason"]
        bar, stated = self.scalebar or ScaleBar(), self._figure.figure.facts.size_of(self.result.panel.label)
        sizes = accepted["ecd_nm"]
        return trust_of(
            PanelFacts(
                len(self.particles),
                len(accepted),
                int(self.particles["touches_border"].sum()),
                int((reasons == Reason.UNCERTAIN).sum()),
                bar.nm_per_px,
                bar.confidence,
                bar.reason,
                None if stated is None else stated.mean_nm,
                float(sizes.mean()) if len(sizes) and bar.nm_per_px is not None else None,
            )
        )

    def row(self) -> dict[str, Any]:
        """The panel in one row, as `ide extract` prints it; nm only where the scale is known."""
        diameters = _sizes([self.particles], "nm")
        bar = self.scalebar
        values = (
            self.figure,
            self.label or str(self.index + 1),
            self.page,
            self.pages,
            self.kind,
            round(self.kind_score, 3),
            None if bar is None or bar.nm_per_px is None else float(f"{bar.nm_per_px:.5g}"),
            None if bar is None else round(bar.confidence, 3),
            None if bar is None else bar.reason,
            len(self.particles),
            len(self.particles.accepted),
            float(f"{np.median(diameters):.4g}") if diameters.size else None,
        )
        return dict(zip(_PANEL, values, strict=True))

    def draw(self) -> Pixels:
        """The overlay: outlines and numbers of the particles, the scale bar as read, and a legend."""
        from imagedataextractor.report.pictures import overlay

        return overlay(self.image, self.particles, self.scalebar)

    def plot(self, **style: Unpack[PlotWords]) -> Figure:
        """The size distribution of its accepted particles; see `Result.plot`."""
        return _size_plot({self.name: self.particles}, style)

    def __repr__(self) -> str:
        if not self.is_measured:
            return f"<MeasuredPanel {self.name!r}: {self.kind}, nothing measured>"
        scale = "scale unknown" if self.nm_per_px is None else f"{self.nm_per_px:.4g} nm/px"
        return f"<MeasuredPanel {self.name!r}: {scale}, {_particles_in_words([self.particles])}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self)[1:-1])}</p>{self._html_picture()}{Measurement.of(self.particles)._html_table()}"


# ---------------------------------------------------------------- names of pictures


def stems_of(paths: Sequence[Path]) -> dict[Path, str]:
    """What to call the files without their folders: by their names, and as many folders as tell them apart."""
    names = {path: path.stem for path in paths}
    for depth in range(1, max((len(path.parts) for path in names), default=0)):
        counts = Counter(names.values())
        twice = [path for path, name in names.items() if counts[name] > 1]
        if not twice:
            break
        names.update((path, " ".join((*path.parent.parts[-depth:], path.stem))) for path in twice)
    counts = Counter(names.values())  # a.png beside a.tif
    return {path: name if counts[name] == 1 else f"{name} {path.suffix.lstrip('.')}" for path, name in names.items()}


def file_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Names, without an ending, under which the results of these files can stand in one folder."""
    return {
        path: stem if stem == path.stem else re.sub(r"[^\w.-]+", "_", stem).strip("_")
        for path, stem in stems_of(list(dict.fromkeys(paths))).items()
    }


def picture_name(article: Article, figure: FigureResult, panel: PanelRecord, stems: Mapping[Path, str]) -> str:
    """The file name of a panel's overlay: "gold-3.png", "gold-3_b.png", "10.1039_c5nr01234a_Figure_2b.png"."""
    letters = [other.panel.label for other in figure.panels]
    own = panel.label if panel.label and letters.count(panel.label) == 1 else str(panel.index + 1)
    known = stems.get(article.path) if article.path is not None else None
    if article.source == "image":
        name = known or Path(article.title).stem or article.key
    else:
        name = f"{article.doi or known or article.key} {figure.label}"
    if len(figure.panels) > 1:
        name += own if own == panel.label and article.source != "image" else f" {own}"
    safe = re.sub(r"[^\w.-]+", "_", name).strip("_")
    return f"{safe[-_LONGEST_NAME:]}.png"


# ---------------------------------------------------------------- what extract returns


@dataclass(frozen=True, eq=False)
class Result(Table):
    """What was extracted of one target or of many.

    Attributes
    ----------
    articles : tuple of ArticleResult
        The plain records, one a target; a picture by itself is an article without text.
    failures : tuple of Failure
        What could not be done, one line each.
    passed_over : tuple of str
        Targets that are finished in the database under the same settings.
    waiting : tuple of Failure
        Targets that a service's spent quota keeps back.

    Examples
    --------
    >>> import imagedataextractor as ide
    >>> from imagedataextractor.artificial.micrographs import draw_micrograph
    >>> drawn = draw_micrograph(np.random.default_rng(1), shape=(300, 400))
    >>> result = ide.extract(drawn.image, nm_per_px=0.5, mode="discriminative", assume_em=True)
    >>> len(result) == len(result.to_pandas()) == sum(len(panel.particles) for panel in result.panels)
    True
    """

    articles: tuple[ArticleResult, ...] = ()
    failures: tuple[Failure, ...] = ()
    passed_over: tuple[str, ...] = ()
    waiting: tuple[Failure, ...] = ()
    #: Pixels of pictures that are no files, by their SHA-256.
    pixels: Mapping[str, Pixels] = field(default_factory=dict, repr=False)
    #: Corrections by people that hold in the database for what was written there.
    standing: int = 0
    #: Of them the scales, nm per px, by the picture's SHA-256 and the panel's index.
    held: Mapping[tuple[str, int], float] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, results: Sequence[Result]) -> Result:
        """Many results as one."""
        return cls(
            tuple(article for one in results for article in one.articles),
            tuple(failure for one in results for failure in one.failures),
            tuple(name for one in results for name in one.passed_over),
            tuple(failure for one in results for failure in one.waiting),
            {digest: pixels for one in results for digest, pixels in one.pixels.items()},
            sum(one.standing for one in results),
            {place: scale for one in results for place, scale in one.held.items()},
        )

    @functools.cached_property
    def panels(self) -> list[MeasuredPanel]:
        """Every panel, in the order of targets and figures, the ones that show no micrograph too."""
        return [
            MeasuredPanel(article, figure, panel, pixels=self.pixels.get(figure.image_sha256))
            for article in self.articles
            for figure in article.figures
            for panel in figure.panels
        ]

    @property
    def measured(self) -> list[MeasuredPanel]:
        """The panels that were segmented and measured."""
        return [panel for panel in self.panels if panel.is_measured]

    def columns(self) -> dict[str, list[Any]]:
        """One row a particle: the columns of the view measured_particles but for the database's own ids."""
        parts = [panel.columns() for panel in self.panels]
        return {name: [value for part in parts for value in part[name]] for name in _COLUMNS}

    def panel_rows(self) -> Rows:
        """One row a panel, as `ide extract` prints them; ``.to_pandas()`` makes a DataFrame of it."""
        return Rows(_PANEL, [tuple(panel.row().values()) for panel in self.panels])

    def plot(self, *, by: Literal["panel"] | None = None, **style: Unpack[PlotWords]) -> Figure:
        """The distribution of equivalent circular diameters of the accepted particles, as a paper prints it.

        Parameters
        ----------
        by : {"panel"}, optional
            One histogram a panel, side by side; by default all particles in one.
        fit : {"lognormal", "normal", "none"}
            The curve over the bars; none is drawn below five particles.
        bins : int or array, optional
            Number of bins, or their edges; by default the Rice rule's number.
        bin_width : float, optional
            Width of a bin in place of `bins`, in the unit of the sizes.
        column : {"single", "double"}, optional
            Width of a journal's column: 85 or 170 mm; by default double where there are several histograms.

        Returns
        -------
        matplotlib.figure.Figure
            In nm; in px where no scale is known at all. ``figure.savefig("sizes.pdf")`` keeps it.

        Raises
        ------
        InputError
            There is no accepted particle.
        """
        if by == "panel":
            return _size_plot({panel.name: panel.particles for panel in self.panels}, style)
        return _size_plot({"all particles": [panel.particles for panel in self.panels]}, style)

    def save_pictures(self, folder: str | Path) -> list[Path]:
        """Write the overlay of every measured panel into a folder, under the names that `ide extract` gives them."""
        stems = stems_of([article.article.path for article in self.articles if article.article.path is not None])
        return [
            panel.save(Path(folder) / picture_name(panel._article, panel._figure, panel.result.panel, stems))
            for panel in self.measured
        ]

    def __len__(self) -> int:
        return sum(len(panel.particles) for article in self.articles for f in article.figures for panel in f.panels)

    def __iter__(self) -> Iterator[Result]:
        """One result a target that gave something."""
        for article in self.articles:
            yield Result((article,), article.failures, pixels=self.pixels, held=self.held)

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for was done."""
        return not (self.failures or self.waiting)

    def __repr__(self) -> str:
        parts = [
            counted(len(self.articles), "target"),
            counted(len(self.panels), "panel"),
            _particles_in_words([panel.particles for panel in self.panels]),
            *([f"{len(self.passed_over):,} passed over"] if self.passed_over else []),
            *([f"{len(self.waiting):,} waiting for a quota"] if self.waiting else []),
            *([counted(len(self.failures), "failure")] if self.failures else []),
        ]
        return f"<Result: {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        parts = [f"<p>{escape(repr(self)[1:-1])}</p>", self.panel_rows()._html_table()]
        for panel in islice(self.measured, _SHOWN_PANELS):
            try:
                parts.append(f"<figure>{panel._html_picture()}<figcaption>{escape(panel.name)}</figcaption></figure>")
            except InputError as error:  # a file that has gone costs its picture and not the rest
                parts.append(f"<p>{escape(str(error))}</p>")
        left = len(self.measured) - _SHOWN_PANELS
        parts += [f"<p>… {counted(left, 'more panel')}: result.panels</p>"] if left > 0 else []
        parts += [f"<p>{escape(failure.message)}</p>" for failure in self.failures[:_SHOWN_ROWS]]
        return "".join(parts)


# ---------------------------------------------------------------- what the single stages return


@dataclass(frozen=True, eq=False, repr=False)
class Segmented(Segmentation, Drawn):
    """A segmentation with its micrograph, as `segment` gives it.

    ``label_map`` holds the particles that the filter keeps, as the file of `ide segment` does;
    ``proposals`` holds all. Both number them alike: ``uncertainty[i]`` is that of label i + 1.
    """

    image: Pixels = field(default_factory=lambda: np.empty((0, 0), np.uint8))
    proposals: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 0), np.int32))

    @classmethod
    def of(cls, image: Pixels, found: Segmentation) -> Segmented:
        from imagedataextractor.segmentation.reliability import without

        kept = without(found.label_map, found.rejected).astype(np.int32, copy=False)
        return cls(**{**vars(found), "label_map": kept}, image=image, proposals=found.label_map)

    def measure(self, nm_per_px: float | None = None) -> Measurement:
        """The particles, the rejected ones too with their reason, as `ide extract` measures them."""
        from imagedataextractor.measurement import measure_particles

        return Measurement.of(
            measure_particles(
                self.proposals,
                nm_per_px=nm_per_px,
                uncertainty=self.uncertainty,
                score=self.score,
                filtered=self.filtered,
                image=self.image,
                support=self.support,
            )
        )

    def draw(self) -> Pixels:
        from imagedataextractor.report.pictures import overlay

        return overlay(self.image, self.measure())

    def save_label_map(self, path: str | Path) -> Path:
        """Write the label map as a 16-bit PNG or TIFF.

        Raises
        ------
        InputError
            It has more particles than 16 bits count, or cannot be written.
        """
        from PIL import Image

        if self.label_map.max(initial=0) > np.iinfo(np.uint16).max:
            raise InputError(f"{path}: more than 65,535 particles do not fit a 16-bit label map")
        target = Path(path)
        with _writing(target):
            save_marked(Image.fromarray(self.label_map.astype(np.uint16)), target)
        return target

    def save_uncertainty(self, path: str | Path) -> Path:
        """Write the map of the mutual information, nats a pixel, as .npy.

        Raises
        ------
        InputError
            There is none, as after a single pass, or it cannot be written.
        """
        if self.uncertainty_map is None:
            raise InputError(f"{path}: the mode {self.mode!r} gives no uncertainty; take bayesian or filtered")
        target = Path(path)
        with _writing(target):
            np.save(target, self.uncertainty_map)
        return target

    def __len__(self) -> int:
        """Particles that are kept: neither filtered nor a support."""
        return int((~self.rejected).sum())

    def __repr__(self) -> str:
        height, width = self.label_map.shape
        rejected = int(self.filtered.sum())
        return f"<Segmented {width} x {height} px: {counted(len(self), 'particle')}, {rejected:,} filtered>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self)[1:-1])}</p>{self._html_picture()}"


@dataclass(frozen=True, eq=False, repr=False)
class ReadScaleBar(ScaleBar, Drawn):
    """A scale bar with the picture that it was read in, as `read_scale_bar` gives it."""

    image: Pixels = field(default_factory=lambda: np.empty((0, 0), np.uint8))

    @classmethod
    def of(cls, image: Pixels, bar: ScaleBar) -> ReadScaleBar:
        return cls(**vars(bar), image=image)

    def draw(self) -> Pixels:
        from imagedataextractor.scalebar.picture import draw_scale_bar

        return draw_scale_bar(self.image, self)

    def in_words(self) -> str:
        """One line: "200 nm over 167.2 px, 1.196 nm/px (confidence 0.98)", or why there is no scale."""
        if self.nm_per_px is None:
            return f"no scale ({self.reason})"
        read = self.text if self.value is None else f"{self.value:g} {self.unit} over {self.length_px:.1f} px"
        doubt = f"; {self.reason}" if self.reason else ""
        return f"{read}, {self.nm_per_px:.4g} nm/px (confidence {self.confidence:.2f}){doubt}"

    def __repr__(self) -> str:
        return f"<ScaleBar: {self.in_words()}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.in_words())}</p>{self._html_picture()}"


class SplitFigure(Table, Drawn):
    """The panels of a figure, as `split_figure` gives them: a sequence of `records.Panel`, insets after theirs."""

    def __init__(self, image: Pixels, panels: Sequence[PanelRecord]) -> None:
        self.image = image
        self.panels = list(panels)

    def columns(self) -> dict[str, list[Any]]:
        names = ("label", "kind", "kind_score", "technique", "measurable", "parent", "subcaption")
        return {
            "index": [panel.index for panel in self.panels],
            **{edge: [getattr(panel.box, edge) for panel in self.panels] for edge in ("x0", "y0", "x1", "y1")},
            **{name: [_plain(getattr(panel, name)) for panel in self.panels] for name in names},
        }

    def draw(self) -> Pixels:
        from imagedataextractor.figures.picture import draw_panels

        return draw_panels(self.image, self.panels)

    def crop(self, index: int) -> Pixels:
        """The pixels of a panel."""
        return self.image[self.panels[index].box.slices]

    def __len__(self) -> int:
        return len(self.panels)

    def __iter__(self) -> Iterator[PanelRecord]:
        return iter(self.panels)

    def __getitem__(self, index: int) -> PanelRecord:
        return self.panels[index]

    def __repr__(self) -> str:
        kinds = Counter(panel.kind for panel in self.panels)
        return f"<SplitFigure: {counted(len(self), 'panel')} ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self)[1:-1])}</p>{self._html_picture()}{self._html_table()}"


class Evaluation(Table):
    """How well particles were found, as `evaluate` gives it: a row an image; ``summary`` and ``by_kind`` of them.

    Attributes
    ----------
    summary : dict
        The paper's numbers, the standard ones, and the errors of what is measured, with 95 % bootstrap intervals.
    by_kind : list of dict
        F1, recall and the error of the diameter by kind of picture.
    """

    def __init__(self, scored: Scored) -> None:
        from imagedataextractor.segmentation.kinds import summarise_by_kind
        from imagedataextractor.segmentation.metrics import summarise

        self._scored = scored
        self.summary = summarise(scored.scores, scored.title)
        self.by_kind = summarise_by_kind(scored.scores, scored.kinds)

    def columns(self) -> dict[str, list[Any]]:
        scores = self._scored.scores
        names = list(dict.fromkeys(name for score in scores for name in score.values))
        return {
            "name": [score.name for score in scores],
            "kind": [self._scored.kinds[score.name] for score in scores],
            **{name: [_plain(score.values.get(name)) for score in scores] for name in names},
        }

    def as_dict(self) -> dict[str, Any]:
        """Everything, each image's numbers too; None for what is no finite number."""
        found: dict[str, Any] = _finite({**self.summary, "kinds": self.by_kind})
        return found

    def in_words(self) -> str:
        """The tables that `ide evaluate` prints."""
        from imagedataextractor.segmentation.kinds import format_by_kind
        from imagedataextractor.segmentation.metrics import format_table

        return f"{format_table(self.summary)}\n\n{format_by_kind(self.by_kind)}"

    def __repr__(self) -> str:
        return f"<Evaluation: {self._scored.title}, {counted(len(self._scored.scores), 'image')}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.in_words())}</pre>{self._html_table()}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


@dataclass(frozen=True, repr=False)
class ReadArticle(Article, Table):
    """An article, as `read_article` gives it: a `records.Article` that shows itself, with a row a figure."""

    @classmethod
    def of(cls, article: Article) -> ReadArticle:
        return cls(**vars(article))

    def columns(self) -> dict[str, list[Any]]:
        """The figures: label, caption, files, whether the caption speaks of electron micrographs, and of which."""
        facts = [figure.facts for figure in self.figures]
        return {
            "label": [figure.label for figure in self.figures],
            "is_em": [fact.is_em for fact in facts],
            "techniques": [", ".join(fact.techniques) for fact in facts],
            "subcaptions": [len(fact.subcaptions) for fact in facts],
            "graphics": [", ".join(figure.graphics) for figure in self.figures],
            "caption": [figure.caption for figure in self.figures],
        }

    def as_dict(self) -> dict[str, Any]:
        """The article as `ide read --json` prints it."""
        return {
            "doi": self.doi,
            "title": self.title,
            "licence": self.licence,
            "figures": [
                {
                    "label": figure.label,
                    "caption": figure.caption,
                    "graphics": list(figure.graphics),
                    "is_em": figure.facts.is_em,
                    "subcaptions": dict(figure.facts.subcaptions),
                }
                for figure in self.figures
            ],
        }

    def about(self) -> str:
        """Journal, year, DOI and licence in a line, as far as they are known."""
        return ", ".join(filter(None, (self.journal, str(self.year or ""), self.doi, self.licence)))

    def __repr__(self) -> str:
        return f"<Article: {self.title or self.key}; {counted(len(self.figures), 'figure')}>"

    def _repr_html_(self) -> str:
        shown = "".join(map(self._html_figure, self.figures[:_SHOWN_PANELS]))
        more = len(self.figures) - _SHOWN_PANELS
        left = f"<p>… {counted(more, 'more figure')}</p>" if more > 0 else ""
        title = f"<p><strong>{escape(self.title or self.key)}</strong><br>{escape(self.about())}</p>"
        return f"{title}{shown}{left}{self._html_table()}"

    def _html_figure(self, figure: FigureRecord) -> str:
        """Its first picture, where that is at hand, and its caption."""
        picture = ""
        for name in figure.graphics[:1]:
            with contextlib.suppress(InputError):
                picture = html_picture(load_image(Path(name)))
        return (
            f"<figure>{picture}<figcaption><b>{escape(figure.label)}</b> {escape(figure.caption)}</figcaption></figure>"
        )


class Rows(Table):
    """The answer to a question: a sequence of tuples, with the names of its columns in ``names``."""

    def __init__(self, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self.names = tuple(names)
        self.rows = list(rows)

    def columns(self) -> dict[str, list[Any]]:
        """Of two columns of one name, the second is called NAME_2."""
        found: dict[str, list[Any]] = {}
        for place, name in enumerate(self.names):
            twin = self.names[:place].count(name)
            found[f"{name}_{twin + 1}" if twin else name] = [row[place] for row in self.rows]
        return found

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self.rows[index]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {counted(len(self), 'row')} of {', '.join(self.names)}>"

    def _repr_html_(self) -> str:
        return self._html_table()
