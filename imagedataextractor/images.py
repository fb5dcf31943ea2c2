"""Read pictures of every common kind into plain arrays, within bounds.

The one door through which pixels enter: whatever the file holds, what comes out is an 8-bit array
of shape (H, W) for a grey picture or (H, W, 3) for a colour one.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps

from imagedataextractor.errors import InputError

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "load_image", "sha256_of", "to_grey", "to_rgb"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"})

#: Largest picture that is opened, in pixels: 20,000 x 20,000. Above it the float arrays of the
#: later stages would not fit the memory of an ordinary machine.
MAX_PIXELS = 400_000_000

# A truncated file must be an error, not a half-grey picture that is measured all the same.
ImageFile.LOAD_TRUNCATED_IMAGES = False
# The bound is enforced here, with one clear line, instead of by Pillow's warning.
Image.MAX_IMAGE_PIXELS = None


def load_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read a picture file as an 8-bit array, (H, W) grey or (H, W, 3) RGB.

    16- and 32-bit pictures are stretched from their own minimum … maximum to 0 … 255;
    transparency is laid on white; palettes and CMYK become RGB; of an animation or a
    multi-page TIFF the first frame is taken; the EXIF orientation is applied.

    Raises
    ------
    InputError
        The file is absent, empty, truncated, not a picture, or larger than `MAX_PIXELS`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; fetch or export it again")
    try:
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
                return _to_uint8(ImageOps.exif_transpose(image))
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{path}: not enough memory to read it; scale it down") from error
    except Exception as error:  # Pillow's decoders raise many unrelated classes on broken files
        detail = str(error).split("\n")[0][:120] or type(error).__name__
        raise InputError(f"{path}: cannot be read as an image ({detail})") from error


def _to_uint8(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _stretch(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba).convert("L" if image.mode == "LA" else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if pixels.ndim == 3 and (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all():
        pixels = pixels[..., 0]
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _stretch(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    values = np.nan_to_num(pixels.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    return np.round((values - low) * (255.0 / (high - low))).astype(np.uint8)


def to_grey(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Luma (ITU-R BT.601) of an (H, W, 3) image, or the (H, W) image itself."""
    if image.ndim == 2:
        return image
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.round(image[..., :3].astype(np.float32) @ weights).astype(np.uint8)


def to_rgb(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The image as (H, W, 3)."""
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
