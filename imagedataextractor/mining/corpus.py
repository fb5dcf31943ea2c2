"""Corpus definitions: a TOML file that says which articles to mine, with which settings, into which database.

::

    title = "Gold nanoparticles"
    database = "sqlite:///gold.db"          # optional; --db and IDE_DB come first

    [corpus]                                # exactly one of query, dois, dois_file, folder
    query = '"gold nanoparticles" AND TEM'
    source = "europepmc"
    years = [2015, 2024]
    licences = ["CC BY", "CC0"]
    limit = 1000

    [settings.segmentation]                 # any table of the configuration file but keys and services
    mode = "filtered"

Every mistake is told with the number of the line it is in.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from imagedataextractor.articles.doi_lists import iterate_doi_list
from imagedataextractor.articles.dois import clean_doi
from imagedataextractor.articles.retrieve.http import Client
from imagedataextractor.articles.search import SEARCHES, Query, search_to_file
from imagedataextractor.errors import IdeError, InputError, UsageError, printable
from imagedataextractor.settings import ArticleSettings, Settings, apply
from imagedataextractor.targets import Target, folder_targets
from imagedataextractor.telling import Tell, tell_nobody

__all__ = ["Corpus", "Definition", "Targets", "corpus_targets", "load_definition", "search_file"]

_TOP = {"title": str, "description": str, "database": str, "corpus": dict, "settings": dict}
_CORPUS: dict[str, type] = {
    "query": str,
    "source": str,
    "years": list,
    "licences": list,
    "open_access": bool,
    "journal": str,
    "limit": int,
    "dois": list,
    "dois_file": str,
    "folder": str,
}
_WAYS = ("query", "dois", "dois_file", "folder")
#: Settings that a definition may hold; keys, services and the database's address are the user's.
_TABLES = ("figures", "scalebar", "segmentation", "mining")


@dataclass(frozen=True)
class Corpus:
    """Which articles. Exactly one of `query`, `dois`, `dois_file` and `folder` is given.

    ``years`` are the first and the last year of publication, both included; ``licences`` are those
    that an article may stand under, as for `articles.licences.licence_allowed`, empty for any.
    """

    query: str | None = None
    source: str = "europepmc"
    years: tuple[int, int] | None = None
    licences: tuple[str, ...] = ()
    open_access: bool = False
    journal: str | None = None
    limit: int | None = None
    dois: tuple[str, ...] = ()
    dois_file: Path | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class Definition:
    """A corpus with how to mine it. ``settings`` are laid over the user's; see `with_settings`."""

    path: Path
    title: str
    description: str
    corpus: Corpus
    database: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def with_settings(self, settings: Settings) -> Settings:
        """The user's settings with the definition's over them; its licences hold for the articles themselves, too."""
        laid = apply(settings, self.settings, where=str(self.path))
        if self.corpus.licences:
            laid = dataclasses.replace(laid, articles=ArticleSettings(self.corpus.licences))
        return laid if self.database is None else dataclasses.replace(laid, db=self.database)


def load_definition(path: Path) -> Definition:
    """Read and check a definition.

    Paths in it are relative to the file.

    Raises
    ------
    InputError
        There is no such file, or it cannot be read.
    UsageError
        Something in it is wrong; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    checker = _Checker(path, text)
    checker.check_table(content, _TOP, "")
    for name in ("title", "corpus"):
        if name not in content:
            raise UsageError(f"{path}: {name} is missing")
    settings = content.get("settings", {})
    for table in settings:
        if table not in _TABLES:
            checker.fail(f"settings.{table}", f"no settings are called {table!r} here; there are: {', '.join(_TABLES)}")
    checker.check_settings(settings)
    return Definition(
        path,
        content["title"],
        content.get("description", ""),
        _corpus(content["corpus"], checker, path.parent),
        content.get("database"),
        settings,
    )


class _Checker:
    """Knows where in the file a key stands."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def fail(self, key: str, message: str) -> None:
        raise UsageError(f"{self._path}, line {self._line_of(key)}: {message}")

    def check_table(self, content: Mapping[str, Any], known: Mapping[str, type], prefix: str) -> None:
        for name, value in content.items():
            full = f"{prefix}{name}"
            if name not in known:
                self.fail(full, f"{full} is unknown here; there are: {', '.join(known)}")
            right = isinstance(value, known[name]) and not (known[name] is int and isinstance(value, bool))
            if not right:
                kinds = {bool: "true or false", str: "text", int: "a whole number", list: "a list", dict: "a table"}
                self.fail(full, f"{full} must be {kinds[known[name]]}, not {value!r}")

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Each value by itself, so that the message can name its line."""
        for table, values in settings.items():
            if not isinstance(values, Mapping):
                self.fail(f"settings.{table}", f"settings.{table} must be a table")
            for name, value in values.items():
                try:
                    apply(Settings(), {table: {name: value}}, where="")
                except UsageError as error:
                    self.fail(f"settings.{table}.{name}", str(error).removeprefix(": "))

    def _line_of(self, key: str) -> int:
        """The line that a dotted key is set in; that of its table, or 1, where it cannot be told."""
        table, _, name = key.rpartition(".")
        current, best = "", 1
        for number, line in enumerate(self._lines, 1):
            header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
            if header:
                current = re.sub(r"[\s\"']", "", header[1])
                if current == key or current.startswith(f"{key}."):
                    return number
                if current == table:
                    best = number
                continue
            found = re.match(r"\s*([\w.\"' -]+?)\s*=", line)
            if found:
                set_here = ".".join(filter(None, (current, re.sub(r"[\s\"']", "", found[1]))))
                if set_here == key or (set_here == table and name in line):
                    return number
        return best


def _corpus(content: Mapping[str, Any], checker: _Checker, folder: Path) -> Corpus:
    checker.check_table(content, _CORPUS, "corpus.")
    ways = [name for name in _WAYS if name in content]
    if len(ways) != 1:
        told = f"both {ways[0]} and {ways[1]}" if ways else "none"
        checker.fail(
            f"corpus.{ways[1]}" if ways else "corpus", f"one of {', '.join(_WAYS)} says what to mine; {told} given"
        )
    for name in ("years", "source", "open_access", "journal"):
        if name in content and "query" not in content:
            checker.fail(f"corpus.{name}", f"corpus.{name} narrows a query, and there is none")
    source = content.get("source", "europepmc")
    if source not in SEARCHES:
        checker.fail("corpus.source", f"corpus.source must be one of {', '.join(SEARCHES)}, not {source!r}")
    return Corpus(
        query=content.get("query"),
        source=source,
        open_access=content.get("open_access", False),
        journal=content.get("journal"),
        years=_years(content, checker),
        licences=_texts(content, "licences", checker),
        limit=_limit(content, checker),
        dois=_dois(content, checker),
        dois_file=folder / content["dois_file"] if "dois_file" in content else None,
        folder=folder / content["folder"] if "folder" in content else None,
    )


def _years(content: Mapping[str, Any], checker: _Checker) -> tuple[int, int] | None:
    if "years" not in content:
        return None
    years = content["years"]
    whole = len(years) == 2 and all(isinstance(year, int) and not isinstance(year, bool) for year in years)
    if not whole or not 1600 <= years[0] <= years[1] <= 2200:
        checker.fail("corpus.years", f"corpus.years must be [first, last], as [2015, 2024], not {years!r}")
    return years[0], years[1]


def _texts(content: Mapping[str, Any], name: str, checker: _Checker) -> tuple[str, ...]:
    values = content.get(name, [])
    if not all(isinstance(value, str) and value.strip() for value in values) or (name in content and not values):
        checker.fail(f"corpus.{name}", f"corpus.{name} must be a list of texts, not {values!r}")
    return tuple(values)


def _dois(content: Mapping[str, Any], checker: _Checker) -> tuple[str, ...]:
    dois = _texts(content, "dois", checker)
    for doi in dois:
        try:
            clean_doi(doi)
        except IdeError as error:
            checker.fail("corpus.dois", str(error))
    return dois


def _limit(content: Mapping[str, Any], checker: _Checker) -> int | None:
    limit = content.get("limit")
    if limit is not None and limit < 1:
        checker.fail("corpus.limit", f"corpus.limit must be at least 1, not {limit}")
    return limit


class Targets(Iterable[Target]):
    """Targets made as they are asked for, as often as they are: a corpus of a million is never held in memory.

    Parameters
    ----------
    source : function
        Goes through them from the beginning.
    limit : int, optional
        Only the first so many.
    """

    def __init__(self, source: Callable[[], Iterable[Target]], limit: int | None = None) -> None:
        self._source = source
        self._limit = limit

    def __iter__(self) -> Iterator[Target]:
        return islice(self._source(), self._limit)


def _doi_target(doi: str) -> Target:
    return Target("doi", f"doi:{doi.lower()}", doi=doi.lower())


def corpus_targets(corpus: Corpus, settings: Settings, cache: Path, tell: Tell = tell_nobody) -> Targets:
    """The targets of a corpus.

    A query is searched for once; its result is kept in the cache, and what an interrupted search
    found is gone on from. Lists and folders are read while the targets are gone through.

    Parameters
    ----------
    corpus : Corpus
    settings : Settings
    cache : Path
    tell : function of str, optional
        Is told how far a search has come.

    Raises
    ------
    IdeError
        The search failed, or the folder holds nothing. A list that cannot be read raises when it
        is gone through.
    """
    if corpus.folder is not None:
        return Targets(_Folder(corpus.folder, tell), corpus.limit)
    if corpus.query is not None or corpus.dois_file is not None:
        file = corpus.dois_file or _searched(corpus, settings, cache, tell)
        listed = _Listed(file, tell)
        return Targets(lambda: map(_doi_target, listed), corpus.limit)
    return Targets(lambda: map(_doi_target, map(clean_doi, corpus.dois)), corpus.limit)


class _Folder:
    """The targets of a folder; what is passed over is told of when it has been gone through for the first time."""

    def __init__(self, folder: Path, tell: Tell) -> None:
        self._folder = folder
        self._tell = tell
        self._told: set[Path] = set()

    def __call__(self) -> Iterator[Target]:
        return folder_targets(self._folder, self._passed_over)

    def _passed_over(self, path: Path, why: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self._tell(f"{printable(path)}: passed over, {why}")


class _Listed:
    """The DOIs of a file; the lines without one are told of when it has been gone through for the first time."""

    #: Lines told one by one; of more the number is told.
    _SHOWN, _SHOWN_CHARS = 20, 40

    def __init__(self, file: Path, tell: Tell) -> None:
        self._file = file
        self._tell: Tell | None = tell

    def __iter__(self) -> Iterator[str]:
        shown: list[str] = []
        count = 0

        def missing(line: int, text: str) -> None:
            nonlocal count
            count += 1
            if count <= self._SHOWN:
                shown.append(f"{line} ({textwrap.shorten(text, self._SHOWN_CHARS, placeholder='…')!r})")

        yield from iterate_doi_list(self._file, missing)
        if count and self._tell is not None:
            lines = f"{', '.join(shown)}{f' and {count - len(shown):,} more' if count > len(shown) else ''}"
            self._tell(f"{self._file}: {count:,} without a DOI, passed over: line {lines}")
        self._tell = None


def search_file(corpus: Corpus, cache: Path) -> Path:
    """Where the result of a corpus's query is kept."""
    words = [corpus.query, corpus.source, corpus.years, corpus.licences, corpus.open_access, corpus.journal]
    return cache / "searches" / f"{hashlib.sha256(repr(words).encode()).hexdigest()[:16]}.tsv"


def _searched(corpus: Corpus, settings: Settings, cache: Path, tell: Tell) -> Path:
    """The file with what was found."""
    assert corpus.query is not None
    first, last = corpus.years or (None, None)
    query = Query(corpus.query, first, last, corpus.licences, corpus.open_access, corpus.journal)
    file = search_file(corpus, cache)
    file.parent.mkdir(parents=True, exist_ok=True)
    client = Client(settings.services, settings.keys, cache)

    def progress(found: int, total: int | None) -> None:
        tell(f"{corpus.source}: {found:,} articles" + ("" if total is None else f" of {total:,} before filters"))

    search_to_file(query, corpus.source, client, file, limit=corpus.limit, progress=progress)
    return file
