"""What a panel of a drawn figure can hold: micrographs, plots, schematics, photographs, patterns, maps.

Each drawer makes an RGB picture of a given size from a random generator: same state, same picture.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from imagedataextractor.artificial.annotations import draw_arrow, draw_scale_bar
from imagedataextractor.artificial.lettering import font
from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.images import to_rgb
from imagedataextractor.records import PanelKind

__all__ = ["CONTENTS", "annotate", "draw_content"]

Rgb = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Generator = np.random.Generator


def _micrograph(rng: Generator, height: int, width: int) -> Rgb:
    shape = (max(32, height), max(32, width))
    drawn = draw_micrograph(rng, shape=shape, letter=None, info_bar=None)
    return to_rgb(drawn.image[:height, :width])


def _smooth(rng: Generator, height: int, width: int, sigma: float) -> Floats:
    field = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), sigma)
    return np.asarray(field / max(1e-6, float(field.std())), np.float32)


def _lattice(rng: Generator, height: int, width: int) -> Rgb:
    """Lattice fringes of a few grains over amorphous noise, as in high resolution."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    grains = _smooth(rng, height, width, max(height, width) / 8)
    field = 0.6 * _smooth(rng, height, width, rng.uniform(0.8, 2.0))
    for level in (-0.5, 0.5):
        angle, period = rng.uniform(0, np.pi), rng.uniform(4, 14)
        wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
        if rng.random() < 0.5:
            wave = wave + np.sin(2 * np.pi * (x * np.sin(angle) - y * np.cos(angle)) / period * 0.9)
        field += rng.uniform(0.5, 1.5) * wave * (grains > level)
    grey = 120 + rng.uniform(20, 45) * field
    return to_rgb(np.clip(grey, 0, 255).astype(np.uint8))


def _atoms(rng: Generator, height: int, width: int) -> Rgb:
    """Columns of atoms, blurred as if filtered or simulated, grey or in the colours of a map."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    period = rng.uniform(0.04, 0.16) * max(height, width)
    angle, skew, stretch = rng.uniform(0, np.pi), rng.uniform(np.pi / 3, np.pi / 2), rng.uniform(0.7, 1.6)
    u = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period
    v = 2 * np.pi * (x * np.cos(angle + skew) + y * np.sin(angle + skew)) / (period * stretch)
    bend = rng.uniform(0, 0.8) * _smooth(rng, height, width, period)
    field = np.cos(u + bend) + rng.uniform(0, 1) * np.cos(v) + rng.uniform(0, 0.6) * np.cos(u / 2 + v)
    field += rng.uniform(0, 0.3) * _smooth(rng, height, width, rng.uniform(0.8, 3.0))
    low, high = float(field.min()), float(field.max())
    grey = (255 * ((field - low) / (high - low)) ** rng.uniform(0.7, 2.0)).astype(np.uint8)
    if rng.random() < 0.3:
        colours = (cv2.COLORMAP_JET, cv2.COLORMAP_HOT, cv2.COLORMAP_VIRIDIS, cv2.COLORMAP_RAINBOW)
        return np.ascontiguousarray(cv2.applyColorMap(grey, int(rng.choice(colours)))[..., ::-1])
    return to_rgb(grey)


def _lone_particles(rng: Generator, height: int, width: int) -> Rgb:
    """A few bright particles, mostly one in the middle, on the grainy ground of a short dark-field exposure."""
    side = min(height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = np.zeros((height, width), np.float32)
    for i in range(int(rng.choice([1, 1, 2, 5, 9]))):
        at = (height / 2, width / 2) if i == 0 and rng.random() < 0.7 else rng.uniform(0, 1, 2) * (height, width)
        angle = np.arctan2(y - at[0], x - at[1]) * int(rng.integers(2, 7)) + rng.uniform(0, 6)
        radius = side * rng.uniform(0.04, 0.22) * (1 + rng.uniform(0, 0.12) * np.sin(angle))
        rim = side * rng.uniform(0.005, 0.03)
        inside = 1 / (1 + np.exp(np.clip((np.hypot(y - at[0], x - at[1]) - radius) / rim, -30, 30)))
        light = np.maximum(light, inside.astype(np.float32) * (1.0 if i == 0 else rng.uniform(0.2, 1.0)))
    ground, level = rng.uniform(15, 90), rng.uniform(60, 180)
    grain = rng.uniform(5, 25) * _smooth(rng, height, width, rng.uniform(0.4, 1.6))
    spots = 1 + rng.uniform(0, 0.12) * _smooth(rng, height, width, rng.uniform(0.6, 3.0))
    return to_rgb(np.clip(ground + level * light * spots + grain, 0, 255).astype(np.uint8))


def _false_colour(rng: Generator, height: int, width: int) -> Rgb:
    """A micrograph whose particles, or all of it, are tinted."""
    grey = _micrograph(rng, height, width)[..., 0].astype(np.float32) / 255
    tint = rng.dirichlet([1, 1, 1]).astype(np.float32) * 1.8
    rgb = np.clip(grey[..., None] * (0.25 + tint), 0, 1)
    if rng.random() < 0.5:
        base = np.repeat(grey[..., None], 3, axis=2)
        mask = (cv2.GaussianBlur(grey, (0, 0), 4) > np.median(grey)).astype(np.float32)[..., None]
        rgb = rgb * mask + base * (1 - mask)
    return np.asarray(rgb * 255, np.uint8)


def _diffraction(rng: Generator, height: int, width: int) -> Rgb:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cy, cx = height * rng.uniform(0.4, 0.6), width * rng.uniform(0.4, 0.6)
    radius = np.hypot(x - cx, y - cy)
    field = np.exp(-radius / (0.06 * width)) * 2
    if rng.random() < 0.5:  # spots
        a = rng.uniform(0.07, 0.16) * width
        angle = rng.uniform(0, np.pi)
        skew = rng.uniform(np.pi / 3, np.pi / 2)
        for i in range(-6, 7):
            for j in range(-6, 7):
                px = cx + a * (i * np.cos(angle) + j * np.cos(angle + skew))
                py = cy + a * (i * np.sin(angle) + j * np.sin(angle + skew))
                strength = rng.uniform(0.3, 1.5) * np.exp(-np.hypot(px - cx, py - cy) / (0.35 * width))
                size = rng.uniform(0.006, 0.012) * width
                field += strength * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * size**2))
    else:  # rings
        for ring in np.cumsum(rng.uniform(0.04, 0.1, 6)) * width:
            speckle = 1 + 0.5 * _smooth(rng, height, width, 1.5)
            field += rng.uniform(0.1, 0.5) * np.exp(-((radius - ring) ** 2) / (2 * (0.006 * width) ** 2)) * speckle
    grey = np.clip(field * 220 + rng.normal(8, 4, field.shape), 0, 255)
    if rng.random() < 0.2:
        grey = 255 - grey
    return to_rgb(grey.astype(np.uint8))


def _eds(rng: Generator, height: int, width: int) -> Rgb:
    """Coloured counts on black, denser where the element is."""
    colour = np.array(
        [(255, 0, 0), (0, 255, 0), (40, 60, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255), (255, 140, 0)]
    )[int(rng.integers(7))]
    where = np.clip(_smooth(rng, height, width, max(4.0, min(height, width) * rng.uniform(0.04, 0.15))), 0, None)
    cell = int(rng.integers(1, 4))
    small = cv2.resize(where, (max(1, width // cell), max(1, height // cell)))
    counts = (rng.random(small.shape) < np.clip(0.02 + rng.uniform(0.1, 0.6) * small, 0, 1)).astype(np.float32)
    counts *= rng.uniform(0.4, 1.0, small.shape)
    dots: Floats = np.asarray(cv2.resize(counts, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)
    if rng.random() < 0.3:
        dots = np.asarray(cv2.GaussianBlur(dots, (0, 0), 1.0) * 1.6, np.float32)
    return np.asarray(np.clip(dots, 0, 1)[..., None] * colour, np.uint8)


def _photo(rng: Generator, height: int, width: int) -> Rgb:
    """Soft coloured shapes with shading and grain: bench photographs, fluorescence, histology."""
    style = int(rng.integers(3))
    base = np.stack([_smooth(rng, height, width, max(height, width) / rng.uniform(3, 12)) for _ in range(3)], axis=2)
    if style == 0:
        rgb = rng.uniform(60, 190, 3) + rng.uniform(15, 50) * base
        for _ in range(int(rng.integers(2, 8))):
            centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
            axes = (int(rng.integers(5, max(6, width // 3))), int(rng.integers(5, max(6, height // 3))))
            shade = np.zeros((height, width), np.float32)
            if rng.random() < 0.5:
                cv2.ellipse(shade, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
            else:
                cv2.rectangle(shade, centre, (centre[0] + axes[0], centre[1] + axes[1]), 1.0, -1)
            soft = cv2.GaussianBlur(shade, (0, 0), rng.uniform(0.5, 2.0))[..., None]
            rgb = rgb * (1 - soft) + soft * (rng.uniform(0, 255, 3) + 12 * base)
    elif style == 1:  # fluorescence
        rgb = np.zeros((height, width, 3), np.float32)
        stains = [(50, 60, 255), (255, 30, 40), (40, 230, 60), (240, 40, 220)]
        for stain in rng.permutation(4)[: int(rng.integers(1, 4))]:
            field = _smooth(rng, height, width, rng.uniform(1.0, 6.0))
            level = np.clip(field - rng.uniform(0.0, 1.8), 0, None) * rng.uniform(0.3, 1.0) + rng.uniform(0, 0.25)
            rgb += level[..., None] * np.array(stains[int(stain)], np.float32)
    else:  # stained tissue
        tone = np.array([230, 190, 215]) + rng.uniform(-25, 10, 3)
        nuclei = np.clip(_smooth(rng, height, width, rng.uniform(1.5, 4)) - 1.2, 0, 1)[..., None]
        rgb = tone + 14 * base - nuclei * rng.uniform(60, 160, 3)
    rgb = rgb + rng.normal(0, rng.uniform(1, 7), (height, width, 1))
    return np.asarray(np.clip(rgb, 0, 255), np.uint8)


def _tissue(rng: Generator, height: int, width: int) -> Rgb:
    """A stained section in the light microscope: nuclei in blue, violet or brown on a pale ground, and gaps."""
    grounds = ((232, 200, 215), (215, 220, 232), (225, 210, 190), (205, 165, 195), (175, 205, 225))
    stains = ((85, 80, 140), (110, 60, 130), (110, 65, 35), (60, 90, 150), (150, 60, 90))
    ground = np.array(grounds[int(rng.integers(len(grounds)))], np.float32) + rng.uniform(-12, 12, 3)
    chosen = [np.array(stains[int(i)], np.float32) for i in rng.permutation(len(stains))[: int(rng.integers(1, 4))]]
    spacing = float(np.exp(rng.uniform(np.log(5), np.log(60))))
    fibres = cv2.resize(_smooth(rng, height, max(8, width // 4), spacing / 4), (width, height))
    rgb = ground + 10 * fibres[..., None] * rng.uniform(0.5, 1.5, 3)
    for _ in range(min(3000, int(height * width / spacing**2))):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        radius = spacing * rng.uniform(0.15, 0.4)
        axes = (max(1, round(radius)), max(1, round(radius * rng.uniform(0.5, 1.0))))
        stain = chosen[int(rng.integers(len(chosen)))] + rng.uniform(-25, 60)
        if rng.random() < 0.3:
            around = (round(1.9 * axes[0]) + 1, round(1.9 * axes[1]) + 1)
            cv2.ellipse(rgb, centre, around, 0, 0, 360, (0.6 * ground + 0.4 * stain).tolist(), -1)
        cv2.ellipse(rgb, centre, axes, float(rng.uniform(0, 180)), 0, 360, stain.tolist(), -1)
    field = _smooth(rng, height, width, spacing * rng.uniform(1, 3))
    gaps = field > np.quantile(field, rng.uniform(0.75, 1.0))
    section = np.where(gaps[..., None], 244, rgb).astype(np.float32)
    section = np.asarray(cv2.GaussianBlur(section, (0, 0), max(0.5, spacing / 20)), np.float32)
    section *= 1 + rng.uniform(0.02, 0.12) * _smooth(rng, height, width, rng.uniform(0.7, 2.5))[..., None]
    return np.asarray(np.clip(section, 0, 255), np.uint8)


_WORDS = (
    *("Precursor", "Reaction", "Mixing", "Stirring", "Electrolyte", "Anode", "Cathode", "Substrate", "Growth"),
    *("Annealing", "800 °C", "Li+", "e−", "Nanoparticles", "Core", "Shell", "Solution", "Heating", "Light"),
    *("Polymer", "Graphene", "H2O", "O2", "CO2", "Step", "Sample", "Water", "Catalyst"),
)


def _schematic(rng: Generator, height: int, width: int) -> Rgb:
    """Balls, boxes, beakers, arrows and words on white."""
    big = Image.new("RGB", (width, height), (255, 255, 255))
    pen = ImageDraw.Draw(big)
    unit = min(height, width)
    for _ in range(int(rng.integers(5, 16))):
        x, y = int(rng.uniform(0.02, 0.8) * width), int(rng.uniform(0.02, 0.8) * height)
        w, h = int(rng.uniform(0.06, 0.3) * unit), int(rng.uniform(0.06, 0.3) * unit)
        colour = tuple(int(c) for c in rng.integers(0, 240, 3))
        edge = (0, 0, 0) if rng.random() < 0.6 else colour
        shape = int(rng.integers(5))
        if shape == 0:
            _ball(pen, x, y, max(3, w // 2), colour)
        elif shape == 1:
            pen.rectangle([x, y, x + w, y + h], fill=colour if rng.random() < 0.6 else None, outline=edge, width=2)
        elif shape == 2:
            pen.ellipse([x, y, x + w, y + h], fill=colour if rng.random() < 0.6 else None, outline=edge, width=2)
        elif shape == 3:
            for _ in range(int(rng.integers(4, 20))):
                _ball(pen, x + int(rng.integers(0, w + 1)), y + int(rng.integers(0, h + 1)), max(2, w // 9), colour)
        else:
            pen.polygon([(x, y + h), (x + w // 2, y), (x + w, y + h)], fill=colour, outline=edge)
    for _ in range(int(rng.integers(1, 6))):
        at_x, at_y = rng.uniform(0.1, 0.7) * width, rng.uniform(0.1, 0.8) * height
        _arrow(rng, pen, at_x, at_y, unit)
    for _ in range(int(rng.integers(2, 8))):
        words = " ".join(rng.choice(_WORDS, int(rng.integers(1, 3))))
        at = (float(rng.uniform(0, 0.7) * width), float(rng.uniform(0, 0.92) * height))
        pen.text(at, words, fill=(0, 0, 0), font=font(str(rng.choice(["sans", "serif"])), max(9, unit // 18)))
    return np.asarray(big, np.uint8).copy()


def _ball(pen: ImageDraw.ImageDraw, x: int, y: int, radius: int, colour: tuple[int, ...]) -> None:
    steps = max(1, min(8, radius))
    for step in range(steps):
        share = step / steps
        tone = tuple(int(c + (255 - c) * share * 0.8) for c in colour)
        r = radius * (1 - 0.8 * share)
        shift = radius * 0.25 * share
        pen.ellipse([x - r - shift, y - r - shift, x + r - shift, y + r - shift], fill=tone)


def _arrow(rng: Generator, pen: ImageDraw.ImageDraw, x: float, y: float, unit: int) -> None:
    length, thick = rng.uniform(0.1, 0.3) * unit, max(2, unit // 60)
    colour = tuple(int(c) for c in rng.integers(0, 200, 3))
    if rng.random() < 0.7:
        pen.line([x, y, x + length, y], fill=colour, width=thick)
        tip = 3 * thick
        pen.polygon([(x + length, y - tip), (x + length + 2 * tip, y), (x + length, y + tip)], fill=colour)
    else:
        pen.line([x, y, x, y + length], fill=colour, width=thick)


# ---------------------------------------------------------------- more that is no electron micrograph


def _blots(rng: Generator, height: int, width: int) -> Rgb:
    """Strips of a gel, one below the other, with their names on the left, on white."""
    page = np.full((height, width, 3), 255, np.uint8)
    count = int(rng.integers(1, 5))
    step = height / count
    left = round(width * rng.uniform(0.15, 0.28))
    for i in range(count):
        tall = max(8, round(step * rng.uniform(0.55, 0.85)))
        top = min(height - tall, round(i * step + 0.5 * (step - tall)))
        strip = 205 + 12 * _smooth(rng, tall, width - left, 6) + rng.normal(0, 3, (tall, width - left))
        lanes = int(rng.integers(3, 8))
        y, x = np.mgrid[0:tall, 0 : width - left].astype(np.float32)
        for lane in range(lanes):
            centre = (lane + 0.5) * (width - left) / lanes
            band = ((x - centre) / (0.36 * (width - left) / lanes)) ** 4 + ((y - tall / 2) / (0.2 * tall)) ** 2
            strip -= rng.uniform(20, 190) * np.exp(-band)
        page[top : top + tall, left:] = np.clip(strip, 0, 255).astype(np.uint8)[..., None]
        size = max(9, round(min(0.05 * width, 0.5 * tall)))
        _write(page, str(rng.choice(["Actin", "GAPDH", "Col-I", "p53", "AKT", "Tubulin"])), 2, top + tall // 3, size)
    return page


def _write(page: Rgb, words: str, x: int, y: int, size: int, ink: tuple[int, ...] = (0, 0, 0)) -> None:
    image = Image.fromarray(page)
    ImageDraw.Draw(image).text((x, y), words, fill=ink, font=font("sans", size))
    page[:] = np.asarray(image)


def _force_map(rng: Generator, height: int, width: int) -> Rgb:
    """A topography by atomic force microscopy: brown to yellow, scan lines along the rows."""
    field = _smooth(rng, height, width, rng.uniform(2, 12)) + rng.uniform(0.1, 0.5) * rng.standard_normal((height, 1))
    level = np.clip(0.5 + 0.22 * field, 0, 1).astype(np.float32)[..., None]
    dark, light = np.array([70, 25, 0]), np.array([255, 240, 190])
    if rng.random() < 0.25:
        dark, light = np.array([10, 10, 60]), np.array([230, 245, 255])
    return np.asarray(np.clip(dark + (light - dark) * level, 0, 255), np.uint8)


def _optical(rng: Generator, height: int, width: int) -> Rgb:
    """A light micrograph: smooth, tinted, of low contrast, with soft round objects."""
    tint = np.array([1.0, rng.uniform(0.85, 1.0), rng.uniform(0.55, 0.9)])
    ground = rng.uniform(110, 215) + 8 * _smooth(rng, height, width, max(height, width) / 3)
    shade = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(8, 60))):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        radius = max(2, int(rng.uniform(0.01, 0.08) * min(height, width)))
        cv2.circle(shade, centre, radius, float(rng.uniform(-60, 30)), -1)
        cv2.circle(shade, centre, radius, float(rng.uniform(-110, -30)), max(1, radius // 6))
    field = ground + cv2.GaussianBlur(shade, (0, 0), rng.uniform(0.8, 2.0)) + rng.normal(0, 1.5, (height, width))
    return np.asarray(np.clip(field[..., None] * tint, 0, 255), np.uint8)


def _rendering(rng: Generator, height: int, width: int) -> Rgb:
    """A rendered model or a simulation's field: shaded balls on a gradient, or bands of a rainbow."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.5:
        angle = rng.uniform(0, np.pi)
        phase = (x * np.cos(angle) + y * np.sin(angle)) / max(height, width) + 0.15 * _smooth(rng, height, width, 40)
        level = np.clip(255 * (phase - phase.min()) / float(np.ptp(phase)), 0, 255).astype(np.uint8)
        colours = cv2.applyColorMap(level, int(rng.choice([cv2.COLORMAP_JET, cv2.COLORMAP_HOT, cv2.COLORMAP_VIRIDIS])))
        return np.ascontiguousarray(colours[..., ::-1], np.uint8)
    top, foot = rng.uniform(120, 255, 3), rng.uniform(20, 255, 3)
    rgb = (top + (foot - top) * (y / height)[..., None]).astype(np.float32)
    for _ in range(int(rng.integers(10, 60))):
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        radius = rng.uniform(0.02, 0.09) * min(height, width)
        ball = np.hypot(x - cx, y - cy) < radius
        light = np.clip(1.2 - np.hypot(x - cx + radius / 3, y - cy + radius / 3) / (1.4 * radius), 0.15, 1)
        rgb = np.where(ball[..., None], light[..., None] * rng.uniform(60, 255, 3), rgb)
    return np.asarray(np.clip(rgb, 0, 255), np.uint8)


def _molecules(rng: Generator, height: int, width: int) -> Rgb:
    """Structural formulas and reaction arrows: thin black lines and the letters of atoms on white."""
    image = Image.new("RGB", (width, height), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    unit = min(height, width)
    bond = max(8, int(unit * rng.uniform(0.05, 0.12)))
    thick = max(1, bond // 14)
    face = font("sans", max(9, int(bond * 0.7)))
    for _ in range(int(rng.integers(2, 6))):
        cx, cy = rng.uniform(0.12, 0.85) * width, rng.uniform(0.15, 0.85) * height
        for ring in range(int(rng.integers(1, 4))):
            x = cx + ring * 1.73 * bond
            corners = [(float(x + bond * np.sin(a)), float(cy + bond * np.cos(a))) for a in np.arange(6) * np.pi / 3]
            pen.polygon(corners, outline=(0, 0, 0), width=thick)
            corner = corners[int(rng.integers(6))]
            end = (corner[0] + rng.uniform(-1, 1) * bond, corner[1] + rng.uniform(-1, 1) * bond)
            pen.line([corner, end], fill=(0, 0, 0), width=thick)
            pen.text(end, str(rng.choice(["OH", "N", "O", "NH2", "R", "S", "Br"])), fill=(0, 0, 0), font=face)
    for _ in range(int(rng.integers(1, 3))):
        _arrow(rng, pen, rng.uniform(0.1, 0.6) * width, rng.uniform(0.1, 0.9) * height, unit)
    return np.asarray(image, np.uint8).copy()


def _flow_chart(rng: Generator, height: int, width: int) -> Rgb:
    """Boxes with words, joined by lines; sometimes on a pale ground that fills the panel."""
    pale = tuple(int(c) for c in rng.integers(225, 250, 3)) if rng.random() < 0.3 else (255, 255, 255)
    image = Image.new("RGB", (width, height), pale)
    pen = ImageDraw.Draw(image)
    rows, columns = int(rng.integers(2, 4)), int(rng.integers(2, 4))
    face = font("sans", max(9, min(height // rows, width // columns) // 9))
    w, h = width / columns, height / rows
    for r in range(rows):
        for c in range(columns):
            box = ((c + 0.15) * w, (r + 0.25) * h, (c + 0.8) * w, (r + 0.75) * h)
            fill = tuple(int(v) for v in rng.integers(150, 256, 3)) if rng.random() < 0.6 else None
            pen.rounded_rectangle(
                box, radius=min(w, h) * 0.08, fill=fill, outline=(0, 0, 0), width=max(1, width // 300)
            )
            pen.text((box[0] + 4, (r + 0.45) * h), str(rng.choice(_WORDS)), fill=(0, 0, 0), font=face)
            if c + 1 < columns:
                pen.line([(c + 0.8) * w, (r + 0.5) * h, (c + 1.15) * w, (r + 0.5) * h], fill=(0, 0, 0), width=2)
    return np.asarray(image, np.uint8).copy()


def _table(rng: Generator, height: int, width: int) -> Rgb:
    """Rows of words and numbers between lines."""
    image = Image.new("RGB", (width, height), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    rows, columns = int(rng.integers(3, 12)), int(rng.integers(2, 7))
    step = height / rows
    face = font(str(rng.choice(["sans", "serif"])), int(np.clip(min(step * 0.5, width / columns / 6), 8, 24)))
    for r in range(rows):
        for c in range(columns):
            words = str(rng.choice(_WORDS)) if c == 0 or r == 0 else f"{rng.uniform(0, 100):.2f}"
            pen.text((4 + c * width / columns, (r + 0.25) * step), words, fill=(0, 0, 0), font=face)
        if r < 2 or r == rows - 1 or rng.random() < 0.2:
            pen.line([0, r * step, width, r * step], fill=(0, 0, 0), width=1)
    return np.asarray(image, np.uint8).copy()


def _pale_schematic(rng: Generator, height: int, width: int) -> Rgb:
    """A schematic whose whole ground is coloured."""
    picture = _schematic(rng, height, width)
    picture[(picture > 250).all(axis=2)] = rng.integers(200, 250, 3)
    return picture


# ---------------------------------------------------------------- plots

_LABELS = (
    "Time (s)",
    "Potential (V)",
    "Intensity (a.u.)",
    "2θ (degree)",
    "Current density (mA cm$^{-2}$)",
    "Wavelength (nm)",
    "Temperature (°C)",
    "Raman shift (cm$^{-1}$)",
    "Cycle number",
    "Capacity (mAh g$^{-1}$)",
    "Diameter (nm)",
    "Frequency",
    "Counts",
    "log D",
    "Absorbance",
    "Z' (Ω)",
)


def _plot(rng: Generator, height: int, width: int) -> Rgb:
    """A plot by Matplotlib: lines, points, bars, histogram, heat map …, with or without a frame."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    dpi = 100
    style: dict[Any, Any] = {
        "font.family": str(rng.choice(["DejaVu Sans", "STIXGeneral", "DejaVu Serif"])),
        "font.size": float(np.clip(min(height, width) / rng.uniform(18, 34) * 72 / dpi, 4.5, 22)),
        "axes.linewidth": float(rng.uniform(0.5, 2.0)),
        "xtick.direction": str(rng.choice(["in", "out"])),
        "ytick.direction": str(rng.choice(["in", "out"])),
        "mathtext.fontset": "dejavusans",
    }
    with rc_context(style):
        canvas = Canvas(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="white")
        agg = FigureCanvasAgg(canvas)
        axes = canvas.add_subplot()
        _PLOTS[int(rng.integers(len(_PLOTS)))](rng, axes)
        last = axes if axes in canvas.axes else canvas.axes[-1]
        last.set_xlabel(str(rng.choice(_LABELS)), weight=str(rng.choice(["normal", "bold"])))
        canvas.axes[0].set_ylabel(str(rng.choice(_LABELS)), weight=str(rng.choice(["normal", "bold"])))
        if last is axes and rng.random() < 0.35:
            axes.spines[["top", "right"]].set_visible(False)
        if rng.random() < 0.15:
            axes.set_yticks([])
        if rng.random() < 0.12:
            axes.grid(True, alpha=0.5)
        if rng.random() < 0.12:
            axes.set_title(str(rng.choice(_LABELS)))
        if last is axes and rng.random() < 0.1:
            axes.twinx().set_ylabel(str(rng.choice(_LABELS)))
        with contextlib.suppress(ValueError, RuntimeError):  # writing larger than the cell stays as it is
            canvas.tight_layout(pad=0.3)
        agg.draw()  # type: ignore[no-untyped-call]
        pixels: Any = agg.buffer_rgba()  # type: ignore[no-untyped-call]
        return np.asarray(pixels, np.uint8)[..., :3].copy()


def _colour(rng: Generator) -> Any:
    return str(rng.choice(["k", "k", "r", "b", "g", "tab:blue", "tab:orange", "tab:green", "m", "0.5"]))


def _curves(rng: Generator, axes: Any) -> None:
    x = np.linspace(0, 10, 300)
    for i in range(int(rng.integers(1, 6))):
        y = np.cumsum(rng.normal(0, 1, x.size)) * rng.uniform(0, 0.1) + rng.uniform(-3, 3) * np.tanh(x - 5)
        axes.plot(x, y + i, color=_colour(rng), lw=rng.uniform(0.6, 2.5), ls=str(rng.choice(["-", "-", "--", ":"])))
    if rng.random() < 0.5:
        axes.legend([f"S{i + 1}" for i in range(len(axes.lines))], frameon=bool(rng.random() < 0.4))


def _spectra(rng: Generator, axes: Any) -> None:
    x = np.linspace(10, 80, 700)
    for i in range(int(rng.integers(1, 5))):
        y = rng.normal(0, 0.01, x.size)
        for _ in range(int(rng.integers(3, 12))):
            y = y + rng.uniform(0.1, 1) * np.exp(-((x - rng.uniform(12, 78)) ** 2) / (2 * rng.uniform(0.2, 1.5) ** 2))
        axes.plot(x, y + 1.1 * i, color=_colour(rng), lw=rng.uniform(0.5, 1.5))
    if rng.random() < 0.5:
        axes.set_yticks([])


def _points(rng: Generator, axes: Any) -> None:
    for _ in range(int(rng.integers(1, 4))):
        n = int(rng.integers(5, 60))
        x = np.sort(rng.uniform(0, 10, n))
        y = rng.uniform(-2, 2) * x + rng.normal(0, 2, n)
        marker = str(rng.choice(list("os^vDx+")))
        if rng.random() < 0.4:
            axes.errorbar(x, y, yerr=rng.uniform(0.2, 2), fmt=marker + "-", color=_colour(rng), capsize=2, ms=4)
        else:
            size = rng.uniform(2, 9)
            axes.plot(x, y, marker, color=_colour(rng), ms=size, mfc=str(rng.choice(["none", "w", "k", "r"])))


def _bars(rng: Generator, axes: Any) -> None:
    n = int(rng.integers(2, 9))
    axes.bar(range(n), rng.uniform(1, 10, n), color=_colour(rng), edgecolor="k", width=rng.uniform(0.4, 0.9))
    axes.set_xticks(range(n), [f"S{i}" for i in range(n)], rotation=float(rng.choice([0, 0, 45])))


def _histogram(rng: Generator, axes: Any) -> None:
    axes.hist(rng.normal(30, 8, 200), bins=int(rng.integers(8, 20)), color=_colour(rng), edgecolor="k")


def _heat_map(rng: Generator, axes: Any) -> None:
    field = _smooth(rng, 60, 60, rng.uniform(3, 12))
    shown = axes.imshow(field, cmap=str(rng.choice(["viridis", "jet", "hot", "coolwarm"])), aspect="auto")
    if rng.random() < 0.7:
        axes.figure.colorbar(shown)


def _boxes(rng: Generator, axes: Any) -> None:
    axes.boxplot([rng.normal(rng.uniform(0, 5), 1, 30) for _ in range(int(rng.integers(2, 7)))])


def _decay(rng: Generator, axes: Any) -> None:
    x = np.logspace(-2, 3, 100)
    axes.loglog(x, rng.uniform(1, 100) / (1 + x ** rng.uniform(0.5, 2)), marker="o", color=_colour(rng), ms=3)


def _stacked(rng: Generator, axes: Any) -> None:
    """Plots that share an axis, one on top of the other or side by side: a single panel."""
    canvas = axes.figure
    canvas.clf()
    across = rng.random() < 0.3
    count = int(rng.integers(2, 5))
    shape = (1, count) if across else (count, 1)
    parts = canvas.subplots(*shape, sharex=not across, sharey=across, gridspec_kw={"hspace": 0, "wspace": 0})
    for part in parts:
        x = np.linspace(0, 10, 200)
        part.plot(x, np.sin(x * rng.uniform(0.5, 3)) + rng.normal(0, 0.1, x.size), color=_colour(rng))


def _loops(rng: Generator, axes: Any) -> None:
    """Cyclic voltammograms."""
    t = np.linspace(0, 2 * np.pi, 300)
    for i in range(int(rng.integers(1, 6))):
        peak = 0.5 * np.exp(-((np.cos(t) - 0.3) ** 2) / 0.02) * np.sign(np.sin(t))
        axes.plot(np.cos(t), (1 + 0.4 * i) * (np.sin(t) + peak), color=_colour(rng))


def _filled(rng: Generator, axes: Any) -> None:
    """Fitted peaks with filled areas, as of photoelectrons."""
    x = np.linspace(280, 295, 300)
    total = np.zeros_like(x)
    for _ in range(int(rng.integers(2, 5))):
        y = rng.uniform(0.3, 1) * np.exp(-((x - rng.uniform(283, 291)) ** 2) / (2 * rng.uniform(0.4, 1.0) ** 2))
        axes.fill_between(x, y, alpha=rng.uniform(0.3, 1.0), color=_colour(rng))
        total += y
    axes.plot(x, total + rng.normal(0, 0.02, x.size), "k", lw=1)


def _contours(rng: Generator, axes: Any) -> None:
    field = _smooth(rng, 50, 50, rng.uniform(4, 10))
    (axes.contourf if rng.random() < 0.7 else axes.contour)(field, levels=int(rng.integers(5, 15)))


def _grouped_bars(rng: Generator, axes: Any) -> None:
    n, groups = int(rng.integers(3, 6)), int(rng.integers(2, 5))
    for g in range(groups):
        y = rng.uniform(1, 10, n)
        axes.bar(np.arange(n) + 0.8 * g / groups, y, 0.8 / groups, yerr=0.1 * y, capsize=2, label=f"G{g}")
    axes.legend(frameon=bool(rng.random() < 0.5))


def _pie(rng: Generator, axes: Any) -> None:
    n = int(rng.integers(3, 7))
    axes.pie(rng.uniform(1, 5, n), labels=[str(w) for w in rng.choice(_WORDS, n)])


def _surface(rng: Generator, axes: Any) -> None:
    canvas = axes.figure
    canvas.clf()
    solid = canvas.add_subplot(projection="3d")
    x, y = np.meshgrid(np.linspace(-2, 2, 25), np.linspace(-2, 2, 25))
    solid.plot_surface(x, y, np.exp(-(x**2) - y**2 * rng.uniform(0.3, 2)), cmap="viridis")


def _with_picture(rng: Generator, axes: Any) -> None:
    """Curves with a micrograph set into the plot."""
    _curves(rng, axes)
    corner = axes.inset_axes((float(rng.choice([0.05, 0.55])), float(rng.choice([0.1, 0.55])), 0.4, 0.4))
    corner.imshow(_micrograph(rng, 120, 150), aspect="auto")
    corner.set_axis_off()


def _table_of_numbers(rng: Generator, axes: Any) -> None:
    """A matrix of coloured cells with a number in each."""
    n = int(rng.integers(3, 8))
    values = rng.uniform(0, 1, (n, n))
    axes.imshow(values, cmap=str(rng.choice(["Blues", "coolwarm", "RdYlGn"])), aspect="auto")
    for i in range(n):
        for j in range(n):
            axes.text(j, i, f"{values[i, j]:.1f}", ha="center", va="center")


_PLOTS: tuple[Callable[[Generator, Any], None], ...] = (
    *(_curves, _curves, _spectra, _spectra, _points, _points, _bars, _histogram, _heat_map, _boxes, _decay),
    *(_stacked, _loops, _filled, _contours, _grouped_bars, _pie, _surface, _with_picture, _table_of_numbers),
)

#: What a panel can hold: name → (kind, drawer of an RGB picture of the given height and width).
CONTENTS: dict[str, tuple[PanelKind, Callable[[Generator, int, int], Rgb]]] = {
    "micrograph": ("em", _micrograph),
    "lattice": ("em", _lattice),
    "atoms": ("em", _atoms),
    "lone_particles": ("em", _lone_particles),
    "false_colour": ("em", _false_colour),
    "diffraction": ("diffraction", _diffraction),
    "eds": ("eds", _eds),
    "photo": ("photo", _photo),
    "optical": ("photo", _optical),
    "tissue": ("photo", _tissue),
    "force_map": ("photo", _force_map),
    "blots": ("photo", _blots),
    "rendering": ("schematic", _rendering),
    "schematic": ("schematic", _schematic),
    "pale_schematic": ("schematic", _pale_schematic),
    "molecules": ("schematic", _molecules),
    "flow_chart": ("schematic", _flow_chart),
    "plot": ("plot", _plot),
    "table": ("other", _table),
}


def draw_content(
    rng: Generator, name: str, height: int, width: int, pool: Sequence[npt.NDArray[np.uint8]] = ()
) -> tuple[PanelKind, Rgb]:
    """One panel's picture.

    Parameters
    ----------
    rng : numpy.random.Generator
    name : str
        A key of `CONTENTS`.
    height, width : int
        Size in px.
    pool : sequence of uint8 arrays, optional
        Real micrographs to crop instead of drawing one.
    """
    kind, draw = CONTENTS[name]
    if name == "micrograph" and pool and rng.random() < 0.7:
        return kind, _crop(rng, pool[int(rng.integers(len(pool)))], height, width)
    return kind, draw(rng, height, width)


def _crop(rng: Generator, picture: npt.NDArray[np.uint8], height: int, width: int) -> Rgb:
    # What was printed into the corners of the micrograph is none of this figure's.
    rows, columns = round(0.14 * picture.shape[0]), round(0.1 * picture.shape[1])
    picture = picture[rows : picture.shape[0] - rows, columns : picture.shape[1] - columns]
    scale = max(height / picture.shape[0], width / picture.shape[1]) * rng.uniform(1.0, 1.6)
    size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    top = int(rng.integers(0, picture.shape[0] - height + 1))
    left = int(rng.integers(0, picture.shape[1] - width + 1))
    return to_rgb(picture[top : top + height, left : left + width]).copy()


def annotate(rng: Generator, picture: Rgb) -> Rgb:
    """A micrograph as authors print it: with a scale bar, and now and then an arrow, a word, an outline."""
    height, width = picture.shape[:2]
    if min(height, width) < 90:
        return picture
    grey = bool((picture[..., 0] == picture[..., 1]).all() and (picture[..., 0] == picture[..., 2]).all())
    if grey and rng.random() < 0.7:
        barred, _, _ = draw_scale_bar(rng, np.ascontiguousarray(picture[..., 0]), 1.0, corner="lower right")
        picture = to_rgb(barred).copy()
    if grey and rng.random() < 0.2:
        picture = to_rgb(draw_arrow(rng, np.ascontiguousarray(picture[..., 0]))).copy()
    if rng.random() < 0.15:
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        x, y = int(rng.uniform(0.2, 0.5) * width), int(rng.uniform(0.3, 0.5) * height)
        thick = max(1, width // 200)
        if rng.random() < 0.5:
            cv2.rectangle(picture, (x, y), (x + int(0.3 * width), y + int(0.25 * height)), colour, thick)
        else:
            cv2.ellipse(picture, (x, y), (width // 8, height // 8), 0, 0, 360, colour, thick)
    if rng.random() < 0.15:
        size = max(10, height // 14)
        ink = (0, 0, 0) if picture[: height // 4].mean() > 140 else (255, 255, 255)
        _write(picture, str(rng.choice(_WORDS)), int(0.45 * width), int(0.04 * height), size, ink)
    return picture
