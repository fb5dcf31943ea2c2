"""Size distributions as a paper prints them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.report.plots import PlotStyle, mean_and_sd, plot_sizes, save_figure, size_figure

SIZES = np.random.default_rng(0).lognormal(3, 0.2, 80)


def drawn(groups, **style) -> Figure:
    figure = Figure()
    FigureCanvasAgg(figure)
    size_figure(groups, figure, axis="ECD / nm", style=PlotStyle(**style))
    return figure


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_figure_is_as_wide_as_a_column_at_300_dpi(suffix: str, tmp_path: Path) -> None:
    plot_sizes({"a": SIZES, "b": [5.0], "empty": []}, tmp_path / f"sizes.{suffix}", title="All", style=PlotStyle())
    assert (tmp_path / f"sizes.{suffix}").stat().st_size > 2000
    if suffix == "png":
        assert Image.open(tmp_path / "sizes.png").width == pytest.approx(170 / 25.4 * 300, abs=1)
    if suffix == "svg":
        assert "n = 80" in (tmp_path / "sizes.svg").read_text()  # letters stay letters


def test_each_group_has_its_bars_mean_and_number() -> None:
    figure = drawn({"first": SIZES, "second": SIZES * 2})
    fields = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title() for ax in fields] == ["first", "second"]
    for ax, sizes in zip(fields, (SIZES, SIZES * 2), strict=True):
        assert ax.patches[0].get_data().values.sum() == 80
        (words,) = (text.get_text() for text in ax.texts)
        assert words == f"{mean_and_sd(sizes.mean(), sizes.std(ddof=1))} nm\nn = 80"
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(170)
    assert drawn({"one": SIZES}).get_size_inches()[0] * 25.4 == pytest.approx(85)


@pytest.mark.parametrize(("fit", "lines"), [("lognormal", 2), ("normal", 2), ("none", 1)])
def test_the_curve_is_the_fit_that_was_asked_for(fit: str, lines: int) -> None:
    (ax,) = drawn({"a": SIZES}, fit=fit).axes
    assert len(ax.lines) == lines  # the mean, and the curve
    if fit != "none":
        curve = ax.lines[1].get_xydata()
        area = np.trapezoid(curve[:, 1], curve[:, 0])
        counts, edges, _ = ax.patches[0].get_data()
        assert area == pytest.approx((counts * np.diff(edges)).sum(), rel=0.03)


def test_below_five_particles_there_is_no_curve_and_no_interval() -> None:
    (ax,) = drawn({"few": [4.0, 5.0, 5.5, 6.0]}).axes
    assert len(ax.lines) == 0
    assert [text.get_text() for text in ax.texts] == ["n = 4"]


def test_bins_are_those_asked_for() -> None:
    (ax,) = drawn({"a": SIZES}, bin_width=2.5).axes
    edges = ax.patches[0].get_data().edges
    assert np.allclose(np.diff(edges), 2.5)
    assert np.allclose(edges / 2.5, np.round(edges / 2.5))
    assert len(drawn({"a": SIZES}, bins=7).axes[0].patches[0].get_data().values) == 7
    with pytest.raises(UsageError, match="one of them"):
        PlotStyle(bins=3, bin_width=1.0)
    with pytest.raises(UsageError, match="bars"):
        drawn({"a": SIZES}, bin_width=1e-4)


def test_names_are_words_and_no_formulas(tmp_path: Path) -> None:
    figure = drawn({r"cost $5 \frac{": SIZES, "b_$": SIZES})
    assert save_figure(figure, tmp_path / "a.png").is_file()


def test_a_plot_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no particle"):
        plot_sizes({"a": []}, tmp_path / "sizes.png")
    with pytest.raises(InputError, match="cannot be written"):
        plot_sizes({"a": [1.0, 2.0]}, tmp_path / "sizes.unknown")
