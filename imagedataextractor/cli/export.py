"""`ide export`: the measured particles for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from imagedataextractor.cli.options import db_option

__all__ = ["command"]


@click.command("export")
@click.argument("names", nargs=-1, metavar="[PICTURE|FOLDER|DOI…]")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "parquet", "coco", "emps", "imagej", "rois"]),
    help="[default: by the ending of --out; csv on stdout]",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="File to write; - or none: stdout.")
@click.option("--accepted", is_flag=True, help="Only the accepted particles.")
@click.option("--columns", metavar="NAME,NAME…", help="Columns of the CSV, in this order [default: all].")
@click.option("--digits", type=click.IntRange(1, 17), metavar="N", help="Significant digits in the CSV [default: all].")
@click.option("--bom", is_flag=True, help="Begin the CSV with a byte order mark, by which Excel knows UTF-8.")
@db_option
def command(
    names: tuple[str, ...],
    format_: str | None,
    out: Path | None,
    accepted: bool,
    columns: str | None,
    digits: int | None,
    bom: bool,
    db: str | None,
) -> None:
    """Write the measured particles for other programs.

    CSV and Parquet hold the view measured_particles, one row a particle. COCO is the JSON of the
    COCO data set, with each particle's polygon in pixels of its figure's picture. "imagej" is a table with the
    columns of ImageJ's results, in nm; "rois" a .zip for its ROI Manager, of one picture. "emps" writes the panels that
    were looked at (`ide review`) into a folder, as training data for `ide train segmentation`.

    \b
    ide export --accepted --columns figure,particle,ecd_nm,aspect_ratio --digits 4 --bom --out sizes.csv
    ide export micrograph.tif --accepted --out rois.zip
    """  # noqa: D301
    import imagedataextractor as ide

    if out is not None and str(out) == "-":
        out = None
    chosen = [name.strip() for name in columns.split(",") if name.strip()] if columns is not None else []
    with ide.open_database(db) as database:
        if format_ == "emps":
            written, left_out = database.export_reviewed(out)
            for words in left_out:
                click.echo(f"left out: {words}", err=True)
            click.echo(f"{written:,} reviewed panels written to {out}", err=True)
            raise click.exceptions.Exit(1 if left_out else 0)
        count = database.export(out, *names, format=format_, accepted=accepted, columns=chosen, digits=digits, bom=bom)
    click.echo(f"{count:,} particles{'' if out is None else f' written to {out}'}", err=True)
