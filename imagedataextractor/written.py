"""The mark on what this program writes, so that it never takes its own pictures and pages for somebody's data.

A PNG carries it in its text chunk "Software", as the PNG specification names the writing program; a TIFF or a JPEG in
the tag of that name (305); an HTML page in ``<meta name="generator">``; a plot as PDF or SVG in its metadata.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from imagedataextractor import __version__

__all__ = ["GENERATOR_META", "PLOT_METADATA", "PROGRAM", "is_written_here", "save_marked"]

PROGRAM = "ImageDataExtractor"
_MARK = f"{PROGRAM} {__version__}"
#: The mark of an HTML page, for its head.
GENERATOR_META = f'<meta name="generator" content="{_MARK}">'
#: For `matplotlib.figure.Figure.savefig`, by the file's suffix.
PLOT_METADATA = {
    ".png": {"Software": _MARK},
    ".pdf": {"Creator": _MARK},
    ".svg": {"Creator": _MARK},
}
#: Bytes at the beginning and at the end of a page in which its mark stands.
_PAGE_BYTES = 16_384
#: Chunks of a PNG that are looked at for the mark; they come before the pixels.
_CHUNKS = 32
_PAGES = frozenset({".html", ".htm", ".xhtml", ".svg", ".pdf"})
#: Bytes of a chunk's head: its length and its kind (PNG specification, 5.3).
_CHUNK_HEAD = 8


def save_marked(image: Image.Image, path: Path) -> None:
    """Save a picture with the mark; the suffix says the format.

    Raises
    ------
    OSError, ValueError
        As `PIL.Image.Image.save`.
    """
    if path.suffix.lower() == ".png":
        info = PngInfo()
        info.add_text("Software", _MARK)
        image.save(path, pnginfo=info)
        return
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = _MARK
    image.save(path, exif=exif)


def is_written_here(path: Path) -> bool:
    """Whether a picture or a page is one that this program wrote; False where the file cannot be read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
            if head == b"\x89PNG\r\n\x1a\n":
                return _png_is_marked(stream)
            if path.suffix.lower() in _PAGES:
                begin = head + stream.read(_PAGE_BYTES)
                stream.seek(max(0, path.stat().st_size - _PAGE_BYTES))
                page = begin + stream.read()
                generator = f'<meta name="generator" content="{PROGRAM}'.encode()
                return generator in page or (path.suffix.lower() in (".svg", ".pdf") and PROGRAM.encode() in page)
            if head[:4] in (b"II*\0", b"MM\0*") or head[:3] == b"\xff\xd8\xff":
                from imagedataextractor.images.raster import opened

                with opened(path) as image:
                    software = image.getexif().get(ExifTags.Base.Software, "")
                return str(software).startswith(PROGRAM)
    except Exception:  # a broken file is for its reader to report
        return False
    return False


def _png_is_marked(stream: BinaryIO) -> bool:
    """Whether a text chunk before the pixels names this program as the software."""
    for _ in range(_CHUNKS):
        header = stream.read(_CHUNK_HEAD)
        if len(header) < _CHUNK_HEAD:
            return False
        length, kind = struct.unpack(">I4s", header)
        if kind == b"IDAT":
            return False
        if length > _PAGE_BYTES:  # a colour profile
            stream.seek(length + 4, 1)
            continue
        if stream.read(length + 4)[:length].startswith(b"Software\0" + PROGRAM.encode()) and kind == b"tEXt":
            return True
    return False
