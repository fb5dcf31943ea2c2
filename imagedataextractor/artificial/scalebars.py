"""Scale bars as micrographs print them, drawn over any picture, with exact truth.

`annotations.draw_scale_bar` draws the usual ones. Here are all forms (blocks, lines with end strokes, I-beams,
outlines, rulers, arrows, lines that break for their text), all surroundings (none, a label box around both or
one of them, a data bar), what makes them hard (an edge that cuts them, a contrast near none, a line beside
them that looks like a bar), and what printing and compression do. `SITUATIONS` names the kinds at which readers
have failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from imagedataextractor.artificial.lettering import FONTS, font
from imagedataextractor.records import Box

__all__ = ["FORMS", "SITUATIONS", "SURROUNDINGS", "BarDrawing", "MarkedPicture", "draw_marked_picture"]

Grey = npt.NDArray[np.uint8]

#: Forms of bars, each with how often it is drawn when none is asked for.
FORMS: dict[str, float] = {
    "block": 0.42,
    "line": 0.16,
    "i_beam": 0.12,
    "bracket": 0.04,
    "outlined": 0.08,
    "shadowed": 0.04,
    "ruler": 0.08,
    "arrows": 0.03,
    "broken": 0.03,
}
#: What they stand in, likewise.
SURROUNDINGS: dict[str, float] = {"none": 0.56, "label_box": 0.12, "bar_box": 0.04, "text_box": 0.05, "data_bar": 0.23}
#: Lengths that are printed, and their units.
VALUES = ("1", "2", "5", "10", "20", "50", "100", "200", "500", "0.2", "0.5", "1.0", "2.0", "3", "4", "25", "30", "300")
UNITS = ("nm", " nm", "µm", " µm", " um", "um")
#: Strokes of a ruler, and how often.
STROKES, STROKE_CHANCES = (11, 10, 6, 5, 21), (0.82, 0.04, 0.05, 0.05, 0.04)


@dataclass(frozen=True)
class BarDrawing:
    """How one bar is to be drawn; all sizes in px of the picture.

    `arrangement` says where the text stands: "above", "below", "left", "right" of the bar, or "within" it.
    `ink` is the bar's grey level, `text_ink` the text's; `dim` draws both that many levels from the ground.
    `cut` is the side of the picture that cuts bar or text, `decoy` a faint line beside them.
    """

    form: str = "block"
    surroundings: str = "none"
    arrangement: str = "above"
    text: str = "200 nm"
    text_height: int = 20
    length: int = 100
    thickness: int = 6
    gap: int = 5
    padding: int = 6
    text_ink: int | None = None
    ink: int | None = None
    dim: int | None = None
    cut: str | None = None
    decoy: bool = False
    field_width: bool = False


@dataclass(frozen=True)
class MarkedPicture:
    """A picture with one bar drawn on it, and the truth.

    Attributes
    ----------
    image : uint8 array, shape (H, W)
    x0, x1, y0, y1 : float
        The bar's outer ends and edges, px (of a ruler the middles of its first and last stroke); they lie
        outside the picture where it cuts the bar.
    text : str
        As printed, whole.
    text_box : Box
        Where the text stands, as far as the picture shows it.
    other_texts : tuple of Box
        What else is written.
    drawing : BarDrawing
    """

    image: Grey
    x0: float
    x1: float
    y0: float
    y1: float
    text: str
    text_box: Box
    other_texts: tuple[Box, ...]
    drawing: BarDrawing

    @property
    def length_px(self) -> float:
        return self.x1 - self.x0


def _chosen(rng: np.random.Generator, table: dict[str, float]) -> str:
    weights = np.array(list(table.values()))
    return str(rng.choice(list(table), p=weights / weights.sum()))


def random_drawing(rng: np.random.Generator, height: int, width: int) -> BarDrawing:
    """Any bar for a picture of this size, as varied as the literature is."""
    side = min(height, width)
    size = max(7, int(side * np.exp(rng.uniform(np.log(0.022), np.log(0.1)))))
    form = _chosen(rng, FORMS)
    surroundings = _chosen(rng, SURROUNDINGS)
    if surroundings == "data_bar":
        size = min(size, max(8, int(0.045 * side)))
    thin = form in ("line", "i_beam", "bracket", "arrows", "broken")
    thickness = max(1, round(side * 0.0035)) if thin else max(2, round(size * rng.uniform(0.12, 0.7)))
    if thin and rng.random() < 0.4:
        thickness += int(rng.integers(1, 4))
    arrangement = str(rng.choice(["above", "below", "left", "right"], p=[0.62, 0.2, 0.09, 0.09]))
    if form == "broken":
        arrangement = "within"
    length = int(np.clip(side * np.exp(rng.uniform(np.log(0.05), np.log(0.55))), 14, 0.8 * width))
    dark = rng.random() < 0.4
    boxed = surroundings in ("label_box", "data_bar")
    bright = int(rng.integers(200, 256)) if rng.random() < 0.2 else 255
    ink = (0 if rng.random() < 0.85 else int(rng.integers(0, 70))) if dark else bright
    other = rng.random() < 0.07 and not boxed
    return BarDrawing(
        form=form,
        surroundings=surroundings,
        arrangement=arrangement,
        text=f"{rng.choice(VALUES)}{rng.choice(UNITS)}",
        text_height=size,
        length=length,
        thickness=thickness,
        gap=int(size * rng.uniform(-0.02, 0.5)),
        padding=int(rng.integers(1, max(3, size))),
        text_ink=255 - ink if other else ink,
        ink=ink,
        dim=int(rng.integers(12, 50)) if rng.random() < 0.14 and not boxed else None,
        cut=str(rng.choice(["bottom", "right", "left"])) if rng.random() < 0.08 else None,
        decoy=bool(rng.random() < 0.2),
        field_width=bool(rng.random() < 0.4),
    )


def _white_over_dark_line(rng: np.random.Generator, side: int) -> BarDrawing:
    size = round(side * rng.uniform(0.035, 0.06))
    return BarDrawing(
        "line",
        "none",
        "above",
        text_height=size,
        length=round(side * rng.uniform(0.05, 0.12)),
        thickness=max(1, size // 8),
        text_ink=255,
        ink=int(rng.integers(0, 15)),
        decoy=True,
    )


def _label_box(rng: np.random.Generator, side: int) -> BarDrawing:
    size = round(side * rng.uniform(0.03, 0.06))
    return BarDrawing(
        str(rng.choice(["block", "line"])),
        "label_box",
        "above",
        text_height=size,
        length=round(side * rng.uniform(0.12, 0.3)),
        thickness=max(2, size // 4),
        ink=0,
        text_ink=0,
        padding=int(rng.integers(1, 5)),
    )


def _bar_box(rng: np.random.Generator, side: int) -> BarDrawing:
    size = round(side * rng.uniform(0.035, 0.07))
    return BarDrawing(
        "block",
        "bar_box",
        str(rng.choice(["above", "right", "left"])),
        text_height=size,
        length=round(side * rng.uniform(0.1, 0.3)),
        thickness=max(2, size // 3),
        ink=255,
        text_ink=255,
    )


def _i_beam_box(rng: np.random.Generator, side: int) -> BarDrawing:
    size = round(side * rng.uniform(0.025, 0.05))
    return BarDrawing(
        "i_beam",
        "label_box",
        "above",
        text_height=size,
        length=round(side * rng.uniform(0.06, 0.25)),
        thickness=max(1, size // 10),
        ink=0,
        text_ink=0,
    )


def _cut(rng: np.random.Generator, side: int) -> BarDrawing:
    size = round(side * rng.uniform(0.035, 0.07))
    return BarDrawing(
        str(rng.choice(["block", "i_beam", "line"])),
        "none",
        str(rng.choice(["above", "below"])),
        text_height=size,
        length=round(side * rng.uniform(0.12, 0.3)),
        thickness=max(2, size // 4),
        cut=str(rng.choice(["bottom", "right", "left"])),
    )


def _cut_ruler(rng: np.random.Generator, side: int) -> BarDrawing:
    size = round(side * rng.uniform(0.03, 0.045))
    return BarDrawing(
        "ruler",
        "none",
        "below",
        text="1.00um",
        text_height=size,
        length=round(side * rng.uniform(0.2, 0.5)),
        thickness=max(4, size // 2),
        ink=255,
        text_ink=255,
        cut="right",
    )


def _dim_corner(rng: np.random.Generator, side: int) -> BarDrawing:
    size = max(7, round(side * 0.014))
    return BarDrawing(
        "line",
        "text_box",
        "above",
        text_height=size,
        length=round(side * rng.uniform(0.06, 0.2)),
        thickness=2,
        text_ink=255,
        ink=255,
        dim=int(rng.integers(14, 30)),
    )


def _broken_in_data_bar(rng: np.random.Generator, side: int) -> BarDrawing:
    size = round(side * rng.uniform(0.025, 0.04))
    return BarDrawing(
        "broken",
        "data_bar",
        "within",
        text_height=size,
        length=round(side * rng.uniform(0.2, 0.45)),
        thickness=max(1, size // 12),
        field_width=True,
    )


#: Kinds at which readers have failed, each with what draws one for a picture's shorter side, px.
SITUATIONS = {
    "white_over_dark_line": _white_over_dark_line,
    "label_box": _label_box,
    "bar_box": _bar_box,
    "i_beam_box": _i_beam_box,
    "cut": _cut,
    "cut_ruler": _cut_ruler,
    "dim_corner": _dim_corner,
    "broken_in_data_bar": _broken_in_data_bar,
}


def draw_marked_picture(
    rng: np.random.Generator,
    ground: Grey,
    *,
    drawing: BarDrawing | None = None,
    situation: str | None = None,
    fonts: Sequence[Path] = (),
    degradation: float = 1.0,
) -> MarkedPicture:
    """Draw a scale bar with its text on a picture.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses whatever is not given.
    ground : uint8 array, shape (H, W)
        A picture without a bar; at least 64 px each way.
    drawing : BarDrawing, optional
    situation : str, optional
        A key of `SITUATIONS`, instead of `drawing`.
    fonts : sequence of Path, optional
        Font files to choose from beside those that come with Matplotlib.
    degradation : float
        Strength of blur, resampling and compression; 0 for none.

    Returns
    -------
    MarkedPicture

    Raises
    ------
    ValueError
        The ground is too small.
    """
    height, width = ground.shape
    if min(height, width) < 64:
        raise ValueError(f"a ground of {width} x {height} px is too small for a bar and its text")
    if situation is not None:
        drawing = SITUATIONS[situation](rng, min(height, width))
    drawing = drawing or random_drawing(rng, height, width)
    marked = _Canvas(rng, ground, drawing, fonts).draw()
    return _degraded(rng, marked, degradation)


class _Canvas:
    """The picture while it is drawn upon."""

    def __init__(self, rng: np.random.Generator, ground: Grey, drawing: BarDrawing, fonts: Sequence[Path]) -> None:
        self.rng, self.ground, self.drawing = rng, ground, drawing
        self.height, self.width = ground.shape
        self.face = self._face(fonts)
        self.image = Image.fromarray(ground)
        self.pen = ImageDraw.Draw(self.image)
        self.others: list[Box] = []

    def _face(self, fonts: Sequence[Path]) -> ImageFont.FreeTypeFont:
        size = self.drawing.text_height
        if len(fonts) and self.rng.random() < 0.75:
            return ImageFont.truetype(str(fonts[int(self.rng.integers(len(fonts)))]), size)
        return font(str(self.rng.choice(list(FONTS))), size)

    def draw(self) -> MarkedPicture:
        d = self.drawing
        left, upper, right, lower = (int(edge) for edge in self.face.getbbox(d.text))
        text_w, text_h = right - left, lower - upper
        length = max(d.length, text_w + 3 * d.text_height) if d.form == "broken" else d.length
        length = min(length, self.width - 8)
        cap = self._cap_height()
        bar_h = max(d.thickness, cap)
        gap = max(d.gap, 2 if d.form != "block" else -1)
        if d.arrangement in ("above", "below"):
            block_w, block_h = max(length, text_w), text_h + gap + bar_h
        elif d.arrangement == "within":
            block_w, block_h = length, max(text_h, bar_h)
        else:
            block_w, block_h = length + d.text_height // 2 + text_w, max(text_h, bar_h)
        ox, oy = self._place(block_w, block_h)
        d = self.drawing  # a data bar chooses the inks
        bx, by, tx, ty = self._within_block(ox, oy, block_w, block_h, length, bar_h, text_w, text_h, gap)
        bar_box = Box(bx, by, bx + length, by + bar_h)
        text_box = Box(tx, ty, tx + text_w, ty + text_h)
        if d.decoy:
            self._decoy(Box(ox, oy, ox + block_w, oy + block_h))
        ink, text_ink = self._surround(bar_box, text_box)
        y0, y1 = self._bar(bx, by, length, bar_h, ink, text_box if d.form == "broken" else None)
        stroke = 1 if d.form == "outlined" and self.rng.random() < 0.6 and d.text_height > 12 else 0
        at, edge = (tx - left, ty - upper), 255 - text_ink
        self.pen.text(at, d.text, font=self.face, fill=text_ink, stroke_width=stroke, stroke_fill=edge)
        half = 0.5 if d.form == "ruler" else 0.0
        x1 = bx + length - half
        bounds = Box(0, 0, self.width, self.height)
        return MarkedPicture(
            np.asarray(self.image, np.uint8),
            bx + half,
            x1,
            y0,
            y1,
            d.text,
            text_box.intersection(bounds),
            tuple(box.intersection(bounds) for box in self.others),
            replace(d, length=length, ink=ink, text_ink=text_ink),
        )

    def _cap_height(self) -> int:
        d = self.drawing
        if d.form in ("i_beam", "arrows"):
            return max(5, round(d.text_height * float(self.rng.uniform(0.3, 0.8)))) | 1
        if d.form == "bracket":
            return max(4, d.text_height // 3)
        if d.form == "ruler":
            return max(4, d.text_height // 2)
        if d.form == "broken":
            return max(5, d.text_height // 2) | 1
        return d.thickness

    def _place(self, block_w: int, block_h: int) -> tuple[int, int]:
        """Upper left corner of bar and text together."""
        d, rng = self.drawing, self.rng
        if d.surroundings == "data_bar":
            return self._data_bar(block_w, block_h)
        margin = int(rng.integers(2, max(4, self.width // 12))) + (d.padding if d.surroundings == "label_box" else 0)
        spots = ["left", "right"] if rng.random() < 0.8 else ["middle"]
        side = d.cut if d.cut in ("left", "right") else str(rng.choice(spots))
        room = self.width - block_w
        ox = {"left": min(margin, room), "right": room - margin, "middle": int(rng.integers(0, max(1, room)))}[side]
        upper = rng.random() < 0.12 and d.cut != "bottom"
        oy = margin if upper else self.height - block_h - margin
        if d.cut == "bottom":
            oy = self.height - block_h + int(rng.integers(1, max(2, block_h // 3)))
        elif d.cut in ("left", "right"):
            beyond = int(rng.integers(1, max(2, block_w // 4)))
            ox = -beyond if d.cut == "left" else room + beyond
        return ox, max(oy, 1)

    def _data_bar(self, block_w: int, block_h: int) -> tuple[int, int]:
        """An instrument's data bar along the foot, with its other words; where bar and text go in it."""
        d, rng = self.drawing, self.rng
        tall = block_h + int(rng.integers(4, 8 + d.text_height))
        top = self.height - tall
        white = rng.random() < 0.3
        back = int(rng.integers(228, 256)) if white else int(rng.integers(0, 28))
        self.pen.rectangle((0, top, self.width, self.height), fill=back)
        ink = 0 if white else 255
        self.drawing = replace(d, ink=ink, text_ink=ink)
        room = self.width - block_w - 8
        ox = int(rng.integers(4, max(5, room))) if rng.random() < 0.3 else (max(4, room) if rng.random() < 0.7 else 6)
        words = [
            f"{rng.choice([5, 10, 15, 20, 200])}.0 kV",
            f"WD {rng.uniform(3, 12):.1f} mm",
            f"x{int(rng.integers(2, 200))},000",
            str(rng.choice(["SEI", "det ETD", "SE(M)", "InLens"])),
        ]
        if d.field_width:
            words.insert(1, f"HFW {rng.uniform(1, 20):.2f} µm")
        x = 5
        for word in words:
            w = int(self.face.getlength(word))
            if x < ox + block_w + 6 and x + w > ox - 6:
                x = ox + block_w + 8
            if x + w > self.width - 2:
                break
            y = top + max(1, (tall - d.text_height) // 2)
            self.pen.text((x, y), word, font=self.face, fill=ink)
            self.others.append(Box(x, y, x + w, y + d.text_height))
            x += w + d.text_height
        return ox, top + (tall - block_h) // 2

    def _within_block(
        self, ox: int, oy: int, w: int, h: int, length: int, bar_h: int, text_w: int, text_h: int, gap: int
    ) -> tuple[int, int, int, int]:
        arrangement, rng = self.drawing.arrangement, self.rng
        if arrangement in ("above", "below"):
            lean = 0.5 if rng.random() < 0.8 else float(rng.choice([0.0, 1.0]))
            bx, tx = ox + round((w - length) * lean), ox + round((w - text_w) * lean)
            return (bx, oy + text_h + gap, tx, oy) if arrangement == "above" else (bx, oy, tx, oy + bar_h + gap)
        by, ty = oy + (h - bar_h) // 2, oy + (h - text_h) // 2
        if arrangement == "within":
            return ox, by, ox + (w - text_w) // 2, ty
        return (ox + w - length, by, ox, ty) if arrangement == "left" else (ox, by, ox + w - text_w, ty)

    def _surround(self, bar: Box, text: Box) -> tuple[int, int]:
        """Boxes behind bar and text; the levels of their inks."""
        d, pad = self.drawing, self.drawing.padding
        ink = d.ink if d.ink is not None else self._contrary(bar)
        text_ink = d.text_ink if d.text_ink is not None else ink
        around = {
            "label_box": Box(min(bar.x0, text.x0), min(bar.y0, text.y0), max(bar.x1, text.x1), max(bar.y1, text.y1)),
            "bar_box": bar,
            "text_box": text,
        }.get(d.surroundings)
        if around is not None:
            back = 255 - (text_ink if d.surroundings == "text_box" else ink)
            if self.rng.random() < 0.25:
                back = int(np.clip(back + self.rng.integers(-50, 51), 0, 255))
            frame = 255 - back if self.rng.random() < 0.3 else None
            corners = (around.x0 - pad, around.y0 - pad, around.x1 + pad - 1, around.y1 + pad - 1)
            self.pen.rectangle(corners, fill=back, outline=frame)
        if d.dim is not None and d.surroundings in ("none", "text_box"):
            level = self._level(bar)
            ink = int(np.clip(level + (d.dim if ink >= 128 else -d.dim), 0, 255))
            text_ink = text_ink if d.surroundings == "text_box" else ink
        return ink, text_ink

    def _level(self, box: Box) -> float:
        patch = self.ground[box.intersection(Box(0, 0, self.width, self.height)).slices]
        return float(np.median(patch)) if patch.size else 128.0

    def _contrary(self, box: Box) -> int:
        return 0 if self._level(box) > 128 else 255

    def _bar(self, x: int, y: int, length: int, tall: int, ink: int, text: Box | None) -> tuple[float, float]:
        """Draw the bar; its upper and lower edge."""
        d, pen = self.drawing, self.pen
        x1, middle, half = x + length - 1, y + tall // 2, d.thickness // 2
        line = (x, middle - half, x1, middle - half + d.thickness - 1)
        back = 255 if ink < 128 else 0
        if d.form == "ruler":
            self._ruler(x, y, length, tall, ink)
            return float(y), float(y + tall)
        if d.form == "outlined":
            pen.rectangle((x, y, x1, y + d.thickness - 1), fill=ink, outline=back)
            return float(y), float(y + d.thickness)
        if d.form == "shadowed":
            pen.rectangle((x + 1, y + 1, x1 + 1, y + d.thickness), fill=back)
        if d.form in ("block", "line", "shadowed"):
            pen.rectangle((x, y, x1, y + d.thickness - 1), fill=ink)
            return float(y), float(y + d.thickness)
        if text is not None:  # broken
            pad = max(2, d.text_height // 5)
            pen.rectangle((x, line[1], max(x, text.x0 - pad), line[3]), fill=ink)
            pen.rectangle((min(x1, text.x1 + pad), line[1], x1, line[3]), fill=ink)
        else:
            pen.rectangle(line, fill=ink)
        stroke = max(1, min(d.thickness, 3))
        if d.form == "arrows":
            for tip, away in ((x, 1), (x1, -1)):
                back_x = tip + away * tall
                pen.line((tip, middle, back_x, middle - tall // 2), fill=ink, width=stroke)
                pen.line((tip, middle, back_x, middle + tall // 2), fill=ink, width=stroke)
        else:
            top = middle if d.form == "bracket" else y
            for a, b in ((x, x + stroke - 1), (x1 - stroke + 1, x1)):
                pen.rectangle((a, top, b, y + tall), fill=ink)
        return float(line[1]), float(line[3] + 1)

    def _ruler(self, x: int, y: int, length: int, tall: int, ink: int) -> None:
        strokes = int(self.rng.choice(STROKES, p=STROKE_CHANCES))
        wide = 1 if length < 25 * strokes else int(self.rng.integers(1, 4))
        long_ends = self.rng.random() < 0.3
        for i, at in enumerate(np.linspace(x, x + length - 1, strokes)):
            reach = tall if not long_ends or i in (0, strokes // 2, strokes - 1) else max(2, tall * 2 // 3)
            left = round(at) - wide // 2
            self.pen.rectangle((left, y, left + wide - 1, y + reach - 1), fill=ink)

    def _decoy(self, block: Box) -> None:
        """A line that is no bar: faint and long beside the block, or an edge, a frame, an arrow's shaft."""
        rng = self.rng
        length = int(self.width * rng.uniform(0.15, 0.7))
        x = int(rng.integers(0, max(1, self.width - length)))
        y = int(np.clip(block.y1 + rng.integers(-3 * block.height, 2 * block.height), 1, self.height - 3))
        if block.y0 - 3 <= y <= block.y1 + 3:
            x = block.x1 + int(rng.integers(6, 40)) if block.x0 < self.width // 2 else block.x0 - length - 12
        level = float(np.median(self.ground[max(0, y - 3) : y + 4]))
        strong = rng.random() < 0.4
        ink = int(np.clip(level + rng.choice([-1, 1]) * rng.integers(8, 160 if strong else 30), 0, 255))
        if rng.random() < 0.15:
            self.pen.rectangle((x, y, x + length, y + int(rng.integers(20, 120))), outline=ink)
        else:
            self.pen.line((x, y, x + length, y + int(rng.integers(-1, 2))), fill=ink, width=int(rng.integers(1, 3)))


def _degraded(rng: np.random.Generator, marked: MarkedPicture, strength: float) -> MarkedPicture:
    """What printing does: other sampling, blur, noise, compression; the truth follows."""
    if strength <= 0:
        return marked
    image = marked.image
    if rng.random() < 0.6:
        factor = float(np.exp(rng.uniform(np.log(0.65), np.log(1.35))))
        height, width = image.shape
        size = (max(64, round(width * factor)), max(64, round(height * factor)))
        method = int(rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        image = cv2.resize(image, size, interpolation=method).astype(np.uint8)
        fx, fy = size[0] / width, size[1] / height
        bounds = Box(0, 0, size[0], size[1])
        marked = replace(
            marked,
            x0=marked.x0 * fx,
            x1=marked.x1 * fx,
            y0=marked.y0 * fy,
            y1=marked.y1 * fy,
            text_box=_scaled(marked.text_box, fx, fy).intersection(bounds),
            other_texts=tuple(_scaled(box, fx, fy).intersection(bounds) for box in marked.other_texts),
        )
    if rng.random() < 0.4:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 0.9) * strength)).astype(np.uint8)
    if rng.random() < 0.2:
        noisy = image + rng.normal(0, rng.uniform(1, 6) * strength, image.shape)
        image = np.clip(noisy, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = int(100 - rng.uniform(5, 65) * min(strength, 1.4))
        done, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, max(quality, 10)])
        if done:
            image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return replace(marked, image=image)


def _scaled(box: Box, fx: float, fy: float) -> Box:
    return Box(round(box.x0 * fx), round(box.y0 * fy), round(box.x1 * fx), round(box.y1 * fy))
