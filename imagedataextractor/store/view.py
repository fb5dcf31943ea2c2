"""The columns of the view measured_particles: what a particle is, and where it comes from.

The migrations in db/migrations write the view itself; a test holds the two together.
"""

from __future__ import annotations

import dataclasses

from imagedataextractor.measurement.columns import COLUMNS, Column, Kind

__all__ = ["VIEW"]


def _text(name: str, meaning: str) -> Column:
    return Column(name, Kind.TEXT, meaning)


def _whole(name: str, meaning: str) -> Column:
    return Column(name, Kind.WHOLE, meaning)


_WHERE = (
    _text("doi", "Digital object identifier of the article"),
    _text("article", "Key of the article: its DOI where it has one"),
    _text("title", "Title of the article; of a picture by itself, its file name"),
    _text("journal", "Journal of the article"),
    _whole("year", "Year of publication"),
    _text("figure", "Label of the figure"),
    _text("image_path", "File of the picture"),
    _text("panel", "Letter of the panel, as printed"),
    _whole("panel_index", "Number of the panel in its figure, from 0, in reading order"),
    _text("subcaption", "What the caption says of the panel"),
    _text("technique", "SEM, TEM, STEM, …, where it can be told"),
    _text("material", "What the particles are made of, as caption, title or abstract say (Au@SiO2, Fe:ZnO)"),
    Column("material_confidence", Kind.NUMBER, "How sure the material is, 0 … 1"),
)

_WHENCE = (
    Column("nm_per_px", Kind.NUMBER, "Scale of the panel; NULL where none can be trusted", "nm/px"),
    _text("scale_source", "bar, caption, figure, file or user"),
    Column("scale_confidence", Kind.NUMBER, "Calibrated chance that the scale is right, 0 … 1"),
    Column("magnification", Kind.NUMBER, "As printed in the panel"),
    _text("trust", "A, B or C: how far the panel's numbers can be trusted without looking (docs/review.md)"),
    _text("image_sha256", "SHA-256 of the picture's file"),
    _whole("segmentation_id", "Row of segmentations that it belongs to"),
    _text("run_id", "Row of runs that made it"),
)

_PARTICLE = dataclasses.replace(next(c for c in COLUMNS if c.name == "label"), name="particle")

#: The order is that of documentation; that of the view is the database's business.
VIEW: tuple[Column, ...] = (*_WHERE, _PARTICLE, *(c for c in COLUMNS if c.in_view), *_WHENCE)
