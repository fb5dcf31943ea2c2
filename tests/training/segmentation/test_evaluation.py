"""Predictions of a data set: made once, kept, and scored without what the filter rejects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from imagedataextractor.errors import InputError
from imagedataextractor.records import Segmentation
from imagedataextractor.training.segmentation.evaluation import accepted_labels, predictions, score_predictions

LABELS = np.zeros((40, 40), np.int32)
LABELS[4:14, 4:14], LABELS[20:30, 20:30] = 1, 2


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder in ("images", "segmaps"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        Image.fromarray((LABELS > 0).astype(np.uint8) * 200).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(LABELS.astype(np.uint16)).save(tmp_path / "segmaps" / f"{name}.png")
    (tmp_path / "split.csv").write_text("name,split\na,val\nb,val\n")
    return tmp_path


class Counting:
    """A segmenter that finds both squares, is unsure of the second, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, image: npt.NDArray[np.uint8]) -> Segmentation:
        self.calls += 1
        assert image.shape == LABELS.shape
        return Segmentation(LABELS, np.array([0.01, 0.3]), np.array([0.9, 0.4]), np.array([False, True]))


def test_predictions_are_made_once_and_come_back_as_they_were(data: Path) -> None:
    segment, keep = Counting(), data / "keep"
    steps: list[tuple[int, int, str]] = []
    first = list(predictions(data, "val", segment, keep=keep, progress=lambda *step: steps.append(step)))
    again = list(predictions(data, "val", segment, keep=keep))
    assert segment.calls == 2
    assert steps == [(1, 2, "a"), (2, 2, "b")]
    assert sorted(p.name for p in keep.iterdir()) == ["a.npz", "b.npz"]
    for one, two in zip(first, again, strict=True):
        assert one.name == two.name
        for field in ("true", "labels", "uncertainty", "score", "rejected"):
            np.testing.assert_array_equal(getattr(one, field), getattr(two, field))


def test_a_stopped_run_goes_on_where_it_stopped(data: Path) -> None:
    segment, keep = Counting(), data / "keep"
    next(predictions(data, "val", segment, keep=keep))
    list(predictions(data, "val", segment, keep=keep))
    assert segment.calls == 2


def test_nothing_is_kept_unasked(data: Path) -> None:
    segment = Counting()
    list(predictions(data, "val", segment))
    list(predictions(data, "val", segment))
    assert segment.calls == 4


def test_rejected_particles_do_not_enter_the_scores(data: Path) -> None:
    found = list(predictions(data, "val", Counting()))
    assert set(np.unique(accepted_labels(found[0]))) == {0, 1}
    scores = score_predictions(found)
    assert [s.values["rec50"] for s in scores] == [0.5, 0.5]
    assert [s.values["prec50"] for s in scores] == [1.0, 1.0]


def test_a_damaged_file_says_which_one_and_what_to_do(data: Path) -> None:
    keep = data / "keep"
    keep.mkdir()
    (keep / "a.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match=r"a\.npz.*delete it"):
        list(predictions(data, "val", Counting(), keep=keep))
