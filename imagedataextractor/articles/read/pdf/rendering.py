"""Cut figures out of rendered pages."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from imagedataextractor.articles.read.document import DocumentFigure
from imagedataextractor.articles.read.pdf.captions import Caption
from imagedataextractor.articles.read.pdf.layout import Page, Rect
from imagedataextractor.articles.read.pdf.placing import Place
from imagedataextractor.errors import InputError
from imagedataextractor.files import replacing

__all__ = ["rendered_figure"]

#: Resolution of the cut-out figures, pixels an inch: that of the embedded pictures within these bounds.
_MIN_DPI, _MAX_DPI = 200.0, 600.0


_MAX_PIXELS = 60_000_000
#: Side up to which a picture in a page says nothing of the density of its figure, points: logos, symbols, lines.
_SMALL_PICTURE_PT = 5


def rendered_figure(document: Any, caption: Caption, place: Place | None, work_dir: Path | None) -> DocumentFigure:
    graphics: tuple[tuple[str, ...], ...] = ()
    rendered: tuple[Path, ...] = ()
    if place is not None:
        page, box = place.page, place.box
        kind = re.sub(r"\W+", "-", caption.label.lower()).strip("-")
        position = "-".join(str(round(value)) for value in (box.x0, box.y0, box.x1, box.y1))
        name = f"p{page.number + 1}_{position}_{kind}.png"
        if work_dir is None:
            graphics = ((name,),)
        else:
            rendered = (_rendered(document, page, box, work_dir / name),)
    return DocumentFigure(
        caption.label, caption.text, graphics, rendered=rendered, emphasised=tuple(caption.emphasised)
    )


def _rendered(document: Any, page: Page, box: Rect, path: Path) -> Path:
    """Write a part of a page as PNG, at the resolution of the pictures in it."""
    path = path.absolute()
    if path.is_file():
        return path
    opened = document[page.number]
    opened.set_rotation(page.sheet.turn)
    scale = _native_scale(opened, page, box)
    margin = 1.5
    crop = (
        max(0.0, box.x0 - margin),
        max(0.0, page.height - box.y1 - margin),
        max(0.0, page.width - box.x1 - margin),
        max(0.0, box.y0 - margin),
    )
    picture = opened.render(scale=scale, crop=crop, may_draw_forms=False).to_pil().convert("RGB")
    opened.close()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            picture.save(temporary, format="PNG", dpi=(scale * 72, scale * 72))
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be written ({error.strerror or error})") from error
    return path


def _native_scale(opened: Any, page: Page, box: Rect) -> float:
    """Pixels a point of the finest picture in a box, within bounds."""
    densities = [_MIN_DPI / 72]
    for item in opened.get_objects(filter=(pdfium_c.FPDF_PAGEOBJ_IMAGE,), max_depth=4):
        try:
            x0, y0, x1, y1 = item.get_bounds()
            pixels = item.get_px_size()
        except pdfium.PdfiumError:
            continue
        placed = page.sheet.placed(x0, y0, x1, y1)
        inside = placed.overlap_x(box) > 0.5 * placed.width and min(placed.y1, box.y1) > max(placed.y0, box.y0)
        if inside and min(placed.width, placed.height) > _SMALL_PICTURE_PT:
            densities.append(max(pixels[0] / placed.width, pixels[1] / placed.height))
    wanted = min(max(densities), _MAX_DPI / 72)
    return min(wanted, math.sqrt(_MAX_PIXELS / max(1.0, box.width * box.height)))
