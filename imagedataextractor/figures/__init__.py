"""Figures into panels: boxes, letters, sub-captions, kinds."""

from imagedataextractor.figures.split import split_figure

__all__ = ["split_figure"]
