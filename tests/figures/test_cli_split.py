"""`ide split`, as a user runs it."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from imagedataextractor.cli.split import command
from imagedataextractor.figures.picture import KIND_COLOURS, draw_panels
from imagedataextractor.records import Box, Panel


@pytest.fixture
def figure(tmp_path):
    rng = np.random.default_rng(0)
    image = np.full((200, 420), 255, np.uint8)
    for x in (0, 220):
        image[:, x : x + 200] = cv2.GaussianBlur(rng.integers(0, 256, (200, 200)).astype(np.uint8), (0, 0), 2)
    path = tmp_path / "figure.png"
    cv2.imwrite(str(path), image)
    return path


def test_json_is_one_object_a_figure(figure):
    result = CliRunner().invoke(command, ["--json", "--ocr", "none", str(figure), str(figure)])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [line["file"] for line in lines] == [str(figure)] * 2
    assert [p["x0"] for p in lines[0]["panels"]] == [0, 220]
    assert {"x0", "y0", "x1", "y1", "label", "kind", "kind_score"} <= set(lines[0]["panels"][0])


def test_the_picture_is_drawn(figure, tmp_path):
    out = tmp_path / "out.png"
    result = CliRunner().invoke(command, ["--ocr", "none", "--picture", str(out), str(figure)])
    assert result.exit_code == 0
    assert cv2.imread(str(out)).shape == (200, 420, 3)
    assert "2 panels" in result.stdout


def test_a_very_large_figure_is_drawn_smaller():
    image = np.full((9000, 300), 255, np.uint8)
    panel = Panel(index=0, box=Box(90, 2250, 210, 4500), kind="em", kind_score=1.0)
    drawn = draw_panels(image, [panel])
    assert drawn.shape == (4000, 133, 3)
    outlined = np.flatnonzero((drawn[:, 66] == KIND_COLOURS["em"]).all(axis=1))
    assert abs(outlined[0] - 1000) <= 8
    assert abs(outlined[-1] - 2000) <= 8


def test_a_bad_file_is_named_and_the_others_are_done(figure, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    result = CliRunner().invoke(command, ["--json", "--ocr", "none", str(broken), str(figure)])
    assert result.exit_code == 1
    assert "broken.jpg" in result.stderr
    assert len(result.stdout.splitlines()) == 1
