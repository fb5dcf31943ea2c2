"""What a user names on the command line: images, articles, folders of either, DOIs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagedataextractor.articles.dois import clean_doi
from imagedataextractor.articles.read import articles_among, may_be_article
from imagedataextractor.errors import IdeError, InputError
from imagedataextractor.images import IMAGE_SUFFIXES
from imagedataextractor.records import Failure

__all__ = ["Target", "find_images", "find_targets", "fingerprint", "folder_targets"]


@dataclass(frozen=True)
class Target:
    """One unit of work. ``key`` names it in the database: "doi:…", or the file's absolute path."""

    kind: Literal["article", "image", "doi"]
    key: str
    path: Path | None = None
    doi: str | None = None


def find_targets(paths: Iterable[Path], dois: Iterable[str] = ()) -> tuple[list[Target], list[Failure]]:
    """Everything that the given files, folders and DOIs hold, each once, in order.

    See `folder_targets` for folders. Other files in a folder are passed over; a file named outright is not.

    Returns
    -------
    targets, failures
        A path that cannot be used is a failure, and the rest goes on.
    """
    targets: dict[str, Target] = {}
    failures: list[Failure] = []
    for path in paths:
        try:
            found = _in_path(path)
        except IdeError as error:
            failures.append(Failure("input", str(path), type(error).__name__, str(error)))
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


def _in_path(path: Path) -> list[Target]:
    if path.is_dir():
        return list(folder_targets(path))
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return [_image(path)]
    if may_be_article(path):
        return [_article(path)]
    kinds = ", ".join(sorted(IMAGE_SUFFIXES))
    raise InputError(f"{path}: neither an article (.xml, .html, .pdf, .txt) nor an image ({kinds})")


def folder_targets(folder: Path) -> Iterator[Target]:
    """What a folder holds, found while it is gone through, folder by folder and by name.

    The pictures beside an article are its figures; pictures elsewhere stand for themselves.

    Raises
    ------
    InputError
        There is no such folder, or it holds neither.
    """
    is_empty = True
    for name, folders, files in os.walk(folder):
        folders.sort()
        here = _in_full(Path(name))
        articles = articles_among(here / file for file in sorted(files))
        for target in map(_article, articles) if articles else map(_image, _images_among(here, files)):
            is_empty = False
            yield target
    if is_empty:
        what = "the folder holds neither images nor articles (.xml, .html, .pdf)"
        raise InputError(f"{folder}: {what if folder.is_dir() else 'no such folder'}")


def _images_among(folder: Path, files: Iterable[str]) -> Iterator[Path]:
    for file in sorted(files):
        path = folder / file
        if path.suffix.lower() in IMAGE_SUFFIXES and not file.startswith(".") and path.is_file():
            yield path


def _article(path: Path) -> Target:
    full = _in_full(path)
    return Target("article", str(full), full)


def _image(path: Path) -> Target:
    full = _in_full(path)
    return Target("image", str(full), full)


def _in_full(path: Path) -> Path:
    """The same name for the same file, wherever it is named from: absolute, without "..", links left as they are."""
    return Path(os.path.abspath(path))


def _images_below(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def find_images(path: Path) -> list[Path]:
    """The picture itself, or all pictures in a folder and below, sorted.

    Raises
    ------
    InputError
        No such path, or no picture in the folder.
    """
    if path.is_dir():
        images = _images_below(path)
        if not images:
            raise InputError(f"{path}: the folder holds no images")
        return images
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    return [path]


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
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return hashlib.sha256("".join(map(_state_of, pictures)).encode()).hexdigest()


def _state_of(file: Path) -> str:
    try:
        state = os.stat(file)
    except OSError:
        return ""
    return f"{file.name}:{state.st_size}:{state.st_mtime_ns}\n"
