"""Read a PDF: captions from its text, figures by rendering the page and cutting them out.

In: a PDF, and a folder for what is cut out. Out: a `document.Document` whose figures are files in that folder.
Pictures inside a PDF cannot be trusted one by one: a figure may be stored as five strips, as vector
drawings, or twice, once off the page. What is seen is what counts. So each page is rendered, the ink of
running text and of what repeats on every page is taken away, and the ink that is left above a caption
(or below it, where there is none above) is its figure.

Lengths are in points (1/72 inch) unless a name says otherwise; y grows downwards from the page's top.
"""

from __future__ import annotations

from pathlib import Path

import pypdfium2 as pdfium

from imagedataextractor.articles.read.document import Document
from imagedataextractor.articles.read.pdf.about import about_article, pdf_doi
from imagedataextractor.articles.read.pdf.captions import find_captions
from imagedataextractor.articles.read.pdf.elsewhere import found_elsewhere
from imagedataextractor.articles.read.pdf.layout import body_style, read_page, remove_repeated_ink
from imagedataextractor.articles.read.pdf.placing import Place, placed_figures
from imagedataextractor.articles.read.pdf.rendering import rendered_figure
from imagedataextractor.errors import InputError

__all__ = ["pdf_doi", "read_pdf"]

#: Pages read at most; no article has more, and a book would take minutes.
MAX_PAGES = 200


def read_pdf(data: bytes, path: Path, work_dir: Path | None = None) -> Document:
    """Read an article from a PDF.

    Parameters
    ----------
    data : bytes
        The file.
    path : Path
        Named in errors.
    work_dir : Path or None
        Where the figures are written as PNG, named by page and position in points
        ("p3_54-72-287-301_figure-2.png"). With None nothing is written, and the same names stand
        for the figures.

    Raises
    ------
    InputError
        The PDF is broken, protected by a password or without text (a scan), or `work_dir` cannot be
        written.
    """
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        reason = "is protected by a password" if "password" in str(error).lower() else "is broken or no PDF"
        raise InputError(f"{path}: {reason}") from error
    try:
        pages = [read_page(document, number) for number in range(min(len(document), MAX_PAGES))]
        if not any(page.lines for page in pages):
            raise InputError(f"{path}: holds no text (a scan?); figures cannot be told from it")
        remove_repeated_ink(pages)
        body = body_style(pages)
        captions = find_captions(pages, body)
        places = {
            id(caption): None if box is None else Place(page, box)
            for page in pages
            for caption, box in placed_figures(page, captions, body)
        }
        places |= found_elsewhere(pages, captions, places)
        figures = [rendered_figure(document, caption, places[id(caption)], work_dir) for caption in captions]
        text = [" ".join(line.text for line in page.lines) for page in pages]
        return about_article(document, text, pages, tuple(figures))
    except pdfium.PdfiumError as error:
        raise InputError(f"{path}: a page cannot be read ({error})") from error
    finally:
        document.close()
