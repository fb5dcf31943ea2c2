"""BPartIS: particles of a micrograph as a label map, each with its epistemic uncertainty.

`Segmenter` is the stage; the modules behind it are usable alone: `network` and `erfnet` (the
networks), `embedding` (what their outputs mean), `clustering`, `inference`, `published` (the network
of 2021 by its own rules), `training` with `dataset` and `loss`, `metrics` and `reliability`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.images import sha256_of
from imagedataextractor.records import MODES, Mode, Segmentation

if TYPE_CHECKING:
    from torch import nn

    from imagedataextractor.segmentation.weights import WeightsInfo

__all__ = ["MODES", "Segmenter"]


class Segmenter:
    """A trained model, loaded once and applied to many micrographs.

    Attributes
    ----------
    name, weights_sha256 : str
        What every segmentation records.
    samples : int
        The model's own T.
    threshold : float
        The model's own t_u, nats.
    min_score : float
        In the mode "filtered", particles that are less probably real than this are rejected, too: the
        calibrated probability knows more than the uncertainty alone. 0 where a model has none.
    """

    def __init__(self, name: str, network: nn.Module, info: WeightsInfo, weights_sha256: str, device: str) -> None:
        self.name = name
        self.weights_sha256 = weights_sha256
        self.device = device
        self.info = info
        self.samples = int(info.defaults.get("samples", 8))
        self.threshold = float(info.defaults.get("threshold", 0.0125))
        self.min_score = float(info.defaults.get("min_score", 0.0))
        self._network = network

    @classmethod
    def load(cls, name: str = "default", device: str = "auto") -> Segmenter:
        """Load a model by name, or from the path of a weights file.

        Raises
        ------
        InputError
            No such model here; the message says how to get it.
        UsageError
            The device cannot be used.
        """
        from imagedataextractor.segmentation.architectures import build_network
        from imagedataextractor.segmentation.inference import choose_device
        from imagedataextractor.segmentation.weights import find_weights, load_weights

        device = choose_device(device)
        path = find_weights(name)
        info, tensors = load_weights(name)
        network = build_network(info.architecture)
        try:
            network.load_state_dict(tensors, strict=True)
        except RuntimeError as error:  # its message lists every tensor of the network
            raise InputError(f"{path}: the weights do not fit the network {info.architecture!r}") from error
        return cls(name, network.eval().to(device), info, sha256_of(path), device)

    def segment(
        self,
        image: npt.NDArray[np.uint8],
        *,
        mode: Mode = "filtered",
        samples: int | None = None,
        threshold: float | None = None,
        seed: int = 0,
        exclude: npt.NDArray[np.bool_] | None = None,
    ) -> Segmentation:
        """Segment one micrograph, at its own resolution.

        Parameters
        ----------
        image : uint8 array, (H, W) or (H, W, 3)
        mode : {"discriminative", "bayesian", "filtered"}
        samples : int, optional
            T; the model's own by default.
        threshold : float, optional
            t_u in nats; the model's own by default.
        seed : int
            Of the dropout: the same image, settings and seed give the same result.
        exclude : bool array (H, W), optional
            Pixels that are no micrograph (insets, data bars): nothing is found there.
        """
        samples = self.samples if samples is None else samples
        threshold = self.threshold if threshold is None else threshold
        if mode not in MODES:
            raise UsageError(f"mode {mode!r} is unknown; choose one of {', '.join(MODES)}")
        if samples < 1:
            raise UsageError(f"the number of samples must be at least 1, not {samples}")
        if str(self.info.defaults.get("rules", "")).startswith("published"):
            found = self._published(image, mode, samples, threshold, seed, exclude)
        else:
            found = self._own(image, mode, samples, threshold, seed, exclude)
        return dataclasses.replace(found, model=self.name, weights_sha256=self.weights_sha256)

    def _own(
        self,
        image: npt.NDArray[np.uint8],
        mode: Mode,
        samples: int,
        threshold: float,
        seed: int,
        exclude: npt.NDArray[np.bool_] | None,
    ) -> Segmentation:
        from imagedataextractor.segmentation.clustering import ClusterSettings
        from imagedataextractor.segmentation.features import calibration_features
        from imagedataextractor.segmentation.inference import segment_with
        from imagedataextractor.segmentation.reliability import Calibration, apply_calibration

        clustering: dict[str, Any] = dict(self.info.defaults.get("clustering", {}))
        found, features = segment_with(
            self._network,
            image,
            mode=mode,
            samples=samples,
            threshold=threshold,
            flips=bool(self.info.defaults.get("flips", False)),
            seed=seed,
            device=self.device,
            clustering=ClusterSettings(**clustering),
            certain_seed=float(self.info.defaults.get("certain_seed", 0.0)),
            exclude=exclude,
        )
        # The calibration was fitted on Monte Carlo samples; a single pass knows no uncertainty.
        if self.info.calibration is None or mode == "discriminative":
            return found
        calibration = Calibration.from_dict(self.info.calibration)
        score = apply_calibration(calibration, calibration_features(features))
        filtered = found.filtered | (score < self.min_score) if mode == "filtered" else found.filtered
        return dataclasses.replace(found, score=score, filtered=filtered)

    def _published(
        self,
        image: npt.NDArray[np.uint8],
        mode: Mode,
        samples: int,
        threshold: float,
        seed: int,
        exclude: npt.NDArray[np.bool_] | None,
    ) -> Segmentation:
        from imagedataextractor.segmentation.erfnet import BPartISNet
        from imagedataextractor.segmentation.published import RULES, segment_published

        assert isinstance(self._network, BPartISNet)
        return segment_published(
            image,
            mode,
            samples,
            threshold,
            seed,
            rules=RULES[self.info.defaults["rules"]],
            network=self._network,
            device=self.device,
            exclude=exclude,
        )
