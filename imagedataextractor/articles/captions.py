"""What a figure's caption says, read from its words alone.

A caption is read in three passes. Panel markers ("(a)", "a)", "A,", "(a–c)" …) split it into
sub-captions; the names of techniques tell whether a micrograph is shown; lengths beside the words
"scale bar" or "mean diameter" become numbers in nanometres, which later stages check themselves
against. Every number keeps the span of text it came from.
"""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from imagedataextractor.articles import techniques
from imagedataextractor.records import CaptionFacts, ScaleStatement, SizeStatement

__all__ = ["Segment", "parse_caption", "split_caption"]

Span = tuple[int, int]

#: Characters of a caption that are read; the longest of real articles have some five thousand.
_MAX_CHARS = 10_000


@dataclass(frozen=True)
class Segment:
    """The part of a caption that describes some panels.

    ``start`` and ``end`` are offsets into the caption and ``text`` is what stands there, without the
    punctuation around it. ``context`` is what it shares with its neighbours ("TEM images of" in
    "TEM images of (a) S1 and (b) S2").
    """

    letters: tuple[str, ...]
    start: int
    end: int
    text: str
    context: str = ""


def parse_caption(caption: str, label: str | None = None, *, emphasised: Sequence[Span] = ()) -> CaptionFacts:
    """Everything that the words of a caption tell about its figure.

    Parameters
    ----------
    caption : str
        The full caption, white space collapsed.
    label : str or None
        The figure's label ("Figure 2"); where the caption repeats it, it is passed over.
    emphasised : sequence of (start, end)
        Spans of the caption that the document sets in bold. Some publishers mark panels by bold type
        alone ("**a** SEM image …"), which the words cannot tell from the article "a".

    Returns
    -------
    CaptionFacts
        Lengths in nm; spans as character offsets into `caption`.
    """
    caption = caption[:_MAX_CHARS]
    segments = split_caption(caption, label, emphasised=emphasised)
    subcaptions: dict[str, str] = {}
    for segment in segments:
        for letter in segment.letters:
            # A panel that is described twice ("a–d) SEM … a) Pristine") keeps both descriptions.
            subcaptions[letter] = f"{subcaptions[letter]}. {segment.text}" if letter in subcaptions else segment.text
    return CaptionFacts(
        is_em=techniques.shows_em(caption),
        techniques=techniques.find_techniques(caption),
        subcaptions=subcaptions,
        panel_techniques=_panel_techniques(caption, segments),
        scale_statements=_scale_statements(caption, segments),
        size_statements=_size_statements(caption, segments),
    )


def split_caption(caption: str, label: str | None = None, *, emphasised: Sequence[Span] = ()) -> tuple[Segment, ...]:
    """The parts of a caption that describe single panels, in the order of the text.

    Markers are looked for in every style; the style whose letters run on from "a" without a gap over
    the most panels is the caption's. Whether its markers stand before or behind their text is decided
    clause by clause, from the words and the punctuation around them.

    Parameters
    ----------
    caption, label, emphasised
        As for `parse_caption`.

    Returns
    -------
    tuple of Segment
        Empty where the caption names no panels.
    """
    caption = caption[:_MAX_CHARS]
    text = _Text(caption, _label_end(caption, label))
    markers = _choose_style(text, emphasised)
    return tuple(_segments(text, markers)) if markers else ()


# ---------------------------------------------------------------- sentences and clauses


_ABBREVIATION = re.compile(
    r"(?:\b(?:figs?|refs?|eqs?|al|e\.g|i\.e|vs|ca|approx|resp|nos?|vol|wt|dr|prof|inc|ltd|temp|cf|st|spp?|"
    r"min|max|avg|conc|dia|schem|tab|sect|r\.p\.m|a\.u|arb|magn?|etc)|(?-i:(?<![\w.])[A-Z]))$",
    re.IGNORECASE,
)
#: Characters before or behind a place that patterns look at.
_LOOK_BACK = 60
_STOP = re.compile(r"[.?!]\s+|[.](?=[(A-Z])|;\s*|\s[|/]\s")


class _Text:
    """A caption with the places where its clauses start and the stretches that stand in brackets."""

    def __init__(self, caption: str, start: int) -> None:
        self.caption = caption
        self.start = start
        self.brackets = _matched_brackets(caption)
        self._closed_at = {end for _, end in self.brackets}
        self._inside = bytearray(len(caption) + 1)
        for opened, closed in self.brackets:
            if not self._inside[opened]:  # pairs inside another are covered by it
                self._inside[opened + 1 : closed] = b"\1" * (closed - opened - 1)
        self.boundaries = [start, *self._stops(), len(caption)]
        self._sentences = [b for b in self.boundaries if b == start or caption[:b].rstrip()[-1:] != ";"]
        if self._sentences[-1] != len(caption):
            self._sentences.append(len(caption))

    def before(self, position: int, start: int | None = None) -> str:
        """The words just before a position: as many as any pattern looks back."""
        return self.caption[max(self.start if start is None else start, position - _LOOK_BACK) : position]

    def _stops(self) -> Iterator[int]:
        for match in _STOP.finditer(self.caption, self.start):
            if self.in_brackets(match.start()) or match.end() >= len(self.caption):
                continue
            if match.group().startswith("."):
                before = self.caption[max(0, match.start() - _LOOK_BACK) : match.start()]
                after = self.caption[match.end() : match.end() + _LOOK_BACK]
                # "5.(A)" and "profiles.Ten" end a sentence without a space; "Ti0.9" and "e.g." do not.
                if match.group() == "." and not (before[-1:].isalpha() or before[-1:] in ")]"):
                    continue
                if match.group() == "." and after[:1] != "(" and not re.match(r"[A-Z][a-z]", after):
                    continue
                if _ABBREVIATION.search(before) and not re.match(r"\(?[a-zA-Z]\)", after):
                    continue
                # "a. TEM image": the full stop belongs to a marker, not to a sentence.
                if re.search(r"(?:^|[.;:,]\s)[A-Za-z]$", before):
                    continue
                if re.match(r"[a-z]{2,}", after) and not re.match(r"(?:i{1,3}|iv|v)\)", after):
                    continue
            yield match.end()

    def in_brackets(self, position: int) -> bool:
        return bool(self._inside[position])

    def closes_bracket(self, position: int) -> bool:
        return position in self._closed_at

    def clause_of(self, position: int) -> Span:
        return _between_bounds(self.boundaries, position)

    def sentence_of(self, position: int) -> Span:
        """As `clause_of`, but semicolons do not end it."""
        return _between_bounds(self._sentences, position)


def _between_bounds(bounds: Sequence[int], position: int) -> Span:
    """The neighbouring two of sorted bounds between which a position lies."""
    index = min(max(bisect.bisect_right(bounds, position), 1), len(bounds) - 1)
    return bounds[index - 1], bounds[index]


def _matched_brackets(caption: str) -> list[Span]:
    """Spans of round and square brackets that have both their halves ("a)" has not)."""
    opened: dict[str, list[int]] = {")": [], "]": []}
    pairs = []
    for position, character in enumerate(caption):
        if character in "([":
            opened[")" if character == "(" else "]"].append(position)
        elif character in ")]" and opened[character]:
            pairs.append((opened[character].pop(), position))
    return pairs


def _label_end(caption: str, label: str | None) -> int:
    """Where the caption proper starts, behind a label that the document repeats in it."""
    if label:
        match = re.match(rf"\s*{re.escape(label.strip().rstrip('.:'))}\s*[.:|]?\s+(?=\S)", caption, re.IGNORECASE)
        if match:
            return match.end()
    match = re.match(r"\s*(?:Fig(?:ure|\.)?|Scheme)\s*S?\d+\s*[.:|]?\s+(?=\S)", caption, re.IGNORECASE)
    return match.end() if match else len(caption) - len(caption.lstrip())


# ---------------------------------------------------------------- panel markers

_DASH = r"[-\u2010-\u2015\u2212~\u223c]"
_ITEM = r"[A-Za-z](?:\d{1,2})?(?![\w])['\u2032\u2019]?"
_JOIN = rf"(?:\s{{0,3}}(?:,\s*and\b|,|&|/|\band\b|\bto\b|\bthrough\b|{_DASH})\s*)"
_GROUP = rf"{_ITEM}(?:{_JOIN}{_ITEM}){{0,25}}"
_ROMAN_ITEM = r"(?:ix|iv|v?i{1,3}|v|x)"
_ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_PANEL_WORD = r"(?:(?:panels?|figs?\.|figures?|parts?)\s*(?:S?\d+\s*)?)"

_BRACKET = re.compile(rf"{_PANEL_WORD}?\(\s*(?:panels?\s+)?(?:S?\d+)?(?P<group>{_GROUP})\s*\)", re.IGNORECASE)
_SQUARE = re.compile(rf"\[\s*(?P<group>{_GROUP})\s*\]")
_HALF = re.compile(rf"(?<![\w(\[/.'\u2010-\u2015-])(?P<group>{_GROUP})\)")
_BARE = re.compile(
    rf"(?<![\w(\[/'\u2010-\u2015-]){_PANEL_WORD}?(?P<group>{_GROUP})(?=[.:,|]?\s|[:|])(?!\s*[=<>±×≈])", re.IGNORECASE
)
_ROMAN = re.compile(rf"\(\s*(?P<group>{_ROMAN_ITEM}(?:{_JOIN}{_ROMAN_ITEM})*)\s*\)")
_SIDES = {
    "left": "left",
    "right": "right",
    "top": "top",
    "bottom": "bottom",
    "upper": "top",
    "lower": "bottom",
    "middle": "middle",
    "center": "middle",
    "centre": "middle",
}
_SIDE_NOUN = r"(?:[\s-]+(?:hand\s+)?(?:panels?|images?|row|column|side|part|picture))?"
_SIDE = re.compile(
    rf"\(\s*(?P<group>{'|'.join(_SIDES)}){_SIDE_NOUN}\s*\)"
    rf"|(?<![\w(])(?P<bare>{'|'.join(_SIDES)}){_SIDE_NOUN}\s*[:,](?=\s)",
    re.IGNORECASE,
)
#: What may stand between two markers that open one text: "(a) and (b) TEM images".
_BETWEEN_MARKERS = re.compile(rf"\s*(?:,\s*and|,|&|/|and|to|{_DASH})?\s*")
#: Words that point back at a panel instead of opening one: "the box in (b)".
_POINTING = re.compile(r"(?:\b(?:in|see|from|panels?|figs?\.?|figures?|marked|to|than)|[(])\s*$", re.IGNORECASE)
#: What may stand between the start of a clause and a marker that opens it.
_OPENING = re.compile(
    r"(?:\s|[-–—,.:;(]|\b(?:and|or|whereas|while|then|also|the|panels?|inset|finally|both|here)\b)*", re.IGNORECASE
)
_LEADS_IN = re.compile(
    r"(?:[,:;.]|\b(?:and|or|of|at|for|with|by|from|to|in|on|using|under|after|before|versus|vs\.?|between|via|"
    r"the|a|an|is|are|show(?:s|ing)?|whereas|while|samples?|images?|without|through|as|both|either|containing))\s*$",
    re.IGNORECASE,
)
_LEADS_ON = re.compile(
    r"\s*(?:,|\)|(?:and|or|as|with|without|of|at|for|in|on|from|after|before|by|during|under|using|show(?:s|ing|n)?|"
    r"is|are|was|were|to|obtained|recorded|respectively|while|whereas|which|that|taken)\b)",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"\s*(?:[.;]|$)")


@dataclass(frozen=True)
class _Marker:
    start: int
    end: int
    letters: tuple[str, ...]


def _expand(group: str) -> tuple[str, ...]:
    """Letters of a group: "a–c, e" → a, b, c, e; "a1–a3" → a1, a2, a3. Empty where it spans no range."""
    letters: list[str] = []
    ranged = False
    for token in re.findall(rf"\b(?:to|through|and)\b|{_DASH}|[A-Za-z]\d*", group):
        if token == "and":
            continue
        if token in {"to", "through"} or re.fullmatch(_DASH, token):
            ranged = bool(letters)
        elif ranged:
            between = _between(letters[-1], token)
            if not between:
                return ()
            letters.extend(between)
            ranged = False
        else:
            letters.append(token)
    return tuple(dict.fromkeys(letters))


def _between(first: str, last: str) -> list[str]:
    """What follows `first` up to and with `last`; empty where the two span no range."""
    if len(first) == len(last) == 1 and first.isupper() == last.isupper() and ord(first) < ord(last):
        return [chr(code) for code in range(ord(first) + 1, ord(last) + 1)]
    if first[0] == last[0] and first[1:].isdigit() and last[1:].isdigit() and int(first[1:]) < int(last[1:]):
        return [f"{first[0]}{number}" for number in range(int(first[1:]) + 1, int(last[1:]) + 1)]
    return []


def _expand_roman(group: str) -> tuple[str, ...]:
    tokens = re.findall(rf"{_ROMAN_ITEM}|\bto\b|{_DASH}", group)
    letters: list[str] = []
    for position, token in enumerate(tokens):
        if token not in _ROMANS:
            continue
        if position and tokens[position - 1] not in _ROMANS and letters:
            letters.extend(_ROMANS[_ROMANS.index(letters[-1]) + 1 : _ROMANS.index(token)])
        letters.append(token)
    return tuple(dict.fromkeys(letters))


def _choose_style(text: _Text, emphasised: Sequence[Span]) -> list[_Marker]:
    """The markers of the style that this caption uses; empty where it uses none."""
    best: list[_Marker] = []
    best_score = 0
    for candidates in _styles(text, emphasised):
        markers = _in_sequence(candidates)
        letters = {letter for marker in markers for letter in marker.letters}
        opening = {letter for marker in markers if _opens_clause(text, marker) for letter in marker.letters}
        if len(letters) == 1 and not (opening and markers[0].start <= text.start + 1):
            continue  # a lone "(a)" is a panel only where it opens the caption
        score = len(letters) + len(opening)
        if score > best_score:
            best, best_score = markers, score
    if best:
        return best
    return _romans(text) or _sides(text)


def _styles(text: _Text, emphasised: Sequence[Span]) -> Iterator[list[_Marker]]:
    """Candidate markers style by style, the least doubtful style first."""
    bracketed = _found(_BRACKET, text)
    half = [m for m in _found(_HALF, text) if not _closes_bracket(text, m)]
    bare = _found(_BARE, text)
    bold = [m for m in bare if _within(m, emphasised)]
    mixed = sorted([*bracketed, *half], key=lambda m: m.start)
    for upper in (False, True):
        for style in (bracketed, half, mixed, bold, [m for m in bare if _may_be_bare(text, m)], _found(_SQUARE, text)):
            markers = [m for m in style if m.letters and all(name[0].isupper() == upper for name in m.letters)]
            if (
                style is bracketed
                or style is half
                or style is mixed
                or len({letter for m in markers for letter in m.letters}) > 1
            ):
                yield markers


def _found(pattern: re.Pattern[str], text: _Text) -> list[_Marker]:
    found = [_Marker(m.start(), m.end(), _expand(m["group"])) for m in pattern.finditer(text.caption, text.start)]
    return _merge_adjacent([m for m in found if m.letters], text.caption)


def _merge_adjacent(markers: Sequence[_Marker], caption: str) -> list[_Marker]:
    """Make one of markers that stand side by side: "(a), (b) and (c)", "(a)–(c)"."""
    merged: list[_Marker] = []
    for marker in markers:
        if merged:
            between = caption[merged[-1].end : marker.start]
            if (_BETWEEN_MARKERS.fullmatch(between) and between.strip(" ") != "") or between == "":
                group = ",".join(merged[-1].letters) + (between if between else ",") + ",".join(marker.letters)
                letters = _expand(group)
                if letters:
                    merged[-1] = _Marker(merged[-1].start, marker.end, letters)
                    continue
        merged.append(marker)
    return merged


def _within(marker: _Marker, spans: Sequence[Span]) -> bool:
    return any(start <= marker.start + 1 and marker.start < end for start, end in spans)


def _closes_bracket(text: _Text, marker: _Marker) -> bool:
    """Whether the ")" of "a)" closes a bracket opened before it, as in "(black, b)"."""
    return text.closes_bracket(marker.end - 1)


def _may_be_bare(text: _Text, marker: _Marker) -> bool:
    """Whether a letter without brackets stands where a panel's text may begin."""
    before = text.before(marker.start)
    return not before.strip() or bool(re.search(r"(?:[.;:,]|[.;,]\s*and|\band)\s*$", before))


def _in_sequence(markers: Sequence[_Marker]) -> list[_Marker]:
    """Markers whose letters run on from "a" without a gap; the others are no panels ("TiO2 (B)")."""
    letters = {letter for marker in markers for letter in marker.letters}
    firsts = {letter[0].lower() for letter in letters}
    last = 0
    while chr(ord("a") + last) in firsts:
        last += 1
    valid = {letter for letter in letters if ord(letter[0].lower()) - ord("a") < last}
    return [m for m in markers if all(letter in valid for letter in m.letters)]


def _romans(text: _Text) -> list[_Marker]:
    found = [_Marker(m.start(), m.end(), _expand_roman(m["group"])) for m in _ROMAN.finditer(text.caption, text.start)]
    letters = {letter for marker in found for letter in marker.letters}
    whole = len(letters) > 1 and letters == set(_ROMANS[: len(letters)])
    return found if whole else []


def _sides(text: _Text) -> list[_Marker]:
    found = []
    for match in _SIDE.finditer(text.caption, text.start):
        found.append(_Marker(match.start(), match.end(), (_SIDES[(match["group"] or match["bare"]).lower()],)))
    named = {letter for marker in found for letter in marker.letters}
    return found if {"left", "right"} <= named or {"top", "bottom"} <= named else []


def _opens_clause(text: _Text, marker: _Marker) -> bool:
    start, _ = text.clause_of(marker.start)
    before = text.caption[start : marker.start]
    return (len(before) <= _LOOK_BACK and bool(_OPENING.fullmatch(before))) or before.rstrip().endswith(":")


# ---------------------------------------------------------------- from markers to sub-captions


def _definitions(text: _Text, markers: Sequence[_Marker]) -> list[_Marker]:
    """Of all markers those that bring a description; the rest point back at a panel already described."""
    home: dict[str, _Marker] = {}
    for marker in markers:
        pointing = bool(_POINTING.search(text.before(marker.start)))
        for letter in marker.letters:
            known = home.get(letter)
            if known is None or (
                not pointing
                and _opens_clause(text, marker)
                and not _opens_clause(text, known)
                and _POINTING.search(text.before(known.start))
            ):
                home[letter] = marker
    definitions: list[_Marker] = []
    detailed_in: Span | None = None
    for marker in markers:
        new = tuple(letter for letter in marker.letters if home[letter] is marker)
        if new:
            definitions.append(
                _Marker(marker.start, marker.end, marker.letters if _opens_clause(text, marker) else new)
            )
            detailed_in = None
        elif _details_group(text, marker, home) or (
            detailed_in and detailed_in[0] <= marker.start < detailed_in[1] and not _points(text, marker)
        ):
            definitions.append(marker)
            detailed_in = text.clause_of(marker.start)
    return definitions


def _points(text: _Text, marker: _Marker) -> bool:
    return bool(_POINTING.search(text.before(marker.start)))


def _details_group(text: _Text, marker: _Marker, home: dict[str, _Marker]) -> bool:
    """Whether a marker opens a clause that details part of a group: "a–d) SEM images … a) Pristine"."""
    groups = [home[letter] for letter in marker.letters]
    return _opens_clause(text, marker) and all(len(g.letters) > len(marker.letters) for g in groups)


def _stands_behind(text: _Text, markers: Sequence[_Marker]) -> dict[int, bool]:
    """Clause start → whether its markers stand behind their text ("graphene (A) and copper (B)")."""
    votes: dict[int, int] = {}
    following = [re.match(r"\s*(\w+\s+\w+)", text.caption[marker.end : marker.end + _LOOK_BACK]) for marker in markers]
    repeated = {words for words, count in Counter(m[1] for m in following if m).items() if count > 1}
    for marker, words in zip(markers, following, strict=True):
        start, end = text.clause_of(marker.start)
        before = text.before(marker.start, start)
        after = text.caption[marker.end : min(end, marker.end + _LOOK_BACK)]
        vote = 0
        if marker.start - start <= _LOOK_BACK and _OPENING.fullmatch(before):
            vote -= 3
        elif _LEADS_IN.search(before):
            vote -= 1
        if _CLAUSE_END.match(after):
            vote += 2
        elif _LEADS_ON.match(after):
            vote += 1
        if words and words[1] in repeated:
            vote -= 2  # "(a) with respect to size, (b) with respect to age": texts that run parallel
        if marker.letters[0] in _SIDES.values() and text.caption[marker.start] == "(":
            vote += 2  # "before (left) and after (right) cycling": sides in brackets follow what they place
        votes[start] = votes.get(start, 0) + vote
    overall = sum(votes.values())
    return {start: vote > 0 or (vote == 0 and overall > 0) for start, vote in votes.items()}


def _segments(text: _Text, markers: Sequence[_Marker]) -> Iterator[Segment]:
    definitions = _definitions(text, markers)
    behind = _stands_behind(text, definitions)
    preamble = text.caption[text.start : definitions[0].start].strip() if definitions else ""
    # "TEM images of (a) S1, (b) S2." leads in to its own sentence, "TEM images of the samples." to all.
    reach = len(text.caption)
    if definitions and preamble and not re.search(r"[.:]$", preamble):
        reach = text.sentence_of(definitions[0].start)[1]
    lead_in, previous_end = "", text.start
    for position, marker in enumerate(definitions):
        clause_start, _ = text.clause_of(marker.start)
        between = text.caption[max(clause_start, previous_end) : marker.start]
        if behind[clause_start]:
            start, end = max(clause_start, previous_end), marker.start
            context = _last_naming(text, clause_start, start)
            previous_end = marker.end
        else:
            following = definitions[position + 1] if position + 1 < len(definitions) else None
            start, end = marker.end, _end_of_prefixed(text, marker, following)
            if _opens_clause(text, marker):
                lead_in = ""
            elif not _OPENING.fullmatch(between):
                lead_in = between.strip(" ,;")
            context = lead_in or (preamble if marker.start < reach else "")
            if lead_in and not techniques.find_techniques(lead_in):
                # "Observation of (e) formation and (f) decomposition by TEM": the shared words go on behind.
                context = f"{lead_in} {text.caption[end : text.clause_of(marker.start)[1]]}"
            previous_end = end
        start, end = _trimmed(text.caption, start, end)
        yield Segment(marker.letters, start, end, text.caption[start:end], context.strip())


def _last_naming(text: _Text, clause_start: int, start: int) -> str:
    """What of a clause before (or else behind) a place names a technique, the nearest words that do.

    In "EDS maps of C (d), N (e) and Fe (f)" the maps are those of N and Fe, too.
    """
    end = start
    for marker in reversed(list(_BRACKET.finditer(text.caption, clause_start, start))):
        piece = text.caption[marker.end() : end]
        if techniques.find_techniques(piece):
            return piece
        end = marker.start()
    first = text.caption[clause_start:end]
    return first if techniques.find_techniques(first) else text.caption[clause_start : text.clause_of(start)[1]]


#: Words that lead in to the next marker of a clause ("…, SEM images of" before "(c) PCT-1 and (d) …").
_LEAD_IN = re.compile(
    r"[,;]\s+(?:and\s+)?(?=(?:[A-Z]|[\w-]+ (?:images?|micrographs?|spectr|curves?|patterns?))[^,;]*\s[^,;]*"
    r"\b(?:of|for|with|at|from|in|by|between)\s*$)"
)


def _end_of_prefixed(text: _Text, marker: _Marker, following: _Marker | None) -> int:
    """Where the text of a marker that stands before it ends."""
    _, sentence_end = text.sentence_of(marker.start)
    # A panel described in passing ("(a) top and (b) side view.") has no sentences of its own.
    limit = len(text.caption) if _opens_clause(text, marker) else sentence_end
    general = _GENERAL if _opens_clause(text, marker) else _GENERAL_IN_PASSING
    for boundary in text.boundaries:
        if marker.end < boundary < limit and general.match(text.caption, boundary):
            limit = boundary
    if following is None or following.start >= limit:
        return limit
    clause_start, _ = text.clause_of(following.start)
    if clause_start > marker.start:
        # What leads in to the next marker in its own clause is not ours.
        return min(clause_start, limit)
    lead_in = _LEAD_IN.search(text.caption, marker.end, following.start)
    return lead_in.start() if lead_in else following.start


#: A sentence that speaks of all panels, although it follows the last one's text.
_GENERAL = re.compile(
    r"(?:all\s+)?(?:the\s+)?scale\s*-?bars\b|(?:all\s+)?bars\s*[=:,]|all\s+(?:the\s+)?(?:images|panels|scale)|"
    r"(?:the\s+)?(?:scale\s*-?)?bars?\b[^.;]*\b(?:all|each|both|every)\b|"
    r"(?:the\s+)?insets?\s+(?:in|of)\s|error\s+bars\b|(?:the\s+)?scale\s*-?bars?\s+(?:in|for|of)\s",
    re.IGNORECASE,
)

#: The same behind panels that are described in passing: there even one bar is that of all.
_GENERAL_IN_PASSING = re.compile(rf"{_GENERAL.pattern}|(?:the\s+)?scale\s*-?bar\b|magnifications?\b", re.IGNORECASE)


_LEADING = re.compile(r"[\s,;:.|)\u2013\u2014-]+|and\b\s*")
_TRAILING = re.compile(r"(?:[\s,;:.]|(?:(?<=\s)|^)(?:and|or|while|whereas|with|the))$")


def _trimmed(caption: str, start: int, end: int) -> Span:
    """The span without the punctuation and the conjunctions at its ends."""
    while start < end and (match := _LEADING.match(caption, start, end)):
        start = match.end()
    while start < end and (match := _TRAILING.search(caption[max(start, end - 8) : end])):
        end -= len(match.group())
    return start, max(start, end)


def _panel_techniques(caption: str, segments: Sequence[Segment]) -> dict[str, tuple[str, ...]]:
    """Techniques panel by panel: those its own words name, else those of the words it shares."""
    found: dict[str, tuple[str, ...]] = {}
    for segment in segments:
        named = techniques.find_techniques(segment.text) or techniques.find_techniques(segment.context)
        for letter in segment.letters:
            found[letter] = tuple(dict.fromkeys((*found.get(letter, ()), *named)))
    return found


# ---------------------------------------------------------------- lengths in words

#: Unit as written → nanometres.
_UNITS = {
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "µm": 1e3,
    "μm": 1e3,
    "um": 1e3,
    "micron": 1e3,
    "micrometer": 1e3,
    "micrometre": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "millimetre": 1e6,
    "cm": 1e7,
    "å": 0.1,
    "angstrom": 0.1,
    "pm": 1e-3,
}
_UNIT = rf"(?P<unit>(?:{'|'.join(sorted(_UNITS, key=len, reverse=True))})s?)(?![\w/])(?!\s*[-\u2212\u2013]\s*\d)"
_NUMBER = r"\d+(?:[.,]\d+)?"
_LENGTH = re.compile(rf"(?<![\w.])(?P<number>{_NUMBER})\s*-?{_UNIT}", re.IGNORECASE)
_BAR_WORD = re.compile(
    r"\bscale[\s-]*(?:bars?|markers?|lengths?)\b|\b(?:white|black|yellow|red|all)\s+bars?\b(?=\s*[:=,])|"
    r"(?<![\w-])bars?\s*(?=[:=]|,\s*\d|represents?\s+\d|\d)|\bscale\b\s*(?=[:=])",
    re.IGNORECASE,
)
_LETTER_GROUP = re.compile(
    rf"\(\s*(?P<bracket>{_GROUP})\s*\)|(?<![\w(])(?:in|for|of|panels?|and)\s+(?P<word>{_GROUP})(?=[\s.,;:)]|$)|"
    rf"(?:^|(?<=[,;:]\s))(?P<bare>{_GROUP})(?=\s*[,:=]?\s*\d|\s*(?:is|are)\b)",
    re.IGNORECASE,
)


def _nanometres(number: str, unit: str) -> float:
    name = unit.lower()
    factor = _UNITS.get(name) or _UNITS[name.rstrip("s")]
    return float(number.replace(",", ".")) * factor


def _scale_statements(caption: str, segments: Sequence[Segment]) -> tuple[ScaleStatement, ...]:
    """Scale-bar lengths stated in words, each with the panels it holds for."""
    found: list[ScaleStatement] = []
    taken = 0
    for word in _BAR_WORD.finditer(caption):
        if word.start() < taken or _speaks_of_inset(caption, word.start()):
            continue
        before = re.search(rf"({_NUMBER})\s*-?({'|'.join(_UNITS)})\s+$", caption[: word.start()], re.IGNORECASE)
        start, end = word.start(), _statement_end(caption, word.end())
        statements = list(_read_scale(caption, word.end(), end, word.start()))
        if not statements and before:
            start = before.start()
            length = _nanometres(before[1], before[2])
            statements = [ScaleStatement(length, (), caption[start : word.end()], start, word.end())]
        known = {letter for segment in segments for letter in segment.letters}
        for statement in statements:
            panels = tuple(letter for letter in statement.panels if not known or letter in known)
            if not panels:
                panels = _home_of(statement.start, word.group(), segments, caption)
            found.append(ScaleStatement(statement.length_nm, panels, statement.text, statement.start, statement.end))
        taken = end
    return tuple(found)


def _speaks_of_inset(caption: str, position: int) -> bool:
    """Whether the words before a scale bar's, in the same clause, say that it is an inset's."""
    clause = re.split(r"[.;]\s", caption[:position])[-1]
    outside = re.sub(r"\([^()]*\)", "", clause)
    return bool(re.search(r"\binsets?\b", outside, re.IGNORECASE))


def _statement_end(caption: str, start: int) -> int:
    """End of the sentence or the bracket that a statement beginning at `start` stands in."""
    depth = 0
    for position in range(start, len(caption)):
        character = caption[position]
        if character == "(":
            depth += 1
        elif character == ")":
            # "a) 5 nm" closes nothing; a bracket around the whole statement ends it.
            if depth == 0 and not re.search(r"(?:^|[\s,;:])[A-Za-z]$", caption[start:position]):
                return position
            depth = max(depth - 1, 0)
        elif character == "." and depth == 0 and re.match(r"\.(?:\s|$|\()", caption[position : position + 2]):
            return position
    return len(caption)


@dataclass(frozen=True)
class _Token:
    start: int
    end: int
    length_nm: float | None = None
    letters: tuple[str, ...] = ()


def _read_scale(caption: str, start: int, end: int, word_start: int) -> Iterator[ScaleStatement]:
    """Pair the lengths and the panel letters of one statement, in whichever order they stand."""
    tokens = _scale_tokens(caption, start, end)
    lengths = [t for t in tokens if t.length_nm is not None]
    if not lengths:
        return
    groups = [t for t in tokens if t.letters]
    for length, letters in _paired(tokens, lengths, groups, caption[start:end]):
        span = (min(length.start, word_start), length.end)
        yield ScaleStatement(length.length_nm or 0.0, letters, caption[span[0] : span[1]], *span)


def _scale_tokens(caption: str, start: int, end: int) -> list[_Token]:
    """Lengths and panel letters between two offsets, in order; lengths of insets are left out."""
    tokens: list[_Token] = []
    last_length_start = start
    for match in _LENGTH.finditer(caption, start, end):
        if re.search(r"insets?[^;(\d]*$", caption[last_length_start : match.start()], re.IGNORECASE) or re.match(
            r"\s*(?:\(|in |for )?(?:the )?insets?\b", caption[match.end() : end], re.IGNORECASE
        ):
            last_length_start = match.end()
            continue
        # "5, 10 and 20 nm": the numbers before the last share its unit.
        listed = re.search(rf"((?:{_NUMBER}\s*(?:,|and|,\s*and)\s*)+)$", caption[last_length_start : match.start()])
        if listed:
            at = last_length_start + listed.start(1)
            for number in re.finditer(_NUMBER, caption[at : match.start()]):
                nm = _nanometres(number.group(), match["unit"])
                tokens.append(_Token(at + number.start(), at + number.end(), nm))
        tokens.append(_Token(match.start(), match.end(), _nanometres(match["number"], match["unit"])))
        last_length_start = match.end()
    for match in _LETTER_GROUP.finditer(caption[:end], start):
        group = match["bracket"] or match["word"] or match["bare"]
        letters = _expand(group)
        inside_length = any(t.start <= match.start() < t.end for t in tokens if t.length_nm is not None)
        if letters and not inside_length and len({letter.isupper() for letter in letters}) == 1:
            tokens.append(_Token(match.start(), match.end(), letters=letters))
    return sorted(tokens, key=lambda token: token.start)


def _paired(
    tokens: Sequence[_Token], lengths: Sequence[_Token], groups: Sequence[_Token], words: str
) -> Iterator[tuple[_Token, tuple[str, ...]]]:
    if not groups:
        for length in lengths:
            yield length, ()
        return
    letters = [letter for group in groups for letter in group.letters]
    if "respectively" in words and len(letters) == len(lengths) and len(lengths) > 1:
        yield from ((length, (letter,)) for length, letter in zip(lengths, letters, strict=True))
        return
    length_first = tokens[0].length_nm is not None
    ordered = list(tokens) if length_first else list(reversed(tokens))
    current: _Token | None = None
    collected: list[str] = []
    pairs: list[tuple[_Token, tuple[str, ...]]] = []
    for token in ordered:
        if token.length_nm is not None:
            if current is not None:
                pairs.append((current, tuple(collected)))
            current, collected = token, []
        elif length_first:
            collected.extend(token.letters)
        else:
            collected[:0] = token.letters
    if current is not None:
        pairs.append((current, tuple(collected)))
    yield from sorted(pairs, key=lambda pair: pair[0].start)


def _home_of(position: int, word: str, segments: Sequence[Segment], caption: str) -> tuple[str, ...]:
    """Panels whose sub-caption a statement without letters stands in; () where it speaks of the figure."""
    for index, segment in enumerate(segments):
        if not segment.start <= position < segment.end:
            continue
        last = index == len(segments) - 1
        closing = not caption[segment.end :].strip(" .)")
        others = any(_BAR_WORD.search(s.text) for s in segments if s is not segment)
        if last and closing and not others and not _inside_bracket_of(segment, position, caption):
            return ()  # "Scale bar: 50 nm." after the last of several panels holds for all of them
        return segment.letters
    return ()


def _inside_bracket_of(segment: Segment, position: int, caption: str) -> bool:
    return any(start < position < end for start, end in _matched_brackets(caption) if start >= segment.start)


_SIZE = re.compile(
    rf"(?P<what>(?:mean|average|averaged|median|typical)\s+(?:\w+[\s-]+){{0,2}}?(?:diameters?|sizes?|radius)|"
    rf"(?:particles?|grains?|crystallites?|spheres?|nps?|nanoparticles?|nanocrystals?|core)\s+(?:diameters?|sizes?)|"
    rf"\bdiameters?|\bsizes?)"
    rf"(?P<link>(?:[^.;()]|(?:ca|approx)\.){{0,40}}?|\s*\(?)"
    rf"(?<![\w.])(?P<mean>{_NUMBER})\s*(?:{_UNIT.replace('unit', 'unit1')})?\s*"
    rf"(?:(?:±|\+/-|\+/−)\s*(?P<spread>{_NUMBER})\s*)?(?:{_UNIT.replace('unit', 'unit2')})?",
    re.IGNORECASE,
)
_PLAIN_SIZE = re.compile(
    rf"(?<![\w.])(?P<mean>{_NUMBER})\s*(?:{_UNIT.replace('unit', 'unit1')})?\s*(?:±|\+/-|\+/−)\s*"
    rf"(?P<spread>{_NUMBER})\s*{_UNIT.replace('unit', 'unit2')}",
    re.IGNORECASE,
)
_NOT_A_SIZE = re.compile(
    r"thick|spacing|lattice|pore|wavelength|scale|bar\b|distance|pixel|length|width|step|area|magnif|depth|layer",
    re.IGNORECASE,
)


def _size_statements(caption: str, segments: Sequence[Segment]) -> tuple[SizeStatement, ...]:
    """Particle sizes stated in words: a mean with its spread, or a diameter."""
    found: dict[int, SizeStatement] = {}
    for pattern in (_SIZE, _PLAIN_SIZE):
        for match in pattern.finditer(caption):
            unit = match["unit2"] or match["unit1"]
            start = match.start("mean")
            around = caption[max(0, match.start() - 25) : match.end() + 12]
            link = match.groupdict().get("link") or ""
            if not unit or start in found or _NOT_A_SIZE.search(around if pattern is _PLAIN_SIZE else link):
                continue
            if _is_range(caption, match) or (pattern is _PLAIN_SIZE and not _speaks_of_particles(caption, match)):
                continue
            mean = _nanometres(match["mean"], unit)
            spread = _nanometres(match["spread"], unit) if match["spread"] else None
            if match["spread"] and match["unit1"] and match["unit2"]:
                mean = _nanometres(match["mean"], match["unit1"])
            panels = _home_of(start, "", segments, caption) or _letters_of(start, segments)
            found[start] = SizeStatement(mean, spread, panels, match.group(), match.start(), match.end())
    return _respectively([found[start] for start in sorted(found)], caption, segments)


def _respectively(
    found: Sequence[SizeStatement], caption: str, segments: Sequence[Segment]
) -> tuple[SizeStatement, ...]:
    """Sizes listed for all panels at the end ("10 nm and 16 nm, respectively"), each with its panel."""
    if len(found) < 2 or not re.search(r"\brespectively\b", caption[found[-1].end : found[-1].end + 40]):
        return tuple(found)
    groups = list(dict.fromkeys(segment.letters for segment in segments))
    if len({statement.panels for statement in found}) > 1 or len(groups) != len(found):
        return tuple(replace(statement, panels=()) for statement in found)
    return tuple(replace(statement, panels=letters) for statement, letters in zip(found, groups, strict=True))


def _is_range(caption: str, match: re.Match[str]) -> bool:
    """Whether the number is one end of a range ("10–20 nm"), which states no mean."""
    before, after = caption[: match.start("mean")], caption[match.end("mean") :]
    dash = _DASH
    return bool(
        re.search(rf"\d\s*(?:nm|µm|μm)?\s*(?:{dash}|to)\s*$", before) or re.match(rf"\s*(?:{dash}|to)\s*\d", after)
    )


def _speaks_of_particles(caption: str, match: re.Match[str]) -> bool:
    sentence = caption[: match.end()].rsplit(". ", 1)[-1]
    return bool(
        re.search(r"diameter|size|particle|nps?\b|sphere|crystal|grain|\brods?\b|dots?\b", sentence, re.IGNORECASE)
    )


def _letters_of(position: int, segments: Iterable[Segment]) -> tuple[str, ...]:
    for segment in segments:
        if segment.start <= position < segment.end:
            return segment.letters
    return ()
