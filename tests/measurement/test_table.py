"""Particles as a table."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from imagedataextractor.measurement import ParticleTable, measure_particles
from imagedataextractor.measurement.columns import COLUMNS, NUMBERS
from imagedataextractor.records import Reason


@pytest.fixture
def table() -> ParticleTable:
    labels = np.zeros((60, 80), np.int32)
    labels[10:20, 10:30] = 2
    labels[0:9, 40:50] = 5
    labels[30:40, 40:50] = 9
    return measure_particles(labels, nm_per_px=2.0, filtered=np.arange(9) == 8)


def test_rows_and_columns_are_the_same(table: ParticleTable) -> None:
    assert [particle.label for particle in table] == table["label"].tolist() == [2, 5, 9]
    assert [particle.reason for particle in table] == [None, Reason.BORDER, Reason.UNCERTAIN]
    assert table["accepted"].tolist() == [True, False, False]
    assert len(table.accepted) == 1
    assert table[-1] == table[2] != table[0]
    assert table[1:] == table.where([False, True, True])
    assert set(table[0].contour) == {(10, 10), (30, 10), (30, 20), (10, 20)}
    assert table[0].score is None
    with pytest.raises(AttributeError, match="'colour'"):
        _ = table[0].colour
    with pytest.raises(IndexError):
        _ = table[3]


def test_nanometres_follow_from_pixels_and_the_scale(table: ParticleTable) -> None:
    assert table["area_nm2"] == pytest.approx(table["area_px"] * 4)
    assert table.scaled(3.0)["feret_max_nm"] == pytest.approx(table["feret_max_px"] * 3)
    assert table.scaled(None)[0].ecd_nm is None
    numbers = table.scaled(None).numbers()
    unknown = [name for name, column in zip(NUMBERS, numbers.T, strict=True) if np.isnan(column).all()]
    from_an_image = {"mean_intensity", "contrast", "edge_uncertainty_px"}
    of_long_ones = {"geodesic_length_px", "mean_width_px"}
    scaled = {c.name for c in COLUMNS if c.scaled_from}
    assert set(unknown) - of_long_ones == scaled | from_an_image | {"uncertainty", "score"}


def test_a_shift_moves_centres_and_outlines_and_nothing_else(table: ParticleTable) -> None:
    moved = table.shifted(5, -3)
    assert moved["x_px"] - table["x_px"] == pytest.approx(5)
    assert moved["y_nm"] - table["y_nm"] == pytest.approx(-6)
    assert moved.outline(0) - table.outline(0) == pytest.approx(np.tile([5, -3], (4, 1)))
    assert moved["area_px"].tolist() == table["area_px"].tolist()
    assert moved.shifted(-5, 3) == table


def test_it_travels_and_comes_back(table: ParticleTable) -> None:
    assert pickle.loads(pickle.dumps(table)) == table
    stored = [{k: v for k, v in row.items() if not k.endswith(("_nm", "_nm2"))} for row in table.to_rows(contours=True)]
    for row in stored:
        del row["accepted"]
    assert ParticleTable.from_rows(stored, nm_per_px=2.0) == table
    assert table[:1].joined(table[1:]) == table


def test_pandas_takes_it(table: ParticleTable) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = table.to_pandas()
    assert list(frame.columns) == [column.name for column in COLUMNS if column.name != "contour"]
    assert frame["ecd_nm"].tolist() == table["ecd_nm"].tolist()
    assert pandas.api.types.is_bool_dtype(frame["accepted"])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"colour": [1]}, "colour"),
        ({"label": [1]}, "needs the column"),
        ({"label": [1, 2], "x_px": [1.0]}, "differ in length"),
        ({"ecd_nm": [1.0]}, "ecd_nm"),
    ],
)
def test_what_is_no_table_is_refused(values: dict[str, list[float]], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ParticleTable(values)
