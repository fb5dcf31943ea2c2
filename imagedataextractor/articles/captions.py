"""What a figure's caption says, read from its words alone.

A caption is read in three passes. Panel markers ("(a)", "a)", "A,", "(a–c)" …) split it into
sub-captions; the names of techniques tell whether a micrograph is shown; lengths beside the words
"scale bar" or "mean diameter" become numbers in nanometres, which later stages check themselves
against. Every number keeps the span of text it came from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagedataextractor.articles import techniques
from imagedataextractor.articles.lengths import scale_statements, size_statements
from imagedataextractor.articles.markers import Span
from imagedataextractor.articles.materials import Words, figure_materials
from imagedataextractor.articles.subcaptions import MAX_CHARS, Segment, split_caption
from imagedataextractor.records import CaptionFacts

__all__ = ["parse_caption"]


#: Punctuation of Chinese and Japanese captions, character by character, so that spans stay what they are.
_PLAIN = str.maketrans("\uff08\uff09\uff3b\uff3d\uff0c\uff1b\uff1a\u3001\u3002\uff0e", "()[],;:,..")


def parse_caption(
    caption: str, label: str | None = None, *, emphasised: Sequence[Span] = (), words: Words | None = None
) -> CaptionFacts:
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
    words : Words, optional
        What the article says elsewhere of its materials.

    Returns
    -------
    CaptionFacts
        Lengths in nm; spans as character offsets into `caption`.
    """
    caption = _in_latin_letters(caption[:MAX_CHARS].translate(_PLAIN))
    segments = split_caption(caption, label, emphasised=emphasised)
    subcaptions: dict[str, str] = {}
    for segment in segments:
        for letter in segment.letters:
            subcaptions[letter] = _both(subcaptions.get(letter, ""), segment.words)
    return CaptionFacts(
        is_em=techniques.shows_em(caption),
        techniques=techniques.find_techniques(caption),
        subcaptions=subcaptions,
        panel_techniques=_panel_techniques(segments),
        scale_statements=scale_statements(caption, segments),
        size_statements=size_statements(caption, segments),
        materials=figure_materials(caption, segments, words or Words()),
    )


#: Letters of panels in the order of the Russian alphabet, without those that are passed over; and Greek ones.
_OTHER_LETTERS = {"абвгдежзик": "abcdefghij", "АБВГДЕЖЗИК": "ABCDEFGHIJ", "αβγδεζηθ": "abcdefgh"}
_OTHER_MARKER = r"(?:(?<=\()|(?<![\w(])){}(?=\)|\s?[–—]\s)"


def _in_latin_letters(caption: str) -> str:
    """A caption whose panels bear Cyrillic or Greek letters ("а) …; б) …"), character by character, in Latin ones.

    Only where the second letter of the alphabet names a panel too: by itself "(α)" is a phase.
    """
    for others, latin in _OTHER_LETTERS.items():
        marked = re.compile(_OTHER_MARKER.format(f"[{others}]"))
        named = {match.group() for match in marked.finditer(caption)}
        # The first letter looks as the Latin one does, and is often typed so.
        if others[1] in named and (others[0] in named or re.search(_OTHER_MARKER.format(f"[{latin[0]}]"), caption)):
            if others[0] == "α" and not re.search(r"[\u0370-\u03ff]{3}", caption):
                continue
            characters = list(caption)
            for match in marked.finditer(caption):
                characters[match.start()] = latin[others.index(match.group())]
            caption = "".join(characters)
    return caption


def _both(first: str, second: str) -> str:
    """Two descriptions of one panel: "SEM in three states. Pristine", but "EDS maps of Ti"."""
    if not first:
        return second
    return f"{first} {second}" if re.search(r"\b(?:of|for|from|with|by|at|in|the)$", first) else f"{first}. {second}"


def _panel_techniques(segments: Sequence[Segment]) -> dict[str, tuple[str, ...]]:
    """Techniques panel by panel: those its own words name, else those of the words it shares or points to."""
    found: dict[str, tuple[str, ...]] = {}
    for segment in segments:
        named = techniques.find_techniques(segment.text) or techniques.find_techniques(segment.context)
        each = techniques.listed_techniques(segment.text) if len(segment.letters) > 1 else ()
        enlarged = _ENLARGED.search(segment.text)
        for place, letter in enumerate(segment.letters):
            own = each[place] if len(each) == len(segment.letters) else named
            if enlarged is not None and not set(own).intersection(techniques.EM_TECHNIQUES):
                own += found.get(enlarged["bracketed"] or enlarged["bare"], ())
            found[letter] = tuple(dict.fromkeys((*found.get(letter, ()), *own)))
    return found


#: A view of a part of another panel: "magnified view of the box in (b)", "enlarged region of a".
_ENLARGED = re.compile(
    r"\b(?:magnif\w+|enlarge\w+|zoom\w*|close-?ups?|details?)\b[^.;]*\b(?:in|of|from)\s+(?:panel\s+)?"
    r"(?:\((?P<bracketed>[A-Za-z]\d?)\)|(?P<bare>[A-Za-z]\d?)(?=[,.;]|\s*$))",
    re.IGNORECASE,
)
