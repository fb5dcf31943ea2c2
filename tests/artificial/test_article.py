"""The sample article: what it promises is in its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import etree

from imagedataextractor.artificial.article import DOI, draw_sample_article
from imagedataextractor.images import load_image
from imagedataextractor.resources import resource_path


@pytest.fixture(scope="module", params=["bundled", "drawn"])
def article(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the article in the package, and of one drawn anew with another seed."""
    if request.param == "bundled":
        return resource_path("data", "sample")
    return draw_sample_article(tmp_path_factory.mktemp("sample"), seed=7).parent


def truth_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "truth.json").read_text())
    return content


def test_the_xml_names_every_figure_file(article: Path) -> None:
    root = etree.parse(article / "ide-sample-1.xml").getroot()
    names = [g.get("{http://www.w3.org/1999/xlink}href") for g in root.iter("graphic")]

    assert root.findtext(".//article-id[@pub-id-type='doi']") == DOI
    assert names == [figure["file"] for figure in truth_of(article)["figures"]]
    assert all((article / name).is_file() for name in names)
    assert "{" not in "".join(root.itertext())


def test_every_box_lies_on_its_page(article: Path) -> None:
    for figure in truth_of(article)["figures"]:
        height, width = load_image(article / figure["file"]).shape[:2]
        for panel in figure["panels"]:
            x0, y0, x1, y1 = panel["box"]
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height


def test_sizes_scales_and_counts_agree(article: Path) -> None:
    panels = [panel for figure in truth_of(article)["figures"] for panel in figure["panels"]]
    micrographs = [panel for panel in panels if panel["kind"] == "em"]

    assert {panel["kind"] for panel in panels} == {"em", "plot"}
    assert {panel["technique"] for panel in micrographs} == {"SEM", "TEM", "STEM"}
    assert any(panel["parent"] is not None for panel in panels)
    assert any(panel["nm_per_px"] is None for panel in micrographs)
    for panel in micrographs:
        whole = [p for p in panel["particles"] if p["whole"]]
        assert (len(panel["particles"]), len(whole)) == (panel["particle_count"], panel["whole_count"])
        if panel["nm_per_px"] is None or not whole:
            assert panel["median_ecd_nm"] is None
            continue
        assert panel["median_ecd_nm"] == pytest.approx(np.median([p["ecd_nm"] for p in whole]), abs=1e-3)
        for particle in whole:
            assert particle["ecd_nm"] == pytest.approx(particle["ecd_px"] * panel["nm_per_px"], rel=0.002)


def test_the_bar_without_words_is_as_long_as_the_caption_says(article: Path) -> None:
    (panel,) = (p for f in truth_of(article)["figures"] for p in f["panels"] if p["bar_px"] and not p["bar_text"])

    assert panel["bar_px"] * panel["nm_per_px"] == pytest.approx(50)
    assert "scale bar in (c) is 50 nm" in etree.tostring(
        etree.parse(article / "ide-sample-1.xml"), encoding="unicode", method="text"
    )


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    first, second = (draw_sample_article(tmp_path / name, seed=7).parent for name in ("a", "b"))

    for path in sorted(first.iterdir()):
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name
