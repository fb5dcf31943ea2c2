"""What an instrument makes of a particle's edge: profiles across it, and where they are steepest.

A profile is a function of the distance s from the true edge, positive outwards, of a round particle of radius
R. Two kinds of contrast are drawn:

- *step*: the signal changes at the edge at once, as the yield of secondary electrons does, or the transmission
  of a flat or a strongly diffracting crystal;
- *thickness*: a sphere in transmission, whose signal follows Beer and Lambert's law, 1 − exp(−a·t), t the
  chord over the diameter [1]_. Its slope inside the edge is infinite but the signal starts from nothing, so a
  blurred profile is steepest inside of the edge, by about three quarters of the blur.

Both are blurred by a Gaussian of standard deviation σ in the plane, which moves the steepest place of a step
inwards by about σ²/(2R) [2]_. A ring of over- or undershoot (Fresnel's fringe, sharpening) and a sloping ground
may be part of a fit.

References
----------
.. [1] L. Reimer and H. Kohl, Transmission Electron Microscopy, 5th ed., Springer 2008, chapter 6.
.. [2] P. W. Verbeek and L. J. van Vliet, On the location error of curved edges in low-pass filtered 2-D and 3-D
   images, IEEE Trans. Pattern Anal. Mach. Intell. 16 (1994) 726–733.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["EdgeModel", "fit_edge_model"]

Reals = npt.NDArray[np.float64]

#: Distance between samples of a model, px; measured profiles are sampled every fifth.
FINE_PX = 0.1
#: Half the length of a model, px: the farthest sample, the largest displacement and four times the widest blur.
HALF_PX = 20.0
#: Blurs that are tried, standard deviations in px.
BLURS_PX = (0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 1.8, 2.2, 2.6, 3.0, 3.5)
#: Absorptions a of the thickness contrast that are tried; larger ones cannot be told from a step.
ABSORPTIONS = (0.3, 0.7, 1.1, 1.6, 2.3)
#: Displacements of the edge against the steepest place that are tried, px.
DISPLACEMENTS_PX = np.arange(-10, 31) * FINE_PX
#: Width of the ring that over- or undershoots beside the edge, px.
FRINGE_PX = 1.7
#: Misfit without a ring over that with one from which on there is one: it can stand for another blur.
FRINGE_GAIN = 2.0
#: Width of the neighbourhood of the edge that a fit weighs most, px.
WEIGHT_PX = 3.5
#: Radii for which models are made; a particle takes the nearest by ratio.
RADII_PX = tuple(float(r) for r in np.round(5 * 1.3 ** np.arange(11), 1))

_AXIS = np.arange(-round(HALF_PX / FINE_PX), round(HALF_PX / FINE_PX) + 1) * FINE_PX
#: Share of thickness contrast from which the blur is that of its fit; below, that of the step's.
_MOSTLY_THICKNESS = 0.5


@dataclass(frozen=True)
class EdgeModel:
    """How the edges of an image come about.

    Attributes
    ----------
    blur_px : float
        Standard deviation of the blur.
    absorption : float
        a of the thickness contrast that fits best.
    thickness : float
        Weight of the thickness contrast against the step, 0 … 1.
    """

    blur_px: float
    absorption: float
    thickness: float

    def displacements(self, radii: npt.ArrayLike, smoothing_px: float) -> Reals:
        """How far outside of the steepest gradient the edges of particles of these radii lie, px.

        `smoothing_px` is that of the profiles along the normal before the gradient was taken.
        """
        nearest = _nearest(np.asarray(radii, float))
        step = np.array([_steepest(r, self.blur_px, 0.0, smoothing_px) for r in RADII_PX])[nearest]
        if self.thickness == 0:
            return np.asarray(-step)
        thick = np.array([_steepest(r, self.blur_px, self.absorption, smoothing_px) for r in RADII_PX])[nearest]
        return -((1 - self.thickness) * step + self.thickness * thick)

    def disagreement(self, radii: npt.ArrayLike, smoothing_px: float) -> Reals:
        """How far apart the two contrasts would put the edge, px."""
        nearest = _nearest(np.asarray(radii, float))
        pair = [[_steepest(r, self.blur_px, a, smoothing_px) for r in RADII_PX] for a in (0.0, self.absorption)]
        return np.asarray(np.abs(np.diff(np.array(pair), axis=0)[0])[nearest])


def fit_edge_model(profiles: Reals, radii: Reals, offsets: Reals, *, transmission: bool) -> EdgeModel:
    """The model that the profiles of an image's particles follow together.

    Parameters
    ----------
    profiles : float array, shape (n, k)
        Mean profile of each particle along its normals, aligned at the steepest gradient.
    radii : float array, shape (n,)
        Pixels.
    offsets : float array, shape (k,)
        Distances from the steepest gradient, positive outwards, multiples of 0.1 px.
    transmission : bool
        Thickness contrast may occur.

    Notes
    -----
    Blur and contrast belong to the image, grey levels to the particle: for each blur and absorption every
    profile is fitted linearly at the best displacement, and what is left over, relative to the profile's
    variance, has its median taken over the particles. The least median wins.

    Between step and thickness the ratio of their misfits decides, measured by what it would be if the one or
    the other were true: the models are fitted to each other, above the misfit that the data leave anyway. Where
    blur makes them alike neither is ruled out, and the edge is put between.
    """
    absorptions = (0.0, *ABSORPTIONS) if transmission else (0.0,)
    nearest = _nearest(radii)
    left = _misfits(profiles, nearest, offsets, absorptions)
    plain, fringed = np.median(left, axis=3)
    fringe = int(plain.min() >= FRINGE_GAIN * fringed.min())
    misfit = (plain, fringed)[fringe]
    step_blur = int(misfit[:, 0].argmin())
    if not transmission:
        return EdgeModel(BLURS_PX[step_blur], ABSORPTIONS[0], 0.0)
    best, kind = divmod(int(misfit[:, 1:].argmin()), len(ABSORPTIONS))
    # what the misfits would be if either contrast were the true one
    size = np.full(2, int(np.median(nearest)))
    radius = RADII_PX[size[0]]
    at = len(_AXIS) // 2 + np.rint(offsets / FINE_PX).astype(int)
    pure = np.stack(
        [
            _blurred(_contrast(radius, 0.0), radius, BLURS_PX[step_blur])[at],
            _blurred(_contrast(radius, ABSORPTIONS[kind]), radius, BLURS_PX[best])[at],
        ]
    )
    wrong = _misfits(pure, size, offsets, (0.0, ABSORPTIONS[kind]))[fringe]
    floor = min(misfit[step_blur, 0], misfit[best, kind + 1])
    if_step = -np.log1p(wrong[:, 1, 0].min() / floor)
    if_thick = np.log1p(wrong[:, 0, 1].min() / floor)
    ratio = float(np.log(misfit[step_blur, 0] / misfit[best, kind + 1]))
    thickness = float(np.clip((ratio - if_step) / max(if_thick - if_step, 1e-6), 0, 1))
    if thickness < _MOSTLY_THICKNESS:
        best = step_blur
    return EdgeModel(BLURS_PX[best], ABSORPTIONS[kind], thickness)


def _misfits(profiles: Reals, nearest: npt.NDArray[np.int64], offsets: Reals, absorptions: tuple[float, ...]) -> Reals:
    """What fits leave over of the profiles' variance, without and with a ring: (2, blurs, absorptions, n)."""
    left = np.full((2, len(BLURS_PX), len(absorptions), len(profiles)), np.inf)
    weighted = profiles * np.exp(-0.25 * (offsets / WEIGHT_PX) ** 2)
    variance = np.maximum(((profiles - profiles.mean(axis=1, keepdims=True)) ** 2).sum(axis=1), 1e-9)
    key = tuple(np.rint(offsets / FINE_PX).astype(int).tolist())
    for size in np.unique(nearest).tolist():
        members = np.flatnonzero(nearest == size)
        power = (weighted[members] ** 2).sum(axis=1)
        for i, blur in enumerate(BLURS_PX):
            for j, absorption in enumerate(absorptions):
                basis = _bases(RADII_PX[size], blur, absorption, key)
                explained = np.cumsum(np.einsum("dkc,nk->dnc", basis, weighted[members]) ** 2, axis=2)
                left[:, i, j, members] = (power[:, None] - explained[..., 2:].max(axis=0)).T / variance[members]
    return np.asarray(np.maximum(left, 1e-6))


def _nearest(radii: Reals) -> npt.NDArray[np.int64]:
    steps = np.log(np.maximum(radii, 1e-3) / RADII_PX[0]) / np.log(RADII_PX[1] / RADII_PX[0])
    return np.asarray(np.clip(np.rint(steps), 0, len(RADII_PX) - 1), np.int64)


def _contrast(radius: float, absorption: float) -> Reals:
    depth = -_AXIS
    if absorption == 0:
        return np.asarray(np.clip(depth / FINE_PX + 0.5, 0, 1))
    chord = np.sqrt(np.clip(1 - ((radius - np.clip(depth, 0, radius)) / radius) ** 2, 0, 1))
    return np.asarray((1 - np.exp(-absorption * chord)) / (1 - np.exp(-absorption)))


def _blurred(profile: Reals, radius: float, blur: float) -> Reals:
    """A profile of a round particle blurred in the plane.

    The Gaussian over a ring of radius r' at distance r is √(r'/r)·exp(−(r − r')²/2σ²) where r·r' ≫ σ².
    """
    from_centre = radius + _AXIS
    there = from_centre > 0
    reach = np.sqrt(np.where(there, from_centre, 1.0))
    half = int(np.ceil(4 * blur / FINE_PX))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * FINE_PX / blur) ** 2)
    padded = np.pad(np.where(there, profile * reach, 0), half, mode="edge")
    norm = np.pad(np.where(there, reach, 0), half, mode="edge")
    total, mass = np.convolve(padded, kernel, mode="valid"), np.convolve(norm, kernel, mode="valid")
    return np.asarray(total / np.maximum(mass, 1e-12))


@lru_cache(maxsize=4096)
def _steepest(radius: float, blur: float, absorption: float, smoothing: float) -> float:
    """Where a profile is steepest, px from the edge."""
    profile = _blurred(_contrast(radius, absorption), radius, blur)
    half = int(np.ceil(4 * smoothing / FINE_PX))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * FINE_PX / smoothing) ** 2)
    slope = -np.gradient(np.convolve(np.pad(profile, half, mode="edge"), kernel / kernel.sum(), mode="valid"))
    near = np.abs(_AXIS) <= min(4.0, radius)
    k = int(np.flatnonzero(near)[slope[near].argmax()])
    a, b, c = slope[k - 1 : k + 2]
    return float(_AXIS[k] + FINE_PX * 0.5 * (a - c) / (a - 2 * b + c))


@lru_cache(maxsize=2048)
def _bases(radius: float, blur: float, absorption: float, samples: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Orthonormal bases of the weighted profiles at every displacement, shape (d, k, 4); the fringe is the last."""
    contrast = _blurred(_contrast(radius, absorption), radius, blur)
    fringe = contrast - _blurred(contrast, radius, FRINGE_PX)
    ground = _blurred(np.clip(_AXIS, 0, None), radius, blur)
    columns = np.stack([np.ones(len(_AXIS)), contrast, ground, fringe], axis=1)
    middle = len(_AXIS) // 2
    index = middle + np.array(samples)[None, :] - np.rint(DISPLACEMENTS_PX / FINE_PX).astype(int)[:, None]
    weight = np.exp(-0.25 * (np.array(samples) * FINE_PX / WEIGHT_PX) ** 2)
    return np.asarray(np.linalg.qr(columns[index] * weight[None, :, None])[0], np.float32)
