"""The files that microscopes write: DM3 and DM4 (Gatan), SER (FEI), MRC, and EMD (Velox, Berkeley).

The formats of a page of code are read here; MRC and EMD by mrcfile and h5py, of the extra ``microscopes``.
Where the fields come from:

- DM3, DM4: C. Boothroyd, Digital Micrograph file format (er-c.org/cbb/info/dmformat). Gatan publishes none.
- SER: the TIA file format, as in openNCEM's documentation; the lengths are metres.
- MRC: A. Cheng et al., J. Struct. Biol. 192 (2015) 146; the cell is in ångström.
- EMD: emdatasets.com (Berkeley), and the groups Data/Image of Thermo Fisher's Velox; JSON, lengths in metres.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError
from imagedataextractor.images import bounds
from imagedataextractor.images.channels import RGBA, has_channels, is_flat
from imagedataextractor.images.raster import require_page

__all__ = ["MICROSCOPE_SUFFIXES", "Acquisition", "MicroscopeFile", "microscope_of", "read_microscope"]

MICROSCOPE_SUFFIXES = frozenset({".dm3", ".dm4", ".ser", ".mrc", ".emd"})

#: Nanometres in the units that these files write.
_UNITS_NM = {"m": 1e9, "mm": 1e6, "um": 1e3, "µm": 1e3, "μm": 1e3, "nm": 1.0, "a": 0.1, "å": 0.1, "pm": 1e-3}
_DM, _SER, _HDF5 = "DigitalMicrograph", "TIA", "EMD"
#: Axes of a picture, and places on an axis from which its step is known.
_AXES, _LEAST_PLACES = 2, 2
#: Seconds since 1970 up to which a time is one (the year 5138): Velox writes others where it knows none.
_LATEST_S = 1e11


@dataclass(frozen=True)
class Acquisition:
    """What a file says of how its picture was taken; None where it does not say.

    ``pixel_nm`` are the width and the height of a pixel, nm; ``taken_at`` is as the program wrote it, or ISO 8601.
    """

    writer: str
    pixel_nm: tuple[float, float] | None = None
    voltage_kv: float | None = None
    magnification: float | None = None
    taken_at: str | None = None


@dataclass(frozen=True, eq=False)
class MicroscopeFile:
    """Numbers of a picture, (H, W) or (H, W, 3), which of how many it is, and how it was taken."""

    values: npt.NDArray[Any]
    page: int
    pages: int
    acquisition: Acquisition


def microscope_of(path: Path) -> str | None:
    """Which of the formats a file's content is of: "dm", "ser", "mrc", "emd", or None."""
    with path.open("rb") as stream:
        head = stream.read(212)
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return "emd"
    if head[:4] == b"II\x97\x01":
        return "ser"
    if head[:4] in (b"\0\0\0\x03", b"\0\0\0\x04") and path.suffix.lower() in (".dm3", ".dm4"):
        return "dm"
    if head[208:211] == b"MAP" or path.suffix.lower() == ".mrc":
        return "mrc"
    return None


def read_microscope(path: Path, kind: str, page: int | None = None) -> MicroscopeFile:
    """Read a file of one of the kinds of `microscope_of`.

    Raises
    ------
    InputError
        It holds no picture, has no such page, or needs a package that is not installed.
    """
    return {"dm": _read_dm, "ser": _read_ser, "mrc": _read_mrc, "emd": _read_emd}[kind](path, page)


def _nm(size: object, unit: object) -> float | None:
    """A length in nm; None where it is none."""
    factor = _UNITS_NM.get(_plain(unit).strip("[] ").replace("n_m", "nm").replace("u_m", "um").lower())
    number = _number(size)
    return None if factor is None or number is None or number <= 0 else number * factor


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _positive(value: object, factor: float = 1.0) -> float | None:
    number = _number(value)
    return None if number is None or number <= 0 else number * factor


def _plain(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value if value is not None else "")


# ---------------------------------------------------------------- DM3, DM4

#: Encoded type → (struct code); lengths follow from it.
_DM_TYPES = {2: "h", 3: "i", 4: "H", 5: "I", 6: "f", 7: "d", 8: "B", 9: "b", 10: "B", 11: "q", 12: "Q"}
_DM_STRUCT, _DM_STRING, _DM_ARRAY = 15, 18, 20
#: Versions of the format; the kinds of its tags: a group of tags, or data; numbers that describe one, at most.
_DM3, _DM4 = 3, 4
_DM_GROUP, _DM_DATA, _DM_PARTS = 20, 21, 10_000
#: ImageData.DataType → numpy; the others are complex or packed.
_DM_PIXELS = {
    1: "i2", 2: "f4", 6: "u1", 7: "i4", 9: "i1", 10: "u2", 11: "u4", 12: "f8", 14: "u1", 23: "u1", 39: "i8", 40: "u8",
}  # fmt: skip
#: The DataType of pictures in colours, four bytes a pixel.
_DM_COLOURS = 23
#: Depth and number of tags that are followed: real files have ten levels and some thousands of tags.
_DM_DEPTH, _DM_TAGS = 64, 1_000_000


@dataclass(frozen=True)
class _DmArray:
    """Where an array of numbers lies, unread."""

    code: str
    offset: int
    count: int


class _DmReader:
    """Tags of a DM3 or DM4 file as nested dictionaries; unnamed tags are called 0, 1, ….

    The structure is big-endian; the data are as the header says.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size
        self._left = _DM_TAGS
        version = self._int("i")
        if version not in (_DM3, _DM4):
            raise ValueError(f"version {version} of DigitalMicrograph's format is not known")
        self._word = "q" if version == _DM4 else "i"
        self._int(self._word)
        self.order = "<" if self._int("i") == 1 else ">"
        self.tags = self._group(0)

    def _take(self, count: int) -> bytes:
        data = self._stream.read(count) if 0 <= count <= self._size else b""
        if len(data) != count:
            raise ValueError("the file is truncated")
        return data

    def _int(self, code: str) -> int:
        return int(struct.unpack(">" + code, self._take(struct.calcsize(">" + code)))[0])

    def _group(self, depth: int) -> dict[str, Any]:
        if depth > _DM_DEPTH:
            raise ValueError("its tags are nested without end")
        self._take(2)
        tags: dict[str, Any] = {}
        for number in range(self._int(self._word)):
            self._left -= 1
            if self._left < 0:
                raise ValueError("its tags are without end")
            kind = self._int("B")
            name = self._take(self._int("H")).decode("latin-1") or str(number)
            if self._word == "q":
                self._int("q")
            if kind == _DM_GROUP:
                tags[name] = self._group(depth + 1)
            elif kind == _DM_DATA:
                tags[name] = self._data()
            else:
                raise ValueError(f"a tag of the kind {kind} is not known")
        return tags

    def _data(self) -> Any:
        if self._take(4) != b"%%%%":
            raise ValueError("a tag does not begin as one")
        count = self._int(self._word)
        if not 1 <= count <= _DM_PARTS:
            raise ValueError(f"a tag of {count} parts")
        info = [self._int(self._word) for _ in range(count)]
        kind = info[0]
        if kind == _DM_STRUCT:
            return [self._value(code) for code in info[4::2]]
        if kind == _DM_STRING:
            return self._take(info[1]).decode("utf-16-le" if self.order == "<" else "utf-16-be", "replace")
        if kind != _DM_ARRAY:
            return self._value(kind)
        codes = info[5:-1:2] if info[1] == _DM_STRUCT else [info[1]]
        if any(code not in _DM_TYPES for code in codes):
            raise ValueError("an array of a kind that is not known")
        code = "".join(_DM_TYPES[code] for code in codes)
        length = struct.calcsize("<" + code) * info[-1]
        offset = self._stream.tell()
        if info[-1] < 0 or offset + length > self._size:
            raise ValueError("the file is truncated")
        self._stream.seek(length, 1)
        return _DmArray(code, offset, info[-1])

    def _value(self, kind: int) -> Any:
        if kind not in _DM_TYPES:
            raise ValueError(f"data of the kind {kind} are not known")
        code = self.order + _DM_TYPES[kind]
        return struct.unpack(code, self._take(struct.calcsize(code)))[0]


def _read_dm(path: Path, page: int | None) -> MicroscopeFile:
    with path.open("rb") as stream:
        reader = _DmReader(stream, path.stat().st_size)
        images = [image for image in _dig(reader.tags, "ImageList", default={}).values() if _is_picture(image)]
        if not images:
            raise InputError(f"{path}: holds no picture of two dimensions")
        # The first image is the thumbnail, in colours; the picture follows it.
        image = images[-1]
        data = image["ImageData"]
        sizes = [int(size) for size in data["Dimensions"].values()]
        width, height, pages = sizes[0], sizes[1], math.prod(sizes[2:])
        bounds.require_size(path, width, height)
        require_page(path, page or 1, pages)
        form = np.dtype(reader.order + _DM_PIXELS[int(data["DataType"])])
        per_pixel = RGBA if int(data["DataType"]) == _DM_COLOURS else 1
        count = width * height * per_pixel
        stream.seek(data["Data"].offset + (page or 1) * count * form.itemsize - count * form.itemsize)
        raw = stream.read(count * form.itemsize)
        if len(raw) != count * form.itemsize:
            raise InputError(f"{path}: cannot be read as an image (the file is truncated)")
        values = np.frombuffer(raw, form).reshape((height, width, RGBA) if per_pixel == RGBA else (height, width))
        if per_pixel == RGBA:
            values = values[..., 2::-1]
        text = {
            name: _dig(image, "ImageTags", "DataBar", f"Acquisition {name}", default=None) for name in ("Date", "Time")
        }
        microscope = _dig(image, "ImageTags", "Microscope Info", default={})
        steps = [
            _nm(
                _dig(data, "Calibrations", "Dimension", axis, "Scale", default=None),
                _text_of(stream, reader, data, axis),
            )
            for axis in ("0", "1")
        ]
        acquisition = Acquisition(
            _DM,
            None if None in steps else (steps[0] or 0.0, steps[1] or 0.0),
            _positive(microscope.get("Voltage"), 1e-3),
            _positive(microscope.get("Indicated Magnification")),
            " ".join(_string(stream, reader, part) for part in text.values() if part is not None) or None,
        )
        return MicroscopeFile(values, page or 1, pages, acquisition)


def _dig(tags: Mapping[str, Any], *names: str, default: Any) -> Any:
    found: Any = tags
    for name in names:
        if not isinstance(found, Mapping) or name not in found:
            return default
        found = found[name]
    return found


def _is_picture(image: Any) -> bool:
    data = _dig(image, "ImageData", default={}) if isinstance(image, Mapping) else {}
    sizes = data.get("Dimensions", {})
    return (
        isinstance(data.get("Data"), _DmArray)
        and isinstance(sizes, Mapping)
        and len(sizes) >= _AXES
        and int(list(sizes.values())[1]) > 1
        and data.get("DataType") in _DM_PIXELS
    )


def _text_of(stream: BinaryIO, reader: _DmReader, data: Mapping[str, Any], axis: str) -> str:
    return _string(stream, reader, _dig(data, "Calibrations", "Dimension", axis, "Units", default=""))


def _string(stream: BinaryIO, reader: _DmReader, value: Any) -> str:
    """A text of the tags: arrays of 16-bit numbers are texts too."""
    if not isinstance(value, _DmArray):
        return str(value)
    stream.seek(value.offset)
    data = stream.read(2 * min(value.count, 500))
    return data.decode("utf-16-le" if reader.order == "<" else "utf-16-be", "replace").rstrip("\0")


# ---------------------------------------------------------------- SER

_SER_PIXELS = {1: "u1", 2: "u2", 3: "u4", 4: "i1", 5: "i2", 6: "i4", 7: "f4", 8: "f8"}
_SER_PICTURES = 0x4122
#: Version from which places in the file are 64 bits wide.
_SER_WIDE = 0x220


def _read_ser(path: Path, page: int | None) -> MicroscopeFile:
    with path.open("rb") as stream:
        _, _, version, kind, _, _, pages = struct.unpack("<hhhiiii", _exactly(stream, 22, path))
        if kind != _SER_PICTURES:
            raise InputError(f"{path}: holds spectra, no pictures")
        wide = version >= _SER_WIDE
        (table,) = struct.unpack("<q" if wide else "<i", _exactly(stream, 8 if wide else 4, path))
        require_page(path, page or 1, pages)
        stream.seek(table + ((page or 1) - 1) * (8 if wide else 4))
        (offset,) = struct.unpack("<q" if wide else "<i", _exactly(stream, 8 if wide else 4, path))
        stream.seek(offset)
        _, x, _, _, y, _, form, width, height = struct.unpack("<ddiddihii", _exactly(stream, 50, path))
        if form not in _SER_PIXELS:
            raise InputError(f"{path}: holds complex numbers, which are no picture")
        bounds.require_size(path, width, height)
        pixels = np.dtype("<" + _SER_PIXELS[form])
        raw = _exactly(stream, width * height * pixels.itemsize, path)
        # The first row that is stored is the lowest.
        values = np.frombuffer(raw, pixels).reshape(height, width)[::-1]
    sizes = (_nm(x, "m"), _nm(y, "m"))
    said = _emi_beside(path)
    return MicroscopeFile(
        values,
        page or 1,
        pages,
        Acquisition(
            _SER,
            None if sizes[0] is None or sizes[1] is None else (sizes[0], sizes[1]),
            _positive(said.get("High tension")),
            _positive(said.get("Magnification")),
            said.get("AcquireDate"),
        ),
    )


def _exactly(stream: BinaryIO, count: int, path: Path) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise InputError(f"{path}: cannot be read as an image (the file is truncated)")
    return data


def _emi_beside(path: Path) -> dict[str, str]:
    """What the EMI file of a SER file (NAME.emi of NAME_1.ser) says, in the XML that it holds."""
    emi = path.with_name(re.sub(r"_\d+$", "", path.stem) + ".emi")
    try:
        text = emi.read_bytes()[:20_000_000].decode("latin-1")
    except OSError:
        return {}
    said = dict(re.findall(r"<Label>([^<]+)</Label>\s*<Value>([^<]*)</Value>", text))
    date = re.search(r"<AcquireDate>([^<]+)</AcquireDate>", text)
    return {**said, "AcquireDate": date[1]} if date else said


# ---------------------------------------------------------------- MRC, EMD


def _needs(path: Path, package: str) -> InputError:
    return InputError(f"{path}: needs {package}; install it with: pip install 'imagedataextractor[microscopes]'")


def _read_mrc(path: Path, page: int | None) -> MicroscopeFile:
    try:
        import mrcfile
    except ImportError as error:
        raise _needs(path, "mrcfile") from error
    with mrcfile.mmap(path, mode="r", permissive=True) as file:
        if file.data is None or file.data.ndim < _AXES:
            raise InputError(f"{path}: cannot be read as an image (it holds no picture, or is truncated)")
        stack = file.data.reshape(-1, *file.data.shape[-2:])
        require_page(path, page or 1, len(stack))
        bounds.require_size(path, stack.shape[2], stack.shape[1])
        # The first row that is stored is the lowest.
        values = np.array(stack[(page or 1) - 1])[::-1]
        size = (_nm(file.voxel_size.x, "Å"), _nm(file.voxel_size.y, "Å"))
        pages = len(stack)
    pixel = None if size[0] is None or size[1] is None else (size[0], size[1])
    return MicroscopeFile(values, page or 1, pages, Acquisition("MRC", pixel))


def _read_emd(path: Path, page: int | None) -> MicroscopeFile:
    try:
        import h5py
    except ImportError as error:
        raise _needs(path, "h5py") from error
    with h5py.File(path, "r") as file:
        velox = file.get("Data/Image")
        if isinstance(velox, h5py.Group):
            groups = [
                g for g in velox.values() if isinstance(g, h5py.Group) and isinstance(g.get("Data"), h5py.Dataset)
            ]
            groups = [g for g in groups if is_flat(g["Data"]) or has_channels(g["Data"])]
            if groups:
                require_page(path, page or 1, len(groups))
                group = groups[(page or 1) - 1]
                data = group["Data"]
                bounds.require_size(path, data.shape[1], data.shape[0])
                values = np.asarray(data[..., 0] if has_channels(data) else data[...])
                return MicroscopeFile(values, page or 1, len(groups), _velox(group.get("Metadata")))
        found: list[Any] = []
        file.visititems(lambda _, item: found.append(item) if _is_emd(item, h5py) else None)
        if not found:
            raise InputError(f"{path}: HDF5 without a picture as EMD files hold it")
        require_page(path, page or 1, len(found))
        group = found[(page or 1) - 1]
        data = group["data"]
        bounds.require_size(path, data.shape[-1], data.shape[-2])
        values = np.asarray(data[(0,) * (data.ndim - 2)])
        last = data.ndim
        sizes = [_step(group.get(f"dim{axis}")) for axis in (last, last - 1)]
        pixel = None if sizes[0] is None or sizes[1] is None else (sizes[0], sizes[1])
        return MicroscopeFile(values, page or 1, len(found), Acquisition(_HDF5, pixel))


def _is_emd(item: Any, h5py: Any) -> bool:
    return (
        isinstance(item, h5py.Group)
        and "emd_group_type" in item.attrs
        and isinstance(item.get("data"), h5py.Dataset)
        and item["data"].ndim >= _AXES
    )


def _step(axis: Any) -> float | None:
    """The distance of the first two places on an axis, nm."""
    if axis is None or len(axis) < _LEAST_PLACES:
        return None
    return _nm(float(axis[1]) - float(axis[0]), axis.attrs.get("units", ""))


def _velox(metadata: Any) -> Acquisition:
    said: Any = {}
    if metadata is not None and is_flat(metadata):
        with contextlib.suppress(ValueError):
            said = json.loads(bytes(np.asarray(metadata[:, 0], np.uint8)).split(b"\0")[0])
    binary = _dig(said, "BinaryResult", default={})
    sizes = [
        _nm(_dig(binary, "PixelSize", side, default=None), _dig(binary, f"PixelUnit{axis}", default="m"))
        for side, axis in (("width", "X"), ("height", "Y"))
    ]
    start = _positive(_dig(said, "Acquisition", "AcquisitionStartDatetime", "DateTime", default=None))
    taken = None
    if start is not None and start < _LATEST_S:
        taken = datetime.fromtimestamp(start, UTC).isoformat(timespec="seconds")
    return Acquisition(
        "Velox",
        None if sizes[0] is None or sizes[1] is None else (sizes[0], sizes[1]),
        _positive(_dig(said, "Optics", "AccelerationVoltage", default=None), 1e-3),
        _positive(_dig(said, "Optics", "NominalMagnification", default=None)),
        taken,
    )
