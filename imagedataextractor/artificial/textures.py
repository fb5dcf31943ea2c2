"""Random fields and surface textures that synthetic micrographs are made of."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "blurred", "cells", "fractal", "noise", "surface_textures"]

Floats = npt.NDArray[np.float32]

TEXTURE_SIZE = 384


def blurred(field: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Floats:
    """Gaussian noise of one length scale, unit variance; coarse scales are drawn small and enlarged."""
    factor = max(1, int(sigma / 2))
    small = (max(4, -(-shape[0] // factor)), max(4, -(-shape[1] // factor)))
    field = rng.standard_normal(small, dtype=np.float32)
    if sigma > 0.3:
        field = blurred(field, sigma / factor)
    if factor > 1:
        field = np.asarray(cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)
    deviation = float(field.std())
    normed: Floats = field / np.float32(deviation or 1.0)
    return normed


def fractal(rng: np.random.Generator, shape: tuple[int, int], coarse: float, octaves: int = 4) -> Floats:
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += np.float32(0.6**octave) * noise(rng, shape, max(coarse / 2**octave, 0.5))
    return total / np.float32(total.std())


def cells(rng: np.random.Generator, shape: tuple[int, int], spacing: float) -> Floats:
    """Distance to the nearest of scattered points over the mean spacing: grains with valleys between."""
    count = max(4, int(shape[0] * shape[1] / spacing**2))
    free = np.full(shape, 255, np.uint8)
    free[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = 0
    cells: Floats = cv2.distanceTransform(free, cv2.DIST_L2, 3) / np.float32(spacing)
    return cells


def surface_textures(rng: np.random.Generator) -> list[Floats]:
    """Four surface textures, values about −1 … 1: fine, rolling, grainy, and walls as petals have."""
    shape = (TEXTURE_SIZE, TEXTURE_SIZE)
    spacing = float(np.exp(rng.uniform(np.log(5), np.log(24))))
    apart = cells(rng, shape, spacing)
    walls = np.clip(2.2 * apart - 1.0, -1, 1)
    return [
        0.5 * noise(rng, shape, rng.uniform(0.8, 2.5)),
        0.5 * fractal(rng, shape, rng.uniform(6, 30)),
        np.clip(1 - 2 * apart, -1, 1),
        (walls + 0.25 * noise(rng, shape, 1.0)).astype(np.float32),
    ]
