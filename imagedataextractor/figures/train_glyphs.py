"""Train the network that reads panel letters, on rendered characters.

    python -m imagedataextractor.figures.train_glyphs --textures IMAGES --out data/figures/glyphs.safetensors

Characters are drawn with the TrueType fonts of the machine (the published weights: DejaVu,
Liberation, FreeFont, TeX Gyre, Lato, Open Sans, Roboto and Matplotlib's own), on paper, on
micrographs and on the black or white boxes that journals put behind letters; then they are blurred,
compressed and cut out exactly as blobs are cut out of figures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.numpy import save_file
from torch import nn

from imagedataextractor.figures.glyphs import CLASSES, FRAME, frame_of
from imagedataextractor.records import Box

__all__ = ["command", "draw_sample", "find_fonts", "train"]

Grey = npt.NDArray[np.uint8]

FONT_FOLDERS = ("/usr/share/fonts", "/usr/share/texmf/fonts/opentype", "/Library/Fonts", "C:/Windows/Fonts")
#: Families that hold symbols, mathematics or scripts that no journal prints panel letters in.
UNSUITABLE = ("math", "symbol", "dingbat", "siz", "chorus", "stixnonuni", "cmsy", "cmex", "cmmi", "cmtt", "emoji")
#: Signs that are not panel letters but look like characters.
SIGNS = "αβγδεθλμπσφωΔΩ°%+=−-/|,:;*#&@$<>[]{}~^→←↑↓×±√∑∫"


def find_fonts(folders: Sequence[str] = FONT_FOLDERS) -> list[Path]:
    """Upright and slanted text fonts of this machine and of Matplotlib."""
    import matplotlib

    roots = [Path(f) for f in folders] + [Path(matplotlib.get_data_path()) / "fonts" / "ttf"]
    found = [p for root in roots if root.is_dir() for p in sorted(root.rglob("*")) if p.suffix in (".ttf", ".otf")]
    return [p for p in found if not any(word in p.name.lower() for word in UNSUITABLE)]


def draw_sample(
    rng: np.random.Generator, fonts: Sequence[Path], textures: Sequence[Grey]
) -> tuple[npt.NDArray[np.float32], int] | None:
    """One frame and its class, or None where the blob was lost in its surroundings."""
    other = rng.random() < 0.25
    size = int(np.exp(rng.uniform(np.log(8.5), np.log(60))))
    canvas = _ground(rng, textures, 4 * size)
    bright = bool(canvas.mean() < rng.uniform(90, 165))
    ink = int(rng.integers(200, 256)) if bright else int(rng.integers(0, 70))
    if rng.random() < 0.15:  # the box behind the letter
        canvas[size // 2 : 3 * size, size // 2 : 3 * size] = 0 if bright else 255
    if other:
        box = _draw_other(rng, canvas, fonts, size, ink)
        label = len(CLASSES) - 1
    else:
        # The first letters of the alphabet name most panels.
        common = rng.random() < 0.4
        label = (
            CLASSES.index(str(rng.choice(list("abcdefghABCDEFGH"))))
            if common
            else int(rng.integers(0, len(CLASSES) - 1))
        )
        box = _draw_character(rng, canvas, fonts, size, ink, CLASSES[label], alone=False)
    canvas = _degrade(rng, canvas)
    if box is None:
        return None
    tight = _tight(canvas, box, bright)
    if tight is None:
        return None
    return frame_of(canvas, tight, bright=bright), label


def _ground(rng: np.random.Generator, textures: Sequence[Grey], side: int) -> Grey:
    if textures and rng.random() < 0.4:
        texture = textures[int(rng.integers(len(textures)))]
        top = int(rng.integers(0, max(1, texture.shape[0] - side)))
        left = int(rng.integers(0, max(1, texture.shape[1] - side)))
        part = texture[top : top + side, left : left + side]
        mean = float(part.mean())
        contrast = rng.uniform(0.1, 1.0)
        part = np.clip(mean + (part.astype(np.float32) - mean) * contrast, 0, 255).astype(np.uint8)
        return np.asarray(cv2.resize(part, (side, side)), np.uint8).copy()
    level = int(rng.choice([255, 255, 255, 0, int(rng.integers(0, 256))]))
    return np.full((side, side), level, np.uint8)


def _font(rng: np.random.Generator, fonts: Sequence[Path], size: int) -> ImageFont.FreeTypeFont:
    bold = [f for f in fonts if "bold" in f.name.lower()]
    pool = bold if bold and rng.random() < 0.6 else list(fonts)
    return ImageFont.truetype(str(pool[int(rng.integers(len(pool)))]), size)


def _draw_character(
    rng: np.random.Generator, canvas: Grey, fonts: Sequence[Path], size: int, ink: int, character: str, *, alone: bool
) -> Box | None:
    image = Image.fromarray(canvas)
    pen = ImageDraw.Draw(image)
    font = _font(rng, fonts, size)
    x, y = int(size * rng.uniform(1.0, 1.6)), int(size * rng.uniform(1.0, 1.6))
    before, after = ("", "")
    if not alone and character.isalpha():
        before, after = [("", ""), ("", ""), ("(", ")"), ("", ")"), ("", "."), ("", "1")][int(rng.integers(6))]
    elif not alone and character == "(":
        after = str(rng.choice(list("abcdefgh")))
    elif not alone and character == ")":
        before = str(rng.choice(list("abcdefgh")))
    shift = font.getlength(before)
    pen.text((x, y), before + character + after, fill=ink, font=font)
    canvas[:] = np.asarray(image)
    left, top, right, bottom = font.getbbox(character)
    box = Box(int(x + shift + left), int(y + top), int(np.ceil(x + shift + right)), int(np.ceil(y + bottom)))
    return box if box.width > 1 and box.height > 3 else None


def _draw_other(rng: np.random.Generator, canvas: Grey, fonts: Sequence[Path], size: int, ink: int) -> Box | None:
    """Something that is no letter: signs, several characters run together, shapes, texture, half a letter."""
    sort = int(rng.integers(5))
    if sort == 0:
        return _draw_character(rng, canvas, fonts, size, ink, str(rng.choice(list(SIGNS))), alone=True)
    if sort == 1:
        count = int(rng.integers(2, 6))
        word = "".join(rng.choice(list("abcdefghiklmnoprstuvwxyz0123456789ABCDEFGHM"), count))
        return _draw_character(rng, canvas, fonts, max(9, size // 2), ink, word, alone=True)
    if sort == 2:
        box = _draw_character(rng, canvas, fonts, size, ink, str(rng.choice(list("abcdefghABCDEFGH"))), alone=True)
        if box is None:
            return None
        share = rng.uniform(0.3, 0.6)
        if rng.random() < 0.5:
            return Box(box.x0, box.y0, box.x0 + max(3, int(box.width * share)), box.y1)
        return Box(box.x0, box.y0, box.x1, box.y0 + max(4, int(box.height * share)))
    a = int(size * rng.uniform(1.0, 1.5))
    w, h = int(size * rng.uniform(0.2, 1.0)) + 3, int(size * rng.uniform(0.3, 1.0)) + 4
    if sort == 3:
        _draw_shape(rng, canvas, a, w, h, ink)
    return Box(a, a, a + w, a + h)


def _draw_shape(rng: np.random.Generator, canvas: Grey, a: int, w: int, h: int, ink: int) -> None:
    thick = int(rng.integers(1, max(2, w // 3)))
    shape = int(rng.integers(6))
    if shape == 0:
        cv2.ellipse(canvas, (a + w // 2, a + h // 2), (w // 2, h // 2), 0, 0, 360, ink, int(rng.choice([-1, thick])))
    elif shape == 1:
        cv2.rectangle(canvas, (a, a), (a + w, a + h), ink, int(rng.choice([-1, thick])))
    elif shape == 2:
        cv2.arrowedLine(canvas, (a, a + h), (a + w, a), ink, thick, tipLength=0.4)
    elif shape == 3:
        cv2.line(canvas, (a, a + h), (a + w, a + int(rng.integers(0, h + 1))), ink, thick)
    elif shape == 4:
        points = np.array([[a, a + h], [a + w // 2, a], [a + w, a + h]], np.int32)
        cv2.fillPoly(canvas, [points], ink)
    else:
        points = np.stack([a + rng.integers(0, w + 1, 5), a + rng.integers(0, h + 1, 5)], axis=1).astype(np.int32)
        cv2.polylines(canvas, [points], bool(rng.random() < 0.5), ink, thick)


def _degrade(rng: np.random.Generator, canvas: Grey) -> Grey:
    """What scaling and compression do to a figure on its way into a journal."""
    if rng.random() < 0.5:
        sigma = rng.uniform(0.3, 1.0) * max(1.0, canvas.shape[0] / 100)
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), sigma), np.uint8)
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(1, 12), canvas.shape)
        canvas = np.clip(canvas + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        _, data = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 96))])
        canvas = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return canvas


def _tight(canvas: Grey, box: Box, bright: bool) -> Box | None:
    """`box` shrunk to the pixels that a threshold half-way would call ink."""
    box = box.intersection(Box(0, 0, canvas.shape[1], canvas.shape[0]))
    part = canvas[box.slices].astype(np.float32)
    if part.size == 0:
        return None
    low, high = float(part.min()), float(part.max())
    if high - low < 40:
        return None
    mask = part > (low + high) / 2 if bright else part < (low + high) / 2
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    tight = Box(
        box.x0 + int(columns[0]), box.y0 + int(rows[0]), box.x0 + int(columns[-1]) + 1, box.y0 + int(rows[-1]) + 1
    )
    return tight if tight.height >= 5 and tight.width >= 2 else None


class _Network(nn.Sequential):
    def __init__(self) -> None:
        super().__init__()
        side = FRAME
        for i, (a, b) in enumerate([(1, 16), (16, 32), (32, 64)], start=1):
            self.add_module(f"conv{i}", nn.Conv2d(a, b, 3, padding=1))
            self.add_module(f"relu{i}", nn.ReLU())
            self.add_module(f"pool{i}", nn.MaxPool2d(2))
            side //= 2
        self.add_module("flatten", nn.Flatten())
        self.add_module("dense1", nn.Linear(64 * side * side, 64))
        self.add_module("relu4", nn.ReLU())
        self.add_module("drop", nn.Dropout(0.2))
        self.add_module("dense2", nn.Linear(64, len(CLASSES)))


def train(
    frames: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], *, epochs: int, seed: int
) -> tuple[dict[str, npt.NDArray[np.float32]], float]:
    """Weights, and the share of a held-out tenth of the samples that they read right."""
    torch.manual_seed(seed)
    network = _Network()
    held = len(frames) // 10
    x, y = torch.from_numpy(frames[:, None]), torch.from_numpy(labels)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-3)
    batch = 256
    steps = epochs * ((len(x) - held) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps + epochs)
    for epoch in range(epochs):
        network.train()
        order = held + torch.randperm(len(x) - held)
        for i in range(0, len(order) - batch, batch):
            pick = order[i : i + batch]
            loss = nn.functional.cross_entropy(network(x[pick]), y[pick], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            right = float((network(x[:held]).argmax(1) == y[:held]).float().mean())
        click.echo(f"epoch {epoch + 1}: {100 * right:.2f} % of the held-out samples", err=True)
    weights = {k: v.detach().numpy().astype(np.float32) for k, v in network.state_dict().items()}
    return weights, right


@click.command()
@click.option("--textures", type=click.Path(exists=True, path_type=Path), help="Folder of micrographs to draw on.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--count", default=80_000, show_default=True, help="Characters to draw.")
@click.option("--epochs", default=8, show_default=True)
@click.option("--seed", default=0, show_default=True)
def command(textures: Path | None, out: Path, count: int, epochs: int, seed: int) -> None:
    """Train the letter reader on rendered characters."""
    rng = np.random.default_rng(seed)
    fonts = find_fonts()
    pictures: list[Grey] = []
    if textures is not None:
        files = sorted(p for p in textures.iterdir() if p.suffix in (".png", ".jpg", ".tif"))
        pictures = [np.asarray(Image.open(p).convert("L")) for p in files[::3]]
    click.echo(f"{len(fonts)} fonts, {len(pictures)} textures", err=True)
    frames = np.zeros((count, FRAME, FRAME), np.float32)
    labels = np.zeros(count, np.int64)
    done = 0
    while done < count:
        sample = draw_sample(rng, fonts, pictures)
        if sample is not None:
            frames[done], labels[done] = sample
            done += 1
    weights, right = train(frames, labels, epochs=epochs, seed=seed)
    facts = {"classes": json.dumps(CLASSES), "held_out_accuracy": f"{right:.4f}", "samples": str(count)}
    save_file(weights, out, metadata=facts)


if __name__ == "__main__":
    command()
