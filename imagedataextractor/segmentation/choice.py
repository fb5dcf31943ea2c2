"""From the proposals of all levels to the particles of the image.

Proposals that share pixels exclude each other; the set that is worth most is kept (`selection`). Two
kinds of proposals do not compete. A support, a body with many small particles on it, is not a rival of
its particles: they are measured, and it keeps its place beneath them, marked as what it is. And what is
not kept, but may be real all the same, is kept as rejected where nothing better lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imagedataextractor.segmentation.clustering import one_region_each
from imagedataextractor.segmentation.proposals import INSIDE, Level, Overlaps, conflicts
from imagedataextractor.segmentation.resizing import label_resized
from imagedataextractor.segmentation.selection import best_set

__all__ = ["Choice", "ChoiceSettings", "choose", "painted"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]

#: A support carries at least so many particles, each of at most so large a share of its area (a third of
#: its diameter), and they hide at most so much of it: what is full of grains is a pile of them, not a support.
SUPPORT_LEAST, SUPPORT_PARTICLE_AREA, SUPPORT_COVERED = 5, 1 / 9, 0.5
#: The same where it is known that there are supported particles: two are enough.
KNOWN_SUPPORT_LEAST = 2
#: What a proposal's expected IoU adds to its worth: of two that are equally real, the better mask is kept.
QUALITY_WORTH = 0.3


@dataclass(frozen=True)
class ChoiceSettings:
    """How proposals are chosen; the values are fitted with the judge of P(real) and kept beside it.

    Attributes
    ----------
    min_score : float
        P(real) from which a proposal is a particle.
    min_rejected_score : float
        P(real) from which one that is none is kept as rejected.
    conflict_share : float
        Two proposals exclude each other if more than this share of the smaller lies in the larger.
    """

    min_score: float = 0.4
    min_rejected_score: float = 0.1
    conflict_share: float = 0.25


@dataclass(frozen=True, eq=False)
class Choice:
    """What becomes of each of N proposals: bool arrays (N,); at most one is true."""

    accepted: Bools
    rejected: Bools
    support: Bools


def choose(
    found: Overlaps,
    score: Floats,
    quality: Floats,
    settings: ChoiceSettings,
    *,
    supported: bool | None = None,
) -> Choice:
    """Choose among proposals.

    Parameters
    ----------
    score, quality : float array (N,)
        P(real) and expected IoU.
    supported : bool, optional
        Whether the image shows particles on a support; by default the picture alone decides.
    """
    is_particle = score >= settings.min_score
    worth = np.where(is_particle, score + QUALITY_WORTH * quality, 0.0)
    pairs = conflicts(found, settings.conflict_share)
    least = KNOWN_SUPPORT_LEAST if supported else SUPPORT_LEAST
    carried = np.empty((0, 2), np.int64) if supported is False else _carried(found, is_particle, least)
    while True:
        accepted = best_set(worth, pairs[~_listed(pairs, carried, len(score))])
        number = np.bincount(carried[accepted[carried[:, 1]], 0], minlength=len(score))
        # An accepted body whose particles were not chosen after all is an ordinary proposal: they exclude it.
        bare = accepted & (number < least)
        if not bare[carried[:, 0]].any():
            break
        carried = carried[~bare[carried[:, 0]]]
    rivals = pairs[~_listed(pairs, carried, len(score))]
    possible = (number >= least) & ~_barred(rivals, accepted)
    support = best_set(np.where(possible, quality, 0.0), pairs)
    accepted &= ~support
    free = ~(accepted | support | _barred(pairs, accepted | support))
    rejected = best_set(np.where(free & (score >= settings.min_rejected_score), score, 0.0), pairs)
    return Choice(accepted, rejected, support)


def _carried(found: Overlaps, is_particle: Bools, least: int) -> Ints:
    """Pairs (M, 2) of a body that may be a support, and a particle that it carries."""
    body, particle = found.target, found.source
    small = found.area[particle] <= SUPPORT_PARTICLE_AREA * found.area[body]
    chosen = is_particle[particle] & small & (found.within >= INSIDE)
    body, particle, shared = body[chosen], particle[chosen], found.shared[chosen]
    # Each level counts for itself: the same particle at two levels is one.
    levels = int(found.level.max(initial=0)) + 1
    where = body * levels + found.level[particle]
    number = np.bincount(where, minlength=len(found.area) * levels)
    covered = np.bincount(where, shared, minlength=len(found.area) * levels).reshape(-1, levels).max(1)
    many = number.reshape(-1, levels).max(1) >= least
    bodies = many & (covered <= SUPPORT_COVERED * found.area)
    pairs: Ints = np.stack([body, particle], 1)[bodies[body]]
    return pairs


def _listed(pairs: Ints, listed: Ints, count: int) -> Bools:
    """Which of the pairs (M, 2) are among those listed, in either order."""
    keys = np.concatenate([listed[:, 0] * count + listed[:, 1], listed[:, 1] * count + listed[:, 0]])
    return np.isin(pairs[:, 0] * count + pairs[:, 1], keys)


def _barred(pairs: Ints, chosen: Bools) -> Bools:
    """What a chosen proposal excludes."""
    barred = np.zeros(len(chosen), bool)
    barred[pairs[chosen[pairs[:, 0]], 1]] = True
    barred[pairs[chosen[pairs[:, 1]], 0]] = True
    return barred


def painted(levels: Sequence[Level], found: Overlaps, kept: Bools, shape: tuple[int, int]) -> Labels:
    """The label map (H, W) of the kept ones of N proposals: proposal i has the value i + 1.

    Where two share pixels the smaller has them: it lies on the larger, or beside it.
    """
    result = np.zeros(shape, np.int32)
    area = np.concatenate([[np.inf], found.area])
    first = 0
    for level in levels:
        here = kept[first : first + level.count]
        if here.any():
            numbers = np.concatenate([[0], np.where(here, np.cumsum(here), 0)]).astype(np.int32)
            seen = label_resized(numbers[level.labels], (shape[1], shape[0]))
            layer = np.concatenate([[0], first + 1 + np.flatnonzero(here)]).astype(np.int32)[seen]
            over = layer > 0
            over[over] = area[layer[over]] < area[result[over]]
            result[over] = layer[over]
        first += level.count
    return one_region_each(result)
