"""Captions: panel letters in every style that authors and publishers use, lengths in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from caption_grammar import made_caption

from imagedataextractor.articles.captions import parse_caption
from imagedataextractor.articles.subcaptions import split_caption

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
    # numbers, Roman numerals and sides again; groups that name their panels again; texts around their markers
    (
        "TEM images of gold nanorods: (1) as synthesised, (2) after one week, and (3) after laser irradiation.",
        {"1": "as synthesised", "2": "after one week", "3": "after laser irradiation"},
    ),
    (
        "SEM micrographs of (1) bare and (2) coated fibres.",
        {"1": "bare", "2": "coated fibres"},
    ),
    (
        "(1) SEM image of the powder; (2) EDS spectrum; (3) XRD pattern.",
        {"1": "SEM image of the powder", "2": "EDS spectrum", "3": "XRD pattern"},
    ),
    (
        "SEM images of the films: (i) 200 °C, (ii) 300 °C, (iii) 400 °C and (iv) 500 °C.",
        {"i": "200 °C", "ii": "300 °C", "iii": "400 °C", "iv": "500 °C"},
    ),
    (
        "(i)–(iv) TEM images of particles with rising shell thickness.",
        {
            "i": "TEM images of particles with rising shell thickness",
            "ii": "TEM images of particles with rising shell thickness",
            "iii": "TEM images of particles with rising shell thickness",
            "iv": "TEM images of particles with rising shell thickness",
        },
    ),
    (
        "(i–iii) SEM images of the films and (iv) the corresponding histogram.",
        {
            "i": "SEM images of the films",
            "ii": "SEM images of the films",
            "iii": "SEM images of the films",
            "iv": "the corresponding histogram",
        },
    ),
    (
        "SEM images of MOF-5 (a,b), UiO-66 (c,d) and ZIF-8 (e,f) before (a,c,e) and after (b,d,f) heating.",
        {
            "a": "SEM images of MOF-5",
            "b": "SEM images of MOF-5",
            "c": "UiO-66",
            "d": "UiO-66",
            "e": "ZIF-8",
            "f": "ZIF-8",
        },
    ),
    (
        "Top row: SEM images; bottom row: EDS maps of the same area.",
        {"top": "SEM images", "bottom": "EDS maps of the same area"},
    ),
    (
        "SEM images of particles before (left), during (middle) and after (right) sintering.",
        {"left": "SEM images of particles before", "middle": "during", "right": "after sintering"},
    ),
    (
        "(Left) TEM image and (right) SAED pattern of the nanowire.",
        {"left": "TEM image", "right": "SAED pattern of the nanowire"},
    ),
    (
        "Fig. 2a: TEM image of the cores. Fig. 2b: TEM image of the core–shell particles.",
        {"a": "TEM image of the cores", "b": "TEM image of the core–shell particles"},
    ),
    (
        "(A and B) TEM micrographs of exosomes; (C) western blot.",
        {"A": "TEM micrographs of exosomes", "B": "TEM micrographs of exosomes", "C": "western blot"},
    ),
    (
        "[a] TEM image and [b] histogram of silver particles.",
        {"a": "TEM image", "b": "histogram of silver particles"},
    ),
    (
        "(a) STEM-HAADF image; (b–d) EDS maps of (b) Ti, (c) O and (d) their overlay.",
        {"a": "STEM-HAADF image", "b": "EDS maps of Ti", "c": "EDS maps of O", "d": "EDS maps of their overlay"},
    ),
    (
        "a–c, TEM images of 5-nm (a), 10-nm (b) and 20-nm (c) particles. d, Absorbance.",
        {"a": "TEM images of 5-nm", "b": "10-nm", "c": "20-nm particles", "d": "Absorbance"},
    ),
    (
        "SEM images of the cross section (a1, a2) and the surface (b1, b2) of the membranes M1 and M2.",
        {
            "a1": "SEM images of the cross section",
            "a2": "SEM images of the cross section",
            "b1": "the surface",
            "b2": "the surface",
        },
    ),
    (
        "Characterisation of the catalyst. (a) TEM image (inset: size distribution). (b) XPS "
        "spectrum of the Pd 3d region.",
        {"a": "TEM image (inset: size distribution)", "b": "XPS spectrum of the Pd 3d region"},
    ),
    (
        "(a, c, e) SEM and (b, d, f) TEM images of samples 1, 2 and 3.",
        {
            "a": "SEM",
            "c": "SEM",
            "e": "SEM",
            "b": "TEM images of samples 1, 2 and 3",
            "d": "TEM images of samples 1, 2 and 3",
            "f": "TEM images of samples 1, 2 and 3",
        },
    ),
    (
        "SEM image of the film. Arrows (1) and (2) mark pores.",
        {},
    ),
    (
        "SEM images of samples prepared with reactions (1) and (2).",
        {},
    ),
    (
        "TEM image of anatase along [1 0 0].",
        {},
    ),
    (
        "Rietveld refinement with eq. (1) and eq. (2).",
        {},
    ),
    (
        "TEM image (a) of the powder, HRTEM image (b) of a grain and SAED pattern (c).",
        {"a": "TEM image of the powder", "b": "HRTEM image of a grain", "c": "SAED pattern"},
    ),
    (
        "SEM images of the oxide (A) at 25 °C and the composite (B) at 40 °C.",
        {"A": "SEM images of the oxide at 25 °C", "B": "the composite at 40 °C"},
    ),
    (
        "(a) TEM image of Au@SiO2. Scale bar: 50 nm. (b) TEM image of Au@TiO2. Scale bar: 100 nm.",
        {"a": "TEM image of Au@SiO2. Scale bar: 50 nm", "b": "TEM image of Au@TiO2. Scale bar: 100 nm"},
    ),
    (
        "(a) TEM image of Au@SiO2; (b) TEM image of Au@TiO2. Scale bar: 50 nm.",
        {"a": "TEM image of Au@SiO2", "b": "TEM image of Au@TiO2"},
    ),
    (
        "Typical TEM micrographs of the samples: Fe3O4 (a), Fe3O4@SiO2 (b), Fe3O4@SiO2–NH2 (c); "
        "histogram for Fe3O4 (d).",
        {"a": "Fe3O4", "b": "Fe3O4@SiO2", "c": "Fe3O4@SiO2–NH2", "d": "histogram for Fe3O4"},
    ),
    (
        "(a–f) TEM images of Au nanorods with aspect ratios of (a) 2.1, (b) 2.8, (c) 3.3, (d) 3.9, "
        "(e) 4.4 and (f) 5.0.",
        {
            "a": "TEM images of Au nanorods with aspect ratios of 2.1",
            "b": "TEM images of Au nanorods with aspect ratios of 2.8",
            "c": "TEM images of Au nanorods with aspect ratios of 3.3",
            "d": "TEM images of Au nanorods with aspect ratios of 3.9",
            "e": "TEM images of Au nanorods with aspect ratios of 4.4",
            "f": "TEM images of Au nanorods with aspect ratios of 5.0",
        },
    ),
    (
        "(a) Low-magnification TEM image, (b) high-resolution TEM image taken from the area marked "
        "by the square in (a), and (c) the corresponding FFT.",
        {
            "a": "Low-magnification TEM image",
            "b": "high-resolution TEM image taken from the area marked by the square in (a)",
            "c": "the corresponding FFT",
        },
    ),
    (
        "Upper panel: SEM image of the coating. Lower panel: line scan.",
        {"top": "SEM image of the coating", "bottom": "line scan"},
    ),
    (
        "TEM images of phage T4 (top left) and of capsids (top right).",
        {},
    ),
    # texts that a semicolon cuts, nouns behind the last marker, and markers that follow each other but open texts
    (
        "TEM images of silica in water (a) and its yield; (b) of titania in ethanol.",
        {"a": "TEM images of silica in water", "b": "its yield of titania in ethanol"},
    ),
    (
        "SEM images at low (A) and high (B) magnification; (C) photograph.",
        {"A": "SEM images at low", "B": "high magnification", "C": "photograph"},
    ),
    (
        "SEM images of the pristine (a) and annealed (b) surfaces at 5 kV.",
        {"a": "SEM images of the pristine", "b": "annealed surfaces"},
    ),
    (
        "SEM images of neat epoxy (a), with 1 wt% of tubes (b) and (c) detail of (b).",
        {"a": "SEM images of neat epoxy", "b": "with 1 wt% of tubes", "c": "detail of (b)"},
    ),
    (
        "STEM image (a), maps of Fe (b) and O (c), and (d) the line scan along the arrow in (a).",
        {"a": "STEM image", "b": "maps of Fe", "c": "O", "d": "the line scan along the arrow in (a)"},
    ),
    (
        "SEM images of ceramics sintered at 900 °C—(a); 1000 °C—(b).",
        {"a": "SEM images of ceramics sintered at 900 °C", "b": "1000 °C"},
    ),
    # notes in the bracket of a letter, capital numerals
    (
        "STEM image of the catalyst (A), EELS maps of Co (B; green) and Pt (C, in red).",
        {"A": "STEM image of the catalyst", "B": "EELS maps of Co", "C": "Pt"},
    ),
    (
        "(I) SEM and (II, III) TEM images of the crystals.",
        {"I": "SEM", "II": "TEM images of the crystals", "III": "TEM images of the crystals"},
    ),
    ("TEM images of complexes (I) and (II).", {}),
    ("XPS spectra of Cu(I) and Cu (II) oxides.", {}),
    # what looks like letters and is none
    ("Structure of the phase TiO2 (B) and of Fe (II) oxide (OH).", {}),
    ("XRD patterns of samples S1, S2, and S3.", {}),
    ("A TEM image of the particles.", {}),
    ("", {}),
]


@pytest.mark.parametrize(("caption", "expected"), SPLITS, ids=[caption[:40] for caption, _ in SPLITS])
def test_caption_is_split_as_a_person_would(caption: str, expected: dict[str, str]) -> None:
    assert dict(parse_caption(caption).subcaptions) == expected


#: Captions in the forms that journals use, as a person would split them. What follows the last letter for all panels
#: ("… (c) of the membrane") belongs to none.
JOURNAL = [
    (entry["caption"], entry["subcaptions"])
    for entry in json.loads(Path(__file__).with_name("journal_captions.json").read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("caption", "expected"), JOURNAL, ids=[caption[:40] for caption, _ in JOURNAL])
def test_captions_in_the_forms_of_journals(caption: str, expected: dict[str, str]) -> None:
    assert dict(parse_caption(caption).subcaptions) == expected


def test_captions_made_by_the_rules_of_journals() -> None:
    for seed in range(20_260, 20_660):
        caption, expected = made_caption(seed)
        assert dict(parse_caption(caption).subcaptions) == expected, f"seed {seed}: {caption}"


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
    assert dict(facts.subcaptions) == {
        "a": "Scheme of the synthesis",
        "b": "of the effects",
        "c": "SEM images of the bulk",
        "d": "the powder",
        "e": "the plate",
    }
    assert facts.panel_techniques["e"] == ("SEM",)
    assert [(s.length_nm, s.panels) for s in facts.scale_statements] == [(5000, ("c",)), (500, ("d",)), (200, ("e",))]


def test_a_group_that_is_detailed_keeps_both_texts() -> None:
    caption = "a–c) SEM images in three states. a) Pristine, b) charged, and c) discharged. d) The pristine foil."
    facts = parse_caption(caption)
    assert facts.subcaptions["b"] == "SEM images in three states. charged"
    assert facts.subcaptions["d"] == "The pristine foil"
    assert facts.panel_techniques["c"] == ("SEM",)


def test_bold_letter_that_points_back_just_before_another_panel() -> None:
    caption = "a Scheme of the cell. TEM images of b the anode, c the layer marked in a, and d the cathode"
    bold = [
        (caption.index(mark), caption.index(mark) + 1) for mark in ("a Scheme", "b the", "c the", "a, and", "d the")
    ]
    assert dict(parse_caption(caption, emphasised=bold).subcaptions) == {
        "a": "Scheme of the cell",
        "b": "the anode",
        "c": "the layer marked in a",
        "d": "the cathode",
    }


def test_letters_between_which_something_goes_on_are_no_panels() -> None:
    caption = "TEM images of particles as lithiation progressed from a to h at constant current"
    bold = [(caption.index(" a ") + 1, caption.index(" a ") + 2), (caption.index(" h ") + 1, caption.index(" h ") + 2)]
    assert parse_caption(caption, "Fig. 5", emphasised=bold).subcaptions == {}


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


def test_techniques_named_for_a_group_are_its_panels_in_order() -> None:
    facts = parse_caption("SEM images of the oxide (A); TEM and HRTEM images of the composite (B,C); (D) XRD pattern.")
    assert facts.panel_techniques["B"] == ("TEM",)
    assert facts.panel_techniques["C"] == ("HRTEM", "TEM")
    facts = parse_caption("(a–c) SEM, TEM and HAADF-STEM micrographs of one rod.")
    assert [facts.panel_techniques[letter][0] for letter in "abc"] == ["SEM", "TEM", "STEM"]
    facts = parse_caption("(a–d) SEM and TEM images of rods.")
    assert facts.panel_techniques["a"] == ("SEM", "TEM")


def test_an_enlarged_view_is_of_the_technique_of_the_panel_it_points_to() -> None:
    facts = parse_caption(
        "(a) SEM image and (b) TEM image of a plate. (c) Magnified view of the box in (b). (d) Yield."
    )
    assert facts.panel_techniques["c"] == ("TEM",)
    assert facts.panel_techniques["d"] == ()
    facts = parse_caption("(a) TEM image of a plate. (b) Intensity profile along the line in (a).")
    assert facts.panel_techniques["b"] == ()


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
    ("(a) Rods. (b) Cubes. Scale bars: 50 nm (a), 100 nm (b).", [(50, ("a",)), (100, ("b",))]),
    ("(a) Rods. (b) Cubes. Scale bars: a, 50 nm; b, 100 nm.", [(50, ("a",)), (100, ("b",))]),
    ("(a) Rods. (b) Cubes. Scale bars: a) 50 nm, b) 100 nm.", [(50, ("a",)), (100, ("b",))]),
    (
        "(a) Rods. (b) Cubes. (c) Wires. Scale bars are 2 µm in (a) and 500 nm in (b) and (c).",
        [(2000, ("a",)), (500, ("b", "c"))],
    ),
    (
        "(a) Rods. (b) Cubes. (c) Wires. The scale bars in (a–c) represent 200, 100 and 50 nm, respectively.",
        [(200, ("a",)), (100, ("b",)), (50, ("c",))],
    ),
    ("(a) Rods. (b) Cubes. (c) Wires. Scale bar = 100 nm (a–c).", [(100, ("a", "b", "c"))]),
    ("(a) Rods. (b) Cubes. All scale bars are 20 nm.", [(20, ())]),
    ("TEM images of rods (a) and cubes (b). Scale bars 20 nm and 50 nm, respectively.", [(20, ("a",)), (50, ("b",))]),
    ("(A) Rods. (B) Cubes. Bars: A = 1 µm, B = 200 nm.", [(1000, ("A",)), (200, ("B",))]),
    ("(A) Rods. (B) Cubes. Bar, 1 µm.", [(1000, ())]),
    ("SEM image; scale bar: 10 μm, inset: 1 μm.", [(10000, ())]),
    ("SEM image. Scale bar: 0.5 µm.", [(500, ())]),
    ("SEM image. Scale bar: 1,000 nm.", [(1000, ())]),
    ("SEM image. Scale bar: 5 Å.", [(0.5, ())]),
    ("SEM image. Scale bar: 1\u00a0000 nm.", [(1000, ())]),
    ("SEM image. Scale bar: 1\u2009500 nm.", [(1500, ())]),
    ("SEM image. Scale bar: 1'000 nm.", [(1000, ())]),
    ("SEM image. Scale bar: 1 × 10³ nm.", [(1000, ())]),
    ("SEM image. Scale bar: ½ µm.", [(500, ())]),
    ("SEM image. Scale bar: 2 ㎛.", [(2000, ())]),
    ("SEM image. Scale bar: 5, 10 and 20 nm.", [(5, ()), (10, ()), (20, ())]),
    ("Diffraction pattern. Scale bar: 10 nm⁻¹.", []),
    ("Diffraction pattern. Scale bar: 5 1/nm.", []),
    ("A 200 nm scale bar in SEM.", [(200, ())]),
    ("SEM image. The bar corresponds to 100 nm.", [(100, ())]),
    ("SEM image. The scale bar indicates 2 microns.", [(2000, ())]),
    ("(a) SEM image, scale bar: 1 μm; (b) TEM image, scale bar: 50 nm.", [(1000, ("a",)), (50, ("b",))]),
    (
        "(a, b) SEM images (scale bars 1 μm and 100 nm) and (c) TEM image (scale bar 20 nm).",
        [(1000, ("a",)), (100, ("b",)), (20, ("c",))],
    ),
    ("TEM images of rods; scale bars = 50 nm (left) and 5 nm (right).", [(50, ("left",)), (5, ("right",))]),
    ("(a) TEM image. (b) HRTEM image. 50 nm scale bar in (a), 5 nm scale bar in (b).", [(50, ("a",)), (5, ("b",))]),
    (
        "Scale bars for panels a, b: 100 nm; for panel c: 20 nm. a TEM of X. b TEM of Y. c HRTEM.",
        [(100, ("a", "b")), (20, ("c",))],
    ),
    (
        "(a)–(d) TEM images. Scale bars: 100 nm for (a) and (c), 10 nm for (b) and (d).",
        [(100, ("a", "c")), (10, ("b", "d"))],
    ),
    ("Scale bar 200 nm in all images. (a) Rods (b) cubes.", [(200, ())]),
    ("(a) Rods. (b) Cubes. Scale bars, 5 nm.", [(5, ())]),
    ("Error bars are one standard deviation. Scale bar 10 nm.", [(10, ())]),
    ("Confocal image of cells. Scale bar, 20 µm.", [(20000, ())]),
    ("TEM image of the cores (the length of the scale bar is 100 nm).", [(100, ())]),
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
    ("An average particle size of 15 nm (σ = 2 nm).", [(15.0, 2.0)]),
    ("The mean diameter is 0.35 μm with a standard deviation of 0.04 μm.", [(350.0, 40.0)]),
    ("TEM image; mean diameter of (12.3 ± 1.4) nm.", [(12.3, 1.4)]),
    ("SEM image; mean diameter of 1,200 ± 140 nm.", [(1200.0, 140.0)]),
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


def test_size_belongs_to_the_panel_named_behind_it() -> None:
    facts = parse_caption(
        "Silica with (a) 2 mL and (b) 4 mL of ammonia, (c) a third batch. "
        "The mean diameters are 377 ± 20 nm for (a) and 359 ± 37 nm in panel c."
    )
    assert [(s.mean_nm, s.panels) for s in facts.size_statements] == [(377.0, ("a",)), (359.0, ("c",))]


def test_every_panel_of_a_real_caption_with_back_references() -> None:
    caption = (
        "(a) Top view, (b) bottom view, and (c,d) cross-section SEM images of a film obtained at magnifications of "
        "(a,b) ×1000, (c) ×3000, and (d) ×4000. The inset in (b) is a zoom-in image."
    )
    subcaptions = parse_caption(caption).subcaptions
    assert subcaptions["a"] == "Top view"
    assert subcaptions["b"] == "bottom view"
    assert subcaptions["c"].startswith("cross-section SEM images of a film")


@pytest.mark.parametrize(
    ("caption", "subcaptions", "bars_nm"),
    [
        ("图1 (a) TEM照片; (b) SEM照片. 标尺: 200 nm", {"a": "TEM照片", "b": "SEM照片. 标尺: 200 nm"}, [200]),
        ("図3 （a）TEM像、（b）SEM像。スケールバー：100 nm", {"a": "TEM像", "b": "SEM像.スケールバー:100 nm"}, [100]),
        ("Fig. 1 / 図1 (a) TEM image; (b) SEM image", {"a": "TEM image", "b": "SEM image"}, []),
        (
            "Рис. 2. ПЭМ-изображения частиц (а) золота и (б) серебра. Масштаб 50 нм",
            {"a": "золота", "b": "серебра"},
            [50],
        ),
        ("Рис. 1. СЭМ: а) порошок; б) плёнка; в) слой", {"a": "порошок", "b": "плёнка", "c": "слой"}, []),
        (
            "Abb. 1: REM-Aufnahme: a) vor und b) nach dem Sintern. Maßstab: 0,5 µm",
            {"a": "vor", "b": "nach dem Sintern"},
            [500],
        ),
        (
            "Figura 2. Imágenes de MEB: (a) polvo y (b) película. Barra de escala: 5 µm",
            {"a": "polvo", "b": "película"},
            [5000],
        ),
        ("Fig. 3 – Clichés MEB des poudres ; barre d'échelle : 2 µm", {}, [2000]),
        ("Εικόνα 1. Εικόνες SEM: (α) δείγμα Α, (β) δείγμα Β", {"a": "δείγμα Α", "b": "δείγμα Β"}, []),
        ("Fig. 4. SEM images of the (α) and (β) phases", {}, []),
    ],
)
def test_captions_in_other_languages_and_scripts(caption, subcaptions, bars_nm):
    facts = parse_caption(caption)
    assert facts.is_em
    assert facts.subcaptions == subcaptions
    assert [bar.length_nm for bar in facts.scale_statements] == bars_nm


def test_letters_behind_the_lengths_of_bars():
    facts = parse_caption("SEM images of films. Scale bars represent 100 µm (a, c) and 20 µm (b, d).")
    assert [(bar.length_nm, bar.panels) for bar in facts.scale_statements] == [
        (100_000, ("a", "c")),
        (20_000, ("b", "d")),
    ]


def test_letters_with_a_dash_before_chinese_are_markers():
    facts = parse_caption("图1 a-样品的TEM照片; b-样品的SEM照片")
    assert facts.subcaptions == {"a": "样品的TEM照片", "b": "样品的SEM照片"}
    assert parse_caption("图2 n-型和p-型样品的TEM照片").subcaptions == {}
