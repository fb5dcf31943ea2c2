"""Reviewed panels as training data, in the EMPS layout: images/NAME.png and segmaps/NAME.png."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.draw import polygon as pixels_within

from imagedataextractor.errors import InputError
from imagedataextractor.images import to_grey
from imagedataextractor.records import ParticleTable, Reason
from imagedataextractor.report.pictures import panel_pixels
from imagedataextractor.report.rows import ReportPanel, read_panel
from imagedataextractor.review.queue import read_queue
from imagedataextractor.store import Store

__all__ = ["export_emps", "label_map_of"]

#: The largest label of a 16-bit picture.
_MOST_LABELS = np.iinfo(np.uint16).max


def export_emps(store: Store, out: Path) -> tuple[int, list[str]]:
    """Write the panels that a person looked at, without their data bars, for `ide train segmentation`.

    Parameters
    ----------
    store : Store
    out : Path
        A folder; it is made where it is missing.

    Returns
    -------
    written : int
        Panels.
    left_out : list of str
        Which reviewed panels were not, and why.

    Raises
    ------
    InputError
        No panel was reviewed, or the folder cannot be written.
    """
    reviewed = [panel for panel in read_queue(store) if panel.reviewed and panel.is_current]
    if not reviewed:
        raise InputError(f"{store.name}: no panel was reviewed yet; `ide review` is for that")
    written: set[str] = set()
    left_out = []
    for queued in reviewed:
        # The same picture may stand in several articles: it is one example all the same.
        name = f"{queued.image_sha256[:16]}-{queued.box.x0}-{queued.box.y0}"
        panel = read_panel(store, queued.id)
        if panel is None or name in written:
            continue
        try:
            image = to_grey(panel_pixels(panel))[panel_part(panel)]
        except InputError as error:
            left_out.append(f"{queued.article} / {queued.name}: {error}")
            continue
        labels = label_map_of(panel.particles, (panel.box.height, panel.box.width))[panel_part(panel)]
        _save(out, name, image, labels)
        written.add(name)
    return len(written), left_out


def panel_part(panel: ReportPanel) -> tuple[slice, slice]:
    """The part of a panel beside its data bar, in rows and columns of the panel."""
    slices: tuple[slice, slice] = panel.measured.slices
    return slices


def label_map_of(particles: ParticleTable, shape: tuple[int, int]) -> npt.NDArray[np.uint16]:
    """The particles that are real, those at the border too, one value each.

    Where two overlap, the smaller one lies on top.
    """
    real = [p for p in particles if (p.accepted or p.reason == Reason.BORDER) and p.contour]
    if len(real) > _MOST_LABELS:
        raise InputError(f"{len(real)} particles are more than a 16-bit label map holds")
    labels = np.zeros(shape, np.uint16)
    for value, particle in enumerate(sorted(real, key=lambda p: -p.area_px), 1):
        x, y = (np.array(particle.contour, float) - 0.5).T
        rows, columns = pixels_within(y, x, shape)  # type: ignore[no-untyped-call]
        labels[rows, columns] = value
    return labels


def _save(out: Path, name: str, image: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint16]) -> None:
    try:
        for folder, pixels in (("images", image), ("segmaps", labels)):
            (out / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(out / folder / f"{name}.png")
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from error
