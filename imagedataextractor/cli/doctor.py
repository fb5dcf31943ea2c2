"""`ide doctor`: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

import click

from imagedataextractor.cli._output import print_json
from imagedataextractor.cli.options import db_option

__all__ = ["command"]

_MARKS = {"ok": "ok      ", "missing": "MISSING ", "optional": "–       "}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of findings.")
@db_option
def command(as_json: bool, db: str | None) -> None:
    """Say what is installed, which device, which API keys, which weights, and what to do.

    Exits with 1 if something is missing without which `ide extract` cannot work.
    """
    import imagedataextractor as ide

    findings = ide.doctor(db=db)
    if as_json:
        print_json(findings.names, findings)
    else:
        for what, state, detail, advice in findings:
            click.echo(f"{_MARKS[state]} {what:<34} {detail}")
            if advice:
                click.echo(f"{'':9}{'':35}→ {advice}")
    if any(state == "missing" for _, state, *_ in findings):
        raise click.exceptions.Exit(1)
