"""Monte Carlo dropout: what a network's samples add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Posterior", "dropout", "entropy", "sampled"]


@dataclass(frozen=True, eq=False)
class Posterior:
    """What a network says of a batch, over its samples, at full resolution.

    Attributes
    ----------
    geometry : tensor (B, 4, H, W)
        Raw offset x, y and sigma x, y: the mean, or one pass without dropout where the network samples its
        seeds alone.
    seed : tensor (B, 1, H, W)
        Raw seed of the mean.
    mean_p : tensor (B, 1, H, W)
        Mean probability over the samples.
    mean_entropy : tensor (B, 1, H, W)
        Mean entropy of the samples, nats. The entropy of `mean_p` less this one is the mutual information.
    """

    geometry: Tensor
    seed: Tensor
    mean_p: Tensor
    mean_entropy: Tensor


def sampled(network: nn.Module, decode: Callable[[], tuple[Tensor, Tensor]], samples: int) -> Posterior:
    """What `samples` draws with the dropout of `network` on come to; 0 is one pass without dropout."""
    count = max(samples, 1)
    draws = []
    with dropout(network, samples > 0):
        for _ in range(count):
            geometry, seed = (raw.float() for raw in decode())
            p = torch.sigmoid(seed)
            draws.append((geometry, seed, p, entropy(p)))
    return Posterior(*(sum(maps[1:], maps[0]) / count for maps in zip(*draws, strict=True)))


@contextmanager
def dropout(module: nn.Module, on: bool) -> Iterator[None]:
    """Dropout on or off within, batch norm untouched; off afterwards, as in a network that is evaluated."""
    layers = [m for m in module.modules() if isinstance(m, nn.Dropout2d)]
    try:
        for layer in layers:
            layer.train(on)
        yield
    finally:
        for layer in layers:
            layer.train(False)


def entropy(p: Tensor) -> Tensor:
    """Entropy of a Bernoulli variable, nats."""
    q = p.clamp(1e-7, 1.0 - 1e-7)
    return -(q * torch.log(q) + (1.0 - q) * torch.log1p(-q))
