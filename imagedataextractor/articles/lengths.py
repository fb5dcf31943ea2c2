"""Lengths that a caption states in words: those of scale bars, and sizes of particles. All in nanometres."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from imagedataextractor.articles.markers import (
    BAR_WORD,
    DASH,
    GROUP,
    SIDE_NOUN,
    SIDES,
    expand,
    matched_brackets,
)
from imagedataextractor.articles.subcaptions import Segment
from imagedataextractor.quantities import (
    NM_PER_UNIT,
    NUMBER,
    PLUS_MINUS,
    UNIT,
    Length,
    find_lengths,
    fold,
    parse_number,
    unit_of,
)
from imagedataextractor.records import ScaleStatement, SizeStatement

__all__ = ["scale_statements", "size_statements"]

_LETTER_GROUP = re.compile(
    rf"\(\s*(?P<bracket>{GROUP})\s*\)|(?<![\w(])(?P<half>{GROUP})\)|"
    rf"\(\s*(?P<side>{'|'.join(SIDES)}){SIDE_NOUN}\s*\)|"
    rf"(?<![\w(])(?:in|for|of|panels?|and)\s+(?P<word>{GROUP})(?=[\s.,;:)]|$)|"
    rf"(?:^|(?<=[,;:]\s))(?P<bare>{GROUP})(?=\s*[,:=]?\s*\d|\s*(?:is|are)\b)",
    re.IGNORECASE,
)
#: From so many on, lengths are several, which a caption may spread over panels.
_SEVERAL = 2


def _nanometres(number: str, unit: str) -> float:
    """0 for what is no length."""
    name = unit_of(unit)
    return 0.0 if name is None else (parse_number(number) or 0.0) * NM_PER_UNIT[name]


def scale_statements(caption: str, segments: Sequence[Segment]) -> tuple[ScaleStatement, ...]:
    """Scale-bar lengths stated in words, each with the panels it holds for."""
    found: list[ScaleStatement] = []
    taken = 0
    for word in BAR_WORD.finditer(caption):
        if word.start() < taken or _speaks_of_inset(caption, word.start()):
            continue
        before = _length_before(caption, word.start())
        start, end = word.start(), _statement_end(caption, word.end())
        # What is said in a panel's own words ends with them.
        around = next((s for s in segments if s.start <= start < s.end), None)
        if around is not None and not _is_own_sentence(caption, around, start):
            end = around.end
        if before:
            after = _OF_PANELS.match(caption, word.end())
            start, end = before.start, after.end() if after else word.end()
            letters = expand(after["group"]) if after else ()
            statements = [ScaleStatement(before.nm, letters, caption[start:end], start, end)]
        else:
            statements = list(_read_scale(caption, word.end(), end, word.start()))
        known = {letter for segment in segments for letter in segment.letters}
        for statement, home in zip(statements, _homes(statements, segments, caption), strict=True):
            panels = tuple(letter for letter in statement.panels if not known or letter in known) or home
            found.append(ScaleStatement(statement.length_nm, panels, statement.text, statement.start, statement.end))
        taken = end
    return tuple(found)


def _is_own_sentence(caption: str, home: Segment, start: int) -> bool:
    """Whether a segment is a sentence on bars, whose letters follow it: "Scale bars: 5 µm (a, c) and 2 µm (b, d)."."""
    opens = not re.search(r"\w{4,}", caption[home.start : start])
    return opens and caption[: home.start].rstrip()[-1:] in (".", ";")


#: Characters before the words "scale bar" in which the length of a "200 nm scale bar" is sought.
_LOOK_BACK = 60


def _length_before(caption: str, position: int) -> Length | None:
    """The length that ends right before an offset."""
    found = list(find_lengths(caption, max(0, position - _LOOK_BACK), position))
    close = bool(found) and caption[found[-1].end : position].isspace()
    return found[-1] if close else None


_OF_PANELS = re.compile(rf"\s*(?:in|for|of)\s+(?:panels?\s+)?\(?(?P<group>{GROUP})(?![\w])\)?", re.IGNORECASE)


def _homes(statements: Sequence[ScaleStatement], segments: Sequence[Segment], caption: str) -> list[tuple[str, ...]]:
    """Panels of lengths without letters: those in whose words they stand, one by one where they are as many."""
    homes = [_home_of(statement.start, segments, caption) for statement in statements]
    if len(statements) < _SEVERAL or any(statement.panels for statement in statements):
        return homes
    groups = list(dict.fromkeys(segment.letters for segment in segments))
    if re.match(r"\W*respectively\b", caption[statements[-1].end :]) and len(groups) == len(statements):
        return groups
    if len(set(homes)) == 1 and len(homes[0]) == len(statements):
        return [(letter,) for letter in homes[0]]
    return homes


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


_LISTED = re.compile(rf"((?:{NUMBER}\s*(?:,|and|,\s*and)\s+)+)$")


def _scale_tokens(caption: str, start: int, end: int) -> list[_Token]:
    """Lengths and panel letters between two offsets, in order; lengths of insets are left out."""
    tokens: list[_Token] = []
    last_length_start = start
    for length in find_lengths(caption, start, end):
        if re.search(r"insets?[^;(\d]*$", caption[last_length_start : length.start], re.IGNORECASE) or re.match(
            r"\s*(?:\(|in |for )?(?:the )?insets?\b", caption[length.end : end], re.IGNORECASE
        ):
            last_length_start = length.end
            continue
        # "5, 10 and 20 nm": the numbers before the last share its unit.
        listed = _LISTED.search(fold(caption[last_length_start : length.start]))
        if listed:
            at = last_length_start + listed.start(1)
            for number in re.finditer(NUMBER, fold(caption[at : length.start])):
                value = parse_number(number.group())
                if value:
                    nm = value * NM_PER_UNIT[length.unit]
                    tokens.append(_Token(at + number.start(), at + number.end(), nm))
        tokens.append(_Token(length.start, length.end, length.nm))
        last_length_start = length.end
    for match in _LETTER_GROUP.finditer(caption[:end], start):
        group = match["bracket"] or match["half"] or match["word"] or match["bare"]
        letters = expand(group) if group else (SIDES[match["side"].lower()],)
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


def _home_of(position: int, segments: Sequence[Segment], caption: str) -> tuple[str, ...]:
    """Panels whose sub-caption a statement without letters stands in; () where it speaks of the figure."""
    for index, segment in enumerate(segments):
        if not segment.start <= position < segment.end:
            continue
        last = index == len(segments) - 1
        closing = not caption[segment.end :].strip(" .)")
        others = any(BAR_WORD.search(s.text) for s in segments if s is not segment)
        if last and closing and not others and not _inside_bracket_of(segment, position, caption):
            return ()  # "Scale bar: 50 nm." after the last of several panels holds for all of them
        return segment.letters
    return ()


def _inside_bracket_of(segment: Segment, position: int, caption: str) -> bool:
    return any(start < position < end for start, end in matched_brackets(caption) if start >= segment.start)


_SIZE = re.compile(
    rf"(?P<what>(?:mean|average|averaged|median|typical)\s+(?:\w+[\s-]+){{0,2}}?(?:diameters?|sizes?|radius)|"
    rf"(?:particles?|grains?|crystallites?|spheres?|nps?|nanoparticles?|nanocrystals?|core)\s+(?:diameters?|sizes?)|"
    rf"\bdiameters?|\bsizes?)"
    rf"(?P<link>(?:[^.;()]|(?:ca|approx)\.){{0,40}}?|\s*\(?)\(?"
    rf"(?<![\w.])(?P<mean>{NUMBER})\s*(?P<unit1>{UNIT})?\s*"
    rf"(?:{PLUS_MINUS}\s*(?P<spread>{NUMBER})\s*\)?\s*)?(?P<unit2>{UNIT})?",
    re.IGNORECASE,
)
_PLAIN_SIZE = re.compile(
    rf"(?<![\w.])(?P<mean>{NUMBER})\s*(?P<unit1>{UNIT})?\s*{PLUS_MINUS}\s*"
    rf"(?P<spread>{NUMBER})\s*\)?\s*(?P<unit2>{UNIT})",
    re.IGNORECASE,
)
_NOT_A_SIZE = re.compile(
    r"thick|spacing|lattice|pore|wavelength|scale|bar\b|distance|pixel|length|width|step|area|magnif|depth|layer",
    re.IGNORECASE,
)


def size_statements(caption: str, segments: Sequence[Segment]) -> tuple[SizeStatement, ...]:
    """Particle sizes stated in words: a mean with its spread, or a diameter."""
    found: dict[int, SizeStatement] = {}
    folded = fold(caption)
    for pattern in (_SIZE, _PLAIN_SIZE):
        for match in pattern.finditer(folded):
            unit = match["unit2"] or match["unit1"]
            start = match.start("mean")
            around = caption[max(0, match.start() - 25) : match.end() + 12]
            link = match.groupdict().get("link") or ""
            if not unit or start in found or _NOT_A_SIZE.search(around if pattern is _PLAIN_SIZE else link):
                continue
            if _is_range(caption, match) or (pattern is _PLAIN_SIZE and not _speaks_of_particles(caption, match)):
                continue
            mean = _nanometres(match["mean"], unit)
            spread = _nanometres(match["spread"], unit) if match["spread"] else _spread_in_words(caption, match.end())
            if match["spread"] and match["unit1"] and match["unit2"]:
                mean = _nanometres(match["mean"], match["unit1"])
            if mean <= 0:
                continue
            panels = (
                _panels_named_behind(caption, match.end(), segments)
                or _home_of(start, segments, caption)
                or _letters_of(start, segments)
            )
            words = caption[match.start() : match.end()]
            found[start] = SizeStatement(mean, spread, panels, words, match.start(), match.end())
    return _respectively([found[start] for start in sorted(found)], caption, segments)


#: "377 nm for (a)". A letter without bracket could be the article: "377 nm in a matrix".
_OF_THESE = re.compile(
    rf"\s*(?:in|for|of)\s+(?:panels?\s+(?P<word>{GROUP})(?!\w)|(?:panels?\s+)?\(\s*(?P<bracket>{GROUP})\s*\))",
    re.IGNORECASE,
)


def _panels_named_behind(caption: str, position: int, segments: Sequence[Segment]) -> tuple[str, ...]:
    match = _OF_THESE.match(caption, position)
    known = {letter for segment in segments for letter in segment.letters}
    return tuple(letter for letter in expand(match["word"] or match["bracket"]) if letter in known) if match else ()


_DEVIATION = re.compile(
    rf"\s*[,(]?\s*(?:(?:with|and)\s+)?(?:an?\s+|the\s+)?(?:standard\s+deviations?|s\.?d\.?|\u03c3)\s*(?:of|=|:|is|\u2248)?\s*"
    rf"(?P<number>{NUMBER})\s*(?P<unit>{UNIT})",
    re.IGNORECASE,
)


def _spread_in_words(caption: str, position: int) -> float | None:
    """A standard deviation that is spelt out behind a mean: "15 nm (σ = 2 nm)"."""
    match = _DEVIATION.match(fold(caption), position)
    return _nanometres(match["number"], match["unit"]) if match else None


def _respectively(
    found: Sequence[SizeStatement], caption: str, segments: Sequence[Segment]
) -> tuple[SizeStatement, ...]:
    """Sizes listed for all panels at the end ("10 nm and 16 nm, respectively"), each with its panel."""
    if len(found) < _SEVERAL or not re.search(r"\brespectively\b", caption[found[-1].end : found[-1].end + 40]):
        return tuple(found)
    groups = list(dict.fromkeys(segment.letters for segment in segments))
    if len({statement.panels for statement in found}) > 1 or len(groups) != len(found):
        return tuple(replace(statement, panels=()) for statement in found)
    return tuple(replace(statement, panels=letters) for statement, letters in zip(found, groups, strict=True))


def _is_range(caption: str, match: re.Match[str]) -> bool:
    """Whether the number is one end of a range ("10–20 nm"), which states no mean."""
    before, after = caption[: match.start("mean")], caption[match.end("mean") :]
    dash = DASH
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
