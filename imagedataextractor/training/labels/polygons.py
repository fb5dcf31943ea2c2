"""Labels that are kept as JSON or CSV: VIA 1 to 3, COCO, labelme.

What the files hold is described by their programs: the VGG Image Annotator (https://www.robots.ox.ac.uk/~vgg/software/via,
"regions" with "shape_attributes"; in version 3 "metadata" with "xy" whose first number is the shape), the COCO data
format (https://cocodataset.org/#format-data) and labelme's ``label_file.py``.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from imagedataextractor.errors import InputError
from imagedataextractor.training.labels.picture import Labelled, Outline, Particle

__all__ = ["read_polygons"]

Bools = npt.NDArray[np.bool_]

#: Corners below which a polygon encloses nothing.
LEAST_CORNERS = 3
#: The run from which on COCO spells differences; those before it are spelled as they are.
FIRST_DIFFERENCE = 3
#: Corners of a polygon that stands for a circle or an ellipse.
_ROUND = 90
#: Reasons for which an exported particle does not count that leave it a particle all the same.
_REAL = (None, "border")
#: VIA 3's numbers of shapes.
_RECTANGLE, _CIRCLE, _ELLIPSE, _POLYGON = 2, 3, 4, 7


def read_polygons(path: Path) -> list[Labelled]:
    """The labels of a JSON or CSV file.

    Raises
    ------
    InputError
        It cannot be read, or is of no known kind.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".csv":
            return _via_csv(text)
        data = json.loads(text)
        if (
            isinstance(data, dict)
            and isinstance(data.get("annotations"), list)
            and isinstance(data.get("images"), list)
        ):
            return _coco(data)
        if isinstance(data, dict) and isinstance(data.get("shapes"), list):
            return [_labelme(data)]
        if isinstance(data, dict) and {"metadata", "view", "file"} <= data.keys():
            return _via_3(data)
        images = data.get("_via_img_metadata", data) if isinstance(data, dict) else {}
        if images and all(isinstance(v, dict) and {"filename", "regions"} <= v.keys() for v in images.values()):
            return [_via(image["filename"], image["regions"]) for image in images.values()]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: is no JSON ({error.msg}, line {error.lineno})") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{path}: its labels are damaged ({type(error).__name__}: {str(error)[:80]})") from error
    raise InputError(f"{path}: holds labels of no kind that is known (VIA, COCO, labelme)")


# ---------------------------------------------------------------- shapes


def _pairs(numbers: Sequence[Any]) -> Outline:
    outline = np.asarray(numbers, float).reshape(-1, 2)
    if len(outline) < LEAST_CORNERS:
        raise InputError("a polygon has fewer than three corners")
    return outline


def _box(x: float, y: float, width: float, height: float) -> Outline:
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], float)


def _ellipse(x: float, y: float, a: float, b: float, turn: float = 0.0) -> Outline:
    t = np.arange(_ROUND) * 2 * np.pi / _ROUND
    u, v = a * np.cos(t), b * np.sin(t)
    return np.stack([x + u * np.cos(turn) - v * np.sin(turn), y + u * np.sin(turn) + v * np.cos(turn)], axis=1)


# ---------------------------------------------------------------- VIA


def _via(name: str, regions: Any) -> Labelled:
    """Version 1 keeps a picture's regions by number, version 2 in a list."""
    listed = list(regions.values()) if isinstance(regions, dict) else list(regions)
    shapes = [_via_shape(region["shape_attributes"]) for region in listed]
    found = [(shape,) for shape in shapes if shape is not None]
    return Labelled(str(name), found, left_out=len(shapes) - len(found))


def _via_shape(shape: Mapping[str, Any]) -> Outline | None:
    kind = shape.get("name")
    if kind in ("polygon", "polyline"):
        return _pairs(list(zip(shape["all_points_x"], shape["all_points_y"], strict=True)))
    if kind == "rect":
        return _box(shape["x"], shape["y"], shape["width"], shape["height"])
    if kind == "circle":
        return _ellipse(shape["cx"], shape["cy"], shape["r"], shape["r"])
    if kind == "ellipse":
        return _ellipse(shape["cx"], shape["cy"], shape["rx"], shape["ry"], float(shape.get("theta", 0.0)))
    return None


def _via_csv(text: str) -> list[Labelled]:
    rows = list(csv.DictReader(io.StringIO(text)))
    name = next((key for key in ("filename", "#filename") if rows and key in rows[0]), None)
    if name is None or "region_shape_attributes" not in rows[0]:
        raise InputError("is no table of VIA's regions (columns filename, region_shape_attributes)")
    regions: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        shape = json.loads(row["region_shape_attributes"] or "{}")
        regions.setdefault(row[name], []).extend([{"shape_attributes": shape}] if shape else [])
    return [_via(picture, listed) for picture, listed in regions.items()]


def _via_3(data: Mapping[str, Any]) -> list[Labelled]:
    found: dict[str, list[Outline | None]] = {
        view: [] for view, content in data["view"].items() if len(content["fid_list"]) == 1
    }
    for mark in data["metadata"].values():
        if mark["vid"] in found and mark.get("xy"):
            found[mark["vid"]].append(_via_3_shape(mark["xy"]))
    labelled = []
    for view, shapes in found.items():
        name = data["file"][str(data["view"][view]["fid_list"][0])]["fname"]
        kept = [(shape,) for shape in shapes if shape is not None]
        labelled.append(Labelled(name, kept, left_out=len(shapes) - len(kept)))
    return labelled


def _via_3_shape(numbers: Sequence[float]) -> Outline | None:
    kind, *rest = numbers
    if kind == _RECTANGLE:
        return _box(*rest)
    if kind == _CIRCLE:
        x, y, radius = rest
        return _ellipse(x, y, radius, radius)
    if kind == _ELLIPSE:
        return _ellipse(*rest[:4])
    return _pairs(rest) if kind == _POLYGON else None


# ---------------------------------------------------------------- labelme


def _labelme(data: Mapping[str, Any]) -> Labelled:
    size = (int(data["imageHeight"]), int(data["imageWidth"])) if data.get("imageHeight") else None
    groups: dict[Any, list[Outline]] = {}
    masks: list[Bools] = []
    left_out = 0
    for number, shape in enumerate(data["shapes"]):
        if shape.get("shape_type") == "mask":
            masks.append(_labelme_mask(shape, size))
            continue
        outline = _labelme_shape(shape.get("shape_type") or "polygon", shape["points"])
        if outline is None:
            left_out += 1
        else:
            # parts with one group are one particle
            group = shape.get("group_id")
            groups.setdefault(("alone", number) if group is None else (shape.get("label"), group), []).append(outline)
    pixels = base64.b64decode(data["imageData"]) if data.get("imageData") else None
    particles: list[Particle] = [*(tuple(outlines) for outlines in groups.values()), *masks]
    return Labelled(str(data.get("imagePath") or ""), particles, size, pixels=pixels, left_out=left_out)


def _labelme_shape(kind: str, points: Sequence[Sequence[float]]) -> Outline | None:
    if kind == "polygon":
        return _pairs(points)
    if kind in ("rectangle", "circle"):
        (x0, y0), (x1, y1) = points[0], points[1]
        if kind == "rectangle":
            return _box(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))
        radius = float(np.hypot(x1 - x0, y1 - y0))
        return _ellipse(x0, y0, radius, radius)
    return None


def _labelme_mask(shape: Mapping[str, Any], size: tuple[int, int] | None) -> Bools:
    if size is None:
        raise InputError("a mask without the picture's size")
    part = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))).astype(bool)
    (x0, y0), _ = np.rint(np.asarray(shape["points"], float)).astype(int).tolist()
    mask = np.zeros(size, bool)
    mask[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
    return mask


# ---------------------------------------------------------------- COCO


def _coco(data: Mapping[str, Any]) -> list[Labelled]:
    """By picture, or, as `ide export` writes it, by panel of a picture; particles that it left out are none."""
    images = {image["id"]: image for image in data["images"]}
    of_part: dict[tuple[Any, tuple[int, int, int, int] | None], list[Particle]] = {}
    crowds: dict[Any, int] = {}
    for mark in data["annotations"]:
        image = images.get(mark["image_id"])
        if image is None:
            raise InputError(f"an annotation is of the image {mark['image_id']}, which is not among its images")
        x, y, width, height = mark.get("panel_bbox") or (0, 0, 0, 0)
        part = (int(x), int(y), int(x + width), int(y + height)) if width else None
        particles = of_part.setdefault((image["id"], part), [])
        if mark.get("iscrowd"):
            crowds[image["id"]] = crowds.get(image["id"], 0) + 1
        elif mark.get("accepted", True) or mark.get("reason") in _REAL:
            shape = _coco_shape(mark, image)
            if shape is not None:
                particles.append(shape)
    for number in images:  # pictures without particles teach what is none
        if all(image != number for image, _ in of_part):
            of_part[(number, None)] = []
    return [
        Labelled(str(images[n]["file_name"]), particles, _size(images[n]), part, left_out=crowds.get(n, 0))
        for (n, part), particles in of_part.items()
    ]


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    return (int(image["height"]), int(image["width"])) if image.get("height") and image.get("width") else None


def _coco_shape(mark: Mapping[str, Any], image: Mapping[str, Any]) -> Particle | None:
    shape = mark.get("segmentation")
    if isinstance(shape, dict):
        return _run_lengths(shape)
    if shape:
        return tuple(_pairs(part) for part in shape)
    if mark.get("bbox") and "segmentation" not in mark:
        raise InputError(f"{image['file_name']} has boxes only; particles need outlines")
    return None


def _run_lengths(shape: Mapping[str, Any]) -> Bools:
    """COCO's run lengths, plain or as text (five bits a character, differences from the last but one)."""
    height, width = shape["size"]
    counts = shape["counts"]
    runs = list(_spelled(counts)) if isinstance(counts, str) else [int(count) for count in counts]
    if sum(runs) != height * width:
        raise InputError("the run lengths of a mask do not fill its picture")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def _spelled(text: str) -> Iterator[int]:
    runs: list[int] = []
    value = shift = 0
    for character in text.encode():
        bits = character - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) >= FIRST_DIFFERENCE else 0))
            value = shift = 0
    yield from runs
