"""Scale bars drawn over real micrographs, in every form, with exact truth.

    python benchmarks/scalebar_drawn.py --data ../shared --count 60

The ground is an EMPS training image without its bottom (where its own bar is); what is drawn comes
from `imagedataextractor.artificial.annotations`, and for the situations at which readers have failed from
`imagedataextractor.artificial.scalebars`. Prints, form by form, how many are read right, wrong and not at all.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from imagedataextractor.artificial.annotations import draw_info_bar, draw_scale_bar
from imagedataextractor.artificial.scalebars import SITUATIONS, draw_marked_picture
from imagedataextractor.images import load_image, to_grey
from imagedataextractor.ocr import load_engine
from imagedataextractor.quantities import NM_PER_UNIT, parse_length
from imagedataextractor.scalebar import read_scale_bar

FORMS = ("plain", "capped", "boxed", "outlined", "dots", "thin", "zeiss", "fei", "hitachi", "jeol")
#: Share of the picture kept, from the top: below lie the image's own bars.
KEPT = 0.8


def draw(rng: np.random.Generator, image: np.ndarray, scale: float, form: str) -> tuple[np.ndarray, float]:
    """A picture with a bar of one form, or in one situation, and its scale, nm per px."""
    if form in SITUATIONS:
        marked = draw_marked_picture(rng, image, situation=form)
        length = parse_length(marked.text)
        assert length is not None
        return marked.image, length[0] * NM_PER_UNIT[length[1]] / marked.length_px
    if form in FORMS[:6]:
        drawn, truth, _ = draw_scale_bar(rng, image, scale, style=form)
    else:
        drawn, truth, _ = draw_info_bar(rng, image, scale, style=form)
    assert truth.nm_per_px is not None
    return drawn, truth.nm_per_px


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared"))
    parser.add_argument("--count", type=int, default=60, help="pictures, over all forms")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ocr", choices=["rapidocr", "tesseract"], default="rapidocr")
    parser.add_argument("--situations", action="store_true", help="only those at which readers have failed")
    args = parser.parse_args()
    forms = tuple(SITUATIONS) if args.situations else FORMS

    with open(args.data / "scalebars" / "emps-train.csv", encoding="utf-8") as handle:
        names = [r["filename"] for r in csv.DictReader(handle) if r["y"] == "" or float(r["y"]) > 440]
    rng = np.random.default_rng(args.seed)
    engine = load_engine(args.ocr)
    table: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    start = time.process_time()
    for i in range(args.count):
        form = forms[i % len(forms)]
        image = to_grey(load_image(args.data / "emps-train" / "images" / str(rng.choice(names))))
        image = np.ascontiguousarray(image[: int(KEPT * image.shape[0])])
        scale = float(10 ** rng.uniform(-0.5, 1.5))
        drawn, nm_per_px = draw(rng, image, scale, form)
        bar = read_scale_bar(drawn, engine=engine)
        given = bar.nm_per_px is not None
        error = abs(bar.nm_per_px / nm_per_px - 1) if bar.nm_per_px is not None else float("nan")
        table[form].append((given, error))
    seconds = (time.process_time() - start) / args.count
    print(f"{'form':20} drawn  within 2 %  within 5 %  wrong  none")
    for form, found in table.items():
        errors = np.array([e for g, e in found if g])
        right2, right5 = int((errors <= 0.02).sum()), int((errors <= 0.05).sum())
        wrong, none = len(errors) - right5, len(found) - len(errors)
        print(f"{form:20} {len(found):5d} {right2:11d} {right5:11d} {wrong:6d} {none:5d}")
    print(f"CPU seconds a picture, OCR included: {seconds:.2f}")


if __name__ == "__main__":
    main()
