"""From a DOI to the full text and the figure files, legally and politely, and once only.

In: a DOI, the services' addresses and keys, a cache folder. Out: the files of the article, and what was tried for them.
The sources are asked in the order of `SOURCES` until one gives the text with the files of every figure
that shows a micrograph; else the one that gave most of them is taken. What was tried, and why it failed, is
kept. The cache is a folder a DOI::

    articles/
        3f/
            10.3390_molecules25040891/
                retrieved.json          what was fetched, from where, and what was tried
                pmc-open-data/
                    PMC7070767.xml
                    molecules-25-00891-g001.jpg
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagedataextractor.articles.dois import clean_doi
from imagedataextractor.articles.licences import normalise_licence, require_licence
from imagedataextractor.articles.read import read_article
from imagedataextractor.articles.retrieve import arxiv, crossref, elsevier, europepmc, pmc, springer, unpaywall
from imagedataextractor.articles.retrieve.http import (
    AccessError,
    Client,
    NotFoundError,
    UnreachableError,
)
from imagedataextractor.articles.retrieve.source import NOT_ITS_OWN, Fetched, Source
from imagedataextractor.errors import IdeError, QuotaError, ServiceError
from imagedataextractor.files import locked, write_atomically
from imagedataextractor.settings import Keys, Services

__all__ = [
    "SOURCES",
    "AccessError",
    "NotFoundError",
    "RetrievedArticle",
    "retrieve",
    "retrieve_with",
]

#: Where full texts come from, best first. A new source is one module and one line here.
SOURCES: tuple[Source, ...] = (
    pmc.SOURCE,
    europepmc.SOURCE,
    springer.SOURCE,
    elsevier.SOURCE,
    crossref.SOURCE,
    unpaywall.SOURCE,
    arxiv.SOURCE,
)

#: An article that was used within this time is not pruned from the cache, seconds.
_IN_USE_S = 86_400.0
#: Pruning leaves this share of the bound, and where too little could go, waits until the cache has grown by
#: this factor: looking through all of it is paid for by what was fetched since the last time.
_KEPT_SHARE, _GROWTH = 0.8, 1.25
#: Longest DOI that is the name of its folder, characters, and what is kept of a longer one before the digest.
_LONGEST_NAME, _KEPT_OF_NAME = 100, 80


@dataclass(frozen=True)
class RetrievedArticle:
    """An article in the cache.

    Attributes
    ----------
    folder : Path
        Holds the article file and its figures.
    article_file : Path
        The full text, for `read_article`.
    licence : str or None
    source : str
        Name of the source that gave it.
    attempts : tuple of (source, outcome)
        Everything that was tried, in order.
    missing : tuple of str
        Figure files that the text names and no source gave.
    """

    doi: str
    folder: Path
    article_file: Path
    licence: str | None
    source: str
    attempts: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()


def retrieve(
    doi: str, *, services: Services, keys: Keys, cache: Path, licences: Sequence[str] = ()
) -> RetrievedArticle:
    """Full text and figures of an article, from the cache or from the first source that has them.

    Parameters
    ----------
    doi : str
        In any usual form.
    services, keys
        From the settings. A source whose key is absent is passed over, and that is said.
    cache : Path
        Folder that keeps everything fetched; a second call for the same DOI makes no request.
    licences : sequence of str
        Those that the article may stand under, as for `licence_allowed`; empty for any. Where the metadata
        tell the licence, an article under another one is not downloaded.

    Raises
    ------
    InputError
        `doi` is no DOI, or the cache folder cannot be written.
    LicenceError
        The article stands under none of `licences`.
    QuotaError
        A service's allowance is spent, and no other source has the article.
    ServiceError
        No source has it; the message says what each one answered.
    """
    return retrieve_with(Client(services, keys, cache), doi, cache, licences=licences)


def retrieve_with(
    client: Client,
    doi: str,
    cache: Path,
    sources: Sequence[Source] | None = None,
    *,
    licences: Sequence[str] = (),
) -> RetrievedArticle:
    """As `retrieve`, with a client of the caller's: for many articles, one after the other."""
    doi = clean_doi(doi)
    folder = _folder_of(doi, cache)
    with locked(folder / ".lock"):  # one process at a time fetches an article
        found = _kept(doi, folder)
        if found is None:
            if licences:
                require_licence(doi, _registered_licence(doi, client), licences, unknown_too=True)
            before = _size_of(folder)
            found = _ask(doi, client, folder, SOURCES if sources is None else sources)
            _bound(cache / "articles", client.services.cache_bytes, folder, _size_of(folder) - before)
    require_licence(doi, found.licence, licences)
    return found


def _registered_licence(doi: str, client: Client) -> str | None:
    """The licence that Europe PMC or else Crossref knows an article by; None where neither tells."""
    for find in (europepmc.find, crossref.find):
        with contextlib.suppress(ServiceError):
            licence = find(doi, client).licence
            if licence is not None:
                return licence
    return None


def _ask(doi: str, client: Client, folder: Path, sources: Sequence[Source]) -> RetrievedArticle:
    attempts: list[tuple[str, str]] = []
    answered, unreachable = False, ""
    best: tuple[str, Fetched] | None = None
    best_value = _Value(0, 0, 0)
    spent: QuotaError | None = None
    for source in sources:
        reason = source.declines(doi, client.services, client.keys)
        if reason == NOT_ITS_OWN:
            continue
        if reason is not None:
            attempts.append((source.name, reason))
            continue
        try:
            fetched = source.fetch(doi, client, folder / _slug(source.name))
            value = _Value.of(fetched)
        except QuotaError as error:
            spent = error
            attempts.append((source.name, client.redact(str(error)).removeprefix(f"{source.name}: ")))
            continue
        except UnreachableError as error:
            unreachable = error.cause
            attempts.append((source.name, error.cause))
            continue
        except IdeError as error:
            answered = True
            attempts.append((source.name, client.redact(str(error)).removeprefix(f"{source.name}: ")))
            continue
        attempts.append((source.name, value.outcome(fetched)))
        if best is None or value.rank > best_value.rank:
            best, best_value = (source.name, fetched), value
        if value.complete:
            break
    if best is None:
        told = "; ".join(f"{name}: {outcome}" for name, outcome in attempts)
        if unreachable and not answered and spent is None:
            raise ServiceError(f"{doi}: no service can be reached ({unreachable}); is this machine online? ({told})")
        message = f"{doi}: no source has its full text ({told})"
        raise QuotaError(message, spent.resets_at) if spent is not None else ServiceError(message)
    name, fetched = best
    licence = fetched.licence or normalise_licence(read_article(fetched.article).licence)
    found = RetrievedArticle(
        doi, fetched.article.parent, fetched.article, licence, name, tuple(attempts), fetched.missing
    )
    waiting = spent is not None and not best_value.complete
    _keep(found, folder, complete=not (waiting or (fetched.missing and fetched.retry)))
    return found


@dataclass(frozen=True)
class _Value:
    """What a full text is worth to us: its figures, and of those with micrographs the ones at hand."""

    figures: int
    em_figures: int
    em_lacking: int

    @classmethod
    def of(cls, fetched: Fetched) -> _Value:
        figures = read_article(fetched.article).figures
        em_figures = [figure for figure in figures if figure.facts.is_em]
        return cls(len(figures), len(em_figures), sum(bool(figure.missing) for figure in em_figures))

    @property
    def complete(self) -> bool:
        return self.figures > 0 and self.em_lacking == 0

    @property
    def rank(self) -> tuple[bool, bool, int]:
        return self.figures > 0, self.complete, self.em_figures - self.em_lacking

    def outcome(self, fetched: Fetched) -> str:
        lacking = f", {len(fetched.missing)} figure files missing" if fetched.missing else ""
        return f"full text with {self.figures} figures{lacking}"


# ---------------------------------------------------------------- the cache of articles


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _folder_of(doi: str, cache: Path) -> Path:
    digest = hashlib.sha256(doi.encode()).hexdigest()
    readable = re.sub(r"[^a-z0-9.()-]+", "_", doi)
    # Two DOIs may look alike once cleaned, or be too long for a file name: the digest keeps them apart.
    is_plain = readable.replace("_", "/", 1) == doi and len(readable) <= _LONGEST_NAME
    name = readable if is_plain else f"{readable[:_KEPT_OF_NAME]}-{digest[:8]}"
    return cache / "articles" / digest[:2] / name


def _keep(found: RetrievedArticle, folder: Path, *, complete: bool) -> None:
    content = {
        "doi": found.doi,
        "article": found.article_file.relative_to(folder).as_posix(),
        "licence": found.licence,
        "source": found.source,
        "attempts": found.attempts,
        "missing": found.missing,
        "complete": complete,
        "retrieved_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    write_atomically(folder / "retrieved.json", json.dumps(content, indent=1, ensure_ascii=False).encode())


def _kept(doi: str, folder: Path) -> RetrievedArticle | None:
    """The article as it was retrieved before; None where it was not, or a fault left it incomplete."""
    path = folder / "retrieved.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        article = folder / str(content["article"])
        usable = content["doi"] == doi and content["complete"] and article.is_file()
        if not usable:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # when it was last used, for `_prune`
        return RetrievedArticle(
            doi,
            article.parent,
            article,
            content["licence"],
            str(content["source"]),
            tuple((str(name), str(outcome)) for name, outcome in content["attempts"]),
            tuple(content["missing"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _size_of(folder: Path) -> int:
    """Bytes of all files in a folder and below."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    return size


def _bound(articles: Path, max_bytes: int, keep: Path, grown: int) -> None:
    """Note that the cache has grown, and prune it where it has passed its bound.

    ``articles/.size`` holds the bytes of all articles, the bytes at which they are looked through next,
    and when they were looked through last.
    """
    noted = articles / ".size"
    with locked(articles / ".size-lock"):
        total, next_look, looked_at = _numbers(noted) or (math.inf, 0.0, 0.0)
        total += grown
        due = total > next_look or time.time() - looked_at > _IN_USE_S
        if total > max_bytes and due:
            total = _prune(articles, max_bytes, keep)
            looked_at = time.time()
            next_look = max(max_bytes, _GROWTH * total)
        write_atomically(noted, f"{total:.0f} {next_look:.0f} {looked_at:.0f}".encode("ascii"))


def _numbers(path: Path) -> tuple[float, float, float] | None:
    try:
        match = re.fullmatch(r"(\d+) (\d+) (\d+)", path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError):
        return None
    return (float(match[1]), float(match[2]), float(match[3])) if match else None


def _prune(articles: Path, max_bytes: int, keep: Path) -> int:
    """Remove the articles unused for longest where all take more than `max_bytes`; the bytes that are left."""
    found: list[tuple[float, int, Path]] = []
    for folder in articles.glob("??/*"):
        manifest = folder / "retrieved.json"
        with contextlib.suppress(OSError):
            used = manifest if manifest.is_file() else folder
            found.append((used.stat().st_mtime, _size_of(folder), folder))
    total = sum(size for _, size, _ in found)
    wanted = max_bytes if total <= max_bytes else _KEPT_SHARE * max_bytes
    for used_at, size, folder in sorted(found):
        if total <= wanted:
            break
        if folder != keep and time.time() - used_at > _IN_USE_S:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
    return total
