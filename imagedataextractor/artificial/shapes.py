"""Particles as solids seen from above: the height of their upper and lower surface over a patch.

A shape is drawn in its own frame, in units of its radius, on a grid of pixel centres. Two surfaces
are enough for both kinds of microscope: a scanning one sees the upper surface, a transmission one
the distance between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["FAMILIES", "Solid", "Species", "draw_solid", "draw_species"]

Floats = npt.NDArray[np.float32]

#: Families of shapes, each with how often it is drawn when none is asked for.
FAMILIES: dict[str, float] = {
    "sphere": 0.24,
    "ellipsoid": 0.06,
    "rod": 0.12,
    "rice": 0.04,
    "cube": 0.10,
    "octahedron": 0.05,
    "polyhedron": 0.10,
    "prism": 0.06,
    "plate": 0.06,
    "triangle": 0.04,
    "irregular": 0.08,
    "flower": 0.05,
}


@dataclass(frozen=True)
class Solid:
    """One particle: its ideal surfaces, in pixels above and below its centre, the mask they are defined on,
    and the relief that roughness and pits add to the upper one.
    """

    mask: npt.NDArray[np.bool_]
    top: Floats
    bottom: Floats
    relief: Floats


@dataclass(frozen=True)
class Species:
    """What the particles of one synthesis have in common.

    Attributes
    ----------
    family : str
        One of `FAMILIES`.
    aspect : float
        Length over width (rods, prisms) or height over width (plates).
    aspect_spread : float
        Relative spread of the aspect ratio between particles.
    roughness : float
        Depth of the surface texture, in radii.
    texture : int
        Which of the micrograph's textures is laid over the surface.
    irregularity : float
        Relative departure of the outline from the ideal one.
    lies_flat : bool
        The particles rest on a face rather than pointing anywhere.
    pits : int
        Number of round holes in the surface.
    """

    family: str
    aspect: float
    aspect_spread: float
    roughness: float
    texture: int
    irregularity: float
    lies_flat: bool
    pits: int


def draw_species(rng: np.random.Generator, family: str | None = None) -> Species:
    """Choose what the particles of one micrograph have in common."""
    if family is None:
        names = list(FAMILIES)
        weights = np.array([FAMILIES[name] for name in names])
        family = str(rng.choice(names, p=weights / weights.sum()))
    aspects = {
        "rod": (1.5, 8.0),
        "rice": (1.6, 4.5),
        "prism": (0.6, 5.0),
        "plate": (0.06, 0.4),
        "ellipsoid": (1.1, 2.0),
    }
    low, high = aspects.get(family, (0.8, 1.3))
    rough = rng.random() < 0.45
    return Species(
        family=family,
        aspect=float(np.exp(rng.uniform(np.log(low), np.log(high)))),
        aspect_spread=float(rng.choice([0.03, 0.12, 0.3])),
        roughness=float(rng.uniform(0.1, 0.3)) if family == "flower" else float(rough * rng.uniform(0.005, 0.1)),
        texture=int(rng.integers(0, 4)),
        irregularity=float(rng.uniform(0.08, 0.3))
        if family == "irregular"
        else float(rng.choice([0.0, 0.0, 0.03, 0.07])),
        lies_flat=bool(rng.random() < 0.6) or family == "plate",
        pits=int(rng.integers(1, 9)) if family == "sphere" and rng.random() < 0.08 else 0,
    )


def draw_solid(rng: np.random.Generator, species: Species, radius: float, textures: list[Floats]) -> Solid:
    """One particle of a species.

    Parameters
    ----------
    rng : numpy.random.Generator
    species : Species
    radius : float
        Half the width of the particle across its long direction where it is roundish, in pixels;
        elongated families keep the area of the disc of this radius.
    textures : list of float32 arrays
        Surface textures, values about -1 … 1, at least as large as any patch or tiled.

    Returns
    -------
    Solid
        Arrays of shape (2·n + 1, 2·n + 1), the particle's centre in the middle.
    """
    aspect = species.aspect * float(np.exp(rng.normal(0.0, species.aspect_spread)))
    if species.family in ("rod", "rice", "prism", "ellipsoid"):
        aspect = max(aspect, 1.0) if species.family != "prism" else max(aspect, 0.3)
        reach = radius * max(np.sqrt(aspect), 1.0) * 1.35
    else:
        reach = radius * 1.75
    half = int(np.ceil(reach)) + 1
    axis = np.arange(-half, half + 1, dtype=np.float32) / np.float32(radius)
    dx, dy = rng.uniform(-0.5, 0.5, 2) / radius
    x, y = np.meshgrid(axis + np.float32(dx), axis + np.float32(dy))
    bump = _cut(rng, textures[species.texture], x.shape)
    if species.irregularity:
        stretch = _outline(rng, x, y, species.irregularity)
        x, y = x * stretch, y * stretch
    if species.family == "flower":
        petals = cv2.GaussianBlur(bump, (0, 0), max(0.5, 0.04 * radius))
        swell = 1 - np.float32(0.6 * species.roughness) * petals
        x, y = x * swell, y * swell
    top, bottom = _SURFACES[species.family](rng, x, y, aspect, species)
    mask = top > bottom
    if species.family == "flower":  # its outline as a person would draw it, without every hair
        mask = cv2.medianBlur(mask.astype(np.uint8), min(2 * int(0.06 * radius) + 3, 63)) > 0
        thin = mask & (top <= bottom)
        top, bottom = np.where(thin, np.float32(0.02), top), np.where(thin, np.float32(-0.02), bottom)
    relief = np.float32(species.roughness) * bump
    for _ in range(species.pits):
        px, py = rng.uniform(-0.8, 0.8, 2)
        size = rng.uniform(0.1, 0.3)
        relief = np.minimum(relief, -0.6 * np.clip(1.4 - np.hypot(x - px, y - py) / size, 0, 1))
    scale = np.float32(radius)
    return Solid(mask, *(np.asarray(part * scale, np.float32) for part in (top, bottom, relief)))


def _cut(rng: np.random.Generator, texture: Floats, shape: tuple[int, ...]) -> Floats:
    """A piece of the texture from a random place, mirrored where it runs out."""
    rows, columns = (
        _mirrored(int(rng.integers(side)), length, side) for side, length in zip(texture.shape, shape, strict=True)
    )
    cut: Floats = texture[rows[:, None], columns[None, :]]
    return cut


def _mirrored(start: int, length: int, side: int) -> npt.NDArray[np.int64]:
    steps = np.arange(start, start + length, dtype=np.int64) % (2 * side)
    return np.minimum(steps, 2 * side - 1 - steps)


def _outline(rng: np.random.Generator, x: Floats, y: Floats, amount: float) -> Floats:
    """Factor that turns a circle into a lobed outline: a few Fourier terms of falling size."""
    angle = np.arctan2(y, x)
    factor = np.ones_like(x)
    for order in range(2, 7):
        size = amount * rng.normal() / order**0.9
        factor += np.float32(size) * np.cos(np.float32(order) * angle + np.float32(rng.uniform(0, 2 * np.pi)))
    clipped: Floats = np.clip(factor, 0.65, 1.6)
    return clipped


def _turned(rng: np.random.Generator, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


def _dome(squared: Floats, height: float = 1.0) -> tuple[Floats, Floats]:
    inside = squared < 1
    z = np.float32(height) * np.sqrt(np.maximum(1 - squared, 0))
    z = np.where(inside, np.maximum(z, np.float32(1e-3)), np.float32(-1.0))
    return z, -z


def _sphere(rng: np.random.Generator, x: Floats, y: Floats, aspect: float, species: Species) -> tuple[Floats, Floats]:
    return _dome(x * x + y * y)


def _ellipsoid(
    rng: np.random.Generator, x: Floats, y: Floats, aspect: float, species: Species
) -> tuple[Floats, Floats]:
    u, v = _turned(rng, x, y)
    a = np.float32(np.sqrt(aspect))
    return _dome((u / a) ** 2 + (v * a) ** 2, 1 / float(a))


def _rod(rng: np.random.Generator, x: Floats, y: Floats, aspect: float, species: Species) -> tuple[Floats, Floats]:
    """A cylinder with round or flat ends, straight or slightly bent."""
    u, v = _turned(rng, x, y)
    length = np.float32(np.sqrt(aspect) * 0.92)
    width = np.float32(length / aspect)
    v = v + np.float32(rng.normal(0, 0.02)) * u * u
    blunt = species.texture % 2 == 0
    if blunt:
        squared = np.where(np.abs(u) < length, (v / width) ** 2, np.float32(2.0))
    else:
        squared = (np.maximum(np.abs(u) - (length - width), 0) ** 2 + v * v) / width**2
    return _dome(squared, float(width))


def _rice(rng: np.random.Generator, x: Floats, y: Floats, aspect: float, species: Species) -> tuple[Floats, Floats]:
    """A spindle: its width falls towards the tips."""
    u, v = _turned(rng, x, y)
    length = np.float32(np.sqrt(aspect) * 1.12)
    width = length / np.float32(aspect) * np.maximum(1 - (np.abs(u) / length) ** np.float32(1.7), np.float32(1e-3))
    squared = np.where(np.abs(u) < length, (v / width) ** 2, np.float32(2.0))
    return _dome(squared, float(length / aspect))


_CUBE = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
_OCTAHEDRON = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)], float) / np.sqrt(3)


def _cube(rng: np.random.Generator, x: Floats, y: Floats, aspect: float, species: Species) -> tuple[Floats, Floats]:
    if species.texture == 1 and species.lies_flat:  # edges and corners worn round
        return _rounded_box(rng, x, y, 0.88 * float(np.sqrt(aspect)), 0.88 / float(np.sqrt(aspect)))
    sides = np.array([1, 1, aspect])[rng.permutation(3)] * 0.86
    normals, distances = _CUBE, np.repeat(sides, 2)
    if species.texture >= 2:  # corners cut off
        cut = float(rng.uniform(0.8, 0.95)) * float(np.linalg.norm(sides))
        normals, distances = np.vstack([_CUBE, _OCTAHEDRON]), np.concatenate([distances, np.full(8, cut)])
    return _facets(rng, x, y, normals, distances, species.lies_flat)


def _rounded_box(rng: np.random.Generator, x: Floats, y: Floats, length: float, width: float) -> tuple[Floats, Floats]:
    """A superellipsoid: between a ball (exponent 2) and a box (many)."""
    u, v = _turned(rng, x, y)
    power = np.float32(rng.uniform(3.0, 7.0))
    filled = np.abs(u / np.float32(length)) ** power + np.abs(v / np.float32(width)) ** power
    z = np.float32(width) * np.maximum(1 - filled, 0) ** (1 / power)
    z = np.where(filled < 1, np.maximum(z, np.float32(1e-3)), np.float32(-1.0))
    return z, -z


def _octahedron(
    rng: np.random.Generator, x: Floats, y: Floats, aspect: float, species: Species
) -> tuple[Floats, Floats]:
    normals, distances = _OCTAHEDRON, np.full(8, 0.68)
    if species.texture % 2:
        normals = np.vstack([_OCTAHEDRON, _CUBE])
        distances = np.concatenate([distances, np.full(6, rng.uniform(0.75, 1.0))])
    return _facets(rng, x, y, normals, distances, False)


def _polyhedron(
    rng: np.random.Generator, x: Floats, y: Floats, aspect: float, species: Species
) -> tuple[Floats, Floats]:
    """Random facets, as crystallites grown in no order have."""
    count = int(rng.integers(9, 22))
    normals = rng.normal(size=(count, 3))
    normals = np.vstack([normals / np.linalg.norm(normals, axis=1, keepdims=True), _CUBE])
    distances = np.concatenate([rng.uniform(0.72, 1.0, count), np.full(6, 1.15)])
    return _facets(rng, x, y, normals, distances, False)


def _polygon_prism(
    corners: int, half_height: float, apothem: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    angles = 2 * np.pi * np.arange(corners) / corners
    sides = np.stack([np.cos(angles), np.sin(angles), np.zeros(corners)], axis=1)
    normals = np.vstack([sides, [[0, 0, 1], [0, 0, -1]]])
    return normals, np.concatenate([np.full(corners, apothem), [half_height, half_height]])


def _prism(rng: np.random.Generator, x: Floats, y: Floats, aspect: float, species: Species) -> tuple[Floats, Floats]:
    """Hexagonal (or square, or pentagonal) rods lying down or standing; some with pointed ends."""
    corners = (6, 6, 5, 4)[species.texture]
    width = 0.85 / np.sqrt(max(aspect, 1.0))
    normals, distances = _polygon_prism(corners, width * aspect, width)
    if species.texture == 1:
        tips = normals[:corners] * 0.5 + np.array([0, 0, 0.87])
        normals = np.vstack([normals, tips, tips * np.array([1, 1, -1])])
        distances = np.concatenate([distances, np.full(2 * corners, width * aspect * 0.8)])
    if species.lies_flat and aspect > 1:
        normals = normals[:, [2, 0, 1]]
        spin = 0.0 if rng.random() < 0.7 else rng.uniform(-0.4, 0.4)
        return _facets(rng, x, y, normals, distances, True, tilt=spin)
    return _facets(rng, x, y, normals, distances, False)


def _plate(rng: np.random.Generator, x: Floats, y: Floats, aspect: float, species: Species) -> tuple[Floats, Floats]:
    """Thin hexagons, discs and squares, lying flat or leaning."""
    corners = (6, 24, 6, 4)[species.texture]
    normals, distances = _polygon_prism(corners, 0.95 * aspect, 0.95)
    distances[:corners] *= rng.uniform(0.92, 1.08, corners)
    return _facets(rng, x, y, normals, distances, True, tilt=float(rng.normal(0, 0.35)))


def _triangle(rng: np.random.Generator, x: Floats, y: Floats, aspect: float, species: Species) -> tuple[Floats, Floats]:
    normals, distances = _polygon_prism(3, rng.uniform(0.1, 0.5), 0.72)
    cut, cut_at = _polygon_prism(3, 2.0, rng.uniform(0.9, 1.3))
    cut = cut * np.array([-1, -1, 1])
    return _facets(rng, x, y, np.vstack([normals, cut]), np.concatenate([distances, cut_at]), True)


def _rotation(rng: np.random.Generator, flat: bool, tilt: float) -> npt.NDArray[np.float64]:
    """A random rotation; flat: about the viewing axis, leaning by `tilt` radians."""
    if not flat:
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        turn: npt.NDArray[np.float64] = q * np.sign(np.diag(r))
        return turn
    spin, lean_towards = rng.uniform(0, 2 * np.pi, 2)
    c, s = np.cos(spin), np.sin(spin)
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    c, s = np.cos(lean_towards), np.sin(lean_towards)
    frame = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    c, s = np.cos(tilt), np.sin(tilt)
    lean = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    whole: npt.NDArray[np.float64] = frame @ lean @ frame.T @ about_z
    return whole


def _facets(
    rng: np.random.Generator,
    x: Floats,
    y: Floats,
    normals: npt.NDArray[np.float64],
    distances: npt.NDArray[np.float64],
    flat: bool,
    tilt: float = 0.04,
) -> tuple[Floats, Floats]:
    """Surfaces of the convex solid n·p ≤ d, turned at random.

    A half-space whose normal points up bounds the solid from above, one that points down from below.
    """
    turned = normals @ _rotation(rng, flat, tilt).T
    top = np.full(x.shape, np.float32(8.0))
    bottom = np.full(x.shape, np.float32(-8.0))
    for (nx, ny, nz), d in zip(turned.astype(np.float32), distances.astype(np.float32), strict=True):
        if abs(nz) < 1e-3:
            nz = np.float32(1e-3 if nz >= 0 else -1e-3)  # noqa: PLW2901  a wall is a very steep roof
        height = (d - nx * x - ny * y) / nz
        if nz > 0:
            np.minimum(top, height, out=top)
        else:
            np.maximum(bottom, height, out=bottom)
    return top, bottom


_SURFACES: dict[str, Callable[[np.random.Generator, Floats, Floats, float, Species], tuple[Floats, Floats]]] = {
    "sphere": _sphere,
    "ellipsoid": _ellipsoid,
    "rod": _rod,
    "rice": _rice,
    "cube": _cube,
    "octahedron": _octahedron,
    "polyhedron": _polyhedron,
    "prism": _prism,
    "plate": _plate,
    "triangle": _triangle,
    "irregular": _sphere,
    "flower": _sphere,
}
