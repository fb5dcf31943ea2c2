"""Find the picture files that a document's references mean, and never a file outside their folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from imagedataextractor.articles.figure_words import FIGURE_WORD

__all__ = ["GRAPHIC_SUFFIXES", "GraphicsFolder", "file_name", "pictures_below", "plain_stem", "referenced_stems"]

#: Suffixes of pictures, the least compressed first: where a picture lies there twice, this one is taken.
GRAPHIC_SUFFIXES = (".tif", ".tiff", ".png", ".bmp", ".jpg", ".jpeg", ".webp", ".gif")

#: What publishers hang on to a figure's name for its resolution, the largest first.
_VARIANTS = (
    "_lrg",
    "_large",
    "-large",
    "_fullsize",
    "_full",
    "_hires",
    "_hi-res",
    "-hires",
    "_original",
    "_o",
    "_html",
    "",
)
#: Files looked at in a folder and below it; a figure folder holds some dozens.
_MAX_FILES = 20_000
_MAX_DEPTH = 2


class GraphicsFolder:
    """The picture files of one folder, found by the names documents use for them.

    Parameters
    ----------
    folder : Path
        Looked through two levels deep. It need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._by_name: dict[str, list[Path]] = {}
        self._by_stem: dict[str, list[Path]] = {}
        for count, path in enumerate(pictures_below(folder)):
            if count >= _MAX_FILES:
                break
            self._by_name.setdefault(path.name.lower(), []).append(path)
            self._by_stem.setdefault(path.stem.lower(), []).append(path)

    def find(self, references: Sequence[str]) -> Path | None:
        """The file that the first of these references to be at hand means; None where none is.

        Only the last component of a reference counts, so that none reaches out of the folder.
        """
        for reference in references:
            name = file_name(reference)
            found = self._find_name(name) if name else None
            if found is not None:
                return found
        return None

    def find_numbered(self, label: str) -> Path | None:
        """The one file whose name ends in a figure's kind and number ("…_fig1.jpg" for "Fig. 1").

        For saved pages, whose pictures the user named himself; None where no file or several fit.
        """
        match = re.search(rf"(?:(scheme|chart)s?|{FIGURE_WORD})\.?\s*(s?\d+)$", label.strip(" .:"), re.IGNORECASE)
        if match is None:
            return None
        kind = {"scheme": "(?:scheme|sch|s)", "chart": "chart"}.get(
            (match[1] or "").lower(), rf"(?:{FIGURE_WORD}|figures?|f|g|gr)"
        )
        ends = re.compile(rf"(?:^|.*[^a-z]){kind}[ _.-]?0*{match[2].lower()}(?:_html|_lrg)?$")
        files = {path for stem, paths in self._by_stem.items() if ends.fullmatch(stem) for path in paths}
        return files.pop() if len(files) == 1 else None

    def _find_name(self, name: str) -> Path | None:
        exact = self._by_name.get(name.lower())
        if exact:
            return exact[0]
        stem, suffix = os.path.splitext(name)
        stems = [name.lower()] if suffix.lower() not in GRAPHIC_SUFFIXES else [stem.lower(), name.lower()]
        for candidate in stems:
            for variant in _VARIANTS:
                files = self._by_stem.get(candidate + variant)
                if files:
                    return min(files, key=lambda path: GRAPHIC_SUFFIXES.index(path.suffix.lower()))
        return None


def file_name(reference: str) -> str:
    """Last component of a reference or URL, decoded; "" where it has none that names a file."""
    path = urlsplit(reference).path if re.match(r"\w+://", reference) else re.split(r"[?#]", reference, maxsplit=1)[0]
    name = PurePosixPath(unquote(path).replace("\\", "/")).name
    return "" if name in {"", ".", ".."} or "\0" in name else name


#: Attributes and elements of XML and HTML that name a file.
_REFERENCE = re.compile(
    rb"""(?:href|src|srcset|data-[\w-]+|locator|ref|fileref)\s*=\s*["']([^"'<>]{1,500})["']""", re.IGNORECASE
)
#: Beginning of a document in which its references are looked for, bytes.
_REFERENCE_BYTES = 20_000_000


def referenced_stems(document: Path) -> frozenset[str]:
    """The `plain_stem` of every file that an XML or HTML document names, as a figure or otherwise; none of a PDF."""
    if document.suffix.lower() == ".pdf":
        return frozenset()
    try:
        with document.open("rb") as stream:
            text = stream.read(_REFERENCE_BYTES)
    except OSError:
        return frozenset()
    names = (file_name(match.decode("utf-8", "replace").strip()) for match in _REFERENCE.findall(text))
    return frozenset(plain_stem(name) for name in names if name)


def plain_stem(name: str) -> str:
    """A file's name in lower case, without the suffix of a picture and what tells copies of one picture apart."""
    stem, suffix = os.path.splitext(name.lower())
    stem = stem if suffix in GRAPHIC_SUFFIXES else name.lower()
    return next((stem.removesuffix(variant) for variant in _VARIANTS if variant and stem.endswith(variant)), stem)


def pictures_below(folder: Path, depth: int = 0) -> Iterator[Path]:
    """The picture files of a folder and of the folders below it, as far as an article's figures are looked for."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return  # no folder, no pictures: the figures are reported as missing
    for entry in entries:
        if entry.is_symlink() and not _stays_inside(Path(entry.path), folder):
            continue
        if entry.is_file() and os.path.splitext(entry.name)[1].lower() in GRAPHIC_SUFFIXES:
            yield Path(entry.path)
    for entry in entries:
        if depth < _MAX_DEPTH and entry.is_dir(follow_symlinks=False):
            yield from pictures_below(Path(entry.path), depth + 1)


def _stays_inside(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except OSError:
        return False
