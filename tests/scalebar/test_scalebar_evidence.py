"""What a scale says about its picture: likely widths, the printed magnification, the particles' sizes."""

from __future__ import annotations

import pytest
from scalebar_drawing import NoOcr, micrograph

from imagedataextractor.ocr import TextBox
from imagedataextractor.records import Box, ScaleBar, ScaleStatement, Witness
from imagedataextractor.scalebar import read_scale_bar, user_scale, with_particle_sizes
from imagedataextractor.scalebar.evidence import contradiction, photo_width_mm
from imagedataextractor.scalebar.match import load_models

SCALED = ScaleBar(value=200, unit="nm", length_px=100, nm_per_px=2.0, confidence=0.95, source="bar")


def test_usual_widths_speak_for_a_scale_and_unusual_ones_against_it():
    prior = load_models().field
    micrometre, metre_wide, atom_wide = (prior.log_odds(field) for field in (1e3, 1e9, 0.2))
    assert micrometre > 0
    assert metre_wide < 0
    assert atom_wide < 0


def test_magnification_times_width_is_the_width_of_a_print():
    # A Hitachi frame of 1280 px at x30,000 whose bar of 1 µm is 302 px long: 127 mm wide.
    assert photo_width_mm(30_000, 1000 / 302, 1280) == pytest.approx(127, rel=0.01)


def test_the_width_of_a_print_speaks_for_a_scale_and_a_lost_decimal_against_it():
    prior = load_models().magnification
    assert prior.log_odds(124) > 1
    assert prior.log_odds(1240) < 0
    assert prior.log_odds(12.4) < 0
    assert prior.log_odds(1e6) < prior.log_odds(400)


@pytest.mark.parametrize(
    ("nm_per_px", "magnification", "word"),
    [(1e6, None, "wide"), (1e-4, None, "wide"), (2.0, 2e9, "magnification"), (2e3, 300_000, "magnification")],
)
def test_what_no_micrograph_can_be_is_a_conflict(nm_per_px, magnification, word):
    reason = contradiction(nm_per_px, 500, magnification)
    assert reason is not None
    assert reason.startswith("conflict")
    assert word in reason


@pytest.mark.parametrize(("nm_per_px", "magnification"), [(2.0, None), (2.0, 120_000), (0.05, 1e6), (3000.0, 100)])
def test_real_scales_are_none(nm_per_px, magnification):
    assert contradiction(nm_per_px, 600, magnification) is None


def with_magnification(printed: str | None) -> ScaleBar:
    """A bar of 200 nm over 100 px in a picture 520 px wide: x120,000 would make a print of 125 mm."""
    image = micrograph()
    image[380:386, 300:400] = 255
    texts = [TextBox("200 nm", 0.99, Box(315, 352, 385, 374))]
    if printed:
        texts.append(TextBox(printed, 0.99, Box(20, 392, 110, 410)))
    return read_scale_bar(image, engine=NoOcr(*texts))


def test_the_printed_magnification_is_weighed_and_handed_on():
    silent, fitting, odd = (with_magnification(m) for m in (None, "x120,000", "x15,000"))
    assert silent.magnification is None
    assert fitting.magnification == 120_000
    assert odd.confidence < silent.confidence < fitting.confidence
    assert fitting.nm_per_px == pytest.approx(2.0, rel=0.01)


def test_a_scale_against_the_printed_magnification_is_reported():
    bar = with_magnification("x40")
    assert bar.nm_per_px is None
    assert "x40" in bar.reason
    assert (bar.value, bar.unit) == (200, "nm")


@pytest.mark.parametrize(("diameter_px", "size"), [(0.1, "0.2 nm"), (1e6, "2 mm")])
def test_particles_smaller_than_atoms_or_larger_than_a_millimetre_are_a_conflict(diameter_px, size):
    doubted = with_particle_sizes(SCALED, [diameter_px] * 5)
    assert doubted.nm_per_px is None
    assert doubted.reason.startswith("conflict")
    assert size in doubted.reason


def test_sane_particles_no_particles_and_the_users_scale_change_nothing():
    assert with_particle_sizes(SCALED, [10.0, 20.0, 1e9]) == SCALED
    assert with_particle_sizes(SCALED, []) == SCALED
    own = user_scale(1e9)
    assert with_particle_sizes(own, [50.0]) == own


# ---------------------------------------------------------------- printed field width


def with_texts(*printed: str, stated: tuple[float, str] | None = None, text: str = "200 nm") -> ScaleBar:
    """A bar of 100 px below a text, in a picture 520 px wide with other words at its foot."""
    image = micrograph()
    image[380:386, 300:400] = 255
    texts = [TextBox(text, 0.99, Box(315, 352, 385, 374))]
    texts += [TextBox(words, 0.99, Box(20, 392 - 20 * i, 190, 408 - 20 * i)) for i, words in enumerate(printed)]
    return read_scale_bar(image, engine=NoOcr(*texts), stated=stated)


def test_a_printed_field_width_is_a_witness():
    silent, fitting, narrow = with_texts(), with_texts("HFW 1.04 µm"), with_texts("HFW 3.1 µm")
    assert Witness.FIELD_WIDTH in fitting.witnesses
    assert silent.witnesses == narrow.witnesses == ()
    assert narrow.confidence < silent.confidence < fitting.confidence


def test_a_picture_wider_than_the_field_it_prints_is_a_conflict():
    bar = with_texts("HFW 350 nm")
    assert bar.nm_per_px is None
    assert "350 nm" in bar.reason


def test_the_sides_of_a_jeol_field_do_not_silence_the_bar():
    bar = with_texts("FOV:1040x832nm")
    assert bar.nm_per_px == pytest.approx(2.0, rel=0.01)
    assert bar.witnesses == (Witness.FIELD_WIDTH,)


def test_what_the_picture_prints_contradicts_the_users_length_too():
    assert with_texts("HFW 1.04 µm", stated=(200, "nm")).nm_per_px == pytest.approx(2.0, rel=0.01)
    wrong = with_texts("HFW 1.04 µm", stated=(600, "nm"))
    assert wrong.nm_per_px is None
    assert wrong.length_px == pytest.approx(100, abs=1)
    huge = with_particle_sizes(with_texts(stated=(200, "mm")), [300.0] * 5)
    assert huge.nm_per_px is None


def test_the_user_reads_what_ocr_cannot():
    misread = with_texts(stated=(200, "nm"), text="2OO hm")
    assert (misread.nm_per_px, misread.source) == (pytest.approx(2.0, rel=0.01), "user")
    assert misread.confidence < 1


# ---------------------------------------------------------------- pm or µm


def test_picometres_read_need_a_witness():
    alone, with_width = with_texts(text="500 pm"), with_texts("HFW 2.6 mm", text="500 pm")
    assert alone.nm_per_px is None
    assert (alone.value, alone.unit, alone.length_px) == (500, "um", pytest.approx(100, abs=1))
    assert '--scalebar "500 um"' in alone.reason
    assert with_width.nm_per_px == pytest.approx(5000, rel=0.01)
    assert with_texts(text="500 µm").nm_per_px is not None


def test_the_caption_tells_picometres():
    image = micrograph()
    image[380:386, 300:400] = 255
    texts = [TextBox("500 pm", 0.99, Box(315, 352, 385, 374))]
    said = ScaleStatement(0.5, (), "scale bar, 500 pm", 0, 17)
    assert read_scale_bar(image, engine=NoOcr(*texts), statements=[said]).unit == "pm"
