"""What the training of this stage's networks shares: labelled figures, and weights of ensembles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import nn

from imagedataextractor.figures.panels.layout import shrink
from imagedataextractor.images import load_image
from imagedataextractor.records import Box

__all__ = ["LabelledFigure", "LabelledPanel", "ensemble_weights", "labelled_figures"]

#: Longest side of a labelled figure, px: what is looked at is smaller still.
LARGEST = 1400


@dataclass(frozen=True)
class LabelledPanel:
    """A panel as somebody labelled it, px of the figure."""

    box: Box
    label: str | None


@dataclass(frozen=True)
class LabelledFigure:
    """A figure, uint8 (H, W) or (H, W, 3), and its panels."""

    image: npt.NDArray[np.uint8]
    panels: tuple[LabelledPanel, ...]


def labelled_figures(files: Sequence[Path], data: Sequence[Path]) -> Iterator[LabelledFigure]:
    """Labelled figures that may be learned from, no larger than the analysis looks at them.

    Those kept to test with are left out, and those of which nobody says that they may be used.

    Parameters
    ----------
    files : sequence of Path
        Label files: lists of figures with "file", "panels" and, for those that are not all CC BY, "set" and "licence".
    data : sequence of Path
        Folders in which the figures may lie, besides that of the label file. What is nowhere is passed over.
    """
    for file in files:
        for figure in json.loads(file.read_text()):
            if not _may_be_learned_from(figure.get("set"), figure.get("licence", "CC BY")):
                continue
            places = [folder / figure["file"] for folder in (file.parent, *data)]
            path = next((p for p in places if p.exists()), None)
            if path is None:
                continue
            image = load_image(path)
            small = shrink(image, LARGEST)
            scale = small.shape[0] / image.shape[0]
            panels = [
                LabelledPanel(Box(p["x0"], p["y0"], p["x1"], p["y1"]).scaled(scale), p.get("label") or None)
                for p in figure["panels"]
            ]
            yield LabelledFigure(small, tuple(panels))


def _may_be_learned_from(part: str | None, licence: str) -> bool:
    return part == "learn" or (part != "kept" and "CC BY" in licence)


def ensemble_weights(
    members: Sequence[Sequence[nn.Linear]], mean: npt.NDArray[np.float32], scale: npt.NDArray[np.float32]
) -> dict[str, npt.NDArray[np.float32]]:
    """The dense layers of trained networks as `network.forward` takes them, with the mean and scale of their inputs."""
    weights = {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}
    for layer, of_members in enumerate(zip(*members, strict=True), start=1):
        weights[f"dense{layer}.weight"] = np.stack([m.weight.detach().numpy() for m in of_members])
        weights[f"dense{layer}.bias"] = np.stack([m.bias.detach().numpy() for m in of_members])
    return weights
