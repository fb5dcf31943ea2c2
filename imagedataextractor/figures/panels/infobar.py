"""The data bar an instrument prints under its micrograph, and what it says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import cv2
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
#: Grey levels within which that is: as it was saved, and after compression.
TOLERANCES = (4, 12)
#: Share of a bar that is written on, at least and at most.
WRITTEN = (0.01, 0.5)
#: Rows that are compared across a bar's upper edge …
EDGE_REACH = 6
#: … and the share of the columns in which the tone changes there.
EDGE_SHARE = 0.6
#: Least contrast of ink, grey levels.
INK_LEVELS = 40
#: Height of a letter as a share of the bar's, at least and at most.
LETTER = (0.08, 0.8)
#: Half the thickness of a stroke as a share of a letter's height, at most.
STROKE = 0.2
#: Parts of one line of writing (letters, or words where letters run together) that a bar has at least: "1 µm".
LEAST_PARTS = 3
#: Length of a scale bar's line as a share of the data bar, at least and at most: a longer one is a frame.
LINE_SHARE = (0.08, 0.6)
#: Parts that are looked at: no bar holds as many letters.
MOST_PARTS = 2000
#: A bar printed into the micrograph: its least width as a share of the picture's, how far it ends above the foot as a
#: share of the picture's height, and the parts of one line of writing that it has at least: it holds what an instrument
#: says, and not the length alone.
BOX_WIDTH, BOX_MARGIN, BOX_PARTS = 0.5, 0.06, 6
#: Share of its level and of its upright sides that is its ground, within so many pixels of them.
BOX_LEVEL, BOX_UPRIGHT, BOX_BLUR = 0.8, 0.4, 4
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
#: Shortest side of a picture that may have a data bar, and height of one below it, px: smaller ones hold no writing.
LEAST_SIDE_PX, LEAST_BELOW_PX = 80, 10
#: Share of a column that is of the ground where the bar covers it; of the columns that it covers, and of its ends.
COLUMN_SHARE, COVERED_SHARE, END_SHARE = 0.5, 0.75, 0.5
#: Share of neighbours that must be as the ground is for their noise to say something.
NOISE_SHARE = 0.3
#: Height and area below which a mark is no letter, px.
LEAST_LETTER_PX, LEAST_MARK_PX = 4, 6
#: On the page's own white: contrast of ink, grey levels; inked pixels of a row of writing, and its rows, at least.
PAGE_INK_LEVELS, ROW_INK_PX, LEAST_ROWS = 60, 2, 5
#: Voltages and magnifications that an electron microscope has, kV and times; others are misread.
VOLTAGES_KV, MAGNIFICATIONS = (0.1, 1500), (10, 5e6)


def find_info_bar(panel: npt.NDArray[np.uint8]) -> Box | None:
    """The bar at the lower edge of a micrograph: one even ground, set off by a straight edge, with writing on it.

    Particles on plain ground at the foot of a picture are none: they are set off by no edge, and no lines of writing.

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
    if min(height, width) < LEAST_SIDE_PX:
        return None
    rows = max((rows for rows in _candidates(grey) if _is_bar(grey, rows)), default=0) or _rows_of_label(grey)
    return Box(0, height - rows, width, height) if rows else None


def _rows_of_label(grey: npt.NDArray[np.uint8]) -> int:
    """Rows from the top of a data bar to the picture's foot, where the bar is a black or white box within it; or 0.

    Some instruments print their bar into the micrograph, with a strip of it below and beside.
    """
    height, width = grey.shape
    least, most = max(10, round(HEIGHT_RANGE[0] * height)), round(HEIGHT_RANGE[1] * height)
    reach = round((HEIGHT_RANGE[1] + BOX_MARGIN) * height)
    strip = grey[height - reach :]
    for ground in (0, 255):
        even = np.abs(strip.astype(np.int16) - ground) <= TOLERANCES[-1]
        count, regions, stats, _ = cv2.connectedComponentsWithStats(even.astype(np.uint8), connectivity=4)
        if count == 1:  # the rest alone
            continue
        largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        x, y, w, h, _ = stats[largest].tolist()
        if not (least <= h <= most and w >= BOX_WIDTH * width and reach - y - h <= BOX_MARGIN * height and y > 0):
            continue
        box = regions[y : y + h, x : x + w] == largest
        # Its edges are blurred over some rows, and its first letter may stand at its very end.
        level = min(float(box[:BOX_BLUR].mean(axis=1).max()), float(box[-BOX_BLUR:].mean(axis=1).max()))
        upright = min(float(box[:, :BOX_BLUR].mean()), float(box[:, -BOX_BLUR:].mean()))
        if level < BOX_LEVEL or upright < BOX_UPRIGHT:
            continue
        away = np.abs(strip[y : y + h, x : x + w].astype(np.int16) - ground)
        written = float((away > TOLERANCES[-1]).mean())
        if WRITTEN[0] < written < WRITTEN[1] and _written_parts(away) >= BOX_PARTS:
            return int(reach - y)
    return 0


def _candidates(grey: npt.NDArray[np.uint8]) -> Iterator[int]:
    """Rows of even ground at the lower edge, as far as it reaches within a narrow and a wide tolerance."""
    height = grey.shape[0]
    least, most = max(10, round(HEIGHT_RANGE[0] * height)), round(HEIGHT_RANGE[1] * height)
    strip = grey[height - most :].astype(np.int16)
    # The rows nearest the edge may be a frame line; the ground is what the lowest few per cent agree on.
    ground = _ground_of(grey[height - least :])
    for tolerance in TOLERANCES:
        share = (np.abs(strip - ground) <= tolerance).mean(axis=1)
        rows = misses = 0
        for y in range(len(share) - 1, -1, -1):
            if share[y] >= GROUND_SHARE:
                rows = len(share) - y
                misses = 0
            else:
                misses += 1
                if misses > max(2, 0.01 * height):
                    break
        if least <= rows < most - 1:
            yield rows


def _ground_of(part: npt.NDArray[np.uint8]) -> int:
    """The commonest grey level, of those that lie within noise and compression of each other."""
    counts = np.bincount(part.ravel(), minlength=256)
    return int(np.convolve(counts, np.ones(3), mode="same").argmax())


def _is_bar(grey: npt.NDArray[np.uint8], rows: int) -> bool:
    """Whether the lowest `rows` of a picture are a data bar."""
    height = grey.shape[0]
    ground = _ground_of(grey[height - rows :])
    bar = np.abs(grey[height - rows :].astype(np.int16) - ground)
    even = bar <= TOLERANCES[-1]
    written = float((~even).mean())
    covered = float((even.mean(axis=0) > COLUMN_SHARE).mean())
    ends = bool(even[:, : max(2, even.shape[1] // 100)].mean() > END_SHARE)
    if not (WRITTEN[0] < written < WRITTEN[1] and covered > COVERED_SHARE and ends):
        return False
    return _has_edge(grey, rows, ground) and _written_parts(bar) + _has_scale_line(bar) >= LEAST_PARTS


def _has_scale_line(bar: npt.NDArray[np.int16]) -> bool:
    """Whether a level stroke stands in a bar: of the parts of "1 µm" over a line, two letters may run together."""
    ink = (bar > max(INK_LEVELS, 0.4 * float(np.percentile(bar, 99.5)))).astype(np.uint8)
    least, most = (np.ones((1, max(12, round(share * bar.shape[1])))) for share in LINE_SHARE)
    return bool(cv2.erode(ink, least, borderValue=0).any()) and not cv2.erode(ink, most, borderValue=0).any()


def _has_edge(grey: npt.NDArray[np.uint8], rows: int, ground: int) -> bool:
    """Whether the ground ends along a straight line across the picture, in tone or in noise."""
    top = grey.shape[0] - rows
    above = grey[max(0, top - EDGE_REACH - 2) : max(1, top - 2)].astype(np.float32)
    below = grey[top + 2 : top + 2 + EDGE_REACH].astype(np.float32)
    step = np.abs(np.median(above, axis=0) - np.median(below, axis=0))
    if float((step > TOLERANCES[-1]).mean()) > EDGE_SHARE:
        return True
    # A dark micrograph over a black bar: where the two are alike in tone, the micrograph has noise and the bar none.
    noisy, quiet = _noise_near(above, ground), _noise_near(below, ground)
    return noisy >= 1.0 and quiet == 0.0


def _noise_near(part: npt.NDArray[np.float32], ground: int) -> float:
    """Median difference between neighbours that are both as the ground is, grey levels; 0 where there are few."""
    near = np.abs(part - ground) <= 2 * TOLERANCES[-1]
    both = near[:, 1:] & near[:, :-1]
    return float(np.median(np.abs(np.diff(part, axis=1))[both])) if both.mean() > NOISE_SHARE else 0.0


def _written_parts(bar: npt.NDArray[np.int16]) -> int:
    """Letters, digits and words in the longest line of writing, as far as they hang together.

    Parameters
    ----------
    bar : int16 array, shape (rows, W)
        How far each pixel is from the ground.
    """
    rows = bar.shape[0]
    ink = (bar > max(INK_LEVELS, 0.4 * float(np.percentile(bar, 99.5)))).astype(np.uint8)
    count, regions, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    thick = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    lines: list[tuple[int, int]] = []
    for i in range(1, min(count, MOST_PARTS)):
        x, y, w, h, area = stats[i].tolist()
        if h < max(LEAST_LETTER_PX, LETTER[0] * rows) or h > LETTER[1] * rows or area < LEAST_MARK_PX:
            continue
        part = (slice(y, y + h), slice(x, x + w))
        # A particle is a body, writing is strokes.
        if float(thick[part][regions[part] == i].max()) > STROKE * h + 1:
            continue
        lines.append((y, y + h))
    # In one line, with about the same height.
    return max(
        (
            sum(abs(a + b - c - d) <= 0.7 * (d - c) and 0.6 * (d - c) <= b - a <= 1.6 * (d - c) for a, b in lines)
            for c, d in lines
        ),
        default=0,
    )


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
    if floor - panel.y1 < LEAST_BELOW_PX:
        return None
    strip = luma(image[panel.y1 : floor, panel.x0 : panel.x1]).astype(np.int16)
    inked = (np.abs(strip - int(np.median(strip))) > PAGE_INK_LEVELS).sum(axis=1) >= ROW_INK_PX
    # The panel's own lower edge may be blurred over a row or two.
    inked[:2] = False
    rows = np.flatnonzero(inked)
    if rows.size < LEAST_ROWS or rows[0] > BELOW_GAP * panel.height:
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
    return value if VOLTAGES_KV[0] <= value <= VOLTAGES_KV[1] else None


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
            if MAGNIFICATIONS[0] <= value <= MAGNIFICATIONS[1]:
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
