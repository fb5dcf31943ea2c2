"""Particle sizes that the text of an article states, tied to the figure and the panels that it speaks of.

"The mean particle size of S1 (Figure 3a) was 75.2 ± 13 nm": what a caption states comes first; this is for where
it is silent. A statement counts only where its sentence speaks of particles, and only where the figure can be told:
from a reference in the sentence or before it in the paragraph, or from the name of a sample that one figure's caption
holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from imagedataextractor.articles.lengths import size_statements
from imagedataextractor.articles.markers import BRACKET, expand
from imagedataextractor.articles.materials import find_mentions
from imagedataextractor.records import CaptionFacts, SizeStatement

__all__ = ["with_body_sizes"]

#: Particles that micrographs resolve, nm.
_MIN_NM, _MAX_NM = 0.5, 100_000.0
_REFERENCE = re.compile(
    r"\b(?P<kind>fig(?:ure|s|\.)?|scheme)s?\.?\s*(?P<number>S?\d+)\s*\(?(?P<letters>[a-z](?:\s*(?:[-–,]|and)\s*[a-z])*)?(?![a-z])\)?",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<!\bFig)(?<!\bFigs)(?<!\bet al)(?<!\bca)(?<!\bapprox)(?<!\bRef)[.!?]\s+(?=[A-Z(])")
#: What a sentence must speak of.
_PARTICLES = re.compile(
    r"\b(?:nano)?(?:particles?|spheres?|crystals?|rods?|cubes?|dots?|grains?|powders?|NPs?|clusters?|flowers?|microspheres?|"
    r"colloids?|beads?|plates?|prisms?|wires?|granules?)\b|\bnano-?flowers?\b",
    re.IGNORECASE,
)
#: Sizes of something else than the particles of a micrograph.
_OF_ELSE = re.compile(
    r"\b(?:agglomerat\w*|aggregat\w*|pores?|crystallites?|hydrodynamic|DLS|light\s+scattering|Scherrer|domains?|sieves?|screens?|mesh|"
    r"films?|discs?|disks?|electrodes?|separators?|coins?|pellets?|spot|beam|channels?|capillar\w*|needles?|filters?|D\(?\d+\)?)\b",
    re.IGNORECASE,
)
#: A bound is no mean.
_LIMIT = re.compile(
    r"(?:[<>≤≥]|\b(?:less|more|smaller|larger|greater|lower|higher)\s+than|"
    r"\b(?:below|above|under|over|up\s+to|at\s+(?:least|most)))\s*$",
    re.IGNORECASE,
)
#: Percentiles of another instrument's distribution: "D(10), D50 and D90".
_PERCENTILES = re.compile(r"\b[Dd]\s?\(?(?:10|50|90|v|n)\b")
#: How far before a number its own noun stands, characters.
_NOUN_CHARS = 45
_PLUS_MINUS = r"(?:±|\+\s?/\s?[-−–])"
_MEAN_WITH_SPREAD = re.compile(
    rf"(?<![\w.±−-])(?P<mean>\d+(?:\.\d+)?)\s*(?P<unit>nm|[µμ]m)\s*\(\s*{_PLUS_MINUS}\s*(?P<spread>\d+(?:\.\d+)?)\s*"
    r"(?:nm|[µμ]m)?\s*\)"
)
_SAMPLE = re.compile(r"(?<![\w-])(?=[A-Za-z-]*[A-Z])[A-Za-z]{1,6}-?\d{1,3}[a-z]?(?![\w-])")
_NM = {"nm": 1.0, "µm": 1e3, "μm": 1e3}


@dataclass(frozen=True)
class _Reference:
    start: int
    number: str
    panels: tuple[str, ...]


def with_body_sizes(
    facts: Mapping[str, CaptionFacts], captions: Mapping[str, str], paragraphs: Iterable[str]
) -> dict[str, CaptionFacts]:
    """The facts of captions with the sizes that the article's text states of their figures.

    Parameters
    ----------
    facts, captions : mapping
        Figure's label → what its caption tells, and its words.
    paragraphs : iterable of str
        Those of the article's body, its abstract among them.

    Returns
    -------
    dict
        As `facts`. Statements of the text have ``source`` "text", the sentence, offsets into it, and the sample.
    """
    figures = {_number_of(label): label for label in facts if facts[label].is_em}
    found: dict[str, list[SizeStatement]] = {label: [] for label in facts}
    for paragraph in paragraphs:
        for statement, label in _in_paragraph(paragraph, figures, facts, captions):
            known = {(each.mean_nm, each.panels) for each in found[label]}
            if (statement.mean_nm, statement.panels) not in known:
                found[label].append(statement)
    return {
        label: replace(each, size_statements=(*each.size_statements, *found[label])) if found[label] else each
        for label, each in facts.items()
    }


def _number_of(label: str) -> str:
    match = re.search(r"S?\d+", label)
    return match[0] if match else label


def _in_paragraph(
    paragraph: str, figures: Mapping[str, str], facts: Mapping[str, CaptionFacts], captions: Mapping[str, str]
) -> Iterator[tuple[SizeStatement, str]]:
    last: _Reference | None = None
    sample: str | None = None
    for start, end in _sentences(paragraph):
        sentence = paragraph[start:end]
        references = [
            _Reference(match.start(), match["number"], _letters(match["letters"]))
            for match in _REFERENCE.finditer(sentence)
        ]
        statements = list(_in_sentence(sentence))
        samples = [name for _, name in _samples_in(sentence)]
        for position, statement in enumerate(statements):
            own = _sample_of(statement, sentence, len(statements), position)
            named = own or (sample if not samples else None)
            label, panels = _home(
                statement, sentence, references or ([last] if last else []), figures, named, facts, captions
            )
            if label is not None:
                yield replace(statement, panels=panels, sample=named), label
        last = references[-1] if references else last
        sample = samples[-1] if samples else sample


def _sentences(paragraph: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _SENTENCE_END.finditer(paragraph):
        yield start, match.start() + 1
        start = match.end()
    yield start, len(paragraph)


def _in_sentence(sentence: str) -> Iterator[SizeStatement]:
    """Sizes of particles in a sentence, with the spread that stands in brackets behind them."""
    if not _PARTICLES.search(sentence) or _PERCENTILES.search(sentence):
        return
    found = {statement.start: statement for statement in _stated(sentence)}
    for position in sorted(found):
        statement = found[position]
        number = _start_of_number(statement)
        noun = sentence[max(0, number - _NOUN_CHARS) : number]
        counts = not _OF_ELSE.search(noun) and not _LIMIT.search(noun)
        if counts and _MIN_NM <= statement.mean_nm <= _MAX_NM:
            yield statement


def _start_of_number(statement: SizeStatement) -> int:
    numbers = list(re.finditer(r"\d+(?:[.,]\d+)?", statement.text))
    return statement.start + (numbers[0].start() if numbers else 0)


def _stated(sentence: str) -> Iterator[SizeStatement]:
    taken: list[tuple[int, int]] = []
    for match in _MEAN_WITH_SPREAD.finditer(sentence):
        factor = _NM[match["unit"]]
        taken.append(match.span())
        yield SizeStatement(
            float(match["mean"]) * factor,
            float(match["spread"]) * factor,
            (),
            match.group(),
            *match.span(),
            "text",
            sentence,
        )
    for statement in size_statements(sentence, ()):
        if not any(start < statement.end and statement.start < end for start, end in taken):
            yield replace(statement, source="text", sentence=sentence)


def _letters(group: str | None) -> tuple[str, ...]:
    return expand(group) if group else ()


def _samples_in(sentence: str) -> list[tuple[int, str]]:
    """Names of samples ("S1") with their places; formulae ("MoS2") are none."""
    return [(m.start(), m.group()) for m in _SAMPLE.finditer(sentence) if not find_mentions(m.group())]


def _sample_of(statement: SizeStatement, sentence: str, count: int, position: int) -> str | None:
    """The sample that a size is of: the last named before it; where they are listed, one by one."""
    samples = _samples_in(sentence)
    if len(samples) == count and count > 1 and "respectively" in sentence:
        return samples[position][1]
    before = [name for start, name in samples if start < statement.end]
    return before[-1] if before else samples[0][1] if len(samples) == 1 else None


def _home(
    statement: SizeStatement,
    sentence: str,
    references: Sequence[_Reference],
    figures: Mapping[str, str],
    sample: str | None,
    facts: Mapping[str, CaptionFacts],
    captions: Mapping[str, str],
) -> tuple[str | None, tuple[str, ...]]:
    """The figure that a statement speaks of, and its panels; None where it cannot be told."""
    of_em = [reference for reference in references if reference.number in figures]
    if of_em:
        nearest = min(of_em, key=lambda reference: abs(reference.start - statement.start))
        label = figures[nearest.number]
        panels = nearest.panels or _of_sample(sample, facts[label]) or _in_brackets(sentence, facts[label])
        return label, panels
    if references or sample is None:
        return None, ()
    holding = [label for label in figures.values() if re.search(rf"(?<!\w){re.escape(sample)}(?!\w)", captions[label])]
    return (holding[0], _of_sample(sample, facts[holding[0]])) if len(holding) == 1 else (None, ())


def _of_sample(sample: str | None, facts: CaptionFacts) -> tuple[str, ...]:
    """The panels in whose own words a sample is named."""
    if sample is None:
        return ()
    pattern = re.compile(rf"(?<!\w){re.escape(sample)}(?!\w)")
    return tuple(letter for letter, words in facts.subcaptions.items() if pattern.search(words))


def _in_brackets(sentence: str, facts: CaptionFacts) -> tuple[str, ...]:
    """The panels whose letters stand in brackets in a sentence: "… were measured (c)"."""
    letters = [letter for match in BRACKET.finditer(sentence) for letter in expand(match["group"])]
    return tuple(letter for letter in dict.fromkeys(letters) if letter in facts.subcaptions)
