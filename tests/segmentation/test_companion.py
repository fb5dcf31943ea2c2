"""A companion is asked beside a network, and believed where it sees far more."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from imagedataextractor.errors import InputError
from imagedataextractor.records import Segmentation
from imagedataextractor.resources import resource_path
from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.companion import WithCompanion, sees_more
from imagedataextractor.segmentation.metrics import score_image
from imagedataextractor.segmentation.weights import load_judge, load_weights, save_weights
from imagedataextractor.training.segmentation.dataset import load_emps
from imagedataextractor.training.segmentation.evaluation import accepted_labels


def segmentation(scores: list[float], *, support: int = 0, rejected: int = 0) -> Segmentation:
    """Particles of these P(real), the first of them supports or rejected."""
    number = np.arange(len(scores))
    return Segmentation(
        label_map=(number[None] + 1).astype(np.int32),
        uncertainty=np.zeros(len(scores)),
        score=np.array(scores),
        filtered=number < rejected,
        support=number < support,
        uncertainty_map=np.zeros((1, len(scores)), np.float32),
    )


def test_many_more_and_sure_is_what_it_takes() -> None:
    few = segmentation([0.9] * 4)
    assert sees_more(segmentation([0.9] * 30), few)
    assert not sees_more(segmentation([0.9] * 19), few)  # not many
    assert not sees_more(segmentation([0.5] * 30), few)  # not sure
    assert not sees_more(segmentation([0.9] * 30), segmentation([0.9] * 16))  # not far more
    assert sees_more(segmentation([0.9] * 30), segmentation([]))


def test_supports_and_rejected_ones_are_no_particles_seen() -> None:
    assert not sees_more(segmentation([0.9] * 30, rejected=15), segmentation([]))
    assert not sees_more(segmentation([0.9] * 30, support=15), segmentation([]))
    assert sees_more(segmentation([0.9] * 30), segmentation([0.9] * 60, rejected=55))


def test_without_p_real_nothing_is_known_of_more() -> None:
    unknown = dataclasses.replace(segmentation([0.9] * 30), score=None)
    assert not sees_more(unknown, segmentation([]))


class Answers:
    """Rules that answer the same to everything, and note how they were asked."""

    def __init__(self, answer: Segmentation) -> None:
        self.answer, self.asked = answer, []

    def segment(self, image: np.ndarray, *, mode: str, **_: object) -> Segmentation:
        self.asked.append(mode)
        return dataclasses.replace(self.answer, mode=mode)


@pytest.mark.parametrize(("theirs", "taken"), [(40, True), (5, False)])
def test_a_glance_decides_whose_answer_is_taken(theirs: int, taken: bool) -> None:
    first, companion = Answers(segmentation([0.9] * 3)), Answers(segmentation([0.9] * theirs))
    found = WithCompanion(first, companion).segment(np.zeros((9, 9), np.uint8), mode="filtered")  # type: ignore[arg-type]
    assert found.mode == "filtered"
    assert len(found.score) == (theirs if taken else 3)
    assert first.asked == ["filtered"]
    assert companion.asked == (["discriminative", "filtered"] if taken else ["discriminative"])


def test_another_companion_than_the_one_it_was_made_with_is_refused(tmp_path: Path) -> None:
    info, tensors = load_weights("default")
    assert info.companion == "supports"
    save_weights(tmp_path / "mine.safetensors", tensors, info, load_judge("default"))
    Segmenter.load(str(tmp_path / "mine.safetensors"), "cpu")  # the bundled one
    other, others = load_weights("supports")
    save_weights(tmp_path / "supports.safetensors", others, dataclasses.replace(other, origin="another"), None)
    with pytest.raises(InputError, match=r"supports\.safetensors: not the model 'supports'"):
        Segmenter.load(str(tmp_path / "mine.safetensors"), "cpu")


def test_the_bundled_companion_sees_the_metal_on_its_support(shared: Path) -> None:
    """An image that neither network has learnt from, of which the first one finds a seventh."""
    (example,) = [e for e in load_emps(shared / "stem-boxes") if e.name == "Pd1"]
    part = slice(0, 320)
    image, truth = np.ascontiguousarray(example.image[part, part]), example.labels[part, part]
    found = accepted_labels(Segmenter.load("default", "cpu").segment(image, samples=2))
    alone = accepted_labels(Segmenter.load(str(_alone()), "cpu").segment(image, samples=2))
    assert score_image(truth, found).values["f1_50"] > 2 * score_image(truth, alone).values["f1_50"]


def _alone() -> Path:
    return resource_path("data", "weights") / "bpartis.safetensors"
