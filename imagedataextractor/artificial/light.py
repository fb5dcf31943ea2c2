"""From a scene to the microscope's signal: secondary electrons, or what passes through."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.artificial.placing import Scene
from imagedataextractor.artificial.textures import Floats, blurred, cells, fractal, noise

__all__ = ["light_scanning", "light_transmission"]


def light_scanning(rng: np.random.Generator, placed: Scene, textures: list[Floats]) -> Floats:
    """Secondary-electron signal of the height map, arbitrary units, about 0 … 1."""
    shape = placed.labels.shape
    covered = placed.labels > 0
    ground, floor = _rough_ground(rng, shape) if placed.rough else _substrate(rng, shape)
    surface = np.where(covered, placed.height + placed.relief, ground).astype(np.float32)
    surface += _dust(rng, shape, placed)
    size = float(np.sqrt(np.median(placed.areas))) if placed.areas else 0.0
    soft = rng.uniform(0.5, 0.9) if rng.random() < 0.5 else 0.6 + size * rng.uniform(0.005, 0.03)
    smooth = blurred(surface, float(soft))
    gy, gx = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8), cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    steep = gx * gx + gy * gy
    yield_ = np.minimum(np.sqrt(1 + steep), np.float32(rng.uniform(2.0, 4.5))) - 1
    angle, side = rng.uniform(0, 2 * np.pi), float(rng.choice([0.0, 0.1, 0.25, 0.5]))
    facing = (gx * np.float32(np.cos(angle)) + gy * np.float32(np.sin(angle))) / np.sqrt(1 + steep)
    edge = float(rng.uniform(0.08, 0.45))
    tone = np.where(covered, placed.tone * np.float32(rng.uniform(0.45, 0.75)), floor)
    limb = np.float32(rng.choice([0.0, rng.uniform(-0.6, 0.0), rng.uniform(0.0, 0.5)])) * (1 - 1 / np.sqrt(1 + steep))
    signal = tone * (1 + limb + np.float32(edge) * yield_ - np.float32(side) * facing)
    if placed.areas:
        for reach, depth in ((0.12 * size, 0.5), (0.4 * size, 0.5)):
            around = cv2.blur(surface, (_odd(2 * reach), _odd(2 * reach)))
            caught = np.clip((around - surface) / np.float32(reach + 1), 0, 1.5)
            signal *= np.exp(np.float32(-depth * rng.uniform(0.6, 1.6)) * caught)
        deep = float(placed.height.max())
        if deep > 0 and rng.random() < 0.6:
            signal *= 1 - np.float32(rng.uniform(0, 0.5)) * covered * (1 - placed.height / np.float32(deep)) ** 2
    lit: Floats = signal.astype(np.float32)
    return lit


def _dust(rng: np.random.Generator, shape: tuple[int, ...], placed: Scene) -> Floats | float:
    """Specks far smaller than the particles, on them and beside them, that nobody would count."""
    if not placed.areas or rng.random() < 0.7:
        return 0.0
    largest = 0.08 * float(np.sqrt(np.median(placed.areas)))
    if largest < 2.5:
        return 0.0
    bumps = np.zeros((shape[0], shape[1]), np.float32)
    for _ in range(int(rng.integers(3, 60))):
        y, x = rng.uniform((0, 0), shape)
        radius = rng.uniform(1.2, largest)
        cv2.circle(bumps, (int(x), int(y)), max(1, round(radius)), radius, -1)
    return blurred(bumps, 0.35 * largest)


def _odd(size: float) -> int:
    return max(3, int(size) | 1)


def _substrate(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """What lies below the particles: its height in pixels and its tone. Textured ones mislead on purpose."""
    tone = np.full(
        shape,
        np.float32(
            rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.2, 0.55), rng.uniform(0.5, 0.8)], p=[0.45, 0.4, 0.15])
        ),
    )
    ground = np.zeros(shape, np.float32)
    what = rng.choice(
        ["flat", "rolling", "grainy", "scratched", "fibres", "pores", "cracked"],
        p=[0.42, 0.16, 0.12, 0.1, 0.08, 0.06, 0.06],
    )
    if what == "rolling":
        ground = np.float32(rng.uniform(0.5, 6)) * fractal(rng, shape, rng.uniform(8, 60))
    elif what == "grainy":
        spacing = rng.uniform(5, 20)
        ground = np.float32(-spacing * rng.uniform(0.2, 0.7)) * cells(rng, shape, spacing)
    elif what == "scratched":
        lines = blurred(rng.standard_normal((1, shape[1]), dtype=np.float32), rng.uniform(0.6, 3))
        streaks = np.repeat(lines, shape[0], axis=0) + 0.4 * noise(rng, shape, 2)
        turn = cv2.getRotationMatrix2D((shape[1] / 2, shape[0] / 2), float(rng.uniform(0, 180)), 1.5)
        streaks = cv2.warpAffine(streaks, turn, (shape[1], shape[0]), borderMode=cv2.BORDER_REFLECT)
        tone = tone * (1 + np.float32(rng.uniform(0.05, 0.3)) * streaks)
    elif what == "fibres":
        ground = _fibres(rng, shape)
    elif what == "pores":
        tone = tone * np.where(_scattered_discs(rng, shape), np.float32(rng.uniform(0.1, 0.5)), np.float32(1))
    elif what == "cracked":
        apart = cells(rng, shape, rng.uniform(40, 120))
        ground = -8 * np.exp(-(((apart - apart.max() * 0.6) / 0.02) ** 2)).astype(np.float32)
    tone = tone * (1 + np.float32(rng.choice([0.0, 0.05, 0.15])) * noise(rng, shape, rng.uniform(20, 80)))
    return ground.astype(np.float32), tone.astype(np.float32)


def _rough_ground(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """A surface that is all texture and no particle: its height in pixels and its tone."""
    tone = np.full(shape, np.float32(rng.uniform(0.3, 0.7)))
    what = rng.choice(["fracture", "dimples", "woven", "wrinkled", "porous", "blistered"])
    if what == "fracture":  # cleavage: tilted plateaus with river lines
        ground = np.zeros(shape, np.float32)
        for coarse in (rng.uniform(60, 160), rng.uniform(20, 50)):
            field = fractal(rng, shape, coarse, 3)
            step = np.float32(rng.uniform(0.4, 0.9))
            ground += np.float32(coarse * 0.12) * (np.floor(field / step) * step + np.float32(0.2) * field)
        ground = blurred(ground, float(rng.uniform(0.8, 2.0))) + np.float32(0.4) * fractal(rng, shape, 6.0, 2)
    elif what == "dimples":  # ductile fracture: bowls with sharp rims
        spacing = rng.uniform(14, 70)
        ground = np.float32(spacing * rng.uniform(0.3, 0.8)) * cells(rng, shape, spacing) ** 2
        ground = ground + np.float32(0.5) * fractal(rng, shape, 8.0, 3)
    elif what == "woven":
        ground = np.maximum(_fibres(rng, shape), np.float32(0.9) * _fibres(rng, shape))
        ground = ground + np.float32(0.3) * noise(rng, shape, 1.0)
    elif what == "wrinkled":
        folds = np.abs(fractal(rng, shape, rng.uniform(20, 90), 4))
        ground = np.float32(rng.uniform(6, 30)) * np.exp(-folds * np.float32(rng.uniform(2, 5)))
    elif what == "porous":
        field = fractal(rng, shape, rng.uniform(6, 30), 3)
        ground = np.float32(rng.uniform(3, 14)) * np.tanh(field * np.float32(rng.uniform(1.0, 3.0)))
    else:
        ground = np.float32(rng.uniform(2, 12)) * fractal(rng, shape, rng.uniform(5, 60), 5)
    tone = tone * (1 + np.float32(rng.choice([0.0, 0.05, 0.15])) * noise(rng, shape, rng.uniform(20, 80)))
    return ground.astype(np.float32), tone.astype(np.float32)


def _fibres(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    ground = np.zeros(shape, np.float32)
    width = int(rng.integers(3, 20))
    for _ in range(int(rng.integers(6, 40))):
        line = np.zeros(shape, np.uint8)
        start = rng.uniform((0, 0), (shape[1], shape[0]))
        angle = rng.uniform(0, 2 * np.pi)
        steps = np.cumsum(rng.normal(0, 0.12, 24)) + angle
        path = (
            start
            + np.cumsum(np.stack([np.cos(steps), np.sin(steps)], 1) * max(shape) / 14, axis=0)
            - max(shape) / 3 * np.array([np.cos(angle), np.sin(angle)])
        )
        cv2.polylines(line, [path.round().astype(np.int32)], False, 255, width)
        rise = cv2.distanceTransform(line, cv2.DIST_L2, 3)
        ground = np.maximum(
            ground, np.where(rise > 0, np.sqrt(np.maximum(width * rise, 0)), 0) + rng.uniform(0, 2) * (rise > 0)
        )
    return ground.astype(np.float32)


def _scattered_discs(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    discs = np.zeros(shape, np.uint8)
    radius = rng.uniform(3, 25)
    for _ in range(int(rng.integers(5, 60))):
        x, y = rng.uniform((0, 0), (shape[1], shape[0]))
        cv2.circle(discs, (int(x), int(y)), int(radius * rng.uniform(0.7, 1.2)), 1, -1, cv2.LINE_4)
    return discs.astype(bool)


def light_transmission(rng: np.random.Generator, placed: Scene, textures: list[Floats], kind: str) -> Floats:
    """Transmitted (bright-field) or scattered (dark-field, "stem") signal of the mass-thickness map."""
    shape = placed.labels.shape
    covered = placed.labels > 0
    absorb = float(np.exp(rng.uniform(np.log(0.25), np.log(2.5))))
    thickness = placed.thickness
    if rng.random() < 0.6:  # diffraction contrast: strain and tilt make bands inside a crystal
        waves = fractal(rng, shape, float(rng.uniform(4, 40)), 3)
        thickness = thickness * np.clip(1 + np.float32(rng.uniform(0.05, 0.5)) * waves, 0.2, 3)
    if rng.random() < 0.35:  # projected thickness saturates: particles look flat
        thickness = np.where(covered, thickness * np.float32(0.2) + np.float32(1.0), 0) * (thickness > 0)
    if rng.random() < 0.15 and placed.areas:  # soft rims: shells of polymer, or out of focus
        thickness = blurred(
            thickness.astype(np.float32), 0.5 + float(np.sqrt(np.median(placed.areas)) * rng.uniform(0.01, 0.05))
        )
    film = _film(rng, shape) * np.float32(min(1.0, absorb))
    carrier = np.float32(0.0) if placed.support is None else placed.support
    optical = np.float32(absorb) * (thickness + carrier) + film
    if kind == "stem":
        signal = 1 - np.exp(-optical)
    else:
        signal = np.exp(-optical)
        if rng.random() < 0.5:  # Fresnel fringe of a defocused lens
            near = blurred(signal, float(rng.uniform(1.0, 2.5)))
            signal = signal + np.float32(rng.uniform(0.3, 1.2)) * (signal - near)
    grain = noise(rng, shape, 0.8) - 0.8 * noise(rng, shape, 2.0)
    signal = signal * (1 + np.float32(rng.choice([0.0, 0.02, 0.06, 0.12], p=[0.3, 0.3, 0.25, 0.15])) * grain)
    lit: Floats = blurred(signal.astype(np.float32), 0.6)
    return lit


def _film(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Optical thickness of the support: plain carbon, lacey carbon, crumpled sheets, an edge."""
    film = np.float32(rng.uniform(0.0, 0.05)) * noise(rng, shape, rng.uniform(10, 60))
    what = rng.choice(["plain", "lacey", "sheets", "edge", "stain"], p=[0.6, 0.08, 0.14, 0.08, 0.1])
    if what == "lacey":
        holes = noise(rng, shape, rng.uniform(15, 50))
        film = film + np.float32(rng.uniform(0.1, 0.6)) * (np.abs(holes) < 0.35)
    elif what == "sheets":
        folds = np.abs(fractal(rng, shape, rng.uniform(20, 80), 3))
        film = (
            film
            + np.float32(rng.uniform(0.1, 0.5)) * np.exp(-folds * 6)
            + np.float32(rng.uniform(0, 0.2)) * (folds > 0.8)
        )
    elif what == "edge":
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        side = np.cos(angle) * (x - shape[1] / 2) + np.sin(angle) * (y - shape[0] / 2) + 12 * noise(rng, shape, 30)
        film = film + np.float32(rng.uniform(0.1, 0.7)) * (side > rng.uniform(-0.3, 0.3) * min(shape))
    elif what == "stain":
        film = film + np.float32(rng.uniform(0.05, 0.25)) * np.maximum(fractal(rng, shape, rng.uniform(10, 40)), 0)
    return film.astype(np.float32)
