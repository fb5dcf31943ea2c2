"""`ide review`: look at panels in a browser, and correct them."""

from __future__ import annotations

import functools

import click

from imagedataextractor.cli.options import db_option

__all__ = ["command"]


@click.command("review")
@click.option("--port", type=click.IntRange(0, 65535), default=8002, show_default=True, help="0 takes any free one.")
@db_option
def command(port: int, db: str | None) -> None:
    """Look at panels and correct them, with the keyboard or the mouse, in a web browser.

    The page is for this machine alone (127.0.0.1). Corrections are those of `ide correct`; Ctrl-C ends it.
    """
    import imagedataextractor as ide

    with ide.open_database(db, migrate=True) as database:
        database.review(port=port, report=functools.partial(click.echo, err=True))
