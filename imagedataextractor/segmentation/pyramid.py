"""Inference by the rules of this project: the image at several scales, and one choice among what they propose.

The scale decides what a network can see: a long body is whole only where it is small enough to be taken
in at once, a speck is told from noise only where it is large enough. So the image is shown at several
scales, each twice the one before, from one at which the whole picture is a glance to one at which the
smallest particles have pixels enough. Coarse levels cost next to nothing: two of them, at ¼ and ½, take
31 % of the time of the image itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError
from imagedataextractor.images import to_grey
from imagedataextractor.records import Mode, Segmentation
from imagedataextractor.segmentation.architectures import Network
from imagedataextractor.segmentation.choice import choose, painted
from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.inference import image_maps
from imagedataextractor.segmentation.inference_settings import InferenceSettings
from imagedataextractor.segmentation.judge import Judge, SeedJudge
from imagedataextractor.segmentation.proposals import Level, frame_of, level_proposals, overlaps
from imagedataextractor.segmentation.resizing import grey_resized
from imagedataextractor.segmentation.strategy import is_uncertain

__all__ = ["Pyramid", "coarsest_scale", "image_levels", "next_scale"]

Labels = npt.NDArray[np.int32]

#: Shorter side of the coarsest level is at least this, px: below, the deepest features of the network,
#: at 1/32, are three across and see nothing but the frame.
LEAST_SIDE_PX = 112
#: A level of so many pixels and fewer is always looked at: 0.5 MP take a core about a second.
CHEAP_PIXELS = 500_000
#: Most pixels of a level. Its maps take 24 bytes a pixel, the clustering about as much again.
MAX_PIXELS = 40_000_000
#: Largest magnification: the picture itself has no more to show. Thumbnails are magnified further, until
#: the coarsest level has its least side.
MAX_SCALE, MAX_THUMBNAIL_SCALE = 2.0, 4.0
#: ECD below which a particle is small at a level, px there: it may be clearer at the next.
SMALL_ECD_PX = 35.0
#: Share of small particles among a level's certain ones (a seed of CERTAIN_SEED somewhere), from which on the
#: next level is looked at although it is not cheap. Of the 77 validation images of EMPS, 14 % in 12 % of which
#: the true particles are small.
SMALL_SHARE, CERTAIN_SEED = 0.4, 0.9


def coarsest_scale(height: int, width: int) -> float:
    """The magnification of the first level, a power of two."""
    wanted = 2.0 ** np.ceil(np.log2(LEAST_SIDE_PX / min(height, width)))
    return float(min(wanted, MAX_THUMBNAIL_SCALE))


def next_scale(height: int, width: int, last: Level) -> float | None:
    """The magnification of the level after `last`, or None where it would tell nothing or cost too much."""
    scale = 2.0 * last.scale
    pixels = height * width * scale**2
    if pixels > MAX_PIXELS or scale > max(MAX_SCALE, 2.0 * coarsest_scale(height, width)):
        return None
    return scale if pixels <= CHEAP_PIXELS or _has_small(last) else None


def _has_small(level: Level) -> bool:
    """Whether a considerable part of the level's particles are small, or none is certain."""
    certain = level.features["seed_peak"] >= CERTAIN_SEED
    ecd_px = np.sqrt(4.0 / np.pi * level.features["area_px"][certain]) * level.scale
    return not len(ecd_px) or float((ecd_px < SMALL_ECD_PX).mean()) >= SMALL_SHARE


def image_levels(
    network: Network,
    grey: npt.NDArray[np.uint8],
    *,
    samples: int,
    seed: int,
    device: str,
    clustering: ClusterSettings,
    exclude: npt.NDArray[np.bool_] | None = None,
) -> list[Level]:
    """The proposals of every level of an image (H, W), coarse to fine.

    Parameters
    ----------
    samples : int
        T; 0 is one pass without dropout.
    exclude : bool array (H, W), optional
        Where nothing may be found.
    """
    height, width = grey.shape
    levels: list[Level] = []
    scale: float | None = coarsest_scale(height, width)
    while scale is not None:
        seen = grey if scale == 1.0 else grey_resized(grey, scale)
        maps = image_maps(network, seen, samples=samples, seed=seed, device=device, scale=scale)
        if exclude is not None:
            size = (seen.shape[1], seen.shape[0])
            maps.seed[cv2.resize(exclude.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0] = 0.0
        levels.append(level_proposals(maps, clustering))
        scale = next_scale(height, width, levels[-1])
    return levels


@dataclass(frozen=True, eq=False)
class Pyramid:
    """The rules with the network that they run.

    Attributes
    ----------
    judge : Judge or None
        P(real) of the proposals; None for a network for which none was fitted, whose seeds decide.
    """

    network: Network
    settings: InferenceSettings
    judge: Judge | None
    device: str

    def segment(
        self,
        image: npt.NDArray[np.uint8],
        *,
        mode: Mode = "filtered",
        samples: int = 8,
        threshold: float = 0.0125,
        seed: int = 0,
        exclude: npt.NDArray[np.bool_] | None = None,
        supported: bool | None = None,
    ) -> Segmentation:
        """Segment one micrograph, whatever its size; see `Segmenter.segment`."""
        grey = to_grey(image)
        if grey.size == 0:
            raise InputError("the image has no pixels")
        if exclude is not None:
            grey = _blanked(grey, exclude)
        passes = 0 if mode == "discriminative" else samples
        levels = image_levels(
            self.network,
            grey,
            samples=passes,
            seed=seed,
            device=self.device,
            clustering=self.settings.clustering,
            exclude=exclude,
        )
        found = overlaps(levels, frame_of(levels, grey.shape))
        score, quality = (self.judge or SeedJudge()).judged(levels, found)
        choice = choose(found, score, quality, self.settings.choice, supported=supported)
        kept = choice.accepted | choice.support
        if mode == "filtered":
            kept |= choice.rejected
        numbers = painted(levels, found, kept, grey.shape)
        labels, chosen = _renumbered(numbers, len(score))
        uncertainty = np.concatenate([level.features["uncertainty"] for level in levels])[chosen]
        rejected = choice.rejected[chosen]
        if mode == "filtered":
            rejected |= is_uncertain(uncertainty, threshold) & ~choice.support[chosen]
        return Segmentation(
            label_map=labels,
            uncertainty=uncertainty,
            score=None if self.judge is None else score[chosen],
            seed_value=np.concatenate([level.features["seed"] for level in levels])[chosen],
            filtered=rejected,
            support=choice.support[chosen],
            uncertainty_map=_information(levels, found.level[chosen], labels),
            mode=mode,
            samples=passes,
            threshold=threshold if mode == "filtered" else None,
            seed=seed,
        )


def _renumbered(numbers: Labels, count: int) -> tuple[Labels, npt.NDArray[np.int64]]:
    """Labels 1 … N without gaps, and the number, from 0, of each one's proposal."""
    present = np.bincount(numbers.ravel(), minlength=count + 1) > 0
    present[0] = False
    lookup = np.where(present, np.cumsum(present), 0).astype(np.int32)
    return lookup[numbers], np.flatnonzero(present) - 1


def _information(levels: Sequence[Level], level_of: npt.NDArray[np.int64], labels: Labels) -> npt.NDArray[np.float32]:
    """Mutual information of every pixel (H, W): of a particle at the level that proposed it, else at the finest."""
    size = (labels.shape[1], labels.shape[0])
    result = _enlarged(levels[-1].information, size)
    # One byte a pixel: at 4096 × 4096, whole numbers of the usual size would take 134 MB.
    owner = np.concatenate([[len(levels) - 1], level_of]).astype(np.int8)[labels]
    for index, level in enumerate(levels[:-1]):
        own = owner == index
        if own.any():
            result[own] = _enlarged(level.information, size)[own]
    return result


def _enlarged(values: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    return np.array(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _blanked(grey: npt.NDArray[np.uint8], exclude: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Excluded pixels take the median of the rest, so that their edges look like nothing."""
    if exclude.all():
        return np.zeros_like(grey)
    return np.where(exclude, np.uint8(np.median(grey[~exclude])), grey)
