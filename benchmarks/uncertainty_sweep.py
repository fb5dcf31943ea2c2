r"""Does the uncertainty earn its name? Ranking, the sweep over t_u, and calibration.

    python benchmarks/uncertainty_sweep.py --model default --data ../shared/emps-train --split val \
        --plot sweep.png

Looks at the candidates that the mode "filtered" decides on. Prints how well the uncertainty of a
particle (its mean mutual information) tells false ones from real ones (AUROC, with a 95 % interval over
images); the scores at each threshold t_u (figure 6 of Yildirim & Cole 2021) and, where the model has a
calibration, at each least P(real); how reliable a probability is that is made of uncertainty and size
alone, each fifth of the images judged by a calibration fitted on the other four; and the model's own.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from segmentation_table import predict

from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.reliability import (
    Prediction,
    auroc,
    calibration_error,
    choose_threshold,
    held_out_probability,
    is_real,
    reliability_bins,
    threshold_sweep,
)
from imagedataextractor.training.segmentation.evaluation import Predicted

Floats = npt.NDArray[np.float64]

#: Of P(real), what the filter could ask for.
LEAST = (0.0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9)


def thresholds_for(uncertainty: Floats, steps: int) -> list[float]:
    """Thresholds at even steps of the share of particles they keep, from half of them to all."""
    shares = np.linspace(0.5, 1.0, steps)[:-1]
    return [*np.unique(np.quantile(uncertainty, shares)).tolist(), math.inf]


def features_of(predicted: Predicted) -> dict[str, Floats]:
    """Of every particle of an image: what a calibration may use (the score may be one already)."""
    area = np.bincount(predicted.labels.ravel(), minlength=len(predicted.uncertainty) + 1)[1:]
    return {
        "log_uncertainty": np.log(np.maximum(predicted.uncertainty, 1e-5)),
        "log_area": np.log(np.maximum(area, 1.0)),
    }


def auroc_interval(
    values: Sequence[Floats], real: Sequence[npt.NDArray[np.bool_]], draws: int = 500
) -> tuple[float, float]:
    """95 % bootstrap interval over images."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        chosen = rng.integers(0, len(values), len(values))
        found.append(auroc(np.concatenate([values[i] for i in chosen]), np.concatenate([real[i] for i in chosen])))
    low, high = np.nanpercentile(found, (2.5, 97.5))
    return float(low), float(high)


def print_sweep(name: str, values: Sequence[float], rows: Sequence[dict[str, float]], kept: Sequence[float]) -> None:
    keys = ("f1_50", "prec50", "rec50", "ap50", "ap5095", "pq", "paper_ap50", "paper_ap75", "paper_miou")
    keys += ("count_err_median", "ecd_err_median")
    print(f"| {name} | kept | {' | '.join(keys)} |", f"|{' --- |' * (len(keys) + 2)}", sep="\n")
    for value, row, share in zip(values, rows, kept, strict=True):
        print(f"| {value:.5f} | {share:.2f} | {' | '.join(f'{row[key]:.3f}' for key in keys)} |")


def report_reliability(label: str, p: Floats, real: npt.NDArray[np.bool_]) -> None:
    print(f"{label}: expected calibration error {calibration_error(p, real):.3f}, ", end="")
    print(f"AUROC {auroc(1.0 - p, real):.3f}, Brier score {((p - real) ** 2).mean():.3f}")
    for r in reliability_bins(p, real):
        print(
            f"  {r.low:.1f} … {r.high:.1f}: {r.count:5d} particles, predicted {r.predicted:.3f}, real {r.observed:.3f}"
        )


def plot(path: Path, sweep: Sequence[dict[str, float]], p: Floats, real: npt.NDArray[np.bool_], best: float) -> None:
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    finite = [row for row in sweep if math.isfinite(row["threshold"])]
    x = [row["threshold"] for row in finite]
    curves = {"f1_50": "F1@50", "prec50": "precision", "rec50": "recall", "pq": "PQ", "ap5095": "AP50:95"}
    for key, label in curves.items():
        (line,) = left.plot(x, [row[key] for row in finite], label=label)
        left.axhline(sweep[-1][key], color=line.get_color(), lw=0.6, ls=":")
    if math.isfinite(best):
        left.axvline(best, color="0.4", lw=0.8)
    left.set(xscale="log", xlabel="threshold $t_u$ / nats", ylabel="mean over images (dotted: unfiltered)")
    left.legend(fontsize=8)
    rows = reliability_bins(p, real)
    right.plot([0, 1], [0, 1], color="0.6", lw=0.8)
    right.plot([r.predicted for r in rows], [r.observed for r in rows], "o-")
    for r in rows:
        right.annotate(str(r.count), (r.predicted, r.observed), xytext=(4, -10), textcoords="offset points", fontsize=7)
    right.set(xlabel="predicted probability of being real", ylabel="share with IoU ≥ 0.5", xlim=(0, 1), ylim=(0, 1))
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="default")
    parser.add_argument("--data", type=Path, default=Path("../shared/emps-train"), help="folder in the EMPS layout")
    parser.add_argument("--split", default="val")
    parser.add_argument("--samples", type=int, help="T (default: the model's own)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=21, help="thresholds tried")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--keep", type=Path, default=Path("runs/predictions"), help="folder of kept predictions")
    parser.add_argument("--plot", type=Path, help="picture of the sweep and of the reliability")
    arguments = parser.parse_args()

    model = Segmenter.load(arguments.model, arguments.device)
    samples = arguments.samples or model.samples
    found = predict(model, arguments.data, arguments.split, arguments.keep, "filtered", samples, arguments.seed)
    real = [is_real(p.true, p.labels) for p in found]
    uncertainty = [p.uncertainty for p in found]
    every, flat = np.concatenate(real), np.concatenate(uncertainty)
    print(
        f"{model.name}, T = {samples}, {arguments.split}: {len(every)} particles, {int((~every).sum())} of them false"
    )
    scores = [p.score for p in found if p.score is not None]
    doubts = [1.0 - score for score in scores] if len(scores) == len(found) else None
    for label, values in (("uncertainty", uncertainty), ("1 - score", doubts)):
        if values is None:
            continue
        low, high = auroc_interval(values, real)
        value = auroc(np.concatenate(values), every)
        print(f"AUROC of {label} for false against real: {value:.3f} [{low:.3f}, {high:.3f}]")

    sweep = threshold_sweep(
        [Prediction(p.true, p.labels, p.uncertainty) for p in found], thresholds_for(flat, arguments.steps)
    )
    best = choose_threshold(sweep)
    print_sweep(
        "t_u / nats", [row["threshold"] for row in sweep], sweep, [(flat < r["threshold"]).mean() for r in sweep]
    )
    print(f"best by F1@50: t_u = {best:.5f}; the model's own is {model.threshold:g}")
    if doubts is not None:
        doubt = [Prediction(p.true, p.labels, values) for p, values in zip(found, doubts, strict=True)]
        # A particle of exactly the least probability stays.
        by_score = threshold_sweep(doubt, [1.0 - least + 1e-9 for least in LEAST])
        score = np.concatenate(scores)
        print_sweep("least P(real)", LEAST, by_score, [(score >= least).mean() for least in LEAST])
        print(f"the model's own is {model.info.inference.choice.min_score:g}, together with t_u")

    p = np.concatenate(held_out_probability([features_of(f) for f in found], real))
    report_reliability("P(real) of uncertainty and size, each fifth of the images held out", p, every)
    if doubts is not None:
        p = np.concatenate(scores)
        report_reliability("the model's own score (see its header for what it was fitted on)", p, every)
    if arguments.plot:
        plot(arguments.plot, sweep, p, every, best)


if __name__ == "__main__":
    main()
