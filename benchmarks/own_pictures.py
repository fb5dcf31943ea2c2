"""What becomes of pictures that stand for themselves: cut up, cropped, taken for something else, data bars.

    python benchmarks/own_pictures.py [--data ../shared] [--drawn N] [--as own|figure]

Real micrographs: DATA/emps-train, DATA/stem-boxes and DATA/ampis, all of which stand for themselves. Drawn ones:
N of each maker's data bar, over the foot or below it, plain and as JPEG; and N with agglomerates at the foot of plain
ground, and no data bar. Figures: the labelled ones of DATA and tests/figures with several panels, which must be cut as
a figure of an article is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from imagedataextractor.artificial.annotations import draw_info_bar
from imagedataextractor.artificial.databars import MAKERS, draw_data_bar
from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.figures import split_figure
from imagedataextractor.images import load_image
from imagedataextractor.records import Box

HERE = Path(__file__).resolve().parent
SHAPES = ((480, 640), (768, 1024), (960, 1280), (512, 512))
#: Least share of the picture that its panel covers where nothing was cropped.
COVERED = 0.98
#: Rows by which a data bar's edge may be off.
OFF_PX = 4


def barred(count: int) -> Iterator[tuple[str, Any, Box | None]]:
    """Micrographs with each maker's data bar, and where it lies."""
    for i in range(count):
        for maker in (*MAKERS, "zeiss", "fei", "hitachi", "jeol"):
            rng = np.random.default_rng((7, i, *maker.encode()))
            kind = ("sem", "sem", "tem", "stem")[i // 2 % 4]
            drawn = draw_micrograph(rng, shape=SHAPES[i % 4], kind=kind, scale_bar=None, info_bar=None, letter=None)
            if maker in MAKERS:
                image, _, box = draw_data_bar(rng, drawn.image, 2.0, maker=maker, appended=i % 2 == 1)
            else:
                image, _, box = draw_info_bar(rng, drawn.image, 2.0, style=maker)
            yield f"data bar {maker}", saved(image, i), box


def agglomerates(count: int) -> Iterator[tuple[str, Any, Box | None]]:
    """Free particles in clumps on plain ground, all at the foot; with a scale bar at times, and no data bar."""
    for i in range(count):
        rng = np.random.default_rng((8, i))
        shape = SHAPES[i % 4]
        drawn = draw_micrograph(
            rng,
            shape=(shape[0] // 5, shape[1]),
            kind=("sem", "tem", "stem")[i % 3],
            arrangement="clusters",
            median_diameter_px=float(rng.uniform(8, 24)),
            coverage=float(rng.uniform(0.05, 0.3)),
            info_bar=None,
            letter=None,
            scale_bar="plain" if i % 2 else None,
        )
        # The ground above is the picture's own, mirrored where there are no particles.
        ground = np.where(drawn.label_map > 0, int(np.median(drawn.image)), drawn.image).astype(np.uint8)
        above = np.tile(np.concatenate([ground[::-1], ground]), (3, 1))[-(shape[0] - ground.shape[0]) :]
        yield "agglomerates at the foot", saved(np.concatenate([above, drawn.image]), i), None


def saved(image: Any, i: int) -> Any:
    """As it is, or after JPEG of good or poor quality."""
    if i % 3 == 0:
        return image
    packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, (80, 50)[i % 3 - 1]])[1]
    return cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)


def real(data: Path) -> Iterator[tuple[str, Any, Box | None]]:
    for name in ("emps-train", "stem-boxes", "ampis"):
        for path in sorted((data / name / "images").iterdir()):
            yield name, load_image(path), None


def figures(data: Path) -> Iterator[tuple[str, Any]]:
    for labels, root in (
        (data / "figures" / "panels.json", data / "figures"),
        (HERE.parent / "tests" / "figures" / "panels.json", data),
    ):
        for figure in json.loads(labels.read_text()):
            if len(figure["panels"]) > 1 and (root / figure["file"]).is_file():
                yield figure["file"], load_image(root / figure["file"])


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=HERE.parent.parent / "shared")
@click.option("--drawn", type=int, default=20, help="Drawn pictures a kind.")
@click.option("--as", "extent", type=click.Choice(["own", "figure"]), default="own")
@click.option("--list", "listed", is_flag=True, help="Name each that went wrong.")
def main(data: Path, drawn: int, extent: str, listed: bool) -> None:
    """Print a row a kind of picture."""
    counts: dict[str, Counter[str]] = {}
    for part in (barred(drawn), agglomerates(drawn), real(data)):
        for number, (name, image, bar) in enumerate(part):
            tally = counts.setdefault(name, Counter())
            panels = split_figure(image, extent=extent)
            outer = [panel for panel in panels if panel.parent is None]
            found = outer[0].info_bar
            wrong = {
                "cut up": len(outer) > 1,
                "cropped": len(outer) == 1 and outer[0].box.area < COVERED * image.shape[0] * image.shape[1],
                "not em": any(panel.kind != "em" for panel in outer),
                "bar missed": bar is not None
                and (found is None or abs(found.box.y0 + outer[0].box.y0 - bar.y0) > OFF_PX),
                "bar": found is not None,
            }
            tally["n"] += 1
            tally.update(key for key, is_so in wrong.items() if is_so)
            if listed and any(is_so for key, is_so in wrong.items() if key != "bar" or bar is None):
                print(name, number, image.shape, [key for key, is_so in wrong.items() if is_so])
    columns = ("n", "cut up", "cropped", "not em", "bar", "bar missed")
    print(f"{'':26s}" + "".join(f"{column:>11s}" for column in columns))
    for name, tally in counts.items():
        print(f"{name:26s}" + "".join(f"{tally[column]:11d}" for column in columns))
    if extent == "own":
        same = [split_figure(image) == split_figure(image, extent="own") for _, image in figures(data)]
        print(f"figures of several panels, cut the same way: {sum(same)} of {len(same)}")


if __name__ == "__main__":
    main()
