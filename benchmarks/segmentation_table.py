r"""The comparison table: thresholding, a Gaussian mixture, and networks in all three modes.

    python benchmarks/segmentation_table.py --data ../shared/emps-train --split val \
        --models default bpartis bpartis-2021 bpartis-2021-native

Predictions are kept (--keep) and made only once for each weights file, number of samples and seed, so
that a second call costs no more than the scoring, and new weights cost their own rows alone. The last
column says what a method knows of the images: the published weights were trained on all of EMPS's
training images, val included, so their rows on val, and those of what began from them, are no measure
of how they do on new images.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import thresholding

from imagedataextractor.errors import IdeError
from imagedataextractor.images import sha256_of
from imagedataextractor.records import MODES, Mode, Segmentation
from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.kinds import format_by_kind, kind_of, summarise_by_kind
from imagedataextractor.segmentation.metrics import summarise
from imagedataextractor.training.segmentation.evaluation import Predicted, predictions, score_predictions

#: Heading and key of the means over images that are printed with their 95 % intervals, …
INTERVALS = (("F1@50", "f1_50"), ("AP50", "ap50"), ("AP50:95", "ap5095"), ("PQ", "pq"))
#: … and of those printed alone.
MEANS = (
    ("prec@50", "prec50"),
    ("rec@50", "rec50"),
    ("paper's AP", "paper_ap"),
    ("AP50", "paper_ap50"),
    ("AP75", "paper_ap75"),
    ("mIoU", "paper_miou"),
)
#: Median absolute errors.
ERRORS = (("count err", "count_err"), ("ECD err", "ecd_err"))
HEAD = ("method", *(title for title, _ in (*INTERVALS, *MEANS)), "pooled F1", *(t for t, _ in ERRORS), "these images")


def predict(
    model: Segmenter,
    data: Path,
    split: str,
    keep: Path,
    mode: Mode,
    samples: int,
    seed: int = 0,
    threshold: float | None = None,
) -> list[Predicted]:
    """Predictions of a split in a mode, from the kept ones where there are; t_u by default the model's."""
    limit = model.threshold if threshold is None else threshold
    name = f"{model.name.replace('/', '_')}-{model.weights_sha256[:8]}"
    folder = (
        keep
        / split
        / name
        / (
            mode
            if mode == "discriminative"
            else f"{mode}-T{samples}-s{seed}" + (f"-tu{limit:g}" if mode == "filtered" else "")
        )
    )

    def segment(image: Any) -> Segmentation:
        return model.segment(image, mode=mode, samples=samples, seed=seed, threshold=limit)

    def progress(done: int, total: int, name: str) -> None:
        print(f"\r{model.name} {mode}: {done}/{total} {name}", end="", file=sys.stderr, flush=True)

    found = list(predictions(data, split, segment, keep=folder, progress=progress))
    print(file=sys.stderr)
    return found


def without_training(data: Path, split: str, keep: Path) -> Iterator[tuple[str, list[Predicted]]]:
    """The predictions of what needs no training, by name of the method."""
    version = sha256_of(Path(thresholding.__file__))[:8]
    for name, method in thresholding.METHODS.items():

        def segment(image: Any, method: Callable[[Any], Any] = method) -> Segmentation:
            labels = method(image)
            count = int(labels.max())
            return Segmentation(labels, np.zeros(count), None, np.zeros(count, bool))

        folder = keep / split / f"thresholding-{version}" / name.replace(" ", "-")
        yield name, list(predictions(data, split, segment, keep=folder))


def knowledge(model: Segmenter) -> str:
    """What the header says that the model knows of the images it is scored on."""
    training = model.info.training
    return str(training.get("val") or training.get("data") or "see its header")


def row(label: str, summary: Mapping[str, Any], seen: str) -> str:
    mean, ci = summary["mean"], summary["ci95"]
    cells = [f"{mean[key]:.3f} [{ci[key][0]:.3f}, {ci[key][1]:.3f}]" for _, key in INTERVALS]
    cells += [f"{mean[key]:.3f}" for _, key in MEANS]
    cells.append(f"{summary['pooled']['f1_50_pooled']:.3f}")
    cells += [f"{100 * summary['measure'][key]['median_abs']:.1f} %" for _, key in ERRORS]
    return f"| {label} | {' | '.join(cells)} | {seen} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/emps-train"), help="folder in the EMPS layout")
    parser.add_argument("--split", default="val")
    parser.add_argument("--models", nargs="*", default=["default", "bpartis-2021"])
    parser.add_argument("--modes", nargs="*", default=MODES)
    parser.add_argument("--samples", type=int, help="T (default: each model's own)")
    parser.add_argument("--threshold", type=float, help="t_u, nats (default: each model's own)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--keep", type=Path, default=Path("runs/predictions"), help="folder of kept predictions")
    parser.add_argument("--no-thresholding", action="store_true", help="networks only")
    parser.add_argument("--json", type=Path, help="write every summary here, with its intervals")
    arguments = parser.parse_args()

    print(f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}", sep="\n", flush=True)
    summaries = {}
    by_kind = {}

    def report(label: str, found: list[Predicted], seen: str) -> None:
        scores = score_predictions(found)
        summaries[label] = summarise(scores, label)
        print(row(label, summaries[label], seen), flush=True)
        by_kind[label] = summarise_by_kind(scores, {p.name: kind_of(p.true) for p in found})

    if not arguments.no_thresholding:
        for name, found in without_training(arguments.data, arguments.split, arguments.keep):
            report(name, found, "no training")
    for name in arguments.models:
        try:
            model = Segmenter.load(name, arguments.device)
        except IdeError as error:
            print(f"{name}: left out ({error})", file=sys.stderr)
            continue
        samples = arguments.samples or model.samples
        threshold = model.threshold if arguments.threshold is None else arguments.threshold
        for mode in arguments.modes:
            begun = time.process_time()
            found = predict(
                model, arguments.data, arguments.split, arguments.keep, mode, samples, arguments.seed, threshold
            )
            seconds = time.process_time() - begun
            label = f"{name}, {mode}" + ("" if mode == "discriminative" else f", T = {samples}")
            if mode == "filtered":
                label = f"{label}, t_u = {threshold:g}"
            report(label, found, knowledge(model))
            print(f"{label}: {seconds / len(found):.2f} CPU s an image (0 where it was kept)", file=sys.stderr)
    for label, rows in by_kind.items():
        print(f"\n{label}", format_by_kind(rows), sep="\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(summaries, indent=1) + "\n")


if __name__ == "__main__":
    main()
