"""`ide plot`: size distributions as a paper prints them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imagedataextractor.cli.options import FiniteRange, db_option, group_options

__all__ = ["command"]


@click.command("plot")
@group_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("sizes.pdf"),
    show_default=True,
    help="The figure: .pdf, .svg, or .png and .tif at 300 dpi.",
)
@click.option(
    "--fit",
    type=click.Choice(["lognormal", "normal", "none"]),
    default="lognormal",
    show_default=True,
    help="The curve over the bars.",
)
@click.option("--bins", type=click.IntRange(min=1), metavar="N", help="Bars [default: by Rice's rule].")
@click.option("--bin-width", type=FiniteRange(min=0, min_open=True), metavar="X", help="Width of a bar, as in nm.")
@click.option(
    "--column",
    type=click.Choice(["single", "double"]),
    help="Width: 85 or 170 mm [default: single for one histogram, double for several].",
)
@click.option("--title", help="A title above all.")
@db_option
def command(out: Path, **given: Any) -> None:
    """Plot the size distribution of each sample, side by side; --group-by all pools them in one.

    Each histogram says mean ± standard deviation and n. Below five particles there is neither a curve nor a mean.

    \b
    ide plot sample-A/ sample-B/ --group-by folder --out figure2.pdf
    ide plot --group-by all --fit normal --bin-width 1 --column single --out sizes.png
    """  # noqa: D301
    import matplotlib as mpl

    mpl.use("agg")
    import imagedataextractor as ide

    names = given.pop("names")
    ide.plot(*names, out=out, **given)
    click.echo(str(out))
