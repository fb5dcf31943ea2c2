r"""Look at what goes wrong: the images of lowest F1@50, outlines by kind of error, and errors by size.

    python benchmarks/failures.py --model default --data ../shared/emps-train --split val --out worst.png

Outlines: green a predicted particle that is real (IoU ≥ 0.5), red one that is not, blue a true
particle that was missed. The table counts true particles found by area, and false ones by area.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from segmentation_table import filtered, predict
from skimage.segmentation import find_boundaries

from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.dataset import load_emps
from imagedataextractor.segmentation.evaluation import Predicted, accepted_labels
from imagedataextractor.segmentation.metrics import Overlap, overlap, score_image

GREEN, RED, BLUE = (0, 230, 0), (255, 40, 40), (40, 130, 255)
#: Width and height of a tile of the picture, and of its heading, px.
TILE = (420, 340)
HEADING = 16
#: Upper ends of the area classes, px.
AREAS = (32, 64, 128, 256, 512, 1024, 4096, 16384, float("inf"))


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
    parser.add_argument("--mode", choices=["discriminative", "bayesian", "filtered"], default="filtered")
    parser.add_argument("--samples", type=int, help="T (default: the model's own)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=12, help="how many to draw")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--keep", type=Path, default=Path("runs/predictions"), help="folder of kept predictions")
    parser.add_argument("--out", type=Path, default=Path("worst.png"))
    arguments = parser.parse_args()

    model = Segmenter.load(arguments.model, arguments.device)
    samples = arguments.samples or model.samples
    found = predict(model, arguments.data, arguments.split, arguments.keep, arguments.mode, samples, arguments.seed)
    found = filtered(found, model.threshold if arguments.mode == "filtered" else float("inf"))
    images = {e.name: e.image for e in load_emps(arguments.data, arguments.split)}
    scores = {p.name: score_image(p.true, accepted_labels(p)).values for p in found}
    worst = sorted(found, key=lambda p: scores[p.name]["f1_50"])[: arguments.images]
    columns = min(4, len(worst))
    tiles = []
    for p in worst:
        s = scores[p.name]
        heading = f"{p.name}  F1 {s['f1_50']:.2f}  P {s['prec50']:.2f}  R {s['rec50']:.2f}  {s['n_gt']}/{s['n_pred']}"
        tiles.append(tile(images[p.name], p, heading))
    width, height = tiles[0].size
    sheet = Image.new("RGB", (width * columns, height * -(-len(tiles) // columns)))
    for index, picture in enumerate(tiles):
        sheet.paste(picture, (width * (index % columns), height * (index // columns)))
    sheet.save(arguments.out)
    by_size(found)


if __name__ == "__main__":
    main()
