"""Read the scale of one picture: texts, bars, the pair that belongs together, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from imagedataextractor.images import to_grey
from imagedataextractor.images.channels import has_channels
from imagedataextractor.ocr import OcrEngine, TextBox
from imagedataextractor.quantities import NM_PER_UNIT
from imagedataextractor.records import Box, Conflict, ScaleBar, ScaleStatement
from imagedataextractor.scalebar import evidence, match, text
from imagedataextractor.scalebar.agreement import SAME, fill_from_caption, not_used, with_length
from imagedataextractor.scalebar.bar import Bar
from imagedataextractor.scalebar.bars import find_bars
from imagedataextractor.scalebar.frames import in_inset
from imagedataextractor.scalebar.match import Pair
from imagedataextractor.scalebar.parts import join_across
from imagedataextractor.scalebar.rulers import WHOLE_RULER, find_rulers
from imagedataextractor.scalebar.text import Reading
from imagedataextractor.scalebar.turned import Place, turned_views
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
#: Share of the picture, from the bottom, that is read first: 170 of the 171 bars of the labelled images
#: called "train" lie in it. A quarter of the reference size is also a whole number of the detector's cells.
BOTTOM_SHARE = 0.25
#: Zoom, as a share of the usual one, at which the rest is looked over once the bottom shows a clear length.
GLANCE = 0.5
#: Bars without a text around which is read again, at most, and their least log-odds.
MAX_LONE_LOOKS, LONE_LOOK_LOGIT = 2, -1.0
#: Longest side of what is then read, px: the surroundings of a long bar are not enlarged as much.
LOOK_SIDE_PX = 900
#: A length is sure, and not read again, from this score of the OCR engine (0 … 1), with this share of it read without
#: repair, and with a number that is at least this usual on scale bars (whole tens are, 0.34 is not).
SURE_SCORE, SURE_CLEAN, SURE_ROUNDNESS = 0.8, 0.9, 0.4
#: Texts that are read again because they are not sure, at most.
MAX_VOTES = 3
#: Zooms of the second looks; what most of them read is kept.
VOTE_ZOOMS = (1.5, 2.0, 3.0, 4.0)
#: Height of a text, px, from which the zooms are meant as shares of this height: large letters need no lens.
VOTE_HEIGHT_PX = 32
#: So many looks that all read one length make its score at least this, however unsure each of them was.
UNANIMOUS = (4, 0.6)
#: Log-odds of a pair from which no other plane of the picture is searched.
CLEAR_LOGIT = 2.0
#: Log-odds, at most, of a ruler that is not whole: how many intervals its number stands for is not known.
INCOMPLETE_RULER_LOGIT = -1.0
#: A text of which less than this share of the second looks agreed, and the log-odds it is then given, at most.
SPLIT_VOTE, SPLIT_VOTE_LOGIT = 0.42, -0.5
#: Log-odds, at most, of a length of which it is not clear whether it means picometres or micrometres, before what
#: the picture prints of itself is heard.
DOUBTFUL_UNIT_LOGIT = -0.5
#: Confidence of all level bars below which turned ones are looked for, around so many sure texts at most,
#: and the log-odds that the rarity of turned bars takes.
TURN_BELOW, MAX_TURNED, TURNED_DOUBT = 0.5, 2, 2.0
#: Shortest turned bar, px.
MIN_TURNED_PX = 25
#: Share of a turned bar, above which it stands in the text's own box: then it is a stroke of a letter.
IN_TEXT = 0.1
#: What makes a turned bar clear: times that it is longer than thick, its clarity and edge share (0 … 1), its contrast,
#: grey levels, and that contrast over its unevenness. Stricter than for level bars, which are far more frequent.
CLEAR_ASPECT, CLEAR_CLARITY, CLEAR_EDGE_SHARE, CLEAR_CONTRAST, CLEAR_FLATNESS = 6, 0.9, 0.85, 30, 4
#: Width, px, of what is left of an inset's frame around its box: straight, flat, and no bar.
FRAME_PX = 5
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
    place: Place

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
    stated: tuple[float, str] | None = None,
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
    stated : (value, unit), optional
        What a person reads beside the bar, as (200, "nm"): then only the bar itself is in question.

    Returns
    -------
    ScaleBar
        ``nm_per_px`` is None and ``reason`` says why where no scale can be trusted; what was seen
        (the likeliest text and bar) is still reported in the other fields.
    """
    settings = settings or ScaleBarSettings()
    found = scale_bars_of(image, gather_texts(image, engine, texts), statements, exclude, settings, stated)
    if not found:
        none = ScaleBar(reason="no scale bar found")
        return none if stated is None else with_length(none, *stated)
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
    stated: tuple[float, str] | None = None,
) -> list[ScaleBar]:
    """All scale bars of an image whose texts are known, the surest first; parameters as in `read_scale_bar`."""
    settings = settings or ScaleBarSettings()
    exclude = [_grown(box, FRAME_PX) for box in exclude]
    printed = _printed(image, texts)
    bars = [_as_scale_bar(c, printed, settings) for c in candidates(image, texts, exclude, statements, stated)]
    if stated is not None:
        bars = [with_length(bar, *stated, settings) for bar in bars]
    bars = [_unless_contradicted(replace(bar, magnification=printed.magnification), printed) for bar in bars]
    bars = _without_rivals(bars, image)
    if not any(bar.nm_per_px is not None for bar in bars):
        lone = _lone_bar(image, exclude, settings)
        if lone is not None:
            if stated is not None:
                lone = _unless_contradicted(with_length(lone, *stated, settings), printed)
            lone = fill_from_caption(lone, statements, settings)
            # A length from the caption is a scale; a bar without any is worth less than a doubtful reading.
            bars = [lone, *bars] if lone.nm_per_px is not None or not bars else [*bars, lone]
    return bars


def _printed(image: Image, texts: Sequence[TextBox]) -> evidence.Printed:
    return evidence.Printed(image.shape[1], text.read_magnification(texts), text.read_field_width(texts))


def _unless_contradicted(bar: ScaleBar, printed: evidence.Printed) -> ScaleBar:
    """The bar, without its scale where no electron micrograph, or not this one, could have it."""
    if bar.nm_per_px is None:
        return bar
    reason = evidence.contradiction(bar.nm_per_px, printed.width_px, printed.magnification, printed.field_width_nm)
    return bar if reason is None else replace(bar, nm_per_px=None, reason=reason, conflict=Conflict.FIELD)


def _without_rivals(bars: list[ScaleBar], image: Image) -> list[ScaleBar]:
    """Trusted bars that give different scales lose them: one is an inset's.

    Where the inset's frame shows which, the panel's own bars keep theirs.
    """
    if _agree(bars):
        return bars
    trusted = [bar for bar in bars if bar.nm_per_px is not None]
    shown = " and ".join(f"{b.value:g} {b.unit} over {b.length_px:.0f} px" for b in trusted)
    reason = f"conflict: several scale bars disagree ({shown})"
    grey = to_grey(image)
    framed = [bar for bar in trusted if _in_inset(grey, bar)]
    own = [bar for bar in trusted if bar not in framed]
    if own and _agree(own):
        bars = [replace(b, nm_per_px=None, reason="the bar of an inset") if b in framed else b for b in bars]
        return sorted(bars, key=lambda bar: bar.nm_per_px is None)
    return [
        bar if bar.nm_per_px is None else replace(bar, nm_per_px=None, reason=reason, conflict=Conflict.BARS)
        for bar in bars
    ]


def _agree(bars: Sequence[ScaleBar]) -> bool:
    scales = [bar.nm_per_px for bar in bars if bar.nm_per_px is not None]
    return not scales or max(scales) <= (1 + RIVAL) * min(scales)


def _in_inset(grey: Grey, bar: ScaleBar) -> bool:
    if bar.text_box is None or bar.bar_box is None:
        return False
    a, b = bar.text_box, bar.bar_box
    marks = Box(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))
    return in_inset(grey, marks, a.height)


# ---------------------------------------------------------------- texts


def gather_texts(image: Image, engine: OcrEngine, texts: Sequence[TextBox] | None = None) -> list[TextBox]:
    """The texts of a panel, looked at as closely as it takes to find a length.

    First the bottom, where bars mostly are. Where that shows a clear length the rest is only glanced
    over for others; where not, the rest is read as well, then the bottom enlarged, then what lies around
    the bars that are seen. Lengths that stay doubtful are read again at several sizes, and the reading
    of most takes their place.
    """
    height, width = image.shape[:2]
    zoom = float(np.clip(REFERENCE_PX / max(1, min(height, width)), MIN_ZOOM, MAX_ZOOM))
    strip = Box(0, int(height * (1 - BOTTOM_SHARE)), width, height)
    if texts is not None:
        found = list(texts)
    else:
        # A line that the strip's upper edge cuts is read whole with the rest.
        found = [t for t in engine.read(image, region=strip, enlarge=zoom) if t.box.y0 > strip.y0 + 1 / zoom]
        rest = Box(0, 0, width, min(height, strip.y0 + int(0.5 * strip.height)))
        if _clear(found):
            return found + _at_a_glance(image, engine, rest, zoom)
        found += engine.read(image, region=rest, enlarge=zoom)
    if not _clear(found):
        found += engine.read(image, region=strip, enlarge=2.0 * zoom)
    if not _clear(found):
        looks = [(bar, logit) for bar, logit in lone_bars(image) if logit > LONE_LOOK_LOGIT]
        for bar, _ in looks[:MAX_LONE_LOOKS]:
            reach_x, reach_y = int(0.4 * bar.length + 60 / zoom), int(50 / zoom)
            around = Box(int(bar.x0) - reach_x, int(bar.y0) - reach_y, int(bar.x1) + reach_x, int(bar.y1) + reach_y)
            found += engine.read(image, region=around, enlarge=min(3.0 * zoom, LOOK_SIDE_PX / around.width))
            if _clear(found):
                break
    return _settled(image, engine, found, zoom)


def _at_a_glance(image: Image, engine: OcrEngine, region: Box, zoom: float) -> list[TextBox]:
    """The lengths of a part of the picture in which none is expected: what looks like one, small, is read properly."""
    glanced = text.find_readings(engine.read(image, region=region, enlarge=GLANCE * zoom))
    found: list[TextBox] = []
    for box in (reading.box for reading in glanced[:MAX_READINGS]):
        around = Box(box.x0 - 2 * box.height, box.y0 - box.height, box.x1 + 2 * box.height, box.y1 + box.height)
        found += engine.read(image, region=around, enlarge=zoom)
    return found


def _clear(texts: Sequence[TextBox]) -> bool:
    return any(_is_sure(reading) for reading in text.find_readings(texts))


def _is_sure(reading: Reading) -> bool:
    return reading.clean >= SURE_CLEAN and reading.score >= SURE_SCORE and reading.roundness >= SURE_ROUNDNESS


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
        votes: dict[tuple[float, str, bool], float] = {_vote(reading): _weight(reading)}
        cast = 1
        lens = min(zoom, VOTE_HEIGHT_PX / max(1, box.height))
        for factor in VOTE_ZOOMS:
            again = [
                r
                for r in text.find_readings(engine.read(image, region=region, enlarge=factor * lens))
                if r.box.intersection(box).area > 0.3 * min(r.box.area, box.area)
            ]
            if again:
                key = _vote(again[0])
                votes[key] = votes.get(key, 0.0) + _weight(again[0])
                cast += 1
        value, unit, unclear = best = max(votes, key=lambda key: votes[key])
        share = votes[best] / cast
        if len(votes) == 1 and cast >= UNANIMOUS[0]:
            share = max(share, UNANIMOUS[1])
        texts = [t for t in texts if t.box.intersection(box).area <= 0.5 * min(t.box.area, box.area)]
        # What no look read as a µ must not look like one.
        texts.append(TextBox(f"{value:g} {'pm' if unclear else unit}", share, box))
    return texts


def _vote(reading: Reading) -> tuple[float, str, bool]:
    return reading.value, reading.unit, reading.doubtful_unit


def _weight(reading: Reading) -> float:
    return reading.score * reading.clean * (0.3 + 0.7 * reading.roundness)


# ---------------------------------------------------------------- bars


def candidates(
    image: Image,
    texts: Sequence[TextBox],
    exclude: Sequence[Box] = (),
    statements: Sequence[ScaleStatement] = (),
    stated: tuple[float, str] | None = None,
) -> list[Candidate]:
    """For each length read in the picture its likeliest bar, the surest first."""
    printed = _printed(image, texts)
    planes = _planes(image)
    readings = [r for r in text.find_readings(texts) if not _inside(r.box, exclude)][:MAX_READINGS]
    readings = [_in_picometres(r, statements) for r in readings]
    if stated is not None:
        readings = _as_stated(readings, *stated)

    def judged(pairs: list[Pair], place: Place | None = None, doubt: float = 0.0) -> Candidate:
        return _judged(pairs, readings, printed, place, doubt)

    found = [judged(pairs) for r in readings if (pairs := _level_pairs(planes, r, exclude))]
    if not any(c.confidence >= TURN_BELOW for c in found):
        for reading in [r for r in readings if _is_sure(r)][:MAX_TURNED]:
            pairs, place = _turned_pairs(planes[0], reading, exclude)
            if pairs:
                found.append(judged(pairs, place, TURNED_DOUBT))
    found.sort(key=lambda c: -c.confidence)
    return found


def _in_picometres(reading: Reading, statements: Sequence[ScaleStatement]) -> Reading:
    """A reading of which it is not clear whether it means pm or µm, in pm where the caption says so."""
    nm = reading.value * NM_PER_UNIT["pm"]
    if reading.doubtful_unit and any(abs(s.length_nm - nm) <= SAME * nm for s in statements):
        return replace(reading, unit="pm", doubtful_unit=False)
    return reading


def _as_stated(readings: Sequence[Reading], value: float, unit: str) -> list[Reading]:
    """The texts that say what a person says, or else all of them, taken to say it without doubt."""
    nm = value * NM_PER_UNIT[unit]
    same = [r for r in readings if abs(r.nm - nm) <= SAME * nm]
    return [replace(r, value=value, unit=unit, score=1.0, clean=1.0, doubtful_unit=False) for r in same or readings]


def _level_pairs(planes: Sequence[Grey], reading: Reading, exclude: Sequence[Box]) -> list[Pair]:
    """A text with the level bars around it, the likeliest first."""
    pairs: list[Pair] = []
    for plane in planes:
        if pairs and pairs[0].logit > CLEAR_LOGIT:
            break
        bars = [bar for bar in bars_near(plane, reading) if not _inside(bar.box, exclude)]
        pairs += match.rank(reading, match.text_ink(plane, reading), bars, match.load_models().ranking)
    return sorted(pairs, key=lambda pair: -pair.logit)


def _turned_pairs(grey: Grey, reading: Reading, exclude: Sequence[Box]) -> tuple[list[Pair], Place | None]:
    """A text with the bars of the turned view in which the likeliest stands, and where that lies in the picture."""
    ink = match.text_ink(grey, reading)
    ink = replace(ink, x0=-np.inf, x1=np.inf)  # where its ground ends is not known in a turned view
    best: tuple[list[Pair], Place | None] = [], None
    for view in turned_views(grey, reading):
        bars = [b for b in bars_near(view.grey, view.reading) if _is_clear(b)]
        # Stems and feet of the letters are bars, too, when they are turned.
        bars = [b for b in bars if b.length >= MIN_TURNED_PX and not _touches(view.place(b).box, reading.box)]
        bars = [b for b in bars if not _inside(view.place(b).box, exclude)]
        pairs = match.rank(view.reading, ink, bars, match.load_models().ranking)
        if pairs and pairs[0].logit > max(0.0, best[0][0].logit if best[0] else 0.0):
            best = [Pair(reading, pair.bar, pair.logit) for pair in pairs], view.place(pairs[0].bar)
    return best


def _touches(box: Box, other: Box) -> bool:
    return box.intersection(other).area > IN_TEXT * box.area


def _is_clear(bar: Bar) -> bool:
    """Whether a bar of a turned picture is beyond doubt a drawn one: there is more to be mistaken for one."""
    whole = bar.form == "solid" and not bar.cut and not bar.lesser and bar.length >= CLEAR_ASPECT * bar.thickness
    sharp = bar.clarity >= CLEAR_CLARITY and bar.edge_share >= CLEAR_EDGE_SHARE
    return whole and sharp and bar.contrast >= max(CLEAR_CONTRAST, CLEAR_FLATNESS * bar.flatness)


def _judged(
    pairs: list[Pair],
    readings: Sequence[Reading],
    printed: evidence.Printed,
    place: Place | None,
    doubt: float,
) -> Candidate:
    """The likeliest of a text's bars, with the confidence that its scale is right; `doubt` in log-odds."""
    models = match.load_models()
    reading, best = pairs[0].reading, pairs[0].bar
    features = match.confidence_features(pairs, readings)
    logit = float(models.confidence.logit(np.array([features]))[0]) - doubt
    nm_per_px = reading.nm / best.length
    logit += models.field.log_odds(nm_per_px * printed.width_px)
    if best.form == "ruler" and best.strokes != WHOLE_RULER:
        logit = min(logit, INCOMPLETE_RULER_LOGIT)
    if reading.score * reading.clean < SPLIT_VOTE:
        logit = min(logit, SPLIT_VOTE_LOGIT)
    if reading.doubtful_unit:
        logit = min(logit, DOUBTFUL_UNIT_LOGIT)
    logit += printed.log_odds(nm_per_px, models.magnification)
    place = place or Place(best.x0, best.x1, best.y, best.box)
    return Candidate(tuple(pairs), tuple(features), float(1.0 / (1.0 + np.exp(-logit))), place)


def _planes(image: Image) -> list[Grey]:
    """The grey image, and for one with colours in it how colourful it is: a red bar on grey is hardly darker."""
    planes = [to_grey(image)]
    if has_channels(image):
        chroma = (image.max(axis=2) - image.min(axis=2)).astype(np.uint8)
        if COLOURED_SHARE[0] <= float(np.mean(chroma >= COLOURED)) <= COLOURED_SHARE[1]:
            planes.append(chroma)
    return planes


def lone_bars(image: Image, exclude: Sequence[Box] = ()) -> list[tuple[Bar, float]]:
    """Bars of the whole picture, whatever is written near them, the likeliest first, with log-odds."""
    height, width = image.shape[:2]
    found = [bar for plane in _planes(image) for bar in find_bars(plane)]
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
    solid = [bar.shifted(0, y0) for bar in find_bars(band)]
    rulers = [bar.shifted(0, y0) for bar in find_rulers(band)]
    return [*solid, *join_across(solid, reading.box), *rulers]


def _grown(box: Box, margin: int) -> Box:
    return Box(box.x0 - margin, box.y0 - margin, box.x1 + margin, box.y1 + margin)


def _inside(box: Box, others: Sequence[Box]) -> bool:
    return any(box.intersection(other).area > 0.5 * max(box.area, 1) for other in others)


def _as_scale_bar(candidate: Candidate, printed: evidence.Printed, settings: ScaleBarSettings) -> ScaleBar:
    reading, bar, place = candidate.best.reading, candidate.best.bar, candidate.place
    trusted = candidate.confidence >= settings.threshold
    found = ScaleBar(
        value=reading.value,
        unit=reading.unit,
        length_px=bar.length,
        x0=place.x0,
        x1=place.x1,
        y=place.y,
        nm_per_px=reading.nm / bar.length if trusted else None,
        confidence=candidate.confidence,
        text=reading.text,
        source="bar",
        text_box=reading.box,
        bar_box=place.box,
        witnesses=printed.witnesses(reading.nm / bar.length, match.load_models().magnification),
    )
    return found if trusted else replace(found, reason=not_used(found, settings))
