"""Read the scale of one picture: texts, bars, the pair that belongs together, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imagedataextractor.images import to_grey
from imagedataextractor.ocr import OcrEngine, TextBox
from imagedataextractor.records import Box, ScaleBar, ScaleStatement
from imagedataextractor.scalebar import bars as bar_search
from imagedataextractor.scalebar import match, text
from imagedataextractor.scalebar.bars import Bar
from imagedataextractor.scalebar.match import Pair
from imagedataextractor.scalebar.text import Reading
from imagedataextractor.settings import ScaleBarSettings

__all__ = ["Candidate", "candidates", "read_scale_bar", "read_scale_bars", "read_texts"]

Image = npt.NDArray[np.uint8]

#: Heights of a text above and below it in which its bar is sought.
REACH = 3.5
#: Texts for which a bar is sought, at most: bounds the time on a picture full of lengths.
MAX_READINGS = 8
#: Share of the picture, from the bottom, that is read again enlarged: where bars mostly are.
BOTTOM_SHARE = 0.26


@dataclass(frozen=True)
class Candidate:
    """The best bar for one text, with what the judgement rests on."""

    pairs: tuple[Pair, ...]
    features: tuple[float, ...]
    confidence: float

    @property
    def best(self) -> Pair:
        return self.pairs[0]


def read_scale_bar(
    image: Image,
    *,
    engine: OcrEngine,
    statements: Sequence[ScaleStatement] = (),
    exclude: Sequence[Box] = (),
    settings: ScaleBarSettings | None = None,
    texts: Sequence[TextBox] | None = None,
) -> ScaleBar:
    """The scale of one panel.

    Parameters
    ----------
    image : uint8 array, shape (H, W) or (H, W, 3)
    engine : OcrEngine
        From `imagedataextractor.ocr.load_engine`.
    statements : sequence of ScaleStatement, optional
        Scale-bar lengths that the caption states for this panel.
    exclude : sequence of Box, optional
        Parts of the image that are not this panel's own (its insets, which have bars of their own).
    settings : ScaleBarSettings, optional
    texts : sequence of TextBox, optional
        Text already read in this image, in its pixels; read here where not given.

    Returns
    -------
    ScaleBar
        ``nm_per_px`` is None and ``reason`` says why where no scale can be trusted; what was seen
        (the likeliest text and bar) is still reported in the other fields.
    """
    settings = settings or ScaleBarSettings()
    found = read_scale_bars(
        image, engine=engine, statements=statements, exclude=exclude, settings=settings, texts=texts
    )
    if not found:
        return ScaleBar(reason="no scale bar found")
    return found[0]


def read_scale_bars(
    image: Image,
    *,
    engine: OcrEngine,
    statements: Sequence[ScaleStatement] = (),
    exclude: Sequence[Box] = (),
    settings: ScaleBarSettings | None = None,
    texts: Sequence[TextBox] | None = None,
) -> list[ScaleBar]:
    """All scale bars of an image, the surest first; parameters as in `read_scale_bar`."""
    settings = settings or ScaleBarSettings()
    grey = to_grey(image)
    if texts is None:
        texts = read_texts(image, engine)
    found = candidates(grey, texts, exclude)
    return [_as_scale_bar(c, settings) for c in found]


def read_texts(image: Image, engine: OcrEngine) -> list[TextBox]:
    """The texts of a panel, read whole, and the bottom strip enlarged where that holds no length."""
    texts = engine.read(image)
    if not any(r.clean >= 0.9 and r.score >= 0.8 for r in text.find_readings(texts)):
        height, width = image.shape[:2]
        strip = Box(0, int(height * (1 - BOTTOM_SHARE)), width, height)
        texts = [*texts, *engine.read(image, region=strip, enlarge=2.0)]
    return texts


def candidates(grey: npt.NDArray[np.uint8], texts: Sequence[TextBox], exclude: Sequence[Box] = ()) -> list[Candidate]:
    """For each length read in the picture its likeliest bar, the surest first."""
    ranking, confidence = match.load_models()
    readings = [r for r in text.find_readings(texts) if not _inside(r.box, exclude)][:MAX_READINGS]
    found = []
    for reading in readings:
        bars = [bar for bar in bars_near(grey, reading) if not _inside(bar.box, exclude)]
        pairs = match.rank(reading, match.text_ink(grey, reading), bars, ranking)
        if not pairs:
            continue
        features = match.confidence_features(pairs, readings)
        logit = float(confidence.logit(np.array([features]))[0])
        found.append(Candidate(tuple(pairs), tuple(features), float(1.0 / (1.0 + np.exp(-logit)))))
    found.sort(key=lambda c: -c.confidence)
    return found


def bars_near(grey: npt.NDArray[np.uint8], reading: Reading) -> list[Bar]:
    """Candidates for the bar of one text, from the band of the picture around it."""
    height, _ = grey.shape
    reach = int(REACH * max(reading.box.height, 12))
    y0, y1 = max(0, reading.box.y0 - reach), min(height, reading.box.y1 + reach)
    band = np.ascontiguousarray(grey[y0:y1])
    solid = [bar.shifted(0, y0) for bar in bar_search.find_bars(band)]
    rulers = [bar.shifted(0, y0) for bar in bar_search.find_rulers(band)]
    return [*solid, *bar_search.join_across(solid, reading.box), *rulers]


def _inside(box: Box, others: Sequence[Box]) -> bool:
    return any(box.intersection(other).area > 0.5 * max(box.area, 1) for other in others)


def _as_scale_bar(candidate: Candidate, settings: ScaleBarSettings) -> ScaleBar:
    reading, bar = candidate.best.reading, candidate.best.bar
    trusted = candidate.confidence >= settings.threshold
    return ScaleBar(
        value=reading.value,
        unit=reading.unit,
        length_px=bar.length,
        x0=bar.x0,
        x1=bar.x1,
        y=bar.y,
        nm_per_px=reading.nm / bar.length if trusted else None,
        confidence=candidate.confidence,
        text=reading.text,
        source="bar",
        reason=None if trusted else f"confidence {candidate.confidence:.2f} is below {settings.threshold:.2f}",
        text_box=reading.box,
        bar_box=bar.box,
    )
