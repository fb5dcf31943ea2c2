"""Labels of other programs become the same particles, whatever the program."""

from __future__ import annotations

import base64
import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image

import imagedataextractor as ide
from imagedataextractor.cli import ide as command_line
from imagedataextractor.errors import InputError
from imagedataextractor.training.segmentation.dataset import load_emps

HEIGHT, WIDTH = 60, 80
#: A square of 20 px and a rectangle of 10 by 30, x and y of their corners.
SQUARE = [(10, 10), (30, 10), (30, 30), (10, 30)]
BAR = [(50, 20), (60, 20), (60, 50), (50, 50)]
TRUTH = np.zeros((HEIGHT, WIDTH), np.int32)
TRUTH[10:30, 10:30], TRUTH[20:50, 50:60] = 1, 2


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "labelled" / "one.png"
    file.parent.mkdir()
    Image.fromarray(np.where(TRUTH > 0, 180, 60).astype(np.uint8)).save(file)
    return file


def written(out: Path, name: str = "one") -> npt.NDArray[np.int64]:
    return np.asarray(Image.open(out / "segmaps" / f"{name}.png")).astype(int)


def same_particles(labels: npt.NDArray[np.int64], truth: npt.NDArray[np.int32] = TRUTH) -> bool:
    pairs = set(zip(labels.ravel().tolist(), truth.ravel().tolist(), strict=True))
    return labels.shape == truth.shape and len(pairs) == len(np.unique(truth)) == len({a for a, _ in pairs})


def via(version: int) -> Any:
    shapes: list[dict[str, Any]] = [
        {"name": "polygon", "all_points_x": [x for x, _ in SQUARE], "all_points_y": [y for _, y in SQUARE]},
        {"name": "rect", "x": 50, "y": 20, "width": 10, "height": 30},
        {"name": "point", "cx": 5, "cy": 5},
    ]
    regions = [{"shape_attributes": shape, "region_attributes": {}} for shape in shapes]
    if version == 1:
        return {"one.png12": {"filename": "one.png", "size": 12, "regions": {str(i): r for i, r in enumerate(regions)}}}
    if version == 2:
        return {"_via_img_metadata": {"one.png12": {"filename": "one.png", "size": 12, "regions": regions}}}
    flat = [number for corner in SQUARE for number in corner]
    return {
        "project": {"pid": "x"},
        "file": {"1": {"fid": 1, "fname": "one.png"}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {
            "a": {"vid": "1", "xy": [7, *flat], "av": {}},
            "b": {"vid": "1", "xy": [2, 50, 20, 10, 30], "av": {}},
            "c": {"vid": "1", "xy": [1, 5, 5], "av": {}},
        },
    }


def labelme(*, embedded: bool = False) -> dict[str, Any]:
    part = io.BytesIO()
    Image.fromarray(np.ones((30, 10), bool)).save(part, "PNG")
    return {
        "version": "5.4.1",
        "shapes": [
            {"label": "p", "shape_type": "polygon", "points": SQUARE, "group_id": None},
            {"label": "p", "shape_type": "mask", "points": [(50, 20), (59, 49)],
             "mask": base64.b64encode(part.getvalue()).decode(), "group_id": None},
            {"label": "p", "shape_type": "point", "points": [(3, 3)], "group_id": None},
        ],
        "imagePath": "one.png",
        "imageData": embedded,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }  # fmt: skip


def coco() -> dict[str, Any]:
    flat = (TRUTH == 2).T.ravel()
    turns = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], turns, [flat.size]])).tolist()
    return {
        "images": [{"id": 7, "file_name": "folder/one.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "particle"}],
        "annotations": [
            {"id": 1, "image_id": 7, "segmentation": [[n for corner in SQUARE for n in corner]], "iscrowd": 0},
            {"id": 2, "image_id": 7, "segmentation": {"size": [HEIGHT, WIDTH], "counts": runs}, "iscrowd": 0},
        ],
    }


@pytest.mark.parametrize(
    "content", [via(1), via(2), via(3), labelme(), coco()], ids=["via1", "via2", "via3", "labelme", "coco"]
)
def test_polygons_of_every_program_are_the_same_particles(picture: Path, tmp_path: Path, content: Any) -> None:
    labels = picture.with_name("labels.json")
    labels.write_text(json.dumps(content))
    found = ide.import_labels(labels, tmp_path / "data")

    assert (found.pictures, found.particles, found.left_out) == (1, 2, ())
    assert same_particles(written(tmp_path / "data"))
    (example,) = load_emps(tmp_path / "data", "train")
    assert same_particles(example.labels)
    assert example.image[15, 15] == 180


def test_via_s_table(picture: Path, tmp_path: Path) -> None:
    shape = json.dumps(via(2)["_via_img_metadata"]["one.png12"]["regions"][0]["shape_attributes"]).replace('"', '""')
    labels = picture.with_name("via.csv")
    labels.write_text(f'filename,file_size,region_id,region_shape_attributes\none.png,12,0,"{shape}"\n')

    assert ide.import_labels(labels, tmp_path / "data").particles == 1
    assert same_particles(written(tmp_path / "data"), np.where(TRUTH == 1, 1, 0))


def test_run_lengths_as_text() -> None:
    from imagedataextractor.training.labels.polygons import _run_lengths

    # COCO's compressed form of the run lengths 3, 2, 1, 10, from its definition: 5 bits a character, the
    # fourth run as its difference from the second
    mask = _run_lengths({"size": [4, 4], "counts": "32" + "1" + "8"})

    assert mask.T.ravel().tolist() == [False] * 3 + [True] * 2 + [False] + [True] * 10


def test_imagej_s_rois(picture: Path, tmp_path: Path) -> None:
    roifile = pytest.importorskip("roifile")
    rois = [roifile.ImagejRoi.frompoints(np.array(points)) for points in (SQUARE, BAR)]
    point = roifile.ImagejRoi.frompoints(np.array([(3, 3)]))
    point.roitype = roifile.ROI_TYPE.POINT
    roifile.roiwrite(picture.with_name("one.zip"), [*rois, point])
    found = ide.import_labels(picture.parent, tmp_path / "data")

    assert found.particles == 2
    assert same_particles(written(tmp_path / "data"))


def test_cellpose_s_files(picture: Path, tmp_path: Path) -> None:
    np.save(
        picture.with_name("one_seg.npy"),
        {"masks": TRUTH.astype(np.uint16), "filename": "C:\\one.png"},
        allow_pickle=True,
    )
    ide.import_labels(picture.parent, tmp_path / "data")
    assert same_particles(written(tmp_path / "data"))

    Image.fromarray(TRUTH.astype(np.uint16)).save(picture.with_name("one_cp_masks.png"))
    (line,) = ide.import_labels(picture.parent, tmp_path / "again").left_out
    assert "one.png has labels already" in line


class _Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("it ran",)


def test_nothing_that_a_file_holds_is_run(picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    array = np.empty((), object)
    array[()] = {"masks": _Harmful()}
    file = picture.with_name("one_seg.npy")
    with file.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(array, stream)

    with pytest.raises(InputError, match="holds more than data"):
        ide.import_labels(file, tmp_path / "data")
    assert "it ran" not in capsys.readouterr().out


def test_a_picture_within_labelme_s_file_is_taken(picture: Path, tmp_path: Path) -> None:
    content = labelme() | {"imageData": base64.b64encode(picture.read_bytes()).decode()}
    labels = tmp_path / "elsewhere.json"
    labels.write_text(json.dumps(content))
    ide.import_labels(labels, tmp_path / "data")

    assert same_particles(written(tmp_path / "data", "elsewhere"))


def test_exported_panels_come_back_without_what_does_not_count(picture: Path, tmp_path: Path) -> None:
    content = coco()
    square = content["annotations"][0] | {"panel_bbox": [0, 0, 40, 60], "accepted": True, "reason": None}
    bar = content["annotations"][1] | {"panel_bbox": [40, 0, 40, 60], "accepted": False, "reason": "uncertain"}
    labels = picture.with_name("export.json")
    labels.write_text(json.dumps(content | {"annotations": [square, bar]}))
    ide.import_labels(labels, tmp_path / "data")

    assert same_particles(written(tmp_path / "data", "one-0-0"), TRUTH[:, :40])
    assert not written(tmp_path / "data", "one-40-0").any()


def test_what_cannot_be_used_is_told_and_the_rest_is_written(picture: Path, tmp_path: Path) -> None:
    picture.with_name("a.json").write_text(json.dumps(coco()))
    picture.with_name("b.json").write_text("{")
    picture.with_name("c.json").write_text(json.dumps(via(2)).replace("one.png", "two.png"))
    far = json.dumps(via(2)).replace("50", "5000")
    Image.open(picture).save(picture.with_name("three.png"))
    picture.with_name("d.json").write_text(far.replace("one.png", "three.png"))
    done = CliRunner().invoke(command_line, ["train", "import", str(picture.parent), "--out", str(tmp_path / "data")])

    assert done.exit_code == 1, done.output
    assert "1 pictures with 2 particles" in done.output
    for line in ("b.json: is no JSON", "c.json: its picture 'two.png' is not in", "px beyond its 80 × 60 pixels"):
        assert line in done.output


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("x.json", "[1, 2]", "of no kind that is known"),
        ("x.csv", "a,b\n1,2\n", "no table of VIA's regions"),
        ("x.txt", "", "labels are .json"),
        ("x.zip", "no zip", "cannot be read as ImageJ's ROIs"),
        ("x_seg.npy", "no array", "cannot be read as Cellpose's"),
    ],
)
def test_bad_files_are_one_clear_line(tmp_path: Path, name: str, content: str, line: str) -> None:
    if name.endswith(".zip"):
        pytest.importorskip("roifile")
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=line) as caught:
        ide.import_labels(tmp_path / name, tmp_path / "data")
    assert "\n" not in str(caught.value)


def test_pictures_are_parted_for_validation_once(picture: Path, tmp_path: Path) -> None:
    for number in range(10):
        Image.open(picture).save(picture.with_name(f"p{number}.png"))
        Image.fromarray(TRUTH.astype(np.uint16)).save(picture.with_name(f"p{number}_masks.png"))
    ide.import_labels(picture.parent, tmp_path / "data", seed=1)
    split = (tmp_path / "data" / "split.csv").read_text()
    ide.import_labels(picture.parent, tmp_path / "data", seed=2)

    assert split.count(",val") == 2
    assert (tmp_path / "data" / "split.csv").read_text() == split
