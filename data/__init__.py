"""Bundled data: trained weights with their model cards (`weights/`, `figures/`, `scalebar/`), and the sample article.

In: what `ide train` and `artificial.article` made. Out: files, found through `resources.resource_path`.
"""
