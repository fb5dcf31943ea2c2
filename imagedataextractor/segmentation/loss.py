"""The BPartIS loss: λ₁ Lovász hinge + λ₂ seed + λ₃ sigma smoothness (Yildirim & Cole 2021).

Works on raw network outputs and integer label maps: 0 background, 1 … N particles, -1 pixels that
say nothing (beyond the border of a rotated crop, slivers of particles cut off by it).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from imagedataextractor.segmentation.embedding import bandwidth, embed

__all__ = ["BPartISLoss", "LossParts", "lovasz_hinge"]


@dataclass(frozen=True)
class LossParts:
    """The weighted sum, and its parts as plain numbers for the learning curve."""

    total: Tensor
    instance: float
    seed: float
    smoothness: float


def lovasz_hinge(logits: Tensor, target: Tensor) -> Tensor:
    """Lovász hinge of a binary mask, a convex surrogate of 1 − IoU (Berman et al., CVPR 2018, alg. 1).

    Parameters
    ----------
    logits : tensor (P,)
        Positive inside the mask, negative outside.
    target : tensor (P,)
        1 inside, 0 outside.
    """
    errors = 1.0 - logits * (2.0 * target - 1.0)
    errors, order = torch.sort(errors, descending=True)
    truth = target[order]
    positives = truth.sum()
    intersection = positives - truth.cumsum(0)
    union = positives + (1.0 - truth).cumsum(0)
    jaccard = 1.0 - intersection / union
    weights = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return torch.dot(F.relu(errors), weights)


class BPartISLoss:
    """Callable loss on a batch.

    Parameters
    ----------
    weights : tuple of float
        λ₁, λ₂, λ₃; the paper's are 1, 1, 10.
    seed : {"regression", "likelihood"}
        The paper regresses the seed to φ (squared error). "likelihood" takes the cross-entropy
        against the same target, but not below 0.5 inside a particle, and gives small particles more
        weight: the seed then also is the probability of being inside, and small particles are not
        outvoted by the pixels of large ones.
    max_points : int
        Pixels of an instance's neighbourhood that are looked at; a larger one is thinned evenly.
    """

    def __init__(
        self,
        weights: tuple[float, float, float] = (1.0, 1.0, 10.0),
        seed: str = "regression",
        max_points: int = 20_000,
    ) -> None:
        self.weights = weights
        self.seed = seed
        self.max_points = max_points

    def __call__(self, geometry: Tensor, raw_seed: Tensor, labels: Tensor) -> LossParts:
        """Loss of raw geometry (B, 4, H, W) and seed (B, 1, H, W) against label maps (B, H, W)."""
        embedding = embed(geometry)
        raw_sigma = geometry[:, 2:].float()
        instance = geometry.new_zeros((), dtype=torch.float32)
        smoothness = geometry.new_zeros((), dtype=torch.float32)
        seed = geometry.new_zeros((), dtype=torch.float32)
        for b in range(labels.shape[0]):
            target = torch.zeros_like(raw_seed[b, 0], dtype=torch.float32)
            weight = torch.ones_like(target)
            inst, smooth = self._instances(embedding[b], raw_sigma[b], labels[b], target, weight)
            instance = instance + inst
            smoothness = smoothness + smooth
            seed = seed + self._seed(raw_seed[b, 0].float(), target, weight, labels[b])
        count = labels.shape[0]
        instance, seed, smoothness = instance / count, seed / count, smoothness / count
        total = self.weights[0] * instance + self.weights[1] * seed + self.weights[2] * smoothness
        return LossParts(total, float(instance.detach()), float(seed.detach()), float(smoothness.detach()))

    def _instances(
        self, embedding: Tensor, raw_sigma: Tensor, labels: Tensor, target: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Lovász and smoothness terms of one image; fills the seed's `target` and `weight` in place."""
        hinge: list[Tensor] = []
        smooth: list[Tensor] = []
        for label, (top, left, bottom, right) in _boxes(labels):
            height, width = bottom - top, right - left
            # φ of far pixels is judged through their own particles; near ones are what counts.
            margin = 16 + int(0.75 * max(height, width))
            rows = slice(max(top - margin, 0), bottom + margin)
            cols = slice(max(left - margin, 0), right + margin)
            step = 1
            while (labels[rows, cols].numel()) // (step * step) > self.max_points:
                step += 1
            rows = slice(rows.start, rows.stop, step)
            cols = slice(cols.start, cols.stop, step)
            window = labels[rows, cols]
            inside = window == label
            if not bool(inside.any()):
                continue
            points = embedding[:, rows, cols]
            sigma = raw_sigma[:, rows, cols][:, inside]
            mean_sigma = sigma.mean(1)
            centre = points[:, inside].mean(1)
            s = bandwidth(mean_sigma)
            phi = torch.exp(-((points - centre[:, None, None]).square() * s[:, None, None]).sum(0))
            known = window >= 0
            hinge.append(lovasz_hinge(2.0 * phi[known] - 1.0, inside[known].float()))
            smooth.append((sigma - mean_sigma[:, None].detach()).square().mean())
            with torch.no_grad():
                self._set_seed_target(embedding, labels, label, (top, left, bottom, right), centre, s, target, weight)
        if not hinge:
            zero = embedding.sum() * 0.0
            return zero, zero
        return torch.stack(hinge).mean(), torch.stack(smooth).mean()

    def _set_seed_target(
        self,
        embedding: Tensor,
        labels: Tensor,
        label: int,
        box: tuple[int, int, int, int],
        centre: Tensor,
        s: Tensor,
        target: Tensor,
        weight: Tensor,
    ) -> None:
        rows, cols = slice(box[0], box[2]), slice(box[1], box[3])
        inside = labels[rows, cols] == label
        offsets = embedding[:, rows, cols].detach() - centre[:, None, None]
        phi = torch.exp(-(offsets.square() * s[:, None, None]).sum(0))
        if self.seed == "likelihood":
            phi = phi.clamp(min=0.5)
            # 1 for a particle of 40 px across and more, up to 4 for one of 10 px.
            weight[rows, cols][inside] = (1600.0 / inside.sum().float()).sqrt().clamp(1.0, 4.0)
        target[rows, cols][inside] = phi[inside]

    def _seed(self, raw: Tensor, target: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        known = (labels >= 0).float() * weight
        if self.seed == "likelihood":
            error = F.binary_cross_entropy_with_logits(raw, target, reduction="none")
        else:
            error = (torch.sigmoid(raw) - target).square()
        return (error * known).sum() / known.sum().clamp(min=1.0)


def _boxes(labels: Tensor) -> list[tuple[int, tuple[int, int, int, int]]]:
    """Label and bounding box (top, left, bottom, right; half-open) of every instance."""
    found = []
    array = labels.clamp(min=0).cpu().numpy()
    for index, box in enumerate(ndimage.find_objects(array)):
        if box is not None:
            rows, cols = box
            found.append((index + 1, (rows.start, cols.start, rows.stop, cols.stop)))
    return found
