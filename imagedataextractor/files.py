"""Files written whole or not at all, and locks that processes share: on every system."""

from __future__ import annotations

import codecs
import contextlib
import itertools
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from imagedataextractor.errors import InputError

__all__ = ["decoded", "locked", "parse_toml", "read_toml_text", "replacing", "write_atomically"]


def decoded(content: bytes) -> str:
    """A text as spreadsheets save it: UTF-8, UTF-16 or UTF-32 with their mark, else Windows' own encoding."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def read_toml_text(path: Path) -> str:
    """The text of a TOML file, which is UTF-8; with a byte order mark, as Windows' editors write it, UTF-16 too.

    Raises
    ------
    OSError, UnicodeDecodeError
    """
    content = path.read_bytes()
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    return content.decode(encoding).replace("\r\n", "\n")


#: Lists and tables within each other; no file of ours has more than four.
_DEEPEST = 100


def parse_toml(text: str) -> dict[str, Any]:
    """The content of a TOML text.

    Raises
    ------
    ValueError
        It is no TOML, holds a number that is too long, or is nested deeper than anything that means something.
    """
    deep = f"brackets are nested more than {_DEEPEST} deep"
    # Looked at first: the parser calls itself for every bracket, and runs against the interpreter's limit.
    brackets = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", text))
    if max(itertools.accumulate(brackets), default=0) > _DEEPEST:
        raise ValueError(deep)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError(deep) from None


#: How a text begins, and its encoding; the mark of UTF-32 begins as that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside `path` that takes its place at the end of the block, unless the block raises.

    Raises
    ------
    OSError
        The folder is not there or cannot be written to, or the disk is full.
    """
    # The ending stays: some writers choose the format by it.
    handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp lets only the owner read; a file that others are to use has the usual rights.
        temporary.chmod(_usual_rights())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _usual_rights() -> int:
    """The rights of a new file under the process's mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all; its folder is made where it is missing.

    Raises
    ------
    InputError
        The folder cannot be written to, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs; other processes and threads wait for it.

    Raises
    ------
    InputError
        The folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire()
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be written ({error.strerror or error}); set IDE_CACHE") from error
    try:
        yield
    finally:
        lock.release()
