"""What needs no training: thresholding and pixel clustering, scored like the networks.

Otsu's threshold with connected components; the same with a watershed of the distance transform; a
two-component Gaussian mixture of the grey level with connected components, which is how m2py segments
micrographs. Each decides for itself whether particles are bright or dark: foreground is
the class that the image border belongs to less.

    python benchmarks/thresholding.py --data ../shared/emps-train --split val
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.segmentation import watershed

from imagedataextractor.segmentation.metrics import format_table, score_image, summarise
from imagedataextractor.training.segmentation.dataset import load_emps

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]

#: Smallest region counted as a particle, px: below it everything is noise to these methods.
MIN_PIXELS = 30


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


METHODS: dict[str, Callable[[Grey], Labels]] = {
    "Otsu + connected components": otsu_components,
    "Otsu + watershed": otsu_watershed,
    "Gaussian mixture + connected components": gaussian_mixture_components,
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
    for name, method in METHODS.items():
        scores = [score_image(e.labels, method(e.image), e.name) for e in examples]
        print(format_table(summarise(scores, name)), end="\n\n")


if __name__ == "__main__":
    main()
