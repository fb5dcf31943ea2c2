"""Draw compound figures whose panels, letters and kinds are known exactly.

Panels of every kind (`imagedataextractor.artificial.contents`), laid out in grids, irregular rows and
nested divisions, with gutters of 0 to 40 px in white or black, letters in every corner and style, inside
the panels, in the margin, above and below, headings over columns, frames around panels, several images
or plots under one letter, insets and data bars.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from imagedataextractor.artificial.annotations import draw_info_bar
from imagedataextractor.artificial.assembled import draw_parts, draw_scheme
from imagedataextractor.artificial.contents import annotate, draw_content
from imagedataextractor.artificial.lettering import font
from imagedataextractor.images import to_rgb
from imagedataextractor.records import Box, InfoBar, Panel, PanelKind

__all__ = ["ArtificialFigure", "LetterStyle", "draw_figure"]

Rgb = npt.NDArray[np.uint8]
Generator = np.random.Generator

ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv", "xvi")
#: Kinds drawn on white without an edge of their own.
DRAWINGS = ("plot", "schematic", "molecules", "flow_chart", "blots", "table", "scheme")
#: Contents that fill their cell to its edges.
PICTURES = ("micrograph", "lattice", "false_colour", "diffraction", "eds", "photo", "optical", "force_map")
#: Font size of panel letters after scaling, at least, px.
LEAST_LETTER_PX = 14
_HEADINGS = ("Control", "10 min", "1 h", "Pt/C", "500 °C", "Sample A", "As prepared", "SEM", "TEM", "pH 7")


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
    place: str  # "inside", "boxed", "left", "above", "below"
    corner: str = "tl"
    numbering: str = "letters"  # "letters", "roman", "rows" (a1, a2, b1 …)

    def label(self, index: int, row: int, column: int) -> str:
        """Name of a panel, without brackets."""
        if self.numbering == "roman":
            name = ROMAN[index % len(ROMAN)]
        elif self.numbering == "rows":
            name = f"{string.ascii_lowercase[row % 26]}{column + 1}"
        else:
            name = string.ascii_lowercase[index % 26]
        return name.upper() if self.upper else name

    def text(self, label: str) -> str:
        return self.pattern.format(label)

    def font(self) -> ImageFont.FreeTypeFont:
        return font(self.font_name, self.size_px)


@dataclass(frozen=True)
class _Cell:
    box: Box
    row: int = 0
    column: int = 0


_MIXES: tuple[dict[str, float], ...] = (
    {"micrograph": 1.0},
    {"plot": 1.0},
    {"micrograph": 0.5, "plot": 0.3, "diffraction": 0.1, "lattice": 0.1},
    {"micrograph": 0.4, "eds": 0.6},
    {"micrograph": 0.3, "plot": 0.4, "schematic": 0.3},
    {"photo": 0.5, "plot": 0.3, "schematic": 0.2},
    {"micrograph": 0.3, "false_colour": 0.3, "lattice": 0.2, "photo": 0.2},
    {"micrograph": 0.4, "plot": 0.3, "flow_chart": 0.1, "molecules": 0.1, "rendering": 0.1},
    {"optical": 0.3, "micrograph": 0.4, "force_map": 0.3},
    {"plot": 0.5, "blots": 0.2, "photo": 0.3},
    {"micrograph": 0.5, "plot": 0.3, "pale_schematic": 0.2},
    {"micrograph": 0.3, "plot": 0.3, "scheme": 0.3, "table": 0.1},
)
#: Share of single-panel figures …
_SINGLE = 0.15
#: … and what half of those that show drawings show: drawings of many parts.
_ALONE = ("scheme", "table", "flow_chart", "molecules", "schematic")


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
    extras: bool = True,
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
        Names of `contents.CONTENTS`, and "scheme", with their weights.
    gutter_px : int, optional
        Between panels, 0 … 40.
    black : bool, optional
        The paper is black (then only images are drawn).
    letters : LetterStyle, optional
    panels : int, optional
        How many, at most.
    insets : float
        Probability that an image holds an inset.
    extras : bool
        Now and then print headings over the columns and frames around the panels, put several images or
        plots under one letter, and scale the finished page down.
    """
    width = width or int(rng.integers(600, 1800))
    mix = mix or _MIXES[int(rng.integers(len(_MIXES)))]
    drawings = set(DRAWINGS) & set(mix)
    black = bool(rng.random() < 0.15) and not drawings if black is None else black
    letters = letters or _letter_style(rng, width, black)
    if gutter_px is None:
        gutter_px = int(rng.choice([0, 2, 4, 8, 12, 20, 30, 40]))
    if drawings or letters.place in ("left", "above", "below"):
        gutter_px = max(gutter_px, 12)
    top = round(1.8 * letters.size_px) if extras and not black and rng.random() < 0.15 else 0
    cells, height = _cells(rng, width, gutter_px, panels, top)
    headed = [c.row == 0 for c in cells] if top and len(cells) > 1 else []
    framed = extras and gutter_px >= 12 and rng.random() < 0.1
    margin = gutter_px // 3 + 3 if framed else 0
    cells = [replace(c, box=c.box.shifted(margin, margin)) for c in cells]
    page = np.full((height + 2 * margin, width + 2 * margin, 3), 0 if black else 255, np.uint8)
    if any(headed):
        _print_headings(rng, page, [c for c, first in zip(cells, headed, strict=True) if first], letters.size_px)
    grouped = 0.5 if extras and gutter_px >= 12 and rng.random() < 0.3 else 0.0
    if extras and len(cells) == 1 and drawings and rng.random() < 0.5:
        mix = {str(rng.choice(_ALONE)): 1.0}
    drawn: list[Panel] = []
    for i, cell in enumerate(cells):
        name = str(rng.choice(list(mix), p=np.array(list(mix.values())) / sum(mix.values())))
        label = letters.label(i, cell.row, cell.column) if len(cells) > 1 else None
        gap = _gap(rng, gutter_px) if rng.random() < grouped and label else None
        drawn += _draw_cell(rng, page, cell.box, name, label, letters, pool, insets, len(drawn), gap)
        if framed:
            cv2.rectangle(page, *_corners(cell.box, gutter_px // 3, page), (90, 90, 90), 1)
    if extras and rng.random() < 0.3:
        # No journal prints letters that cannot be read.
        page, drawn = _scaled(page, drawn, max(rng.uniform(0.45, 0.9), min(1.0, LEAST_LETTER_PX / letters.size_px)))
    if rng.random() < 0.7:
        _, data = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 97))])
        page = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return ArtificialFigure(page, tuple(drawn))


def _gap(rng: Generator, gutter_px: int) -> int:
    """Between the parts of one panel: mostly much less than between panels, now and then as much."""
    return int(rng.integers(2, max(3, gutter_px // 3))) if rng.random() < 0.6 else int(rng.integers(2, gutter_px + 1))


def _corners(box: Box, pad: int, page: Rgb) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = page.shape[:2]
    first = (max(0, box.x0 - pad), max(0, box.y0 - pad))
    return first, (min(width - 1, box.x1 + pad), min(height - 1, box.y1 + pad))


def _scaled(page: Rgb, panels: list[Panel], share: float) -> tuple[Rgb, list[Panel]]:
    """The page as a journal shows it on the screen: smaller, its edges blurred over a pixel."""
    size = (max(1, round(page.shape[1] * share)), max(1, round(page.shape[0] * share)))
    small = np.asarray(cv2.resize(page, size, interpolation=cv2.INTER_AREA), np.uint8)

    def scaled(box: Box) -> Box:
        return Box(*(round(v * share) for v in (box.x0, box.y0, box.x1, box.y1)))

    return small, [
        replace(
            p,
            box=scaled(p.box),
            insets=tuple(scaled(i) for i in p.insets),
            label_box=scaled(p.label_box) if p.label_box else None,
            info_bar=replace(p.info_bar, box=scaled(p.info_bar.box)) if p.info_bar else None,
        )
        for p in panels
    ]


def _letter_style(rng: Generator, width: int, black: bool) -> LetterStyle:
    places = ["inside", "boxed"] if black else ["inside", "boxed", "left", "above", "inside", "below"]
    place = str(rng.choice(places))
    numbering = str(rng.choice(["letters", "roman", "rows"], p=[0.88, 0.06, 0.06]))
    pattern = str(rng.choice(["{}", "{}", "({})", "({})", "{})", "{}."]))
    return LetterStyle(
        pattern="({})" if place == "below" or numbering == "roman" else pattern,
        upper=bool(rng.random() < 0.35) and numbering != "roman",
        font_name=str(rng.choice(["sans", "sans-bold", "sans-bold", "serif", "serif-bold"])),
        size_px=int(np.clip(width * rng.uniform(0.016, 0.034), 13, 44)),
        place=place,
        corner="tl" if rng.random() < 0.85 else str(rng.choice(["bl", "tr", "br"])),
        numbering=numbering,
    )


def _cells(rng: Generator, width: int, gutter: int, most: int | None, top: int) -> tuple[list[_Cell], int]:
    """Boxes of the panels, in reading order, and the page's height."""
    if most == 1 or (most is None and rng.random() < _SINGLE):
        height = int(width * rng.uniform(0.5, 0.9))
        return [_Cell(Box(0, top, width, top + height))], top + height
    if rng.random() < 0.2:
        height = int(width * rng.uniform(0.6, 1.3))
        boxes = _divided(rng, Box(0, top, width, top + height), gutter, 0)
        cells = [_Cell(b, i // 3, i % 3) for i, b in enumerate(boxes)]
        cells = cells[:most] if most else cells
        return cells, max(c.box.y1 for c in cells)
    cells = []
    grid = int(rng.integers(2, 5))
    regular = rng.random() < 0.5
    for row in range(int(rng.integers(1, 5))):
        count = grid if regular else int(rng.integers(1, 5))
        height = int(width / max(count, 2) * rng.uniform(0.6, 0.95))
        shares = np.ones(count) if regular else rng.uniform(0.7, 1.3, count)
        edges = np.round(np.cumsum(np.concatenate([[0], shares])) / shares.sum() * (width + gutter)).astype(int)
        boxes = []
        for left, right in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            box = Box(left, top, right - gutter, top + height)
            if not regular and rng.random() < 0.15 and height > 260:  # two small panels on top of each other
                middle = top + (height - gutter) // 2
                boxes += [Box(box.x0, top, box.x1, middle), Box(box.x0, middle + gutter, box.x1, box.y1)]
            else:
                boxes.append(box)
        cells += [_Cell(b, row, column) for column, b in enumerate(boxes)]
        top += height + gutter
    cells = cells[:most] if most else cells
    return cells, max(c.box.y1 for c in cells)


def _divided(rng: Generator, box: Box, gutter: int, depth: int) -> list[Box]:
    """`box` cut in two, across or along, and its halves again."""
    small = min(box.width, box.height) < 380 or depth > 3
    if depth > 0 and (small or rng.random() < 0.2):
        return [box]
    share = rng.uniform(0.35, 0.65)
    if box.width > box.height * rng.uniform(0.8, 1.3):
        at = box.x0 + int(share * box.width)
        halves = [Box(box.x0, box.y0, at - gutter, box.y1), Box(at, box.y0, box.x1, box.y1)]
    else:
        at = box.y0 + int(share * box.height)
        halves = [Box(box.x0, box.y0, box.x1, at - gutter), Box(box.x0, at, box.x1, box.y1)]
    return [part for half in halves for part in _divided(rng, half, gutter, depth + 1)]


def _print_headings(rng: Generator, page: Rgb, cells: Sequence[_Cell], size: int) -> None:
    """A word in the middle above each panel of the first row."""
    image = Image.fromarray(page)
    pen = ImageDraw.Draw(image)
    face = font(str(rng.choice(["sans", "sans-bold"])), size)
    for cell in cells:
        words = str(rng.choice(_HEADINGS))
        at = (cell.box.x0 + cell.box.x1 - face.getlength(words)) / 2
        pen.text((at, cell.box.y0 - round(1.5 * size)), words, fill=(0, 0, 0), font=face)
    page[:] = np.asarray(image)


def _draw_cell(
    rng: Generator,
    page: Rgb,
    cell: Box,
    name: str,
    label: str | None,
    style: LetterStyle,
    pool: Sequence[npt.NDArray[np.uint8]],
    insets: float,
    index: int,
    gap: int | None,
) -> list[Panel]:
    """Draw one panel with its letter, inset and data bar; return its truth, then its inset's.

    It is made of several parts, `gap` px apart, if that is given.
    """
    text = style.text(label) if label else ""
    ink = style.font().getbbox(text) if text else (0, 0, 0, 0)
    drawing = name in DRAWINGS
    left = round(ink[2] + 0.4 * style.size_px) if text and style.place == "left" else 0
    above = round(ink[3] + 0.25 * style.size_px) if text and style.place == "above" else 0
    below = round(ink[3] + 0.5 * style.size_px) if text and style.place == "below" else 0
    if text and drawing and style.place in ("inside", "boxed"):
        above = round(ink[3] + 0.25 * style.size_px)
    box = Box(cell.x0 + left, cell.y0 + above, cell.x1, cell.y1 - below)
    parted = gap is not None and name in ("plot", *PICTURES)
    if name == "scheme":
        kind, picture = draw_scheme(rng, box.height, box.width, pool)
    elif parted:
        kind, picture = draw_parts(rng, name, box.height, box.width, gap or 0, pool)
    else:
        kind, picture = draw_content(rng, name, box.height, box.width, pool)
    panels: list[Panel] = []
    bar = None
    marked = kind == "em" and not parted  # data bars and scale bars would cross the gaps
    if marked and rng.random() < 0.15 and min(picture.shape[:2]) >= 120:
        barred, _, bar_box = draw_info_bar(rng, picture[..., 0], 1.0)
        picture = to_rgb(barred)[: box.height, : box.width].copy()
        bar = InfoBar(bar_box)
    elif marked:
        picture = annotate(rng, picture)
    inset = None
    if not parted and _can_hold_inset(kind, drawing, picture) and rng.random() < insets:
        picture = picture.copy()
        inset, inset_kind = _draw_inset(rng, picture, pool)
        where = inset.shifted(box.x0, box.y0)
        panels.append(Panel(index + 1, where, kind=inset_kind, kind_score=1.0, parent=index))
    page[box.slices] = picture
    tight = box
    if drawing:
        tight = _tight(picture).shifted(box.x0, box.y0)
    label_box = None
    if text:
        on_image = style.place in ("inside", "boxed") and not drawing
        printed = _print_letter(rng, page, box if on_image else cell, text, style, inside=on_image)
        if on_image:
            label_box = printed.shifted(-tight.x0, -tight.y0)
    first = Panel(
        index,
        tight,
        label=label,
        kind=kind,
        kind_score=1.0,
        measurable=kind == "em" and name != "lattice",
        insets=(inset,) if inset else (),
        label_box=label_box,
        info_bar=bar,
    )
    return [first, *panels]


def _can_hold_inset(kind: PanelKind, drawing: bool, picture: Rgb) -> bool:
    photographed = kind in ("em", "photo", "eds", "diffraction") and not drawing
    return photographed and min(picture.shape[:2]) >= 160


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
    x = box.x0 + pad if "r" not in style.corner or not inside else box.x1 - pad - w
    y = box.y0 + pad if "b" not in style.corner or not inside else box.y1 - pad - h
    if style.place == "below":
        x, y = (box.x0 + box.x1 - w) // 2, box.y1 - h
    around = page[max(0, y) : y + h, max(0, x) : x + w]
    bright = float(around.mean()) > 140 if around.size else True
    ink = (0, 0, 0) if bright else (255, 255, 255)
    if inside and style.place == "boxed":
        ground = (255, 255, 255) if bright else (0, 0, 0)
        pen.rectangle([x - pad, y - pad, x + w + pad, y + h + pad], fill=ground)
    pen.text((x - left, y - top), text, fill=ink, font=face)
    page[:] = np.asarray(image)
    return Box(x, y, x + w, y + h)
