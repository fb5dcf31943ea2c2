"""Training: learns, resumes, repeats. The paper's network on small crops keeps it quick."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from imagedataextractor.errors import InputError
from imagedataextractor.segmentation.architectures import build_network
from imagedataextractor.segmentation.inference_settings import InferenceSettings
from imagedataextractor.segmentation.published import to_pixel_frame
from imagedataextractor.segmentation.weights import WeightsInfo, save_weights
from imagedataextractor.training.segmentation.dataset import Example, Source
from imagedataextractor.training.segmentation.settings import TrainingSettings, default_settings
from imagedataextractor.training.segmentation.train import learning_rate, train, validator


def examples():
    rng = np.random.default_rng(0)
    labels = np.zeros((96, 96), np.int32)
    labels[10:40, 10:40], labels[50:80, 45:85] = 1, 2
    image = np.clip((labels > 0) * 120 + 60 + rng.normal(0, 5, labels.shape), 0, 255).astype(np.uint8)
    return [Example("one", image, labels)]


def sources():
    return [Source(examples(), 1.0)]


def settings(**changes):
    base = {"architecture": "erfnet", "sizes": ((64, 2),), "warmup": 1, "checkpoint_seconds": 0.0}
    return TrainingSettings(**{**base, **changes})


def test_the_rate_rises_stays_and_falls_to_zero():
    plan = TrainingSettings(steps=100, warmup=10, cooldown=0.2)
    rates = [learning_rate(plan, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10:80] == [1.0] * 70
    assert rates[90] == pytest.approx(0.5)
    assert rates[100] == 0.0


class StopAfter:
    """A validation that ends the run when it has been asked often enough."""

    def __init__(self, times):
        self.times = times

    def __call__(self, network):
        self.times -= 1
        if self.times == 0:
            raise KeyboardInterrupt
        return {"score": 0.5}


def test_an_interrupted_run_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    plan = settings(steps=5, validate_every=1)
    whole = train(sources(), tmp_path / "a", plan, report=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        train(sources(), tmp_path / "b", plan, validate=StopAfter(3), report=lambda _: None)
    messages = []
    broken = train(sources(), tmp_path / "b", plan, report=messages.append)
    assert messages[0].startswith("resumed at step 2")
    a, b = load_file(whole.parent / "last.safetensors"), load_file(broken.parent / "last.safetensors")
    assert a.keys() == b.keys()
    for name in a:
        assert np.allclose(a[name], b[name], atol=1e-6), name


def test_an_unknown_architecture_is_one_clear_line():
    with pytest.raises(InputError, match="no network is called"):
        build_network("unet")


def test_the_validator_scores_between_zero_and_one():
    scores = validator(examples(), "cpu")(build_network("erfnet").eval())
    assert 0.0 <= scores["score"] <= 1.0


def test_a_run_starts_from_a_model_and_takes_the_published_one_to_pixels(tmp_path):
    state = {k: v.clone() for k, v in build_network("erfnet").state_dict().items()}
    expected = {"own": state, "published": to_pixel_frame(state)}
    for name, inference in (("own", InferenceSettings()), ("published", InferenceSettings(rules="published"))):
        path = tmp_path / f"{name}.safetensors"
        save_weights(path, state, WeightsInfo(name, "erfnet", inference=inference))
        # A plan of no steps writes what it would have begun with.
        train(sources(), tmp_path / name, settings(steps=0), initial=path, report=lambda _: None)
        begun = load_file(tmp_path / name / "last.safetensors")
        assert all(np.allclose(begun[k], v.numpy()) for k, v in expected[name].items())


def test_a_model_of_another_network_is_no_start(tmp_path):
    path = tmp_path / "odd.safetensors"
    save_weights(path, {"a": torch.ones(1)}, WeightsInfo("odd", "erfnet"))
    with pytest.raises(InputError, match="do not fit the network 'erfnet'"):
        train(sources(), tmp_path / "run", settings(steps=1), initial=path, report=lambda _: None)


def test_the_papers_network_is_trained_as_the_paper_says_unless_told_otherwise():
    plan = default_settings("erfnet")
    assert (plan.architecture, plan.learning_rate, plan.seed_loss) == ("erfnet", 3e-4, "regression")
    assert {learning_rate(plan, step) for step in range(plan.warmup, plan.steps)} == {1.0}
    assert default_settings("lite0") == TrainingSettings("lite0")


def test_frozen_blocks_stay_as_they_are_and_the_rest_learns(tmp_path):
    torch.manual_seed(0)
    state = {k: v.clone() for k, v in build_network("lite0").state_dict().items()}
    save_weights(tmp_path / "start.safetensors", state, WeightsInfo("start", "lite0"))
    plan = settings(architecture="lite0", steps=1, frozen_blocks=2)
    train(sources(), tmp_path / "run", plan, initial=tmp_path / "start.safetensors", report=lambda _: None)
    after = load_file(tmp_path / "run" / "last.safetensors")
    frozen = ("encoder.stem", "encoder.blocks.0.", "encoder.blocks.1.")
    same = {name: np.array_equal(value, state[name].numpy()) for name, value in after.items()}
    assert all(unchanged for name, unchanged in same.items() if name.startswith(frozen))
    assert not same["encoder.blocks.2.project_conv.weight"]
    assert not same["decoders.1.output_conv.weight"]


def test_only_the_default_network_can_be_frozen_in_part(tmp_path):
    with pytest.raises(InputError, match="only the encoder of lite0"):
        train(sources(), tmp_path, settings(steps=1, frozen_blocks=1), report=lambda _: None)
