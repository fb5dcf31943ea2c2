"""`ide segment`: label maps of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from imagedataextractor.cli.options import page_option, say_passed_over, segmentation_options
from imagedataextractor.errors import IdeError

__all__ = ["command"]


@click.command("segment")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE|DIR…")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the label maps.")
@click.option("--uncertainty", is_flag=True, help="Write the mutual-information map of each image too, as NAME.npy.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an image, with its particles' uncertainties.")
@page_option
@segmentation_options
def command(images: tuple[Path, ...], out: Path, uncertainty: bool, as_json: bool, **options: Any) -> None:
    """Segment images: one 16-bit PNG label map each, NAME.png, 0 background, 1 … N the particles.

    Images of one name in several folders get the names of these, too: FOLDER_NAME.png.
    In the mode "filtered" the particles above the uncertainty threshold are left out of the map.
    The whole image is taken as one micrograph: panels are not split here (see `ide split`).
    """
    import imagedataextractor as ide
    from imagedataextractor.api import find_images
    from imagedataextractor.results import file_names, made_folder

    extractor = ide.Extractor(**options)
    made_folder(out)
    paths, failures = find_images(images, say_passed_over)
    for failure in failures:
        click.echo(f"ide: {failure.message}", err=True)
    failed = len(failures)
    names = file_names(paths)
    for path in paths:
        try:
            found = extractor.segment(path)
        except IdeError as error:
            failed += 1
            click.echo(f"ide: {error}", err=True)
            continue
        target = found.save_label_map(out / f"{names[path]}.png")
        if uncertainty and found.uncertainty_map is not None:
            found.save_uncertainty(out / f"{names[path]}.npy")
        if as_json:
            row = {
                "file": str(path),
                "label_map": str(target),
                "particles": len(found),
                "filtered": int(found.filtered.sum()),
                "uncertainty": [round(float(u), 6) for u in found.uncertainty[~found.rejected]],
                "score": None if found.score is None else [round(float(s), 4) for s in found.score[~found.rejected]],
            }
            click.echo(json.dumps(row))
        else:
            click.echo(f"{target}  {len(found)} particles, {int(found.filtered.sum())} filtered")
    if failed:
        raise click.exceptions.Exit(1)
