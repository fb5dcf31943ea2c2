"""The database's rows for other programs: CSV, Parquet, COCO, ImageJ.

Rows are written as they come from the database, so that millions of them fit any memory.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.files import replacing
from imagedataextractor.measurement.columns import Kind
from imagedataextractor.measurement.contours import decode_contour
from imagedataextractor.store.imagej import write_results, write_rois
from imagedataextractor.store.particles import expected_values
from imagedataextractor.store.view import VIEW

if TYPE_CHECKING:
    from imagedataextractor.store.store import Store

__all__ = ["FORMATS", "CsvStyle", "Selection", "export"]

FORMATS = ("csv", "parquet", "coco", "imagej", "rois")

#: Rows of one Parquet row group: some ten megabytes.
_ROWS_A_GROUP = 50_000

_PARTICLES = "SELECT {columns} FROM measured_particles"
#: What a spreadsheet needs to take a file for UTF-8.
_BOM = "\ufeff"

_IMAGES = (
    "SELECT f.id, f.image_path, f.image_sha256, f.width_px, f.height_px, f.label, a.doi, "
    "coalesce(f.licence, a.licence) "
    "FROM figures f JOIN articles a ON a.id = f.article_id WHERE f.image_sha256 IS NOT NULL"
)

_ANNOTATIONS = (
    "SELECT n.figure_id, n.id, n.x0, n.y0, s.id, p.label, p.area_px, p.ecd_nm, p.uncertainty, p.score, "
    "p.accepted, p.reason, p.contour, n.x1, n.y1 "
    "FROM particles p JOIN segmentations s ON s.id = p.segmentation_id JOIN panels n ON n.id = s.panel_id "
    "WHERE s.is_current"
)


@dataclass(frozen=True)
class CsvStyle:
    """How a CSV file is written.

    Attributes
    ----------
    columns : sequence of str
        Of the view measured_particles, in this order; empty for all.
    digits : int or None
        Significant digits of numbers that are not whole; None for all there are.
    bom : bool
        Begin with a byte order mark, by which Excel knows UTF-8.
    """

    columns: Sequence[str] = ()
    digits: int | None = None
    bom: bool = False

    def checked(self) -> Sequence[str]:
        """The columns.

        Raises
        ------
        UsageError
            One is none of the view's.
        """
        known = [column.name for column in VIEW]
        for name in self.columns:
            if name not in known:
                near = get_close_matches(name, known, 1)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                raise UsageError(f"export: there is no column {name!r}{meant} docs/columns.md lists them")
        return self.columns or ("*",)

    def cell(self, value: Any) -> Any:
        return f"{value:.{self.digits}g}" if self.digits is not None and isinstance(value, float) else value


@dataclass(frozen=True)
class Selection:
    """Which particles are written.

    Attributes
    ----------
    accepted_only : bool
    figures : sequence of int, or None
        Rows of `figures`; None for all.
    """

    accepted_only: bool = False
    figures: Sequence[int] | None = None

    def of_view(self) -> str:
        """Conditions on measured_particles."""
        of_figures = (
            "segmentation_id IN (SELECT s.id FROM segmentations s JOIN panels n ON n.id = s.panel_id "
            f"WHERE {self._in('n.figure_id')})"
        )
        conditions = ["accepted"] * self.accepted_only + [of_figures] * (self.figures is not None)
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def of_tables(self) -> str:
        """Conditions on particles p and panels n, after others."""
        accepted = " AND p.accepted" if self.accepted_only else ""
        return accepted + (f" AND {self._in('n.figure_id')}" if self.figures is not None else "")

    def of_figures(self) -> str:
        """Conditions on figures f, after others."""
        return f" AND {self._in('f.id')}" if self.figures is not None else ""

    def _in(self, column: str) -> str:
        return f"{column} IN ({', '.join(str(int(number)) for number in self.figures or ())})"


def export(
    store: Store,
    format: str,
    out: Path,
    *,
    accepted_only: bool = False,
    figures: Sequence[int] | None = None,
    style: CsvStyle | None = None,
) -> int:
    """Write measured particles to a file.

    Parameters
    ----------
    store : Store
    format : {"csv", "parquet", "coco", "imagej", "rois"}
        CSV and Parquet hold the view measured_particles, one row a particle. COCO is the JSON of
        the COCO data set: one image a figure picture, one annotation a particle, polygons in pixels
        of that picture. "imagej" is a table with the columns of ImageJ's results, "rois" a .zip of ROIs.
    out : Path
        Replaced when all is written, so that a broken export leaves an older file as it was.
    accepted_only : bool
        Leave out the rejected particles.
    figures : sequence of int, optional
        Rows of `figures`: only these pictures.
    style : CsvStyle, optional

    Returns
    -------
    int
        Particles written.

    Raises
    ------
    UsageError
        There is no such format, or its library is not installed.
    InputError
        The file cannot be written.
    """
    if format not in FORMATS:
        raise UsageError(f"export: no format is called {format!r}; there are: {', '.join(FORMATS)}")
    if out.is_dir():
        raise InputError(f"{out}: is a folder; name a file in it")
    chosen = Selection(accepted_only, figures)
    try:
        with replacing(out) as partial, expected_values(store):
            if format == "csv":
                with partial.open("w", encoding="utf-8", newline="") as file:
                    count = write_csv(store, file, chosen, style)
            elif format == "parquet":
                count = _write_parquet(store, partial, chosen)
            elif format == "rois":
                count = write_rois(store, partial, where=chosen.of_tables())
            else:
                write = write_coco if format == "coco" else write_imagej
                with partial.open("w", encoding="utf-8", newline="") as file:
                    count = write(store, file, chosen)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from error
    return count


def write_csv(store: Store, file: IO[str], chosen: Selection, style: CsvStyle | None = None) -> int:
    """The view as CSV (RFC 4180), NULL as an empty field; the number of rows."""
    style = style or CsvStyle()
    columns, rows = store.iterate(_PARTICLES.format(columns=", ".join(style.checked())) + chosen.of_view())
    if style.bom:
        file.write(_BOM)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow(map(style.cell, row))
        count += 1
    return count


def write_imagej(store: Store, file: IO[str], chosen: Selection) -> int:
    """ImageJ's table of results; the number of particles."""
    return write_results(store, file, where=chosen.of_tables())


# ---------------------------------------------------------------- Parquet


def _write_parquet(store: Store, out: Path, chosen: Selection) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise UsageError("export: Parquet needs pyarrow: pip install 'imagedataextractor[parquet]'") from error
    columns, rows = store.iterate(_PARTICLES.format(columns="*") + chosen.of_view())
    kinds = {column.name: column.kind for column in VIEW}
    arrow = {Kind.TEXT: pa.string(), Kind.WHOLE: pa.int64(), Kind.FLAG: pa.bool_(), Kind.NUMBER: pa.float64()}
    schema = pa.schema([(name, arrow[kinds[name]]) for name in columns])
    count = 0
    with pq.ParquetWriter(out, schema) as writer:
        for block in _blocks(rows, _ROWS_A_GROUP):
            arrays = []
            for name, values in zip(columns, zip(*block, strict=True), strict=True):
                plain = [bool(value) for value in values] if kinds[name] is Kind.FLAG else values
                arrays.append(pa.array(plain, type=schema.field(name).type))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(block)
    return count


def _blocks(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    while block := list(islice(rows, size)):
        yield block


# ---------------------------------------------------------------- COCO


def write_coco(store: Store, file: IO[str], chosen: Selection) -> int:
    """The annotations as COCO JSON; the number of particles."""
    info = {"description": "Particles measured by ImageDataExtractor", "version": "1.0"}
    file.write(f'{{"info": {json.dumps(info)},\n')
    file.write('"categories": [{"id": 1, "name": "particle", "supercategory": "particle"}],\n"images": ')
    _write_list(file, map(_image, store.iterate(f"{_IMAGES}{chosen.of_figures()} ORDER BY f.id")[1]))
    file.write(',\n"annotations": ')
    rows = store.iterate(f"{_ANNOTATIONS}{chosen.of_tables()} ORDER BY s.id, p.label")[1]
    count = _write_list(file, (_annotation(number, row) for number, row in enumerate(rows, 1)))
    file.write("}\n")
    return count


def _write_list(file: IO[str], items: Iterable[dict[str, Any]]) -> int:
    count = 0
    file.write("[")
    for item in items:
        file.write(("," if count else "") + "\n" + json.dumps(item, ensure_ascii=False))
        count += 1
    file.write("\n]")
    return count


def _image(row: tuple[Any, ...]) -> dict[str, Any]:
    figure_id, path, sha256, width, height, label, doi, licence = row
    return {
        "id": figure_id,
        "file_name": path,
        "width": width,
        "height": height,
        "sha256": sha256,
        "doi": doi,
        "figure": label,
        "licence": licence,
    }


def _annotation(number: int, row: tuple[Any, ...]) -> dict[str, Any]:
    figure_id, panel_id, x0, y0, segmentation_id, label, area, ecd, uncertainty, score, *rest = row
    accepted, reason, blob, x1, y1 = rest
    contour = decode_contour(blob)
    contour += (x0, y0)
    low = contour.min(axis=0) if len(contour) else (0.0, 0.0)
    size = contour.max(axis=0) - low if len(contour) else (0.0, 0.0)
    return {
        "id": number,
        "image_id": figure_id,
        "category_id": 1,
        "iscrowd": 0,
        "segmentation": [contour.ravel().tolist()] if len(contour) else [],
        "bbox": [float(low[0]), float(low[1]), float(size[0]), float(size[1])],
        "area": area,
        "score": score,
        "panel_id": panel_id,
        "panel_bbox": [x0, y0, x1 - x0, y1 - y0],
        "segmentation_id": segmentation_id,
        "label": label,
        "ecd_nm": ecd,
        "uncertainty": uncertainty,
        "accepted": bool(accepted),
        "reason": reason,
    }
