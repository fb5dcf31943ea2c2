"""A model by name: the right network, its own rules, its own defaults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from imagedataextractor.errors import InputError
from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.choice import ChoiceSettings
from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.erfnet import BPartISNet
from imagedataextractor.segmentation.inference_settings import InferenceSettings
from imagedataextractor.segmentation.judge import Judge
from imagedataextractor.segmentation.network import LiteBPartISNet
from imagedataextractor.segmentation.trees import Trees
from imagedataextractor.segmentation.weights import WeightsInfo, cached_path, save_weights

#: Takes what an untrained network proposes.
EVERYTHING = InferenceSettings(choice=ChoiceSettings(min_score=0.01, min_rejected_score=0.01))
PICTURE = np.random.default_rng(0).integers(0, 255, (96, 128), dtype=np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))


def eager(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights that call everything a particle."""
    with torch.no_grad():
        network.decoders[1].output_conv.bias.fill_(4.0)  # type: ignore[index, union-attr]
    return network.state_dict()


def test_a_network_trained_here_runs_with_the_defaults_of_its_header() -> None:
    torch.manual_seed(0)
    inference = InferenceSettings(
        samples=3,
        threshold=0.5,
        clustering=ClusterSettings(min_pixels=40),
        choice=ChoiceSettings(min_score=0.01, min_rejected_score=0.01),
    )
    info = WeightsInfo("mine", "lite0", inference=inference)
    digest = save_weights(cached_path("mine"), eager(LiteBPartISNet()), info)
    found = Segmenter.load("mine", "cpu").segment(PICTURE)
    assert (found.model, found.weights_sha256, found.samples, found.threshold) == ("mine", digest, 3, 0.5)
    areas = np.bincount(found.label_map.ravel())[1:]
    assert len(areas) > 0
    assert areas.min() >= 40
    asked = Segmenter.load("mine", "cpu").segment(PICTURE, samples=2, threshold=0.1)
    assert (asked.samples, asked.threshold) == (2, 0.1)


def test_a_score_is_a_probability_or_there_is_none() -> None:
    torch.manual_seed(0)
    weights = eager(LiteBPartISNet())
    trees = Trees(("log_scale",), np.array([[0]], np.int16), np.array([[0.5]]), np.array([[1.0, 2.0]]), 0.0)
    save_weights(cached_path("plain"), weights, WeightsInfo("plain", "lite0", inference=EVERYTHING))
    save_weights(cached_path("judged"), weights, WeightsInfo("judged", "lite0"), Judge(trees, trees, trees))
    plain, judged = (Segmenter.load(name, "cpu").segment(PICTURE, samples=2) for name in ("plain", "judged"))
    assert plain.score is None
    assert judged.score is not None
    assert len(judged.score) == judged.label_map.max() > 0
    assert {round(float(s), 4) for s in judged.score} <= {0.7311, 0.8808}
    for found in (plain, judged):
        assert found.seed_value is not None
        assert ((found.seed_value > 0) & (found.seed_value < 1)).all()


def test_the_published_weights_run_by_their_own_rules_and_by_the_native_ones() -> None:
    torch.manual_seed(0)
    network = BPartISNet()
    info = WeightsInfo("bpartis-2021", "erfnet", inference=InferenceSettings(rules="published", samples=1))
    save_weights(cached_path("bpartis-2021"), eager(network), info)
    squeezed = Segmenter.load("bpartis-2021", "cpu").segment(PICTURE, mode="bayesian")
    native = Segmenter.load("bpartis-2021-native", "cpu").segment(PICTURE, mode="bayesian")
    assert (squeezed.model, native.model) == ("bpartis-2021", "bpartis-2021-native")
    assert squeezed.weights_sha256 == native.weights_sha256
    assert squeezed.label_map.shape == native.label_map.shape == PICTURE.shape
    assert not np.array_equal(squeezed.label_map, native.label_map)


def test_nothing_is_found_where_it_is_excluded() -> None:
    torch.manual_seed(0)
    info = WeightsInfo("bpartis-2021", "erfnet", inference=InferenceSettings(rules="published"))
    save_weights(cached_path("bpartis-2021"), eager(BPartISNet()), info)
    save_weights(cached_path("mine"), eager(LiteBPartISNet()), WeightsInfo("mine", "lite0"))
    exclude = np.zeros(PICTURE.shape, bool)
    exclude[60:, :70] = True
    for name in ("bpartis-2021", "mine"):
        found = Segmenter.load(name, "cpu").segment(PICTURE, mode="discriminative", exclude=exclude)
        assert not found.label_map[exclude].any()
        assert len(found.uncertainty) == found.label_map.max()


def test_weights_that_do_not_fit_are_one_clear_line() -> None:
    save_weights(cached_path("odd"), {"a": torch.ones(1)}, WeightsInfo("odd", "erfnet"))
    with pytest.raises(InputError, match="do not fit the network 'erfnet'"):
        Segmenter.load("odd", "cpu")
    save_weights(cached_path("newer"), {"a": torch.ones(1)}, WeightsInfo("newer", "transformer"))
    with pytest.raises(InputError, match="transformer"):
        Segmenter.load("newer", "cpu")
