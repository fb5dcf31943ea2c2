"""Micrographs, figures, scale bars and articles, drawn with their truth.

In: a random generator, and what is to be drawn. Out: pixels or files, and what is really on them: label maps, boxes,
lengths. Tests measure against it, training learns from it.
"""
