"""TIFF: which of its pages is the picture, and the pixels that Pillow cannot read.

A TIFF may hold a thumbnail before the picture (NewSubfileType 1), copies of it at smaller sizes, a mask, or a
stack whose first slices are blank. The tags are read by tifffile; common pixels are left to Pillow, which
brings all of libtiff's decoders, the others (floating point of 16 and 64 bits, whole numbers of 32 and 64 bits,
16-bit colours, many samples a pixel) are read by tifffile, or by OpenCV where they are packed in a way that
tifffile alone cannot undo (LZW, JPEG).

References
----------
.. [1] TIFF Revision 6.0, Adobe 1992: NewSubfileType (254), PhotometricInterpretation (262), ExtraSamples (338).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import UnidentifiedImageError

from imagedataextractor.errors import InputError
from imagedataextractor.images import bounds
from imagedataextractor.images.channels import RGB, RGBA, has_channels, is_flat
from imagedataextractor.images.raster import read_raster, reduced, require_page

__all__ = ["is_tiff", "page_at", "read_tiff"]

# It reports broken tags through logging, which without any handler prints them on stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

#: Bits of NewSubfileType: a smaller copy of another page; a mask of another page.
REDUCED, MASK = 1, 4
#: Slices of a stack that are looked at for the first one that is not blank.
SLICES = 16
#: A slice is blank whose contrast is less than this share of the median contrast of the slices looked at.
BLANK_SHARE = 0.1
#: Quantiles whose distance is a slice's contrast: what a few hot pixels do does not count.
CONTRAST = (0.005, 0.995)
#: Values that are asked for it.
_SAMPLE = 100_000
#: Pages that are listed; a file with more of them is a film, of which the first ones are enough.
MOST_PAGES = 10_000
ORIENTATION = 274
#: Kinds of PhotometricInterpretation whose numbers are no levels: palette, YCbCr.
PACKED_COLOURS = (3, 6)
#: Bits a sample below which a page is packed, as masks are.
_BYTE = 8
#: PhotometricInterpretation (TIFF 6.0, page 37): white is zero; RGB.
_WHITE_IS_ZERO, _IS_RGB = 0, 2
#: ExtraSamples that say how much of a pixel shows: premultiplied or not.
_ALPHA = (1, 2)


def is_tiff(path: Path) -> bool:
    """Whether the content of a file begins as a TIFF or a BigTIFF does."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class _Page:
    """What the tags say of a page; `index` counts from 0."""

    index: int
    width: int
    height: int
    kind: int

    @property
    def area(self) -> int:
        return self.width * self.height


def read_tiff(path: Path, page: int | None = None) -> tuple[npt.NDArray[np.uint8], int, int, int, str]:
    """The page that is the picture, or page number `page` (from 1).

    Returns
    -------
    pixels, orientation, page, pages, channel
        As `raster.read_raster`; and which of many samples a pixel was taken, in words, or "".

    Raises
    ------
    InputError
        Too large, truncated, no such page, or numbers that are no picture.
    tifffile.TiffFileError
        No TIFF that tifffile reads; Pillow may.
    """
    with tifffile.TiffFile(path) as file:
        pages = _listed(file)
        if not pages:
            raise tifffile.TiffFileError("no pages")
        if page is not None:
            require_page(path, page, len(pages))
            chosen = page - 1
        else:
            chosen = _picture_among(path, file, pages)
        bounds.require_size(path, pages[chosen].width, pages[chosen].height)
        leaf = page_at(file, chosen)
        if _for_pillow(leaf):
            try:
                pixels, orientation, _, _ = read_raster(path, chosen + 1)
                return pixels, orientation, chosen + 1, len(pages), ""
            except UnidentifiedImageError:  # for another page's sake, say a mask before the picture
                if leaf.dtype is None or leaf.photometric in PACKED_COLOURS:
                    raise
        values, alpha, channel = _channels(leaf, _values(path, leaf, chosen))
        orientation = int(_tag(leaf, ORIENTATION, 1))
        is_plain = values.dtype == np.uint8 and not alpha
        return values if is_plain else reduced(values, alpha=alpha), orientation, chosen + 1, len(pages), channel


def _listed(file: tifffile.TiffFile) -> list[_Page]:
    count = min(len(file.pages), MOST_PAGES)
    return [
        _Page(i, int(leaf.imagewidth), int(leaf.imagelength), int(leaf.subfiletype))
        for i in range(count)
        for leaf in [page_at(file, i)]
    ]


def page_at(file: tifffile.TiffFile, index: int) -> tifffile.TiffPage:
    leaf = file.pages[index]
    if not isinstance(leaf, tifffile.TiffPage):  # pragma: no cover - frames are read only where asked for
        leaf = leaf.aspage()
    return leaf


def _tag(leaf: tifffile.TiffPage, number: int, default: Any) -> Any:
    tag = leaf.tags.get(number)
    return default if tag is None else tag.value


def _picture_among(path: Path, file: tifffile.TiffFile, pages: list[_Page]) -> int:
    """The index of the page that is the picture: no copy, no mask, the largest, and not blank."""
    full = [page for page in pages if not page.kind & (REDUCED | MASK)] or pages
    largest = max(page.area for page in full)
    same = [page for page in full if page.area == largest]
    if len(same) == 1 or largest > bounds.MAX_PIXELS:
        return same[0].index
    seen: list[float] = []
    for page in same[:SLICES]:
        try:
            seen.append(_contrast(_stored(path, page_at(file, page.index), page.index)))
        except Exception:  # a broken slice is no picture
            seen.append(0.0)
    least = BLANK_SHARE * float(np.median([c for c in seen if c > 0] or [0.0]))
    shown = [page.index for page, contrast in zip(same, seen, strict=False) if contrast > 0 and contrast >= least]
    return shown[0] if shown else same[0].index


def _contrast(values: npt.NDArray[Any]) -> float:
    flat = values.reshape(-1)
    sample = np.nan_to_num(flat[:: max(1, flat.size // _SAMPLE)].astype(np.float64))
    low, high = np.quantile(sample, CONTRAST)
    return float(high - low)


def _for_pillow(leaf: tifffile.TiffPage) -> bool:
    """Whether Pillow reads all that is in the page: 8 bits, or one channel of 16."""
    if leaf.dtype is None or leaf.bitspersample < _BYTE or leaf.photometric in PACKED_COLOURS:
        return True
    if leaf.dtype == np.uint8:
        return leaf.samplesperpixel <= RGBA
    inverted = leaf.photometric == _WHITE_IS_ZERO
    return leaf.samplesperpixel == 1 and not inverted and leaf.dtype == np.uint16


def _stored(path: Path, leaf: tifffile.TiffPage, index: int) -> npt.NDArray[Any]:
    """The numbers of a page as they are, not stretched, whichever library reads them."""
    shallow = leaf.dtype != np.uint16 and _for_pillow(leaf)
    return read_raster(path, index + 1)[0] if shallow else _values(path, leaf, index)


def _values(path: Path, leaf: tifffile.TiffPage, index: int) -> npt.NDArray[Any]:
    """The numbers of a page as (H, W) or (H, W, S)."""
    if leaf.dtype is None or not (np.issubdtype(leaf.dtype, np.integer) or np.issubdtype(leaf.dtype, np.floating)):
        raise InputError(f"{path}: holds no grey levels but numbers of the kind {leaf.dtype}")
    end = path.stat().st_size
    parts = list(zip(leaf.dataoffsets, leaf.databytecounts, strict=False))
    if not parts or any(offset <= 0 or count <= 0 or offset + count > end for offset, count in parts):
        raise InputError(f"{path}: cannot be read as an image (the file is truncated)")
    try:
        values = leaf.asarray()
    except (ValueError, ImportError, KeyError) as error:
        if "imagecodecs" not in str(error) and not isinstance(error, ImportError):
            raise
        done, read = cv2.imreadmulti(str(path), index, 1, flags=cv2.IMREAD_UNCHANGED)
        if not done or not read:
            packed = getattr(leaf.compression, "name", leaf.compression)
            raise InputError(
                f"{path}: {leaf.dtype} numbers packed as {packed} cannot be unpacked; save it uncompressed"
            ) from error
        values = np.asarray(read[0])
        return values[..., ::-1] if has_channels(values) and values.shape[2] == RGB else values
    axes = leaf.axes
    for name in [a for a in axes if a not in "YXS"]:  # depth and the like: the first
        values = values.take(0, axis=axes.index(name))
        axes = axes.replace(name, "")
    return np.moveaxis(values, axes.index("S"), -1) if "S" in axes else values


def _channels(leaf: tifffile.TiffPage, values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], bool, str]:
    """What of a pixel's samples is the picture: grey, RGB or RGBA; and in words which, where that is a choice."""
    if leaf.photometric == _WHITE_IS_ZERO and is_flat(values):
        values = values.max() - values
    if is_flat(values) or values.shape[2] == 1:
        return values.reshape(values.shape[:2]), False, ""
    samples = values.shape[2]
    if leaf.photometric == _IS_RGB and samples >= RGB:
        alpha = samples == RGBA and any(kind in _ALPHA for kind in leaf.extrasamples)
        return values[..., : RGBA if alpha else RGB], alpha, ""
    contrasts = [_contrast(values[..., i]) for i in range(samples)]
    least = BLANK_SHARE * float(np.median([c for c in contrasts if c > 0] or [0.0]))
    at = next((i for i, contrast in enumerate(contrasts) if contrast > 0 and contrast >= least), 0)
    return np.ascontiguousarray(values[..., at]), False, f"channel {at + 1} of {samples}"
