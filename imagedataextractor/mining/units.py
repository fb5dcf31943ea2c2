"""What passes between the coordinator of a bulk run and its workers: units of work, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from imagedataextractor.errors import IdeError, QuotaError
from imagedataextractor.mining.executors import WorkerLostError
from imagedataextractor.records import Failure
from imagedataextractor.store import PackedArticle
from imagedataextractor.targets import Target

__all__ = ["Ending", "Outcome", "Unit", "Work"]

#: Characters of an unforeseen error's message that are kept.
_DETAIL_CHARACTERS = 200


class Ending(StrEnum):
    """What became of a target. The values are the states under which the database knows it."""

    DONE = "done"
    FAILED = "failed"
    #: It killed the workers that tried it.
    SET_ASIDE = "set aside"
    #: Neither done nor failed: a service's spent quota keeps it back.
    WAITING = "waiting"


@dataclass(frozen=True)
class Unit:
    """A target to work on, and what of it is finished already.

    ``finished`` holds label and SHA-256 of pictures that need no second look.
    """

    target: Target
    fingerprint: str | None = None
    finished: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """What a worker returns: a packed result, or why there is none, and what it took.

    ``without_result`` says what becomes of the target where there is no result.
    """

    packed: PackedArticle | None = None
    failure: Failure | None = None
    read_s: float = 0.0
    extract_s: float = 0.0
    without_result: Ending = Ending.FAILED

    @classmethod
    def of_error(cls, stage: str, target: str, error: BaseException) -> Outcome:
        """No result, because of an error: of the input, of a service, of the workers, or of the program."""
        if isinstance(error, QuotaError):
            ending = Ending.WAITING
        elif isinstance(error, WorkerLostError):
            ending = Ending.SET_ASIDE
        else:
            ending = Ending.FAILED
        told = str(error)
        if not isinstance(error, IdeError | WorkerLostError):  # a fault of the program, not of the input
            told = f"{target}: {type(error).__name__}: {' '.join(told.split())[:_DETAIL_CHARACTERS]}"
        return cls(failure=Failure(stage, target, type(error).__name__, told), without_result=ending)

    @property
    def ending(self) -> Ending:
        if self.packed is None:
            return self.without_result
        return Ending.FAILED if self.packed.result.failures else Ending.DONE

    @property
    def failures(self) -> tuple[Failure, ...]:
        if self.packed is not None:
            return self.packed.result.failures
        return () if self.failure is None else (self.failure,)

    @property
    def particles(self) -> int:
        if self.packed is None:
            return 0
        return sum(len(panel.particles) for figure in self.packed.result.figures for panel in figure.panels)


class Work(Protocol):
    """What a worker does with a unit; must be picklable."""

    def __call__(self, unit: Unit, /) -> Outcome: ...

    def probe(self) -> None:
        """Do a little of everything, on no article: a worker that dies of this can do none."""
