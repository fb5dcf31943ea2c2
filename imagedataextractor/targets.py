"""What a user names on the command line: images, articles, folders of either, DOIs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagedataextractor.articles.dois import clean_doi
from imagedataextractor.articles.read import (
    ARTICLE_SUFFIXES,
    articles_among,
    figure_files,
    is_article_file,
    may_be_article,
)
from imagedataextractor.articles.read.graphics import pictures_below, plain_stem, referenced_stems
from imagedataextractor.errors import IdeError, InputError, printable
from imagedataextractor.images import IMAGE_SUFFIXES
from imagedataextractor.records import Failure
from imagedataextractor.telling import PassedOver, tell_nobody
from imagedataextractor.written import is_written_here

__all__ = [
    "Target",
    "find_images",
    "find_targets",
    "fingerprint",
    "folder_targets",
    "is_image_file",
]


@dataclass(frozen=True)
class Target:
    """One unit of work. ``key`` names it in the database: "doi:…", or the file's absolute path in print."""

    kind: Literal["article", "image", "doi"]
    key: str
    path: Path | None = None
    doi: str | None = None


def find_targets(
    paths: Iterable[Path], dois: Iterable[str] = (), passed_over: PassedOver = tell_nobody
) -> tuple[list[Target], list[Failure]]:
    """Everything that the given files, folders and DOIs hold, each once, in order.

    See `folder_targets` for folders. Other files in a folder are passed over; a file named outright is not.

    Parameters
    ----------
    paths : iterable of Path
    dois : iterable of str
    passed_over : callable
        Called with each file of the folders that becomes neither a target nor a part of one, and with why.

    Returns
    -------
    targets, failures
        A path that cannot be used is a failure, and the rest goes on.
    """
    targets: dict[str, Target] = {}
    failures: list[Failure] = []
    for path in paths:
        try:
            found = _in_path(path, passed_over)
        except IdeError as error:
            failures.append(Failure("input", printable(path), type(error).__name__, str(error)))
            continue
        targets.update((target.key, target) for target in found)
    for given in dois:
        try:
            doi = clean_doi(given)
        except IdeError as error:
            failures.append(Failure("input", given, type(error).__name__, str(error)))
            continue
        targets.setdefault(f"doi:{doi}", Target("doi", f"doi:{doi}", doi=doi))
    return list(targets.values()), failures


def _in_path(path: Path, passed_over: PassedOver) -> list[Target]:
    if path.is_dir():
        return list(folder_targets(path, passed_over))
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not path.is_file():
        raise InputError(f"{path}: is no regular file")
    if is_written_here(path):
        raise InputError(f"{path}: was written by this program; name the micrograph or the article itself")
    if is_image_file(path):
        return [_image(path)]
    if may_be_article(path):
        return [_article(path)]
    kinds = ", ".join(sorted(IMAGE_SUFFIXES))
    raise InputError(f"{path}: neither an article (.xml, .html, .pdf) nor an image ({kinds})")


def is_image_file(path: Path) -> bool:
    """Whether a file's name is that of a picture."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def folder_targets(folder: Path, passed_over: PassedOver = tell_nobody) -> Iterator[Target]:
    """What a folder holds, found while it is gone through, folder by folder and by name.

    The pictures that an article in the folder shows as its figures are the article's; all others stand for
    themselves. Whatever else lies there is passed over, and said to be: nothing is lost without a word.

    Raises
    ------
    InputError
        There is no such folder, or it holds neither.
    """
    is_empty = True
    shown: set[Path] = set()
    named: dict[str, Path] = {}

    def unreadable(error: OSError) -> None:
        passed_over(Path(error.filename or folder), f"cannot be opened ({error.strerror or error})")

    for name, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        here = _in_full(Path(name))
        for link in (here / sub for sub in folders if (here / sub).is_symlink()):
            passed_over(link, "a link to a folder is not followed")
        articles, pictures = _sorted_out(here, sorted(files), passed_over)
        if articles and _holds_pictures(here):
            for article in articles:
                shown |= figure_files(article)
                named.update((stem, article) for stem in referenced_stems(article))
        for target in map(_article, articles):
            is_empty = False
            yield target
        for picture in pictures:
            if picture in shown:
                continue
            owner = named.get(plain_stem(picture.name))
            if owner is not None and picture.is_relative_to(owner.parent):
                passed_over(picture, f"is named by {owner.name}, but is none of its figures, or another copy of one")
                continue
            is_empty = False
            yield _image(picture)
    if is_empty:
        what = "the folder holds neither images nor articles (.xml, .html, .pdf)"
        raise InputError(f"{folder}: {what if folder.is_dir() else 'no such folder'}")


def _sorted_out(folder: Path, files: list[str], passed_over: PassedOver) -> tuple[list[Path], list[Path]]:
    """The articles and the pictures among a folder's files; of each other one it is said why it is passed over."""
    candidates: list[Path] = []
    pictures: list[Path] = []
    for file in files:
        path = folder / file
        if file.startswith("."):
            passed_over(path, "a hidden file")
        elif not path.is_file():
            passed_over(path, "a link to nothing" if path.is_symlink() else "no regular file")
        elif (is_image_file(path) or path.suffix.lower() in ARTICLE_SUFFIXES) and is_written_here(path):
            passed_over(path, "was written by this program")
        elif is_image_file(path):
            pictures.append(path)
        elif is_article_file(path):
            candidates.append(path)
        else:
            why = "XML, but no article" if path.suffix.lower() in ARTICLE_SUFFIXES else "neither article nor picture"
            passed_over(path, why)
    articles = articles_among(candidates)
    for path in sorted(set(candidates) - set(articles)):
        passed_over(path, "the same article lies beside it in a richer format")
    return articles, pictures


def _holds_pictures(folder: Path) -> bool:
    """Whether pictures lie in a folder or as far below it as an article's figures are looked for."""
    return next(iter(pictures_below(folder)), None) is not None


def _article(path: Path) -> Target:
    full = _in_full(path)
    return Target("article", printable(full), full)


def _image(path: Path) -> Target:
    full = _in_full(path)
    return Target("image", printable(full), full)


def _in_full(path: Path) -> Path:
    """The same name for the same file, wherever it is named from: absolute, without "..", links left as they are."""
    return Path(os.path.abspath(path))


def find_images(path: Path, passed_over: PassedOver = tell_nobody) -> list[Path]:
    """The picture itself, or all pictures in a folder and below, sorted, but those that this program wrote.

    Raises
    ------
    InputError
        No such path, or no picture in the folder.
    """
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        return [path]
    images: list[Path] = []
    for file in sorted(path.rglob("*")):
        if not is_image_file(file) or file.name.startswith(".") or not file.is_file():
            continue
        if is_written_here(file):
            passed_over(file, "was written by this program")
        else:
            images.append(file)
    if not images:
        raise InputError(f"{path}: the folder holds no images")
    return images


def fingerprint(target: Target, folders: dict[Path, str] | None = None) -> str | None:
    """What a target's files look like now, to notice a change; None for a DOI, whose content is cached.

    Parameters
    ----------
    target : Target
    folders : dict, optional
        Kept by the caller from call to call: what the pictures of a folder look like, so that a
        folder of ten thousand articles is not listed ten thousand times.
    """
    if target.path is None:
        return None
    digest = hashlib.sha256(_state_of(target.path).encode())
    if target.kind == "article":
        # A figure file that was missing and is there now makes the article worth another look.
        folder = target.path.parent
        known = {} if folders is None else folders
        if folder not in known:
            known[folder] = _pictures_state(folder)
        digest.update(known[folder].encode())
    return digest.hexdigest()[:16]


def _pictures_state(folder: Path) -> str:
    try:
        pictures = sorted(path for path in folder.iterdir() if is_image_file(path))
    except OSError:
        return ""
    return hashlib.sha256("".join(map(_state_of, pictures)).encode()).hexdigest()


def _state_of(file: Path) -> str:
    try:
        state = os.stat(file)
    except OSError:
        return ""
    return f"{printable(file.name)}:{state.st_size}:{state.st_mtime_ns}\n"
