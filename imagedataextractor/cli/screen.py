"""`ide screen`: one printable page on a sample by the European definition of a nanomaterial."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from imagedataextractor.cli.options import db_option

__all__ = ["command"]


@click.command("screen")
@click.argument("sample")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("screening.html"),
    show_default=True,
    help="The page: .html or .pdf.",
)
@click.option(
    "--group-by", help="The names are those of groups: sample, folder, figure, material, … or a column of --groups."
)
@click.option(
    "--groups", type=click.Path(path_type=Path), help="CSV with a line a picture: file, panel and the groups' columns."
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as one JSON object.")
@db_option
def command(sample: str, out: Path, group_by: str | None, groups: Path | None, as_json: bool, db: str | None) -> None:
    """Screen a sample by the European definition of a nanomaterial, and write one printable page.

    SAMPLE is a file of particles (`ide measure --json`, `ide export`), or what the database knows: a DOI or article
    key, a picture, a folder of pictures, or a group as `ide summary` names them.
    """
    import imagedataextractor as ide

    found = ide.screen(sample, out, group_by=group_by, groups=groups, db=db)
    verdict = found.verdict
    if as_json:
        click.echo(json.dumps({"sample": sample, "page": str(out), **dataclasses.asdict(verdict)}))
        return
    share = "" if verdict.share is None else f", {100 * verdict.share:.1f} % at or below 100 nm"
    click.echo(f"{out}: {verdict.verdict}{share}, n = {verdict.n}; {found.sample.pooled().sentence()}")
