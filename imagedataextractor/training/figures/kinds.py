"""Train the network that tells what a panel shows.

Drawn panels of every kind (`imagedataextractor.artificial.contents`), crops of real micrographs, and
labelled panels of real figures, each in several variants (cropped, scaled, compressed, with letters
and scale bars). Real panels are held out by article in turn to measure; the weights are trained on
all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from torch import nn

from imagedataextractor.artificial.annotations import draw_letter
from imagedataextractor.artificial.contents import CONTENTS, annotate, draw_content
from imagedataextractor.errors import InputError
from imagedataextractor.figures.kinds.classify import FEATURES, KINDS, WEIGHTS, describe
from imagedataextractor.images import to_rgb
from imagedataextractor.training.figures.material import FigureMaterial

__all__ = ["drawn_panels", "fit_kinds", "real_panels", "train", "variants"]

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

#: How often each kind of content is drawn, relative to the others.
SHARES = {
    "micrograph": 4.0,
    "lattice": 0.8,
    "atoms": 0.5,
    "lone_particles": 0.6,
    "false_colour": 0.8,
    "diffraction": 1.0,
    "eds": 1.2,
    "photo": 1.2,
    "optical": 0.8,
    "tissue": 1.0,
    "force_map": 0.4,
    "blots": 0.5,
    "rendering": 0.6,
    "schematic": 1.0,
    "pale_schematic": 0.4,
    "molecules": 0.4,
    "flow_chart": 0.4,
    "plot": 2.2,
    "table": 0.4,
}
#: Weight of a labelled real panel's variants against a drawn panel.
REAL_WEIGHT = 1.0

# How often a panel is varied in each way, as a share of those that can be.

#: Mirrored: neither side is usual. Compressed as JPEG once more, which most printed figures were.
MIRRORED, COMPRESSED = 0.5, 0.7
#: Micrographs that are crops of real ones, where there are some: drawn ones only add what those lack.
REAL_CROPS = 0.85
#: Photographs with weaker colours; panels of pictures with marks on them.
FADED, DECORATED = 0.6, 0.3
#: Crops that are close-ups of a single particle, smooth as such are; their least side as a share of the micrograph's,
#: that of other crops, and that of all, px, below which a panel shows nothing.
CLOSE_UPS, CLOSE_UP_SIDE, USUAL_SIDE, LEAST_CROP_PX = 0.3, 0.12, 0.4, 64
#: Crops that are turned into dark-field pictures, which are rarer than bright-field ones.
DARK_FIELD = 0.2
#: Marked panels with a letter, and the side, px, above which there is room for one.
LETTERED, LETTER_ROOM_PX = 0.5, 64
#: Marked panels with an arrow or a frame, arrows among those, and panels with the label box of a scale bar.
POINTED_AT, ARROWS, LABEL_BOXES = 0.4, 0.5, 0.4


def variants(rng: np.random.Generator, picture: Picture, count: int) -> list[Picture]:
    """Copies as a journal might print them: cropped, scaled, mirrored, compressed, lettered."""
    made = []
    for _ in range(count):
        height, width = picture.shape[:2]
        y0, x0 = (int(rng.uniform(0, 0.12) * v) for v in (height, width))
        y1, x1 = (int((1 - rng.uniform(0, 0.12)) * v) for v in (height, width))
        copy = picture[y0:y1, x0:x1]
        scale = float(np.clip(rng.uniform(120, 600) / max(copy.shape[:2]), 0.2, 2.0))
        size = (max(24, round(copy.shape[1] * scale)), max(24, round(copy.shape[0] * scale)))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        copy = np.asarray(cv2.resize(copy, size, interpolation=way), np.uint8)
        if rng.random() < MIRRORED:
            copy = copy[:, ::-1]
        copy = np.ascontiguousarray(copy)
        if rng.random() < COMPRESSED:
            copy = _compressed(rng, copy)
        made.append(copy)
    return made


def _compressed(rng: np.random.Generator, picture: Picture) -> Picture:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 97))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)


def drawn_panels(
    rng: np.random.Generator, count: int, micrographs: Sequence[Picture]
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Features and kinds of drawn panels and of crops of real micrographs."""
    names = list(SHARES)
    chances = np.array([SHARES[n] for n in names]) / sum(SHARES.values())
    rows, kinds = [], []
    for _ in range(count):
        name = str(rng.choice(names, p=chances))
        height, width = int(rng.integers(110, 420)), int(rng.integers(130, 520))
        if name == "micrograph" and micrographs and rng.random() < REAL_CROPS:
            kind, picture = CONTENTS[name][0], _real_crop(rng, micrographs)
        else:
            kind, picture = draw_content(rng, name, height, width)
        if kind == "photo" and rng.random() < FADED:
            picture = _faded(rng, picture)
        if kind == "em":
            picture = annotate(rng, picture)
        if kind not in ("plot", "other") and rng.random() < DECORATED:
            picture = _decorated(rng, picture)
        picture = variants(rng, picture, 1)[0]
        rows.append(describe(picture))
        kinds.append(KINDS.index(kind))
    return np.stack(rows), np.array(kinds)


def _real_crop(rng: np.random.Generator, micrographs: Sequence[Picture]) -> Picture:
    picture = micrographs[int(rng.integers(len(micrographs)))]
    height, width = picture.shape[:2]
    least = CLOSE_UP_SIDE if rng.random() < CLOSE_UPS else USUAL_SIDE
    h, w = (min(side, max(LEAST_CROP_PX, int(side * rng.uniform(least, 1.0)))) for side in (height, width))
    y, x = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    crop = picture[y : y + h, x : x + w]
    if rng.random() < DARK_FIELD:
        crop = _dark_field(rng, crop)
    return to_rgb(np.ascontiguousarray(crop))


def _dark_field(rng: np.random.Generator, picture: Picture) -> Picture:
    """The negative, its ground near black, as a dark-field detector gives it."""
    low, high = np.percentile(picture, (2, 98))
    bright = np.clip((high - picture.astype(np.float32)) / max(1.0, float(high - low)), 0, 1)
    noise = rng.normal(0, rng.uniform(0, 12), picture.shape)
    return np.asarray(np.clip(rng.uniform(0, 30) + 225 * bright ** rng.uniform(1.0, 2.5) + noise, 0, 255), np.uint8)


def _faded(rng: np.random.Generator, picture: Picture) -> Picture:
    """Weaker colours: thin stains, and print that does not do them justice."""
    tones = picture.mean(axis=2, keepdims=True)
    return np.asarray(np.clip(tones + rng.uniform(0.15, 0.9) * (picture - tones), 0, 255), np.uint8)


def _decorated(rng: np.random.Generator, picture: Picture) -> Picture:
    """With a letter, a coloured arrow or box, or the label box of a scale bar."""
    picture = picture.copy()
    height, width = picture.shape[:2]
    if rng.random() < LETTERED and min(height, width) > LETTER_ROOM_PX:
        lettered, _, _ = draw_letter(rng, np.ascontiguousarray(picture[..., 0]))
        if (picture[..., 0] == picture[..., 1]).all():
            picture = to_rgb(lettered)
    if rng.random() < POINTED_AT:
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        a = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        b = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        (cv2.arrowedLine if rng.random() < ARROWS else cv2.rectangle)(picture, a, b, colour, int(rng.integers(1, 4)))
    if rng.random() < LABEL_BOXES:
        h, w = max(8, height // 8), max(16, width // 4)
        picture[height - h :, width - w :] = int(rng.choice([0, 255]))
        cv2.line(picture, (width - w + 4, height - 5), (width - 5, height - 5), (128, 128, 128), 2)
    return picture


def real_panels(material: FigureMaterial) -> list[tuple[str, str, Picture]]:
    """Labelled panels: (article, kind, picture)."""
    found: list[tuple[str, str, Picture]] = []
    for file, figure in material.labelled(largest=None):
        article = file.stem.split("_fig")[0] if "_fig" in file.stem else file.parent.name
        found += [(article, p.kind, figure.image[p.box.slices]) for p in figure.panels if p.kind is not None]
    if not found:
        raise InputError("no labelled panel to learn kinds from: give --panels, and --data where their figures lie")
    return found


def train(x: Floats, y: npt.NDArray[np.int64], weight: Floats, *, epochs: int = 60, seed: int = 0) -> dict[str, Floats]:
    """Weights of the network, the scaling of its inputs included; the temperature is still 1."""
    torch.manual_seed(seed)
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    inputs = torch.from_numpy(np.clip((x - mean) / scale, -4, 4))
    target, weights = torch.from_numpy(y), torch.from_numpy(weight)
    network = nn.Sequential()
    network.add_module("dense1", nn.Linear(x.shape[1], 48))
    network.add_module("relu", nn.ReLU())
    network.add_module("drop", nn.Dropout(0.3))
    network.add_module("dense2", nn.Linear(48, len(KINDS)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=3e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        network.train()
        for pick in torch.split(torch.randperm(len(inputs)), 256):
            noisy = inputs[pick] + 0.1 * torch.randn_like(inputs[pick])
            losses = nn.functional.cross_entropy(network(noisy), target[pick], reduction="none", label_smoothing=0.03)
            loss = (losses * weights[pick]).sum() / weights[pick].sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        schedule.step()
    state = {k: v.detach().numpy().astype(np.float32) for k, v in network.state_dict().items()}
    return {**state, "mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}


def logits(weights: dict[str, Floats], x: Floats) -> Floats:
    """What the network says of feature rows."""
    hidden = np.clip((x - weights["mean"]) / weights["scale"], -4, 4)
    hidden = np.maximum(hidden @ weights["dense1.weight"].T + weights["dense1.bias"], 0)
    result: Floats = hidden @ weights["dense2.weight"].T + weights["dense2.bias"]
    return result


def temperature_of(values: Floats, y: npt.NDArray[np.int64]) -> float:
    """The temperature at which held-out probabilities are as right as they claim (least log loss)."""
    best = (np.inf, 1.0)
    for temperature in np.geomspace(0.4, 4.0, 40):
        scaled = values / temperature
        loss = float(
            (
                np.log(np.exp(scaled - scaled.max(1, keepdims=True)).sum(1))
                + scaled.max(1)
                - scaled[np.arange(len(y)), y]
            ).mean()
        )
        best = min(best, (loss, float(temperature)))
    return best[1]


def fit_kinds(material: FigureMaterial, out: Path, *, count: int) -> str:
    """Train the classifier of panels and write it into the folder `out`.

    Parameters
    ----------
    material : FigureMaterial
    out : Path
    count : int
        Panels to draw.

    Returns
    -------
    str
        How it does on articles it has not seen, a line each.

    Raises
    ------
    InputError
        There are no labelled panels.
    """
    rng = np.random.default_rng(material.seed)
    x, y = drawn_panels(rng, count, material.micrographs)
    real = real_panels(material)
    rows: list[Floats] = []
    owners: list[int] = []
    for i, (_, _, picture) in enumerate(real):
        for version in [picture, *variants(rng, picture, 3)]:
            rows.append(describe(version))
            owners.append(i)
    real_x, owner = np.stack(rows), np.array(owners)
    real_y = np.array([KINDS.index(kind) for _, kind, _ in real])
    articles = np.array([a for a, _, _ in real])
    plain = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
    held = np.zeros((len(real), len(KINDS)), np.float32)
    for article in sorted(set(articles)):
        inside = articles[owner] == article
        weights = train(*_joined(x, y, real_x[~inside], real_y[owner[~inside]]), seed=material.seed)
        mine = articles == article
        held[mine] = logits(weights, real_x[plain[mine]])
    weights = train(*_joined(x, y, real_x, real_y[owner]), seed=material.seed)
    weights["temperature"] = np.array([temperature_of(held, real_y)], np.float32)
    em = KINDS.index("em")
    right = float(((held.argmax(1) == em) == (real_y == em)).mean())
    facts = {"kinds": KINDS, "features": FEATURES, "held_out_em_or_not": round(right, 4)}
    # One key: the order of several in the file is not fixed, and the same training is to give the same file.
    save_file(weights, out / WEIGHTS, metadata={"facts": json.dumps(facts)})
    return _table(held, real_y, articles)


def _joined(x: Floats, y: Any, real_x: Floats, real_y: Any) -> tuple[Floats, Any, Floats]:
    weight = np.concatenate([np.ones(len(x)), np.full(len(real_x), REAL_WEIGHT)]).astype(np.float32)
    return np.concatenate([x, real_x]), np.concatenate([y, real_y]), weight


def _table(held: Floats, y: npt.NDArray[np.int64], articles: npt.NDArray[np.str_]) -> str:
    em = KINDS.index("em")
    said = held.argmax(1)
    lines = [f"{'article left out':28s} panels  kind right  em or not right"]
    for article in [*sorted(set(articles)), "all"]:
        mine = np.ones(len(y), bool) if article == "all" else articles == article
        binary = ((said == em) == (y == em))[mine].mean()
        lines.append(f"{article:28s} {mine.sum():6d}  {(said == y)[mine].mean():10.3f}  {binary:15.3f}")
    for i in np.flatnonzero((said == em) != (y == em)):
        lines.append(f"  {articles[i]}: panel {i} is {KINDS[y[i]]}, said {KINDS[said[i]]}")
    return "\n".join(lines)
