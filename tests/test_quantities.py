"""Numbers and lengths in every form in which people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagedataextractor.quantities import NM_PER_UNIT, find_lengths, fold, parse_length, parse_number, unit_of

#: Thin, no-break, narrow no-break, figure and plain space.
SPACES = ["\u2009", "\u00a0", "\u202f", "\u2007", " "]
UNITS = {
    "nm": ["nm", "㎚", "nanometers", "nanometre", "ｎｍ"],
    "um": ["µm", "μm", "um", "㎛", "micron", "microns", "micrometers", "\\u00B5m"],
    "mm": ["mm", "㎜", "millimetres"],
    "Å": ["Å", "\u212b", "A\u030a", "Angstrom", "ångström", "\\u00C5"],
    "pm": ["pm", "picometers"],
}


@st.composite
def written(draw) -> tuple[str, float]:
    """A number in one of the forms, and its value."""
    thousands = draw(st.integers(1, 999))
    rest = draw(st.integers(0, 999))
    form = draw(st.integers(0, 6))
    digit = draw(st.integers(1, 9))
    tenths = draw(st.integers(0, 99))
    if form == 0:
        mark = draw(st.sampled_from([",", "'", "’", *SPACES]))
        return f"{thousands}{mark}{rest:03d}", thousands * 1000.0 + rest
    if form == 1:
        return f"{thousands}{draw(st.sampled_from('.,'))}{tenths:02d}", thousands + tenths / 100
    if form == 2:
        power = draw(st.integers(-2, 4))
        raised = str(power).translate(str.maketrans("-01234", "⁻⁰¹²³⁴"))
        how = draw(st.sampled_from([f"^{power}", raised, f"^{{{power}}}"]))
        return f"{digit} {draw(st.sampled_from('×x*·'))} 10{how}", digit * 10.0**power
    if form == 3:
        half = draw(st.sampled_from([("½", 0.5), ("¼", 0.25), ("1/2", 0.5), ("¾", 0.75)]))
        return half
    if form == 4:
        return f"{digit}½", digit + 0.5
    if form == 5:
        return f"{digit}e{draw(st.integers(0, 3))}", math.nan
    return str(rest + 1), rest + 1.0


@given(written(), st.sampled_from(sorted(UNITS)), st.data())
def test_every_number_goes_with_every_unit(number, unit, data):
    text, value = number
    if math.isnan(value):
        value = float(text)
    spelling = data.draw(st.sampled_from(UNITS[unit]))
    space = data.draw(st.sampled_from(["", *SPACES]))
    assert parse_number(text) == pytest.approx(value)
    length = parse_length(f"{text}{space}{spelling}")
    assert length is not None
    assert length == (pytest.approx(value), unit)
    (found,) = find_lengths(f"scale bar: {text}{space}{spelling}.")
    assert found.nm == pytest.approx(value * NM_PER_UNIT[unit])


@given(written(), st.sampled_from(["⁻¹", "-1", "−1", "^-1", " ⁻¹", "²", "2", "/px", " per pixel"]))
def test_what_is_per_length_or_an_area_is_no_length(number, behind):
    text, _ = number
    assert parse_length(f"{text} nm{behind}") is None
    assert list(find_lengths(f"spacing {text} nm{behind}, as seen")) == []


@given(st.floats(0.1, 999).map(lambda x: round(x, 1)), st.floats(0.1, 99).map(lambda x: round(x, 1)))
def test_a_spread_is_told_from_the_number(mean, spread):
    for text in (f"({mean} ± {spread}) nm", f"{mean} ± {spread} nm", f"{mean}+/-{spread}nm"):
        (found,) = find_lengths(f"sizes of {text} on average")
        assert (found.value, found.spread, found.unit) == (mean, spread, "nm")


@pytest.mark.parametrize("text", ["0 nm", "0.0 µm", "-5 nm", "− 5 nm", "nm", "200", "5 inch", "1 × 103 nm", "200 nmx"])
def test_no_lengths(text):
    assert parse_length(text) is None


@pytest.mark.parametrize(
    ("text", "nm"),
    [("1,500 nm", 1500), ("0,500 µm", 500), ("1.000,5 nm", 1000.5), ("1.000.000 pm", 1000), ("3 A", 0.3)],
)
def test_marks_that_could_be_either(text, nm):
    value, unit = parse_length(text)
    assert value * NM_PER_UNIT[unit] == pytest.approx(nm)


def test_a_lost_exponent_is_not_made_a_number():
    assert list(find_lengths("Scale bar: 1 × 103 nm")) == []


@pytest.mark.parametrize(
    ("text", "nm"),
    [
        ("١٠٠ nm", 100),
        ("١٫٥ µm", 1500),
        ("٢٬٥٠٠ nm", 2500),
        ("२०० nm", 200),
        ("1.2•10^3 nm", 1200),
        ("1.2 ∙ 10³ nm", 1200),
        ("2 X 10^3 nm", 2000),
        ("2 х 10³ nm", 2000),
        ("1.2 \\times 10^{3} nm", 1200),
        ("1.2 × 10<sup>3</sup> nm", 1200),
        ("0.2 $\\mu$m", 200),
        ("200 пm", 200),
        ("0,5 мкм", 500),
        ("0,5 микрометра", 500),
        ("200 nanomètres", 200),
        ("200 nanómetros", 200),
        ("0.5 Mikrometern", 500),
        ("200 나노미터", 200),
        ("0.5 ミクロン", 500),
        ("(200 nm)", 200),
        ("200nm.", 200),
    ],
)
def test_digits_signs_and_units_of_other_scripts(text, nm):
    value, unit = parse_length(text)
    assert value * NM_PER_UNIT[unit] == pytest.approx(nm)
    assert [length.nm for length in find_lengths(f"bar: {text}")] == [pytest.approx(nm)]


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("1e-999 nm", []),  # nothing, not 999 nm
        ("1.2 ⊗ 10³ nm", []),  # a product by a sign that is not known, not 10³ nm
        ("0 100 200 nm", []),  # a ruler's numbers, not 100,200 nm
        ("① 200 nm", [200]),  # a panel's number, not 1,200 nm
        ("200 nm ± 10 nm", [200]),
        ("10 nm–20 nm", [10, 20]),
        ("10–20 nm", []),
        ("5 nm<sup>−1</sup>", []),
    ],
)
def test_parts_of_something_longer_are_no_lengths(text, lengths):
    assert [length.nm for length in find_lengths(f"Scale bar: {text}")] == lengths


@given(st.text())
@example("A\u030a ½ ㎛ ①")
def test_folding_keeps_every_place(text):
    assert len(fold(text)) == len(text)
    for length in find_lengths(text):
        assert 0 <= length.start < length.end <= len(text)
        assert length.value > 0


@given(st.text(alphabet="0123456789.,' ±×^eE/½µnm()-", max_size=200))
def test_any_text_is_answered(text):
    parse_number(text)
    parse_length(text)
    list(find_lengths(text))


def test_inches_are_no_unit_of_a_micrograph():
    assert unit_of("inch") is None
    assert unit_of("Angstroms") == "Å"
    assert unit_of("\\u03BCm") == "um"
