"""How a function says what it passes over and how far it has come: to a function of its caller, or to nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["PassedOver", "Tell", "tell_nobody"]

#: Is told something in a line.
Tell = Callable[[str], None]
#: Is told of each file that is passed over, and why.
PassedOver = Callable[[Path, str], None]


def tell_nobody(*_: object) -> None:
    """Where nobody asks."""
