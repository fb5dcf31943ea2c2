"""Run a trained network on a micrograph: Monte Carlo samples, label map, uncertainty, filter.

Three modes, as in the paper: "discriminative" (one pass without dropout), "bayesian" (T passes with
dropout on, raw outputs averaged), "filtered" (bayesian, particles of high epistemic uncertainty
marked as rejected).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.images import to_grey
from imagedataextractor.records import MODES, Mode, Segmentation
from imagedataextractor.segmentation.clustering import ClusterSettings, cluster, one_region_each
from imagedataextractor.segmentation.embedding import bandwidth, embed
from imagedataextractor.segmentation.features import particle_features
from imagedataextractor.segmentation.sampling import Posterior, entropy

__all__ = [
    "Maps",
    "choose_device",
    "cluster_maps",
    "image_maps",
    "label_resized",
    "network_maps",
    "scale_for",
    "segment_with",
    "typical_ecd",
    "working_scales",
]

#: Sides of the padded input are multiples of this (the deepest map of the default network is at 1/32).
_STRIDE = 32
#: Longest side that the network is given at once, px: memory stays near 2 GB. A larger image goes
#: through it in tiles, which share `TILE_MARGIN_PX` on every side: pixels near a tile's edge lack
#: surroundings, and are taken from the neighbour.
TILE_SIDE_PX = 1536
TILE_MARGIN_PX = 128
#: Most pixels of an image at the scale at which it is segmented; a larger one is scaled down. The
#: maps take 24 bytes a pixel, the clustering about as much again.
MAX_PIXELS = 40_000_000
#: Shorter side below which an image is scaled up: particles of a thumbnail are too small otherwise.
MIN_SIDE_PX = 256
#: Shorter side up to which an image is taken as it is. The micrographs that networks are trained on
#: have one of 512 px; in a larger image the particles are usually larger, too.
PLAIN_SIDE_PX = 800
#: Shorter side at which a larger image is looked at first.
COARSE_SIDE_PX = 640
#: ECD of a typical particle, px, below which an image is magnified twice, and above which it is halved.
#: On the 77 validation images, one pass of half-trained weights, magnifying took F1@50 from 0.827 to
#: 0.862 (seeds from 0.8), and halving from 0.885 to 0.921 (seeds from 0.85): large particles stay in
#: one piece. 20 … 40 px and 130 … 160 px do nearly as well. A larger image is scaled down as far as its
#: typical particle comes below the second: a first look takes aggregates for particles, and what is smaller
#: than it seemed must still be seen.
SMALL_ECD_PX = 35.0
LARGE_ECD_PX = 150.0


@dataclass(frozen=True, eq=False)
class Maps:
    """The networks' answer at the resolution it was given.

    Attributes
    ----------
    embedding, bandwidth : float32 array (2, H, W)
        px and 1/px².
    seed : float32 array (H, W)
        Seed of the averaged raw outputs, 0 … 1.
    information : float32 array (H, W)
        Mutual information per pixel, nats; zeros for a single pass.
    image : uint8 array (H, W)
        The grey image that the network was given.
    scale : float
        Magnification of the original at which these are.
    """

    embedding: npt.NDArray[np.float32]
    bandwidth: npt.NDArray[np.float32]
    seed: npt.NDArray[np.float32]
    information: npt.NDArray[np.float32]
    image: npt.NDArray[np.uint8]
    scale: float = 1.0


def choose_device(name: str = "auto") -> str:
    """A PyTorch device by name; "auto" is the GPU where there is one.

    Raises
    ------
    UsageError
        The device is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device {name!r} cannot be used here; try --device cpu") from error
    return name


def network_maps(
    network: nn.Module, grey: npt.NDArray[np.uint8], *, samples: int, flips: bool, seed: int, device: str
) -> Maps:
    """T passes over one grey image (H, W).

    Parameters
    ----------
    samples : int
        T; 0 is one pass without dropout (for each flip).
    flips : bool
        Spread the samples over the four mirror images: test-time augmentation among the samples.
    seed : int
        Of the dropout masks.
    """
    height, width = grey.shape
    generator_device = torch.device(device)
    image = torch.from_numpy(grey.astype(np.float32) / 255.0).to(generator_device)[None, None]
    image = F.pad(image, (0, -width % _STRIDE, 0, -height % _STRIDE), mode="replicate").expand(-1, 3, -1, -1)
    geometry = torch.zeros((1, 4, *image.shape[-2:]), device=generator_device)
    raw_seed = torch.zeros((1, 1, *image.shape[-2:]), device=generator_device)
    mean_p = torch.zeros_like(raw_seed)
    mean_entropy = torch.zeros_like(raw_seed)
    network.eval()
    with torch.inference_mode(), torch.random.fork_rng(devices=_cuda_devices(generator_device)):
        torch.manual_seed(seed)
        for share, posterior in _views(network, image, samples, flips):
            geometry += share * posterior.geometry
            raw_seed += share * posterior.seed
            mean_p += share * posterior.mean_p
            mean_entropy += share * posterior.mean_entropy
    information = (entropy(mean_p) - mean_entropy).clamp(min=0.0) if samples else torch.zeros_like(mean_p)
    window = (..., slice(0, height), slice(0, width))
    return Maps(
        embed(geometry)[window][0].cpu().numpy(),
        bandwidth(geometry[:, 2:])[window][0].cpu().numpy(),
        torch.sigmoid(raw_seed)[window][0, 0].cpu().numpy(),
        information[window][0, 0].cpu().numpy(),
        grey,
    )


def _tiled_maps(
    network: nn.Module, grey: npt.NDArray[np.uint8], *, samples: int, flips: bool, seed: int, device: str
) -> Maps:
    """`network_maps` of an image of any size, joined from tiles where it is too large for one pass."""
    height, width = grey.shape
    if max(height, width) <= TILE_SIDE_PX:
        return network_maps(network, grey, samples=samples, flips=flips, seed=seed, device=device)
    pair, single = (2, height, width), (height, width)
    whole = Maps(
        np.zeros(pair, np.float32),
        np.zeros(pair, np.float32),
        np.zeros(single, np.float32),
        np.zeros(single, np.float32),
        grey,
    )
    core = TILE_SIDE_PX - 2 * TILE_MARGIN_PX
    for top in range(0, height, core):
        for left in range(0, width, core):
            y0, x0 = max(top - TILE_MARGIN_PX, 0), max(left - TILE_MARGIN_PX, 0)
            tile = grey[y0 : top + core + TILE_MARGIN_PX, x0 : left + core + TILE_MARGIN_PX]
            maps = network_maps(
                network, np.ascontiguousarray(tile), samples=samples, flips=flips, seed=seed, device=device
            )
            # Embeddings are coordinates: the tile's become the image's.
            maps.embedding[0] += x0
            maps.embedding[1] += y0
            target = (..., slice(top, min(top + core, height)), slice(left, min(left + core, width)))
            source = (
                ...,
                slice(top - y0, min(top + core, height) - y0),
                slice(left - x0, min(left + core, width) - x0),
            )
            for name in ("embedding", "bandwidth", "seed", "information"):
                getattr(whole, name)[target] = getattr(maps, name)[source]
    return whole


def _cuda_devices(device: torch.device) -> list[int]:
    return [device.index or 0] if device.type == "cuda" else []


def _views(network: nn.Module, image: Tensor, samples: int, flips: bool) -> Iterator[tuple[float, Posterior]]:
    """Every mirror image's share of the samples, and what they say, turned back."""
    views: list[tuple[int, ...]] = [(), (-1,), (-2,), (-1, -2)] if flips else [()]
    counts = [samples // len(views) + (index < samples % len(views)) for index in range(len(views))]
    if samples == 0:
        counts = [1] * len(views)
    for count, dims in zip(counts, views, strict=True):
        if count == 0:
            continue
        view = torch.flip(image, dims) if dims else image
        features = network.encode(view.contiguous(memory_format=torch.channels_last))  # type: ignore[operator]
        found: Posterior = network.sample(features, count if samples else 0)  # type: ignore[operator]
        maps = (torch.flip(m, dims) if dims else m for m in (found.seed, found.mean_p, found.mean_entropy))
        yield count / sum(counts), Posterior(_unflipped(found.geometry, dims), *maps)


def _unflipped(geometry: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Raw geometry of a mirrored image in the original's frame: offsets change sign along a mirrored axis."""
    if not dims:
        return geometry
    geometry = torch.flip(geometry, dims)
    sign = torch.ones(4, device=geometry.device)
    if -1 in dims:
        sign[0] = -1.0
    if -2 in dims:
        sign[1] = -1.0
    return geometry * sign[:, None, None]


def segment_with(
    network: nn.Module,
    image: npt.NDArray[np.uint8],
    *,
    mode: Mode = "filtered",
    samples: int = 8,
    threshold: float | None = None,
    flips: bool = False,
    seed: int = 0,
    device: str = "cpu",
    clustering: ClusterSettings = ClusterSettings(),
    certain_seed: float = 0.0,
    exclude: npt.NDArray[np.bool_] | None = None,
) -> tuple[Segmentation, Mapping[str, npt.NDArray[Any]]]:
    """Segment one micrograph, whatever its size.

    Parameters
    ----------
    image : uint8 array, (H, W) or (H, W, 3)
    threshold : float or None
        t_u in nats; None filters nothing.
    certain_seed : float
        In the modes that filter nothing, particles whose largest seed is smaller are left out: where
        the filter decides, the clustering may start from seeds that by themselves say little.
    exclude : bool array (H, W), optional
        Pixels that are no micrograph (insets, info bars); nothing is found there.

    Returns
    -------
    Segmentation
        At the image's own resolution; `score` is still the mean seed, not calibrated.
    mapping
        Per-particle features, each (N,); see `features.particle_features`.
    """
    if mode not in MODES:
        raise UsageError(f"mode {mode!r} is unknown; choose one of {', '.join(MODES)}")
    if samples < 1:
        raise UsageError(f"samples must be at least 1, not {samples}")
    grey = to_grey(image)
    if grey.size == 0:
        raise InputError("the image has no pixels")
    if exclude is not None:
        grey = _blanked(grey, exclude)
    passes = 0 if mode == "discriminative" else samples
    maps = image_maps(network, grey, samples=passes, flips=flips, seed=seed, device=device, clustering=clustering)
    scale = maps.scale
    if exclude is not None:
        size = maps.seed.shape[::-1]
        maps.seed[cv2.resize(exclude.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0] = 0.0
    labels = cluster_maps(maps, clustering)
    features = particle_features(maps, labels)
    if mode != "filtered":
        labels, features = _only(labels, features, features["seed_peak"] >= certain_seed)
    size = (grey.shape[1], grey.shape[0])
    information: npt.NDArray[Any] = maps.information
    if scale != 1.0:
        labels = one_region_each(label_resized(labels, size))
        # A sliver may have the larger share of no pixel.
        labels, features = _only(
            labels, features, np.bincount(labels.ravel(), minlength=len(features["seed"]) + 1)[1:] > 0
        )
        information = cv2.resize(information, size, interpolation=cv2.INTER_LINEAR)
    applied = threshold if mode == "filtered" else None
    filtered = np.zeros(len(features["uncertainty"]), bool) if applied is None else features["uncertainty"] > applied
    return (
        Segmentation(
            label_map=labels,
            uncertainty=features["uncertainty"],
            score=features["seed"],
            filtered=filtered,
            uncertainty_map=information,
            mode=mode,
            samples=passes,
            threshold=applied,
            seed=seed,
        ),
        features,
    )


def _only(
    labels: npt.NDArray[np.int32], features: Mapping[str, npt.NDArray[Any]], keep: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int32], dict[str, npt.NDArray[Any]]]:
    """The particles that are to be kept, numbered anew, with their features."""
    numbers = np.concatenate([[0], np.where(keep, np.cumsum(keep), 0)]).astype(np.int32)
    return numbers[labels], {name: values[keep] for name, values in features.items()}


def working_scales(height: int, width: int) -> tuple[float, float]:
    """Least and largest magnification at which an image may be given to the network; equal for most."""
    largest = min(1.0, (MAX_PIXELS / (height * width)) ** 0.5)
    short = min(height, width)
    if short < MIN_SIDE_PX and max(height, width) <= TILE_SIDE_PX:
        scale = min(MIN_SIDE_PX / short, TILE_SIDE_PX / max(height, width), 4.0)
        return scale, scale
    if short <= PLAIN_SIDE_PX:
        return largest, largest
    return min(COARSE_SIDE_PX / short, largest), largest


def image_maps(
    network: nn.Module,
    grey: npt.NDArray[np.uint8],
    *,
    samples: int,
    flips: bool,
    seed: int,
    device: str,
    clustering: ClusterSettings = ClusterSettings(),
) -> Maps:
    """`network_maps` of an image of any size, at the scale that suits the size of its particles."""
    scale = _chosen_scale(network, grey, device, clustering)
    seen = grey if scale == 1.0 else _resized(grey, scale)
    maps = _tiled_maps(network, seen, samples=samples, flips=flips, seed=seed, device=device)
    return dataclasses.replace(maps, scale=scale)


def cluster_maps(maps: Maps, clustering: ClusterSettings) -> npt.NDArray[np.int32]:
    """Label map at the maps' own resolution; in a magnified image the least size counts pixels of the original."""
    least = round(clustering.min_pixels * max(maps.scale, 1.0) ** 2)
    settings = dataclasses.replace(clustering, min_pixels=least)
    return cluster(maps.embedding, maps.bandwidth, maps.seed, settings)


def _chosen_scale(network: nn.Module, grey: npt.NDArray[np.uint8], device: str, clustering: ClusterSettings) -> float:
    """The magnification for an image, from the size of its particles as a first look finds them."""
    least, largest = working_scales(*grey.shape)
    first = grey if least == 1.0 else _resized(grey, least)
    maps = _tiled_maps(network, first, samples=0, flips=False, seed=0, device=device)
    # Uncertain particles count as well here: small ones often have low seeds at this scale.
    settings = dataclasses.replace(clustering, start=min(clustering.start, 0.5))
    labels = cluster(maps.embedding, maps.bandwidth, maps.seed, settings)
    areas = np.bincount(labels.ravel())[1:]
    if areas.size == 0:
        return largest  # whatever there is, is too small to be seen
    return scale_for(typical_ecd(areas) / least, *grey.shape)


def scale_for(ecd: float, height: int, width: int) -> float:
    """The magnification at which an image is segmented whose typical particle has this ECD, px of the image."""
    least, largest = working_scales(height, width)
    if least < largest:
        return min(max(least / 2.0, LARGE_ECD_PX / ecd), largest)
    if least * ecd > LARGE_ECD_PX:
        return least / 2.0
    doubled = 2.0 * least
    return doubled if least * ecd < SMALL_ECD_PX and doubled**2 * height * width <= MAX_PIXELS else least


def typical_ecd(areas: npt.NDArray[np.int64]) -> float:
    """ECD of the particle in the middle of the area, px: fragments and specks beside large particles do not count."""
    ordered = np.sort(areas)
    middle = ordered[np.searchsorted(ordered.cumsum(), ordered.sum() / 2)]
    return float(np.sqrt(4.0 * middle / np.pi))


def _resized(grey: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    size = (max(round(grey.shape[1] * scale), 1), max(round(grey.shape[0] * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)


def label_resized(labels: npt.NDArray[np.int32], size: tuple[int, int]) -> npt.NDArray[np.int32]:
    """A label map at another size, (width, height): every mask is interpolated, the largest share has the pixel.

    Taking the nearest pixel instead costs particles of few pixels half a pixel of their outline: on the
    11 validation images that are magnified, AP50:95 0.535 instead of 0.561.
    """
    width, height = size
    zoom_x, zoom_y = width / labels.shape[1], height / labels.shape[0]
    result = np.zeros((height, width), np.int32)
    share = np.full((height, width), 0.5, np.float32)
    for index, box in enumerate(ndimage.find_objects(labels)):
        if box is None:
            continue
        rows, top = _resized_span(box[0], zoom_y, height)
        columns, left = _resized_span(box[1], zoom_x, width)
        mask = (labels[top : box[0].stop + 1, left : box[1].stop + 1] == index + 1).astype(np.float32)
        # From a pixel's centre in the result to the mask's pixels.
        matrix = np.array(
            [
                [1.0 / zoom_x, 0.0, (columns.start + 0.5) / zoom_x - 0.5 - left],
                [0.0, 1.0 / zoom_y, (rows.start + 0.5) / zoom_y - 0.5 - top],
            ]
        )
        shape = (columns.stop - columns.start, rows.stop - rows.start)
        here = cv2.warpAffine(
            mask, matrix, shape, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        window, most = result[rows, columns], share[rows, columns]
        wins = (here > most) | ((here >= 0.5) & (window == 0))
        window[wins], most[wins] = index + 1, here[wins]
    return result


def _resized_span(span: slice, zoom: float, length: int) -> tuple[slice, int]:
    """Where a mask that covers `span` may reach after resizing, and where to begin reading it."""
    begin = max(span.start - 1, 0)
    return slice(int(begin * zoom), min(int(np.ceil((span.stop + 1) * zoom)), length)), begin


def _blanked(grey: npt.NDArray[np.uint8], exclude: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Excluded pixels take the median of the rest, so that their edges look like nothing."""
    if exclude.all():
        return np.zeros_like(grey)
    return np.where(exclude, np.uint8(np.median(grey[~exclude])), grey)
