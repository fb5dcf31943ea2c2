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
    max_instances : int
        Instances of a crop that the hinge looks at, drawn at random where there are more: its cost
        grows with their number, what it teaches hardly does.
    """

    def __init__(
        self,
        weights: tuple[float, float, float] = (1.0, 1.0, 10.0),
        seed: str = "regression",
        max_points: int = 8_000,
        max_instances: int = 24,
    ) -> None:
        self.weights = weights
        self.seed = seed
        self.max_points = max_points
        self.max_instances = max_instances

    def __call__(self, geometry: Tensor, raw_seed: Tensor, labels: Tensor) -> LossParts:
        """Loss of raw geometry (B, 4, H, W) and seed (B, 1, H, W) against label maps (B, H, W)."""
        embedding = embed(geometry)
        raw_sigma = geometry[:, 2:].float()
        instance = geometry.new_zeros((), dtype=torch.float32)
        smoothness = geometry.new_zeros((), dtype=torch.float32)
        seed = geometry.new_zeros((), dtype=torch.float32)
        for b in range(labels.shape[0]):
            truth = labels[b]
            areas, centres, sigmas = _instance_means(embedding[b], raw_sigma[b], truth)
            if areas.numel():
                instance = instance + self._hinge(embedding[b], truth, centres, bandwidth(sigmas))
                smoothness = smoothness + _smoothness(raw_sigma[b], truth, areas, sigmas)
            target, weight = self._seed_target(embedding[b], truth, areas, centres, bandwidth(sigmas))
            seed = seed + self._seed(raw_seed[b, 0].float(), target, weight)
        count = labels.shape[0]
        instance, seed, smoothness = instance / count, seed / count, smoothness / count
        total = self.weights[0] * instance + self.weights[1] * seed + self.weights[2] * smoothness
        return LossParts(total, float(instance.detach()), float(seed.detach()), float(smoothness.detach()))

    def _hinge(self, embedding: Tensor, labels: Tensor, centres: Tensor, s: Tensor) -> Tensor:
        """Mean Lovász hinge over the instances of one image; centres and s are (N, 2)."""
        boxes = _boxes(labels)
        chosen = torch.randperm(len(boxes))[: self.max_instances].tolist()
        hinges = []
        for label, (top, left, bottom, right) in (boxes[index] for index in chosen):
            # φ of far pixels is judged through their own particles; near ones are what counts.
            margin = 16 + int(0.75 * max(bottom - top, right - left))
            y0, x0 = max(top - margin, 0), max(left - margin, 0)
            window = labels[y0 : bottom + margin, x0 : right + margin]
            step = 1
            while window.numel() // (step * step) > self.max_points:
                step += 1
            window = window[::step, ::step]
            points = embedding[:, y0 : bottom + margin : step, x0 : right + margin : step]
            offsets = points - centres[label - 1][:, None, None]
            phi = torch.exp(-(offsets.square() * s[label - 1][:, None, None]).sum(0))
            known = window >= 0
            hinges.append(lovasz_hinge(2.0 * phi[known] - 1.0, (window[known] == label).float()))
        return torch.stack(hinges).mean()

    @torch.no_grad()
    def _seed_target(
        self, embedding: Tensor, labels: Tensor, areas: Tensor, centres: Tensor, s: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the seed map should be, and the weight of every pixel, each (H, W)."""
        target = torch.zeros(labels.shape, device=labels.device)
        weight = (labels >= 0).float()
        inside = labels > 0
        if areas.numel():
            index = labels[inside] - 1
            offsets = embedding[:, inside].T - centres[index]
            phi = torch.exp(-(offsets.square() * s[index]).sum(1))
            if self.seed == "likelihood":
                phi = phi.clamp(min=0.5)
                # 1 for a particle of 40 px across and more, up to 4 for one of 10 px.
                weight[inside] = (1600.0 / areas).sqrt().clamp(1.0, 4.0)[index]
            target[inside] = phi
        return target, weight

    def _seed(self, raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        if self.seed == "likelihood":
            error = F.binary_cross_entropy_with_logits(raw, target, reduction="none")
        else:
            error = (torch.sigmoid(raw) - target).square()
        return (error * weight).sum() / weight.sum().clamp(min=1.0)


def _instance_means(embedding: Tensor, raw_sigma: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Area (N,), mean embedding (N, 2) and mean raw sigma (N, 2) of the instances 1 … N of one image."""
    inside = labels > 0
    count = max(int(labels.max()), 0)
    index = labels[inside] - 1
    areas = torch.bincount(index, minlength=count).float()
    values = torch.cat([embedding[:, inside], raw_sigma[:, inside]]).T
    sums = values.new_zeros((count, 4)).index_add(0, index, values)
    means = sums / areas.clamp(min=1.0)[:, None]
    return areas, means[:, :2], means[:, 2:]


def _smoothness(raw_sigma: Tensor, labels: Tensor, areas: Tensor, sigmas: Tensor) -> Tensor:
    """Variance of sigma within its instance, averaged over the instances."""
    inside = labels > 0
    index = labels[inside] - 1
    deviations = (raw_sigma[:, inside].T - sigmas.detach()[index]).square().mean(1)
    sums = deviations.new_zeros(areas.shape).index_add(0, index, deviations)
    return (sums / areas.clamp(min=1.0)).mean()


def _boxes(labels: Tensor) -> list[tuple[int, tuple[int, int, int, int]]]:
    """Label and bounding box (top, left, bottom, right; half-open) of every instance."""
    found = []
    array = labels.clamp(min=0).cpu().numpy()
    for index, box in enumerate(ndimage.find_objects(array)):
        if box is not None:
            rows, cols = box
            found.append((index + 1, (rows.start, cols.start, rows.stop, cols.stop)))
    return found
