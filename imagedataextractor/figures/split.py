"""Split a figure into panels and say what each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.kinds.classify import classify
from imagedataextractor.figures.kinds.fringes import fringe_strength
from imagedataextractor.figures.letters.find import Letter, find_letters
from imagedataextractor.figures.letters.naming import (
    alphabet_of,
    assign_letters,
    complete_letters,
    is_measurable,
    kind_prior,
    missing_letters,
    reading_order,
    subcaption_of,
    technique_of,
)
from imagedataextractor.figures.own import OWN_PRIOR, is_figure, within_paper
from imagedataextractor.figures.panels.infobar import find_info_bar, info_bar_below, read_info_bar
from imagedataextractor.figures.panels.insets import Inset, find_insets
from imagedataextractor.figures.panels.layout import Layout, analyse, bounding_box, luma
from imagedataextractor.figures.panels.page import Region, cut_page
from imagedataextractor.ocr import OcrEngine
from imagedataextractor.records import Box, CaptionFacts, InfoBar, Panel, PanelKind
from imagedataextractor.settings import FigureSettings

__all__ = ["Extent", "split_figure"]

Extent = Literal["figure", "own", "whole"]

DEFAULTS = FigureSettings()
#: An inset's longer reach as a share of its panel's.
INSET_REACH = 0.9
#: Share of their common box that images cover which touch everywhere.
TILED = 0.97
#: Coloured bars and curves over a micrograph are a plot, although the micrograph shows through.
DRAWN_PRIOR: dict[PanelKind, float] = {"plot": 100.0, "em": 0.01}


@dataclass(frozen=True)
class _Piece:
    """A panel on its way: where it is, what it is called, and the images it is made of (figure px)."""

    box: Box
    label: str | None
    letter_box: Box | None
    images: tuple[Box, ...]


def split_figure(
    image: npt.NDArray[np.uint8],
    *,
    facts: CaptionFacts | None = None,
    ocr: OcrEngine | None = None,
    settings: FigureSettings = DEFAULTS,
    extent: Extent = "figure",
) -> list[Panel]:
    """Panels of a figure, in reading order, each followed by its insets.

    Parameters
    ----------
    image : uint8 array, shape (H, W) or (H, W, 3)
    facts : CaptionFacts, optional
        What the caption says: letters to look for, sub-captions, techniques.
    ocr : OcrEngine, optional
        Reads the instruments' data bars. Letters are read without it.
    settings : FigureSettings, optional
    extent : {"figure", "own", "whole"}
        What the picture is: a figure of an article; a picture that stands for itself, which is one micrograph
        unless it plainly is a figure (`own.is_figure`); or one micrograph, whatever it looks like.

    Returns
    -------
    list of Panel
        At least one: a figure that cannot be divided is one panel.

    Examples
    --------
    >>> import numpy as np
    >>> page = np.full((200, 420), 255, np.uint8)
    >>> page[:, :200] = np.random.default_rng(0).integers(40, 200, (200, 200))
    >>> page[:, 220:] = np.random.default_rng(1).integers(40, 200, (200, 200))
    >>> [panel.box.x0 for panel in split_figure(page)]
    [0, 220]
    """
    if extent == "whole":
        pieces = [_whole(image)]
    else:
        pieces = _pieces(image, facts, settings)
        if extent == "own":
            pieces = _as_own(image, pieces)
    by_itself = extent != "figure" and len(pieces) == 1
    panels: list[Panel] = []
    for piece in pieces:
        found = _describe(image, piece, len(panels), facts, ocr, settings, OWN_PRIOR if by_itself else None)
        if extent == "whole":
            found[0] = replace(found[0], kind="em", kind_score=1.0, measurable=True)
        others = [other.box for other in pieces if other is not piece]
        panels += [_with_bar_below(image, found[0], others, ocr), *found[1:]]
    return panels


def _whole(image: npt.NDArray[np.uint8], lettered: _Piece | None = None) -> _Piece:
    """The picture as one piece, without margins of paper, with the letter of another piece."""
    box = within_paper(image)
    if lettered is None:
        return _Piece(box, None, None, (box,))
    return replace(lettered, box=box, images=(box,))


def _as_own(image: npt.NDArray[np.uint8], pieces: list[_Piece]) -> list[_Piece]:
    """The pieces of a picture that stands for itself: all of it, unless it plainly is a figure."""
    named = [piece for piece in pieces if piece.label]
    if is_figure(image, [p.box for p in pieces], [p.label for p in pieces if p.label], classify):
        return pieces
    return [_whole(image, named[0] if len(named) == 1 else None)]


def _with_bar_below(image: npt.NDArray[np.uint8], panel: Panel, others: Sequence[Box], ocr: OcrEngine | None) -> Panel:
    """The panel with the white data bar under it, if there is one."""
    if panel.kind != "em" or panel.info_bar is not None or ocr is None:
        return panel
    bar = info_bar_below(image, panel.box, others, ocr)
    if bar is None:
        return panel
    bar = replace(bar, box=bar.box.shifted(-panel.box.x0, -panel.box.y0))
    return replace(panel, box=replace(panel.box, y1=panel.box.y0 + bar.box.y1), info_bar=bar)


def _pieces(image: npt.NDArray[np.uint8], facts: CaptionFacts | None, settings: FigureSettings) -> list[_Piece]:
    """Boxes and letters of the panels, in reading order."""
    height, width = image.shape[:2]
    expected = tuple(facts.subcaptions) if facts is not None else ()
    layout = analyse(image)
    letters = find_letters(layout, expected)
    regions = cut_page(layout, [x.box for x in letters], missing_letters([x.text for x in letters], expected))
    owners = assign_letters([letter.box for letter in letters], [region.box for region in regions])
    pieces = [
        _piece(region, None if owner is None else letters[owner], layout)
        for region, owner in zip(regions, owners, strict=True)
    ]
    pieces = [p for p in pieces if min(p.box.width, p.box.height) >= settings.min_panel_px]
    if not pieces:
        return [_Piece(Box(0, 0, width, height), None, None, ())]
    labels = complete_letters([p.label for p in pieces], [p.box for p in pieces], expected)
    pieces = [replace(p, label=label) for p, label in zip(pieces, labels, strict=True)]
    return _in_order(pieces)


def _in_order(pieces: list[_Piece]) -> list[_Piece]:
    """By letter, as authors count; a panel without one follows the panel before it on the page."""
    ordered = [pieces[i] for i in reading_order([p.box for p in pieces])]
    alphabet = alphabet_of([p.label for p in pieces if p.label])
    keys: list[tuple[int, int]] = []
    last = -1
    for place, piece in enumerate(ordered):
        name = (piece.label or "").lower()
        last = alphabet.index(name) if name in alphabet else last
        keys.append((last, place))
    return [ordered[i] for i in sorted(range(len(ordered)), key=lambda i: keys[i])]


def _piece(region: Region, letter: Letter | None, layout: Layout) -> _Piece:
    return _Piece(
        box=layout.to_full(region.box),
        label=letter.text if letter else None,
        letter_box=layout.to_full(letter.box) if letter else None,
        images=tuple(layout.to_full(c.box) for c in region.cores if c.kind == "block"),
    )


def _describe(
    image: npt.NDArray[np.uint8],
    piece: _Piece,
    index: int,
    facts: CaptionFacts | None,
    ocr: OcrEngine | None,
    settings: FigureSettings,
    prior: dict[PanelKind, float] | None,
) -> list[Panel]:
    """The panel of a piece, and its insets; `prior` of its kind is for where no caption gives one."""
    pixels = image[piece.box.slices]
    main = _main_image(image, piece)
    kind, score = classify(main, kind_prior(piece.label, facts) or prior)
    insets = _insets_of(image, piece, settings, inside=kind == "em")
    fringes = fringe_strength(luma(main)) if kind == "em" else 0.0
    words = subcaption_of(piece.label, facts)
    technique = technique_of(kind, piece.label, facts, fringes)
    bar: InfoBar | None = None
    if kind == "em":
        bar_box = find_info_bar(pixels)
        bar = read_info_bar(pixels, bar_box, ocr) if bar_box is not None else None
    panel = Panel(
        index=index,
        box=piece.box,
        label=piece.label,
        kind=kind,
        kind_score=score,
        technique=technique,
        measurable=is_measurable(kind, technique, words, fringes),
        subcaption=words,
        insets=tuple(i.box.shifted(-piece.box.x0, -piece.box.y0) for i in insets),
        label_box=_letter_inside(piece),
        info_bar=bar,
    )
    return [panel, *(_inset(image, i, panel, k) for k, i in enumerate(insets, start=1))]


def _main_image(image: npt.NDArray[np.uint8], piece: _Piece) -> npt.NDArray[np.uint8]:
    """What the panel is judged by: the largest of its images if it is made of images, else all of it.

    Several that touch everywhere may be the fields of one map, which shows only as a whole what it is.
    """
    covered = sum(b.area for b in piece.images)
    tiled = len(piece.images) > 1 and covered > TILED * bounding_box(piece.images).area
    if not tiled and covered > 0.6 * piece.box.area:
        return image[max(piece.images, key=lambda b: b.area).slices]
    return image[piece.box.slices]


def _insets_of(image: npt.NDArray[np.uint8], piece: _Piece, settings: FigureSettings, *, inside: bool) -> list[Inset]:
    """Insets in figure coordinates: images beside the main one and, if asked for, pictures inside it."""
    if not piece.images:
        return []
    main = max(piece.images, key=lambda b: b.area)
    found = [Inset(b) for b in piece.images if b is not main]
    if inside:
        found += [replace(i, box=i.box.shifted(main.x0, main.y0)) for i in find_insets(image[main.slices])]
    found = [replace(i, box=i.box.intersection(piece.box)) for i in found]
    # What reaches from edge to edge is a part of the micrograph, or a panel beside it.
    found = [i for i in found if max(i.box.height / main.height, i.box.width / main.width) < INSET_REACH]
    return [i for i in found if min(i.box.width, i.box.height) >= settings.min_panel_px]


def _letter_inside(piece: _Piece) -> Box | None:
    if piece.letter_box is None or piece.letter_box.intersection(piece.box).area == 0:
        return None
    return piece.letter_box.intersection(piece.box).shifted(-piece.box.x0, -piece.box.y0)


def _inset(image: npt.NDArray[np.uint8], inset: Inset, parent: Panel, offset: int) -> Panel:
    """An inset as a panel; what its parent is told by, a micrograph in it is told by too."""
    kind, score = classify(image[inset.box.slices], DRAWN_PRIOR if inset.drawn else None)
    micrograph = kind == "em" and parent.kind == "em"
    return Panel(
        index=parent.index + offset,
        box=inset.box,
        kind=kind,
        kind_score=score,
        technique=parent.technique if micrograph else None,
        measurable=kind == "em" and (parent.measurable or not micrograph),
        parent=parent.index,
    )
