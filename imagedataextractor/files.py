"""Files written whole or not at all, and locks that processes share: on every system."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from imagedataextractor.errors import InputError

__all__ = ["locked", "replacing", "write_atomically"]


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
