"""Label maps and masks in the forms in which other programs write them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, UnidentifiedImageError
from skimage.measure import label as connected_regions

from imagedataextractor.errors import InputError
from imagedataextractor.images import bounds
from imagedataextractor.images.channels import RGB, RGBA, has_channels, is_flat
from imagedataextractor.images.raster import opened
from imagedataextractor.images.tiff import is_tiff, page_at
from imagedataextractor.telling import Tell, tell_nobody

__all__ = ["as_label_map", "read_label_map"]

LabelMap = npt.NDArray[np.int32]

#: Separate pieces a value, on average, above which the values are no particles: grey levels, or classes.
PIECES = 4.0
#: Colours of a map, at most.
_MOST_COLOURS = 65_535
#: Values up to which a map may be one of classes rather than of particles, separate pieces a value from which it is
#: one, and the least size of a piece, px.
CLASSES, CLASS_PIECES, _PIECE_PX = 4, 2.0, 16
#: Share of the picture above which a mask's one region, if it reaches all four sides, is what lies between particles.
GROUND_SHARE = 0.5
#: Pages of a file that are looked at for labels.
_MOST_PAGES = 100
#: First bytes of a PNG up to its colour type, and where in them its bit depth and that stand.
_PNG_HEAD, _PNG_DEPTH, _PNG_COLOUR = 26, 24, 25
#: Colour types of a PNG with several channels, and the depth at which Pillow cuts them to 8 bits.
_PNG_CHANNELS, _DEEP_BITS = (2, 4, 6), 16
#: Channels of a picture whose colours are labels: grey or colours, with transparency or without.
_COLOURED = (2, RGB, RGBA)


def read_label_map(path: Path, tell: Tell = tell_nobody) -> LabelMap:
    """An instance map from a picture (PNG, TIFF, BMP, GIF) or a .npy array.

    Parameters
    ----------
    path : Path
    tell : callable
        Called with one line where the file is no plain label map and was made one: see `as_label_map`.

    Returns
    -------
    int32 array, shape (H, W)
        0 background, one value a particle.

    Raises
    ------
    InputError
        The file is absent, is a JPEG, whose compression changes labels, or holds no label map.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'is a folder; name one label map' if path.is_dir() else 'no such label map'}")
    try:
        array = np.load(path, allow_pickle=False) if path.suffix.lower() == ".npy" else _pixels(path, tell)
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: cannot be read as a label map (its content is of no format that is known)"
        ) from error
    except MemoryError as error:
        raise InputError(f"{path}: not enough memory to read it as a label map") from error
    except Exception as error:  # decoders raise many unrelated classes on broken files
        detail = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{path}: cannot be read as a label map ({detail})") from error
    try:
        return as_label_map(array, lambda note: tell(f"{path}: {note}"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _pixels(path: Path, tell: Tell) -> npt.NDArray[Any]:
    """The numbers of a picture file, unchanged; of a palette that begins with another colour than black, black is 0."""
    with path.open("rb") as stream:
        head = stream.read(_PNG_HEAD)
    if head[:3] == b"\xff\xd8\xff":
        raise InputError(f"{path}: JPEG changes labels at every edge; save the label map as PNG or TIFF")
    if is_tiff(path):
        with tifffile.TiffFile(path) as file:
            page = _page_with_labels(path, file, tell)
            bounds.require_size(path, int(page.imagewidth), int(page.imagelength))
            packed = getattr(page.compression, "name", "")
            if packed in ("JPEG", "OJPEG"):
                raise InputError(f"{path}: JPEG changes labels at every edge; save the label map uncompressed")
            if packed in ("NONE", "ADOBE_DEFLATE", "DEFLATE", "PACKBITS", "LZMA"):
                array = np.asarray(page.asarray())
                planar = has_channels(array) and array.shape[0] in (RGB, RGBA) and array.shape[2] not in (RGB, RGBA)
                return np.moveaxis(array, 0, -1) if planar else array
    is_png = head[:4] == b"\x89PNG" and len(head) == _PNG_HEAD
    deep_colours = is_png and head[_PNG_DEPTH] == _DEEP_BITS and head[_PNG_COLOUR] in _PNG_CHANNELS
    with opened(path) as image:
        if not deep_colours:
            image.load()
            return _with_black_first(image) if image.mode == "P" else np.asarray(image)
    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise InputError(f"{path}: cannot be read as a label map (its 16-bit colours cannot be decoded)")
    return np.asarray(values)


def _page_with_labels(path: Path, file: tifffile.TiffFile, tell: Tell) -> tifffile.TiffPage:
    """The first page that holds labels: a stack may begin with blank slices."""
    count = min(len(file.pages), _MOST_PAGES)
    first = page_at(file, 0)
    if count <= 1:
        return first
    for index in range(count):
        page = page_at(file, index)
        bounds.require_size(path, int(page.imagewidth), int(page.imagelength))
        with contextlib.suppress(Exception):  # a broken page holds no labels
            if page.asarray().any():
                tell(f"{path}: page {index + 1} of {len(file.pages)} is taken")
                return page
    return first


def _with_black_first(image: Image.Image) -> npt.NDArray[Any]:
    """Numbers of a picture with a palette: those of its colours, but 0 where it is black.

    Programs that number from 0 write black there; an optimised palette may have it anywhere.
    """
    numbers = np.asarray(image).astype(np.int32)
    palette = np.asarray(image.getpalette() or [], np.uint8).reshape(-1, 3)
    used = [int(number) for number in np.unique(numbers) if number < len(palette)]
    black = [number for number in used if not palette[number].any()]
    if len(black) != 1 or black[0] == 0:
        return numbers
    return np.where(numbers == black[0], 0, np.where(numbers == 0, int(numbers.max()) + 1, numbers))


def as_label_map(array: npt.NDArray[Any], tell: Tell = tell_nobody) -> LabelMap:
    """Numbers as a label map.

    Colours become one label each, black being the background. A mask, in which all particles have one and the same
    value, is split into its separate regions: particles that touch in it stay together (a 16-bit array of zeros and
    ones is one particle). Grey levels and classes are
    refused.

    Parameters
    ----------
    array : array, shape (H, W), (H, W, 3) or (H, W, 4)
    tell : callable
        Called with one line where something had to be made of it.

    Raises
    ------
    InputError
        It is of another shape, or holds no labels.
    """
    if has_channels(array) and array.shape[2] in _COLOURED:
        array = _of_colours(array, tell)
    if not is_flat(array) or array.size == 0:
        raise InputError(f"a label map has one channel and some pixels, this has shape {array.shape}")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if not (np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)):
        raise InputError(f"a label map holds numbers, not {array.dtype}")
    if np.issubdtype(array.dtype, np.floating) and not (np.isfinite(array).all() and (array == np.round(array)).all()):
        raise InputError("the labels are not whole numbers")
    if array.min() < 0 or array.max() > np.iinfo(np.int32).max:
        raise InputError("labels must lie between 0 and 2³¹ - 1")
    labels = array.astype(np.int32)
    values = np.unique(labels[labels > 0])
    if values.size == 0:
        return labels
    regions: npt.NDArray[np.int64] = connected_regions(  # type: ignore[no-untyped-call]
        labels, background=0, connectivity=2
    )
    count = int(regions.max())
    if values.size == 1:
        # A 16-bit map whose only value is 1 is how label maps of a single particle are written; it may lie in pieces,
        # and may fill the picture.
        if array.dtype == np.uint16 and values[0] == 1:
            return labels
        _require_no_ground(regions)
        if count > 1:
            tell(f"a mask with one value ({values[0]}) for all: its {count:,} separate regions are taken as particles")
        return np.asarray(regions, np.int32) if count > 1 else labels
    pieces = int((np.bincount(regions.ravel())[1:] >= _PIECE_PX).sum())
    is_classes = values.size <= CLASSES and pieces >= CLASS_PIECES * values.size
    if is_classes or count > PIECES * values.size:
        raise InputError(
            f"its {values.size:,} values lie in {count:,} separate pieces: these are grey levels or classes, "
            "not one value a particle; give each particle its own number first"
        )
    return labels


def _require_no_ground(regions: npt.NDArray[np.int64]) -> None:
    """See that a mask's one value is that of the particles, and not of the ground around them.

    Raises
    ------
    InputError
    """
    largest = int(np.argmax(np.bincount(regions.ravel())[1:])) + 1
    ground = regions == largest
    sides = (ground[0], ground[-1], ground[:, 0], ground[:, -1])
    share = float(ground.mean())
    if share > GROUND_SHARE and all(side.any() for side in sides):
        raise InputError(
            f"a mask whose one value covers {share:.0%} of the picture, from side to side: that is the background; "
            "invert it, so that the particles have a value and the background is 0"
        )


def _of_colours(array: npt.NDArray[Any], tell: Tell) -> npt.NDArray[Any]:
    """One number a colour; what is transparent is background."""
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"colours of the kind {array.dtype} are no labels")
    has_alpha = array.shape[2] in (2, 4)
    colours = array[..., :-1] if has_alpha else array
    shown = array[..., -1] > 0 if has_alpha else np.ones(array.shape[:2], bool)
    if (colours == colours[..., :1]).all():
        return np.where(shown, colours[..., 0], 0)
    found, numbers = np.unique(colours.reshape(-1, colours.shape[2]), axis=0, return_inverse=True)
    if len(found) > _MOST_COLOURS:
        raise InputError(f"{len(found):,} colours are more than particles have; this is a picture, not a label map")
    numbers = numbers.reshape(array.shape[:2]) + 1
    if found[0].any() and shown.all():
        raise InputError("no pixel is black, so that none is background; paint the background black")
    tell("each colour is taken for one particle, black for the background")
    black = 1 if not found[0].any() else 0
    return np.where(shown & (numbers != black), numbers, 0)
