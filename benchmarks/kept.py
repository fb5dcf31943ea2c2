"""Networks' maps, kept on disk: they cost seconds to half a minute an image, all that is made of them little.

The mean outputs of T samples are the same whether particles are filtered afterwards or not, and whatever
the clustering's settings; so one run of a network serves every mode, setting and table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.segmentation.inference import Maps

__all__ = ["keeping"]

_ARRAYS = ("embedding", "bandwidth", "seed", "information", "image")


def keeping(folder: Path, make: Callable[..., Maps]) -> Callable[..., Maps]:
    """`inference.image_maps`, but reading what it has made before (about 10 MB an image of 512 x 650).

    The folder belongs to one network. The scale at which an image is seen follows from a first look with
    the clustering's settings, and stays what it was when the maps were made.
    """

    def kept(network: Any, grey: npt.NDArray[np.uint8], **how: Any) -> Maps:
        picture = hashlib.sha256(repr(grey.shape).encode() + grey.tobytes()).hexdigest()[:16]
        path = folder / f"T{how['samples']}-flips{int(how['flips'])}-seed{how['seed']}" / f"{picture}.npz"
        if path.is_file():
            with np.load(path, allow_pickle=False) as file:
                return Maps(**{name: file[name] for name in _ARRAYS}, scale=float(file["scale"]))
        maps = make(network, grey, **how)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        with partial.open("wb") as target:
            np.savez(target, scale=maps.scale, **{name: getattr(maps, name) for name in _ARRAYS})
        partial.replace(path)
        return maps

    return kept
