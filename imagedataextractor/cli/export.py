"""`ide export`: the measured particles as CSV, Parquet or COCO."""

from __future__ import annotations

from pathlib import Path

import click

from imagedataextractor.cli.options import db_option

__all__ = ["command"]


@click.command("export")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "parquet", "coco", "emps"]),
    help="[default: by the ending of --out; csv on stdout]",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="File to write; - or none: stdout.")
@click.option("--accepted", is_flag=True, help="Only the accepted particles.")
@db_option
def command(format_: str | None, out: Path | None, accepted: bool, db: str | None) -> None:
    """Write the measured particles for other programs.

    CSV and Parquet hold the view measured_particles, one row a particle. COCO is the JSON of the
    COCO data set, with each particle's polygon in pixels of its figure's picture. emps writes the panels that were
    looked at (`ide review`) into a folder, as training data for `ide train`.
    """
    import imagedataextractor as ide

    if out is not None and str(out) == "-":
        out = None
    with ide.open_database(db) as database:
        if format_ == "emps":
            written, left_out = database.export_reviewed(out)
            for words in left_out:
                click.echo(f"left out: {words}", err=True)
            click.echo(f"{written:,} reviewed panels written to {out}", err=True)
            raise click.exceptions.Exit(1 if left_out else 0)
        count = database.export(out, format=format_, accepted=accepted)
    click.echo(f"{count:,} particles{'' if out is None else f' written to {out}'}", err=True)
