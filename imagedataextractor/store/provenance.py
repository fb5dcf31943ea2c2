"""What shapes rows, and the digest that stands for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from imagedataextractor.records import Run

__all__ = ["digest_of_run", "settings_digest"]

#: Settings that change which articles a run takes, where and how fast it works, but not what it finds in them.
_NOT_SHAPING = frozenset({"articles", "services", "mining", "keys", "db"})
_NOT_SHAPING_SEGMENTATION = frozenset({"device"})


def digest_of_run(run: Run) -> str:
    """The settings digest of a run; see `settings_digest`."""
    return settings_digest(
        run.settings,
        run.weights_sha256,
        run.seed,
        models=run.models,
        version=run.versions.get("imagedataextractor", ""),
    )


def settings_digest(
    settings: Mapping[str, Any],
    weights_sha256: str,
    seed: int,
    *,
    models: Mapping[str, str] | None = None,
    version: str = "",
) -> str:
    """What a row depends on besides its picture, as 16 hexadecimal digits.

    Two runs of equal digest give the same rows for the same picture; a target that was finished
    under another digest is stale.

    Parameters
    ----------
    settings : mapping
        `Run.settings`: a table a stage. The tables that only say what to work on, where and how
        fast (articles, services, mining) and the device are left out.
    weights_sha256 : str
        Of the segmentation model.
    seed : int
    models : mapping, optional
        Name → SHA-256 of the models of the other stages.
    version : str
        Of this program; what stands behind a "+" (a commit, a date) is left out.
    """
    shaping = {name: value for name, value in settings.items() if name not in _NOT_SHAPING}
    segmentation = shaping.get("segmentation")
    if isinstance(segmentation, Mapping):
        shaping["segmentation"] = {k: v for k, v in segmentation.items() if k not in _NOT_SHAPING_SEGMENTATION}
    known = [shaping, weights_sha256, seed, dict(models or {}), version.partition("+")[0]]
    content = json.dumps(known, sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
