"""Weights files: what goes in comes out, and what is broken says so in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from imagedataextractor.errors import InputError
from imagedataextractor.images import sha256_of
from imagedataextractor.segmentation import weights
from imagedataextractor.segmentation.weights import WeightsInfo, find_weights, load_weights, read_info, save_weights

INFO = WeightsInfo(
    name="tiny",
    architecture="erfnet",
    licence="MIT",
    origin="made in a test",
    defaults={"samples": 8, "threshold": 0.01},
    calibration={"names": ["uncertainty"], "weights": [-3.5]},
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


def test_foreign_and_newer_files_are_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "f.safetensors"
    save_file({"w": torch.ones(1)}, foreign, metadata={"format": "pt"})
    with pytest.raises(InputError, match="not a weights file of this project"):
        read_info(foreign)
    newer = WeightsInfo(name="n", architecture="erfnet", format_version=weights.FORMAT_VERSION + 1)
    save_weights(tmp_path / "n.safetensors", TENSORS, newer)
    with pytest.raises(InputError, match="newer"):
        read_info(tmp_path / "n.safetensors")


def test_a_missing_path_and_an_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such weights file"):
        load_weights(tmp_path / "absent.safetensors")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        save_weights(tmp_path / "file" / "w.safetensors", TENSORS, INFO)
