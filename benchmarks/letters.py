"""How well letters burned into single micrographs are read: found and right, and found where there is none.

    python benchmarks/letters.py [--data ../shared] [--part held]

The labels are of DATA/emps-train/images (tests/figures/micrograph_letters.json), in two parts: the finder was tuned
on one, and is measured on the other. Letters of the same form in both cases count as the same: on one panel alone,
nothing tells them apart.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import cv2
import numpy as np

from imagedataextractor.figures.letters.find import find_letters
from imagedataextractor.figures.panels.layout import analyse
from imagedataextractor.images import load_image

HERE = Path(__file__).resolve().parent
SAME_FORM = set("cijklmopsuvwxyz")


def form(name: str) -> str:
    """The name without the case where that is not to be seen."""
    return "".join(c.lower() if c.lower() in SAME_FORM else c for c in name)


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=HERE.parents[1] / "shared", show_default=True)
@click.option("--part", type=click.Choice(["tune", "held"]), default="held", show_default=True)
@click.option("--verbose", is_flag=True, help="Name what was not right.")
def main(data: Path, part: str, verbose: bool) -> None:
    """Score the reading of letters on micrographs."""
    cv2.setNumThreads(1)
    counts = dict.fromkeys(("right", "wrong", "none", "rightly none", "false"), 0)
    seconds = []
    for entry in json.loads((HERE.parent / "tests" / "figures" / "micrograph_letters.json").read_text()):
        if entry["part"] != part:
            continue
        image = load_image(data / "emps-train" / "images" / f"{entry['name']}.png")
        started = time.process_time()
        found = [letter.text for letter in find_letters(analyse(image))]
        seconds.append(time.process_time() - started)
        if entry["letter"]:
            right = len(found) == 1 and form(found[0]) == form(entry["letter"])
            outcome = "right" if right else "wrong" if found else "none"
        else:
            outcome = "false" if found else "rightly none"
        counts[outcome] += 1
        if verbose and outcome in ("wrong", "none", "false"):
            click.echo(f"{entry['name']}  printed {entry['letter']}  read {' '.join(found) or '-'}")
    lettered = counts["right"] + counts["wrong"] + counts["none"]
    bare = counts["rightly none"] + counts["false"]
    click.echo(
        f"{part}: {lettered} micrographs with a letter: {counts['right']} right, {counts['wrong']} wrong, "
        f"{counts['none']} not found; {bare} without: {counts['false']} false; CPU ms median "
        f"{1000 * float(np.median(seconds)):.0f}"
    )


if __name__ == "__main__":
    main()
