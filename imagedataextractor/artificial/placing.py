"""Where the particles of a synthetic micrograph lie: whose particle each pixel shows, its height and thickness."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from skimage.measure import label as connected_regions

from imagedataextractor.artificial.shapes import Solid, Species, draw_solid, draw_species
from imagedataextractor.artificial.textures import Floats, fractal

__all__ = ["ARRANGEMENTS", "Scene", "place", "visible_regions"]

#: How the particles lie, each with how often it is drawn when none is asked for.
ARRANGEMENTS: dict[str, float] = {
    "scattered": 0.30,
    "touching": 0.16,
    "overlapping": 0.18,
    "clusters": 0.12,
    "packed": 0.08,
    "pile": 0.16,
    "fibres": 0.0,  # tubes, wires and fibres, bent and crossing
    "supported": 0.0,  # small particles on the clouds of a support
    "grains": 0.0,  # heaps of small facetted grains
}

#: Smallest visible area of a particle that keeps its label, in pixels and as a share of its outline.
MIN_VISIBLE_PX = 14
MIN_VISIBLE_SHARE = 0.12


@dataclass
class Scene:
    """The scene: whose particle each pixel shows, its height, the relief on it, its mass-thickness, its
    tone, and the particles' whole areas.

    `support` is the mass-thickness of a support that carries the particles and is none; `rough` asks for
    a ground that is all texture; `pieces` says that a particle keeps every piece that others leave of it,
    as a fibre does that others cross.
    """

    labels: npt.NDArray[np.int32]
    height: Floats
    relief: Floats
    thickness: Floats
    tone: Floats
    areas: list[int]
    support: Floats | None = None
    rough: bool = False
    pieces: bool = False

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> Scene:
        zeros = np.zeros(shape, np.float32)
        return cls(np.zeros(shape, np.int32), zeros, zeros.copy(), zeros.copy(), np.ones(shape, np.float32), [])


@dataclass(frozen=True)
class _Habit:
    """How particles meet: the share of a new one that may overlap, and how they rest."""

    overlap: float
    tries: int
    near: str
    rises: bool


_HABITS: dict[str, _Habit] = {
    "scattered": _Habit(0.0, 8, "anywhere", False),
    "touching": _Habit(0.02, 10, "neighbour", False),
    "overlapping": _Habit(0.35, 6, "anywhere", False),
    "clusters": _Habit(0.25, 6, "cluster", True),
    "packed": _Habit(0.12, 1, "lattice", False),
    "pile": _Habit(1.0, 1, "anywhere", True),
    "supported": _Habit(0.05, 8, "support", False),
    "grains": _Habit(0.9, 1, "cluster", True),
}

#: Most particles drawn; keeps a picture of small ones quick, and is beyond what annotators label. Heaps of
#: grains are what they are because there are many.
_MOST = 420
_MOST_GRAINS = 1400


def place(
    rng: np.random.Generator,
    shape: tuple[int, int],
    kind: str,
    species: Species,
    arrangement: str,
    median: float | None,
    spread: float | None,
    coverage: float | None,
    textures: list[Floats],
) -> Scene:
    if arrangement == "fibres":
        return _place_fibres(rng, shape, kind, median)
    placed = Scene.nothing(shape)
    if arrangement == "supported":
        placed.support = _support(rng, shape)
    radii = _radii(rng, shape, arrangement, median, spread, coverage)
    habit = _HABITS[arrangement]
    if kind != "sem":  # where everything shows through everything, nobody can tell piles apart
        habit = _Habit(min(habit.overlap, 0.45), habit.tries, habit.near, rises=False)
    seats = _seats(rng, shape, arrangement, radii, placed.support)
    kinds = [species]
    if rng.random() < 0.12:
        kinds.append(draw_species(rng))
    tone_spread = float(rng.choice([0.02, 0.06, 0.15]))
    density_spread = float(rng.choice([0.05, 0.2, 0.5]))
    hollow = kind != "sem" and rng.random() < 0.15
    shell = float(rng.uniform(0.1, 0.4))
    core = float(rng.choice([0.0, 0.3, 2.0]))
    banded = bool(rng.random() < 0.2)
    centres: list[tuple[float, float, float]] = []
    for index, radius in enumerate(radii):
        chosen = kinds[int(rng.integers(len(kinds)))]
        solid = draw_solid(rng, chosen, radius, textures)
        for _ in range(habit.tries):
            seat = seats[index] if index < len(seats) else None
            y, x = _seat(rng, shape, habit.near, radius, centres, seat)
            inside = (hollow, shell, core, banded) if kind != "sem" else None
            if _settle(placed, solid, (y, x), radius, habit, rng, tone_spread, density_spread, inside):
                centres.append((y, x, radius))
                break
    return placed


#: Share of the picture that the particles cover, where not 0.08 … 0.7.
_COVERAGES = {
    "pile": (1.0, 2.2),
    "packed": (0.6, 1.0),
    "scattered": (0.02, 0.45),
    "supported": (0.005, 0.1),
    "grains": (1.0, 2.2),
}
#: Median diameters of the kinds whose particles are small, px.
_SMALL_PX = {"supported": (5.0, 30.0), "grains": (13.0, 42.0)}


def _radii(
    rng: np.random.Generator,
    shape: tuple[int, int],
    arrangement: str,
    median: float | None,
    spread: float | None,
    coverage: float | None,
) -> npt.NDArray[np.float64]:
    """Radii that cover the wanted share of the picture: one size, log-normal, or two populations."""
    small_side = min(shape)
    if median is None and arrangement in _SMALL_PX:
        median = float(np.exp(rng.uniform(*np.log(_SMALL_PX[arrangement]))))
    if median is None:
        low, high = (7.0, 0.4 * small_side) if rng.random() < 0.5 else (0.1 * small_side, 0.75 * small_side)
        median = float(np.exp(rng.uniform(np.log(low), np.log(max(high, low * 1.5)))))
    if spread is None:
        spread = float(rng.choice([0.02, 0.08, 0.2, 0.4], p=[0.3, 0.3, 0.25, 0.15]))
    if coverage is None:
        low, high = _COVERAGES.get(arrangement, (0.08, 0.7))
        coverage = float(rng.uniform(low, high))
    area = shape[0] * shape[1]
    most = _MOST_GRAINS if arrangement == "grains" else _MOST
    count = int(np.clip(coverage * area / (np.pi * median**2 / 4) / np.exp(2 * spread**2), 1, most))
    if arrangement == "pile":
        count = max(count, 8)
    radii = np.clip(0.5 * median * np.exp(rng.normal(0, spread, count)), 2.5, 0.6 * max(shape))
    if rng.random() < 0.12 and spread < 0.3:
        minor = rng.random(count) < rng.uniform(0.2, 0.8)
        radii[minor] = np.maximum(radii[minor] * rng.uniform(0.25, 0.6), 2.5)
    clipped: npt.NDArray[np.float64] = rng.permutation(radii)
    return clipped


def _seats(
    rng: np.random.Generator,
    shape: tuple[int, int],
    arrangement: str,
    radii: npt.NDArray[np.float64],
    support: Floats | None,
) -> list[tuple[float, float]]:
    """Places known beforehand: cluster centres' neighbourhoods, a support, or a hexagonal lattice with faults."""
    height, width = shape
    if arrangement in ("supported", "grains"):
        if arrangement == "supported":
            chance = np.zeros(shape, bool) if support is None else support > 0
        else:  # heaps with gaps between, or one that fills the picture
            chance = fractal(rng, shape, min(shape) / rng.uniform(2, 8), 2) > rng.uniform(-3.0, 0.4)
        free = np.flatnonzero(chance)
        if free.size == 0:
            return []
        rows, columns = np.unravel_index(rng.choice(free, len(radii)), shape)
        return [(float(y), float(x)) for y, x in zip(rows, columns, strict=True)]
    if arrangement == "clusters":
        centres = rng.uniform((0, 0), (height, width), (int(rng.integers(1, 5)), 2))
        size = np.sqrt(np.sum(radii**2)) * rng.uniform(0.5, 1.0) / np.sqrt(len(centres))
        which = rng.integers(len(centres), size=len(radii))
        return [tuple(p) for p in centres[which] + rng.normal(0, size * 0.6 + 1, (len(radii), 2))]
    if arrangement == "packed":
        pitch = 2 * float(np.median(radii)) * rng.uniform(0.98, 1.12)
        angle = rng.uniform(0, np.pi)
        reach = int(np.hypot(height, width) / pitch) + 2
        i, j = (grid.ravel().astype(float) for grid in np.mgrid[-reach : reach + 1, -reach : reach + 1])
        u, v = (i + 0.5 * j) * pitch, j * pitch * np.sqrt(0.75)
        y = height / 2 + u * np.sin(angle) + v * np.cos(angle)
        x = width / 2 + u * np.cos(angle) - v * np.sin(angle)
        inside = (y > -pitch / 3) & (y < height + pitch / 3) & (x > -pitch / 3) & (x < width + pitch / 3)
        seats = np.stack([y, x], 1)[inside]
        seats = seats[np.argsort(np.hypot(*(seats - rng.uniform((0, 0), shape)).T))]
        seats += rng.normal(0, pitch * rng.choice([0.01, 0.05]), seats.shape)
        return [tuple(p) for p in seats]
    return []


def _seat(
    rng: np.random.Generator,
    shape: tuple[int, int],
    near: str,
    radius: float,
    centres: list[tuple[float, float, float]],
    seat: tuple[float, float] | None,
) -> tuple[float, float]:
    if seat is not None and near in ("lattice", "cluster", "support"):
        y, x = seat
        # Where the place is taken, the next try looks a little further.
        jitter = 4.0 * radius if near == "support" else 0.0
        return y + jitter * rng.normal(), x + jitter * rng.normal()
    if near == "neighbour" and centres and rng.random() < 0.85:
        y, x, other = centres[int(rng.integers(len(centres)))]
        angle, gap = rng.uniform(0, 2 * np.pi), (radius + other) * rng.uniform(0.97, 1.04)
        return y + gap * np.sin(angle), x + gap * np.cos(angle)
    margin = 0.3 * radius if radius < 0.15 * min(shape) else -0.6 * min(radius, 0.6 * min(shape))
    y, x = (float(rng.uniform(min(-margin, side / 2), max(side + margin, side / 2))) for side in shape)
    return y, x


def _settle(
    placed: Scene,
    solid: Solid,
    centre: tuple[float, float],
    radius: float,
    habit: _Habit,
    rng: np.random.Generator,
    tone_spread: float,
    density_spread: float,
    inside: tuple[bool, float, float, bool] | None,
) -> bool:
    """Put a particle where it was proposed, unless it overlaps others more than its habit allows."""
    height, width = placed.labels.shape
    half = solid.mask.shape[0] // 2
    y0, x0 = round(centre[0]) - half, round(centre[1]) - half
    ya, yb = max(y0, 0), min(y0 + 2 * half + 1, height)
    xa, xb = max(x0, 0), min(x0 + 2 * half + 1, width)
    if ya >= yb or xa >= xb:
        return False
    there = (slice(ya, yb), slice(xa, xb))
    here = (slice(ya - y0, yb - y0), slice(xa - x0, xb - x0))
    mask = solid.mask[here]
    area = int(mask.sum())
    if area < MIN_VISIBLE_PX:
        return False
    labels = placed.labels[there]
    if habit.overlap < 1 and int(np.count_nonzero(labels[mask])) > habit.overlap * area:
        return False
    top = solid.top[here]
    if habit.rises:
        ground = placed.height[there][mask]
        rest = radius * rng.uniform(0.5, 0.9) + float(ground.mean()) * 0.9
    else:
        rest = radius * rng.uniform(1.0, 1.5)
    surface = top + np.float32(rest)
    higher = mask & (surface > placed.height[there]) if inside is None else mask
    placed.areas.append(int(solid.mask.sum()))
    labels[higher] = len(placed.areas)
    placed.height[there][higher] = surface[higher]
    placed.relief[there][higher] = solid.relief[here][higher]
    placed.tone[there][higher] = np.float32(np.exp(rng.normal(0, tone_spread)))
    if inside is None:
        return True
    thickness = (top - solid.bottom[here]) / np.float32(radius)
    hollow, shell, core, banded = inside
    if hollow:
        cavity = np.maximum(thickness - np.float32(2 * shell), 0)
        off = (rng.uniform(-0.5, 0.5, 2) * shell * radius).astype(int)
        cavity = np.minimum(np.roll(cavity, (int(off[0]), int(off[1])), (0, 1)), np.maximum(thickness, 0))
        thickness = thickness - cavity * np.float32(1 - core)
    thickness += solid.relief[here] / np.float32(radius)
    thickness *= np.float32(np.exp(rng.normal(0, density_spread)))
    if banded and rng.random() < 0.6:
        thickness = thickness * _bands(rng, mask.shape, radius)
    placed.thickness[there][mask] += thickness[mask]
    return True


def _bands(rng: np.random.Generator, shape: tuple[int, ...], radius: float) -> Floats:
    """Twins and bend contours: straight dark and light bands across a crystal."""
    angle, wave = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 3.0) * radius
    y, x = np.ogrid[: shape[0], : shape[1]]
    phase = (x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / wave) + rng.uniform(0, 2 * np.pi)
    sharp = rng.uniform(1.0, 6.0)
    return np.asarray(1 + rng.uniform(0.1, 0.5) * np.tanh(sharp * np.sin(phase)), np.float32)


def _support(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Mass-thickness of a support, particles being about 2: aggregated spheres, lumps, or sheets, with texture."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    what = rng.choice(["spheres", "lumps", "sheets"], p=[0.45, 0.35, 0.2])
    if what == "spheres":  # silica, carbon black: balls that cling to one another
        size = float(np.exp(rng.uniform(np.log(0.05), np.log(0.3)))) * min(shape)
        y, x = rng.uniform((0, 0), shape)
        for _ in range(int(np.clip(rng.uniform(0.3, 1.2) * height * width / size**2, 3, 120))):
            radius = size / 2 * float(np.exp(rng.normal(0, 0.15)))
            total += _ball(shape, y, x, radius)
            turn = rng.uniform(0, 2 * np.pi)
            y, x = y + 1.6 * radius * np.sin(turn), x + 1.6 * radius * np.cos(turn)
            if not (0 <= y < height and 0 <= x < width) or rng.random() < 0.1:
                y, x = rng.uniform((0, 0), shape)
    else:
        field = fractal(rng, shape, min(shape) / rng.uniform(3, 10), 4)
        above = np.maximum(field - np.float32(rng.uniform(-1.2, 0.6)), 0)
        total = np.sqrt(above) if what == "lumps" else np.minimum(above, np.float32(0.25))
    total *= np.float32(rng.uniform(0.15, 0.7)) / np.float32(max(float(np.percentile(total, 98)), 1e-3))
    grain = fractal(rng, shape, float(rng.uniform(2, 14)), 3)
    return np.asarray(total * np.clip(1 + np.float32(rng.uniform(0.0, 0.25)) * grain, 0.3, 2), np.float32)


def _ball(shape: tuple[int, int], y: float, x: float, radius: float) -> Floats:
    """Chord through a ball over its diameter; 0 beside it."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    squared = ((rows - y) / radius) ** 2 + ((columns - x) / radius) ** 2
    return np.asarray(np.sqrt(np.maximum(1 - squared, 0)), np.float32)


# ---------------------------------------------------------------- fibres


def _place_fibres(rng: np.random.Generator, shape: tuple[int, int], kind: str, width: float | None) -> Scene:
    """Tubes, wires and fibres: from a few to one another's tangle, straight or bent, whole or cut by the frame."""
    scene = Scene.nothing(shape)
    scene.pieces = True
    typical = width or float(np.exp(rng.uniform(np.log(4.0), np.log(0.09 * min(shape)))))
    spread = float(rng.choice([0.05, 0.15, 0.35]))
    reach = float(np.exp(rng.uniform(np.log(6.0), np.log(60.0)))) * typical
    bend = float(rng.choice([0.0, 0.03, 0.12, 0.3], p=[0.3, 0.3, 0.25, 0.15]))
    aligned = rng.uniform(0, np.pi) if rng.random() < 0.3 else None
    hollow = kind != "sem" and rng.random() < 0.5
    wall = float(rng.uniform(0.15, 0.6))
    count = int(np.clip(rng.uniform(0.08, 0.7) * shape[0] * shape[1] / (min(reach, max(shape)) * typical), 2, 70))
    for level in range(count):
        thick = typical * float(np.exp(rng.normal(0, spread)))
        length = reach * float(np.exp(rng.normal(0, 0.3)))
        angle = rng.uniform(0, 2 * np.pi) if aligned is None else aligned + rng.normal(0, 0.12)
        _lay(scene, rng, _path(rng, shape, length, angle, bend), thick, level, wall if hollow else None, kind)
    return scene


def _path(
    rng: np.random.Generator, shape: tuple[int, int], length: float, angle: float, bend: float
) -> npt.NDArray[np.float32]:
    """Points (N, 2) as x, y along a line whose direction drifts; its middle lies in the picture."""
    count = int(np.clip(length / 6.0, 6, 160))
    drift = np.cumsum(rng.normal(0, bend, count)) if bend else np.zeros(count)
    drift = cv2.GaussianBlur(drift.astype(np.float32)[None], (0, 0), 2.0)[0]
    direction = angle + drift - drift[count // 2]
    steps = np.stack([np.cos(direction), np.sin(direction)], 1) * (length / count)
    points = np.cumsum(steps, axis=0)
    middle = rng.uniform((0, 0), (shape[1], shape[0]))
    return np.asarray(points - points[count // 2] + middle, np.float32)


#: Sub-pixel positions of OpenCV's line drawing: coordinates are given in 1/16 px.
_SHIFT = 4


def _lay(
    scene: Scene,
    rng: np.random.Generator,
    path: npt.NDArray[np.float32],
    thick: float,
    level: int,
    wall: float | None,
    kind: str,
) -> None:
    """Lay one fibre over those that lie there: a round bar, or a tube whose wall is this share of its radius."""
    height, width = scene.labels.shape
    stroke = np.zeros((height, width), np.uint8)
    scaled = np.round(path * 2**_SHIFT).astype(np.int32)
    cv2.polylines(stroke, [scaled], False, 255, max(2, round(thick)), cv2.LINE_8, _SHIFT)
    inside = stroke > 0
    if np.count_nonzero(inside) < MIN_VISIBLE_PX:
        return
    # The distance is taken with the frame padded away, or a fibre cut by it would taper there.
    depth = cv2.distanceTransform(np.pad(stroke, 2, mode="edge"), cv2.DIST_L2, 5)[2:-2, 2:-2]
    radius = float(depth.max())
    across = np.clip(1 - depth / np.float32(radius), 0, 1)
    chord = np.where(inside, np.sqrt(1 - across**2), 0).astype(np.float32)
    scene.areas.append(int(np.count_nonzero(inside)))
    label = len(scene.areas)
    surface = np.float32(radius) * (chord + np.float32(1.0 + 0.8 * min(level, 6)))
    higher = inside & ((surface > scene.height) if kind == "sem" else True)
    scene.labels[higher] = label
    scene.height[higher] = surface[higher]
    scene.tone[higher] = np.float32(np.exp(rng.normal(0, 0.06)))
    if kind == "sem":
        return
    if wall is not None:
        core = np.clip(1 - (across / np.float32(1 - wall)) ** 2, 0, 1)
        chord = chord - np.where(inside, np.float32(1 - wall) * np.sqrt(core), 0)
    scene.thickness += np.float32(1.5 * np.exp(rng.normal(0, 0.2))) * chord


def visible_regions(placed: Scene) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Keep of each particle the largest region that is seen; drop slivers; number the rest from 1."""
    labels = placed.labels
    if placed.pieces:
        return _visible_pieces(placed)
    regions: npt.NDArray[np.int64] = connected_regions(  # type: ignore[no-untyped-call]
        labels, background=0, connectivity=1
    )
    sizes = np.bincount(regions.ravel())
    owners = np.zeros(len(sizes), np.int64)
    owners[regions.ravel()] = labels.ravel()
    largest = np.zeros(len(placed.areas) + 1, np.int64)
    for region in np.argsort(sizes):
        largest[owners[region]] = region
    whole = np.array([0, *placed.areas])
    seen = np.where(largest > 0, sizes[largest], 0)
    keep = np.flatnonzero((seen >= np.maximum(MIN_VISIBLE_PX, MIN_VISIBLE_SHARE * whole)) & (np.arange(len(whole)) > 0))
    table = np.zeros(len(sizes), np.int32)
    table[largest[keep]] = np.arange(1, len(keep) + 1, dtype=np.int32)
    hidden = np.asarray(seen[keep] < 0.98 * whole[keep])
    _give_away_slivers(regions, labels, table)
    return table[regions], hidden


def _visible_pieces(placed: Scene) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Keep of each particle every piece that is seen; drop slivers of particles; number the rest from 1."""
    whole = np.array([0, *placed.areas])
    seen = np.bincount(placed.labels.ravel(), minlength=len(whole))
    enough = seen >= np.maximum(MIN_VISIBLE_PX, MIN_VISIBLE_SHARE * whole)
    keep = np.flatnonzero(enough & (np.arange(len(whole)) > 0))
    table = np.zeros(len(whole), np.int32)
    table[keep] = np.arange(1, len(keep) + 1, dtype=np.int32)
    return table[placed.labels], np.asarray(seen[keep] < 0.98 * whole[keep])


def _give_away_slivers(
    regions: npt.NDArray[np.int64], labels: npt.NDArray[np.int32], table: npt.NDArray[np.int32]
) -> None:
    """Let what is left of dropped pieces belong to what surrounds most of each, as it seems to the eye.

    Changes `table`, which tells the final label of every region.
    """
    dropped = np.pad((labels > 0) & (table[regions] == 0), 1)
    framed = np.pad(regions, 1)
    flat, pixels = framed.ravel(), np.flatnonzero(dropped)
    owners, around = [], []
    for step in (1, -1, framed.shape[1], -framed.shape[1]):
        outside = ~dropped.ravel()[pixels + step]
        owners.append(flat[pixels[outside]])
        around.append(table[flat[pixels[outside] + step]].astype(np.int64))
    if not pixels.size:
        return
    size = int(table.max()) + 1
    pairs, counts = np.unique(np.concatenate(owners) * size + np.concatenate(around), return_counts=True)
    order = np.argsort(counts, kind="stable")  # the commonest neighbour of a region is written last
    table[pairs[order] // size] = pairs[order] % size
