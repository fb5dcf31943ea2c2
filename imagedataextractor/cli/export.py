"""`ide export`: the measured particles as CSV, Parquet or COCO."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from imagedataextractor.cli.options import db_option
from imagedataextractor.errors import UsageError
from imagedataextractor.settings import load_settings
from imagedataextractor.store import Store
from imagedataextractor.store.export import FORMATS, export, write_coco, write_csv

__all__ = ["command"]


_ENDINGS = {".csv": "csv", ".parquet": "parquet", ".json": "coco"}


@click.command("export")
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="[default: by the ending of --out; csv on stdout]"
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="File to write; - or none: stdout.")
@click.option("--accepted", is_flag=True, help="Only the accepted particles.")
@db_option
def command(format_: str | None, out: Path | None, accepted: bool, db: str | None) -> None:
    """Write the measured particles for other programs.

    CSV and Parquet hold the view measured_particles, one row a particle. COCO is the JSON of the
    COCO data set, with each particle's polygon in pixels of its figure's picture.
    """
    if out is not None and str(out) == "-":
        out = None
    chosen = format_ or ("csv" if out is None else _format_of(out))
    if out is None and chosen == "parquet":
        raise UsageError("export: Parquet is written to a file; give --out FILE")
    with Store.open(db or load_settings().db, read_only=True) as store:
        if out is None:
            write = write_csv if chosen == "csv" else write_coco
            count = write(store, sys.stdout, accepted_only=accepted)
        else:
            count = export(store, chosen, out, accepted_only=accepted)
    click.echo(f"{count:,} particles{'' if out is None else f' written to {out}'}", err=True)


def _format_of(out: Path) -> str:
    """The format that the ending of a file's name stands for."""
    ending = out.suffix.lower()
    if ending not in _ENDINGS:
        raise UsageError(f"export: {out}: no format ends in {ending!r}; use {', '.join(_ENDINGS)}, or give --format")
    return _ENDINGS[ending]
