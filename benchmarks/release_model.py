"""Turn a training run into the model that is shipped: choose its settings on val, calibrate, write.

    python benchmarks/release_model.py RUN/last.safetensors --out data/weights/default.safetensors
    python benchmarks/release_model.py RUN-ALL/last.safetensors --like data/weights/default.safetensors \
        --out data/weights/default.safetensors
    python benchmarks/release_model.py RUN/best.safetensors --name bpartis --licence-of bpartis-2021 \
        --origin "…" --out data/weights/bpartis.safetensors

On the validation images: Monte Carlo maps once; the clustering's settings, and the seed from which a
particle counts where nothing is filtered, by the mean of F1@50, PQ and AP50:95; then P(real) by
logistic regression over the candidates, whose reliability is reported by cross-validation over images;
then the least P(real) and t_u by the same mean after filtering. What is chosen on val is not judged on
val by more than a few parameters: the table says which numbers are which.

With `--like`, settings and calibration are those of another model: for weights that learnt from the
validation images too, and can choose nothing by them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from kept import keeping

from imagedataextractor.images import sha256_of
from imagedataextractor.segmentation.architectures import build_network
from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.features import calibration_features, particle_features
from imagedataextractor.segmentation.inference import Maps, cluster_maps, image_maps, label_resized
from imagedataextractor.segmentation.metrics import format_table, score_image, summarise
from imagedataextractor.segmentation.reliability import (
    Calibration,
    auroc,
    calibration_error,
    fit_calibration,
    held_out_probability,
    image_weights,
    is_real,
    without,
)
from imagedataextractor.segmentation.weights import WeightsInfo, load_weights, save_weights
from imagedataextractor.training.segmentation.dataset import Example, load_emps

#: What is tried of the clustering's settings; seeds of START and more make a candidate.
FOREGROUND = (0.2, 0.3, 0.4)
MEMBERSHIP = (0.25, 0.35, 0.5)  # 0.15 does as well as 0.25
START = 0.8
CERTAIN = (0.8, 0.85, 0.88, 0.9, 0.92, 0.94)
MIN_SCORES = (0.0, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)
THRESHOLDS = (0.004, 0.006, 0.008, 0.010, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1, 0.2, 0.7)
ORIGIN = "trained by this project; the encoder began as EfficientNet-Lite0 (ImageNet, Apache-2.0)"

Drop = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Candidates:
    """An image's candidates: label map, features, and which of them are real."""

    example: Example
    labels: npt.NDArray[np.int32]
    features: dict[str, Any]
    real: Drop


def main() -> None:
    """Parse, choose, print, write."""
    arguments = parse()
    run, tensors = load_weights(arguments.weights)
    tensors = halved(tensors)
    if arguments.like:
        model = load_weights(arguments.like)[0]
        defaults, calibration = dict(model.defaults), model.calibration
    else:
        network = build_network(run.architecture)
        network.load_state_dict(tensors)
        defaults, fitted = chosen_settings(network.eval(), arguments)
        calibration = fitted.as_dict()
    if arguments.out:
        info = WeightsInfo(
            name=arguments.name,
            architecture=run.architecture,
            licence="MIT",
            origin=arguments.origin,
            defaults=defaults,
            calibration=calibration,
            training=json.loads(arguments.training),
            licence_text=load_weights(arguments.licence_of)[0].licence_text if arguments.licence_of else "",
        )
        print(save_weights(arguments.out, tensors, info), arguments.out)


def parse() -> argparse.Namespace:
    """The command line."""
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
    parser.add_argument("--like", help="take settings and calibration from this model, choose and judge nothing")
    parser.add_argument(
        "--keep", type=Path, default=Path("runs/maps"), help="folder of kept maps: a stopped run goes on"
    )
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def halved(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Convolution kernels in half precision, which halves the file; norms and biases as they are."""
    return {k: v.half() if v.is_floating_point() and v.ndim > 1 else v for k, v in state.items()}


def chosen_settings(network: torch.nn.Module, arguments: argparse.Namespace) -> tuple[dict[str, Any], Calibration]:
    """Everything that is chosen on the validation images, printed as it is found."""
    examples = load_emps(arguments.data, arguments.split)[: arguments.images or None]
    settings: dict[str, Any] = {"samples": arguments.samples, "flips": arguments.flips}
    begun = time.process_time()
    look = keeping(arguments.keep / sha256_of(arguments.weights)[:8], image_maps)
    maps = [look(network, e.image, seed=0, device="cpu", **settings) for e in examples]
    print(f"{len(examples)} images, {(time.process_time() - begun) / len(examples):.2f} CPU s an image for the maps")
    clustering = choose_clustering(examples, maps)
    found = [candidates(e, m, clustering) for e, m in zip(examples, maps, strict=True)]
    certain = best_of("certain seed", CERTAIN, found, lambda v: [c.features["seed_peak"] < v for c in found])
    inputs, real = [calibration_features(c.features) for c in found], [c.real for c in found]
    calibration = fit_calibration(
        {k: np.concatenate([f[k] for f in inputs]) for k in inputs[0]},
        np.concatenate(real),
        image_weights(real, range(len(real))),
    )
    p = held_out_probability(inputs, real)
    least = best_of("P(real)", MIN_SCORES, found, lambda v: [h < v for h in p])
    t_u = best_of(
        "t_u",
        THRESHOLDS[::-1],
        found,
        lambda v: [(h < least) | (c.features["uncertainty"] > v) for c, h in zip(found, p, strict=True)],
    )
    report(found, "bayesian", [c.features["seed_peak"] < certain for c in found])
    report(
        found,
        f"filtered, t_u {t_u}, P(real) >= {least}, calibrations that have not seen the image",
        [(h < least) | (c.features["uncertainty"] > t_u) for c, h in zip(found, p, strict=True)],
    )
    truth, probability = np.concatenate(real), np.concatenate(p)
    uncertainty = np.concatenate([c.features["uncertainty"] for c in found])
    print(f"of {len(truth)} candidates {truth.mean():.1%} are real")
    print(f"AUROC of the uncertainty against IoU < 0.5: {auroc(uncertainty, truth):.3f}")
    print(
        f"P(real), held out by image: AUROC {auroc(-probability, truth):.3f}, "
        f"expected calibration error {calibration_error(probability, truth):.3f}"
    )
    settings |= {"threshold": t_u, "min_score": least, "certain_seed": certain}
    settings["clustering"] = {k: getattr(clustering, k) for k in ("foreground", "start", "membership", "min_pixels")}
    return settings, calibration


def candidates(example: Example, maps: Maps, clustering: ClusterSettings) -> Candidates:
    """Cluster an image's maps and compare with the truth."""
    labels = cluster_maps(maps, clustering)
    features = particle_features(maps, labels)
    labels = label_resized(labels, example.labels.shape[::-1])
    real = np.zeros(len(features["seed"]), bool)
    judged = is_real(example.labels, labels)
    real[: len(judged)] = judged  # the last may have lost all pixels
    return Candidates(example, labels, features, real)


def goodness(values: Mapping[str, float]) -> float:
    """What settings are chosen by."""
    return float(values["f1_50"] + values["pq"] + values["ap5095"]) / 3.0


def choose_clustering(examples: Sequence[Example], maps: Sequence[Maps]) -> ClusterSettings:
    """The best of the grid, seeds from the usual certain one."""
    best, best_score = ClusterSettings(), -1.0
    for foreground, membership in itertools.product(FOREGROUND, MEMBERSHIP):
        tried = ClusterSettings(foreground=foreground, start=0.9, membership=membership)
        scores = [
            goodness(score_image(e.labels, cluster_maps(m, tried)).values) for e, m in zip(examples, maps, strict=True)
        ]
        print(f"  foreground {foreground} membership {membership}: {np.mean(scores):.4f}", flush=True)
        if np.mean(scores) > best_score:
            best, best_score = (
                ClusterSettings(foreground=foreground, start=START, membership=membership),
                float(np.mean(scores)),
            )
    return best


def best_of(
    name: str, values: Sequence[float], found: Sequence[Candidates], dropped: Callable[[float], list[Drop]]
) -> float:
    """The value by which dropping candidates scores best; of equal ones the first."""
    best, best_score = values[0], -1.0
    for value in values:
        rows = [
            score_image(c.example.labels, without(c.labels, d)).values
            for c, d in zip(found, dropped(value), strict=True)
        ]
        row = {k: float(np.mean([r[k] for r in rows])) for k in ("f1_50", "prec50", "rec50", "pq", "ap5095")}
        print(f"  {name} {value:6.4f}  " + "  ".join(f"{k} {v:.3f}" for k, v in row.items()), flush=True)
        if goodness(row) > best_score:
            best, best_score = value, goodness(row)
    return best


def report(found: Sequence[Candidates], title: str, dropped: Sequence[Drop]) -> None:
    """The table of scores."""
    scores = [
        score_image(c.example.labels, without(c.labels, d), c.example.name) for c, d in zip(found, dropped, strict=True)
    ]
    print(format_table(summarise(scores, title)))


if __name__ == "__main__":
    main()
