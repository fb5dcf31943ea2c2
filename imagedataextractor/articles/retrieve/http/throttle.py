"""Space the requests to each service, over all threads and processes that share a folder."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from imagedataextractor.errors import QuotaError
from imagedataextractor.files import locked, write_atomically

__all__ = ["Throttle"]

#: A slot further ahead than this is a left-over of a clock that was set back, seconds.
_MAX_AHEAD_S = 600.0
#: Pause after a spent allowance whose renewal is not announced, seconds.
_UNKNOWN_RESET_S = 3600.0


class Throttle:
    """One small file a service in `folder` holds the time of its next free slot.

    Parameters
    ----------
    folder : Path
        Shared by all processes that should share the pace.
    sleep : function of seconds
    """

    def __init__(self, folder: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        self._folder = folder
        self._sleep = sleep

    @contextlib.contextmanager
    def turn(self, service: str, interval_s: float, *, single: bool = False) -> Iterator[None]:
        """Wait for the next slot of a service; with `single`, also for the end of the request before."""
        with contextlib.ExitStack() as stack:
            if single:
                stack.enter_context(locked(self._path(service, "one")))
            wait_s = self._reserve(service, interval_s)
            if wait_s > 0:
                self._sleep(wait_s)
            yield

    def _reserve(self, service: str, interval_s: float) -> float:
        path = self._path(service, "next")
        with locked(self._path(service, "next-lock")):
            now = time.time()
            content = _text_of(path)
            booked = float(content) if re.fullmatch(r"\d+\.\d+", content) else 0.0
            slot = booked if now <= booked < now + _MAX_AHEAD_S else now
            write_atomically(path, f"{slot + interval_s:.6f}".encode("ascii"))
        return slot - now

    def _path(self, service: str, what: str) -> Path:
        return self._folder / f"{re.sub(r'[^a-z0-9]+', '-', service.lower())}.{what}"

    def close_until(self, service: str, resets_at: float | None) -> None:
        """Note that a service's allowance is spent until a time (seconds since 1970)."""
        until = resets_at or time.time() + _UNKNOWN_RESET_S
        write_atomically(self._path(service, "spent"), f"{until:.0f}".encode("ascii"))

    def check_quota(self, service: str) -> None:
        """Raise `QuotaError` while a service's allowance is spent."""
        content = _text_of(self._path(service, "spent"))
        if content.isdigit() and float(content) > time.time():
            when = datetime.fromtimestamp(float(content), UTC).strftime("%Y-%m-%d %H:%M UTC")
            raise QuotaError(
                f"{service}: its quota is spent, or it pauses; it is renewed at {when}. Run again then",
                float(content),
            )


def _text_of(path: Path) -> str:
    """What a note says; nothing where there is none."""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
