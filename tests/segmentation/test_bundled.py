"""The models that come with the package: there, small, documented, and good at a real micrograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from imagedataextractor.cli.model import command as model_command
from imagedataextractor.images.labels import read_label_map
from imagedataextractor.records import MODES
from imagedataextractor.resources import resource_path
from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.metrics import score_image
from imagedataextractor.segmentation.weights import list_models, read_info
from imagedataextractor.training.segmentation.dataset import load_emps
from imagedataextractor.training.segmentation.evaluation import accepted_labels

#: Largest file of the paper's network, MB.
LIMIT_MB = 5.0


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["default", "bpartis"])
def test_a_bundled_model_is_listed_and_its_header_says_where_it_comes_from(name: str) -> None:
    (model,) = [m for m in list_models() if m.name == name]
    assert model.source == "bundled"
    assert model.info.licence == "MIT"
    assert {"data", "seed", "command"} <= set(model.info.training)
    assert name in CliRunner().invoke(model_command, ["list"]).stdout


def test_the_papers_network_carries_the_notice_of_the_weights_it_began_as() -> None:
    path = resource_path("data", "weights", "bpartis.safetensors")
    assert path.stat().st_size < LIMIT_MB * 1e6
    info = read_info(path)
    assert info.architecture == "erfnet"
    assert "Copyright (c) 2020 Batuhan Yildirim" in info.licence_text
    assert "seen" in info.training["val"]


@pytest.mark.parametrize("name", ["default", "bpartis"])
def test_a_bundled_model_finds_the_particles_of_a_real_micrograph_in_every_mode(name: str, shared: Path) -> None:
    (example,) = [e for e in load_emps(shared / "emps-train", "val") if e.name == "0a55e7c93f"]
    part = slice(100, 356)
    model = Segmenter.load(name, "cpu")
    for mode in MODES:
        found = model.segment(np.ascontiguousarray(example.image[part, part]), mode=mode, samples=2, seed=1)
        scores = score_image(example.labels[part, part], accepted_labels(found)).values
        assert scores["f1_50"] > 0.8, mode
        assert len(found.uncertainty) == found.label_map.max()
        assert (found.uncertainty.max() > 0) == (mode != "discriminative")


def test_the_papers_network_segments_from_the_command_line(tmp_path: Path) -> None:
    from imagedataextractor.cli.segment import command

    y, x = np.mgrid[:256, :256]
    picture = np.full((256, 256), 60, np.uint8)
    for cy, cx in ((64, 64), (64, 180), (180, 120)):
        picture[(y - cy) ** 2 + (x - cx) ** 2 < 900] = 200
    path = tmp_path / "discs.png"
    Image.fromarray(picture).save(path)
    arguments = [str(path), "--out", str(tmp_path / "maps"), "--model", "bpartis", "--samples", "2"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    labels = read_label_map(tmp_path / "maps" / "discs.png")
    assert {int(labels[cy, cx]) for cy, cx in ((64, 64), (64, 180), (180, 120))} - {0} == set(np.unique(labels)) - {0}
    assert labels.max() == 3
