"""Find the files that come with the package: weights, migrations, queries, corpus definitions.

The folders data/, db/ and pipelines/ stand beside the package in the source tree and are installed
as ``imagedataextractor.data``, ``.db`` and ``.pipelines``.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from imagedataextractor.errors import InputError

__all__ = ["resource_path"]


def resource_path(area: str, *parts: str) -> Path:
    """Path of a bundled file or folder.

    Parameters
    ----------
    area : {"data", "db", "pipelines"}
    *parts : str
        Path inside that folder.

    Raises
    ------
    InputError
        It is not there: the installation is incomplete.
    """
    root = importlib.resources.files(f"imagedataextractor.{area}")
    path = Path(str(root.joinpath(*parts)))
    if not path.exists():
        raise InputError(f"{path}: missing from the installation; reinstall imagedataextractor")
    return path
