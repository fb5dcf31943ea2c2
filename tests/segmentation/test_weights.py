"""Weights files: what goes in comes out, and what is broken says so in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from imagedataextractor.errors import InputError
from imagedataextractor.images import sha256_of
from imagedataextractor.segmentation import weights
from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.inference_settings import InferenceSettings
from imagedataextractor.segmentation.judge import Judge
from imagedataextractor.segmentation.trees import Trees
from imagedataextractor.segmentation.weights import (
    WeightsInfo,
    find_weights,
    load_judge,
    load_weights,
    read_info,
    save_weights,
)

INFO = WeightsInfo(
    name="tiny",
    architecture="erfnet",
    licence="MIT",
    origin="made in a test",
    inference=InferenceSettings(samples=8, threshold=0.01, clustering=ClusterSettings(min_pixels=40)),
    training={"seed": 7, "µ": "é"},
    licence_text="Permission is hereby granted …",
)
TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(3)}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_header_and_tensors_come_back(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "tiny.safetensors"
    digest = save_weights(path, TENSORS, INFO)
    info, tensors = load_weights(path)
    assert info == INFO == read_info(path)
    assert digest == sha256_of(path)
    assert all(torch.equal(tensors[k], v) for k, v in TENSORS.items())
    assert [p.name for p in path.parent.iterdir()] == ["tiny.safetensors"]


def small_judge() -> Judge:
    def trees(base: float) -> Trees:
        return Trees(("seed", "phi"), np.array([[1]], np.int16), np.array([[0.5]]), np.array([[-1.0, 2.0]]), base)

    return Judge(trees(0.1), trees(0.2), trees(0.3), slope=0.9, offset=-0.1)


def test_a_judge_lies_beside_the_network_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "judged.safetensors"
    save_weights(path, TENSORS, INFO, small_judge())
    assert set(load_weights(path)[1]) == set(TENSORS)  # its arrays are none of the network's
    judge = load_judge(path)
    assert judge is not None
    assert judge.header() == small_judge().header()
    features = {"seed": np.array([0.1, 0.2]), "phi": np.array([0.4, 0.6])}
    np.testing.assert_array_equal(judge.second.sums(features), [0.2 - 1.0, 0.2 + 2.0])
    save_weights(tmp_path / "plain.safetensors", TENSORS, INFO)
    assert load_judge(tmp_path / "plain.safetensors") is None


def test_a_damaged_judge_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "judged.safetensors"
    monkeypatch.setattr(Judge, "to_tensors", lambda self: {"first.feature": np.zeros((1, 1), np.int16)})
    save_weights(path, TENSORS, INFO, small_judge())
    with pytest.raises(InputError, match="judge of proposals in the weights is damaged"):
        load_judge(path)


@pytest.mark.parametrize("defaults", [{"rules": "mine"}, {"samples": 0}, {"speed": 3}, {"clustering": {"x": 1}}])
def test_settings_that_cannot_be_are_one_clear_line(tmp_path: Path, defaults: dict[str, object]) -> None:
    path = tmp_path / "odd.safetensors"
    header = {"name": "odd", "architecture": "erfnet", "format_version": 1, "defaults": defaults}
    save_file({"w": torch.ones(1)}, path, metadata={"imagedataextractor-weights": json.dumps(header)})
    with pytest.raises(InputError, match="header of the weights is damaged"):
        read_info(path)


def test_a_header_of_the_first_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    defaults = {"samples": 5, "flips": False, "certain_seed": 0.92, "min_score": 0.3, "clustering": {"start": 0.8}}
    header = {"name": "old", "architecture": "erfnet", "format_version": 1, "defaults": defaults, "calibration": {}}
    save_file({"w": torch.ones(1)}, path, metadata={"imagedataextractor-weights": json.dumps(header)})
    inference = read_info(path).inference
    assert (inference.samples, inference.rules, inference.clustering.start) == (5, "pyramid", 0.8)


def test_the_same_weights_make_the_same_file(tmp_path: Path) -> None:
    assert save_weights(tmp_path / "a.safetensors", TENSORS, INFO) == save_weights(
        tmp_path / "b.safetensors", TENSORS, INFO
    )


def test_half_precision_is_read_as_single(tmp_path: Path) -> None:
    save_weights(tmp_path / "h.safetensors", {"w": torch.ones(2).half()}, INFO)
    assert load_weights(tmp_path / "h.safetensors")[1]["w"].dtype == torch.float32


def test_a_name_is_found_in_the_cache_and_listed() -> None:
    save_weights(weights.cached_path("mine"), TENSORS, INFO)
    assert find_weights("mine") == weights.cached_path("mine")
    listed = {m.name: m for m in weights.list_models()}
    assert listed["mine"].source == "cache"
    assert listed["mine"].sha256 == sha256_of(weights.cached_path("mine"))


def test_bundled_weights_come_before_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = tmp_path / "bundled"
    save_weights(bundled / "mine.safetensors", TENSORS, INFO)
    save_weights(weights.cached_path("mine"), TENSORS, INFO)
    monkeypatch.setattr(weights, "_bundled_folder", lambda: bundled)
    assert find_weights("mine") == bundled / "mine.safetensors"
    assert [m.source for m in weights.list_models()] == ["bundled"]


def test_an_unknown_name_tells_what_there_is() -> None:
    save_weights(weights.cached_path("mine"), TENSORS, INFO)
    with pytest.raises(InputError, match=r"no model is called 'nope'.*mine"):
        find_weights("nope")


def test_the_published_model_says_how_to_fetch_it() -> None:
    with pytest.raises(InputError, match="ide model fetch bpartis-2021"):
        find_weights("bpartis-2021")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x80\x02}q\x00." * 40])
def test_a_file_that_is_no_safetensors_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    for read in (read_info, load_weights):
        with pytest.raises(InputError, match="not a safetensors file"):
            read(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_weights(path, TENSORS, INFO)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="not a safetensors file"):
        load_weights(path)


def test_foreign_and_newer_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = tmp_path / "f.safetensors"
    save_file({"w": torch.ones(1)}, foreign, metadata={"format": "pt"})
    with pytest.raises(InputError, match="not a weights file of this project"):
        read_info(foreign)
    monkeypatch.setattr(weights, "FORMAT_VERSION", weights.FORMAT_VERSION + 1)
    save_weights(tmp_path / "n.safetensors", TENSORS, INFO)
    monkeypatch.undo()
    with pytest.raises(InputError, match="newer"):
        read_info(tmp_path / "n.safetensors")


def test_a_missing_path_and_an_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such weights file"):
        load_weights(tmp_path / "absent.safetensors")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        save_weights(tmp_path / "file" / "w.safetensors", TENSORS, INFO)
