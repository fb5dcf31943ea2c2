"""Train the network that reads panel letters, on rendered characters.

Characters are drawn with the TrueType fonts of the machine (the published weights: DejaVu,
Liberation, FreeFont, TeX Gyre, Lato, Open Sans, Roboto and Matplotlib's own), on paper, on
micrographs and on the black or white boxes that journals put behind letters; then they are blurred,
compressed and cut out exactly as blobs are cut out of figures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.numpy import save_file
from torch import nn

from imagedataextractor.figures.letters.blobs import find_blobs, print_masks
from imagedataextractor.figures.letters.find import MAGNIFY
from imagedataextractor.figures.letters.glyphs import CLASSES, FRAME, WEIGHTS, frame_of
from imagedataextractor.records import Box
from imagedataextractor.telling import Tell
from imagedataextractor.training.figures.material import FigureMaterial

__all__ = ["draw_sample", "find_fonts", "fit_glyphs", "train"]

Grey = npt.NDArray[np.uint8]

FONT_FOLDERS = ("/usr/share/fonts", "/usr/share/texmf/fonts/opentype", "/Library/Fonts", "C:/Windows/Fonts")
#: Families of symbols, mathematics, other scripts, and such as no journal prints panel letters in.
UNSUITABLE = (
    *("math", "symbol", "dingbat", "siz", "chorus", "stixnonuni", "cmsy", "cmex", "cmmi", "emoji", "lastresort"),
    *("mono", "cursor", "cmtt", "thin", "hairline", "extralight"),
)
#: Parts of the names of fonts with serifs.
SERIF = ("serif", "roman", "termes", "pagella", "schola", "bonum", "caladea", "stix", "cmr", "cmb", "cmti")
#: Signs that are not panel letters but look like characters.
SIGNS = "αβγδεθλμπσφωΔΩ°%+=−-/|,:;*#&@$<>[]{}~^→←↑↓×±√∑∫"

#: Least and largest size of the font, px of the figure.
SIZES = (5.5, 60.0)
#: Size below which print is drawn larger and scaled down, and magnified as small figures are, px.
SMALL = 28.0
#: Rounds through the characters.
EPOCHS = 14
#: Share of characters that stand at the edge of their figure.
AT_EDGE = 0.12

# How often a character is drawn in each way, as a share of those that can be.

#: Of those at an edge, at the left one; the rest are at the upper one.
AT_LEFT = 0.6
#: Small print that is drawn larger and scaled down with its figure; small print that is then looked at magnified.
DRAWN_FINER, MAGNIFIED = 0.7, 0.7
#: Samples that are no character: most blobs of a figure are none, but characters are harder to tell.
NO_CHARACTER = 0.2
#: Characters that are among those that name most panels; of these, the first letters, the others being brackets.
LIKELY, FIRST_LETTERS = 0.45, 0.75
#: Characters on a micrograph; the rest stand on plain ground, most of it paper.
ON_TEXTURE = 0.5
#: Bounds of a draw from 0 … 1 below which a box, else a disc, lies behind the letter: 12 % and 4 % of the letters.
BOX_BELOW, DISC_BELOW = 0.12, 0.16
#: Fonts with serifs, bold ones, slanted ones: figures have many bold letters and few slanted ones.
WITH_SERIFS, BOLD, SLANTED = 0.5, 0.5, 0.1
#: Height, px, above which the box of a character, and of what is none, is kept: lower ones are a mere line.
LEAST_HEIGHT_PX, LEAST_OTHER_HEIGHT_PX = 3, 4
#: Parts of a letter that are its left one; the others are its upper one.
LEFT_PART = 0.5
#: Crooked lines that end where they began.
CLOSED = 0.5
#: Canvases that are blurred, noisy, compressed: scaling and JPEG befall most figures, noise only some.
BLURRED, NOISY, COMPRESSED = 0.6, 0.3, 0.6
#: What is no character and is cut out as it was drawn; the rest as the blob that is found of it.
AS_DRAWN = 0.5
#: Blobs of a part of a character that become samples: a few are enough to tell a part from the whole.
PARTS_KEPT = 0.15
#: Canvases in which print is what differs from the median; in the rest it is found by the letter finder's own masks.
BY_MEDIAN = 0.5

#: What is drawn that is no character, and the shapes of it, each as often as it stands here.
OTHERS = ("sign", "word", "part", "shape", "texture", "texture")
SHAPES = ("ellipse", "rectangle", "arrow", "line", "triangle", "crooked line")


def find_fonts(folders: Sequence[str] = FONT_FOLDERS) -> list[Path]:
    """Upright and slanted text fonts of this machine and of Matplotlib."""
    import matplotlib

    roots = [Path(f) for f in folders] + [Path(matplotlib.get_data_path()) / "fonts" / "ttf"]
    found = [p for root in roots if root.is_dir() for p in sorted(root.rglob("*")) if p.suffix in (".ttf", ".otf")]
    return [p for p in found if not any(word in p.name.lower() for word in UNSUITABLE)]


@dataclass(frozen=True)
class _Print:
    """A canvas, what was printed on it and where (None for a texture without print), and the font's size, px."""

    canvas: Grey
    box: Box | None
    label: int
    size: float
    bright: bool

    def resized(self, factor: float) -> _Print:
        if factor == 1.0:
            return self
        size = (max(1, round(self.canvas.shape[1] * factor)), max(1, round(self.canvas.shape[0] * factor)))
        method = cv2.INTER_AREA if factor < 1.0 else cv2.INTER_CUBIC
        canvas = np.asarray(cv2.resize(self.canvas, size, interpolation=method), np.uint8)
        return replace(
            self,
            canvas=canvas,
            box=None if self.box is None else self.box.scaled(factor),
            size=self.size * factor,
        )


def draw_sample(
    rng: np.random.Generator, fonts: Sequence[Path], textures: Sequence[Grey]
) -> tuple[npt.NDArray[np.float32], int] | None:
    """One frame and its class, or None where the blob was lost in its surroundings."""
    printed = _print(rng, fonts, textures)
    if printed is None:
        return None
    if rng.random() < AT_EDGE:
        printed = _at_edge(rng, printed)
    printed = replace(printed, canvas=_degrade(rng, printed.canvas, printed.size))
    if printed.size < SMALL and rng.random() < MAGNIFIED:
        printed = printed.resized(float(rng.uniform(1.0, MAGNIFY)))
    found = _blob_of(rng, printed)
    if found is None:
        return None
    blob, label = found
    return frame_of(printed.canvas, _jittered(rng, blob), bright=printed.bright), label


def _at_edge(rng: np.random.Generator, printed: _Print) -> _Print:
    """The print at the left or the upper edge of its figure, where many letters are."""
    box = printed.box
    if box is None:
        return printed
    off = int(rng.integers(0, 3))
    dx, dy = (max(0, box.x0 - off), 0) if rng.random() < AT_LEFT else (0, max(0, box.y0 - off))
    return replace(printed, canvas=printed.canvas[dy:, dx:].copy(), box=box.shifted(-dx, -dy))


def _print(rng: np.random.Generator, fonts: Sequence[Path], textures: Sequence[Grey]) -> _Print | None:
    final = float(np.exp(rng.uniform(np.log(SIZES[0]), np.log(SIZES[1]))))
    # Small print was scaled down with its figure: fonts drawn small are hinted, which sharpens them.
    finer = max(1, round(SMALL / final)) if rng.random() < DRAWN_FINER else 1
    size = round(final * finer)
    canvas = _ground(rng, textures, 4 * size)
    bright = bool(canvas.mean() < rng.uniform(90, 165))
    ink = int(rng.integers(200, 256)) if bright else int(rng.integers(0, 70))
    _draw_plate(rng, canvas, size, 0 if bright else 255)
    nothing = len(CLASSES) - 1
    if rng.random() < NO_CHARACTER:
        box, drawn = _draw_other(rng, canvas, fonts, size, ink)
        return _Print(canvas, box, nothing, size, bright).resized(1 / finer) if box is not None or not drawn else None
    # The first letters of the alphabet name most panels.
    likely = "abcdefghABCDEFGH" if rng.random() < FIRST_LETTERS else "()"
    name = str(rng.choice(list(likely))) if rng.random() < LIKELY else CLASSES[int(rng.integers(0, nothing))]
    box = _draw_character(rng, canvas, fonts, size, ink, name, alone=False)
    return None if box is None else _Print(canvas, box, CLASSES.index(name), size, bright).resized(1 / finer)


def _ground(rng: np.random.Generator, textures: Sequence[Grey], side: int) -> Grey:
    if textures and rng.random() < ON_TEXTURE:
        texture = textures[int(rng.integers(len(textures)))]
        # The middle of a micrograph: letters and scale bars are in its corners.
        height, width = texture.shape
        top = int(rng.integers(height // 6, max(height // 6 + 1, height * 5 // 6 - side)))
        left = int(rng.integers(width // 6, max(width // 6 + 1, width * 5 // 6 - side)))
        part = texture[top : top + side, left : left + side]
        mean = float(part.mean())
        contrast = rng.uniform(0.1, 1.0)
        part = np.clip(mean + (part.astype(np.float32) - mean) * contrast, 0, 255).astype(np.uint8)
        return np.asarray(cv2.resize(part, (side, side)), np.uint8).copy()
    level = int(rng.choice([255, 255, 255, 0, int(rng.integers(0, 256))]))
    return np.full((side, side), level, np.uint8)


def _draw_plate(rng: np.random.Generator, canvas: Grey, size: int, level: int) -> None:
    """The box or the disc behind the letter, now and then."""
    choice = rng.random()
    if choice < BOX_BELOW:
        top, left = (int(size * rng.uniform(0.5, 1.0)) for _ in range(2))
        bottom, right = (int(size * rng.uniform(2.2, 3.2)) for _ in range(2))
        canvas[top:bottom, left:right] = level
    elif choice < DISC_BELOW:
        cv2.circle(canvas, (round(1.7 * size), round(1.8 * size)), round(1.1 * size), level, -1)


def _font(rng: np.random.Generator, fonts: Sequence[Path], size: int) -> ImageFont.FreeTypeFont:
    """Half with serifs, whatever the number of such fonts; mostly upright and often bold."""
    serif = rng.random() < WITH_SERIFS
    bold, slanted = rng.random() < BOLD, rng.random() < SLANTED
    pool = [f for f in fonts if any(word in f.name.lower() for word in SERIF) == serif] or list(fonts)
    for wanted, words in ((bold, ("bold", "black", "heavy")), (slanted, ("italic", "oblique"))):
        pool = [f for f in pool if any(w in f.name.lower() for w in words) == wanted] or pool
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
        around = [("", ""), ("", ""), ("(", ")"), ("(", ")"), ("", ")"), ("", "."), ("", "1")]
        before, after = around[int(rng.integers(len(around)))]
        if character in "iv" and before:
            before, after = before + str(rng.choice(["", "i", "v"])), str(rng.choice(["", "i"])) + after
    elif not alone and character == "(":
        after = str(rng.choice(list("abcdefgh")))
    elif not alone and character in ")123456789":
        before = str(rng.choice(list("abcdefgh")))
    shift = font.getlength(before)
    pen.text((x, y), before + character + after, fill=ink, font=font)
    canvas[:] = np.asarray(image)
    left, top, right, bottom = font.getbbox(character)
    box = Box(int(x + shift + left), int(y + top), int(np.ceil(x + shift + right)), int(np.ceil(y + bottom)))
    return box if box.width > 1 and box.height > LEAST_HEIGHT_PX else None


def _draw_other(
    rng: np.random.Generator, canvas: Grey, fonts: Sequence[Path], size: int, ink: int
) -> tuple[Box | None, bool]:
    """Something that is no letter: signs, characters run together, shapes, half a letter, or nothing but texture."""
    sort = OTHERS[int(rng.integers(len(OTHERS)))]
    if sort == "sign":
        return _draw_character(rng, canvas, fonts, size, ink, str(rng.choice(list(SIGNS))), alone=True), True
    if sort == "word":
        count = int(rng.integers(2, 6))
        word = "".join(rng.choice(list("abcdefghiklmnoprstuvwxyz0123456789ABCDEFGHM"), count))
        return _draw_character(rng, canvas, fonts, max(9, size // 2), ink, word, alone=True), True
    if sort == "part":
        box = _draw_character(rng, canvas, fonts, size, ink, str(rng.choice(list("abcdefghABCDEFGH"))), alone=True)
        if box is None:
            return None, True
        share = rng.uniform(0.3, 0.6)
        if rng.random() < LEFT_PART:
            return Box(box.x0, box.y0, box.x0 + max(3, int(box.width * share)), box.y1), True
        return Box(box.x0, box.y0, box.x1, box.y0 + max(4, int(box.height * share))), True
    if sort == "texture":
        return None, False
    a = int(size * rng.uniform(1.0, 1.5))
    w, h = int(size * rng.uniform(0.2, 1.0)) + 3, int(size * rng.uniform(0.3, 1.0)) + 4
    _draw_shape(rng, canvas, a, w, h, ink)
    return Box(a, a, a + w, a + h), True


def _draw_shape(rng: np.random.Generator, canvas: Grey, a: int, w: int, h: int, ink: int) -> None:
    thick = int(rng.integers(1, max(2, w // 3)))
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    if shape == "ellipse":
        cv2.ellipse(canvas, (a + w // 2, a + h // 2), (w // 2, h // 2), 0, 0, 360, ink, int(rng.choice([-1, thick])))
    elif shape == "rectangle":
        cv2.rectangle(canvas, (a, a), (a + w, a + h), ink, int(rng.choice([-1, thick])))
    elif shape == "arrow":
        cv2.arrowedLine(canvas, (a, a + h), (a + w, a), ink, thick, tipLength=0.4)
    elif shape == "line":
        cv2.line(canvas, (a, a + h), (a + w, a + int(rng.integers(0, h + 1))), ink, thick)
    elif shape == "triangle":
        points = np.array([[a, a + h], [a + w // 2, a], [a + w, a + h]], np.int32)
        cv2.fillPoly(canvas, [points], ink)
    else:
        points = np.stack([a + rng.integers(0, w + 1, 5), a + rng.integers(0, h + 1, 5)], axis=1).astype(np.int32)
        cv2.polylines(canvas, [points], bool(rng.random() < CLOSED), ink, thick)


def _degrade(rng: np.random.Generator, canvas: Grey, size: float) -> Grey:
    """What scaling and compression do to a figure on its way into a journal."""
    if rng.random() < BLURRED:
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 1.0) * max(0.6, size / 25)), np.uint8)
    if rng.random() < NOISY:
        noise = rng.normal(0, rng.uniform(1, 12), canvas.shape)
        canvas = np.clip(canvas + noise, 0, 255).astype(np.uint8)
    if rng.random() < COMPRESSED:
        _, data = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 96))])
        canvas = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return canvas


#: Overlap (IoU) of a blob with the character that was drawn from which it is that character …
SAME = 0.75
#: … and below which it is something else: a part of it, or several run together.
DIFFERENT = 0.5
#: Ways of telling print from ground that are tried on a sample.
TRIES = 3


def _blob_of(rng: np.random.Generator, printed: _Print) -> tuple[Box, int] | None:
    """The blob that the letter finder would see of what was printed, and its class."""
    nothing = len(CLASSES) - 1
    canvas = printed.canvas
    if printed.label == nothing and printed.box is not None and rng.random() < AS_DRAWN:
        box = printed.box.intersection(Box(0, 0, canvas.shape[1], canvas.shape[0]))
        return (box, nothing) if box.width > 1 and box.height > LEAST_OTHER_HEIGHT_PX else None
    for _ in range(TRIES):
        blobs = find_blobs(_mask(rng, canvas, bright=printed.bright), 0.45 * printed.size, 1.1 * printed.size)
        if blobs and printed.box is None:
            return blobs[int(rng.integers(len(blobs)))], nothing
        overlaps = [_overlap(printed.box, blob, printed.size) for blob in blobs if printed.box is not None]
        best = int(np.argmax(overlaps)) if overlaps else 0
        if overlaps and printed.label == nothing and overlaps[best] > DIFFERENT:
            return blobs[best], nothing
        if overlaps and printed.label != nothing and overlaps[best] >= SAME:
            return blobs[best], printed.label
        apart = bool(overlaps) and overlaps[best] < DIFFERENT
        if apart and _shares(printed.box, blobs[best]) and rng.random() < PARTS_KEPT:
            return blobs[best], nothing
    return None


def _shares(box: Box | None, blob: Box) -> bool:
    """Whether a blob is a part of the character, or the character with something else, and not its neighbour."""
    return box is not None and box.intersection(blob).area > 0.4 * min(box.area, blob.area)


def _overlap(box: Box | None, blob: Box, size: float) -> float:
    """IoU of two boxes with a rim around them, without which thin strokes that are off by a pixel would not overlap."""
    rim = 1 + round(0.08 * size)
    if box is None:
        return 0.0
    a, b = (Box(x.x0, x.y0, x.x1 + 2 * rim, x.y1 + 2 * rim) for x in (box, blob))
    return a.iou(b)


def _mask(rng: np.random.Generator, canvas: Grey, *, bright: bool) -> npt.NDArray[np.uint8]:
    """What of the canvas could be print, by one of the ways of the letter finder."""
    if rng.random() < BY_MEDIAN:
        ground = float(np.median(canvas))
        return np.asarray(np.abs(canvas - ground) > rng.uniform(50, 180), np.uint8)
    masks = [mask for mask, is_bright in print_masks(canvas, int(rng.integers(13, 32))) if is_bright == bright]
    return masks[int(rng.integers(len(masks)))]


def _jittered(rng: np.random.Generator, box: Box) -> Box:
    """The box as it comes back from the reduced copy of a figure: off by a pixel of that copy here and there."""
    share = 0.04 * box.height
    off = [round(float(rng.uniform(-share, share))) for _ in range(4)]
    moved = Box(max(0, box.x0 + off[0]), max(0, box.y0 + off[1]), box.x1 + off[2], box.y1 + off[3])
    return moved if moved.width > 1 and moved.height > LEAST_HEIGHT_PX else box


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
    frames: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    *,
    epochs: int,
    seed: int,
    report: Tell,
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
        report(f"epoch {epoch + 1}: {100 * right:.2f} % of the held-out samples")
    weights = {k: v.detach().numpy().astype(np.float32) for k, v in network.state_dict().items()}
    return weights, right


def fit_glyphs(material: FigureMaterial, out: Path, *, count: int, epochs: int = EPOCHS) -> str:
    """Train the letter reader on rendered characters, and write it into the folder `out`.

    Parameters
    ----------
    material : FigureMaterial
        Of it the micrographs are drawn on.
    out : Path
    count : int
        Characters to draw.
    epochs : int

    Returns
    -------
    str
        How well it reads, in a line.
    """
    rng = np.random.default_rng(material.seed)
    fonts = find_fonts()
    frames = np.zeros((count, FRAME, FRAME), np.float32)
    labels = np.zeros(count, np.int64)
    done = 0
    while done < count:
        sample = draw_sample(rng, fonts, material.micrographs)
        if sample is not None:
            frames[done], labels[done] = sample
            done += 1
    weights, right = train(frames, labels, epochs=epochs, seed=material.seed, report=material.report)
    facts = {"classes": json.dumps(CLASSES), "held_out_accuracy": f"{right:.4f}", "samples": str(count)}
    save_file(weights, out / WEIGHTS, metadata=facts)
    return f"{WEIGHTS}: {count} characters in {len(fonts)} fonts, {right:.1%} of a held-out tenth read right"
