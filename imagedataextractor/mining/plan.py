"""Which of many targets are to be worked on: those that are not finished under the settings asked for."""

from __future__ import annotations

import dataclasses
import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from imagedataextractor.mining.units import Unit
from imagedataextractor.records import Article, Figure
from imagedataextractor.store import Store, TargetState
from imagedataextractor.targets import Target, fingerprint

__all__ = ["Plan", "Survey", "without_finished"]

#: Targets whose state is asked of the database at a time.
_CHUNK = 500


@dataclass
class Survey:
    """How many targets are in which state, before anything is done."""

    total: int = 0
    new: int = 0
    done: int = 0
    changed: int = 0
    stale: int = 0
    failed: int = 0
    set_aside: int = 0

    @property
    def to_do(self) -> int:
        return self.total - self.done - self.set_aside

    def lines(self) -> list[str]:
        """The survey in words."""
        parts = [
            (self.done, "finished before, passed over"),
            (self.set_aside, "set aside after killing their workers, passed over (--retry-set-aside)"),
            (self.failed, "failed before: what is missing will be tried again"),
            (self.stale, "finished under other settings or another model: stale, will be done again"),
            (self.changed, "finished, but their files changed: will be done again"),
            (self.new, "new"),
        ]
        width = len(f"{self.total:,}")
        head = f"{self.total:,} target" + ("" if self.total == 1 else "s")
        return [head] + [f"  {count:>{width},} {what}" for count, what in parts if count]


class Plan:
    """Which of many targets are to be worked on. Iterating yields units; no list is kept.

    Parameters
    ----------
    targets : iterable of Target
        Gone through more than once.
    store : Store or None
        None where there is no database yet: then all of them are new.
    digest : str
        The settings digest under which they shall be finished.
    again : bool
        Work on all of them, finished or not.
    retry_set_aside : bool
        Work on those that killed their workers, too.
    """

    def __init__(
        self,
        targets: Iterable[Target],
        store: Store | None,
        digest: str,
        *,
        again: bool = False,
        retry_set_aside: bool = False,
    ) -> None:
        self._targets = targets
        self._store = store
        self._digest = digest
        self._again = again
        self._retry_set_aside = retry_set_aside

    def __iter__(self) -> Iterator[Unit]:
        for target, mark, state in self._states():
            kind = "new" if self._again else self._kind(state, mark)
            if kind == "failed":
                yield Unit(target, mark, self._finished_figures(target))
            elif kind not in ("done", "set aside"):
                yield Unit(target, mark)

    def survey(self) -> Survey:
        """Count the targets by state."""
        found = Survey()
        for _, mark, state in self._states():
            found.total += 1
            kind = "new" if self._again else self._kind(state, mark).replace(" ", "_")
            setattr(found, kind, getattr(found, kind) + 1)
        return found

    def _finished_figures(self, target: Target) -> frozenset[tuple[str, str]]:
        return frozenset() if self._store is None else self._store.finished_figures(target.key, self._digest)

    def _kind(self, state: TargetState | None, mark: str | None) -> str:
        if state is None:
            return "new"
        if state.state == "done" and state.fingerprint != mark:
            return "changed"
        if state.state == "set aside" and self._retry_set_aside:
            return "failed"
        return state.state

    def _states(self) -> Iterator[tuple[Target, str | None, TargetState | None]]:
        seen = _Seen()
        marks: dict[Path, str] = {}
        targets = (target for target in self._targets if seen.is_new(target.key))
        while chunk := list(islice(targets, _CHUNK)):
            keys = [target.key for target in chunk]
            states = {} if self._store is None else self._store.target_states(keys, self._digest)
            for target in chunk:
                yield target, fingerprint(target, marks), states.get(target.key)
            if len(marks) > _CHUNK:  # the targets of a folder come together: no need to know all folders
                marks.clear()


class _Seen:
    """Which keys came already: a list of a million DOIs may name some twice.

    A hash table of 64-bit digests with linear probing, which takes a fifth of the memory of a set.
    """

    def __init__(self) -> None:
        self._slots = array("Q", [0]) * 1024
        self._count = 0

    def is_new(self, key: str) -> bool:
        digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest()
        if not self._add(int.from_bytes(digest) or 1):  # 0 is an empty slot
            return False
        self._count += 1
        if 2 * self._count > len(self._slots):
            full, self._slots = self._slots, array("Q", [0]) * (2 * len(self._slots))
            for number in filter(None, full):
                self._add(number)
        return True

    def _add(self, number: int) -> bool:
        slots, place = self._slots, number % len(self._slots)
        while slots[place]:
            if slots[place] == number:
                return False
            place = (place + 1) % len(slots)
        slots[place] = number
        return True


def without_finished(
    article: Article, finished: frozenset[tuple[str, str]], sha256_of: Callable[[str], str]
) -> Article:
    """The article without the figures all of whose pictures are finished."""
    if not finished:
        return article
    left = tuple(figure for figure in article.figures if not _is_finished(figure, finished, sha256_of))
    return dataclasses.replace(article, figures=left)


def _is_finished(figure: Figure, finished: frozenset[tuple[str, str]], sha256_of: Callable[[str], str]) -> bool:
    labels = [figure.picture_label(position) for position in range(len(figure.graphics))]
    known = {name for name, _ in finished}
    if not figure.graphics or not known.issuperset(labels):
        return False
    try:
        return all(
            (name, sha256_of(graphic)) in finished for name, graphic in zip(labels, figure.graphics, strict=True)
        )
    except OSError:
        return False
