r"""The comparison table: thresholding, a Gaussian mixture, and networks in all three modes.

    python benchmarks/segmentation_table.py --data ../shared/emps-train --split val \
        --models default bpartis bpartis-2021 bpartis-2021-native

Predictions are kept (--keep) and made only once a model, sample number and seed. A model's "filtered"
row is its Bayesian prediction without the particles above t_u. Which images a model has seen in
training stands in its header (`ide model list --json`): the published weights have seen all of EMPS's
training images, val included, so their rows on val are no measure of how they do on new images.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from thresholding import METHODS

from imagedataextractor.errors import IdeError
from imagedataextractor.records import Segmentation
from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.dataset import load_emps
from imagedataextractor.segmentation.evaluation import Predicted, predictions, score_predictions
from imagedataextractor.segmentation.metrics import score_image, summarise

#: Of the table's columns: heading, and where the number lies in a summary.
COLUMNS: tuple[tuple[str, Callable[[Mapping[str, Any]], float]], ...] = (
    ("F1@50", lambda s: s["mean"]["f1_50"]),
    ("AP50", lambda s: s["mean"]["ap50"]),
    ("AP50:95", lambda s: s["mean"]["ap5095"]),
    ("PQ", lambda s: s["mean"]["pq"]),
    ("prec@50", lambda s: s["mean"]["prec50"]),
    ("rec@50", lambda s: s["mean"]["rec50"]),
    ("pooled F1", lambda s: s["pooled"]["f1_50_pooled"]),
    ("paper AP", lambda s: s["mean"]["paper_ap"]),
    ("AP50", lambda s: s["mean"]["paper_ap50"]),
    ("AP75", lambda s: s["mean"]["paper_ap75"]),
    ("mIoU", lambda s: s["mean"]["paper_miou"]),
    ("count err", lambda s: s["measure"]["count_err"]["median_abs"]),
    ("ECD err", lambda s: s["measure"]["ecd_err"]["median_abs"]),
)


def folder_of(keep: Path, model: Segmenter, mode: str, samples: int, seed: int, split: str) -> Path:
    """Where predictions of one model, mode, T and seed are kept; a filter needs no predictions of its own."""
    kind = "discriminative" if mode == "discriminative" else f"bayesian-T{samples}-s{seed}"
    return keep / split / f"{model.name.replace('/', '_')}-{model.weights_sha256[:8]}" / kind


def predict(
    model: Segmenter, data: Path, split: str, keep: Path, mode: str, samples: int, seed: int = 0
) -> list[Predicted]:
    """Predictions of a split, unfiltered, from the kept ones where there are."""

    def segment(image: Any) -> Segmentation:
        return model.segment(image, mode=mode, samples=samples, seed=seed)

    def progress(done: int, total: int, name: str) -> None:
        print(f"\r{model.name} {mode}: {done}/{total} {name}", end="", file=sys.stderr, flush=True)

    folder = folder_of(keep, model, mode, samples, seed, split)
    found = list(predictions(data, split, segment, keep=folder, progress=progress))
    print(file=sys.stderr)
    return found


def filtered(predicted: Iterable[Predicted], threshold: float) -> list[Predicted]:
    """The same predictions with particles of uncertainty at or above t_u marked as rejected."""
    return [dataclasses.replace(p, filtered=p.uncertainty >= threshold) for p in predicted]


def row(label: str, summary: Mapping[str, Any], seen: str) -> str:
    cells = " | ".join(f"{get(summary):.3f}" for _, get in COLUMNS)
    return f"| {label} | {cells} | {seen} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/emps-train"), help="folder in the EMPS layout")
    parser.add_argument("--split", default="val")
    parser.add_argument("--models", nargs="*", default=["default", "bpartis-2021"])
    parser.add_argument("--modes", nargs="*", default=["discriminative", "bayesian", "filtered"])
    parser.add_argument("--samples", type=int, help="T (default: each model's own)")
    parser.add_argument("--threshold", type=float, help="t_u, nats (default: each model's own)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--keep", type=Path, default=Path("runs/predictions"), help="folder of kept predictions")
    parser.add_argument("--no-thresholding", action="store_true", help="networks only")
    parser.add_argument("--json", type=Path, help="write every summary here, with its intervals")
    arguments = parser.parse_args()

    head = [title for title, _ in COLUMNS]
    print(f"| method | {' | '.join(head)} | training images |", f"|{' --- |' * (len(head) + 2)}", sep="\n", flush=True)
    summaries = {}
    if not arguments.no_thresholding:
        examples = load_emps(arguments.data, arguments.split)
        for name, method in METHODS.items():
            summaries[name] = summarise([score_image(e.labels, method(e.image), e.name) for e in examples], name)
            print(row(name, summaries[name], "none"), flush=True)
    for name in arguments.models:
        try:
            model = Segmenter.load(name, arguments.device)
        except IdeError as error:
            print(f"{name}: left out ({error})", file=sys.stderr)
            continue
        samples = arguments.samples or model.samples
        threshold = model.threshold if arguments.threshold is None else arguments.threshold
        seen = str(model.info.training.get("data") or "see its header")
        for mode in arguments.modes:
            begun = time.perf_counter()
            found = predict(model, arguments.data, arguments.split, arguments.keep, mode, samples, arguments.seed)
            seconds = time.perf_counter() - begun
            found = filtered(found, threshold) if mode == "filtered" else filtered(found, float("inf"))
            label = f"{name}, {mode}" + {"discriminative": ""}.get(mode, f", T = {samples}")
            label += f", t_u = {threshold:g}" if mode == "filtered" else ""
            summaries[label] = summarise(score_predictions(found), label)
            print(row(label, summaries[label], seen), flush=True)
            print(f"{label}: {seconds / len(found):.2f} s an image (kept predictions included)", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps(summaries, indent=1) + "\n")


if __name__ == "__main__":
    main()
