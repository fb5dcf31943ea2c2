"""`ide train`: a network from a folder in the EMPS layout."""

from __future__ import annotations

import fnmatch
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagedataextractor.cli.options import FiniteRange
from imagedataextractor.errors import UsageError

if TYPE_CHECKING:
    from imagedataextractor.training.segmentation.dataset import Example


@click.command("train")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder: checkpoint, weights, curve.")
@click.option("--architecture", type=click.Choice(["lite0", "erfnet"]), default="lite0", show_default=True)
@click.option("--split", default="train", show_default=True, help="Part of split.csv to learn from, or 'all'.")
@click.option("--validate", "validation", default="val", show_default=True, help="Part to choose by; '' for none.")
@click.option(
    "--validate-images", type=click.IntRange(min=0), default=40, show_default=True, help="Images of it; 0 for all."
)
@click.option("--steps", type=click.IntRange(min=1), default=None, help="Optimiser steps.")
@click.option(
    "--cooldown", type=FiniteRange(0, 1), default=None, help="Last share of the steps, over which the rate falls."
)
@click.option("--learning-rate", type=FiniteRange(min=0, min_open=True), default=None)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--add",
    "added",
    type=(click.Path(path_type=Path), FiniteRange(0, 1)),
    multiple=True,
    metavar="FOLDER SHARE",
    help="Another data set, all of it, and the share of the crops cut from it; may be given several times. "
    "Images without particles, with empty maps, teach what is none.",
)
@click.option(
    "--add-boxed",
    "boxed",
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
@click.option("--crops", default=None, help="Side and number of a batch's crops, to draw from: 256x8,384x4,512x2.")
@click.option(
    "--scales",
    type=(FiniteRange(0, 8, min_open=True), FiniteRange(0, 8, min_open=True)),
    default=None,
    metavar="LEAST MOST",
    help="Range of the crops' magnification.",
)
@click.option(
    "--long-weight",
    type=FiniteRange(min=0, min_open=True),
    default=None,
    help="How many times as often an image of long bodies is drawn as another.",
)
@click.option("--frozen-blocks", type=click.IntRange(0, 16), default=None, help="Encoder blocks that stay as they are.")
@click.option(
    "--seed-loss", type=click.Choice(["likelihood", "regression"]), default=None, help="The paper: regression."
)
@click.option("--device", default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes that cut crops.")
@click.option(
    "--threads", type=click.IntRange(min=0), default=0, help="CPU threads of the network; 0 leaves it to PyTorch."
)
@click.option("--validate-every", type=click.IntRange(min=1), default=None, help="Steps between validations.")
def command(
    data: Path,
    out: Path,
    architecture: str,
    split: str,
    validation: str,
    validate_images: int,
    steps: int | None,
    cooldown: float | None,
    learning_rate: float | None,
    seed: int,
    added: tuple[tuple[Path, float], ...],
    boxed: tuple[tuple[Path, float], ...],
    leave_out: tuple[str, ...],
    synthetic: int,
    synthetic_share: float,
    initial: str | None,
    crops: str | None,
    scales: tuple[float, float] | None,
    long_weight: float | None,
    frozen_blocks: int | None,
    seed_loss: str | None,
    device: str,
    workers: int,
    threads: int,
    validate_every: int | None,
) -> None:
    """Train a segmentation network on DATA (images/, segmaps/, split.csv).

    A run that was stopped goes on from its folder's checkpoint.
    """
    import dataclasses

    import torch

    from imagedataextractor.segmentation.inference import choose_device
    from imagedataextractor.training.segmentation.dataset import Source, load_emps, with_nominal_outlines
    from imagedataextractor.training.segmentation.train import default_settings, synthetic_examples, train, validator

    if threads:
        torch.set_num_threads(threads)
    given: dict[str, Any] = {
        "seed": seed,
        "steps": steps,
        "cooldown": cooldown,
        "learning_rate": learning_rate,
        "validate_every": validate_every,
        "workers": workers,
        "sizes": crop_sizes(crops) if crops else None,
        "seed_loss": seed_loss,
        "scales": scales,
        "long_weight": long_weight,
        "frozen_blocks": frozen_blocks,
    }
    settings = dataclasses.replace(default_settings(architecture), **{k: v for k, v in given.items() if v is not None})
    device = choose_device(device)
    rest = 1.0 - sum(share for _, share in (*added, *boxed)) - (synthetic_share if synthetic else 0.0)
    if rest <= 0:
        raise UsageError(
            f"the shares of --add, --add-boxed and --synthetic-share leave none for {data}; let their sum be below 1"
        )
    if scales and scales[0] > scales[1]:
        raise UsageError(f"--scales {scales[0]:g} {scales[1]:g}: give the least first")
    sources = [Source(kept(load_emps(data, split), leave_out), rest)]
    sources += [Source(kept(load_emps(folder), leave_out), share) for folder, share in added]
    sources += [
        Source([with_nominal_outlines(e) for e in kept(load_emps(folder), leave_out)], share) for folder, share in boxed
    ]
    sources.append(Source(synthetic_examples(synthetic, seed), synthetic_share))
    check = load_emps(data, validation)[: validate_images or None] if validation else []
    count = sum(len(source.examples) for source in sources)
    click.echo(f"{count} images to learn from, {len(check)} to choose by, device {device}", err=True)
    begun = time.monotonic()
    weights = train(
        sources,
        out,
        settings,
        initial=initial,
        device=device,
        validate=validator(check, device) if check else None,
        report=lambda line: click.echo(line, err=True),
    )
    click.echo(f"{weights}  ({time.monotonic() - begun:.0f} s)")


def kept(examples: list[Example], patterns: tuple[str, ...]) -> list[Example]:
    """The examples whose names match none of the patterns."""
    return [e for e in examples if not any(fnmatch.fnmatchcase(e.name, pattern) for pattern in patterns)]


def crop_sizes(text: str) -> tuple[tuple[int, int], ...]:
    """`256x8,384x4` → ((256, 8), (384, 4)): side in px and number of a batch's crops."""
    try:
        sizes = tuple((int(side), int(count)) for side, count in (part.split("x") for part in text.split(",")))
    except ValueError:
        sizes = ()
    if not sizes or any(side < 64 or side % 32 or count < 1 for side, count in sizes):
        raise UsageError(f"--crops {text}: give SIDExNUMBER,…, with sides in multiples of 32 from 64 on")
    return sizes
