"""What labelled panels are taken for, at the boxes of the labels and without captions, and how good the scores are.

    python benchmarks/kinds.py [--data ../shared] [--labels FILE.json …] [--half dev|kept] [--fringes]

The expected calibration error is the mean distance, over ten bins of the score, between the score and the share that is
right. `--fringes` counts the micrographs of DATA/emps-train, all of particles, and the drawn lattices that are told to
show lattice fringes. LABELS can also be `benchmarks/pictures_elsewhere.json`, whose entries are whole pictures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from imagedataextractor.figures.kinds.classify import classify
from imagedataextractor.figures.kinds.fringes import fringe_strength
from imagedataextractor.figures.letters.naming import CLEAR_FRINGES
from imagedataextractor.images import load_image, to_grey
from imagedataextractor.segmentation.reliability import calibration_error

HERE = Path(__file__).resolve().parent


def judged(path: Path, data: Path, half: str | None) -> list[tuple[str, str, str, float]]:
    """(file and letter, labelled kind, kind said, score) of every panel whose figure is there."""
    found: list[tuple[str, str, str, float]] = []
    for figure in json.loads(path.read_text()):
        file = next((f for f in (path.parent / figure["file"], data / figure["file"]) if f.exists()), None)
        if file is None or (half and figure.get("set") != half):
            continue
        image = load_image(file)
        whole = {"x0": 0, "y0": 0, "x1": image.shape[1], "y1": image.shape[0], "kind": figure.get("kind")}
        for p in figure.get("panels", [whole]):
            kind, score = classify(image[p["y0"] : p["y1"], p["x0"] : p["x1"]])
            found.append((f"{figure['file']} {p.get('label') or '-'}", p["kind"], kind, score))
    return found


def report(name: str, panels: Sequence[tuple[str, str, str, float]], *, verbose: bool) -> None:
    em = [(true == "em", said == "em") for _, true, said, _ in panels]
    missed, false = sum(t and not s for t, s in em), sum(s and not t for t, s in em)
    micrographs = sum(t for t, _ in em)
    right = [true == said for _, true, said, _ in panels]
    error = calibration_error([score for *_, score in panels], right)
    click.echo(
        f"{name:34s} {len(panels):4d}  {1 - (missed + false) / len(panels):5.3f}  {missed:3d} of {micrographs:3d}  "
        f"{false:3d} of {len(panels) - micrographs:3d}  {np.mean(right):5.3f}  {error:5.3f}"
    )
    for where, true, said, score in panels if verbose else ():
        if (true == "em") != (said == "em"):
            click.echo(f"    {where}: {true}, said {said} ({score:.2f})")


def fringes(data: Path) -> None:
    from imagedataextractor.artificial.contents import draw_content

    rng: Any = np.random.default_rng(5)
    drawn = [
        to_grey(draw_content(rng, "lattice", int(rng.integers(150, 420)), int(rng.integers(150, 520)))[1])
        for _ in range(80)
    ]
    real = [to_grey(load_image(f)) for f in sorted((data / "emps-train" / "images").glob("*.png"))]
    for name, pictures in (("EMPS, particles", real), ("drawn lattices", drawn)):
        told = sum(fringe_strength(picture) >= CLEAR_FRINGES for picture in pictures)
        click.echo(f"{name:34s} {told} of {len(pictures)} told to show fringes")


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=HERE.parents[1] / "shared", show_default=True)
@click.option("--labels", multiple=True, type=click.Path(exists=True, path_type=Path, dir_okay=False))
@click.option("--half", type=click.Choice(["dev", "learn", "kept"]), help="Only this half of labels that are in two.")
@click.option("--fringes", "with_fringes", is_flag=True, help="Also score the search for lattice fringes.")
@click.option("--verbose", is_flag=True, help="Name the panels taken wrongly for a micrograph or for none.")
def main(data: Path, labels: tuple[Path, ...], half: str | None, with_fringes: bool, verbose: bool) -> None:
    """Score the kinds of panels."""
    files = labels or (data / "figures" / "panels.json", HERE.parent / "tests" / "figures" / "panels.json")
    click.echo(f"{'':34s} panels EM?    missed      false      kinds  calibration error")
    for path in files:
        panels = judged(path, data, half)
        if panels:
            report(f"{path.parent.name}/{path.name}", panels, verbose=verbose)
    if with_fringes:
        fringes(data)


if __name__ == "__main__":
    main()
