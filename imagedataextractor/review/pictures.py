"""Pictures that are drawn when they are asked for: from the picture's file and the outlines in the database."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError
from imagedataextractor.images.channels import is_flat
from imagedataextractor.records import ScaleBar
from imagedataextractor.report.pictures import overlay, panel_pixels, particle_crop, picture_pixels
from imagedataextractor.report.rows import ReportPanel, read_panel
from imagedataextractor.store import Store

__all__ = ["figure_png", "panel_png", "particle_png", "segmentation_panel", "segmentation_png"]


def figure_png(store: Store, figure_id: int) -> bytes:
    """The picture of a figure as it is.

    Raises
    ------
    InputError
        There is no such row, or its picture cannot be had; the same for all functions here.
    """
    _, rows = store.query("SELECT image_path, image_sha256, page FROM figures WHERE id = :id", {"id": figure_id})
    if not rows:
        raise InputError(f"there is no figure {figure_id}")
    return png(picture_pixels(*rows[0]))


def panel_png(store: Store, panel_id: int, *, plain: bool = False) -> bytes:
    """A panel with the outlines of its particles, or without any drawing."""
    panel = read_panel(store, panel_id)
    if panel is not None:
        return png(panel_pixels(panel) if plain else _overlay(panel))
    sql = (
        "SELECT f.image_path, f.image_sha256, f.page, n.x0, n.y0, n.x1, n.y1 "
        "FROM panels n JOIN figures f ON f.id = n.figure_id WHERE n.id = :id"
    )
    _, rows = store.query(sql, {"id": panel_id})
    if not rows:
        raise InputError(f"there is no panel {panel_id}")
    path, sha256, page, x0, y0, x1, y1 = rows[0]
    return png(picture_pixels(path, sha256, page)[y0:y1, x0:x1])


def segmentation_png(store: Store, segmentation_id: int) -> bytes:
    """The panel of a segmentation, with the outlines of that segmentation."""
    return png(_overlay(segmentation_panel(store, segmentation_id)))


def particle_png(store: Store, segmentation_id: int, label: int) -> bytes:
    """A particle with its outline and surroundings."""
    panel = segmentation_panel(store, segmentation_id)
    rows = np.flatnonzero(panel.particles["label"] == label)
    if not len(rows):
        raise InputError(f"there is no particle {label} in segmentation {segmentation_id}")
    return png(particle_crop(panel_pixels(panel), panel.particles[int(rows[0])]))


def segmentation_panel(store: Store, segmentation_id: int) -> ReportPanel:
    """The panel of a segmentation, with its particles."""
    _, rows = store.query("SELECT panel_id FROM segmentations WHERE id = :id", {"id": segmentation_id})
    panel = read_panel(store, rows[0][0], segmentation_id) if rows else None
    if panel is None:
        raise InputError(f"there is no segmentation {segmentation_id}")
    return panel


def _overlay(panel: ReportPanel) -> npt.NDArray[np.uint8]:
    x0, x1, y = panel.bar_ends or (None, None, None)
    return overlay(panel_pixels(panel), panel.particles, ScaleBar(x0=x0, x1=x1, y=y, nm_per_px=panel.nm_per_px))


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """An image, grey or RGB, as a PNG file."""
    ordered = image if is_flat(image) else image[..., ::-1]
    done, packed = cv2.imencode(".png", np.ascontiguousarray(ordered))
    if not done:
        raise InputError("the picture cannot be drawn")
    return packed.tobytes()
