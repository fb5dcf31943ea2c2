"""What a worker does: read, extract, pack; the same picture is segmented once."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from imagedataextractor.articles.retrieve import RetrievedArticle
from imagedataextractor.mining.worker import (
    PipelineWork,
    RememberingSegmenter,
    Retrieval,
    prune_segmentations,
    segmentations_folder,
)
from imagedataextractor.records import Segmentation
from imagedataextractor.settings import Keys, Settings
from imagedataextractor.targets import Target


class Counting:
    """A segmenter that finds one square and counts how often it was asked."""

    weights_sha256 = "ab" * 32
    device = "cpu"

    def __init__(self) -> None:
        self.calls = 0

    def segment(self, image, *, exclude=None, **options) -> Segmentation:
        self.calls += 1
        labels = np.zeros(image.shape[:2], np.int32)
        labels[2:5, 2:5] = 1
        return Segmentation(
            labels, np.array([0.01]), np.array([0.9]), np.array([False]), np.zeros(image.shape[:2], np.float32),
            "default", self.weights_sha256, options["mode"], 8, options["threshold"], options["seed"],
        )  # fmt: skip


OPTIONS = {"mode": "filtered", "samples": None, "threshold": None, "seed": 0}
IMAGE = np.arange(120, dtype=np.uint8).reshape(10, 12)


@pytest.fixture
def segmenter(tmp_path) -> RememberingSegmenter:
    return RememberingSegmenter(Counting(), tmp_path)


def test_the_same_picture_is_segmented_once_in_any_process(segmenter, tmp_path):
    first = segmenter.segment(IMAGE, **OPTIONS)
    other_process = RememberingSegmenter(Counting(), tmp_path)
    second = other_process.segment(IMAGE.copy(), **OPTIONS)
    assert (segmenter.segmenter.calls, other_process.segmenter.calls) == (1, 0)
    for name in ("label_map", "uncertainty", "score", "filtered"):
        a, b = getattr(first, name), getattr(second, name)
        assert np.array_equal(a, b)
        assert a.dtype == b.dtype
    assert second.support is second.seed_value is None
    for name in ("model", "weights_sha256", "mode", "samples", "threshold", "seed"):
        assert getattr(first, name) == getattr(second, name)
        assert type(getattr(first, name)) is type(getattr(second, name))


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"threshold": 0.5}, {"mode": "bayesian"}, {"exclude": np.eye(10, 12, dtype=bool)}],
    ids=lambda change: next(iter(change)),
)
def test_anything_that_matters_makes_another_segmentation(segmenter, change):
    segmenter.segment(IMAGE, **OPTIONS)
    segmenter.segment(IMAGE, **{**OPTIONS, **change})
    assert segmenter.segmenter.calls == 2


def test_another_picture_or_shape_is_another(segmenter):
    segmenter.segment(IMAGE, **OPTIONS)
    segmenter.segment(IMAGE + 1, **OPTIONS)
    segmenter.segment(IMAGE.reshape(12, 10), **OPTIONS)
    assert segmenter.segmenter.calls == 3


def test_a_broken_memory_is_no_memory(segmenter, tmp_path):
    segmenter.segment(IMAGE, **OPTIONS)
    (file,) = tmp_path.glob("??/*.npz")
    for content in (b"", b"not a zip", file.read_bytes()[:100]):
        file.write_bytes(content)
        segmenter.segment(IMAGE, **OPTIONS)
    assert segmenter.segmenter.calls == 4
    assert [path.suffix for path in tmp_path.glob("??/*")] == [".npz"]


def test_the_memory_is_bounded(segmenter, tmp_path):
    cache = tmp_path / "cache"
    remembering = RememberingSegmenter(Counting(), segmentations_folder(cache))
    for value in range(6):
        remembering.segment(IMAGE + value, **OPTIONS)
    sizes = [path.stat().st_size for path in segmentations_folder(cache).glob("??/*")]
    prune_segmentations(cache, limit_bytes=sum(sizes) // 2)
    left = [path.stat().st_size for path in segmentations_folder(cache).glob("??/*")]
    assert 0 < sum(left) <= sum(sizes) // 2


def test_what_was_retrieved_is_the_folder_with_the_note_of_it(tmp_path, monkeypatch):
    (tmp_path / "doi" / "source").mkdir(parents=True)
    (tmp_path / "doi" / "retrieved.json").write_text("{}")
    found = RetrievedArticle("10.1000/1", tmp_path / "doi" / "source", tmp_path / "a.xml", None, "test")
    monkeypatch.setattr("imagedataextractor.articles.retrieve.retrieve", lambda doi, **_: found)
    target = Target("doi", "doi:10.1000/1", doi="10.1000/1")
    assert Retrieval(Settings(), tmp_path)(target) == tmp_path / "doi"
    (tmp_path / "doi" / "retrieved.json").unlink()
    assert Retrieval(Settings(), tmp_path)(target) is None  # nothing that may be removed


def test_api_keys_are_not_sent_to_workers():
    from imagedataextractor.options import Manual

    work = PipelineWork(Settings(keys=Keys(elsevier_api_key="hush-hush")), Manual(), Path("/cache"))
    sent = pickle.dumps(work)
    assert b"hush-hush" not in sent
    assert pickle.loads(sent).settings == Settings()
