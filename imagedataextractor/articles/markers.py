"""Where a caption speaks of single panels: the markers "(a)", "a)", "A,", "(a–c)", "(i)", "(1)", "left" … in it.

Markers are looked for in every style; the style whose letters run on from "a" without a gap over the
most panels is the caption's.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from imagedataextractor.articles import techniques
from imagedataextractor.articles.figure_words import FIGURE_WORD, LABEL_END, SCALE_WORD

__all__ = [
    "BAR_WORD",
    "BRACKET",
    "CLAUSE_END",
    "DASH",
    "GROUP",
    "LEADS_IN",
    "LEADS_ON",
    "LOOK_BACK",
    "OPENING",
    "POINTING",
    "SIDES",
    "SIDE_NOUN",
    "CaptionText",
    "Marker",
    "Span",
    "choose_style",
    "expand",
    "found_markers",
    "label_end",
    "matched_brackets",
    "opens_clause",
]

Span = tuple[int, int]

# ---------------------------------------------------------------- sentences and clauses


_ABBREVIATION = re.compile(
    r"(?:\b(?:figs?|refs?|eqs?|al|e\.g|i\.e|vs|ca|approx|resp|nos?|vol|wt|dr|prof|inc|ltd|temp|cf|st|spp?|"
    r"min|max|avg|conc|dia|schem|tab|sect|r\.p\.m|a\.u|arb|magn?|etc)|(?-i:(?<![\w.])(?<!\d )(?<!, )(?<!and )[A-Z]))$",
    re.IGNORECASE,
)
#: Words that begin sentences of captions, and no surname behind an initial.
_BEGINS = re.compile(r"(?:The|All|Scale|Bars?|Insets?|Error|Each|Arrows?|Reproduced|Reprinted|Adapted|Copyright)\b")
#: Characters before or behind a place that patterns look at.
LOOK_BACK = 60
_STOP = re.compile(r"[.?!]\s+|[.](?=[(A-Z])|;\s*|\s[|/]\s")


class CaptionText:
    """A caption with the places where its clauses start and the stretches that stand in brackets."""

    def __init__(self, caption: str, start: int) -> None:
        self.caption = caption
        self.start = start
        self.brackets = matched_brackets(caption)
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
        return self.caption[max(self.start if start is None else start, position - LOOK_BACK) : position]

    def _stops(self) -> Iterator[int]:
        for match in _STOP.finditer(self.caption, self.start):
            if self.in_brackets(match.start()) or match.end() >= len(self.caption):
                continue
            if match.group().startswith("."):
                before = self.caption[max(0, match.start() - LOOK_BACK) : match.start()]
                after = self.caption[match.end() : match.end() + LOOK_BACK]
                # "5.(A)" and "profiles.Ten" end a sentence without a space; "Ti0.9" and "e.g." do not.
                if match.group() == "." and not (before[-1:].isalpha() or before[-1:] in ")]"):
                    continue
                if match.group() == "." and after[:1] != "(" and not re.match(r"[A-Z][a-z]", after):
                    continue
                named = _BEGINS.match(after) and re.search(r"(?<![\w.])[A-Z]$", before)
                if _ABBREVIATION.search(before) and not named and not re.match(r"\(?[a-zA-Z]\)", after):
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


def matched_brackets(caption: str) -> list[Span]:
    """Spans of round and square brackets that have both their halves ("a)" has not)."""
    opened: dict[str, list[int]] = {")": [], "]": []}
    pairs = []
    for position, character in enumerate(caption):
        if character in "([":
            opened[")" if character == "(" else "]"].append(position)
        elif character in ")]" and opened[character]:
            pairs.append((opened[character].pop(), position))
    return pairs


def label_end(caption: str, label: str | None) -> int:
    """Where the caption proper starts, behind a label that the document repeats in it."""
    if label:
        match = re.match(rf"\s*{re.escape(label.strip().rstrip('.:'))}\s*[.:|]?\s+(?=\S)", caption, re.IGNORECASE)
        if match:
            return match.end()
    match = _LABEL.match(caption)
    return match.end() if match else len(caption) - len(caption.lstrip())


#: A label, or the labels of two languages: "Fig. 1 / 図1".
_ONE_LABEL = rf"(?:{FIGURE_WORD}|Scheme)\s*S?\d+{LABEL_END}"
_LABEL = re.compile(
    rf"\s*{_ONE_LABEL}(?:\s*[/|(]\s*{_ONE_LABEL}\)?)?(?:\s*[.:|]?\s+(?=\S)|[.:]?(?=[(\u3040-\u9fff\uac00-\ud7af]))",
    re.IGNORECASE,
)


# ---------------------------------------------------------------- panel markers

DASH = r"[-\u2010-\u2015\u2212~\u223c]"
_ITEM = r"[A-Za-z](?:\d{1,2})?(?![\w])['\u2032\u2019]?"
_JOIN = rf"(?:\s{{0,3}}(?:,\s*and\b|,|&|/|\band\b|\bto\b|\bthrough\b|{DASH})\s*)"
GROUP = rf"{_ITEM}(?:{_JOIN}{_ITEM}){{0,25}}"
_ROMAN_ITEM = r"(?:ix|iv|v?i{1,3}|v|x)"
_ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_PANEL_WORD = r"(?:(?:panels?|figs?\.|figures?|parts?)\s*(?:S?\d+\s*)?)"

#: What may be noted behind a letter in its bracket: "(b, arrow)", "(c; green)".
_NOTE = r"(?:[,;:]\s*(?:in\s|[A-Za-z]{3})[^()\d]{0,30})?"
BRACKET = re.compile(rf"{_PANEL_WORD}?\(\s*(?:panels?\s+)?(?:S?\d+)?(?P<group>{GROUP})\s*{_NOTE}\)", re.IGNORECASE)
_SQUARE = re.compile(rf"\[\s*(?P<group>{GROUP})\s*\]")
_HALF = re.compile(rf"(?<![\w(\[/.'\u2010-\u2015-])(?P<group>{GROUP})\)")
_BARE = re.compile(
    rf"(?<![\w(\[/'\u2010-\u2015-]){_PANEL_WORD}?(?P<group>{GROUP})"
    rf"(?:(?=[.:,|]?\s|[:|])(?!\s*[=<>±×≈])|{DASH}(?=[\u3040-\u9fff\uac00-\ud7af]))",  # "a-样品"
    re.IGNORECASE,
)
_ROMAN_GROUP = rf"{_ROMAN_ITEM}(?:{_JOIN}{_ROMAN_ITEM})*"
_ROMAN = re.compile(rf"\(\s*(?P<group>{_ROMAN_GROUP})\s*\)|(?<![\w(\[/.'-])(?P<half>{_ROMAN_GROUP})\)")
_CAPITAL_ROMAN = re.compile(rf"\(\s*(?P<group>{_ROMAN_ITEM.upper()}(?:{_JOIN}{_ROMAN_ITEM.upper()})*)\s*\)")
_NUMBERS = re.compile(rf"\(\s*(?P<group>\d{{1,2}}(?:{_JOIN}\d{{1,2}})*)\s*\)")
#: Words whose number in brackets is that of something else: "eq. (1)", "reactions (1) and (2)", "fit (2)".
_NUMBERED_THINGS = re.compile(
    r"\b(?:eqs?\.?|equations?|formulae?|refs?\.?|references?|reactions?|arrows?|steps?|stages?|regions?|areas?|spots?|points?|sites?|"
    r"positions?|phases?|peaks?|types?|curves?|lines?|spectr(?:um|a)|patterns?|compounds?|complex(?:es)?|fits?|schemes?|process(?:es)?|"
    r"routes?|methods?|models?|cycles?|steps?|modes?|zones?|layers?|tables?|and|or|to|n)\s*$",
    re.IGNORECASE,
)
SIDES = {
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
SIDE_NOUN = r"(?:[\s-]+(?:hand\s+)?(?:panels?|images?|row|column|side|part|picture))?"
_SIDE = re.compile(
    rf"\(\s*(?P<group>{'|'.join(SIDES)}){SIDE_NOUN}\s*\)"
    rf"|(?<![\w(])(?P<bare>{'|'.join(SIDES)}){SIDE_NOUN}\s*[:,](?=\s)",
    re.IGNORECASE,
)
#: What may stand between two markers that open one text: "(a) and (b) TEM images".
_BETWEEN_MARKERS = re.compile(rf"\s*(?:,\s*and|,|&|/|and|to|{DASH})?\s*")
#: Words that point back at a panel instead of opening one: "the box in (b)".
POINTING = re.compile(r"(?:\b(?:in|see|from|panels?|figs?\.?|figures?|marked|to|than)|[(])\s*$", re.IGNORECASE)
#: What may stand between the start of a clause and a marker that opens it.
OPENING = re.compile(
    r"(?:\s|[-–—,.:;(]|\b(?:and|or|whereas|while|then|also|the|panels?|inset|finally|both|here)\b)*", re.IGNORECASE
)
LEADS_IN = re.compile(
    r"(?:[,:;.]|\b(?:and|or|of|at|for|with|by|from|to|in|on|using|under|after|before|versus|vs\.?|between|via|"
    r"the|a|an|is|are|show(?:s|ing)?|whereas|while|samples?|images?|without|through|as|both|either|containing))\s*$",
    re.IGNORECASE,
)
LEADS_ON = re.compile(
    r"\s*(?:,|\)|(?:and|or|as|with|without|of|at|for|in|on|from|after|before|by|during|under|using|show(?:s|ing|n)?|"
    r"is|are|was|were|to|obtained|recorded|respectively|while|whereas|which|that|taken)\b)",
    re.IGNORECASE,
)
CLAUSE_END = re.compile(r"\s*(?:[.;]|$)")
#: Words that a scale bar is spoken of with.
BAR_WORD = re.compile(
    rf"(?<![A-Za-z\u00c0-\u052f]){SCALE_WORD}(?![a-zа-я])|"
    r"\bscale[\s-]*(?:bars?|markers?|lengths?)\b|\b(?:white|black|yellow|red|all)\s+bars?\b(?=\s*[:=,])|"
    r"(?<![\w-])bars?\s*(?=[:=]|,\s*\d|(?:represents?|corresponds?\s+to|equals?|indicates?|denotes?|is|are)\s+\d|\d)|"
    r"\bscale\b\s*(?=[:=])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Marker:
    start: int
    end: int
    letters: tuple[str, ...]


def expand(group: str) -> tuple[str, ...]:
    """Letters of a group: "a–c, e" → a, b, c, e; "a1–a3" → a1, a2, a3. Empty where it spans no range."""
    letters: list[str] = []
    ranged = False
    for token in re.findall(rf"\b(?:to|through|and)\b|{DASH}|[A-Za-z]\d*", group):
        if token == "and":
            continue
        if token in {"to", "through"} or re.fullmatch(DASH, token):
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
    tokens = re.findall(rf"{_ROMAN_ITEM}|\bto\b|{DASH}", group)
    letters: list[str] = []
    for position, token in enumerate(tokens):
        if token not in _ROMANS:
            continue
        if position and tokens[position - 1] not in _ROMANS and letters:
            letters.extend(_ROMANS[_ROMANS.index(letters[-1]) + 1 : _ROMANS.index(token)])
        letters.append(token)
    return tuple(dict.fromkeys(letters))


def choose_style(text: CaptionText, emphasised: Sequence[Span]) -> list[Marker]:
    """The markers of the style that this caption uses; empty where it uses none."""
    best: list[Marker] = []
    best_score = 0
    for candidates in _styles(text, emphasised):
        markers = _in_sequence(candidates)
        letters = {letter for marker in markers for letter in marker.letters}
        opening = {letter for marker in markers if opens_clause(text, marker) for letter in marker.letters}
        if len(letters) == 1 and not (opening and markers[0].start <= text.start + 1):
            continue  # a lone "(a)" is a panel only where it opens the caption
        score = len(letters) + len(opening)
        if score > best_score:
            best, best_score = markers, score
    if best:
        return best
    return _romans(text) or _numbers(text) or _sides(text)


def _styles(text: CaptionText, emphasised: Sequence[Span]) -> Iterator[list[Marker]]:
    """Candidate markers style by style, the least doubtful style first."""
    bracketed = found_markers(BRACKET, text)
    half = [m for m in found_markers(_HALF, text) if not _closes_bracket(text, m)]
    bare = found_markers(_BARE, text)
    bold = [m for m in bare if _is_bold(text, m, emphasised)]
    mixed = sorted([*bracketed, *half], key=lambda m: m.start)
    for upper in (False, True):
        for style in (
            bracketed,
            half,
            mixed,
            bold,
            [m for m in bare if _may_be_bare(text, m)],
            found_markers(_SQUARE, text),
        ):
            markers = [m for m in style if m.letters and all(name[0].isupper() == upper for name in m.letters)]
            if (
                style is bracketed
                or style is half
                or style is mixed
                or len({letter for m in markers for letter in m.letters}) > 1
            ):
                yield markers


def found_markers(pattern: re.Pattern[str], text: CaptionText) -> list[Marker]:
    found: list[Marker] = []
    seen: set[str] = set()
    for match in pattern.finditer(text.caption, text.start):
        marker = _whole(match)
        if marker.letters and POINTING.search(text.before(marker.start)):
            marker = _without_back_reference(match, marker, seen)
        seen.update(marker.letters)
        if marker.letters:
            found.append(marker)
    return _merge_adjacent(found, text.caption)


def _without_back_reference(match: re.Match[str], marker: Marker, seen: set[str]) -> Marker:
    """What is new of "the line in a, and d": the panel that is described next, not the one pointed back at."""
    joint = re.search(r",\s*and\s+", match["group"])
    if joint is None or match.group()[0] in "([":
        return marker
    back, new = expand(match["group"][: joint.start()]), expand(match["group"][joint.end() :])
    if seen.issuperset(back) and new and seen.isdisjoint(new):
        return Marker(match.start("group") + joint.end(), match.end(), new)
    return marker


_LOOSE_JOIN = re.compile(r"\s{0,3}(?:,\s*and\b|,|&|\band\b)\s*")


def _whole(match: re.Match[str]) -> Marker:
    """A marker; names before it that only look like a part of it ("S1, and D)", "at 15 V and D)") are left out."""
    group, start = match["group"], match.start("group")
    letters = expand(group)
    parts = list(_LOOSE_JOIN.finditer(group))
    while parts and match.group()[0] not in "([" and not (letters and _rises(letters)):
        cut = parts.pop(0).end()
        letters = expand(group[cut:])
        start = match.start("group") + cut
    return Marker(match.start() if start == match.start("group") else start, match.end(), letters)


def _rises(letters: Sequence[str]) -> bool:
    """Whether names follow each other as those of panels do: all with a number or none, and in their order."""
    alike = len({(len(letter) > 1, letter[0].isupper()) for letter in letters}) == 1
    order = [(letter[0], int(letter[1:] or 0)) for letter in letters]
    return alike and order == sorted(order)


def _merge_adjacent(
    markers: Sequence[Marker], caption: str, expand: Callable[[str], tuple[str, ...]] = expand
) -> list[Marker]:
    """Make one of markers that stand side by side: "(a), (b) and (c)", "(a)–(c)"."""
    merged: list[Marker] = []
    seen: set[str] = set()
    for marker in markers:
        known = seen.issuperset(merged[-1].letters) if merged else False
        if merged:
            seen.update(merged[-1].letters)
        back = known and bool(POINTING.search(caption[max(0, merged[-1].start - LOOK_BACK) : merged[-1].start]))
        # "the square in (a), and (c) its spectrum": what points back is none of what follows.
        if merged and not (back and seen.isdisjoint(marker.letters)):
            between = caption[merged[-1].end : marker.start]
            joined = (_BETWEEN_MARKERS.fullmatch(between) and between.strip(" ") != "") or between == ""
            if joined and not _begins_anew(caption, marker, merged[-1]):
                group = ",".join(merged[-1].letters) + (between if between else ",") + ",".join(marker.letters)
                letters = expand(group)
                if letters:
                    merged[-1] = Marker(merged[-1].start, marker.end, letters)
                    continue
        merged.append(marker)
    return merged


def _begins_anew(caption: str, marker: Marker, other: Marker) -> bool:
    """Whether a marker just behind another opens a text of its own: "cubes (c) and (d) a detail of (c)"."""
    names = "|".join(map(re.escape, other.letters))
    after = caption[marker.end : marker.end + LOOK_BACK]
    before = caption[max(0, other.start - LOOK_BACK) : other.start]
    if re.match(rf"[^.;]*?\b(?:of|in|from|to|than)\s+(?:panel\s+)?\(?(?:{names})\)", after):
        return True
    described = re.search(r"[\w)]\s+$", before) and not LEADS_IN.search(before) and not POINTING.search(before)
    return bool(described and re.match(r"\s+(?:the|an?|its|their|corresponding)\b", after))


def _within(marker: Marker, spans: Sequence[Span]) -> bool:
    return any(start <= marker.start + 1 and marker.start < end for start, end in spans)


def _closes_bracket(text: CaptionText, marker: Marker) -> bool:
    """Whether the ")" of "a)" closes a bracket opened before it, as in "(black, b)"."""
    return text.closes_bracket(marker.end - 1)


def _may_be_bare(text: CaptionText, marker: Marker) -> bool:
    """Whether a letter without brackets stands where a panel's text may begin."""
    before = text.before(marker.start)
    return not before.strip() or bool(re.search(r"(?:[.;:,]|[.;,]\s*and|\band)\s*$", before))


def _is_bold(text: CaptionText, marker: Marker, spans: Sequence[Span]) -> bool:
    """Whether a letter set in bold opens a text; "progressed from **a** to **h**" does not."""
    return _within(marker, spans) and not re.search(r"\b(?:from|to)\s*$", text.before(marker.start))


def _in_sequence(markers: Sequence[Marker]) -> list[Marker]:
    """Markers whose letters run on from "a" without a gap; the others are no panels ("TiO2 (B)")."""
    letters = {letter for marker in markers for letter in marker.letters}
    firsts = {letter[0].lower() for letter in letters}
    last = 0
    while chr(ord("a") + last) in firsts:
        last += 1
    valid = {letter for letter in letters if ord(letter[0].lower()) - ord("a") < last}
    return [m for m in markers if all(letter in valid for letter in m.letters)]


def _romans(text: CaptionText) -> list[Marker]:
    small = [
        Marker(m.start(), m.end(), _expand_roman(m["group"] or m["half"]))
        for m in _ROMAN.finditer(text.caption, text.start)
        if m["group"] or not text.closes_bracket(m.end() - 1)
    ]
    return _whole_romans(text, small) or _capital_romans(text)


def _capital_romans(text: CaptionText) -> list[Marker]:
    """Numerals as in "(I) … (II) …" where a text may begin; those of a valence or of a compound are none."""
    found = [
        Marker(m.start(), m.end(), _expand_roman(m["group"].lower()))
        for m in _CAPITAL_ROMAN.finditer(text.caption, text.start)
    ]
    return [
        Marker(m.start, m.end, tuple(letter.upper() for letter in m.letters))
        for m in _whole_romans(text, found)
        if all(opens_clause(text, m) or LEADS_IN.search(text.before(m.start)) for m in found)
        and opens_clause(text, found[0])
    ]


def _whole_romans(text: CaptionText, found: Sequence[Marker]) -> list[Marker]:
    """The markers, side by side ones merged, if their numerals run on from the first."""
    merged = _merge_adjacent(found, text.caption, _expand_roman)
    letters = {letter for marker in merged for letter in marker.letters}
    return merged if len(letters) > 1 and letters == set(_ROMANS[: len(letters)]) else []


def _numbers(text: CaptionText) -> list[Marker]:
    """Numbers in brackets, where they run on from one and count nothing that the words before them name."""
    found = _merge_adjacent(
        [Marker(m.start(), m.end(), _expand_numbers(m["group"])) for m in _NUMBERS.finditer(text.caption, text.start)],
        text.caption,
        _expand_numbers,
    )
    names = {name for marker in found for name in marker.letters}
    whole = len(found) > 1 and names == {str(number) for number in range(1, len(names) + 1)}
    opens = [
        opens_clause(text, m)
        or LEADS_IN.search(text.before(m.start))
        or (_FOLLOWED_UP.match(text.caption, m.end) and techniques.shows_em(text.caption))
        for m in found
    ]
    things = any(_NUMBERED_THINGS.search(text.before(m.start)) and not opens_clause(text, m) for m in found[:1])
    return found if whole and all(opens) and not things else []


#: What comes behind a number that stands behind its text: "rods (1), cubes (2) and plates (3)".
_FOLLOWED_UP = re.compile(r"\s*(?:[,.;]|and\b|$)")


def _expand_numbers(group: str) -> tuple[str, ...]:
    """Numbers of a group: "1–3, 5" → 1, 2, 3, 5. Empty where it spans no range."""
    numbers: list[int] = []
    ranged = False
    for token in re.findall(rf"\b(?:to|through)\b|{DASH}|\d+", group):
        if not token.isdigit():
            ranged = bool(numbers)
        elif ranged and not numbers[-1] < int(token) <= numbers[-1] + 30:
            return ()
        else:
            numbers.extend(range(numbers[-1] + 1, int(token) + 1) if ranged else [int(token)])
            ranged = False
    return tuple(dict.fromkeys(map(str, numbers)))


def _sides(text: CaptionText) -> list[Marker]:
    found = []
    for match in _SIDE.finditer(text.caption, text.start):
        if BAR_WORD.search(text.caption, text.sentence_of(match.start())[0], match.start()):
            continue  # "scale bars: 50 nm (left)" describes no panel
        found.append(Marker(match.start(), match.end(), (SIDES[(match["group"] or match["bare"]).lower()],)))
    named = {letter for marker in found for letter in marker.letters}
    return found if {"left", "right"} <= named or {"top", "bottom"} <= named else []


def opens_clause(text: CaptionText, marker: Marker) -> bool:
    start, _ = text.clause_of(marker.start)
    before = text.caption[start : marker.start]
    return (len(before) <= LOOK_BACK and bool(OPENING.fullmatch(before))) or before.rstrip().endswith(":")
