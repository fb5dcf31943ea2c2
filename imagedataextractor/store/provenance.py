"""Which settings shape the rows, and the digest that stands for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["settings_digest"]

#: Settings that change which articles a run takes, where and how fast it works, but not what it finds in them.
_NOT_SHAPING = frozenset({"articles", "services", "mining", "keys", "db"})
_NOT_SHAPING_SEGMENTATION = frozenset({"device"})


def settings_digest(settings: Mapping[str, Any], weights_sha256: str, seed: int) -> str:
    """What a row depends on besides its picture, as 16 hexadecimal digits.

    Two runs of equal digest give the same rows for the same picture; a target that was finished
    under another digest is stale. The program's own version is left out on purpose: a new release
    does not make a corpus stale by itself.

    Parameters
    ----------
    settings : mapping
        `Run.settings`: a table a stage. The tables that only say what to work on, where and how
        fast (articles, services, mining) and the device are left out.
    weights_sha256 : str
        Of the segmentation model.
    seed : int
    """
    shaping = {name: value for name, value in settings.items() if name not in _NOT_SHAPING}
    segmentation = shaping.get("segmentation")
    if isinstance(segmentation, Mapping):
        shaping["segmentation"] = {k: v for k, v in segmentation.items() if k not in _NOT_SHAPING_SEGMENTATION}
    content = json.dumps([shaping, weights_sha256, seed], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
