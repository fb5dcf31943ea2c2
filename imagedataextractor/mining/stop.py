"""Ask a bulk run to stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["StopRequest"]


class StopRequest:
    """Ctrl-C, twice: the first asks to finish what is in flight, the second stops at once."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self._count += 1
        if self._count > 1:
            raise KeyboardInterrupt

    def __bool__(self) -> bool:
        return self._count > 0

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listen to Ctrl-C and to SIGTERM, by which batch systems announce the end of a job."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
