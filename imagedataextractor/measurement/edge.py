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

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

from imagedataextractor.errors import InputError
from imagedataextractor.measurement.edge_models import EdgeModel, fit_edge_model
from imagedataextractor.measurement.outlines import staircases
from imagedataextractor.measurement.polygons import Polygons

__all__ = ["Edges", "refine_edges"]

Reals = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

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
    outlines, present = staircases(labels)
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
        search.displaced += model.displacements(search.radius, GRADIENT_PX)[search.ring.which]
        uncertainty = np.hypot(search.scatter(), MODEL_SHARE * model.blur_px)
        if through:
            weight = np.clip(model.thickness, LEAST_DOUBT, 1 - LEAST_DOUBT)
            spread = np.sqrt(weight * (1 - weight)) * model.disagreement(search.radius, GRADIENT_PX)
            uncertainty = np.hypot(uncertainty, spread)
    return search.result(refined, uncertainty, model)


class _Search:
    """The outer outlines of an image's particles on their way to the edge.

    One outline a particle, its largest; the vertices of all of them lie in one array, and `ring` says which
    are whose. `displaced` is how far each has moved from the given outline along its normal.
    """

    def __init__(
        self,
        grey: Floats,
        labels: npt.NDArray[np.integer],
        present: Integers,
        outlines: Polygons,
        blocked: Bools | None,
    ) -> None:
        self.grey, self.labels, self.blocked = grey, labels, blocked
        self.present, self.outlines = present, outlines
        self.outer = outlines.outer()
        lengths = outlines.lengths[self.outer]
        start = np.concatenate([[0], np.cumsum(lengths)])
        #: Of every vertex here, its number among those of all outlines.
        self.vertices = np.arange(start[-1]) - np.repeat(start[:-1] - outlines.start[self.outer], lengths)
        self.ring = _Ring.of(start)
        points = outlines.points[self.vertices]
        areas = self.ring.areas(points)
        self.radius = np.sqrt(np.maximum(areas, 1.0) / np.pi)
        smoothed = self.ring.smoothed(points, SMOOTH_STEPS)
        self.normals = self.ring.normals(smoothed)
        shrunk = (areas - self.ring.areas(smoothed)) / self.ring.perimeters(smoothed)
        self.given = smoothed + self.normals * shrunk[self.ring.which, None]
        self.displaced = np.zeros(len(points))
        self.sign = np.ones(outlines.count)
        self.support = np.zeros(outlines.count)
        self.apart = np.zeros(len(points))
        self.noise = _noise(grey)

    def find_mean_edges(self) -> None:
        """Move each outline as a whole to where its mean profile is steepest, and learn which way it rises."""
        offsets = _offsets(FAR_PX)
        profiles, free = self._profiles(self.given, offsets, self.ring.which)
        gradient = _gradient(self.ring.means(profiles.astype(float), free))
        reach = np.clip(REACH_SHARE * self.radius, LEAST_REACH_PX, MOST_REACH_PX)[:, None]
        taper = np.exp(-((offsets / (1.5 * reach)) ** 2)) * (np.abs(offsets) <= reach)
        _, rising = _peaks(gradient, taper, offsets)
        _, falling = _peaks(-gradient, taper, offsets)
        self.sign = np.where(rising > falling, 1.0, -1.0)
        common = float(np.sign(np.median(self.sign * np.maximum(rising, falling)))) or 1.0
        self.sign[np.minimum(rising, falling) > SIGN_SHARE * np.maximum(rising, falling)] = common
        shift, _ = _peaks(gradient * self.sign[:, None], taper, offsets)
        self.displaced = shift[self.ring.which] * free

    def move_points(self) -> None:
        """Move each vertex to the steepest place near it, its neighbours' profiles and places weighed in."""
        offsets, which = _offsets(NEAR_PX), self.ring.which
        profiles, free = self._profiles(self._points(), offsets, which)
        gradient = _gradient(self.ring.smoothed(profiles, SMOOTH_STEPS)) * self.sign[which, None]
        near = np.exp(-((offsets / LOCAL_REACH_PX) ** 2)) * (np.abs(offsets) <= LOCAL_REACH_PX)
        step, height = _peaks(gradient, near, offsets)
        typical = self.ring.medians(height)[which]
        has_edge = (height > EDGE_SHARE * typical) & (height > EDGE_OVER_NOISE * NOISE_GAIN * self.noise)
        has_edge &= free & (np.abs(step) < LOCAL_REACH_PX - STEP_PX)
        self.support = self.ring.means(has_edge.astype(float))
        # where there is no ground beside it, a vertex goes back to the given outline
        target = np.where(free, np.where(has_edge, step, 0.0), -self.displaced)
        weight = np.where(has_edge, height, np.where(free, 1e-3, 0.3) * np.maximum(typical, 1e-6))
        together = self.ring.smoothed(np.stack([weight, weight * target], axis=1), SMOOTH_STEPS)
        moved = together[:, 1] / np.maximum(together[:, 0], 1e-12)
        self.apart = np.where(has_edge, step - moved, 0.0)
        self.displaced = self._without_curls(self.displaced + moved)

    def refined(self) -> Bools:
        chosen: Bools = (self.support >= REFINED_SHARE) & (self.radius >= LEAST_RADIUS_PX)
        if chosen.any():
            shift = self.ring.means(self.displaced)
            off = np.abs(shift - np.median(shift[chosen]))
            scatter = 1.4826 * float(np.median(off[chosen]))
            chosen &= off <= max(ODD_SHIFT_PX, ODD_SHIFT_SCATTERS * scatter)
        return chosen

    def mean_profiles(self, particles: Integers) -> tuple[Reals, Reals]:
        """Mean profile of each of these particles about its edge as it is, and the samples' distances from it."""
        offsets = _offsets(FAR_PX)
        lengths = self.ring.lengths[particles]
        chosen = _ranges(self.ring.start[particles], lengths)
        part = _Ring.of(np.concatenate([[0], np.cumsum(lengths)]))
        profiles, free = self._profiles(self._points()[chosen], offsets, self.ring.which[chosen], self.normals[chosen])
        return part.means(profiles.astype(float), free), offsets

    def scatter(self) -> Reals:
        """Standard uncertainty of a mean place that the scatter along the outline makes.

        Vertices as far apart as the smoothing reaches, 2√π standard deviations of it, count as independent.
        """
        independent = np.maximum(self.support * self.ring.lengths / (2 * np.sqrt(np.pi) * SMOOTH_STEPS), 1.0)
        return np.asarray(np.sqrt(self.ring.means(self.apart**2) / np.maximum(self.support, 1e-6) / independent))

    def result(self, refined: Bools, uncertainty: Reals, model: EdgeModel | None) -> Edges:
        points = self.outlines.points.copy()
        moved = refined[self.ring.which]
        points[self.vertices[moved]] = self._points()[moved]
        outlines = Polygons(points, self.outlines.start, self.outlines.owner, self.outlines.count)
        shift = np.where(refined, self.ring.means(self.displaced), 0.0)
        return Edges(
            self.present, outlines, refined, self.support, shift, np.where(refined, uncertainty, np.nan), model
        )

    def _points(self) -> Reals:
        return np.asarray(self.given + self.normals * self.displaced[:, None])

    def _without_curls(self, displaced: Reals) -> Reals:
        """Displacements smoothed where the outline would run backwards: at dents, normals cross."""
        along = self.ring.after(self.given) - self.given
        for _ in range(3):
            points = self.given + self.normals * displaced[:, None]
            sides = self.ring.after(points) - points
            backwards = (sides * along).sum(axis=1) <= 0
            if not backwards.any():
                break
            near = self.ring.smoothed(backwards.astype(float), SMOOTH_STEPS) > 1e-3
            displaced = np.where(near, self.ring.smoothed(displaced, 2 * SMOOTH_STEPS), displaced)
        return displaced

    def _profiles(
        self, points: Reals, offsets: Reals, which: Integers, normals: Reals | None = None
    ) -> tuple[Floats, Bools]:
        """Grey values along the normals, shape (M, k), and which vertices see the ground beside their particle.

        Beyond the first sample that lies in another particle, outside of the frame or over something printed,
        the last value before it is held.
        """
        normals = self.normals if normals is None else normals
        x = (points[:, 0, None] + normals[:, 0, None] * offsets).astype(np.float32)
        y = (points[:, 1, None] + normals[:, 1, None] * offsets).astype(np.float32)
        profiles = _sampled(self.grey, x - np.float32(0.5), y - np.float32(0.5))
        middle = len(offsets) // 2
        height, width = self.labels.shape
        column, row = np.floor(x[:, middle:]).astype(np.int32), np.floor(y[:, middle:]).astype(np.int32)
        bad = (column < 0) | (row < 0) | (column >= width) | (row >= height)
        np.clip(column, 0, width - 1, out=column)
        np.clip(row, 0, height - 1, out=row)
        there = self.labels[row, column]
        bad |= (there != self.present[which, None]) & (there != 0)
        if self.blocked is not None:
            bad |= self.blocked[row, column]
        seen = np.where(bad.any(axis=1), bad.argmax(axis=1), bad.shape[1])
        short = np.flatnonzero(seen < bad.shape[1])
        last = middle + np.maximum(seen[short] - 1, 0)
        held = np.minimum(np.arange(len(offsets))[None, :], last[:, None])
        profiles[short] = np.take_along_axis(profiles[short], held, axis=1)
        return profiles, np.asarray(seen > FREE_PX / STEP_PX)


@dataclass(frozen=True, eq=False)
class _Ring:
    """Filters that run round closed outlines stored one after the other, `start` as in `Polygons`."""

    start: Integers
    which: Integers
    padded: Integers
    place: Integers

    @classmethod
    def of(cls, start: Integers) -> _Ring:
        length, begin = np.diff(start), start[:-1]
        wide = length + 2 * _HALF_KERNEL
        offset = np.cumsum(wide) - wide
        within = np.arange(int(wide.sum())) - np.repeat(offset, wide)
        padded = np.repeat(begin, wide) + (within - _HALF_KERNEL) % np.repeat(length, wide)
        which = np.repeat(np.arange(len(length)), length)
        place = np.arange(int(start[-1])) - begin[which] + offset[which] + _HALF_KERNEL
        return cls(start, which, padded, place)

    @property
    def lengths(self) -> Integers:
        return np.diff(self.start)

    def smoothed(self, values: npt.NDArray[np.floating], sigma: float) -> Reals:
        """Gaussian mean along the outline, sigma in steps."""
        half = min(_HALF_KERNEL, int(np.ceil(3 * sigma)))
        kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
        return np.asarray(correlate1d(values[self.padded], kernel / kernel.sum(), axis=0)[self.place])

    def normals(self, points: Reals) -> Reals:
        """Outward unit normals: to the left of an outline that runs clockwise as seen."""
        along = correlate1d(points[self.padded], np.array([-1.0, 0.0, 1.0]), axis=0)[self.place]
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

    def means(self, values: Reals, chosen: Bools | None = None) -> Reals:
        """Mean of each outline's values, of those `chosen` where there are any."""
        weight = np.ones(len(values)) if chosen is None else np.maximum(chosen.astype(float), 1e-9)
        shaped = weight if values.ndim == 1 else weight[:, None]
        total = np.add.reduceat(weight, self.start[:-1])
        sums = np.add.reduceat(values * shaped, self.start[:-1], axis=0)
        return np.asarray(sums / (total if values.ndim == 1 else total[:, None]))

    def medians(self, values: Reals) -> Reals:
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
    if array.ndim == 3:
        array = array[..., :3].mean(axis=2)
    if array.ndim != 2:
        raise InputError(f"an image has two dimensions and perhaps colours, not the shape {array.shape}")
    return np.ascontiguousarray(array, np.float32)


def _noise(grey: Floats) -> float:
    """Standard deviation of white noise in the image.

    From the median absolute value of a mask that ramps and steps leave at 0 (J. Immerkær, Fast noise variance
    estimation, Comput. Vis. Image Underst. 64 (1996) 300–302), so that edges do not count.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.median(np.abs(cv2.filter2D(grey, -1, mask))) / 0.6745 / 6)


def _sampled(grey: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear values at places counted from the centre of the first pixel; OpenCV takes 32,767 rows at once."""
    rows = 32_000
    parts = [
        cv2.remap(grey, x[i : i + rows], y[i : i + rows], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for i in range(0, len(x), rows)
    ]
    return np.asarray(np.concatenate(parts), np.float32)


def _gradient(profiles: npt.NDArray[np.floating]) -> Reals:
    """Slope per px along the last axis, after smoothing by `GRADIENT_PX`."""
    sigma = GRADIENT_PX / STEP_PX
    half = int(np.ceil(3 * sigma))
    t = np.arange(-half, half + 1)
    kernel = t * np.exp(-0.5 * (t / sigma) ** 2)
    return np.asarray(correlate1d(profiles, kernel / ((kernel * t).sum() * STEP_PX), axis=-1, mode="nearest"))


def _peaks(values: npt.NDArray[np.floating], near: Reals, offsets: Reals) -> tuple[Reals, Reals]:
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
