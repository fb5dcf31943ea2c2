"""Insets: pictures laid over pictures, and what only looks like one."""

import cv2
import numpy as np
import pytest

from imagedataextractor.figures.panels.insets import find_insets
from imagedataextractor.records import Box


def texture(height, width, mean, seed):
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 5)
    return np.clip(mean + 300 * field + rng.normal(0, 6, field.shape), 5, 235).astype(np.uint8)


INSET = Box(360, 20, 580, 200)


@pytest.mark.parametrize("mean", [40, 190])
def test_a_darker_or_lighter_picture_is_found(mean):
    image = texture(420, 600, 110, 0)
    image[INSET.slices] = texture(INSET.height, INSET.width, mean, 1)
    (found,) = find_insets(image)
    assert found.box.iou(INSET) > 0.85


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (255, 0, 255)])
def test_an_outline_drawn_around_a_detail_is_no_inset(colour):
    image = np.repeat(texture(420, 600, 110, 0)[..., None], 3, axis=2)
    image[80:260, 200:420] = np.clip(image[80:260, 200:420].astype(int) + 2, 0, 255)
    cv2.rectangle(image, (200, 80), (420, 260), colour, 2)
    assert find_insets(image) == []


def test_a_spectrum_on_blue_as_dark_as_the_micrograph_is_found():
    image = np.repeat(texture(420, 600, 45, 0)[..., None], 3, axis=2)
    box = Box(0, 140, 350, 420)
    image[box.slices] = (5, 50, 105)
    for x in (50, 110, 300):
        cv2.line(image, (x, 410), (x, 300), (240, 230, 0), 5)
    found = find_insets(image)
    assert len(found) == 1
    assert found[0].box.iou(box) > 0.8
