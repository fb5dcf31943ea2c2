"""Real articles through the whole pipeline."""

from __future__ import annotations

import pytest

from imagedataextractor.pipeline import Stages, process_target
from imagedataextractor.settings import SegmentationSettings, Settings
from imagedataextractor.targets import find_targets


def extracted(folder):
    (target,), failures = find_targets([folder])
    assert not failures
    return process_target(target, Stages(Settings(segmentation=SegmentationSettings(samples=2))))


@pytest.fixture(scope="module")
def silicon(shared):
    return extracted(shared / "samples" / "jats" / "PMC7070767")


@pytest.fixture(scope="module")
def composite(shared):
    return extracted(shared / "samples" / "jats" / "PMC7052380")


def micrographs(result, label):
    return [p for f in result.figures if f.figure.label == label for p in f.panels if p.panel.kind == "em"]


def test_silicon_panels_scales_and_sizes(silicon):
    panels = {p.panel.label: p for p in micrographs(silicon, "Figure 3") if p.panel.parent is None}
    assert {"a", "b", "c"} <= set(panels)
    # The bars' printed lengths over their lengths as measured by eye on the picture.
    assert panels["a"].scalebar.nm_per_px == pytest.approx(0.865, rel=0.03)
    assert panels["c"].scalebar.nm_per_px == pytest.approx(3.56, rel=0.03)
    # The article states a mean of 75.2 ± 13 nm, of panel a and the larger view that is laid into it.
    views = [p for p in micrographs(silicon, "Figure 3") if p.panel.parent == panels["a"].panel.index]
    diameters = sorted(p.ecd_nm for view in (panels["a"], *views) for p in view.particles if p.accepted)
    assert diameters[len(diameters) // 2] == pytest.approx(75.2, abs=13)


def test_composite_panels_and_scales(composite):
    panels = [p for p in micrographs(composite, "Figure 4") if p.panel.parent is None]
    assert len(panels) >= 8
    known = [p.scalebar.nm_per_px for p in panels if p.scalebar.nm_per_px is not None]
    assert any(scale == pytest.approx(3.2, rel=0.03) for scale in known)  # 500 nm in panels D, E and F
    assert any(p.ecd_nm for panel in panels for p in panel.particles)


@pytest.mark.parametrize("name", ["encoda_plosone-0178565", "encoda_ijm-00202"])
def test_articles_without_micrographs_give_no_particles(shared, name):
    result = extracted(shared / "samples" / "jats" / name)
    assert result.article.figures
    assert not any(panel.particles for figure in result.figures for panel in figure.panels)


def test_missing_figure_files_are_failures_and_the_rest_is_done(shared, tmp_path):
    source = shared / "samples" / "jats" / "PMC7070767"
    for name in ("PMC7070767.xml", "molecules-25-00891-g003b.jpg"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    result = extracted(tmp_path)
    assert any("g003a" in failure.message for failure in result.failures)
    assert any(panel.particles for figure in result.figures for panel in figure.panels)
