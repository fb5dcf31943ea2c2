"""From a DOI to the full text and the figure files, legally and politely, and once only.

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
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagedataextractor.articles.licences import normalise_licence
from imagedataextractor.articles.read import read_article
from imagedataextractor.articles.read.markup import plain_doi
from imagedataextractor.articles.retrieve import arxiv, crossref, elsevier, europepmc, pmc, springer, unpaywall
from imagedataextractor.articles.retrieve.http import (
    AccessError,
    Client,
    NotFoundError,
    QuotaError,
    write_atomically,
)
from imagedataextractor.articles.retrieve.source import NOT_ITS_OWN, Fetched, Source
from imagedataextractor.errors import IdeError, InputError, ServiceError
from imagedataextractor.settings import Keys, Services

try:
    import fcntl
except ImportError:  # not on Windows: there, two processes may fetch the same article twice
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "SOURCES",
    "AccessError",
    "NotFoundError",
    "QuotaError",
    "RetrievedArticle",
    "clean_doi",
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


def clean_doi(text: str) -> str:
    """A DOI in its bare form, lower case, from "doi:10.1/X" or "https://doi.org/10.1/X".

    Raises
    ------
    InputError
        There is no DOI in the text.
    """
    doi = plain_doi(re.sub(r"%2f", "/", text.strip(), flags=re.IGNORECASE))
    if doi is None or not re.fullmatch(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?10\..*", text.strip(), re.IGNORECASE):
        raise InputError(f"{text.strip()[:100]!r} is no DOI; a DOI looks like 10.3390/molecules25040891")
    return doi


def retrieve(doi: str, *, services: Services, keys: Keys, cache: Path) -> RetrievedArticle:
    """Full text and figures of an article, from the cache or from the first source that has them.

    Parameters
    ----------
    doi : str
        In any usual form.
    services, keys
        From the settings. A source whose key is absent is passed over, and that is said.
    cache : Path
        Folder that keeps everything fetched; a second call for the same DOI makes no request.

    Raises
    ------
    InputError
        `doi` is no DOI, or the cache folder cannot be written.
    QuotaError
        A service's allowance is spent, and no other source has the article.
    ServiceError
        No source has it; the message says what each one answered.
    """
    return retrieve_with(Client(services, keys, cache), doi, cache)


def retrieve_with(client: Client, doi: str, cache: Path, sources: Sequence[Source] | None = None) -> RetrievedArticle:
    """As `retrieve`, with a client of the caller's: for many articles, one after the other."""
    doi = clean_doi(doi)
    folder = _folder_of(doi, cache)
    with _locked(folder):
        kept = _kept(doi, folder)
        if kept is not None:
            return kept
        found = _ask(doi, client, folder, SOURCES if sources is None else sources)
    _prune(cache / "articles", client.services.cache_bytes, folder)
    return found


def _ask(doi: str, client: Client, folder: Path, sources: Sequence[Source]) -> RetrievedArticle:
    attempts: list[tuple[str, str]] = []
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
        except IdeError as error:
            attempts.append((source.name, client.redact(str(error)).removeprefix(f"{source.name}: ")))
            continue
        attempts.append((source.name, value.outcome(fetched)))
        if best is None or value.rank > best_value.rank:
            best, best_value = (source.name, fetched), value
        if value.complete:
            break
    if best is None:
        told = "; ".join(f"{name}: {outcome}" for name, outcome in attempts)
        message = f"{doi}: no source has its full text ({told})"
        raise QuotaError(message, spent.resets_at) if spent is not None else ServiceError(message)
    name, fetched = best
    licence = fetched.licence or normalise_licence(read_article(fetched.article).licence)
    found = RetrievedArticle(
        doi, fetched.article.parent, fetched.article, licence, name, tuple(attempts), fetched.missing
    )
    _keep(found, folder, complete=not (fetched.missing and fetched.retry))
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
    name = (
        readable if readable.replace("_", "/", 1) == doi and len(readable) <= 100 else f"{readable[:80]}-{digest[:8]}"
    )
    return cache / "articles" / digest[:2] / name


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time fetches an article."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".lock").open("w")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error}); set IDE_CACHE") from error
    with stream:
        if fcntl is not None:
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


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


def _prune(articles: Path, max_bytes: int, keep: Path) -> None:
    """Remove the articles unused for longest while all together take more than `max_bytes`."""
    found: list[tuple[float, int, Path]] = []
    for manifest in articles.glob("??/*/retrieved.json"):
        with contextlib.suppress(OSError):
            size = sum(path.stat().st_size for path in manifest.parent.rglob("*") if path.is_file())
            found.append((manifest.stat().st_mtime, size, manifest.parent))
    total = sum(size for _, size, _ in found)
    for used_at, size, folder in sorted(found):
        if total <= max_bytes:
            return
        if folder != keep and time.time() - used_at > _IN_USE_S:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
