"""How true sizes are on micrographs whose truth is known: edges, and the intervals of the budget.

Bias: drawn scanning and transmission micrographs of scattered particles, blurred (0.7 to 3 px) and noisy, are
segmented and measured with and without moving outlines to the edge. Isolated particles of at least 8 px of
radius that were accepted are compared with the drawn ones. Coverage: drawn images of discs, whose outlines are
given too large, with borders, a wrongly read bar and particles left out; how often the expanded uncertainty of
mean and D50 holds the population's true value.

    python benchmarks/edge.py bias --seed 5000 --images 24
    python benchmarks/edge.py coverage --images 1000 --side 256
"""

from __future__ import annotations

import argparse
import datetime
import platform
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.artificial.micrographs import Micrograph, draw_micrograph
from imagedataextractor.measurement import measure_particles
from imagedataextractor.measurement.border_weights import border_weights, extents
from imagedataextractor.measurement.budget import budget_of, scale_uncertainty
from imagedataextractor.segmentation import Segmenter

LEAST_RADIUS_PX = 8.0
#: An isolated particle has no other within this distance, px.
GAP_PX = 4
FAMILIES = ("sphere", "ellipsoid", "rod", "irregular")


def isolated(micrograph: Micrograph) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """Labels of drawn particles that stand alone, whole and large enough, and their pixels."""
    truth = micrograph.label_map
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GAP_PX + 1,) * 2)
    table = measure_particles(truth, margin_px=GAP_PX)
    for row in np.flatnonzero(table["accepted"] & (table["ecd_px"] >= 2 * LEAST_RADIUS_PX)).tolist():
        label = int(table["label"][row])
        mask = truth == label
        about = cv2.dilate(mask.astype(np.uint8), ball) > 0
        if (
            not (micrograph.occluded is not None and micrograph.occluded[label - 1])
            and (truth[about & ~mask] == 0).all()
        ):
            yield label, mask


def drawn(seed: int) -> tuple[Micrograph, npt.NDArray[np.uint8], float]:
    rng = np.random.default_rng(seed)
    micrograph = draw_micrograph(
        rng,
        kind="sem" if seed % 2 else "tem",
        family=FAMILIES[seed // 2 % len(FAMILIES)],
        arrangement="scattered",
        median_diameter_px=float(np.exp(rng.uniform(np.log(20), np.log(70)))),
        spread=0.15,
        coverage=0.18,
        scale_bar=None,
        info_bar=None,
        letter=None,
        degradation=0.0,
    )
    blur = float(np.exp(rng.uniform(np.log(0.7), np.log(3))))
    image = cv2.GaussianBlur(micrograph.image.astype(np.float32), (0, 0), blur)
    image += rng.normal(0, rng.uniform(2, 8), image.shape)
    return micrograph, np.clip(image + 0.5, 0, 255).astype(np.uint8), blur


def bias(first: int, count: int) -> None:
    segmenter = Segmenter.load("default", "cpu")
    print("\n| seed | kind | shape | blur, px | particles | refined | as segmented, % | at the edge, % |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    before: dict[str, list[float]] = {}
    after: dict[str, list[float]] = {}
    medians: dict[str, list[float]] = {}
    for seed in range(first, first + count):
        micrograph, image, blur = drawn(seed)
        found = segmenter.segment(image)
        tables = [measure_particles(found.label_map, filtered=found.filtered, image=shown) for shown in (None, image)]
        rows = {int(label): row for row, label in enumerate(tables[0]["label"])}
        errors: list[tuple[float, float, bool]] = []
        for _, mask in isolated(micrograph):
            votes = np.bincount(found.label_map[mask], minlength=2)
            votes[0] = 0
            row = rows.get(int(votes.argmax()))
            if votes.max() == 0 or row is None or not tables[0]["accepted"][row]:
                continue
            area = float(tables[0]["area_px"][row])
            if votes.max() / (area + mask.sum() - votes.max()) < 0.5:
                continue
            true = np.sqrt(4 * mask.sum() / np.pi)
            given, refined = (100 * (float(table["ecd_px"][row]) / true - 1) for table in tables)
            errors.append((given, refined, bool(tables[1]["edge_refined"][row])))
        if not errors:
            continue
        given, refined, moved = zip(*errors, strict=True)
        kind = micrograph.kind
        before.setdefault(kind, []).extend(given)
        after.setdefault(kind, []).extend(refined)
        medians.setdefault(kind, []).append(float(np.median(refined)))
        print(
            f"| {seed} | {kind} | {micrograph.family} | {blur:.1f} | {len(errors)} | {np.mean(moved):.2f} "
            f"| {np.median(given):+.2f} | {np.median(refined):+.2f} |",
            flush=True,
        )
    print("\n| kind | particles | median, as segmented | median, at the edge | median of the images' medians |")
    print("| --- | --- | --- | --- | --- |")
    for kind in (*sorted(before), "all"):
        kinds = sorted(before) if kind == "all" else [kind]
        a, b, c = ([v for k in kinds for v in values[k]] for values in (before, after, medians))
        print(f"| {kind} | {len(a)} | {np.median(a):+.2f} % | {np.median(b):+.2f} % | {np.median(c):+.2f} % |")


def coverage(first: int, count: int, side: int) -> None:
    """Populations in images: sizes log-normal, places anywhere, those that touch others left out before drawing."""
    fine = 3
    held = {"mean": 0, "d50": 0}
    width: list[float] = []
    tried = 0
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        median, spread = float(rng.uniform(18, 36)), float(rng.uniform(0.08, 0.25))
        blur, noise = float(np.exp(rng.uniform(np.log(0.7), np.log(3)))), float(rng.uniform(2, 8))
        image, labels = _discs(rng, side, fine, median, spread)
        image = cv2.GaussianBlur(image, (0, 0), blur * fine)
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) * 120 + 60
        image += rng.normal(0, noise, image.shape)
        given = cv2.dilate(labels.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
        given[labels > 0] = labels[labels > 0]
        bar_px = float(rng.uniform(60, 150))
        read_px = bar_px + rng.uniform(-0.5, 0.5) + rng.uniform(-0.5, 0.5)
        nm_per_px = bar_px / read_px  # the truth is 1 nm/px
        rejected = rng.random(int(given.max())) < 0.1
        table = measure_particles(given, image=image, nm_per_px=nm_per_px, filtered=rejected)
        counted = table.accepted
        if len(counted) < 5:
            continue
        wide, high = extents([counted.outline(row) for row in range(len(counted))])
        budget = budget_of(
            counted["ecd_nm"],
            nm_per_px=nm_per_px,
            scale=scale_uncertainty(read_px),
            edge_uncertainty_px=counted["edge_uncertainty_px"],
            weights=border_weights(wide, high, (side, side)),
            rejected_nm=table.where(table["reason"] == "uncertain")["ecd_nm"],
            seed=seed,
        )
        tried += 1
        assert budget.mean_nm is not None and budget.d50_nm is not None  # noqa: PT018
        assert budget.expanded_mean_nm is not None and budget.expanded_d50_nm is not None  # noqa: PT018
        held["mean"] += abs(budget.mean_nm - median * np.exp(spread**2 / 2)) < budget.expanded_mean_nm
        held["d50"] += abs(budget.d50_nm - median) < budget.expanded_d50_nm
        width.append(budget.expanded_mean_nm / budget.mean_nm)
        if tried % 50 == 0:
            print(
                f"{tried}: mean {100 * held['mean'] / tried:.1f} %, D50 {100 * held['d50'] / tried:.1f} %", flush=True
            )
    print(f"\nCoverage of expanded uncertainties (k = 2), {tried} images:")
    print(f"mean {100 * held['mean'] / tried:.1f} %, D50 {100 * held['d50'] / tried:.1f} %;", end=" ")
    print(f"median U/mean {100 * np.median(width):.1f} %")


def _discs(
    rng: np.random.Generator, side: int, fine: int, median: float, spread: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Discs that keep apart, in and beside the frame, on a finer grid; and their label map.

    Places are tried in the order of size classes drawn at random, and a place is tried again for the same
    size, so that keeping apart does not choose sizes.
    """
    picture = np.zeros((side * fine, side * fine), np.float32)
    labels = np.zeros((side, side), np.int32)
    placed: list[tuple[float, float, float]] = []
    rows, columns = np.mgrid[:side, :side] + 0.5
    margin = 2 * median
    for _ in range(int(rng.uniform(0.10, 0.22) * (side + 2 * margin) ** 2 / (np.pi * median**2 / 4))):
        radius = 0.5 * median * float(np.exp(rng.normal(0, spread)))
        for _ in range(200):
            x, y = rng.uniform(-margin, side + margin, 2)
            if all(np.hypot(x - a, y - b) > radius + r + 8 for a, b, r in placed):
                placed.append((x, y, radius))
                break
    for number, (x, y, radius) in enumerate(placed, 1):
        centre = round((x * fine - 0.5) * 256), round((y * fine - 0.5) * 256)
        cv2.circle(picture, centre, round(radius * fine * 256), 1.0, -1, cv2.LINE_8, 8)
        labels[np.hypot(columns - x, rows - y) < radius] = number
    return picture, labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["bias", "coverage"])
    parser.add_argument("--seed", type=int, default=5000)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--side", type=int, default=384, help="of the images of coverage, px")
    options = parser.parse_args()
    print(f"{datetime.date.today()}, {platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")
    if options.what == "bias":
        bias(options.seed, options.images)
    else:
        coverage(options.seed, options.images, options.side)


if __name__ == "__main__":
    main()
