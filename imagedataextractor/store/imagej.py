"""Particles for ImageJ: a table as its "Analyze Particles" writes one, and outlines as its ROI Manager reads them.

A ROI is a file of one outline, a set of them a .zip. The layout of the bytes is that of ImageJ's own
``ij.io.RoiEncoder``: big-endian, a head of 64 bytes, corners relative to the bounding box as 16-bit numbers, the same
corners again as floats for what lies between pixels, and a second head with the name.
"""

from __future__ import annotations

import csv
import math
import struct
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.measurement.contours import decode_contour

if TYPE_CHECKING:
    from imagedataextractor.store.store import Store

__all__ = ["roi_bytes", "write_results", "write_rois"]

#: ImageJ's names of columns, and what they are here; lengths in nm, areas in nm².
_RESULTS = {
    "Label": "f.image_path",
    "Area": "p.area_nm2",
    "X": "(p.x_px + n.x0) * s.nm_per_px",
    "Y": "(p.y_px + n.y0) * s.nm_per_px",
    "Perim.": "p.perimeter_nm",
    "Major": "p.major_axis_nm",
    "Minor": "p.minor_axis_nm",
    "Angle": "p.orientation_deg",
    "Circ.": "p.circularity",
    "Feret": "p.feret_max_nm",
    "MinFeret": "p.feret_min_nm",
    "AR": "p.aspect_ratio",
    "Solidity": "p.solidity",
    "Particle": "p.label",
    "Panel": "n.panel_index + 1",
    "Accepted": "CASE WHEN p.accepted THEN 1 ELSE 0 END",
}
_FROM = (
    "FROM particles p JOIN segmentations s ON s.id = p.segmentation_id JOIN panels n ON n.id = s.panel_id "
    "JOIN figures f ON f.id = n.figure_id WHERE s.is_current"
)
_ORDER = "ORDER BY f.id, n.panel_index, p.label"

# ImageJ's head of a ROI; see the module.
_VERSION, _POLYGON, _SUB_PIXEL = 228, 0, 128
_HEAD, _SECOND_HEAD = struct.Struct(">4sHBx4hH16xhiiihhbbhii"), struct.Struct(">iiiiiii36x")


def write_results(store: Store, file: IO[str], *, where: str = "") -> int:
    """The table of results, one row a particle, NaN where the scale is unknown; the number of rows."""
    columns = ", ".join(_RESULTS.values())
    _, rows = store.iterate(f"SELECT {columns} {_FROM}{where} {_ORDER}")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([" ", *_RESULTS])
    count = 0
    for count, (path, *values) in enumerate(rows, 1):
        name = Path(path).name if path else ""
        writer.writerow([count, name, *("NaN" if value is None else f"{value:.6g}" for value in values)])
    return count


def write_rois(store: Store, out: Path, *, where: str = "") -> int:
    """A .zip of one ROI a particle, in pixels of its picture; the number of particles."""
    sql = f"SELECT n.label, n.panel_index, n.x0, n.y0, p.label, p.contour {_FROM}{where} {_ORDER}"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        return _write(archive, store.iterate(sql)[1])


def _write(archive: zipfile.ZipFile, rows: Iterable[tuple[Any, ...]]) -> int:
    count = 0
    for name, outline in _outlines(rows):
        archive.writestr(f"{name}.roi", roi_bytes(name, outline))
        count += 1
    return count


def _outlines(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    for letter, index, x0, y0, particle, blob in rows:
        outline = decode_contour(blob)
        if len(outline):
            # Panels of one picture may have letters twice; their numbers are their own.
            outline += (x0, y0)
            yield f"{index + 1:02d}{letter if letter and letter.isalnum() else ''}-{particle:04d}", outline


def roi_bytes(name: str, outline: npt.NDArray[np.float64]) -> bytes:
    """One polygon as ImageJ keeps it.

    Parameters
    ----------
    name : str
    outline : float array, shape (n, 2)
        Corners (x, y) in pixels of the picture; whole numbers lie between pixels, as in ImageJ.
    """
    left, top = (math.floor(value) for value in outline.min(axis=0))
    right, bottom = (math.ceil(value) for value in outline.max(axis=0))
    count = len(outline)
    coordinates = np.concatenate([outline[:, 0] - left, outline[:, 1] - top]).round().astype(">i2").tobytes()
    coordinates += np.concatenate([outline[:, 0], outline[:, 1]]).astype(">f4").tobytes()
    second = _HEAD.size + len(coordinates)
    head = _HEAD.pack(
        *(b"Iout", _VERSION, _POLYGON, top, left, bottom, right, count),
        *(0, 0, 0, 0, 0, _SUB_PIXEL, 0, 0, 0, 0, second),
    )
    letters = name.encode("utf-16-be")
    return head + coordinates + _SECOND_HEAD.pack(0, 0, 0, 0, second + _SECOND_HEAD.size, len(name), 0) + letters
