"""Connections: to the services of the settings wherever they lie, to all else on the public network only."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from imagedataextractor.errors import ServiceError

__all__ = ["HOPELESS", "cause_of", "origin_of", "require_public", "session"]

#: Causes that a third attempt does not mend.
HOPELESS = ("the server's name cannot be resolved", "network is unreachable", "certificate not accepted")


def require_public(host: str) -> None:
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
            require_public(str(sock.getpeername()[0]))
        except ServiceError:
            sock.close()
            raise
        return sock


class _GuardedHTTPS(HTTPSConnection):
    def _new_conn(self) -> Any:
        sock = super()._new_conn()
        try:
            require_public(str(sock.getpeername()[0]))
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


def session(*, guarded: bool) -> requests.Session:
    """A session without the user's logins; a guarded one refuses peers that are not on the public network."""
    made = requests.Session()
    made.auth = _no_login
    if guarded:
        for scheme in ("http://", "https://"):
            made.mount(scheme, _GuardedAdapter())
    return made


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep `requests` from sending a login out of the user's ~/.netrc."""
    return request


def cause_of(error: BaseException) -> str:
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


_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.scheme, (parts.hostname or "").lower(), port or _DEFAULT_PORTS.get(parts.scheme, 80)
