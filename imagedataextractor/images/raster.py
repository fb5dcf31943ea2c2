"""What Pillow reads, and the deep colours that it would cut to 8 bits, which OpenCV reads."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from imagedataextractor.errors import InputError
from imagedataextractor.images import bounds
from imagedataextractor.images.channels import RGB, RGBA, has_channels, is_flat
from imagedataextractor.images.stretch import stretched

__all__ = ["opened", "read_raster", "reduced", "require_page"]

#: Formats that are read, whatever a file is called; Pillow knows others that hold no micrographs, or run programs.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")
_HEAD_BYTES = 16
#: Place of the bit depth and the colour type in a PNG file, and the colour types that have several channels.
_PNG_DEPTH, _PNG_COLOUR, _PNG_CHANNELS = 24, 25, (2, 4, 6)
#: Bits a channel at which Pillow keeps the upper 8 of them.
_DEEP_BITS = 16


@contextmanager
def opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """A picture file, its size known to be within bounds, nothing decoded.

    `PIL.Image.open` has one bound for the whole process, which is for the program around this package to set;
    the plug-ins behind it have none, so that the bound here can be this package's own.

    Raises
    ------
    UnidentifiedImageError
        None of `FORMATS`.
    InputError
        Too large.
    """
    Image.init()
    with path.open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head = stream.read(_HEAD_BYTES)
        for name in FORMATS:
            factory, accept = Image.OPEN.get(name, (None, None))
            if factory is None or (accept is not None and accept(head) is not True):
                continue
            stream.seek(0)
            try:
                # Without a name: what Pillow maps into memory by its name it takes for turned already.
                image = factory(stream, "")
            except (SyntaxError, IndexError, TypeError, EOFError) as error:
                raise UnidentifiedImageError(str(error)) from error
            with image:
                bounds.require_size(path, *image.size)
                yield image
            return
        raise UnidentifiedImageError("no format that is known")


def require_page(path: Path, page: int, pages: int) -> None:
    """See that a page asked for is one of the file's.

    Raises
    ------
    InputError
    """
    if not 1 <= page <= pages:
        has = "one page" if pages == 1 else f"{pages} pages"
        raise InputError(f"{path}: has {has}, and no page {page}; leave --page out, or name one of them")


def read_raster(path: Path, page: int | None = None) -> tuple[npt.NDArray[np.uint8], int, int, int]:
    """Pixels as they are stored, their EXIF orientation, the page (from 1) and how many there are."""
    deep = _deep_png(path)
    if deep is not None:
        require_page(path, page or 1, 1)
        return deep, 1, 1, 1
    with opened(path) as image:
        pages = _frames(image)
        require_page(path, page or 1, pages)
        image.seek((page or 1) - 1)
        bounds.require_size(path, *image.size)
        image.load()
        return _to_uint8(image), image.getexif().get(ExifTags.Base.Orientation, 1), page or 1, pages


def _frames(image: ImageFile.ImageFile) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a broken frame further on; the first may be whole
        return 1


def _deep_png(path: Path) -> npt.NDArray[np.uint8] | None:
    """A PNG of 16 bits and several channels, of which Pillow gives the upper 8 bits alone; None for all else."""
    with path.open("rb") as stream:
        head = stream.read(_PNG_COLOUR + 1)
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or len(head) <= _PNG_COLOUR:
        return None
    if head[_PNG_DEPTH] != _DEEP_BITS or head[_PNG_COLOUR] not in _PNG_CHANNELS:
        return None
    with opened(path) as image:  # for the bound, and so that a truncated file is an error
        image.load()
    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise InputError(f"{path}: cannot be read as an image (its 16-bit colours cannot be decoded)")
    # OpenCV gives BGR and BGRA.
    if is_flat(values):
        return reduced(values)
    channels = values.shape[2]
    return reduced(values[..., [2, 1, 0, 3][:channels]], alpha=channels == RGBA)


def reduced(values: npt.NDArray[Any], *, alpha: bool = False) -> npt.NDArray[np.uint8]:
    """Deep numbers as an 8-bit picture: (H, W), or (H, W, 3) where the colours differ.

    Parameters
    ----------
    values : array, shape (H, W), (H, W, 3), or (H, W, 4) with `alpha`
    alpha : bool
        The last channel says how much of a pixel shows; the rest of it is white.
    """
    if is_flat(values):
        return stretched(values)
    colours = values[..., :RGB]
    if np.array_equal(colours[..., 0], colours[..., 1]) and np.array_equal(colours[..., 1], colours[..., 2]):
        pixels = stretched(np.ascontiguousarray(colours[..., 0]))
    else:
        pixels = stretched(colours)
    if not alpha:
        return pixels
    most = float(np.iinfo(values.dtype).max) if np.issubdtype(values.dtype, np.integer) else 1.0
    shows = np.clip(values[..., 3].astype(np.float32) / most, 0, 1)
    if has_channels(pixels):
        shows = shows[..., None]
    laid = np.round(255 - shows * (255 - pixels.astype(np.float32)))
    return np.asarray(laid, np.uint8)


def _to_uint8(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return stretched(np.asarray(image))
    width, height = image.size
    grey = np.empty((height, width), np.uint8)
    colour: npt.NDArray[np.uint8] | None = None
    for rows, strip in _strips(image):
        pixels = _plain(strip)
        if colour is None and has_channels(pixels):
            if np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 1], pixels[..., 2]):
                pixels = pixels[..., 0]
            else:
                colour = np.empty((height, width, RGB), np.uint8)
                colour[: rows.start] = grey[: rows.start, :, None]
        if colour is None:
            grey[rows] = pixels
        else:
            colour[rows] = pixels if has_channels(pixels) else pixels[..., None]
    return grey if colour is None else colour


def _strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """The picture in strips from the top, so that no step needs another copy of all of it."""
    width, height = image.size
    step = max(1, bounds.STRIP_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(height, top + step)
        yield slice(top, bottom), image.crop((0, top, width, bottom))


def _plain(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Pixels of a strip: (H, W) grey or (H, W, 3) RGB."""
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255, 255)), rgba).convert("RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    return np.asarray(image)
