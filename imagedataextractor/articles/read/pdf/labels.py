"""Labels of figures, as captions, sentences and sheets begin with them."""

from __future__ import annotations

import re

from imagedataextractor.articles.figure_words import FIGURE_WORD

__all__ = ["LABEL", "SENTENCE", "TITLE", "is_label", "key_of_label"]

LABEL = re.compile(
    rf"(?P<label>(?P<kind>{FIGURE_WORD}|scheme|chart|extended\s+data\s+fig(?:ure|\.)?|supplementary\s+fig(?:ure|\.)?)"
    r"\s*(?P<number>[A-Z]{0,2}\.?\d{1,3}))"
    r"(?P<stop>\s*[.:|\u2013\u2014\u00b7\u2022\uff0e\uff1a]\s*|\s+|(?=[\u3040-\u9fff\uac00-\ud7af])|$)(?=\S|$)",
    re.IGNORECASE,
)


#: What opens a caption of something else.
TITLE = re.compile(rf"{LABEL.pattern}|table\s*\d", re.IGNORECASE)


#: What follows a label in a sentence that speaks of the figure.
SENTENCE = re.compile(
    r"(?:shows?|presents?|displays?|illustrates?|depicts?|and|is|are|in|reveals?|demonstrates?|gives?|exhibits?|"
    r"zeigt|zeigen|montrent?|muestran?|mostran?|показан\w*|представлен\w*|"
    r"compares?|summari[sz]es?|indicates?|provides?|describes?|plots?|reports?|that|which|for|with|were|was|can)\b|[,;)]"
)


def key_of_label(label: re.Match[str]) -> str:
    """A figure is the same under its names in two languages, as bilingual articles give them."""
    kind = label["kind"].lower()[:3]
    kind = kind if kind in ("sch", "cha", "ext", "sup") else "fig"
    return re.sub(r"\W+", "", f"{kind}{label['number'].lower()}")


def is_label(text: str) -> bool:
    """Whether a line of text is a figure's label and nothing else."""
    match = LABEL.match(text.strip())
    return match is not None and match.end() == len(text.strip())
