"""`ide train figures`: the networks of the figures stage."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from imagedataextractor.training.figures.amounts import NETWORKS, Amounts, NetworkName

__all__ = ["command"]

_DEFAULT = Amounts()


@click.command("figures")
@click.argument("micrographs", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the weights.")
@click.option(
    "--network",
    "networks",
    type=click.Choice(NETWORKS),
    multiple=True,
    default=NETWORKS,
    show_default=True,
    help="glyphs reads letters, letters chooses among sequences of them, kinds tells what a panel shows, cuts finds "
    "the gutters and seams of figures. Can be given several times.",
)
@click.option(
    "--panels",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Labelled figures, as JSON: a list of file and panels (x0, y0, x1, y1, label, kind). Can be repeated.",
)
@click.option(
    "--data",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where those figures lie, if not beside their labels. Can be given several times.",
)
@click.option(
    "--glyphs", type=click.IntRange(min=1), default=_DEFAULT.glyphs, show_default=True, help="Characters to draw."
)
@click.option(
    "--letters",
    type=click.IntRange(min=0),
    default=_DEFAULT.letters,
    show_default=True,
    help="Figures to draw for letters.",
)
@click.option(
    "--kinds", type=click.IntRange(min=1), default=_DEFAULT.kinds, show_default=True, help="Panels to draw for kinds."
)
@click.option(
    "--cuts",
    type=click.IntRange(min=0),
    default=_DEFAULT.cuts,
    show_default=True,
    help="Figures to draw for cuts, and as many again whose images touch.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes; the weights are the same with any number.",
)
def command(
    micrographs: Path,
    out: Path,
    networks: tuple[NetworkName, ...],
    panels: tuple[Path, ...],
    data: tuple[Path, ...],
    glyphs: int,
    letters: int,
    kinds: int,
    cuts: int,
    seed: int,
    workers: int,
) -> None:
    """Train the networks that split figures, on drawn figures and labelled ones.

    MICROGRAPHS is a folder of pictures to draw with. Figures are read with the networks in --out, as far as they are
    there already, else with the installed ones. Figures whose labels say "set": "kept" are never learned from.
    """
    from imagedataextractor.api import train_figures

    folder = train_figures(
        micrographs,
        out,
        networks=networks,
        panels=panels,
        data=data,
        amounts=Amounts(glyphs, letters, kinds, cuts),
        seed=seed,
        workers=workers,
        report=functools.partial(click.echo, err=True),
    )
    click.echo(folder)
