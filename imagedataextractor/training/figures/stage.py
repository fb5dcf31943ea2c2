"""Train the networks of the figures stage, one after the other: what `ide train figures` does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import torch

from imagedataextractor.figures.network import use_weights
from imagedataextractor.telling import Tell
from imagedataextractor.training.figures.amounts import NETWORKS, Amounts, NetworkName
from imagedataextractor.training.figures.cuts import fit_cuts
from imagedataextractor.training.figures.glyphs import fit_glyphs
from imagedataextractor.training.figures.kinds import fit_kinds
from imagedataextractor.training.figures.labelled import read_micrographs
from imagedataextractor.training.figures.letters import fit_letters
from imagedataextractor.training.figures.material import FigureMaterial

__all__ = ["train_networks"]

_FIT: Mapping[NetworkName, Callable[..., str]] = {
    "glyphs": fit_glyphs,
    "letters": fit_letters,
    "kinds": fit_kinds,
    "cuts": fit_cuts,
}


def train_networks(
    micrographs: Path,
    out: Path,
    *,
    networks: Sequence[NetworkName] = NETWORKS,
    panels: Sequence[Path] = (),
    data: Sequence[Path] = (),
    amounts: Amounts,
    seed: int,
    workers: int,
    report: Tell,
) -> Path:
    """Train networks of the stage and write them into a folder.

    What a network learns from is read with those before it: with the ones in `out`, else with the installed ones.

    Parameters
    ----------
    micrographs : Path
        Folder of pictures to draw with.
    out : Path
    networks : sequence of {"glyphs", "letters", "kinds", "cuts"}
    panels, data : sequence of Path
        Files of labelled figures, and folders in which those may lie; see `labelled.labelled_figures`.
    amounts : Amounts
        How much is drawn.
    seed, workers : int
        The weights are the same with any number of worker processes.
    report : function of str
        Is told how it goes.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        There are no micrographs, a label file is none, or there are no labelled panels for "kinds".
    """
    material = FigureMaterial(read_micrographs(micrographs), panels, data, seed, workers, report)
    out.mkdir(parents=True, exist_ok=True)
    with _reading_with(out):
        for name in NETWORKS:
            if name in networks:
                report(_FIT[name](material, out, count=getattr(amounts, name)))
                use_weights(out)
    return out


@contextlib.contextmanager
def _reading_with(weights: Path) -> Iterator[None]:
    """Figures are read with the networks of this folder, on one thread: sums in another order would differ."""
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    use_weights(weights)
    try:
        yield
    finally:
        use_weights(None)
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
