"""Read the scale of one picture: texts, bars, the pair that belongs together, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from imagedataextractor.images import to_grey
from imagedataextractor.ocr import OcrEngine, TextBox
from imagedataextractor.records import Box, ScaleBar, ScaleStatement
from imagedataextractor.scalebar import bars as bar_search
from imagedataextractor.scalebar import match, text
from imagedataextractor.scalebar.agreement import fill_from_caption
from imagedataextractor.scalebar.bars import Bar
from imagedataextractor.scalebar.match import Pair
from imagedataextractor.scalebar.text import Reading
from imagedataextractor.settings import ScaleBarSettings

__all__ = [
    "Candidate",
    "bars_near",
    "candidates",
    "gather_texts",
    "lone_bars",
    "read_scale_bar",
    "read_scale_bars",
    "scale_bars_of",
]

Image = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.uint8]

#: Short side of a panel for which the sizes below are meant, px; other panels are read at a zoom that
#: brings them near it, so that a thumbnail and a whole micrograph have letters of similar height.
REFERENCE_PX = 512
#: Bounds of that zoom.
MIN_ZOOM, MAX_ZOOM = 0.3, 2.5
#: Heights of a text above and below it in which its bar is sought.
REACH = 3.5
#: Texts for which a bar is sought, at most: bounds the time on a picture full of lengths.
MAX_READINGS = 8
#: Share of the picture, from the bottom, that is read again enlarged: where bars mostly are.
BOTTOM_SHARE = 0.26
#: Bars without a text around which is read again, at most, and their least log-odds.
MAX_LONE_LOOKS, LONE_LOOK_LOGIT = 2, -1.0
#: Texts that are read again because they are not sure, at most.
MAX_VOTES = 3
#: Zooms of the second looks; what most of them read is kept.
VOTE_ZOOMS = (1.5, 2.0, 3.0, 4.0)
#: Log-odds of a pair from which no other plane of the picture is searched.
CLEAR_LOGIT = 2.0
#: Log-odds, at most, of a ruler that is not whole: how many intervals its number stands for is not known.
INCOMPLETE_RULER_LOGIT = -1.0
#: A text of which less than this share of the second looks agreed, and the log-odds it is then given, at most.
SPLIT_VOTE, SPLIT_VOTE_LOGIT = 0.42, -0.5
#: Two bars in one panel disagree beyond this share.
RIVAL = 0.06
#: Difference between a pixel's strongest and weakest channel from which it is coloured, and the share
#: of such pixels in a micrograph with a coloured bar: some, but not a picture that is coloured all over.
COLOURED, COLOURED_SHARE = 60, (2e-4, 0.2)


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
    return scale_bars_of(image, gather_texts(image, engine, texts), statements, exclude, settings)


def scale_bars_of(
    image: Image,
    texts: Sequence[TextBox],
    statements: Sequence[ScaleStatement] = (),
    exclude: Sequence[Box] = (),
    settings: ScaleBarSettings | None = None,
) -> list[ScaleBar]:
    """All scale bars of an image whose texts are known, the surest first."""
    settings = settings or ScaleBarSettings()
    bars = [_as_scale_bar(c, settings) for c in candidates(image, texts, exclude)]
    bars = _without_rivals(bars)
    if not any(bar.nm_per_px is not None for bar in bars):
        lone = _lone_bar(image, exclude, settings)
        if lone is not None:
            lone = fill_from_caption(lone, statements, settings)
            # A length from the caption is a scale; a bar without any is worth less than a doubtful reading.
            bars = [lone, *bars] if lone.nm_per_px is not None or not bars else [*bars, lone]
    return bars


def _without_rivals(bars: list[ScaleBar]) -> list[ScaleBar]:
    """Bars of which two trusted ones give different scales lose both: one is an inset's, and which is not known."""
    trusted = [bar for bar in bars if bar.nm_per_px is not None]
    scales = [bar.nm_per_px for bar in trusted if bar.nm_per_px is not None]
    if not scales or max(scales) <= (1 + RIVAL) * min(scales):
        return bars
    shown = " and ".join(f"{b.value:g} {b.unit} over {b.length_px:.0f} px" for b in trusted)
    reason = f"conflict: several scale bars disagree ({shown})"
    return [replace(bar, nm_per_px=None, reason=reason) if bar.nm_per_px is not None else bar for bar in bars]


# ---------------------------------------------------------------- texts


def gather_texts(image: Image, engine: OcrEngine, texts: Sequence[TextBox] | None = None) -> list[TextBox]:
    """The texts of a panel, looked at as closely as it takes to find a length.

    First the whole panel; where that shows no clear length, the bottom strip enlarged; then what lies
    around the bars that are seen. Lengths that stay doubtful are read again at several sizes, and the
    reading of most takes their place.
    """
    height, width = image.shape[:2]
    zoom = float(np.clip(REFERENCE_PX / max(1, min(height, width)), MIN_ZOOM, MAX_ZOOM))
    found = list(texts) if texts is not None else engine.read(image, enlarge=zoom)
    if not _clear(found):
        strip = Box(0, int(height * (1 - BOTTOM_SHARE)), width, height)
        found += engine.read(image, region=strip, enlarge=2.0 * zoom)
    if not _clear(found):
        looks = [(bar, logit) for bar, logit in lone_bars(image) if logit > LONE_LOOK_LOGIT]
        for bar, _ in looks[:MAX_LONE_LOOKS]:
            reach_x, reach_y = int(0.4 * bar.length + 60 / zoom), int(50 / zoom)
            around = Box(int(bar.x0) - reach_x, int(bar.y0) - reach_y, int(bar.x1) + reach_x, int(bar.y1) + reach_y)
            found += engine.read(image, region=around, enlarge=3.0 * zoom)
            if _clear(found):
                break
    return _settled(image, engine, found, zoom)


def _clear(texts: Sequence[TextBox]) -> bool:
    return any(_is_sure(reading) for reading in text.find_readings(texts))


def _is_sure(reading: Reading) -> bool:
    return reading.clean >= 0.9 and reading.score >= 0.8 and reading.roundness >= 0.4


def _settled(image: Image, engine: OcrEngine, texts: list[TextBox], zoom: float) -> list[TextBox]:
    """The texts with doubtful lengths read again at several sizes, unless a sure one stands beside them."""
    readings = text.find_readings(texts)
    if any(_is_sure(reading) for reading in readings):
        return texts
    doubtful = [r for r in readings if r.alone][:MAX_VOTES]
    for reading in doubtful:
        box = reading.box
        margin = max(6, box.height)
        region = Box(box.x0 - 2 * margin, box.y0 - margin // 2, box.x1 + 2 * margin, box.y1 + margin // 2)
        votes: dict[tuple[float, str], float] = {(reading.value, reading.unit): _weight(reading)}
        cast = 1
        for factor in VOTE_ZOOMS:
            again = [
                r
                for r in text.find_readings(engine.read(image, region=region, enlarge=factor * zoom))
                if r.box.intersection(box).area > 0.3 * min(r.box.area, box.area)
            ]
            if again:
                key = (again[0].value, again[0].unit)
                votes[key] = votes.get(key, 0.0) + _weight(again[0])
                cast += 1
        value, unit = max(votes, key=lambda key: votes[key])
        share = votes[value, unit] / cast
        texts = [t for t in texts if t.box.intersection(box).area <= 0.5 * min(t.box.area, box.area)]
        texts.append(TextBox(f"{value:g} {unit}", share, box))
    return texts


def _weight(reading: Reading) -> float:
    return reading.score * reading.clean * (0.3 + 0.7 * reading.roundness)


# ---------------------------------------------------------------- bars


def candidates(image: Image, texts: Sequence[TextBox], exclude: Sequence[Box] = ()) -> list[Candidate]:
    """For each length read in the picture its likeliest bar, the surest first."""
    models = match.load_models()
    planes = _planes(image)
    readings = [r for r in text.find_readings(texts) if not _inside(r.box, exclude)][:MAX_READINGS]
    found = []
    for reading in readings:
        pairs: list[Pair] = []
        for plane in planes:
            if pairs and pairs[0].logit > CLEAR_LOGIT:
                break
            bars = [bar for bar in bars_near(plane, reading) if not _inside(bar.box, exclude)]
            pairs += match.rank(reading, match.text_ink(plane, reading), bars, models.ranking)
        if not pairs:
            continue
        pairs.sort(key=lambda pair: -pair.logit)
        features = match.confidence_features(pairs, readings)
        logit = float(models.confidence.logit(np.array([features]))[0])
        best = pairs[0].bar
        if best.form == "ruler" and best.strokes != bar_search.WHOLE_RULER:
            logit = min(logit, INCOMPLETE_RULER_LOGIT)
        if reading.score * reading.clean < SPLIT_VOTE:
            logit = min(logit, SPLIT_VOTE_LOGIT)
        found.append(Candidate(tuple(pairs), tuple(features), float(1.0 / (1.0 + np.exp(-logit)))))
    found.sort(key=lambda c: -c.confidence)
    return found


def _planes(image: Image) -> list[Grey]:
    """The grey image, and for one with colours in it how colourful it is: a red bar on grey is hardly darker."""
    planes = [to_grey(image)]
    if image.ndim == 3:
        chroma = (image.max(axis=2) - image.min(axis=2)).astype(np.uint8)
        if COLOURED_SHARE[0] <= float(np.mean(chroma >= COLOURED)) <= COLOURED_SHARE[1]:
            planes.append(chroma)
    return planes


def lone_bars(image: Image, exclude: Sequence[Box] = ()) -> list[tuple[Bar, float]]:
    """Bars of the whole picture, whatever is written near them, the likeliest first, with log-odds."""
    height, width = image.shape[:2]
    found = [bar for plane in _planes(image) for bar in bar_search.find_bars(plane)]
    return match.rank_bars(
        [bar for bar in found if not _inside(bar.box, exclude)], height, width, match.load_models().bar
    )


def _lone_bar(image: Image, exclude: Sequence[Box], settings: ScaleBarSettings) -> ScaleBar | None:
    """The likeliest bar that stands without a text, or None where none looks like one."""
    ranked = lone_bars(image, exclude)
    if not ranked:
        return None
    features = np.array([match.bar_confidence_features(ranked)])
    confidence = float(1.0 / (1.0 + np.exp(-match.load_models().bar_confidence.logit(features)[0])))
    if confidence < settings.threshold:
        return None
    bar = ranked[0][0]
    return ScaleBar(
        length_px=bar.length,
        x0=bar.x0,
        x1=bar.x1,
        y=bar.y,
        confidence=confidence,
        reason="a scale bar without a readable length",
        bar_box=bar.box,
    )


def bars_near(grey: Grey, reading: Reading) -> list[Bar]:
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
