"""`ide status`: what a run has done, what failed, and why."""

from __future__ import annotations

import json
from typing import Any

import click

from imagedataextractor.cli._output import print_table
from imagedataextractor.cli.options import db_option

__all__ = ["command"]


@click.command("status")
@click.option("--run", "run_id", metavar="ID", help="One run [default: the last].")
@click.option("--failures", "limit", type=click.IntRange(0), default=20, show_default=True, help="Failures to show.")
@click.option("--migrate", is_flag=True, help="Bring a database of an older schema up to date first.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
@db_option
def command(run_id: str | None, limit: int, migrate: bool, as_json: bool, db: str | None) -> None:
    """What a run has done, what failed, and why.

    May be called from another shell while a run is under way.
    """
    import imagedataextractor as ide

    with ide.open_database(db, migrate=migrate) as database:
        status = database.status(run_id, failures=limit)
        if status.run is None:
            click.echo("[]" if as_json else f"{database.name}: no run yet")
            return
        if as_json:
            click.echo(json.dumps(status.as_dict(), ensure_ascii=False, indent=2))
            return
        _print(database.name, status.run, status.rows, status.open_failures)
        if status.failures:
            click.echo("")
            print_table(("stage", "target", "error", "message", "attempt"), status.failures)
            if status.open_failures > len(status.failures):
                click.echo(f"… and {status.open_failures - len(status.failures)} more: ide query --named failures")


def _print(name: str, run: dict[str, Any], rows: dict[str, int], open_failures: int) -> None:
    click.echo(f"database  {name}")
    click.echo(f"run       {run['id']}: {run['state']}, {run['command']}")
    finished = f", finished {run['finished_at']}" if run["finished_at"] else f", last sign {run['updated_at']}"
    click.echo(f"time      started {run['started_at']}{finished}")
    if run["targets_total"] is not None:
        left = run["targets_total"] - run["targets_done"] - run["targets_failed"] - run["targets_skipped"]
        click.echo(
            f"targets   {run['targets_total']:,}: {run['targets_done']:,} done, {run['targets_failed']:,} failed, "
            f"{run['targets_skipped']:,} done before, {left:,} to do"
        )
    click.echo("holds     " + ", ".join(f"{count:,} {table}" for table, count in rows.items()))
    click.echo(f"failures  {open_failures:,} open")
