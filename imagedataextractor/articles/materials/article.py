"""The material of each panel, from the words nearest to it: its sub-caption, the caption, the title, the abstract."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from imagedataextractor.articles.materials.mentions import SHAPE, Mention, find_mentions, plain
from imagedataextractor.articles.subcaptions import Segment
from imagedataextractor.records import MaterialStatement

__all__ = ["Words", "figure_materials"]

#: How often a material is right at least, by the words it was taken from: below what benchmarks/materials.py finds.
_CONFIDENCE = {"sub-caption": 0.95, "caption": 0.9, "title": 0.85, "abstract": 0.7}
#: The same for a name in capitals that the article spells out nowhere, which may be that of a sample.
_OWN_NAME = 0.6
#: The share of it that is left where a neighbouring panel's material is taken for a panel's.
_NEIGHBOUR = 0.8
#: Characters of an article's text in which abbreviations are looked for.
_MAX_CHARS = 200_000
#: A mention in the title counts as many in the abstract.
_TITLE_WEIGHT = 8

#: Abbreviations that name no material.
_NO_MATERIAL = re.compile(
    r"(?:HR|FE|S|T|AC|EF|BF|DF)*(?:TEM|SEM|STEM)s?|HAADF|AD?BF|EDX?S?|XRD|XPS|FFT|IFFT|SAED|EELS|AFM|STM|FT-?IR|NMR|UV|DLS|TGA?|DSC|"
    r"BET|CV|EIS|ORR|OER|HER|DFT|DOS|NPs?|NRs?|NWs?|NCs?|QDs?|NSs?|RT|PL|ROS|MRI|MS|RGB|ICP|LSPR|SERS|FWHM|SI|ESI|MBE|CVD|PVD|ALD|EDTA|"
    r"RDF|LSV|TG|FIB|Figs?|Table|Ref|SD|GC|HPLC|EO|IC|ABTS|DPPH|NaBH4|PEG|CTAB|OCV|SEI|[IVX]+",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"\(\s*(?P<name>[A-Za-z][\w@/·-]{0,14}?)s?(?:\s*[;,][^()]{0,40})?\s*\)")
#: A name made of capitals and digits: "LLZNO", "PCT-1", "S2", "SMNp".
_IS_NAME = re.compile(r"(?=(?:.*[A-Z]){2}|[A-Z]+-?\d)[A-Za-z][\w@/·-]*")
#: What may stand between a material and its abbreviation in brackets.
_TO_BRACKET = re.compile(
    r"(?:[\s-]+(?!(?:in|on|of|with|by|for|and|from|at|as|is|are|was|were|to|using|under|or)\b)[a-z-]+){0,3}\s*"
)
_SPELT_OUT = re.compile(
    r"(?<![\w-])(?P<names>[A-Z][\w()-]*(?:\s*,\s*(?:and\s+)?[A-Z][\w()-]*)*(?:,?\s+and\s+[A-Z][\w()-]*)?)\s+"
    r"(?:is|are|stands?|denotes?|represents?|refers?)\s+(?:for\s+|to\s+)?(?P<forms>[^;]{3,300})"
)
#: What may stand between a preposition and a material.
_ARTICLE = (
    r"(?:(?:an?|the|pure|fresh|aqueous|liquid|bare|metallic|commercial|thin|amorphous|"
    r"\d[\d.]*\s*(?:m?M|wt%|mol%|%))\s+){0,2}$"
)
#: Words before a material that what is seen may be in or from, and those that it is on, under or compared with.
_BESIDE = re.compile(rf"\b(?:in|by|from|via|into|between|after|before|using|through|for)\s+{_ARTICLE}", re.IGNORECASE)
_APART = re.compile(
    r"\b(?:dissolving|removing|etching(?:\s+(?:of|away|off))?|on|onto|under|with|against|versus|vs\.?|than|towards?)\s+"
    rf"{_ARTICLE}",
    re.IGNORECASE,
)
#: Metals of batteries: what is stored and plated, rarely what a micrograph shows where another material is named.
_STORED = frozenset({"Li", "Na", "K"})
_NAMED_AFTER_PICTURE = re.compile(
    r"(?:images?|micrographs?|photographs?|pictures?|patterns?|spectr(?:um|a)|profiles?|structures?|morpholog(?:y|ies)|curves?|"
    r"isotherms?|films?|views?|and|of)\s+(?:of\s+|for\s+)?(?:the\s+|an?\s+|pristine\s+|pure\s+|\(\w\)\s*)*"
    r"(?P<name>[A-Z][A-Z-]{2,}\d*)(?![\w-])"
)
_NAMED_FIRST = re.compile(r"\W*(?P<name>[A-Z][A-Z-]{2,}\d*)(?![\w-])")
_NAMED_BEFORE_SHAPE = re.compile(rf"(?<![\w-])(?P<name>[A-Z][A-Z-]{{2,}}\d*)\s+(?:{SHAPE}|crystals?|samples?)\b")


@dataclass(frozen=True)
class Words:
    """What an article says of its materials outside the caption at hand.

    Attributes
    ----------
    title, abstract : str
    defined : mapping
        Abbreviation or sample name → material, where the article spells it out.
    counts : mapping
        Material → how often the captions name it.
    names : set of str
        Names in capitals that the article uses often without spelling them out: its own materials ("PCT-1").
    """

    title: str = ""
    abstract: str = ""
    defined: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, title: str, abstract: str, captions: Iterable[str] = (), text: str = "") -> Words:
        """The words of an article; `captions` and `text` are only looked through for abbreviations."""
        of_figures = "\n".join(captions)
        every = "\n".join((title, abstract, of_figures, text))[:_MAX_CHARS]
        defined = _definitions(every)
        counts = Counter(mention.name for mention in find_mentions(of_figures, defined))
        return cls(title, abstract, defined, counts, _own_names(every))

    @cached_property
    def main(self) -> MaterialStatement | None:
        """The article's material: what panels show of which nothing else is said."""
        return _main(self)

    def own(self, text: str) -> Iterator[Mention]:
        """Where a text shows something under one of the article's own names."""
        for pattern in (_NAMED_AFTER_PICTURE, _NAMED_BEFORE_SHAPE, _NAMED_FIRST):
            for match in [pattern.match(text)] if pattern is _NAMED_FIRST else pattern.finditer(text):
                if match and plain(match["name"]) in self.names:
                    yield Mention(plain(match["name"]), match.start("name"), match.end("name"), _OWN_NAME)


def figure_materials(caption: str, segments: Sequence[Segment], words: Words) -> dict[str, MaterialStatement]:
    """The material of each panel of a figure, and under "" that of the figure.

    A panel's own words come first, then those that it shares with others, then the rest of the caption that
    belongs to no panel, the title, the abstract. Panels of which nothing tells are left out.

    Returns
    -------
    dict
        Panel letter, or "" → statement. Spans are offsets into the caption, the title or the abstract, as
        ``source`` says.
    """
    shared = _outside(caption, segments)
    whole = _in_text(caption, 0, len(caption), "caption", words)
    behind = words.main
    general = _first(_in_text(caption, start, end, "caption", words) for start, end in shared)
    found: dict[str, MaterialStatement] = {}
    previous: MaterialStatement | None = None
    for segment in segments:
        own = _in_segment(caption, segment, words)
        after = _first(_in_segment(caption, other, words) for other in _rest_of_sentence(caption, segment, segments))
        before = _first(
            _in_text(caption, start, end, "caption", words) for start, end in _context_spans(caption, segment)
        )
        statement = own or before or after or general or _less_sure(previous) or behind
        previous = statement if own or before or after else previous
        if statement is not None:
            for letter in segment.letters:
                found.setdefault(letter, statement)
    for_all = whole or behind
    if for_all is not None:
        found[""] = for_all
    return found


def _first(statements: Iterable[MaterialStatement | None]) -> MaterialStatement | None:
    return next((statement for statement in statements if statement is not None), None)


def _less_sure(statement: MaterialStatement | None) -> MaterialStatement | None:
    """What a panel before this one shows: rather than nothing, and less surely."""
    if statement is None:
        return None
    return replace(statement, source="caption", confidence=round(_NEIGHBOUR * statement.confidence, 3))


def _in_segment(caption: str, segment: Segment, words: Words) -> MaterialStatement | None:
    return _in_text(caption, segment.start, segment.end, "sub-caption", words)


def _rest_of_sentence(caption: str, segment: Segment, segments: Sequence[Segment]) -> Iterator[Segment]:
    """The panels that are described behind this one in the same sentence: "(a) Top and (b) side view of ZnO"."""
    for other in segments:
        if other.start > segment.start and not re.search(r"[.;]\s", caption[segment.start : other.start]):
            yield other


def _context_spans(caption: str, segment: Segment) -> Iterator[tuple[int, int]]:
    """Where the words stand that a panel shares with its neighbours."""
    start = caption.find(segment.context) if segment.context else -1
    if start >= 0:
        yield start, start + len(segment.context)


def _outside(caption: str, segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """The parts of a caption that belong to no panel."""
    spans, position = [], 0
    for segment in sorted(segments, key=lambda segment: segment.start):
        if segment.start > position:
            spans.append((position, segment.start))
        position = max(position, segment.end)
    return [*spans, (position, len(caption))]


def _in_text(text: str, start: int, end: int, source: str, words: Words) -> MaterialStatement | None:
    """What a stretch of a text says that is seen; None where it names no material."""
    part = text[start:end]
    mentions = sorted((*find_mentions(part, words.defined), *words.own(part)), key=lambda mention: mention.start)
    mentions = [mention for mention in mentions if mention.name not in _STORED] or mentions
    beside = [mention for mention in mentions if not _APART.search(part[: mention.start])]
    seen = [mention for mention in beside if not _BESIDE.search(part[: mention.start])]
    apart = [] if source == "sub-caption" else [mention for mention in mentions if mention.name not in _STORED]
    chosen = seen or beside or apart
    if not chosen:
        return None
    return _statement(chosen[0], text, start, source, _CONFIDENCE[source] * chosen[0].certainty)


def _statement(mention: Mention, text: str, offset: int, source: str, confidence: float) -> MaterialStatement:
    start, end = offset + mention.start, offset + mention.end
    return MaterialStatement(mention.name, text[start:end], source, start, end, round(confidence, 3))


def _main(words: Words) -> MaterialStatement | None:
    """What the title and the abstract speak of most, the captions counted, too."""
    title, abstract = find_mentions(words.title, words.defined), find_mentions(words.abstract, words.defined)
    counts = Counter(words.counts)
    for mention in title:
        counts[mention.name] += _TITLE_WEIGHT
    for mention in abstract:
        counts[mention.name] += 1
    places = [(mention, words.title, "title") for mention in title]
    places += [(mention, words.abstract, "abstract") for mention in abstract]
    places = [place for place in places if place[0].name not in _STORED] or places
    if not places:
        return _main_by_own_name(words)
    best, text, source = max(places, key=lambda place: (_weight(place[0].name, counts), place[2] == "title"))
    return _statement(best, text, 0, source, _CONFIDENCE[source] * best.certainty)


def _weight(name: str, counts: Mapping[str, int]) -> int:
    """How often a material is named, its parts counted where it is made of several."""
    parts = re.split(r"[/@:]", name)
    return counts[name] + (sum(counts.get(part, 0) for part in parts) if len(parts) > 1 else 0)


def _main_by_own_name(words: Words) -> MaterialStatement | None:
    """Of the article's own names the first that the abstract speaks of."""
    found = (match for match in _OWN.finditer(words.abstract) if plain(match.group()) in words.names)
    match = next(found, None)
    if match is None:
        return None
    mention = Mention(plain(match.group()), match.start(), match.end())
    return _statement(mention, words.abstract, 0, "abstract", _CONFIDENCE["abstract"] * _OWN_NAME)


# ---------------------------------------------------------------- abbreviations

#: Times that an article uses a name which is its own material's; with a hyphen or four capitals it is no sample's.
_OWN_NAME_USES = 5
_OWN = re.compile(r"(?<![\w-])(?:[A-Z]{2,}[a-z]?-[A-Z\d]{1,4}|[A-Z]{4,})(?![\w-])")


def _own_names(text: str) -> frozenset[str]:
    counts = Counter(_OWN.findall(plain(text)))
    return frozenset(
        name for name, count in counts.items() if count >= _OWN_NAME_USES and not _NO_MATERIAL.fullmatch(name)
    )


def _definitions(text: str) -> dict[str, str]:
    """Abbreviations and sample names that a text spells out, with their materials; the first of each holds."""
    found: dict[str, str] = {}
    text = plain(text)
    for match in _BRACKETED.finditer(text):
        name = match["name"]
        if not _IS_NAME.fullmatch(name) or _NO_MATERIAL.fullmatch(name) or name in found or find_mentions(name):
            continue
        before = re.split(r"[.;:]\s|\n", text[max(0, match.start() - 90) : match.start()])[-1]
        mentions = find_mentions(before, found)
        if mentions and _TO_BRACKET.fullmatch(before[mentions[-1].end :]) and _abbreviates(name, before, mentions[-1]):
            found[name] = _with_modifiers(name, before, mentions[-1])
    for match in _SPELT_OUT.finditer(text):
        names = _listed(match["names"])
        forms = _listed(re.split(r"\.\s|\n|,?\s+respectively\b", match["forms"])[0])
        if len(names) == len(forms) and all(map(_IS_NAME.match, names)):
            for name, form in zip(names, forms, strict=True):
                mention = next(iter(find_mentions(form)), None)
                if mention is not None and mention.start <= _NEAR:
                    found.setdefault(name, mention.name)
    found.update({name: name for name in set(found.values()) if " " in name and name.islower()})
    return found


def _listed(words: str) -> list[str]:
    """The parts of a list: "LFP, LTO, and PVDF"."""
    return [part.strip() for part in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", words.strip(" .,")) if part.strip()]


#: Characters before the material in its part of a list.
_NEAR = 4


#: Words that make another material of one: "nitrated", "porous", "amorphous"; "bulk" and shapes do not.
_MODIFIER = re.compile(r"[a-z]+(?:ed|ous|ic)")


def _with_modifiers(name: str, before: str, mention: Mention) -> str:
    """The long form of an abbreviation that counts a word before the material: "nitrated graphene oxide (NGO)"."""
    if any(character.isupper() for character in mention.name) or mention.name[:1] == name[:1].lower():
        return mention.name
    words = before[: mention.start].split()[-2:]
    for place, word in enumerate(words):
        if word[:1].lower() == name[:1].lower() and all(map(_MODIFIER.fullmatch, words[place:])):
            return " ".join((*words[place:], mention.name))
    return mention.name


def _abbreviates(name: str, before: str, mention: Mention) -> bool:
    """Whether a name's letters stand in its long form in their order; a sample's name ("S2") need not."""
    if re.fullmatch(r"[A-Z]{1,4}-?\d{1,3}[a-z]?", name):
        return True
    start = max((m.start() for m in re.finditer(r"(?<!\w)\w", before[: mention.start + 1])), default=0)
    words = before[: mention.start].split()[-2:]
    form = f"{' '.join(words)} {before[start:]}".lower()
    position = 0
    for letter in re.sub(r"[^a-z0-9]", "", name.lower()):
        position = form.find(letter, position) + 1
        if position == 0:
            return False
    return True
