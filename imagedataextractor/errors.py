"""The errors a user can meet.

Every one carries a single line: what is wrong, where, and what to do. The command line prints
that line without a traceback, and a run under way keeps it as a failure row.
"""

from __future__ import annotations

__all__ = ["IdeError", "InputError", "LicenceError", "QuotaError", "ServiceError", "StoreError", "UsageError"]


class IdeError(Exception):
    """Base of all errors that are the input's or the surroundings' fault, not the program's."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))


class InputError(IdeError):
    """A file, image or document that cannot be used."""


class ServiceError(IdeError):
    """A remote service that refused, failed, or answered something that cannot be trusted."""


class QuotaError(ServiceError):
    """The allowance is spent. ``resets_at`` is when it is renewed, seconds since 1970, if known."""

    def __init__(self, message: str, resets_at: float | None = None) -> None:
        super().__init__(message)
        self.resets_at = resets_at


class LicenceError(IdeError):
    """An article under another licence than those asked for."""


class StoreError(IdeError):
    """A database that cannot be opened, read or written."""


class UsageError(IdeError):
    """A request that makes no sense; the command line exits with 2."""
