"""The data bars of more makers, as tables of columns: what is printed, on which ground, in how many lines.

Each maker's bar is a strip below or over the foot of the micrograph, its columns side by side, one of them the
scale bar. Some are ruled, some have a header line above the values, some are white; a bar of several boxes
leaves the micrograph visible between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from imagedataextractor.artificial.lettering import font, length_words, nice_length
from imagedataextractor.records import Box, ScaleBar

__all__ = ["MAKERS", "DataBar", "draw_data_bar"]

#: What stands in the column of the scale bar.
BAR = "|bar|"


@dataclass(frozen=True)
class DataBar:
    """How a maker's bar looks.

    Attributes
    ----------
    columns : sequence of sequences of str
        The lines of each column; `BAR` alone is the scale bar's. Fields: kv, mag, kmag, wd, hfw, det.
    height : (float, float)
        Share of the picture's height, least and most.
    grounds : sequence of int
        Grey levels of the ground, one of which is drawn.
    ruled : bool
        Lines between the columns, and around.
    ends : str
        "caps", "ticks" or "plain": how the scale bar ends.
    """

    columns: Sequence[Sequence[str]]
    height: tuple[float, float] = (0.06, 0.09)
    grounds: Sequence[int] = (0,)
    ruled: bool = False
    ends: str = "caps"


MAKERS: dict[str, DataBar] = {
    "fei-table": DataBar(
        (
            ("HV", "{kv:.2f} kV"),
            ("curr", "0.10 nA"),
            ("mag", "{mag:,.0f} x"),
            ("det", "TLD"),
            ("WD", "{wd:.1f} mm"),
            ("HFW", "{hfw}"),
            (BAR,),
            ("Helios",),
        ),
        height=(0.055, 0.08),
        ruled=True,
    ),
    "tescan": DataBar(
        (
            ("SEM HV: {kv:.1f} kV", "View field: {hfw}", "SEM MAG: {kmag:.2f} kx"),
            ("WD: {wd:.2f} mm", "Det: SE", "Date(m/d/y): 03/12/15"),
            (BAR,),
            ("VEGA3 TESCAN", "", "Performance in nanospace"),
        ),
        height=(0.09, 0.13),
        grounds=(0, 255),
        ruled=True,
    ),
    "jeol-line": DataBar(
        (("x{mag:,.0f}",), ("{kv:.1f}kV", "LED"), ("SEM", "WD {wd:.1f}mm"), (BAR,), ("JEOL", "4/12/2019")),
        height=(0.045, 0.07),
        grounds=(0, 12),
        ends="plain",
    ),
    "hitachi-line": DataBar(
        (("SU8010 {kv:.1f}kV {wd:.1f}mm x{kmag:.1f}k SE(UL)",), (BAR,)), height=(0.04, 0.065), ends="ticks"
    ),
    "zeiss-boxes": DataBar(
        (
            (BAR,),
            ("EHT = {kv:.2f} kV", "WD = {wd:.1f} mm"),
            ("Signal A = SE2", "Photo No. = 1234"),
            ("Date :12 Mar 2015", "Time :15:42:11"),
            ("Mag = {kmag:.2f} K X", "ZEISS"),
        ),
        height=(0.06, 0.09),
        grounds=(255, 0, 240),
        ruled=True,
    ),
    "phenom": DataBar(
        ((BAR,), ("{mag:,.0f} x",), ("{kv:.0f} kV - Image",), ("BSD Full",), ("MAR 12 2019 15:42",)),
        height=(0.035, 0.05),
        grounds=(20, 0),
    ),
    "amt": DataBar(
        (
            ("sample_01.tif", "Print Mag: {mag:,.0f}x @ 7.0 in", "TEM Mode: Imaging"),
            (BAR, "HV={kv100:.0f}.0kV", "Direct Mag: {mag:,.0f}x", "AMT Camera System"),
        ),
        height=(0.10, 0.15),
        grounds=(255,),
        ends="plain",
    ),
}


def draw_data_bar(
    rng: np.random.Generator,
    image: npt.NDArray[np.uint8],
    nm_per_px: float,
    *,
    maker: str,
    appended: bool = False,
) -> tuple[npt.NDArray[np.uint8], ScaleBar, Box]:
    """Draw a maker's data bar at the foot of a micrograph.

    Parameters
    ----------
    rng : numpy.random.Generator
    image : uint8 array, shape (H, W)
    nm_per_px : float
    maker : str
        A key of `MAKERS`.
    appended : bool
        The bar lies below the micrograph and makes the picture taller, instead of over its foot.

    Returns
    -------
    image : uint8 array
    bar : ScaleBar
        The scale bar inside it.
    box : Box
        Where the data bar lies.
    """
    look = MAKERS[maker]
    height, width = image.shape
    tall = max(16, round(height * rng.uniform(*look.height)))
    if appended:
        image = np.concatenate([image, np.zeros((tall, width), np.uint8)])
        height += tall
    top = height - tall
    back = int(rng.choice(look.grounds))
    ink = 0 if back > 127 else 255
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((0, top, width, height), fill=back)
    length_nm = nice_length(nm_per_px, width * rng.uniform(0.1, 0.18))
    length = max(6, round(length_nm / nm_per_px))
    value, unit, text = length_words(rng, length_nm, "µm")
    mag = 1.2e8 / (nm_per_px * width)
    field = nm_per_px * width
    said = {
        "kv": float(rng.choice([2, 5, 10, 15, 20])),
        "kv100": float(rng.choice([80, 100, 120, 200])),
        "mag": round(mag, -1),
        "kmag": mag / 1000,
        "wd": rng.uniform(3, 12),
        "hfw": f"{field / 1000:.2f} µm" if field >= 1000 else f"{field:.0f} nm",
    }
    lines = max(len(column) for column in look.columns)
    size = max(7, round(0.72 * tall / lines)) if lines > 1 else max(8, round(0.55 * tall))
    wanted = [_width(column, said, size, length, text) for column in look.columns]
    while size > 6 and sum(wanted) > width:
        size -= 1
        wanted = [_width(column, said, size, length, text) for column in look.columns]
    slack = max(0.0, (width - sum(wanted)) / len(wanted))
    face = font("sans", size)
    pitch = tall / lines
    x = 0.0
    bar: ScaleBar | None = None
    for column, needed in zip(look.columns, wanted, strict=True):
        end = x + needed + slack
        if look.ruled:
            pen.rectangle((round(x), top, min(width - 1, round(end)), height - 1), outline=ink)
        for row, line in enumerate(column):
            if line != BAR:
                y = top + (row + 0.5) * pitch if len(column) > 1 else top + tall / 2
                pen.text((round(x + 5), round(y)), line.format(**said), font=face, fill=ink, anchor="lm")
                continue
            bx, by = round(x + (end - x - length) / 2), top + round(0.72 * pitch * (lines if len(column) == 1 else 1))
            over = top + round(0.34 * pitch * (lines if len(column) == 1 else 1))
            pen.text((bx + length // 2, over), text, font=face, fill=ink, anchor="mm")
            _draw_line(pen, bx, by, length, max(2, tall // 12), look.ends, ink)
            half = 0.5 if look.ends == "ticks" else 0.0
            bar = ScaleBar(
                value=value,
                unit=unit,
                length_px=float(length),
                x0=bx + half,
                x1=bx + length + half,
                y=by + 1.0,
                nm_per_px=length_nm / length,
                confidence=1.0,
                text=text,
                source="bar",
            )
        x = end
    assert bar is not None, "every maker's bar has a column for the scale bar"
    return np.asarray(canvas, np.uint8), bar, Box(0, top, width, height)


def _width(column: Sequence[str], said: dict[str, object], size: int, length: int, text: str) -> float:
    face = font("sans", size)
    words = [text if line == BAR else line.format(**said) for line in column]
    return max(length if BAR in column else 0, *(face.getlength(word) for word in words)) + 12


def _draw_line(pen: ImageDraw.ImageDraw, x: int, y: int, length: int, tall: int, ends: str, ink: int) -> None:
    if ends == "ticks":
        for at in np.linspace(x, x + length, 11):
            pen.line((round(at), y - tall, round(at), y + tall), fill=ink)
        return
    pen.rectangle((x, y - 1, x + length - 1, y + 1 if ends == "plain" else y), fill=ink)
    if ends == "caps":
        for at in (x, x + length - 1):
            pen.line((at, y - tall, at, y + tall), fill=ink)
