"""Pictures that stand for themselves are one micrograph; what plainly is a figure is cut."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from imagedataextractor.artificial.databars import MAKERS, draw_data_bar
from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.figures import split_figure
from imagedataextractor.figures.panels.infobar import find_info_bar
from imagedataextractor.images import load_image
from imagedataextractor.records import Box

BARE = {"scale_bar": None, "info_bar": None, "letter": None}


def outer(image, extent="own"):
    return [panel for panel in split_figure(image, extent=extent) if panel.parent is None]


def micrograph(seed, shape=(480, 640), kind="sem", **options):
    return draw_micrograph(np.random.default_rng(seed), shape=shape, kind=kind, **{**BARE, **options})


@pytest.mark.parametrize("appended", [False, True])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_micrograph_with_a_data_bar_is_one_panel_and_its_bar_is_found(maker, appended):
    rng = np.random.default_rng((3, appended, *maker.encode()))
    image, _, box = draw_data_bar(rng, micrograph(5).image, 2.0, maker=maker, appended=appended)
    (panel,) = outer(image)
    assert panel.box == Box(0, 0, image.shape[1], image.shape[0])
    assert panel.kind == "em"
    assert panel.info_bar is not None
    assert abs(panel.info_bar.box.y0 - box.y0) <= 4


@pytest.mark.parametrize("seed", range(2))
def test_bright_particles_on_black_are_one_micrograph(seed):
    """The dark between them is no gutter, and they are no spots of a diffraction pattern."""
    image = micrograph(seed, kind="stem", arrangement="clusters", median_diameter_px=14, coverage=0.1).image
    image = np.clip(image.astype(int) - int(np.median(image)), 0, 255).astype(np.uint8)
    (panel,) = outer(image)
    assert (panel.kind, panel.box) == ("em", Box(0, 0, 640, 480))


def test_margins_of_paper_are_left_out():
    image = np.full((520, 700), 255, np.uint8)
    image[20:500, 30:670] = np.minimum(micrograph(2).image, 240)
    (panel,) = outer(image)
    assert panel.box == Box(30, 20, 670, 500)


@pytest.mark.parametrize("paper", [255, 0])
@pytest.mark.parametrize("gutter", [4, 20])
def test_panels_with_paper_between_them_are_a_figure(paper, gutter):
    image = np.full((480, 1280 + gutter), paper, np.uint8)
    for i in (0, 1):
        part = np.clip(micrograph(10 + i, kind="sem").image, 30, 225)
        image[:, i * (640 + gutter) : i * (640 + gutter) + 640] = part
    assert len(outer(image)) == 2
    assert len(outer(image, "whole")) == 1


def test_by_hand_a_picture_is_whole_and_a_micrograph_whatever_it_looks_like():
    page = np.full((300, 400), 255, np.uint8)
    cv2.line(page, (40, 260), (380, 260), 0, 2)
    cv2.line(page, (40, 20), (40, 260), 0, 2)
    (panel,) = outer(page, "whole")
    assert (panel.kind, panel.kind_score, panel.measurable) == ("em", 1.0, True)


@pytest.mark.parametrize("seed", range(6))
def test_particles_on_plain_ground_at_the_foot_are_no_data_bar(seed):
    """With the scale bar of an author among them, too."""
    clump = micrograph(
        seed,
        shape=(100, 640),
        kind=("sem", "tem")[seed % 2],
        arrangement="clusters",
        median_diameter_px=14,
        coverage=0.15,
        scale_bar="plain" if seed % 3 else None,
    )
    ground = np.where(clump.label_map > 0, int(np.median(clump.image)), clump.image).astype(np.uint8)
    image = np.concatenate([ground[:60], ground[::-1][:60]] * 3 + [clump.image])
    assert find_info_bar(image) is None


def test_real_micrographs_stay_whole_and_real_figures_are_cut_as_before(shared):
    names = sorted((shared / "emps-train" / "images").iterdir())[::120]
    kinds = [[(p.kind, p.box.area / load_image(path).size) for p in outer(load_image(path))] for path in names]
    assert all(len(found) == 1 and found[0][0] == "em" for found in kinds)
    labels = json.loads((shared / "figures" / "panels.json").read_text())
    several = [figure["file"] for figure in labels if len(figure["panels"]) > 1][:2]
    for name in several:
        image = load_image(shared / "figures" / name)
        assert split_figure(image, extent="own") == split_figure(image)
