"""`ide evaluate`: score predicted label maps, or a model, against the truth."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagedataextractor.cli.options import FiniteRange
from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.records import MODES, Mode

if TYPE_CHECKING:
    from imagedataextractor.segmentation.kinds import Kind
    from imagedataextractor.segmentation.metrics import ImageScore

    _Kinds = dict[str, Kind | None]

__all__ = ["command"]

_SUFFIXES = (".png", ".npy", ".tif", ".tiff")


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
    missing: str,
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
    if model is None and gt is not None and pred is not None and data is None:
        scores, kinds = _score_folders(gt, pred, names, missing == "empty")
        tag = str(pred)
    elif model is not None and data is not None and gt is None and pred is None:
        if names is not None:
            raise UsageError("--names goes with --gt and --pred; with --model, --split chooses the images")
        scores, kinds, trained_on = _score_model(model, data, split, mode, samples, threshold, seed, device, keep)
        # Scores on images that the model has learnt from say nothing of new ones.
        tag = f"{model}, {mode}, {split}" + (f" (trained on {trained_on})" if trained_on else "")
    else:
        raise UsageError("give either --gt and --pred, or --model and --data")
    from imagedataextractor.segmentation.kinds import format_by_kind, summarise_by_kind
    from imagedataextractor.segmentation.metrics import format_table, summarise

    summary, rows = summarise(scores, tag), summarise_by_kind(scores, kinds)
    if as_json:
        click.echo(json.dumps(_plain({**summary, "kinds": rows}), indent=1))
    else:
        click.echo(f"{format_table(summary)}\n\n{format_by_kind(rows)}")


def _score_folders(gt: Path, pred: Path, names: Path | None, missing_is_empty: bool) -> tuple[list[ImageScore], _Kinds]:
    """Scores of the label maps in a folder, and the kind of each picture."""
    import numpy as np

    from imagedataextractor.images.labels import read_label_map
    from imagedataextractor.segmentation.kinds import kind_of
    from imagedataextractor.segmentation.metrics import score_image

    for folder in (gt, pred):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
    chosen = _read_names(names) if names else sorted({p.stem for p in gt.iterdir() if p.suffix in _SUFFIXES})
    if not chosen:
        raise InputError(f"{names or gt}: no label map to score")
    scores: list[ImageScore] = []
    absent: list[str] = []
    kinds: _Kinds = {}
    for name in chosen:
        true_path, predicted_path = _find(gt, name), _find(pred, name)
        if true_path is None:
            raise InputError(f"{gt}: no true label map for {name}")
        true = read_label_map(true_path)
        if predicted_path is None:
            if not missing_is_empty:
                raise InputError(f"{pred}: no prediction for {name} (--missing empty scores it as finding nothing)")
            absent.append(name)
            predicted = np.zeros_like(true)
        else:
            predicted = read_label_map(predicted_path)
        scores.append(score_image(true, predicted, name))
        kinds[name] = kind_of(true)
    if absent:
        click.echo(f"{len(absent)} predictions absent, scored as empty: {', '.join(absent[:5])} …", err=True)
    return scores, kinds


def _score_model(
    name: str,
    data: Path,
    split: str,
    mode: Mode,
    samples: int | None,
    threshold: float | None,
    seed: int,
    device: str,
    keep: Path | None,
) -> tuple[list[ImageScore], _Kinds, str]:
    """Scores of a model's predictions, the kind of each picture, and what the model says it was trained on."""
    import numpy as np
    from PIL import Image

    from imagedataextractor.segmentation import Segmenter
    from imagedataextractor.segmentation.kinds import kind_of
    from imagedataextractor.segmentation.metrics import score_image
    from imagedataextractor.training.segmentation.evaluation import accepted_labels, predictions
    from imagedataextractor.written import save_marked

    model = Segmenter.load(name, device)

    def progress(done: int, total: int, image: str) -> None:
        click.echo(f"{done}/{total} {image}", err=True)

    scores: list[ImageScore] = []
    kinds: _Kinds = {}
    for predicted in predictions(
        data,
        split,
        lambda image: model.segment(image, mode=mode, samples=samples, threshold=threshold, seed=seed),
        progress=progress,
    ):
        labels = accepted_labels(predicted)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            save_marked(Image.fromarray(labels.astype(np.uint16)), keep / f"{predicted.name}.png")
        scores.append(score_image(predicted.true, labels, predicted.name))
        kinds[predicted.name] = kind_of(predicted.true)
    return scores, kinds, str(model.info.training.get("data", ""))


def _read_names(path: Path) -> list[str]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            first = [row[0].strip() for row in csv.reader(file) if row and row[0].strip()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a list of names ({error})") from error
    return [Path(name).stem if name.endswith(_SUFFIXES) else name for name in first]


def _find(folder: Path, name: str) -> Path | None:
    return next((path for suffix in _SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)


def _plain(value: Any) -> Any:
    """NaN is not JSON: null."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
