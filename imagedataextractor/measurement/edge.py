"""Where particles end: outlines moved from where people draw them to the edge in the image, below a pixel.

A label map says which pixels somebody, or a network taught by somebody, took for the particle; its outlines
lie one or two pixels outside of the edge more often than not. The edge is looked for along the outline's
normals, first for the particle as a whole and then point by point, as the steepest change of grey towards the
surroundings [1]_. How far the particle's true end is from there depends on blur, curvature and contrast; that
is what `edge_models` fits.

References
----------
.. [1] ISO 19749:2021, Nanotechnologies — Measurements of particle size and shape distributions by scanning
   electron microscopy; J. Canny, A computational approach to edge detection, IEEE Trans. Pattern Anal. Mach.
   Intell. 8 (1986) 679–698.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError
from imagedataextractor.images.channels import RGB, has_channels, is_flat
from imagedataextractor.measurement.edge_models import EdgeModel, fit_edge_model
from imagedataextractor.measurement.outlines import Loops, trace_loops
from imagedataextractor.measurement.polygons import Polygons

__all__ = ["Edges", "refine_edges"]

Reals = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
Number = TypeVar("Number", np.float32, np.float64)

#: Distance between the samples along a normal, px.
STEP_PX = 0.5
#: Farthest samples, px, when the particle's mean edge is looked for, and when that of each point is.
FAR_PX, NEAR_PX = 6.0, 4.0
#: How far from the given outline the mean edge is looked for: a share of the particle's radius, within bounds in px.
REACH_SHARE, LEAST_REACH_PX, MOST_REACH_PX = 0.3, 2.5, 5.0
#: … and how far from the mean edge that of a single point.
LOCAL_REACH_PX = 2.5
#: Smoothing along the outline, in steps of it.
SMOOTH_STEPS = 2.0
#: Smoothing of the profile before its gradient is taken, px.
GRADIENT_PX = 0.7
#: Rounds of moving every point.
ROUNDS = 2
#: Standard deviation of the gradient over that of the image's white noise, after these smoothings:
#: √(1/(4√π·σ³)·1/(2√π·s)) with σ the smoothing along the normal, interpolation included, and s that along the outline.
NOISE_GAIN = 0.2
#: A point has an edge where the gradient is so many times what noise gives it …
EDGE_OVER_NOISE = 4.0
#: … and at least this share of the particle's median.
EDGE_SHARE = 0.25
#: A point whose normal meets another particle within this distance keeps its place: there is no ground to see, px.
FREE_PX = 2.0
#: A particle is refined where at least this share of its outline has an edge …
REFINED_SHARE = 0.6
#: … and it moved no farther from the median of the image's particles than this, px, or this many times their scatter:
#: who draws outlines does so alike in one image.
ODD_SHIFT_PX, ODD_SHIFT_SCATTERS = 1.5, 4.0
#: Smallest radius of a particle that is refined, px: below, the blurs of its two sides meet.
LEAST_RADIUS_PX = 4.0
#: Share of the best edge of either sign at which a particle follows the sign that most of the image's have.
SIGN_SHARE = 0.5
#: Most particles that the image's model of the edge is fitted to; more make it no better.
MODEL_PARTICLES = 100
#: Standard uncertainty of the edge's place that the models leave, as a share of the blur: the scatter of images
#: in benchmarks/edge.py.
MODEL_SHARE = 0.15
#: Probability that is left to the other contrast, of step and thickness, whatever the fit says.
LEAST_DOUBT = 0.05
#: Vertices that are worked on together, in whole particles: their profiles fit a processor's cache.
BATCH_VERTICES = 8_000
#: Values that the image's noise is taken from, at most about: a million tell a median to a thousandth.
NOISE_VALUES = 1_000_000
#: Share of a backward side that smoothing leaves at a vertex from which that is smoothed, too: the whole reach of it.
_CURLED = 1e-3


@dataclass(frozen=True, eq=False)
class Edges:
    """Outlines at the edge; arrays over the n labels that occur, ascending.

    Attributes
    ----------
    labels : int array, shape (n,)
    outlines : Polygons
        Outlines of each particle in pixels. Of refined particles the largest one lies at the edge.
    refined : bool array, shape (n,)
        The outline lies at an edge of the image. Where False it is the label map's.
    support : float array, shape (n,)
        Share of the outline that has an edge, 0 … 1.
    shift_px : float array, shape (n,)
        Mean displacement along the normal, positive outwards.
    uncertainty_px : float array, shape (n,)
        Standard uncertainty of the edge's mean place along the normal; a diameter's is twice as large. NaN
        where not refined.
    model : EdgeModel or None
        What was fitted to the image's edges; None where nothing is refined.
    """

    labels: Integers
    outlines: Polygons
    refined: Bools
    support: Reals
    shift_px: Reals
    uncertainty_px: Reals
    model: EdgeModel | None


def refine_edges(
    image: npt.NDArray[np.generic],
    label_map: npt.NDArray[np.integer],
    *,
    blocked: Bools | None = None,
    transmission: bool | None = None,
    loops: Loops | None = None,
) -> Edges:
    """Move the outlines of a label map to the edges of the image.

    Parameters
    ----------
    image : array, shape (H, W) or (H, W, C)
        Grey or colour, any range.
    label_map : integer array, shape (H, W)
        0 background, any positive value one particle.
    blocked : bool array, shape (H, W), optional
        Pixels that show no sample: data bars, insets, printing.
    transmission : bool, optional
        The image was made with electrons that went through, so that thickness makes contrast. By default
        where particles are darker than their ground.
    loops : Loops, optional
        Those of the label map, where they have been found already.

    Returns
    -------
    Edges

    Raises
    ------
    InputError
        Image and label map differ in shape.

    Notes
    -----
    A particle keeps its label map's outline, and says so, where too little of it shows an edge, where it is
    smaller than 4 px in radius, or where its edge lies elsewhere than its neighbours' do.
    """
    grey, labels = _grey(image), np.asarray(label_map)
    if grey.shape != labels.shape:
        raise InputError(f"the image has {grey.shape} pixels (rows, columns), its label map {labels.shape}")
    loops = trace_loops(labels) if loops is None else loops
    outlines, present = loops.staircases(), loops.present
    if not outlines.count:
        none = np.zeros(0)
        return Edges(present, outlines, none.astype(bool), none, none, none, None)
    search = _Search(grey, labels, present, outlines, blocked)
    search.find_mean_edges()
    for _ in range(ROUNDS):
        search.move_points()
    refined = search.refined()
    model = None
    uncertainty = np.full(outlines.count, np.nan)
    if refined.any():
        best = np.flatnonzero(refined)
        best = best[np.argsort(-search.support[best], kind="stable")][:MODEL_PARTICLES]
        through = bool(np.median(search.sign[best]) > 0) if transmission is None else transmission
        profiles, offsets = search.mean_profiles(best)
        model = fit_edge_model(profiles, search.radius[best], offsets, transmission=through)
        search.displaced += np.repeat(model.displacements(search.radius, GRADIENT_PX), search.lengths)
        uncertainty = np.hypot(search.scatter(), MODEL_SHARE * model.blur_px)
        if through:
            weight = np.clip(model.thickness, LEAST_DOUBT, 1 - LEAST_DOUBT)
            spread = np.sqrt(weight * (1 - weight)) * model.disagreement(search.radius, GRADIENT_PX)
            uncertainty = np.hypot(uncertainty, spread)
    return search.result(refined, uncertainty, model)


class _Search:
    """The outer outlines of an image's particles on their way to the edge.

    One outline a particle, its largest; the vertices of all of them lie in one array, those of a particle side by
    side, and `batches` are neighbouring particles. `displaced` is how far each vertex has moved from the given
    outline along its normal.
    """

    def __init__(
        self,
        grey: Floats,
        labels: npt.NDArray[np.integer],
        present: Integers,
        outlines: Polygons,
        blocked: Bools | None,
    ) -> None:
        self.grey = grey
        # what is printed over, and what lies outside of the frame, is nobody's ground
        seen = np.asarray(labels, np.int32) if blocked is None else np.where(blocked, -1, labels).astype(np.int32)
        self.labels = np.pad(seen, 1, constant_values=-1)
        self.present, self.outlines = present, outlines
        outer = outlines.outer()
        self.lengths = outlines.lengths[outer]
        start = np.concatenate([[0], np.cumsum(self.lengths)])
        #: Of every vertex here, its number among those of all outlines.
        self.vertices = _ranges(outlines.start[outer], self.lengths)
        self.batches = _batches(start)
        self.radius, self.sign, self.support, self.shift, self.spread = np.ones((5, outlines.count))
        self.given, self.normals = np.empty((2, int(start[-1]), 2))
        self.displaced = np.zeros(int(start[-1]))
        for batch in self.batches:
            self._smooth(batch)
        self.noise = _noise(grey)

    def _smooth(self, batch: _Batch) -> None:
        """Take the steps out of a label map's outlines, and keep their areas."""
        ring, points = batch.ring, self.outlines.points[self.vertices[batch.vertices]]
        areas = ring.areas(points)
        smoothed = ring.smoothed(points, SMOOTH_STEPS)
        normals = ring.normals(smoothed)
        shrunk = (areas - ring.areas(smoothed)) / ring.perimeters(smoothed)
        self.radius[batch.particles] = np.sqrt(np.maximum(areas, 1.0) / np.pi)
        self.normals[batch.vertices] = normals
        self.given[batch.vertices] = smoothed + normals * shrunk[ring.which, None]

    def find_mean_edges(self) -> None:
        """Move each outline as a whole to where its mean profile is steepest, and learn which way it rises."""
        offsets = _offsets(FAR_PX)
        means = np.empty((len(self.radius), len(offsets)), np.float32)
        free = np.empty(len(self.displaced), bool)
        for batch in self.batches:
            profiles, free[batch.vertices] = self._profiles(batch, offsets)
            means[batch.particles] = batch.ring.means(profiles, free[batch.vertices])
        gradient = _gradient(means)
        reach = np.clip(REACH_SHARE * self.radius, LEAST_REACH_PX, MOST_REACH_PX)[:, None]
        taper = np.exp(-((offsets / (1.5 * reach)) ** 2)) * (np.abs(offsets) <= reach)
        _, rising = _peaks(gradient, taper, offsets)
        _, falling = _peaks(-gradient, taper, offsets)
        self.sign = np.where(rising > falling, 1.0, -1.0)
        common = float(np.sign(np.median(self.sign * np.maximum(rising, falling)))) or 1.0
        self.sign[np.minimum(rising, falling) > SIGN_SHARE * np.maximum(rising, falling)] = common
        shift, _ = _peaks(gradient * self.sign[:, None], taper, offsets)
        self.displaced = np.repeat(shift, self.lengths) * free

    def move_points(self) -> None:
        """Move each vertex to the steepest place near it, its neighbours' profiles and places weighed in."""
        offsets = _offsets(NEAR_PX)
        near = np.exp(-((offsets / LOCAL_REACH_PX) ** 2)) * (np.abs(offsets) <= LOCAL_REACH_PX)
        for batch in self.batches:
            self._move(batch, offsets, near.astype(np.float32))

    def _move(self, batch: _Batch, offsets: Reals, near: Floats) -> None:
        ring, displaced = batch.ring, self.displaced[batch.vertices]
        profiles, free = self._profiles(batch, offsets)
        sign = self.sign[batch.particles].astype(np.float32)[ring.which, None]
        gradient = ring.smoothed(_gradient(profiles) * sign, SMOOTH_STEPS)
        step, height = _peaks(gradient, near, offsets)
        typical = ring.medians(height)[ring.which]
        has_edge = (height > EDGE_SHARE * typical) & (height > EDGE_OVER_NOISE * NOISE_GAIN * self.noise)
        has_edge &= free & (np.abs(step) < LOCAL_REACH_PX - STEP_PX)
        # where there is no ground beside it, a vertex goes back to the given outline
        target = np.where(free, np.where(has_edge, step, 0.0), -displaced)
        weight = np.where(has_edge, height, np.where(free, 1e-3, 0.3) * np.maximum(typical, 1e-6))
        together = ring.smoothed(np.stack([weight, weight * target], axis=1), SMOOTH_STEPS)
        moved = together[:, 1] / np.maximum(together[:, 0], 1e-12)
        displaced = self._without_curls(batch, displaced + moved)
        self.displaced[batch.vertices] = displaced
        self.support[batch.particles] = ring.means(has_edge.astype(float))
        self.shift[batch.particles] = ring.means(displaced)
        self.spread[batch.particles] = ring.means(np.where(has_edge, step - moved, 0.0) ** 2)

    def refined(self) -> Bools:
        chosen: Bools = (self.support >= REFINED_SHARE) & (self.radius >= LEAST_RADIUS_PX)
        if chosen.any():
            off = np.abs(self.shift - np.median(self.shift[chosen]))
            scatter = 1.4826 * float(np.median(off[chosen]))
            chosen &= off <= max(ODD_SHIFT_PX, ODD_SHIFT_SCATTERS * scatter)
        return chosen

    def mean_profiles(self, particles: Integers) -> tuple[Reals, Reals]:
        """Mean profile of each of these particles about its edge as it is, and the samples' distances from it."""
        offsets = _offsets(FAR_PX)
        wanted = np.zeros(len(self.radius), bool)
        wanted[particles] = True
        found = np.empty((len(self.radius), len(offsets)))
        for batch in self.batches:
            if wanted[batch.particles].any():
                found[batch.particles] = batch.ring.means(*self._profiles(batch, offsets))
        return found[particles], offsets

    def scatter(self) -> Reals:
        """Standard uncertainty of a mean place that the scatter along the outline makes.

        Vertices as far apart as the smoothing reaches, 2√π standard deviations of it, count as independent.
        """
        independent = np.maximum(self.support * self.lengths / (2 * np.sqrt(np.pi) * SMOOTH_STEPS), 1.0)
        return np.asarray(np.sqrt(self.spread / np.maximum(self.support, 1e-6) / independent))

    def result(self, refined: Bools, uncertainty: Reals, model: EdgeModel | None) -> Edges:
        points = self.outlines.points.copy()
        moved = np.repeat(refined, self.lengths)
        points[self.vertices[moved]] = (self.given + self.normals * self.displaced[:, None])[moved]
        outlines = Polygons(points, self.outlines.start, self.outlines.owner, self.outlines.count)
        starts = np.cumsum(self.lengths) - self.lengths
        shift = np.where(refined, np.add.reduceat(self.displaced, starts) / self.lengths, 0.0)
        return Edges(
            self.present, outlines, refined, self.support, shift, np.where(refined, uncertainty, np.nan), model
        )

    def _without_curls(self, batch: _Batch, displaced: Reals) -> Reals:
        """Displacements smoothed where the outline would run backwards: at dents, normals cross."""
        ring, given, normals = batch.ring, self.given[batch.vertices], self.normals[batch.vertices]
        along = ring.after(given) - given
        for _ in range(3):
            points = given + normals * displaced[:, None]
            sides = ring.after(points) - points
            backwards = (sides * along).sum(axis=1) <= 0
            if not backwards.any():
                break
            near = ring.smoothed(backwards.astype(float), SMOOTH_STEPS) > _CURLED
            displaced = np.where(near, ring.smoothed(displaced, 2 * SMOOTH_STEPS), displaced)
        return displaced

    def _profiles(self, batch: _Batch, offsets: Reals) -> tuple[Floats, Bools]:
        """Grey values along the normals, shape (M, k), and which vertices see the ground beside their particle.

        Beyond the first sample that lies in another particle, outside of the frame or over something printed,
        the last value before it is held.
        """
        normals = self.normals[batch.vertices].astype(np.float32)
        points = self.given[batch.vertices] + self.normals[batch.vertices] * self.displaced[batch.vertices, None]
        points = points.astype(np.float32)
        steps = offsets.astype(np.float32)
        x = points[:, 0, None] + normals[:, 0, None] * steps
        y = points[:, 1, None] + normals[:, 1, None] * steps
        profiles = _sampled(self.grey, x - np.float32(0.5), y - np.float32(0.5))
        middle = len(offsets) // 2
        height, width = self.labels.shape
        column = np.clip(np.floor(x[:, middle:]).astype(np.int32) + 1, 0, width - 1)
        row = np.clip(np.floor(y[:, middle:]).astype(np.int32) + 1, 0, height - 1)
        there = self.labels[row, column]
        bad = (there != self.present[batch.particles].astype(np.int32)[batch.ring.which, None]) & (there != 0)
        seen = np.where(bad.any(axis=1), bad.argmax(axis=1), bad.shape[1])
        short = np.flatnonzero(seen < bad.shape[1])
        last = middle + np.maximum(seen[short] - 1, 0)
        held = np.minimum(np.arange(len(offsets))[None, :], last[:, None])
        profiles[short] = np.take_along_axis(profiles[short], held, axis=1)
        return profiles, np.asarray(seen > FREE_PX / STEP_PX)


@dataclass(frozen=True, eq=False)
class _Batch:
    """Neighbouring particles: which they are, which vertices are theirs, and filters round their outlines."""

    particles: slice
    vertices: slice
    ring: _Ring


def _batches(start: Integers) -> list[_Batch]:
    """Particles in batches of about `BATCH_VERTICES`, or of one that has more; `start` as in `Polygons`."""
    batches = []
    first = 0
    while first < len(start) - 1:
        last = max(first + 1, int(np.searchsorted(start, start[first] + BATCH_VERTICES, side="right")) - 1)
        vertices = slice(int(start[first]), int(start[last]))
        batches.append(_Batch(slice(first, last), vertices, _Ring(start[first : last + 1] - start[first])))
        first = last
    return batches


@dataclass(frozen=True, eq=False)
class _Ring:
    """Filters that run round closed outlines stored one after the other, `start` as in `Polygons`."""

    start: Integers

    @cached_property
    def which(self) -> Integers:
        """The outline of every vertex."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    @cached_property
    def padded(self) -> Integers:
        """Vertices of each outline, with its last ones before it and its first ones after it."""
        wide = np.diff(self.start) + 2 * _HALF_KERNEL
        ends = np.cumsum(wide)
        within = np.arange(int(ends[-1])) - np.repeat(ends - wide, wide)
        lengths, first = (np.repeat(values, wide) for values in (np.diff(self.start), self.start[:-1]))
        return np.asarray(first + (within - _HALF_KERNEL) % lengths)

    @cached_property
    def place(self) -> Integers:
        """Where in `padded` each vertex is."""
        return np.asarray(np.arange(int(self.start[-1])) + _HALF_KERNEL * (2 * self.which + 1))

    def smoothed(self, values: npt.NDArray[Number], sigma: float) -> npt.NDArray[Number]:
        """Gaussian mean along the outline, sigma in steps."""
        half = min(_HALF_KERNEL, int(np.ceil(3 * sigma)))
        kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
        wide = cv2.filter2D(values[self.padded], -1, (kernel / kernel.sum())[:, None])
        return np.asarray(wide.reshape(-1, *values.shape[1:])[self.place])

    def normals(self, points: Reals) -> Reals:
        """Outward unit normals: to the left of an outline that runs clockwise as seen."""
        along = points[self.padded[self.place + 1]] - points[self.padded[self.place - 1]]
        length = np.hypot(along[:, 0], along[:, 1])
        along /= np.where(length > 0, length, 1)[:, None]
        return np.stack([along[:, 1], -along[:, 0]], axis=1)

    def after(self, points: Reals) -> Reals:
        """The vertex after each one."""
        return np.asarray(points[self.padded[self.place + 1]])

    def areas(self, points: Reals) -> Reals:
        (x0, y0), (x1, y1) = points.T, self.after(points).T
        return np.asarray(np.add.reduceat(x0 * y1 - x1 * y0, self.start[:-1]) / 2)

    def perimeters(self, points: Reals) -> Reals:
        sides = self.after(points) - points
        return np.asarray(np.add.reduceat(np.hypot(sides[:, 0], sides[:, 1]), self.start[:-1]))

    def means(self, values: npt.NDArray[Number], chosen: Bools | None = None) -> npt.NDArray[Number]:
        """Mean of each outline's values, of those `chosen` where there are any."""
        weight = np.ones(len(values), values.dtype)
        if chosen is not None:
            weight[~chosen] = 1e-9
        total = np.add.reduceat(weight, self.start[:-1])
        shaped = weight if values.ndim == 1 else weight[:, None]
        sums = np.add.reduceat(values * shaped, self.start[:-1], axis=0)
        return np.asarray(sums / (total if values.ndim == 1 else total[:, None]))

    def medians(self, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        order = np.lexsort((values, self.which))
        return np.asarray(values[order[(self.start[:-1] + self.start[1:]) // 2]])


#: Longest half of a kernel along the outline, in steps: three times the widest smoothing.
_HALF_KERNEL = int(np.ceil(3 * 2 * SMOOTH_STEPS))


def _ranges(start: Integers, lengths: Integers) -> Integers:
    """start[0], start[0] + 1, … of the first length, then those of the second, …"""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1])) + np.repeat(start - ends + lengths, lengths)


def _offsets(farthest: float) -> Reals:
    steps = round(farthest / STEP_PX)
    return np.asarray(np.arange(-steps, steps + 1) * STEP_PX, float)


def _grey(image: npt.NDArray[np.generic]) -> Floats:
    array = np.asarray(image)
    if has_channels(array):
        array = array[..., :RGB].mean(axis=2)
    if not is_flat(array):
        raise InputError(f"an image has two dimensions and perhaps colours, not the shape {array.shape}")
    return np.ascontiguousarray(array, np.float32)


def _noise(grey: Floats) -> float:
    """Standard deviation of white noise in the image.

    From the median absolute value of a mask that ramps and steps leave at 0 (J. Immerkær, Fast noise variance
    estimation, Comput. Vis. Image Underst. 64 (1996) 300–302), so that edges do not count.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    every = max(1, grey.size // NOISE_VALUES)
    return float(np.median(np.abs(cv2.filter2D(grey, -1, mask).ravel()[::every])) / 0.6745 / 6)


def _sampled(grey: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear values at places counted from the centre of the first pixel; OpenCV takes 32,767 rows at once."""
    rows = 32_000
    parts = [
        cv2.remap(grey, x[i : i + rows], y[i : i + rows], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for i in range(0, len(x), rows)
    ]
    return np.asarray(np.concatenate(parts), np.float32)


def _gradient(profiles: Floats) -> Floats:
    """Slope per px along the last axis, after smoothing by `GRADIENT_PX`; beyond its ends a profile goes on level."""
    sigma = GRADIENT_PX / STEP_PX
    half = int(np.ceil(3 * sigma))
    t = np.arange(-half, half + 1)
    kernel = t * np.exp(-0.5 * (t / sigma) ** 2)
    kernel = kernel / ((kernel * t).sum() * STEP_PX)
    return np.asarray(cv2.filter2D(profiles, -1, kernel[None, :], borderType=cv2.BORDER_REPLICATE))


def _peaks(values: npt.NDArray[np.floating], near: npt.NDArray[np.floating], offsets: Reals) -> tuple[Reals, Reals]:
    """Place and height of a maximum of each row, by a parabola through it and its neighbours.

    Of several local maxima the one that is largest when weighted by `near`; the weight chooses between them,
    but does not move them. Where there is none, the weighted largest value.
    """
    weighted = values * near
    local = np.zeros(values.shape, bool)
    middle = values[:, 1:-1]
    local[:, 1:-1] = (middle >= values[:, :-2]) & (middle >= values[:, 2:])
    scores = np.where(local & (weighted > 0), weighted, -np.inf)
    k = scores.argmax(axis=1)
    rows = np.arange(len(values))
    k = np.where(np.isfinite(scores[rows, k]), k, weighted.argmax(axis=1))
    k = np.clip(k, 1, values.shape[1] - 2)
    a, b, c = (values[rows, k + step].astype(float) for step in (-1, 0, 1))
    bend = a - 2 * b + c
    off = np.clip(0.5 * (a - c) / np.where(bend < 0, bend, -np.inf), -1, 1)
    return offsets[k] + off * STEP_PX, b - 0.25 * (a - c) * off
