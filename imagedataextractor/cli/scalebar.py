"""`ide scalebar`: read scale bars, nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from imagedataextractor.cli.options import FiniteRange, ocr_option, page_option
from imagedataextractor.errors import IdeError, UsageError
from imagedataextractor.records import ScaleBar

__all__ = ["command"]


@click.command("scalebar")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE…")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@ocr_option
@click.option(
    "--min-confidence",
    "--threshold",
    "min_confidence",
    type=FiniteRange(0, 1),
    metavar="P",
    help="Confidence below which no scale is given.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT.png",
    help="Draw text, bar, reading and confidence on the image (one IMAGE only).",
)
@page_option
def command(images: tuple[Path, ...], as_json: bool, picture: Path | None, **options: Any) -> None:
    """Read the scale bar of each IMAGE, or the pixel size in the tags of a TIFF without one.

    A reading that cannot be trusted gives no scale ("nm_per_px" is null and "used" false in JSON); what was
    read, how sure that is and how to accept it are told all the same.
    """
    import imagedataextractor as ide

    if picture is not None and len(images) != 1:
        raise UsageError(f"--picture takes one IMAGE, not {len(images)}")
    extractor = ide.Extractor(**options)
    failed = 0
    for path in images:
        try:
            bar = extractor.read_scale_bar(path)
            if picture is not None:
                bar.save(picture)
        except UsageError:
            raise
        except IdeError as error:
            click.echo(f"ide: {error}", err=True)
            failed += 1
            continue
        click.echo(json.dumps(as_object(path, bar), ensure_ascii=False) if as_json else f"{path}: {bar.in_words()}")
    if failed:
        raise click.exceptions.Exit(1)


def as_object(path: Path, bar: ScaleBar) -> dict[str, Any]:
    """What `--json` prints for one image: the likeliest reading, whether it is used, nulls where nothing is read."""
    names = ("value", "unit", "length_px", "x0", "x1", "y", "nm_per_px")
    found: dict[str, Any] = {"file": str(path)}
    for name in names:
        value = getattr(bar, name)
        found[name] = round(value, 6) if isinstance(value, float) else value
    found["used"] = bar.nm_per_px is not None
    found["confidence"] = round(bar.confidence, 4)
    found["text"] = bar.text
    found["source"] = bar.source
    found["witnesses"] = list(bar.witnesses)
    found["reason"] = bar.reason
    return found
