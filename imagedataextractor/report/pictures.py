"""Pictures of results: particles drawn over their micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from imagedataextractor.errors import InputError
from imagedataextractor.images import load_image, sha256_of, to_rgb
from imagedataextractor.records import Particle, ParticleTable, Reason, ScaleBar
from imagedataextractor.written import save_marked

if TYPE_CHECKING:
    from imagedataextractor.report.rows import ReportPanel

__all__ = ["COLOURS", "draw_overlay", "overlay", "panel_pixels", "particle_crop", "picture_pixels", "state_of"]

#: Colour of each state of a particle, and of the scale bar: hues that colour-blind readers tell
#: apart too (M. Okabe and K. Ito, Color Universal Design, 2008), brightened for grey pictures.
COLOURS: dict[str, str] = {
    "accepted": "#1fd18a",
    Reason.BORDER: "#56b4e9",
    Reason.UNCERTAIN: "#f0a020",
    Reason.ANNOTATION: "#b0b0b0",
    "scale bar": "#ff4fa3",
}

#: Width that small pictures are enlarged towards, px, so that outlines stay thinner than particles.
_GOOD_WIDTH = 1000
_MOST_ENLARGED = 4

#: What is shown around a single particle: this share of its size, and at least so much; the width, px, towards which
#: such a crop is enlarged.
_MARGIN_SHARE, _LEAST_MARGIN_PX = 0.75, 10.0
_CROP_WIDTH, _CROP_MOST_ENLARGED = 500, 12

#: Of outlines, px of the enlarged picture.
_THICKNESS = 2

#: Of the numbers in particles, in units of OpenCV's font (about 21 px high): above the smallest they can be
#: read, and a number fills this share of its particle's width.
_FACE = cv2.FONT_HERSHEY_SIMPLEX
_SMALLEST_NUMBER, _LARGEST_NUMBER, _NUMBER_SHARE = 0.3, 0.55, 0.8

#: Bits behind the point in OpenCV's drawing coordinates.
_SHIFT = 4


def state_of(particle: Particle) -> str:
    """Which colour a particle gets: "accepted", "border", "uncertain", or "annotation" for any other reason."""
    if particle.accepted:
        return "accepted"
    return particle.reason if particle.reason in COLOURS else Reason.ANNOTATION


def overlay(
    image: npt.NDArray[np.uint8],
    particles: ParticleTable,
    scalebar: ScaleBar | None = None,
    *,
    numbers: bool = True,
) -> npt.NDArray[np.uint8]:
    """The outlines and numbers of particles, the measured scale bar and a legend over a panel.

    Parameters
    ----------
    image : uint8 array, shape (H, W) or (H, W, 3)
        The panel; pictures narrower than 1000 px are enlarged by a whole factor k.
    particles : ParticleTable
        Their contours are in pixels of `image`; one colour each for accepted, border, uncertain and
        others.
    scalebar : ScaleBar or None
        In pixels of `image`; drawn where its ends are known.
    numbers : bool
        Write the label of each accepted particle into it, where it is large enough to hold it.

    Returns
    -------
    uint8 array, shape (k·H + legend, k·W, 3)
    """
    factor = int(np.clip(_GOOD_WIDTH // image.shape[1], 1, _MOST_ENLARGED))
    canvas = np.repeat(np.repeat(to_rgb(image), factor, axis=0), factor, axis=1)
    for particle in particles:
        _outline(canvas, particle.contour, factor, _rgb(COLOURS[state_of(particle)]))
    if numbers:
        for particle in particles:
            if particle.accepted:
                _number(canvas, particle, factor)
    if scalebar is not None:
        _mark_bar(canvas, scalebar, factor)
    return _with_legend(canvas, particles, scalebar)


def draw_overlay(
    image: npt.NDArray[np.uint8],
    particles: ParticleTable,
    scalebar: ScaleBar | None,
    path: str | Path,
) -> None:
    """Write `overlay` as a PNG file; its folder is made where it is missing.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save_marked(Image.fromarray(overlay(image, particles, scalebar)), target)
    except OSError as error:
        raise InputError(f"{target}: the overlay cannot be written ({error.strerror or error})") from error


def picture_pixels(image_path: str | None, image_sha256: str | None, page: int | None) -> npt.NDArray[np.uint8]:
    """The picture that a row of the database tells of, as it was when it was measured.

    Parameters
    ----------
    image_path, image_sha256 : str or None
    page : int or None
        Which page of the file it is; None in rows of older versions: the one that is the picture.

    Raises
    ------
    InputError
        It was not kept, is not at hand, cannot be read or is another one now.
    """
    if image_path is None:
        raise InputError("picture not kept")
    path = Path(image_path)
    if not path.is_file():
        raise InputError(f"picture not at hand: {path}")
    if image_sha256 is not None and sha256_of(path) != image_sha256:
        raise InputError(f"picture has changed since: {path}")
    return load_image(path, page)


def panel_pixels(panel: ReportPanel) -> npt.NDArray[np.uint8]:
    """A panel cut out of its picture. See `picture_pixels`."""
    pixels: npt.NDArray[np.uint8] = picture_pixels(panel.image_path, panel.image_sha256, panel.page)
    return pixels[panel.box.slices]


def particle_crop(image: npt.NDArray[np.uint8], particle: Particle) -> npt.NDArray[np.uint8]:
    """One particle with its outline and its surroundings, enlarged where it is small.

    Parameters
    ----------
    image : uint8 array, shape (H, W) or (H, W, 3)
        The panel.
    particle : Particle
        Its contour is in pixels of `image`.

    Returns
    -------
    uint8 array, shape (h, w, 3)
    """
    points = np.array(particle.contour, float).reshape(-1, 2)
    centre = np.array([[particle.x_px, particle.y_px]])
    points = points if len(points) else centre
    margin = max(_LEAST_MARGIN_PX, _MARGIN_SHARE * float(np.ptp(points, axis=0).max()))
    shape = np.array(image.shape[1::-1])
    x0, y0 = np.clip(np.floor(points.min(0) - margin), 0, shape - 1).astype(int)
    x1, y1 = np.clip(np.ceil(points.max(0) + margin), (x0 + 1, y0 + 1), shape).astype(int)
    factor = int(np.clip(_CROP_WIDTH // max(x1 - x0, y1 - y0), 1, _CROP_MOST_ENLARGED))
    canvas = to_rgb(np.ascontiguousarray(image[y0:y1, x0:x1]))
    canvas = np.repeat(np.repeat(canvas, factor, axis=0), factor, axis=1)
    moved = [(x - x0, y - y0) for x, y in particle.contour]
    _outline(canvas, moved, factor, _rgb(COLOURS[state_of(particle)]))
    return canvas


def _number(canvas: npt.NDArray[np.uint8], particle: Particle, factor: int) -> None:
    """The particle's label at its centre, white with a dark rim, no wider than most of the particle."""
    text = str(particle.label)
    (width, height), _ = cv2.getTextSize(text, _FACE, 1.0, 1)
    scale = min(_LARGEST_NUMBER, _NUMBER_SHARE * particle.feret_min_px * factor / width)
    if scale < _SMALLEST_NUMBER:
        return
    at = (
        round(particle.x_px * factor - scale * width / 2),
        round(particle.y_px * factor + scale * height / 2),
    )
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(canvas, text, at, _FACE, scale, colour, thickness, cv2.LINE_AA)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _outline(
    canvas: npt.NDArray[np.uint8],
    contour: Sequence[tuple[float, float]],
    factor: int,
    colour: tuple[int, int, int],
) -> None:
    if not contour:
        return
    # OpenCV counts from pixel centres, contours from pixel edges
    corners = np.rint((np.array(contour) * factor - 0.5) * 2**_SHIFT).astype(np.int32)
    cv2.polylines(canvas, [corners.reshape(-1, 1, 2)], True, colour, _THICKNESS, cv2.LINE_AA, _SHIFT)


def _mark_bar(canvas: npt.NDArray[np.uint8], bar: ScaleBar, factor: int) -> None:
    if bar.x0 is None or bar.x1 is None or bar.y is None:
        return
    colour = _rgb(COLOURS["scale bar"])
    y = bar.y * factor - 0.5
    tick = max(6.0, 0.012 * canvas.shape[0])
    ends = [(bar.x0 * factor - 0.5, y), (bar.x1 * factor - 0.5, y)]
    lines = [ends, *([(x, y - tick), (x, y + tick)] for x, _ in ends)]
    for line in lines:
        start, end = (tuple(round(v * 2**_SHIFT) for v in point) for point in line)
        cv2.line(canvas, start, end, colour, 2, cv2.LINE_AA, _SHIFT)


def _with_legend(
    canvas: npt.NDArray[np.uint8], particles: ParticleTable, bar: ScaleBar | None
) -> npt.NDArray[np.uint8]:
    """A strip below the picture: how many particles of each state, and the scale."""
    counts = dict.fromkeys(COLOURS, 0)
    for particle in particles:
        counts[state_of(particle)] += 1
    entries = [(f"{n} {state}", COLOURS[state]) for state, n in counts.items() if n or state == "accepted"]
    entries = [entry for entry in entries if not entry[0].endswith("scale bar")]
    if bar is not None and bar.nm_per_px is not None:
        entries.append((f"{bar.nm_per_px:.4g} nm/px", COLOURS["scale bar"]))
    else:
        entries.append(("scale unknown", "#ffffff"))
    size = 18
    face = ImageFont.load_default(size)
    lines = _wrapped(entries, face, canvas.shape[1] - 12)
    strip = Image.new("RGB", (canvas.shape[1], (size + 8) * len(lines) + 4), "#181818")
    pen = ImageDraw.Draw(strip)
    for row, line in enumerate(lines):
        x = 8.0
        for text, colour in line:
            pen.text((x, 4 + row * (size + 8)), text, font=face, fill=colour)
            x += face.getlength(text) + 20
    return np.vstack([canvas, np.asarray(strip, np.uint8)])


def _wrapped(
    entries: list[tuple[str, str]], face: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: float
) -> list[list[tuple[str, str]]]:
    lines: list[list[tuple[str, str]]] = [[]]
    used = 0.0
    for entry in entries:
        needed = face.getlength(entry[0]) + 20
        if lines[-1] and used + needed > width:
            lines.append([])
            used = 0.0
        lines[-1].append(entry)
        used += needed
    return lines
