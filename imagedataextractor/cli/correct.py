"""`ide correct`: what a person knows better than the program."""

from __future__ import annotations

import json
import re

import click

from imagedataextractor.cli.options import FiniteRange, db_option

__all__ = ["command"]


@click.command("correct")
@click.argument("picture", required=False, metavar="[PICTURE|DOI]")
@click.option("--figure", metavar="LABEL", help="The figure, where a DOI is named.")
@click.option("--panel", metavar="LETTER|N", help="The panel: its letter, or its number from 1.")
@click.option("--reject", metavar="N,N…", help="Particles that shall not count, by their numbers ('3,7-9').")
@click.option("--restore", metavar="N,N…", help="Rejected particles that shall count.")
@click.option("--merge", metavar="N,N…", help="Particles that are one.")
@click.option("--split", type=click.IntRange(min=1), metavar="N", help="A particle that is two; with --along.")
@click.option("--along", metavar="'X,Y X,Y'", help="The line that --split cuts along, pixels of the panel.")
@click.option("--draw", multiple=True, metavar="'X,Y X,Y …'", help="Outline of a missing particle; may be repeated.")
@click.option("--nm-per-px", type=FiniteRange(min=0, min_open=True), help="The scale.")
@click.option("--scalebar", metavar="LENGTH", help="The scale bar's length ('200 nm'); its pixels as measured.")
@click.option("--bar-px", type=FiniteRange(min=0, min_open=True), help="The scale bar's length in pixels.")
@click.option("--field-width", metavar="LENGTH", help="Width of the whole panel ('1.8 um').")
@click.option("--not-em", "is_em", flag_value=False, type=bool, default=None, help="It is no electron micrograph.")
@click.option("--em", "is_em", flag_value=True, type=bool, help="It is one after all; the next run measures it.")
@click.option("--forget", is_flag=True, help="Leave the picture out of everything.")
@click.option("--why", default="", help="The reason, kept with it.")
@click.option("--by", metavar="NAME", help="Who says so [default: the user's name].")
@click.option("--undo", type=int, metavar="ID", help="Take a correction back.")
@click.option("--list", "list_them", is_flag=True, help="Print all corrections.")
@click.option("--json", "as_json", is_flag=True, help="With --list: as JSON.")
@db_option
def command(
    picture: str | None,
    figure: str | None,
    panel: str | None,
    reject: str | None,
    restore: str | None,
    merge: str | None,
    split: int | None,
    along: str | None,
    draw: tuple[str, ...],
    nm_per_px: float | None,
    scalebar: str | None,
    bar_px: float | None,
    field_width: str | None,
    is_em: bool | None,
    forget: bool,
    why: str,
    by: str | None,
    undo: int | None,
    list_them: bool,
    as_json: bool,
    db: str | None,
) -> None:
    """Correct what was found in a picture that is in the database.

    Corrections outlive every run and model, and all numbers, exports and reports obey them; nothing is measured
    again. Particles are named by their numbers in the panel, as in the overlays and the column `particle`.
    """
    import imagedataextractor as ide
    from imagedataextractor.errors import UsageError

    if list_them:
        _print_all(db, as_json)
        return
    if undo is not None:
        taken = ide.undo_correction(undo, db=db, by=by)
        click.echo(f"correction {taken.id} ({taken.kind}) is taken back")
        return
    if picture is None:
        raise UsageError("correct: name a picture (its file, path, SHA-256, or a DOI with --figure)")
    for made in ide.correct(
        picture,
        db=db,
        figure=figure,
        panel=panel,
        reject=_numbers("--reject", reject),
        restore=_numbers("--restore", restore),
        merge=_numbers("--merge", merge),
        split=split,
        along=() if along is None else _points("--along", along),
        draw=[_points("--draw", outline) for outline in draw],
        nm_per_px=nm_per_px,
        scalebar=scalebar,
        bar_px=bar_px,
        field_width=field_width,
        is_em=is_em,
        forget=forget,
        why=why,
        by=by,
    ):
        click.echo(f"correction {made.id}: {made.kind}")
    if is_em:
        click.echo("ide: the next `ide extract` or `ide mine` of it measures it", err=True)


def _numbers(option: str, given: str | None) -> list[int]:
    """'3,7-9' → [3, 7, 8, 9]."""
    from imagedataextractor.errors import UsageError

    found: list[int] = []
    for part in re.split(r"[,\s]+", given.strip()) if given is not None else []:
        match = re.fullmatch(r"(\d+)(?:[-–](\d+))?", part)
        if match is None:
            raise UsageError(f"correct: {option} takes numbers of particles, as '3,7-9', not {given!r}")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found


def _points(option: str, given: str) -> list[tuple[float, float]]:
    """'1,2 3.5,4' → [(1.0, 2.0), (3.5, 4.0)]."""
    from imagedataextractor.errors import UsageError

    try:
        return [(float(x), float(y)) for x, y in (point.split(",") for point in given.split())]
    except ValueError:
        raise UsageError(f"correct: {option} takes points in pixels, as '10,20 30,25', not {given!r}") from None


def _print_all(db: str | None, as_json: bool) -> None:
    import imagedataextractor as ide
    from imagedataextractor.cli._output import print_table

    with ide.open_database(db) as database:
        found = database.corrections()
    columns, rows = found.names, list(found)
    if as_json:
        objects = [dict(zip(columns, row, strict=True)) for row in rows]
        for item in objects:
            item["details"] = json.loads(item["details"])
        click.echo(json.dumps(objects, ensure_ascii=False, indent=1))
        return
    shown = ["id", "kind", "image_path", "made_by", "made_at", "why", "undone_at"]
    places = [columns.index(name) for name in shown]
    print_table(shown, [[row[place] for place in places] for row in rows])
