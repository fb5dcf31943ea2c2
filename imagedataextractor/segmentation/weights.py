"""Weights of segmentation networks as files: safetensors with what one must know in the header.

A model is named, and its file is looked for in this order: a path given as such; the weights that
come with the package (``data/weights/NAME.safetensors``); the user's cache
(``CACHE/models/NAME.safetensors``), where fetched and imported models are kept. Nothing is ever
unpickled here.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from imagedataextractor.errors import InputError
from imagedataextractor.files import replacing
from imagedataextractor.images import sha256_of
from imagedataextractor.resources import resource_path
from imagedataextractor.segmentation.inference_settings import InferenceSettings
from imagedataextractor.segmentation.judge import Judge
from imagedataextractor.settings import cache_dir

__all__ = [
    "FORMAT_VERSION",
    "ModelFile",
    "WeightsInfo",
    "cached_path",
    "find_weights",
    "list_models",
    "load_judge",
    "load_weights",
    "read_info",
    "save_weights",
]

SUFFIX = ".safetensors"
#: The entry of the safetensors header that holds `WeightsInfo`, as JSON.
_KEY = "imagedataextractor-weights"
#: Raised when a reader of the older version would misread the newer file.
FORMAT_VERSION = 2
#: Models that are another's weights with other defaults: name → (whose, what differs).
_VARIANTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "bpartis-2021-native": ("bpartis-2021", {"rules": "published-native"}),
}
#: Tensors of a file whose name begins so belong to the judge of proposals, not to the network.
_JUDGE = "judge."
#: Models that are not bundled but can be had, and how.
_FETCHABLE = {"bpartis-2021": "run `ide model fetch bpartis-2021` once to download it (98 MB)"}


@dataclass(frozen=True)
class WeightsInfo:
    """What the header of a weights file says.

    Attributes
    ----------
    name : str
        The model's name.
    architecture : str
        Which network the tensors belong to: "erfnet" (the paper's), "lite0", …
    licence : str
        SPDX identifier, "unknown" where it is not known.
    origin : str
        Where the weights come from, in one line.
    inference : InferenceSettings
        The model's own settings; "defaults" in the header.
    judge : mapping or None
        What `judge.Judge.header` gives; its arrays lie beside the network's.
    training : mapping
        Data, split, seed, command, hours, hardware, scores: whatever the training wrote down.
    licence_text : str
        The licence notice in full where it must travel with the weights.
    companion, companion_sha256 : str
        Name and SHA-256 of the model that is asked beside this one (`companion`); empty for none.
    """

    name: str
    architecture: str
    licence: str = "unknown"
    origin: str = ""
    inference: InferenceSettings = field(default_factory=InferenceSettings)
    judge: Mapping[str, Any] | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    licence_text: str = ""
    companion: str = ""
    companion_sha256: str = ""
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class ModelFile:
    """A model at hand. ``source`` is "bundled", "cache" or "path"."""

    name: str
    path: Path
    source: str
    info: WeightsInfo
    sha256: str

    def as_dict(self) -> dict[str, object]:
        """Everything that its header says, as plain values."""
        info = self.info
        return {
            "name": self.name,
            "source": self.source,
            "path": str(self.path),
            "sha256": self.sha256,
            "architecture": info.architecture,
            "licence": info.licence,
            "origin": info.origin,
            "defaults": info.inference.to_header(),
            "calibrated": info.judge is not None,
            "training": dict(info.training),
            "licence_text": info.licence_text,
            "companion": info.companion,
        }


def save_weights(path: str | Path, tensors: Mapping[str, Tensor], info: WeightsInfo, judge: Judge | None = None) -> str:
    """Write a network's tensors, its header and its judge, all or nothing; returns the file's SHA-256.

    Raises
    ------
    InputError
        The folder cannot be written to.
    """
    path = Path(path)
    # One entry only: safetensors writes several in no fixed order, and the same weights must make
    # the same file, whose SHA-256 every run records.
    header = {_KEY: json.dumps(_header(info, judge), sort_keys=True)}
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    if judge is not None:
        plain |= {f"{_JUDGE}{key}": torch.tensor(value) for key, value in judge.to_tensors().items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:  # a stopped download leaves no half model
            save_file(plain, partial, metadata=header)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: the weights cannot be written ({error})") from error
    return sha256_of(path)


def read_info(path: str | Path) -> WeightsInfo:
    """The header of a weights file, without its tensors.

    Raises
    ------
    InputError
        Not there, not safetensors, not written by this project, or by a newer version of it.
    """
    path = _existing(path)
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise InputError(_not_safetensors(path, error)) from error
    return _info(path, header)


def load_weights(name: str | Path) -> tuple[WeightsInfo, dict[str, Tensor]]:
    """Header and tensors of a model, by name or by path; half-precision tensors come as float32.

    Raises
    ------
    InputError
        As `find_weights` and `read_info`.
    """
    path = find_weights(name)
    try:
        with safe_open(path, framework="pt") as file:
            info = _info(path, file.metadata() or {})
            names = [key for key in file.keys() if not key.startswith(_JUDGE)]  # noqa: SIM118 - it is no mapping
            tensors = {key: file.get_tensor(key) for key in names}
    except (OSError, SafetensorError) as error:
        raise InputError(_not_safetensors(path, error)) from error
    if str(name) in _VARIANTS:
        inference = dataclasses.replace(info.inference, **_VARIANTS[str(name)][1])
        info = dataclasses.replace(info, name=str(name), inference=inference)
    return info, {key: _single(value) for key, value in tensors.items()}


def load_judge(name: str | Path) -> Judge | None:
    """The judge of proposals in a weights file; None where none was fitted to these weights.

    Raises
    ------
    InputError
        As `load_weights`, or the judge is damaged.
    """
    path = find_weights(name)
    try:
        with safe_open(path, framework="np") as file:
            header = _info(path, file.metadata() or {}).judge
            if header is None:
                return None
            names = [key for key in file.keys() if key.startswith(_JUDGE)]  # noqa: SIM118 - it is no mapping
            arrays = {key.removeprefix(_JUDGE): file.get_tensor(key) for key in names}
    except (OSError, SafetensorError) as error:
        raise InputError(_not_safetensors(path, error)) from error
    try:
        return Judge.from_parts(header, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: the judge of proposals in the weights is damaged ({error})") from error


def find_weights(name: str | Path) -> Path:
    """Where the weights of a model lie.

    Parameters
    ----------
    name : str or Path
        A model's name, or the path of a .safetensors file.

    Raises
    ------
    InputError
        There is no such model here; the message says which there are and how to get the others.
    """
    text = str(name)
    if isinstance(name, Path) or text.endswith(SUFFIX) or os.sep in text:
        return _existing(text)
    text = _VARIANTS[text][0] if text in _VARIANTS else text
    for folder in (_bundled_folder(), models_folder()):
        path = folder / f"{text}{SUFFIX}" if folder else None
        if path is not None and path.is_file():
            return path
    if text in _FETCHABLE:
        raise InputError(f"model {text!r} is not on this machine: {_FETCHABLE[text]}")
    known = ", ".join(sorted({p.stem for p, _ in _files()} | set(_FETCHABLE)))
    raise InputError(f"no model is called {text!r}; known here: {known} (`ide model list`), or give a {SUFFIX} file")


def list_models() -> list[ModelFile]:
    """Every model at hand, bundled ones first, then by name; a bundled one hides a cached namesake."""
    found: dict[str, ModelFile] = {}
    for path, source in _files():
        if path.stem not in found:
            found[path.stem] = ModelFile(path.stem, path, source, read_info(path), sha256_of(path))
    return list(found.values())


def models_folder() -> Path:
    """The user's folder of fetched and imported models; it need not exist."""
    return cache_dir() / "models"


def cached_path(name: str) -> Path:
    """Where a model of this name is kept in the user's cache."""
    return models_folder() / f"{name}{SUFFIX}"


def _files() -> list[tuple[Path, str]]:
    folders = [(_bundled_folder(), "bundled"), (models_folder(), "cache")]
    return [
        (path, source)
        for folder, source in folders
        if folder is not None and folder.is_dir()
        for path in sorted(folder.glob(f"[!.]*{SUFFIX}"))
    ]


def _bundled_folder() -> Path | None:
    try:
        return resource_path("data", "weights")
    except InputError:  # an installation without weights: the models of the cache still work
        return None


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights file")
    return path


def _not_safetensors(path: Path, error: Exception) -> str:
    hint = "; `ide model import` takes the published checkpoint" if path.suffix in {".pt", ".pth", ".whl"} else ""
    return f"{path}: not a safetensors file ({error}){hint}"


def _info(path: Path, header: Mapping[str, str]) -> WeightsInfo:
    if _KEY not in header:
        raise InputError(f"{path}: not a weights file of this project (its header has no {_KEY!r})")
    try:
        values = json.loads(header[_KEY])
        version = int(values["format_version"])
        if version > FORMAT_VERSION:
            raise InputError(f"{path}: weights format {version} is newer than this version reads; upgrade")
        values["inference"] = InferenceSettings.from_header(values.pop("defaults", {}))
        # Before format 2 there was another calibration, of proposals of a single scale.
        values.pop("calibration", None)
        return WeightsInfo(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: the header of the weights is damaged ({error})") from error


def _header(info: WeightsInfo, judge: Judge | None) -> dict[str, Any]:
    values = {**dataclasses.asdict(info), "format_version": FORMAT_VERSION}
    values["defaults"] = values.pop("inference")
    values["judge"] = None if judge is None else judge.header()
    return values


def _single(value: Tensor) -> Tensor:
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
