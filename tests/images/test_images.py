"""Pictures of every kind come out as plain 8-bit arrays; broken ones as one clear line."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageFile

from imagedataextractor.errors import InputError
from imagedataextractor.images import bounds, load_image, read_picture, to_grey, to_rgb

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
    monkeypatch.setattr(bounds, "MAX_PIXELS", 1000)
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


@pytest.mark.parametrize("stored", [RGB[:32], GREY[:32]], ids=["colour", "grey"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_the_camera_s_turn_is_applied(tmp_path, suffix, stored):
    picture = Image.fromarray(np.ascontiguousarray(stored))
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: np.rot90(stored, 2),
        4: stored[::-1],
        5: stored.swapaxes(0, 1),
        6: np.rot90(stored, -1),
        7: np.rot90(stored, 2).swapaxes(0, 1),
        8: np.rot90(stored, 1),
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
    monkeypatch.setattr(bounds, "STRIP_PIXELS", 7 * GREY.shape[1] + 3)
    assert np.array_equal(load_image(tmp_path / name), whole)
    assert np.array_equal(to_grey(whole), grey)


MEMORY = """
import re, sys
import numpy, PIL.Image
from imagedataextractor import images
from imagedataextractor.images import bounds

def peak_bytes():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

bounds.STRIP_PIXELS = 200_000
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


# ---------------------------------------------------------------- what Pillow does not read


def field(height=120, width=160, seed=0):
    """A picture with structure, 0 … 1."""
    rng = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(rng.random((height, width)), (0, 0), 4)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


FIELD = field()
KINDS = {
    "float64": FIELD * 3.7 - 1,
    "float16": (FIELD * 50).astype(np.float16),
    "float32": FIELD.astype(np.float32),
    "int64": (FIELD * 1e12).astype(np.int64),
    "uint64": (FIELD * 1e15).astype(np.uint64),
    "int32": (FIELD * 1e8 - 5e7).astype(np.int32),
    "uint32": (FIELD * 4e9).astype(np.uint32),
    "int16": (FIELD * 6e4 - 3e4).astype(np.int16),
    "uint16": (FIELD * 900 + 400).astype(np.uint16),
    "int8": (FIELD * 250 - 125).astype(np.int8),
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_tiff_of_any_kind_of_number_shows_the_same_picture(tmp_path, kind, order, compression):
    tifffile.imwrite(tmp_path / "a.tif", KINDS[kind], byteorder=order, compression=compression)
    pixels = load_image(tmp_path / "a.tif")
    assert pixels.shape == FIELD.shape
    assert np.abs(pixels - FIELD * 255).mean() < 4


def test_a_float64_picture_whose_holes_are_filled_with_the_largest_number_shows_what_is_there(tmp_path):
    values = FIELD.copy()
    shown = (values[3:] - values[3:].min()) / np.ptp(values[3:]) * 255
    values[:3] = np.finfo(np.float64).max
    tifffile.imwrite(tmp_path / "a.tif", values)
    assert np.abs(load_image(tmp_path / "a.tif")[3:] - shown).mean() < 4


@pytest.mark.parametrize("name", ["a.tif", "planes.tif", "packed.tif", "a.png", "alpha.png"])
def test_sixteen_bit_colours_are_stretched_from_their_own_range(tmp_path, name):
    """A camera of 12 bits leaves sixteen-bit colours all but black."""
    colours = np.dstack([FIELD * 3000, FIELD * 2000, FIELD * 1000 + 500]).astype(np.uint16)
    path = tmp_path / name
    if name == "planes.tif":
        tifffile.imwrite(path, np.moveaxis(colours, -1, 0), photometric="rgb", planarconfig="separate")
    elif name == "a.tif":
        tifffile.imwrite(path, colours, photometric="rgb")
    elif name == "alpha.png":
        cv2.imwrite(str(path), np.dstack([colours[..., ::-1], np.full(FIELD.shape, 65535, np.uint16)]))
    else:
        assert cv2.imwrite(str(path), colours[..., ::-1])  # OpenCV packs TIFF by LZW
    pixels = load_image(path)
    expected = np.clip(colours / 3000 * 255, 0, 255)
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).mean() < 4


def test_sixteen_bit_greys_saved_as_colours_come_out_grey(tmp_path):
    deep = (FIELD * 4000).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([deep] * 3))
    pixels = load_image(tmp_path / "a.png")
    assert pixels.ndim == 2
    assert np.abs(pixels - FIELD * 255).mean() < 4


def test_where_white_is_zero_the_picture_is_turned(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", (FIELD * 60000).astype(np.uint16), photometric="miniswhite")
    assert np.abs(load_image(tmp_path / "a.tif") - (1 - FIELD) * 255).mean() < 4


def test_of_many_samples_the_first_that_shows_something_is_taken_and_named(tmp_path):
    samples = np.zeros((*FIELD.shape, 5), np.uint16)
    for i in range(2, 5):
        samples[..., i] = field(seed=i) * 2000
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="minisblack", planarconfig="contig")
    picture = read_picture(tmp_path / "a.tif")
    assert picture.choice == "channel 3 of 5"
    assert np.abs(picture.pixels - field(seed=2) * 255).mean() < 4


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float64])
def test_of_a_tiff_with_a_thumbnail_first_the_picture_is_taken(tmp_path, kind):
    path = tmp_path / "a.tif"
    full = (FIELD * 200).astype(kind)
    with tifffile.TiffWriter(path) as file:
        file.write(full[::2, ::2], subfiletype=1)
        file.write(full)
    picture = read_picture(path)
    assert picture.pixels.shape == FIELD.shape
    assert (picture.page, picture.pages, picture.choice) == (2, 2, "page 2 of 2")
    assert load_image(path, page=1).shape == (60, 80)


def test_a_mask_before_the_picture_costs_nothing_of_it(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY > 120, subfiletype=4, photometric="mask")
        file.write(GREY, photometric="minisblack")
    picture = read_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.pixels, GREY)
    assert (picture.page, picture.pages) == (2, 2)


def test_a_smaller_page_that_does_not_say_so_is_no_picture_either(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for part in (FIELD[::4, ::4], FIELD, FIELD[::2, ::2]):
            file.write((part * 255).astype(np.uint8))
    assert read_picture(path).page == 2


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_of_a_stack_the_first_slice_that_shows_something_is_taken(tmp_path, kind):
    rng = np.random.default_rng(0)
    dark = rng.integers(0, 3, FIELD.shape)
    stack = np.stack([np.zeros(FIELD.shape), dark, FIELD * 200, field(seed=1) * 200]).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    picture = read_picture(tmp_path / "a.tif")
    assert (picture.page, picture.pages) == (3, 4)
    assert not load_image(tmp_path / "a.tif", page=1).any()


def test_a_page_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="has one page, and no page 2"):
        load_image(saved(tmp_path, GREY, "a.png"), page=2)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([FIELD] * 3), photometric="minisblack")
    with pytest.raises(InputError, match="has 3 pages, and no page 9"):
        load_image(tmp_path / "a.tif", page=9)


def test_a_frame_of_an_animation_can_be_asked_for(tmp_path):
    first, second = Image.fromarray(GREY), Image.fromarray(255 - GREY)
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert np.array_equal(load_image(tmp_path / "a.gif", page=2), 255 - GREY)
    assert read_picture(tmp_path / "a.gif").choice == "page 1 of 2"


@pytest.mark.parametrize("values", [FIELD, (FIELD * 900).astype(np.uint16), (FIELD * 1e9).astype(np.int64)])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_deep_tiff_cut_short_is_an_error(tmp_path, values, compression):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, compression=compression)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be read"):
        load_image(path)


def test_complex_numbers_are_no_picture(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", FIELD.astype(np.complex64))
    with pytest.raises(InputError, match="complex64"):
        load_image(tmp_path / "a.tif")


def test_the_bounds_of_pillow_are_left_as_they_are(tmp_path, monkeypatch):
    """Also while a picture is read: another thread may be opening what it does not trust."""
    bound = Image.MAX_IMAGE_PIXELS
    assert bound is not None
    assert bound < bounds.MAX_PIXELS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setattr(Image, "open", None)
    assert load_image(saved(tmp_path, GREY, "a.png")).shape == GREY.shape
    assert Image.MAX_IMAGE_PIXELS == 1000
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
