"""Write the files that the pages of this guide name, so that every line of it can be run as it stands.

    python docs/example_files.py examples && cd examples

All are cut from the sample article in data/sample or drawn here: every particle in them is synthetic. The tests
run the guide's blocks in such a folder.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from imagedataextractor.artificial.micrographs import draw_micrograph

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"

#: Pictures → the sample's figure and the box of it, (left, top, right, bottom) in pixels. Only the first has a scale
#: bar, and none a letter.
CUTS = {
    "micrograph.png": ("g003.jpg", (576, 48, 1136, 428)),
    "no-bar.png": ("g003.jpg", (576, 48, 856, 258)),
    "my-micrographs/sample-A/A1.tif": ("g001.jpg", (94, 54, 344, 424)),
    "my-micrographs/sample-A/A2.tif": ("g001.jpg", (344, 14, 594, 384)),
    "my-micrographs/sample-B/B1.tif": ("g001.jpg", (608, 64, 898, 404)),
    "my-micrographs/sample-B/B2.tif": ("g001.jpg", (898, 14, 1188, 354)),
}

TABLES = {
    "scales.csv": [
        ("file", "panel", "nm_per_px", "bar", "bar_px", "field_width"),
        ("sample-A/A1.tif", "", "6.41", "", "", ""),
        ("sample-A/A2.tif", "", "", "500 nm", "78", ""),
        ("sample-B/B1.tif", "", "", "", "", "3.19 um"),
        ("sample-B/B2.tif", "", "", "", "", "3.19 um"),
    ],
    "samples.csv": [
        ("file", "batch"),
        ("sample-A/A1.tif", "batch-1"),
        ("sample-A/A2.tif", "batch-1"),
        ("sample-B/B1.tif", "batch-2"),
        ("sample-B/B2.tif", "batch-2"),
    ],
}

#: A definition of a corpus that lies at hand.
CORPUS = """\
title = "Two samples"
database = "sqlite:///corpus.db"

[corpus]
folder = "my-micrographs"

[settings.segmentation]
mode = "discriminative"
"""


def write_example_files(folder: Path) -> None:
    """Fill `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(SAMPLE, folder / "data" / "sample", dirs_exist_ok=True)
    shutil.copy(SAMPLE / "ide-sample-1-g003.jpg", folder / "figure3.jpg")
    for name, (figure, box) in CUTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with Image.open(SAMPLE / f"ide-sample-1-{figure}") as picture:
            picture.convert("L").crop(box).save(folder / name)
    for name, rows in TABLES.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    (folder / "my-corpus.toml").write_text(CORPUS, encoding="utf-8")
    _write_paper(folder / "papers")
    _write_labelled(folder)


def _write_paper(folder: Path) -> None:
    """An article with one figure: the sample's third, under a DOI of its own."""
    folder.mkdir(exist_ok=True)
    shutil.copy(SAMPLE / "ide-sample-1-g003.jpg", folder)
    text = (SAMPLE / "ide-sample-1.xml").read_text(encoding="utf-8")
    figures = text[text.index('<fig id="fig1"') : text.rindex("</fig>") + len("</fig>")]
    third = figures[figures.index('<fig id="fig3"') : figures.index('<fig id="fig4"')]
    text = text.replace(figures, third).replace("10.5555/ide-sample.1", "10.5555/ide-example.1")
    (folder / "paper.xml").write_text(text, encoding="utf-8")


def _write_labelled(folder: Path) -> None:
    """Micrographs with true label maps, in the layout of EMPS, and one map that misses a particle."""
    for name in ("my-data/images", "my-data/segmaps", "predicted-maps"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with (folder / "my-data" / "split.csv").open("w", newline="", encoding="utf-8") as file:
        split = csv.writer(file)
        split.writerow(("name", "split"))
        for number, part in enumerate(("train", "train", "val")):
            rng = np.random.default_rng(number)
            drawn = draw_micrograph(rng, shape=(200, 260), kind="tem", scale_bar=None, info_bar=None, letter=None)
            labels = drawn.label_map.astype(np.uint16)
            Image.fromarray(drawn.image).save(folder / "my-data" / "images" / f"{number}.png")
            Image.fromarray(labels).save(folder / "my-data" / "segmaps" / f"{number}.png")
            Image.fromarray(np.where(labels == 1, 0, labels)).save(folder / "predicted-maps" / f"{number}.png")
            split.writerow((number, part))
    shutil.copy(folder / "my-data" / "segmaps" / "0.png", folder / "labels.png")
    shutil.copy(folder / "my-data" / "images" / "0.png", folder / "labelled.png")


def main() -> None:
    """Write them into the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    write_example_files(folder)
    print(f"example files are in {folder}")


if __name__ == "__main__":
    main()
