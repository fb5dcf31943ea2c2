"""Give each panel of a figure the part of the caption that describes it.

Whether markers stand before or behind their text is decided clause by clause, from the words and the
punctuation around them.
"""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagedataextractor.articles import techniques
from imagedataextractor.articles.markers import (
    BAR_WORD,
    BRACKET,
    CLAUSE_END,
    LEADS_IN,
    LEADS_ON,
    LOOK_BACK,
    OPENING,
    POINTING,
    SIDES,
    CaptionText,
    Marker,
    Span,
    choose_style,
    found_markers,
    label_end,
    opens_clause,
)

__all__ = ["MAX_CHARS", "Segment", "split_caption"]

#: Characters of a caption that are read; the longest of real articles have some five thousand.
MAX_CHARS = 10_000
#: Letters, or texts, from which something is shared by several.
_SEVERAL = 2


@dataclass(frozen=True)
class Segment:
    """The part of a caption that describes some panels.

    ``start`` and ``end`` are offsets into the caption and ``text`` is what stands there, without the
    punctuation around it. ``context`` is what it shares with its neighbours ("TEM images of" in
    "TEM images of (a) S1 and (b) S2"). ``marker`` is the span of the letters themselves, which may stand
    within the text ("TEM image (a) of a rod").
    """

    letters: tuple[str, ...]
    start: int
    end: int
    text: str
    context: str = ""
    marker: Span = (0, 0)

    @property
    def words(self) -> str:
        """The text without the marker in it."""
        at, behind = self.marker[0] - self.start, self.marker[1] - self.start
        if not 0 <= at < behind <= len(self.text):
            return self.text
        return self.text[:at].rstrip(" ;") + self.text[behind:]


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
    caption = caption[:MAX_CHARS]
    text = CaptionText(caption, label_end(caption, label))
    markers = choose_style(text, emphasised)
    return tuple(_segments(text, markers)) if markers else ()


def _definitions(text: CaptionText, markers: Sequence[Marker]) -> list[Marker]:
    """Of all markers those that bring a description; the rest point back at a panel already described."""
    home: dict[str, Marker] = {}
    for marker in markers:
        pointing = bool(POINTING.search(text.before(marker.start)))
        for letter in marker.letters:
            known = home.get(letter)
            if known is None or (
                not pointing
                and opens_clause(text, marker)
                and not opens_clause(text, known)
                and POINTING.search(text.before(known.start))
            ):
                home[letter] = marker
    definitions: list[Marker] = []
    detailed_in: Span | None = None
    for marker in markers:
        new = tuple(letter for letter in marker.letters if home[letter] is marker)
        if new:
            definitions.append(Marker(marker.start, marker.end, marker.letters if opens_clause(text, marker) else new))
            detailed_in = None
        elif _details_group(text, marker, home) or (
            detailed_in and detailed_in[0] <= marker.start < detailed_in[1] and not _points(text, marker)
        ):
            definitions.append(marker)
            detailed_in = text.clause_of(marker.start)
    return definitions


def _points(text: CaptionText, marker: Marker) -> bool:
    return bool(POINTING.search(text.before(marker.start)))


def _details_group(text: CaptionText, marker: Marker, home: dict[str, Marker]) -> bool:
    """Whether a marker opens a clause that details part of a group: "a–d) SEM images … a) Pristine"."""
    groups = [home[letter] for letter in marker.letters]
    return opens_clause(text, marker) and all(len(g.letters) > len(marker.letters) for g in groups)


def _stands_behind(text: CaptionText, markers: Sequence[Marker]) -> dict[int, bool]:
    """Clause start → whether its markers stand behind their text ("graphene (A) and copper (B)")."""
    votes: dict[int, int] = {}
    following = [re.match(r"\s*(\w+\s+\w+)", text.caption[marker.end : marker.end + LOOK_BACK]) for marker in markers]
    repeated = {words for words, count in Counter(m[1] for m in following if m).items() if count > 1}
    for marker, words in zip(markers, following, strict=True):
        start, end = text.clause_of(marker.start)
        before = text.before(marker.start, start)
        after = text.caption[marker.end : min(end, marker.end + LOOK_BACK)]
        vote = 0
        if marker.start - start <= LOOK_BACK and OPENING.fullmatch(before):
            vote -= 3
        elif LEADS_IN.search(before):
            vote -= 1
        if _TAIL.match(after) and not _CALLS_FOR_MORE.search(before) and before.strip():
            vote += 1
        if CLAUSE_END.match(after):
            vote += 2
        elif LEADS_ON.match(after):
            vote += 1
        if words and words[1] in repeated:
            vote -= 2  # "(a) with respect to size, (b) with respect to age": texts that run parallel
        if marker.letters[0] in SIDES.values() and text.caption[marker.start] == "(":
            vote += 2  # "before (left) and after (right) cycling": sides in brackets follow what they place
        votes[start] = votes.get(start, 0) + vote
    overall = sum(votes.values())
    return {start: vote > 0 or (vote == 0 and overall > 0) for start, vote in votes.items()}


def _segments(text: CaptionText, markers: Sequence[Marker]) -> Iterator[Segment]:
    definitions = _definitions(text, markers)
    behind = _stands_behind(text, definitions)
    mates = _clause_mates(text, definitions)
    brackets = found_markers(BRACKET, text)
    preamble = text.caption[text.start : definitions[0].start].strip() if definitions else ""
    # "TEM images of (a) S1, (b) S2." leads in to its own sentence, "TEM images of the samples." to all.
    reach = len(text.caption)
    if definitions and preamble and not re.search(r"[.:]$", preamble):
        reach = text.sentence_of(definitions[0].start)[1]
    lead_in, previous_end = "", text.start
    for position, marker in enumerate(definitions):
        clause_start, clause_end = text.clause_of(marker.start)
        between = text.caption[max(clause_start, previous_end) : marker.start]
        if position and behind[text.clause_of(definitions[position - 1].start)[0]]:
            begun = _begun_before(text, marker, previous_end, clause_start)
            if begun is not None:
                yield _segment(text, marker, begun, clause_end, "")
                previous_end = clause_end
                continue
        # "cubes (c) and (d) a detail of (c)": nothing before it is left to be its text.
        bare = previous_end > clause_start and not re.search(r"\w", _AND.sub("", between))
        if behind[clause_start] and not (bare and re.match(r"\s+\w", text.caption[marker.end :])):
            start = _behind_colon(text, max(clause_start, previous_end), marker.start)
            end, previous_end = _extent_behind(text, marker, mates[position], clause_end)
            yield _segment(text, marker, start, end, _last_naming(text, clause_start, start))
            continue
        following = definitions[position + 1] if position + 1 < len(definitions) else None
        start, end = marker.end, _end_of_prefixed(text, marker, following)
        if following is None and opens_clause(text, marker):
            end = _before_closing_bar(text, definitions, start, end)
        if opens_clause(text, marker):
            lead_in = ""
        elif not OPENING.fullmatch(between):
            lead_in = between.strip(" ,;")
        context = lead_in or (preamble if marker.start < reach else "")
        if lead_in and not techniques.find_techniques(lead_in):
            # "Observation of (e) formation and (f) decomposition by TEM": the shared words go on behind.
            context = f"{lead_in} {text.caption[end : text.clause_of(marker.start)[1]]}"
        previous_end = end
        inner = _inner(text, marker, brackets, start, end)
        yield from (
            _detailed(text, marker, inner, (start, end), context)
            if inner
            else [_segment(text, marker, start, end, context)]
        )


def _begun_before(text: CaptionText, marker: Marker, previous_end: int, clause_start: int) -> int | None:
    """Where the text of a marker begins that a semicolon parts from it: "rods (a) and the yield; (b) of cubes"."""
    left = text.caption[previous_end:clause_start]
    if not (opens_clause(text, marker) and left.rstrip().endswith(";") and re.search(r"\w{3}", _AND.sub("", left))):
        return None
    return previous_end if re.match(r"\s*(?:of|for|from)\b", text.caption[marker.end :]) else None


_AND = re.compile(r"\band\b")


def _behind_colon(text: CaptionText, start: int, end: int) -> int:
    """Where a text that ends at `end` begins, what is said for all before a colon left out ("Samples: rods (a), …")."""
    colons = [match.end() for match in re.finditer(r":\s", text.caption[start:end])]
    places = [start + place for place in colons if not text.in_brackets(start + place)]
    return places[-1] if places and text.caption[places[-1] : end].strip() else start


def _segment(text: CaptionText, marker: Marker, start: int, end: int, context: str) -> Segment:
    start, end = _trimmed(text.caption, start, end)
    span = (marker.start, marker.end)
    return Segment(marker.letters, start, end, text.caption[start:end], context.strip(), span)


#: What goes on behind a marker that stands amid its text: "Scheme (a) of the reactor", "image (c), showing".
_TAIL = re.compile(
    r"\s*(?:(?:of|for|in|at|from|among|between|on|with|under|after|before|by|along)\b|,?\s*(?:which|where|that|(?!during)\w+ing)\b)"
)
#: What an adjective before the last marker belongs to: "low (a) and high (b) magnification".
_NOUN = re.compile(
    rf"(?!{LEADS_ON.pattern})\s+(?!\w+(?:ed|ing)\b\s+\w)[a-z]{{3}}[\w-]*(?:\s+(?!{LEADS_ON.pattern})[\w-]+){{0,2}}?"
    rf"(?=\s*(?:[.,;]|$)|\s+(?:of|at|in|on|from|with|for|after|before|by|under)\b)",
    re.IGNORECASE,
)
#: Words that are not whole without what follows the next marker.
_CALLS_FOR_MORE = re.compile(
    r"(?:[,:;]|\b(?:of|for|in|with|at|by|from|to|on|and|are|is|via|using|under|shows?))\s*$", re.I
)
#: Where one of several texts may end, the surest kind first.
_JOINTS = (re.compile(r"[,;]\s+and\s"), re.compile(r";\s"), re.compile(r"\s+and\s"), re.compile(r",\s"))


@dataclass(frozen=True)
class _Mates:
    """The next marker of the same clause, and whether one before it stands amid its text."""

    following: Marker | None = None
    amid: bool = False


def _clause_mates(text: CaptionText, definitions: Sequence[Marker]) -> list[_Mates]:
    mates: list[_Mates] = []
    amid = False
    for position, marker in enumerate(definitions):
        start, end = text.clause_of(marker.start)
        if position and definitions[position - 1].start < start:
            amid = False
        following = definitions[position + 1] if position + 1 < len(definitions) else None
        if following is not None and following.start >= end:
            following = None
        mates.append(_Mates(following, amid))
        amid = amid or (following is not None and _tail_end(text, marker, following.start) is not None)
    return mates


def _extent_behind(text: CaptionText, marker: Marker, mates: _Mates, clause_end: int) -> Span:
    """Where the text of a marker that stands behind it ends, and where the next one's begins."""
    if mates.following is not None:
        cut = _tail_end(text, marker, mates.following.start)
        return (marker.start, marker.end) if cut is None else (cut, cut)
    if mates.amid and _TAIL.match(text.caption, marker.end, clause_end):
        return clause_end, clause_end
    noun = _NOUN.match(text.caption, marker.end, clause_end)
    return (noun.end(), noun.end()) if noun else (marker.start, marker.end)


def _tail_end(text: CaptionText, marker: Marker, limit: int) -> int | None:
    """Where the words end that go on behind a marker, before another text begins; None where none do."""
    if not _TAIL.match(text.caption, marker.end, limit):
        return None
    for joint in _JOINTS:
        places = [m.start() for m in joint.finditer(text.caption, marker.end, limit)]
        places = [place for place in places if not text.in_brackets(place) and place > marker.end]
        if places:
            return places[-1]
    return None


def _inner(text: CaptionText, group: Marker, brackets: Sequence[Marker], start: int, end: int) -> list[Marker]:
    """Markers in a group's text that name each of its letters again; empty where they do not.

    "a–c TEM images of rods (a), cubes (b) and plates (c)"; "(b–d) EDS maps of (b) Ti, (c) O and (d) both".
    """
    if len(group.letters) < _SEVERAL:
        return []
    first = bisect.bisect_left(brackets, start, key=lambda m: m.start)
    last = bisect.bisect_left(brackets, end, lo=first, key=lambda m: m.start)
    inner = [m for m in brackets[first:last] if m.end <= end and not _points(text, m)]
    named = sorted(letter for marker in inner for letter in marker.letters)
    return inner if len(inner) > 1 and named == sorted(group.letters) else []


def _detailed(text: CaptionText, group: Marker, inner: Sequence[Marker], span: Span, context: str) -> Iterator[Segment]:
    start, end = span
    followers = [*inner[1:], None]
    shared = text.caption[start : inner[0].start]
    if shared.strip() and not _CALLS_FOR_MORE.search(shared):
        for marker, following in zip(inner, followers, strict=True):
            cut, after = _extent_behind(text, marker, _Mates(following, amid=True), end)
            named = _last_naming(text, span[0], start)
            yield _segment(text, marker, start, cut, named if techniques.find_techniques(named) else context)
            start = after
        return
    if shared.strip():
        yield _segment(text, group, start, inner[0].start, context)
    for marker, following in zip(inner, followers, strict=True):
        yield _segment(text, marker, marker.end, end if following is None else following.start, shared)


def _before_closing_bar(text: CaptionText, definitions: Sequence[Marker], start: int, end: int) -> int:
    """End of the last of several texts, without the scale bar that closes the caption for all of them."""
    if len(definitions) < _SEVERAL or BAR_WORD.search(text.caption, definitions[0].end, definitions[-1].start):
        return end
    closing = re.compile(r"(?:the\s+)?(?:scale\s*-?)?bars?\b", re.IGNORECASE)
    return next((b for b in text.boundaries if start < b < end and closing.match(text.caption, b)), end)


def _last_naming(text: CaptionText, clause_start: int, start: int) -> str:
    """What of a clause before (or else behind) a place names a technique, the nearest words that do.

    In "EDS maps of C (d), N (e) and Fe (f)" the maps are those of N and Fe, too.
    """
    end = start
    for marker in reversed(list(BRACKET.finditer(text.caption, clause_start, start))):
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


def _end_of_prefixed(text: CaptionText, marker: Marker, following: Marker | None) -> int:
    """Where the text of a marker that stands before it ends."""
    _, sentence_end = text.sentence_of(marker.start)
    # A panel described in passing ("(a) top and (b) side view.") has no sentences of its own.
    limit = len(text.caption) if opens_clause(text, marker) else sentence_end
    general = _GENERAL if opens_clause(text, marker) else _GENERAL_IN_PASSING
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
    r"(?:the\s+)?insets?\s+(?:in|of)\s|error\s+bars\b|(?:the\s+)?scale\s*-?(?:bars?|lengths?)\s+(?:in|for|of)\s|"
    r"[(\[]?(?:for\s+interpretation\s+of|colou?r\s+(?:figure|version))",
    re.IGNORECASE,
)

#: The same behind panels that are described in passing: there even one bar is that of all.
_GENERAL_IN_PASSING = re.compile(rf"{_GENERAL.pattern}|(?:the\s+)?scale\s*-?bar\b|magnifications?\b", re.IGNORECASE)


_LEADING = re.compile(r"[\s,;:.|)\u2013\u2014-]+|and\b\s*")
_TRAILING = re.compile(
    r"(?:[\s,;:.\u2013\u2014]|(?:(?<=\s)|^)(?:and|or|while|whereas|with|the|und|et|y|e|и|й|і|oraz))$"
)


def _trimmed(caption: str, start: int, end: int) -> Span:
    """The span without the punctuation and the conjunctions at its ends."""
    while start < end and (match := _LEADING.match(caption, start, end)):
        start = match.end()
    while start < end and (match := _TRAILING.search(caption[max(start, end - 8) : end])):
        end -= len(match.group())
    return start, max(start, end)
