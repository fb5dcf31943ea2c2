"""`ide compare`: two samples."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

import click

from imagedataextractor.cli.options import db_option

__all__ = ["command"]


@click.command("compare")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--by",
    type=click.Choice(["ecd_nm", "feret_min_nm"]),
    default="ecd_nm",
    show_default=True,
    help="The size that is compared.",
)
@click.option(
    "--group-by", help="The names are those of groups: sample, folder, figure, material, … or a column of --groups."
)
@click.option(
    "--groups", type=click.Path(path_type=Path), help="CSV with a line a picture: file, panel and the groups' columns."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@db_option
def command(
    first: str,
    second: str,
    by: Literal["ecd_nm", "feret_min_nm"],
    group_by: str | None,
    groups: Path | None,
    as_json: bool,
    db: str | None,
) -> None:
    """Compare the sizes of two samples: distributions and means, with intervals.

    A and B are files of particles (`ide measure --json`, `ide export`), or what the database knows: a DOI or
    article key, a picture, a folder of pictures, or a group as `ide summary` names them.
    """
    import imagedataextractor as ide

    found = ide.compare(first, second, by=by, group_by=group_by, groups=groups, db=db)
    if as_json:
        click.echo(json.dumps({"a": first, "b": second, "by": by, **dataclasses.asdict(found)}))
        return
    click.echo(f"A  {first}: n = {found.n[0]}" + (f", mean {found.means[0]:.4g} nm" if found.means else ""))
    click.echo(f"B  {second}: n = {found.n[1]}" + (f", mean {found.means[1]:.4g} nm" if found.means else ""))
    if found.difference is None or found.means is None:
        click.echo("too few particles to compare; five of each are needed")
        return
    apart = found.difference
    click.echo(
        f"B − A: {apart.value:+.4g} nm (95 %: {apart.low:+.4g} … {apart.high:+.4g}; scale and edge included), "
        f"p = {found.p_means:.2g}"
    )
    click.echo(f"distributions: Kolmogorov–Smirnov D = {found.statistic:.3f}, p = {found.p:.2g}")
