"""Read pictures of every common kind into plain arrays, within bounds.

The one door through which pixels enter: whatever the file holds, what comes out is an 8-bit array
of shape (H, W) for a grey picture or (H, W, 3) for a colour one.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from imagedataextractor.errors import InputError

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "load_image", "sha256_of", "to_grey", "to_rgb"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"})

#: Largest picture that is opened, in pixels: 20,000 x 20,000. Above it the float arrays of the
#: later stages would not fit the memory of an ordinary machine.
MAX_PIXELS = 400_000_000
#: Pixels that are converted together: some 30 MB of 8-bit colour, 80 MB of floats.
STRIP_PIXELS = 10_000_000
#: Share of the pixels at either end of a 16-bit picture that may be dead or hot: 100 of a megapixel.
_STRAY = 1e-4
#: Pixels that are asked for it.
_SAMPLE = 500_000

# A truncated file must be an error, not a half-grey picture that is measured all the same.
ImageFile.LOAD_TRUNCATED_IMAGES = False
# The bound is enforced here, with one clear line, instead of by Pillow's warning.
Image.MAX_IMAGE_PIXELS = None


def load_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read a picture file as an 8-bit array, (H, W) grey or (H, W, 3) RGB.

    16- and 32-bit pictures are stretched from their own darkest … brightest to 0 … 255, without what
    a few dead or hot pixels and a burned-in scale bar would do to that (`_ends`);
    transparency is laid on white; palettes and CMYK become RGB; of an animation or a
    multi-page TIFF the first frame is taken; the EXIF orientation is applied.

    Beside the answer no more memory is taken than the decoder's own copy of the picture (at most
    4 bytes a pixel; progressive JPEG 6 more), whatever has to be converted.

    Raises
    ------
    InputError
        The file is absent, a folder, empty, truncated, not a picture, or larger than `MAX_PIXELS`.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a picture")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; fetch or export it again")
    try:
        pixels, orientation = _decoded(path)
        turn = _TURNS.get(orientation)
        return pixels if turn is None else np.ascontiguousarray(turn(pixels))
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: cannot be read as an image (its content is of no format that is known)") from error
    except MemoryError as error:
        raise InputError(f"{path}: not enough memory to read it; scale it down") from error
    except Exception as error:  # Pillow's decoders raise many unrelated classes on broken files
        detail = str(error).split("\n")[0][:120] or type(error).__name__
        raise InputError(f"{path}: cannot be read as an image ({detail})") from error


def _decoded(path: Path) -> tuple[npt.NDArray[np.uint8], int]:
    """Pixels as they are stored, and their EXIF orientation; the decoder's copy is gone when this returns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise InputError(
                    f"{path}: {width} x {height} pixels is more than the limit of {MAX_PIXELS:,}; "
                    "crop it or scale it down"
                )
            if width < 1 or height < 1:
                raise InputError(f"{path}: the image has no pixels")
            image.seek(0)
            image.load()
            return _to_uint8(image), image.getexif().get(ExifTags.Base.Orientation, 1)


#: EXIF orientation → what turns the stored rows upright.
_TURNS: Mapping[int, Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored.swapaxes(0, 1)[:, ::-1],
    7: lambda stored: stored.swapaxes(0, 1)[::-1, ::-1],
    8: lambda stored: stored.swapaxes(0, 1)[::-1],
}


def _to_uint8(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _stretched(image)
    width, height = image.size
    grey = np.empty((height, width), np.uint8)
    colour: npt.NDArray[np.uint8] | None = None
    for rows, strip in _strips(image):
        pixels = _plain(strip)
        if colour is None and pixels.ndim == 3:
            if np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 1], pixels[..., 2]):
                pixels = pixels[..., 0]
            else:
                colour = np.empty((height, width, 3), np.uint8)
                colour[: rows.start] = grey[: rows.start, :, None]
        if colour is None:
            grey[rows] = pixels
        else:
            colour[rows] = pixels if pixels.ndim == 3 else pixels[..., None]
    return grey if colour is None else colour


def _strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """The picture in strips from the top, so that no step needs another copy of all of it."""
    width, height = image.size
    step = max(1, STRIP_PIXELS // width)
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


def _stretched(image: Image.Image) -> npt.NDArray[np.uint8]:
    """A picture of more than 8 bits; what is no number in it counts as 0."""
    every = max(1, image.width * image.height // _SAMPLE)
    low, high = _ends(np.concatenate([_finite(strip).ravel()[::every].copy() for _, strip in _strips(image)]))
    pixels = np.zeros((image.height, image.width), np.uint8)
    if high > low:
        for rows, strip in _strips(image):
            pixels[rows] = np.round((np.clip(_finite(strip), low, high) - low) * (255.0 / (high - low)))
    return pixels


def _ends(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Which values become black and white.

    A camera's image fills a small part of 16 bits. One hot pixel, or a scale bar burned in at the
    end of the range, would leave it a few grey levels; so the smallest and the largest value (what is
    burned in or saturated has exactly these) and the `_STRAY` most extreme pixels do not count.
    """
    low, high = float(values.min()), float(values.max())
    inner = values[(values > low) & (values < high)]
    if 2 * inner.size < values.size:  # a drawing, or a mask
        return low, high
    darkest, brightest = np.quantile(inner, (_STRAY, 1 - _STRAY))
    return float(darkest), float(brightest)


def _finite(image: Image.Image) -> npt.NDArray[np.float64]:
    return np.nan_to_num(np.asarray(image).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def to_grey(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Luma (ITU-R BT.601) of an (H, W, 3) image, or the (H, W) image itself."""
    if image.ndim == 2:
        return image
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    grey = np.empty(image.shape[:2], np.uint8)
    step = max(1, STRIP_PIXELS // max(1, image.shape[1]))
    for top in range(0, image.shape[0], step):
        strip = image[top : top + step, :, :3].astype(np.float32)
        grey[top : top + step] = np.round(strip @ weights)
    return grey


def to_rgb(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The image as (H, W, 3)."""
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
