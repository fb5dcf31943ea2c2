"""A bounded cache of HTTP answers on disk: the least recently used go first."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagedataextractor.files import replacing

__all__ = ["DiskCache"]

#: Share of the bound that is kept when the cache is pruned.
_KEPT = 0.8


class DiskCache:
    """Answers by key, in files sharded by hash.

    A file holds one line of JSON (the headers), a line feed, and the body. A cache that cannot be
    written is an inconvenience and no error: the answer is fetched again next time.

    Parameters
    ----------
    folder : Path
    max_bytes : int
        Bound of all files together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._size: int | None = None

    def _path(self, key: str) -> Path:
        digest = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / digest[:2] / digest[2:]

    def get(self, key: str, max_age_s: float) -> tuple[Mapping[str, str], bytes] | None:
        """Headers and body, unless absent or older than `max_age_s`."""
        path = self._path(key)
        try:
            head, _, body = path.read_bytes().partition(b"\n")
            headers: dict[str, Any] = json.loads(head)
        except (OSError, ValueError):
            return None
        stored_at = headers.pop("_stored", 0.0)
        if headers.pop("_length", None) != len(body) or time.time() - stored_at > max_age_s:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # when it was last used, for `_prune`
        return headers, body

    def put(self, key: str, headers: Mapping[str, str], body: bytes) -> None:
        head = json.dumps({**headers, "_length": len(body), "_stored": time.time()}).encode()
        path = self._path(key)
        if len(body) > self._max_bytes * _KEPT:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                temporary.write_bytes(head + b"\n" + body)
        except OSError:
            return
        self._size = (self._size if self._size is not None else self._measured()) + len(body)
        if self._size > self._max_bytes:
            self._prune()

    def _measured(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self._folder.glob("??/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return sorted(found)

    def _prune(self) -> None:
        files = self._files()
        size = sum(entry[1] for entry in files)
        for _, length, path in files:
            if size <= self._max_bytes * _KEPT:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                size -= length
        self._size = size
