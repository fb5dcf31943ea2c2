"""`ide scalebar`: read scale bars, nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import click

from imagedataextractor.cli.options import FiniteRange, page_option
from imagedataextractor.errors import IdeError, UsageError
from imagedataextractor.images import load_image
from imagedataextractor.ocr import EngineName, load_engine
from imagedataextractor.records import ScaleBar
from imagedataextractor.settings import load_settings


@click.command("scalebar")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE…")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--ocr", type=click.Choice(["rapidocr", "tesseract"]), help="OCR engine.  [default: rapidocr]")
@click.option("--threshold", type=FiniteRange(0, 1), help="Confidence below which no scale is given.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT.png",
    help="Draw text, bar, reading and confidence on the image (one IMAGE only).",
)
@page_option
def command(
    images: tuple[Path, ...],
    as_json: bool,
    ocr: str | None,
    threshold: float | None,
    picture: Path | None,
    page: int | None,
) -> None:
    """Read the scale bar of each IMAGE, or the pixel size in the tags of a TIFF without one.

    Where no scale can be trusted the values are empty (null in JSON); the confidence says how sure
    the likeliest reading was.
    """
    from imagedataextractor.scalebar import read_file_scale, read_scale_bar, with_file_scale
    from imagedataextractor.scalebar.picture import draw_scale_bar, save_picture

    if picture is not None and len(images) != 1:
        raise UsageError(f"--picture takes one IMAGE, not {len(images)}")
    settings = load_settings().scalebar
    changes: dict[str, Any] = {"ocr": ocr, "threshold": threshold}
    settings = settings.__class__(**{**settings.__dict__, **{k: v for k, v in changes.items() if v is not None}})
    engine = load_engine(cast(EngineName, settings.ocr))
    failed = 0
    for path in images:
        try:
            image = load_image(path, page)
            bar = read_scale_bar(image, engine=engine, settings=settings)
            if (stated := read_file_scale(path)) is not None:
                bar = with_file_scale(bar, stated)
            if picture is not None:
                save_picture(draw_scale_bar(image, bar), picture)
        except UsageError:
            raise
        except IdeError as error:
            click.echo(f"ide: {error}", err=True)
            failed += 1
            continue
        click.echo(json.dumps(as_object(path, bar), ensure_ascii=False) if as_json else as_line(path, bar))
    if failed:
        raise click.exceptions.Exit(1)


def as_object(path: Path, bar: ScaleBar) -> dict[str, Any]:
    """What `--json` prints for one image: nulls where no scale is trusted."""
    names = ("value", "unit", "length_px", "x0", "x1", "y", "nm_per_px")
    trusted = bar.nm_per_px is not None
    found: dict[str, Any] = {"file": str(path)}
    for name in names:
        value = getattr(bar, name) if trusted else None
        found[name] = round(value, 6) if isinstance(value, float) else value
    found["confidence"] = round(bar.confidence, 4)
    found["text"] = bar.text if trusted else None
    found["source"] = bar.source if trusted else None
    found["reason"] = bar.reason
    return found


def as_line(path: Path, bar: ScaleBar) -> str:
    """One line for people."""
    if bar.nm_per_px is None:
        return f"{path}: no scale ({bar.reason})"
    read = bar.text if bar.value is None else f"{bar.value:g} {bar.unit} over {bar.length_px:.1f} px"
    doubt = f"; {bar.reason}" if bar.reason else ""
    return f"{path}: {read}, {bar.nm_per_px:.4g} nm/px (confidence {bar.confidence:.2f}){doubt}"
