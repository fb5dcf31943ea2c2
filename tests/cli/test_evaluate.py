"""`ide evaluate` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from imagedataextractor.cli import main
from imagedataextractor.cli.evaluate import command
from imagedataextractor.segmentation.erfnet import BPartISNet
from imagedataextractor.segmentation.weights import WeightsInfo, save_weights


def discs(*circles: tuple[int, int, int]) -> np.ndarray:
    y, x = np.mgrid[:96, :120]
    labels = np.zeros((96, 120), np.uint16)
    for number, (cy, cx, r) in enumerate(circles, 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= r * r] = number
    return labels


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    gt, pred = tmp_path / "gt", tmp_path / "pred"
    for folder in (gt, pred):
        folder.mkdir()
    truth = discs((30, 30, 12), (60, 80, 15), (70, 20, 9))
    Image.fromarray(truth).save(gt / "one.png")
    Image.fromarray(truth * 5).save(pred / "one.png")
    Image.fromarray(truth).save(gt / "two.png")
    np.save(pred / "two.npy", np.where(truth == 2, 0, truth))
    return gt, pred


def run_main(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["ide", "evaluate", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_two_folders_of_label_maps(folders: tuple[Path, Path]) -> None:
    gt, pred = folders
    done = CliRunner().invoke(command, ["--gt", str(gt), "--pred", str(pred), "--json"], catch_exceptions=False)
    result = json.loads(done.stdout)
    assert result["images"] == 2
    assert result["pooled"]["rec50_pooled"] == pytest.approx(5 / 6)
    assert result["mean"]["f1_50"] == pytest.approx((1 + 0.8) / 2)
    assert [row["name"] for row in result["per_image"]] == ["one", "two"]
    table = CliRunner().invoke(command, ["--gt", str(gt), "--pred", str(pred)]).stdout
    assert "F1@50 0.900" in table
    assert "median ECD" in table


def test_names_choose_the_images(folders: tuple[Path, Path], tmp_path: Path) -> None:
    gt, pred = folders
    names = tmp_path / "names.csv"
    names.write_text("two.png,val\n")
    arguments = ["--gt", str(gt), "--pred", str(pred), "--names", str(names), "--json"]
    assert json.loads(CliRunner().invoke(command, arguments).stdout)["images"] == 1


def test_a_missing_prediction_stops_or_counts_as_empty(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gt, pred = folders
    (pred / "one.png").unlink()
    arguments = ["--gt", str(gt), "--pred", str(pred)]
    assert run_main(arguments, monkeypatch) == 1
    assert "no prediction for one" in capsys.readouterr().err
    assert run_main([*arguments, "--missing", "empty"], monkeypatch) == 0
    assert "rec50 0.333" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "either --gt and --pred, or --model and --data"),
        (["--gt", "a"], 2, "either"),
        (["--gt", "a", "--pred", "b", "--model", "c", "--data", "d"], 2, "either"),
        (["--gt", "absent", "--pred", "absent"], 1, "absent: no such folder"),
        (["--model", "no-such", "--data", "."], 1, "no model is called 'no-such'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IDE_CACHE", str(tmp_path))
    assert run_main(arguments, monkeypatch) == code
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_model_on_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    weights = tmp_path / "random.safetensors"
    save_weights(weights, BPartISNet().state_dict(), WeightsInfo("random", "erfnet"))
    data = tmp_path / "data"
    for folder in ("images", "segmaps"):
        (data / folder).mkdir(parents=True)
    for name in ("a", "b"):
        Image.fromarray(discs((40, 40, 20))).save(data / "segmaps" / f"{name}.png")
        Image.fromarray((discs((40, 40, 20)) * 200).astype(np.uint8)).save(data / "images" / f"{name}.png")
    (data / "split.csv").write_text("name,split\na,train\nb,val\n")
    arguments = ["--model", str(weights), "--data", str(data), "--mode", "discriminative", "--device", "cpu"]
    arguments += ["--keep", str(tmp_path / "maps"), "--json"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    assert [row["name"] for row in result["per_image"]] == ["b"]
    assert Image.open(tmp_path / "maps" / "b.png").size == (120, 96)


def test_real_maps_give_the_numbers_of_an_independent_scorer(shared: Path, tmp_path: Path) -> None:
    truth = shared / "emps-train" / "segmaps"
    names = sorted(p.stem for p in truth.glob("*.png"))[5:60:11]
    (tmp_path / "pred").mkdir()
    for name in names:
        labels = np.asarray(Image.open(truth / f"{name}.png"))
        Image.fromarray(np.roll(labels, 4, 1)).save(tmp_path / "pred" / f"{name}.png")
    (tmp_path / "names").write_text("\n".join(names))
    arguments = ["--gt", str(truth), "--pred", str(tmp_path / "pred"), "--names", str(tmp_path / "names")]
    script = [sys.executable, str(shared / "tools" / "score_masks.py")]
    subprocess.run([*script, *arguments, "--json", str(tmp_path / "theirs")], check=True, capture_output=True)
    theirs = json.loads((tmp_path / "theirs").read_text())
    ours = json.loads(CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False).stdout)
    for section in ("mean", "pooled"):
        assert ours[section] == pytest.approx(theirs[section], abs=1e-9)
    assert ours["measure"]["ecd_err"]["median_abs"] == pytest.approx(
        theirs["measure"]["ecd_err"]["median_abs"], abs=1e-9
    )
