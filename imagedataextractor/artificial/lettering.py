"""Fonts, and the words of a length, as they are printed into pictures.

The fonts are those that come with Matplotlib, so that every machine draws the same picture.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

__all__ = ["FONTS", "font", "length_words", "nice_length"]

#: Fonts by the look that they give.
FONTS: dict[str, str] = {
    "sans": "DejaVuSans.ttf",
    "sans-bold": "DejaVuSans-Bold.ttf",
    "serif": "STIXGeneral.ttf",
    "serif-bold": "STIXGeneralBol.ttf",
    "mono": "DejaVuSansMono.ttf",
}

_UNIT_NM = {"nm": 1.0, "µm": 1e3, "μm": 1e3, "um": 1e3, "mm": 1e6}


@lru_cache(maxsize=256)
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font by its name in `FONTS`, at a height of `size` pixels."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / FONTS[name]
    return ImageFont.truetype(str(path), size)


def nice_length(nm_per_px: float, target_px: float) -> float:
    """The length, in nm, that an author would print for a bar of about `target_px` pixels: 1, 2 or 5 · 10ⁿ."""
    wanted = nm_per_px * target_px
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(min((step * power for step in (1, 2, 5, 10)), key=lambda value: abs(np.log(value / wanted))))


def length_words(rng: np.random.Generator, length_nm: float, micro: str | None = None) -> tuple[float, str, str]:
    """Value, unit and text of a length in nm, in one of the ways in which it is written."""
    unit = "nm" if length_nm < 1000 or (length_nm == 1000 and rng.random() < 0.1) else "µm"
    if unit == "µm":
        unit = micro or str(rng.choice(["µm", "μm", "µm", "um"]))
    value = length_nm / _UNIT_NM[unit]
    number = f"{value:g}"
    if rng.random() < 0.08 and "." not in number and value < 100:
        number += ".0"
    gap = " " if rng.random() < 0.75 else ""
    return value, unit, f"{number}{gap}{unit}"
