"""`ide model`: list, fetch and import segmentation models."""

from __future__ import annotations

import json
from pathlib import Path

import click

from imagedataextractor.segmentation.weights import ModelFile, list_models

__all__ = ["command"]


@click.group()
def command() -> None:
    """List, fetch or import segmentation models.

    Bundled models come with the package; fetched and imported ones are kept in the user's cache
    (`$IDE_CACHE`/models) as safetensors, with their licence.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with everything the headers say.")
def list_command(as_json: bool) -> None:
    """The models on this machine."""
    models = list_models()
    if as_json:
        click.echo(json.dumps([_as_dict(model) for model in models], indent=1))
        return
    if not models:
        click.echo("no models here; `ide model fetch bpartis-2021` gets the published one", err=True)
    for model in models:
        click.echo(_line(model))


@command.command()
@click.argument("name", default="bpartis-2021")
@click.option("--json", "as_json", is_flag=True, help="Print what was kept as a JSON object.")
def fetch(name: str, as_json: bool) -> None:
    """Download a published model (bpartis-2021, a wheel of 98 MB through pip) into the cache.

    The wheel is not installed, and nothing in it is run: its checkpoint is read as plain tensors.
    """
    from imagedataextractor.segmentation.published import fetch as fetch_model

    _report(fetch_model(name), as_json)


@command.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What to call the model; default: the file's own name.")
@click.option("--json", "as_json", is_flag=True, help="Print what was kept as a JSON object.")
def import_command(path: Path, name: str | None, as_json: bool) -> None:
    """Take a model file at hand into the cache.

    PATH is the wheel imagedataextractor 2.0.4, a PyTorch checkpoint of the paper's network, or a
    .safetensors file of this project.
    """
    from imagedataextractor.segmentation.published import import_model

    _report(import_model(path, name), as_json)


def _report(model: ModelFile, as_json: bool) -> None:
    click.echo(json.dumps(_as_dict(model), indent=1) if as_json else f"{_line(model)}\n{model.path}")


def _line(model: ModelFile) -> str:
    info = model.info
    head = f"{model.name:<24} {model.source:<8} {info.architecture:<8} {info.licence:<8}"
    return f"{head} {model.sha256[:12]}  {info.origin}"


def _as_dict(model: ModelFile) -> dict[str, object]:
    info = model.info
    return {
        "name": model.name,
        "source": model.source,
        "path": str(model.path),
        "sha256": model.sha256,
        "architecture": info.architecture,
        "licence": info.licence,
        "origin": info.origin,
        "defaults": dict(info.defaults),
        "calibration": None if info.calibration is None else dict(info.calibration),
        "training": dict(info.training),
        "licence_text": info.licence_text,
    }
