"""`ide split`: the panels of figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from imagedataextractor.cli.options import ocr_option, picture_options
from imagedataextractor.errors import IdeError, UsageError
from imagedataextractor.records import Panel

__all__ = ["command"]


@click.command("split")
@click.argument("figures", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FIGURE…")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a figure, on a line of its own.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT.png",
    help="Also draw boxes, letters and kinds over the figure (one figure only).",
)
@ocr_option
@picture_options
def command(figures: tuple[Path, ...], as_json: bool, picture: Path | None, **options: Any) -> None:
    """Split figures into panels: boxes, letters and what each panel shows.

    Insets are listed with the panel they lie in. A picture that does not plainly show several panels is one.
    """
    if picture is not None and len(figures) != 1:
        raise UsageError("--picture draws one figure; give one FIGURE")
    import imagedataextractor as ide

    extractor = ide.Extractor(**options)
    failed = False
    for path in figures:
        try:
            found = extractor.split_figure(path)
        except IdeError as error:
            failed = True
            click.echo(f"ide: {error}", err=True)
            continue
        if as_json:
            click.echo(json.dumps({"file": str(path), "panels": _as_objects(found.panels)}, ensure_ascii=False))
        else:
            click.echo(_table(path, found.panels))
        if picture is not None:
            found.save(picture)
    if failed:
        raise click.exceptions.Exit(1)


def _as_objects(panels: list[Panel]) -> list[dict[str, Any]]:
    """The panels, each with its insets inside it."""
    return [
        {**_as_object(p), "insets": [_as_object(i) for i in panels if i.parent == p.index]}
        for p in panels
        if p.parent is None
    ]


def _as_object(panel: Panel) -> dict[str, Any]:
    return {
        "x0": panel.box.x0,
        "y0": panel.box.y0,
        "x1": panel.box.x1,
        "y1": panel.box.y1,
        "label": panel.label,
        "kind": panel.kind,
        "kind_score": round(panel.kind_score, 4),
        "technique": panel.technique,
        "measurable": panel.measurable,
    }


def _table(path: Path, panels: list[Panel]) -> str:
    lines = [f"{path}: {len(panels)} panel{'' if len(panels) == 1 else 's'}"]
    for panel in panels:
        box = panel.box
        inside = f"in {panel.parent}" if panel.parent is not None else ""
        lines.append(
            f"{panel.index:4d}  {panel.label or '-':4s}  {panel.kind:11s} {panel.kind_score:4.2f}  "
            f"{panel.technique or '':6s} {'measured' if panel.measurable else '':8s}  "
            f"x {box.x0}–{box.x1}  y {box.y0}–{box.y1}  {inside}".rstrip()
        )
    return "\n".join(lines)
