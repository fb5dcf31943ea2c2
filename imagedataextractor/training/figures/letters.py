"""Train the network that tells which sequence of letters names the panels of a figure, and whether any does.

Figures with known panels, drawn (`imagedataextractor.artificial.figures`) and labelled, at several sizes, are searched
for letters as `figures.letters` does. Of the sequences that are found those are right that have the most of the labels'
letters, each at the panel it names, and the fewest others; where all have more wrong letters than right ones, none is.
The network gives every sequence a logit; no letters at all has the logit 0, and the loss is the logarithm of the
probability of what is right (a conditional logit model; McFadden 1974). What the caption tells is left out, given as
it is, and given with mistakes, in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from torch import nn

from imagedataextractor.artificial.figures import draw_figure
from imagedataextractor.figures.letters.find import candidate_lists, for_search
from imagedataextractor.figures.letters.sequences import FEATURES, WEIGHTS, LetterRun, describe, runs
from imagedataextractor.figures.network import use_weights
from imagedataextractor.figures.panels.layout import Layout, analyse
from imagedataextractor.training.figures.labelled import LabelledFigure, LabelledPanel, ensemble_weights
from imagedataextractor.training.figures.material import FigureMaterial

__all__ = ["Choice", "choices", "fit_letters", "train"]

Floats = npt.NDArray[np.float32]

#: Sizes at which a labelled figure is searched, as factors, if its longest side is then among these, px.
ZOOMS, SIDES = (0.45, 0.6, 0.8, 1.0, 1.5), (250, 2600)
#: Sizes of the drawn ones.
DRAWN_ZOOMS = (0.6, 0.8, 1.0)
#: How far outside of its panel a letter may stand, as a share of the page's size.
REACH = 0.07
#: Networks of the ensemble, their hidden units, rounds of training and figures of a step.
MEMBERS, HIDDEN, EPOCHS, BATCH = 4, 16, 20, 64
#: Standard deviation of the noise on the scaled numbers while the network learns, without which it learns figures
#: by heart: measured by leaving out articles.
NOISE = 0.35
#: Share of the caption's letters that it is said not to name, and letters that it is said to name besides, at most.
UNTOLD, INVENTED = 0.2, 2


@dataclass(frozen=True)
class Choice:
    """Sequences of one figure, as numbers of shape (N, len(FEATURES)), and which of them are right, (N,)."""

    numbers: Floats
    right: npt.NDArray[np.bool_]


def choices(rng: np.random.Generator, figure: LabelledFigure, zoom: float = 1.0) -> Iterator[Choice]:
    """The sequences found in a figure, at either stage of the search and with what a caption tells or without.

    Parameters
    ----------
    rng : numpy.random.Generator
        Makes the caption's mistakes.
    figure : LabelledFigure
    zoom : float
        The figure is scaled by this first.
    """
    layout = for_search(analyse(_zoomed(figure.image, zoom)))
    factor = zoom * layout.scale * layout.enlarged
    panels = [LabelledPanel(p.box.scaled(factor), p.label) for p in figure.panels]
    captions = _captions(rng, [p.label.lower() for p in panels if p.label])
    for candidates in candidate_lists(layout):
        for told in captions:
            found = runs(candidates, layout, told)
            if found:
                numbers = np.stack([describe(run, layout, told) for run in found])
                yield Choice(numbers, _right(found, panels, layout))


def _zoomed(image: npt.NDArray[np.uint8], zoom: float) -> npt.NDArray[np.uint8]:
    if zoom == 1.0:
        return image
    method = cv2.INTER_AREA if zoom < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=method), np.uint8)


def _captions(rng: np.random.Generator, names: Sequence[str]) -> list[frozenset[str]]:
    """No caption; one that names the figure's letters; and one that names too few or too many."""
    captions = [frozenset[str]()]
    if len(names) > 1:
        some = {name for name in names if rng.random() >= UNTOLD}
        more = rng.choice(list("abcdefghij"), int(rng.integers(0, INVENTED + 1)))
        captions += [frozenset(names), frozenset(some | set(more.tolist()))]
    return [c for k, c in enumerate(captions) if k == 0 or c]


def _right(found: Sequence[LetterRun], panels: Sequence[LabelledPanel], layout: Layout) -> npt.NDArray[np.bool_]:
    """The sequences with the most right letters, less the wrong ones; none, where all have as many wrong ones."""
    gain = np.array([_gain(run, panels, REACH * layout.size) for run in found])
    return np.asarray((gain == gain.max()) & (gain > 0), np.bool_)


def _gain(run: LetterRun, panels: Sequence[LabelledPanel], reach: float) -> int:
    gain = 0
    for letter in run.letters:
        box = letter.candidate.box
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        at = [p.box for p in panels if p.label == letter.name]
        gain += 1 if any(b.x0 - reach < x < b.x1 + reach and b.y0 - reach < y < b.y1 + reach for b in at) else -1
    return gain


# ---------------------------------------------------------------- the network


def train(
    examples: Sequence[Choice],
    *,
    seed: int = 0,
    members: int = MEMBERS,
    hidden: int = HIDDEN,
    epochs: int = EPOCHS,
) -> dict[str, Floats]:
    """Weights of the ensemble, with the mean and scale of its inputs.

    Returns
    -------
    dict of float32 arrays
        As `network.forward` takes them; "mean" and "scale" have the shape (F,).
    """
    numbers = np.concatenate([choice.numbers for choice in examples])
    mean, scale = numbers.mean(axis=0), numbers.std(axis=0) + 1e-3
    most = max(len(choice.numbers) for choice in examples)
    x = torch.zeros((len(examples), most, len(FEATURES)))
    there = torch.zeros((len(examples), most + 1), dtype=torch.bool)
    right = torch.zeros((len(examples), most + 1), dtype=torch.bool)
    there[:, -1] = True  # no letters at all
    for i, choice in enumerate(examples):
        count = len(choice.numbers)
        x[i, :count] = torch.from_numpy(np.clip((choice.numbers - mean) / scale, -5, 5).astype(np.float32))
        there[i, :count] = True
        right[i, :count] = torch.from_numpy(choice.right)
        right[i, -1] = not bool(choice.right.any())
    trained = [_member(x, there, right, seed + k, hidden, epochs) for k in range(members)]
    return ensemble_weights(trained, mean, scale)


def _member(
    x: torch.Tensor, there: torch.Tensor, right: torch.Tensor, seed: int, hidden: int, epochs: int
) -> list[nn.Linear]:
    """The dense layers of one trained network."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(x.shape[2], hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, 1))
    steps = epochs * (len(x) // BATCH + 1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=steps)
    network.train()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for i in range(0, len(x), BATCH):
            batch = order[i : i + BATCH]
            noisy = x[batch] + NOISE * torch.randn_like(x[batch])
            logits = torch.cat([network(noisy)[..., 0], torch.zeros((len(batch), 1))], dim=1)
            all_of_them = logits.masked_fill(~there[batch], -torch.inf).logsumexp(dim=1)
            right_ones = logits.masked_fill(~right[batch], -torch.inf).logsumexp(dim=1)
            optimiser.zero_grad()
            (all_of_them - right_ones).mean().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return [layer for layer in network if isinstance(layer, nn.Linear)]


# ---------------------------------------------------------------- from figures to a file


@dataclass(frozen=True)
class _Sources:
    """What the figures are made of; every one has a generator of its own, so that any process may make it."""

    pool: list[npt.NDArray[np.uint8]]
    real: list[LabelledFigure]
    seed: int
    #: Folder whose networks read the figures, as far as it has them.
    weights: Path


#: What a process makes its figures of.
_held: list[_Sources] = []


def _begin(sources: _Sources) -> None:
    use_weights(sources.weights)
    _held[:] = [sources]


def _of_real(index: int) -> list[Choice]:
    sources = _held[0]
    figure = sources.real[index]
    rng = np.random.default_rng([sources.seed, 0, index])
    longest = max(figure.image.shape[:2])
    return [c for z in ZOOMS if SIDES[0] <= z * longest <= SIDES[1] for c in choices(rng, figure, z)]


def _of_drawn(index: int) -> list[Choice]:
    sources = _held[0]
    rng = np.random.default_rng([sources.seed, 1, index])
    figure = draw_figure(rng, pool=sources.pool)
    panels = tuple(LabelledPanel(p.box, p.label) for p in figure.panels if p.parent is None)
    return list(choices(rng, LabelledFigure(figure.image, panels), float(rng.choice(DRAWN_ZOOMS))))


def fit_letters(material: FigureMaterial, out: Path, *, count: int) -> str:
    """Train the network that chooses among sequences of letters, and write it into the folder `out`.

    Parameters
    ----------
    material : FigureMaterial
    out : Path
    count : int
        Figures to draw.

    Returns
    -------
    str
        What was learned from, in a line.
    """
    sources = _Sources(material.micrographs, [figure for _, figure in material.labelled()], material.seed, out)
    with ProcessPoolExecutor(material.workers, initializer=_begin, initargs=(sources,)) as processes:
        found = [*processes.map(_of_real, range(len(sources.real))), *processes.map(_of_drawn, range(count))]
    examples = [choice for of_figure in found for choice in of_figure]
    save_file(train(examples, seed=material.seed), out / WEIGHTS)
    known = sum(bool(choice.right.any()) for choice in examples)
    return f"{WEIGHTS}: {len(examples)} choices among sequences, {known} with letters"
