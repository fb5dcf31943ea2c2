"""Values as both databases take them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from imagedataextractor.errors import printable
from imagedataextractor.records import Box

__all__ = ["as_json", "box_json", "box_list", "now", "number", "text", "text_or_none"]


def now() -> str:
    """The time as the database keeps it: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def text(value: object) -> str:
    """Text that both databases take: no NUL characters, no lone surrogates."""
    return printable(value).replace("\0", "")


def text_or_none(value: object | None) -> str | None:
    return None if value is None else text(value)


def number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def box_list(box: Box) -> list[int]:
    return [int(box.x0), int(box.y0), int(box.x1), int(box.y1)]


def box_json(box: Box | None) -> str | None:
    return None if box is None else as_json(box_list(box))


def as_json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: no NumPy types, null for what is not finite."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)
