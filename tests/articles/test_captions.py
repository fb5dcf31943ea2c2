"""Captions: panel letters in every style that authors and publishers use, lengths in words."""

from __future__ import annotations

import pytest

from imagedataextractor.articles.captions import parse_caption, split_caption

#: Caption → sub-captions, as a person would split it.
SPLITS: list[tuple[str, dict[str, str]]] = [
    # markers before their text
    (
        "(a) TEM image of gold. (b) Size distribution. (c) XRD pattern.",
        {"a": "TEM image of gold", "b": "Size distribution", "c": "XRD pattern"},
    ),
    (
        "TEM images of samples (a) S1, (b) S2, and (c) S3.",
        {"a": "S1", "b": "S2", "c": "S3"},
    ),
    (
        "a) SEM image of the film; b) its cross-section; c,d) EDS maps of Ti and O.",
        {
            "a": "SEM image of the film",
            "b": "its cross-section",
            "c": "EDS maps of Ti and O",
            "d": "EDS maps of Ti and O",
        },
    ),
    (
        "(a–c) SEM images at rising magnification and (d) EDS spectrum of ZnO.",
        {
            "a": "SEM images at rising magnification",
            "b": "SEM images at rising magnification",
            "c": "SEM images at rising magnification",
            "d": "EDS spectrum of ZnO",
        },
    ),
    (
        "(a) and (b) TEM images of silica, (c) and (d) of titania.",
        {"a": "TEM images of silica", "b": "TEM images of silica", "c": "of titania", "d": "of titania"},
    ),
    (
        "Morphology of the catalyst: (A) SEM, (B) TEM and (C) HRTEM image.",
        {"A": "SEM", "B": "TEM", "C": "HRTEM image"},
    ),
    (
        "A, SEM image of the powder. B, TEM image of one grain. C, Diffraction pattern.",
        {"A": "SEM image of the powder", "B": "TEM image of one grain", "C": "Diffraction pattern"},
    ),
    (
        "A: overview; B: detail of the interface",
        {"A": "overview", "B": "detail of the interface"},
    ),
    (
        "a. Overview of the sample. b. Detail of the edge. c. Histogram of diameters.",
        {"a": "Overview of the sample", "b": "Detail of the edge", "c": "Histogram of diameters"},
    ),
    (
        "Panel (a): as-prepared particles. Panel (b): after calcination.",
        {"a": "as-prepared particles", "b": "after calcination"},
    ),
    (
        "Fig. 2a: TEM of Pd. Fig. 2b: TEM of Pt.",
        {"a": "TEM of Pd", "b": "TEM of Pt"},
    ),
    # markers behind their text
    (
        "SEM images of the oxide (A) and the composite (B–D); TEM images of the composite (E,F).",
        {
            "A": "SEM images of the oxide",
            "B": "the composite",
            "C": "the composite",
            "D": "the composite",
            "E": "TEM images of the composite",
            "F": "TEM images of the composite",
        },
    ),
    (
        "Spectra of C1s (a), O1s (b) and Zn2p (c) for the plate after the test.",
        {"a": "Spectra of C1s", "b": "O1s", "c": "Zn2p"},
    ),
    (
        "TEM image (a) and size distribution (b).",
        {"a": "TEM image", "b": "size distribution"},
    ),
    # both in one caption, and lead-ins in the middle
    (
        "(a) Scheme of the reactor. SEM images of (b) rods and (c) cubes. (d) Yield.",
        {"a": "Scheme of the reactor", "b": "rods", "c": "cubes", "d": "Yield"},
    ),
    (
        "(A) XRD patterns of the oxides, High-resolution XPS spectra of (B) C 1s and (C) O 1s.",
        {"A": "XRD patterns of the oxides", "B": "C 1s", "C": "O 1s"},
    ),
    # letters that point back at a panel are no markers
    (
        "(a) TEM image of the rods. (b) Magnified view of the box in (a). (c) Profile along the line in (b).",
        {
            "a": "TEM image of the rods",
            "b": "Magnified view of the box in (a)",
            "c": "Profile along the line in (b)",
        },
    ),
    (
        "(a) Top view, (b) bottom view and (c) section of the film. The inset in (b) shows a fibre.",
        {"a": "Top view", "b": "bottom view", "c": "section of the film"},
    ),
    # numbered letters and Roman numerals
    (
        "(a1–a3) SEM images of sample A, (b1) EDS map of Ni and (b2) of Co.",
        {
            "a1": "SEM images of sample A",
            "a2": "SEM images of sample A",
            "a3": "SEM images of sample A",
            "b1": "EDS map of Ni",
            "b2": "of Co",
        },
    ),
    ("TEM images of (i) rods, (ii) wires and (iii) tubes.", {"i": "rods", "ii": "wires", "iii": "tubes"}),
    # sides
    (
        "TEM image (left) and its diffraction pattern (right).",
        {"left": "TEM image", "right": "its diffraction pattern"},
    ),
    ("Left: SEM image of the film. Right: its section.", {"left": "SEM image of the film", "right": "its section"}),
    # what looks like letters and is none
    ("Structure of the phase TiO2 (B) and of Fe (II) oxide (OH).", {}),
    ("XRD patterns of samples S1, S2, and S3.", {}),
    ("A TEM image of the particles.", {}),
    ("", {}),
]


@pytest.mark.parametrize(("caption", "expected"), SPLITS, ids=[caption[:40] for caption, _ in SPLITS])
def test_caption_is_split_as_a_person_would(caption: str, expected: dict[str, str]) -> None:
    assert dict(parse_caption(caption).subcaptions) == expected


def test_repeated_label_is_passed_over() -> None:
    facts = parse_caption("Figure 2. (a) TEM image. (b) SEM image.", "Figure 2.")
    assert dict(facts.subcaptions) == {"a": "TEM image", "b": "SEM image"}


def test_bold_letters_without_brackets() -> None:
    caption = "Voltammograms for a undoped anatase TiO2, b doped with Sn, and c with Nb. d Current of all."
    bold = [(caption.index(mark), caption.index(mark) + 1) for mark in ("a undoped", "b doped", "c with", "d Current")]
    facts = parse_caption(caption, "Fig. 28", emphasised=bold)
    assert dict(facts.subcaptions) == {
        "a": "undoped anatase TiO2",
        "b": "doped with Sn",
        "c": "with Nb",
        "d": "Current of all",
    }


def test_bare_letters_open_groups_that_bracketed_ones_detail() -> None:
    caption = (
        "Formation of stripes. a, b Scheme of the synthesis (a) and of the effects (b). c–e SEM images of the "
        "bulk (c), the powder (d), and the plate (e). Scale bars, 5 μm (c), 500 nm (d), 200 nm (e)"
    )
    facts = parse_caption(caption)
    assert list(facts.subcaptions) == ["a", "b", "c", "d", "e"]
    assert facts.subcaptions["a"].startswith("Scheme of the synthesis")
    assert facts.subcaptions["d"] == "SEM images of the bulk (c), the powder (d), and the plate (e)"
    assert [(s.length_nm, s.panels) for s in facts.scale_statements] == [(5000, ("c",)), (500, ("d",)), (200, ("e",))]


def test_a_group_that_is_detailed_keeps_both_texts() -> None:
    caption = "a–c) SEM images in three states. a) Pristine, b) charged, and c) discharged. d) The pristine foil."
    facts = parse_caption(caption)
    assert facts.subcaptions["b"] == "SEM images in three states. charged"
    assert facts.subcaptions["d"] == "The pristine foil"
    assert facts.panel_techniques["c"] == ("SEM",)


def test_segments_point_into_the_caption() -> None:
    caption = "TEM images of (a) rods and (b) cubes; SAED patterns of the rods (c) and the cubes (d)."
    for segment in split_caption(caption):
        assert caption[segment.start : segment.end] == segment.text


def test_technique_of_a_panel_comes_from_its_own_or_the_shared_words() -> None:
    facts = parse_caption("SEM images of (a) rods and (b) cubes. (c) XRD patterns. HRTEM images of (d) rods.")
    assert facts.panel_techniques["a"] == ("SEM",)
    assert facts.panel_techniques["b"] == ("SEM",)
    assert facts.panel_techniques["c"] == ("XRD",)
    assert set(facts.panel_techniques["d"]) == {"HRTEM", "TEM"}


def test_technique_of_a_panel_described_in_passing_is_that_of_the_nearest_words() -> None:
    facts = parse_caption(
        "The SEM images of Fe-MOF (a) and its carbon (b), the TEM image (c), and EDS maps of C (d), N (e)."
    )
    assert facts.panel_techniques == {"a": ("SEM",), "b": ("SEM",), "c": ("TEM",), "d": ("EDS",), "e": ("EDS",)}
    low, high = parse_caption("Low (a) and high (b) magnification SEM images.").panel_techniques.values()
    assert low == high == ("SEM",)


SCALES = [
    ("TEM image of gold. Scale bar: 200 nm.", [(200, ())]),
    ("SEM image (scale bar = 1 µm).", [(1000, ())]),
    ("SEM image. The scale bar is 2 μm.", [(2000, ())]),
    ("SEM images. Scale bars represent 500 nm.", [(500, ())]),
    ("(a) Rods and (b) cubes. Scale bars: 50 nm in a and 100 nm in b.", [(50, ("a",)), (100, ("b",))]),
    ("(a) Rods. (b) Cubes. Scale bars, 10 nm (a) and 5 nm (b).", [(10, ("a",)), (5, ("b",))]),
    ("(a) Rods. (b) Cubes. (c) Wires. Scale bars: (a) 10 μm; (b, c) 500 nm.", [(10000, ("a",)), (500, ("b", "c"))]),
    ("(a) Rods. (b) Cubes. Scale bars in (a) and (b) are 20 nm and 40 nm, respectively.", [(20, ("a",)), (40, ("b",))]),
    ("a TEM image of rods. Scale bar, 5 nm. b HRTEM image. Scale bar, 2 nm.", [(5, ("a",)), (2, ("b",))]),
    ("(a) TEM image of rods (scale bar: 100 nm) and (b) of cubes (scale bar: 50 nm).", [(100, ("a",)), (50, ("b",))]),
    ("(a) Rods. (b) Cubes. Scale bar: 50 nm.", [(50, ())]),
    ("(a) Rods. (b) Cubes. The scale length in (b) is 1 µm.", [(1000, ("b",))]),
    ("TEM image; bar = 100 nm", [(100, ())]),
    ("A: 25 °C. B: 40 °C. Scale bar: 500 nm for all panels.", [(500, ())]),
    ("(a,b) Rods; scale bars: 1 µm (a) and 200 nm (b).", [(1000, ("a",)), (200, ("b",))]),
    ("TEM image with a 50 nm scale bar.", [(50, ())]),
    ("(a) Rods. (b) Cubes. Scale bars, 100 nm; inset, 5 nm.", [(100, ())]),
    ("Error bars represent the standard deviation. Films of 20 nm.", []),
]


@pytest.mark.parametrize(("caption", "expected"), SCALES, ids=[caption[:45] for caption, _ in SCALES])
def test_scale_bars_in_words(caption: str, expected: list[tuple[float, tuple[str, ...]]]) -> None:
    found = parse_caption(caption).scale_statements
    assert [(statement.length_nm, statement.panels) for statement in found] == expected
    for statement in found:
        assert caption[statement.start : statement.end] == statement.text


SIZES = [
    ("TEM image; mean diameter of 12.3 ± 1.4 nm.", [(12.3, 1.4)]),
    ("Particles with an average size of ca. 20 nm.", [(20.0, None)]),
    ("Size distribution (75.2 ± 13 nm) of the nanoparticles.", [(75.2, 13.0)]),
    ("TEM image of spheres with diameters of 0.25 ± 0.02 µm.", [(250.0, 20.0)]),
    ("Nanoparticles of 10–20 nm in diameter", []),
    ("Film of 300 ± 20 nm thickness", []),
    ("TEM image. Scale bar: 50 nm.", []),
]


@pytest.mark.parametrize(("caption", "expected"), SIZES, ids=[caption[:45] for caption, _ in SIZES])
def test_particle_sizes_in_words(caption: str, expected: list[tuple[float, float | None]]) -> None:
    found = parse_caption(caption).size_statements
    assert [(statement.mean_nm, statement.spread_nm) for statement in found] == [pytest.approx(e) for e in expected]
    for statement in found:
        assert caption[statement.start : statement.end] == statement.text


def test_size_belongs_to_the_panel_whose_text_it_stands_in() -> None:
    facts = parse_caption("(a) Rods with a mean diameter of 8 ± 1 nm. (b) Spheres with a mean diameter of 30 ± 4 nm.")
    assert [(s.mean_nm, s.panels) for s in facts.size_statements] == [(8.0, ("a",)), (30.0, ("b",))]


def test_every_panel_of_a_real_caption_with_back_references() -> None:
    caption = (
        "(a) Top view, (b) bottom view, and (c,d) cross-section SEM images of a film obtained at magnifications of "
        "(a,b) ×1000, (c) ×3000, and (d) ×4000. The inset in (b) is a zoom-in image."
    )
    subcaptions = parse_caption(caption).subcaptions
    assert subcaptions["a"] == "Top view"
    assert subcaptions["b"] == "bottom view"
    assert subcaptions["c"].startswith("cross-section SEM images of a film")
