"""Samples and their sizes, from Python and as a user calls them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from store_results import make_result, make_run

import imagedataextractor as ide
from imagedataextractor import cli
from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.images import sha256_of
from imagedataextractor.pictures import article_key, read_picture_table
from imagedataextractor.store import Store


def own_picture(path: Path, number: int, **changes):
    """A picture by itself with one panel of ten particles, in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (20, 20), number).save(path)
    result = make_result(number, figures=1, panels=1, **changes)
    (figure,) = result.figures
    figure = dataclasses.replace(figure, label=path.name, image_path=str(path), image_sha256=sha256_of(path))
    article = dataclasses.replace(
        result.article, key=f"image:{number:016x}", doi=None, title=path.name, source="image", path=path
    )
    return dataclasses.replace(result, article=article, figures=(figure,))


@pytest.fixture
def folder(tmp_path) -> Path:
    with Store.open(f"sqlite:///{tmp_path}/p.db") as store:
        store.start_run(make_run())
        store.write_article(make_result(), "run-1")
        for number, name in enumerate(["A/1.png", "A/2.png", "B/1.png", "B/few.png"], 10):
            few = {"particles": 3} if "few" in name else {}
            store.write_article(own_picture(tmp_path / name, number, **few), "run-1")
    return tmp_path


@pytest.fixture
def call(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["ide", *map(str, arguments), "--db", f"sqlite:///{folder}/p.db"])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def sizes(folder: Path, where: str) -> np.ndarray:
    with ide.open_database(f"sqlite:///{folder}/p.db") as db:
        return db.query(f"SELECT ecd_nm FROM measured_particles WHERE accepted AND {where}").to_dict()["ecd_nm"]


def test_samples_are_folders_of_own_pictures_and_figures_of_articles(folder):
    found = ide.summary(db=f"sqlite:///{folder}/p.db")
    rows = {row[0]: dict(zip(found.names, row, strict=True)) for row in found}
    assert list(rows) == ["10.1000/example.1 Figure 1", "10.1000/example.1 Figure 2", "A", "B"]
    expected = sizes(folder, "image_path LIKE '%/A/%'")
    row = rows["A"]
    assert (row["pictures"], row["n"]) == (2, len(expected))
    assert row["mean_nm"] == pytest.approx(expected.mean())
    assert row["sd_nm"] == pytest.approx(expected.std(ddof=1))
    assert row["median_nm"] == row["d50_nm"] == pytest.approx(np.median(expected))
    assert row["mean_low_nm"] < row["mean_nm"] < row["mean_high_nm"]
    assert expected.min() <= row["d10_nm"] < row["d50_nm"] < row["d90_nm"] <= expected.max()


def test_below_five_particles_nothing_is_estimated(folder):
    (row,) = ide.summary(folder / "B/few.png", db=f"sqlite:///{folder}/p.db").to_pandas().to_dict("records")
    assert row["n"] == 3
    assert row["mean_nm"] == pytest.approx(sizes(folder, "figure = 'few.png'").mean())
    assert row["mean_low_nm"] is None
    assert row["d90_nm"] is None


@pytest.mark.parametrize(
    ("names", "group_by", "groups"),
    [
        ([], "all", ["all"]),
        (["A", "B/1.png"], "picture", ["1.png", "2.png"]),
        (["A"], "folder", ["A"]),
        (["10.1000/EXAMPLE.1"], "article", ["10.1000/example.1"]),
        (["https://doi.org/10.1000/example.1"], "panel", None),
    ],
)
def test_what_is_named_is_what_counts(folder, monkeypatch, names, group_by, groups):
    monkeypatch.chdir(folder)
    found = ide.summary(*names, db=f"sqlite:///{folder}/p.db", group_by=group_by)
    if groups is None:
        assert len(found) == 4
    else:
        assert [row[0] for row in found] == groups


def test_groups_come_from_a_table_as_spreadsheets_write_it(folder):
    table = folder / "samples.csv"
    table.write_bytes(
        "file;Probe\r\nA/1.png;früh\r\nA\\2.png;spät\r\n1.png;früh\r\n".replace("\\", "/").encode("cp1252")
    )
    found = ide.summary(db=f"sqlite:///{folder}/p.db", groups=table)
    assert [(row[0], row[1]) for row in found] == [("(none)", 3), ("früh", 2), ("spät", 1)]
    with pytest.raises(UsageError, match="name a column"):
        ide.summary(db=f"sqlite:///{folder}/p.db", groups=table, group_by="batch")


@pytest.mark.parametrize(
    ("content", "says"),
    [("name,x\na,b\n", "'file'"), ("", "'file'"), ("file,x\n,b\n", "line 2: names no file"), ("file,x\na,b,c\n", "3")],
)
def test_a_table_that_makes_no_sense_is_refused(tmp_path, content, says):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(InputError, match=says):
        read_picture_table(tmp_path / "t.csv")


def test_a_picture_is_named_where_a_doi_is(folder):
    with Store.open(f"sqlite:///{folder}/p.db", read_only=True) as store:
        assert article_key(store, str(folder / "A/2.png")) == f"image:{11:016x}"
        assert article_key(store, "B/few.png") == f"image:{13:016x}"
        with pytest.raises(InputError, match="is 2 pictures"):
            article_key(store, str(folder / "A"))
        with pytest.raises(InputError, match="no such picture"):
            article_key(store, "nowhere.png")


def test_the_command_prints_a_table_csv_and_json(call):
    code, out, err = call("summary", "A", "B", "--group-by", "folder", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, err, [row["group"] for row in rows]) == (0, "", ["A", "B"])
    code, out, _ = call("summary", "A", "--json", "--quantity", "aspect_ratio")
    assert (code, json.loads(out)[0]["mean"]) == (0, 1.0)
    code, out, _ = call("summary")
    assert code == 0
    assert out.splitlines()[0].split()[:2] == ["group", "pictures"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["summary", "--group-by", "batch"], 2, "no grouping 'batch'"),
        (["summary", "nowhere.png"], 1, "nowhere.png"),
        (["summary", "--quantity", "colour"], 2, "no quantity"),
        (["summary", "--csv", "--json"], 2, "not both"),
        (["plot", "--bins", "3", "--bin-width", "2"], 2, "use one of them"),
        (["plot", "--out", "p.db/y.pdf"], 1, "p.db/y.pdf"),
    ],
)
def test_mistakes_are_one_line(call, arguments, code, says):
    got, out, err = call(*arguments)
    assert (got, out, err.count("\n")) == (code, "", 1)
    assert says in err


def test_plot_writes_a_figure_and_returns_it(call, folder):
    assert call("plot", "--out", "two.svg", "--fit", "normal")[:2] == (0, "two.svg\n")
    assert "10.1000/example.1 Figure 2" in (folder / "two.svg").read_text()
    figure = ide.plot("A", db=f"sqlite:///{folder}/p.db", group_by="all", column="double")
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(170)
    assert len(figure.axes) == 1
