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
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NoReturn

from msgspec import Meta

from imagedataextractor.articles.doi_lists import iterate_doi_list
from imagedataextractor.articles.dois import clean_doi
from imagedataextractor.articles.retrieve.http import Client
from imagedataextractor.articles.search import Query, SearchName, search_to_file
from imagedataextractor.checked import AtLeastOne, Text, checked, line_of
from imagedataextractor.errors import IdeError, InputError, UsageError, printable
from imagedataextractor.files import parse_toml, read_toml_text
from imagedataextractor.settings import (
    ArticleSettings,
    FigureSettings,
    MiningSettings,
    ScaleBarSettings,
    SegmentationSettings,
    Settings,
    apply,
)
from imagedataextractor.targets import Target, folder_targets
from imagedataextractor.telling import Tell, tell_nobody

__all__ = ["Corpus", "Definition", "Targets", "corpus_targets", "load_definition", "search_file"]

_WAYS = ("query", "dois", "dois_file", "folder")
#: A year of publication: no older one is in the indexes, and a later one is a slip.
Year = Annotated[int, Meta(ge=1600, le=2200)]


@dataclass(frozen=True)
class Corpus:
    """Which articles. Exactly one of `query`, `dois`, `dois_file` and `folder` is given.

    ``years`` are the first and the last year of publication, both included; ``licences`` are those
    that an article may stand under, as for `articles.licences.licence_allowed`, empty for any.
    """

    query: str | None = None
    source: SearchName = "europepmc"
    years: Annotated[tuple[Year, Year] | None, Meta(description="[first, last], as [2015, 2024]")] = None
    licences: tuple[Text, ...] = ()
    open_access: bool = False
    journal: str | None = None
    limit: AtLeastOne | None = None
    dois: tuple[Text, ...] = ()
    dois_file: Path | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class _Tables:
    """Settings that a definition may hold; keys, services and the database's address are the user's."""

    figures: FigureSettings = field(default_factory=FigureSettings)
    scalebar: ScaleBarSettings = field(default_factory=ScaleBarSettings)
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    mining: MiningSettings = field(default_factory=MiningSettings)


@dataclass(frozen=True)
class _File:
    """What a definition's file may hold."""

    title: str
    corpus: Corpus
    description: str = ""
    database: str | None = None
    settings: _Tables = field(default_factory=_Tables)


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
        text = read_toml_text(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    try:
        content = parse_toml(text)
    except ValueError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error

    def place(key: str) -> str:
        return f"{path}, line {line_of(text, key)}"

    file = checked(content, _File, place, what="entry")
    return Definition(
        path,
        file.title,
        file.description,
        _sensible(file.corpus, content["corpus"], place, path.parent),
        file.database,
        content.get("settings", {}),
    )


def _sensible(corpus: Corpus, given: Mapping[str, Any], place: Callable[[str], str], folder: Path) -> Corpus:
    """The corpus, where its entries go together; paths in it are taken from `folder`.

    Raises
    ------
    UsageError
        They do not.
    """

    def fail(key: str, message: str) -> NoReturn:
        raise UsageError(f"{place(f'corpus.{key}' if key else 'corpus')}: {message}")

    ways = [name for name in _WAYS if name in given]
    if len(ways) != 1:
        told = f"both {ways[0]} and {ways[1]}" if ways else "none"
        fail(ways[1] if ways else "", f"one of {', '.join(_WAYS)} says what to mine; {told} given")
    for name in ("years", "source", "open_access", "journal"):
        if name in given and corpus.query is None:
            fail(name, f"corpus.{name} narrows a query, and there is none")
    if corpus.years is not None and corpus.years[0] > corpus.years[1]:
        fail("years", f"corpus.years must be [first, last], as [2015, 2024], not {given['years']!r}")
    for name in ("licences", "dois"):
        if name in given and not given[name]:
            fail(name, f"corpus.{name} must be a list of texts, not {given[name]!r}")
    for doi in corpus.dois:
        try:
            clean_doi(doi)
        except IdeError as error:
            fail("dois", str(error))
    return dataclasses.replace(
        corpus,
        dois_file=corpus.dois_file and folder / corpus.dois_file,
        folder=corpus.folder and folder / corpus.folder,
    )


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
