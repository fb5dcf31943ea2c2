"""What can go wrong with a request, told apart by what to do about it."""

from __future__ import annotations

from imagedataextractor.errors import ServiceError

__all__ = ["AccessError", "NotFoundError", "TransientError", "UnreachableError"]


class NotFoundError(ServiceError):
    """The service does not have what was asked for."""


class AccessError(ServiceError):
    """The service does not give what was asked for: no key, no licence, no entitlement."""


class UnreachableError(ServiceError):
    """No connection to the service: the machine may be offline. ``cause`` says why in a few words."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class TransientError(Exception):
    """Worth another try; ``wait_s`` is the pause that the service asks for.

    ``connected`` is False where no answer came because there was no connection.
    """

    def __init__(self, reason: str, wait_s: float | None = None, *, connected: bool = True) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.connected = connected
