"""Train the networks that tell where a figure is cut: at the gutters of the page, and where images touch.

Figures with known panels, drawn (`imagedataextractor.artificial.figures`) and labelled, are cut as their
truth says, and every gutter of every piece is an example: kept, where it lies inside a panel; cut, where
it parts panels; or with one side to be dropped. So is every seam of every block of touching images.
Panel letters are taken as they are read, in some of the figures only a part of them or none, so that the
networks do not lean on them alone. Each of the two is an ensemble of networks that
differ in their beginning alone.
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
from imagedataextractor.figures.letters.find import find_letters
from imagedataextractor.figures.letters.naming import missing_letters
from imagedataextractor.figures.network import use_weights
from imagedataextractor.figures.panels.cuts import (
    DROP_AFTER,
    DROP_BEFORE,
    FEATURES,
    KEEP,
    PART,
    Gutter,
    Page,
    describe,
    gutters,
    halves,
    tight,
)
from imagedataextractor.figures.panels.cuts import WEIGHTS as GUTTER_WEIGHTS
from imagedataextractor.figures.panels.layout import analyse, least_side
from imagedataextractor.figures.panels.page import page_of
from imagedataextractor.figures.panels.seams import FEATURES as SEAM_FEATURES
from imagedataextractor.figures.panels.seams import WEIGHTS as SEAM_WEIGHTS
from imagedataextractor.figures.panels.seams import describe as describe_seams
from imagedataextractor.figures.panels.seams import parts_of, seams
from imagedataextractor.records import Box
from imagedataextractor.training.figures.labelled import ensemble_weights
from imagedataextractor.training.figures.material import FigureMaterial

__all__ = ["examples", "fit_cuts", "seam_examples", "train", "variants"]

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

#: Share of figures whose letters are all hidden, and of those of whose letters a part is.
HIDDEN, PARTLY_HIDDEN = 0.08, 0.12
#: Share of the letters that are seen where a part of them is hidden: most are read, as a rule.
LETTERS_SEEN = 0.7
#: Share of the panels whose edges were found before a block of touching images is looked at, and of the blocks that
#: are told of them: the order in which blocks are cut is anyone's.
FOUND_BEFORE, TOLD = 0.5, 0.7
#: Share of a panel (in a block: of the smaller of the two) in a piece from which it is that piece's.
OWN, OWN_IN_BLOCK = 0.5, 0.3
#: Share of pieces that are cut at their widest gutter, as they are in use; the others at any, to see more of them.
AT_WIDEST = 0.6
#: Share of single panels that are cut wrongly once, so that what a mistake leaves is known, too.
CUT_WRONGLY = 0.3
#: Share of drawn figures with one panel: an eighth, about; nothing is to be cut in them.
SINGLE = 0.12
#: How far a panel may reach over a gutter that is said to pass it by, px and share of the panel's side.
SLACK_PX, SLACK_SHARE = 3.0, 0.03
#: Weight of an example of a real figure.
REAL_WEIGHT = 8.0
#: Networks of an ensemble.
MEMBERS = 4


def examples(rng: np.random.Generator, image: Picture, panels: Sequence[Box]) -> tuple[Floats, Labels]:
    """Gutters of one figure and what is to be done at them.

    Parameters
    ----------
    rng : numpy.random.Generator
    image : uint8 array, shape (H, W) or (H, W, 3)
    panels : sequence of Box
        The figure's panels, px of the figure.

    Returns
    -------
    features : float32 array, shape (N, len(cuts.FEATURES))
    labels : int64 array, shape (N,)
    """
    layout = analyse(image)
    letters = find_letters(layout)
    fate = rng.random()
    if fate < HIDDEN:
        letters = []
    elif fate < HIDDEN + PARTLY_HIDDEN:
        letters = [letter for letter in letters if rng.random() < LETTERS_SEEN]
    page, _ = page_of(layout, [x.box for x in letters], missing_letters([x.text for x in letters]))
    height, width = layout.shape
    whole = tight(page, Box(0, 0, width, height))
    collected: list[tuple[Floats, Labels]] = []
    if whole is not None:
        _walk(rng, page, whole, [b.scaled(layout.scale) for b in panels], collected)
    if not collected:
        return np.zeros((0, len(FEATURES)), np.float32), np.zeros(0, np.int64)
    return np.concatenate([f for f, _ in collected]), np.concatenate([x for _, x in collected])


def seam_examples(rng: np.random.Generator, image: Picture, panels: Sequence[Box]) -> tuple[Floats, Labels]:
    """Seams of one figure's blocks of touching images and whether panels meet there.

    Parameters and returns are those of `examples`; a label is 1 where the block is to be cut.
    """
    layout = analyse(image, divided=False)
    blocks = [block.box for block in layout.blocks]
    reduced = [b.scaled(layout.scale) for b in panels]
    # Edges of other images are known as far as those were cut before.
    known = blocks + [b for b in reduced if rng.random() < FOUND_BEFORE]
    collected: list[tuple[Floats, Labels]] = []
    waiting = list(blocks)
    while waiting:
        box = waiting.pop()
        others = known if rng.random() < TOLD else blocks
        mine = [p for p in reduced if p.intersection(box).area > OWN_IN_BLOCK * min(p.area, box.area)]
        found = seams(layout.grey, box, others, least_side(layout))
        if not mine or not found:
            continue
        labels = np.array([int(_label(Gutter(s.axis, s.first, s.last), mine) == PART) for s in found], np.int64)
        collected.append((describe_seams(layout.grey, layout.picture, box, found, others), labels))
        if labels.any():
            waiting += parts_of(box, found[int(rng.choice(np.flatnonzero(labels)))])
    if not collected:
        return np.zeros((0, len(SEAM_FEATURES)), np.float32), np.zeros(0, np.int64)
    return np.concatenate([f for f, _ in collected]), np.concatenate([x for _, x in collected])


def _walk(
    rng: np.random.Generator,
    page: Page,
    box: Box,
    panels: Sequence[Box],
    collected: list[tuple[Floats, Labels]],
    *,
    wrong: bool = False,
) -> None:
    """Cut `box` as the truth says, in random order, and collect the gutters of all pieces."""
    mine = [p for p in panels if p.intersection(box).area > OWN * p.area] if not wrong else list(panels)
    strips = gutters(page, box)
    if not strips or not mine:
        return
    labels = np.array([_label(strip, mine) for strip in strips], np.int64)
    collected.append((describe(page, box, strips), labels))
    right = np.flatnonzero(labels != KEEP)
    if right.size:
        wide = np.array([strips[i].last - strips[i].first for i in right], np.float64)
        chosen = int(right[int(wide.argmax())]) if rng.random() < AT_WIDEST else int(rng.choice(right))
    elif not wrong and rng.random() < CUT_WRONGLY:
        chosen, wrong = int(rng.integers(len(strips))), True  # what a wrong cut leaves is not cut again
    else:
        return
    before, after = halves(page, box, strips[chosen])
    for part, dropped in ((before, DROP_BEFORE), (after, DROP_AFTER)):
        if part is not None and labels[chosen] != dropped:
            _walk(rng, page, part, panels if not wrong else mine, collected, wrong=wrong)


def _label(strip: Gutter, panels: Sequence[Box]) -> int:
    sides = [0, 0]
    for panel in panels:
        start, stop = (panel.y0, panel.y1) if strip.axis == 0 else (panel.x0, panel.x1)
        slack = max(SLACK_PX, SLACK_SHARE * (stop - start))
        if start + slack < strip.middle < stop - slack:
            return KEEP
        sides[int((start + stop) / 2 >= strip.middle)] += 1
    if sides[0] and sides[1]:
        return PART
    return DROP_BEFORE if sides[1] else DROP_AFTER


def variants(rng: np.random.Generator, image: Picture, panels: Sequence[Box]) -> Iterator[tuple[Picture, list[Box]]]:
    """A labelled figure as it is, smaller and larger, mirrored and turned: six layouts of one."""
    yield image, list(panels)
    for scale in (rng.uniform(0.55, 0.8), rng.uniform(1.2, 1.7)):
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        scaled = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=interpolation), np.uint8)
        yield scaled, [b.scaled(scale) for b in panels]
    height, width = image.shape[:2]
    yield np.ascontiguousarray(image[:, ::-1]), [Box(width - b.x1, b.y0, width - b.x0, b.y1) for b in panels]
    yield np.ascontiguousarray(image[::-1]), [Box(b.x0, height - b.y1, b.x1, height - b.y0) for b in panels]
    yield np.ascontiguousarray(image.swapaxes(0, 1)), [Box(b.y0, b.x0, b.y1, b.x1) for b in panels]


def train(
    features: Floats,
    labels: Labels,
    weight: Floats,
    *,
    classes: int,
    seed: int = 0,
    hidden: int = 64,
    epochs: int = 40,
    members: int = MEMBERS,
) -> dict[str, Floats]:
    """Weights of the ensemble, with the mean and scale of its inputs.

    Parameters
    ----------
    features : float32 array, shape (N, F)
    labels : int64 array, shape (N,)
    weight : float32 array, shape (N,)
        Of every example.
    classes : int
        Answers of the network, whether or not all of them are among the labels.

    Returns
    -------
    dict of float32 arrays
        As `network.forward` takes them; "mean" and "scale" have the shape (F,).
    """
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-3
    x = torch.from_numpy(np.clip((features - mean) / scale, -4, 4).astype(np.float32))
    y, w = torch.from_numpy(labels), torch.from_numpy(weight)
    trained = [_member(x, y, w, classes, seed + k, hidden, epochs) for k in range(members)]
    return ensemble_weights(trained, mean, scale)


def _member(
    x: torch.Tensor, y: torch.Tensor, w: torch.Tensor, classes: int, seed: int, hidden: int, epochs: int
) -> list[nn.Linear]:
    """The dense layers of one trained network."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Linear(hidden, classes),
    )  # fmt: skip
    steps = epochs * (len(x) // 512 + 1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    network.train()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for i in range(0, len(x), 512):
            batch = order[i : i + 512]
            loss = nn.functional.cross_entropy(network(x[batch]), y[batch], reduction="none", label_smoothing=0.02)
            optimiser.zero_grad()
            (loss * w[batch]).mean().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return [layer for layer in network if isinstance(layer, nn.Linear)]


# ---------------------------------------------------------------- drawn figures

#: Contents of figures whose images touch.
_TOUCHING: tuple[dict[str, float], ...] = (
    {"micrograph": 1.0},
    {"micrograph": 0.5, "diffraction": 0.25, "lattice": 0.25},
    {"micrograph": 0.4, "eds": 0.6},
    {"micrograph": 0.3, "false_colour": 0.3, "lattice": 0.2, "photo": 0.2},
    {"photo": 1.0},
    {"optical": 0.3, "micrograph": 0.4, "force_map": 0.3},
    {"micrograph": 0.6, "photo": 0.2, "rendering": 0.2},
    {"eds": 1.0},
)


def drawn(rng: np.random.Generator, pool: Sequence[Picture], *, touching: bool) -> tuple[Picture, list[Box]]:
    """A drawn figure and its panels; one in eight has a single panel."""
    alone = 1 if rng.random() < SINGLE else None
    if touching:
        mix = _TOUCHING[int(rng.integers(len(_TOUCHING)))]
        gutter = int(rng.choice([0, 0, 0, 1, 2, 3, 4, 8]))
        figure = draw_figure(rng, pool=pool, mix=mix, gutter_px=gutter, panels=alone)
    else:
        figure = draw_figure(rng, pool=pool, panels=alone)
    return figure.image, [p.box for p in figure.panels if p.parent is None]


# ---------------------------------------------------------------- examples, on several cores


@dataclass(frozen=True)
class _Sources:
    """What the figures are made of; every one has a generator of its own, so that any process may make it."""

    pool: list[Picture]
    real: list[tuple[Picture, list[Box]]]
    seed: int
    #: Folder whose networks read the figures, as far as it has them: at first those before, then the seams' own.
    weights: Path

    def figures(self, source: int, index: int) -> Iterator[tuple[Picture, list[Box]]]:
        """The figures of one job."""
        rng = np.random.default_rng([self.seed, source, index])
        if source == REAL:
            yield from variants(rng, *self.real[index])
        else:
            yield drawn(rng, self.pool, touching=source == TOUCHING)


#: Where a figure comes from, and the weight of its examples.
DRAWN, TOUCHING, REAL = range(3)
_WEIGHTS = {DRAWN: 1.0, TOUCHING: 1.0, REAL: REAL_WEIGHT}
_Examples = tuple[Floats, Labels, float]


@dataclass(frozen=True)
class _Made:
    """A figure that is looked at twice, compressed, with the examples of its seams."""

    png: bytes
    boxes: list[Box]
    source: int
    place: tuple[int, int]
    seams: tuple[Floats, Labels]


#: What a process makes its figures of.
_held: list[_Sources] = []


def _begin(sources: _Sources) -> None:
    # Torch has run threads in the parent by now and must not be touched here.
    use_weights(sources.weights)
    _held[:] = [sources]


def _make(job: tuple[int, int]) -> list[_Made]:
    """Figures of a job, with the examples of their seams."""
    sources = _held[0]
    made = []
    for k, (image, boxes) in enumerate(sources.figures(*job)):
        rng = np.random.default_rng([sources.seed, *job, k, 1])
        _, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        made.append(_Made(data.tobytes(), boxes, job[0], (job[1], k), seam_examples(rng, image, boxes)))
    return made


def _gutters_of(made: _Made) -> tuple[Floats, Labels]:
    sources = _held[0]
    image = np.asarray(cv2.imdecode(np.frombuffer(made.png, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)
    return examples(np.random.default_rng([sources.seed, made.source, *made.place, 2]), image, made.boxes)


def fit_cuts(material: FigureMaterial, out: Path, *, count: int) -> str:
    """Train the networks of the seams, then, with images cut as they say, those of the gutters; write both into `out`.

    Parameters
    ----------
    material : FigureMaterial
    out : Path
    count : int
        Figures to draw, and as many again whose images touch.

    Returns
    -------
    str
        What was learned from, a line a file.
    """
    real = [(figure.image, [panel.box for panel in figure.panels]) for _, figure in material.labelled()]
    sources = _Sources(material.micrographs, real, material.seed, out)
    jobs = [(DRAWN, i) for i in range(count)] + [(TOUCHING, i) for i in range(count)]
    jobs += [(REAL, i) for i in range(len(sources.real))]
    with ProcessPoolExecutor(material.workers, initializer=_begin, initargs=(sources,)) as processes:
        made = [figure for figures in processes.map(_make, jobs, chunksize=4) for figure in figures]
    seam_sets = [(*m.seams, _WEIGHTS[m.source]) for m in made]
    seam_line = _train_and_save(seam_sets, out / SEAM_WEIGHTS, material.seed, classes=2, hidden=48, epochs=30)
    made = [m for m in made if m.source != TOUCHING]
    with ProcessPoolExecutor(material.workers, initializer=_begin, initargs=(sources,)) as processes:
        gutter_sets = list(processes.map(_gutters_of, made, chunksize=4))
    sets = [(*x, _WEIGHTS[m.source]) for x, m in zip(gutter_sets, made, strict=True)]
    gutter_line = _train_and_save(
        sets, out / GUTTER_WEIGHTS, material.seed, classes=DROP_AFTER + 1, hidden=64, epochs=40
    )
    return f"{seam_line}\n{gutter_line}"


def _train_and_save(sets: Sequence[_Examples], path: Path, seed: int, *, classes: int, hidden: int, epochs: int) -> str:
    features = np.concatenate([f for f, _, _ in sets])
    labels = np.concatenate([x for _, x, _ in sets])
    weight = np.concatenate([np.full(len(x), w, np.float32) for _, x, w in sets])
    save_file(train(features, labels, weight, classes=classes, seed=seed, hidden=hidden, epochs=epochs), path)
    return f"{path.name}: {len(labels)} examples, {np.bincount(labels).tolist()} of each sort"
