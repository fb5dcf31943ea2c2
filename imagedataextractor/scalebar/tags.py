"""The pixel size that ImageJ and the microscopes write into a TIFF.

Where the numbers and fields come from:

- ImageJ: ``ij/io/TiffEncoder.java`` and ``TiffDecoder.java`` of ImageJ 1. ImageDescription (270) begins with
  "ImageJ=" and holds lines "unit=nm" and, where it differs, "yunit="; XResolution and YResolution (282, 283)
  are pixels per unit, and ResolutionUnit (296) is 1, "none". Units inch and cm are those that ImageJ gives a
  picture which it opened with a print resolution: they say nothing of the specimen.
- FEI, Thermo Fisher: tags 34680 (FEI_SFEG) and 34682 (FEI_HELIOS) of the TIFF tag registry; INI text, PixelWidth
  and PixelHeight in metres in [Scan], or in the beam's own section ([EScan], [IScan] …); [Image] ResolutionX
  is the picture's width.
- Zeiss SmartSEM: tag 34118 (CZ_SEM); lines "Image Pixel Size = 35.94 nm" (under AP_IMAGE_PIXEL_SIZE) and
  "Pixel Size = 35.94 nm" (under AP_PIXEL_SIZE). The second is that of a display of 1024 pixels, whatever the
  width that is stored (hyperspy, pull request 2056); "Store resolution = 1024 * 768" is the picture's size.

- TESCAN: tag 50431; INI text, PixelSizeX and PixelSizeY in metres.
- Olympus, SIS iTEM and Analysis: tag 33560, by tifffile; pixelsizex and pixelsizey in metres.
- OME-TIFF: ImageDescription is OME-XML; of the first Pixels PhysicalSizeX and PhysicalSizeY, in µm unless
  PhysicalSizeXUnit says otherwise (OME schema 2016-06).
- Gatan: the tags that DigitalMicrograph writes into TIFF: units (65003, 65004) and sizes (65009, 65010) of a pixel.

The files of microscopes that are no TIFF are `images.microscopes`', texts beside a picture `sidecars`'.

The print resolution (dots an inch or a centimetre) is never a scale.
"""

from __future__ import annotations

import html
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from imagedataextractor.images.microscopes import Acquisition, microscope_of, read_microscope
from imagedataextractor.quantities import NM_PER_UNIT, parse_number, unit_of
from imagedataextractor.scalebar.evidence import FIELD_NM
from imagedataextractor.scalebar.sidecars import HITACHI, JEOL, read_sidecar

__all__ = ["FileScale", "read_acquisition", "read_file_scale"]

WIDTH, DESCRIPTION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 256, 270, 282, 283, 296
ZEISS, FEI, TESCAN, SIS = 34118, (34680, 34682), 50431, 33560
#: Units and sizes of a pixel's width and height.
GATAN = (65003, 65004, 65009, 65010)
#: Sizes of a pixel that are believed, nm.
PIXEL_NM = (1e-4, 1e5)
#: Width and height of a pixel, or what two programs wrote, are the same within this share.
SAME_SIZE = 0.01
#: Pixels across the display that Zeiss's "Pixel Size" speaks of; pictures are stored in multiples of half of it.
ZEISS_DISPLAY_PX = 1024

Tags = Mapping[Any, Any]
#: Width and height of a pixel in nm, and the width of the picture that is spoken of, where it is told.
Stated = tuple[float, float, float | None]


@dataclass(frozen=True)
class FileScale:
    """What a file says of its pixels: their size, or why that cannot be believed."""

    writer: str
    nm_per_px: float | None = None
    reason: str | None = None


def read_file_scale(path: str | Path) -> FileScale | None:
    """The pixel size in a TIFF's own tags, or in what a microscope wrote beside a picture.

    Parameters
    ----------
    path : str or Path
        A picture file that can be read; of other formats than TIFF and microscopes' own only the text beside it.

    Returns
    -------
    FileScale or None
        None where the file states no pixel size. ``nm_per_px`` is None, and ``reason`` says why, where
        what it states cannot be believed: no number or unit, pixels that are not square, an absurd
        size, a picture of another width (a resampled copy), or two programs that disagree. Whatever
        the tags hold, nothing is raised.
    """
    try:
        kind = microscope_of(Path(path))
        if kind is not None:
            found = read_microscope(Path(path), kind)
            size, wide = found.acquisition.pixel_nm, found.values.shape[1]
            return None if size is None else _judged(found.acquisition.writer, lambda _: (*size, None), {}, wide)
    except Exception as error:  # a broken file is for its reader to report
        return FileScale("file", reason=f"it cannot be read ({type(error).__name__})")
    try:
        opened = _tags(Path(path))
    except Exception as error:  # Pillow raises many unrelated classes on broken tags
        return FileScale("TIFF", reason=f"they cannot be read ({type(error).__name__})")
    tags, width = opened
    said = [scale for writer, read in _READERS.items() if (scale := _judged(writer, read, tags, width)) is not None]
    sizes = [scale.nm_per_px for scale in said if scale.nm_per_px is not None]
    if sizes and max(sizes) > (1 + SAME_SIZE) * min(sizes):
        each = ", ".join(f"{s.writer} {s.nm_per_px:g} nm" for s in said if s.nm_per_px is not None)
        return FileScale("TIFF", reason=f"conflict: {each}")
    return next((scale for scale in said if scale.nm_per_px is not None), said[0] if said else None)


def read_acquisition(path: str | Path) -> Acquisition | None:
    """What a file, or the text beside it, says of how its picture was taken; None where it says nothing.

    ``pixel_nm`` is given where `read_file_scale` believes it. Whatever the file holds, nothing is raised.
    """
    scale = read_file_scale(path)
    size = None if scale is None or scale.nm_per_px is None else (scale.nm_per_px, scale.nm_per_px)
    try:
        kind = microscope_of(Path(path))
        if kind is not None:
            found = read_microscope(Path(path), kind).acquisition
            return Acquisition(found.writer, size, found.voltage_kv, found.magnification, found.taken_at)
        tags, _ = _tags(Path(path))
    except Exception:  # a broken file is for its reader to report
        tags = {}
    facts: dict[str, Any] = {}
    writers = []
    for writer, told in _FACTS.items():
        try:
            said = told(tags)
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
        if any(value is not None for value in said.values()):
            writers.append(writer)
            facts |= {name: value for name, value in said.items() if value is not None and name not in facts}
    if size is None and not facts:
        return None
    writer = writers[0] if writers else scale.writer if scale is not None else "file"
    return Acquisition(writer, size, facts.get("voltage_kv"), facts.get("magnification"), facts.get("taken_at"))


def _tags(path: Path) -> tuple[dict[Any, Any], int]:
    """The tags that are looked for, with what is read from the text beside the picture, and its width."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            width = image.width
            tags: dict[Any, Any] = {}
            if isinstance(image, TiffImageFile):
                wanted = (WIDTH, DESCRIPTION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, ZEISS, TESCAN, SIS, *FEI)
                tags = {number: image.tag_v2[number] for number in (*wanted, *GATAN) if number in image.tag_v2}
    if SIS in tags:
        import tifffile

        with tifffile.TiffFile(path) as file:
            tags[SIS] = file.sis_metadata or {}
    beside = read_sidecar(path)
    if beside is not None:
        writer, said = beside
        tags[writer] = said
    return tags, width


def _judged(writer: str, read: Callable[[Tags], Stated | None], tags: Tags, width: int) -> FileScale | None:
    """What one kind of tags says, where it can be believed."""
    try:
        stated = read(tags)
        if stated is None:
            return None
        x, y, stated_px = stated
        if stated_px is not None and stated_px != width:
            raise ValueError(f"they speak of a picture {stated_px:g} px wide, this one is {width} px")
        if not all(PIXEL_NM[0] <= size <= PIXEL_NM[1] for size in (x, y)):
            raise ValueError(f"pixels of {x:g} x {y:g} nm are absurd")
        if max(x, y) > (1 + SAME_SIZE) * min(x, y):
            raise ValueError(f"pixels of {x:g} x {y:g} nm are not square")
        if not FIELD_NM[0] <= x * width <= FIELD_NM[1]:
            raise ValueError(f"pixels of {x:g} nm make the picture {x * width:.3g} nm wide")
    except (ValueError, OverflowError) as error:
        return FileScale(writer, reason=" ".join(str(error).split())[:200])
    return FileScale(writer, (x + y) / 2)


def _imagej(tags: Tags) -> Stated | None:
    text = _text(tags.get(DESCRIPTION))
    if not text.startswith("ImageJ="):
        return None
    said = _lines(text)
    unit = said.get("unit", "")
    if unit in ("", "pixel", "pixels", "inch", "cm"):
        return None
    if tags.get(RESOLUTION_UNIT, 1) != 1:
        raise ValueError(f"the unit is {unit[:20]}, but the resolution that of a print")
    across, down = _number(tags.get(X_RESOLUTION)), _number(tags.get(Y_RESOLUTION))
    if across <= 0 or down <= 0:
        raise ValueError(f"a resolution of {across:g} x {down:g} pixels a unit")
    return _unit_nm(unit) / across, _unit_nm(said.get("yunit", unit)) / down, None


def _fei(tags: Tags) -> Stated | None:
    sections: dict[str, dict[str, str]] = {}
    for part in "\n".join(_text(tags.get(number)) for number in FEI).split("\n["):
        name, _, body = part.lstrip("[").partition("]")
        sections.setdefault(name.strip(), {}).update(_lines(body))
    scans = [s for name in ("Scan", *sections) if "PixelWidth" in (s := sections.get(name, {}))]
    if not scans:
        return None
    if "PixelWidth" not in sections.get("Scan", {}) and len({s["PixelWidth"] for s in scans}) > 1:
        raise ValueError("several beams, each with its own pixel size")
    width = sections.get("Image", {}).get("ResolutionX")
    x, y = (1e9 * _number(scans[0].get(name)) for name in ("PixelWidth", "PixelHeight"))
    return x, y, None if width is None else _number(width)


def _zeiss(tags: Tags) -> Stated | None:
    said = _lines(_text(tags.get(ZEISS)))
    stored = said.get("Store resolution")
    width = None if stored is None else _number(stored.partition("*")[0])
    if "Image Pixel Size" in said:
        size = _length_nm(said["Image Pixel Size"])
        return size, size, width
    if "Pixel Size" not in said:
        return None
    width = _number(tags.get(WIDTH)) if width is None else width
    if width <= 0 or width % (ZEISS_DISPLAY_PX // 2):
        raise ValueError(f"Pixel Size is that of the display, and a picture {width:g} px wide is not as it was stored")
    size = _length_nm(said["Pixel Size"]) * ZEISS_DISPLAY_PX / width
    return size, size, width


def _tescan(tags: Tags) -> Stated | None:
    said = _lines(_text(tags.get(TESCAN)))
    if "PixelSizeX" not in said:
        return None
    x = 1e9 * _number(said["PixelSizeX"])
    return x, 1e9 * _number(said.get("PixelSizeY", said["PixelSizeX"])), None


def _gatan(tags: Tags) -> Stated | None:
    if any(number not in tags for number in GATAN):
        return None
    units, sizes = [_text(tags[number]) for number in GATAN[:2]], [_number(tags[number]) for number in GATAN[2:]]
    return sizes[0] * _unit_nm(units[0]), sizes[1] * _unit_nm(units[1]), None


def _sis(tags: Tags) -> Stated | None:
    said = tags.get(SIS)
    if not isinstance(said, Mapping) or "pixelsizex" not in said:
        return None
    x = 1e9 * _number(said["pixelsizex"])
    return x, 1e9 * _number(said.get("pixelsizey", said["pixelsizex"])), None


def _ome(tags: Tags) -> Stated | None:
    pixels = _ome_element(tags, "Pixels")
    if "PhysicalSizeX" not in pixels:
        return None
    sizes = []
    for axis in "XY":
        size = pixels.get(f"PhysicalSize{axis}", pixels["PhysicalSizeX"])
        sizes.append(_number(size) * _unit_nm(pixels.get(f"PhysicalSize{axis}Unit", "µm")))
    return sizes[0], sizes[1], _number(pixels["SizeX"]) if "SizeX" in pixels else None


def _ome_element(tags: Tags, name: str) -> dict[str, str]:
    """Attributes of the first element of that name in OME-XML; its texts are short enough to be read without a parser,
    which would follow entities.
    """
    text = _text(tags.get(DESCRIPTION))
    if "<OME" not in text[:2000]:
        return {}
    found = re.search(rf"<(?:\w+:)?{name}\b([^>]*)>", text)
    attributes = re.findall(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')""", found.group(1)) if found else []
    return {key: html.unescape(one or other) for key, one, other in attributes}


def _hitachi(tags: Tags) -> Stated | None:
    said = tags.get(HITACHI, {})
    if "PixelSize" not in said:
        return None
    size = _number(said["PixelSize"])
    width = said.get("DataSize", "").lower().partition("x")[0]
    return size, size, _number(width) if width else None


def _jeol(tags: Tags) -> Stated | None:
    said = tags.get(JEOL, {})
    if "SM_MICRON_BAR" not in said or "SM_MICRON_MARKER" not in said:
        return None
    number = re.match(r"([0-9.]+)\s*(\S+)", said["SM_MICRON_MARKER"])
    if number is None:
        raise ValueError(f"a bar of {said['SM_MICRON_MARKER'][:20]!r}")
    size = _number(number.group(1)) * _unit_nm(number.group(2)) / _number(said["SM_MICRON_BAR"])
    width = said.get("CM_FULL_SIZE", "").split()[:1]
    return size, size, _number(width[0]) if width else None


# ---------------------------------------------------------------- voltage, magnification, date


def _positive(text: object, factor: float = 1.0) -> float | None:
    """The first number of a text, greater than 0, times the factor; "25.00 K X" is 25,000."""
    found = re.match(r"\s*([0-9.]+)\s*(K\b)?", str(text or ""), re.IGNORECASE)
    try:
        value = float(found.group(1)) * (1000 if found.group(2) else 1) * factor if found else 0.0
    except ValueError:
        return None
    return value if value > 0 else None


def _when(*parts: object) -> str | None:
    return " ".join(str(part).strip() for part in parts if part) or None


def _zeiss_facts(tags: Tags) -> dict[str, Any]:
    text = _text(tags.get(ZEISS))
    said = _lines(text)
    dated = dict(re.findall(r"^(Date|Time)\s*:\s*(.+?)\s*$", text, re.MULTILINE))
    voltage = said.get("EHT", "")
    return {
        "voltage_kv": _positive(voltage, 1.0 if "kv" in voltage.lower() else 1e-3),
        "magnification": _positive(said.get("Mag")),
        "taken_at": _when(dated.get("Date"), dated.get("Time")),
    }


def _fei_facts(tags: Tags) -> dict[str, Any]:
    said = _lines("\n".join(_text(tags.get(number)) for number in FEI))
    return {"voltage_kv": _positive(said.get("HV"), 1e-3), "taken_at": _when(said.get("Date"), said.get("Time"))}


def _tescan_facts(tags: Tags) -> dict[str, Any]:
    said = _lines(_text(tags.get(TESCAN)))
    return {
        "voltage_kv": _positive(said.get("HV"), 1e-3),
        "magnification": _positive(said.get("Magnification")),
        "taken_at": _when(said.get("Date"), said.get("Time")),
    }


def _sis_facts(tags: Tags) -> dict[str, Any]:
    said = tags.get(SIS)
    said = said if isinstance(said, Mapping) else {}
    return {
        "magnification": _positive(said.get("magnification")),
        "taken_at": said["datetime"].isoformat() if said.get("datetime") else None,
    }


def _ome_facts(tags: Tags) -> dict[str, Any]:
    date = re.search(r"<(?:\w+:)?AcquisitionDate>([^<]{4,40})<", _text(tags.get(DESCRIPTION)))
    return {
        "magnification": _positive(_ome_element(tags, "Objective").get("NominalMagnification")),
        "taken_at": date.group(1) if date and _ome_element(tags, "Pixels") else None,
    }


def _hitachi_facts(tags: Tags) -> dict[str, Any]:
    said = tags.get(HITACHI, {})
    return {
        "voltage_kv": _positive(said.get("AcceleratingVoltage"), 1e-3),
        "magnification": _positive(said.get("Magnification")),
        "taken_at": _when(said.get("Date"), said.get("Time")),
    }


def _jeol_facts(tags: Tags) -> dict[str, Any]:
    said = tags.get(JEOL, {})
    return {
        "voltage_kv": _positive(said.get("CM_ACCEL_VOLT")),
        "magnification": _positive(said.get("CM_MAG")),
        "taken_at": _when(said.get("CM_DATE"), said.get("CM_TIME")),
    }


def _text(value: object) -> str:
    """A tag's text: as Latin-1 by Pillow's reading, as bytes, or absent; newer programs write UTF-8."""
    raw = value.encode("latin-1", "replace") if isinstance(value, str) else value if isinstance(value, bytes) else b""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.strip("\0")


def _lines(text: str) -> dict[str, str]:
    """The lines "name = value" of a text; of several of one name the first."""
    said: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            said.setdefault(name.strip(), value.strip())
    return said


def _number(value: Any) -> float:
    """A finite number; ValueError where it is none, or not one."""
    try:
        number = float(value)
    except (TypeError, ZeroDivisionError) as error:
        raise ValueError("a number is missing") from error
    if not math.isfinite(number):
        raise ValueError(f"{number} is no size")
    return number


def _length_nm(text: str) -> float:
    number, _, unit = text.strip().partition(" ")
    value = parse_number(number)
    if value is None:
        raise ValueError("a number is missing")
    return value * _unit_nm(unit)


def _unit_nm(unit: str) -> float:
    """Nanometres in a unit, as ImageJ, Fiji and SmartSEM write it."""
    # A "?" is what programs that write ASCII alone make of µ, the one prefix outside it.
    plain = re.sub(r"^\?(?=m$)", "u", unit.strip())
    name = "Å" if plain == "A" else unit_of(plain)
    if name is None:
        raise ValueError(f"no unit of length is called {unit[:20]!r}")
    return NM_PER_UNIT[name]


_READERS: Mapping[str, Callable[[Tags], Stated | None]] = {
    "ImageJ": _imagej,
    "FEI": _fei,
    "Zeiss": _zeiss,
    "TESCAN": _tescan,
    "Gatan": _gatan,
    "SIS": _sis,
    "OME": _ome,
    HITACHI: _hitachi,
    JEOL: _jeol,
}

#: … and what else it says: voltage in kV, magnification, date.
_FACTS: Mapping[str, Callable[[Tags], dict[str, Any]]] = {
    "Zeiss": _zeiss_facts,
    "FEI": _fei_facts,
    "TESCAN": _tescan_facts,
    "SIS": _sis_facts,
    "OME": _ome_facts,
    HITACHI: _hitachi_facts,
    JEOL: _jeol_facts,
}
