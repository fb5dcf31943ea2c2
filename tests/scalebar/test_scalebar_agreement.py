"""Caption, siblings and user: agreement strengthens, conflict silences, the user wins."""

from __future__ import annotations

import math

import pytest

from imagedataextractor.errors import UsageError
from imagedataextractor.records import Box, InfoBar, Panel, ScaleBar, ScaleStatement, Witness
from imagedataextractor.scalebar import reconcile, user_bar, user_field_width, user_scale, with_length


def panel(index: int, label: str | None, *, kind="em", parent: int | None = None, width=400, printed=None) -> Panel:
    info = None if printed is None else InfoBar(Box(0, 280, width, 300), magnification=printed)
    return Panel(
        index=index, box=Box(0, 0, width, 300), label=label, kind=kind, kind_score=0.9, parent=parent, info_bar=info
    )


def bar(value=200.0, unit="nm", length=100.0, confidence=0.9, magnification=None) -> ScaleBar:
    nm = value * {"nm": 1.0, "um": 1000.0}[unit]
    trusted = confidence >= 0.7
    return ScaleBar(
        value=value,
        unit=unit,
        length_px=length,
        x0=10.0,
        x1=10.0 + length,
        y=280.0,
        nm_per_px=nm / length if trusted else None,
        confidence=confidence,
        text=f"{value:g} {unit}",
        source="bar",
        reason=None if trusted else "confidence too low",
        magnification=magnification,
    )


def says(nm: float, *panels: str) -> ScaleStatement:
    return ScaleStatement(nm, panels, f"scale bar {nm:g} nm", 0, 10)


NONE = ScaleBar(reason="no scale bar found")


def test_an_agreeing_caption_makes_surer():
    (heard,) = reconcile([bar(confidence=0.8)], [panel(0, "a")], [says(200, "a")])
    assert heard.nm_per_px == 2.0
    assert heard.confidence > 0.8


def test_units_are_compared_as_lengths():
    (heard,) = reconcile([bar(value=0.2, unit="um", confidence=0.8)], [panel(0, "a")], [says(200, "a")])
    assert heard.nm_per_px == 2.0


def test_an_agreeing_caption_rescues_a_doubtful_reading():
    (heard,) = reconcile([bar(confidence=0.4)], [panel(0, "a")], [says(200, "a")])
    assert heard.nm_per_px == 2.0
    assert heard.reason is None


def test_a_conflict_is_reported_not_averaged():
    (heard,) = reconcile([bar()], [panel(0, "a")], [says(500, "a")])
    assert heard.nm_per_px is None
    assert "200 nm" in heard.reason
    assert "500 nm" in heard.reason


def test_statements_for_other_panels_do_not_matter():
    before = bar()
    assert reconcile([before], [panel(0, "a")], [says(500, "b")]) == [before]


def test_one_of_several_stated_lengths_is_enough():
    (heard,) = reconcile([bar()], [panel(0, "a")], [says(500, "a"), says(200, "a")])
    assert heard.nm_per_px == 2.0


def test_an_inset_keeps_its_own_scale_against_the_figures_caption():
    panels = [panel(0, "a"), panel(1, None, parent=0)]
    inset = bar(value=20, length=50)
    assert reconcile([bar(), inset], panels, [says(200)])[1] == inset


def test_a_bar_without_text_takes_the_captions_length():
    silent = ScaleBar(length_px=80.0, x0=1.0, x1=81.0, y=9.0, confidence=0.9, reason="without a readable length")
    (heard,) = reconcile([silent], [panel(0, "c")], [says(2000, "c")])
    assert (heard.value, heard.unit, heard.nm_per_px, heard.source) == (2.0, "um", 25.0, "caption")
    assert heard.confidence < 0.9


def test_a_bar_without_text_stays_silent_where_the_caption_states_two_lengths():
    silent = ScaleBar(length_px=80.0, confidence=0.9, reason="without a readable length")
    assert reconcile([silent], [panel(0, "c")], [says(2000), says(100)]) == [silent]


def test_a_figure_wide_bar_serves_the_panels_without_one():
    panels = [panel(0, "a"), panel(1, "b"), panel(2, "c", kind="plot"), panel(3, None, parent=0)]
    heard = reconcile([bar(), NONE, NONE, NONE], panels, [says(200)])
    assert (heard[1].nm_per_px, heard[1].source) == (2.0, "figure")
    assert heard[1].confidence < heard[0].confidence
    assert heard[2] == NONE
    assert heard[3] == NONE


def test_without_the_captions_word_no_sibling_lends_its_scale():
    assert reconcile([bar(), NONE], [panel(0, "a"), panel(1, "b")], [])[1] == NONE


def test_siblings_of_different_scale_lend_none():
    panels = [panel(0, "a"), panel(1, "b"), panel(2, "c")]
    assert reconcile([bar(), bar(length=150), NONE], panels, [says(200)])[2] == NONE


def test_a_sibling_with_the_same_bar_makes_surer():
    panels = [panel(0, "a"), panel(1, "b")]
    heard = reconcile([bar(confidence=0.95), bar(confidence=0.5)], panels)
    assert heard[1].nm_per_px == 2.0


def test_the_users_scale_is_never_touched():
    own = user_scale(1.5)
    assert reconcile([own], [panel(0, "a")], [says(200)]) == [own]
    assert (own.nm_per_px, own.source, own.confidence) == (1.5, "user", 1.0)


def test_the_users_length_wins_over_the_reading():
    given = with_length(bar(confidence=0.9), 1, "µm")
    assert (given.value, given.unit, given.nm_per_px, given.source) == (1, "um", 10.0, "user")
    assert given.confidence == 0.9
    assert given.reason is None
    assert Witness.USER in given.witnesses


def test_the_users_length_makes_no_doubtful_line_a_bar():
    given = with_length(bar(confidence=0.15), 200, "nm")
    assert (given.nm_per_px, given.confidence, given.length_px) == (None, 0.15, 100)
    assert '--scalebar "200 nm" --bar-px 100.0' in given.reason


def test_what_a_user_says_of_bar_and_field_is_the_scale():
    given = user_bar(1, "µm", 50)
    assert (given.nm_per_px, given.length_px, given.confidence, given.source) == (20.0, 50, 1.0, "user")
    assert user_field_width(1800, 900).nm_per_px == 2.0
    with pytest.raises(UsageError):
        user_bar(1, "um", 0)


def test_who_agrees_is_told():
    panels = [panel(0, "a"), panel(1, "b")]
    heard = reconcile([bar(), bar(confidence=0.5)], panels, [says(200)])
    assert heard[1].witnesses == (Witness.CAPTION, Witness.SIBLING)
    assert reconcile([bar()], panels[:1])[0].witnesses == ()


def test_two_witnesses_outweigh_a_doubt_and_one_does_not():
    doubted = bar(confidence=0.2)
    panels = [panel(0, "a"), panel(1, "b")]
    assert reconcile([doubted], panels[:1], [says(200)])[0].nm_per_px is None
    assert reconcile([doubted, bar()], panels, [says(200)])[0].nm_per_px == 2.0


def test_the_users_length_without_a_bar_gives_no_scale():
    given = with_length(NONE, 200, "nm")
    assert given.nm_per_px is None
    assert given.reason == "no scale bar found"


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_senseless_numbers_are_refused(value):
    with pytest.raises(UsageError):
        user_scale(value)
    with pytest.raises(UsageError):
        with_length(bar(), value, "nm")


def test_an_unknown_unit_is_refused():
    with pytest.raises(UsageError, match="pm, Å, nm, um, mm"):
        with_length(bar(), 2, "inch")


# ---------------------------------------------------------------- printed magnifications


def test_magnifications_that_go_with_both_scales_make_both_surer():
    near, far = bar(confidence=0.8, magnification=50_000), bar(value=1, unit="um", confidence=0.8, magnification=10_000)
    heard = reconcile([near, far], [panel(0, "a"), panel(1, "b")])
    assert [b.nm_per_px for b in heard] == [2.0, 10.0]
    assert all(b.confidence > 0.8 for b in heard)


def test_they_rescue_a_doubtful_reading():
    sure, doubtful = bar(magnification=50_000), bar(value=1, unit="um", confidence=0.4, magnification=10_000)
    assert reconcile([sure, doubtful], [panel(0, "a"), panel(1, "b")])[1].nm_per_px == 10.0


def test_the_frames_width_counts_where_panels_are_shown_at_different_sizes():
    small = bar(length=50, confidence=0.8, magnification=50_000)
    heard = reconcile([bar(magnification=50_000), small], [panel(0, "a"), panel(1, "b", width=200)])
    assert heard[1].nm_per_px == 4.0
    assert heard[1].confidence > 0.8


def test_two_scales_at_one_printed_magnification_conflict():
    lost_decimal = bar(value=20, magnification=50_000)
    heard = reconcile([bar(magnification=50_000), lost_decimal], [panel(0, "a"), panel(1, "b")])
    assert [b.nm_per_px for b in heard] == [None, None]
    assert all("x50,000" in b.reason for b in heard)
    assert "20 nm" in heard[0].reason


def test_the_one_against_the_many_loses():
    bars = [bar(magnification=50_000), bar(magnification=50_000), bar(value=20, magnification=50_000)]
    heard = reconcile(bars, [panel(i, "abc"[i]) for i in range(3)])
    assert [b.nm_per_px for b in heard] == [2.0, 2.0, None]


def test_two_instruments_in_one_figure_cost_confidence_only():
    screen = bar(value=1, unit="um", confidence=0.9, magnification=25_000)
    heard = reconcile([bar(confidence=0.9, magnification=50_000), screen], [panel(0, "a"), panel(1, "b")])
    assert [b.nm_per_px for b in heard] == [2.0, 10.0]
    assert all(b.confidence < 0.9 for b in heard)


def test_what_the_data_bar_prints_counts_too():
    panels = [panel(0, "a", printed=50_000), panel(1, "b", printed=50_000)]
    heard = reconcile([bar(), bar(length=150)], panels)
    assert [b.nm_per_px for b in heard] == [None, None]


def test_the_users_scale_stands_against_any_magnification():
    own = user_scale(7.0)
    heard = reconcile([own, bar(magnification=50_000)], [panel(0, "a", printed=50_000), panel(1, "b")])
    assert heard[0] == own
    assert heard[1].nm_per_px == 2.0
