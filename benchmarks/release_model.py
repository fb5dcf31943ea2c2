"""Turn a training run into the model that is shipped: choose its settings on val, calibrate, write.

    python benchmarks/release_model.py RUN/best.safetensors --out data/weights/default.safetensors

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
from safetensors.torch import load_file

from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.dataset import Example, load_emps
from imagedataextractor.segmentation.inference import (
    Maps,
    calibration_features,
    cluster_maps,
    image_maps,
    particle_means,
)
from imagedataextractor.segmentation.metrics import format_table, score_image, summarise
from imagedataextractor.segmentation.reliability import apply_calibration, auroc, fit_calibration, is_real, without
from imagedataextractor.segmentation.training import build_network
from imagedataextractor.segmentation.weights import WeightsInfo, save_weights

#: What is tried: the seed values for foreground and start, and the least size.
GRID = {"foreground": (0.3, 0.4, 0.5), "start": (0.6, 0.7, 0.8, 0.85, 0.9), "min_pixels": (16, 30)}
THRESHOLDS = (0.002, 0.004, 0.006, 0.008, 0.010, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1, float("inf"))


def main() -> None:
    """Parse, choose, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/emps-train"))
    parser.add_argument("--split", default="val")
    parser.add_argument("--architecture", default="lite0")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--flips", action="store_true", help="spread the samples over mirror images")
    parser.add_argument("--images", type=int, default=0, help="use only so many images")
    parser.add_argument("--name", default="default")
    parser.add_argument("--training", default="{}", help="JSON to keep in the header: data, split, seed, command, …")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--settings", help="JSON of clustering settings and threshold: choose nothing, only report")
    arguments = parser.parse_args()

    network = build_network(arguments.architecture)
    network.load_state_dict(halved(load_file(str(arguments.weights))))
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
    features = [features_of(m, labels) for m, labels in zip(maps, predictions, strict=True)]
    threshold = fixed.get("threshold") or choose_threshold(examples, predictions, features)
    print(f"clustering {chosen}\nthreshold {threshold}")
    real = np.concatenate([is_real(e.labels, p) for e, p in zip(examples, predictions, strict=True)])
    merged = {k: np.concatenate([f[k] for f in features]) for k in features[0]}
    calibration = fit_calibration(calibration_features(merged), real)
    report(examples, predictions, features, real, merged, threshold)
    if arguments.out:
        info = WeightsInfo(
            name=arguments.name,
            architecture=arguments.architecture,
            licence="MIT",
            origin="trained by this project; the encoder began as EfficientNet-Lite0 (ImageNet, Apache-2.0)",
            defaults={
                "samples": arguments.samples,
                "flips": arguments.flips,
                "threshold": threshold,
                "clustering": {k: getattr(chosen, k) for k in ("foreground", "start", "min_pixels")},
            },
            calibration=calibration.as_dict(),
            training=json.loads(arguments.training),
        )
        print(save_weights(arguments.out, halved(load_file(str(arguments.weights))), info), arguments.out)


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


def features_of(maps: Maps, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Per-particle features, as `segment_with` gives them."""
    count = int(labels.max())
    return {
        "uncertainty": particle_means(maps.information, labels, count),
        "seed": particle_means(maps.seed, labels, count),
        "area_px": np.bincount(labels.ravel(), minlength=count + 1)[1:] / maps.scale**2,
    }


def choose_threshold(examples: list[Example], predictions: list[Any], features: list[dict[str, Any]]) -> float:
    """t_u by the score after filtering; of equal ones the largest."""
    best, best_score = float("inf"), -1.0
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


def report(
    examples: list[Example],
    predictions: list[Any],
    features: list[dict[str, Any]],
    real: np.ndarray,
    merged: dict[str, np.ndarray],
    threshold: float,
) -> None:
    """The tables: without and with the filter, AUROC, cross-validated calibration."""
    for tag, keep in (("bayesian", float("inf")), (f"filtered t_u {threshold}", threshold)):
        scores = [
            score_image(e.labels, without(p, f["uncertainty"] > keep), e.name)
            for e, p, f in zip(examples, predictions, features, strict=True)
        ]
        print(format_table(summarise(scores, tag)))
    print(f"AUROC of the uncertainty against IoU < 0.5: {auroc(merged['uncertainty'], real):.3f}")
    owner = np.concatenate([np.full(len(f["seed"]), i % 5) for i, f in enumerate(features)])
    inputs = calibration_features(merged)
    held_out = np.zeros(len(real))
    for fold in range(5):
        fitted = fit_calibration({k: v[owner != fold] for k, v in inputs.items()}, real[owner != fold])
        held_out[owner == fold] = apply_calibration(fitted, {k: v[owner == fold] for k, v in inputs.items()})
    bins = np.minimum((held_out * 10).astype(int), 9)
    error = sum(
        abs(held_out[bins == b].mean() - real[bins == b].mean()) * (bins == b).mean()
        for b in range(10)
        if (bins == b).any()
    )
    print(f"P(real), held out by image: AUROC {auroc(-held_out, real):.3f}, expected calibration error {error:.3f}")


if __name__ == "__main__":
    main()
