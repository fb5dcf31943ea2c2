"""`ide train scalebar`: the models that judge scale bars."""

from __future__ import annotations

import functools
from pathlib import Path

import click

__all__ = ["command"]


@click.command("scalebar")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    required=True,
    help="Hand-read bars, as CSV: filename, has_bar (yes, no, unreadable), value, unit, x0, x1, y, bar_px.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The models' file, JSON.")
@click.option("--cache", type=click.Path(path_type=Path), help="Keep what OCR reads in this file, for a second run.")
@click.option(
    "--drawn",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Drawn pictures for the ranking to learn from, too; they have made it worse on other articles' bars.",
)
def command(data: Path, labels: Path, out: Path, cache: Path | None, drawn: int) -> None:
    """Fit the models that judge scale bars on hand-read ones.

    DATA is a folder in the EMPS layout (images/, and metadata.csv with the article of each, if known). The models are
    fitted on all images; how sure they are is learned by folds of whole articles.
    """
    from imagedataextractor.api import train_scalebar

    file = train_scalebar(
        data, out, labels=labels, cache=cache, drawn=drawn, report=functools.partial(click.echo, err=True)
    )
    click.echo(file)
