"""Label maps as other programs write them: taken for what they are, split, or refused."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image

from imagedataextractor.cli import ide
from imagedataextractor.errors import InputError
from imagedataextractor.images.labels import read_label_map

PLACES = ((30, 30), (30, 90), (80, 40), (80, 100))


def discs():
    labels = np.zeros((120, 140), np.uint16)
    for number, (y, x) in enumerate(PLACES, start=1):
        cv2.circle(labels, (x, y), 12, number, -1)
    return labels


LABELS = discs()
COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]], np.uint8)


NOISE = np.random.default_rng(0).integers(1, 255, (80, 80, 3)).astype(np.uint8)
#: Two phases, each of many grains.
CLASSES = np.where(np.indices((80, 80)).sum(0) % 8 < 4, 0, 1 + np.indices((80, 80))[0] // 40).astype(np.uint8)
CLASSES[::5] = CLASSES[:, ::5] = 0


def same_regions(found):
    """As many particles as there are discs, each one of them."""
    pairs = {(int(a), int(b)) for a, b in zip(LABELS.ravel(), found.ravel(), strict=True)}
    return len(pairs) == len(PLACES) + 1 and (0, 0) in pairs


FORMS = {
    "plain.png": LABELS,
    "plain.npy": LABELS,
    "int32.tif": LABELS.astype(np.int32),
    "big.tif": LABELS.astype(">i4"),
    "whole_floats.npy": LABELS.astype(float),
    "grey_as_colours.png": np.dstack([LABELS.astype(np.uint8)] * 3),
    "colours.png": COLOURS[LABELS],
    "with_alpha.png": np.dstack([COLOURS[LABELS], np.where(LABELS > 0, 255, 0).astype(np.uint8)]),
    "mask.png": np.where(LABELS > 0, 255, 0).astype(np.uint8),
    "mask_of_ones.tif": (LABELS > 0).astype(np.uint8),
    "true_and_false.npy": LABELS > 0,
    "red_mask.png": np.where(LABELS[..., None] > 0, np.array([255, 0, 0]), 0).astype(np.uint8),
    "mask_as_colours.png": np.dstack([np.where(LABELS > 0, 255, 0).astype(np.uint8)] * 3),
}


def saved(folder, name, array=None):
    array = FORMS[name] if array is None else array
    path = folder / name
    if name.endswith(".npy"):
        np.save(path, array)
    elif name.endswith(".tif"):
        tifffile.imwrite(path, array)
    else:
        Image.fromarray(array).save(path)
    return path


@pytest.mark.parametrize("name", FORMS)
def test_labels_are_understood_in_every_form(tmp_path, name):
    told = []
    found = read_label_map(saved(tmp_path, name), told.append)
    assert found.dtype == np.int32
    assert same_regions(found)
    assert bool(told) == ("mask" in name or "true" in name or name in ("colours.png", "with_alpha.png"))


def test_one_bit_and_palette_pictures_hold_labels_too(tmp_path):
    Image.fromarray(LABELS > 0).save(tmp_path / "bits.png")
    palette = Image.fromarray(LABELS.astype(np.uint8), "P")
    palette.putpalette(
        [value for colour in ([0, 0, 0], [9, 9, 9], [5, 0, 0], [0, 7, 0], [1, 2, 3]) for value in colour]
    )
    palette.save(tmp_path / "palette.png")
    for name in ("bits.png", "palette.png"):
        assert same_regions(read_label_map(tmp_path / name))


def test_a_palette_may_have_its_black_anywhere(tmp_path):
    palette = Image.fromarray(((LABELS + 2) % (LABELS.max() + 1)).astype(np.uint8), "P")
    colours = [(0, 0, 0) if i == 2 else (9 * i + 9, 200 - i, 30) for i in range(int(LABELS.max()) + 1)]
    palette.putpalette([value for colour in colours for value in colour])
    palette.save(tmp_path / "palette.png")
    assert same_regions(read_label_map(tmp_path / "palette.png"))


def test_of_a_stack_the_first_slice_with_labels_is_taken_and_told(tmp_path):
    told = []
    tifffile.imwrite(tmp_path / "a.tif", np.stack([LABELS * 0, LABELS]).astype(np.uint16), photometric="minisblack")
    assert same_regions(read_label_map(tmp_path / "a.tif", told.append))
    assert told == [f"{tmp_path / 'a.tif'}: page 2 of 2 is taken"]


def test_a_particle_in_two_pieces_stays_one(tmp_path):
    labels = LABELS.copy()
    labels[:, 88:92] = 0  # another one lies over two of them
    assert len(np.unique(read_label_map(saved(tmp_path, "plain.png", labels)))) == len(PLACES) + 1


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("a.jpg", np.where(LABELS > 0, 255, 0).astype(np.uint8), "JPEG changes labels"),
        ("jpeg_by_another_name.png", None, "JPEG changes labels"),
        ("noise.png", NOISE[..., 0], "grey levels or classes"),
        ("classes.png", CLASSES, "classes"),
        ("photo.png", NOISE, "no pixel is black"),
        ("two_classes.png", np.where(LABELS == 1, 128, np.where(LABELS > 0, 255, 0)).astype(np.uint8), "classes"),
        (
            "rims.png",
            np.where(cv2.erode(LABELS, np.ones((3, 3))) > 0, 255, np.where(LABELS > 0, 128, 0)).astype(np.uint8),
            "classes",
        ),
        ("inverted.png", np.where(LABELS > 0, 0, 255).astype(np.uint8), "that is the background; invert it"),
        ("all.npy", np.ones((20, 30)), "that is the background; invert it"),
        ("halves.npy", LABELS / 2, "not whole numbers"),
        ("holes.npy", np.where(LABELS > 0, np.nan, 0.0), "not whole numbers"),
        ("negative.npy", LABELS.astype(int) - 1, "between 0"),
        ("words.npy", np.array([["a", "b"]]), "holds numbers"),
        ("film.npy", np.zeros((5, 6, 7)), "one channel"),
    ],
)
def test_what_is_no_label_map_is_refused_with_one_line(tmp_path, name, array, message):
    if name == "jpeg_by_another_name.png":
        Image.fromarray(LABELS.astype(np.uint8)).save(tmp_path / name, "JPEG")
    else:
        saved(tmp_path, name, array)
    with pytest.raises(InputError, match=message) as caught:
        read_label_map(tmp_path / name)
    assert str(caught.value).count(str(tmp_path / name)) == 1


def test_a_particle_that_fills_the_picture_is_one_in_a_map_of_ones(tmp_path):
    path = saved(tmp_path, "large.png", np.ones((20, 30), np.uint16))
    assert (read_label_map(path) == 1).all()


def test_measure_says_how_a_mask_was_understood(tmp_path):
    path = saved(tmp_path, "mask.png")
    run = CliRunner().invoke(ide, ["measure", str(path), "--json"])
    assert run.exit_code == 0
    assert "4 separate regions" in run.stderr
    assert len(json.loads(run.stdout)) == len(PLACES)
