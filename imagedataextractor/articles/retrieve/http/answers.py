"""Answers: read within bounds, and checked by their bytes before anything is made of them."""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import requests
import urllib3

from imagedataextractor.articles.retrieve.http.errors import TransientError
from imagedataextractor.errors import ServiceError

__all__ = [
    "Answer",
    "Kind",
    "beginning",
    "check_body",
    "detail",
    "is_whole",
    "md5_of",
    "read_body",
    "reset_time",
    "retry_after",
]

Kind = Literal["json", "xml", "pdf", "image", "zip", "html", "any"]

#: Largest answer taken, bytes, decompressed.
MAX_BYTES = 300_000_000
_PIECE_BYTES = 16_384
#: Bytes at an answer's beginning by which its kind is told, and that an error is told from.
_START_BYTES, _ERROR_BYTES = 1024, 4096
#: Bytes at the end of a file in which its end mark must stand: some have a comment or padding behind it.
_END_BYTES = 66_000
#: Characters of an error page that are taken for a message.
_MAX_MESSAGE_CHARS = 80
#: X-RateLimit-Reset is in seconds, of some services in milliseconds: this many seconds are in the year 5138.
_MILLISECONDS = 1e11


@dataclass(frozen=True)
class Answer:
    """A checked answer. Header names are lower case."""

    url: str
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


def read_body(response: requests.Response, limit_s: float) -> bytes:
    """The body of an answer, whole within `limit_s` seconds and no larger than allowed.

    Raises
    ------
    TransientError
        It is slow or cut off.
    ServiceError
        It is too large.
    """
    ends = time.monotonic() + limit_s
    pieces: list[bytes] = []
    size = 0
    for piece in response.iter_content(_PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            raise ServiceError(f"answer of more than {MAX_BYTES // 1_000_000} MB refused")
        if time.monotonic() > ends:
            raise TransientError("answer too slow")
    body = b"".join(pieces)
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and not response.headers.get("Content-Encoding") and int(announced) != len(body):
        raise TransientError(f"answer cut off after {len(body)} of {announced} bytes")
    return body


_MAGIC: dict[str, tuple[bytes, ...]] = {
    "pdf": (b"%PDF-",),
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "image": (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*", b"BM", b"RIFF", b"II+\0", b"MM\0+"),
}


def check_body(answer: Answer, kind: Kind, md5: str | None) -> None:
    """Whether an answer is what was asked for, by its bytes rather than by its headers."""
    body = answer.body
    if not body:
        raise TransientError("empty answer")
    if md5 is not None and md5_of(body) != md5:
        raise TransientError("answer does not have the announced MD5 sum")
    wrong = _wrong_kind(body, kind)
    if wrong:
        raise TransientError(wrong)


def _wrong_kind(body: bytes, kind: Kind) -> str | None:
    start = body[:_START_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
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
        return b"\xff\xd9" in body[-_END_BYTES:]
    if body.startswith(b"\x89PNG"):
        return b"IEND" in body[-_END_BYTES:]
    if body.startswith(b"GIF8"):
        return b";" in body[-_START_BYTES:]
    if body.startswith(b"%PDF-"):
        return b"%%EOF" in body[-_END_BYTES:]
    if body.startswith(b"PK"):
        return b"PK\x05\x06" in body[-_END_BYTES:]
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


def md5_of(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def beginning(response: requests.Response) -> bytes:
    try:
        return next(response.iter_content(_ERROR_BYTES), b"")
    except (requests.RequestException, urllib3.exceptions.HTTPError):
        return b""


def detail(body: bytes) -> str:
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
    return plain if plain and len(plain) <= _MAX_MESSAGE_CHARS and "<" not in plain and "{" not in plain else ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from Retry-After as a number or a date; None where there is none."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", value):
        return float(value)
    if value:
        with contextlib.suppress(TypeError, ValueError):
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None


def reset_time(value: str) -> float | None:
    """X-RateLimit-Reset: seconds since 1970; some services send milliseconds."""
    if not re.fullmatch(r"\d+", value.strip()):
        return None
    number = float(value)
    return number / 1000 if number > _MILLISECONDS else number
