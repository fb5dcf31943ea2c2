"""Scales in a table: each becomes a stated scale of its picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imagedataextractor as ide
from imagedataextractor import cli
from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.records import Box, Panel, ScaleBar
from imagedataextractor.scales import read_scales

OPTIONS = {"mode": "discriminative", "ocr": "none", "extent": "whole", "assume_em": True, "device": "cpu"}
HEAD = "file,panel,nm_per_px,bar,bar_px,field_width\n"


def table(folder: Path, *lines: str) -> Path:
    path = folder / "scales.csv"
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8-sig")
    return path


def panel(index: int = 0, label: str | None = None) -> Panel:
    return Panel(index, Box(0, 0, 600, 400), label, "em", 0.9, None)


def test_a_scale_is_told_in_three_ways(tmp_path):
    scales = read_scales(
        table(
            tmp_path, "a.png,,0.42,,,", 'b.png,,,"200 nm",100,', "c.png,,,0.5 um,,", "d.png,b,,,,1.8 µm", "d.png,,7,,,"
        )
    )
    measured = ScaleBar(length_px=250.0, x0=1.0, x1=251.0, y=3.0, confidence=0.2, text="5 m")

    def of(name: str, *which) -> float | None:
        return scales.apply(tmp_path / name, panel(*which), measured).nm_per_px

    assert of("a.png") == 0.42
    assert of("b.png") == 2.0
    assert of("c.png") == 2.0  # over the 250 px that were measured
    assert of("d.png", 1, "B") == 3.0
    assert of("d.png", 0, "a") == 7.0
    assert scales.apply(tmp_path / "e.png", panel(), measured) is measured
    bar = scales.apply(tmp_path / "c.png", panel(), measured)
    assert (bar.source, bar.confidence, bar.x1) == ("user", 1.0, 251.0)
    with pytest.raises(InputError, match=r"line 4: no scale bar was measured in c\.png"):
        scales.apply(tmp_path / "c.png", panel(), ScaleBar())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["a.png,,,,,"], "line 2: gives no scale"),
        (["a.png,,1,,,2 nm"], "gives nm_per_px and field_width"),
        (["a.png,,-1,,,"], "greater than 0, not '-1'"),
        (["a.png,,,200,,"], "bar is a length"),
        (["a.png,,2,,10,"], "bar_px goes with bar"),
        (["a.png,,2,,,", "a.png,,3,,,"], "line 3: a.png has a scale on line 2"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path, lines, says):
    with pytest.raises(InputError, match=says):
        read_scales(table(tmp_path, *lines))


def test_names_are_held_against_the_pictures_of_the_run(tmp_path):
    scales = read_scales(table(tmp_path, "a.png,,1,,,", "x/b.png,,2,,,"))
    assert scales.check([Path("/p/a.png"), Path("/p/x/b.png"), Path("/p/y/b.png")]) == []
    assert scales.check([Path("/p/a.png")]) == [("x/b.png", "scales.csv, line 3 names no picture of this run")]
    with pytest.raises(UsageError, match=r"line 2: .* is 2 pictures"):
        scales.check([Path("/p/a.png"), Path("/q/a.png"), Path("/q/x/b.png")])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scaled")
    for number, name in enumerate("ab"):
        drawn = draw_micrograph(np.random.default_rng(number), shape=(200, 260))
        Image.fromarray(drawn.image).save(folder / f"{name}.png")
    return folder


def test_the_table_scales_what_is_measured_and_what_was(folder, monkeypatch, capsys):
    db = f"sqlite:///{folder}/p.db"
    first = ide.extract(folder, db=db, scales=table(folder, "a.png,,0.5,,,"), **OPTIONS)
    assert {p.figure: p.nm_per_px for p in first.panels} == {"a.png": 0.5, "b.png": None}
    again = ide.extract(folder, db=db, scales=table(folder, "a.png,,2,,,", "b.png,,,,,520 nm"), **OPTIONS)
    assert len(again.passed_over) == 2  # nothing is measured again
    scales = "SELECT DISTINCT figure, round(ecd_nm / ecd_px, 6) FROM measured_particles WHERE accepted ORDER BY 1"
    with ide.open_database(db) as database:
        assert database.query(scales).rows == [("a.png", 2.0), ("b.png", 2.0)]
        (made,) = database.query("SELECT count(*) FROM corrections").rows
    ide.extract(folder, db=db, scales=folder / "scales.csv", again=True, **OPTIONS)
    with ide.open_database(db) as database:
        assert database.query("SELECT count(*) FROM corrections").rows == [made]
        assert database.query(scales).rows == [("a.png", 2.0), ("b.png", 2.0)]
        found = database.named("panels", doi=str(folder / "a.png"))
        assert [row[0] for row in found] == ["a.png"]
    query = ["ide", "query", "--named", "panels", "--param", "doi=b.png", "--json", "--db", db]
    monkeypatch.setattr("sys.argv", query)
    with pytest.raises(SystemExit):
        cli.main()
    assert [row["figure"] for row in json.loads(capsys.readouterr().out)] == ["b.png"]
