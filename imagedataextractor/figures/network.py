"""Small networks, run with NumPy alone.

The networks of this stage have some ten thousand weights. Running them does not need a framework
whose import takes longer than the whole figure.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from imagedataextractor.images.channels import is_flat
from imagedataextractor.resources import resource_path

__all__ = ["chances", "forward", "load_weights", "softmax", "use_weights"]

FloatArray = npt.NDArray[np.float32]

#: Inputs that go through a network together; bounds the memory of the unfolded windows.
BATCH = 64


#: Folder whose networks come before those of data/figures; None for these alone.
_folder: list[Path | None] = [None]


def use_weights(folder: Path | None) -> None:
    """Take the networks that lie in this folder from it: training learns from what those before it make of a figure."""
    _folder[0] = folder
    load_weights.cache_clear()


@functools.cache
def load_weights(name: str) -> Mapping[str, FloatArray]:
    """Weights of a network of this stage, by the name of its file in data/figures."""
    own = _folder[0] / name if _folder[0] is not None else None
    path = own if own is not None and own.is_file() else resource_path("data", "figures", name)
    return {k: np.asarray(v, np.float32) for k, v in load_file(path).items()}


def forward(weights: Mapping[str, FloatArray], inputs: FloatArray) -> FloatArray:
    """Logits of a stack of 3 x 3 convolutions with 2 x 2 pooling (if there are any), then dense layers.

    Parameters
    ----------
    weights : mapping
        "conv1.weight" (out, in, 3, 3), "conv1.bias" … , "dense1.weight" (out, in), "dense1.bias" …; the
        members of an ensemble of dense layers along a first axis of their own
    inputs : float32 array, shape (N, C, H, W), or (N, F) without convolutions
        H and W divisible by 2 as often as there are convolutions.

    Returns
    -------
    float32 array, shape (N, classes), or (members, N, classes)
    """
    parts = [_forward(weights, inputs[i : i + BATCH]) for i in range(0, len(inputs), BATCH)]
    if not parts:
        bias = weights[_last(weights, "dense") + ".bias"]
        return np.zeros((*bias.shape[:-1], 0, bias.shape[-1]), np.float32)
    return np.concatenate(parts, axis=-2)


def _last(weights: Mapping[str, FloatArray], kind: str) -> str:
    return kind + str(max(int(k.split(".")[0].removeprefix(kind)) for k in weights if k.startswith(kind)))


def _forward(weights: Mapping[str, FloatArray], inputs: FloatArray) -> FloatArray:
    x = inputs
    if "conv1.weight" in weights:
        x = _convolutions(weights, inputs)
    layer = 1
    while f"dense{layer}.weight" in weights:
        weight, bias = weights[f"dense{layer}.weight"], weights[f"dense{layer}.bias"]
        x = x @ weight.swapaxes(-1, -2) + bias[..., None, :]
        layer += 1
        if f"dense{layer}.weight" in weights:
            x = _relu(x)
    return x


def _convolutions(weights: Mapping[str, FloatArray], inputs: FloatArray) -> FloatArray:
    x = np.ascontiguousarray(inputs.transpose(0, 2, 3, 1))  # channels last: each window is one row of a product
    layer = 1
    while f"conv{layer}.weight" in weights:
        x = _pool(_relu(_convolve(x, weights[f"conv{layer}.weight"], weights[f"conv{layer}.bias"])))
        layer += 1
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def _convolve(x: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """3 x 3 convolution with zero padding, as one matrix product over unfolded windows."""
    n, height, width, channels = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.empty((n, height, width, 9, channels), np.float32)
    for k in range(9):
        dy, dx = divmod(k, 3)
        windows[:, :, :, k] = padded[:, dy : dy + height, dx : dx + width]
    kernel = weight.transpose(2, 3, 1, 0).reshape(9 * channels, -1)
    product: FloatArray = windows.reshape(-1, 9 * channels) @ kernel
    product += bias
    return product.reshape(n, height, width, -1)


def _relu(x: FloatArray) -> FloatArray:
    return np.maximum(x, 0.0, out=x)


def _pool(x: FloatArray) -> FloatArray:
    upper = np.maximum(x[:, ::2, ::2], x[:, ::2, 1::2])
    lower = np.maximum(x[:, 1::2, ::2], x[:, 1::2, 1::2])
    return np.maximum(upper, lower, out=upper)


def chances(weights: Mapping[str, FloatArray], numbers: FloatArray) -> FloatArray:
    """Probabilities that a network of dense layers, or the mean of an ensemble, gives for rows of numbers.

    Parameters
    ----------
    weights : mapping
        As for `forward`, with "mean" and "scale" of the numbers it was trained on.
    numbers : float32 array, shape (N, F)

    Returns
    -------
    float32 array, shape (N, classes)
    """
    scaled = np.clip((numbers - weights["mean"]) / weights["scale"], -4, 4).astype(np.float32)
    probabilities = softmax(forward(weights, scaled))
    return probabilities if is_flat(probabilities) else probabilities.mean(axis=0, dtype=np.float32)


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: FloatArray = shifted / shifted.sum(axis=-1, keepdims=True)
    return result
