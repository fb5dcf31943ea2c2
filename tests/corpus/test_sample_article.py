"""The bundled sample article through the whole pipeline, against its known truth."""

from __future__ import annotations

import json

import pytest

from imagedataextractor.pipeline import Stages, process_target
from imagedataextractor.records import Box
from imagedataextractor.resources import resource_path
from imagedataextractor.settings import SegmentationSettings, Settings
from imagedataextractor.targets import find_targets


@pytest.fixture(scope="module")
def truth():
    return json.loads(resource_path("data", "sample", "truth.json").read_text())


@pytest.fixture(scope="module")
def result():
    (target,), failures = find_targets([resource_path("data", "sample")])
    assert not failures
    stages = Stages(Settings(segmentation=SegmentationSettings(samples=4)))
    return process_target(target, stages)


def measured_panels(result):
    for figure in result.figures:
        for panel in figure.panels:
            if panel.segmentation is not None:
                yield figure, panel


def test_nothing_fails(result):
    assert result.failures == ()


def test_only_micrographs_hold_particles(result):
    for figure in result.figures:
        for panel in figure.panels:
            assert panel.panel.kind == "em" or len(panel.particles) == 0


def true_panels(truth):
    for figure in truth["figures"]:
        for panel in figure["panels"]:
            if panel["kind"] == "em":
                yield figure, panel


def matching(result, figure_label, box):
    found = [
        (figure.panels[i].panel.box.iou(box), figure.panels[i])
        for figure in result.figures
        if figure.figure.label == figure_label
        for i in range(len(figure.panels))
    ]
    return max(found, key=lambda pair: pair[0], default=(0.0, None))


def test_every_micrograph_is_found_and_no_scale_is_wrong(result, truth):
    for figure, panel in true_panels(truth):
        overlap, found = matching(result, figure["label"], Box(*panel["box"]))
        assert overlap > 0.75, (figure["label"], panel["letter"])
        assert found.panel.kind == "em"
        scale = found.scalebar.nm_per_px
        if scale is not None:
            assert scale == pytest.approx(panel["nm_per_px"], rel=0.05), (figure["label"], panel["letter"])


def test_most_scales_are_read(result, truth):
    readable = [
        matching(result, figure["label"], Box(*panel["box"]))[1]
        for figure, panel in true_panels(truth)
        if panel["nm_per_px"] is not None
    ]
    assert sum(found.scalebar.nm_per_px is not None for found in readable) >= 0.7 * len(readable)


def test_counts_and_sizes_are_near_the_truth(result, truth):
    near = []
    for figure, panel in true_panels(truth):
        _, found = matching(result, figure["label"], Box(*panel["box"]))
        near.append(abs(len(found.particles) - panel["particle_count"]) <= 0.3 * panel["particle_count"] + 1)
        ecd = sorted(p.ecd_nm for p in found.particles if p.accepted and p.ecd_nm is not None)
        if ecd and panel["median_ecd_nm"]:
            near.append(ecd[len(ecd) // 2] == pytest.approx(panel["median_ecd_nm"], rel=0.15))
    assert sum(near) >= 0.75 * len(near)


def test_stated_sizes_and_techniques_come_from_the_captions(result):
    figure = next(f for f in result.figures if f.label == "Figure 1")
    labels = {p.panel.label: p.panel for p in figure.panels}
    assert labels["a"].technique == "SEM"
    assert "2.0 mL" in labels["a"].subcaption
