"""`ide export` and `ide serve`, called as a user calls them."""

from __future__ import annotations

import csv
import importlib.util
import io
import json

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
        (["export", "--out", "p.xlsx"], 2, "use .csv, .parquet, .json, or give --format"),
        (["serve", "--db", "/nowhere/p.db"], 1, "no such database"),
    ],
)
def test_mistakes_are_one_line(ide, db, arguments, code, says):
    got, out, err = ide(*arguments, *([] if "--db" in arguments else ["--db", db]))
    assert (got, out) == (code, "")
    assert err.count("\n") == 1
    assert says in err


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
