"""Run a trained network on a grey image: Monte Carlo samples and what they say of every pixel."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from imagedataextractor.errors import UsageError
from imagedataextractor.segmentation.architectures import Network
from imagedataextractor.segmentation.embedding import bandwidth, embed
from imagedataextractor.segmentation.maps import Maps
from imagedataextractor.segmentation.sampling import Posterior, entropy

__all__ = ["choose_device", "image_maps", "network_maps"]

#: Sides of the padded input are multiples of this (the deepest map of the default network is at 1/32).
_STRIDE = 32
#: Longest side that the network is given at once, px: memory stays near 2 GB. A larger image goes
#: through it in tiles, which share `TILE_MARGIN_PX` on every side: pixels near a tile's edge lack
#: surroundings, and are taken from the neighbour.
TILE_SIDE_PX = 1536
TILE_MARGIN_PX = 128
#: Axes of an image that may be mirrored: columns and rows.
_COLUMNS, _ROWS = -1, -2


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
    network: Network, grey: npt.NDArray[np.uint8], *, samples: int, flips: bool, seed: int, device: str
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


def image_maps(
    network: Network,
    grey: npt.NDArray[np.uint8],
    *,
    samples: int,
    seed: int,
    device: str,
    scale: float = 1.0,
    flips: bool = False,
) -> Maps:
    """`network_maps` of an image of any size, joined from tiles where it is too large for one pass.

    `scale` is the magnification of the original at which the image is given.
    """
    height, width = grey.shape
    if max(height, width) <= TILE_SIDE_PX:
        maps = network_maps(network, grey, samples=samples, flips=flips, seed=seed, device=device)
        return dataclasses.replace(maps, scale=scale)
    pair, single = (2, height, width), (height, width)
    whole = Maps(
        np.zeros(pair, np.float32),
        np.zeros(pair, np.float32),
        np.zeros(single, np.float32),
        np.zeros(single, np.float32),
        grey,
        scale,
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


def _views(network: Network, image: Tensor, samples: int, flips: bool) -> Iterator[tuple[float, Posterior]]:
    """Every mirror image's share of the samples, and what they say, turned back."""
    views: list[tuple[int, ...]] = [(), (-1,), (-2,), (-1, -2)] if flips else [()]
    counts = [samples // len(views) + (index < samples % len(views)) for index in range(len(views))]
    if samples == 0:
        counts = [1] * len(views)
    for count, dims in zip(counts, views, strict=True):
        if count == 0:
            continue
        view = torch.flip(image, dims) if dims else image
        features = network.encode(view.contiguous(memory_format=torch.channels_last))
        found: Posterior = network.sample(features, count if samples else 0)
        maps = (torch.flip(m, dims) if dims else m for m in (found.seed, found.mean_p, found.mean_entropy))
        yield count / sum(counts), Posterior(_unflipped(found.geometry, dims), *maps)


def _unflipped(geometry: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Raw geometry of a mirrored image in the original's frame: offsets change sign along a mirrored axis."""
    if not dims:
        return geometry
    geometry = torch.flip(geometry, dims)
    sign = torch.ones(4, device=geometry.device)
    if _COLUMNS in dims:
        sign[0] = -1.0
    if _ROWS in dims:
        sign[1] = -1.0
    return geometry * sign[:, None, None]
