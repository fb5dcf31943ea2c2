"""Samples and their sizes: the pictures of a database by group, and what is known of each group's particles.

A group is the pictures of one sample. Every accepted particle of a group with a scale counts once; the statistics are
those of `measurement.distributions`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.measurement.distributions import Description, describe
from imagedataextractor.pictures import PictureTable, distinct_names, figures_named, read_picture_table
from imagedataextractor.results import PlotWords, Rows
from imagedataextractor.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["GROUPINGS", "QUANTITIES", "Group", "groups_of", "members_of", "plot_groups", "summary_rows", "unit_of"]

Reals = npt.NDArray[np.float64]

#: What a summary can be of: column of particles → its axis. Of these, those in nm need a scale.
QUANTITIES: Mapping[str, str] = {
    "ecd_nm": "equivalent circular diameter",
    "feret_max_nm": "maximum Feret diameter",
    "feret_min_nm": "minimum Feret diameter",
    "area_nm2": "area",
    "perimeter_nm": "perimeter",
    "aspect_ratio": "aspect ratio",
    "circularity": "circularity",
    "solidity": "solidity",
}
#: Histograms that one figure has room for: eight rows of three, a page and a half.
_MOST_FIELDS = 24
#: Particles are asked for so many segmentations at a time.
_BLOCK = 500
#: Name of the group of what a grouping says nothing of.
_REST = "(none)"

_PANELS = (
    "SELECT s.id, f.id, a.doi, a.key, a.source, a.title, a.journal, a.year, f.label, f.image_path, n.label, "
    "n.panel_index, n.technique, n.material, s.nm_per_px "
    "FROM articles a JOIN figures f ON f.article_id = a.id JOIN panels n ON n.figure_id = f.id "
    "JOIN segmentations s ON s.panel_id = n.id AND s.is_current ORDER BY a.id, f.id, n.panel_index"
)


@dataclass(frozen=True)
class _Panel:
    """A measured panel, as far as groups go."""

    segmentation_id: int
    figure_id: int
    doi: str | None
    key: str
    source: str
    title: str
    journal: str
    year: int | None
    figure: str
    image_path: str | None
    label: str | None
    index: int
    technique: str | None
    material: str | None
    nm_per_px: float | None

    @property
    def article(self) -> str:
        return self.title if self.source == "image" else self.doi or self.key

    @property
    def picture(self) -> str:
        return self.article if self.source == "image" else f"{self.article} {self.figure}"

    @property
    def folder(self) -> str:
        return os.path.dirname(self.image_path) if self.image_path else _REST

    @property
    def sample(self) -> str:
        """The folder of a picture by itself, the figure of an article."""
        return self.folder if self.source == "image" and self.image_path else self.picture


def _panel_name(panel: _Panel) -> str:
    return f"{panel.picture} {panel.label or f'[{panel.index + 1}]'}"


#: Name → which group a panel belongs to.
GROUPINGS: Mapping[str, Callable[[_Panel], str]] = {
    "sample": lambda panel: panel.sample,
    "folder": lambda panel: panel.folder,
    "picture": lambda panel: panel.picture,
    "panel": _panel_name,
    "figure": lambda panel: panel.picture,
    "article": lambda panel: panel.article,
    "journal": lambda panel: panel.journal or _REST,
    "year": lambda panel: str(panel.year or _REST),
    "material": lambda panel: panel.material or _REST,
    "technique": lambda panel: panel.technique or _REST,
    "all": lambda _: "all",
}
#: Groupings whose names are paths, shown by as much of them as tells them apart.
_BY_PATH = ("sample", "folder")


@dataclass(frozen=True, eq=False)
class Group:
    """The accepted particles of one sample.

    Attributes
    ----------
    name : str
    pictures, panels, without_scale : int
        Files; measured panels, and those among them that have no scale and give nothing in nm.
    values : float array, shape (n,)
        The quantity of each accepted particle.
    """

    name: str
    pictures: int
    panels: int
    without_scale: int
    values: Reals

    def describe(self) -> Description:
        """Statistics with intervals; empty below `measurement.distributions.FEWEST` particles."""
        return describe(self.values)


def unit_of(quantity: str) -> str:
    """nm, nm² or nothing."""
    return {"nm": "nm", "nm2": "nm²"}.get(quantity.rsplit("_", 1)[-1], "")


def groups_of(
    store: Store,
    names: Sequence[str | Path] = (),
    *,
    group_by: str | None = None,
    groups: str | Path | None = None,
    quantity: str = "ecd_nm",
) -> list[Group]:
    """The particles of a database, sample by sample, in the order of the database.

    Parameters
    ----------
    store : Store
        Opened read-only.
    names : sequence of str or path
        Only these pictures, folders and articles; by default all.
    group_by : str, optional
        One of `GROUPINGS`, or a column of `groups`; by default the only column of `groups`, else "sample": the
        folder of pictures by themselves, the figure of an article.
    groups : path, optional
        A CSV file with the columns file, panel (if any) and others.
    quantity : str
        One of `QUANTITIES`.

    Raises
    ------
    UsageError
        There is no such grouping or quantity.
    InputError
        A name is not in the database, or the CSV file makes no sense.
    """
    if quantity not in QUANTITIES:
        raise UsageError(f"no quantity is called {quantity!r}; there are: {', '.join(QUANTITIES)}")
    members = _members(store, names, group_by, groups)
    panels = [panel for of_group in members.values() for panel in of_group]
    values = _values(store, [panel.segmentation_id for panel in panels], quantity)
    return [_group(name, of_group, values, quantity) for name, of_group in members.items()]


def members_of(
    store: Store, *, group_by: str | None = None, groups: str | Path | None = None
) -> dict[str, tuple[int, ...]]:
    """Name of each group → ids of its segmentations; arguments and errors as in `groups_of`."""
    members = _members(store, (), group_by, groups)
    return {name: tuple(panel.segmentation_id for panel in of_group) for name, of_group in members.items()}


def _members(
    store: Store, names: Sequence[str | Path], group_by: str | None, groups: str | Path | None
) -> dict[str, list[_Panel]]:
    table = None if groups is None else read_picture_table(groups)
    key = _grouping(group_by, table)
    panels = [_Panel(*row) for row in store.query(_PANELS)[1]]
    if names:
        wanted = {figure.figure_id for name in names for figure in figures_named(store, name)}
        panels = [panel for panel in panels if panel.figure_id in wanted]
    if not panels:
        raise InputError(f"{store.name}: there is no measured picture{' of that name' if names else ''}")
    members: dict[str, list[_Panel]] = {}
    for panel in panels:
        members.setdefault(key(panel), []).append(panel)
    shown = distinct_names(list(members)) if table is None and (group_by or "sample") in _BY_PATH else {}
    return {shown.get(name, name): of_group for name, of_group in members.items()}


def _grouping(group_by: str | None, table: PictureTable | None) -> Callable[[_Panel], str]:
    if table is None:
        name = group_by or "sample"
        if name not in GROUPINGS:
            raise UsageError(
                f"group-by: there is no grouping {name!r}; there are: {', '.join(GROUPINGS)}, and the columns of a "
                "CSV file given with --groups"
            )
        return GROUPINGS[name]
    column = (group_by or (table.columns[0] if len(table.columns) == 1 else "")).lower()
    if column not in table.columns:
        raise UsageError(f"group-by: name a column of {table.path}: {', '.join(table.columns) or 'it has none'}")

    def in_table(panel: _Panel) -> str:
        line = None if panel.image_path is None else table.line_of(panel.image_path, panel.label, panel.index)
        return (line[column] if line is not None else "") or _REST

    return in_table


def _values(store: Store, segmentations: Sequence[int], quantity: str) -> dict[int, list[float]]:
    """The quantity of the accepted particles of each segmentation."""
    found: dict[int, list[float]] = {}
    for start in range(0, len(segmentations), _BLOCK):
        ids = ", ".join(str(int(number)) for number in segmentations[start : start + _BLOCK])
        sql = (
            f"SELECT segmentation_id, {quantity} FROM particles "
            f"WHERE segmentation_id IN ({ids}) AND accepted AND {quantity} IS NOT NULL ORDER BY segmentation_id, label"
        )
        for number, value in store.iterate(sql)[1]:
            found.setdefault(number, []).append(value)
    return found


def _group(name: str, panels: Sequence[_Panel], values: Mapping[int, Sequence[float]], quantity: str) -> Group:
    sizes = [value for panel in panels for value in values.get(panel.segmentation_id, ())]
    missing = sum(panel.nm_per_px is None for panel in panels) if unit_of(quantity) else 0
    return Group(name, len({panel.figure_id for panel in panels}), len(panels), missing, np.array(sizes, float))


# ---------------------------------------------------------------- as rows


def summary_rows(groups: Sequence[Group], quantity: str = "ecd_nm") -> Rows:
    """One row a group: how many pictures and particles, mean, sd, median, quantiles, with 95 % intervals.

    Below five particles there is no interval and no quantile, and nothing is estimated from fewer than there are.
    """
    suffix = quantity.rsplit("_", 1)[-1]
    end = f"_{suffix}" if unit_of(quantity) else ""
    names = ("mean", "mean_low", "mean_high", "sd", "median", "median_low", "median_high", "d10", "d50", "d90")
    columns = ("group", "pictures", "panels", "without_scale", "n", *(f"{name}{end}" for name in names))
    rows = []
    for group in groups:
        found = _statistics(group)
        rows.append(
            (
                *(group.name, group.pictures, group.panels, group.without_scale, len(group.values)),
                *(found.get(name) for name in names),
            )
        )
    return Rows(columns, rows)


def _statistics(group: Group) -> dict[str, float | None]:
    estimates = group.describe().estimates
    found: dict[str, Any] = {}
    for name, estimate in estimates.items():
        found[name] = estimate.value
        if name in ("mean", "median"):
            found[f"{name}_low"], found[f"{name}_high"] = estimate.low, estimate.high
    if not estimates and len(group.values):
        found = {"mean": float(group.values.mean()), "median": float(np.median(group.values))}
        if len(group.values) > 1:
            found["sd"] = float(group.values.std(ddof=1))
    return found


# ---------------------------------------------------------------- as a figure


def plot_groups(
    groups: Sequence[Group],
    figure: Figure,
    quantity: str,
    style: PlotWords,
    *,
    title: str | None = None,
    out: str | Path | None = None,
) -> None:
    """Draw one histogram a group into an empty figure, and write it where `out` is given.

    Raises
    ------
    UsageError
        There are more groups than a figure has room for.
    InputError
        No group has a particle, or the file cannot be written.
    """
    from imagedataextractor.report.plots import PlotStyle, save_figure, size_figure

    filled = {group.name: group.values for group in groups if len(group.values)}
    if len(filled) > _MOST_FIELDS:
        raise UsageError(
            f"plot: {len(filled)} groups do not fit one figure; name some of them, or pool them with --group-by all"
        )
    unit = unit_of(quantity)
    if not filled and any(group.without_scale for group in groups):
        raise InputError("plot: none of the pictures has a scale; give one with `ide correct` or --scales")
    axis = QUANTITIES[quantity] + (f" / {unit}" if unit else "")
    size_figure(filled, figure, axis=axis, unit=unit, title=title, style=PlotStyle(**style))
    if out is not None:
        save_figure(figure, out)
