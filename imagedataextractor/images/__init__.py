"""Read pictures of every common kind into plain arrays, within bounds.

In: a file, or an array. Out: pixels, label maps, and what a microscope says of them.
The one door through which pixels enter: whatever the file holds, what comes out is an 8-bit array
of shape (H, W) for a grey picture or (H, W, 3) for a colour one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import UnidentifiedImageError

from imagedataextractor.errors import InputError
from imagedataextractor.images import bounds
from imagedataextractor.images.channels import RGB, RGBA, has_channels, is_flat
from imagedataextractor.images.microscopes import MICROSCOPE_SUFFIXES, microscope_of, read_microscope
from imagedataextractor.images.raster import read_raster, reduced
from imagedataextractor.images.stretch import stretched
from imagedataextractor.images.tiff import is_tiff, read_tiff

__all__ = ["IMAGE_SUFFIXES", "Picture", "as_picture", "load_image", "read_picture", "sha256_of", "to_grey", "to_rgb"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"}) | MICROSCOPE_SUFFIXES


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as it was read.

    Attributes
    ----------
    pixels : uint8 array, shape (H, W) or (H, W, 3)
    page, pages : int
        Which page of the file it is, from 1, and of how many.
    channel : str
        Which of a pixel's many samples it is, in words; "" where there is no choice.
    """

    pixels: npt.NDArray[np.uint8]
    page: int = 1
    pages: int = 1
    channel: str = ""

    @property
    def choice(self) -> str:
        """What of the file was taken, in words; "" where the file holds nothing else."""
        page = f"page {self.page} of {self.pages}" if self.pages > 1 else ""
        return ", ".join(part for part in (page, self.channel) if part)


def load_image(path: str | Path, page: int | None = None) -> npt.NDArray[np.uint8]:
    """The pixels of `read_picture`."""
    return read_picture(path, page).pixels


def read_picture(path: str | Path, page: int | None = None) -> Picture:
    """Read a picture file as an 8-bit array, (H, W) grey or (H, W, 3) RGB.

    Pictures of more than 8 bits are stretched from their own darkest … brightest to 0 … 255, without what
    a few dead or hot pixels and a burned-in scale bar would do to that (`stretch`);
    transparency is laid on white; palettes and CMYK become RGB; the EXIF orientation is applied. Of a TIFF with
    several pages the one that is the picture is taken: no thumbnail or smaller copy, no mask, the largest, and
    of a stack the first slice that is not blank; of an animation the first frame.

    Beside the answer no more memory is taken than the decoder's own copy of the picture (at most
    4 bytes a pixel; progressive JPEG 6 more, 64-bit numbers 8), whatever has to be converted.

    Parameters
    ----------
    path : str or Path
    page : int, optional
        The page to take, from 1, instead.

    Raises
    ------
    InputError
        The file is absent, a folder, empty, truncated, not a picture, larger than `bounds.MAX_PIXELS`, or has no
        such page.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a picture")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty; fetch or export it again")
        pixels, orientation, number, pages, channel = _decoded(path, page)
        turn = _TURNS.get(orientation)
        upright = pixels if turn is None else np.ascontiguousarray(turn(pixels))
        return Picture(upright, number, pages, channel)
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: cannot be read as an image (its content is of no format that is known)") from error
    except MemoryError as error:
        raise InputError(f"{path}: not enough memory to read it; scale it down") from error
    except Exception as error:  # decoders raise many unrelated classes on broken files
        detail = str(error).split("\n")[0][:120] or type(error).__name__
        raise InputError(f"{path}: cannot be read as an image ({detail})") from error


def as_picture(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """An array as a picture, as `load_image` would give it from a file.

    Parameters
    ----------
    array : array, shape (H, W), (H, W, 3) or (H, W, 4)
        8-bit values are taken as they are, transparency is left out, true and false become white and black; other
        numbers are stretched as those of a file of more than 8 bits are.

    Raises
    ------
    InputError
        It is of another shape, is empty or too large, or holds no numbers.
    """
    is_colour = has_channels(array) and array.shape[2] in (RGB, RGBA)
    if not (is_flat(array) or is_colour) or array.size == 0:
        raise InputError(f"a picture is an array of shape (H, W) or (H, W, 3); this one has the shape {array.shape}")
    bounds.require_size(Path("array"), array.shape[1], array.shape[0])
    pixels = array[..., :RGB] if is_colour else array
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if not (np.issubdtype(pixels.dtype, np.integer) or np.issubdtype(pixels.dtype, np.floating)):
        raise InputError(f"a picture holds numbers, not {pixels.dtype}")
    return stretched(pixels)


def _decoded(path: Path, page: int | None) -> tuple[npt.NDArray[np.uint8], int, int, int, str]:
    """Pixels as they are stored, and their EXIF orientation; the decoder's copy is gone when this returns."""
    kind = microscope_of(path)
    if kind is not None:
        found = read_microscope(path, kind, page)
        return reduced(found.values), 1, found.page, found.pages, ""
    if is_tiff(path):
        try:
            return read_tiff(path, page)
        except InputError:
            raise
        except Exception:  # what tifffile cannot make out, Pillow may
            return (*read_raster(path, page), "")
    return (*read_raster(path, page), "")


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


def to_grey(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Luma (ITU-R BT.601) of an (H, W, 3) image, or the (H, W) image itself."""
    if is_flat(image):
        return image
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    grey = np.empty(image.shape[:2], np.uint8)
    step = max(1, bounds.STRIP_PIXELS // max(1, image.shape[1]))
    for top in range(0, image.shape[0], step):
        strip = image[top : top + step, :, :3].astype(np.float32)
        grey[top : top + step] = np.round(strip @ weights)
    return grey


def to_rgb(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The image as (H, W, 3)."""
    return image if has_channels(image) else np.repeat(image[..., None], RGB, axis=2)


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
