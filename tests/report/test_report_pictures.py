"""Overlays and plots: the right colours in the right places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagedataextractor.errors import InputError
from imagedataextractor.measurement import measure_particles
from imagedataextractor.records import ParticleTable, ScaleBar
from imagedataextractor.report import COLOURS, draw_overlay


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


@pytest.fixture
def particles() -> ParticleTable:
    labels = np.zeros((600, 1200), np.int32)
    labels[100:200, 100:200] = 1  # accepted
    labels[300:400, 0:100] = 2  # border
    labels[300:400, 500:600] = 3  # uncertain
    return measure_particles(labels, filtered=[False, False, True])


def near(picture: np.ndarray, y: int, x: int, colour: str) -> bool:
    """The colour occurs within two pixels of (y, x)."""
    patch = picture[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].reshape(-1, 3).astype(int)
    return bool((np.abs(patch - rgb(colour)).max(axis=1) < 40).any())


def test_each_state_has_its_colour_and_lies_on_the_edge(particles: ParticleTable, tmp_path: Path) -> None:
    bar = ScaleBar(x0=900.0, x1=1100.0, y=550.0, nm_per_px=2.0)
    draw_overlay(np.full((600, 1200), 90, np.uint8), particles, bar, tmp_path / "new" / "overlay.png")
    picture = np.asarray(Image.open(tmp_path / "new" / "overlay.png"))

    assert picture.shape[1] == 1200
    assert picture.shape[0] > 600  # the legend is below, not over the picture
    assert near(picture, 100, 150, COLOURS["accepted"])
    assert near(picture, 350, 100, COLOURS["border"])
    assert near(picture, 400, 550, COLOURS["uncertain"])
    assert near(picture, 550, 1000, COLOURS["scale bar"])
    assert tuple(picture[150, 115]) == tuple(picture[20, 600]) == (90, 90, 90)  # beside the particle's number


def test_small_pictures_are_enlarged_with_their_outlines(tmp_path: Path) -> None:
    labels = np.zeros((60, 100), np.int32)
    labels[20:40, 30:50] = 1
    colour = np.full((60, 100, 3), (10, 20, 30), np.uint8)
    draw_overlay(colour, measure_particles(labels), None, tmp_path / "overlay.png")
    picture = np.asarray(Image.open(tmp_path / "overlay.png"))

    assert picture.shape[1] == 400
    assert near(picture, 4 * 20, 4 * 40, COLOURS["accepted"])
    assert near(picture, 4 * 40, 4 * 40, COLOURS["accepted"])
    assert tuple(picture[4 * 24, 4 * 33]) == (10, 20, 30)


def test_an_overlay_that_cannot_be_written_says_so(particles: ParticleTable, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        draw_overlay(np.zeros((600, 1200), np.uint8), particles, None, tmp_path / "file" / "overlay.png")
