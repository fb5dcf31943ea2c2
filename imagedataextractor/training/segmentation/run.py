"""A training run from folders of labelled images: what `ide train segmentation` does."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch

from imagedataextractor.errors import UsageError
from imagedataextractor.segmentation.inference import choose_device
from imagedataextractor.telling import Tell
from imagedataextractor.training.segmentation.dataset import Example, Source, load_emps, with_nominal_outlines
from imagedataextractor.training.segmentation.settings import TrainingSettings, TrainingWords, default_settings
from imagedataextractor.training.segmentation.train import synthetic_examples, train, validator

__all__ = ["Material", "settings_of", "train_on_folders"]

Shares = Sequence[tuple[str | Path, float]]


@dataclass(frozen=True)
class Material:
    """What a network learns from.

    Attributes
    ----------
    data : Path
        Folder in the EMPS layout: images/, segmaps/, split.csv.
    split, validate : str
        Parts of its split.csv to learn from ("all" for all of it) and to choose the best weights by ("" for none).
    validate_images : int
        The first so many of the latter; 0 for all.
    added, boxed : sequence of (folder, share)
        Further data sets, and the share of the crops that is cut from each; the outlines of the latter are nominal.
    leave_out : sequence of str
        Patterns of the names of images to keep apart.
    synthetic, synthetic_share : int, float
        How many synthetic micrographs, and the share of the crops that is cut from them.
    """

    data: Path
    split: str = "train"
    validate: str = "val"
    validate_images: int = 40
    added: Shares = ()
    boxed: Shares = ()
    leave_out: Sequence[str] = ()
    synthetic: int = 0
    synthetic_share: float = 0.15

    def sources(self, seed: int) -> list[Source]:
        """The images with their shares of the crops.

        Raises
        ------
        UsageError
            The shares leave nothing for `data`.
        InputError
            A folder is not in the EMPS layout.
        """
        others = sum(share for _, share in (*self.added, *self.boxed))
        rest = 1.0 - others - (self.synthetic_share if self.synthetic else 0.0)
        if rest <= 0:
            raise UsageError(
                f"the shares of --add, --add-boxed and --synthetic-share leave none for {self.data}; "
                "let their sum be below 1"
            )
        found = [Source(self._kept(load_emps(self.data, self.split)), rest)]
        found += [Source(self._kept(load_emps(Path(folder))), share) for folder, share in self.added]
        found += [
            Source([with_nominal_outlines(e) for e in self._kept(load_emps(Path(folder)))], share)
            for folder, share in self.boxed
        ]
        return [*found, Source(synthetic_examples(self.synthetic, seed), self.synthetic_share)]

    def to_choose_by(self) -> list[Example]:
        """The images of the validation."""
        return load_emps(self.data, self.validate)[: self.validate_images or None] if self.validate else []

    def _kept(self, examples: Sequence[Example]) -> list[Example]:
        return [e for e in examples if not any(fnmatch.fnmatchcase(e.name, pattern) for pattern in self.leave_out)]


def settings_of(architecture: str, words: TrainingWords) -> TrainingSettings:
    """The architecture's default settings with what is said over them.

    Raises
    ------
    UsageError
        The magnifications are the wrong way round.
    """
    said = {name: value for name, value in words.items() if value is not None}
    settings = dataclasses.replace(default_settings(architecture), **said)  # type: ignore[arg-type]
    least, most = settings.scales
    if least > most:
        raise UsageError(f"--scales {least:g} {most:g}: give the least first")
    return settings


def train_on_folders(
    material: Material,
    out: Path,
    *,
    architecture: str = "lite0",
    initial: str | Path | None = None,
    device: str = "auto",
    threads: int = 0,
    report: Tell,
    **words: Unpack[TrainingWords],
) -> Path:
    """Train a network, or go on from the checkpoint of its folder.

    Parameters
    ----------
    material : Material
    out : Path
        The run folder: checkpoint, weights, learning curve.
    architecture : {"lite0", "erfnet"}
    initial : str or Path, optional
        The model to start from.
    device : str
    threads : int
        CPU threads of the network; 0 leaves it to PyTorch.
    report : function of str
        Is told how it goes.
    **words
        See `TrainingWords`.

    Returns
    -------
    Path
        The weights: the best by validation, or the last where nothing validates.

    Raises
    ------
    UsageError, InputError
        What is asked for makes no sense, or the data cannot be used.
    """
    settings = settings_of(architecture, words)
    chosen = choose_device(device)
    sources, check = material.sources(settings.seed), material.to_choose_by()
    count = sum(len(source.examples) for source in sources)
    report(f"{count} images to learn from, {len(check)} to choose by, device {chosen}")
    with _threads(threads):
        return train(
            sources,
            out,
            settings,
            initial=initial,
            device=chosen,
            validate=validator(check, chosen) if check else None,
            report=report,
        )


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
