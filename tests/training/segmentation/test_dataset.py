"""Reading data sets and cutting crops."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imagedataextractor.errors import InputError
from imagedataextractor.images.labels import read_label_map
from imagedataextractor.training.segmentation.dataset import (
    Crops,
    Example,
    Source,
    augment,
    load_emps,
    split_names,
    with_nominal_outlines,
)


def example(shape=(120, 160)):
    labels = np.zeros(shape, np.int32)
    labels[20:50, 30:70], labels[60:66, 90:96], labels[80:119, 100:159] = 1, 2, 3
    return Example("one", (labels > 0).astype(np.uint8) * 150 + 40, labels)


@pytest.fixture
def folder(tmp_path):
    for part in ("images", "segmaps"):
        (tmp_path / part).mkdir()
    for name in ("aa", "bb"):
        one = example()
        Image.fromarray(one.image).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(one.labels.astype(np.uint16)).save(tmp_path / "segmaps" / f"{name}.png")
    (tmp_path / "split.csv").write_text("name,split\naa,train\nbb,val\n")
    return tmp_path


def test_a_split_holds_its_images_only(folder):
    assert split_names(folder, "train") == ["aa"]
    assert split_names(folder, "all") == ["aa", "bb"]
    (one,) = load_emps(folder, "val")
    assert one.name == "bb"
    assert np.array_equal(one.labels, example().labels)


def test_an_unknown_split_or_layout_is_one_clear_line(folder, tmp_path):
    with pytest.raises(InputError, match="no image of the split 'test'"):
        split_names(folder, "test")
    with pytest.raises(InputError, match="images/ is missing"):
        split_names(tmp_path / "images", "all")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_split_as_a_spreadsheet_writes_it(folder, encoding):
    (folder / "split.csv").write_text("name,split\r\naa,train\r\nbb,val\r\n", encoding=encoding, newline="")
    assert split_names(folder, "train") == ["aa"]


@pytest.mark.parametrize(
    ("text", "says"), [("file,split\naa,train\n", "no column 'name'"), ("", "no image of the split")]
)
def test_a_split_that_is_none_is_one_clear_line(folder, text, says):
    (folder / "split.csv").write_text(text)
    with pytest.raises(InputError, match=says):
        split_names(folder, "train")


def test_a_map_of_another_size_than_its_image_is_refused(folder):
    Image.fromarray(np.zeros((5, 5), np.uint16)).save(folder / "segmaps" / "aa.png")
    with pytest.raises(InputError, match="label map has"):
        load_emps(folder, "train")


def test_label_maps_must_be_one_channel_of_whole_numbers(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0.5, 1.0]]))
    np.save(tmp_path / "b.npy", np.zeros((2, 2, 7), np.int32))
    np.save(tmp_path / "c.npy", np.array([[0, -1]]))
    for name, message in (("a", "whole numbers"), ("b", "one channel"), ("c", "labels must lie")):
        with pytest.raises(InputError, match=message):
            read_label_map(tmp_path / f"{name}.npy")


def test_a_batch_depends_on_seed_and_step_alone():
    one, other = Crops([Source([example()], 1.0)], seed=3), Crops([Source([example()], 1.0)], seed=3)
    for step in (0, 7):
        for a, b in zip(one.batch(step), other.batch(step), strict=True):
            assert np.array_equal(a, b)
    different = Crops([Source([example()], 1.0)], seed=4)
    assert not np.array_equal(one.batch(1)[0].ravel()[:99], different.batch(1)[0].ravel()[:99])


def test_crops_have_consecutive_labels_and_plain_grey_values():
    crops = Crops([Source([example()], 1.0)], seed=0, sizes=((96, 4),))
    seen = False
    for step in range(6):
        images, labels = crops.batch(step)
        assert images.shape == labels.shape == (4, 96, 96)
        assert images.min() >= 0.0
        assert images.max() <= 1.0
        for crop in labels:
            present = np.unique(crop[crop > 0])
            seen |= present.size > 0
            assert np.array_equal(present, np.arange(1, present.size + 1))
    assert seen


def test_image_and_labels_stay_together_under_every_transformation():
    crops = Crops([Source([example()], 1.0)], seed=1, sizes=((128, 2),), scales=(0.8, 1.2))
    differences = []
    for step in range(10):
        images, labels = crops.batch(step)
        for image, label in zip(images, labels, strict=True):
            if (label > 0).sum() > 200 and (label == 0).sum() > 200:
                differences.append(image[label > 0].mean() - image[label == 0].mean())
    # Particles are brighter than the background in the example, but for a rare inversion.
    assert np.mean(np.array(differences) > 0.1) > 0.8


def test_augmentation_keeps_the_shape_and_range():
    rng = np.random.default_rng(0)
    for _ in range(30):
        values = augment(rng, example().image)
        assert values.shape == (120, 160)
        assert values.dtype == np.float32
        assert values.min() >= 0
        assert values.max() <= 1


def marked(grey):
    """An image of one grey value, so that a crop tells which it was cut from."""
    labels = np.zeros((200, 200), np.int32)
    labels[40:80, 40:80] = 1
    return Example(f"grey {grey}", np.full((200, 200), grey, np.uint8), labels)


def test_each_source_has_its_share_of_the_crops_and_an_empty_one_none(monkeypatch):
    monkeypatch.setattr("imagedataextractor.training.segmentation.dataset.augment", lambda rng, image: image / 255.0)
    sources = [Source([marked(40)] * 9, 3.0), Source([marked(200)], 1.0), Source([], 5.0)]
    crops = Crops(sources, sizes=((64, 4),), seed=2)
    means = np.concatenate([crops.batch(step)[0].mean((1, 2)) for step in range(60)])
    assert 0.18 < np.mean(means > 0.5) < 0.32


def test_no_images_at_all_are_one_clear_line():
    with pytest.raises(InputError, match="no training images"):
        Crops([Source([], 1.0)])


def bent_band():
    """A band 8 px wide that runs down one side and along the next."""
    labels = np.zeros((128, 128), np.int32)
    labels[10:110, 10:18] = labels[102:110, 10:110] = 1
    return labels


def test_long_bodies_are_told_straight_or_bent_and_blocks_are_not():
    straight = np.zeros((64, 128), np.int32)
    straight[30:38, 5:120] = 1
    for labels in (straight, bent_band()):
        assert Example("long", np.zeros(labels.shape, np.uint8), labels).has_long_bodies
    assert not example().has_long_bodies
    assert not Example("none", np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.int32)).has_long_bodies


def test_images_of_long_bodies_are_drawn_more_often():
    labels = bent_band()
    crops = Crops([Source([example(), Example("long", labels.astype(np.uint8), labels)], 1.0)], long_weight=3.0)
    assert crops.chances.tolist() == pytest.approx([0.25, 0.75])


def test_a_whole_long_body_comes_into_view():
    labels = np.zeros((600, 600), np.int32)
    labels[295:305, 10:590] = 1
    crops = Crops([Source([Example("long", (labels * 200).astype(np.uint8), labels)], 1.0)], sizes=((128, 4),), seed=1)
    lengths = [np.ptp(np.argwhere(crop > 0), axis=0).max() for step in range(8) for crop in crops.batch(step)[1]]
    # Shrunk until 580 px fit into 128, which is 0.22: most crops show about all of it.
    assert np.median(lengths) > 100


def test_nominal_outlines_have_no_say_but_centres_and_sizes_do():
    y, x = np.mgrid[:120, :160]
    labels = np.zeros((120, 160), np.int32)
    labels[(y - 60) ** 2 + (x - 40) ** 2 <= 30**2] = 1
    labels[(y - 60) ** 2 + (x - 95) ** 2 <= 25**2] = 2  # touches the other one
    labels[(y - 20) ** 2 + (x - 140) ** 2 <= 3**2] = 3
    seen = with_nominal_outlines(Example("boxed", np.zeros(labels.shape, np.uint8), labels))
    assert set(np.unique(seen.labels)) == {-1, 0, 1, 2, 3}
    assert (seen.labels[labels == 0] <= 0).all()
    assert np.isin(seen.labels[labels == 1], (-1, 1)).all()
    radius = np.sqrt((y - 60) ** 2 + (x - 40) ** 2)
    away = x < 60  # from the second particle
    assert (seen.labels[away & (abs(radius - 30) < 2)] == -1).all()
    assert (seen.labels[away & (radius < 25)] == 1).all()
    assert (seen.labels[away & (radius > 36)] == 0).all()
    # Of a particle of a few pixels all are left.
    assert (seen.labels[labels == 3] == 3).all()


def test_without_particles_nothing_is_nominal():
    empty = Example("none", np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.int32))
    assert with_nominal_outlines(empty) is empty
