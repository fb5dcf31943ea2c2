"""`ide report`: a self-contained HTML report."""

from __future__ import annotations

import json
from pathlib import Path

import click

from imagedataextractor.cli.options import db_option

__all__ = ["command"]


@click.command("report")
@click.argument("names", nargs=-1, metavar="[PICTURE|FOLDER|DOI…]")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True, help="The HTML file."
)
@click.option("--doi", "dois", multiple=True, metavar="DOI", help="As a name: only this article; may be repeated.")
@click.option(
    "--max-panels",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Panels shown, about 100 kB each; the totals are of all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as one JSON object.")
@db_option
def command(
    names: tuple[str, ...], out: Path, dois: tuple[str, ...], max_panels: int, as_json: bool, db: str | None
) -> None:
    """Write overlays, size distributions, statistics, failures and provenance into one HTML file."""
    import imagedataextractor as ide

    with ide.open_database(db) as database:
        rows = database.report(out, *names, *dois, max_panels=max_panels)
    if as_json:
        content = {"report": str(out), "panels": len(rows.panels), "particles": rows.particles}
        click.echo(json.dumps(content))
    else:
        told = [(rows.articles, "articles"), (rows.pictures, "own pictures")]
        whose = " and ".join(f"{number:,} {thing}" for number, thing in told if number) or "nothing"
        click.echo(f"{out}: {len(rows.panels):,} panels of {whose}, {rows.accepted:,} accepted particles")
