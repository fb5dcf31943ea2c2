"""Training data: micrographs with instance maps, and the crops cut from them.

The EMPS layout: ``images/NAME.png``, ``segmaps/NAME.png`` (16-bit, 0 background, one value a
particle) and, optionally, ``split.csv`` (columns name, split).
"""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from imagedataextractor.errors import InputError
from imagedataextractor.files import decoded
from imagedataextractor.images import load_image, to_grey
from imagedataextractor.images.labels import read_label_map

__all__ = ["Crops", "Example", "Source", "article_of", "augment", "load_emps", "split_names", "with_nominal_outlines"]

GreyImage = npt.NDArray[np.uint8]
LabelMap = npt.NDArray[np.int32]

#: Pixels of a crop that say nothing: beyond the image's border, or slivers of cut-off particles.
IGNORE = -1
#: Band about a nominal outline that is ignored, as a share of the particle's equivalent radius: how far a box drawn
#: by hand and the ellipse within it are off the particle's edge (boxes of one particle differ by about as much).
NOMINAL_BAND = 0.12
#: A piece of a particle, cut off by the crop, that is smaller than this is ignored, px.
MIN_PIECE_PX = 12
#: A crop is not shrunk further than to this ECD of the image's median particle, px: there is nothing left to tell.
SMALLEST_SEEN_PX = 5.0
#: Nor magnified beyond this ECD of it, px, unless it is larger in the image.
LARGEST_MAGNIFIED_PX = 60.0
#: Share of the crops that may lie inside a particle too large for them; in the rest a typical one fits.
INSIDE_SHARE = 0.1
#: Length over width from which a particle is a long body. Rods of two or three to one are carried by any crop.
LONG = 4.0
#: Share of an image's particle area in long bodies from which it counts as one of them.
LONG_SHARE = 0.25
#: Share of the crops without any particle that are kept where the image has some: a few teach what background is.
EMPTY_KEPT = 0.2

# How often a crop is changed in each way, as a share of the crops. What any picture may undergo is frequent; what
# changes one much, or is rare among published ones, is rare: the network is to see micrographs as they are, too.

#: Turned by any angle rather than by quarter turns, which need no interpolation; mirrored: neither side is usual.
TURNED, MIRRORED = 0.25, 0.5
#: With bars, letters and arrows drawn into it, which are no particles; of those, with white ones, which are usual.
ANNOTATED, WHITE_INK = 0.25, 0.6
#: Compressed as JPEG once more; out of focus; with noise, which crops of small particles have, too.
COMPRESSED, BLURRED, NOISY = 0.15, 0.15, 0.35
#: With bright and dark exchanged: dark-field and SEM pictures of what is mostly seen in bright field.
INVERTED = 0.06
#: With another gamma; lit unevenly.
OTHER_GAMMA, UNEVEN = 0.3, 0.2


@dataclass(frozen=True, eq=False)
class Example:
    """A micrograph (H, W) uint8 with its label map (H, W) int32."""

    name: str
    image: GreyImage
    labels: LabelMap

    @functools.cached_property
    def median_ecd_px(self) -> float:
        """Median equivalent circular diameter of the particles, px; 0 where there are none."""
        areas = np.bincount(self.labels.clip(0).ravel())[1:]
        areas = areas[areas > 0]
        return float(np.sqrt(4.0 * np.median(areas) / np.pi)) if areas.size else 0.0

    @functools.cached_property
    def extent_px(self) -> float:
        """Longer side of the bounding box of a typical particle (median, weighted by that side), px."""
        boxes = [box for box in ndimage.find_objects(self.labels) if box is not None]
        if not boxes:
            return 0.0
        sides = np.sort([float(max(s.stop - s.start for s in box)) for box in boxes])
        return float(sides[np.searchsorted(sides.cumsum(), sides.sum() / 2)])

    @functools.cached_property
    def has_long_bodies(self) -> bool:
        """Whether rods, tubes, wires or fibres cover much of the particles' area, straight or bent."""
        area = long_area = 0
        for index, box in enumerate(ndimage.find_objects(self.labels)):
            if box is None:
                continue
            mask = np.pad(self.labels[box] == index + 1, 1).astype(np.uint8)
            pixels = int(mask.sum())
            half_width = float(cv2.distanceTransform(mask, cv2.DIST_L2, 5).max())
            area += pixels
            # A band of length L and width W has the area L W, whichever way it bends.
            long_area += pixels if pixels / (2.0 * half_width) ** 2 >= LONG else 0
        return area > 0 and long_area >= LONG_SHARE * area


@dataclass(frozen=True, eq=False)
class Source:
    """Examples of one origin, and the share of all crops that is cut from them."""

    examples: Sequence[Example]
    share: float


def article_of(folder: Path) -> Mapping[str, str]:
    """The article (DOI) of each image of a data set, from its metadata.csv; empty where there is none."""
    table = folder / "metadata.csv"
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        return {Path(row["filename"]).stem: row["doi"] for row in csv.DictReader(file)}


def split_names(folder: Path, split: str) -> list[str]:
    """Names of a data set's images: "all", or one of the splits in its split.csv.

    Raises
    ------
    InputError
        The folder does not have the EMPS layout, or no such split.
    """
    for part in ("images", "segmaps"):
        if not (folder / part).is_dir():
            raise InputError(f"{folder}: not in the EMPS layout, the folder {part}/ is missing")
    present = sorted(p.stem for p in (folder / "segmaps").iterdir() if p.suffix in (".png", ".npy", ".tif"))
    if split == "all":
        return present
    table = folder / "split.csv"
    if not table.is_file():
        raise InputError(f"{table}: missing, so the split {split!r} is unknown; use the split 'all'")
    try:
        lines = list(csv.DictReader(io.StringIO(decoded(table.read_bytes()), newline="")))
        rows = [(str(row["name"]), str(row["split"])) for row in lines]
    except KeyError as error:
        raise InputError(f"{table}: has no column {error}; its first line is name,split") from error
    except (OSError, csv.Error) as error:
        raise InputError(f"{table}: cannot be read ({error})") from error
    names = [name for name, part in rows if part == split and name in set(present)]
    if not names:
        raise InputError(f"{table}: no image of the split {split!r}; it has {sorted({part for _, part in rows})}")
    return names


def load_emps(folder: Path, split: str = "all") -> list[Example]:
    """All examples of a split, in memory (about 0.5 MB an image)."""
    return [_load_example(folder, name) for name in split_names(folder, split)]


def with_nominal_outlines(example: Example) -> Example:
    """The example with a band about every outline ignored: labels that give centre and size, such as boxes."""
    labels = example.labels
    inside = labels > 0
    radii = np.sqrt(np.bincount(labels.clip(0).ravel()) / np.pi)
    radii[0] = 0.0
    # A particle's outermost pixels also end where another one begins.
    edge = inside & (ndimage.grey_erosion(labels, size=3) != ndimage.grey_dilation(labels, size=3))
    if not edge.any():
        return example
    distance, (rows, columns) = ndimage.distance_transform_edt(~edge, return_indices=True)
    band = NOMINAL_BAND * radii[labels[rows, columns]]
    ignored = np.where(inside, distance < band - 0.5, distance <= np.maximum(band, 1.0))
    return Example(example.name, example.image, np.where(ignored, IGNORE, labels).astype(np.int32))


def _load_example(folder: Path, name: str) -> Example:
    maps = [p for s in (".png", ".npy", ".tif") if (p := folder / "segmaps" / f"{name}{s}").is_file()]
    pictures = sorted((folder / "images").glob(f"{name}.*"))
    if not pictures:
        raise InputError(f"{folder / 'images'}: no image called {name}")
    image, labels = to_grey(load_image(pictures[0])), read_label_map(maps[0])
    if image.shape != labels.shape:
        raise InputError(f"{pictures[0]}: {image.shape} pixels, but its label map has {labels.shape}")
    return Example(name, image, labels)


class Crops:
    """An endless, seeded stream of training batches.

    Every batch is one crop size drawn from `sizes` (side px, crops a batch), so that the network sees
    small crops in number as well as whole large particles.

    Parameters
    ----------
    sources : sequence of Source
        Shares are relative to their sum; a source without examples has none.
    scales : tuple of float
        Range of the random magnification, log-uniform within what suits the image's particles.
    long_weight : float
        How many times as often an image of long bodies is drawn as another of its source.

    Raises
    ------
    InputError
        There are no training images.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        sizes: Sequence[tuple[int, int]] = ((256, 8), (384, 4), (512, 2)),
        scales: tuple[float, float] = (0.22, 2.0),
        long_weight: float = 3.0,
        seed: int = 0,
    ) -> None:
        used = [source for source in sources if source.examples and source.share > 0]
        if not used:
            raise InputError("no training images")
        self.pyramids: list[_Pyramid] = []
        chances = []
        total = sum(source.share for source in used)
        for source in used:
            weights = np.array([long_weight if e.has_long_bodies else 1.0 for e in source.examples])
            chances.append(source.share / total * weights / weights.sum())
            self.pyramids += [_pyramid(e) for e in source.examples]
        self.chances = np.concatenate(chances)
        self.sizes = tuple(sizes)
        self.scales = scales
        self.seed = seed

    def batch(self, step: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Batch number `step`: images (B, S, S) in 0 … 1 and labels (B, S, S); depends on seed and step only."""
        rng = np.random.default_rng((self.seed, step))
        size, count = self.sizes[rng.integers(len(self.sizes))]
        images = np.empty((count, size, size), np.float32)
        labels = np.empty((count, size, size), np.int64)
        for index in range(count):
            pyramid = self.pyramids[rng.choice(len(self.pyramids), p=self.chances)]
            images[index], labels[index] = self._crop(rng, pyramid, size)
        return images, labels

    def __iter__(self) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]:
        step = 0
        while True:
            yield self.batch(step)
            step += 1

    def _crop(self, rng: np.random.Generator, pyramid: _Pyramid, size: int) -> tuple[npt.NDArray[np.float32], LabelMap]:
        # A crop without any particle teaches little where there are some.
        for _ in range(3):
            image, labels = _cut(rng, pyramid, size, self.scales)
            if (labels > 0).any() or not pyramid[0].median_ecd_px or rng.random() < EMPTY_KEPT:
                break
        return augment(rng, image), labels


#: An example at full, half and quarter size, from which shrunken crops are cut without aliasing.
_Pyramid = tuple[Example, ...]
_LEVELS = 3


def _pyramid(example: Example) -> _Pyramid:
    levels = [example]
    for level in range(1, _LEVELS):
        shape = (max(example.image.shape[1] >> level, 1), max(example.image.shape[0] >> level, 1))
        levels.append(
            Example(
                example.name,
                cv2.resize(example.image, shape, interpolation=cv2.INTER_AREA).astype(np.uint8),
                cv2.resize(example.labels, shape, interpolation=cv2.INTER_NEAREST).astype(np.int32),
            )
        )
    return tuple(levels)


def _scale(rng: np.random.Generator, example: Example, size: int, scales: tuple[float, float]) -> float:
    """A random magnification at which this image's particles can be seen."""
    low, high = scales
    ecd = example.median_ecd_px
    if ecd:
        low = min(max(low, SMALLEST_SEEN_PX / ecd), high)
        high = max(min(high, max(1.0, LARGEST_MAGNIFIED_PX / ecd)), low)
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if rng.random() < INSIDE_SHARE:
        return scale
    # A crop that lies inside one particle cannot be told from substrate: take in more of the image.
    return min(scale, max(scales[0], size / max(1.2 * example.extent_px, 1.0)))


def _cut(
    rng: np.random.Generator, pyramid: _Pyramid, size: int, scales: tuple[float, float]
) -> tuple[GreyImage, LabelMap]:
    scale = _scale(rng, pyramid[0], size, scales)
    level = min(max(int(np.floor(-np.log2(scale) + 0.5)), 0), _LEVELS - 1)
    example = pyramid[level]
    zoom = scale * 2.0**level
    height, width = example.image.shape
    reach = size / zoom
    centre_x = rng.uniform(*_span(width, reach))
    centre_y = rng.uniform(*_span(height, reach))
    angle = float(rng.integers(4)) * 90.0
    if rng.random() < TURNED:
        angle += float(rng.uniform(-45, 45))
    mirror = -1.0 if rng.random() < MIRRORED else 1.0
    stretch = float(np.exp(rng.normal(0.0, 0.08)))
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    # From the crop's pixels to the example's: rotation, mirror and a slight stretch about the centre.
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([mirror * stretch, 1.0 / stretch]) / zoom
    offset = np.array([centre_x, centre_y]) - linear @ np.array([(size - 1) / 2, (size - 1) / 2])
    matrix = np.concatenate([linear, offset[:, None]], 1)
    image = cv2.warpAffine(
        example.image,
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    labels = cv2.warpAffine(
        example.labels.astype(np.float32),
        matrix,
        (size, size),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=IGNORE,
    ).astype(np.int32)
    return np.asarray(image, np.uint8), _compacted(labels)


def _span(length: int, reach: float) -> tuple[float, float]:
    """Where a crop's centre may lie so that the crop stays inside the image, if it fits at all."""
    if reach >= length:
        return length / 2 - 1e-6, length / 2
    return reach / 2, length - reach / 2


def _compacted(labels: LabelMap) -> LabelMap:
    """Consecutive labels; pieces that are too small to be told become `IGNORE`."""
    counts = np.bincount(labels.clip(0).ravel())
    lookup = np.zeros(len(counts), np.int32)
    keep = counts >= MIN_PIECE_PX
    keep[0] = False
    lookup[keep] = np.arange(1, keep.sum() + 1)
    lookup[~keep] = IGNORE
    lookup[0] = 0
    return np.where(labels < 0, IGNORE, lookup[labels.clip(0)]).astype(np.int32)


def augment(rng: np.random.Generator, image: GreyImage) -> npt.NDArray[np.float32]:
    """Random appearance: brightness and contrast ±0.3, gamma, noise, blur, JPEG, inversion, lettering."""
    if rng.random() < ANNOTATED:
        image = _annotated(rng, image.copy())
    if rng.random() < COMPRESSED:
        quality = int(rng.integers(25, 80))
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
    values: npt.NDArray[Any] = image.astype(np.float32) / 255.0
    if rng.random() < INVERTED:
        values = 1.0 - values
    if rng.random() < BLURRED:
        values = cv2.GaussianBlur(values, (0, 0), float(rng.uniform(0.4, 1.4)))
    if rng.random() < OTHER_GAMMA:
        values = values ** np.float32(np.exp(rng.normal(0.0, 0.3)))
    contrast = 1.0 + rng.uniform(-0.3, 0.3)
    mean = float(values.mean())
    values = (values - mean) * contrast + mean * (1.0 + rng.uniform(-0.3, 0.3))
    if rng.random() < UNEVEN:
        values = values + _gradient(rng, values.shape)
    if rng.random() < NOISY:
        values = values + rng.normal(0.0, rng.uniform(0.005, 0.08), values.shape)
    return np.clip(values, 0.0, 1.0).astype(np.float32)


def _gradient(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Uneven light: a linear ramp of up to ±0.2 across the crop."""
    y, x = np.mgrid[-0.5 : 0.5 : shape[0] * 1j, -0.5 : 0.5 : shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    return np.asarray((np.cos(angle) * x + np.sin(angle) * y) * rng.uniform(-0.4, 0.4))


_TEXTS = ("100 nm", "50 nm", "1 um", "2 um", "500 nm", "(a)", "(b)", "c", "SEM", "TEM", "20 nm", "x50k", "5.0kV")


def _annotated(rng: np.random.Generator, image: GreyImage) -> GreyImage:
    """Draw what is not a particle: scale bars, letters, arrows, in white or black."""
    height, width = image.shape
    ink = 255 if rng.random() < WHITE_INK else 0
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        what = rng.integers(3)
        if what == 0:
            length, thick = int(rng.integers(20, 140)), int(rng.integers(2, 10))
            cv2.rectangle(image, (x, y), (x + length, y + thick), ink, -1)
        elif what == 1:
            text = _TEXTS[rng.integers(len(_TEXTS))]
            size, thick = float(rng.uniform(0.4, 1.3)), int(rng.integers(1, 4))
            cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, thick, cv2.LINE_AA)
        else:
            end = (x + int(rng.integers(-60, 60)), y + int(rng.integers(-60, 60)))
            cv2.arrowedLine(image, (x, y), end, ink, int(rng.integers(1, 4)), cv2.LINE_AA, tipLength=0.3)
    return image
