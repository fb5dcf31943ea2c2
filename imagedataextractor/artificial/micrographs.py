"""Synthetic electron micrographs whose every particle is known.

A scanning micrograph is drawn as a height map (each particle's upper surface, the highest wins), then
lit: secondary electrons come off a tilted surface in proportion to 1 / cos θ [1]_, which makes edges
bright, crevices are dark because electrons are caught there, and the detector sees one side better
than the other. A transmission micrograph is drawn as a map of mass-thickness t and shows
exp(−µ t) [2]_, so particles that overlap darken each other. What the instrument adds follows: uneven
light, charging, shot noise, blur, scan distortions, printing and compression.

References
----------
.. [1] L. Reimer, Scanning Electron Microscopy, 2nd ed., Springer 1998, section 4.2.
.. [2] L. Reimer and H. Kohl, Transmission Electron Microscopy, 5th ed., Springer 2008, chapter 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from skimage.measure import label as connected_regions

from imagedataextractor.artificial.annotations import draw_arrow, draw_info_bar, draw_letter, draw_scale_bar
from imagedataextractor.artificial.shapes import Solid, Species, draw_solid, draw_species
from imagedataextractor.records import Box, ScaleBar

__all__ = ["ARRANGEMENTS", "KINDS", "Micrograph", "draw_micrograph"]

Floats = npt.NDArray[np.float32]

#: Kinds of micrograph, each with how often it is drawn when none is asked for.
KINDS: dict[str, float] = {"sem": 0.56, "tem": 0.34, "stem": 0.08, "empty": 0.02}

#: How the particles lie, each with how often it is drawn when none is asked for.
ARRANGEMENTS: dict[str, float] = {
    "scattered": 0.30,
    "touching": 0.16,
    "overlapping": 0.18,
    "clusters": 0.12,
    "packed": 0.08,
    "pile": 0.16,
}

#: Smallest visible area of a particle that keeps its label, in pixels and as a share of its outline.
MIN_VISIBLE_PX = 14
MIN_VISIBLE_SHARE = 0.12

_TEXTURE_SIZE = 384


@dataclass(frozen=True)
class Micrograph:
    """A drawn micrograph and its truth.

    Attributes
    ----------
    image : uint8 array, shape (H, W)
    label_map : int32 array, shape (H, W)
        0 background, 1 … N the visible region of one particle each, one connected region.
    nm_per_px : float or None
        The scale: what a perfect reader of the drawn bar finds, or the chosen one where no bar is drawn.
    kind : str
        "sem", "tem", "stem" or "empty".
    family : str
        The particles' family of shapes, as in `shapes.FAMILIES`.
    arrangement : str
        One of `ARRANGEMENTS`.
    scale_bar : ScaleBar or None
        The drawn bar.
    info_bar : Box or None
        Where the instrument's data bar lies.
    letter_box : Box or None
        Where a panel letter is printed.
    annotation : bool array, shape (H, W), or None
        Pixels that printing (bars, text, letter) covers.
    occluded : bool array, shape (N,), or None
        Particle i + 1 is partly hidden by another one or cut by the frame.
    """

    image: npt.NDArray[np.uint8]
    label_map: npt.NDArray[np.int32]
    nm_per_px: float | None
    kind: str = "sem"
    family: str = "sphere"
    arrangement: str = "scattered"
    scale_bar: ScaleBar | None = None
    info_bar: Box | None = None
    letter_box: Box | None = None
    annotation: npt.NDArray[np.bool_] | None = None
    occluded: npt.NDArray[np.bool_] | None = None


def draw_micrograph(
    rng: np.random.Generator,
    *,
    shape: tuple[int, int] = (512, 512),
    kind: str | None = None,
    family: str | None = None,
    arrangement: str | None = None,
    median_diameter_px: float | None = None,
    spread: float | None = None,
    coverage: float | None = None,
    nm_per_px: float | None = None,
    scale_bar: str | None = "any",
    info_bar: str | None = "any",
    letter: str | None = "any",
    degradation: float = 1.0,
) -> Micrograph:
    """Draw a micrograph; what is not given is chosen at random, as varied as the literature is.

    Parameters
    ----------
    rng : numpy.random.Generator
        Same state, same micrograph.
    shape : tuple of int
        Height and width in pixels, each at least 32.
    kind : {"sem", "tem", "stem", "empty"}, optional
    family : str, optional
        Family of shapes, a key of `shapes.FAMILIES`.
    arrangement : str, optional
        How the particles lie, a key of `ARRANGEMENTS`.
    median_diameter_px : float, optional
        Median diameter of the particles.
    spread : float, optional
        Standard deviation of the logarithm of the diameter.
    coverage : float, optional
        Area of all particles over the area of the picture; more than 1 makes piles.
    nm_per_px : float, optional
    scale_bar, info_bar, letter : str or None
        What is printed: "any" lets chance decide, None prints nothing, anything else is the style of
        the scale bar or the data bar, or the letter's text.
    degradation : float
        Strength of blur, noise and compression; 0 is a perfect instrument.

    Returns
    -------
    Micrograph

    Raises
    ------
    ValueError
        The shape is too small, or a name is unknown.

    Examples
    --------
    >>> micrograph = draw_micrograph(np.random.default_rng(1), shape=(256, 256), kind="tem")
    >>> micrograph.image.shape
    (256, 256)
    """
    height, width = shape
    if min(height, width) < 32:
        raise ValueError(f"shape {shape}: a micrograph needs at least 32 pixels each way")
    kind = _choose(rng, KINDS, kind)
    arrangement = _choose(rng, ARRANGEMENTS, arrangement)
    textures = _textures(rng)
    species = draw_species(rng, family)
    if kind == "empty":
        placed = _Placed.nothing(shape)
    else:
        placed = _place(rng, shape, kind, species, arrangement, median_diameter_px, spread, coverage, textures)
    scanning = kind == "sem" or (kind == "empty" and rng.random() < 0.5)
    signal = _light_scanning(rng, placed, textures) if scanning else _light_transmission(rng, placed, textures, kind)
    image = _instrument(rng, signal, placed.labels > 0, scanning, degradation)
    labels, occluded = _visible_regions(placed)
    scale = nm_per_px or _plausible_scale(rng, kind, width)
    return _print_over(
        rng,
        image,
        labels,
        occluded,
        kind,
        species.family,
        arrangement,
        scale,
        (scale_bar, info_bar, letter),
        degradation,
    )


def _choose(rng: np.random.Generator, table: dict[str, float], name: str | None) -> str:
    if name is None:
        weights = np.array(list(table.values()))
        return str(rng.choice(list(table), p=weights / weights.sum()))
    if name not in table:
        raise ValueError(f"{name!r} is none of {', '.join(table)}")
    return name


def _plausible_scale(rng: np.random.Generator, kind: str, width: int) -> float:
    """Field of view: 300 nm to 100 µm for scanning, 40 nm to 5 µm for transmission micrographs."""
    low, high = (300.0, 1e5) if kind == "sem" else (40.0, 5e3)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))) / width)


# ---------------------------------------------------------------- textures


def _blurred(field: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Floats:
    """Gaussian noise of one length scale, unit variance; coarse scales are drawn small and enlarged."""
    factor = max(1, int(sigma / 2))
    small = (max(4, -(-shape[0] // factor)), max(4, -(-shape[1] // factor)))
    field = rng.standard_normal(small, dtype=np.float32)
    if sigma > 0.3:
        field = _blurred(field, sigma / factor)
    if factor > 1:
        field = np.asarray(cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)
    deviation = float(field.std())
    normed: Floats = field / np.float32(deviation or 1.0)
    return normed


def _fractal(rng: np.random.Generator, shape: tuple[int, int], coarse: float, octaves: int = 4) -> Floats:
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += np.float32(0.6**octave) * _noise(rng, shape, max(coarse / 2**octave, 0.5))
    return total / np.float32(total.std())


def _cells(rng: np.random.Generator, shape: tuple[int, int], spacing: float) -> Floats:
    """Distance to the nearest of scattered points over the mean spacing: grains with valleys between."""
    count = max(4, int(shape[0] * shape[1] / spacing**2))
    free = np.full(shape, 255, np.uint8)
    free[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = 0
    cells: Floats = cv2.distanceTransform(free, cv2.DIST_L2, 3) / np.float32(spacing)
    return cells


def _textures(rng: np.random.Generator) -> list[Floats]:
    """Four surface textures, values about −1 … 1: fine, rolling, grainy, and walls as petals have."""
    shape = (_TEXTURE_SIZE, _TEXTURE_SIZE)
    spacing = float(np.exp(rng.uniform(np.log(5), np.log(24))))
    cells = _cells(rng, shape, spacing)
    walls = np.clip(2.2 * cells - 1.0, -1, 1)
    return [
        0.5 * _noise(rng, shape, rng.uniform(0.8, 2.5)),
        0.5 * _fractal(rng, shape, rng.uniform(6, 30)),
        np.clip(1 - 2 * cells, -1, 1),
        (walls + 0.25 * _noise(rng, shape, 1.0)).astype(np.float32),
    ]


# ---------------------------------------------------------------- placing


@dataclass
class _Placed:
    """The scene: whose particle each pixel shows, its height, the relief on it, its mass-thickness, its
    tone, and the particles' whole areas.
    """

    labels: npt.NDArray[np.int32]
    height: Floats
    relief: Floats
    thickness: Floats
    tone: Floats
    areas: list[int]

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> _Placed:
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
}

#: Most particles drawn; keeps a picture of small ones quick, and is beyond what annotators label.
_MOST = 420


def _place(
    rng: np.random.Generator,
    shape: tuple[int, int],
    kind: str,
    species: Species,
    arrangement: str,
    median: float | None,
    spread: float | None,
    coverage: float | None,
    textures: list[Floats],
) -> _Placed:
    placed = _Placed.nothing(shape)
    radii = _radii(rng, shape, arrangement, median, spread, coverage)
    habit = _HABITS[arrangement]
    if kind != "sem":  # where everything shows through everything, nobody can tell piles apart
        habit = _Habit(min(habit.overlap, 0.45), habit.tries, habit.near, rises=False)
    seats = _seats(rng, shape, arrangement, radii)
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
    if median is None:
        low, high = (7.0, 0.4 * small_side) if rng.random() < 0.5 else (0.1 * small_side, 0.75 * small_side)
        median = float(np.exp(rng.uniform(np.log(low), np.log(max(high, low * 1.5)))))
    if spread is None:
        spread = float(rng.choice([0.02, 0.08, 0.2, 0.4], p=[0.3, 0.3, 0.25, 0.15]))
    if coverage is None:
        low, high = {"pile": (1.0, 2.2), "packed": (0.6, 1.0), "scattered": (0.02, 0.45)}.get(arrangement, (0.08, 0.7))
        coverage = float(rng.uniform(low, high))
    area = shape[0] * shape[1]
    count = int(np.clip(coverage * area / (np.pi * median**2 / 4) / np.exp(2 * spread**2), 1, _MOST))
    if arrangement == "pile":
        count = max(count, 8)
    radii = np.clip(0.5 * median * np.exp(rng.normal(0, spread, count)), 2.5, 0.6 * max(shape))
    if rng.random() < 0.12 and spread < 0.3:
        minor = rng.random(count) < rng.uniform(0.2, 0.8)
        radii[minor] = np.maximum(radii[minor] * rng.uniform(0.25, 0.6), 2.5)
    clipped: npt.NDArray[np.float64] = rng.permutation(radii)
    return clipped


def _seats(
    rng: np.random.Generator, shape: tuple[int, int], arrangement: str, radii: npt.NDArray[np.float64]
) -> list[tuple[float, float]]:
    """Places known beforehand: cluster centres' neighbourhoods, or a hexagonal lattice with faults."""
    height, width = shape
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
    if seat is not None and near in ("lattice", "cluster"):
        return seat
    if near == "neighbour" and centres and rng.random() < 0.85:
        y, x, other = centres[int(rng.integers(len(centres)))]
        angle, gap = rng.uniform(0, 2 * np.pi), (radius + other) * rng.uniform(0.97, 1.04)
        return y + gap * np.sin(angle), x + gap * np.cos(angle)
    margin = 0.3 * radius if radius < 0.15 * min(shape) else -0.6 * min(radius, 0.6 * min(shape))
    y, x = (float(rng.uniform(min(-margin, side / 2), max(side + margin, side / 2))) for side in shape)
    return y, x


def _settle(
    placed: _Placed,
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


def _visible_regions(placed: _Placed) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Keep of each particle the largest region that is seen; drop slivers; number the rest from 1."""
    labels = placed.labels
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


# ---------------------------------------------------------------- light


def _light_scanning(rng: np.random.Generator, placed: _Placed, textures: list[Floats]) -> Floats:
    """Secondary-electron signal of the height map, arbitrary units, about 0 … 1."""
    shape = placed.labels.shape
    covered = placed.labels > 0
    ground, floor = _substrate(rng, shape)
    surface = np.where(covered, placed.height + placed.relief, ground).astype(np.float32)
    surface += _dust(rng, shape, placed)
    size = float(np.sqrt(np.median(placed.areas))) if placed.areas else 0.0
    soft = rng.uniform(0.5, 0.9) if rng.random() < 0.5 else 0.6 + size * rng.uniform(0.005, 0.03)
    smooth = _blurred(surface, float(soft))
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


def _dust(rng: np.random.Generator, shape: tuple[int, ...], placed: _Placed) -> Floats | float:
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
    return _blurred(bumps, 0.35 * largest)


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
        ground = np.float32(rng.uniform(0.5, 6)) * _fractal(rng, shape, rng.uniform(8, 60))
    elif what == "grainy":
        spacing = rng.uniform(5, 20)
        ground = np.float32(-spacing * rng.uniform(0.2, 0.7)) * _cells(rng, shape, spacing)
    elif what == "scratched":
        lines = _blurred(rng.standard_normal((1, shape[1]), dtype=np.float32), rng.uniform(0.6, 3))
        streaks = np.repeat(lines, shape[0], axis=0) + 0.4 * _noise(rng, shape, 2)
        turn = cv2.getRotationMatrix2D((shape[1] / 2, shape[0] / 2), float(rng.uniform(0, 180)), 1.5)
        streaks = cv2.warpAffine(streaks, turn, (shape[1], shape[0]), borderMode=cv2.BORDER_REFLECT)
        tone = tone * (1 + np.float32(rng.uniform(0.05, 0.3)) * streaks)
    elif what == "fibres":
        ground = _fibres(rng, shape)
    elif what == "pores":
        tone = tone * np.where(_scattered_discs(rng, shape), np.float32(rng.uniform(0.1, 0.5)), np.float32(1))
    elif what == "cracked":
        cells = _cells(rng, shape, rng.uniform(40, 120))
        ground = -8 * np.exp(-(((cells - cells.max() * 0.6) / 0.02) ** 2)).astype(np.float32)
    tone = tone * (1 + np.float32(rng.choice([0.0, 0.05, 0.15])) * _noise(rng, shape, rng.uniform(20, 80)))
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


def _light_transmission(rng: np.random.Generator, placed: _Placed, textures: list[Floats], kind: str) -> Floats:
    """Transmitted (bright-field) or scattered (dark-field, "stem") signal of the mass-thickness map."""
    shape = placed.labels.shape
    covered = placed.labels > 0
    absorb = float(np.exp(rng.uniform(np.log(0.25), np.log(2.5))))
    thickness = placed.thickness
    if rng.random() < 0.6:  # diffraction contrast: strain and tilt make bands inside a crystal
        waves = _fractal(rng, shape, float(rng.uniform(4, 40)), 3)
        thickness = thickness * np.clip(1 + np.float32(rng.uniform(0.05, 0.5)) * waves, 0.2, 3)
    if rng.random() < 0.35:  # projected thickness saturates: particles look flat
        thickness = np.where(covered, thickness * np.float32(0.2) + np.float32(1.0), 0) * (thickness > 0)
    if rng.random() < 0.15 and placed.areas:  # soft rims: shells of polymer, or out of focus
        thickness = _blurred(
            thickness.astype(np.float32), 0.5 + float(np.sqrt(np.median(placed.areas)) * rng.uniform(0.01, 0.05))
        )
    film = _film(rng, shape) * np.float32(min(1.0, absorb))
    optical = np.float32(absorb) * thickness + film
    if kind == "stem":
        signal = 1 - np.exp(-optical)
    else:
        signal = np.exp(-optical)
        if rng.random() < 0.5:  # Fresnel fringe of a defocused lens
            near = _blurred(signal, float(rng.uniform(1.0, 2.5)))
            signal = signal + np.float32(rng.uniform(0.3, 1.2)) * (signal - near)
    grain = _noise(rng, shape, 0.8) - 0.8 * _noise(rng, shape, 2.0)
    signal = signal * (1 + np.float32(rng.choice([0.0, 0.02, 0.06, 0.12], p=[0.3, 0.3, 0.25, 0.15])) * grain)
    lit: Floats = _blurred(signal.astype(np.float32), 0.6)
    return lit


def _film(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Optical thickness of the support: plain carbon, lacey carbon, crumpled sheets, an edge."""
    film = np.float32(rng.uniform(0.0, 0.05)) * _noise(rng, shape, rng.uniform(10, 60))
    what = rng.choice(["plain", "lacey", "sheets", "edge", "stain"], p=[0.6, 0.08, 0.14, 0.08, 0.1])
    if what == "lacey":
        holes = _noise(rng, shape, rng.uniform(15, 50))
        film = film + np.float32(rng.uniform(0.1, 0.6)) * (np.abs(holes) < 0.35)
    elif what == "sheets":
        folds = np.abs(_fractal(rng, shape, rng.uniform(20, 80), 3))
        film = (
            film
            + np.float32(rng.uniform(0.1, 0.5)) * np.exp(-folds * 6)
            + np.float32(rng.uniform(0, 0.2)) * (folds > 0.8)
        )
    elif what == "edge":
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        side = np.cos(angle) * (x - shape[1] / 2) + np.sin(angle) * (y - shape[0] / 2) + 12 * _noise(rng, shape, 30)
        film = film + np.float32(rng.uniform(0.1, 0.7)) * (side > rng.uniform(-0.3, 0.3) * min(shape))
    elif what == "stain":
        film = film + np.float32(rng.uniform(0.05, 0.25)) * np.maximum(_fractal(rng, shape, rng.uniform(10, 40)), 0)
    return film.astype(np.float32)


# ---------------------------------------------------------------- instrument


def _instrument(
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
        field = _blurred(field.astype(np.float32), float(max(0.3, sigma)))
        shot, read = strength * rng.choice([0.01, 0.03, 0.08]), strength * rng.choice([0.005, 0.015, 0.04])
        grain = _noise(rng, shape, float(rng.choice([0.0, 0.6, 1.0])))
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
        field = field + np.float32(rng.uniform(0.1, 0.5)) * _blurred(charged, float(rng.uniform(4, 14)))
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


# ---------------------------------------------------------------- printing


def _print_over(
    rng: np.random.Generator,
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int32],
    occluded: npt.NDArray[np.bool_],
    kind: str,
    family: str,
    arrangement: str,
    scale: float,
    wanted: tuple[str | None, str | None, str | None],
    strength: float,
) -> Micrograph:
    bar_style, info_style, letter = wanted
    annotation = np.zeros(image.shape, bool)
    bar: ScaleBar | None = None
    info_box: Box | None = None
    letter_box: Box | None = None
    if info_style == "any":
        info_style = (
            str(rng.choice(["zeiss", "fei", "hitachi", "jeol"])) if kind == "sem" and rng.random() < 0.2 else None
        )
        if info_style and bar_style not in (None, "any"):
            info_style = None
    if info_style:
        image, bar, info_box = draw_info_bar(rng, image, scale, style=info_style)
        annotation[info_box.slices] = True
    elif bar_style is not None and (bar_style != "any" or rng.random() < 0.6):
        image, bar, drawn = draw_scale_bar(rng, image, scale, style=None if bar_style == "any" else bar_style)
        annotation |= drawn
    if letter is not None and (letter != "any" or rng.random() < 0.45):
        crowded = bar is not None and info_box is None and (bar.y or 0) < image.shape[0] / 2
        image, letter_box, boxed = draw_letter(rng, image, None if letter == "any" else letter, left=crowded or None)
        annotation[letter_box.slices] = True
    if letter == "any" and rng.random() < 0.04:
        image = draw_arrow(rng, image)
    hidden = np.zeros(image.shape, bool)
    if info_box is not None:
        hidden[info_box.slices] = True
    if letter_box is not None and boxed:
        hidden[letter_box.slices] = True
    labels, kept = _cut_out(labels, hidden)
    if strength > 0 and rng.random() < 0.7:
        image = _compress(rng, image)
    return Micrograph(
        image=image,
        label_map=labels,
        nm_per_px=bar.nm_per_px if bar else scale,
        kind=kind,
        family=family,
        arrangement=arrangement,
        scale_bar=bar,
        info_bar=info_box,
        letter_box=letter_box,
        annotation=annotation,
        occluded=occluded[kept],
    )


def _cut_out(
    labels: npt.NDArray[np.int32], hidden: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Remove what printing hides; returns the new map and which of the old particles (from 0) are left."""
    if not hidden.any():
        return labels, np.arange(int(labels.max()), dtype=np.int64)
    before = np.bincount(labels.ravel())
    cut = _Placed(np.where(hidden, 0, labels), *(np.zeros(1, np.float32),) * 4, list(before[1:]))
    renewed, _ = _visible_regions(cut)
    present = renewed > 0
    table = np.zeros(int(renewed.max()) + 1, np.int64)
    table[renewed[present]] = labels[present]
    return renewed, table[1:] - 1


def _compress(rng: np.random.Generator, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    quality = int(rng.integers(35, 96))
    done, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV cannot write JPEG")
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
