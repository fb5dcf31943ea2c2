"""Score a model on a data set in the EMPS layout, keeping its predictions for the next question.

A prediction costs from a second to half a minute, a score a few milliseconds; so predictions are kept
in a folder, one file an image, and every table and sweep is made from them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError
from imagedataextractor.files import replacing
from imagedataextractor.records import Segmentation
from imagedataextractor.segmentation.metrics import ImageScore, score_image
from imagedataextractor.segmentation.reliability import without
from imagedataextractor.training.segmentation.dataset import Example, load_emps

__all__ = ["Predicted", "accepted_labels", "predictions", "score_predictions"]

#: What a caller tells progress with: images done, images in all, name.
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Predicted:
    """One image of a data set with its truth and what was found.

    ``labels`` holds every particle, the rejected ones too; ``uncertainty``, ``score`` and ``rejected``
    belong to labels 1 … N. ``score`` is None where the model has no calibration.
    """

    name: str
    true: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int32]
    uncertainty: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64] | None
    rejected: npt.NDArray[np.bool_]


def accepted_labels(found: Segmentation | Predicted) -> npt.NDArray[np.int32]:
    """The label map without supports and what the filter rejects; the others keep their numbers."""
    labels = found.label_map if isinstance(found, Segmentation) else found.labels
    return without(labels, found.rejected).astype(np.int32, copy=False)


def predictions(
    data: Path,
    split: str,
    segment: Callable[[npt.NDArray[np.uint8]], Segmentation],
    *,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Predicted]:
    """Segment every image of a split.

    Parameters
    ----------
    data : Path
        Folder in the EMPS layout.
    split : str
        A split of its split.csv, or "all".
    segment : callable
        Grey image (H, W) uint8 → Segmentation.
    keep : Path, optional
        Folder of kept predictions, read where there and filled where not. It belongs to one model, mode,
        number of samples and seed: the caller names it so.

    Raises
    ------
    InputError
        The data are not there or not in that layout; a kept file is damaged.
    """
    examples = load_emps(data, split)
    for done, example in enumerate(examples, 1):
        path = keep / f"{example.name}.npz" if keep else None
        if path is not None and path.is_file():
            yield _read(path, example)
        else:
            found = segment(example.image)
            if path is not None:
                _write(path, found)
            yield Predicted(
                example.name, example.labels, found.label_map, found.uncertainty, found.score, found.rejected
            )
        if progress is not None:
            progress(done, len(examples), example.name)


def score_predictions(
    predicted: Iterable[Predicted],
    *,
    profile: Callable[[npt.NDArray[np.integer]], npt.NDArray[np.float64]] | None = None,
) -> list[ImageScore]:
    """Scores of the accepted particles of every image (`metrics.score_image`)."""
    return [score_image(p.true, accepted_labels(p), p.name, profile=profile) for p in predicted]


def _write(path: Path, found: Segmentation) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            labels=found.label_map,
            uncertainty=found.uncertainty,
            rejected=found.rejected,
            score=found.score if found.score is not None else np.empty(0),
        )


def _read(path: Path, example: Example) -> Predicted:
    try:
        with np.load(path, allow_pickle=False) as kept:
            score = kept["score"] if len(kept["score"]) == len(kept["rejected"]) else None
            return Predicted(example.name, example.labels, kept["labels"], kept["uncertainty"], score, kept["rejected"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a kept prediction ({error}); delete it and run again") from error
