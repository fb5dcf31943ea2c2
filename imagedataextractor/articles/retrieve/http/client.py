"""The client: requests spaced, repeated and checked, for all sources."""

from __future__ import annotations

import contextlib
import hashlib
import http
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urljoin, urlsplit

import requests
import urllib3

from imagedataextractor import __version__
from imagedataextractor.articles.retrieve.http.answers import (
    Answer,
    Kind,
    beginning,
    check_body,
    detail,
    md5_of,
    read_body,
    reset_time,
    retry_after,
)
from imagedataextractor.articles.retrieve.http.cache import DiskCache
from imagedataextractor.articles.retrieve.http.connections import HOPELESS, cause_of, origin_of, require_public, session
from imagedataextractor.articles.retrieve.http.errors import (
    AccessError,
    NotFoundError,
    TransientError,
    UnreachableError,
)
from imagedataextractor.articles.retrieve.http.throttle import Throttle
from imagedataextractor.errors import ServiceError
from imagedataextractor.files import write_atomically
from imagedataextractor.settings import Keys, Services

__all__ = ["Client", "Service"]

#: Longest pause that a service may ask for and get, seconds; beyond it the request fails.
MAX_WAIT_S = 120.0
#: A body must be whole within this many times the connection timeout.
BODY_TIMEOUTS = 20
MAX_REDIRECTS = 6
#: Age at which a cached answer is asked for anew, seconds.
CACHE_AGE_S = 30 * 86_400.0
#: Shortest key that is looked for in what is stored and shown: a shorter one would hide common words.
_MIN_SECRET_CHARS = 4
_AUTHORISING = ("x-els-apikey", "x-els-insttoken", "authorization", "cookie")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Answers that another try may mend; 202 is given by services that still prepare what was asked for.
_PASSING = frozenset({202, 408, 425, 500, 502, 503, 504})
_GONE = frozenset({404, 410})
_REFUSED = frozenset({401, 402, 403, 407, 451})


@dataclass(frozen=True)
class Service:
    """A service and the pace it asks for.

    Attributes
    ----------
    name : str
        As shown to the user.
    base : str
        Its base URL, from the settings.
    interval_s : float
        Shortest time between the starts of two requests.
    single : bool
        One request at a time.
    """

    name: str
    base: str
    interval_s: float = 0.1
    single: bool = False

    def url(self, path: str) -> str:
        return f"{self.base.rstrip('/')}/{path.lstrip('/')}"


class Client:
    """Sends requests for all sources.

    Parameters
    ----------
    services : Services
        Base URLs, contact address, timeouts and attempts.
    keys : Keys
        Only to take them out of what is stored and shown; a source sends its own key itself.
    cache : Path
        Folder of the HTTP cache and of the files that space requests over processes.
    sleep : function of seconds
        Called for every pause.
    """

    def __init__(
        self, services: Services, keys: Keys, cache: Path, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.services = services
        self.keys = keys
        self._sleep = sleep
        self._cache = DiskCache(cache / "http", services.cache_bytes // 10)
        self._throttle = Throttle(cache / "pace", sleep)
        self._secrets = _secrets(services, keys)
        self._own = {
            origin_of(getattr(services, name)) for name in vars(services) if "://" in str(getattr(services, name))
        }
        self._trusted = session(guarded=False)
        self._guarded = session(guarded=True)

    # ------------------------------------------------------------ what sources call

    def get(
        self,
        service: Service,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        kind: Kind = "any",
        max_age_s: float = CACHE_AGE_S,
    ) -> Answer:
        """A checked answer, from the cache where it is there and fresh.

        Raises
        ------
        NotFoundError, AccessError, QuotaError, ServiceError
            In words for the user, without keys.
        """
        return self._cached("GET", service, url, params, headers, None, kind, max_age_s)

    def put_json(
        self,
        service: Service,
        url: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        max_age_s: float = CACHE_AGE_S,
    ) -> Answer:
        """As `get`, for services that take a search as a PUT of JSON."""
        data = json.dumps(body, sort_keys=True).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self._cached("PUT", service, url, None, sent, data, "json", max_age_s)

    def download(
        self,
        service: Service,
        url: str,
        path: Path,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        kind: Kind = "any",
        md5: str | None = None,
    ) -> Path:
        """Fetch a file to `path` unless it is there; written whole or not at all.

        Raises
        ------
        NotFoundError, AccessError, QuotaError, ServiceError
            As `get`; also where the file is not of its kind or not the one with this MD5 sum.
        """
        if path.is_file() and (md5 is None or md5_of(path.read_bytes()) == md5):
            return path
        answer = self._send("GET", service, url, params, headers, None, kind, md5)
        write_atomically(path, self._redacted_bytes(answer.body) if kind in {"xml", "json", "html"} else answer.body)
        return path

    def redact(self, text: str) -> str:
        """A text without the keys and the contact address."""
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return re.sub(r"((?:api_?key|insttoken|email|mailto)=)[^&\s\"'<>]+", r"\1[hidden]", text, flags=re.IGNORECASE)

    # ------------------------------------------------------------ the request

    def _cached(
        self,
        method: str,
        service: Service,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        kind: Kind,
        max_age_s: float,
    ) -> Answer:
        full = _full_url(url, params)
        accept = (headers or {}).get("Accept", "")
        key = "\n".join((method, self.redact(full), accept, hashlib.sha256(data or b"").hexdigest()))
        kept = self._cache.get(key, max_age_s)
        if kept is not None:
            return Answer(self.redact(full), kept[1], kept[0])
        answer = self._send(method, service, url, params, headers, data, kind, None)
        body = self._redacted_bytes(answer.body) if kind in {"xml", "json", "html"} else answer.body
        answer = Answer(self.redact(answer.url), body, answer.headers)
        self._cache.put(key, dict(answer.headers), body)
        return answer

    def _redacted_bytes(self, body: bytes) -> bytes:
        """An answer without the keys that it echoes."""
        for secret in self._secrets:
            body = body.replace(secret.encode(), b"[hidden]")
        return body

    def _send(
        self,
        method: str,
        service: Service,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        kind: Kind,
        md5: str | None,
    ) -> Answer:
        full = _full_url(url, params)
        self._throttle.check_quota(service.name)
        reason, attempt, connected = "no answer", 0, False
        for attempt in range(max(1, self.services.attempts)):
            try:
                with self._throttle.turn(service.name, service.interval_s, single=service.single):
                    answer = self._once(method, service, full, headers or {}, data)
                check_body(answer, kind, md5)
                return answer
            except TransientError as error:
                reason, connected = str(error), connected or error.connected
                if reason in HOPELESS and attempt:
                    break
                if error.wait_s is not None and error.wait_s > MAX_WAIT_S:
                    self._throttle.close_until(service.name, time.time() + error.wait_s)
                    self._throttle.check_quota(service.name)
                if attempt + 1 < self.services.attempts:
                    self._pause(attempt, error.wait_s)
        said = self.redact(f"{service.name}: {reason} ({_shown(full)}, {attempt + 1} attempts)")
        raise ServiceError(said) if connected else UnreachableError(said, reason)

    def _pause(self, attempt: int, asked_s: float | None) -> None:
        """Wait as long as the service asks; else twice as long each time, with jitter."""
        if asked_s is not None:
            self._sleep(asked_s)
        else:
            self._sleep(self.services.backoff_s * 2**attempt * random.uniform(0.5, 1.5))

    def _once(self, method: str, service: Service, url: str, headers: Mapping[str, str], data: bytes | None) -> Answer:
        """One request with its redirects; `TransientError` where another try may help."""
        sent = {"User-Agent": self._user_agent(), "Accept-Encoding": "gzip", **headers}
        origin = origin_of(url)
        for _ in range(MAX_REDIRECTS):
            chosen = self._session_for(url, service)
            if origin_of(url) != origin:  # keys are for the service alone
                sent = {name: value for name, value in sent.items() if name.lower() not in _AUTHORISING}
            try:
                response = chosen.request(
                    method,
                    url,
                    headers=sent,
                    data=data,
                    timeout=self.services.timeout_s,
                    stream=True,
                    allow_redirects=False,
                )
                with contextlib.closing(response):
                    target = response.headers.get("Location") if response.status_code in _REDIRECTS else None
                    if not target:
                        return self._judged(service, url, response)
                    url = urljoin(url, target)
                    if response.status_code == http.HTTPStatus.SEE_OTHER:
                        method, data = "GET", None
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise TransientError(cause_of(error), connected=False) from error
        raise ServiceError(self.redact(f"{service.name}: redirects without end ({_shown(url)})"))

    def _user_agent(self) -> str:
        contact = f"; mailto:{self.services.contact}" if self.services.contact else ""
        return f"imagedataextractor/{__version__} (text and data mining{contact})"

    def _session_for(self, url: str, service: Service) -> requests.Session:
        """The session for a URL: services of the settings may lie anywhere, all else on the public network."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ServiceError(self.redact(f"{service.name}: {_shown(url)} is no web address; refused"))
        if origin_of(url) in self._own:
            return self._trusted
        with contextlib.suppress(ValueError):
            require_public(parts.hostname)
        return self._guarded

    def _judged(self, service: Service, url: str, response: requests.Response) -> Answer:
        status = response.status_code
        headers = {name.lower(): value for name, value in response.headers.items()}
        if status == http.HTTPStatus.OK:
            return Answer(url, read_body(response, BODY_TIMEOUTS * self.services.timeout_s), headers)
        told = self.redact(detail(beginning(response)))
        said = f"{service.name}: HTTP {status}{f', {told}' if told else ''} ({self.redact(_shown(url))})"
        if status == http.HTTPStatus.TOO_MANY_REQUESTS:
            self._note_quota(service, headers, told)
            raise TransientError("HTTP 429, too many requests", retry_after(headers))
        if status in _PASSING:
            raise TransientError(f"HTTP {status}{f', {told}' if told else ''}", retry_after(headers))
        if status in _GONE:
            raise NotFoundError(said)
        if status in _REFUSED:
            raise AccessError(said)
        raise ServiceError(said)

    def _note_quota(self, service: Service, headers: Mapping[str, str], told: str) -> None:
        """Stop asking a service whose allowance is spent, in every process, until it is renewed."""
        spent = "quota" in f"{headers.get('x-els-status', '')} {told}".lower()
        if not spent:
            return
        resets_at = reset_time(headers.get("x-ratelimit-reset", ""))
        self._throttle.close_until(service.name, resets_at)
        self._throttle.check_quota(service.name)


def _secrets(services: Services, keys: Keys) -> list[str]:
    """Keys and contact address in every form in which they may be written, the longest first."""
    values = [*vars(keys).values(), services.contact]
    forms = {
        form
        for value in values
        if len(value) >= _MIN_SECRET_CHARS
        for form in (value, quote(value, safe=""), quote_plus(value))
    }
    return sorted(forms, key=len, reverse=True)


def _full_url(url: str, params: Mapping[str, str] | None) -> str:
    try:
        return requests.Request("GET", url, params=params).prepare().url or url
    except (requests.RequestException, UnicodeError) as error:
        raise ServiceError(f"{url[:200]!r} is no web address") from error


def _shown(url: str) -> str:
    """A URL as errors show it: without its query."""
    return url.split("?", 1)[0]
