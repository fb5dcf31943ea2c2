"""Find a panel's scale bar, read its text, and give nanometres per pixel only where that can be trusted.

In: a panel's pixels, an OCR engine, what captions and files state. Out: `records.ScaleBar`, with a reason where there
is no scale. `reading` does it: `text`, `bars`, `rulers` and `parts` find, `match` judges, `agreement` weighs witnesses.
"""

from __future__ import annotations

from imagedataextractor.scalebar.agreement import (
    reconcile,
    user_bar,
    user_field_width,
    user_scale,
    with_file_scale,
    with_length,
)
from imagedataextractor.scalebar.evidence import with_particle_sizes
from imagedataextractor.scalebar.reading import read_scale_bar, read_scale_bars
from imagedataextractor.scalebar.tags import FileScale, read_acquisition, read_file_scale

__all__ = [
    "FileScale",
    "read_acquisition",
    "read_file_scale",
    "read_scale_bar",
    "read_scale_bars",
    "reconcile",
    "user_bar",
    "user_field_width",
    "user_scale",
    "with_file_scale",
    "with_length",
    "with_particle_sizes",
]
