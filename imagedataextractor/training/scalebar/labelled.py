"""Hand-read scale bars of the EMPS images, with what OCR reads in them."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from imagedataextractor.images import load_image
from imagedataextractor.ocr import TextBox, load_engine
from imagedataextractor.quantities import NM_PER_UNIT
from imagedataextractor.records import Box, OcrName
from imagedataextractor.scalebar.reading import gather_texts

__all__ = ["Row", "fold_of", "load_rows", "load_texts"]


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
    article: str

    @property
    def nm(self) -> float | None:
        return None if self.value is None or self.unit is None else self.value * NM_PER_UNIT[self.unit]

    @property
    def nm_per_px(self) -> float | None:
        return None if self.nm is None or self.length_px is None else self.nm / self.length_px


def load_rows(data: Path) -> list[Row]:
    """The labels, with each image's part of the EMPS split and the article it comes from."""
    with open(data / "emps-train" / "metadata.csv", encoding="utf-8") as handle:
        articles = {Path(r["filename"]).stem: r["doi"] for r in csv.DictReader(handle)}
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
                    articles.get(Path(r["filename"]).stem, r["filename"]),
                )
            )
    return rows


def fold_of(row: Row, folds: int) -> int:
    """The fold of an image: all images of one article are in one."""
    return int(hashlib.sha256(row.article.encode()).hexdigest(), 16) % folds


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
