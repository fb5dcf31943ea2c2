"""Which bar belongs to which text, and how sure that is: features and four small logistic models.

"ranking" ranks the candidates around one text; "confidence" turns the best pair, its lead over the
next one and the quality of the text into a probability that the scale is right to 5 %. "bar" and
"bar_confidence" do the same for bars that stand without a text. The coefficients lie in
data/scalebar/model.json, written by training/scalebar/judge.py.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.records import Box
from imagedataextractor.resources import resource_path
from imagedataextractor.scalebar.bar import Bar
from imagedataextractor.scalebar.evidence import FieldPrior, MagnificationPrior
from imagedataextractor.scalebar.rulers import WHOLE_RULER
from imagedataextractor.scalebar.text import Reading

__all__ = [
    "BAR_CONFIDENCE_FEATURES",
    "BAR_FEATURES",
    "CONFIDENCE_FEATURES",
    "PAIR_FEATURES",
    "Ink",
    "Logistic",
    "Models",
    "Pair",
    "bar_confidence_features",
    "bar_features",
    "confidence_features",
    "load_models",
    "pair_features",
    "rank",
    "rank_bars",
    "text_ink",
]

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

#: Grey levels by which the ground of a label box differs from pixel to pixel, at most.
BOX_LEVEL = 24
#: Distance, px, within which a strip ends with the text's box.
BOX_EDGE_PX = 2.5
#: Pixels of a patch from which it is split into letters and ground: fewer hold no stroke with ground beside it.
LEAST_PATCH_PX = 4
#: Share of bright pixels, the mean of a patch's and of its rim's, below which the bright ones are the letters: print
#: covers less than what it stands on.
MINORITY = 0.5
#: Share of a text's rows on which a column has the ground's level: noise may take some of them away.
GROUND_ROWS = 0.8
#: Length of a bar, px, below which it is short: an end that is one pixel off makes an error of 4 % or more, about all
#: of the 5 % within which a scale counts as right.
SHORT_PX = 25

PAIR_FEATURES = (
    "same_polarity",
    "level_difference",
    "below",
    "above",
    "beside",
    "through",
    "gap",
    "gap_squared",
    "off_centre",
    "aligned",
    "overlap",
    "length_to_text",
    "length_to_text_squared",
    "thickness_to_text",
    "thickness_to_text_squared",
    "contrast",
    "edge_share",
    "roughness",
    "ends",
    "clarity",
    "like_ground",
    "extent",
    "extreme_level",
    "at_border",
    "cut",
    "broken",
    "ruler",
    "whole_ruler",
    "aspect",
    "lesser",
    "ragged",
    "box_strip",
    "box_edge",
)

CONFIDENCE_FEATURES = (
    "rank_logit",
    "lead",
    "rank_share",
    "text_score",
    "clean",
    "roundness",
    "alone",
    "second_reading",
    "cut",
    "ruler_incomplete",
    "short",
    "at_border",
    "ends",
    "length_to_text",
)

BAR_FEATURES = (
    "length",
    "length_squared",
    "aspect",
    "aspect_squared",
    "contrast",
    "edge_share",
    "roughness",
    "ends",
    "clarity",
    "extent",
    "extreme_level",
    "at_border",
    "cut",
    "from_bottom",
    "from_side",
    "thickness",
)

BAR_CONFIDENCE_FEATURES = ("logit", "lead", "cut")


@dataclass(frozen=True)
class Ink:
    """What a text is drawn with: its grey level, its ground's, and whether it is brighter (+1) or darker (-1).

    `x0` and `x1` are where the even ground around it ends, left and right: those of its label box, if it has one.
    """

    level: float
    ground: float
    polarity: int
    x0: float = -np.inf
    x1: float = np.inf


@dataclass(frozen=True)
class Pair:
    """A text with a candidate bar, and the ranking model's log-odds for it."""

    reading: Reading
    bar: Bar
    logit: float


@dataclass(frozen=True)
class Logistic:
    """A logistic model on standardised features: p = 1 / (1 + exp(-(w·(f - mean)/scale + b)))."""

    mean: Floats
    scale: Floats
    weights: Floats
    bias: float

    def logit(self, features: Floats) -> Floats:
        """Log-odds for rows of features, shape (N, F) → (N,)."""
        scaled = np.clip((features - self.mean) / self.scale, -8.0, 8.0)
        result: Floats = scaled @ self.weights + self.bias
        return result


@dataclass(frozen=True)
class Models:
    """The models that come with the package."""

    ranking: Logistic
    confidence: Logistic
    bar: Logistic
    bar_confidence: Logistic
    field: FieldPrior
    magnification: MagnificationPrior


@functools.cache
def load_models() -> Models:
    """Read the models' coefficients, once a process."""
    content = json.loads(resource_path("data", "scalebar", "model.json").read_text(encoding="utf-8"))

    def model(name: str, features: Sequence[str]) -> Logistic:
        entry = content[name]
        if tuple(entry["features"]) != tuple(features):
            raise RuntimeError(f"data/scalebar/model.json: {name} was fitted for other features; fit it again")
        return Logistic(
            np.array(entry["mean"]), np.array(entry["scale"]), np.array(entry["weights"]), float(entry["bias"])
        )

    return Models(
        model("ranking", PAIR_FEATURES),
        model("confidence", CONFIDENCE_FEATURES),
        model("bar", BAR_FEATURES),
        model("bar_confidence", BAR_CONFIDENCE_FEATURES),
        FieldPrior(**content["field"]),
        MagnificationPrior(**content["magnification"]),
    )


def text_ink(grey: Grey, reading: Reading) -> Ink:
    """The grey level and polarity of the letters in a reading's box, and how far their ground reaches."""
    box = reading.box
    # Detection pads its boxes by about a fifth of the letters' height, where a bar may already begin.
    pad = box.height // 5
    core = Box(box.x0, box.y0 + pad, box.x1, box.y1 - pad)
    inner, whole = _ink_of(grey[core.slices]), _ink_of(grey[box.slices])
    ink = whole if whole.polarity == inner.polarity else inner
    x0, x1 = _ground_ends(grey, core, ink.ground)
    return replace(ink, x0=x0, x1=x1)


def _ink_of(patch: Grey) -> Ink:
    """Otsu's threshold splits the patch; the letters are the class that is rarer along its rim."""
    if patch.size < LEAST_PATCH_PX:
        return Ink(255.0, 0.0, 1)
    threshold, _ = cv2.threshold(np.ascontiguousarray(patch), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    bright = patch > threshold
    rim = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    letters_bright = bool(0.5 * bright.mean() + 0.5 * rim.mean() < MINORITY)
    letters = patch[bright] if letters_bright else patch[~bright]
    ground = patch[~bright] if letters_bright else patch[bright]
    if not letters.size or not ground.size:
        return Ink(255.0, 0.0, 1)
    # The core of the strokes, not their blurred edges.
    level = float(np.percentile(letters, 75 if letters_bright else 25))
    return Ink(level, float(np.median(ground)), 1 if letters_bright else -1)


def _ground_ends(grey: Grey, box: Box, level: float) -> tuple[float, float]:
    """Columns left and right of a text at which its ground's level ends, on most of the text's rows."""
    rows = grey[box.y0 : box.y1]
    like = np.mean(np.abs(rows.astype(np.int16) - level) <= BOX_LEVEL, axis=0) >= GROUND_ROWS
    left, right = np.flatnonzero(~like[: box.x0]), np.flatnonzero(~like[box.x1 :])
    return (
        float(left[-1] + 1) if len(left) else 0.0,
        float(box.x1 + right[0]) if len(right) else float(grey.shape[1]),
    )


def pair_features(reading: Reading, ink: Ink, bar: Bar) -> list[float]:
    """The ranking model's features, in the order of `PAIR_FEATURES`."""
    box = reading.box
    height, width = max(box.height, 4), max(box.width, 4)
    # Detection pads its boxes by about a fifth of the letters' height.
    slack = 0.2 * height
    below = bar.y0 >= box.y1 - slack - 0.15 * height
    above = bar.y1 <= box.y0 + slack + 0.15 * height
    apart = bar.x0 >= box.x1 - slack or bar.x1 <= box.x0 + slack
    level_with = not below and not above
    beside = level_with and apart
    through = level_with and not apart and bar.form != "broken"
    if below:
        gap = max(0.0, bar.y0 - box.y1 + slack)
    elif above:
        gap = max(0.0, box.y0 + slack - bar.y1)
    elif beside:
        gap = max(0.0, bar.x0 - box.x1, box.x0 - bar.x1)
    else:
        gap = 0.0
    if (below or above) and apart:
        gap = float(np.hypot(gap, max(0.0, bar.x0 - box.x1, box.x0 - bar.x1)))
    gap = min(gap / height, 6.0)
    longer = max(bar.length, width)
    off_centre = min(abs(0.5 * (bar.x0 + bar.x1 - box.x0 - box.x1)) / longer, 3.0)
    aligned = min(min(abs(bar.x0 - box.x0), abs(bar.x1 - box.x1), longer * off_centre) / height, 4.0)
    overlap = max(0.0, min(bar.x1, box.x1) - max(bar.x0, box.x0)) / min(bar.length, width)
    length_ratio = float(np.log(bar.length / width))
    thickness_ratio = float(np.log(max(bar.thickness, 0.5) / height))
    # A strip of the box that the text stands in has the ground's level and letters for one of its edges.
    near_ground = abs(bar.level - ink.ground) < 0.15 * abs(ink.level - ink.ground) + 6
    like_ground = float(bar.form == "solid" and bar.polarity != ink.polarity and near_ground)
    ragged = max(0.0, 0.75 - bar.edge_share)
    # What ends where the text's box ends, left and right, is the box's own edge.
    box_edge = not level_with and max(abs(bar.x0 - ink.x0), abs(bar.x1 - ink.x1)) <= BOX_EDGE_PX
    return [
        float(bar.polarity == ink.polarity),
        abs(bar.level - ink.level) / 255.0,
        float(below),
        float(above),
        float(beside),
        float(through),
        gap,
        gap * gap,
        off_centre,
        aligned,
        overlap,
        length_ratio,
        length_ratio**2,
        thickness_ratio,
        thickness_ratio**2,
        min(bar.contrast, 160.0) / 160.0,
        bar.edge_share,
        min(bar.flatness / max(bar.contrast, 8.0), 1.0),
        min(bar.ends, 1.0),
        bar.clarity,
        like_ground,
        bar.extent,
        abs(bar.level - 127.5) / 127.5,
        float(bar.at_border),
        float(bar.cut),
        float(bar.form == "broken"),
        float(bar.form == "ruler"),
        float(bar.form == "ruler" and bar.strokes == WHOLE_RULER),
        float(np.log(bar.length / max(bar.thickness, 1.0))),
        float(bar.lesser),
        ragged,
        ragged * like_ground,
        float(box_edge),
    ]


def rank(reading: Reading, ink: Ink, bars: Sequence[Bar], model: Logistic) -> list[Pair]:
    """A text's candidate bars, the likeliest first."""
    if not bars:
        return []
    logits = model.logit(np.array([pair_features(reading, ink, bar) for bar in bars]))
    order = np.argsort(-logits, kind="stable")
    return [Pair(reading, bars[i], float(logits[i])) for i in order]


def confidence_features(pairs: Sequence[Pair], readings: Sequence[Reading]) -> list[float]:
    """The confidence model's features for the first of `pairs` (ranked), in the order of `CONFIDENCE_FEATURES`."""
    best = pairs[0]
    rivals = [p for p in pairs[1:] if abs(p.bar.length - best.bar.length) > 0.03 * best.bar.length]
    lead = min(best.logit - rivals[0].logit, 10.0) if rivals else 10.0
    others = [r for r in readings if r is not best.reading and abs(r.nm - best.reading.nm) > 0.01 * best.reading.nm]
    second = max((r.score * r.clean * (0.3 + 0.7 * r.roundness) for r in others), default=0.0)
    probability = 1.0 / (1.0 + np.exp(-best.logit))
    return [
        float(np.clip(best.logit, -8, 8)),
        lead,
        float(probability),
        best.reading.score,
        best.reading.clean,
        best.reading.roundness,
        float(best.reading.alone),
        second,
        float(best.bar.cut),
        float(best.bar.form == "ruler" and best.bar.strokes != WHOLE_RULER),
        float(best.bar.length < SHORT_PX),
        float(best.bar.at_border),
        min(best.bar.ends, 1.0),
        abs(float(np.log(best.bar.length / max(best.reading.box.width, 4)))),
    ]


def bar_features(bar: Bar, height: int, width: int) -> list[float]:
    """Features of a bar without a text in a picture of `height` x `width` px, in the order of `BAR_FEATURES`."""
    length = float(np.log(bar.length / min(height, width)))
    aspect = float(np.log(bar.length / max(bar.thickness, 1.0)))
    return [
        length,
        length**2,
        aspect,
        aspect**2,
        min(bar.contrast, 160.0) / 160.0,
        bar.edge_share,
        min(bar.flatness / max(bar.contrast, 8.0), 1.0),
        min(bar.ends, 1.0),
        bar.clarity,
        bar.extent,
        abs(bar.level - 127.5) / 127.5,
        float(bar.at_border),
        float(bar.cut),
        (height - bar.y) / height,
        min(bar.x0, width - bar.x1) / width,
        bar.thickness / height,
    ]


def rank_bars(bars: Sequence[Bar], height: int, width: int, model: Logistic) -> list[tuple[Bar, float]]:
    """Bars by how much they look like a scale bar on their own, the likeliest first, with log-odds."""
    if not bars:
        return []
    logits = model.logit(np.array([bar_features(bar, height, width) for bar in bars]))
    return [(bars[i], float(logits[i])) for i in np.argsort(-logits, kind="stable")]


def bar_confidence_features(ranked: Sequence[tuple[Bar, float]]) -> list[float]:
    """Features for the first of `ranked`, in the order of `BAR_CONFIDENCE_FEATURES`."""
    best, logit = ranked[0]
    rivals = [score for bar, score in ranked[1:] if abs(bar.length - best.length) > 0.03 * best.length]
    lead = min(logit - rivals[0], 10.0) if rivals else 10.0
    return [float(np.clip(logit, -8, 8)), lead, float(best.cut)]
