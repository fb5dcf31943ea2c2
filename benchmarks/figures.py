"""How well figures are split into panels: boxes, letters and kinds against labels, and the time it takes.

    python benchmarks/figures.py [--data ../shared] [--labels FILE.json …] [--half dev|learn|kept] [--synthetic N]
        [--zoom F]

A predicted panel matches a labelled one if their boxes overlap with an IoU of at least 0.5 (0.75);
the matching is one to one and as good as it can be. Insets are no panels here, as in the labels.
Kinds are scored over the panels matched at 0.5, letters over those of them whose label has one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from imagedataextractor.figures import split_figure
from imagedataextractor.images import load_image
from imagedataextractor.records import Box, Panel

HERE = Path(__file__).resolve().parent
#: Real micrographs that drawn figures are made of.
POOL = 60


@dataclass
class Tally:
    """Counts over figures."""

    true: int = 0
    found: int = 0
    at_50: int = 0
    at_75: int = 0
    em_right: int = 0
    kind_right: int = 0
    letters: int = 0
    letters_right: int = 0
    false_em: int = 0
    seconds: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        matched = max(1, self.at_50)
        f1 = [2 * hit / max(1, self.true + self.found) for hit in (self.at_50, self.at_75)]
        return (
            f"{name:34s} {self.true:4d} {self.found:4d}  {f1[0]:5.3f} {f1[1]:5.3f}  "
            f"{self.em_right / matched:5.3f} {self.kind_right / matched:5.3f}  "
            f"{self.letters_right / max(1, self.letters):5.3f}  {self.false_em:3d}  "
            f"{1000 * float(np.median(self.seconds)):6.0f} {1000 * max(self.seconds):6.0f}"
        )

    def add(self, other: Tally) -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


HEADER = f"{'':34s} true found  F1@50 F1@75  EM?   kind   letter falseEM  CPU ms median/max"


def score(truth: Sequence[dict[str, Any]], panels: Sequence[Panel], seconds: float) -> Tally:
    """Compare the panels of one figure with its labels."""
    panels = [p for p in panels if p.parent is None]
    boxes = [Box(t["x0"], t["y0"], t["x1"], t["y1"]) for t in truth]
    iou = np.array([[b.iou(p.box) for p in panels] for b in boxes]).reshape(len(boxes), len(panels))
    tally = Tally(true=len(boxes), found=len(panels), seconds=[seconds])
    matched_panels = set()
    rows, columns = linear_sum_assignment(-iou)
    for i, j in zip(rows, columns, strict=True):
        if iou[i, j] < 0.5:
            continue
        matched_panels.add(j)
        label, panel = truth[i], panels[j]
        tally.at_50 += 1
        tally.at_75 += iou[i, j] >= 0.75
        tally.em_right += (label["kind"] == "em") == (panel.kind == "em")
        tally.kind_right += label["kind"] == panel.kind
        tally.false_em += panel.kind == "em" and label["kind"] != "em"
        if label.get("label"):
            tally.letters += 1
            tally.letters_right += panel.label == label["label"]
    return tally


def labelled(
    data: Path, labels: Sequence[Path], half: str | None = None
) -> Iterator[tuple[str, np.ndarray[Any, Any], list[dict[str, Any]]]]:
    """Figures with their labels: (name, image, panels), of one half of the labels if `half` is given."""
    missing = 0
    for path in labels:
        for figure in json.loads(path.read_text()):
            if half is not None and figure.get("set") != half:
                continue
            file = path.parent / figure["file"]
            if not file.exists():
                file = data / figure["file"]
            if file.exists():
                yield figure["file"], load_image(file), figure["panels"]
            else:
                missing += 1
    if missing:
        click.echo(f"{missing} labelled figures are not there and count nowhere", err=True)


def synthetic(count: int, seed: int, data: Path) -> Iterator[tuple[str, np.ndarray[Any, Any], list[dict[str, Any]]]]:
    """Drawn figures with their exact truth, with crops of real micrographs if DATA/emps-train is there."""
    from imagedataextractor.artificial.figures import draw_figure

    files = sorted((data / "emps-train" / "images").glob("*.png"))
    rng = np.random.default_rng(seed)
    pool = [load_image(files[i]) for i in rng.permutation(len(files))[:POOL]]
    pool = [image if image.ndim == 2 else image[..., 1].copy() for image in pool]
    for i in range(count):
        figure = draw_figure(rng, pool=pool)
        panels = [
            {"x0": p.box.x0, "y0": p.box.y0, "x1": p.box.x1, "y1": p.box.y1, "label": p.label, "kind": p.kind}
            for p in figure.panels
            if p.parent is None
        ]
        yield f"synthetic {i}", figure.image, panels


def zoomed(
    image: np.ndarray[Any, Any], truth: list[dict[str, Any]], factor: float
) -> tuple[np.ndarray[Any, Any], list[dict[str, Any]]]:
    """A figure and its labels, scaled."""
    if factor == 1.0:
        return image, truth
    method = cv2.INTER_AREA if factor < 1.0 else cv2.INTER_CUBIC
    edges = ("x0", "y0", "x1", "y1")
    truth = [panel | {edge: round(panel[edge] * factor) for edge in edges} for panel in truth]
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=method), truth


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=HERE.parents[1] / "shared", show_default=True)
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(exists=True, path_type=Path, dir_okay=False),
    help="Label files; by default DATA/figures/panels.json and tests/figures/panels.json.",
)
@click.option("--half", type=click.Choice(["dev", "learn", "kept"]), help='Only the labels whose "set" this is.')
@click.option("--synthetic", "count", default=0, show_default=True, help="Also split this many drawn figures.")
@click.option("--seed", default=7, show_default=True, help="Of the drawn figures.")
@click.option("--only", default="", help="Only figures whose name contains this.")
@click.option("--holding", default="", help="Only figures with a panel of this kind.")
@click.option("--zoom", default=1.0, show_default=True, help="Scale the figures by this first: small print is harder.")
@click.option("--verbose", is_flag=True, help="A row for every figure.")
def main(
    data: Path,
    labels: tuple[Path, ...],
    half: str | None,
    count: int,
    seed: int,
    only: str,
    holding: str,
    zoom: float,
    verbose: bool,
) -> None:
    """Score the splitting of figures."""
    cv2.setNumThreads(1)
    files = labels or (data / "figures" / "panels.json", HERE.parent / "tests" / "figures" / "panels.json")
    click.echo(HEADER)
    for name, items in [
        *((str(f.parent.name + "/" + f.name), labelled(data, [f], half)) for f in files if f.exists()),
        (f"drawn, seed {seed}", synthetic(count, seed, data)),
    ]:
        total = Tally()
        for figure, image, truth in items:
            if only not in figure or (holding and all(p["kind"] != holding for p in truth)):
                continue
            scaled, true_panels = zoomed(image, truth, zoom)
            started = time.process_time()
            panels = split_figure(scaled)
            tally = score(true_panels, panels, time.process_time() - started)
            if verbose:
                click.echo(tally.row(figure[-34:]))
            total.add(tally)
        if total.seconds:
            click.echo(total.row(name))


if __name__ == "__main__":
    main()
