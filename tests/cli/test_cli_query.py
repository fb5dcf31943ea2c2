"""`ide query` and `ide status`, called as a user calls them."""

from __future__ import annotations

import csv
import io
import json

import pytest
from store_results import make_result, make_run

from imagedataextractor import cli
from imagedataextractor.records import Failure
from imagedataextractor.store import Store


@pytest.fixture
def db(tmp_path) -> str:
    address = f"sqlite:///{tmp_path}/p.db"
    with Store.open(address) as store:
        store.start_run(make_run(), targets_total=3)
        for number in (1, 2):
            store.write_article(make_result(number), "run-1")
        store.record_failure(Failure("articles", "bad.xml", "InputError", "bad.xml: not XML, line 3"), "run-1")
        store.update_run("run-1", targets_done=2, targets_failed=1)
        store.finish_run("run-1", state="failed", exit_code=1)
    return address


@pytest.fixture
def ide(monkeypatch, capsys):
    """Run `ide ARGUMENTS`; its exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["ide", *arguments])
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        else:
            code = 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_rows_as_a_table(ide, db):
    code, out, err = ide("query", "SELECT doi, count(*) AS n FROM measured_particles GROUP BY doi", "--db", db)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["doi", "n"]
    assert lines[2].split() == ["10.1000/example.1", "40"]


def test_rows_as_csv_and_json_hold_the_same(ide, db):
    sql = "SELECT doi, figure, particle, ecd_nm, accepted, reason FROM measured_particles ORDER BY 1, 2, 3"
    _, as_csv, _ = ide("query", sql, "--csv", "--db", db)
    _, as_json, _ = ide("query", sql, "--json", "--db", db)
    table = list(csv.DictReader(io.StringIO(as_csv)))
    objects = json.loads(as_json)
    assert len(table) == len(objects) == 80
    for row, item in zip(table, objects, strict=True):
        assert row == {name: "" if value is None else str(value) for name, value in item.items()}


def test_no_rows_is_an_empty_list(ide, db):
    code, out, _ = ide("query", "SELECT * FROM runs WHERE id = :id", "--param", "id=none", "--json", "--db", db)
    assert (code, json.loads(out)) == (0, [])
    code, out, _ = ide("query", "SELECT id FROM runs WHERE 1 = 0", "--db", db)
    assert (code, out.split()) == (0, ["id", "--"])


def test_a_named_query_with_parameters(ide, db):
    code, out, _ = ide("query", "--named", "largest-particles", "--param", "limit=3", "--json", "--db", db)
    assert code == 0
    sizes = [row["ecd_nm"] for row in json.loads(out)]
    assert len(sizes) == 3
    assert sizes == sorted(sizes, reverse=True)


def test_the_list_of_named_queries(ide):
    code, out, _ = ide("query", "--list")
    assert code == 0
    assert "largest-particles (limit=20)" in out
    names = {item["name"] for item in json.loads(ide("query", "--list", "--json")[1])}
    assert {"articles", "failures", "size-distribution"} <= names


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["query"], 2, "give SQL"),
        (["query", "SELECT 1", "--named", "runs"], 2, "give SQL"),
        (["query", "--named", "nonsense"], 2, "'nonsense'"),
        (["query", "--named", "particles"], 2, "--param doi=VALUE"),
        (["query", "SELECT 1", "--param", "x"], 2, "NAME=VALUE"),
        (["query", ""], 2, "write a SELECT"),
        (["query", " -- nothing"], 2, "write a SELECT"),
        (["query", "SELEC 1"], 2, "syntax error"),
        (["query", "DELETE FROM runs"], 2, "query"),
        (["query", "SELECT 1", "--csv", "--json"], 2, "not both"),
        (["query", "SELECT 1", "--db", "/nowhere/p.db"], 1, "no such database"),
        (["status", "--db", "/nowhere/p.db"], 1, "no such database"),
        (["status", "--run", "nobody"], 2, "'nobody'"),
    ],
)
def test_mistakes_are_one_line(ide, db, arguments, code, says):
    got, out, err = ide(*arguments, *([] if "--db" in arguments else ["--db", db]))
    assert got == code
    assert out == ""
    assert err.count("\n") == 1
    assert says in err


def test_status_says_what_was_done_and_what_failed(ide, db):
    code, out, _ = ide("status", "--db", db)
    assert code == 0
    assert "run-1: failed, ide extract" in out
    assert "3: 2 done, 1 failed, 0 done before, 0 to do" in out
    assert "80 particles, 64 accepted particles" in out
    assert "bad.xml: not XML, line 3" in out


def test_status_for_programs(ide, db):
    _, out, _ = ide("status", "--json", "--db", db)
    status = json.loads(out)
    assert status["run"]["state"] == "failed"
    assert status["rows"]["accepted particles"] == 64
    assert status["failures"][0]["error_class"] == "InputError"


def test_status_of_a_database_without_runs(ide, tmp_path):
    Store.open(f"{tmp_path}/p.db").close()
    assert ide("status", "--db", f"{tmp_path}/p.db")[:2] == (0, f"{tmp_path}/p.db: no run yet\n")
