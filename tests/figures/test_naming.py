"""Letters, sub-captions and techniques by the rules, without pixels."""

import pytest

from imagedataextractor.figures.letters.naming import (
    assign_letters,
    complete_letters,
    is_measurable,
    kind_prior,
    missing_letters,
    reading_order,
    subcaption_of,
    technique_of,
)
from imagedataextractor.records import Box, CaptionFacts

ROW = [Box(x, 0, x + 90, 90) for x in (0, 100, 200, 300)]
GRID = [Box(x, y, x + 90, y + 90) for y in (0, 100) for x in (0, 100)]


def test_a_gap_is_filled_when_it_holds_as_many_panels_as_letters():
    assert complete_letters(["a", None, None, "d"], ROW) == ["a", "b", "c", "d"]


def test_a_gap_with_too_many_panels_stays_open():
    assert complete_letters(["a", None, None, "c"], ROW) == ["a", None, None, "c"]


def test_of_several_panels_after_the_last_letter_none_is_named_without_a_caption():
    assert complete_letters(["a", "b", None, None], ROW) == ["a", "b", None, None]
    assert complete_letters(["a", "b", None, None], ROW, ["a", "b", "c", "d"]) == ["a", "b", "c", "d"]


def test_letters_below_their_panels_go_to_the_panels_above_although_others_are_nearer():
    rows = [Box(x, y, x + 90, y + 90) for y in (0, 130) for x in (0, 100)]
    letters = [Box(x + 40, y + 110, x + 50, y + 120) for y in (0, 130) for x in (0, 100)]
    assert assign_letters(letters, rows) == [0, 1, 2, 3]


def test_a_letter_far_from_every_panel_is_nobodys():
    assert assign_letters([Box(5, 5, 15, 15), Box(400, 400, 410, 410)], GRID[:2]) == [0, None]


def test_letters_running_down_columns_are_filled_down_columns():
    assert complete_letters(["A", "C", "B", None], GRID) == ["A", "C", "B", "D"]


def test_a_letter_the_caption_does_not_know_is_not_made_up():
    assert complete_letters(["a", "b", "c", None], ROW, ["a", "b", "c"]) == ["a", "b", "c", None]


def test_without_any_reading_the_caption_names_as_many_panels_as_it_has_letters():
    assert complete_letters([None] * 4, GRID, ["a", "b", "c", "d"]) == ["a", "b", "c", "d"]
    assert complete_letters([None] * 3, GRID[:3], ["a", "b", "c", "d"]) == [None] * 3


def test_reading_order_goes_by_rows_even_if_their_tops_are_uneven():
    boxes = [Box(200, 4, 290, 90), Box(0, 100, 90, 190), Box(0, 0, 90, 90), Box(100, 8, 190, 80)]
    assert reading_order(boxes) == [2, 3, 0, 1]


@pytest.mark.parametrize(("label", "words"), [("a", "one"), ("A", "one"), ("b2", "two"), ("c", ""), (None, "")])
def test_subcaptions_are_found_in_either_case_and_for_numbered_parts(label, words):
    facts = CaptionFacts(subcaptions={"a": "one", "B": "two"})
    assert subcaption_of(label, facts) == words


def test_fringes_tell_high_resolution_only_where_the_caption_leaves_the_choice():
    words = "TEM and HRTEM images of rods"
    listed = CaptionFacts(subcaptions={"b": words}, panel_techniques={"b": ("HRTEM", "TEM")})
    either = CaptionFacts(subcaptions={"b": words}, panel_techniques={"b": ("TEM", "HRTEM")})
    assert technique_of("em", "b", listed, fringes=0.5) == "HRTEM"
    assert technique_of("em", "b", either, fringes=0.5) == "TEM"
    assert technique_of("em", "b", either, fringes=2.5) == "HRTEM"


def test_technique_comes_from_the_panel_first_and_only_where_it_is_one():
    facts = CaptionFacts(techniques=("SEM", "TEM"), panel_techniques={"a": ("SEM",), "b": ()})
    assert technique_of("em", "a", facts) == "SEM"
    assert technique_of("em", "b", facts) is None
    assert technique_of("plot", "a", facts) is None


def test_lattices_and_fracture_surfaces_are_not_measured_but_particles_are():
    assert is_measurable("em", "TEM", "TEM image of gold nanoparticles")
    assert is_measurable("em", None, "")
    assert not is_measurable("em", "HRTEM", "")
    assert not is_measurable("em", "SEM", "fracture surface of the composite")
    assert not is_measurable("em", "SEM", "nanowires on the substrate")
    assert is_measurable("em", "TEM", "carbon nanotubes decorated with Pt nanoparticles")
    assert not is_measurable("em", "STEM", "ABF-STEM image of the particles along [100]")
    assert not is_measurable("plot", None, "size of the nanoparticles")


def test_the_caption_shifts_the_kind_towards_what_it_names():
    facts = CaptionFacts(
        is_em=True,
        techniques=("SEM", "XRD"),
        subcaptions={"a": "SEM image", "b": "XRD pattern", "c": "schematic of the cell"},
        panel_techniques={"a": ("SEM",), "b": ("XRD",), "c": ()},
    )
    assert kind_prior("a", facts)["em"] > 1
    assert kind_prior("b", facts)["em"] < 1 < kind_prior("b", facts)["plot"]
    assert kind_prior("c", facts)["schematic"] > 1
    assert kind_prior("a", None) == {}


def test_roman_numerals_are_completed_and_kept_in_their_order():
    assert complete_letters(["i", None, "iii", "iv"], ROW) == ["i", "ii", "iii", "iv"]


def test_a_single_i_is_a_letter_and_no_numeral():
    assert complete_letters(["h", "i", None, "k"], ROW) == ["h", "i", "j", "k"]


def test_between_numbered_letters_nothing_is_made_up():
    assert complete_letters(["a1", None, "b1", "b2"], ROW) == ["a1", None, "b1", "b2"]


@pytest.mark.parametrize(
    "words",
    ["simulated HAADF-STEM image of a nanoparticle", "inverse FFT of the particle", "SEM image of rGO", "EDS spectra"],
)
def test_what_is_no_image_of_particles_is_not_measured_even_where_particles_are_named(words):
    assert not is_measurable("em", "STEM", words)


def test_a_letter_whose_panel_was_cut_tight_far_below_it_is_not_taken_by_the_panel_above():
    # Panels with wide blank rims: the lower letter is nearer to the upper panel's edge than the upper letter is.
    letters = [Box(0, 0, 14, 13), Box(472, 0, 486, 13), Box(0, 387, 14, 400), Box(472, 387, 486, 400)]
    panels = [Box(18, 23, 461, 376), Box(552, 54, 884, 366), Box(5, 413, 459, 767), Box(475, 412, 930, 767)]
    assert assign_letters(letters, panels) == [0, 1, 2, 3]
    assert assign_letters([*letters, Box(784, 753, 798, 766)], panels) == [0, 1, 2, 3]


def test_letters_inside_of_the_lower_right_corners_go_to_their_panels():
    letters = [Box(p.x1 - 12, p.y1 - 14, p.x1 - 4, p.y1 - 4) for p in GRID]
    assert assign_letters(letters, GRID) == [0, 1, 2, 3]


def test_where_two_panels_were_not_parted_the_first_of_their_letters_counts():
    letters = [Box(2, 2, 12, 12), Box(102, 2, 112, 12), Box(202, 2, 212, 12)]
    assert assign_letters(letters, [Box(0, 0, 190, 90), Box(200, 0, 290, 90)]) == [0, 2]


def test_a_letter_at_another_place_than_the_others_still_goes_to_the_panel_it_stands_at():
    panels = [Box(0, 0, 200, 120), Box(220, 0, 420, 120), Box(440, 0, 640, 120), Box(0, 150, 200, 270)]
    letters = [Box(4, 4, 14, 14), Box(224, 4, 234, 14), Box(620, 100, 632, 114), Box(4, 154, 14, 164)]
    assert assign_letters(letters, panels) == [0, 1, 2, 3]


def test_a_number_passed_over_is_a_name_that_was_not_read():
    assert missing_letters(["a1", "a2", "b1", "b3"]) == 1
    assert missing_letters(["a1", "a2", "b1"]) == 0
