"""The particles of a panel as a table: one array a column.

This is how particles go from the measurement to the database, to exports and to pandas. `columns` says what
each column is. Lengths are held in pixels; those in nm follow from them and the scale, so that another scale
is another number and nothing is measured again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import numpy.typing as npt

from imagedataextractor.measurement.columns import BY_NAME, COLUMNS, NUMBERS, STORED, Kind
from imagedataextractor.measurement.contours import decode_contour, encode_contours

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Particle", "ParticleTable"]

Array = npt.NDArray[Any]

_DTYPES: dict[Kind, Any] = {
    Kind.NUMBER: np.float64,
    Kind.WHOLE: np.int64,
    Kind.FLAG: np.bool_,
    Kind.TEXT: object,
    Kind.OUTLINE: object,
}


class Particle:
    """One row of a table: an attribute a column (see `columns.COLUMNS`), None where a value is unknown.

    ``contour`` is the outer outline as (x, y) vertices in pixels of the panel.
    """

    __slots__ = ("_row", "_table")

    def __init__(self, table: ParticleTable, row: int) -> None:
        self._table = table
        self._row = row

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in BY_NAME:
            raise AttributeError(f"a particle has no column {name!r}")
        if name == "contour":
            return tuple((x, y) for x, y in self._table.outline(self._row).tolist())
        value = self._table[name][self._row]
        value = value.item() if isinstance(value, np.generic) else value
        return None if isinstance(value, float) and not np.isfinite(value) else value

    def as_dict(self) -> dict[str, Any]:
        """Every column by its name, the contour too."""
        return {column.name: getattr(self, column.name) for column in COLUMNS}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Particle) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((self.label, self.x_px, self.y_px))

    def __repr__(self) -> str:
        return f"Particle({', '.join(f'{n}={v!r}' for n, v in self.as_dict().items() if v is not None)})"


class ParticleTable(Sequence[Particle]):
    """The particles of a panel, a column each.

    Parameters
    ----------
    values : mapping
        Name of a column → its values, one a particle, NaN or None where unknown. What columns.STORED does
        not name is refused, what is left out or None is unknown. Contours are sequences of (x, y), or as a table keeps
        them (see `contours`).
    nm_per_px : float, optional
        The scale; without it the columns in nm and nm² are unknown.

    Raises
    ------
    ValueError
        There is no such column, one that is required is missing, or the columns differ in length.

    Examples
    --------
    >>> table = ParticleTable({"label": [1, 2], "x_px": [3, 9], "y_px": [4, 8], "area_px": [12.5, 50.0],
    ...     "ecd_px": [4.0, 8.0], "touches_border": [False, True], "reason": [None, "border"]}, nm_per_px=2.0)
    >>> table["ecd_nm"].tolist(), table[1].reason, len(table.accepted)
    ([8.0, 16.0], 'border', 1)
    """

    __slots__ = ("_arrays", "nm_per_px")

    def __init__(self, values: Mapping[str, Any], *, nm_per_px: float | None = None) -> None:
        values = {name: column for name, column in values.items() if column is not None}
        unknown = sorted(set(values) - set(STORED))
        if unknown:
            raise ValueError(f"a particle table holds no column {', '.join(unknown)}")
        lengths = {len(column) for column in values.values()}
        if len(lengths) > 1:
            raise ValueError(f"the columns of a particle table differ in length: {sorted(lengths)}")
        count = lengths.pop() if lengths else 0
        self.nm_per_px = nm_per_px
        self._arrays: dict[str, Array] = {name: _array(name, values.get(name), count) for name in STORED}

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], *, nm_per_px: float | None = None) -> Self:
        """A table of rows, each a mapping from the names of columns; see the class."""
        listed = list(rows)
        names = {name for row in listed for name in row}
        return cls({name: [row.get(name) for row in listed] for name in names}, nm_per_px=nm_per_px)

    # ------------------------------------------------------------ rows and columns

    def __len__(self) -> int:
        return len(self._arrays["label"])

    @overload
    def __getitem__(self, key: int) -> Particle: ...
    @overload
    def __getitem__(self, key: str) -> Array: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    def __getitem__(self, key: int | str | slice) -> Particle | Array | Self:
        """A row by its number, a column by its name, several rows by a slice."""
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, slice):
            return self.where(np.arange(len(self))[key])
        if not -len(self) <= key < len(self):
            raise IndexError(f"row {key} of {len(self)} particles")
        return Particle(self, key % len(self))

    def __iter__(self) -> Iterator[Particle]:
        return (Particle(self, row) for row in range(len(self)))

    def _column(self, name: str) -> Array:
        if name in self._arrays:
            return self._arrays[name]
        if name == "accepted":
            return np.array([reason is None for reason in self._arrays["reason"]], bool)
        if name not in BY_NAME:
            raise KeyError(f"a particle table has no column {name!r}")
        column = BY_NAME[name]
        if column.scaled_from is None or self.nm_per_px is None:
            return np.full(len(self), np.nan)
        scaled: Array = self._arrays[column.scaled_from] * self.nm_per_px**column.power
        return scaled

    def outline(self, row: int) -> npt.NDArray[np.float64]:
        """The outer outline of a particle, shape (n, 2), columns x and y in pixels of the panel."""
        return decode_contour(self._arrays["contour"][row])

    def numbers(self) -> npt.NDArray[np.float64]:
        """All columns of plain numbers, shape (N, len(columns.NUMBERS)), NaN where unknown."""
        table = np.stack([self._column(name) for name in NUMBERS], axis=1)
        table[np.isinf(table)] = np.nan
        return table

    @property
    def accepted(self) -> Self:
        """The particles that count."""
        return self.where(self._column("accepted"))

    # ------------------------------------------------------------ other tables

    def where(self, chosen: npt.ArrayLike) -> Self:
        """The rows that a mask or an array of row numbers chooses."""
        picked = np.asarray(chosen)
        if not picked.size:  # an empty list has no type of its own
            picked = np.empty(0, np.int64)
        return type(self)(
            {name: column[picked] for name, column in self._arrays.items()},
            nm_per_px=self.nm_per_px,
        )

    def replaced(self, **columns: Any) -> Self:
        """The table with other values in these columns."""
        return type(self)({**self._arrays, **columns}, nm_per_px=self.nm_per_px)

    def scaled(self, nm_per_px: float | None) -> Self:
        """The same particles under another scale."""
        return type(self)(self._arrays, nm_per_px=nm_per_px)

    def shifted(self, dx: float, dy: float) -> Self:
        """The same particles in a frame whose origin lies `dx` and `dy` px further left and up."""
        if dx == 0 and dy == 0:
            return self
        return self.replaced(
            x_px=self._arrays["x_px"] + dx,
            y_px=self._arrays["y_px"] + dy,
            contour=[np.add(self.outline(row), (dx, dy)) for row in range(len(self))],
        )

    def joined(self, other: ParticleTable) -> Self:
        """These particles and those of another table, under this one's scale."""
        both = {name: np.concatenate([column, other._arrays[name]]) for name, column in self._arrays.items()}
        return type(self)(both, nm_per_px=self.nm_per_px)

    # ------------------------------------------------------------ for other libraries

    def to_dict(self) -> dict[str, Array]:
        """Every column but the contour as an array, as pandas, polars and Arrow take them."""
        return {column.name: self._column(column.name) for column in COLUMNS if column.kind is not Kind.OUTLINE}

    def to_pandas(self) -> pd.DataFrame:
        """The same as a data frame."""
        import pandas

        return pandas.DataFrame(self.to_dict())

    def to_rows(self, *, contours: bool = False) -> list[dict[str, Any]]:
        """A mapping a particle, with plain values: what JSON can hold."""
        names = [column.name for column in COLUMNS if contours or column.kind is not Kind.OUTLINE]
        return [{name: getattr(particle, name) for name in names} for particle in self]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ParticleTable) or self.nm_per_px != other.nm_per_px:
            return NotImplemented if not isinstance(other, ParticleTable) else False
        return all(
            np.array_equal(column, other._arrays[name], equal_nan=column.dtype.kind == "f")
            for name, column in self._arrays.items()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        scale = "unknown scale" if self.nm_per_px is None else f"{self.nm_per_px:g} nm/px"
        return f"<ParticleTable: {len(self)} particles, {len(self.accepted)} accepted, {scale}>"


def _array(name: str, values: Any, count: int) -> Array:
    """The values of a column as its kind of array."""
    column = BY_NAME[name]
    if values is None:
        if column.required and count:
            raise ValueError(f"a particle table needs the column {name}")
        values = np.full(count, np.nan) if column.kind is Kind.NUMBER else [None] * count
    if column.kind is Kind.OUTLINE:
        return _objects(_encoded(values))
    if column.kind is Kind.TEXT:
        return _objects([None if value is None else str(value) for value in values])
    return np.asarray(values, dtype=_DTYPES[column.kind])


def _encoded(contours: Sequence[Any]) -> list[bytes | None]:
    if all(contour is None or isinstance(contour, bytes | memoryview) for contour in contours):
        return [None if contour is None else bytes(contour) for contour in contours]
    return encode_contours([() if contour is None else contour for contour in contours])


def _objects(values: Sequence[Any]) -> Array:
    array = np.empty(len(values), object)
    array[:] = values
    return array
