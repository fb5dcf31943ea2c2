"""How far a bulk run is, and who is told: a line on a terminal, plain lines elsewhere, JSON lines in a file."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from imagedataextractor.errors import InputError
from imagedataextractor.mining.units import Ending, Outcome
from imagedataextractor.records import Failure

__all__ = ["Counts", "Log", "Progress", "Shown", "describe", "duration", "make_progress"]

#: Seconds between two lines: where the line is drawn over itself, and where each one stays.
_ON_TERMINAL_S, _PLAIN_S = 0.2, 30.0
#: Width of a terminal that does not say how wide it is; enough for a whole line.
_COLUMNS = 200
#: The rate is that of the last so many seconds, so that the estimate follows changes.
_RATE_S = 120.0
#: Below this rate (a second) it is given a minute.
_FAST = 10
#: Targets named in a line.
_NAMED = 4
#: Up to so many seconds, and so many hours, a time is given in the smaller unit.
_SECONDS, _HOURS = 90, 48
_HOUR_MIN, _DAY_MIN = 60, 1440
#: Past counts that a rate needs: where it was, and where it is.
_LEAST_PAST = 2


@dataclass
class Counts:
    """How far a run is."""

    total: int = 0
    skipped: int = 0
    retrieved: int = 0
    extracted: int = 0
    done: int = 0
    failed: int = 0
    set_aside: int = 0
    #: Articles that a service's spent quota keeps back: neither done nor failed; and when it is renewed at
    #: the latest, seconds since 1970 (0 where no service said).
    waiting: int = 0
    resume_at: float = 0.0
    figures: int = 0
    panels: int = 0
    particles: int = 0
    lost_workers: int = 0
    #: Seconds that workers spent on reading articles, and on extracting particles from them.
    read_s: float = 0.0
    extract_s: float = 0.0

    @property
    def written(self) -> int:
        return self.done + self.failed + self.set_aside

    def add(self, outcome: Outcome) -> None:
        """Count what became of a target."""
        match outcome.ending:
            case Ending.DONE:
                self.done += 1
            case Ending.FAILED:
                self.failed += 1
            case Ending.SET_ASIDE:
                self.set_aside += 1
            case Ending.WAITING:
                self.waiting += 1
        self.read_s += outcome.read_s
        self.extract_s += outcome.extract_s
        if outcome.packed is not None:
            figures = outcome.packed.result.figures
            self.figures += len(figures)
            self.panels += sum(panel.segmentation is not None for figure in figures for panel in figure.panels)
            self.particles += outcome.particles


class Progress(Protocol):
    """Is told how far the run is, several times a second, and of every failure."""

    def update(self, counts: Counts) -> None: ...

    def failed(self, failure: Failure) -> None: ...

    def stopping(self, targets: Sequence[str]) -> None:
        """The run was asked to stop, and finishes these."""


class Log:
    """Events as JSON lines, each with the time and the run's id; nothing where there is no file.

    Raises
    ------
    InputError
        The file cannot be written.
    """

    def __init__(self, path: Path | None, run_id: str) -> None:
        self._run_id = run_id
        self._file: IO[str] | None = None
        if path is not None:
            try:
                self._file = path.open("a", encoding="utf-8")
            except OSError as error:
                raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error

    def write(self, event: str, **values: Any) -> None:
        if self._file is None:
            return
        time_ = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": time_, "run": self._run_id, "event": event, **values}
        try:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:  # a full disk: the run matters more than its log
            print(f"ide: the log cannot be written any more ({error.strerror or error})", file=sys.stderr)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


class Shown(logging.Handler):
    """Progress on a stream: total, stages, rate, time left, failures so far; warnings of the program as well."""

    def __init__(self, log: Log, stream: IO[str], *, terminal: bool) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._stream = stream
        self._terminal = terminal
        self._width = 0
        self._drawn = self._logged = float("-inf")
        self._latest: Counts | None = None
        self._past: list[tuple[float, int]] = []

    def __enter__(self) -> Self:
        logging.getLogger("imagedataextractor").addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("imagedataextractor").removeHandler(self)
        if self._terminal and self._latest is not None:
            self._draw(self._latest, time.monotonic())
            self._write("\n")

    def update(self, counts: Counts) -> None:
        now = time.monotonic()
        self._latest = counts
        if now - self._drawn >= (_ON_TERMINAL_S if self._terminal else _PLAIN_S):
            self._draw(counts, now)
        if now - self._logged >= _PLAIN_S:
            self._logged = now
            self._log.write("progress", done=counts.done, failed=counts.failed, particles=counts.particles)

    def _draw(self, counts: Counts, now: float) -> None:
        if not self._past or counts.written != self._past[-1][1]:
            self._past.append((now, counts.written))
        while len(self._past) > _LEAST_PAST and now - self._past[0][0] > _RATE_S:
            self._past.pop(0)
        line = describe(counts, self._rate(now))
        self._drawn = now
        if self._terminal:
            line = line[: self._columns() - 1]  # a line that is broken cannot be drawn over
            self._write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._write(f"ide: {line}\n")

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _COLUMNS
        except (AttributeError, OSError, ValueError):
            return _COLUMNS

    def failed(self, failure: Failure) -> None:
        self._log.write(
            "failure", stage=failure.stage, target=failure.target, error=failure.error_class, message=failure.message
        )
        self._say(failure.message)

    def stopping(self, targets: Sequence[str]) -> None:
        named = ", ".join(targets[:_NAMED]) + (" …" if len(targets) > _NAMED else "")
        what = f"{len(targets)} article{'s' * (len(targets) != 1)} in flight ({named})" if targets else "up"
        self._say(f"stopping: finishing {what}, which may take minutes; Ctrl-C again stops at once")
        self._log.write("stopping", targets=list(targets))

    def emit(self, record: logging.LogRecord) -> None:
        """A warning of the program's own, as that a worker was lost."""
        message = record.getMessage()
        self._log.write("warning", message=message)
        self._say(message)

    def _say(self, text: str) -> None:
        """A line that stays, above the one that is drawn over."""
        line = f"ide: {text}"
        self._write(f"\r{line.ljust(self._width)}\n" if self._terminal else f"{line}\n")

    def _rate(self, now: float) -> float | None:
        """Targets a second, lately; None before the first was written."""
        (since, before), (_, written) = self._past[0], self._past[-1]
        return (written - before) / (now - since) if written > before and now > since else None

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            self._terminal = False  # nobody reads any more; the run goes on


def describe(counts: Counts, rate: float | None) -> str:
    """One line: how far the run is."""
    begun = counts.skipped + counts.written + counts.waiting
    share = 100 * begun // counts.total if counts.total else 100
    parts = [
        f"{begun:,}/{counts.total:,} ({share} %)",
        *([f"{counts.retrieved:,} retrieved"] if counts.retrieved else []),
        f"{counts.extracted:,} extracted",
        f"{counts.written:,} written",
        f"{counts.particles:,} particles",
        f"{counts.failed + counts.set_aside:,} failed",
        *([f"{counts.waiting:,} wait for a quota"] if counts.waiting else []),
    ]
    if rate:
        left = (counts.total - begun) / rate
        parts.append(f"{rate * 60:.1f}/min" if rate < _FAST else f"{rate:.0f}/s")
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time in the two largest units that matter, as 42 s, 3 min, 5 h 10 min, 2 d 4 h."""
    minutes = round(seconds / 60)
    if seconds < _SECONDS:
        return f"{seconds:.0f} s"
    if minutes < _HOUR_MIN:
        return f"{minutes} min"
    if minutes < _HOURS * _HOUR_MIN:
        return f"{minutes // _HOUR_MIN} h {minutes % _HOUR_MIN} min"
    return f"{minutes // _DAY_MIN} d {minutes % _DAY_MIN // _HOUR_MIN} h"


def make_progress(log: Log) -> Shown:
    """Progress on stderr, as fits what it is."""
    return Shown(log, sys.stderr, terminal=sys.stderr.isatty())
