"""Score a model on a data set in the EMPS layout, keeping its predictions for the next question.

A prediction costs from a second to half a minute, a score a few milliseconds; so predictions are kept
in a folder, one file an image, and every table and sweep is made from them.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from imagedataextractor.errors import InputError
from imagedataextractor.files import replacing
from imagedataextractor.images.labels import read_label_map
from imagedataextractor.records import Mode, Segmentation
from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.kinds import Kind, kind_of
from imagedataextractor.segmentation.metrics import ImageScore, score_image
from imagedataextractor.segmentation.reliability import without
from imagedataextractor.telling import Tell, tell_nobody
from imagedataextractor.training.segmentation.dataset import Example, load_emps
from imagedataextractor.written import save_marked

__all__ = ["Predicted", "Scored", "accepted_labels", "predictions", "score_folders", "score_model", "score_predictions"]

#: Endings of label maps.
_SUFFIXES = (".png", ".npy", ".tif", ".tiff")
#: Absent predictions that are named.
_SHOWN = 5

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


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of images, the kind of picture that each is, and by what they are called."""

    scores: list[ImageScore]
    kinds: dict[str, Kind | None]
    title: str


def score_folders(
    true: Path, predicted: Path, names: Path | None = None, *, missing_is_empty: bool = False, tell: Tell = tell_nobody
) -> Scored:
    """Score the label maps of a folder against those of another.

    Parameters
    ----------
    true, predicted : Path
        Folders of label maps of the same names.
    names : Path, optional
        A file with one name a line, or a CSV table with them in its first column; by default all in `true`.
    missing_is_empty : bool
        An absent prediction counts as finding nothing.
    tell : function of str, optional
        Is told how many are absent.

    Raises
    ------
    InputError
        A folder or a label map is not there, or cannot be read.
    """
    for folder in (true, predicted):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
    chosen = _read_names(names) if names else sorted({p.stem for p in true.iterdir() if p.suffix in _SUFFIXES})
    if not chosen:
        raise InputError(f"{names or true}: no label map to score")
    scores: list[ImageScore] = []
    kinds: dict[str, Kind | None] = {}
    absent: list[str] = []
    for name in chosen:
        true_path, predicted_path = _find(true, name), _find(predicted, name)
        if true_path is None:
            raise InputError(f"{true}: no true label map for {name}")
        truth = read_label_map(true_path)
        if predicted_path is None:
            if not missing_is_empty:
                raise InputError(
                    f"{predicted}: no prediction for {name} (--missing empty scores it as finding nothing)"
                )
            absent.append(name)
        said = np.zeros_like(truth) if predicted_path is None else read_label_map(predicted_path)
        scores.append(score_image(truth, said, name))
        kinds[name] = kind_of(truth)
    if absent:
        tell(f"{len(absent)} predictions absent, scored as empty: {', '.join(absent[:_SHOWN])} …")
    return Scored(scores, kinds, str(predicted))


def score_model(
    name: str,
    data: Path,
    split: str,
    *,
    mode: Mode = "filtered",
    samples: int | None = None,
    threshold: float | None = None,
    seed: int = 0,
    device: str = "auto",
    keep: Path | None = None,
    tell: Tell = tell_nobody,
) -> Scored:
    """Score what a model finds in a data set in the EMPS layout.

    Parameters
    ----------
    name : str
        A model's name, or a weights file.
    data, split : Path, str
        The folder, and a part of its split.csv, or "all".
    mode, samples, threshold, seed, device
        As for `Segmenter.segment`.
    keep : Path, optional
        A folder for the label maps, as 16-bit PNG.
    tell : function of str, optional
        Is told how far it has come.

    Raises
    ------
    InputError
        There is no such model, or the data are not in that layout.
    """
    model = Segmenter.load(name, device)

    def segment(image: npt.NDArray[np.uint8]) -> Segmentation:
        return model.segment(image, mode=mode, samples=samples, threshold=threshold, seed=seed)

    def progress(done: int, total: int, image: str) -> None:
        tell(f"{done}/{total} {image}")

    scores: list[ImageScore] = []
    kinds: dict[str, Kind | None] = {}
    for predicted in predictions(data, split, segment, progress=progress):
        labels = accepted_labels(predicted)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            save_marked(Image.fromarray(labels.astype(np.uint16)), keep / f"{predicted.name}.png")
        scores.append(score_image(predicted.true, labels, predicted.name))
        kinds[predicted.name] = kind_of(predicted.true)
    # Scores on images that the model has learnt from say nothing of new ones.
    trained_on = str(model.info.training.get("data", ""))
    title = f"{name}, {mode}, {split}" + (f" (trained on {trained_on})" if trained_on else "")
    return Scored(scores, kinds, title)


def _read_names(path: Path) -> list[str]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            first = [row[0].strip() for row in csv.reader(file) if row and row[0].strip()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a list of names ({error})") from error
    return [Path(name).stem if name.endswith(_SUFFIXES) else name for name in first]


def _find(folder: Path, name: str) -> Path | None:
    return next((path for suffix in _SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)
