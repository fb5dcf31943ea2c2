"""`ide model`: list, fetch, import and make segmentation models."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagedataextractor.errors import UsageError

if TYPE_CHECKING:
    from imagedataextractor.segmentation.weights import ModelFile

__all__ = ["command"]


@click.group()
def command() -> None:
    """List, fetch, import or make segmentation models.

    Bundled models come with the package; fetched and imported ones are kept in the user's cache
    (`$IDE_CACHE`/models) as safetensors, with their licence.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with everything the headers say.")
def list_command(as_json: bool) -> None:
    """The models on this machine."""
    import imagedataextractor as ide

    models = ide.list_models()
    if as_json:
        click.echo(json.dumps([model.as_dict() for model in models], indent=1))
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

    Nothing in it is run: its checkpoint is read as plain tensors.
    """
    import imagedataextractor as ide

    _report(ide.fetch_model(name), as_json)


@command.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What to call the model; default: the file's own name.")
@click.option("--json", "as_json", is_flag=True, help="Print what was kept as a JSON object.")
def import_command(path: Path, name: str | None, as_json: bool) -> None:
    """Take a model file at hand into the cache.

    PATH is the wheel imagedataextractor 2.0.4, a PyTorch checkpoint of the paper's network, or a
    .safetensors file of this project.
    """
    import imagedataextractor as ide

    _report(ide.import_model(path, name=name), as_json)


def _report(model: ModelFile, as_json: bool) -> None:
    click.echo(json.dumps(model.as_dict(), indent=1) if as_json else f"{_line(model)}\n{model.path}")


def _line(model: ModelFile) -> str:
    info = model.info
    head = f"{model.name:<24} {model.source:<8} {info.architecture:<8} {info.licence:<8}"
    return f"{head} {model.sha256[:12]}  {info.origin}"


@command.command()
@click.argument("weights", type=click.Path(path_type=Path))
@click.option(
    "--data",
    "parts",
    multiple=True,
    metavar="FOLDER[=SPLIT]",
    help="Labelled images that the weights have not seen: a folder in the EMPS layout, and a part of its "
    "split.csv, 'all', or a file of names. Can be given several times.",
)
@click.option("--drawn", type=click.IntRange(min=0), default=0, show_default=True, help="Drawn micrographs to add.")
@click.option("--like", "like", help="Take settings and judge from this model; fit nothing.")
@click.option("--samples", type=click.IntRange(min=1), default=8, show_default=True, help="T.")
@click.option("--name", default="default", show_default=True, help="The model's name.")
@click.option("--origin", default="", help="Where the weights come from, in one line; else what they say themselves.")
@click.option("--licence", default="", help="SPDX identifier of the weights' licence; else what they say themselves.")
@click.option("--training", default="", metavar="JSON", help="To keep in the header: data, split, seed, command, …")
@click.option("--licence-of", metavar="MODEL", help="Carry the licence notice of the model it began as.")
@click.option("--companion", metavar="MODEL", help="A model to ask beside this one, believed where it sees far more.")
@click.option("--keep", type=click.Path(path_type=Path), default=Path("runs/proposals"), show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The model's file.")
def release(
    weights: Path,
    parts: tuple[str, ...],
    drawn: int,
    like: str | None,
    samples: int,
    name: str,
    origin: str,
    licence: str,
    training: str,
    licence_of: str | None,
    companion: str | None,
    keep: Path,
    device: str,
    out: Path,
) -> None:
    """Make a model of a training run's WEIGHTS: fit the judge of proposals and the settings, report, write.

    Network outputs are kept in the folder --keep: a stopped run goes on, and a second one only fits.
    """
    import imagedataextractor as ide

    notes = {"name": name, "origin": origin, "licence": licence, "training": _json_object(training)}
    made = ide.release_model(
        weights,
        out,
        data=parts,
        drawn=drawn,
        like=like,
        samples=samples,
        notes={key: value for key, value in notes.items() if value},
        licence_of=licence_of,
        companion=companion,
        keep=keep,
        device=device,
        report=functools.partial(click.echo, err=True),
    )
    if made.summary:
        click.echo(made.summary)
    click.echo(f"{made.sha256}  {made.path}")


def _json_object(text: str) -> dict[str, object]:
    try:
        values = json.loads(text or "{}")
    except ValueError as error:
        raise UsageError(f"--training is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise UsageError("--training must be a JSON object")
    return values
