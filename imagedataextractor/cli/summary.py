"""`ide summary`: statistics of sizes by sample."""

from __future__ import annotations

import click

from imagedataextractor.cli._output import print_csv, print_json, print_table
from imagedataextractor.cli.options import db_option, group_options

__all__ = ["command"]


@click.command("summary")
@group_options
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@db_option
def command(
    names: tuple[str, ...],
    group_by: str | None,
    groups: str | None,
    quantity: str,
    as_csv: bool,
    as_json: bool,
    db: str | None,
) -> None:
    """Statistics of the accepted particles, one line a sample.

    By number: mean with its 95 % interval, standard deviation, median, D10, D50, D90. Below five particles nothing
    is estimated that so few cannot tell. Without names, of everything in the database.

    \b
    ide summary
    ide summary sample-A/ sample-B/ --group-by folder --csv
    ide summary --groups samples.csv --group-by sample
    """  # noqa: D301
    import imagedataextractor as ide
    from imagedataextractor.errors import UsageError

    if as_csv and as_json:
        raise UsageError("summary: --csv or --json, not both")
    found = ide.summary(*names, db=db, group_by=group_by, groups=groups, quantity=quantity)
    if as_csv:
        print_csv(found.names, found)
    elif as_json:
        print_json(found.names, found)
    else:
        shown = [name for name in found.names if "_low" not in name and "_high" not in name]
        places = [found.names.index(name) for name in shown]
        print_table(shown, [tuple(row[place] for place in places) for row in found])
        without = sum(row[found.names.index("without_scale")] for row in found)
        if without:
            click.echo(
                f"ide: {without:,} panels have no scale and give nothing in nm; give it with `ide correct` or "
                "`ide extract --scales`",
                err=True,
            )
