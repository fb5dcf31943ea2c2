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
    caption = caption[:MAX_CHARS].translate(_PLAIN)
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
