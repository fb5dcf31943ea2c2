"""What a worker process of a bulk run does with one target: read it, extract it, pack the result.

Models and engines are loaded once a process. A micrograph that was segmented before, in whatever
article or run, is not segmented again: segmentations are kept in the cache by the content of the
picture.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from imagedataextractor import __version__
from imagedataextractor.errors import IdeError
from imagedataextractor.files import replacing
from imagedataextractor.images import sha256_of
from imagedataextractor.mining.plan import without_finished
from imagedataextractor.mining.units import Outcome, Unit
from imagedataextractor.records import ArticleResult, Box, Segmentation
from imagedataextractor.settings import Keys, Settings, load_settings
from imagedataextractor.store import pack
from imagedataextractor.targets import Target

if TYPE_CHECKING:
    from imagedataextractor.options import Manual
    from imagedataextractor.pipeline import Stages
    from imagedataextractor.scales import PictureScales
    from imagedataextractor.segmentation import Segmenter

__all__ = ["PipelineWork", "RememberingSegmenter", "Retrieval", "prune_segmentations", "segmentations_folder"]

#: Bound of the kept segmentations on disk, bytes: some fifty thousand micrographs.
SEGMENTATIONS_BYTES = 2_000_000_000


@dataclass(frozen=True)
class PipelineWork:
    """A unit through the whole pipeline.

    Parameters
    ----------
    settings : Settings
        API keys in it are not sent to workers; each takes them from its own surroundings.
    manual : Manual
    cache : Path
        Downloads and kept segmentations, on a disk that all workers see.
    em_places : frozenset
        See `Stages.em_places`.
    scales : PictureScales or None
        See `Stages.scales`.
    """

    settings: Settings
    manual: Manual
    cache: Path
    em_places: frozenset[tuple[str, Box | None]] = frozenset()
    scales: PictureScales | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "settings": dataclasses.replace(self.settings, keys=Keys())}

    def __call__(self, unit: Unit) -> Outcome:
        from imagedataextractor.pipeline import process_article, read_target

        began = time.monotonic()
        # One at a time: the models of a process are shared, and its cores are counted.
        with _LOCK:
            stages = _stages_of(self)
            try:
                article = read_target(unit.target, stages)
            except IdeError as error:
                return Outcome.of_error("articles", unit.target.key, error)
            read = time.monotonic()
            left = without_finished(article, unit.finished, sha256_of)
            if article.figures and not left.figures:
                result = ArticleResult(article)
            else:
                result = dataclasses.replace(process_article(left, stages), article=article)
            packed = pack(result)
        return Outcome(packed, read_s=read - began, extract_s=time.monotonic() - read)

    def probe(self) -> None:
        """Load the models and engines and use them on a small picture of noise."""
        chosen = self.settings.segmentation
        picture = np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8)
        with _LOCK:
            stages = _stages_of(self)
            stages.ocr.read(picture)
            # The segmenter itself: what is remembered would prove nothing.
            cast("RememberingSegmenter", stages.segmenter).segmenter.segment(
                picture, mode=chosen.mode, samples=chosen.samples, threshold=chosen.threshold, seed=chosen.seed
            )


_LOCK = threading.Lock()
_STAGES: dict[PipelineWork, Stages] = {}


def _stages_of(work: PipelineWork) -> Stages:
    """The models and engines of this process, loaded at the first call."""
    if work not in _STAGES:
        from imagedataextractor.pipeline import Stages

        _limit_threads()
        _STAGES.clear()
        settings = dataclasses.replace(work.settings, keys=load_settings().keys)
        stages = Stages(settings, work.manual, work.cache, work.em_places, work.scales)
        remembering = RememberingSegmenter(stages.segmenter, segmentations_folder(work.cache))
        stages.segmenter = cast("Segmenter", remembering)
        _STAGES[work] = stages
    return _STAGES[work]


def _limit_threads() -> None:
    """Let OpenCV and PyTorch, which count cores for themselves, use the threads that this worker was given."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if not given.isdigit():
        return
    import cv2
    import torch

    cv2.setNumThreads(int(given))
    torch.set_num_threads(int(given))


@dataclass(frozen=True)
class Retrieval:
    """Fetches an article into the cache, where the worker finds it; the folder it lies in."""

    settings: Settings
    cache: Path

    def __call__(self, target: Target) -> Path | None:
        from imagedataextractor.articles.retrieve import retrieve

        assert target.doi is not None
        found = retrieve(
            target.doi,
            services=self.settings.services,
            keys=self.settings.keys,
            cache=self.cache,
            licences=self.settings.articles.licences,
        )
        # All sources of the article lie below the folder with the note of what was retrieved.
        return next(
            (folder for folder in (found.folder, *found.folder.parents) if (folder / "retrieved.json").is_file()), None
        )


# ---------------------------------------------------------------- segmented once


def segmentations_folder(cache: Path) -> Path:
    """Where segmentations are kept by content: ``CACHE/segmentations/ab/abcdef….npz``."""
    return cache / "segmentations"


@dataclass
class RememberingSegmenter:
    """A segmenter that looks in a folder before it works.

    Parameters
    ----------
    segmenter : Segmenter
    folder : Path
    """

    segmenter: Segmenter
    folder: Path
    hits: int = field(default=0, init=False)

    @property
    def weights_sha256(self) -> str:
        return self.segmenter.weights_sha256

    def segment(
        self, image: npt.NDArray[np.uint8], *, exclude: npt.NDArray[np.bool_] | None = None, **options: Any
    ) -> Segmentation:
        """As `Segmenter.segment`; what is remembered has no uncertainty map."""
        path = self._path(image, exclude, options)
        known = _load(path)
        if known is not None:
            self.hits += 1
            return known
        found = self.segmenter.segment(image, exclude=exclude, **options)
        _save(found, path)
        return found

    def _path(
        self, image: npt.NDArray[np.uint8], exclude: npt.NDArray[np.bool_] | None, options: dict[str, Any]
    ) -> Path:
        device = str(getattr(self.segmenter, "device", "cpu")).split(":")[0]
        words = [__version__, self.segmenter.weights_sha256, device, image.shape, sorted(options.items())]
        digest = hashlib.sha256(repr(words).encode())
        digest.update(np.ascontiguousarray(image).tobytes())
        if exclude is not None:
            digest.update(np.packbits(exclude).tobytes())
        name = digest.hexdigest()
        return self.folder / name[:2] / f"{name}.npz"


_FIELDS = tuple(f.name for f in dataclasses.fields(Segmentation) if f.name != "uncertainty_map")
#: Arrays that a segmentation need not have: what has none is not in the file.
_MAY_BE_NONE = {"score", "support", "seed_value"}


def _load(path: Path) -> Segmentation | None:
    try:
        with np.load(path, allow_pickle=False) as content:
            values = {name: content[name] for name in _FIELDS if name in content or name not in _MAY_BE_NONE}
        os.utime(path)  # when it was last of use, for `prune_segmentations`
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    plain: dict[str, Any] = {name: value.item() if value.ndim == 0 else value for name, value in values.items()}
    plain |= dict.fromkeys(_MAY_BE_NONE - set(values))
    plain["label_map"] = plain["label_map"].astype(np.int32)
    if np.isnan(plain["threshold"]):
        plain["threshold"] = None
    return Segmentation(**plain)


def _save(found: Segmentation, path: Path) -> None:
    """Written whole or not at all. A full disk is no reason to stop: it is only a memory."""
    values = {name: getattr(found, name) for name in _FIELDS}
    values = {name: value for name, value in values.items() if value is not None or name not in _MAY_BE_NONE}
    values["threshold"] = np.nan if found.threshold is None else found.threshold
    if found.label_map.size and found.label_map.max() < 2**16:
        values["label_map"] = found.label_map.astype(np.uint16)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **values)


def prune_segmentations(cache: Path, limit_bytes: int = SEGMENTATIONS_BYTES) -> None:
    """Forget the segmentations unused for longest while all together take more than the limit."""
    found: list[tuple[float, int, Path]] = []
    for path in segmentations_folder(cache).glob("??/*"):
        with contextlib.suppress(OSError):
            state = path.stat()
            found.append((state.st_mtime, state.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= limit_bytes:
            return
        with contextlib.suppress(OSError):
            path.unlink()
            total -= size
