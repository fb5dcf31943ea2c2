"""The pixel size in a TIFF's tags: each program's way of writing it, and all that is no scale."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from imagedataextractor.records import ScaleBar, Witness
from imagedataextractor.scalebar import FileScale, read_file_scale, user_scale, with_file_scale

ASCII, BYTE, SHORT, RATIONAL, UNDEFINED = 2, 1, 3, 5, 7

FEI = (
    "[User]\r\nDate=06/10/2026\r\n\r\n[Beam]\r\nBeam=EBeam\r\nHV=5000\r\n\r\n[Scan]\r\nDwelltime=3e-006\r\n"
    "PixelWidth=1.5e-009\r\nPixelHeight=1.5e-009\r\nHorFieldsize=9.6e-008\r\n\r\n[Image]\r\nResolutionX=64\r\n"
)
ZEISS = (
    "\r\n0\r\n0\r\n1.234000e-009\r\nDP_PIXEL_SIZE\r\nPix Size state = calibrated\r\nAP_MAG\r\nMag = 10.00 K X\r\n"
    "AP_PIXEL_SIZE\r\nPixel Size = 9.9 nm\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 1.234 nm\r\n"
)


def tiff(path, tags, size=(64, 48)):
    """A TIFF with tags: number → (type, value)."""
    info = ImageFileDirectory_v2()
    for number, (kind, value) in tags.items():
        info.tagtype[number] = kind
        info[number] = value
    Image.fromarray(np.zeros(size[::-1], np.uint8)).save(path, tiffinfo=info)
    # Pillow writes no Latin-1 into text, as ImageJ and SmartSEM do.
    path.write_bytes(path.read_bytes().replace(b"~m", b"\xb5m"))
    return path


def imagej(unit, across, down=None, more="", kind=1):
    text = f"ImageJ=1.54f\n{f'unit={unit}' if unit is not None else ''}\n{more}min=0.0\nmax=255.0\n"
    down = across if down is None else down
    return {270: (ASCII, text), 282: (RATIONAL, across), 283: (RATIONAL, down), 296: (SHORT, kind)}


@pytest.mark.parametrize(
    ("unit", "across", "nm"),
    [
        ("nm", 0.5, 2.0),
        ("um", 250, 4.0),
        ("~m", 250, 4.0),
        ("?m", 250, 4.0),
        ("\\u00B5m", 250, 4.0),
        ("micron", 250, 4.0),
        ("micrometers", 250, 4.0),
        ("nanometers", 0.5, 2.0),
        ("\\u00C5", 0.25, 0.4),
        ("Angstrom", 0.25, 0.4),
        ("mm", 250_000, 4.0),
        ("pm", 0.004, 0.25),
    ],
)
def test_imagej_states_pixels_per_unit(tmp_path, unit, across, nm):
    found = read_file_scale(tiff(tmp_path / "a.tif", imagej(unit, across)))
    assert found.writer == "ImageJ"
    assert found.nm_per_px == pytest.approx(nm, rel=1e-4)


def test_a_micro_sign_in_utf_8_is_understood(tmp_path):
    tags = imagej("um", 250) | {270: (UNDEFINED, "ImageJ=1.54f\nunit=µm\n".encode())}
    assert read_file_scale(tiff(tmp_path / "a.tif", tags)).nm_per_px == pytest.approx(4)


def test_what_imagej_makes_of_a_print_resolution_is_no_scale(tmp_path):
    """It gives every picture that it opens with dots an inch the unit "inch"."""
    for name, tags in {
        "inch": imagej("inch", 300, kind=2),
        "cm": imagej("cm", 118, kind=3),
        "pixel": imagej("pixel", 1),
        "none": imagej(None, 300),
    }.items():
        assert read_file_scale(tiff(tmp_path / f"{name}.tif", tags)) is None, name
    copied = read_file_scale(tiff(tmp_path / "b.tif", imagej("nm", 300, kind=2)))
    assert copied.nm_per_px is None
    assert "print" in copied.reason


@pytest.mark.parametrize("number", [34680, 34682])
@pytest.mark.parametrize(("kind", "value"), [(ASCII, FEI), (BYTE, FEI.encode()), (UNDEFINED, FEI.encode() + b"\0")])
def test_fei_states_metres_in_its_scan_section(tmp_path, number, kind, value):
    found = read_file_scale(tiff(tmp_path / "a.tif", {number: (kind, value)}))
    assert (found.writer, found.reason) == ("FEI", None)
    assert found.nm_per_px == pytest.approx(1.5)


def test_fei_without_a_scan_section_has_the_beams(tmp_path):
    beam = FEI.replace("[Scan]", "[EScan]")
    assert read_file_scale(tiff(tmp_path / "a.tif", {34682: (ASCII, beam)})).nm_per_px == pytest.approx(1.5)
    both = beam + "[IScan]\r\nPixelWidth=3e-009\r\nPixelHeight=3e-009\r\n"
    assert "several beams" in read_file_scale(tiff(tmp_path / "b.tif", {34682: (ASCII, both)})).reason


@pytest.mark.parametrize(("stated", "nm"), [("1.234 nm", 1.234), ("558.2 pm", 0.5582), ("2.5 ~m", 2500.0)])
def test_zeiss_states_the_size_of_the_stored_pixel(tmp_path, stated, nm):
    text = ZEISS.replace("1.234 nm", stated)
    found = read_file_scale(tiff(tmp_path / "a.tif", {34118: (ASCII, text)}))
    assert found.writer == "Zeiss"
    assert found.nm_per_px == pytest.approx(nm)


def test_zeiss_pixel_size_alone_is_that_of_a_display_of_1024_pixels(tmp_path):
    tags = {34118: (ASCII, "AP_PIXEL_SIZE\r\nPixel Size = 10.0 nm\r\n")}
    for width, nm in ((1024, 10.0), (2048, 5.0), (512, 20.0)):
        found = read_file_scale(tiff(tmp_path / f"{width}.tif", tags, size=(width, 20)))
        assert found.nm_per_px == pytest.approx(nm)
    assert "display" in read_file_scale(tiff(tmp_path / "cut.tif", tags, size=(700, 20))).reason


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (imagej("nm", 1, 2), "not square"),
        (imagej("nm", 1, 1, more="yunit=um\n"), "not square"),
        (imagej("nm", 1e-6), "absurd"),
        (imagej("nm", 1e6), "absurd"),
        (imagej("nm", 0), "resolution"),
        (imagej("furlong", 1), "no unit"),
        ({270: (ASCII, "ImageJ=1.54f\nunit=nm\n")}, "missing"),
        ({34682: (ASCII, FEI.replace("1.5e-009", "0"))}, "absurd"),
        ({34682: (ASCII, FEI.replace("1.5e-009", "-1.5e-009"))}, "absurd"),
        ({34682: (ASCII, FEI.replace("1.5e-009", "nan"))}, "nan"),
        ({34682: (ASCII, FEI.replace("1.5e-009", "inf"))}, "inf"),
        ({34682: (ASCII, FEI.replace("1.5e-009", "narrow"))}, "narrow"),
        ({34682: (ASCII, FEI.replace("PixelHeight", "Pixelheight"))}, "missing"),
        ({34682: (ASCII, FEI.replace("PixelHeight=1.5", "PixelHeight=1.6"))}, "not square"),
        ({34682: (ASCII, FEI.replace("ResolutionX=64", "ResolutionX=128"))}, "128 px wide"),
        ({34118: (ASCII, ZEISS.replace("1.234 nm", "1.234"))}, "no unit"),
        ({34118: (ASCII, ZEISS + "DP_IMAGE_STORE\r\nStore resolution = 1024 * 768\r\n")}, "1024 px wide"),
        ({34118: (ASCII, ZEISS.replace("1.234 nm", "0.005 nm"))}, "wide"),
        ({34118: (ASCII, ZEISS), 34682: (ASCII, FEI)}, "conflict: FEI 1.5 nm, Zeiss 1.234 nm"),
    ],
)
def test_what_cannot_be_believed_is_no_scale_and_has_a_reason(tmp_path, tags, reason):
    found = read_file_scale(tiff(tmp_path / "a.tif", tags))
    assert found.nm_per_px is None
    assert reason in found.reason
    assert "\n" not in found.reason


def test_a_believable_program_speaks_where_another_cannot_be_believed(tmp_path):
    """A micrograph scaled down in a program that keeps foreign tags and states its own size."""
    tags = imagej("nm", 0.25) | {34682: (ASCII, FEI.replace("ResolutionX=64", "ResolutionX=128"))}
    found = read_file_scale(tiff(tmp_path / "a.tif", tags))
    assert (found.writer, found.nm_per_px) == ("ImageJ", 4.0)


def test_the_print_resolution_is_never_a_scale(tmp_path):
    picture = Image.fromarray(np.zeros((48, 64), np.uint8))
    for suffix in ("tif", "png", "jpg"):
        picture.save(tmp_path / f"a.{suffix}", dpi=(300, 300))
        assert read_file_scale(tmp_path / f"a.{suffix}") is None
    described = {270: (ASCII, "unit=nm"), 282: (RATIONAL, 2.0), 283: (RATIONAL, 2.0), 296: (SHORT, 1)}
    assert read_file_scale(tiff(tmp_path / "b.tif", described)) is None


def test_whatever_bytes_the_tags_hold_nothing_is_raised(tmp_path):
    kinds = (imagej("nm", 0.5), {34682: (ASCII, FEI)}, {34118: (ASCII, ZEISS)})
    whole = [tiff(tmp_path / "a.tif", tags).read_bytes() for tags in kinds]
    chance = random.Random(7)
    answers = set()
    for _ in range(200):
        broken = bytearray(chance.choice(whole))
        for _ in range(chance.choice([1, 3, 20])):
            broken[chance.randrange(8, len(broken))] = chance.randrange(256)
        if chance.random() < 0.2:
            del broken[chance.randrange(8, len(broken)) :]
        (tmp_path / "b.tif").write_bytes(broken)
        found = read_file_scale(tmp_path / "b.tif")
        if found is not None:
            assert (found.nm_per_px is None) == (found.reason is not None)
        answers.add("silent" if found is None else "refused" if found.nm_per_px is None else "believed")
    assert answers == {"silent", "refused", "believed"}
    assert read_file_scale(tiff(tmp_path / "c.tif", {34682: (UNDEFINED, bytes(range(256)) * 40)})) is None


BAR = ScaleBar(value=200, unit="nm", length_px=100, nm_per_px=2.0, confidence=0.9, text="200 nm", source="bar")
NOTHING = ScaleBar(reason="no scale bar found")


def test_the_files_scale_fills_what_no_bar_gives():
    found = with_file_scale(NOTHING, FileScale("FEI", 1.5))
    assert (found.nm_per_px, found.source, found.text, found.reason) == (1.5, "file", "FEI tags", None)
    assert 0 < found.confidence < 1
    refused = with_file_scale(NOTHING, FileScale("FEI", reason="pixels of 1 x 2 nm are not square"))
    assert refused.nm_per_px is None
    assert refused.reason == "no scale bar found; the file's FEI tags give none: pixels of 1 x 2 nm are not square"


def test_a_read_bar_stands_and_a_tag_that_differs_is_named():
    assert with_file_scale(BAR, FileScale("Zeiss", 2.1)) == BAR
    assert with_file_scale(BAR, FileScale("Zeiss", reason="absurd")) == BAR
    doubted = with_file_scale(BAR, FileScale("Zeiss", 1.0))
    assert (doubted.nm_per_px, doubted.source, doubted.confidence) == (2.0, "bar", 0.9)
    assert "2 nm/px" in doubted.reason
    assert "Zeiss tags say 1 nm/px" in doubted.reason


def test_a_bar_that_is_not_trusted_gives_way_and_is_named_where_it_differs():
    unsure = replace(BAR, nm_per_px=None, confidence=0.4, reason="confidence 0.40 is below 0.70")
    assert with_file_scale(unsure, FileScale("FEI", 2.02)).reason is None
    found = with_file_scale(unsure, FileScale("FEI", 0.2))
    assert (found.nm_per_px, found.source, found.value) == (0.2, "file", None)
    assert "the bar reads 200 nm" in found.reason


def test_the_user_always_wins():
    mine = user_scale(7)
    assert with_file_scale(mine, FileScale("FEI", 1.5)) == mine


def test_a_file_that_says_the_same_is_a_witness():
    assert with_file_scale(BAR, FileScale("Zeiss", 2.01)).witnesses == (Witness.FILE,)
    unsure = replace(BAR, nm_per_px=None, confidence=0.4)
    assert with_file_scale(unsure, FileScale("Zeiss", 2.01)).witnesses == (Witness.BAR,)
