"""How good a label map is: one contingency table an image, every number derived from it.

Three families of numbers.

Paper's
    The four of Yildirim & Cole (J. Chem. Inf. Model. 61 (2021) 1136), as their released evaluation
    defines them: a precision at two IoU thresholds, a mean IoU over the *predicted* particles, and an
    area under a precision-recall curve that is swept over the IoU threshold. Missed particles hardly
    enter; they are here for comparison only.
Standard
    Intersection over union, one-to-one matching, TP / (TP + FP + FN) as "AP" at a threshold
    (Schmidt et al., MICCAI 2018), F1, panoptic quality (Kirillov et al., CVPR 2019), aggregated
    Jaccard index (Kumar et al., IEEE TMI 2017); averaged over images and pooled over particles.
Measurements
    What a user of the sizes feels: relative errors of the particle count and of the median
    equivalent circular diameter (ECD), distances between size and aspect-ratio distributions.

Label maps are integer arrays (H, W), 0 background, every other value one particle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse, stats

__all__ = [
    "Counts",
    "ImageScore",
    "Overlap",
    "bootstrap_mean",
    "cosine_distance",
    "format_table",
    "matched_pairs",
    "measurement_errors",
    "overlap",
    "paper_scores",
    "profile_distance",
    "resize_labels",
    "score_image",
    "standard_scores",
    "summarise",
    "upright_measures",
]

Labels = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]

#: IoU thresholds over which the standard AP is averaged.
STANDARD_THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
#: IoU thresholds of the paper's sweep.
PAPER_THRESHOLDS = tuple(round(0.05 * i, 3) for i in range(20))
#: True particles an image must have for its histograms to be compared.
MIN_HISTOGRAM_PARTICLES = 30
#: Draws and seed of the bootstrap over images.
BOOTSTRAP_DRAWS, BOOTSTRAP_SEED = 2000, 0

#: The means that are reported with an interval, in the order of the table.
MEAN_KEYS = (
    "paper_ap",
    "paper_ap50",
    "paper_ap75",
    "paper_miou",
    "paper_ap_np2",
    "ap50",
    "ap75",
    "ap5095",
    "f1_50",
    "prec50",
    "rec50",
    "pq",
    "aji",
    "gt_best_iou",
    "fg_iou",
)
_HISTOGRAM_VARIANTS = ("", "_b10", "_b20", "_gtrange")


# ---------------------------------------------------------------- the contingency table
#: IoU above which the paper's mean takes a true particle as found.
_PAPER_FOUND = 0.5
#: Relative errors within which the shares of images are told: 10 % and 20 %.
_WITHIN_10, _WITHIN_20 = 0.10, 0.20


@dataclass(frozen=True, eq=False)
class Overlap:
    """Which true particle shares how many pixels with which predicted one.

    Attributes
    ----------
    table : int array, shape (n_true + 1, n_predicted + 1)
        Pixels in common; row and column 0 are the backgrounds.
    true, predicted : int arrays, shape (H, W)
        The label maps, renumbered 1 … n without gaps.
    """

    table: npt.NDArray[np.int64]
    true: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]

    @property
    def n_true(self) -> int:
        return int(self.table.shape[0]) - 1

    @property
    def n_predicted(self) -> int:
        return int(self.table.shape[1]) - 1

    @cached_property
    def intersection(self) -> npt.NDArray[np.int64]:
        return self.table[1:, 1:]

    @cached_property
    def true_area(self) -> npt.NDArray[np.int64]:
        return np.asarray(self.table[1:].sum(axis=1))

    @cached_property
    def predicted_area(self) -> npt.NDArray[np.int64]:
        return np.asarray(self.table[:, 1:].sum(axis=0))

    @cached_property
    def union(self) -> npt.NDArray[np.int64]:
        return self.true_area[:, None] + self.predicted_area[None, :] - self.intersection

    @cached_property
    def iou(self) -> Floats:
        """Intersection over union, (n_true, n_predicted).

        Divided in single precision, as the paper's evaluation does: an IoU of 0.55 then counts as
        above the threshold 0.55 or not exactly where theirs does.
        """
        return (self.intersection.astype(np.float32) / self.union.astype(np.float32)).astype(np.float64)


def overlap(true: Labels, predicted: Labels) -> Overlap:
    """Contingency table of two label maps of one shape, (H, W)."""
    if true.shape != predicted.shape:
        raise ValueError(f"label maps of different shapes: {true.shape} and {predicted.shape}")
    t, n = _renumbered(true)
    p, m = _renumbered(predicted)
    table = np.bincount((t * (m + 1) + p).ravel(), minlength=(n + 1) * (m + 1)).reshape(n + 1, m + 1)
    return Overlap(table, t, p)


def _renumbered(labels: Labels) -> tuple[npt.NDArray[np.int64], int]:
    values = np.unique(labels)
    values = values[values != 0]
    new = np.searchsorted(values, labels).astype(np.int64) + 1
    new[labels == 0] = 0
    return new, len(values)


def resize_labels(labels: Labels, shape: tuple[int, int]) -> Labels:
    """Nearest-neighbour resize of a label map to (H, W), sampled at pixel centres."""
    if labels.shape == shape:
        return labels
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(np.intp), old - 1)
        for new, old in zip(shape, labels.shape, strict=True)
    )
    return np.asarray(labels[rows[:, None], columns[None, :]])


# ---------------------------------------------------------------- the paper's numbers


def paper_scores(ov: Overlap) -> dict[str, float]:
    """The paper's four numbers of one image (and AP as NumPy 2 computes it).

    With h(t) the pairs of IoU > t: a true particle with any such pair is a hit; every further pair of
    it, and every prediction without a pair, is false. ``paper_miou`` averages over predictions their
    best IoU, 0 where that is not above 0.5. ``paper_ap`` is the trapezoidal area between the recalls
    at t = 0.95 and t = 0, with the precision made monotone; where recall and precision do not change
    at all, the mean precision instead. No prediction, or no true particle: all 0.
    """
    if not ov.n_true or not ov.n_predicted:
        return dict.fromkeys(("paper_miou", "paper_ap", "paper_ap50", "paper_ap75", "paper_ap_np2"), 0.0)
    curve = np.array([_paper_precision_recall(ov.iou, t) for t in PAPER_THRESHOLDS])
    precision, recall = curve[:, 0], curve[:, 1]
    best = ov.iou.max(axis=0)
    ap, ap_np2 = _paper_area(precision, recall)
    return {
        "paper_miou": float(np.where(best > _PAPER_FOUND, best, 0.0).mean()),
        "paper_ap": ap,
        "paper_ap50": float(precision[PAPER_THRESHOLDS.index(0.5)]),
        "paper_ap75": float(precision[PAPER_THRESHOLDS.index(0.75)]),
        "paper_ap_np2": ap_np2,
    }


def _paper_precision_recall(iou: Floats, threshold: float) -> tuple[float, float]:
    pair = iou > threshold
    partners = pair.sum(axis=1)
    hits = np.count_nonzero(partners)
    false = int(partners.sum()) - hits + np.count_nonzero(~pair.any(axis=0))
    epsilon = 1e-12  # as in the paper's evaluation
    return hits / (hits + false + epsilon), hits / (iou.shape[0] + epsilon)


def _paper_area(precision: Floats, recall: Floats) -> tuple[float, float]:
    """AP as NumPy 1 gives it, and as NumPy 2 does.

    The released evaluation asks in half precision whether the curve is a single point. NumPy 1, with
    which the paper was computed, rounded the double it is compared with to half as well; NumPy 2
    compares it in double precision and then seldom finds them equal.
    """
    precision, recall = np.maximum.accumulate(precision)[::-1], recall[::-1]
    half_p, half_r = precision.astype(np.float16), recall.astype(np.float16)
    if (half_p == 1).all() and (half_r == 1).all():
        return 1.0, 1.0
    mean_p, mean_r = float(precision.mean()), float(recall.mean())
    area = float(np.sum(np.diff(recall) * (precision[1:] + precision[:-1]) / 2))
    one_point = bool((half_r == np.float16(mean_r)).all() and (half_p == np.float16(mean_p)).all())
    one_point_np2 = bool((half_r.astype(float) == mean_r).all() and (half_p.astype(float) == mean_p).all())
    return (mean_p if one_point else area), (mean_p if one_point_np2 else area)


# ---------------------------------------------------------------- standard numbers


@dataclass(frozen=True)
class Counts:
    """True positives, false positives and false negatives; ``iou`` is the sum over true positives."""

    tp: int
    fp: int
    fn: int
    iou: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.iou + other.iou)

    @property
    def jaccard(self) -> float:
        """TP / (TP + FP + FN), "AP" at one threshold; 1 where there was nothing to find and nothing found."""
        total = self.tp + self.fp + self.fn
        return self.tp / total if total else 1.0

    @property
    def f1(self) -> float:
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else 1.0

    @property
    def quality(self) -> float:
        """Panoptic quality: sum of the matched IoUs over TP + FP/2 + FN/2."""
        total = self.tp + self.fp / 2 + self.fn / 2
        return self.iou / total if total else 1.0


def matched_pairs(iou: Floats, threshold: float, *, strict: bool = False) -> tuple[npt.NDArray[np.intp], ...]:
    """Rows and columns of a largest one-to-one matching among the pairs of IoU ≥ threshold (or >).

    Above 0.5 a pair is always the only one of both its particles, since label maps do not overlap
    themselves; at exactly 0.5 two can compete, and then a maximum matching decides.
    """
    pair = iou > threshold if strict else iou >= threshold
    rows, columns = np.nonzero(pair)
    if len(set(rows.tolist())) == len(rows) and len(set(columns.tolist())) == len(columns):
        return rows, columns
    partner = sparse.csgraph.maximum_bipartite_matching(sparse.csr_matrix(pair), perm_type="column")
    rows = np.flatnonzero(partner >= 0)
    return rows, partner[rows].astype(np.intp)


def standard_scores(ov: Overlap) -> tuple[dict[str, float], dict[str, Counts]]:
    """The standard numbers of one image, and its counts ("0.50" … "0.95", "pq") for pooling."""
    counts = {f"{t:.2f}": _counts(ov, t) for t in STANDARD_THRESHOLDS}
    counts["pq"] = _counts(ov, 0.5, strict=True)
    at50 = counts["0.50"]
    scores = {
        "ap50": at50.jaccard,
        "ap75": counts["0.75"].jaccard,
        "ap5095": float(np.mean([counts[f"{t:.2f}"].jaccard for t in STANDARD_THRESHOLDS])),
        "f1_50": at50.f1,
        "prec50": at50.tp / ov.n_predicted if ov.n_predicted else 0.0,
        "rec50": at50.tp / ov.n_true if ov.n_true else 1.0,
        "pq": counts["pq"].quality,
        "aji": _aggregated_jaccard(ov),
        "gt_best_iou": float(ov.iou.max(axis=1).mean()) if ov.n_true and ov.n_predicted else 0.0,
    }
    foreground = int(ov.table.sum() - ov.table[0, 0])
    scores["fg_iou"] = int(ov.intersection.sum()) / foreground if foreground else 1.0
    return scores, counts


def _counts(ov: Overlap, threshold: float, *, strict: bool = False) -> Counts:
    rows, columns = matched_pairs(ov.iou, threshold, strict=strict)
    tp = len(rows)
    return Counts(tp, ov.n_predicted - tp, ov.n_true - tp, float(ov.iou[rows, columns].sum()))


def _aggregated_jaccard(ov: Overlap) -> float:
    """Each true particle with its best prediction; whatever found no partner enlarges the union."""
    if not ov.n_true or not ov.n_predicted:
        return 0.0 if ov.n_true or ov.n_predicted else 1.0
    met = np.flatnonzero(ov.iou.max(axis=1) > 0)
    best = ov.iou[met].argmax(axis=1)
    lonely_true = ov.true_area.sum() - ov.true_area[met].sum()
    lonely_predicted = ov.predicted_area.sum() - ov.predicted_area[np.unique(best)].sum()
    union = ov.union[met, best].sum() + lonely_true + lonely_predicted
    return float(ov.intersection[met, best].sum() / union)


# ---------------------------------------------------------------- measurements


def upright_measures(labels: Labels, n: int) -> dict[str, npt.NDArray[Any]]:
    """Sizes of labels 1 … n of a gapless label map.

    Returns
    -------
    dict of arrays, each (n,)
        "area" (px), "ecd" (px, √(4·area/π)), "ar" (width / height of the upright bounding box: the
        aspect ratio the paper's software reports), "border" (touches the image border).
    """
    area = np.bincount(labels.ravel(), minlength=n + 1)[1:].astype(np.float64)
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    boxes = ndimage.find_objects(labels, max_label=n)
    return {
        "area": area,
        "ecd": np.sqrt(4.0 * area / np.pi),
        "ar": np.array([(x.stop - x.start) / (y.stop - y.start) for y, x in boxes], np.float64),
        "border": np.isin(np.arange(1, n + 1), rim),
    }


def cosine_distance(true: Floats, predicted: Floats, bins: int, *, true_range: bool = False) -> float:
    """1 − cosine of the angle between two histograms over common bins.

    Parameters
    ----------
    true, predicted : arrays
        The values; no true value gives NaN, no predicted one 1.
    bins : int
    true_range : bool
        Bins over the range of the true values, what lies beyond put into the end bins; otherwise over
        the range of both, where one giant false particle can push all else into a single bin.
    """
    if not len(true):
        return math.nan
    if not len(predicted):
        return 1.0
    low, high = float(true.min()), float(true.max())
    if true_range:
        predicted = np.clip(predicted, low, high)
    else:
        low, high = min(low, float(predicted.min())), max(high, float(predicted.max()))
    edges = (low, high) if high > low else (low, low + 1.0)
    a, b = (np.histogram(v, bins=bins, range=edges)[0].astype(np.float64) for v in (true, predicted))
    return float(1.0 - a @ b / np.sqrt((a @ a) * (b @ b)))


def profile_distance(true: Floats, predicted: Floats) -> float:
    """Cosine distance of two sampled curves over the same abscissae, such as two radial distribution functions.

    NaN where the true curve is all 0 or undefined, 1 where only the predicted one is.
    """
    a, b = np.nan_to_num(true), np.nan_to_num(predicted)
    if not a.any():
        return math.nan
    if not b.any():
        return 1.0
    return float(1.0 - a @ b / np.sqrt((a @ a) * (b @ b)))


def measurement_errors(ov: Overlap) -> dict[str, float]:
    """Relative errors of count and median ECD, and distances of the distributions, of one image.

    Count errors take all particles, the others those off the border. A relative error is
    predicted / true − 1, so −1 where nothing was predicted. Histograms use the Rice rule, ⌈2·∛n⌉ bins
    for n true particles, or 10 ("_b10") or 20 ("_b20"); "w1_ecd" is the Wasserstein-1 distance of the
    ECDs over their true median, which needs no bins.
    """
    t = upright_measures(ov.true, ov.n_true)
    p = upright_measures(ov.predicted, ov.n_predicted)
    inner_t, inner_p = ~t["border"], ~p["border"]
    out: dict[str, float] = {
        "n_gt": ov.n_true,
        "n_pred": ov.n_predicted,
        "n_gt_inner": int(inner_t.sum()),
        "n_pred_inner": int(inner_p.sum()),
        "count_err": (ov.n_predicted - ov.n_true) / ov.n_true if ov.n_true else math.nan,
    }
    ecd_t, ecd_p = t["ecd"][inner_t], p["ecd"][inner_p]
    out["ecd_gt"] = float(np.median(ecd_t)) if len(ecd_t) else math.nan
    out["ecd_pred"] = (float(np.median(ecd_p)) if len(ecd_p) else 0.0) if len(ecd_t) else math.nan
    out["ecd_err"] = out["ecd_pred"] / out["ecd_gt"] - 1.0
    if ov.n_true < MIN_HISTOGRAM_PARTICLES or not len(ecd_t):
        return out
    rice = math.ceil(2.0 * len(ecd_t) ** (1.0 / 3.0))
    for name in ("area", "ar"):
        a, b = t[name][inner_t], p[name][inner_p]
        out[f"cos_{name}"] = cosine_distance(a, b, rice)
        out[f"cos_{name}_b10"] = cosine_distance(a, b, 10)
        out[f"cos_{name}_b20"] = cosine_distance(a, b, 20)
        out[f"cos_{name}_gtrange"] = cosine_distance(a, b, rice, true_range=True)
    out["w1_ecd"] = float(stats.wasserstein_distance(ecd_t, ecd_p) / out["ecd_gt"]) if len(ecd_p) else 1.0
    return out


# ---------------------------------------------------------------- images together


@dataclass(frozen=True)
class ImageScore:
    """All numbers of one image, and its counts for pooling."""

    name: str
    values: Mapping[str, float]
    counts: Mapping[str, Counts] = field(repr=False)


def score_image(
    true: Labels,
    predicted: Labels,
    name: str = "",
    *,
    profile: Callable[[Labels], Floats] | None = None,
) -> ImageScore:
    """Score a predicted label map against the true one.

    Parameters
    ----------
    true : int array, shape (H, W)
    predicted : int array
        Brought to the true map's shape by nearest neighbour where it has another.
    profile : callable, optional
        Label map → curve over fixed abscissae (a radial distribution function, say); the images
        with enough particles get "profile_err", the cosine distance of the two curves.
    """
    height, width = true.shape
    ov = overlap(true, resize_labels(predicted, (height, width)))
    scores, counts = standard_scores(ov)
    values = {**paper_scores(ov), **scores, **measurement_errors(ov)}
    if profile is not None and ov.n_true >= MIN_HISTOGRAM_PARTICLES:
        values["profile_err"] = profile_distance(profile(ov.true), profile(ov.predicted))
    return ImageScore(name, values, counts)


def bootstrap_mean(values: Iterable[float]) -> tuple[float, float, float]:
    """Mean and the ends of its 95 % percentile-bootstrap interval, over the finite values."""
    finite = np.array([v for v in values if math.isfinite(v)], np.float64)
    if not len(finite):
        return math.nan, math.nan, math.nan
    draws = np.random.default_rng(BOOTSTRAP_SEED).integers(0, len(finite), (BOOTSTRAP_DRAWS, len(finite)))
    low, high = np.percentile(finite[draws].mean(axis=1), (2.5, 97.5))
    return float(finite.mean()), float(low), float(high)


def summarise(scores: Sequence[ImageScore], tag: str = "") -> dict[str, Any]:
    """All images together, as plain values that JSON can hold.

    Returns
    -------
    dict
        "mean" and "ci95" (over images, by metric), "pooled" (from the summed counts), "measure"
        ("count_err", "ecd_err": median and mean absolute error, share within 10 and 20 %), "histogram"
        (distribution distances), "per_image", and the totals.
    """
    if not scores:
        raise ValueError("no image to summarise")
    column = {key: [s.values.get(key, math.nan) for s in scores] for key in {k for s in scores for k in s.values}}
    intervals = {key: bootstrap_mean(column[key]) for key in MEAN_KEYS}
    distances = [f"cos_{m}{v}" for m in ("area", "ar") for v in _HISTOGRAM_VARIANTS] + ["w1_ecd", "profile_err"]
    return {
        "tag": tag,
        "images": len(scores),
        "particles_gt": int(sum(column["n_gt"])),
        "particles_pred": int(sum(column["n_pred"])),
        "empty_predictions": [s.name for s in scores if not s.values["n_pred"]],
        "mean": {key: value[0] for key, value in intervals.items()},
        "ci95": {key: list(value[1:]) for key, value in intervals.items()},
        "pooled": _pooled([s.counts for s in scores]),
        "measure": {key: _error_summary(column[key]) for key in ("count_err", "ecd_err")},
        "histogram": {
            key: summary for key in distances if (summary := _distance_summary(column.get(key, []))) is not None
        },
        "per_image": [{"name": s.name, **s.values} for s in scores],
    }


def _pooled(counts: Sequence[Mapping[str, Counts]]) -> dict[str, float]:
    total = {key: sum((c[key] for c in counts), Counts(0, 0, 0)) for key in counts[0]}
    at50 = total["0.50"]
    return {
        "ap50_pooled": at50.jaccard,
        "f1_50_pooled": at50.f1,
        "prec50_pooled": at50.tp / max(at50.tp + at50.fp, 1),
        "rec50_pooled": at50.tp / max(at50.tp + at50.fn, 1),
        "ap75_pooled": total["0.75"].jaccard,
        "ap5095_pooled": float(np.mean([total[f"{t:.2f}"].jaccard for t in STANDARD_THRESHOLDS])),
        "pq_pooled": total["pq"].quality,
    }


def _error_summary(values: Iterable[float]) -> dict[str, Any]:
    x = np.array([v for v in values if math.isfinite(v)], np.float64)
    size = np.abs(x)
    mean, low, high = bootstrap_mean(size)
    return {
        "images": len(x),
        "median_abs": _median(size),
        "mean_abs": mean,
        "mean_abs_ci95": [low, high],
        "median_signed": _median(x),
        "mean_signed": float(x.mean()) if len(x) else math.nan,
        "within_10pct": float((size <= _WITHIN_10).mean()) if len(x) else math.nan,
        "within_20pct": float((size <= _WITHIN_20).mean()) if len(x) else math.nan,
    }


def _distance_summary(values: Iterable[float]) -> dict[str, Any] | None:
    x = np.array([v for v in values if math.isfinite(v)], np.float64)
    if not len(x):
        return None
    mean, low, high = bootstrap_mean(x)
    return {"images": len(x), "mean": mean, "ci95": [low, high], "median": _median(x)}


def _median(x: Floats) -> float:
    return float(np.median(x)) if len(x) else math.nan


def format_table(summary: Mapping[str, Any]) -> str:
    """The summary as a few lines of text, means with their 95 % intervals over images."""
    mean, ci = summary["mean"], summary["ci95"]

    def cell(label: str, key: str) -> str:
        return f"{label} {mean[key]:.3f} [{ci[key][0]:.3f},{ci[key][1]:.3f}]"

    def row(head: str, *cells: tuple[str, str]) -> str:
        return f"{head:<14}" + "  ".join(cell(*c) for c in cells)

    lines = [
        f"{summary['tag'] or 'predictions'}: {summary['images']} images, {summary['particles_gt']} true and "
        f"{summary['particles_pred']} predicted particles, {len(summary['empty_predictions'])} images without any",
        row("paper", ("AP", "paper_ap"), ("AP50", "paper_ap50"), ("AP75", "paper_ap75"), ("mIoU", "paper_miou"))
        + f"  (AP as NumPy 2 computes it {mean['paper_ap_np2']:.3f})",
        row("standard", ("AP50", "ap50"), ("AP75", "ap75"), ("AP50:95", "ap5095")),
        row("", ("F1@50", "f1_50"), ("PQ", "pq"), ("AJI", "aji")),
        row("", ("prec@50", "prec50"), ("rec@50", "rec50"), ("true best IoU", "gt_best_iou"), ("fg IoU", "fg_iou")),
        f"{'pooled':<14}" + "  ".join(f"{key[:-7]} {value:.3f}" for key, value in summary["pooled"].items()),
    ]
    for key, label in (("count_err", "count"), ("ecd_err", "median ECD")):
        m = summary["measure"][key]
        lines.append(
            f"{label:<14}|error| median {m['median_abs']:.3f} mean {m['mean_abs']:.3f} "
            f"[{m['mean_abs_ci95'][0]:.3f},{m['mean_abs_ci95'][1]:.3f}]  signed median {m['median_signed']:+.3f}  "
            f"within 10 % {m['within_10pct']:.2f}  20 % {m['within_20pct']:.2f}  ({m['images']} images)"
        )
    histogram = summary["histogram"]
    for key, label in (("area", "sizes"), ("ar", "aspect ratios")):
        if f"cos_{key}" in histogram:
            h = histogram[f"cos_{key}"]
            b10, b20, true = (histogram[f"cos_{key}{v}"]["mean"] for v in _HISTOGRAM_VARIANTS[1:])
            lines.append(
                f"{label:<14}cosine distance mean {h['mean']:.5f} median {h['median']:.5f}  "
                f"(10 bins {b10:.5f}, 20 bins {b20:.5f}, true range {true:.5f}; {h['images']} images)"
            )
    if "w1_ecd" in histogram:
        h = histogram["w1_ecd"]
        lines.append(f"{'ECDs':<14}Wasserstein-1 / true median ECD: mean {h['mean']:.3f} median {h['median']:.3f}")
    if "profile_err" in histogram:
        h = histogram["profile_err"]
        lines.append(
            f"{'profile':<14}cosine distance mean {h['mean']:.5f} median {h['median']:.5f}  ({h['images']} images)"
        )
    return "\n".join(lines)
