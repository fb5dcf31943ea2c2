"""Hand-read scale bars of the EMPS images, with what OCR reads in them."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagedataextractor.errors import InputError
from imagedataextractor.images import load_image
from imagedataextractor.ocr import TextBox, load_engine
from imagedataextractor.quantities import NM_PER_UNIT
from imagedataextractor.records import Box, OcrName
from imagedataextractor.scalebar.reading import gather_texts
from imagedataextractor.training.segmentation.dataset import article_of

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


def load_rows(labels: Path, data: Path) -> list[Row]:
    """The labels, with the article that each image comes from.

    Parameters
    ----------
    labels : Path
        CSV with filename, has_bar ("yes", "no", "unreadable"), value, unit, x0, x1, y, bar_px (px,
        empty where there is none), notes (if any).
    data : Path
        Folder of the images in the EMPS layout: images/, with metadata.csv (their articles) and split.csv if there are.

    Raises
    ------
    InputError
        The file cannot be read, or is no such table.
    """
    articles = article_of(data)
    parts = _parts(data / "split.csv")
    try:
        with labels.open(encoding="utf-8", newline="") as handle:
            return [_row(r, articles, parts) for r in csv.DictReader(handle)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{labels}: cannot be read as a table of scale bars ({error})") from error
    except KeyError as error:
        raise InputError(f"{labels}: no table of scale bars, the column {error} is missing") from error
    except ValueError as error:
        raise InputError(f"{labels}: no table of scale bars ({error})") from error


def _parts(table: Path) -> Mapping[str, str]:
    """Name → part of a data set; empty where there is no such table."""
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as handle:
        return {r["name"]: r["split"] for r in csv.DictReader(handle)}


def _row(r: Mapping[str, str], articles: Mapping[str, str], parts: Mapping[str, str]) -> Row:
    number = {k: float(r[k]) if r[k] else None for k in ("value", "x0", "x1", "y", "bar_px")}
    name = r["filename"]
    return Row(
        name,
        parts.get(Path(name).stem, ""),
        r["has_bar"],
        number["value"],
        r["unit"] or None,
        number["x0"] or 0.0,
        number["x1"] or 0.0,
        number["y"] or 0.0,
        number["bar_px"],
        r.get("notes", ""),
        articles.get(Path(name).stem, name),
    )


def fold_of(row: Row, folds: int) -> int:
    """The fold of an image: all images of one article are in one."""
    return int(hashlib.sha256(row.article.encode()).hexdigest(), 16) % folds


def load_texts(
    rows: Sequence[Row], images: Path, cache: Path | None, ocr: OcrName = "rapidocr"
) -> dict[str, list[TextBox]]:
    """What OCR reads in each image, from the cache where it is there."""
    known: dict[str, list[TextBox]] = {}
    if cache and cache.is_file():
        for name, lines in json.loads(cache.read_text(encoding="utf-8")).items():
            known[name] = [TextBox(t, s, Box(*b)) for t, s, b in lines]
    missing = [r for r in rows if r.filename not in known]
    engine = load_engine(ocr)
    for row in missing:
        known[row.filename] = gather_texts(load_image(images / row.filename), engine)
    if cache and missing:
        content = {
            n: [(t.text, t.score, (t.box.x0, t.box.y0, t.box.x1, t.box.y1)) for t in ls] for n, ls in known.items()
        }
        cache.write_text(json.dumps(content), encoding="utf-8")
    return known
