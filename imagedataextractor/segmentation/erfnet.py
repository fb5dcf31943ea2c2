"""The network of the BPartIS paper: an ERFNet encoder with two decoders.

One decoder gives, for each pixel, the offset towards its particle's centre and the log-bandwidths
(sigma) of the cluster it would seed; the other gives the seed map. Only the encoder holds dropout.

References
----------
B. Yildirim and J. M. Cole, "Bayesian Particle Instance Segmentation for Electron Microscopy Image
Quantification", J. Chem. Inf. Model. 61 (2021) 1136. E. Romera et al., "ERFNet: Efficient Residual
Factorized ConvNet", IEEE T-ITS 19 (2018) 263.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagedataextractor.segmentation.sampling import Posterior, sampled

__all__ = ["STRIDE", "BPartISNet"]

#: Height and width of an input must be multiples of this: the encoder halves them three times.
STRIDE = 8

#: Of every batch norm, as in ERFNet.
_NORM_EPS = 1e-3
#: Dropout probability of the 64- and of the 128-channel blocks of the encoder.
_SHALLOW_DROPOUT, _DEEP_DROPOUT = 0.03, 0.3


class Downsampler(nn.Module):
    """Halve the resolution: a strided convolution beside a max-pool, concatenated, normed, ELU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out - channels_in, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(channels_out, eps=_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(self.bn(torch.cat([self.conv(x), F.max_pool2d(x, 2)], dim=1)))


class Upsampler(nn.Module):
    """Double the resolution: bilinear, then a 3 x 3 convolution, normed, ELU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.bn = nn.BatchNorm2d(channels_out, eps=_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(self.bn(self.conv(_double(x))))


class FactorisedBlock(nn.Module):
    """ERFNet's residual block: two 3 x 3 convolutions, each split into 3 x 1 and 1 x 3."""

    def __init__(self, channels: int, dropout: float = 0.0, dilation: int = 1) -> None:
        super().__init__()
        d = dilation
        self.conv3x1_1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.conv1x3_1 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1))
        self.bn1 = nn.BatchNorm2d(channels, eps=_NORM_EPS)
        self.conv3x1_2 = nn.Conv2d(channels, channels, (3, 1), padding=(d, 0), dilation=(d, 1))
        self.conv1x3_2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, d), dilation=(1, d))
        self.bn2 = nn.BatchNorm2d(channels, eps=_NORM_EPS)
        # No dropout layer at all at probability 0, so that `set_dropout` finds only those that act.
        self.dropout = nn.Dropout2d(dropout) if dropout > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.elu(self.conv3x1_1(x))
        y = F.elu(self.bn1(self.conv1x3_1(y)))
        y = F.elu(self.conv3x1_2(y))
        y = self.dropout(self.bn2(self.conv1x3_2(y)))
        return F.elu(x + y)


class Encoder(nn.Module):
    """(B, 3, H, W) → (B, 128, H/8, W/8)."""

    def __init__(self) -> None:
        super().__init__()
        self.initial_block = Downsampler(3, 16)
        self.layers = nn.ModuleList(
            [
                Downsampler(16, 64),
                *(FactorisedBlock(64, _SHALLOW_DROPOUT) for _ in range(5)),
                Downsampler(64, 128),
                *(FactorisedBlock(128, _DEEP_DROPOUT, dilation) for _ in range(2) for dilation in (2, 4, 8, 16)),
            ]
        )

    def stem(self, x: Tensor) -> Tensor:
        """The part before the first dropout: (B, 3, H, W) → (B, 64, H/4, W/4)."""
        out: Tensor = self.layers[0](self.initial_block(x))
        return out

    def rest(self, x: Tensor) -> Tensor:
        """The part with dropout: (B, 64, H/4, W/4) → (B, 128, H/8, W/8)."""
        for layer in list(self.layers)[1:]:
            x = layer(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(self.stem(x))


class Decoder(nn.Module):
    """(B, 128, H/8, W/8) → (B, outputs, H, W)."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                Upsampler(128, 64),
                FactorisedBlock(64),
                FactorisedBlock(64),
                Upsampler(64, 16),
                FactorisedBlock(16),
                FactorisedBlock(16),
            ]
        )
        self.output_conv = nn.Conv2d(16, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.output_conv(_double(x))
        return out


class BPartISNet(nn.Module):
    """The paper's network. Parameter names are those of the published checkpoint.

    `forward` takes a float image (B, 3, H, W) in 0 … 1, H and W multiples of `STRIDE`, and returns
    the raw outputs: (B, 4, H, W) with offset x, offset y, sigma x, sigma y, and (B, 1, H, W) with the
    seed map; no tanh, exp or sigmoid has been applied.
    """

    #: What a weights file calls this network.
    architecture = "erfnet"

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoders = nn.ModuleList([Decoder(4), Decoder(1)])

    def encode(self, image: Tensor) -> Tensor:
        """The deterministic part, run once an image whatever the number of samples.

        The encoder's dropout begins early, so here this is a small part: most of the cost is `decode`.
        """
        if image.shape[-2] % STRIDE or image.shape[-1] % STRIDE:
            raise ValueError(f"height and width must be multiples of {STRIDE}, not {tuple(image.shape[-2:])}")
        out: Tensor = self.encoder.stem(image)
        return out

    def decode(self, stem: Tensor) -> tuple[Tensor, Tensor]:
        """The stochastic part: one sample while the dropout is on."""
        features = self.encoder.rest(stem)
        return self.decoders[0](features), self.decoders[1](features)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.decode(self.encode(image))

    def sample(self, stem: Tensor, samples: int) -> Posterior:
        """`samples` passes of the stochastic part, averaged; 0 is one pass without dropout."""
        return sampled(self, lambda: self.decode(stem), samples)

    def set_dropout(self, on: bool) -> None:
        """Turn dropout on or off by itself, batch norm untouched: Monte Carlo sampling in eval mode."""
        for layer in self.dropout_layers():
            layer.train(on)

    def dropout_layers(self) -> Iterator[nn.Dropout2d]:
        """All layers that drop channels."""
        return (m for m in self.modules() if isinstance(m, nn.Dropout2d))


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
