"""The sample article: a made-up publication whose every panel, scale and particle is known.

``python -m imagedataextractor.artificial.article --out data/sample`` writes it: JATS XML, its figure
files and truth.json. The article is about nothing that exists; its DOI has the prefix 10.5555, which is
kept for tests.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import click
import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from imagedataextractor.artificial.lettering import font
from imagedataextractor.artificial.micrographs import Micrograph, draw_micrograph
from imagedataextractor.measurement import measure_particles
from imagedataextractor.records import Box, ParticleTable

__all__ = ["DOI", "draw_sample_article"]

DOI = "10.5555/ide-sample.1"

#: The seed of the article in data/sample.
SEED = 2021

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Plan:
    """One panel to draw: a micrograph by the arguments of `draw_micrograph`, or a plot by its name."""

    letter: str | None
    shape: tuple[int, int]
    technique: str | None = None
    look: dict[str, Any] = field(default_factory=dict)
    plot: str | None = None
    inset: _Plan | None = None
    bar_without_text: bool = False
    seed: int = 0


@dataclass(frozen=True)
class _Drawn:
    plan: _Plan
    image: Grey
    nm_per_px: float | None = None
    bar_px: float | None = None
    bar_text: str | None = None
    particles: ParticleTable = field(default_factory=lambda: ParticleTable({}))
    inset: tuple[Box, _Drawn] | None = None


@dataclass(frozen=True)
class _FigurePlan:
    """One figure: rows of panels, the paper between them, and how letters are printed."""

    name: str
    rows: tuple[tuple[_Plan, ...], ...]
    gutter: int
    paper: int
    letters: str
    caption: str


def _sem(shape: tuple[int, int], letter: str | None, seed: int, **look: Any) -> _Plan:
    return _Plan(letter, shape, "SEM", {"kind": "sem", **look}, seed=seed)


def _tem(shape: tuple[int, int], letter: str | None, seed: int, **look: Any) -> _Plan:
    return _Plan(letter, shape, "TEM", {"kind": "tem", "info_bar": None, **look}, seed=seed)


def _figure_plans() -> list[_FigurePlan]:
    spheres = _sem(
        (440, 580),
        "a",
        5,
        family="sphere",
        arrangement="touching",
        median_diameter_px=58.0,
        spread=0.05,
        coverage=0.5,
        nm_per_px=6.4,
        info_bar="zeiss",
    )
    pile = _sem(
        (440, 580),
        "b",
        105,
        family="sphere",
        arrangement="pile",
        median_diameter_px=84.0,
        spread=0.12,
        coverage=0.9,
        nm_per_px=11.0,
        scale_bar="plain",
        info_bar=None,
    )
    shadows = _tem(
        (440, 580),
        "c",
        202,
        family="sphere",
        arrangement="overlapping",
        median_diameter_px=70.0,
        spread=0.06,
        coverage=0.35,
        nm_per_px=5.2,
        scale_bar="capped",
    )
    gold = _tem(
        (460, 460),
        "a",
        300,
        family="sphere",
        arrangement="scattered",
        median_diameter_px=22.0,
        spread=0.1,
        coverage=0.14,
        nm_per_px=0.55,
        scale_bar="boxed",
    )
    close = _tem(
        (150, 150),
        None,
        504,
        family="rod",
        arrangement="scattered",
        median_diameter_px=46.0,
        spread=0.05,
        coverage=0.2,
        nm_per_px=0.42,
        scale_bar="thin",
    )
    rods = _tem(
        (460, 460),
        "b",
        404,
        family="rod",
        arrangement="clusters",
        median_diameter_px=36.0,
        spread=0.1,
        coverage=0.2,
        nm_per_px=0.95,
        scale_bar="outlined",
    )
    rods = _Plan(rods.letter, rods.shape, rods.technique, rods.look, inset=close, seed=rods.seed)
    cubes = _tem(
        (460, 460),
        "c",
        605,
        family="cube",
        arrangement="touching",
        median_diameter_px=44.0,
        spread=0.08,
        coverage=0.25,
        nm_per_px=1.25,
    )
    cubes = _Plan(cubes.letter, cubes.shape, cubes.technique, cubes.look, bar_without_text=True, seed=cubes.seed)
    facets = _sem(
        (420, 560),
        "a",
        702,
        family="octahedron",
        arrangement="overlapping",
        median_diameter_px=64.0,
        spread=0.2,
        coverage=0.5,
        nm_per_px=14.0,
        info_bar="hitachi",
    )
    bright = _Plan(
        "b",
        (420, 560),
        "STEM",
        {
            "kind": "stem",
            "info_bar": None,
            "family": "sphere",
            "arrangement": "scattered",
            "median_diameter_px": 30.0,
            "spread": 0.25,
            "coverage": 0.15,
            "nm_per_px": 0.36,
            "scale_bar": "plain",
        },
        seed=804,
    )
    grains = _sem(
        (480, 640),
        None,
        902,
        family="polyhedron",
        arrangement="scattered",
        median_diameter_px=72.0,
        spread=0.2,
        coverage=0.3,
        nm_per_px=20.0,
        scale_bar=None,
        info_bar=None,
    )
    return [
        _FigurePlan(
            "g001.jpg",
            ((spheres, pile), (shadows, _Plan("d", (440, 580), plot="sizes"))),
            14,
            255,
            "({})",
            "Scanning electron micrographs of silica spheres made with (<bold>a</bold>) 2.0 mL and (<bold>b</bold>) "
            "4.0 mL of ammonia, (<bold>c</bold>) TEM image of a third batch, and (<bold>d</bold>) size distribution "
            "of the spheres in (a). The mean diameters are {a} nm for (a) and {c} nm for (c).",
        ),
        _FigurePlan(
            "g002.png",
            ((gold, rods, cubes),),
            0,
            255,
            "boxed",
            "TEM images of gold particles after different times of growth: (<bold>a</bold>) seeds of {a} nm, "
            "(<bold>b</bold>) rods, the inset shows them at higher magnification, and (<bold>c</bold>) cubes. "
            "The scale bar in (c) is {bar_c}.",
        ),
        _FigurePlan(
            "g003.jpg",
            ((facets, bright),),
            8,
            0,
            "{}",
            "(<bold>a</bold>) FE-SEM image of iron oxide octahedra and (<bold>b</bold>) HAADF-STEM image of platinum "
            "particles on carbon.",
        ),
        _FigurePlan(
            "g004.png",
            ((_Plan("a", (380, 520), plot="diffractogram"), _Plan("b", (380, 520), plot="spectrum")),),
            10,
            255,
            "({})",
            "(<bold>a</bold>) XRD pattern of the iron oxide and (<bold>b</bold>) UV-vis spectrum of the gold sol.",
        ),
        _FigurePlan(
            "g005.jpg",
            ((grains,),),
            0,
            255,
            "",
            "SEM image of the calcined powder.",
        ),
    ]


# ---------------------------------------------------------------- panels


def _draw_panel(plan: _Plan, seed: int, sizes: Sequence[float], letters: str = "") -> _Drawn:
    if plan.plot is not None:
        return _Drawn(plan, _draw_plot(plan.plot, plan.shape, sizes, np.random.default_rng([seed, plan.seed])))
    look = dict(plan.look)
    if plan.bar_without_text:
        look["scale_bar"] = None
    micrograph = draw_micrograph(np.random.default_rng([seed, plan.seed]), shape=plan.shape, letter=None, **look)
    scale, bar = micrograph.nm_per_px, micrograph.scale_bar
    image, annotation = micrograph.image.copy(), _covered(micrograph)
    bar_px, bar_text = (None, None) if bar is None else (bar.length_px, bar.text)
    if bar is None and look.get("scale_bar", "") is None and not plan.bar_without_text:
        scale = None  # nothing printed tells it: the truth for a reader of the figure
    if plan.bar_without_text and scale is not None:
        length = round(50 / scale)
        y, x = plan.shape[0] - 24, plan.shape[1] - 24 - length
        image[y : y + 6, x : x + length] = 255 if image[y - 10 : y + 16, x:].mean() < 140 else 0
        scale, bar_px = 50 / length, float(length)
    inset = None
    if plan.inset is not None:
        small = _draw_panel(plan.inset, seed, sizes)
        h, w = small.image.shape
        box = Box(plan.shape[1] - w - 3, 3, plan.shape[1] - 3, h + 3)
        image[box.y0 - 3 : box.y1 + 3, box.x0 - 3 : box.x1 + 3] = 255
        image[box.slices] = small.image
        annotation[box.y0 - 3 : box.y1 + 3, box.x0 - 3 : box.x1 + 3] = True
        inset = (box, small)
    if letters == "boxed" and plan.letter is not None:
        annotation[_letter_box(plan).slices] = True
    hidden = np.where(annotation, 0, micrograph.label_map)
    particles = measure_particles(hidden, nm_per_px=scale, annotation=annotation)
    return _Drawn(plan, image, scale, bar_px, bar_text, particles, inset)


def _covered(micrograph: Micrograph) -> npt.NDArray[np.bool_]:
    """What hides particles: the data bar. (Thin printing does not: a person sees what is below.)"""
    mask = np.zeros(micrograph.image.shape, bool)
    if micrograph.info_bar is not None:
        mask[micrograph.info_bar.slices] = True
    return mask


def _draw_plot(name: str, shape: tuple[int, int], sizes: Sequence[float], rng: np.random.Generator) -> Grey:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(shape[1] / 100, shape[0] / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.17, 0.17, 0.78, 0.77))
    if name == "sizes":
        axes.hist(sizes, bins=10, color="0.6", edgecolor="black")
        axes.set(xlabel="Diameter (nm)", ylabel="Frequency")
    elif name == "diffractogram":
        angle = np.linspace(20, 70, 1200)
        peaks = [(30.1, 0.3), (35.4, 1.0), (43.1, 0.22), (53.4, 0.1), (57.0, 0.3), (62.6, 0.4)]
        signal = sum(height * np.exp(-(((angle - at) / 0.28) ** 2)) for at, height in peaks)
        axes.plot(angle, signal + rng.normal(0.06, 0.012, angle.size), color="black", linewidth=0.8)
        axes.set(xlabel="2θ (degree)", ylabel="Intensity (a.u.)", yticks=[])
    else:
        wavelength = np.linspace(400, 800, 400)
        signal = 0.25 + 0.2 * (800 - wavelength) / 400 + 0.7 * np.exp(-(((wavelength - 522) / 38) ** 2))
        axes.plot(wavelength, signal, color="black")
        axes.set(xlabel="Wavelength (nm)", ylabel="Absorbance", xlim=(400, 800), ylim=(0, 1.3))
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2GRAY), np.uint8)


# ---------------------------------------------------------------- figures


def _compose(plan: _FigurePlan, drawn: dict[_PanelKey, _Drawn]) -> tuple[Grey, list[tuple[Box, _Drawn]]]:
    """The page of a figure, and where each panel lies on it."""
    heights = [max(panel.shape[0] for panel in row) for row in plan.rows]
    widths = [sum(panel.shape[1] for panel in row) + plan.gutter * (len(row) - 1) for row in plan.rows]
    margin = plan.gutter
    page = np.full(
        (sum(heights) + plan.gutter * (len(heights) - 1) + 2 * margin, max(widths) + 2 * margin), plan.paper, np.uint8
    )
    placed = []
    y = margin
    for row_index, row in enumerate(plan.rows):
        x = margin
        for column_index, panel in enumerate(row):
            box = Box(x, y, x + panel.shape[1], y + panel.shape[0])
            done = drawn[(row_index, column_index)]
            page[box.slices] = done.image
            placed.append((box, done))
            x += panel.shape[1] + plan.gutter
        y += heights[row_index] + plan.gutter
    return _with_letters(page, plan, placed), placed


_PanelKey = tuple[int, int]


#: Distance of a letter from its panel's corner, px.
_LETTER_MARGIN = 8


def _letter_face(panel: _Plan, letters: str) -> ImageFont.FreeTypeFont:
    return font("serif-bold" if letters == "{}" else "sans-bold", round(0.085 * panel.shape[0]))


def _letter_box(panel: _Plan) -> Box:
    """The filled box in the panel's upper left corner that holds a boxed letter."""
    left, upper, right, lower = (int(edge) for edge in _letter_face(panel, "boxed").getbbox(panel.letter or ""))
    return Box(0, 0, right - left + 2 * _LETTER_MARGIN, lower - upper + 2 * _LETTER_MARGIN)


def _with_letters(page: Grey, plan: _FigurePlan, placed: list[tuple[Box, _Drawn]]) -> Grey:
    canvas = Image.fromarray(page)
    pen = ImageDraw.Draw(canvas)
    for box, done in placed:
        letter = done.plan.letter
        if letter is None:
            continue
        text = letter if plan.letters == "boxed" else plan.letters.format(letter)
        face = _letter_face(done.plan, plan.letters)
        left, upper, _, _ = face.getbbox(text)
        x, y = box.x0 + _LETTER_MARGIN, box.y0 + _LETTER_MARGIN
        if plan.letters == "boxed":
            back = _letter_box(done.plan).shifted(box.x0, box.y0)
            pen.rectangle((back.x0, back.y0, back.x1 - 1, back.y1 - 1), fill=255)
            ink = 0
        else:
            ink = 0 if page[y : y + 40, x : x + 40].mean() > 140 else 255
        pen.text((x - left, y - upper), text, font=face, fill=ink)
    return np.asarray(canvas, np.uint8)


# ---------------------------------------------------------------- words


def _size_words(particles: ParticleTable) -> str:
    sizes = np.array([p.ecd_nm for p in particles if p.accepted and p.ecd_nm is not None])
    if len(sizes) < 2:
        return "unknown"
    digits = 0 if sizes.mean() >= 100 else 1
    return f"{sizes.mean():.{digits}f} ± {sizes.std(ddof=1):.{digits}f}"


def _caption(plan: _FigurePlan, placed: list[tuple[Box, _Drawn]]) -> str:
    words: dict[str, str] = {}
    for _, done in placed:
        letter = done.plan.letter or ""
        words[letter] = _size_words(done.particles)
        words[f"bar_{letter}"] = "50 nm"
    return plan.caption.format(**words)


def _jats(captions: Sequence[tuple[str, str]]) -> str:
    """The article's XML; `captions` are pairs of file name and caption (with its markup)."""
    figures = "\n".join(
        f'<fig id="fig{number}" position="float"><label>Figure {number}</label><caption><p>{caption}</p></caption>'
        f'<graphic xlink:href="{escape(name)}"/></fig>'
        for number, (name, caption) in enumerate(captions, start=1)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE article
  PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Publishing DTD v1.2 20190208//EN" "JATS-journalpublishing1.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="research-article" xml:lang="en">
<front>
<journal-meta><journal-title-group><journal-title>Synthetic Samples</journal-title></journal-title-group></journal-meta>
<article-meta>
<article-id pub-id-type="doi">{DOI}</article-id>
<title-group><article-title>Particles of silica, gold and iron oxide that never existed: a synthetic article with known
truth</article-title></title-group>
<contrib-group><contrib contrib-type="author"><collab>ImageDataExtractor</collab></contrib></contrib-group>
<pub-date pub-type="epub"><year>2026</year></pub-date>
<permissions><license xlink:href="https://creativecommons.org/publicdomain/zero/1.0/"><license-p>CC0 1.0: every picture
and number here was drawn by a program.</license-p></license></permissions>
<abstract><p>Every micrograph in this article is synthetic. Scales, particle counts and particle sizes are written in
truth.json beside it, so that what is measured can be compared with what was drawn.</p></abstract>
</article-meta>
</front>
<body>
<sec><title>Results</title>
<p>Silica spheres of two batches were imaged by SEM (<xref ref-type="fig" rid="fig1">Figure 1</xref>); a third batch was
imaged by TEM. Gold was grown from seeds into rods and cubes (<xref ref-type="fig" rid="fig2">Figure 2</xref>). Iron
oxide and platinum on carbon are shown in <xref ref-type="fig" rid="fig3">Figure 3</xref>, diffraction and absorption in
<xref ref-type="fig" rid="fig4">Figure 4</xref>, and a powder imaged without a scale bar in
<xref ref-type="fig" rid="fig5">Figure 5</xref>.</p>
{figures}
</sec>
</body>
</article>
"""


# ---------------------------------------------------------------- truth


def _panel_truth(box: Box, done: _Drawn, index: int, parent: int | None) -> dict[str, Any]:
    whole = [p for p in done.particles if p.accepted]
    ecds = [p.ecd_nm for p in whole if p.ecd_nm is not None]
    return {
        "index": index,
        "parent": parent,
        "letter": done.plan.letter,
        "box": [box.x0, box.y0, box.x1, box.y1],
        "kind": "plot" if done.plan.plot else "em",
        "technique": done.plan.technique,
        "nm_per_px": done.nm_per_px,
        "bar_px": done.bar_px,
        "bar_text": done.bar_text,
        "particle_count": len(done.particles),
        "whole_count": len(whole),
        "median_ecd_px": float(np.median([p.ecd_px for p in whole])) if whole else None,
        "median_ecd_nm": float(np.median(ecds)) if ecds else None,
        "particles": [
            {
                "x_px": round(p.x_px, 2),
                "y_px": round(p.y_px, 2),
                "ecd_px": round(p.ecd_px, 3),
                "ecd_nm": None if p.ecd_nm is None else round(p.ecd_nm, 3),
                "whole": p.accepted,
            }
            for p in done.particles
        ],
    }


def _figure_truth(plan: _FigurePlan, number: int, placed: list[tuple[Box, _Drawn]]) -> dict[str, Any]:
    panels = [_panel_truth(box, done, index, None) for index, (box, done) in enumerate(placed)]
    for index, (box, done) in enumerate(placed):
        if done.inset is not None:
            inner, small = done.inset
            panels.append(_panel_truth(inner.shifted(box.x0, box.y0), small, len(panels), index))
    return {"label": f"Figure {number}", "file": f"ide-sample-1-{plan.name}", "panels": panels}


def draw_sample_article(folder: str | Path, seed: int = SEED) -> Path:
    """Write the sample article.

    Parameters
    ----------
    folder : path
        Made where it is missing; files of the same names are overwritten.
    seed : int
        Another seed, another article with the same layout.

    Returns
    -------
    Path
        The XML file. Beside it are its figure files and truth.json: one object a figure, holding its
        panels with box (in pixels of the figure, half-open), letter, kind, scale, and every particle's
        place in the panel and ECD; ``whole`` is false where the frame, the data bar or an inset cuts
        the particle off.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    captions, truths = [], []
    for number, plan in enumerate(_figure_plans(), start=1):
        sizes: list[float] = []
        drawn: dict[_PanelKey, _Drawn] = {}
        for i, row in enumerate(plan.rows):
            for j, panel in enumerate(row):
                drawn[(i, j)] = _draw_panel(panel, seed, sizes, plan.letters)
                sizes = sizes or [p.ecd_nm for p in drawn[(i, j)].particles if p.accepted and p.ecd_nm is not None]
        page, placed = _compose(plan, drawn)
        name = f"ide-sample-1-{plan.name}"
        Image.fromarray(page).save(out / name, **({"quality": 88} if name.endswith(".jpg") else {"optimize": True}))
        captions.append((name, _caption(plan, placed)))
        truths.append(_figure_truth(plan, number, placed))
    (out / "truth.json").write_text(json.dumps({"doi": DOI, "seed": seed, "figures": truths}, indent=1) + "\n")
    path = out / "ide-sample-1.xml"
    path.write_text(_jats(captions), encoding="utf-8")
    return path


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("data/sample"), show_default=True)
@click.option("--seed", type=int, default=SEED, show_default=True)
def _main(out: Path, seed: int) -> None:
    """Write the sample article: JATS, figures and truth.json."""
    click.echo(draw_sample_article(out, seed))


if __name__ == "__main__":
    _main()
