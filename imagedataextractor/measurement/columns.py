"""The columns of a particle: name, kind, unit, meaning and source of each, once.

The particle table, the SQL tables, the exports, the page docs/columns.md and the texts that Datasette shows
are all made from `COLUMNS`. A new column is a line here, its values in `particles.measure_particles`, and a
migration in db/migrations.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["BY_NAME", "COLUMNS", "FLAGS", "NUMBERS", "STORED", "Column", "Kind"]


class Kind(Enum):
    """What the values of a column are."""

    NUMBER = "number"
    WHOLE = "whole number"
    FLAG = "true or false"
    TEXT = "text"
    OUTLINE = "outline"


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        Ends in its unit where it has one.
    kind : Kind
    meaning : str
        What it is, in a line.
    unit : str
        As people write it; "" where it has none.
    source : str
        The formula, standard or publication that it comes from.
    required : bool
        Never unknown: NOT NULL in the database.
    scaled_from : str or None
        The column in pixels that this one is, times the scale to the power of `power`.
    power : int
        1 for lengths, 2 for areas.
    in_view : bool
        The view measured_particles has it.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    source: str = ""
    required: bool = False
    scaled_from: str | None = None
    power: int = 1
    in_view: bool = True


def _length(
    name: str, meaning: str, source: str = "", *, required: bool = False, in_view: tuple[bool, bool] = (False, True)
) -> tuple[Column, Column]:
    """A length in px and its twin in nm; `in_view` of each."""
    px = Column(f"{name}_px", Kind.NUMBER, meaning, "px", source, required, in_view=in_view[0])
    nm = Column(f"{name}_nm", Kind.NUMBER, meaning, "nm", source, scaled_from=px.name, in_view=in_view[1])
    return px, nm


def _area(name: str, meaning: str, source: str = "", *, required: bool = False) -> tuple[Column, Column]:
    """An area in px² and its twin in nm²."""
    px = Column(f"{name}_px", Kind.NUMBER, meaning, "px²", source, required)
    nm = Column(f"{name}_nm2", Kind.NUMBER, meaning, "nm²", source, scaled_from=px.name, power=2)
    return px, nm


def _number(name: str, meaning: str, source: str = "", unit: str = "") -> Column:
    return Column(name, Kind.NUMBER, meaning, unit, source)


#: In the order of the tables. Coordinates count from the outer corner of the upper left pixel of the panel.
COLUMNS: tuple[Column, ...] = (
    Column("label", Kind.WHOLE, "Number of the particle in its label map", required=True, in_view=False),
    *_length("x", "Centroid, from the left", required=True, in_view=(True, False)),
    *_length("y", "Centroid, from the top", required=True, in_view=(True, False)),
    *_area("area", "Projected area: its pixels", "ISO 9276-6", required=True),
    *_length(
        "ecd",
        "Equivalent circular diameter, that of a circle of the same area",
        "√(4·area/π); ISO 9276-6",
        required=True,
        in_view=(True, True),
    ),
    *_length("perimeter", "Length of its boundary, holes included", "Cauchy–Crofton formula over eight directions"),
    *_length("feret_max", "Maximum Feret diameter: largest distance of two parallel tangents", "x_Fmax of ISO 9276-6"),
    *_length("feret_min", "Minimum Feret diameter: smallest distance of two parallel tangents", "x_Fmin of ISO 9276-6"),
    *_length("feret_90", "Feret diameter at 90° to the maximum one", "ISO 13322-1"),
    *_length("major_axis", "Major axis of the ellipse with the same second moments", "Haralick and Shapiro 1992"),
    *_length("minor_axis", "Minor axis of the ellipse with the same second moments", "Haralick and Shapiro 1992"),
    *_length(
        "geodesic_length",
        "Length along the middle line of a body at least twice as long as wide, straight or bent",
        "of the ribbon of the same area and mean depth; for x_LG of ISO 9276-6",
    ),
    *_length(
        "mean_width",
        "Mean width of such a body",
        "of the ribbon of the same area and mean depth; for x_E of ISO 9276-6",
    ),
    _number("aspect_ratio", "Major over minor axis, 1 or more", "major_axis/minor_axis"),
    _number("feret_ratio", "Minimum over maximum Feret diameter, at most 1", "aspect ratio of ISO 9276-6"),
    _number("elongation", "0 for a disc, near 1 for a needle", "1 − feret_min/feret_max"),
    _number("circularity", "1 for a disc, less for what is long or rugged", "4π·area/perimeter², at most 1; Cox 1927"),
    _number("roundness", "1 for a disc, less for what is long", "4·area/(π·feret_max²), at most 1; ISO 9276-6"),
    _number("solidity", "Area over that of the convex hull; 1 without dents", "ISO 9276-6"),
    _number("convexity", "Perimeter of the convex hull over the perimeter; 1 without dents", "ISO 9276-6"),
    _number(
        "orientation_deg",
        "Direction of the major axis against the x axis, counter-clockwise as seen, −90 < angle ≤ 90",
        "Haralick and Shapiro 1992",
        "°",
    ),
    Column("shape", Kind.TEXT, "Shape class: circle, ellipse, rod, square, rectangle, triangle, hexagon, irregular"),
    _number("shape_score", "Overlap of the outline with the ideal one of its class", "intersection over union"),
    *_length("nearest_neighbour", "Distance from its centroid to the nearest other particle's"),
    _number("mean_intensity", "Mean grey level of its pixels"),
    _number("contrast", "Its mean grey level less that of the ground about it"),
    Column(
        "edge_refined", Kind.FLAG, "Its outline was moved to the edge in the image; otherwise it is the label map's"
    ),
    *_length(
        "edge_uncertainty",
        "Standard uncertainty of the edge's place along the normal; that of a diameter is twice as large",
        "fit, blur and contrast; docs/measurement.md",
    ),
    _number(
        "uncertainty",
        "Epistemic uncertainty: mean mutual information over its pixels",
        "Yildirim and Cole 2021",
        "nats",
    ),
    _number("score", "Calibrated probability that it is real; NULL where the model has none", "boosted trees"),
    Column("touches_border", Kind.FLAG, "It reaches the frame, or the data bar that fills a side", required=True),
    Column("accepted", Kind.FLAG, "It counts; otherwise reason says why not", required=True),
    Column("reason", Kind.TEXT, "Why it does not count: annotation, uncertain, border, support, corrected or replaced"),
    Column("contour", Kind.OUTLINE, "Outer outline in pixels of the panel (docs/database.md)", in_view=False),
)

BY_NAME = {column.name: column for column in COLUMNS}
#: Names of the columns of plain numbers and of flags, in order.
NUMBERS = tuple(column.name for column in COLUMNS if column.kind is Kind.NUMBER)
FLAGS = tuple(column.name for column in COLUMNS if column.kind is Kind.FLAG)
#: Names of the columns that a table holds; the others follow from them and the scale.
STORED = tuple(column.name for column in COLUMNS if column.scaled_from is None and column.name != "accepted")
