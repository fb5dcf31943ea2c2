"""The data bar an instrument prints under its micrograph, and what it says."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.panels.layout import luma
from imagedataextractor.ocr import OcrEngine
from imagedataextractor.records import Box, InfoBar

__all__ = ["find_info_bar", "info_bar_below", "parse_info", "read_info_bar"]

#: Height of a data bar as a fraction of the picture's.
HEIGHT_RANGE = (0.025, 0.22)
#: Share of a bar's row that is of the bar's own ground.
GROUND_SHARE = 0.5
#: Height to which a bar's text is enlarged before it is read, px.
READ_HEIGHT = 64

#: Height below a panel, as a fraction of the panel's, in which a data bar on the page's own white is
#: looked for, and how far from the panel its writing may begin.
BELOW = 0.16
BELOW_GAP = 0.06
#: Words that tell a data bar from a heading or a caption.
_INSTRUMENT = re.compile(
    r"\d\s*[kK]\s?[vV]|\b(?:WD|HV|EHT|Mag|Det|Signal)\b|\d\s*(?:nm|[uµμ]m|mm)\b|[x×X]\s?\d{2}", re.IGNORECASE
)

_KV = re.compile(r"(\d{1,3}(?:[.,]\d{1,3})?)\s*[kK]\s*[vV]")
_TIMES = re.compile(r"(?:[x×X]\s*(\d[\d ,.]*)\s*([kK])?|(\d[\d ,.]*)\s*([kK])?\s*[x×X](?![a-z]))")
_MAG = re.compile(r"Mag(?:nification)?\s*[=:]?\s*[x×X]?\s*(\d[\d ,.]*)\s*([kK])?", re.IGNORECASE)
_DETECTORS = ("InLens", "SE2", "SESI", "ETD", "TLD", "BSE", "BSD", "AsB", "LFD", "CBS", "HAADF", "LEI", "SEI", "COMPO")


def find_info_bar(panel: npt.NDArray[np.uint8]) -> Box | None:
    """The bar at the lower edge of a micrograph: one even ground with writing on it.

    Parameters
    ----------
    panel : uint8 array, shape (H, W) or (H, W, 3)

    Returns
    -------
    Box or None
        In pixels of the panel, as wide as it.
    """
    grey = luma(panel)
    height, width = grey.shape
    if height < 80 or width < 80:
        return None
    rows = _bar_height(grey)
    return Box(0, height - rows, width, height) if rows else None


def _bar_height(grey: npt.NDArray[np.uint8]) -> int:
    """Rows of even ground at the lower edge; 0 where that is no bar."""
    height = grey.shape[0]
    least, most = max(10, round(HEIGHT_RANGE[0] * height)), round(HEIGHT_RANGE[1] * height)
    strip = grey[height - most :]
    # The rows nearest the edge may be a frame line; the ground is what the lowest few per cent agree on.
    low = strip[-least:]
    ground = int(np.bincount(low.ravel(), minlength=256).argmax())
    even = np.abs(strip.astype(np.int16) - ground) <= 12
    share = even.mean(axis=1)
    rows = 0
    misses = 0
    for y in range(len(share) - 1, -1, -1):
        if share[y] >= GROUND_SHARE:
            rows = len(share) - y
            misses = 0
        else:
            misses += 1
            if misses > max(2, 0.01 * height):
                break
    if rows < least or rows >= most - 1:
        return 0
    bar, above = even[-rows:], even[max(0, len(even) - rows - 8) : len(even) - rows - 2]
    writing = float((~bar).mean())
    level = np.median(grey[max(0, height - rows - 8) : height - rows - 2])
    distinct = float(above.mean()) < 0.6 if above.size else False
    wide = float((bar.mean(axis=0) > 0.5).mean())
    ends = bool(bar[:, : max(2, bar.shape[1] // 100)].mean() > 0.5)
    plain = ground < 60 or ground > 190 or abs(float(level) - ground) > 40
    return rows if distinct and 0.01 < writing < 0.5 and wide > 0.75 and ends and plain else 0


def info_bar_below(image: npt.NDArray[np.uint8], panel: Box, others: Iterable[Box], ocr: OcrEngine) -> InfoBar | None:
    """The data bar under a panel where it is as white as the page, so that the panel seems to end above it.

    Parameters
    ----------
    image : uint8 array, shape (H, W) or (H, W, 3)
        The figure.
    panel : Box
        In pixels of the figure, as is the answer's box.
    others : iterable of Box
        The other panels; the bar ends above them.

    Returns
    -------
    InfoBar or None
        None where there is no writing, or none that an instrument would print.
    """
    floor = min(image.shape[0], panel.y1 + round(BELOW * panel.height))
    for other in others:
        if other.y0 >= panel.y1 and min(other.x1, panel.x1) > max(other.x0, panel.x0):
            floor = min(floor, other.y0)
    if floor - panel.y1 < 10:
        return None
    strip = luma(image[panel.y1 : floor, panel.x0 : panel.x1]).astype(np.int16)
    inked = (np.abs(strip - int(np.median(strip))) > 60).sum(axis=1) >= 2
    # The panel's own lower edge may be blurred over a row or two.
    inked[:2] = False
    rows = np.flatnonzero(inked)
    if rows.size < 5 or rows[0] > BELOW_GAP * panel.height:
        return None
    breaks = np.flatnonzero(np.diff(rows) > max(6, 0.03 * panel.height))
    last = int(rows[breaks[0]] if breaks.size else rows[-1])
    box = Box(panel.x0, panel.y1, panel.x1, min(panel.y1 + last + 4, floor))
    found = read_info_bar(image, box, ocr)
    return found if _INSTRUMENT.search(found.text) else None


def read_info_bar(panel: npt.NDArray[np.uint8], box: Box, ocr: OcrEngine | None) -> InfoBar:
    """What a data bar prints; only its place where there is no engine to read it."""
    if ocr is None:
        return InfoBar(box)
    lines = ocr.read(panel, region=box, enlarge=float(np.clip(READ_HEIGHT / max(1, box.height), 1.0, 3.0)))
    return parse_info(box, (line.text for line in lines))


def parse_info(box: Box, lines: Iterable[str]) -> InfoBar:
    """Voltage, magnification and detector from the words of a data bar.

    Parameters
    ----------
    box : Box
    lines : iterable of str
        As read, in any order.
    """
    text = " ".join(line.strip() for line in lines if line.strip())
    return InfoBar(
        box, text=text, voltage_kv=_voltage(text), magnification=_magnification(text), detector=_detector(text)
    )


def _voltage(text: str) -> float | None:
    match = _KV.search(text)
    if match is None:
        return None
    value = float(match.group(1).replace(",", "."))
    return value if 0.1 <= value <= 1500 else None


def _magnification(text: str) -> float | None:
    """Times, as a number; "25.00 K X", "x30,000" and "Mag = 25 000" alike."""
    for pattern in (_MAG, _TIMES):
        for match in pattern.finditer(text):
            groups = [g for g in match.groups() if g]
            if not groups:
                continue
            number = _number(groups[0])
            if number is None:
                continue
            value = number * (1000.0 if groups[-1] in ("k", "K") else 1.0)
            if 10 <= value <= 5e6:
                return value
    return None


def _number(text: str) -> float | None:
    text = text.strip().rstrip(".,")
    if re.fullmatch(r"\d{1,3}(?:[ ,.]\d{3})+", text):
        return float(re.sub(r"[ ,.]", "", text))
    try:
        return float(text.replace(" ", "").replace(",", "."))
    except ValueError:
        return None


def _detector(text: str) -> str | None:
    for name in _DETECTORS:
        if re.search(rf"(?<![A-Za-z]){name}(?![A-Za-z])", text, re.IGNORECASE):
            return name
    return None
