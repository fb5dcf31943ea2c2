"""`ide export` and `ide serve`, called as a user calls them."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import struct
import zipfile

import pytest
from store_results import make_result, make_run

from imagedataextractor import cli
from imagedataextractor.review.named import served_name
from imagedataextractor.review.serving import datasette_metadata
from imagedataextractor.store import Store, named_queries


@pytest.fixture
def db(tmp_path) -> str:
    address = f"sqlite:///{tmp_path}/p.db"
    with Store.open(address) as store:
        store.start_run(make_run())
        store.write_article(make_result(), "run-1")
    return address


@pytest.fixture
def ide(monkeypatch, capsys):
    """Run `ide ARGUMENTS`; its exit code, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["ide", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_csv_on_stdout(ide, db):
    code, out, err = ide("export", "--db", db)
    assert (code, err) == (0, "40 particles\n")
    assert len(list(csv.DictReader(io.StringIO(out)))) == 40


def test_the_ending_of_the_file_is_its_format(ide, db, tmp_path):
    code, out, _ = ide("export", "--out", tmp_path / "p.json", "--accepted", "--db", db)
    assert (code, out) == (0, "")
    assert len(json.loads((tmp_path / "p.json").read_text())["annotations"]) == 32


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["export", "--format", "parquet"], 2, "--out FILE"),
        (["export", "--out", "/nowhere/p.csv"], 1, "/nowhere/p.csv"),
        (["export", "--out", "/"], 2, "no format ends in ''"),
        (["export", "--out", "/", "--format", "csv"], 1, "is a folder"),
        (["export", "--out", "p.xlsx"], 2, "use .csv, .parquet, .json, .zip, or give --format"),
        (["serve", "--db", "/nowhere/p.db"], 1, "no such database"),
    ],
)
def test_mistakes_are_one_line(ide, db, arguments, code, says):
    got, out, err = ide(*arguments, *([] if "--db" in arguments else ["--db", db]))
    assert (got, out) == (code, "")
    assert err.count("\n") == 1
    assert says in err


def test_a_spreadsheet_gets_the_columns_and_digits_it_asks_for(ide, db, tmp_path):
    out = tmp_path / "p.csv"
    code, _, _ = ide("export", "--columns", "particle, ecd_nm", "--digits", 3, "--bom", "--out", out, "--db", db)
    assert code == 0
    assert out.read_bytes().startswith(b"\xef\xbb\xbfparticle,ecd_nm\n")
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    assert len(rows) == 40
    assert all(len(row["ecd_nm"].replace(".", "")) <= 3 for row in rows)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--columns", "ecdnm"], 2, "did you mean 'ecd_nm'?"),
        (["--digits", "3", "--format", "coco"], 2, "are for CSV"),
        (["--format", "rois", "--out", "r.zip"], 2, "there are 2; name one"),
        (["--format", "rois", "10.1000/example.1"], 2, "name one"),
        (["nowhere.png"], 1, "nowhere.png"),
    ],
)
def test_what_cannot_be_exported_is_told(ide, db, arguments, code, says):
    got, out, err = ide("export", *arguments, "--db", db)
    assert (got, out, err.count("\n")) == (code, "", 1)
    assert says in err


def test_single_pictures_are_exported(ide, db):
    _, out, _ = ide("export", "f0.png", "--db", db)
    assert {row["figure"] for row in csv.DictReader(io.StringIO(out))} == {"Figure 1"}
    _, out, _ = ide("export", "f0.png", "--format", "coco", "--db", db)
    coco = json.loads(out)
    assert (len(coco["images"]), len(coco["annotations"])) == (1, 20)


def test_imagej_gets_its_table_of_results(ide, db):
    _, out, _ = ide("export", "--format", "imagej", "--accepted", "--db", db)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row[" "] for row in rows] == [str(number) for number in range(1, 33)]
    with Store.open(db, read_only=True) as store:
        _, known = store.query("SELECT ecd_nm, aspect_ratio FROM measured_particles WHERE accepted")
    assert sorted(float(row["Major"]) for row in rows) == pytest.approx(sorted(ecd for ecd, _ in known), rel=1e-5)
    assert {row["Label"] for row in rows} == {"f0.png", "f1.png"}


def test_imagej_gets_outlines_that_lie_on_the_picture(ide, db, tmp_path):
    out = tmp_path / "rois.zip"
    assert ide("export", "f0.png", "--out", out, "--db", db)[0] == 0
    _, coco, _ = ide("export", "f0.png", "--format", "coco", "--db", db)
    polygons = [one["segmentation"][0] for one in json.loads(coco)["annotations"]]
    with zipfile.ZipFile(out) as archive:
        rois = [(name, archive.read(name)) for name in archive.namelist()]
    assert len(rois) == 20
    for (name, data), polygon in zip(rois, polygons, strict=True):
        assert data[:4] == b"Iout"
        top, left, bottom, right, count = struct.unpack(">4hH", data[8:18])
        assert count == len(polygon) // 2
        whole = struct.unpack(f">{2 * count}h", data[64 : 64 + 4 * count])
        exact = struct.unpack(f">{2 * count}f", data[64 + 4 * count : 64 + 12 * count])
        assert exact[:count] == pytest.approx(polygon[::2])
        assert exact[count:] == pytest.approx(polygon[1::2])
        assert [x + left for x in whole[:count]] == pytest.approx(polygon[::2], abs=0.51)
        assert (left, top) == (min(polygon[::2]), min(polygon[1::2]))
        assert (right, bottom) == (max(polygon[::2]), max(polygon[1::2]))
        second = struct.unpack(">i", data[60:64])[0]
        at, length = struct.unpack(">ii", data[second + 16 : second + 24])
        assert data[at : at + 2 * length].decode("utf-16-be") + ".roi" == name


def test_without_datasette_serve_says_what_to_install(ide, db, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, err = ide("serve", "--db", db)
    assert code == 2
    assert "imagedataextractor[serve]" in err


def test_datasette_is_told_of_every_table_and_query():
    about = datasette_metadata("gold")["databases"]["gold"]
    assert set(about["queries"]) == {served_name(name) for name in named_queries()}
    assert not set(about["queries"]) & set(about["tables"])
    assert {"measured_particles", "articles", "failures"} <= set(about["tables"])
