"""Figures into panels: boxes, letters, sub-captions, kinds.

In: a figure's pixels, and its caption's facts. Out: `records.Panel`s in reading order, each followed by its insets.
`split` and `own` (pictures by themselves) do it, with `panels/` (where it is cut), `letters/` and `kinds/`.
"""

from imagedataextractor.figures.split import split_figure

__all__ = ["split_figure"]
