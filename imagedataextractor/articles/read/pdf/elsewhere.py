"""Figures whose captions stand on another page: on the facing one, or in a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy import ndimage

from imagedataextractor.articles.read.pdf.captions import Caption, key_of_caption
from imagedataextractor.articles.read.pdf.labels import LABEL, is_label, key_of_label
from imagedataextractor.articles.read.pdf.layout import MIN_SIDE, Page, Rect, without_boxes
from imagedataextractor.articles.read.pdf.placing import Place

__all__ = ["found_elsewhere"]

#: Letters on a page up to which it holds a figure and nothing else.
_MAX_PAGE_LETTERS = 600


def found_elsewhere(
    pages: Sequence[Page], captions: Sequence[Caption], places: Mapping[int, Place | None]
) -> dict[int, Place]:
    """Figures whose captions stand on another page: on the facing one, or in a list, as in manuscripts.

    Pages that hold a picture and no caption are given to the captions without a figure: by the label that
    such a page carries, else to the caption of the next page, else one by one where they are as many. Where they
    are not, nobody can tell which is whose, and the captions stay without.
    """
    homeless = [caption for caption in captions if places[id(caption)] is None or not caption.text]
    taken = {place.page.number for caption in captions if (place := places[id(caption)]) and caption.text}
    free = {page.number: box for page in pages if page.number not in taken and (box := _picture_of(page)) is not None}
    if not homeless or not free:
        return {}
    found: dict[int, Place] = {}

    def give(caption: Caption, number: int) -> None:
        found[id(caption)] = Place(pages[number], free.pop(number))

    labelled = {key: number for number in free for key in _labels_on(pages[number])}
    for caption in homeless:
        number = labelled.get(key_of_caption(caption))
        if number in free:
            give(caption, number)
    left = [caption for caption in homeless if id(caption) not in found]
    unnamed = [number for number in sorted(free) if number not in labelled.values()]
    on_page = Counter(caption.page.number for caption in left)
    for caption in left:
        number = caption.page.number
        facing = [near for near in (number - 1, number + 1) if near in free and near in unnamed]
        if on_page[number] == 1 and len(facing) == 1:
            give(caption, facing[0])
    left = sorted((c for c in left if id(c) not in found), key=lambda c: (c.label.split()[0], c.order))
    unnamed = [number for number in unnamed if number in free]
    if len(left) == len(unnamed):
        for caption, number in zip(left, unnamed, strict=True):
            give(caption, number)
    return found


def _labels_on(page: Page) -> Iterator[str]:
    """The labels that stand on a page by themselves, without a caption."""
    for line in page.lines:
        match = LABEL.match(line.text.strip())
        if match is not None and is_label(line.text):
            yield key_of_label(match)


def _picture_of(page: Page) -> Rect | None:
    """Extent of the picture on a page that holds nothing else; None for other pages."""
    if sum(len(line.text.strip()) for line in page.lines) > _MAX_PAGE_LETTERS:
        return None
    apart = [line.box for line in page.lines if LABEL.match(line.text.strip()) or line.text.strip().isdigit()]
    ink = without_boxes(page.ink, apart)
    labels, _ = ndimage.label(ink, structure=np.ones((3, 3)))
    extents = [
        Rect(columns.start, rows.start, columns.stop, rows.stop) for rows, columns in ndimage.find_objects(labels)
    ]
    if not any(min(extent.width, extent.height) >= 2 * MIN_SIDE for extent in extents):
        return None
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return Rect(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
