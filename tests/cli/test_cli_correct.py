"""`ide correct`, called as a user calls it."""

from __future__ import annotations

import json

import pytest
from store_results import make_result, make_run

from imagedataextractor import cli
from imagedataextractor.store import Store


@pytest.fixture
def db(tmp_path) -> str:
    address = f"sqlite:///{tmp_path}/p.db"
    with Store.open(address) as store:
        store.start_run(make_run())
        store.write_article(make_result(figures=1), "run-1")
    return address


@pytest.fixture
def ide(monkeypatch, capsys, db):
    """Run `ide ARGUMENTS` on the database; its exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["ide", *arguments, "--db", db])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call


ACCEPTED = "SELECT panel, count(*) AS n, max(nm_per_px) AS scale FROM measured_particles WHERE accepted GROUP BY panel"


def accepted(ide) -> list[dict]:
    return json.loads(ide("query", ACCEPTED + " ORDER BY panel", "--json")[1])


def test_a_correction_is_made_listed_and_taken_back(ide):
    code, out, err = ide("correct", "f0.png", "--panel", "b", "--reject", "1-3", "--nm-per-px", "0.5", "--why", "dirt")
    assert (code, out, err) == (0, "correction 1: reject\ncorrection 2: scale\n", "")
    assert accepted(ide) == [{"panel": "a", "n": 8, "scale": 2.0}, {"panel": "b", "n": 5, "scale": 0.5}]

    first, second = json.loads(ide("correct", "--list", "--json")[1])
    assert (first["kind"], first["why"], first["undone_at"]) == ("reject", "dirt", None)
    assert second["details"] == {"scale": {"nm_per_px": 0.5, "confidence": 1.0}}
    assert "/somewhere/1/f0.png" in ide("correct", "--list")[1]

    assert ide("correct", "--undo", "1")[:2] == (0, "correction 1 (reject) is taken back\n")
    assert accepted(ide)[1] == {"panel": "b", "n": 8, "scale": 0.5}
    code, out, err = ide("correct", "--undo", "1")
    assert (code, out) == (1, "")
    assert "was taken back" in err


def test_a_scale_in_every_way(ide):
    for options, scale in (
        (["--scalebar", "200 nm"], 4.0),
        (["--scalebar", "0.2 um", "--bar-px", "100"], 2.0),
        (["--field-width", "1.1 um"], 5.0),
    ):
        assert ide("correct", "f0.png", "--panel", "a", *options)[0] == 0
        assert accepted(ide)[0]["scale"] == pytest.approx(scale)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--reject", "1"], 2, "name a picture"),
        (["f0.png"], 2, "nothing is said"),
        (["f0.png", "--reject", "1"], 2, "choose one with --panel"),
        (["f0.png", "--panel", "a", "--reject", "one"], 2, "numbers of particles"),
        (["f0.png", "--panel", "a", "--draw", "1,2 3"], 2, "points in pixels"),
        (["f0.png", "--nm-per-px", "1", "--field-width", "1 um"], 2, "use one of them"),
        (["f0.png", "--field-width", "wide"], 2, "field-width takes a length"),
        (["f0.png", "--nm-per-px", "-1"], 2, "--nm-per-px"),
        (["f9.png", "--forget"], 1, "no such picture"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(ide, arguments, code, says):
    got, out, err = ide("correct", *arguments)
    assert (got, out) == (code, "")
    assert says in err
    assert "Traceback" not in err


def test_python_says_the_same_in_the_same_words(ide, db):
    import imagedataextractor

    made = imagedataextractor.correct("f0.png", db=db, panel="b", reject=[1, 2, 3], field_width="440 nm", why="dirt")
    assert [(one.kind, one.why) for one in made] == [("reject", "dirt"), ("scale", "dirt")]
    assert accepted(ide)[1] == {"panel": "b", "n": 5, "scale": 2.0}
    assert imagedataextractor.undo_correction(made[0].id, db=db, by="bob").undone_by == "bob"
    assert accepted(ide)[1]["n"] == 8
