"""Accuracy and speed of the scale-bar stage on the hand-read bars of the EMPS images.

    python benchmarks/scalebar.py --data ../shared --cache texts.json --folds 5

Prints the share of images read right, the share given a wrong scale,
the calibration of the confidence, and coverage against error: with `--folds` each image is judged by models
fitted on the images of other articles; without it by those that come with the package, which were fitted on all.
With `--cache` the texts are read once
and kept; without it the times include OCR.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np

from imagedataextractor.images import load_image
from imagedataextractor.ocr import OcrEngine, TextBox, load_engine
from imagedataextractor.quantities import NM_PER_UNIT
from imagedataextractor.records import ScaleBar
from imagedataextractor.scalebar import match
from imagedataextractor.scalebar.reading import gather_texts, scale_bars_of
from imagedataextractor.segmentation.reliability import calibration_error
from imagedataextractor.settings import ScaleBarSettings
from imagedataextractor.training.scalebar import judge
from imagedataextractor.training.scalebar.labelled import (
    Row,
    fold_of,
    load_rows,
    load_texts,
)


def report(
    rows: list[Row],
    bars: dict[str, ScaleBar],
    title: str,
    threshold: float,
    verbose: bool,
) -> None:
    readable = [r for r in rows if r.nm_per_px is not None]
    text_right = err2 = err5 = given = wrong = double = 0
    confidence, right = [], []
    for row in rows:
        bar = bars[row.filename]
        if row.value is not None and bar.value is not None:
            text_right += abs(bar.value - row.value) < 1e-9 and bar.unit == row.unit
        error = None
        if bar.value is not None and bar.unit is not None and bar.length_px:
            scale = bar.value * NM_PER_UNIT[bar.unit] / bar.length_px
            error = abs(scale / row.nm_per_px - 1) if row.nm_per_px else float("inf")
            ratio = max(scale / row.nm_per_px, row.nm_per_px / scale) if row.nm_per_px else float("inf")
            confidence.append(bar.confidence)
            right.append(error <= 0.05)
        shown = bar.nm_per_px is not None
        if shown and error is not None:
            given += 1
            err5 += error <= 0.05
            err2 += error <= 0.02
            wrong += error > 0.05
            double += ratio >= 2
        bad = (row.nm_per_px is not None and not (shown and error is not None and error <= 0.02)) or (
            row.nm_per_px is None and shown
        )
        if verbose and bad:
            print(
                f"  {row.filename} true {row.value} {row.unit} {row.length_px} px; read {bar.value} {bar.unit} "
                f"{bar.length_px and round(bar.length_px, 1)} px, confidence {bar.confidence:.2f} | {row.notes}"
            )
    n, m = len(readable), len(rows)
    c, y = np.array(confidence), np.array(right, float)
    print(f"{title}: {m} images, {n} with a readable value; threshold {threshold}")
    print(f"  value and unit exact   {text_right / n:7.1%}  of readable, whatever the confidence")
    print(f"  nm/px within 5 %       {err5 / n:7.1%}  of readable")
    print(f"  nm/px within 2 %       {err2 / n:7.1%}  of readable")
    print(f"  given a scale          {given / m:7.1%}  of all images")
    print(f"  given a wrong scale    {wrong / m:7.1%}  of all images ({wrong}); by a factor of 2 or more {double}")
    print(f"  calibration error      {calibration_error(c, y):7.3f}  over {len(c)} readings")
    print("  coverage of readable against wrong share of those given, by threshold:")
    for t in (0.05, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98):
        use = c >= t
        if use.any():
            share = 1 - y[use].mean()
            print(f"    {t:4.2f}  coverage {y[use].sum() / n:6.1%}  wrong {(1 - y[use]).sum():3.0f} ({share:.1%})")
    if (y == 0).any():
        limit = c[y == 0].max()
        print(f"  no error above confidence {limit:.3f}: coverage {(c[y == 1] > limit).sum() / n:.1%}")


def read(
    row: Row,
    images: Path,
    texts: list[TextBox] | None,
    engine: OcrEngine,
    settings: ScaleBarSettings,
) -> tuple[ScaleBar, float]:
    """An image's scale, and the CPU seconds that it took."""
    image = load_image(images / row.filename)
    start = time.process_time()
    found = scale_bars_of(
        image,
        gather_texts(image, engine) if texts is None else texts,
        settings=settings,
    )
    return found[0] if found else ScaleBar(reason="no scale bar found"), time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, help="keep the OCR results here; times then leave OCR out")
    parser.add_argument("--ocr", choices=["rapidocr", "tesseract"], default="rapidocr")
    parser.add_argument("--threshold", type=float, default=ScaleBarSettings().threshold)
    parser.add_argument(
        "--folds",
        type=int,
        default=0,
        help="judge each image by models fitted on other articles",
    )
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="list the images that are not right to 2 %%",
    )
    args = parser.parse_args()

    if args.folds and not args.cache:
        parser.error("--folds needs --cache: the texts are read once")
    rows = [
        r
        for r in load_rows(args.data / "scalebars" / "emps-train.csv", args.data / "emps-train")
        if r.has_bar != "unreadable"
    ]
    images = args.data / "emps-train" / "images"
    texts = load_texts(rows, images, args.cache, args.ocr) if args.cache else {}
    engine = load_engine(args.ocr)
    settings = ScaleBarSettings(threshold=args.threshold)
    bars: dict[str, ScaleBar] = {}
    seconds = []
    folds = max(1, args.folds)
    gathered = judge.gather(rows, texts, images) if args.folds else None
    for fold in range(folds):
        held_out = [row for row in rows if fold_of(row, folds) == fold]
        models = match.load_models() if gathered is None else judge.fit(gathered.without(held_out))
        with patch.object(match, "load_models", return_value=models):
            for row in held_out:
                bars[row.filename], took = read(row, images, texts.get(row.filename), engine, settings)
                seconds.append(took)
    report(
        rows,
        bars,
        f"{args.folds} folds of articles" if args.folds else "as fitted",
        args.threshold,
        args.verbose,
    )
    what = "without OCR" if args.cache else "with OCR"
    print(
        f"CPU seconds an image, {what}: median {np.median(seconds):.2f}, mean {np.mean(seconds):.2f}",
        end="",
    )
    print(f", 95th percentile {np.percentile(seconds, 95):.2f}, longest {max(seconds):.2f}")


if __name__ == "__main__":
    main()
