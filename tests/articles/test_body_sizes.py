"""Sizes that the text states: tied to figure, panel and sample, or left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagedataextractor.articles.body_sizes import with_body_sizes
from imagedataextractor.articles.captions import parse_caption
from imagedataextractor.articles.read import read_article

CAPTIONS = {
    "Figure 1": "Scheme of the synthesis.",
    "Figure 2": "TEM images of samples (a) S1, (b) S2 and (c) S3.",
    "Figure 3": "SEM image of the rods.",
}


def stated(*paragraphs: str) -> list[tuple[object, ...]]:
    facts = {label: parse_caption(caption, label) for label, caption in CAPTIONS.items()}
    found = with_body_sizes(facts, CAPTIONS, paragraphs)
    return [
        (label, each.panels, each.mean_nm, each.spread_nm, each.sample)
        for label, facts in found.items()
        for each in facts.size_statements
    ]


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("The particles of S2 (Figure 2b) have a mean diameter of 29 ± 6 nm.", ("Figure 2", ("b",), 29, 6, "S2")),
        (
            "Figure 2 shows TEM. The mean particle size of S1 is ~75.2 nm (+/− 13 nm).",
            ("Figure 2", ("a",), 75.2, 13, "S1"),
        ),
        ("In Fig. 3, rods with an average diameter of 0.2 µm are seen.", ("Figure 3", (), 200, None, None)),
        ("S3 consists of particles with a mean size of 106.2 ± 18 nm.", ("Figure 2", ("c",), 106.2, 18, "S3")),
        (
            "Figure 2 shows particles. A mean particle size of 12 ± 2 nm is small (c).",
            ("Figure 2", ("c",), 12, 2, None),
        ),
    ],
)
def test_tied_to_what_it_speaks_of(paragraph: str, expected: tuple[object, ...]) -> None:
    assert stated(paragraph) == [expected]


@pytest.mark.parametrize(
    "paragraph",
    [
        "Particles with a mean size of 12 ± 2 nm are known.",  # of no figure here
        "Figure 1 shows how particles of a mean size of 12 ± 2 nm grow.",  # no micrograph
        "Figure 2 shows that the mean pore size of the particles is 3.4 nm.",
        "Figure 2 shows agglomerates; the particle agglomerate size is 500 nm.",
        "Figure 2: the hydrodynamic diameter of the particles is 90 nm by DLS.",
        "Figure 2: D(10), D(50) and D(90) of the particles, and the particle size was 430 nm.",
        "The powder (Figure 2) was pressed to discs with a diameter of 10 mm.",
        "Figure 2: the particles have a particle size of < 100 nm, a mean size of less than 90 nm.",
        "Figure 2 was taken at 200 kV. The paper is white.",
    ],
)
def test_what_is_left_out(paragraph: str) -> None:
    assert stated(paragraph) == []


def test_the_span_is_that_of_the_sentence() -> None:
    facts = {label: parse_caption(caption, label) for label, caption in CAPTIONS.items()}
    text = "We looked. The rods in Figure 3 have a mean diameter of 40 ± 5 nm. They are straight."
    (statement,) = with_body_sizes(facts, CAPTIONS, [text])["Figure 3"].size_statements
    assert statement.source == "text"
    assert statement.sentence == "The rods in Figure 3 have a mean diameter of 40 ± 5 nm."
    assert statement.sentence[statement.start : statement.end] == statement.text
    assert "40 ± 5 nm" in statement.text


def test_what_the_caption_states_comes_first() -> None:
    captions = {"Figure 1": "TEM image of particles with a mean diameter of 10 ± 1 nm."}
    facts = {"Figure 1": parse_caption(captions["Figure 1"])}
    found = with_body_sizes(facts, captions, ["Figure 1 shows particles with a mean size of 11 ± 1 nm."])
    assert [(each.mean_nm, each.source) for each in found["Figure 1"].size_statements] == [
        (10, "caption"),
        (11, "text"),
    ]


def test_a_real_article(shared: Path) -> None:
    article = read_article(shared / "samples" / "jats" / "PMC7070767" / "PMC7070767.xml")
    (figure,) = (figure for figure in article.figures if figure.label == "Figure 3")
    found = [(each.panels, each.mean_nm, each.spread_nm, each.sample) for each in figure.facts.size_statements]
    assert found == [(("a",), 75.2, 13, "S1"), (("b",), 29, 6, "S2"), (("c",), 106.2, 18, "S3")]
    assert article.abstract.startswith("Commercial micrometer silicon")
