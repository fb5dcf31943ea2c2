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

import numpy as np
import numpy.typing as npt

from imagedataextractor.artificial.annotations import draw_arrow, draw_info_bar, draw_letter, draw_scale_bar
from imagedataextractor.artificial.instrument import compress, instrument
from imagedataextractor.artificial.light import light_scanning, light_transmission
from imagedataextractor.artificial.placing import ARRANGEMENTS, Scene, place, visible_regions
from imagedataextractor.artificial.shapes import draw_species
from imagedataextractor.artificial.textures import surface_textures
from imagedataextractor.records import Box, ScaleBar

__all__ = ["ARRANGEMENTS", "KINDS", "Micrograph", "draw_micrograph"]

#: Kinds of micrograph, each with how often it is drawn when none is asked for.
KINDS: dict[str, float] = {
    "sem": 0.56,
    "tem": 0.34,
    "stem": 0.08,
    "empty": 0.02,
    "rough": 0.0,  # a scanning micrograph of a surface that is all texture, without particles
}


#: What lies in the arrangements that only some families of shapes have.
_FAMILIES = {
    "grains": ("polyhedron", "octahedron", "irregular", "cube", "prism"),
    "supported": ("sphere", "sphere", "ellipsoid", "polyhedron", "irregular"),
}


@dataclass(frozen=True)
class Micrograph:
    """A drawn micrograph and its truth.

    Attributes
    ----------
    image : uint8 array, shape (H, W)
    label_map : int32 array, shape (H, W)
        0 background, 1 … N the visible region of one particle each: one connected region, or what is seen of a
        fibre that others cross.
    nm_per_px : float or None
        The scale: what a perfect reader of the drawn bar finds, or the chosen one where no bar is drawn.
    kind : str
        "sem", "tem", "stem", "empty" or "rough".
    family : str
        The particles' family of shapes, as in `shapes.FAMILIES`, or "fibre".
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
    kind : {"sem", "tem", "stem", "empty", "rough"}, optional
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
    kind = choose(rng, KINDS, kind)
    arrangement = choose(rng, ARRANGEMENTS, arrangement)
    textures = surface_textures(rng)
    if family is None and arrangement in _FAMILIES:
        family = str(rng.choice(_FAMILIES[arrangement]))
    species = draw_species(rng, family)
    if kind in ("empty", "rough"):
        placed = Scene.nothing(shape)
        placed.rough = kind == "rough"
    else:
        placed = place(rng, shape, kind, species, arrangement, median_diameter_px, spread, coverage, textures)
    scanning = kind in ("sem", "rough") or (kind == "empty" and rng.random() < 0.5)
    signal = light_scanning(rng, placed, textures) if scanning else light_transmission(rng, placed, textures, kind)
    image = instrument(rng, signal, placed.labels > 0, scanning, degradation)
    labels, occluded = visible_regions(placed)
    scale = nm_per_px or _plausible_scale(rng, kind, width)
    return _print_over(
        rng,
        image,
        labels,
        occluded,
        kind,
        "fibre" if arrangement == "fibres" else species.family,
        arrangement,
        scale,
        (scale_bar, info_bar, letter),
        degradation,
    )


def choose(rng: np.random.Generator, table: dict[str, float], name: str | None) -> str:
    if name is None:
        weights = np.array(list(table.values()))
        return str(rng.choice(list(table), p=weights / weights.sum()))
    if name not in table:
        raise ValueError(f"{name!r} is none of {', '.join(table)}")
    return name


def _plausible_scale(rng: np.random.Generator, kind: str, width: int) -> float:
    """Field of view: 300 nm to 100 µm for scanning, 40 nm to 5 µm for transmission micrographs."""
    low, high = (300.0, 1e5) if kind in ("sem", "rough") else (40.0, 5e3)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))) / width)


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
    labels, kept = _cut_out(labels, hidden, pieces=arrangement == "fibres")
    if strength > 0 and rng.random() < 0.7:
        image = compress(rng, image)
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
    labels: npt.NDArray[np.int32], hidden: npt.NDArray[np.bool_], *, pieces: bool
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Remove what printing hides; returns the new map and which of the old particles (from 0) are left."""
    if not hidden.any():
        return labels, np.arange(int(labels.max()), dtype=np.int64)
    before = np.bincount(labels.ravel())
    cut = Scene(np.where(hidden, 0, labels), *(np.zeros(1, np.float32),) * 4, list(before[1:]), pieces=pieces)
    renewed, _ = visible_regions(cut)
    present = renewed > 0
    table = np.zeros(int(renewed.max()) + 1, np.int64)
    table[renewed[present]] = labels[present]
    return renewed, table[1:] - 1
