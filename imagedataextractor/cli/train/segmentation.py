"""`ide train segmentation`: a network from a folder in the EMPS layout."""

from __future__ import annotations

import dataclasses
import functools
import time
from pathlib import Path
from typing import Any

import click

from imagedataextractor.cli.options import FiniteRange
from imagedataextractor.training.segmentation.settings import ARCHITECTURES, crop_sizes, default_settings

__all__ = ["command"]


def _default(name: str) -> str:
    """The default of each architecture, as the help says it: "4000; erfnet 10800"."""
    texts = [_text(dataclasses.asdict(default_settings(architecture))[name]) for architecture in ARCHITECTURES]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]}; {ARCHITECTURES[1]} {texts[1]}"


def _text(value: Any) -> str:
    if not isinstance(value, tuple):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value[0], tuple):
        return ",".join("x".join(map(str, pair)) for pair in value)
    return " ".join(map(_text, value))


@click.command("segmentation")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder: checkpoint, weights, curve.")
@click.option("--architecture", type=click.Choice(ARCHITECTURES), default="lite0", show_default=True)
@click.option("--split", default="train", show_default=True, help="Part of split.csv to learn from, or 'all'.")
@click.option("--validate", default="val", show_default=True, help="Part to choose by; '' for none.")
@click.option(
    "--validate-images", type=click.IntRange(min=0), default=40, show_default=True, help="Images of it; 0 for all."
)
@click.option("--steps", type=click.IntRange(min=1), show_default=_default("steps"), help="Optimiser steps.")
@click.option(
    "--cooldown",
    type=FiniteRange(0, 1),
    show_default=_default("cooldown"),
    help="Last share of the steps, over which the rate falls.",
)
@click.option(
    "--learning-rate",
    type=FiniteRange(min=0, min_open=True),
    show_default=_default("learning_rate"),
    help="Of Adam; the encoder of lite0, which is trained already, learns at 0.4 of it.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--add",
    type=(click.Path(path_type=Path), FiniteRange(0, 1)),
    multiple=True,
    metavar="FOLDER SHARE",
    help="Another data set, all of it, and the share of the crops cut from it; may be given several times. "
    "Images without particles, with empty maps, teach what is none.",
)
@click.option(
    "--add-boxed",
    type=(click.Path(path_type=Path), FiniteRange(0, 1)),
    multiple=True,
    metavar="FOLDER SHARE",
    help="As --add, for label maps made from boxes: a band about their outlines, which are nominal, is ignored.",
)
@click.option(
    "--leave-out",
    multiple=True,
    metavar="PATTERN",
    help="Images to keep apart by name, as in 'Pd*', of every data set; may be given several times.",
)
@click.option(
    "--synthetic", type=click.IntRange(min=0), default=0, show_default=True, help="Synthetic micrographs to mix in."
)
@click.option(
    "--synthetic-share", type=FiniteRange(0, 1), default=0.15, show_default=True, help="Share of crops cut from them."
)
@click.option("--initial", default=None, help="Model to start from: a name of `ide model list`, or a weights file.")
@click.option(
    "--crops",
    metavar="SIDExNUMBER,…",
    show_default=_default("sizes"),
    help="Side, px, and number of a batch's crops; one of these is drawn for each step.",
)
@click.option(
    "--scales",
    type=(FiniteRange(0, 8, min_open=True), FiniteRange(0, 8, min_open=True)),
    default=None,
    show_default=_default("scales"),
    metavar="LEAST MOST",
    help="Range of the crops' magnification.",
)
@click.option(
    "--long-weight",
    type=FiniteRange(min=0, min_open=True),
    show_default=_default("long_weight"),
    help="How many times as often an image of long bodies is drawn as another.",
)
@click.option(
    "--frozen-blocks",
    type=click.IntRange(0, 16),
    show_default=_default("frozen_blocks"),
    help="Encoder blocks that stay as they are.",
)
@click.option(
    "--seed-loss",
    type=click.Choice(["likelihood", "regression"]),
    show_default=_default("seed_loss"),
    help="How the seed map is learned.",
)
@click.option("--device", default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes that cut crops.")
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="CPU threads of the network; 0 leaves it to PyTorch.",
)
@click.option(
    "--validate-every",
    type=click.IntRange(min=1),
    show_default=_default("validate_every"),
    help="Steps between validations.",
)
@click.option(
    "--release",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Then make a model of the weights, as `ide model release` does, fitted on the images of --validate.",
)
def command(crops: str | None, scales: tuple[float, float] | None, **given: Any) -> None:
    """Train a segmentation network on DATA (images/, segmaps/, split.csv).

    A run that was stopped goes on from its folder's checkpoint. What is not given has the default of the
    architecture: those in brackets are lite0's, and, where they differ, erfnet's, as the paper states them.
    """
    from imagedataextractor.api import train_segmentation

    begun = time.monotonic()
    weights = train_segmentation(
        **given,
        sizes=crop_sizes(crops) if crops else None,
        scales=scales,
        report=functools.partial(click.echo, err=True),
    )
    click.echo(f"{weights}  ({time.monotonic() - begun:.0f} s)")
