"""Accuracy and speed of the measurement stage.

Accuracy: ideal shapes at random positions and angles, drawn into label maps as a perfect segmentation
would (a pixel belongs to a shape if its centre does), measured, and compared with the shapes'
formulas; scikit-image measures the same maps. Speed: CPU time against the number of particles and of
pixels. Order: the radial distribution function of random patterns, whose truth is 1.

    python benchmarks/measurement.py [--seed 0] [--shapes 200] [--speed] [--data ../shared]
"""

from __future__ import annotations

import argparse
import datetime
import platform
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.measure import regionprops

from imagedataextractor.measurement import measure_particles, radial_distribution_function
from imagedataextractor.measurement.outlines import trace_outlines

Draw = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.bool_]]


def disc(radius: float) -> tuple[Draw, dict[str, float]]:
    truth = {"ecd": 2 * radius, "perimeter": 2 * np.pi * radius, "feret_max": 2 * radius, "feret_min": 2 * radius}
    return (lambda x, y: x * x + y * y < radius * radius), truth | {"aspect": 1.0}


def rectangle(length: float, width: float) -> tuple[Draw, dict[str, float]]:
    truth = {
        "ecd": np.sqrt(4 * length * width / np.pi),
        "perimeter": 2 * (length + width),
        "feret_max": float(np.hypot(length, width)),
        "feret_min": width,
        "aspect": length / width,
    }
    return (lambda x, y: (np.abs(x) < length / 2) & (np.abs(y) < width / 2)), truth


def ellipse(a: float, b: float) -> tuple[Draw, dict[str, float]]:
    angle = np.linspace(0, 2 * np.pi, 20001)
    around = float(np.hypot(np.diff(a * np.cos(angle)), np.diff(b * np.sin(angle))).sum())
    truth = {"ecd": 2 * np.sqrt(a * b), "perimeter": around, "feret_max": 2 * a, "feret_min": 2 * b, "aspect": a / b}
    return (lambda x, y: (x / a) ** 2 + (y / b) ** 2 < 1), truth


def polygon(corners: int, side: float) -> tuple[Draw, dict[str, float]]:
    around = np.arange(corners) * 2 * np.pi / corners
    inner, outer = side / 2 / np.tan(np.pi / corners), side / 2 / np.sin(np.pi / corners)
    normals = np.stack([np.cos(around), np.sin(around)], axis=1)
    vertices = outer * np.stack([np.cos(around + np.pi / corners), np.sin(around + np.pi / corners)], axis=1)
    truth = {
        "ecd": np.sqrt(4 / np.pi * corners * side * inner / 2),
        "perimeter": corners * side,
        "feret_max": float(np.hypot(*(vertices[:, None] - vertices).T).max()),
        "feret_min": float(np.ptp(vertices @ normals.T, axis=0).min()),
        "aspect": 1.0,
    }
    return (lambda x, y: np.all([p * x + q * y < inner for p, q in normals], axis=0)), truth


SHAPES = {
    "disc, d = 6": disc(3),
    "disc, d = 10": disc(5),
    "disc, d = 20": disc(10),
    "disc, d = 50": disc(25),
    "disc, d = 200": disc(100),
    "ellipse 40 × 16": ellipse(20, 8),
    "square 12": rectangle(12, 12),
    "square 50": rectangle(50, 50),
    "rod 60 × 8": rectangle(60, 8),
    "rod 200 × 20": rectangle(200, 20),
    "ellipse 60 × 12": ellipse(30, 6),
    "triangle 31": polygon(3, 31),
    "triangle 80": polygon(3, 80),
    "pentagon 25": polygon(5, 25),
    "hexagon 24": polygon(6, 24),
}


def draw(inside: Draw, reach: float, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    side = 2 * int(reach) + 8
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    dx, dy = rng.uniform(-0.5, 0.5, 2)
    angle = rng.uniform(0, np.pi)
    c, s = np.cos(angle), np.sin(angle)
    return inside(c * (x - dx) + s * (y - dy), c * (y - dy) - s * (x - dx)).astype(np.int32)


def accuracy(count: int, seed: int) -> None:
    print("\nAccuracy, mean error ± standard deviation (sizes and perimeter %, Ferets px, aspect ratio %)")
    print("in brackets scikit-image: perimeter_crofton(directions=4), feret_diameter_max; OpenCV: minAreaRect\n")
    head = f"{'shape':<18}{'ECD %':>14}{'perimeter %':>26}{'Feret max px':>24}{'Feret min px':>24}{'aspect %':>16}"
    print(head + "\n" + "-" * len(head))
    for name, (inside, truth) in SHAPES.items():
        rng = np.random.default_rng(seed)
        errors: dict[str, list[float]] = {}
        for _ in range(count):
            labels = draw(inside, 0.6 * truth["feret_max"] + 1, rng)  # a triangle reaches 0.58 of it
            (p,) = measure_particles(labels)
            region = regionprops(labels)[0]
            corners = np.float32(trace_outlines(labels)[1])
            for key, error in (
                ("ecd", 100 * (p.ecd_px / truth["ecd"] - 1)),
                ("perimeter", 100 * (p.perimeter_px / truth["perimeter"] - 1)),
                ("perimeter (other)", 100 * (region.perimeter_crofton / truth["perimeter"] - 1)),
                ("feret_max", p.feret_max_px - truth["feret_max"]),
                ("feret_max (other)", region.feret_diameter_max - truth["feret_max"]),
                ("feret_min", p.feret_min_px - truth["feret_min"]),
                ("feret_min (other)", min(cv2.minAreaRect(corners)[1]) - truth["feret_min"]),
                ("aspect", 100 * (p.aspect_ratio / truth["aspect"] - 1)),
            ):
                errors.setdefault(key, []).append(error)
        said = {key: f"{np.mean(values):+.2f} ± {np.std(values):.2f}" for key, values in errors.items()}
        perimeter = f"{said['perimeter']} ({np.mean(errors['perimeter (other)']):+.2f})"
        feret = f"{said['feret_max']} ({np.mean(errors['feret_max (other)']):+.2f})"
        narrow = f"{said['feret_min']} ({np.mean(errors['feret_min (other)']):+.2f})"
        print(
            f"{name:<18}{said['ecd']:>14}{perimeter:>26}{feret:>24}{narrow:>24}{said['aspect']:>16}",
            flush=True,
        )


def speed(seed: int) -> None:
    print("\nSpeed, CPU seconds of one core: of label maps alone, and with outlines moved to the edges in a micrograph")
    head = f"{'particles':>10}{'map':>14}{'foreground px':>16}{'map alone':>12}{'with edges':>12}"
    print(head + "\n" + "-" * len(head))
    for columns, cell in ((10, 40), (32, 40), (71, 40), (71, 80), (100, 40), (142, 40)):
        rng = np.random.default_rng(seed)
        labels = field_of_discs(columns, cell, rng)
        image = cv2.GaussianBlur((labels > 0).astype(np.float32), (0, 0), 1.2) * 120 + 60
        image = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
        took = []
        for shown in (None, image):
            some = (slice(0, 4 * cell),) * 2
            measure_particles(labels[some], image=None if shown is None else shown[some])
            start = time.process_time()
            particles = measure_particles(labels, nm_per_px=1.0, image=shown)
            took.append(time.process_time() - start)
        size = f"{labels.shape[0]} × {labels.shape[1]}"
        print(
            f"{len(particles):>10}{size:>14}{np.count_nonzero(labels):>16}{took[0]:>12.2f}{took[1]:>12.2f}", flush=True
        )


def field_of_discs(columns: int, cell: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    labels = np.zeros((columns * cell, columns * cell), np.int32)
    y, x = np.mgrid[:cell, :cell] + 0.5 - cell / 2
    for index in range(columns * columns):
        row, column = divmod(index, columns)
        there = labels[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
        there[np.hypot(x, y) < rng.uniform(0.1, 0.49) * cell] = index + 1
    return labels


def order(seed: int) -> None:
    print("\nRadial distribution function of random points (truth 1), frame 100 × 60, 100 patterns of 400 points")
    rng = np.random.default_rng(seed)
    found = [
        radial_distribution_function(rng.uniform((0, 0), (100, 60), (400, 2)), (100, 60), r_max=30, bins=6)
        for _ in range(100)
    ]
    print("r      " + "".join(f"{r:>8.1f}" for r in found[0].r))
    print("mean g " + "".join(f"{g:>8.3f}" for g in np.mean([f.g for f in found], axis=0)))


def real(data: Path) -> None:
    """Nothing to compare with, but what happens on real maps: time, and how often shapes are at a bound."""
    paths = sorted((data / "emps-train" / "segmaps").glob("*.png"))
    if not paths:
        print(f"\n{data}: no real label maps there; left out")
        return
    took, particles = 0.0, []
    for path in paths:
        labels = np.asarray(Image.open(path)).astype(np.int32)
        start = time.process_time()
        particles += measure_particles(labels)
        took += time.process_time() - start
    capped = np.mean([p.circularity == 1 for p in particles])
    border = np.mean([p.touches_border for p in particles])
    print(f"\n{len(paths)} real label maps: {len(particles)} particles in {took:.1f} CPU seconds,")
    print(f"{100 * border:.1f} % touch the border, {100 * capped:.1f} % have a circularity capped at 1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared"), help="folder with emps-train (default ../shared)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shapes", type=int, default=200, help="drawings of each shape (default 200)")
    parser.add_argument("--speed", action="store_true", help="the times alone")
    options = parser.parse_args()
    print(f"{datetime.date.today()}, {platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")
    if options.speed:
        speed(options.seed)
        return
    accuracy(options.shapes, options.seed)
    order(options.seed)
    speed(options.seed)
    real(options.data)


if __name__ == "__main__":
    main()
