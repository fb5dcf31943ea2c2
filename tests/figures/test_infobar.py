"""Data bars of the instruments: found, and their words understood."""

import cv2
import numpy as np
import pytest

from imagedataextractor.figures.panels.infobar import find_info_bar, parse_info
from imagedataextractor.records import Box

BOX = Box(0, 0, 10, 10)


def micrograph(height=300, width=400, seed=0):
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 4)
    return np.clip(110 + 400 * field + rng.normal(0, 8, field.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("ground", "ink"), [(0, 255), (255, 0), (40, 230)])
def test_a_bar_at_the_lower_edge_is_found_to_a_pixel_or_two(ground, ink):
    image = micrograph()
    image[270:] = ground
    cv2.putText(image, "5.0kV x30,000 SE 1um", (10, 290), cv2.FONT_HERSHEY_SIMPLEX, 0.6, ink, 1, cv2.LINE_AA)
    box = find_info_bar(image)
    assert box is not None
    assert (box.x0, box.x1, box.y1) == (0, 400, 300)
    assert abs(box.y0 - 270) <= 3


def test_a_micrograph_without_a_bar_has_none():
    assert find_info_bar(micrograph()) is None


def test_a_dark_micrograph_with_particles_is_no_bar():
    image = np.full((300, 400), 10, np.uint8)
    for x in range(40, 400, 60):
        cv2.circle(image, (x, 150), 20, 200, -1)
    assert find_info_bar(image) is None


@pytest.mark.parametrize(
    ("text", "kv", "times", "detector"),
    [
        ("S4800 5.0kV 8.5mm x30.0k SE(M) 1.00um", 5.0, 30000.0, None),
        ("EHT = 15.00 kV Mag = 25.00 K X Signal A = InLens", 15.0, 25000.0, "InLens"),
        ("HV 200 kV mag 50 000 x HAADF", 200.0, 50000.0, "HAADF"),
        ("WD 4.2 mm", None, None, None),
    ],
)
def test_voltage_magnification_and_detector_are_understood(text, kv, times, detector):
    info = parse_info(BOX, [text])
    assert (info.voltage_kv, info.magnification, info.detector) == (kv, times, detector)


@pytest.mark.parametrize(("style", "detector"), [("zeiss", "InLens"), ("jeol", "SEI")])
def test_a_drawn_bar_is_found_excluded_and_read(style, detector):
    from imagedataextractor.artificial.annotations import draw_info_bar
    from imagedataextractor.figures import split_figure
    from imagedataextractor.ocr import load_engine

    image = micrograph(700, 960, seed=3)
    barred, _, box = draw_info_bar(np.random.default_rng(1), image, 2.0, style=style)
    panel = split_figure(barred, ocr=load_engine("rapidocr"))[0]
    assert panel.kind == "em"
    bar = panel.info_bar
    assert bar is not None
    assert bar.box.iou(box) > 0.9
    assert bar.voltage_kv in (2.0, 5.0, 10.0, 15.0, 20.0)
    assert bar.magnification == pytest.approx(1.2e8 / (2.0 * 960), rel=0.02)
    assert bar.detector == detector
