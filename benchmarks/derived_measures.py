r"""How true are the measures made from the masks: sizes, aspect ratios, radial distribution.

    python benchmarks/derived_measures.py --model default --data ../shared/emps-train --split val

For images with at least 30 true particles, as in Yildirim & Cole 2021, which gives mean cosine
distances of 0.02111 (sizes), 0.03261 (aspect ratios) and 0.63646 (radial distribution) for the
published network on the 99 test images, without its binning; so several binnings are printed, and the
Wasserstein distance of the diameters, which needs none.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from segmentation_table import predict

from imagedataextractor.measurement import radial_distribution_function
from imagedataextractor.records import MODES
from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.metrics import summarise
from imagedataextractor.training.segmentation.evaluation import score_predictions


def radial_profile(bins: int) -> Any:
    """A function from a label map to g(r) at `bins` distances up to a third of the shorter side."""

    def profile(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        numbers = np.unique(labels)
        centres = ndimage.center_of_mass(np.ones(labels.shape), labels, numbers[numbers > 0])
        height, width = labels.shape
        # A pixel's centre is half a pixel inside of its edge.
        positions = np.array([(x + 0.5, y + 0.5) for y, x in centres]).reshape(-1, 2)
        return radial_distribution_function(positions, (width, height), bins=bins).g

    return profile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="default")
    parser.add_argument("--data", type=Path, default=Path("../shared/emps-train"), help="folder in the EMPS layout")
    parser.add_argument("--split", default="val")
    parser.add_argument("--modes", nargs="*", default=MODES)
    parser.add_argument("--samples", type=int, help="T (default: the model's own)")
    parser.add_argument("--threshold", type=float, help="t_u, nats (default: the model's own)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bins", type=int, default=20, help="distances of the radial distribution function")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--keep", type=Path, default=Path("runs/predictions"), help="folder of kept predictions")
    arguments = parser.parse_args()

    model = Segmenter.load(arguments.model, arguments.device)
    samples = arguments.samples or model.samples
    print("| mode | measure | images | mean [95 % interval] | median |", f"|{' --- |' * 5}", sep="\n")
    for mode in arguments.modes:
        found = predict(
            model, arguments.data, arguments.split, arguments.keep, mode, samples, arguments.seed, arguments.threshold
        )
        summary = summarise(score_predictions(found, profile=radial_profile(arguments.bins)))
        rows = {
            "sizes, Rice bins": "cos_area",
            "sizes, 10 bins": "cos_area_b10",
            "sizes, 20 bins": "cos_area_b20",
            "sizes, Rice bins over the true range": "cos_area_gtrange",
            "aspect ratios, Rice bins": "cos_ar",
            "aspect ratios, Rice bins over the true range": "cos_ar_gtrange",
            "Wasserstein-1 of ECD / true median": "w1_ecd",
            f"radial distribution, {arguments.bins} distances": "profile_err",
        }
        for label, key in rows.items():
            if key in summary["histogram"]:
                h = summary["histogram"][key]
                interval = f"{h['mean']:.5f} [{h['ci95'][0]:.5f}, {h['ci95'][1]:.5f}]"
                print(f"| {mode} | {label} | {h['images']} | {interval} | {h['median']:.5f} |")
        for label, key in (("count error", "count_err"), ("median ECD error", "ecd_err")):
            m = summary["measure"][key]
            interval = f"{m['mean_abs']:.5f} [{m['mean_abs_ci95'][0]:.5f}, {m['mean_abs_ci95'][1]:.5f}]"
            print(f"| {mode} | absolute {label} | {m['images']} | {interval} | {m['median_abs']:.5f} |")


if __name__ == "__main__":
    main()
