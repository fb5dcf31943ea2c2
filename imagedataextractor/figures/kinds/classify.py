"""What a panel shows: an electron micrograph, a plot, a map, a photograph …

Some sixty numbers describe how a picture was made (paper, flat ground, colours, straight strokes,
axes, writing, texture, spectrum); a small network trained on drawn and real panels turns them into probabilities.
The caption's words, where there are any, shift them.
"""

from __future__ import annotations

from typing import Any, get_args

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.network import forward, load_weights, softmax
from imagedataextractor.figures.panels.layout import luma, shrink
from imagedataextractor.images import to_rgb
from imagedataextractor.records import PanelKind

__all__ = ["FEATURES", "KINDS", "classify", "describe"]

KINDS: tuple[PanelKind, ...] = get_args(PanelKind)
#: Longest side of the copy that is described, px.
SIDE = 256
#: Side of the piece that is described at its own resolution, px.
PIECE = 192
#: Shortest side of what can be judged, px; the smallest panels that the network has seen have it.
LEAST_SIDE = 24
#: Width of the steps of grey within which colours are compared, levels.
TONE_LEVELS = 16
#: Range of grey levels below which there is nothing to see.
BLANK_LEVELS = 4
WEIGHTS = "kinds.safetensors"

EM = KINDS.index("em")

Floats = npt.NDArray[np.float32]
#: Chance up to which a panel is no micrograph: it is one only where that is likelier than all else together.
EM_FROM = 0.5

# What follows is what the network's numbers count: it was trained on these, and other values need another training.

#: Difference of the channels, levels, from which a pixel is coloured, and strongly so.
COLOURED_LEVELS, STRONG_LEVELS = 40, 110
#: Share of coloured pixels below which their hues say nothing.
LEAST_COLOURED = 0.005
#: Brightest channel below which a pixel is dim, and above which it is lit; grey below which a colour is not bright.
DIM_LEVEL, LIT_LEVEL, BRIGHT_LEVEL = 40, 60, 130
#: Grey levels between which colours show, pixels from which they are judged, and stray from which one has two colours.
TONES_WITH_COLOUR, LEAST_PIXELS, STRAY_LEVELS = (20, 240), 20, 6
#: Grey levels between which texture shows, and spread of a neighbourhood up to which that is flat.
TONES_WITH_TEXTURE, FLAT_SPREAD = (25, 235), 2
#: Contrast of thin dark strokes, levels: on paper, and faint ones such as axes and writing.
STROKE_LEVELS, FAINT_STROKE_LEVELS = 60, 40
#: Sides of a mark as writing is made of, px: height at least and at most, width at most; of strokes on paper …
BLOB_PX = (4, 24, 24)
#: … and of faint ones, with their area at least; marks from which lines of writing are sought, and those of a line.
MARK_PX, MARK_AREA_PX, LEAST_MARKS, MARKS_OF_LINE = (3, 16, 40), 4, 4, 4
#: Part of a picture, as shares of its sides, within which writing stands inside it: left, right, top, bottom.
INSIDE = (0.2, 0.95, 0.05, 0.8)
#: Waves across the picture below which its spectrum is its shading, and above which it is noise and fine texture.
LEAST_WAVES, FINE_WAVES = 6, 32


def classify(panel: npt.NDArray[np.uint8], prior: dict[PanelKind, float] | None = None) -> tuple[PanelKind, float]:
    """Kind of a panel and the calibrated probability of it.

    It is the likeliest kind, but "em" only where that is likelier than all others together.

    Parameters
    ----------
    panel : uint8 array, shape (H, W) or (H, W, 3)
    prior : mapping, optional
        How much more likely than usual the caption makes each kind; 1 where it says nothing.

    Returns
    -------
    kind : str
    score : float
        0 … 1.
    """
    if min(panel.shape[:2]) < LEAST_SIDE or int(panel.max()) - int(panel.min()) < BLANK_LEVELS:
        return "other", 1.0
    weights = load_weights(WEIGHTS)
    values = (describe(panel) - weights["mean"]) / weights["scale"]
    chances = softmax(forward(weights, np.clip(values, -4, 4)[None]) / float(weights["temperature"][0]))[0]
    if prior:
        chances = chances * np.array([prior.get(kind, 1.0) for kind in KINDS], np.float32)
        chances = chances / chances.sum()
    if chances[EM] <= EM_FROM:
        chances[EM] = 0.0  # rather something else, whatever that is, than a micrograph: particles hang on it
    best = int(np.argmax(chances))
    return KINDS[best], float(chances[best])


def describe(panel: npt.NDArray[np.uint8]) -> Floats:
    """The numbers by which a panel is judged, shape (len(FEATURES),)."""
    rgb = to_rgb(shrink(panel, SIDE))
    grey = luma(rgb)
    numbers = {
        **_tones(grey),
        **_colours(rgb, grey),
        **_texture(grey, ""),
        **_texture(_own_resolution(panel), "own_"),
        **_strokes(grey),
        **_axes(grey),
        **_writing(grey),
        **_spectrum(grey),
        **_middle(grey),
    }
    return np.array([numbers[name] for name in FEATURES], np.float32)


def _own_resolution(panel: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The middle of the panel as it is: scaling hides noise."""
    height, width = panel.shape[:2]
    top, left = max(0, (height - PIECE) // 2), max(0, (width - PIECE) // 2)
    return luma(np.ascontiguousarray(panel[top : top + PIECE, left : left + PIECE]))


def _tones(grey: npt.NDArray[np.uint8]) -> dict[str, float]:
    counts = np.bincount(grey.ravel(), minlength=256) / grey.size
    smooth = np.convolve(counts, np.ones(7), mode="same")
    first = int(smooth.argmax())
    rest = smooth.copy()
    rest[max(0, first - 12) : first + 13] = 0
    present = counts[counts > 0]
    values = grey.astype(np.float32)
    deviation = float(values.std()) + 1e-3
    return {
        "white": float(counts[246:].sum()),
        "near_white": float(counts[222:246].sum()),
        "black": float(counts[:13].sum()),
        "dark": float(counts[13:60].sum()),
        "main_tone_share": float(smooth[first]),
        "main_tone": first / 255,
        "second_tone_share": float(rest.max()),
        "tone_entropy": float(-(present * np.log2(present)).sum()) / 8,
        "mean": float(values.mean()) / 255,
        "deviation": deviation / 128,
        "skewness": float(np.clip((((values - values.mean()) / deviation) ** 3).mean(), -5, 5)),
    }


def _colours(rgb: npt.NDArray[np.uint8], grey: npt.NDArray[np.uint8]) -> dict[str, float]:
    highest, lowest = rgb.max(axis=2), rgb.min(axis=2)
    spread = highest - lowest
    coloured = spread > COLOURED_LEVELS
    hue = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)[..., 0]
    share = float(coloured.mean())
    hues = np.bincount(hue[coloured] // 10, minlength=18).astype(np.float64)
    hues /= max(1.0, float(hues.sum()))
    used = hues[hues > 0]
    dim = (highest < DIM_LEVEL) & ~coloured
    lit = highest > LIT_LEVEL
    around = np.convolve(np.concatenate([hues[-1:], hues, hues[:1]]), np.ones(3), mode="valid")
    return {
        "coloured": share,
        "strongly_coloured": float((spread > STRONG_LEVELS).mean()),
        "mean_spread": float(spread.mean()) / 255,
        "hue_entropy": float(-(used * np.log2(used)).sum()) / 4.2 if share > LEAST_COLOURED else 0.0,
        "main_hue_share": float(around.max()) if share > LEAST_COLOURED else 0.0,
        "grey_among_lit": float((~coloured & lit).sum() / max(1, int(lit.sum()))),
        "dim": float(dim.mean()),
        "coloured_not_bright": float((coloured & (grey < BRIGHT_LEVEL)).mean()),
        **_colour_beyond_tone(rgb, grey),
    }


def _colour_beyond_tone(rgb: npt.NDArray[np.uint8], grey: npt.NDArray[np.uint8]) -> dict[str, float]:
    """How far colours stray from one colour a grey level.

    A detector of electrons knows no colours: in a micrograph, plain, tinted or through a colour map, the grey level
    decides them. A stain, a photograph and a map of elements have several at the same grey level.
    """
    hues = cv2.blur(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb), (3, 3))[..., 1:].astype(np.float32)
    level = grey // TONE_LEVELS
    stray = np.zeros(grey.shape, np.float32)
    for tone in np.unique(level):
        inside = level == tone
        own = hues[inside]
        stray[inside] = np.abs(own - np.median(own, axis=0)).sum(axis=1)
    lit = stray[(grey > TONES_WITH_COLOUR[0]) & (grey < TONES_WITH_COLOUR[1])]
    if lit.size < LEAST_PIXELS:
        return {"stray_colour": 0.0, "stray_colour_median": 0.0, "stray_coloured": 0.0}
    return {
        "stray_colour": float(np.minimum(lit, 40).mean()) / 40,
        "stray_colour_median": min(20.0, float(np.median(lit))) / 20,
        "stray_coloured": float((lit > STRAY_LEVELS).mean()),
    }


def _texture(grey: npt.NDArray[np.uint8], prefix: str) -> dict[str, float]:
    kernel = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(grey, kernel), cv2.erode(grey, kernel))
    middle = (grey > TONES_WITH_TEXTURE[0]) & (grey < TONES_WITH_TEXTURE[1])
    values = grey.astype(np.float32)
    noise = np.abs(values - cv2.medianBlur(grey, 3))
    inside = spread[middle]
    return {
        prefix + "flat": float((spread <= FLAT_SPREAD).mean()),
        prefix + "flat_in_middle": float((inside <= FLAT_SPREAD).mean()) if inside.size > LEAST_PIXELS else 1.0,
        prefix + "middle": float(middle.mean()),
        prefix + "spread_median": float(np.median(inside)) / 64 if inside.size > LEAST_PIXELS else 0.0,
        prefix + "spread_high": float(np.percentile(spread, 90)) / 255,
        prefix + "noise": float(noise[middle].mean()) / 16 if inside.size > LEAST_PIXELS else 0.0,
    }


def _strokes(grey: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Long straight strokes on paper, and small blobs as writing is made of."""
    height, width = grey.shape
    sunk = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((9, 9), np.uint8))
    ink = (sunk > STROKE_LEVELS).astype(np.uint8)
    found = {}
    for name, kernel in (
        ("across", np.ones((1, max(9, width // 4)), np.uint8)),
        ("down", np.ones((max(9, height // 4), 1), np.uint8)),
    ):
        lines = cv2.morphologyEx(ink, cv2.MORPH_OPEN, kernel)
        found["strokes_" + name] = float(lines.mean()) * 50
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    small = _of_size(stats[1:], BLOB_PX) if count > 1 else np.zeros(0, bool)
    found["ink"] = float(ink.mean())
    found["blobs"] = float(small.sum()) / 100
    return found


def _of_size(stats: npt.NDArray[Any], size: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """Which of OpenCV's components are as high and as narrow as writing."""
    lowest, highest, widest = size
    wide, high = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    return np.asarray((high >= lowest) & (high <= highest) & (wide <= widest), np.bool_)


def _ink(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """What is darker than its surroundings and as thin as strokes are, 0 or 1."""
    return (cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((9, 9), np.uint8)) > FAINT_STROKE_LEVELS).astype(
        np.uint8
    )


def _axes(grey: npt.NDArray[np.uint8]) -> dict[str, float]:
    """The longest straight strokes: how long, how many, and whether they meet as axes do."""
    height, width = grey.shape
    ink = _ink(grey)
    lines_across = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, max(9, width // 3)), np.uint8))
    lines_down = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((max(9, height // 3), 1), np.uint8))
    rows, columns = lines_across.sum(axis=1), lines_down.sum(axis=0)
    lowest, leftmost = _last_long(rows), _last_long(columns[::-1])
    meet = 0.0
    if lowest is not None and leftmost is not None:
        y, x = lowest, width - 1 - leftmost
        begin = np.flatnonzero(lines_across[max(0, y - 3) : y + 4].any(axis=0))[0]
        end = np.flatnonzero(lines_down[:, max(0, x - 3) : x + 4].any(axis=1))[-1]
        meet = max(0.0, 1 - 5 * (abs(int(begin) - x) / width + abs(int(end) - y) / height))
    return {
        "axis_across": float(rows.max()) / width,
        "axis_down": float(columns.max()) / height,
        "lowest_axis": (lowest or 0) / height,
        "leftmost_axis": (leftmost + 1) / width if leftmost is not None else 0.0,
        "lines_across": min(8, _runs(rows)) / 8,
        "lines_down": min(8, _runs(columns)) / 8,
        "axes_meet": meet,
    }


def _last_long(lengths: npt.NDArray[np.integer[Any]]) -> int | None:
    """The last place whose strokes are nearly as long as the longest; None where there are none."""
    longest = int(lengths.max())
    return int(np.flatnonzero(lengths >= 0.8 * longest)[-1]) if longest else None


def _runs(lengths: npt.NDArray[np.integer[Any]]) -> int:
    return int((np.diff(np.concatenate([[0], (lengths > 0).astype(np.int8)])) == 1).sum())


def _writing(grey: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Marks of a character's size: their share of the ink, whether they stand in lines, and where."""
    height, width = grey.shape
    ink = _ink(grey)
    _, _, stats, centres = cv2.connectedComponentsWithStats(ink, connectivity=8)
    stats, centres = stats[1:], centres[1:]
    small = _of_size(stats, MARK_PX) & (stats[:, 4] >= MARK_AREA_PX)
    found = {
        "small_marks": float(stats[small, 4].sum()) / max(1, int(ink.sum())),
        "marks_in_lines": 0.0,
        "marks_inside": 0.0,
        "lines_of_marks": 0.0,
        "shapes": min(20, int((~small).sum())) / 20,
    }
    if small.sum() > LEAST_MARKS:
        x, y = centres[small, 0] / width, centres[small, 1] / height
        lines = np.bincount((centres[small, 1] / 4).astype(int))
        found["marks_in_lines"] = float(lines[lines >= MARKS_OF_LINE].sum()) / int(small.sum())
        left, right, top, bottom = INSIDE
        found["marks_inside"] = float(((x > left) & (x < right) & (y > top) & (y < bottom)).mean())
        found["lines_of_marks"] = float((lines > 0).mean())
    return found


def _spectrum(grey: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Slope of the power spectrum, its strongest lone peak, and its share along the image's axes."""
    side = 128
    piece = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    window = np.outer(np.hanning(side), np.hanning(side)).astype(np.float32)
    power = np.abs(np.fft.fftshift(np.fft.fft2((piece - piece.mean()) * window))) ** 2 + 1.0
    y, x = np.indices(power.shape) - side // 2
    radius = np.hypot(x, y)
    rings = radius.astype(int)
    total = np.bincount(rings.ravel(), power.ravel())[: side // 2]
    count = np.bincount(rings.ravel())[: side // 2]
    profile = np.log10(total / np.maximum(count, 1))
    k = np.arange(3, side // 2)
    slope, offset = np.polyfit(np.log10(k), profile[3:], 1)
    residual = profile[3:] - (slope * np.log10(k) + offset)
    inside = (radius > LEAST_WAVES) & (radius < side // 2 - 1)
    excess = np.log10(power[inside]) - profile[np.minimum(rings[inside], side // 2 - 1)]
    along = (np.minimum(np.abs(x), np.abs(y)) <= 1) & inside
    return {
        "slope": float(slope) / 4,
        "offset": float(offset) / 8,
        "residual": float(residual.std()),
        "residual_high": float(residual.max()),
        "peak": float(excess.max()) / 3,
        "along_axes": float(power[along].sum() / power[inside].sum()),
        "high_frequencies": float(np.log10(power[radius > FINE_WAVES].mean())) / 6,
    }


def _middle(grey: npt.NDArray[np.uint8]) -> dict[str, float]:
    """How far the light is gathered in the middle, as a diffraction pattern's is."""
    small = cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA).astype(np.float32)
    y, x = np.indices(small.shape) - 23.5
    rings = np.hypot(x, y).astype(int)
    profile = np.bincount(rings.ravel(), small.ravel()) / np.bincount(rings.ravel())
    inner, outer = profile[:24], np.arange(24)
    falling = float(np.corrcoef(outer, inner)[0, 1]) if inner.std() > 1 else 0.0
    explained = 1 - float((small - profile[rings]).var()) / max(1.0, float(small.var()))
    return {
        "falls_from_middle": falling,
        "middle_over_rim": float(profile[:3].mean() - profile[18:24].mean()) / 255,
        "round": explained,
        "aspect": float(np.log(grey.shape[1] / grey.shape[0])),
    }


def _names() -> tuple[str, ...]:
    sample = np.zeros((16, 16), np.uint8)
    rgb = to_rgb(sample)
    parts = (
        _tones(sample),
        _colours(rgb, sample),
        _texture(sample, ""),
        _texture(sample, "own_"),
        _strokes(sample),
        _axes(sample),
        _writing(sample),
        _spectrum(sample),
        _middle(sample),
    )
    return tuple(name for part in parts for name in part)


#: Names of the numbers, in the order `describe` gives them.
FEATURES: tuple[str, ...] = _names()
