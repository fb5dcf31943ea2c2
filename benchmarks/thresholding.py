"""What needs no training: thresholding and pixel clustering, scored like the networks.

Otsu's threshold with connected components; the same with a watershed of the distance transform; a
two-component Gaussian mixture of the grey level with connected components, which is how m2py segments
micrographs; contours and fitted ellipses, which is how ImageDataExtractor 1 did. Each decides for itself
whether particles are bright or dark: foreground is the class that the image border belongs to less.

    python benchmarks/thresholding.py --data ../shared/emps-train --split val
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.segmentation import watershed

from imagedataextractor.segmentation.kinds import format_by_kind, kind_of, summarise_by_kind
from imagedataextractor.segmentation.metrics import format_table, score_image, summarise
from imagedataextractor.training.segmentation.dataset import load_emps

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]

#: Smallest region counted as a particle, px: below it everything is noise to these methods.
MIN_PIXELS = 30
#: Share of a contour's area by which its ellipse may miss it, and its hull exceed it.
ELLIPSE_MISFIT = 0.2


def otsu_components(image: Grey) -> Labels:
    """Otsu's threshold, holes filled, connected components."""
    return _components(_otsu(image))


def otsu_watershed(image: Grey) -> Labels:
    """Otsu's threshold, then a watershed from the peaks of the distance transform."""
    mask = _otsu(image)
    distance = gaussian(ndimage.distance_transform_edt(mask), 2.0)
    peaks = peak_local_max(distance, min_distance=7, labels=mask.astype(np.int32), exclude_border=False)
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return _large(watershed(-distance, markers, mask=mask).astype(np.int32))


def gaussian_mixture_components(image: Grey) -> Labels:
    """A mixture of two Gaussians over the smoothed grey level, holes filled, connected components."""
    smooth = gaussian(image.astype(np.float64) / 255.0, 1.5)
    if smooth.min() == smooth.max():
        return np.zeros(image.shape, np.int32)
    bright = _two_gaussians(smooth.reshape(-1, 1), (smooth > np.median(smooth)).ravel()).reshape(image.shape)
    return _components(ndimage.binary_fill_holes(_foreground(bright)))


def contours_and_ellipses(image: Grey) -> Labels:
    """Contours of the threshold, each replaced by its ellipse: the way of ImageDataExtractor 1.

    After Mukaddem et al., J. Chem. Inf. Model. 60 (2020) 2492, in a page: smoothing that keeps edges, a local
    threshold where the light is uneven and Otsu's elsewhere, outer contours, an ellipse fitted to each. A contour that
    its ellipse misses by more than a fifth of its area, or that has dents, is several particles to it and
    left out; specks are noise.
    """
    smooth = cv2.bilateralFilter(image, 7, 40, 40)
    if smooth.min() == smooth.max():
        return np.zeros(image.shape, np.int32)
    mask = _foreground(smooth > threshold_otsu(smooth))
    if _uneven(smooth):
        block = 2 * (min(image.shape) // 8) + 1
        bright = cv2.adaptiveThreshold(smooth, 1, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, block, 0)
        mask = _foreground(bright > 0)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    labels = np.zeros(image.shape, np.int32)
    kept = 0
    for outline in sorted(outlines, key=cv2.contourArea, reverse=True):
        area = cv2.contourArea(outline)
        if area < MIN_PIXELS or len(outline) < 5:
            continue
        ellipse = cv2.fitEllipse(outline)
        ellipse_area = np.pi / 4 * ellipse[1][0] * ellipse[1][1]
        solidity = area / max(cv2.contourArea(cv2.convexHull(outline)), 1.0)
        if abs(ellipse_area - area) > ELLIPSE_MISFIT * area or solidity < 1.0 - ELLIPSE_MISFIT:
            continue
        kept += 1
        cv2.ellipse(labels, ellipse, kept, -1)
    return labels


def _uneven(smooth: Grey) -> bool:
    """Whether the corners of the image differ in brightness as much as particles do from the ground."""
    height, width = (side // 2 for side in smooth.shape)
    corners = [float(np.median(part)) for part in (
        smooth[:height, :width], smooth[:height, width:], smooth[height:, :width], smooth[height:, width:]
    )]  # fmt: skip
    return max(corners) - min(corners) > float(smooth.std())


METHODS: dict[str, Callable[[Grey], Labels]] = {
    "Otsu + connected components": otsu_components,
    "Otsu + watershed": otsu_watershed,
    "Gaussian mixture + connected components": gaussian_mixture_components,
    "ImageDataExtractor 1: contours + ellipses": contours_and_ellipses,
}


def _otsu(image: Grey) -> Mask:
    smooth = gaussian(image.astype(np.float64), 1.0)
    if smooth.min() == smooth.max():
        return np.zeros(image.shape, np.bool_)
    return ndimage.binary_fill_holes(_foreground(smooth > threshold_otsu(smooth)))


def _foreground(bright: Mask) -> Mask:
    """The class that covers less of the image's rim."""
    rim = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    return ~bright if rim.mean() > 0.5 else bright


def _two_gaussians(x: npt.NDArray[np.float64], member: Mask, rounds: int = 40) -> Mask:
    """Expectation maximisation of two full-covariance Gaussians; returns the second one's pixels.

    Parameters
    ----------
    x : float array (N, d)
    member : bool array (N,)
        First guess.
    """
    weight = member.astype(np.float64)
    for _ in range(rounds):
        logs = []
        for w in (1.0 - weight, weight):
            total = max(w.sum(), 1e-9)
            mean = w @ x / total
            centred = x - mean
            covariance = (centred * w[:, None]).T @ centred / total + 1e-6 * np.eye(x.shape[1])
            root = np.linalg.cholesky(covariance)
            z = np.linalg.solve(root, centred.T)
            logs.append(np.log(total / len(x)) - 0.5 * (z * z).sum(0) - np.log(np.diag(root)).sum())
        new = 1.0 / (1.0 + np.exp(np.clip(logs[0] - logs[1], -60, 60)))
        done = np.abs(new - weight).max() < 1e-3
        weight = new
        if done:
            break
    return weight > 0.5


def _components(mask: Mask) -> Labels:
    return _large(ndimage.label(mask)[0].astype(np.int32))


def _large(labels: Labels) -> Labels:
    area = np.bincount(labels.ravel())
    kept = np.flatnonzero(area[1:] >= MIN_PIXELS) + 1
    renumber = np.zeros(len(area), np.int32)
    renumber[kept] = np.arange(1, len(kept) + 1)
    return renumber[labels]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/emps-train"), help="folder in the EMPS layout")
    parser.add_argument("--split", default="val")
    arguments = parser.parse_args()
    examples = load_emps(arguments.data, arguments.split)
    kinds = {e.name: kind_of(e.labels) for e in examples}
    for name, method in METHODS.items():
        scores = [score_image(e.labels, method(e.image), e.name) for e in examples]
        print(format_table(summarise(scores, name)))
        print(format_by_kind(summarise_by_kind(scores, kinds)), end="\n\n")


if __name__ == "__main__":
    main()
