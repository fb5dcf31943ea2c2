"""Train a BPartIS network: one command, one seed, resumable at any moment.

The run folder::

    OUT/
      checkpoint.pt     network, averaged network, optimiser, step; replaced atomically
      best.safetensors  averaged network of the best validation score so far
      curve.csv         learning curve: step, seconds, loss parts, validation scores
"""

from __future__ import annotations

import csv
import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imagedataextractor.errors import InputError
from imagedataextractor.segmentation.architectures import build_network
from imagedataextractor.segmentation.network import LiteEncoder
from imagedataextractor.segmentation.weights import WeightsInfo, load_weights, save_weights
from imagedataextractor.telling import Tell, tell_nobody
from imagedataextractor.training.segmentation.dataset import Crops, Example, Source
from imagedataextractor.training.segmentation.loss import BPartISLoss, LossParts
from imagedataextractor.training.segmentation.settings import TrainingSettings

__all__ = [
    "DRAWN",
    "learning_rate",
    "synthetic_examples",
    "train",
    "validator",
]


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """The learning rate of a step as a share of the full one: warm-up, plateau, linear fall."""
    rise = min((step + 1) / max(settings.warmup, 1), 1.0)
    fall_steps = settings.cooldown * settings.steps
    left = (settings.steps - step) / fall_steps if fall_steps else 1.0
    return min(rise, left, 1.0)


@dataclass
class _State:
    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    best: float = -1.0
    seconds: float = 0.0


def train(
    sources: Sequence[Source],
    out: Path,
    settings: TrainingSettings,
    *,
    initial: str | Path | None = None,
    device: str = "cpu",
    validate: Callable[[nn.Module], dict[str, float]] | None = None,
    resume: bool = True,
    report: Tell = tell_nobody,
) -> Path:
    """Train until `settings.steps`, going on from the folder's checkpoint if there is one.

    Parameters
    ----------
    sources : sequence of Source
        Micrographs with their label maps, real and drawn, and the share of the crops that each source has.
    out : Path
        The run folder.
    initial : str or Path, optional
        Model to start from instead of ImageNet's weights: a name, or a weights file.
    validate : callable, optional
        Scores a network; its "score" chooses the best weights.

    Returns
    -------
    Path
        The weights: the best by validation, or the last where nothing validates.
    """
    torch.manual_seed(settings.seed)
    out.mkdir(parents=True, exist_ok=True)
    state = _initial_state(settings, initial, device)
    checkpoint = out / "checkpoint.pt"
    if resume and checkpoint.is_file():
        _restore(state, checkpoint)
        report(f"resumed at step {state.step} from {checkpoint}")
    crops = Crops(
        sources, sizes=settings.sizes, scales=settings.scales, long_weight=settings.long_weight, seed=settings.seed
    )
    loss = BPartISLoss(settings.loss_weights, settings.seed_loss)
    recent: list[LossParts] = []
    begun = saved = time.monotonic()
    for images, labels in _batches(crops, state.step, settings, device):
        if state.step >= settings.steps:
            break
        recent.append(_step(state, images, labels, loss, settings))
        state.step += 1
        last = state.step == settings.steps
        now = time.monotonic()
        if state.step % 50 == 0 or last:
            state.seconds += now - begun
            begun = now
            report(_progress(state, recent))
        if validate and (state.step % settings.validate_every == 0 or last):
            scores = validate(state.average)
            _record(out / "curve.csv", state, recent, scores)
            recent.clear()
            report(" ".join(f"{k} {v:.3f}" for k, v in scores.items()))
            if scores["score"] > state.best:
                state.best = scores["score"]
                _save_weights(state, settings, out / "best.safetensors")
        if now - saved > settings.checkpoint_seconds or last:
            _save_checkpoint(state, settings, checkpoint)
            saved = now
    if validate is None or not (out / "best.safetensors").is_file():
        _save_weights(state, settings, out / "best.safetensors")
    _save_weights(state, settings, out / "last.safetensors")
    return out / "best.safetensors"


def validator(examples: Sequence[Example], device: str) -> Callable[[nn.Module], dict[str, float]]:
    """A function that scores a network on `examples`, one pass without dropout an image.

    "score", by which weights are chosen, is the mean of F1@50, PQ and AP50:95 over the images.
    """
    from imagedataextractor.segmentation.architectures import Network
    from imagedataextractor.segmentation.inference_settings import InferenceSettings
    from imagedataextractor.segmentation.metrics import score_image
    from imagedataextractor.segmentation.pyramid import Pyramid

    def validate(network: nn.Module) -> dict[str, float]:
        assert isinstance(network, Network)
        rules = Pyramid(network, InferenceSettings(), None, device)
        rows = []
        for example in examples:
            found = rules.segment(example.image, mode="discriminative")
            rows.append(score_image(example.labels, found.label_map).values)
        names = ("f1_50", "pq", "ap5095", "prec50", "rec50")
        mean = {name: float(np.mean([row[name] for row in rows])) for name in names}
        return {"score": (mean["f1_50"] + mean["pq"] + mean["ap5095"]) / 3.0, **mean}

    return validate


#: What synthetic micrographs show: how each kind is drawn, and its share of them. Beside a mix of everything, the
#: kinds that networks fail on for want of labelled ones.
DRAWN: tuple[tuple[dict[str, str], float], ...] = (
    ({}, 0.2),
    ({"kind": "sem", "arrangement": "fibres"}, 0.15),
    ({"kind": "tem", "arrangement": "fibres"}, 0.1),
    ({"kind": "stem", "arrangement": "supported"}, 0.15),
    ({"kind": "tem", "arrangement": "supported"}, 0.15),
    ({"kind": "sem", "arrangement": "grains"}, 0.1),
    ({"kind": "rough"}, 0.15),
)


def synthetic_examples(count: int, seed: int) -> list[Example]:
    """Synthetic micrographs with known truth, numbered from `seed`, of the kinds in `DRAWN`."""
    from imagedataextractor.artificial.micrographs import draw_micrograph

    shares = np.array([share for _, share in DRAWN])
    drawn = []
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        asked = DRAWN[int(rng.choice(len(DRAWN), p=shares / shares.sum()))][0]
        micrograph = draw_micrograph(rng, shape=(512, 640), **asked)  # type: ignore[arg-type]
        drawn.append(Example(f"synthetic-{seed}-{index}", micrograph.image, micrograph.label_map))
    return drawn


def _initial_state(settings: TrainingSettings, initial: str | Path | None, device: str) -> _State:
    network = build_network(settings.architecture, pretrained=initial is None and settings.architecture == "lite0")
    if initial is not None:
        try:
            network.load_state_dict(_initial_weights(initial))
        except RuntimeError as error:  # its message lists every tensor of the network
            raise InputError(f"{initial}: the weights do not fit the network {settings.architecture!r}") from error
    average = build_network(settings.architecture)
    average.load_state_dict(network.state_dict())
    for module in (network, average):
        module.to(device=torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    average.requires_grad_(False)
    for module in _frozen(network, settings):
        module.requires_grad_(False)
    return _State(network, average, _optimiser(network, settings))


def _frozen(network: nn.Module, settings: TrainingSettings) -> list[nn.Module]:
    if not settings.frozen_blocks:
        return []
    encoder = network.encoder
    if not isinstance(encoder, LiteEncoder):
        raise InputError(f"only the encoder of lite0 can be frozen in part, not that of {settings.architecture}")
    return encoder.first(settings.frozen_blocks)


def _initial_weights(name: str | Path) -> dict[str, Tensor]:
    """Tensors of a model; those of the published one, which has conventions of its own, in this project's."""
    from imagedataextractor.segmentation.published import RULES, to_pixel_frame

    info, tensors = load_weights(name)
    rules = info.inference.rules
    return to_pixel_frame(tensors, RULES[rules]) if rules in RULES else tensors


def _optimiser(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        slow = settings.architecture == "lite0" and name.startswith("encoder.")
        decays = parameter.ndim > 1
        groups.setdefault((slow, decays), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "weight_decay": settings.weight_decay if decays else 0.0,
                "share": settings.encoder_rate if slow else 1.0,
            }
            for (slow, decays), parameters in groups.items()
        ],
        lr=settings.learning_rate,
    )


def _batches(crops: Crops, start: int, settings: TrainingSettings, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches from step `start` on; with workers, cut in other processes ahead of time."""
    if settings.workers == 0:
        for step in range(start, settings.steps + 1):
            yield _to_device(crops.batch(step), device)
        return
    loader = torch.utils.data.DataLoader(
        _Steps(crops, start, settings.steps + 1),
        batch_size=None,
        num_workers=settings.workers,
        prefetch_factor=4,
    )
    for batch in loader:
        yield _to_device(batch, device)


class _Steps(torch.utils.data.Dataset[Any]):
    """Batches by step number, so that worker processes can cut them in order."""

    def __init__(self, crops: Crops, start: int, stop: int) -> None:
        self.crops, self.start, self.stop = crops, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        return self.crops.batch(self.start + index)


def _to_device(batch: tuple[Any, Any], device: str) -> tuple[Tensor, Tensor]:
    images, labels = (torch.as_tensor(part).to(device, non_blocking=True) for part in batch)
    images = images[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    return images, labels


def _step(state: _State, images: Tensor, labels: Tensor, loss: BPartISLoss, settings: TrainingSettings) -> LossParts:
    state.network.train()
    for module in _frozen(state.network, settings):
        module.eval()
    share = learning_rate(settings, state.step)
    for group in state.optimiser.param_groups:
        group["lr"] = settings.learning_rate * group["share"] * share
    # bfloat16 where the hardware has it; the loss itself is computed in single precision.
    with torch.autocast(images.device.type, torch.bfloat16, enabled=images.device.type == "cuda"):
        geometry, seed = state.network(images)
    parts = loss(geometry.float(), seed.float(), labels)
    state.optimiser.zero_grad(set_to_none=True)
    parts.total.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), settings.clip_norm)
    state.optimiser.step()
    # A short memory at first, or the average would remember the untrained network for long.
    decay = min(settings.ema, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for mean, value in zip(_values(state.average), _values(state.network), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1.0 - decay)
            else:
                mean.copy_(value)
    return dataclasses.replace(parts, total=parts.total.detach())


def _values(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _progress(state: _State, recent: Sequence[LossParts]) -> str:
    window = recent[-50:]
    mean = [
        sum(float(getattr(p, part)) for p in window) / len(window)
        for part in ("total", "instance", "seed", "smoothness")
    ]
    if not math.isfinite(mean[0]):
        raise InputError(f"training diverged at step {state.step}: the loss is {mean[0]}; lower the learning rate")
    return (
        f"step {state.step} {state.seconds:.0f} s  loss {mean[0]:.4f} = "
        f"instance {mean[1]:.4f}, seed {mean[2]:.4f}, smoothness {mean[3]:.5f}"
    )


def _record(path: Path, state: _State, recent: Sequence[LossParts], scores: dict[str, float]) -> None:
    row: dict[str, Any] = {"step": state.step, "seconds": round(state.seconds)}
    for part in ("instance", "seed", "smoothness"):
        values = [float(getattr(p, part)) for p in recent]
        row[part] = round(sum(values) / max(len(values), 1), 5)
    row.update({key: round(value, 5) for key, value in scores.items()})
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def _save_checkpoint(state: _State, settings: TrainingSettings, path: Path) -> None:
    content = {
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        "best": state.best,
        "seconds": state.seconds,
        "random": torch.get_rng_state(),
        "settings": dataclasses.asdict(settings),
    }
    partial = path.with_suffix(".part")
    torch.save(content, partial)
    os.replace(partial, path)


def _restore(state: _State, path: Path) -> None:
    content = torch.load(path, weights_only=True, map_location="cpu")
    state.network.load_state_dict(content["network"])
    state.average.load_state_dict(content["average"])
    state.optimiser.load_state_dict(content["optimiser"])
    torch.set_rng_state(content["random"])
    state.step, state.best, state.seconds = content["step"], content["best"], content["seconds"]


def _save_weights(state: _State, settings: TrainingSettings, path: Path) -> None:
    """The averaged network as a weights file, which every command takes as a model."""
    info = WeightsInfo(
        name=path.parent.name,
        architecture=settings.architecture,
        origin="trained with ide train",
        training={"settings": dataclasses.asdict(settings), "step": state.step, "best": state.best},
    )
    save_weights(path, state.average.state_dict(), info)
