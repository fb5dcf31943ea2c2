"""Accuracy and speed of the scale-bar stage on the hand-read bars of the EMPS images.

    python benchmarks/scalebar.py --data ../shared --cache texts.json

Prints, for each part of the split, the share of images read right, the share given a wrong scale,
the calibration of the confidence, and coverage against error. With `--cache` the texts are read once
and kept; without it the times include OCR.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imagedataextractor.images import load_image
from imagedataextractor.ocr import TextBox, load_engine
from imagedataextractor.quantities import NM_PER_UNIT
from imagedataextractor.records import Box, OcrName, ScaleBar
from imagedataextractor.scalebar.reading import gather_texts, scale_bars_of
from imagedataextractor.settings import ScaleBarSettings


@dataclass(frozen=True)
class Row:
    """One labelled image; lengths None where there is no bar, value None where no text is printed."""

    filename: str
    part: str
    has_bar: str
    value: float | None
    unit: str | None
    x0: float
    x1: float
    y: float
    length_px: float | None
    notes: str

    @property
    def nm(self) -> float | None:
        return None if self.value is None or self.unit is None else self.value * NM_PER_UNIT[self.unit]

    @property
    def nm_per_px(self) -> float | None:
        return None if self.nm is None or self.length_px is None else self.nm / self.length_px


def load_rows(data: Path) -> list[Row]:
    """The labels, with each image's part of the EMPS split."""
    with open(data / "emps-train" / "split.csv", encoding="utf-8") as handle:
        parts = {r["name"]: r["split"] for r in csv.DictReader(handle)}
    rows = []
    with open(data / "scalebars" / "emps-train.csv", encoding="utf-8") as handle:
        for r in csv.DictReader(handle):
            number = {k: float(r[k]) if r[k] else None for k in ("value", "x0", "x1", "y", "bar_px")}
            rows.append(
                Row(
                    r["filename"],
                    parts[Path(r["filename"]).stem],
                    r["has_bar"],
                    number["value"],
                    r["unit"] or None,
                    number["x0"] or 0.0,
                    number["x1"] or 0.0,
                    number["y"] or 0.0,
                    number["bar_px"],
                    r["notes"],
                )
            )
    return rows


def load_texts(rows: list[Row], data: Path, cache: Path | None, ocr: OcrName = "rapidocr") -> dict[str, list[TextBox]]:
    """What OCR reads in each image, from the cache where it is there."""
    known: dict[str, list[TextBox]] = {}
    if cache and cache.is_file():
        for name, lines in json.loads(cache.read_text(encoding="utf-8")).items():
            known[name] = [TextBox(t, s, Box(*b)) for t, s, b in lines]
    missing = [r for r in rows if r.filename not in known]
    for row in missing:
        known[row.filename] = gather_texts(load_image(data / "emps-train" / "images" / row.filename), load_engine(ocr))
    if cache and missing:
        content = {
            n: [(t.text, t.score, (t.box.x0, t.box.y0, t.box.x1, t.box.y1)) for t in ls] for n, ls in known.items()
        }
        cache.write_text(json.dumps(content), encoding="utf-8")
    return known


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean over bins of |share right - mean confidence|, weighted by count."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(right[which == b].mean() - confidence[which == b].mean()) * (which == b).mean()
            for b in range(bins)
            if (which == b).any()
        )
    )


def report(rows: list[Row], bars: dict[str, ScaleBar], title: str, threshold: float, verbose: bool) -> None:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, help="keep the OCR results here; times then leave OCR out")
    parser.add_argument("--ocr", choices=["rapidocr", "tesseract"], default="rapidocr")
    parser.add_argument("--threshold", type=float, default=ScaleBarSettings().threshold)
    parser.add_argument("--verbose", action="store_true", help="list the images that are not right to 2 %%")
    args = parser.parse_args()

    rows = [r for r in load_rows(args.data) if r.has_bar != "unreadable"]
    texts = load_texts(rows, args.data, args.cache, args.ocr) if args.cache else {}
    engine = load_engine(args.ocr)
    settings = ScaleBarSettings(threshold=args.threshold)
    bars: dict[str, ScaleBar] = {}
    seconds = []
    for row in rows:
        image = load_image(args.data / "emps-train" / "images" / row.filename)
        start = time.process_time()
        known = texts[row.filename] if args.cache else gather_texts(image, engine)
        found = scale_bars_of(image, known, settings=settings)
        bars[row.filename] = found[0] if found else ScaleBar(reason="no scale bar found")
        seconds.append(time.process_time() - start)
    for part in ("train", "val"):
        report([r for r in rows if r.part == part], bars, part, args.threshold, args.verbose)
    what = "without OCR" if args.cache else "with OCR"
    print(f"CPU seconds an image, {what}: median {np.median(seconds):.2f}, mean {np.mean(seconds):.2f}", end="")
    print(f", 95th percentile {np.percentile(seconds, 95):.2f}, longest {max(seconds):.2f}")


if __name__ == "__main__":
    main()
