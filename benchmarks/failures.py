r"""Look at what goes wrong: the images of lowest F1@50, outlines by kind of error, and errors by size.

    python benchmarks/failures.py --model default --data ../shared/emps-train --split val --out worst.png
    python benchmarks/failures.py --model default --synthetic --out data/weights/failures.png

Outlines: green a predicted particle that is real (IoU ≥ 0.5), red one that is not, blue a true
particle that was missed. The table counts true particles found by area, and false ones by area. With
`--synthetic` the images are drawn here: the kinds of micrograph that networks fail on, free to be shown.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage
from segmentation_table import predict
from skimage.segmentation import find_boundaries

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.records import MODES, Mode
from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.metrics import Overlap, overlap, score_image
from imagedataextractor.training.segmentation.dataset import Example, load_emps
from imagedataextractor.training.segmentation.evaluation import Predicted, accepted_labels

Grey = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]

GREEN, RED, BLUE = (0, 230, 0), (255, 40, 40), (40, 130, 255)
#: Width and height of a tile of the picture, and of its heading, px.
TILE = (420, 340)
HEADING = 16
#: Upper ends of the area classes, px.
AREAS = (32, 64, 128, 256, 512, 1024, 4096, 16384, float("inf"))


def synthetic_scenes() -> list[Example]:
    """Drawn micrographs of the kinds that networks fail on, always the same."""
    plain: dict[str, Any] = {
        "shape": (340, 420),
        "scale_bar": None,
        "info_bar": None,
        "letter": None,
        "degradation": 0.4,
    }
    drawn = {
        "lattice of 14 px": {
            "kind": "sem",
            "family": "sphere",
            "arrangement": "packed",
            "median_diameter_px": 14.0,
            "degradation": 1.0,
        },
        "field of 10 px": {
            "kind": "tem",
            "family": "sphere",
            "arrangement": "touching",
            "median_diameter_px": 10.0,
            "degradation": 1.0,
        },
        "overlap in transmission": {
            "kind": "tem",
            "family": "sphere",
            "arrangement": "clusters",
            "median_diameter_px": 34.0,
            "coverage": 0.5,
        },
        "pile of rods": {"kind": "sem", "family": "rod", "arrangement": "pile", "median_diameter_px": 40.0},
    }
    scenes = []
    for number, (name, how) in enumerate(drawn.items()):
        micrograph = draw_micrograph(
            np.random.default_rng((7, number)), **{**plain, "degradation": 0.4, "spread": 0.1, **how}
        )
        scenes.append(Example(name, micrograph.image, micrograph.label_map))
    rng = np.random.default_rng(7)
    return [*scenes, Example("bent rods", *bent_rods(rng)), Example("core and shell", *core_shells(rng))]


def bent_rods(rng: np.random.Generator, shape: tuple[int, int] = (340, 420), count: int = 16) -> tuple[Grey, Labels]:
    """Long rods of constant curvature, seen from above, later ones on top: image and label map."""
    labels = np.zeros(shape, np.int32)
    image = np.full(shape, 60.0, np.float32)
    along = np.linspace(-0.5, 0.5, 80)
    for number in range(1, count + 1):
        length, turn, start = rng.uniform(150, 320), rng.uniform(-1.6, 1.6), rng.uniform(0, 2 * np.pi)
        heading = start + turn * along
        centre = rng.uniform((0, 0), shape[::-1])
        path = centre + np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0) * length / len(along)
        path -= path.mean(0) - centre
        far = np.full(shape, 255, np.uint8)
        cv2.polylines(far, [np.round(path).astype(np.int32)], False, 0, 1)
        distance = cv2.distanceTransform(far, cv2.DIST_L2, 5)
        radius = rng.uniform(6, 9)
        mask = distance < radius
        image[mask] = 120 + 110 * (distance[mask] / radius) ** 4
        labels[mask] = number
    return finished(rng, image), first_regions(labels)


def core_shells(rng: np.random.Generator, shape: tuple[int, int] = (340, 420), count: int = 16) -> tuple[Grey, Labels]:
    """Dense cores in light shells, in transmission: image and label map of the whole particles."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    labels = np.zeros(shape, np.int32)
    thickness = np.zeros(shape, np.float32)
    centres: list[tuple[float, float, float]] = []
    tries = 0
    while len(centres) < count and tries < 200:
        radius = rng.uniform(32, 44)
        cx, cy = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        if any(np.hypot(cx - a, cy - b) < 0.8 * (radius + r) for a, b, r in centres):
            tries += 1
            continue
        centres.append((cx, cy, radius))
        squared = (x - cx) ** 2 + (y - cy) ** 2
        labels[squared < radius**2] = len(centres)
        for share, density in ((1.0, 0.3), (0.55, 1.2)):
            thickness += density * 2 * np.sqrt(np.maximum((share * radius) ** 2 - squared, 0))
    return finished(rng, 215 * np.exp(-0.012 * thickness)), first_regions(labels)


def finished(rng: np.random.Generator, image: npt.NDArray[Any]) -> Grey:
    """What the instrument adds: blur and noise."""
    blurred = cv2.GaussianBlur(image, (0, 0), 0.8)
    return np.clip(blurred + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def first_regions(labels: Labels) -> Labels:
    """Of every label the largest connected region that shows, numbered from 1."""
    out = np.zeros_like(labels)
    for number in np.unique(labels[labels > 0]):
        parts, count = ndimage.label(labels == number)
        main = parts == 1 + int(np.bincount(parts.ravel())[1:].argmax())
        if count and main.sum() >= 60:
            out[main] = out.max() + 1
    return out


def found_and_real(ov: Overlap) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which true particles have been found, and which predicted ones are real."""
    if not ov.n_true or not ov.n_predicted:
        return np.zeros(ov.n_true, bool), np.zeros(ov.n_predicted, bool)
    hit = ov.iou >= 0.5
    return hit.any(axis=1), hit.any(axis=0)


def tile(image: npt.NDArray[np.uint8], predicted: Predicted, heading: str) -> Image.Image:
    ov = overlap(predicted.true, accepted_labels(predicted))
    found, real = found_and_real(ov)
    rgb = np.repeat(image[..., None], 3, axis=2)
    edge_true, edge_predicted = (find_boundaries(m, mode="inner") for m in (ov.true, ov.predicted))
    rgb[edge_true & np.concatenate([[False], ~found])[ov.true]] = BLUE
    rgb[edge_predicted & np.concatenate([[False], real])[ov.predicted]] = GREEN
    rgb[edge_predicted & np.concatenate([[False], ~real])[ov.predicted]] = RED
    picture = Image.fromarray(rgb)
    picture.thumbnail(TILE)
    out = Image.new("RGB", (TILE[0] + 4, TILE[1] + HEADING + 4))
    out.paste(picture, (0, HEADING))
    ImageDraw.Draw(out).text((2, 2), heading, fill="white")
    return out


def segmented(model: Segmenter, example: Example, mode: Mode, samples: int, seed: int) -> Predicted:
    found = model.segment(example.image, mode=mode, samples=samples, seed=seed)
    return Predicted(example.name, example.labels, found.label_map, found.uncertainty, found.score, found.rejected)


def few_colours() -> Image.Image:
    """A palette of the outlines' colours and 20 greys, which keeps a picture's file small."""
    palette = Image.new("P", (1, 1))
    greys = [level for grey in np.linspace(0, 255, 20).round().astype(int).tolist() for level in (grey,) * 3]
    palette.putpalette([*GREEN, *RED, *BLUE, *greys])
    return palette


def by_size(predicted: list[Predicted]) -> None:
    true_area, found_flag, false_area = [], [], []
    for p in predicted:
        ov = overlap(p.true, accepted_labels(p))
        found, real = found_and_real(ov)
        true_area += ov.true_area.tolist()
        found_flag += found.tolist()
        false_area += ov.predicted_area[~real].tolist()
    area, flag, false = np.array(true_area), np.array(found_flag, bool), np.array(false_area)
    print("| area / px | true particles | found | false particles |", f"|{' --- |' * 4}", sep="\n")
    low = 0.0
    for high in AREAS:
        chosen = (area >= low) & (area < high)
        wrong = int(((false >= low) & (false < high)).sum())
        share = f"{flag[chosen].mean():.2f}" if chosen.any() else "–"
        print(f"| {low:.0f} … {high:.0f} | {int(chosen.sum())} | {share} | {wrong} |")
        low = high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="default")
    parser.add_argument("--data", type=Path, default=Path("../shared/emps-train"), help="folder in the EMPS layout")
    parser.add_argument("--split", default="val")
    parser.add_argument("--synthetic", action="store_true", help="draw the images here instead of reading --data")
    parser.add_argument("--mode", choices=MODES, default="filtered")
    parser.add_argument("--samples", type=int, help="T (default: the model's own)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=12, help="how many to draw")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--keep", type=Path, default=Path("runs/predictions"), help="folder of kept predictions")
    parser.add_argument("--out", type=Path, default=Path("worst.png"))
    arguments = parser.parse_args()

    model = Segmenter.load(arguments.model, arguments.device)
    samples = arguments.samples or model.samples
    if arguments.synthetic:
        examples = synthetic_scenes()
        found = [segmented(model, e, arguments.mode, samples, arguments.seed) for e in examples]
    else:
        examples = load_emps(arguments.data, arguments.split)
        found = predict(model, arguments.data, arguments.split, arguments.keep, arguments.mode, samples, arguments.seed)
    images = {e.name: e.image for e in examples}
    scores = {p.name: score_image(p.true, accepted_labels(p)).values for p in found}
    worst = found if arguments.synthetic else sorted(found, key=lambda p: scores[p.name]["f1_50"])[: arguments.images]
    columns = min(3 if arguments.synthetic else 4, len(worst))
    tiles = []
    for p in worst:
        s = scores[p.name]
        heading = f"{p.name}  F1 {s['f1_50']:.2f}  P {s['prec50']:.2f}  R {s['rec50']:.2f}  {s['n_gt']}/{s['n_pred']}"
        tiles.append(tile(images[p.name], p, heading))
    width, height = tiles[0].size
    sheet = Image.new("RGB", (width * columns, height * -(-len(tiles) // columns)))
    for index, picture in enumerate(tiles):
        sheet.paste(picture, (width * (index % columns), height * (index // columns)))
    sheet.quantize(palette=few_colours(), dither=Image.Dither.NONE).save(arguments.out, optimize=True)
    by_size(found)


if __name__ == "__main__":
    main()
