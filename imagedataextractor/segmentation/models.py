"""A model by name, ready to segment: the one door to every network and to its own rules.

Which network a weights file belongs to, its default samples and threshold, its clustering and its
calibration all stand in the file's header, so that a name is all one needs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from imagedataextractor.errors import InputError
from imagedataextractor.images import sha256_of
from imagedataextractor.records import Segmentation
from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.erfnet import BPartISNet
from imagedataextractor.segmentation.inference import choose_device, segment_with
from imagedataextractor.segmentation.published import NATIVE, PUBLISHED, Rules, segment_published
from imagedataextractor.segmentation.reliability import Calibration, apply_calibration, calibration_features
from imagedataextractor.segmentation.training import build_network
from imagedataextractor.segmentation.weights import WeightsInfo, find_weights, load_weights

__all__ = ["Model", "load_model"]

#: Samples where neither the request nor the weights say how many.
DEFAULT_SAMPLES = 8

_RULES: Mapping[str, Rules] = {"published": PUBLISHED, "published-native": NATIVE}


@dataclass(frozen=True, eq=False)
class Model:
    """A network with its weights on a device.

    Attributes
    ----------
    info : WeightsInfo
        What the header of the weights says; its "defaults" hold "samples", "threshold", and for networks
        trained here "flips" and "clustering" (fields of `ClusterSettings`), for the published one "rules".
    """

    name: str
    info: WeightsInfo
    weights_sha256: str
    network: nn.Module = field(repr=False)
    device: str = "cpu"

    @property
    def samples(self) -> int:
        """T by default."""
        return int(self.info.defaults.get("samples", DEFAULT_SAMPLES))

    @property
    def threshold(self) -> float | None:
        """t_u by default, nats; None filters nothing."""
        value = self.info.defaults.get("threshold")
        return None if value is None else float(value)

    def segment(
        self,
        image: npt.NDArray[np.uint8],
        *,
        mode: str = "filtered",
        samples: int | None = None,
        threshold: float | None = None,
        seed: int = 0,
        exclude: npt.NDArray[np.bool_] | None = None,
    ) -> Segmentation:
        """Segment one micrograph.

        Parameters
        ----------
        image : uint8 array, (H, W) or (H, W, 3)
        mode : {"discriminative", "bayesian", "filtered"}
        samples, threshold
            T and t_u (nats); None takes the model's own.
        seed : int
            Of the dropout.
        exclude : bool array (H, W), optional
            Pixels that are no micrograph; nothing is found there.

        Raises
        ------
        UsageError
            An unknown mode, or fewer than one sample.
        """
        samples = self.samples if samples is None else samples
        threshold = self.threshold if threshold is None else threshold
        rules = _RULES.get(str(self.info.defaults.get("rules")))
        if rules is not None and isinstance(self.network, BPartISNet):
            found = segment_published(
                image,
                mode,
                samples,
                float("inf") if threshold is None else threshold,
                seed,
                rules=rules,
                network=self.network,
                device=self.device,
                exclude=exclude,
            )
            return dataclasses.replace(found, model=self.name, weights_sha256=self.weights_sha256)
        found, features = segment_with(
            self.network,
            image,
            mode=mode,
            samples=samples,
            threshold=threshold,
            flips=bool(self.info.defaults.get("flips", False)),
            seed=seed,
            device=self.device,
            clustering=_clustering(self.info),
            exclude=exclude,
        )
        score = found.score
        if self.info.calibration is not None:
            score = apply_calibration(
                Calibration.from_dict(self.info.calibration),
                calibration_features(features["uncertainty"], features["seed"], features["area_px"]),
            )
        return dataclasses.replace(found, score=score, model=self.name, weights_sha256=self.weights_sha256)


def load_model(name: str | Path = "default", device: str = "auto") -> Model:
    """A model by name or by the path of its weights.

    Raises
    ------
    InputError
        No such model here, or its weights do not fit the network that they name.
    UsageError
        The device is not there.
    """
    path = find_weights(name)
    info, tensors = load_weights(path)
    network = build_network(info.architecture)
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path}: the weights do not fit the network {info.architecture!r} ({error})") from error
    if str(name) in _VARIANTS:
        info = dataclasses.replace(info, defaults={**info.defaults, **_VARIANTS[str(name)]})
    chosen = choose_device(device)
    network.eval().requires_grad_(False).to(torch.device(chosen))
    return Model(path.stem if isinstance(name, Path) else Path(name).stem, info, sha256_of(path), network, chosen)


#: Names under which the same weights run by other rules.
_VARIANTS: Mapping[str, Mapping[str, Any]] = {"bpartis-2021-native": {"rules": "published-native"}}


def _clustering(info: WeightsInfo) -> ClusterSettings:
    values = info.defaults.get("clustering", {})
    try:
        return ClusterSettings(**values)
    except TypeError as error:
        raise InputError(f"model {info.name!r}: its clustering settings are not understood ({error})") from error
