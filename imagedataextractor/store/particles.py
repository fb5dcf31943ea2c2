"""The particles of a segmentation, read back as the table that was written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagedataextractor.errors import StoreError
from imagedataextractor.measurement.columns import STORED
from imagedataextractor.records import ParticleTable

if TYPE_CHECKING:
    from imagedataextractor.store.store import Store

__all__ = ["expected_values", "read_particles"]

_PARTICLES = f"SELECT {', '.join(STORED)} FROM particles WHERE segmentation_id = :id ORDER BY label"


def read_particles(store: Store, segmentation_id: int, nm_per_px: float | None) -> ParticleTable:
    """The particles of one segmentation, in the order of their labels.

    Parameters
    ----------
    store : Store
    segmentation_id : int
    nm_per_px : float or None
        The scale of the segmentation.

    Raises
    ------
    StoreError
        Another program wrote into the database.
    """
    _, rows = store.query(_PARTICLES, {"id": segmentation_id})
    columns = zip(*rows, strict=True) if rows else [()] * len(STORED)
    with expected_values(store):
        return ParticleTable(dict(zip(STORED, columns, strict=True)), nm_per_px=nm_per_px)


@contextlib.contextmanager
def expected_values(store: Store) -> Iterator[None]:
    """Where rows become values: SQLite keeps a text in a column of numbers, if another program puts it there.

    Raises
    ------
    StoreError
        A value is not of its column's kind.
    """
    try:
        yield
    except (ArithmeticError, TypeError, ValueError) as error:
        detail = " ".join(str(error).split())[:80]
        raise StoreError(
            f"{store.name}: holds values that this program did not write ({detail}); restore a copy, "
            "or start a new one with --db"
        ) from error
