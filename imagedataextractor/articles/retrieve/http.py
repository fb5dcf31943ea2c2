"""The only place that talks to the network: polite, bounded, and trusting nothing it is sent.

Every request is spaced as its service asks (over all processes that share the cache folder), repeated
after a pause where that may help, and checked before its answer is used: status, length, checksum,
first bytes. Answers go to a temporary name and are renamed when whole. Keys are sent to the service
they belong to and to nobody else, and are taken out of everything that is stored or shown.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import ipaddress
import json
import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, quote_plus, urljoin, urlsplit

import requests
import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from imagedataextractor import __version__
from imagedataextractor.articles.retrieve.cache import DiskCache
from imagedataextractor.articles.retrieve.throttle import Throttle
from imagedataextractor.errors import InputError, ServiceError
from imagedataextractor.settings import Keys, Services

__all__ = ["AccessError", "Answer", "Client", "Kind", "NotFoundError", "Service"]

Kind = Literal["json", "xml", "pdf", "image", "zip", "html", "any"]

#: Longest pause that a service may ask for and get, seconds; beyond it the request fails.
MAX_WAIT_S = 120.0
#: Largest answer taken, bytes, decompressed.
MAX_BYTES = 300_000_000
#: A body must be whole within this many times the connection timeout.
BODY_TIMEOUTS = 20
MAX_REDIRECTS = 6
#: Age at which a cached answer is asked for anew, seconds.
CACHE_AGE_S = 30 * 86_400.0

#: Causes that a third attempt does not mend.
_HOPELESS = ("the server's name cannot be resolved", "network is unreachable", "certificate not accepted")
_AUTHORISING = ("x-els-apikey", "x-els-insttoken", "authorization", "cookie")


class NotFoundError(ServiceError):
    """The service does not have what was asked for."""


class AccessError(ServiceError):
    """The service does not give what was asked for: no key, no licence, no entitlement."""


class _TransientError(Exception):
    """Worth another try; ``wait_s`` is the pause that the service asks for."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


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


@dataclass(frozen=True)
class Answer:
    """A checked answer. Header names are lower case."""

    url: str
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


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
            _origin(getattr(services, name)) for name in vars(services) if "://" in str(getattr(services, name))
        }
        self._trusted = _session(guarded=False)
        self._guarded = _session(guarded=True)

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
        if path.is_file() and (md5 is None or _md5(path.read_bytes()) == md5):
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
        reason, attempt = "no answer", 0
        for attempt in range(max(1, self.services.attempts)):
            try:
                with self._throttle.turn(service.name, service.interval_s, single=service.single):
                    answer = self._once(method, service, full, headers or {}, data)
                _check_body(answer, kind, md5)
                return answer
            except _TransientError as error:
                reason = str(error)
                if reason in _HOPELESS and attempt:
                    break
                if error.wait_s is not None and error.wait_s > MAX_WAIT_S:
                    self._throttle.close_until(service.name, time.time() + error.wait_s)
                    self._throttle.check_quota(service.name)
                if attempt + 1 < self.services.attempts:
                    self._pause(service, attempt, error.wait_s)
        raise ServiceError(self.redact(f"{service.name}: {reason} ({_shown(full)}, {attempt + 1} attempts)"))

    def _pause(self, service: Service, attempt: int, asked_s: float | None) -> None:
        """Wait as long as the service asks; else twice as long each time, with jitter."""
        if asked_s is not None:
            self._sleep(asked_s)
        else:
            self._sleep(self.services.backoff_s * 2**attempt * random.uniform(0.5, 1.5))

    def _once(self, method: str, service: Service, url: str, headers: Mapping[str, str], data: bytes | None) -> Answer:
        """One request with its redirects; `_TransientError` where another try may help."""
        sent = {"User-Agent": self._user_agent(), "Accept-Encoding": "gzip", **headers}
        origin = _origin(url)
        for _ in range(MAX_REDIRECTS):
            session = self._session_for(url, service)
            if _origin(url) != origin:  # keys are for the service alone
                sent = {name: value for name, value in sent.items() if name.lower() not in _AUTHORISING}
            try:
                response = session.request(
                    method,
                    url,
                    headers=sent,
                    data=data,
                    timeout=self.services.timeout_s,
                    stream=True,
                    allow_redirects=False,
                )
                with contextlib.closing(response):
                    target = (
                        response.headers.get("Location") if response.status_code in {301, 302, 303, 307, 308} else None
                    )
                    if not target:
                        return self._judged(service, url, response)
                    url = urljoin(url, target)
                    if response.status_code == 303:
                        method, data = "GET", None
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise _TransientError(_cause(error)) from error
        raise ServiceError(self.redact(f"{service.name}: redirects without end ({_shown(url)})"))

    def _user_agent(self) -> str:
        contact = f"; mailto:{self.services.contact}" if self.services.contact else ""
        return f"imagedataextractor/{__version__} (text and data mining{contact})"

    def _session_for(self, url: str, service: Service) -> requests.Session:
        """The session for a URL: services of the settings may lie anywhere, all else on the public network."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ServiceError(self.redact(f"{service.name}: {_shown(url)} is no web address; refused"))
        if _origin(url) in self._own:
            return self._trusted
        with contextlib.suppress(ValueError):
            _require_public(parts.hostname)
        return self._guarded

    def _judged(self, service: Service, url: str, response: requests.Response) -> Answer:
        status = response.status_code
        headers = {name.lower(): value for name, value in response.headers.items()}
        if status == 200:
            return Answer(url, self._body(response), headers)
        detail = self.redact(_detail(_beginning(response)))
        said = f"{service.name}: HTTP {status}{f', {detail}' if detail else ''} ({self.redact(_shown(url))})"
        if status == 429:
            self._note_quota(service, headers, detail)
            raise _TransientError("HTTP 429, too many requests", _retry_after(headers))
        if status in {202, 408, 425, 500, 502, 503, 504}:
            raise _TransientError(f"HTTP {status}{f', {detail}' if detail else ''}", _retry_after(headers))
        if status in {404, 410}:
            raise NotFoundError(said)
        if status in {401, 402, 403, 407, 451}:
            raise AccessError(said)
        raise ServiceError(said)

    def _note_quota(self, service: Service, headers: Mapping[str, str], detail: str) -> None:
        """Stop asking a service whose allowance is spent, in every process, until it is renewed."""
        spent = "quota" in f"{headers.get('x-els-status', '')} {detail}".lower()
        if not spent:
            return
        resets_at = _reset_time(headers.get("x-ratelimit-reset", ""))
        self._throttle.close_until(service.name, resets_at)
        self._throttle.check_quota(service.name)

    def _body(self, response: requests.Response) -> bytes:
        limit_s = time.monotonic() + BODY_TIMEOUTS * self.services.timeout_s
        pieces: list[bytes] = []
        size = 0
        for piece in response.iter_content(16_384):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BYTES:
                raise ServiceError(f"answer of more than {MAX_BYTES // 1_000_000} MB refused")
            if time.monotonic() > limit_s:
                raise _TransientError("answer too slow")
        body = b"".join(pieces)
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and not response.headers.get("Content-Encoding") and int(announced) != len(body):
            raise _TransientError(f"answer cut off after {len(body)} of {announced} bytes")
        return body


# ---------------------------------------------------------------- connections


def _require_public(host: str) -> None:
    """Refuse an address of the machine's own network; ValueError where `host` is a name."""
    address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    if not (mapped or address).is_global:
        raise ServiceError(f"{host} is an address of the machine's own network; refused")


class _GuardedHTTP(HTTPConnection):
    """Refuses, once connected and before anything is sent, a peer that is not on the public network."""

    def _new_conn(self) -> Any:
        sock = super()._new_conn()
        try:
            _require_public(str(sock.getpeername()[0]))
        except ServiceError:
            sock.close()
            raise
        return sock


class _GuardedHTTPS(HTTPSConnection):
    def _new_conn(self) -> Any:
        sock = super()._new_conn()
        try:
            _require_public(str(sock.getpeername()[0]))
        except ServiceError:
            sock.close()
            raise
        return sock


class _GuardedHTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _GuardedHTTP


class _GuardedHTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPS


class _GuardedAdapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedHTTPPool, "https": _GuardedHTTPSPool}


def _session(*, guarded: bool) -> requests.Session:
    session = requests.Session()
    session.auth = _no_login
    if guarded:
        for scheme in ("http://", "https://"):
            session.mount(scheme, _GuardedAdapter())
    return session


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep `requests` from sending a login out of the user's ~/.netrc."""
    return request


# ---------------------------------------------------------------- answers

_MAGIC: dict[str, tuple[bytes, ...]] = {
    "pdf": (b"%PDF-",),
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "image": (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*", b"BM", b"RIFF", b"II+\0", b"MM\0+"),
}


def _check_body(answer: Answer, kind: Kind, md5: str | None) -> None:
    """Whether an answer is what was asked for, by its bytes rather than by its headers."""
    body = answer.body
    if not body:
        raise _TransientError("empty answer")
    if md5 is not None and _md5(body) != md5:
        raise _TransientError("answer does not have the announced MD5 sum")
    wrong = _wrong_kind(body, kind)
    if wrong:
        raise _TransientError(wrong)


def _wrong_kind(body: bytes, kind: Kind) -> str | None:
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if kind == "json":
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            return f"answer is not JSON but {_looks_like(start)}"
    elif kind == "xml":
        if not start.startswith(b"<") or _looks_like(start) == "an HTML page":
            return f"answer is not XML but {_looks_like(start)}"
    elif kind in _MAGIC:
        if not any(start.startswith(magic) for magic in _MAGIC[kind]):
            return f"answer is not {'an image' if kind == 'image' else 'a ' + kind.upper()} but {_looks_like(start)}"
        if not is_whole(body):
            return "answer is cut off"
    return None


def is_whole(body: bytes) -> bool:
    """Whether a picture, PDF or zip has its end: false for one that was cut off."""
    if body.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" in body[-65_536:]
    if body.startswith(b"\x89PNG"):
        return b"IEND" in body[-65_536:]
    if body.startswith(b"GIF8"):
        return b";" in body[-1024:]
    if body.startswith(b"%PDF-"):
        return b"%%EOF" in body[-65_536:]
    if body.startswith(b"PK"):
        return b"PK\x05\x06" in body[-66_000:]
    return True


def _looks_like(start: bytes) -> str:
    lower = start.lower()
    if b"<html" in lower or b"<!doctype html" in lower:
        return "an HTML page"
    if lower.startswith(b"<"):
        return "XML"
    if lower.startswith((b"{", b"[")):
        return "JSON"
    return "something else"


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _beginning(response: requests.Response) -> bytes:
    try:
        return next(response.iter_content(4096), b"")
    except (requests.RequestException, urllib3.exceptions.HTTPError):
        return b""


def _detail(body: bytes) -> str:
    """What an error answer says, in a few words, where it says it in one of the known forms."""
    text = body.decode("utf-8", "replace")
    for pattern in (
        r'"statusText"\s*:\s*"([^"]+)"',
        r"<statusText>([^<]+)<",
        r'"(?:message|error_message|error-message|error)"\s*:\s*"([^"]+)"',
        r"<(?:Message|message|errMsg)>([^<]+)<",
    ):
        match = re.search(pattern, text)
        if match:
            return " ".join(match[1].split())[:150]
    plain = " ".join(text.split())
    return plain if plain and len(plain) <= 80 and "<" not in plain and "{" not in plain else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from Retry-After as a number or a date; None where there is none."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", value):
        return float(value)
    if value:
        with contextlib.suppress(TypeError, ValueError):
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None


def _reset_time(value: str) -> float | None:
    """X-RateLimit-Reset: seconds since 1970; some services send milliseconds."""
    if not re.fullmatch(r"\d+", value.strip()):
        return None
    number = float(value)
    return number / 1000 if number > 1e11 else number


def _cause(error: BaseException) -> str:
    """Why a connection failed, without the library's layers."""
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return "no answer in time"
    text = str(error)
    if "IncompleteRead" in text or "Connection broken" in text:
        return "connection cut off"
    if "getaddrinfo" in text or "resol" in text.lower() or "name or service" in text.lower():
        return "the server's name cannot be resolved"
    for phrase in ("connection refused", "connection reset", "network is unreachable"):
        if phrase in text.lower():
            return phrase
    return "certificate not accepted" if "certificate" in text.lower() else "connection failed"


# ---------------------------------------------------------------- small things


def _secrets(services: Services, keys: Keys) -> list[str]:
    """Keys and contact address in every form in which they may be written, the longest first."""
    values = [*vars(keys).values(), services.contact]
    forms = {form for value in values if len(value) >= 4 for form in (value, quote(value, safe=""), quote_plus(value))}
    return sorted(forms, key=len, reverse=True)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.scheme, (parts.hostname or "").lower(), port or (443 if parts.scheme == "https" else 80)


def _full_url(url: str, params: Mapping[str, str] | None) -> str:
    try:
        return requests.Request("GET", url, params=params).prepare().url or url
    except (requests.RequestException, UnicodeError) as error:
        raise ServiceError(f"{url[:200]!r} is no web address") from error


def _shown(url: str) -> str:
    """A URL as errors show it: without its query."""
    return url.split("?", 1)[0]


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises
    ------
    InputError
        The folder cannot be written to, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path.parent) as temporary:
            temporary.write_bytes(data)
            os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=".part-", dir=folder)
    os.close(handle)
    path = Path(name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
