"""`ide model` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from imagedataextractor.cli import main
from imagedataextractor.cli.model import command
from imagedataextractor.segmentation.erfnet import BPartISNet


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "mine.pt"
    torch.save(BPartISNet().state_dict(), path)
    return path


def test_an_imported_model_is_listed(checkpoint: Path, cache: Path) -> None:
    done = CliRunner().invoke(command, ["import", str(checkpoint), "--name", "our-own"], catch_exceptions=False)
    assert done.exit_code == 0
    assert str(cache / "models" / "our-own.safetensors") in done.stdout
    listed = json.loads(CliRunner().invoke(command, ["list", "--json"]).stdout)
    (entry,) = [m for m in listed if m["name"] == "our-own"]
    assert entry["source"] == "cache"
    assert entry["architecture"] == "erfnet"
    assert len(entry["sha256"]) == 64
    assert "our-own" in CliRunner().invoke(command, ["list"]).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["model", "import", "absent.pt"], 1, "absent.pt: no such file"),
        (["model", "fetch", "resnet"], 2, "no model 'resnet' to fetch"),
    ],
)
def test_mistakes_are_one_line_on_stderr(
    arguments: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ide", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == code
    assert message in capsys.readouterr().err
