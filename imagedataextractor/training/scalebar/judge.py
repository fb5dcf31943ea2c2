"""Fit the models that judge scale bars: what `ide train scalebar` does.

Fitted on the hand-read bars of all labelled EMPS images; what that is worth on images that were not fitted on,
benchmarks/scalebar.py --folds tells, by folds of whole articles. The confidence model is fitted on rankings
from models that have not seen the article (five folds), because a ranking model is surer of what it was
fitted on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.artificial.scalebars import SITUATIONS, draw_marked_picture
from imagedataextractor.files import replacing
from imagedataextractor.images import load_image, to_grey
from imagedataextractor.ocr import TextBox
from imagedataextractor.quantities import parse_length
from imagedataextractor.records import Box
from imagedataextractor.scalebar import match, reading, text
from imagedataextractor.scalebar.bar import Bar
from imagedataextractor.scalebar.bars import find_bars
from imagedataextractor.scalebar.evidence import FieldPrior, MagnificationPrior, photo_width_mm
from imagedataextractor.scalebar.match import Logistic, Models, Pair
from imagedataextractor.telling import Tell
from imagedataextractor.training.scalebar.labelled import Row, fold_of, load_texts

__all__ = ["Gathered", "fit", "fit_model", "gather"]

#: A bar is the true one where its length is right to this; wrong beyond the second; between, it is left out.
RIGHT, WRONG = 0.025, 0.06
FOLDS = 5
#: Error in px that is always right, whatever the bar's length: two ends, read by hand to about half a pixel each.
RIGHT_PX = 1.2
#: Rows, px, within which a bar lies at the height at which it was read by hand, and the share of the true length that
#: it covers: what is further off, or elsewhere along the row, is another thing of the same length.
SAME_ROWS_PX, COVERED = 10, 0.8
#: A length read is the true one where it differs by less than this, relative: only rounding is allowed for.
SAME_NM = 1e-6
#: Error of a scale, or of a lone bar's length, up to which it is right, relative: what "confidence" speaks of.
RIGHT_SCALE = 0.05
#: Weight of all wrong candidates of a text together, against its right one: they are many, and of many sorts.
WRONG_WEIGHT = 5.0
#: Weight of a drawn picture beside a hand-read image.
DRAWN_WEIGHT = 0.3
#: Share of an image that serves as ground, from the top: below lies its own bar.
GROUND_SHARE = 0.8
#: By this share of its height a box that OCR gives is larger than the letters; its score for a clear text.
OCR_PADDING, USUAL_SCORE = 0.15, 0.97
#: Weight of a text judged without its true bar: about the share of bars that the search misses.
MISSED_WEIGHT = 0.06
#: L2 penalty on standardised weights.
PENALTY = 1.0
#: The same for the constant, which has nothing to be shrunk for; only the equations must stay solvable.
CONSTANT_PENALTY = 1e-3
#: Standard deviation below which a feature is constant, and is not divided by it.
LEAST_SPREAD = 1e-6
#: Newton's method ends where no weight moves by more than this, or after so many steps.
CONVERGED, MOST_STEPS = 1e-8, 60
#: Sides of a drawn text, px, below which no reader would find it.
LEAST_TEXT_PX = 4

#: Photographs this near to the middle one, in natural logarithms, are of the common width.
NEAR = 0.3

Floats = npt.NDArray[np.float64]
Scene = tuple[Row, list[text.Reading], list[list[Bar]], list[Floats]]
LoneScene = tuple[Row, list[Bar], Floats]


def fit_logistic(features: Floats, labels: Floats, weights: Floats, penalty: float) -> Logistic:
    """Weighted logistic regression with an L2 penalty, by Newton's method."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < LEAST_SPREAD] = 1.0
    x = np.column_stack([np.clip((features - mean) / scale, -8, 8), np.ones(len(features))])
    beta = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], penalty)
    ridge[-1] = CONSTANT_PENALTY
    for _ in range(MOST_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (weights * (p - labels)) + ridge * beta
        hessian = (x.T * (weights * p * (1 - p))) @ x + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        beta -= step
        if np.abs(step).max() < CONVERGED:
            break
    return Logistic(mean, scale, beta[:-1], float(beta[-1]))


def scenes(rows: list[Row], texts: dict[str, list[TextBox]], images: Path) -> list[Scene]:
    """Readings, candidate bars and pair features of every image."""
    found = []
    for row in rows:
        grey = to_grey(load_image(images / row.filename))
        found.append(_scene(row, grey, text.find_readings(texts[row.filename])[: reading.MAX_READINGS]))
    return found


def _scene(row: Row, grey: npt.NDArray[np.uint8], readings: list[text.Reading]) -> Scene:
    bars = [reading.bars_near(grey, r) for r in readings]
    features = [
        np.array([match.pair_features(r, match.text_ink(grey, r), b) for b in near]).reshape(
            len(near), len(match.PAIR_FEATURES)
        )
        for r, near in zip(readings, bars, strict=True)
    ]
    return row, readings, bars, features


def pair_label(row: Row, bar: Bar, r: text.Reading) -> float:
    """1 right, 0 wrong, NaN in between."""
    if row.nm is None or abs(r.nm - row.nm) > SAME_NM * row.nm:
        return 0.0
    return bar_label(row, bar)


def bar_label(row: Row, bar: Bar) -> float:
    """1 right, 0 wrong, NaN in between."""
    if row.length_px is None:
        return 0.0
    if abs(bar.y - row.y) > SAME_ROWS_PX or min(bar.x1, row.x1) - max(bar.x0, row.x0) < COVERED * row.length_px:
        return 0.0
    error = abs(bar.length - row.length_px) / row.length_px
    return 1.0 if error <= max(RIGHT, RIGHT_PX / row.length_px) else (0.0 if error > WRONG else float("nan"))


def fit_ranking(some: list[Scene], drawn: Sequence[Scene] = ()) -> Logistic:
    """Which bar belongs to a text: from hand-read images, and drawn ones at a lower weight."""
    real = _pairs(some)
    if not drawn:
        return fit_logistic(*real, PENALTY)
    x, y, w = _pairs(drawn)
    mixed = (np.concatenate([real[0], x]), np.concatenate([real[1], y]), np.concatenate([real[2], DRAWN_WEIGHT * w]))
    return fit_logistic(*mixed, PENALTY)


def _pairs(some: Sequence[Scene]) -> tuple[Floats, Floats, Floats]:
    """Features of all pairs that are clearly right or wrong, which they are, and their weights."""
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
            weights.append(np.where(y[use] > 0, 1.0 / max(1, (y == 1).sum()), WRONG_WEIGHT / max(1, (y == 0).sum())))
    return np.concatenate(features), np.concatenate(labels), np.concatenate(weights)


def drawn_scenes(rows: list[Row], images: Path, count: int, seed: int = 0) -> list[Scene]:
    """Bars in the situations at which readers have failed, drawn over the images without their feet.

    Their texts are taken as read: with a box as OCR gives it, at a usual score.
    """
    rng = np.random.default_rng(seed)
    grounds = [row.filename for row in rows if row.length_px is None or row.y > GROUND_SHARE * 512]
    situations = [*SITUATIONS, None]
    found = []
    for i in range(count):
        image = to_grey(load_image(images / str(rng.choice(grounds))))
        ground = np.ascontiguousarray(image[: int(GROUND_SHARE * image.shape[0])])
        marked = draw_marked_picture(rng, ground, situation=situations[i % len(situations)])
        length = parse_length(marked.text)
        box = marked.text_box
        if length is None or min(box.width, box.height) < LEAST_TEXT_PX:
            continue
        pad = max(1, round(OCR_PADDING * box.height))
        bounds = Box(0, 0, marked.image.shape[1], marked.image.shape[0])
        box = Box(box.x0 - pad, box.y0 - pad, box.x1 + pad, box.y1 + pad).intersection(bounds)
        middle = 0.5 * (marked.y0 + marked.y1)
        truth = (length[0], length[1], marked.x0, marked.x1, middle, marked.length_px)
        row = Row(f"drawn {i}", "drawn", "yes", *truth, "", f"drawn {i}")
        readings = [text.Reading(length[0], length[1], marked.text, USUAL_SCORE, 1.0, True, box)]
        found.append(_scene(row, marked.image, readings))
    return found


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
            weights.append(np.where(y[use] > 0, 1.0 / max(1, (y == 1).sum()), WRONG_WEIGHT / max(1, (y == 0).sum())))
    return fit_logistic(np.concatenate(features), np.concatenate(labels), np.concatenate(weights), PENALTY)


def judged_bars(scene: LoneScene, model: Logistic) -> list[tuple[list[float], bool, float]]:
    """Confidence features of an image's best lone bar, and whether its length is right to 5 %."""
    row, bars, table = scene
    if not bars:
        return []
    logits = model.logit(table)
    ranked = [(bars[i], float(logits[i])) for i in np.argsort(-logits, kind="stable")]
    best = ranked[0][0]
    right = (
        row.length_px is not None
        and abs(best.length / row.length_px - 1) <= RIGHT_SCALE
        and abs(best.y - row.y) < SAME_ROWS_PX
    )
    return [(match.bar_confidence_features(ranked), right, 1.0)]


def out_of_fold(
    everything: list[Any],
    fit: Callable[[list[Any]], Logistic],
    judge: Callable[[Any, Logistic], list[tuple[list[float], bool, float]]],
) -> tuple[Floats, Floats, Floats]:
    """Confidence features, outcomes and weights, each from models that have not seen the image."""
    features, labels, weights = [], [], []
    for fold in range(FOLDS):
        partial = fit([s for s in everything if fold_of(s[0], FOLDS) != fold])
        for scene in everything:
            if fold_of(scene[0], FOLDS) == fold:
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
            right = row.nm_per_px is not None and abs(r.nm / pairs[0].bar.length / row.nm_per_px - 1) <= RIGHT_SCALE
            found.append((match.confidence_features(pairs, readings), right, weight))
    return found


def fit_pictures(
    some: list[Scene], texts: dict[str, list[TextBox]], images: Path
) -> tuple[FieldPrior, MagnificationPrior]:
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
    return (
        FieldPrior(float(np.mean(fields)), float(np.std(fields))),
        MagnificationPrior(float(np.exp(near.mean())), float(near.std()), len(near) / len(widths)),
    )


def rounded(prior: FieldPrior | MagnificationPrior) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(prior).items()}


@dataclass(frozen=True)
class Gathered:
    """Readings, candidate bars and their features of labelled images: what the models are fitted on."""

    scenes: tuple[Scene, ...]
    lone: tuple[LoneScene, ...]
    drawn: tuple[Scene, ...]
    texts: dict[str, list[TextBox]]
    images: Path

    def without(self, rows: Sequence[Row]) -> Gathered:
        """The others than these images."""
        names = {row.filename for row in rows}
        return replace(
            self,
            scenes=tuple(s for s in self.scenes if s[0].filename not in names),
            lone=tuple(s for s in self.lone if s[0].filename not in names),
        )


def gather(rows: list[Row], texts: dict[str, list[TextBox]], images: Path, drawn: int = 0) -> Gathered:
    """Look at every labelled image once, and at so many drawn ones."""
    found, lone = scenes(rows, texts, images), lone_scenes(rows, images)
    return Gathered(tuple(found), tuple(lone), tuple(drawn_scenes(rows, images, drawn)), texts, images)


def fit(gathered: Gathered) -> Models:
    """All models of the judge."""
    everything, lone = list(gathered.scenes), list(gathered.lone)

    def ranking(some: list[Scene]) -> Logistic:
        return fit_ranking(some, gathered.drawn)

    x, y, w = out_of_fold(everything, ranking, judged)
    confidence = fit_logistic(x, y, w, PENALTY)
    x, y, w = out_of_fold(lone, fit_bars, judged_bars)
    field, magnification = fit_pictures(everything, gathered.texts, gathered.images)
    return Models(
        ranking=ranking(everything),
        confidence=confidence,
        bar=fit_bars(lone),
        bar_confidence=fit_logistic(x, y, w, PENALTY),
        field=field,
        magnification=magnification,
    )


def fit_model(
    rows: Sequence[Row],
    images: Path,
    out: Path,
    *,
    cache: Path | None = None,
    drawn: int = 0,
    report: Tell,
) -> Path:
    """Fit all models on hand-read scale bars and write them into one file.

    Parameters
    ----------
    rows : sequence of Row
        The labels, as `labelled.read_bars` reads them.
    images : Path
        Folder of the images.
    out : Path
        The models, as JSON.
    cache : Path, optional
        Keep what OCR reads here.
    drawn : int
        Fit the ranking on so many drawn pictures, too. 161 of them made it worse on other articles' bars: 93.2 % of
        scales within 5 % for 94.2 %.
    report : function of str
        Is told the weights.

    Returns
    -------
    Path
        The file.
    """
    readable = [row for row in rows if row.has_bar != "unreadable"]
    texts = load_texts(readable, images, cache)
    models = fit(gather(readable, texts, images, drawn))
    features = {
        "ranking": match.PAIR_FEATURES,
        "confidence": match.CONFIDENCE_FEATURES,
        "bar": match.BAR_FEATURES,
        "bar_confidence": match.BAR_CONFIDENCE_FEATURES,
    }
    content = {
        "fitted_by": "ide train scalebar",
        "fitted_on": f"{len(readable)} labelled images",
        **{name: _entry(getattr(models, name), of_model) for name, of_model in features.items()},
        "field": rounded(models.field),
        "magnification": rounded(models.magnification),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as file:
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for name, of_model in features.items():
        weights = zip(of_model, getattr(models, name).weights, strict=True)
        report(f"{name} " + ", ".join(f"{feature} {weight:+.2f}" for feature, weight in weights))
    return out


def _entry(model: Logistic, features: tuple[str, ...]) -> dict[str, Any]:
    return {
        "features": list(features),
        "mean": [round(float(v), 6) for v in model.mean],
        "scale": [round(float(v), 6) for v in model.scale],
        "weights": [round(float(v), 6) for v in model.weights],
        "bias": round(model.bias, 6),
    }
