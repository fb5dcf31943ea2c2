"""The particles of a segmentation, read back as the table that was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagedataextractor.measurement.columns import STORED
from imagedataextractor.records import ParticleTable

if TYPE_CHECKING:
    from imagedataextractor.store.store import Store

__all__ = ["read_particles"]

_PARTICLES = f"SELECT {', '.join(STORED)} FROM particles WHERE segmentation_id = :id ORDER BY label"


def read_particles(store: Store, segmentation_id: int, nm_per_px: float | None) -> ParticleTable:
    """The particles of one segmentation, in the order of their labels.

    Parameters
    ----------
    store : Store
    segmentation_id : int
    nm_per_px : float or None
        The scale of the segmentation.
    """
    _, rows = store.query(_PARTICLES, {"id": segmentation_id})
    columns = zip(*rows, strict=True) if rows else [()] * len(STORED)
    return ParticleTable(dict(zip(STORED, columns, strict=True)), nm_per_px=nm_per_px)
