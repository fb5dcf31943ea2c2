"""How a segmentation network is trained; known without PyTorch, so that `ide train segmentation --help` is quick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from imagedataextractor.errors import UsageError

__all__ = ["ARCHITECTURES", "TrainingSettings", "TrainingWords", "crop_sizes", "default_settings"]

#: The networks that are trained: the default one, and that of the paper.
ARCHITECTURES = ("lite0", "erfnet")
#: Least side of a crop, px, and what it is a multiple of: the coarsest map of the encoders has a pixel for so many.
LEAST_CROP_PX, CROP_STEP_PX = 64, 32


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    The learning rate warms up, stays, and falls linearly to zero over the last `cooldown` share of
    the steps (Hägele et al., NeurIPS 2024), so that a run can be prolonged from any checkpoint
    before the fall.
    """

    architecture: str = "lite0"
    steps: int = 4000
    learning_rate: float = 1e-3
    #: The pretrained encoder learns this much slower than the new decoders.
    encoder_rate: float = 0.4
    #: Blocks at the encoder's beginning that stay as they are, batch norm included. Their maps are the largest:
    #: three of them are a fifth of a step's cost, and find edges that a fine-tuned network need not learn anew.
    frozen_blocks: int = 0
    warmup: int = 100
    cooldown: float = 0.3
    weight_decay: float = 1e-4
    #: Decay of the exponential moving average of the weights, a step.
    ema: float = 0.995
    seed: int = 0
    sizes: tuple[tuple[int, int], ...] = ((256, 8), (384, 4), (512, 2))
    #: Magnifications of the crops: whole long bodies are in view at the least, grains of 10 px at the largest.
    scales: tuple[float, float] = (0.22, 2.0)
    #: How many times as often an image of long bodies is drawn as another.
    long_weight: float = 3.0
    loss_weights: tuple[float, float, float] = (1.0, 1.0, 10.0)
    seed_loss: str = "likelihood"
    validate_every: int = 250
    checkpoint_seconds: float = 240.0
    clip_norm: float = 5.0
    workers: int = 0


def default_settings(architecture: str) -> TrainingSettings:
    """How a network is trained where nothing else is asked for.

    "erfnet" has what Yildirim & Cole 2021 state: Adam at 3e-4 throughout, the seed regressed to φ, λ = 1, 1,
    10, and 300 epochs, here of the 289 training images of EMPS in batches of eight. The crops are this
    project's own, at native aspect.
    """
    if architecture == "erfnet":
        return TrainingSettings(
            architecture, steps=10_800, learning_rate=3e-4, cooldown=0.0, weight_decay=0.0, seed_loss="regression"
        )
    return TrainingSettings(architecture)


class TrainingWords(TypedDict, total=False):
    """What may be said of `TrainingSettings`, by the same names; what is None has the architecture's default."""

    steps: int | None
    learning_rate: float | None
    cooldown: float | None
    frozen_blocks: int | None
    seed: int | None
    sizes: tuple[tuple[int, int], ...] | None
    scales: tuple[float, float] | None
    long_weight: float | None
    seed_loss: str | None
    validate_every: int | None
    workers: int | None


def crop_sizes(text: str) -> tuple[tuple[int, int], ...]:
    """`256x8,384x4` → ((256, 8), (384, 4)): side in px and number of a batch's crops."""
    try:
        sizes = tuple((int(side), int(count)) for side, count in (part.split("x") for part in text.split(",")))
    except ValueError:
        sizes = ()
    if not sizes or any(side < LEAST_CROP_PX or side % CROP_STEP_PX or count < 1 for side, count in sizes):
        raise UsageError(
            f"--crops {text}: give SIDExNUMBER,…, with sides in multiples of {CROP_STEP_PX} from {LEAST_CROP_PX} on"
        )
    return sizes
