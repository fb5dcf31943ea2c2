"""`ide evaluate`: score predicted label maps, or a model, against the truth."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Literal

import click

from imagedataextractor.cli.options import FiniteRange
from imagedataextractor.records import MODES, Mode

__all__ = ["command"]


@click.command()
@click.option("--gt", type=click.Path(path_type=Path), help="Folder of true label maps.")
@click.option("--pred", type=click.Path(path_type=Path), help="Folder of predicted ones, of the same names.")
@click.option("--names", type=click.Path(path_type=Path), help="File with one name a line (first column of a CSV).")
@click.option(
    "--missing",
    type=click.Choice(["error", "empty"]),
    default="error",
    show_default=True,
    help="An absent prediction stops, or counts as finding nothing.",
)
@click.option("--model", help="Evaluate this model instead (a name of `ide model list` or a .safetensors file).")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Data set in the EMPS layout: images/, segmaps/, split.csv."
)
@click.option("--split", default="val", show_default=True, help="Part of split.csv, or 'all'.")
@click.option("--mode", type=click.Choice(MODES), default="filtered", show_default=True)
@click.option("--samples", type=click.IntRange(min=1), help="T, Monte Carlo samples [default: the model's own].")
@click.option(
    "--threshold",
    type=FiniteRange(min=0),
    help="t_u, uncertainty from which to filter, nats [default: the model's own].",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the model's label maps here, as 16-bit PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object, each image's numbers too.")
def command(
    gt: Path | None,
    pred: Path | None,
    names: Path | None,
    missing: Literal["error", "empty"],
    model: str | None,
    data: Path | None,
    split: str,
    mode: Mode,
    samples: int | None,
    threshold: float | None,
    seed: int,
    device: str,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Score predicted label maps (--gt, --pred), or a model (--model, --data), against the truth.

    Prints the paper's four numbers, the standard ones (TP / (TP + FP + FN), F1, PQ, AJI) with 95 %
    bootstrap intervals over images, the errors of what is measured (count, median diameter, size and
    aspect-ratio distributions), and F1, recall and the error of the diameter by kind of picture.
    """
    import imagedataextractor as ide

    found = ide.evaluate(
        gt=gt,
        pred=pred,
        names=names,
        missing=missing,
        model=model,
        data=data,
        split=split,
        mode=mode,
        samples=samples,
        threshold=threshold,
        seed=seed,
        device=device,
        keep=keep,
        report=functools.partial(click.echo, err=True),
    )
    click.echo(json.dumps(found.as_dict(), indent=1) if as_json else found.in_words())
