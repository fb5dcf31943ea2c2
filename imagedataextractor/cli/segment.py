"""`ide segment`: label maps of images."""

from __future__ import annotations

import json
from pathlib import Path

import click

from imagedataextractor.cli.options import page_option, segmentation_options


@click.command("segment")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE|DIR…")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the label maps.")
@click.option("--uncertainty", is_flag=True, help="Write the mutual-information map of each image too, as NAME.npy.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an image, with its particles' uncertainties.")
@page_option
@segmentation_options
def command(
    images: tuple[Path, ...],
    out: Path,
    uncertainty: bool,
    as_json: bool,
    page: int | None,
    mode: str | None,
    samples: int | None,
    threshold: float | None,
    seed: int | None,
    model: str | None,
    device: str | None,
) -> None:
    """Segment images: one 16-bit PNG label map each, NAME.png, 0 background, 1 … N the particles.

    In the mode "filtered" the particles above the uncertainty threshold are left out of the map.
    The whole image is taken as one micrograph: panels are not split here (see `ide split`).
    """
    import numpy as np
    from PIL import Image

    from imagedataextractor.cli.options import chosen_settings
    from imagedataextractor.errors import IdeError, InputError
    from imagedataextractor.images import load_image
    from imagedataextractor.segmentation import Segmenter
    from imagedataextractor.segmentation.reliability import without
    from imagedataextractor.targets import find_images

    settings = chosen_settings(
        mode=mode, samples=samples, threshold=threshold, seed=seed, model=model, device=device
    ).segmentation
    segmenter = Segmenter.load(settings.model, settings.device)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made a folder ({error.strerror})") from error
    failed = 0
    paths: list[Path] = []
    for given in images:
        try:
            paths += find_images(given)
        except IdeError as error:
            failed += 1
            click.echo(f"ide: {error}", err=True)
    for path in paths:
        try:
            found = segmenter.segment(
                load_image(path, page),
                mode=settings.mode,
                samples=settings.samples,
                threshold=settings.threshold,
                seed=settings.seed,
            )
            labels = without(found.label_map, found.filtered)
            if labels.max() > np.iinfo(np.uint16).max:
                raise InputError(f"{path}: more than 65,535 particles do not fit a 16-bit label map")
            Image.fromarray(labels.astype(np.uint16)).save(out / f"{path.stem}.png")
            if uncertainty and found.uncertainty_map is not None:
                np.save(out / f"{path.stem}.npy", found.uncertainty_map)
        except IdeError as error:
            failed += 1
            click.echo(f"ide: {error}", err=True)
            continue
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror or error})") from error
        kept = int((~found.filtered).sum())
        if as_json:
            row = {
                "file": str(path),
                "label_map": str(out / f"{path.stem}.png"),
                "particles": kept,
                "filtered": int(found.filtered.sum()),
                "uncertainty": [round(float(u), 6) for u in found.uncertainty[~found.filtered]],
                "score": [round(float(s), 4) for s in found.score[~found.filtered]],
            }
            click.echo(json.dumps(row))
        else:
            click.echo(f"{out / path.stem}.png  {kept} particles, {int(found.filtered.sum())} filtered")
    if failed:
        raise click.exceptions.Exit(1)
