"""What the instrument and the print add to the signal: light, charging, blur, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.artificial.textures import Floats, blurred, noise

__all__ = ["compress", "instrument"]


def instrument(
    rng: np.random.Generator, signal: Floats, covered: npt.NDArray[np.bool_], scanning: bool, strength: float
) -> npt.NDArray[np.uint8]:
    """From the signal to grey values: light, charging, blur, noise, contrast."""
    shape = signal.shape
    low, high = (float(v) for v in np.percentile(signal[::4, ::4], [0.5, 99.5]))
    field = (signal - np.float32(low)) / np.float32(max(high - low, 1e-3))
    if high - low < 0.05:  # nothing to see: do not blow the film's noise up to full contrast
        field = np.float32(0.5) + (signal - np.float32(signal.mean())) * np.float32(4)
    field = np.clip(field, 0, 1.3) ** np.float32(rng.uniform(0.7, 1.4))
    if rng.random() < 0.5:
        field = field * (1 + np.float32(rng.uniform(0.05, 0.25)) * _slope(rng, shape))
    if scanning and rng.random() < 0.25 * min(strength, 1):
        field = _charge(rng, field, covered)
    if strength > 0:
        sigma = strength * rng.choice([0.4, 0.7, 1.2, 2.0], p=[0.35, 0.35, 0.22, 0.08])
        field = blurred(field.astype(np.float32), float(max(0.3, sigma)))
        shot, read = strength * rng.choice([0.01, 0.03, 0.08]), strength * rng.choice([0.005, 0.015, 0.04])
        grain = noise(rng, shape, float(rng.choice([0.0, 0.6, 1.0])))
        field = field + (np.float32(shot) * np.sqrt(np.clip(field, 0, 1)) + np.float32(read)) * grain
    dark = rng.uniform(0, 70)
    bright = rng.uniform(max(150, dark + 70), 250)
    if rng.random() < 0.03:
        dark, bright = bright, dark
    grey: npt.NDArray[np.uint8] = np.clip(np.float32(dark) + field * np.float32(bright - dark) + 0.5, 0, 255).astype(
        np.uint8
    )
    return grey


def _slope(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Uneven light: a tilted plane and a broad spot, about −1 … 1."""
    y, x = (
        np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None],
        np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :],
    )
    angle = rng.uniform(0, 2 * np.pi)
    cy, cx = rng.uniform(-0.8, 0.8, 2)
    spot = np.exp(-((x - np.float32(cx)) ** 2 + (y - np.float32(cy)) ** 2))
    slope: Floats = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y + spot - np.float32(0.5)
    return slope


def _charge(rng: np.random.Generator, field: Floats, covered: npt.NDArray[np.bool_]) -> Floats:
    """Charging: glow about insulating particles, and streaks along the scan lines after them."""
    charged = (field * covered).astype(np.float32)
    if rng.random() < 0.6:
        field = field + np.float32(rng.uniform(0.1, 0.5)) * blurred(charged, float(rng.uniform(4, 14)))
    reach = int(rng.integers(15, 80))
    decay = np.exp(-np.arange(reach, dtype=np.float32) / np.float32(reach / 3))
    kernel = np.concatenate([np.zeros(reach - 1, np.float32), decay])[::-1][None, :]
    rows = 0.4 + np.maximum(cv2.blur(rng.standard_normal((field.shape[0], 1), dtype=np.float32), (1, 5)), 0)
    trail = cv2.filter2D(charged, -1, kernel / kernel.sum(), borderType=cv2.BORDER_CONSTANT)
    sign = np.float32(rng.choice([-1, 1]) * rng.uniform(0.1, 0.5))
    return np.asarray(
        field + sign * trail * rows + np.float32(0.02) * rng.standard_normal((field.shape[0], 1), dtype=np.float32),
        np.float32,
    )


def compress(rng: np.random.Generator, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    quality = int(rng.integers(35, 96))
    done, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV cannot write JPEG")
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
