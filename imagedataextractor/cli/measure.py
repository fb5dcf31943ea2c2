"""`ide measure`: the particles of any label map."""

from __future__ import annotations

import json
from pathlib import Path

import click

from imagedataextractor.cli.options import FiniteRange

__all__ = ["command"]

#: Columns of the table; the JSON has them all.
_TABLE = (
    "label",
    "x_px",
    "y_px",
    "area_px",
    "area_nm2",
    "ecd_px",
    "ecd_nm",
    "feret_max_nm",
    "feret_min_nm",
    "aspect_ratio",
    "circularity",
    "solidity",
    "accepted",
    "reason",
)


@click.command("measure")
@click.argument("label_map", metavar="LABELMAP", type=click.Path(path_type=Path))
@click.option(
    "--nm-per-px",
    type=FiniteRange(min=0, min_open=True),
    metavar="X",
    help="The scale; without it everything is in pixels and the nm columns are empty.",
)
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    metavar="IMAGE",
    help="The micrograph: outlines are moved to the particles' edges in it before they are measured.",
)
@click.option("--contours", is_flag=True, help="With --json: each particle's outline too, as [x, y] corners in px.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects with every column.")
def command(label_map: Path, nm_per_px: float | None, image: Path | None, contours: bool, as_json: bool) -> None:
    """Measure the particles of a label map (PNG or TIFF, or .npy: 0 background, one value a particle).

    Colours count as one particle each, on black; a mask with one value for all particles is split into its separate
    regions.

    Particles that touch the frame are listed with the reason "border" and count as rejected.
    """
    import imagedataextractor as ide
    from imagedataextractor.cli._output import print_table

    found = ide.measure(
        label_map, nm_per_px=nm_per_px, image=image, report=lambda note: click.echo(f"ide: {note}", err=True)
    )
    if as_json:
        click.echo(json.dumps(found.to_rows(contours=contours), indent=1))
        return
    columns = [name for name in _TABLE if nm_per_px is not None or not name.endswith(("_nm", "_nm2"))]
    print_table(columns, [[getattr(particle, name) for name in columns] for particle in found])
