"""`ide search`: DOIs of articles, into a file that `ide mine` reads."""

from __future__ import annotations

from pathlib import Path

import click

from imagedataextractor.cli.options import licence_option

__all__ = ["command"]


@click.command("search")
@click.argument("query", metavar="QUERY")
@click.option(
    "--source",
    type=click.Choice(["europepmc", "crossref", "sciencedirect"]),
    default="europepmc",
    show_default=True,
    help="Where to search. ScienceDirect needs an API key.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("dois.tsv"), show_default=True)
@click.option("--years", metavar="FIRST-LAST", help="Years of publication, such as 2015-2020 or 2018.")
@licence_option
@click.option("--open-access", is_flag=True, help="Only articles that are free to read.")
@click.option("--journal", metavar="NAME", help="Only this journal.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N articles.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object about the finished search.")
def command(
    query: str,
    source: str,
    out: Path,
    years: str | None,
    licences: tuple[str, ...],
    open_access: bool,
    journal: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Find articles, and write their DOIs with title, year and licence to a file.

    The same command again goes on where an interrupted search stopped. `ide mine --dois FILE` takes
    the file.
    """
    import json

    import imagedataextractor as ide

    found = ide.search(
        query,
        source=source,
        years=parse_years(years),
        licences=licences,
        open_access=open_access,
        journal=journal,
        limit=limit,
        out=out,
        progress=_progress,
    )
    if as_json:
        click.echo(json.dumps({"file": str(out), "articles": len(found), "source": source}))
    else:
        click.echo(f"{out}: {len(found)} articles")


def _progress(found: int, total: int | None) -> None:
    counted = "" if total is None else f"; the source counts {total} before filters"
    click.echo(f"ide: {found} articles{counted}", err=True)


def parse_years(text: str | None) -> tuple[int | None, int | None]:
    """'2015-2020' → (2015, 2020), '2018' → (2018, 2018), '2015-' → (2015, None).

    Raises
    ------
    UsageError
        Not years, or the last before the first.
    """
    import re

    from imagedataextractor.errors import UsageError

    if text is None:
        return None, None
    match = re.fullmatch(r"\s*(\d{4})?\s*([-\u2013:]?)\s*(\d{4})?\s*", text)
    if match is None or not (match[1] or match[3]) or (match[1] and match[3] and not match[2]):
        raise UsageError(f"--years {text!r} is no range of years; write it as 2015-2020")
    first = int(match[1]) if match[1] else None
    last = int(match[3]) if match[3] else (first if not match[2] else None)
    if first is not None and last is not None and last < first:
        raise UsageError(f"--years {text!r}: the last year comes before the first")
    return first, last
