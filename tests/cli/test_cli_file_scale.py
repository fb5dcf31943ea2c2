"""The scale that a micrograph's own TIFF states, from the file to the rows."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.cli import ide
from imagedataextractor.records import Box, Panel

WIDTH, HEIGHT = 280, 220
FEI = f"[Scan]\r\nPixelWidth=1.5e-009\r\nPixelHeight=1.5e-009\r\n[Image]\r\nResolutionX={WIDTH}\r\n"
ZEISS = "AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 558.2 pm\r\nAP_WD\r\nWD = 4.1 mm\r\n"
KINDS = {
    "imagej": ({270: "ImageJ=1.54f\nunit=micron\n", 282: 500.0, 283: 500.0}, 2.0),
    "fei": ({34682: FEI}, 1.5),
    "zeiss": ({34118: ZEISS}, 0.5582),
    "dpi": ({282: 300.0, 283: 300.0, 296: 2}, None),
    "broken": ({34682: "[Scan]\r\nPixelWidth=wide\r\n"}, None),
}


@pytest.fixture(autouse=True)
def quiet_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def run(*arguments):
    return CliRunner().invoke(ide, [*map(str, arguments)])


def extract(*arguments):
    result = run("extract", "--mode", "discriminative", "--assume-em", *arguments)
    assert result.exit_code == 0, result.output
    return result


def micrograph(path, tags, seed=1, *, bar=None, nm_per_px=None):
    """A drawn micrograph with tags; without a bar nothing is printed on it."""
    drawn = draw_micrograph(
        np.random.default_rng(seed),
        shape=(HEIGHT, WIDTH),
        kind="sem",
        arrangement="scattered",
        nm_per_px=nm_per_px,
        scale_bar=bar,
        info_bar=None,
        letter=None,
    )
    info = ImageFileDirectory_v2()
    for number, value in tags.items():
        info.tagtype[number] = 2 if isinstance(value, str) else 3 if isinstance(value, int) else 5
        info[number] = value
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(drawn.image).save(path, tiffinfo=info)
    return drawn


def scales(path="particles.db"):
    """Of every picture: the scale's row, the segmentation's scale, and nm over px of every particle."""
    with sqlite3.connect(path) as connection:
        found = connection.execute(
            "SELECT f.label, b.nm_per_px, b.source, b.reason, s.nm_per_px, "
            "group_concat(DISTINCT round(p.ecd_nm / p.ecd_px, 4)), count(*) "
            "FROM figures f JOIN panels n ON n.figure_id = f.id JOIN scalebars b ON b.panel_id = n.id AND b.is_current "
            "JOIN segmentations s ON s.panel_id = n.id AND s.is_current "
            "JOIN particles p ON p.segmentation_id = s.id GROUP BY f.label"
        )
        return {row[0].partition(".")[0]: row[1:] for row in found}


def test_a_folder_of_tiffs_has_the_scales_that_the_files_state(tmp_path):
    for seed, (name, (tags, _)) in enumerate(KINDS.items()):
        micrograph(tmp_path / "mine" / f"{name}.tif", tags, seed + 60)
    extract("mine")
    rows = scales()
    assert rows.keys() == KINDS.keys()
    for name, (_, nm) in KINDS.items():
        stored, source, reason, of_segmentation, of_particles, count = rows[name]
        assert count > 0
        if nm is None:
            assert (stored, of_segmentation, of_particles) == (None, None, None)
            assert reason
            continue
        assert stored == pytest.approx(nm)
        assert of_segmentation == pytest.approx(nm)
        assert [float(x) for x in of_particles.split(",")] == [pytest.approx(nm, rel=1e-3)]
        assert (source, reason) == ("file", None)
    assert "FEI tags" in rows["broken"][2]
    assert "tags" not in rows["dpi"][2]


def test_a_scale_given_by_hand_wins_and_a_read_bar_stands_with_the_doubt_named(tmp_path):
    drawn = micrograph(tmp_path / "a.tif", KINDS["fei"][0], 3, bar="line", nm_per_px=5.0)
    extract("a.tif")
    nm, source, reason, *_ = scales()["a"]
    assert nm == pytest.approx(drawn.nm_per_px, rel=0.05)
    assert source == "bar"
    assert "FEI tags say 1.5 nm/px" in reason
    extract("a.tif", "--nm-per-px", "7")
    assert scales()["a"][:3] == (7.0, "user", None)


def test_ide_scalebar_says_the_same_and_where_it_is_from(tmp_path):
    micrograph(tmp_path / "a.tif", KINDS["zeiss"][0], 22)
    found = json.loads(run("scalebar", "--json", "a.tif").stdout)
    assert (found["nm_per_px"], found["source"], found["text"]) == (0.5582, "file", "Zeiss tags")
    assert found["value"] is None
    assert "Zeiss tags, 0.5582 nm/px" in run("scalebar", "a.tif").stdout


def test_a_figure_of_several_panels_does_not_have_the_files_scale(tmp_path, monkeypatch):
    """What the file states need not hold for pictures that were put together."""
    micrograph(tmp_path / "a.tif", KINDS["fei"][0], 21)
    half = WIDTH // 2
    halves = [
        Panel(i, Box(x, 0, x + half, HEIGHT), kind="em", kind_score=1.0) for i, x in enumerate((0, half))
    ]  # fmt: skip
    monkeypatch.setattr("imagedataextractor.pipeline.split_figure", lambda *_, **__: halves)
    extract("a.tif")
    with sqlite3.connect("particles.db") as connection:
        assert connection.execute("SELECT nm_per_px, source FROM scalebars").fetchall() == [(None, None)] * 2


def test_an_articles_figure_does_not_have_the_files_scale(tmp_path):
    micrograph(tmp_path / "paper" / "fig1.tif", KINDS["fei"][0], 21)
    (tmp_path / "paper" / "paper.xml").write_text(
        '<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta>'
        '<article-id pub-id-type="doi">10.1234/x</article-id><title-group><article-title>T</article-title>'
        "</title-group></article-meta></front><body><fig id='f1'><label>Figure 1</label><caption><p>SEM image of "
        "particles.</p></caption><graphic xlink:href='fig1.tif'/></fig></body></article>"
    )
    extract("paper")
    with sqlite3.connect("particles.db") as connection:
        assert connection.execute("SELECT nm_per_px FROM scalebars").fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("options", "nm_per_px"),
    [
        ({"scalebar": "1,000 nm", "bar_px": 250}, 4.0),
        ({"field_width": "1.28 um"}, 2.0),
        ({"nm_per_px": 0.42}, 0.42),
    ],
)
def test_a_scale_by_hand(options, nm_per_px):
    from imagedataextractor.options import choose
    from imagedataextractor.pipeline import _scale_by_hand

    _, manual = choose(options)
    assert manual.gives_scale
    bar = _scale_by_hand(manual, Panel(0, Box(0, 0, 640, 480)))
    assert (bar.nm_per_px, bar.confidence, bar.source) == (pytest.approx(nm_per_px), 1.0, "user")


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"bar_px": 100.0}, "--bar-px"),
        ({"scalebar": "200 nm", "field_width": "2 um"}, "use one"),
        ({"field_width": "10 nm-1"}, "field_width"),
        ({"scalebar": "0 nm"}, "no length"),
    ],
)
def test_a_scale_by_hand_that_is_none(given, word):
    from imagedataextractor.errors import UsageError
    from imagedataextractor.options import choose

    with pytest.raises(UsageError, match=word):
        choose(given)
