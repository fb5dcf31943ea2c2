"""What the training of this stage's networks shares: labelled figures, and weights of ensembles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from torch import nn

from imagedataextractor.errors import InputError
from imagedataextractor.figures.panels.layout import shrink
from imagedataextractor.images import load_image, to_grey
from imagedataextractor.records import Box, PanelKind

__all__ = ["LabelledFigure", "LabelledPanel", "ensemble_weights", "labelled_figures", "read_micrographs"]

Grey = npt.NDArray[np.uint8]

#: Longest side of a labelled figure, px: what is looked at is smaller still.
LARGEST = 1400
#: Files of a folder of micrographs.
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})


@dataclass(frozen=True)
class LabelledPanel:
    """A panel as somebody labelled it, px of the figure."""

    box: Box
    label: str | None
    kind: PanelKind | None = None


@dataclass(frozen=True)
class LabelledFigure:
    """A figure, uint8 (H, W) or (H, W, 3), and its panels."""

    image: npt.NDArray[np.uint8]
    panels: tuple[LabelledPanel, ...]


class _Panel(msgspec.Struct):
    x0: int
    y0: int
    x1: int
    y1: int
    label: str | None = None
    kind: PanelKind | None = None

    def scaled(self, scale: float) -> LabelledPanel:
        return LabelledPanel(Box(self.x0, self.y0, self.x1, self.y1).scaled(scale), self.label or None, self.kind)


class _Figure(msgspec.Struct):
    file: str
    panels: list[_Panel]
    set: str | None = None
    licence: str = "CC BY"

    @property
    def may_be_learned_from(self) -> bool:
        return self.set == "learn" or (self.set != "kept" and "CC BY" in self.licence)


def labelled_figures(
    files: Sequence[Path], data: Sequence[Path], largest: int | None = LARGEST
) -> Iterator[tuple[Path, LabelledFigure]]:
    """Labelled figures that may be learned from, with their files.

    Those kept to test with are left out, and those of which nobody says that they may be used.

    Parameters
    ----------
    files : sequence of Path
        Label files: lists of figures with "file", "panels" (x0, y0, x1, y1, px; label; kind) and, for those that are
        not all CC BY, "set" and "licence".
    data : sequence of Path
        Folders in which the figures may lie, besides that of the label file. What is nowhere is passed over.
    largest : int, optional
        Longest side to which a figure is reduced, px; None for the whole.

    Raises
    ------
    InputError
        A label file cannot be read, or is none.
    """
    for file in files:
        for figure in _read_labels(file):
            places = [folder / figure.file for folder in (file.parent, *data)]
            path = next((p for p in places if p.exists()), None)
            if path is None or not figure.may_be_learned_from:
                continue
            image = load_image(path)
            small = image if largest is None else shrink(image, largest)
            scale = small.shape[0] / image.shape[0]
            yield path, LabelledFigure(small, tuple(panel.scaled(scale) for panel in figure.panels))


def _read_labels(file: Path) -> list[_Figure]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[_Figure])
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{file}: no file of labelled panels ({error})") from error


def read_micrographs(folder: Path) -> list[Grey]:
    """The pictures of a folder, grey, in the order of their names.

    Raises
    ------
    InputError
        There is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)
    if not files:
        raise InputError(f"{folder}: no picture (.png, .jpg, .tif) in this folder")
    return [to_grey(load_image(path)) for path in files]


def ensemble_weights(
    members: Sequence[Sequence[nn.Linear]], mean: npt.NDArray[np.float32], scale: npt.NDArray[np.float32]
) -> dict[str, npt.NDArray[np.float32]]:
    """The dense layers of trained networks as `network.forward` takes them, with the mean and scale of their inputs."""
    weights = {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}
    for layer, of_members in enumerate(zip(*members, strict=True), start=1):
        weights[f"dense{layer}.weight"] = np.stack([m.weight.detach().numpy() for m in of_members])
        weights[f"dense{layer}.bias"] = np.stack([m.bias.detach().numpy() for m in of_members])
    return weights
