"""What counts as the same settings."""

from __future__ import annotations

import dataclasses

import pytest
from store_results import make_run

from imagedataextractor.models import stage_models
from imagedataextractor.store import digest_of_run


def test_where_and_how_fast_is_not_what():
    assert digest_of_run(make_run()) == digest_of_run(make_run("another", device="cuda:1"))


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "00" * 32},
        {"seed": 1},
        {"models": {"figures/cuts.safetensors": "00" * 32}},
        {"models": {"rapidocr/det.onnx": "00" * 32}},
        {"versions": {"imagedataextractor": "4.0"}},
        {"settings": {"scalebar": {"ocr": "tesseract"}}},
    ],
)
def test_whatever_shapes_rows_makes_older_ones_stale(change):
    assert digest_of_run(dataclasses.replace(make_run(), **change)) != digest_of_run(make_run())


def test_a_commit_behind_the_version_is_no_other_version():
    versions = [{"imagedataextractor": version} for version in ("3.0.dev4+gabc", "3.0.dev4+gdef.d20260101")]
    first, second = (digest_of_run(dataclasses.replace(make_run(), versions=each)) for each in versions)
    assert first == second


def test_the_models_of_every_stage_are_known_by_their_content():
    models = stage_models("rapidocr")
    assert {name.split("/")[0] for name in models} == {"figures", "scalebar", "rapidocr"}
    assert "figures/cuts.safetensors" in models
    assert all(len(digest) == 64 for digest in models.values())
    assert not [name for name in models if name.endswith(".md")]
