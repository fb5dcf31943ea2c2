"""`ide review`: look at panels in a browser, and correct them."""

from __future__ import annotations

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
    from imagedataextractor.review.serving import datasette_on, listen
    from imagedataextractor.settings import load_settings

    listen(datasette_on(db or load_settings().db, review=True), "127.0.0.1", port, page="/-/review")
