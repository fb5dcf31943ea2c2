"""What the caption, the sibling panels, the file and the user say about a scale.

Conflicts are reported, never averaged: where the bar and the caption state different lengths there
is no scale, and the reason names both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from imagedataextractor.errors import UsageError
from imagedataextractor.quantities import NM_PER_UNIT, unit_of
from imagedataextractor.records import Conflict, Panel, ScaleBar, ScaleStatement, Witness
from imagedataextractor.scalebar.evidence import photo_width_mm
from imagedataextractor.scalebar.tags import FileScale
from imagedataextractor.settings import ScaleBarSettings

__all__ = [
    "fill_from_caption",
    "not_used",
    "reconcile",
    "statements_for",
    "user_bar",
    "user_field_width",
    "user_scale",
    "with_file_scale",
    "with_length",
]

#: Two lengths are the same within this share (a caption rounds, "0.2 µm" and "200 nm" are equal).
SAME = 0.01
#: Two scales are the same within this share: two bars measured to a pixel.
SAME_SCALE = 0.03
#: Log-odds that an agreeing caption adds: it rules out most misread texts, not a wrong bar.
CAPTION_AGREES = 1.5
#: Log-odds that a sibling with the same text and the same length in pixels adds.
SIBLING_AGREES = 1.0
#: Magnification x field width is the same for whole frames of one instrument, within this share: the
#: widths of two panels are known to a few pixels.
SAME_PHOTO = 0.05
#: From this factor on it speaks of two instruments, or of a wrong scale.
OTHER_PHOTO = 1.25
#: Log-odds that a sibling adds whose magnification goes with both scales, and that one takes whose does not.
MAGNIFICATION_AGREES, MAGNIFICATION_DIFFERS = 1.5, -1.0
#: A sibling's scale is less certain than its own: the panels may have been scaled apart.
SIBLING_DISCOUNT = 0.9
#: Chance that a length which a caption states is the one of the only bar in its panel.
CAPTION_TRUST = 0.97
#: Chance that the pixel size in a file's tags holds for its pixels; not measured: what is wrong are copies that
#: were resampled by a program which kept the tags.
FILE_TRUST = 0.95
#: From this share on a bar and the file's tags disagree: more than a bar is mismeasured by.
FILE_DIFFERS = 0.1


def user_scale(nm_per_px: float) -> ScaleBar:
    """The scale a user states.

    Raises
    ------
    UsageError
        It is not a positive number.
    """
    if not (math.isfinite(nm_per_px) and nm_per_px > 0):
        raise UsageError(f"nanometres per pixel must be a positive number, not {nm_per_px}")
    return ScaleBar(nm_per_px=float(nm_per_px), confidence=1.0, source="user")


def user_bar(value: float, unit: str, length_px: float) -> ScaleBar:
    """The scale by a bar whose text and length in pixels a user states.

    Raises
    ------
    UsageError
        A length is not positive or the unit unknown.
    """
    unit = _known_unit(value, unit)
    if not (math.isfinite(length_px) and length_px > 0):
        raise UsageError(f"the pixels of a scale bar must be a positive number, not {length_px}")
    return replace(user_scale(value * NM_PER_UNIT[unit] / length_px), value=value, unit=unit, length_px=length_px)


def user_field_width(field_width_nm: float, width_px: int) -> ScaleBar:
    """The scale of a micrograph `width_px` wide of which a user states how much it shows from side to side.

    Raises
    ------
    UsageError
        It is not a positive number.
    """
    return user_scale(field_width_nm / width_px)


def _known_unit(value: float, unit: str) -> str:
    """The unit's name in `NM_PER_UNIT`; UsageError where length or unit are none."""
    name = "Å" if unit == "A" else unit_of(unit)
    if name is None:
        raise UsageError(f"no unit is called {unit!r}; there are {', '.join(NM_PER_UNIT)}")
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"the length of a scale bar must be a positive number, not {value}")
    return name


def not_used(bar: ScaleBar, settings: ScaleBarSettings) -> str:
    """Why a doubtful reading gives no scale, what was read, and how to take it all the same."""
    why = f"confidence {bar.confidence:.2f} is below {settings.threshold:.2f}"
    if bar.value is None or not bar.length_px:
        return why
    read = f"{bar.value:g} {bar.unit}"
    return f"{why}: {read} over {bar.length_px:.1f} px is not used; if it is right: {accepting(bar)}"


def accepting(bar: ScaleBar) -> str:
    """The options that take a reading for what it says."""
    return f'--scalebar "{bar.value:g} {bar.unit}" --bar-px {bar.length_px:.1f}'


def with_length(bar: ScaleBar, value: float, unit: str, settings: ScaleBarSettings | None = None) -> ScaleBar:
    """A bar found in the picture with the length that a user states for it, whatever was read.

    Parameters
    ----------
    bar : ScaleBar
        As found; without a measured bar the result has no scale, and the reason says so. Which line is the
        bar is still the program's word: the confidence stays, and below the threshold there is no scale.
    value, unit : float, str
        As in "200 nm"; `unit` one of pm, Å, nm, um (or µm), mm.
    settings : ScaleBarSettings, optional

    Raises
    ------
    UsageError
        The length is not positive or the unit unknown.
    """
    settings = settings or ScaleBarSettings()
    unit = _known_unit(value, unit)
    if not bar.length_px:
        return replace(
            bar, value=value, unit=unit, nm_per_px=None, confidence=0.0, source="user", reason="no scale bar found"
        )
    said = replace(bar, value=value, unit=unit, nm_per_px=None, source="user", witnesses=_and(bar, Witness.USER))
    if bar.conflict is not None:
        return said
    if bar.confidence < settings.threshold:
        return replace(said, reason=not_used(said, settings))
    return replace(said, nm_per_px=value * NM_PER_UNIT[unit] / bar.length_px, reason=None)


def with_file_scale(bar: ScaleBar, scale: FileScale) -> ScaleBar:
    """The scale of a micrograph after its file is heard.

    Parameters
    ----------
    bar : ScaleBar
        As read in the picture, or given by the user.
    scale : FileScale
        Of the same picture, from `tags.read_file_scale`.

    Returns
    -------
    ScaleBar
        The user's scale and a trusted bar stand: a bar lies on the pixels themselves and survives
        resampling. Otherwise the file's, with ``source`` "file". Where a bar reads another scale,
        ``reason`` names both; where there is no scale and the file's cannot be believed, it says why.
    """
    if bar.source == "user" and bar.nm_per_px is not None:
        return bar
    if scale.nm_per_px is None:
        if bar.nm_per_px is not None:
            return bar
        return replace(bar, reason=f"{bar.reason}; the file's {scale.writer} tags give none: {scale.reason}")
    doubt, agrees = None, False
    if bar.value is not None and bar.unit is not None and bar.length_px:
        read = bar.value * NM_PER_UNIT[bar.unit] / bar.length_px
        apart = max(read, scale.nm_per_px) / min(read, scale.nm_per_px) - 1
        agrees = apart <= SAME_SCALE
        if apart > FILE_DIFFERS:
            doubt = (
                f"doubt: the bar reads {bar.value:g} {bar.unit} over {bar.length_px:.1f} px ({read:.4g} nm/px), "
                f"the file's {scale.writer} tags say {scale.nm_per_px:.4g} nm/px"
            )
    if bar.nm_per_px is not None:
        if agrees:
            bar = replace(bar, witnesses=_and(bar, Witness.FILE))
        return replace(bar, reason=doubt, conflict=None if doubt is None else Conflict.FILE)
    return replace(
        bar,
        witnesses=(Witness.BAR,) if agrees else (),
        value=None,
        unit=None,
        nm_per_px=scale.nm_per_px,
        confidence=FILE_TRUST,
        text=f"{scale.writer} tags",
        source="file",
        reason=doubt,
        conflict=None if doubt is None else Conflict.FILE,
    )


def statements_for(statements: Sequence[ScaleStatement], panel: Panel) -> list[ScaleStatement]:
    """The statements that speak of a panel: those that name its letter, or else those of the whole figure."""
    label = (panel.label or "").lower()
    named = [s for s in statements if label and label in {p.lower() for p in s.panels}]
    return named or [s for s in statements if not s.panels]


def reconcile(
    bars: Sequence[ScaleBar],
    panels: Sequence[Panel],
    statements: Sequence[ScaleStatement] = (),
    settings: ScaleBarSettings | None = None,
) -> list[ScaleBar]:
    """The scales of the panels of one figure, after all of them and the caption are heard.

    Parameters
    ----------
    bars : sequence of ScaleBar
        One a panel, from `read_scale_bar`, in the order of `panels`.
    panels : sequence of Panel
    statements : sequence of ScaleStatement
        What the caption says.
    settings : ScaleBarSettings, optional

    Returns
    -------
    list of ScaleBar
        In the same order. A bar and a caption that agree make each other surer; where they conflict
        there is no scale; a bar without readable text takes its length from the caption; a panel
        without a bar takes its sibling's scale where the caption states one length for both. Printed
        magnifications that go with the scales of two panels make both surer; panels of one printed
        magnification and of one size whose scales differ conflict.
    """
    settings = settings or ScaleBarSettings()
    if len(bars) != len(panels):
        raise ValueError(f"{len(bars)} bars for {len(panels)} panels")
    heard = [
        _with_caption(bar, statements_for(statements, panel), panel, settings)
        for bar, panel in zip(bars, panels, strict=True)
    ]
    heard = [_with_siblings(i, heard, settings) for i in range(len(heard))]
    heard = [_with_magnifications(i, heard, panels, settings) for i in range(len(heard))]
    return [_from_sibling(i, heard, panels, statements) for i in range(len(heard))]


def fill_from_caption(bar: ScaleBar, statements: Sequence[ScaleStatement], settings: ScaleBarSettings) -> ScaleBar:
    """A bar without a readable length with the one that the caption states, where it states exactly one.

    ``source`` is then "caption". The bar comes back as it is where the caption is silent or states several.
    """
    lengths = {s.length_nm for s in statements}
    if bar.value is not None or not bar.length_px or len(lengths) != 1 or bar.confidence < settings.threshold:
        return bar
    (nm,) = lengths
    unit = next(u for u in ("mm", "um", "nm", "Å", "pm") if nm >= 0.999 * NM_PER_UNIT[u] or u == "pm")
    confidence = CAPTION_TRUST * bar.confidence
    if confidence < settings.threshold:
        return bar
    return replace(
        bar,
        value=float(f"{nm / NM_PER_UNIT[unit]:.6g}"),
        unit=unit,
        nm_per_px=nm / bar.length_px,
        confidence=confidence,
        text=statements[0].text,
        source="caption",
        reason=None,
        conflict=None,
    )


def _with_caption(
    bar: ScaleBar, statements: Sequence[ScaleStatement], panel: Panel, settings: ScaleBarSettings
) -> ScaleBar:
    if not statements or bar.source == "user" or not bar.length_px:
        return bar
    if bar.value is None:
        return fill_from_caption(bar, statements, settings)
    lengths = sorted({s.length_nm for s in statements})
    own = None if bar.value is None or bar.unit is None else bar.value * NM_PER_UNIT[bar.unit]
    if own is not None and any(abs(own - length) <= SAME * length for length in lengths):
        if bar.source != "bar":
            return bar
        return _trusted(_agreeing(bar, CAPTION_AGREES, Witness.CAPTION), settings)
    if bar.nm_per_px is not None:
        # An inset has its own bar, of which a caption often does not speak.
        if panel.parent is not None and not any(s.panels for s in statements):
            return bar
        stated = " or ".join(f"{length:g} nm" for length in lengths)
        return replace(
            bar,
            nm_per_px=None,
            reason=f"conflict: the bar reads {bar.value:g} {bar.unit}, the caption says {stated}",
            conflict=Conflict.CAPTION,
        )
    return bar


def _and(bar: ScaleBar, witness: Witness) -> tuple[Witness, ...]:
    return bar.witnesses if witness in bar.witnesses else (*bar.witnesses, witness)


def _agreeing(bar: ScaleBar, log_odds: float, witness: Witness) -> ScaleBar:
    """The bar after a witness that agrees is heard."""
    return replace(bar, confidence=_more(bar.confidence, log_odds), witnesses=_and(bar, witness))


def _trusted(bar: ScaleBar, settings: ScaleBarSettings) -> ScaleBar:
    """The bar with its scale, where its confidence has come above the threshold."""
    if bar.value is None or bar.unit is None or not bar.length_px:
        return bar
    if bar.confidence < settings.threshold:
        return bar if bar.nm_per_px is not None else replace(bar, reason=not_used(bar, settings))
    return replace(bar, nm_per_px=bar.value * NM_PER_UNIT[bar.unit] / bar.length_px, reason=None)


def _with_siblings(index: int, bars: Sequence[ScaleBar], settings: ScaleBarSettings) -> ScaleBar:
    bar = bars[index]
    if bar.source != "bar" or bar.value is None or not bar.length_px or bar.conflict is not None:
        return bar
    for i, other in enumerate(bars):
        if i == index or other.source != "bar" or other.nm_per_px is None or not other.length_px:
            continue
        same_text = other.value == bar.value and other.unit == bar.unit
        if same_text and abs(other.length_px - bar.length_px) <= SAME_SCALE * bar.length_px:
            return _trusted(_agreeing(bar, SIBLING_AGREES, Witness.SIBLING), settings)
    return bar


@dataclass(frozen=True)
class _Photo:
    """What a panel's printed magnification and its scale say of the photograph: its width, mm."""

    magnification: float
    panel_width_px: int
    width_mm: float

    def same_print(self, other: _Photo) -> bool:
        """Whether the two panels print one magnification and are of one size, so that their scales must agree."""
        return (
            abs(self.magnification / other.magnification - 1) <= SAME
            and abs(self.panel_width_px / other.panel_width_px - 1) <= SAME_SCALE
        )

    def ratio(self, other: _Photo) -> float:
        return max(self.width_mm, other.width_mm) / min(self.width_mm, other.width_mm)


def _photo(bar: ScaleBar, panel: Panel) -> _Photo | None:
    magnification = bar.magnification
    if magnification is None and panel.info_bar is not None:
        magnification = panel.info_bar.magnification
    if not magnification or bar.source != "bar" or bar.value is None or bar.unit is None or not bar.length_px:
        return None
    scale = bar.value * NM_PER_UNIT[bar.unit] / bar.length_px
    return _Photo(magnification, panel.box.width, photo_width_mm(magnification, scale, panel.box.width))


def _with_magnifications(
    index: int, bars: Sequence[ScaleBar], panels: Sequence[Panel], settings: ScaleBarSettings
) -> ScaleBar:
    """A bar after the printed magnifications of its trusted siblings are heard."""
    bar, own = bars[index], _photo(bars[index], panels[index])
    if own is None or bar.conflict is not None:
        return bar
    agree, differ = 0, 0
    denied_by: ScaleBar | None = None
    for i, (other, its_panel) in enumerate(zip(bars, panels, strict=True)):
        photo = _photo(other, its_panel)
        if i == index or photo is None or other.nm_per_px is None:
            continue
        if own.ratio(photo) <= 1 + SAME_PHOTO:
            agree += 1
        elif own.ratio(photo) >= OTHER_PHOTO:
            differ += 1
            denied_by = other if own.same_print(photo) else denied_by
    if denied_by is not None and differ >= agree + 1 and bar.nm_per_px is not None:
        return replace(
            bar,
            nm_per_px=None,
            reason=f"conflict: {bar.value:g} {bar.unit} over {bar.length_px:.0f} px here, "
            f"{denied_by.value:g} {denied_by.unit} over {denied_by.length_px:.0f} px in a panel of the same "
            f"magnification x{own.magnification:,.0f}",
            conflict=Conflict.SIBLINGS,
        )
    if agree:
        return _trusted(_agreeing(bar, MAGNIFICATION_AGREES, Witness.SIBLING_MAGNIFICATION), settings)
    if differ:
        return _doubted(replace(bar, confidence=_more(bar.confidence, MAGNIFICATION_DIFFERS)), settings)
    return bar


def _doubted(bar: ScaleBar, settings: ScaleBarSettings) -> ScaleBar:
    """The bar without its scale, where its confidence has fallen below the threshold."""
    if bar.confidence >= settings.threshold or bar.nm_per_px is None:
        return bar
    return replace(
        bar,
        nm_per_px=None,
        reason=f"{not_used(bar, settings)} (the printed magnification does not go with that of a sibling panel)",
    )


def _from_sibling(
    index: int, bars: Sequence[ScaleBar], panels: Sequence[Panel], statements: Sequence[ScaleStatement]
) -> ScaleBar:
    """A scale for a panel that has no bar, where the caption states one length for it and a sibling."""
    bar, panel = bars[index], panels[index]
    if bar.length_px or bar.nm_per_px is not None or panel.parent is not None or panel.kind != "em":
        return bar
    lengths = {s.length_nm for s in statements_for(statements, panel)}
    if len(lengths) != 1:
        return bar
    (length,) = lengths
    givers = [
        other
        for other, its_panel in zip(bars, panels, strict=True)
        if other.nm_per_px is not None
        and other.source in ("bar", "caption")
        and its_panel.parent is None
        and other.value is not None
        and other.unit is not None
        and abs(other.value * NM_PER_UNIT[other.unit] - length) <= SAME * length
        and length in {s.length_nm for s in statements_for(statements, its_panel)}
    ]
    scales = [g.nm_per_px for g in givers if g.nm_per_px is not None]
    if not scales or max(scales) > (1 + SAME_SCALE) * min(scales):
        return bar
    giver = max(givers, key=lambda g: g.confidence)
    return ScaleBar(
        value=giver.value,
        unit=giver.unit,
        nm_per_px=giver.nm_per_px,
        confidence=SIBLING_DISCOUNT * giver.confidence,
        text=giver.text,
        source="figure",
    )


def _more(probability: float, log_odds: float) -> float:
    p = min(max(probability, 1e-6), 1 - 1e-6)
    return 1.0 / (1.0 + math.exp(-(math.log(p / (1 - p)) + log_odds)))
