r"""How the scores grow with the number of training images (figure 7 of Yildirim & Cole 2021).

    python benchmarks/learning_curve.py --data ../shared/emps-train --sizes 25 50 100 200 289 \
        --steps 1500 --out runs/learning-curve --plot learning-curve.png

Trains one network a size, each on a subset that holds the smaller ones, always for the same number of
steps, and scores the last averaged weights on the validation split, one pass without dropout; nothing
is chosen by val. A run that was stopped goes on. One step of the default network takes about 1.5 s on
one core, so the whole curve is a matter of hours on a CPU and of minutes on a GPU; a short one is

    python benchmarks/learning_curve.py --sizes 10 30 100 289 --steps 150 --crops 256x4 --images 40
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from safetensors.torch import load_file

from imagedataextractor.segmentation.architectures import Network, build_network
from imagedataextractor.segmentation.inference import choose_device
from imagedataextractor.segmentation.inference_settings import InferenceSettings
from imagedataextractor.segmentation.metrics import score_image, summarise
from imagedataextractor.segmentation.pyramid import Pyramid
from imagedataextractor.training.segmentation.dataset import load_emps
from imagedataextractor.training.segmentation.settings import crop_sizes, default_settings
from imagedataextractor.training.segmentation.train import train

KEYS = ("f1_50", "ap50", "ap5095", "pq", "prec50", "rec50", "paper_ap50", "paper_ap75", "paper_miou")


def plot(path: Path, rows: dict[int, dict[str, tuple[float, float, float]]]) -> None:
    figure = Figure(figsize=(5.5, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for key, label in (("f1_50", "F1@50"), ("ap50", "AP50"), ("ap5095", "AP50:95"), ("pq", "PQ")):
        values = np.array([rows[n][key] for n in rows])
        axes.errorbar(
            list(rows), values[:, 0], np.abs(values[:, 1:].T - values[:, 0]), label=label, capsize=2, marker="o"
        )
    axes.set(xscale="log", xlabel="training images", ylabel="validation, mean over images")
    axes.legend()
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/emps-train"), help="folder in the EMPS layout")
    parser.add_argument("--sizes", type=int, nargs="*", default=[25, 50, 100, 200, 289])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument(
        "--crops", type=crop_sizes, help="SIDExNUMBER,… of a batch (default: as `ide train segmentation`)"
    )
    parser.add_argument("--images", type=int, default=0, help="score on so many validation images; 0 for all")
    parser.add_argument("--architecture", choices=["lite0", "erfnet"], default="lite0")
    parser.add_argument("--seed", type=int, default=0, help="of the subsets and of the training")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("runs/learning-curve"))
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()

    device = choose_device(arguments.device)
    training = load_emps(arguments.data, "train")
    validation = load_emps(arguments.data, "val")[: arguments.images or None]
    order = np.random.default_rng(arguments.seed).permutation(len(training))
    settings = default_settings(arguments.architecture)
    settings = dataclasses.replace(
        settings,
        steps=arguments.steps,
        warmup=min(settings.warmup, arguments.steps // 5),
        sizes=arguments.crops or settings.sizes,
        seed=arguments.seed,
    )
    print(
        f"| images | particles | {' | '.join(KEYS)} | count err | ECD err |", f"|{' --- |' * (len(KEYS) + 4)}", sep="\n"
    )
    rows: dict[int, dict[str, tuple[float, float, float]]] = {}
    for size in sorted(min(n, len(training)) for n in set(arguments.sizes)):
        subset = [training[i] for i in order[:size]]
        crops = "_".join(f"{side}x{count}" for side, count in settings.sizes)
        folder = arguments.out / f"{arguments.architecture}-{size}-{arguments.steps}-{crops}-s{arguments.seed}"
        train(subset, folder, settings, device=device, report=lambda line: print(line, file=sys.stderr))
        network = build_network(arguments.architecture)
        network.load_state_dict(load_file(str(folder / "last.safetensors")))
        network.eval().to(device)
        assert isinstance(network, Network)
        rules = Pyramid(network, InferenceSettings(), None, device)
        scores = []
        for example in validation:
            found = rules.segment(example.image, mode="discriminative")
            scores.append(score_image(example.labels, found.label_map, example.name))
        summary = summarise(scores)
        rows[size] = {key: (summary["mean"][key], *summary["ci95"][key]) for key in KEYS}
        particles = sum(len(np.unique(e.labels)) - 1 for e in subset)
        cells = " | ".join(f"{rows[size][key][0]:.3f}" for key in KEYS)
        errors = " | ".join(f"{summary['measure'][key]['median_abs']:.3f}" for key in ("count_err", "ecd_err"))
        print(f"| {size} | {particles} | {cells} | {errors} |", flush=True)
    if arguments.plot and not any(math.isnan(v[0]) for row in rows.values() for v in row.values()):
        plot(arguments.plot, rows)


if __name__ == "__main__":
    main()
