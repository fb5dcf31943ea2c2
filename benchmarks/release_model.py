"""Turn a training run into the model that is shipped: choose its settings on val, calibrate, write.

    python benchmarks/release_model.py RUN/best.safetensors --out data/weights/default.safetensors
    python benchmarks/release_model.py RUN/best.safetensors --name bpartis --licence-of bpartis-2021 \
        --origin "…" --out data/weights/bpartis.safetensors

On the validation images: Monte Carlo maps once, then the clustering's settings by F1@50, PQ and
AP50:95 (discrimination before filtering), t_u by the same score after filtering, and P(real) by
logistic regression, whose reliability is reported by cross-validation over images. What is chosen
on val is not judged on val by more than a few parameters: the table says which numbers are which.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.dataset import Example, load_emps
from imagedataextractor.segmentation.inference import (
    Maps,
    calibration_features,
    cluster_maps,
    image_maps,
    particle_features,
)
from imagedataextractor.segmentation.metrics import format_table, score_image, summarise
from imagedataextractor.segmentation.reliability import (
    auroc,
    calibration_error,
    fit_calibration,
    held_out_probability,
    is_real,
    without,
)
from imagedataextractor.segmentation.training import build_network
from imagedataextractor.segmentation.weights import WeightsInfo, load_weights, save_weights

#: What is tried: the seed values for foreground and start, and the least size.
GRID = {"foreground": (0.2, 0.25, 0.3, 0.4), "start": (0.8, 0.85, 0.9, 0.94), "min_pixels": (16,)}
ORIGIN = "trained by this project; the encoder began as EfficientNet-Lite0 (ImageNet, Apache-2.0)"
MIN_SCORES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6)
THRESHOLDS = (0.002, 0.004, 0.006, 0.008, 0.010, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1, 0.2, 0.7)


def main() -> None:
    """Parse, choose, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/emps-train"))
    parser.add_argument("--split", default="val")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--flips", action="store_true", help="spread the samples over mirror images")
    parser.add_argument("--images", type=int, default=0, help="use only so many images")
    parser.add_argument("--name", default="default")
    parser.add_argument("--origin", default=ORIGIN, help="where the weights come from, in one line")
    parser.add_argument("--licence-of", metavar="MODEL", help="carry the licence notice of the model it began as")
    parser.add_argument("--training", default="{}", help="JSON to keep in the header: data, split, seed, command, …")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--settings", help="JSON of clustering settings and threshold: choose nothing, only report")
    arguments = parser.parse_args()

    run, tensors = load_weights(arguments.weights)
    tensors = halved(tensors)
    network = build_network(run.architecture)
    network.load_state_dict(tensors)
    network.eval()
    examples = load_emps(arguments.data, arguments.split)[: arguments.images or None]
    begun = time.process_time()
    maps = [
        image_maps(network, e.image, samples=arguments.samples, flips=arguments.flips, seed=0, device="cpu")
        for e in examples
    ]
    print(f"{len(examples)} images, {(time.process_time() - begun) / len(examples):.2f} CPU s an image for the maps")
    fixed = json.loads(arguments.settings) if arguments.settings else {}
    chosen = ClusterSettings(**fixed["clustering"]) if fixed else choose_clustering(examples, maps)
    predictions = [cluster_maps(m, chosen) for m in maps]
    features = [particle_features(m, labels) for m, labels in zip(maps, predictions, strict=True)]
    threshold = fixed.get("threshold") or choose_threshold(examples, predictions, features)
    print(f"clustering {chosen}\nthreshold {threshold}")
    real = [is_real(e.labels, p) for e, p in zip(examples, predictions, strict=True)]
    inputs = [calibration_features(f) for f in features]
    calibration = fit_calibration({k: np.concatenate([f[k] for f in inputs]) for k in inputs[0]}, np.concatenate(real))
    held_out = held_out_probability(inputs, real)
    min_score = fixed.get("min_score", choose_min_score(examples, predictions, features, held_out, threshold))
    report(examples, predictions, features, np.concatenate(real), held_out, threshold, min_score)
    if arguments.out:
        info = WeightsInfo(
            name=arguments.name,
            architecture=run.architecture,
            licence="MIT",
            origin=arguments.origin,
            defaults={
                "samples": arguments.samples,
                "flips": arguments.flips,
                "threshold": threshold,
                "min_score": min_score,
                "clustering": {k: getattr(chosen, k) for k in ("foreground", "start", "min_pixels")},
            },
            calibration=calibration.as_dict(),
            training=json.loads(arguments.training),
            licence_text=load_weights(arguments.licence_of)[0].licence_text if arguments.licence_of else "",
        )
        print(save_weights(arguments.out, tensors, info), arguments.out)


def halved(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Convolution kernels in half precision, which halves the file; norms and biases as they are."""
    return {k: v.half() if v.is_floating_point() and v.ndim > 1 else v for k, v in state.items()}


def goodness(values: dict[str, Any]) -> float:
    """What settings are chosen by."""
    return float(values["f1_50"] + values["pq"] + values["ap5095"]) / 3.0


def choose_clustering(examples: list[Example], maps: list[Maps]) -> ClusterSettings:
    """The best of the grid."""
    best, best_score = ClusterSettings(), -1.0
    for values in itertools.product(*GRID.values()):
        settings = ClusterSettings(**dict(zip(GRID, values, strict=True)))
        scores = [
            goodness(score_image(e.labels, cluster_maps(m, settings)).values)
            for e, m in zip(examples, maps, strict=True)
        ]
        print(f"  {settings.foreground} {settings.start} {settings.min_pixels}: {np.mean(scores):.4f}", flush=True)
        if np.mean(scores) > best_score:
            best, best_score = settings, float(np.mean(scores))
    return best


def choose_threshold(examples: list[Example], predictions: list[Any], features: list[dict[str, Any]]) -> float:
    """t_u by the score after filtering; of equal ones the largest."""
    best, best_score = THRESHOLDS[-1], -1.0
    for threshold in THRESHOLDS:
        scores = [
            score_image(e.labels, without(p, f["uncertainty"] > threshold)).values
            for e, p, f in zip(examples, predictions, features, strict=True)
        ]
        row = {k: float(np.mean([s[k] for s in scores])) for k in ("f1_50", "prec50", "rec50", "pq", "ap5095")}
        print(f"  t_u {threshold:7.4f}  " + "  ".join(f"{k} {v:.3f}" for k, v in row.items()), flush=True)
        if goodness(row) >= best_score:
            best, best_score = threshold, goodness(row)
    return best


def choose_min_score(
    examples: list[Example],
    predictions: list[Any],
    features: list[dict[str, Any]],
    held_out: list[np.ndarray],
    threshold: float,
) -> float:
    """The least P(real) by the score after both filters; of equal ones the smallest."""
    best, best_score = 0.0, -1.0
    for least in MIN_SCORES:
        scores = [
            score_image(e.labels, without(p, (f["uncertainty"] > threshold) | (h < least))).values
            for e, p, f, h in zip(examples, predictions, features, held_out, strict=True)
        ]
        row = {k: float(np.mean([s[k] for s in scores])) for k in ("f1_50", "prec50", "rec50", "pq", "ap5095")}
        print(f"  P(real) {least:4.2f}  " + "  ".join(f"{k} {v:.3f}" for k, v in row.items()), flush=True)
        if goodness(row) > best_score:
            best, best_score = least, goodness(row)
    return best


def report(
    examples: list[Example],
    predictions: list[Any],
    features: list[dict[str, Any]],
    real: np.ndarray,
    held_out: list[np.ndarray],
    threshold: float,
    min_score: float,
) -> None:
    """The tables: without and with the filters, AUROC, cross-validated calibration."""
    for tag, t_u, least in (("bayesian", float("inf"), 0.0), ("filtered", threshold, min_score)):
        scores = [
            score_image(e.labels, without(p, (f["uncertainty"] > t_u) | (h < least)), e.name)
            for e, p, f, h in zip(examples, predictions, features, held_out, strict=True)
        ]
        print(format_table(summarise(scores, f"{tag}, t_u {t_u}, P(real) >= {least}")))
    uncertainty = np.concatenate([f["uncertainty"] for f in features])
    print(f"AUROC of the uncertainty against IoU < 0.5: {auroc(uncertainty, real):.3f}")
    p = np.concatenate(held_out)
    error = calibration_error(p, real)
    print(f"P(real), held out by image: AUROC {auroc(-p, real):.3f}, expected calibration error {error:.3f}")


if __name__ == "__main__":
    main()
