"""What is known of each particle besides its pixels: the evidence for P(real).

The mutual information is one sign among several that a particle is not real: a fragment has a ragged
outline, a gap between fibres has embeddings that do not meet in one point, a patch of substrate does
not differ from what surrounds it. The judge of proposals (`judge`) weighs these features.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from imagedataextractor.segmentation.maps import Maps

__all__ = ["particle_features", "particle_means"]

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.uint8]

#: Width of the rims on both sides of an outline, as a share of √area, and its bounds, px.
_RIM_SHARE, _RIM_LEAST, _RIM_MOST = 0.08, 2, 4
#: φ from which a pixel is the core of a particle: half the way to its centre.
_CORE_PHI = 0.5


def particle_means(values: npt.NDArray[np.float32], labels: Labels, count: int) -> Floats:
    """Mean of a map over each particle 1 … count; float array (count,)."""
    sums = np.bincount(labels.ravel(), values.ravel().astype(np.float64), minlength=count + 1)[1:]
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return np.asarray(sums / np.maximum(areas, 1))


def particle_features(maps: Maps, labels: Labels) -> dict[str, Floats]:
    """Features of the particles of a label map of the maps' resolution, each (N,).

    Of the network: "uncertainty" (mean mutual information, nats), "seed" (mean seed), "seed_peak"
    (largest seed), "phi" (mean φ about the particle's own centre and bandwidth), "core" (share of
    its pixels with φ > 0.5), "rim_seed" (mean seed just outside the outline).
    Of the picture: "area_px" (pixels of the original image), "solidity" (area over that of the
    convex hull), "contrast" (difference of the mean grey just inside and just outside, over the
    image's standard deviation).
    Of its company: "image_seed" (median of seed_peak over the image), "count" (particles of the
    image), "relative_area" (area over the image's median area).
    """
    count = int(labels.max(initial=0))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:].astype(np.float64)
    peak = np.asarray(ndimage.maximum(maps.seed, labels, np.arange(1, count + 1)), np.float64).reshape(count)
    phi = _phi(maps, labels, count)
    return {
        "uncertainty": particle_means(maps.information, labels, count),
        "seed": particle_means(maps.seed, labels, count),
        "seed_peak": peak,
        "phi": particle_means(phi, labels, count),
        "core": particle_means((phi > _CORE_PHI).astype(np.float32), labels, count),
        "area_px": areas / maps.scale**2,
        "image_seed": np.full(count, np.median(peak) if count else 0.0),
        "count": np.full(count, float(count)),
        "relative_area": areas / (np.median(areas) if count else 1.0),
        **_outline_features(maps, labels, areas),
    }


def _phi(maps: Maps, labels: Labels, count: int) -> npt.NDArray[np.float32]:
    """φ of every pixel about the mean embedding of its particle, with the mean bandwidth; 1 elsewhere."""
    exponent = np.zeros(labels.shape, np.float32)
    inside = labels > 0
    owner = labels[inside] - 1
    for axis in range(2):
        centre = particle_means(maps.embedding[axis], labels, count).astype(np.float32)
        log_s = np.log(np.maximum(maps.bandwidth[axis], 1e-12))
        s = np.exp(particle_means(log_s, labels, count)).astype(np.float32)
        exponent[inside] += s[owner] * (maps.embedding[axis][inside] - centre[owner]) ** 2
    return np.exp(-exponent)


def _outline_features(maps: Maps, labels: Labels, areas: Floats) -> dict[str, Floats]:
    """What the outline of each particle tells: "solidity", "contrast" and "rim_seed"."""
    found = {name: np.zeros(len(areas)) for name in ("solidity", "contrast", "rim_seed")}
    grey = cv2.GaussianBlur(maps.image, (0, 0), 1.0).astype(np.float32)
    spread = float(grey.std()) + 1.0
    for index, box in enumerate(ndimage.find_objects(labels)):
        if box is None:
            continue
        width = int(np.clip(round(_RIM_SHARE * areas[index] ** 0.5), _RIM_LEAST, _RIM_MOST))
        window = tuple(slice(max(s.start - width, 0), s.stop + width) for s in box)
        mask = (labels[window] == index + 1).astype(np.uint8)
        inner, outer = _rims(mask, width)
        found["solidity"][index] = areas[index] / _hull_area(mask)
        if inner.any() and outer.any():  # not so where it fills the image
            found["contrast"][index] = abs(grey[window][inner].mean() - grey[window][outer].mean()) / spread
            found["rim_seed"][index] = maps.seed[window][outer].mean()
    return found


def _rims(mask: Mask, width: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """The pixels within `width` of the outline, inside and outside; all of a particle that is thinner."""
    square = np.ones((3, 3), np.uint8)
    grown = cv2.dilate(mask, square, iterations=width)
    shrunk = cv2.erode(mask, square, iterations=width, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    inside = mask > 0
    return inside & (shrunk == 0), (grown > 0) & ~inside


def _hull_area(mask: Mask) -> float:
    """Area of the convex hull of the pixel squares, px²."""
    within = cv2.erode(mask, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    y, x = np.nonzero(mask > within)  # the outline alone has the same hull
    corners = np.concatenate([np.stack([x + dx, y + dy], 1) for dx in (0, 1) for dy in (0, 1)])
    return float(cv2.contourArea(cv2.convexHull(corners.astype(np.int32))))
