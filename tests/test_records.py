"""The values that pass between stages: boxes."""

from __future__ import annotations

import pytest

from imagedataextractor.records import Box

PANEL = Box(100, 50, 500, 350)


@pytest.mark.parametrize(
    ("bar", "left"),
    [
        (None, Box(0, 0, 400, 300)),
        (Box(0, 260, 400, 300), Box(0, 0, 400, 260)),
        (Box(0, 0, 400, 30), Box(0, 30, 400, 300)),
        (Box(0, 100, 400, 200), Box(0, 0, 400, 300)),  # no data bar: less than half would be left
    ],
)
def test_a_panel_is_measured_beside_its_data_bar(bar, left):
    assert PANEL.without_info_bar(bar) == left


def test_boxes_that_do_not_meet_have_nothing_in_common():
    assert Box(0, 0, 4, 4).intersection(Box(6, 1, 9, 3)).area == 0
    assert Box(0, 0, 4, 4).iou(Box(6, 1, 9, 3)) == 0
    assert Box(0, 0, 4, 4).iou(Box(2, 0, 6, 4)) == pytest.approx(1 / 3)
