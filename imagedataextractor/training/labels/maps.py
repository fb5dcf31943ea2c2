"""Labels that are kept as pixels: Cellpose's ``NAME_seg.npy``, and label maps of any program."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from imagedataextractor.errors import InputError
from imagedataextractor.images.labels import read_label_map
from imagedataextractor.telling import Tell
from imagedataextractor.training.labels.picture import Labelled

__all__ = ["MAP_ENDINGS", "picture_of", "read_cellpose", "read_map"]

#: Dimensions of the label map of one picture.
PLANE = 2

#: What programs put behind a picture's name to name its labels; Cellpose's, Fiji's, ilastik's and people's.
MAP_ENDINGS = ("_cp_masks", "_masks", "_mask", "_labels", "_label", "_labelmap", "_seg")

#: What a pickled dictionary of arrays is made of; anything else that a file asks for is refused.
_HARMLESS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    ("_codecs", "encode"),
}


class _DataOnly(pickle.Unpickler):
    """Reads pickled arrays, numbers, texts and containers, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise InputError(f"holds more than data ({module}.{name}); it is not opened")
        return super().find_class(module, name)


def picture_of(path: Path) -> str:
    """Name of the picture, without its suffix, that a file of labels is of."""
    stem = path.stem
    for ending in MAP_ENDINGS:
        if stem.lower().endswith(ending):
            return stem[: -len(ending)]
    return stem


def read_map(path: Path, tell: Tell) -> Labelled:
    """A label map, as `ide measure` reads it."""
    return Labelled(picture_of(path), labels=read_label_map(path, tell))


def read_cellpose(path: Path) -> Labelled:
    """What Cellpose's window saves: an array of one pickled dictionary, of which "masks" is the label map.

    Raises
    ------
    InputError
        The file is damaged, holds no masks, or something beside data.
    """
    try:
        with path.open("rb") as stream:
            data = _dictionary(stream)
        masks = np.asarray(data["masks"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except KeyError:
        raise InputError(f"{path}: has no masks; save it from Cellpose's window again") from None
    except Exception as error:  # a damaged pickle raises whatever it likes
        raise InputError(f"{path}: cannot be read as Cellpose's ({type(error).__name__})") from error
    if masks.ndim != PLANE or masks.dtype.kind not in "iu":
        raise InputError(f"{path}: its masks are no label map of one picture (shape {masks.shape})")
    return Labelled(picture_of(path), labels=masks.astype(np.int32))


def _dictionary(stream: IO[bytes]) -> Mapping[str, Any]:
    """The object in an .npy file of objects, read without running what it holds."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if not dtype.hasobject or shape != ():
        raise InputError("is an array, not what Cellpose saves; a label map as .npy goes by another name")
    content = _DataOnly(stream).load()
    data = content.item() if isinstance(content, np.ndarray) else content
    if not isinstance(data, dict):
        raise InputError("holds no dictionary of arrays")
    return data
