"""Pictures of every kind come out as plain 8-bit arrays; broken ones as one clear line."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

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
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(InputError, match="no such file"):
            load_image(path)


def test_an_absurdly_large_picture_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    with pytest.raises(InputError, match="more than the limit"):
        load_image(saved(tmp_path, GREY, "a.png"))


def test_conversions_between_grey_and_colour():
    assert np.array_equal(to_grey(to_rgb(GREY)), GREY)
    assert to_rgb(RGB) is RGB
    assert to_grey(RGB).shape == GREY.shape
