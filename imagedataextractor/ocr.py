"""Text in pictures: one small seam, two engines.

RapidOCR (PP-OCR models on ONNX Runtime) is the default: its models come inside its wheel, so there
is nothing to download and no system package to install. Tesseract is there for those who have it.
Nothing outside this module knows either of them.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import UsageError
from imagedataextractor.images import to_grey, to_rgb
from imagedataextractor.records import OCR_ENGINES, Box, OcrName

__all__ = ["OcrEngine", "TextBox", "load_engine"]

Image = npt.NDArray[np.uint8]

#: Longest side of a picture handed to an engine, px. Time grows with the area; the letters of a
#: figure of a journal are still more than 10 px high when the whole page is this large.
MAX_SIDE_PX = 2000
#: Smallest side that the detectors accept, px; a smaller picture is padded.
MIN_SIDE_PX = 32
#: Lines read in one picture, at most: bounds the time for a picture full of text (a table, a plot).
MAX_LINES = 250
#: Seconds after which a hung `tesseract` process is stopped.
TESSERACT_TIMEOUT_S = 120
#: Side below which an image holds no letter, px.
_LEAST_SIDE_PX = 2
#: Grey level below which a line's ground is dark; Tesseract reads dark text on light ground.
_DARK_GROUND = 128
#: Height to which Tesseract's lines are brought, and the margin they are given, px: what it was trained on.
_LINE_PX, _LINE_MARGIN_PX = 40.0, 12
#: Share of a line that another, surer reading of the same place covers where both are one.
_SAME_LINE = 0.3


@dataclass(frozen=True)
class TextBox:
    """One line of text as read: the words, how sure the engine is (0 … 1), and where.

    `box` is upright and in pixels of the image that was given to the engine.
    """

    text: str
    score: float
    box: Box


class _NoOcr:
    """An engine that reads nothing, for those who want no text read."""

    name = "none"

    def read(self, image: Image, *, region: Box | None = None, enlarge: float = 1.0) -> list[TextBox]:
        return []

    def read_line(self, image: Image) -> tuple[str, float]:
        return "", 0.0


class OcrEngine(Protocol):
    """What the stages ask of an OCR engine."""

    name: str

    def read(self, image: Image, *, region: Box | None = None, enlarge: float = 1.0) -> list[TextBox]:
        """Find and read all lines of text.

        Parameters
        ----------
        image : uint8 array, shape (H, W) or (H, W, 3)
        region : Box, optional
            Look only here.
        enlarge : float, optional
            Look at the region at this many times its size: small letters are read better at 2.

        Returns
        -------
        list of TextBox
            Top to bottom; boxes in pixels of `image`, whatever `region` and `enlarge` are. Empty
            where there is no text.
        """
        ...

    def read_line(self, image: Image) -> tuple[str, float]:
        """Read a picture that holds one line of text and nothing else.

        Returns
        -------
        text, score : str, float
            The empty string and 0 where nothing can be read.
        """
        ...


@functools.cache
def load_engine(name: OcrName = "rapidocr", threads: int = 1) -> OcrEngine:
    """An OCR engine, loaded once a process.

    Parameters
    ----------
    name : {"rapidocr", "tesseract", "none"}
    threads : int
        CPU threads it may use.

    Raises
    ------
    UsageError
        The engine is unknown or not installed; the message says what to do.
    """
    if name == "rapidocr":
        return _RapidOcr(threads)
    if name == "tesseract":
        return _Tesseract(threads)
    if name == "none":
        return _NoOcr()
    raise UsageError(f"no OCR engine is called {name!r}; there are: {', '.join(OCR_ENGINES)}")


@dataclass(frozen=True)
class _View:
    """A region of an image, resized and padded for an engine, and the way back."""

    pixels: Image
    scale: float
    x0: int
    y0: int
    bounds: Box

    def to_image(self, x0: float, y0: float, x1: float, y1: float) -> Box:
        """A rectangle of the view as a box of the image, grown to whole pixels and cut to the region."""
        box = Box(
            int(np.floor(x0 / self.scale)) + self.x0,
            int(np.floor(y0 / self.scale)) + self.y0,
            int(np.ceil(x1 / self.scale)) + self.x0,
            int(np.ceil(y1 / self.scale)) + self.y0,
        )
        return box.intersection(self.bounds)


def _view(image: Image, region: Box | None, enlarge: float) -> _View | None:
    height, width = image.shape[:2]
    bounds = Box(0, 0, width, height)
    if region is not None:
        bounds = bounds.intersection(region)
    if bounds.area == 0:
        return None
    cut = to_rgb(image[bounds.slices])
    scale = min(float(enlarge), MAX_SIDE_PX / max(bounds.width, bounds.height))
    if scale != 1.0:
        size = (max(1, round(bounds.width * scale)), max(1, round(bounds.height * scale)))
        method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        cut = cv2.resize(cut, size, interpolation=method).astype(np.uint8)
    down, right = max(0, MIN_SIDE_PX - cut.shape[0]), max(0, MIN_SIDE_PX - cut.shape[1])
    if down or right:
        cut = np.pad(cut, ((0, down), (0, right), (0, 0)), mode="edge")
    return _View(np.ascontiguousarray(cut), scale, bounds.x0, bounds.y0, bounds)


class _RapidOcr:
    """PP-OCR through the `rapidocr` package, offline."""

    name = "rapidocr"

    def __init__(self, threads: int) -> None:
        from rapidocr import RapidOCR

        # Its logger has a handler of its own on stderr and prints a line for every model and for
        # every picture without text.
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        self._engine = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_cls": False,  # text upside down does not occur on scale bars and panel letters
                "Global.text_score": 0.0,  # the score is handed on; the caller judges
                "Global.max_side_len": 2 * MAX_SIDE_PX,  # sizes are this module's business, not the engine's
                "Det.limit_side_len": MIN_SIDE_PX,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        self._lock = threading.Lock()  # the engine keeps the flags of its last call

    def read(self, image: Image, *, region: Box | None = None, enlarge: float = 1.0) -> list[TextBox]:
        view = _view(image, region, enlarge)
        if view is None:
            return []
        with self._lock:
            found: Any = self._engine(view.pixels, use_det=True, use_rec=False)
            quads = [] if found.boxes is None else [np.asarray(q, np.float32) for q in found.boxes]
            lines = []
            for quad in quads[:MAX_LINES]:
                flat = _straighten(view.pixels, quad)
                reading = self._recognise(flat)
                if reading[0] and _is_upright(quad):  # upright text runs downwards or upwards
                    reading = max(reading, self._recognise(np.ascontiguousarray(flat[::-1, ::-1])), key=_score)
                text, score = reading
                if text:
                    (x0, y0), (x1, y1) = quad.min(axis=0), quad.max(axis=0)
                    lines.append(TextBox(text, score, view.to_image(x0, y0, x1, y1)))
        return [line for line in lines if line.box.area > 0]

    def read_line(self, image: Image) -> tuple[str, float]:
        if min(image.shape[:2]) < _LEAST_SIDE_PX:
            return "", 0.0
        with self._lock:
            return self._recognise(to_rgb(image))

    def _recognise(self, line: Image) -> tuple[str, float]:
        if min(line.shape[:2]) < _LEAST_SIDE_PX:
            return "", 0.0
        result: Any = self._engine(line, use_det=False, use_rec=True)
        if not result.txts or not result.txts[0].strip():
            return "", 0.0
        return str(result.txts[0]).strip(), float(result.scores[0])


def _straighten(pixels: Image, quad: npt.NDArray[np.float32]) -> Image:
    """The pixels inside a quadrilateral (corners clockwise from top left), laid flat.

    A quadrilateral clearly higher than wide holds upright text, which is turned to be read.
    """
    width, height = _sides(quad)
    if width < 1 or height < 1:
        return pixels[:0, :0]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    flat = cv2.warpPerspective(
        pixels,
        cv2.getPerspectiveTransform(quad, corners),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.ascontiguousarray(np.rot90(flat) if _is_upright(quad) else flat).astype(np.uint8)


def _sides(quad: npt.NDArray[np.float32]) -> tuple[int, int]:
    """Width and height of a quadrilateral, px."""
    width = round(float(max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[2] - quad[3]))))
    height = round(float(max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]))))
    return width, height


def _is_upright(quad: npt.NDArray[np.float32]) -> bool:
    """Whether a quadrilateral is so much higher than wide that it holds upright text."""
    width, height = _sides(quad)
    return height >= 1.5 * width


def _score(reading: tuple[str, float]) -> float:
    return reading[1]


class _Tesseract:
    """The `tesseract` program through `pytesseract`."""

    name = "tesseract"

    def __init__(self, threads: int) -> None:
        try:
            import pytesseract
        except ImportError as error:
            raise UsageError(
                "the OCR engine tesseract needs the package pytesseract: "
                "pip install 'imagedataextractor[tesseract]', or use the engine rapidocr"
            ) from error
        try:
            pytesseract.get_tesseract_version()
        except pytesseract.TesseractNotFoundError as error:
            raise UsageError(
                "the OCR engine tesseract needs the program tesseract on the PATH "
                "(Debian and Ubuntu: apt install tesseract-ocr), or use the engine rapidocr"
            ) from error
        self._tesseract = pytesseract
        self._threads = threads

    def read(self, image: Image, *, region: Box | None = None, enlarge: float = 1.0) -> list[TextBox]:
        # Tesseract is trained on letters 30 px high; those on micrographs are half of that.
        view = _view(to_grey(image), region, 2.0 * enlarge)
        if view is None:
            return []
        # It reads dark text on light ground. Both polarities are read, the surer reading kept.
        lines = [line for pixels in (view.pixels, 255 - view.pixels) for line in self._lines(pixels, view)]
        lines.sort(key=lambda line: -line.score)
        kept: list[TextBox] = []
        for line in lines:
            if all(line.box.intersection(other.box).area < _SAME_LINE * line.box.area for other in kept):
                kept.append(line)
        return sorted(kept, key=lambda line: (line.box.y0, line.box.x0))[:MAX_LINES]

    def read_line(self, image: Image) -> tuple[str, float]:
        if min(image.shape[:2]) < _LEAST_SIDE_PX:
            return "", 0.0
        grey = to_grey(image)
        scale = _LINE_PX / grey.shape[0]
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
        if np.median(grey) < _DARK_GROUND:
            grey = 255 - grey
        grey = np.pad(grey, _LINE_MARGIN_PX, mode="edge")
        words = self._words(grey, "--psm 7")
        if not words:
            return "", 0.0
        return " ".join(text for text, _, _, _ in words), float(np.mean([score for _, score, _, _ in words]))

    def _lines(self, pixels: Image, view: _View) -> list[TextBox]:
        groups: dict[tuple[int, int, int], list[tuple[str, float, tuple[int, int, int, int]]]] = {}
        for text, score, place, line in self._words(pixels, "--psm 11"):
            groups.setdefault(line, []).append((text, score, place))
        lines = []
        for words in groups.values():
            x0, y0 = (min(place[i] for _, _, place in words) for i in (0, 1))
            x1, y1 = (max(place[i] for _, _, place in words) for i in (2, 3))
            score = float(np.mean([score for _, score, _ in words]))
            box = view.to_image(x0, y0, x1, y1)
            if box.area:
                lines.append(TextBox(" ".join(text for text, _, _ in words), score, box))
        return lines

    def _words(
        self, pixels: Image, config: str
    ) -> list[tuple[str, float, tuple[int, int, int, int], tuple[int, int, int]]]:
        """Each word with its score (0 … 1), its place (x0, y0, x1, y1) and its block, paragraph and line."""
        with _thread_limit(self._threads):
            try:
                table = self._tesseract.image_to_data(
                    pixels, config=config, output_type=self._tesseract.Output.DICT, timeout=TESSERACT_TIMEOUT_S
                )
            except self._tesseract.TesseractError as error:
                raise UsageError(f"tesseract failed: {error.message}; try the engine rapidocr") from error
            except RuntimeError as error:  # how pytesseract reports its own timeout
                raise UsageError(f"tesseract gave no answer in {TESSERACT_TIMEOUT_S} s; try rapidocr") from error
        words = []
        for i, text in enumerate(table["text"]):
            if not text.strip() or float(table["conf"][i]) < 0:
                continue
            x, y = int(table["left"][i]), int(table["top"][i])
            place = (x, y, x + int(table["width"][i]), y + int(table["height"][i]))
            line = (int(table["block_num"][i]), int(table["par_num"][i]), int(table["line_num"][i]))
            words.append((text.strip(), float(table["conf"][i]) / 100.0, place, line))
        return words


@contextmanager
def _thread_limit(threads: int) -> Iterator[None]:
    """OMP_THREAD_LIMIT for the `tesseract` process, which takes every core otherwise."""
    before = os.environ.get("OMP_THREAD_LIMIT")
    os.environ["OMP_THREAD_LIMIT"] = str(threads)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("OMP_THREAD_LIMIT", None)
        else:
            os.environ["OMP_THREAD_LIMIT"] = before
