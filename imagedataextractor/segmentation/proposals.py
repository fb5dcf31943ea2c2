"""Proposals: what each level of an image's pyramid takes for particles, and what the levels say of each other.

A particle that is real is seen alike at several scales; a block cut out of a long body is not, nor is a
lump that a finer level resolves into many. So a proposal is described by its own features (`features`)
and by how it stands to the proposals of the other levels: the one that it agrees with best, those that
lie inside it, the one that it lies in, and how its level fares as a whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.segmentation.clustering import ClusterSettings, cluster
from imagedataextractor.segmentation.features import particle_features
from imagedataextractor.segmentation.maps import Maps

__all__ = [
    "Level",
    "Overlaps",
    "cluster_maps",
    "conflicts",
    "frame_of",
    "level_proposals",
    "overlaps",
    "own_features",
    "related_features",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]

#: Share of a proposal that must lie in another for it to count as being inside.
INSIDE = 0.7
#: Most of another's area that a proposal inside it may have; larger, the two are the same body seen twice.
INSIDE_AREA = 0.6
#: Levels up and down for which agreement is told level by level.
NEAR_LEVELS = (-2, -1, 1, 2)
#: What stands for an answer that a missing level cannot give; trees tell it from every real value.
ABSENT = -1.0
#: Rows of the frame that are compared at once: bounds the memory, whatever the image's size.
_ROWS = 512
#: IoU above which another level's proposal is the same particle.
_SAME_IOU = 0.5


@dataclass(frozen=True, eq=False)
class Level:
    """One level of the pyramid after its clustering.

    Attributes
    ----------
    scale : float
        Magnification of the original.
    labels : int32 array (h, w)
        Its proposals, 1 … N, at its own resolution.
    features : mapping of str to array (N,)
        `features.particle_features`, and "elongation" and "border".
    information : float32 array (h, w)
        Mutual information, nats.
    """

    scale: float
    labels: Labels
    features: Mapping[str, Floats]
    information: npt.NDArray[np.float32]

    @property
    def count(self) -> int:
        return len(self.features["seed"])


def cluster_maps(maps: Maps, clustering: ClusterSettings) -> Labels:
    """Label map at the maps' own resolution; in a magnified image the least size counts pixels of the original."""
    least = round(clustering.min_pixels * max(maps.scale, 1.0) ** 2)
    settings = dataclasses.replace(clustering, min_pixels=least)
    return cluster(maps.embedding, maps.bandwidth, maps.seed, settings)


def level_proposals(maps: Maps, clustering: ClusterSettings) -> Level:
    """Cluster one level's maps and describe what is found."""
    labels = cluster_maps(maps, clustering)
    features = {**particle_features(maps, labels), **_shape_features(labels)}
    return Level(maps.scale, labels, features, maps.information)


def _shape_features(labels: Labels) -> dict[str, Floats]:
    """The ratio of the axes of the ellipse with the same moments, and whether the frame is touched."""
    count = int(labels.max(initial=0))
    y, x = np.nonzero(labels)
    owner = labels[y, x]
    area = np.maximum(np.bincount(owner, minlength=count + 1)[1:], 1).astype(np.float64)

    def mean(values: npt.NDArray[Any]) -> Floats:
        return np.asarray(np.bincount(owner, values, minlength=count + 1)[1:] / area)

    mx, my = mean(x), mean(y)
    dx, dy = x - mx[owner - 1], y - my[owner - 1]
    # A pixel is a square: its own second moment keeps lines of one pixel's width finite.
    xx, yy, xy = mean(dx * dx) + 1 / 12, mean(dy * dy) + 1 / 12, mean(dx * dy)
    half, root = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    border = np.zeros(count + 1)
    border[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = 1.0
    return {"elongation": np.sqrt((half + root) / np.maximum(half - root, 1e-9)), "border": border[1:]}


# ---------------------------------------------------------------- overlaps


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Which proposals of different levels share pixels of the frame, each pair in both directions.

    Attributes
    ----------
    level : int array (N,)
        The level of each proposal; proposals are counted through the levels, coarse to fine.
    area : float array (N,)
        Pixels of the frame.
    source, target : int array (M,)
        The pairs.
    shared : float array (M,)
        Pixels in common.
    """

    level: Ints
    area: Floats
    source: Ints
    target: Ints
    shared: Floats

    @property
    def iou(self) -> Floats:
        return np.asarray(self.shared / (self.area[self.source] + self.area[self.target] - self.shared))

    @property
    def within(self) -> Floats:
        """The share of the source that lies in the target."""
        return np.asarray(self.shared / self.area[self.source])


def overlaps(levels: Sequence[Level], shape: tuple[int, int]) -> Overlaps:
    """Compare all levels pixel by pixel in a frame of this shape (H, W)."""
    counts = [level.count for level in levels]
    first = np.concatenate([[0], np.cumsum(counts)])
    area = np.zeros(first[-1])
    tables: dict[tuple[int, int], npt.NDArray[np.int64]] = {}
    columns = [_nearest(level.labels.shape[1], shape[1]) for level in levels]
    rows = [_nearest(level.labels.shape[0], shape[0]) for level in levels]
    for top in range(0, shape[0], _ROWS):
        part = slice(top, top + _ROWS)
        seen = [level.labels[row[part]][:, column] for level, row, column in zip(levels, rows, columns, strict=True)]
        for a, labels in enumerate(seen):
            area[first[a] : first[a + 1]] += np.bincount(labels.ravel(), minlength=counts[a] + 1)[1:]
            for b in range(a + 1, len(seen)):
                both = (labels > 0) & (seen[b] > 0)
                keys = (labels[both].astype(np.int64) - 1) * counts[b] + (seen[b][both] - 1)
                found, number = np.unique(keys, return_counts=True)
                known = tables.get((a, b))
                new = np.stack([found, number])
                tables[a, b] = new if known is None else np.concatenate([known, new], 1)
    sources: list[Ints] = [np.empty(0, np.int64)]
    targets: list[Ints] = [np.empty(0, np.int64)]
    shared: list[Floats] = [np.empty(0)]
    for (a, b), table in tables.items():
        keys, where = np.unique(table[0], return_inverse=True)
        pixels: Floats = np.asarray(np.bincount(where, table[1], minlength=len(keys)), np.float64)
        one: Ints = keys // max(counts[b], 1) + first[a]
        other: Ints = keys % max(counts[b], 1) + first[b]
        sources += [one, other]
        targets += [other, one]
        shared += [pixels, pixels]
    level = np.repeat(np.arange(len(levels)), counts)
    return Overlaps(
        level, np.maximum(area, 1.0), np.concatenate(sources), np.concatenate(targets), np.concatenate(shared)
    )


def frame_of(levels: Sequence[Level], shape: tuple[int, ...]) -> tuple[int, int]:
    """Where levels of an image of this shape are compared: at the finest of them, but no finer than the image."""
    finest = levels[-1]
    height, width = shape[:2] if finest.scale >= 1 else finest.labels.shape
    return height, width


def _nearest(size: int, frame: int) -> Ints:
    """For every pixel of the frame, along one axis, the nearest of a map of `size` pixels."""
    return np.minimum(((np.arange(frame) + 0.5) * size / frame).astype(np.int64), size - 1)


def conflicts(found: Overlaps, share: float) -> Ints:
    """Pairs of proposals (M, 2) of which more than `share` of the smaller lies in the other."""
    smaller = np.minimum(found.area[found.source], found.area[found.target])
    chosen = (found.source < found.target) & (found.shared > share * smaller)
    return np.stack([found.source[chosen], found.target[chosen]], 1)


# ---------------------------------------------------------------- features


def own_features(levels: Sequence[Level]) -> dict[str, Floats]:
    """What a proposal's own level knows of it, (N,) each, counted through the levels."""
    names = tuple(levels[0].features)
    joined = {name: np.concatenate([level.features[name] for level in levels]) for name in names}
    counts = [level.count for level in levels]
    scale = np.repeat([level.scale for level in levels], counts)
    joined["log_scale"] = np.log2(scale)
    joined["level_area_px"] = joined["area_px"] * scale**2
    joined["coarser_levels"] = np.repeat(np.arange(len(levels)), counts).astype(np.float64)
    joined["finer_levels"] = len(levels) - 1 - joined["coarser_levels"]
    joined["image_px"] = np.repeat([level.labels.size / level.scale**2 for level in levels], counts)
    return joined


def related_features(found: Overlaps, likely: Floats, count: int) -> dict[str, Floats]:
    """What the other levels say of each of N proposals, (N,) each.

    Parameters
    ----------
    likely : float array (N,)
        P(real) of each by its own features.
    count : int
        Number of levels.
    """
    return {
        **_agreement(found, likely, count),
        **_inside(found, likely, count),
        **_level_statistics(found, likely, count),
    }


def _agreement(found: Overlaps, likely: Floats, count: int) -> dict[str, Floats]:
    """The best-matching proposal of the levels near by and of any, and how much all levels agree."""
    total = len(likely)
    best = np.full((total, count), 0.0)
    mate = np.zeros((total, count), np.int64)
    level = found.level[found.target]
    order = np.argsort(found.iou, kind="stable")  # the best of each comes last, and stays
    best[found.source[order], level[order]] = found.iou[order]
    mate[found.source[order], level[order]] = found.target[order]
    value = np.where(best > 0, likely[mate], 0.0)
    own = np.arange(count)[None, :] == found.level[:, None]
    best[own], value[own] = 0.0, 0.0
    features = {
        "best_iou": best.max(1, initial=0.0),
        "best_likely": value[np.arange(total), best.argmax(1)] if total else np.zeros(0),
        "votes": (best * value).sum(1),
        "seen_at": (best > _SAME_IOU).sum(1).astype(np.float64),
    }
    for step in NEAR_LEVELS:
        there = found.level + step
        exists = (there >= 0) & (there < count)
        index = np.clip(there, 0, count - 1)
        rows = np.arange(total)
        features[f"iou_{step:+d}"] = np.where(exists, best[rows, index], ABSENT)
        features[f"likely_{step:+d}"] = np.where(exists, value[rows, index], ABSENT)
    return features


def _inside(found: Overlaps, likely: Floats, count: int) -> dict[str, Floats]:
    """How many proposals of another level lie inside, and what the proposal itself lies in."""
    total = len(likely)
    source, target = found.source, found.target
    contained = (found.within >= INSIDE) & (found.area[source] <= INSIDE_AREA * found.area[target])
    inner, outer = source[contained], target[contained]
    shape = (total, count)
    number, worth, covered = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    where = (outer, found.level[inner])
    np.add.at(number, where, 1.0)
    np.add.at(worth, where, likely[inner])
    np.add.at(covered, where, found.shared[contained] / found.area[outer])
    rows = np.arange(total)
    richest = worth.argmax(1) if count else np.zeros(0, np.int64)
    features = {
        "inside_count": number[rows, richest],
        "inside_worth": worth[rows, richest],
        "inside_covered": covered[rows, richest],
        "inside_likely": worth[rows, richest] / np.maximum(number[rows, richest], 1.0),
    }
    around = {
        name: np.zeros(total) for name in ("outer_likely", "outer_area", "outer_count", "outer_worth", "outer_covered")
    }
    order = np.argsort(likely[outer], kind="stable")  # the likeliest comes last, and stays
    inner, outer = inner[order], outer[order]
    own = found.level[inner]
    around["outer_likely"][inner] = likely[outer]
    around["outer_area"][inner] = np.log(found.area[outer] / found.area[inner])
    around["outer_count"][inner] = number[outer, own]
    around["outer_worth"][inner] = worth[outer, own]
    around["outer_covered"][inner] = covered[outer, own]
    return {**features, **around}


def _level_statistics(found: Overlaps, likely: Floats, count: int) -> dict[str, Floats]:
    """How a proposal's level fares as a whole, and beside the best level of the image."""
    number = np.bincount(found.level, minlength=count).astype(np.float64)
    worth = np.bincount(found.level, likely, minlength=count)
    covered = np.bincount(found.level, likely * found.area, minlength=count)
    mean = worth / np.maximum(number, 1.0)
    area_share = covered / max(float(covered.max(initial=0.0)), 1e-9)
    worth_share = worth / max(float(worth.max(initial=0.0)), 1e-9)
    of = found.level
    return {
        "level_likely": mean[of],
        "level_likely_lead": (mean - mean.max(initial=0.0))[of],
        "level_worth": worth[of],
        "level_worth_share": worth_share[of],
        "level_covered_share": area_share[of],
        "image_worth": np.full(len(of), worth.max(initial=0.0)),
    }
