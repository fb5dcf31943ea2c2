"""From proposals to a model: folds keep articles apart, the judge learns, and what is kept comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from imagedataextractor.cli.model import command
from imagedataextractor.errors import InputError
from imagedataextractor.segmentation.architectures import build_network
from imagedataextractor.segmentation.inference_settings import InferenceSettings
from imagedataextractor.segmentation.proposals import Level
from imagedataextractor.segmentation.weights import WeightsInfo, load_judge, load_weights, save_weights
from imagedataextractor.training.calibration import judge as judging
from imagedataextractor.training.calibration.release import labelled_part, propose, release
from imagedataextractor.training.segmentation.dataset import Example

pytest.importorskip("sklearn")


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST", "SECOND", "QUALITY"):
        monkeypatch.setattr(judging, name, {"count": 10, "depth": 2, "rate": 0.3, "leaf": 5})


def level_of(labels: np.ndarray, seed: np.ndarray) -> Level:
    return Level(
        1.0,
        labels,
        {"seed": seed, "area_px": np.bincount(labels.ravel())[1:].astype(float), "uncertainty": 1.0 - seed},
        np.zeros((1, 1), np.float32),
    )


def scene(number: int) -> tuple[Example, list[Level]]:
    """Twenty squares, of which those are real, and labelled, that the network is fairly sure of."""
    rng = np.random.default_rng(number)
    labels = np.zeros((80, 100), np.int32)
    for index in range(20):
        y, x = 20 * (index // 5) + 4, 20 * (index % 5) + 4
        labels[y : y + 10, x : x + 10] = index + 1
    seed = rng.uniform(0.3, 1.0, 20)
    real = seed + rng.normal(0, 0.03, 20) > 0.6
    true = np.where(np.concatenate([[False], real])[labels], labels, 0).astype(np.int32)
    return Example(f"s{number}", np.zeros(labels.shape, np.uint8), true), [level_of(labels, seed)]


def test_a_release_learns_what_is_real_and_is_judged_by_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    scenes = [scene(number) for number in range(20)]
    groups = [f"article {number // 2}" for number in range(20)]
    seen: list[set[str]] = []
    fit = judging.fit_judge

    def watched(images: list[judging.Proposed], seed: int = 0) -> object:
        seen.append({image.group for image in images})
        return fit(images, seed)

    monkeypatch.setattr(judging, "fit_judge", watched)
    levels = [levels for _, levels in scenes]
    made = release([e for e, _ in scenes], levels, levels[::3], groups, InferenceSettings(), report=lambda _: None)
    assert [len(part) for part in seen] == [8] * 5  # of ten articles each fold keeps two apart
    assert np.mean([score.values["f1_50"] for score in made.scores]) > 0.9
    assert made.auroc > 0.95
    assert made.calibration_error < 0.15
    assert 0.2 <= made.settings.choice.min_score <= 0.55


def data_set(folder: Path) -> Path:
    for part in ("images", "segmaps"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        Image.fromarray(rng.integers(0, 255, (64, 96), dtype=np.uint8)).save(folder / "images" / f"{name}.png")
        labels = np.zeros((64, 96), np.uint16)
        labels[10:30, 10:30] = 1
        Image.fromarray(labels).save(folder / "segmaps" / f"{name}.png")
    (folder / "split.csv").write_text("name,split\na,train\nb,val\nc,val\n")
    (folder / "metadata.csv").write_text("filename,doi\na.png,10.1/x\nb.png,10.1/x\nc.png,10.1/y\n")
    return folder


def test_parts_are_named_by_split_by_a_file_of_names_or_whole(tmp_path: Path) -> None:
    data, names = data_set(tmp_path / "data"), tmp_path / "names.txt"
    names.write_text("a\nc\n")
    assert [(e.name, group) for e, group in labelled_part(f"{data}=val")] == [("b", "10.1/x"), ("c", "10.1/y")]
    assert [e.name for e, _ in labelled_part(f"{data}={names}")] == ["a", "c"]
    assert len(labelled_part(str(data))) == 3
    names.write_text("a\nzz\n")
    with pytest.raises(InputError, match=r"2 names, of which .* has 1"):
        labelled_part(f"{data}={names}")


def test_proposals_are_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, data = tmp_path / "w.safetensors", data_set(tmp_path / "data")
    save_weights(weights, build_network("lite0").state_dict(), WeightsInfo("w", "lite0"))
    examples = [e for e, _ in labelled_part(f"{data}=val")]
    lines: list[str] = []
    first, again = (
        propose(weights, examples, InferenceSettings(), samples=1, keep=tmp_path / "kept", report=lines.append)
        for _ in range(2)
    )
    assert len(lines) == 2  # one an image, the first time
    for one, other in zip(first, again, strict=True):
        assert [level.scale for level in one] == [level.scale for level in other]
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.labels, b.labels)
            assert set(a.features) == set(b.features)
    next((tmp_path / "kept").rglob("*.npz")).write_bytes(b"broken")
    with pytest.raises(InputError, match="not kept proposals"):
        propose(weights, examples, InferenceSettings(), samples=1, keep=tmp_path / "kept", report=lines.append)


def test_settings_and_judge_of_another_model_are_taken_over(tmp_path: Path) -> None:
    weights, out = tmp_path / "w.safetensors", tmp_path / "out.safetensors"
    save_weights(weights, build_network("lite0").state_dict(), WeightsInfo("w", "lite0"))
    arguments = ["release", str(weights), "--like", "default", "--name", "mine", "--out", str(out)]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert load_weights(out)[0].inference == load_weights("default")[0].inference
    assert load_weights(out)[0].name == "mine"
    judge, like = load_judge(out), load_judge("default")
    assert judge is not None
    assert like is not None
    assert judge.header() == like.header()
