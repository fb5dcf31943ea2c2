"""Size distributions as a paper prints them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.measurement.distributions import FEWEST, Description, describe
from imagedataextractor.written import PLOT_METADATA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLUMN_MM", "FITS", "PlotStyle", "plot_sizes", "save_figure", "size_figure"]

Reals = npt.NDArray[np.float64]
FitName = Literal["lognormal", "normal", "none"]

FITS = ("lognormal", "normal", "none")
#: Widths of a journal's columns, mm.
COLUMN_MM: Mapping[str, float] = {"single": 85.0, "double": 170.0}
_MM_PER_INCH = 25.4
#: Fields of a figure beside each other: below about 55 mm, labels of 7 pt run into each other.
_FIELDS = {"single": 1, "double": 3}
#: Height of a field, mm; of the title, mm.
_FIELD_MM, _TITLE_MM = 52.0, 7.0
#: Size of the letters, points: what journals ask for at least.
_LETTERS_PT = 7
#: Fields share their axis of sizes unless the groups' largest sizes differ by more than this factor.
_SHARED_RANGE = 4.0
#: Resolution of pixels in print, per inch.
_DPI = 300
#: Colours that colour-blind readers tell apart (M. Okabe and K. Ito, Color Universal Design, 2008), and as greys.
_BARS, _EDGES, _CURVE, _MEAN = "#a6cee8", "#0072b2", "#d55e00", "#000000"


@dataclass(frozen=True)
class PlotStyle:
    """How sizes are plotted.

    Attributes
    ----------
    fit : {"lognormal", "normal", "none"}
        The curve over the bars.
    bins : int, array, or None
        Number of bins, or their edges; None for Rice's rule.
    bin_width : float or None
        In the unit of the sizes, in place of `bins`.
    column : {"single", "double"}
        85 or 170 mm wide.
    """

    fit: FitName = "lognormal"
    bins: int | npt.ArrayLike | None = None
    bin_width: float | None = None
    column: Literal["single", "double"] | None = None

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise UsageError(f"plot: there is no fit {self.fit!r}; there are: {', '.join(FITS)}")
        if self.column is not None and self.column not in COLUMN_MM:
            raise UsageError(f"plot: a column is {' or '.join(COLUMN_MM)}, not {self.column!r}")
        if self.bins is not None and self.bin_width is not None:
            raise UsageError("plot: bins and bin width both say how wide a bar is; use one of them")
        if self.bin_width is not None and not (math.isfinite(self.bin_width) and self.bin_width > 0):
            raise UsageError(f"plot: a bin width is a number greater than 0, not {self.bin_width}")

    def histogram(self, found: Description) -> tuple[Reals, Reals]:
        """Counts and edges."""
        if self.bin_width is not None:
            first = math.floor(found.values[0] / self.bin_width)
            last = math.floor(found.values[-1] / self.bin_width) + 1
            if last - first > _MOST_BINS:
                raise UsageError(
                    f"plot: a bin width of {self.bin_width:g} makes {last - first:,} bars; take a wider one"
                )
            edges = np.arange(first, last + 1) * self.bin_width
        elif self.bins is not None:
            edges = np.histogram_bin_edges(found.values, np.asarray(self.bins) if np.ndim(self.bins) else self.bins)
        elif len(found.edges):
            return found.counts, found.edges
        else:
            edges = np.histogram_bin_edges(found.values, max(1, len(found.values)))
        return np.histogram(found.values, edges)[0].astype(float), edges


#: Bars that a field can show.
_MOST_BINS = 1000


def plot_sizes(
    groups: Mapping[str, npt.ArrayLike],
    path: str | Path,
    *,
    unit: str = "nm",
    title: str | None = None,
    style: PlotStyle | None = None,
) -> None:
    """Write `size_figure` to a file, of any format Matplotlib writes (.pdf, .svg, .png at 300 dpi).

    Raises
    ------
    InputError
        No group has a particle, a size is not positive, or the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasAgg(figure)
    size_figure(groups, figure, axis=f"equivalent circular diameter / {unit}", unit=unit, title=title, style=style)
    save_figure(figure, path)


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure: pixels at 300 dpi, vectors with letters that can be edited.

    Raises
    ------
    InputError
        It cannot be written, or no format has that ending.
    """
    import matplotlib as mpl

    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}):
            figure.savefig(target, dpi=_DPI, metadata=PLOT_METADATA.get(target.suffix.lower()))
    except (OSError, ValueError) as error:
        raise InputError(f"{target}: the plot cannot be written ({error})") from error
    return target


def size_figure(
    groups: Mapping[str, npt.ArrayLike],
    figure: Figure,
    *,
    axis: str,
    unit: str = "nm",
    title: str | None = None,
    style: PlotStyle | None = None,
) -> None:
    """Draw one histogram a group, with the fitted curve, mean ± standard deviation and the number of particles.

    Of fewer than five particles nothing but the bars and the number is drawn.

    Parameters
    ----------
    groups : mapping
        Name (a panel, a sample) → a quantity of its particles, each greater than 0. Empty groups are left out.
    figure : matplotlib.figure.Figure
        An empty one.
    axis : str
        What stands below the axis of sizes.
    unit : str
        Of the mean.
    title : str, optional
    style : PlotStyle, optional

    Raises
    ------
    InputError
        No group has a particle, or a size is not positive.
    """
    import matplotlib as mpl

    style = style or PlotStyle()
    found = {name: describe(values) for name, values in groups.items() if np.size(values)}
    if not found:
        raise InputError("no particle to plot")
    column = style.column or ("single" if len(found) == 1 else "double")
    across = min(_FIELDS[column], len(found))
    down = -(-len(found) // across)
    height_mm = _FIELD_MM * down + (_TITLE_MM if title else 0)
    largest = [description.values[-1] for description in found.values()]
    shared = max(largest) <= _SHARED_RANGE * min(largest)
    letters: Any = {"font.size": _LETTERS_PT, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6}
    with mpl.rc_context(letters):
        figure.set_layout_engine("constrained")
        figure.set_size_inches(COLUMN_MM[column] / _MM_PER_INCH, height_mm / _MM_PER_INCH)
        if title:
            figure.suptitle(title, fontsize=_LETTERS_PT + 1, parse_math=False)
        fields = figure.subplots(down, across, squeeze=False, sharex=shared).ravel()
        for spare in fields[len(found) :]:
            spare.set_visible(False)
        for field, (name, description) in zip(fields, found.items(), strict=False):
            _draw(field, name if len(found) > 1 else "", description, axis, unit, style)
            field.tick_params(labelbottom=True)


def _draw(field: Axes, name: str, found: Description, axis: str, unit: str, style: PlotStyle) -> None:
    from matplotlib.ticker import MaxNLocator

    counts, edges = style.histogram(found)
    field.stairs(counts, edges, fill=True, color=_BARS)
    field.stairs(counts, edges, color=_EDGES, linewidth=0.7)
    words = [f"n = {found.n}"]
    if found.n >= FEWEST:
        mean, sd = found.estimates["mean"].value, found.estimates["sd"].value
        words.insert(0, f"{mean_and_sd(mean, sd)}{f' {unit}' if unit else ''}")
        field.axvline(mean, color=_MEAN, linewidth=0.8, linestyle="--")
        _curve(field, found, edges, style.fit)
    field.text(
        0.97,
        0.96,
        "\n".join(words),
        transform=field.transAxes,
        ha="right",
        va="top",
        linespacing=1.4,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0},
    )
    field.set_title(name, fontsize=_LETTERS_PT, parse_math=False)
    field.set_xlabel(axis)
    field.set_ylabel("number of particles")
    field.set_ylim(0, max(1.0, 1.3 * float(counts.max(initial=0))))
    field.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    field.spines[["top", "right"]].set_visible(False)


def mean_and_sd(mean: float, sd: float) -> str:
    """'12.3 ± 1.4': to the second digit of the standard deviation."""
    if not (math.isfinite(sd) and sd > 0):
        return f"{mean:.4g}"
    digits = max(0, 1 - math.floor(math.log10(sd)))
    return f"{mean:.{digits}f} ± {sd:.{digits}f}"


def _curve(field: Axes, found: Description, edges: Reals, name: FitName) -> None:
    """The fitted distribution, scaled to the bars: particles a bin of the mean width."""
    fit = next((fit for fit in found.fits if fit.name == name), None)
    is_narrow = fit is not None and (math.log(fit.spread) if name == "lognormal" else fit.spread) <= 0
    if fit is None or is_narrow:
        return
    low = min(edges[0], found.values[0])
    grid = np.linspace(max(low - 0.1 * (edges[-1] - low), 1e-9), edges[-1] + 0.1 * (edges[-1] - low), 300)
    if name == "lognormal":
        sigma = math.log(fit.spread)
        density = np.exp(-0.5 * (np.log(grid / fit.location) / sigma) ** 2) / (grid * sigma * math.sqrt(2 * math.pi))
    else:
        density = np.exp(-0.5 * ((grid - fit.location) / fit.spread) ** 2) / (fit.spread * math.sqrt(2 * math.pi))
    field.plot(grid, found.n * float(np.diff(edges).mean()) * density, color=_CURVE, linewidth=1.1)
