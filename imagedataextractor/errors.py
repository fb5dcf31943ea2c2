"""The errors a user can meet.

Every one carries a single line: what is wrong, where, and what to do. The command line prints
that line without a traceback, and a run under way keeps it as a failure row.
"""

from __future__ import annotations

__all__ = [
    "IdeError",
    "InputError",
    "LicenceError",
    "QuotaError",
    "ServiceError",
    "StoreError",
    "UsageError",
    "printable",
]

#: Codes of the halves of pairs, which are no characters (Unicode), and those in which Python keeps bytes that are no
#: UTF-8, from the byte 0 on (PEP 383).
_SURROGATES, _BYTES = range(0xD800, 0xE000), range(0xDC80, 0xDD00)


def printable(text: object) -> str:
    r"""A text, or a file's name, that every terminal, JSON and database takes.

    The name of a file may hold bytes that are no UTF-8, which Python smuggles through its texts (PEP 383): they are
    written as ``\xe9``.
    """
    plain = str(text)
    try:
        plain.encode()
    except UnicodeEncodeError:
        return "".join(map(_printable, plain))
    return plain


def _printable(character: str) -> str:
    code = ord(character)
    if code in _BYTES:
        return f"\\x{code & 0xFF:02x}"
    return "\ufffd" if code in _SURROGATES else character


class IdeError(Exception):
    """Base of all errors that are the input's or the surroundings' fault, not the program's."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(printable(message).split()))


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
