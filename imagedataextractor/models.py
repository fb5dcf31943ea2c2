"""The models of the stages that come without a choice: which files they are, by their content.

Figures, scale bars and OCR have trained models whose next version gives other rows. Their SHA-256 are part of a
run's provenance and of its settings digest, so that what an older one found is known as stale.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import subprocess
from pathlib import Path

from imagedataextractor.images import sha256_of
from imagedataextractor.resources import resource_path

__all__ = ["stage_models"]

#: Files beside the models that are no models.
_WORDS = frozenset({".md", ".txt"})
#: Seconds that `tesseract` gets to say where its data lies.
_TESSERACT_S = 30


@functools.cache
def stage_models(ocr: str) -> dict[str, str]:
    """Name → SHA-256 of every model of the figures, the scale bar and the OCR engine.

    Parameters
    ----------
    ocr : {"rapidocr", "tesseract", "none"}
        An engine that is not installed has no models; `ocr.load_engine` is the one to say so.
    """
    found = {}
    for stage in ("figures", "scalebar"):
        for path in sorted(resource_path("data", stage).iterdir()):
            if path.is_file() and path.suffix not in _WORDS:
                found[f"{stage}/{path.name}"] = sha256_of(path)
    engines = {"rapidocr": _rapidocr_files, "tesseract": _tesseract_files}
    for path in engines[ocr]() if ocr in engines else ():
        found[f"{ocr}/{path.name}"] = sha256_of(path)
    return found


def _rapidocr_files() -> list[Path]:
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or spec.origin is None:
        return []
    return sorted((Path(spec.origin).parent / "models").glob("*.onnx"))


def _tesseract_files() -> list[Path]:
    """The data of the language it reads by default, from the folder that it names itself."""
    try:
        said = subprocess.run(
            ["tesseract", "--list-langs"], capture_output=True, text=True, timeout=_TESSERACT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    folder = re.search(r'"([^"]+)"', said.stdout + said.stderr)
    data = [] if folder is None else [Path(folder.group(1)) / "eng.traineddata"]
    return [path for path in data if path.is_file()]
