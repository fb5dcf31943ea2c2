"""Pictures of every kind come out as plain 8-bit arrays; broken ones as one clear line."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from imagedataextractor import images
from imagedataextractor.errors import InputError
from imagedataextractor.images import load_image, to_grey, to_rgb

GREY = np.tile(np.arange(60, dtype=np.uint8) * 4, (40, 1))
RGB = np.dstack([GREY, GREY[:, ::-1], np.full_like(GREY, 9)])


def saved(tmp_path, array, name, mode=None, **options):
    picture = Image.fromarray(array)
    if mode:
        picture = picture.convert(mode)
    picture.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.gif"])
def test_grey_pictures_keep_their_values(tmp_path, name):
    pixels = load_image(saved(tmp_path, GREY, name))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, GREY)


def test_colour_stays_colour_and_grey_stored_as_colour_becomes_grey(tmp_path):
    assert np.array_equal(load_image(saved(tmp_path, RGB, "a.png")), RGB)
    assert load_image(saved(tmp_path, np.dstack([GREY] * 3), "b.png")).shape == (40, 60)


def test_sixteen_bits_are_stretched_over_their_own_range(tmp_path):
    deep = (GREY.astype(np.uint16) * 17 + 1000).astype(np.uint16)
    for name in ("a.png", "a.tif"):
        pixels = load_image(saved(tmp_path, deep, name))
        assert pixels.min() == 0
        assert pixels.max() == 255
        assert np.all(np.diff(pixels[0].astype(int)) >= 0)


def test_hot_pixels_and_a_burned_in_bar_leave_a_sixteen_bit_picture_its_contrast(tmp_path):
    y, x = np.mgrid[:300, :400]
    scene = 300 + 2000 * ((x - 200) ** 2 + (y - 150) ** 2 < 60**2) + np.random.default_rng(0).normal(0, 50, (300, 400))
    plain = np.clip(scene, 0, None).astype(np.uint16)
    spoilt = plain.copy()
    spoilt[280:290, 300:390] = 65535
    spoilt[[3, 7], [5, 9]] = 60_000, 0
    pixels = load_image(saved(tmp_path, spoilt, "a.tif"))
    assert np.abs(pixels[:270].astype(int) - load_image(saved(tmp_path, plain, "b.tif"))[:270]).mean() < 3
    assert np.all(pixels[280:290, 300:390] == 255)


def test_a_sixteen_bit_mask_keeps_its_two_levels(tmp_path):
    mask = np.where(np.median(GREY) < GREY, 3, 1).astype(np.uint16)
    assert set(np.unique(load_image(saved(tmp_path, mask, "a.png")))) == {0, 255}


def test_a_float_picture_with_a_hole_is_read(tmp_path):
    deep = GREY.astype(np.float32)
    deep[0, 0] = np.nan
    assert load_image(saved(tmp_path, deep, "a.tif")).max() == 255


def test_a_flat_sixteen_bit_picture_is_black_rather_than_an_error(tmp_path):
    assert not load_image(saved(tmp_path, np.full((9, 9), 777, np.uint16), "a.png")).any()


@pytest.mark.parametrize("mode", ["P", "CMYK", "1", "YCbCr"])
def test_other_colour_modes_become_rgb_or_grey(tmp_path, mode):
    pixels = load_image(saved(tmp_path, RGB, "a.tif" if mode in ("CMYK", "YCbCr") else "a.png", mode))
    assert pixels.dtype == np.uint8
    assert pixels.shape[:2] == (40, 60)


def test_transparency_is_laid_on_white(tmp_path):
    rgba = np.dstack([RGB, np.zeros_like(GREY)])
    rgba[:, :30, 3] = 255
    pixels = load_image(saved(tmp_path, rgba, "a.png"))
    assert np.array_equal(pixels[:, :30], RGB[:, :30])
    assert (pixels[:, 30:] == 255).all()


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    first, second = Image.fromarray(GREY), Image.fromarray(255 - GREY)
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert np.array_equal(load_image(tmp_path / "a.gif"), GREY)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"not a picture", "cannot be read"), (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "cannot be read")],
)
def test_what_is_no_picture_is_one_clear_line(tmp_path, content, message):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_a_truncated_file_is_an_error_and_not_half_a_picture(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200)).astype(np.uint8)
    path = saved(tmp_path, noise, name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be read"):
        load_image(path)


def test_an_absent_file_and_a_folder_are_errors(tmp_path):
    for path, message in ((tmp_path / "none.png", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(InputError, match=message):
            load_image(path)


def test_an_absurdly_large_picture_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    with pytest.raises(InputError, match="more than the limit"):
        load_image(saved(tmp_path, GREY, "a.png"))


def test_a_picture_that_only_claims_to_be_large_is_an_error(tmp_path):
    path = saved(tmp_path, GREY, "a.png")
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 20_000, 20_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read"):
        load_image(path)


def test_conversions_between_grey_and_colour():
    assert np.array_equal(to_grey(to_rgb(GREY)), GREY)
    assert to_rgb(RGB) is RGB
    assert to_grey(RGB).shape == GREY.shape


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_the_camera_s_turn_is_applied(tmp_path, suffix):
    picture = Image.fromarray(np.ascontiguousarray(RGB[:32]))
    upright = {
        1: RGB[:32],
        2: RGB[:32, ::-1],
        3: np.rot90(RGB[:32], 2),
        4: RGB[:32][::-1],
        5: RGB[:32].swapaxes(0, 1),
        6: np.rot90(RGB[:32], -1),
        7: np.rot90(RGB[:32], 2).swapaxes(0, 1),
        8: np.rot90(RGB[:32], 1),
    }
    for orientation, expected in upright.items():
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        path = tmp_path / f"{orientation}{suffix}"
        picture.save(path, exif=exif, **({"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}))
        pixels = load_image(path)
        assert pixels.shape == expected.shape
        assert np.abs(pixels.astype(int) - expected).max() <= 4


MODES = {
    "grey.png": lambda: Image.fromarray(GREY),
    "grey_as_colour.png": lambda: Image.fromarray(np.dstack([GREY] * 3)),
    "late_colour.png": lambda: Image.fromarray(np.concatenate([np.dstack([GREY] * 3), RGB])),
    "alpha.png": lambda: Image.fromarray(np.dstack([RGB, GREY])),
    "grey_alpha.png": lambda: Image.fromarray(np.dstack([GREY, GREY[::-1]]), "LA"),
    "palette.gif": lambda: Image.fromarray(RGB).quantize(16),
    "bits.png": lambda: Image.fromarray(GREY).convert("1"),
    "cmyk.tif": lambda: Image.fromarray(RGB).convert("CMYK"),
    "deep.png": lambda: Image.fromarray(GREY.astype(np.uint16) * 99 + 7),
    "float.tif": lambda: Image.fromarray(GREY.astype(np.float32) / 7),
}


@pytest.mark.parametrize("name", MODES)
def test_pictures_converted_in_strips_are_the_same(tmp_path, monkeypatch, name):
    MODES[name]().save(tmp_path / name)
    whole = load_image(tmp_path / name)
    grey = to_grey(whole)
    monkeypatch.setattr(images, "STRIP_PIXELS", 7 * GREY.shape[1] + 3)
    assert np.array_equal(load_image(tmp_path / name), whole)
    assert np.array_equal(to_grey(whole), grey)


MEMORY = """
import re, sys
import numpy, PIL.Image
from imagedataextractor import images

def peak_bytes():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

images.STRIP_PIXELS = 200_000
PIL.Image.init()
before = peak_bytes()
pixels = images.load_image(sys.argv[1])
print((peak_bytes() - before) / (pixels.shape[0] * pixels.shape[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is asked of /proc")
@pytest.mark.parametrize(
    "name", ["rgb.png", "rgb.jpg", "rgba.png", "palette.gif", "cmyk.tif", "deep.tif", "turned.jpg"]
)
def test_reading_takes_little_more_memory_than_the_pixels(tmp_path, name):
    field = np.linspace(0, 255, 3000, dtype=np.uint8)
    picture = Image.fromarray(
        np.dstack([np.tile(field, (3000, 1)), np.tile(field[:, None], (1, 3000)), np.full((3000, 3000), 9, np.uint8)])
    )
    exif = Image.Exif()
    if name == "turned.jpg":
        exif[ExifTags.Base.Orientation] = 6
    modes = {"rgba.png": "RGBA", "palette.gif": "P", "cmyk.tif": "CMYK"}
    if name == "deep.tif":
        picture = Image.fromarray(np.asarray(picture)[..., 0].astype(np.uint16) * 200)
    picture.convert(modes.get(name, picture.mode)).save(tmp_path / name, **({"exif": exif} if exif else {}))
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / name)], capture_output=True, text=True, check=True
    )
    assert float(run.stdout) < 8.5, "bytes a pixel: 4 in the decoder, 3 in the array, and strips"
