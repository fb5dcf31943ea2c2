"""Draw compound figures whose panels, letters and kinds are known exactly.

Micrographs, plots in many styles, schematics, photographs, diffraction patterns and element maps,
laid out in grids and irregular rows, with gutters of 0 to 40 px in white or black, letters in every
corner and style, inside the panels and in the margin, insets and data bars.
"""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from imagedataextractor.artificial.annotations import draw_info_bar, font
from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.images import to_rgb
from imagedataextractor.records import Box, InfoBar, Panel, PanelKind

__all__ = ["CONTENTS", "ArtificialFigure", "LetterStyle", "draw_content", "draw_figure"]

Rgb = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Generator = np.random.Generator


@dataclass(frozen=True)
class ArtificialFigure:
    """A drawn figure, RGB uint8 (H, W, 3), and its true panels in reading order, insets after their parent."""

    image: Rgb
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class LetterStyle:
    """How the letters of one figure are printed."""

    pattern: str  # "{}", "({})", "{})", "{}."
    upper: bool
    font_name: str
    size_px: int
    place: str  # "inside", "boxed", "left", "above"
    corner: str = "tl"

    def text(self, letter: str) -> str:
        return self.pattern.format(letter.upper() if self.upper else letter)

    def font(self) -> ImageFont.FreeTypeFont:
        return font(self.font_name, self.size_px)


# ---------------------------------------------------------------- contents


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
        axes.set_xlabel(str(rng.choice(_LABELS)), weight=str(rng.choice(["normal", "bold"])))
        axes.set_ylabel(str(rng.choice(_LABELS)), weight=str(rng.choice(["normal", "bold"])))
        if rng.random() < 0.35:
            axes.spines[["top", "right"]].set_visible(False)
        if rng.random() < 0.15:
            axes.set_yticks([])
        if rng.random() < 0.12:
            axes.grid(True, alpha=0.5)
        if rng.random() < 0.12:
            axes.set_title(str(rng.choice(_LABELS)))
        if rng.random() < 0.1:
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


_PLOTS: tuple[Callable[[Generator, Any], None], ...] = (
    _curves,
    _curves,
    _spectra,
    _spectra,
    _points,
    _points,
    _bars,
    _histogram,
    _heat_map,
    _boxes,
    _decay,
)

#: What a panel can hold: name → (kind, drawer of an RGB picture of the given height and width).
CONTENTS: dict[str, tuple[PanelKind, Callable[[Generator, int, int], Rgb]]] = {
    "micrograph": ("em", _micrograph),
    "lattice": ("em", _lattice),
    "false_colour": ("em", _false_colour),
    "diffraction": ("diffraction", _diffraction),
    "eds": ("eds", _eds),
    "photo": ("photo", _photo),
    "schematic": ("schematic", _schematic),
    "plot": ("plot", _plot),
}
_MIXES: tuple[dict[str, float], ...] = (
    {"micrograph": 1.0},
    {"plot": 1.0},
    {"micrograph": 0.5, "plot": 0.3, "diffraction": 0.1, "lattice": 0.1},
    {"micrograph": 0.4, "eds": 0.6},
    {"micrograph": 0.3, "plot": 0.4, "schematic": 0.3},
    {"photo": 0.5, "plot": 0.3, "schematic": 0.2},
    {"micrograph": 0.3, "false_colour": 0.3, "lattice": 0.2, "photo": 0.2},
)


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
    scale = max(height / picture.shape[0], width / picture.shape[1]) * rng.uniform(1.0, 1.6)
    size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    top = int(rng.integers(0, picture.shape[0] - height + 1))
    left = int(rng.integers(0, picture.shape[1] - width + 1))
    return to_rgb(picture[top : top + height, left : left + width]).copy()


# ---------------------------------------------------------------- the page


def draw_figure(
    rng: Generator,
    *,
    pool: Sequence[npt.NDArray[np.uint8]] = (),
    width: int | None = None,
    mix: dict[str, float] | None = None,
    gutter_px: int | None = None,
    black: bool | None = None,
    letters: LetterStyle | None = None,
    panels: int | None = None,
    insets: float = 0.15,
) -> ArtificialFigure:
    """Draw a figure of several panels; what is not given is chosen at random.

    Parameters
    ----------
    rng : numpy.random.Generator
        Same state, same figure.
    pool : sequence of uint8 arrays, optional
        Real micrographs to use as contents beside drawn ones.
    width : int, optional
        Of the page, px.
    mix : dict, optional
        Names of `CONTENTS` with their weights.
    gutter_px : int, optional
        Between panels, 0 … 40.
    black : bool, optional
        The paper is black (then only images are drawn).
    letters : LetterStyle, optional
    panels : int, optional
        How many, at most.
    insets : float
        Probability that an image holds an inset.
    """
    width = width or int(rng.integers(600, 1400))
    mix = mix or _MIXES[int(rng.integers(len(_MIXES)))]
    drawings = {"plot", "schematic"} & set(mix)
    black = bool(rng.random() < 0.15) and not drawings if black is None else black
    letters = letters or _letter_style(rng, width, black)
    if gutter_px is None:
        gutter_px = int(rng.choice([0, 2, 4, 8, 12, 20, 30, 40]))
    if drawings or letters.place in ("left", "above"):
        gutter_px = max(gutter_px, 12)
    cells, height = _cells(rng, width, gutter_px, panels)
    paper = 0 if black else 255
    page = np.full((height, width, 3), paper, np.uint8)
    drawn: list[Panel] = []
    for i, cell in enumerate(cells):
        name = str(rng.choice(list(mix), p=np.array(list(mix.values())) / sum(mix.values())))
        letter = string.ascii_lowercase[i % 26] if len(cells) > 1 else None
        drawn += _draw_cell(rng, page, cell, name, letter, letters, pool, insets, len(drawn))
    if rng.random() < 0.7:
        _, data = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 97))])
        page = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return ArtificialFigure(page, tuple(drawn))


def _letter_style(rng: Generator, width: int, black: bool) -> LetterStyle:
    place = str(rng.choice(["inside", "boxed"] if black else ["inside", "boxed", "left", "above"]))
    return LetterStyle(
        pattern=str(rng.choice(["{}", "{}", "({})", "({})", "{})"])),
        upper=bool(rng.random() < 0.35),
        font_name=str(rng.choice(["sans", "sans-bold", "sans-bold", "serif", "serif-bold"])),
        size_px=int(np.clip(width * rng.uniform(0.016, 0.034), 13, 44)),
        place=place,
        corner="tl" if rng.random() < 0.85 else str(rng.choice(["bl", "tr"])),
    )


def _cells(rng: Generator, width: int, gutter: int, most: int | None) -> tuple[list[Box], int]:
    """Boxes of the panels, in reading order, and the page's height."""
    if most == 1 or (most is None and rng.random() < 0.08):
        height = int(width * rng.uniform(0.5, 0.9))
        return [Box(0, 0, width, height)], height
    rows = int(rng.integers(1, 4))
    cells: list[Box] = []
    top = 0
    grid = int(rng.integers(2, 5))
    regular = rng.random() < 0.5
    for _ in range(rows):
        count = grid if regular else int(rng.integers(1, 4))
        height = int(width / max(count, 2) * rng.uniform(0.6, 0.95))
        shares = np.ones(count) if regular else rng.uniform(0.7, 1.3, count)
        edges = np.round(np.cumsum(np.concatenate([[0], shares])) / shares.sum() * (width + gutter)).astype(int)
        for left, right in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            box = Box(left, top, right - gutter, top + height)
            if not regular and rng.random() < 0.15 and height > 260:  # two small panels on top of each other
                middle = top + (height - gutter) // 2
                cells += [Box(box.x0, top, box.x1, middle), Box(box.x0, middle + gutter, box.x1, box.y1)]
            else:
                cells.append(box)
        top += height + gutter
    cells = cells[:most] if most else cells
    return cells, max(c.y1 for c in cells)


def _draw_cell(
    rng: Generator,
    page: Rgb,
    cell: Box,
    name: str,
    letter: str | None,
    style: LetterStyle,
    pool: Sequence[npt.NDArray[np.uint8]],
    insets: float,
    index: int,
) -> list[Panel]:
    """Draw one panel with its letter, inset and data bar; return its truth, then its inset's."""
    text = style.text(letter) if letter else ""
    ink = style.font().getbbox(text) if text else (0, 0, 0, 0)
    left = round(ink[2] + 0.4 * style.size_px) if text and style.place == "left" else 0
    above = round(ink[3] + 0.25 * style.size_px) if text and style.place == "above" else 0
    if text and name in ("plot", "schematic") and style.place in ("inside", "boxed"):
        above = round(ink[3] + 0.25 * style.size_px)
    box = Box(cell.x0 + left, cell.y0 + above, cell.x1, cell.y1)
    kind, picture = draw_content(rng, name, box.height, box.width, pool)
    panels: list[Panel] = []
    bar = None
    if kind == "em" and rng.random() < 0.15 and min(picture.shape[:2]) >= 120:
        barred, _, bar_box = draw_info_bar(rng, picture[..., 0], 1.0)
        picture = to_rgb(barred)[: box.height, : box.width]
        bar = InfoBar(bar_box)
    inset = None
    if kind in ("em", "photo", "eds", "diffraction") and rng.random() < insets and min(picture.shape[:2]) >= 160:
        inset, inset_kind = _draw_inset(rng, picture, pool)
        panels.append(Panel(index + 1, inset.shifted(box.x0, box.y0), kind=inset_kind, kind_score=1.0, parent=index))
    page[box.slices] = picture
    tight = box
    if kind in ("plot", "schematic"):
        tight = _tight(picture).shifted(box.x0, box.y0)
    label_box = None
    if text:
        at = box if style.place in ("inside", "boxed") and name not in ("plot", "schematic") else cell
        printed = _print_letter(rng, page, at, text, style, inside=at is box and not above)
        if at is box:
            label_box = printed.shifted(-tight.x0, -tight.y0)
    first = Panel(
        index,
        tight,
        label=text.strip("().") or None,
        kind=kind,
        kind_score=1.0,
        measurable=kind == "em" and name != "lattice",
        insets=(inset,) if inset else (),
        label_box=label_box,
        info_bar=bar,
    )
    return [first, *(replace(p, parent=index) for p in panels)]


def _tight(picture: Rgb) -> Box:
    ink = picture.min(axis=2) < 240
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if rows.size == 0:
        return Box(0, 0, picture.shape[1], picture.shape[0])
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _draw_inset(rng: Generator, picture: Rgb, pool: Sequence[npt.NDArray[np.uint8]]) -> tuple[Box, PanelKind]:
    height, width = picture.shape[:2]
    h, w = int(height * rng.uniform(0.25, 0.4)), int(width * rng.uniform(0.25, 0.4))
    name = str(rng.choice(["micrograph", "lattice", "diffraction", "plot"]))
    kind, small = draw_content(rng, name, h, w, pool)
    margin = int(rng.choice([0, 3, 6]))
    x = width - w - margin if rng.random() < 0.7 else margin
    y = margin if rng.random() < 0.6 else height - h - margin
    if rng.random() < 0.6:
        edge = int(rng.choice([0, 255]))
        small[:2], small[-2:], small[:, :2], small[:, -2:] = edge, edge, edge, edge
    picture[y : y + h, x : x + w] = small
    return Box(x, y, x + w, y + h), kind


def _print_letter(rng: Generator, page: Rgb, box: Box, text: str, style: LetterStyle, *, inside: bool) -> Box:
    image = Image.fromarray(page)
    pen = ImageDraw.Draw(image)
    face = style.font()
    left, top, right, bottom = (round(v) for v in face.getbbox(text))
    w, h = right - left, bottom - top
    pad = max(2, style.size_px // 4) if inside else 0
    x = box.x0 + pad if style.corner != "tr" or not inside else box.x1 - pad - w
    y = box.y0 + pad if style.corner != "bl" or not inside else box.y1 - pad - h
    around = page[max(0, y) : y + h, max(0, x) : x + w]
    bright = float(around.mean()) > 140 if around.size else True
    ink = (0, 0, 0) if bright else (255, 255, 255)
    if inside and style.place == "boxed":
        ground = (255, 255, 255) if bright else (0, 0, 0)
        pen.rectangle([x - pad, y - pad, x + w + pad, y + h + pad], fill=ground)
    pen.text((x - left, y - top), text, fill=ink, font=face)
    page[:] = np.asarray(image)
    return Box(x, y, x + w, y + h)
