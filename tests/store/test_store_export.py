"""CSV, Parquet and COCO hold what the database holds."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from store_results import make_result

from imagedataextractor.errors import InputError, StoreError, UsageError
from imagedataextractor.store.export import export


@pytest.fixture
def filled(store, run):
    store.write_article(make_result(1), run.id)
    store.write_article(make_result(2, nm_per_px=None), run.id)
    return store


def test_csv_has_a_row_a_particle(filled, tmp_path):
    assert export(filled, "csv", tmp_path / "p.csv") == 80
    with (tmp_path / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns, expected = filled.query("SELECT * FROM measured_particles")
    assert list(rows[0]) == columns
    assert len(rows) == len(expected)
    assert {row["ecd_nm"] == "" for row in rows if row["doi"] == "10.1000/example.2"} == {True}
    assert sorted(float(row["ecd_px"]) for row in rows) == sorted(row[columns.index("ecd_px")] for row in expected)


def test_only_the_accepted(filled, tmp_path):
    assert export(filled, "csv", tmp_path / "p.csv", accepted_only=True) == 64
    assert export(filled, "coco", tmp_path / "p.json", accepted_only=True) == 64


def test_parquet_has_the_same_values_and_types(filled, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    assert export(filled, "parquet", tmp_path / "p.parquet") == 80
    table = parquet.read_table(tmp_path / "p.parquet")
    columns, rows = filled.query("SELECT * FROM measured_particles")
    assert table.column_names == columns
    flags = [i for i, name in enumerate(columns) if name in ("accepted", "touches_border")]
    expected = [tuple(bool(v) if i in flags else v for i, v in enumerate(row)) for row in rows]
    key = [columns.index(name) for name in ("segmentation_id", "particle")]
    got = list(zip(*(table.column(name).to_pylist() for name in columns), strict=True))
    assert sorted(got, key=lambda r: [r[i] for i in key]) == sorted(expected, key=lambda r: [r[i] for i in key])


def test_coco_polygons_lie_in_their_picture_and_have_the_area_of_their_box(filled, tmp_path):
    assert export(filled, "coco", tmp_path / "p.json") == 80
    coco = json.loads((tmp_path / "p.json").read_text())
    images = {image["id"]: image for image in coco["images"]}
    assert len(images) == 4
    assert len({item["id"] for item in coco["annotations"]}) == 80
    in_second_panel = 0
    for item in coco["annotations"]:
        image = images[item["image_id"]]
        points = np.array(item["segmentation"][0]).reshape(-1, 2)
        x, y, width, height = item["bbox"]
        assert points.min(axis=0).tolist() == [x, y]
        assert points.max(axis=0).tolist() == [x + width, y + height]
        assert 0 <= x <= x + width <= image["width"]
        in_second_panel += y >= 230
    assert in_second_panel == 40
    assert coco["categories"][0]["id"] == 1


def test_coco_of_an_empty_database(store, tmp_path):
    assert export(store, "coco", tmp_path / "p.json") == 0
    assert json.loads((tmp_path / "p.json").read_text())["annotations"] == []


def test_a_format_or_a_folder_that_is_not_there(store, tmp_path):
    with pytest.raises(UsageError, match="'xls'"):
        export(store, "xls", tmp_path / "p.xls")
    with pytest.raises(InputError, match="nowhere"):
        export(store, "csv", tmp_path / "nowhere" / "p.csv")


def test_an_export_that_breaks_leaves_the_old_file(filled, tmp_path, monkeypatch):
    (tmp_path / "p.json").write_text("old")
    monkeypatch.setattr("imagedataextractor.store.export.decode_contour", lambda blob: 1 / 0)
    with pytest.raises(StoreError, match="division by zero"):
        export(filled, "coco", tmp_path / "p.json")
    assert [file.name for file in tmp_path.iterdir() if not file.name.startswith("particles.db")] == ["p.json"]
    assert (tmp_path / "p.json").read_text() == "old"
