"""Fit the small models of the scale-bar stage and write data/scalebar/model.json.

    python benchmarks/scalebar_fit.py --data ../shared --cache texts.json

Fitted on the labelled bars of the EMPS images that `split.csv` calls "train"; those called "val" are
left for benchmarks/scalebar.py. The confidence model is fitted on rankings from models that have not
seen the image (five folds), because a ranking model is surer of what it was fitted on.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scalebar import Row, load_rows, load_texts

from imagedataextractor.images import load_image, to_grey
from imagedataextractor.scalebar import match, reading, text
from imagedataextractor.scalebar.bars import Bar, find_bars
from imagedataextractor.scalebar.evidence import FieldPrior, MagnificationPrior, photo_width_mm
from imagedataextractor.scalebar.match import Logistic, Pair

#: A bar is the true one where its length is right to this; wrong beyond the second; between, it is left out.
RIGHT, WRONG = 0.025, 0.06
FOLDS = 5
#: Weight of a text judged without its true bar: about the share of bars that the search misses.
MISSED_WEIGHT = 0.06
#: L2 penalty on standardised weights.
PENALTY = 1.0

#: Photographs this near to the middle one, in natural logarithms, are of the common width.
NEAR = 0.3

Scene = tuple[Row, list[text.Reading], list[list[Bar]], list[np.ndarray]]
LoneScene = tuple[Row, list[Bar], np.ndarray]


def fit_logistic(features: np.ndarray, labels: np.ndarray, weights: np.ndarray, penalty: float) -> Logistic:
    """Weighted logistic regression with an L2 penalty, by Newton's method."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < 1e-6] = 1.0
    x = np.column_stack([np.clip((features - mean) / scale, -8, 8), np.ones(len(features))])
    beta = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], penalty)
    ridge[-1] = 1e-3
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (weights * (p - labels)) + ridge * beta
        hessian = (x.T * (weights * p * (1 - p))) @ x + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        beta -= step
        if np.abs(step).max() < 1e-8:
            break
    return Logistic(mean, scale, beta[:-1], float(beta[-1]))


def scenes(rows: list[Row], texts: dict[str, Any], images: Path) -> list[Scene]:
    """Readings, candidate bars and pair features of every image."""
    found = []
    for row in rows:
        grey = to_grey(load_image(images / row.filename))
        readings = text.find_readings(texts[row.filename])[: reading.MAX_READINGS]
        bars = [reading.bars_near(grey, r) for r in readings]
        features = [
            np.array([match.pair_features(r, match.text_ink(grey, r), b) for b in near]).reshape(
                len(near), len(match.PAIR_FEATURES)
            )
            for r, near in zip(readings, bars, strict=True)
        ]
        found.append((row, readings, bars, features))
    return found


def pair_label(row: Row, bar: Bar, r: text.Reading) -> float:
    """1 right, 0 wrong, NaN in between."""
    if row.nm is None or abs(r.nm - row.nm) > 1e-6 * row.nm:
        return 0.0
    return bar_label(row, bar)


def bar_label(row: Row, bar: Bar) -> float:
    """1 right, 0 wrong, NaN in between."""
    if row.length_px is None:
        return 0.0
    if abs(bar.y - row.y) > 10 or min(bar.x1, row.x1) - max(bar.x0, row.x0) < 0.8 * row.length_px:
        return 0.0
    error = abs(bar.length - row.length_px) / row.length_px
    return 1.0 if error <= max(RIGHT, 1.2 / row.length_px) else (0.0 if error > WRONG else float("nan"))


def fit_ranking(some: list[Scene]) -> Logistic:
    features, labels, weights = [], [], []
    for row, readings, bars, table in some:
        for r, near, rows in zip(readings, bars, table, strict=True):
            y = np.array([pair_label(row, b, r) for b in near])
            use = ~np.isnan(y)
            if not use.any():
                continue
            features.append(rows[use])
            labels.append(y[use])
            # Each text weighs the same, however many candidates lie around it.
            weights.append(np.where(y[use] > 0, 1.0 / max(1, (y == 1).sum()), 5.0 / max(1, (y == 0).sum())))
    return fit_logistic(np.concatenate(features), np.concatenate(labels), np.concatenate(weights), PENALTY)


def lone_scenes(rows: list[Row], images: Path) -> list[LoneScene]:
    """All solid bars of every image, wherever they are, and their features."""
    found = []
    for row in rows:
        grey = to_grey(load_image(images / row.filename))
        bars = find_bars(grey)
        table = np.array([match.bar_features(bar, *grey.shape) for bar in bars])
        found.append((row, bars, table.reshape(len(bars), len(match.BAR_FEATURES))))
    return found


def fit_bars(some: list[LoneScene]) -> Logistic:
    features, labels, weights = [], [], []
    for row, bars, table in some:
        y = np.array([bar_label(row, b) for b in bars])
        use = ~np.isnan(y)
        if use.any():
            features.append(table[use])
            labels.append(y[use])
            weights.append(np.where(y[use] > 0, 1.0 / max(1, (y == 1).sum()), 5.0 / max(1, (y == 0).sum())))
    return fit_logistic(np.concatenate(features), np.concatenate(labels), np.concatenate(weights), PENALTY)


def judged_bars(scene: LoneScene, model: Logistic) -> list[tuple[list[float], bool, float]]:
    """Confidence features of an image's best lone bar, and whether its length is right to 5 %."""
    row, bars, table = scene
    if not bars:
        return []
    logits = model.logit(table)
    ranked = [(bars[i], float(logits[i])) for i in np.argsort(-logits, kind="stable")]
    best = ranked[0][0]
    right = row.length_px is not None and abs(best.length / row.length_px - 1) <= 0.05 and abs(best.y - row.y) < 10
    return [(match.bar_confidence_features(ranked), right, 1.0)]


def out_of_fold(everything: list[Any], fit: Any, judge: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence features, outcomes and weights, each from models that have not seen the image."""
    features, labels, weights = [], [], []
    for fold in range(FOLDS):
        partial = fit([s for i, s in enumerate(everything) if i % FOLDS != fold])
        for i, scene in enumerate(everything):
            if i % FOLDS == fold:
                for f, right, weight in judge(scene, partial):
                    features.append(f)
                    labels.append(float(right))
                    weights.append(weight)
    return np.array(features), np.array(labels), np.array(weights)


def judged(scene: Scene, ranking: Logistic) -> list[tuple[list[float], bool, float]]:
    """Confidence features of each text's best bar, whether the scale it gives is right to 5 %, and a weight.

    Each text is judged a second time with its true bar taken away, as if the search had missed it:
    there are too few such cases among the images to learn from, and a wrong scale comes from just them.
    """
    row, readings, bars, table = scene
    found = []
    for r, near, rows in zip(readings, bars, table, strict=True):
        true = np.array([pair_label(row, bar, r) != 0 for bar in near], bool)
        for keep, weight in ((np.ones(len(near), bool), 1.0), (~true, MISSED_WEIGHT)):
            if not keep.any() or (weight != 1.0 and not true.any()):
                continue
            logits = np.where(keep, ranking.logit(rows), -np.inf)
            order = [i for i in np.argsort(-logits, kind="stable") if keep[i]]
            pairs = [Pair(r, near[i], float(logits[i])) for i in order]
            right = row.nm_per_px is not None and abs(r.nm / pairs[0].bar.length / row.nm_per_px - 1) <= 0.05
            found.append((match.confidence_features(pairs, readings), right, weight))
    return found


def fit_pictures(some: list[Scene], texts: dict[str, Any], images: Path) -> tuple[FieldPrior, MagnificationPrior]:
    """How wide micrographs are, and the photographs that their printed magnifications speak of."""
    fields, widths = [], []
    for row, _, _, _ in some:
        if row.nm_per_px is None:
            continue
        width = load_image(images / row.filename).shape[1]
        fields.append(np.log10(row.nm_per_px * width))
        magnification = text.read_magnification(texts[row.filename])
        if magnification is not None:
            widths.append(np.log(photo_width_mm(magnification, row.nm_per_px, width)))
    # Most stand close together; the spread is that of those, the rest may be anywhere.
    middle = float(np.median(widths))
    near = np.array([w for w in widths if abs(w - middle) < NEAR])
    print(f"magnifications: {len(widths)} printed, {len(near)} near {np.exp(middle):.0f} mm")
    return (
        FieldPrior(float(np.mean(fields)), float(np.std(fields))),
        MagnificationPrior(float(np.exp(near.mean())), float(near.std()), len(near) / len(widths)),
    )


def rounded(prior: FieldPrior | MagnificationPrior) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(prior).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, help="keep the OCR results here")
    parser.add_argument("--out", type=Path, default=Path("data/scalebar/model.json"))
    parser.add_argument("--part", default="train", help="which rows to fit on: train, or all")
    args = parser.parse_args()

    rows = [r for r in load_rows(args.data) if args.part in (r.part, "all") and r.has_bar != "unreadable"]
    texts = load_texts(rows, args.data, args.cache)
    everything = scenes(rows, texts, args.data / "emps-train" / "images")
    ranking = fit_ranking(everything)

    models = {"ranking": ranking}
    x, y, w = out_of_fold(everything, fit_ranking, judged)
    models["confidence"] = fit_logistic(x, y, w, PENALTY)
    print(f"texts, out of fold: {(w == 1).sum()}, best bar right {y[w == 1].mean():.3f}")
    lone = lone_scenes(rows, args.data / "emps-train" / "images")
    models["bar"] = fit_bars(lone)
    x, y, w = out_of_fold(lone, fit_bars, judged_bars)
    models["bar_confidence"] = fit_logistic(x, y, w, PENALTY)
    print(f"bars alone, out of fold: {len(y)} images, best bar right {y.mean():.3f}")
    field, magnification = fit_pictures(everything, texts, args.data / "emps-train" / "images")
    names = {
        "ranking": match.PAIR_FEATURES,
        "confidence": match.CONFIDENCE_FEATURES,
        "bar": match.BAR_FEATURES,
        "bar_confidence": match.BAR_CONFIDENCE_FEATURES,
    }

    def entry(model: Logistic, names: tuple[str, ...]) -> dict[str, Any]:
        return {
            "features": list(names),
            "mean": [round(float(v), 6) for v in model.mean],
            "scale": [round(float(v), 6) for v in model.scale],
            "weights": [round(float(v), 6) for v in model.weights],
            "bias": round(model.bias, 6),
        }

    content = {
        "fitted_by": "benchmarks/scalebar_fit.py",
        "fitted_on": f"{len(rows)} labelled EMPS images, part {args.part}",
        **{name: entry(model, names[name]) for name, model in models.items()},
        "field": rounded(field),
        "magnification": rounded(magnification),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for name, model in models.items():
        print(name, ", ".join(f"{n} {w:+.2f}" for n, w in zip(names[name], model.weights, strict=True)))


if __name__ == "__main__":
    main()
