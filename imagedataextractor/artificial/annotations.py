"""What is printed over a micrograph: scale bars, the instrument's data bar, panel letters, arrows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from imagedataextractor.artificial.databars import MAKERS, draw_data_bar
from imagedataextractor.artificial.lettering import font, length_words, nice_length
from imagedataextractor.records import Box, ScaleBar

__all__ = ["draw_arrow", "draw_info_bar", "draw_letter", "draw_scale_bar"]


def draw_scale_bar(
    rng: np.random.Generator,
    image: npt.NDArray[np.uint8],
    nm_per_px: float,
    *,
    style: str | None = None,
    colour: int | None = None,
    font_name: str | None = None,
    length_nm: float | None = None,
    corner: str | None = None,
) -> tuple[npt.NDArray[np.uint8], ScaleBar, npt.NDArray[np.bool_]]:
    """Draw a scale bar into a corner.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses whatever is not given.
    image : uint8 array, shape (H, W)
    nm_per_px : float
        The picture's scale.
    style : {"plain", "capped", "boxed", "outlined", "dots", "thin"}, optional
    colour : int, optional
        Grey value of bar and text; by default black or white, whichever shows.
    font_name : str, optional
        A key of `FONTS`.
    length_nm : float, optional
        Printed length; by default a round one of a tenth to a third of the width.
    corner : {"lower left", "lower right", "upper left", "upper right"}, optional

    Returns
    -------
    image : uint8 array, shape (H, W)
    bar : ScaleBar
        The truth: ends, middle line, text and scale. The drawn length is a whole number of pixels,
        so that ``bar.nm_per_px`` is what a perfect reader finds; it differs from `nm_per_px` by the
        rounding alone.
    covered : bool array, shape (H, W)
        The pixels drawn over.
    """
    height, width = image.shape
    length_nm = length_nm or nice_length(nm_per_px, width * rng.uniform(0.1, 0.3))
    length = max(6, round(length_nm / nm_per_px))
    value, unit, text = length_words(rng, length_nm)
    style = style or str(rng.choice(["plain", "plain", "plain", "capped", "boxed", "outlined", "dots", "thin"]))
    size = max(9, round(height * rng.uniform(0.035, 0.075)))
    face = font(font_name or str(rng.choice(["sans", "sans-bold", "serif-bold", "sans-bold", "serif"])), size)
    thick = 1 if style == "thin" else max(2, round(height * rng.uniform(0.006, 0.02)))
    left, upper, right, lower = face.getbbox(text)
    text_w, text_h = int(right - left), int(lower - upper)
    gap = max(2, size // 5)
    beside = style == "capped" and rng.random() < 0.5
    block_w = length + gap * 2 + text_w if beside else max(length, text_w)
    block_h = max(thick * 3, text_h) if beside else text_h + gap + thick
    corner = corner or str(rng.choice(["lower right", "lower right", "lower left", "lower left", "upper right"]))
    margin = max(4, round(0.03 * width))
    ox = margin if "left" in corner else max(1, width - margin - block_w)
    oy = margin if "upper" in corner else max(1, height - margin - block_h)
    if beside:
        bx, by, tx, ty = ox, oy + block_h // 2 - thick // 2, ox + length + 2 * gap, oy + (block_h - text_h) // 2
    else:
        above = rng.random() < 0.7
        bx, tx = ox + (block_w - length) // 2, ox + (block_w - text_w) // 2
        by, ty = (oy + text_h + gap, oy) if above else (oy, oy + thick + gap)
    patch = image[oy : oy + block_h, ox : ox + block_w]
    if colour is None:
        colour = 0 if patch.size and float(patch.mean()) > 140 else 255
    canvas = Image.fromarray(image)
    cover = Image.new("1", (width, height), 0)
    for pen, ink, back in ((ImageDraw.Draw(canvas), colour, 255 - colour), (ImageDraw.Draw(cover), 1, 1)):
        if style == "boxed":
            pen.rectangle((ox - gap, oy - gap, ox + block_w + gap, oy + block_h + gap), fill=back)
        if style == "outlined":
            pen.rectangle((bx - 1, by - 1, bx + length, by + thick), fill=back)
        if style == "dots":
            for x in np.linspace(bx, bx + length, 11):
                pen.rectangle((round(x), by, round(x), by + max(thick, size // 3)), fill=ink)
        else:
            pen.rectangle((bx, by, bx + length - 1, by + thick - 1), fill=ink)
        if style == "capped":
            for x in (bx, bx + length - 1):
                pen.line((x, by - thick - 2, x, by + 2 * thick + 2), fill=ink)
        stroke = 1 if style == "outlined" else 0
        pen.text((tx - left, ty - upper), text, font=face, fill=ink, stroke_width=stroke, stroke_fill=back)
    half = 0.5 if style == "dots" else 0.0  # a row of ticks is as long as from tick to tick, middle to middle
    bar = ScaleBar(
        value=value,
        unit=unit,
        length_px=float(length),
        x0=bx + half,
        x1=bx + length + half,
        y=by + (max(thick, size // 3) + 1 if style == "dots" else thick) / 2,
        nm_per_px=length_nm / length,
        confidence=1.0,
        text=text,
        source="bar",
        text_box=Box(tx, ty, tx + text_w, ty + text_h),
        bar_box=Box(bx, by, bx + length, by + thick),
    )
    return np.asarray(canvas, np.uint8), bar, np.asarray(cover, bool)


def draw_info_bar(
    rng: np.random.Generator, image: npt.NDArray[np.uint8], nm_per_px: float, *, style: str | None = None
) -> tuple[npt.NDArray[np.uint8], ScaleBar, Box]:
    """Draw an instrument's data bar over the foot of the picture, scale bar included.

    The wording follows the usual makes of microscope (`style` "zeiss", "fei", "hitachi", "jeol"; more of them are
    in `databars.MAKERS`, whose names are styles too).

    Returns
    -------
    image : uint8 array, shape (H, W)
    bar : ScaleBar
        The scale bar inside it.
    box : Box
        Where the data bar lies.
    """
    if style in MAKERS:
        return draw_data_bar(rng, image, nm_per_px, maker=style)
    height, width = image.shape
    style = style or str(rng.choice(["zeiss", "fei", "hitachi", "jeol"]))
    tall = max(14, round(height * rng.uniform(0.055, 0.095)))
    top = height - tall
    white = style == "zeiss" and rng.random() < 0.6
    back, ink = (int(rng.integers(225, 256)), 0) if white else (int(rng.integers(0, 30)), 255)
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((0, top, width, height), fill=back)
    size = max(8, round(tall * (0.36 if style in ("zeiss", "fei") else 0.5)))
    face = font("sans" if style != "jeol" else "sans-bold", size)
    length_nm = nice_length(nm_per_px, width * rng.uniform(0.1, 0.2))
    length = max(6, round(length_nm / nm_per_px))
    value, unit, text = length_words(rng, length_nm, "µm")
    kv, mag = float(rng.choice([2, 5, 10, 15, 20])), 1.2e8 / (nm_per_px * width)
    wd = rng.uniform(4, 12)
    words = {
        "zeiss": f"EHT = {kv:.2f} kV   Signal A = InLens\nWD = {wd:.1f} mm   Mag = {mag / 1000:.2f} K X",
        "fei": f"HV {kv:.1f} kV | WD {wd:.1f} mm\ndet ETD | mag {mag:,.0f} x",
        "hitachi": f"S4800 {kv:.1f}kV {wd:.1f}mm x{mag / 1000:.1f}k SE(M)",
        "jeol": f"SEI  {kv:.1f}kV  X{round(mag, -2):,.0f}  WD {wd:.1f}mm",
    }[style]
    bar_right = style in ("hitachi", "jeol", "fei")
    bx = width - length - max(6, width // 40) if bar_right else max(6, width // 40)
    tx = max(4, width // 60) if bar_right else bx + length + max(10, width // 25)
    free = (bx - tx if bar_right else width - tx) - 8
    while size > 6 and pen.multiline_textbbox((0, 0), words, font=face)[2] > free:
        size -= 1
        face = font("sans" if style != "jeol" else "sans-bold", size)
    pen.multiline_text((tx, top + tall * 0.1), words, font=face, fill=ink, spacing=1)
    left, upper, right, _ = face.getbbox(text)
    text_x = bx + (length - (right - left)) // 2
    by = top + round(tall * 0.68)
    pen.text((text_x - left, top + round(tall * 0.12) - upper), text, font=face, fill=ink)
    if style == "hitachi":
        for x in np.linspace(bx, bx + length, 11):
            pen.line((round(x), by, round(x), by + max(2, tall // 6)), fill=ink)
    else:
        pen.rectangle((bx, by, bx + length - 1, by + max(1, tall // 14)), fill=ink)
        for x in (bx, bx + length - 1):
            pen.line((x, by - tall // 8, x, by + tall // 8 + 1), fill=ink)
    half = 0.5 if style == "hitachi" else 0.0
    bar = ScaleBar(
        value=value,
        unit=unit,
        length_px=float(length),
        x0=bx + half,
        x1=bx + length + half,
        y=float(by) + 1.0,
        nm_per_px=length_nm / length,
        confidence=1.0,
        text=text,
        source="bar",
    )
    return np.asarray(canvas, np.uint8), bar, Box(0, top, width, height)


def draw_letter(
    rng: np.random.Generator,
    image: npt.NDArray[np.uint8],
    letter: str | None = None,
    *,
    boxed: bool | None = None,
    left: bool | None = None,
) -> tuple[npt.NDArray[np.uint8], Box, bool]:
    """Print a panel letter in an upper corner, the left one if `left`; what is not given is chosen.

    Returns
    -------
    image : uint8 array, shape (H, W)
    box : Box
        Where the letter is.
    boxed : bool
        It stands on a filled box, which hides what is below.
    """
    height, width = image.shape
    if letter is None:
        plain = str(rng.choice(list("abcdefghABCDEF")))
        letter = str(rng.choice([plain, f"({plain})", f"({plain})", f"{plain})"]))
    size = max(10, round(height * rng.uniform(0.06, 0.12)))
    face = font(str(rng.choice(["sans-bold", "serif-bold", "sans", "serif"])), size)
    start, upper, end, lower = (int(edge) for edge in face.getbbox(letter))
    margin = max(2, round(width * rng.uniform(0.01, 0.04)))
    x = margin if (rng.random() < 0.85 if left is None else left) else width - margin - (end - start)
    box = Box(x, margin, x + end - start, margin + lower - upper)
    boxed = bool(rng.random() < 0.15) if boxed is None else boxed
    patch = image[box.slices]
    ink = 0 if patch.size and float(patch.mean()) > 140 else 255
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    if boxed:
        ink = 0
        box = Box(max(box.x0 - 4, 0), max(box.y0 - 4, 0), box.x1 + 4, box.y1 + 4)
        pen.rectangle((box.x0, box.y0, box.x1 - 1, box.y1 - 1), fill=255)
    pen.text((x - start, margin - upper), letter, font=face, fill=ink)
    return np.asarray(canvas, np.uint8), box, boxed


def draw_arrow(rng: np.random.Generator, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Point an arrow at something, as authors do."""
    height, width = image.shape
    tip = rng.uniform(0.15, 0.85, 2) * (width, height)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    size = rng.uniform(0.02, 0.05) * height
    tail = tip + along * size * rng.uniform(2, 4)
    ink = 255 if rng.random() < 0.6 else 0
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    pen.line([tuple(tail), tuple(tip + along * size * 0.7)], fill=ink, width=max(1, round(size / 4)))
    pen.polygon(
        [tuple(tip), tuple(tip + along * size + across * size / 2), tuple(tip + along * size - across * size / 2)],
        fill=ink,
    )
    return np.asarray(canvas, np.uint8)
