"""ImageJ's ROI files and sets of them, by roifile (an extra)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.training.labels.picture import Labelled, Particle

__all__ = ["read_rois"]

#: What the ROI manager and people put about a picture's name.
_AROUND = ("_roiset", "-roiset", "_rois", "-rois", "roiset_", "roiset-")
#: Corners below which an outline encloses nothing.
_LEAST_CORNERS = 3


def read_rois(path: Path) -> Labelled:
    """The areas of a .roi or .zip; points and lines are none.

    Raises
    ------
    UsageError
        roifile is not installed.
    InputError
        The file cannot be read.
    """
    try:
        import roifile
    except ImportError as error:
        raise UsageError("ImageJ's ROIs need roifile: pip install 'imagedataextractor[labels]'") from error
    try:
        read = roifile.ImagejRoi.fromfile(path)
        rois = read if isinstance(read, list) else [read]
        areas = [roi for roi in rois if roi.roitype.name in _AREAS]
        particles: list[Particle] = []
        for roi in areas:
            outlines = [np.asarray(o, float).reshape(-1, 2) for o in roi.coordinates(multi=True)]
            closed = tuple(outline for outline in outlines if len(outline) >= _LEAST_CORNERS)
            if closed:
                particles.append(closed)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # roifile raises many classes on damaged files
        raise InputError(
            f"{path}: cannot be read as ImageJ's ROIs ({type(error).__name__}: {str(error)[:80]})"
        ) from error
    return Labelled(_picture(path.stem), particles, left_out=len(rois) - len(particles))


#: Types of ROI that enclose an area; a composite one is a rectangle to its head.
_AREAS = frozenset({"POLYGON", "RECT", "OVAL", "FREEHAND", "TRACED"})


def _picture(stem: str) -> str:
    for word in _AROUND:
        if stem.lower().endswith(word):
            return stem[: -len(word)]
        if stem.lower().startswith(word):
            return stem[len(word) :]
    return "" if stem.lower() == "roiset" else stem
