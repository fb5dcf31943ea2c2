"""`ide read`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from imagedataextractor.cli.read import command


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))


def test_json_is_one_object_an_article(shared: Path) -> None:
    folder = shared / "samples/jats"
    result = CliRunner().invoke(command, ["--json", str(folder / "PMC7070767"), str(folder / "PMC7058583")])
    assert result.exit_code == 0
    first, second = [json.loads(line) for line in result.stdout.splitlines()]
    assert list(first) == ["doi", "title", "licence", "figures"]
    assert first["doi"] == "10.3390/molecules25040891"
    figure = first["figures"][2]
    assert list(figure) == ["label", "caption", "graphics", "is_em", "subcaptions"]
    assert figure["is_em"] is True
    assert figure["subcaptions"] == {"a": "S1", "b": "S2", "c": "S3 with calculated particle size distributions"}
    assert [Path(g).name for g in figure["graphics"]] == [
        "molecules-25-00891-g003a.jpg",
        "molecules-25-00891-g003b.jpg",
    ]
    assert len(second["figures"]) == 6


def test_pdf_figures_are_files(shared: Path, tmp_path: Path) -> None:
    arguments = ["--json", str(shared / "samples/pdf/PMC7067258.pdf"), "--out", str(tmp_path / "cut")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0
    figures = json.loads(result.stdout)["figures"]
    assert [f["label"] for f in figures] == ["Fig. 1", "Fig. 2", "Fig. 3", "Fig. 4"]
    assert all(Path(f["graphics"][0]).is_file() for f in figures)


def test_text_for_people(shared: Path) -> None:
    result = CliRunner().invoke(command, [str(shared / "samples/jats/PMC7070767/PMC7070767.xml")])
    assert "Figure 3 [EM]: TEM; 2 pictures" in result.stdout
    assert "not beside the article: molecules-25-00891-g004" in result.stdout


def test_bad_files_are_told_and_the_rest_is_read(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.xml").write_text("<article>")
    (tmp_path / "empty").mkdir()
    good = shared / "samples/jats/PMC7067258/PMC7067258.xml"
    targets = [str(tmp_path / "broken.xml"), str(tmp_path / "none.xml"), str(tmp_path / "empty"), str(good)]
    result = CliRunner().invoke(command, ["--json", *targets])
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1
    assert len(result.stderr.splitlines()) == 3
    assert "Traceback" not in result.stderr
