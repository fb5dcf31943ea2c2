"""What a panel shows, on drawn contents and real micrographs."""

import cv2
import numpy as np
import pytest

from imagedataextractor.artificial.contents import draw_content
from imagedataextractor.figures import split_figure
from imagedataextractor.figures.kinds.classify import FEATURES, KINDS, classify, describe
from imagedataextractor.figures.kinds.fringes import fringe_strength
from imagedataextractor.figures.letters.naming import CLEAR_FRINGES
from imagedataextractor.images import load_image, to_grey


@pytest.mark.parametrize("name", ["micrograph", "lattice", "plot", "schematic", "diffraction", "eds"])
def test_drawn_contents_are_told_apart(name):
    rng = np.random.default_rng(11)
    right = 0
    for _ in range(4):
        kind, picture = draw_content(rng, name, 260, 340)
        right += (classify(picture)[0] == "em") == (kind == "em")
    assert right >= 3


def test_real_micrographs_are_micrographs(shared):
    files = sorted((shared / "emps-train" / "images").glob("*.png"))[5::30]
    said = [classify(load_image(f))[0] for f in files]
    assert said.count("em") >= 0.9 * len(files)


def test_a_micrograph_is_called_so_only_where_that_is_likelier_than_all_else():
    _, picture = draw_content(np.random.default_rng(2), "micrograph", 260, 340)
    said = [classify(picture, {"em": float(chance)}) for chance in np.geomspace(1, 1e-5, 60)]
    scores = [score for kind, score in said if kind == "em"]
    assert 0 < len(scores) < len(said)
    assert min(scores) > 0.5


def test_faded_stains_are_no_micrographs_and_lone_bright_particles_are():
    rng = np.random.default_rng(6)
    stained = [draw_content(rng, "tissue", 240, 260)[1] for _ in range(8)]
    faded = [(p.mean(axis=2, keepdims=True) * 0.6 + 0.4 * p).astype(np.uint8) for p in stained]
    lone = [draw_content(rng, "lone_particles", 240, 260)[1] for _ in range(8)]
    assert sum(classify(p)[0] == "em" for p in faded) <= 1
    assert sum(classify(p)[0] == "em" for p in lone) >= 7


def test_scores_are_probabilities_and_the_caption_moves_them():
    _, picture = draw_content(np.random.default_rng(2), "micrograph", 260, 340)
    kind, score = classify(picture)
    assert kind == "em"
    assert 0 < score <= 1
    _, doubted = classify(picture, {"em": 0.25})
    assert doubted < score or classify(picture, {"em": 0.25})[0] != "em"


def test_every_number_is_finite_whatever_the_picture():
    for picture in (np.zeros((1, 1), np.uint8), np.full((50, 3, 3), 255, np.uint8), np.eye(64, dtype=np.uint8) * 255):
        values = describe(picture)
        assert values.shape == (len(FEATURES),)
        assert np.isfinite(values).all()
    assert set(KINDS) >= {"em", "plot", "schematic"}


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (20_000, 1), (12, 12, 3)])
def test_what_is_too_thin_to_be_seen_is_no_micrograph(shape):
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert classify(noise, {"em": 3.0}) == ("other", 1.0)


def test_fringes_stand_out_of_the_spectrum():
    rng = np.random.default_rng(4)
    y, x = np.mgrid[0:300, 0:300]
    noise = rng.normal(120, 20, (300, 300))
    waves = noise + 40 * np.sin(2 * np.pi * (0.6 * x + 0.8 * y) / 7)
    assert fringe_strength(np.clip(waves, 0, 255).astype(np.uint8)) > CLEAR_FRINGES
    assert fringe_strength(np.clip(noise, 0, 255).astype(np.uint8)) < 1.5


def test_micrographs_of_particles_show_no_fringes(shared):
    files = sorted((shared / "emps-train" / "images").glob("*.png"))[3::24]
    assert np.mean([fringe_strength(to_grey(load_image(f))) < CLEAR_FRINGES for f in files]) > 0.9


def test_the_edges_of_a_rod_are_no_fringes():
    image = np.full((400, 400), 60, np.uint8)
    cv2.line(image, (90, 60), (310, 330), 200, 24)
    noisy = np.clip(image + np.random.default_rng(1).normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    assert fringe_strength(noisy) < CLEAR_FRINGES


def test_bars_drawn_over_a_micrograph_are_a_plot(shared):
    figure = load_image(shared / "samples" / "jats" / "PMC7070767" / "molecules-25-00891-g003b.jpg")
    insets = [panel for panel in split_figure(figure) if panel.parent is not None and panel.box.x0 > 600]
    assert [panel.kind for panel in insets] == ["plot", "plot"]
