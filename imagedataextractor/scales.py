"""Scales that people keep in a table, a line a picture: each becomes a stated scale of that picture.

    file,panel,nm_per_px,bar,bar_px,field_width
    a.tif,,0.42,,,
    b.tif,,,200 nm,156,
    c.tif,b,,,,1.8 um

One of nm_per_px, bar (with bar_px, or over as many pixels as are measured) and field_width on each line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.pictures import PictureLine, PictureTable, read_picture_table
from imagedataextractor.quantities import NM_PER_UNIT, parse_length, parse_number
from imagedataextractor.records import Box, Panel, ScaleBar
from imagedataextractor.store import Correction, CorrectionKind, StatedScale, Store
from imagedataextractor.store.corrections import user_name

__all__ = ["PictureScales", "keep_scales", "read_scales"]

#: Columns of which each line fills one.
_WAYS = ("nm_per_px", "bar", "field_width")


@dataclass(frozen=True)
class PictureScales:
    """A table of scales.

    Attributes
    ----------
    table : PictureTable
    scales : tuple of StatedScale
        One a line of the table.
    """

    table: PictureTable
    scales: tuple[StatedScale, ...]

    def find(self, picture: str | Path, label: str | None, index: int) -> tuple[StatedScale, str] | None:
        """The scale of a panel, and where it stands; None where no line speaks of it."""
        line = self.table.line_of(picture, label, index)
        if line is None:
            return None
        return self.scales[self.table.lines.index(line)], self.place(line)

    def place(self, line: PictureLine) -> str:
        """Where a line stands, for messages: "scales.csv, line 3"."""
        return f"{self.table.path.name}, line {line.number}"

    def apply(self, picture: Path, panel: Panel, bar: ScaleBar) -> ScaleBar:
        """The bar of a panel with the scale of the table, or as it was read where the table says nothing.

        Raises
        ------
        InputError
            The table gives a bar's length, and no bar was measured.
        """
        found = self.find(picture, panel.label, panel.index)
        if found is None:
            return bar
        stated, place = found
        nm_per_px = stated.of(panel.box.width, bar.length_px)
        if nm_per_px is None:
            raise InputError(f"{place}: no scale bar was measured in {picture.name}; say its length in bar_px")
        return ScaleBar(
            nm_per_px=nm_per_px,
            confidence=1.0,
            source="user",
            text=stated.words(),
            length_px=bar.length_px,
            **{name: getattr(bar, name) for name in ("x0", "x1", "y", "text_box", "bar_box", "magnification")},
        )

    def check(self, pictures: Sequence[Path]) -> list[tuple[str, str]]:
        """Hold the table against the pictures of a run.

        Returns
        -------
        list of (file, why)
            Lines that speak of none of them.

        Raises
        ------
        UsageError
            A line may mean several of them.
        """
        unused = []
        for line in self.table.lines:
            meant = [path for path in pictures if self.table.is_of(line, path)]
            if len(meant) > 1:
                names = ", ".join(map(str, meant[:3]))
                raise UsageError(f"{self.place(line)}: {line.file} is {len(meant)} pictures ({names}); say its folder")
            if not meant:
                unused.append((line.file, f"{self.place(line)} names no picture of this run"))
        return unused


def read_scales(path: str | Path) -> PictureScales:
    """Read a table of scales.

    Raises
    ------
    InputError
        It cannot be read, or a line says no scale, several, or speaks of a panel that another line speaks of.
    """
    table = read_picture_table(path, _WAYS)
    seen: dict[tuple[str, str | None], int] = {}
    for line in table.lines:
        other = seen.setdefault((line.file, line.panel), line.number)
        if other != line.number:
            raise InputError(f"{path}, line {line.number}: {line.file} has a scale on line {other} already")
    return PictureScales(table, tuple(_stated(table, line) for line in table.lines))


def _stated(table: PictureTable, line: PictureLine) -> StatedScale:
    where = f"{table.path}, line {line.number}"
    given = [name for name in _WAYS if line[name]]
    if len(given) != 1:
        what = f"gives {' and '.join(given)}" if given else "gives no scale"
        raise InputError(f"{where}: {what}; one of {', '.join(_WAYS)} says it")
    if line["bar_px"] and given != ["bar"]:
        raise InputError(f"{where}: bar_px goes with bar")
    return StatedScale(
        nm_per_px=_number(where, line, "nm_per_px"),
        bar_nm=_length(where, line, "bar"),
        bar_px=_number(where, line, "bar_px"),
        field_width_nm=_length(where, line, "field_width"),
    )


def _number(where: str, line: PictureLine, column: str) -> float | None:
    if not line[column]:
        return None
    value = parse_number(line[column])
    if value is None or not math.isfinite(value) or value <= 0:
        raise InputError(f"{where}: {column} is a number greater than 0, not {line[column]!r}")
    return value


def _length(where: str, line: PictureLine, column: str) -> float | None:
    if not line[column]:
        return None
    length = parse_length(line[column])
    if length is None:
        raise InputError(f"{where}: {column} is a length as '200 nm' (pm, nm, um, µm, mm, Å), not {line[column]!r}")
    return length[0] * NM_PER_UNIT[length[1]]


def keep_scales(store: Store, scales: PictureScales, within: Iterable[Path]) -> int:
    """Correct the scales of pictures that are in the database already; nothing is measured again.

    Parameters
    ----------
    store : Store
    scales : PictureScales
    within : iterable of Path
        Files and folders that are meant: the same name may stand elsewhere, too.

    Returns
    -------
    int
        Panels whose scale is another one now.
    """
    meant = {path.absolute() for path in within}
    _, rows = store.query(
        "SELECT f.image_path, f.image_sha256, n.label, n.panel_index, n.x0, n.y0, n.x1, n.y1, b.length_px, c.nm_per_px "
        "FROM panels n JOIN figures f ON f.id = n.figure_id "
        "LEFT JOIN scalebars b ON b.panel_id = n.id AND b.is_latest "
        "LEFT JOIN scalebars c ON c.panel_id = n.id AND c.is_current "
        "WHERE n.kind = 'em' AND f.image_path IS NOT NULL AND f.image_sha256 IS NOT NULL ORDER BY n.id"
    )
    count = 0
    with store.transaction():
        for path, sha256, label, index, x0, y0, x1, y1, length_px, nm_per_px in rows:
            picture = Path(path)
            if not meant & {picture, *picture.parents}:
                continue
            found = scales.find(picture, label, index)
            stated = None if found is None else found[0].of(x1 - x0, length_px)
            if found is None or stated is None or (nm_per_px and math.isclose(stated, nm_per_px)):
                continue
            why = f"given in {found[1]}"
            box = Box(x0, y0, x1, y1)
            store.correct(Correction(CorrectionKind.SCALE, sha256, box, scale=found[0], why=why, made_by=user_name()))
            count += 1
    return count
