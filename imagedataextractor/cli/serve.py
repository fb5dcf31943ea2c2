"""`ide serve`: Datasette on the database."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from imagedataextractor.cli.options import db_option

__all__ = ["command"]


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="0 takes any free one.")
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of overlays (`ide extract --pictures`), served below /pictures/.",
)
@db_option
def command(host: str, port: int, pictures: Path | None, db: str | None) -> None:
    """Browse the database in a web browser, with Datasette. Read-only; Ctrl-C ends it.

    Particles lead to a crop of their micrograph and panels to their overlay, drawn from the pictures where they lie.
    """
    import imagedataextractor as ide

    with ide.open_database(db) as database:
        database.serve(host=host, port=port, pictures=pictures, report=functools.partial(click.echo, err=True))
