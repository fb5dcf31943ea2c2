"""BPartIS: particles of a micrograph as a label map, each with its epistemic uncertainty.

`Segmenter` is the stage. In comes one micrograph; `architectures` has the networks, `pyramid` and
`published` the two sets of rules by which particles are made of a network's answer, `weights` the
files that hold both. Out goes a `records.Segmentation`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.images import sha256_of
from imagedataextractor.records import MODES, Mode, Segmentation

if TYPE_CHECKING:
    from imagedataextractor.segmentation.strategy import Strategy
    from imagedataextractor.segmentation.weights import WeightsInfo

__all__ = ["MODES", "Segmenter"]


class Segmenter:
    """A trained model, loaded once and applied to many micrographs.

    Attributes
    ----------
    name, weights_sha256 : str
        What every segmentation records.
    info : WeightsInfo
        What its file says; ``info.inference`` has its own settings.
    """

    def __init__(self, name: str, strategy: Strategy, info: WeightsInfo, weights_sha256: str, device: str) -> None:
        self.name = name
        self.device = device
        self.info = info
        self.weights_sha256 = weights_sha256
        self._strategy = strategy

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
        from imagedataextractor.segmentation.architectures import Network, build_network
        from imagedataextractor.segmentation.inference import choose_device
        from imagedataextractor.segmentation.pyramid import Pyramid
        from imagedataextractor.segmentation.weights import find_weights, load_judge, load_weights

        device = choose_device(device)
        path = find_weights(name)
        info, tensors = load_weights(name)
        network = build_network(info.architecture)
        try:
            network.load_state_dict(tensors, strict=True)
        except RuntimeError as error:  # its message lists every tensor of the network
            raise InputError(f"{path}: the weights do not fit the network {info.architecture!r}") from error
        network = network.eval().to(device)
        strategy: Strategy
        if info.inference.rules == "pyramid":
            assert isinstance(network, Network)
            strategy = Pyramid(network, info.inference, load_judge(path), device)
        else:
            from imagedataextractor.segmentation.erfnet import BPartISNet
            from imagedataextractor.segmentation.published import RULES, Published

            if not isinstance(network, BPartISNet):
                raise InputError(f"{path}: the rules {info.inference.rules!r} are for the paper's network alone")
            strategy = Published(network, RULES[info.inference.rules], device)
        return cls(name, strategy, info, sha256_of(path), device)

    @property
    def samples(self) -> int:
        """The model's own T."""
        return self.info.inference.samples

    @property
    def threshold(self) -> float:
        """The model's own t_u, nats."""
        return self.info.inference.threshold

    def segment(
        self,
        image: npt.NDArray[np.uint8],
        *,
        mode: Mode = "filtered",
        samples: int | None = None,
        threshold: float | None = None,
        seed: int = 0,
        exclude: npt.NDArray[np.bool_] | None = None,
        supported: bool | None = None,
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
        supported : bool, optional
            Whether the image is known to show particles on a support ("Pt nanoparticles on silica"), or not
            to; by default the picture alone decides. The published rules know no supports.
        """
        samples = self.samples if samples is None else samples
        threshold = self.threshold if threshold is None else threshold
        if mode not in MODES:
            raise UsageError(f"mode {mode!r} is unknown; choose one of {', '.join(MODES)}")
        if samples < 1:
            raise UsageError(f"the number of samples must be at least 1, not {samples}")
        found = self._strategy.segment(
            image,
            mode=mode,
            samples=samples,
            threshold=threshold,
            seed=seed,
            exclude=exclude,
            supported=supported,
        )
        return dataclasses.replace(found, model=self.name, weights_sha256=self.weights_sha256)
