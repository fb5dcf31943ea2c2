"""`ide mine`: a bulk run over many articles."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagedataextractor.cli.options import (
    command_line,
    db_option,
    licence_option,
    scale_options,
    segmentation_options,
)

if TYPE_CHECKING:
    from imagedataextractor.mining.bulk import MineResult, Preview

__all__ = ["command"]

#: Targets that --dry-run names.
_SHOWN = 20


@click.command("mine")
@click.argument("what", required=False, metavar="[DEFINITION|FOLDER]")
@click.option("--dois", "doi_file", type=click.Path(path_type=Path), metavar="FILE", help="Articles by DOI.")
@licence_option
@db_option
@click.option("--workers", type=click.IntRange(min=0), metavar="N", help="Worker processes; 0: one a core.")
@click.option("--inline", is_flag=True, help="No worker processes: for a debugger.")
@click.option("--dask", metavar="ADDRESS", help="Workers of a Dask cluster, as tcp://host:8786.")
@click.option(
    "--dask-resource", "resources", multiple=True, metavar="NAME=N", help="Dask resource a call takes: GPU=1."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N targets.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--again", is_flag=True, help="Do again what is finished.")
@click.option("--assume-em", is_flag=True, help="Take every panel for a micrograph of particles.")
@click.option("--retry-set-aside", is_flag=True, help="Try again what was set aside for killing its workers.")
@click.option("--wait", is_flag=True, help="Wait while another `ide mine` works on the same database.")
@click.option("--keep-figures/--drop-figures", default=None, help="Keep downloads once they are in the database.")
@click.option("--log", "log_file", type=click.Path(path_type=Path), metavar="FILE", help="JSON lines with the run id.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@scale_options
@segmentation_options
def command(
    what: str | None,
    doi_file: Path | None,
    licences: tuple[str, ...],
    db: str | None,
    workers: int | None,
    inline: bool,
    dask: str | None,
    resources: tuple[str, ...],
    limit: int | None,
    dry_run: bool,
    again: bool,
    assume_em: bool,
    retry_set_aside: bool,
    wait: bool,
    keep_figures: bool | None,
    log_file: Path | None,
    as_json: bool,
    ocr: str | None,
    scalebar: str | None,
    bar_px: float | None,
    field_width: str | None,
    nm_per_px: float | None,
    scales: str | None,
    **segmentation: Any,
) -> None:
    """Mine a corpus into the database: resumable, parallel.

    DEFINITION is a TOML file, or the name of one that comes with the program; instead, a FOLDER of
    articles and images, or a list of DOIs as `ide search` writes it. What is finished in the database
    is passed over, so the same command again goes on where the last one stopped, however that was.
    Ctrl-C finishes what is in flight; a second one stops at once.
    """
    import imagedataextractor as ide

    given: dict[str, Any] = {
        **segmentation,
        "ocr": ocr,
        "licences": licences,
        "nm_per_px": nm_per_px,
        "scalebar": scalebar,
        "bar_px": bar_px,
        "field_width": field_width,
        "scales": scales,
        "assume_em": assume_em,
        "dois": doi_file,
        "db": db,
        "limit": limit,
        "again": again,
        "retry_set_aside": retry_set_aside,
        "report": _tell,
    }
    if dry_run:
        _preview(ide.preview_mine(what, shown=_SHOWN, **given), as_json=as_json)
        return
    result = ide.mine(
        what,
        workers=workers,
        keep_figures=keep_figures,
        wait=wait,
        inline=inline,
        dask=dask,
        resources=_resources(resources),
        log=log_file,
        command=command_line(sys.argv),
        **given,
    )
    _summary(result, as_json=as_json)
    if result.is_stopped:
        # Downloads under way would be waited for; everything that counts is committed.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(result.exit_code)
    if result.exit_code:
        raise click.exceptions.Exit(result.exit_code)


def _tell(line: str) -> None:
    click.echo(f"ide: {line}", err=True)


def _resources(given: tuple[str, ...]) -> dict[str, float]:
    from imagedataextractor.errors import UsageError

    found = {}
    for item in given:
        name, _, amount = item.partition("=")
        try:
            found[name] = float(amount or 1)
        except ValueError:
            raise UsageError(f"--dask-resource takes NAME=N, not {item!r}") from None
    return found


def _preview(found: Preview, *, as_json: bool) -> None:
    """What a run would find to do."""
    survey = found.survey
    if as_json:
        content = {**dataclasses.asdict(survey), "to_do": survey.to_do, "first": [target.key for target in found.first]}
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    for line in survey.lines():
        click.echo(line)
    click.echo(f"would do {survey.to_do:,}, into {found.database}:")
    for target in found.first:
        click.echo(f"  {target.key}")
    if survey.to_do > len(found.first):
        click.echo(f"  … and {survey.to_do - len(found.first):,} more")


def _summary(result: MineResult, *, as_json: bool) -> None:
    counts = result.counts
    if as_json:
        click.echo(json.dumps({"run": result.run, "state": result.state, **dataclasses.asdict(counts)}))
    else:
        for line in result.lines():
            click.echo(line)
        _tell(result.time_line())
    if counts.waiting:
        _tell(f"{counts.waiting:,} articles wait for the quota of a service{_renewed(counts.resume_at)}")
    if result.state == "interrupted" and not counts.waiting:
        _tell("stopped; the same command again goes on from here")
    elif counts.failed + counts.set_aside:
        _tell("not all could be done: see `ide status`; the same command again retries what failed")


def _renewed(resume_at: float) -> str:
    """When and how a run that waits for a quota goes on."""
    when = time.strftime(", renewed at %Y-%m-%d %H:%M UTC", time.gmtime(resume_at)) if resume_at else ""
    return f"{when}: the same command goes on with them then"
