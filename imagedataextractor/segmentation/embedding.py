"""What the networks' raw outputs mean.

Yildirim & Cole 2021 (after Neven et al., CVPR 2019) let every pixel point at its particle: the
embedding e = o + x is the offset o added to the pixel's own coordinate x, and a pixel belongs to
the particle with centre μ and bandwidth s if

    φ(e) = exp(−Σ_c s_c (e_c − μ_c)²) > 0.5 .

The paper measures coordinates in a fixed 512 × 512 frame. Here they are pixels, so that an image of
any size and shape is treated alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["BANDWIDTH_PX", "MAX_OFFSET_PX", "OFFSET_GAIN", "bandwidth", "coordinates", "embed"]

#: Longest reach of an offset, px: from the rim to the centre of a particle as large as the image
#: sizes that the network sees (about 512 px a side).
MAX_OFFSET_PX = 256.0
#: Conditioning: a raw offset of 1 is about 32 px, the size of a typical particle.
OFFSET_GAIN = 32.0
#: Bandwidth at raw sigma 0, px: φ then falls to 0.5 at 0.83 · 24 = 20 px.
BANDWIDTH_PX = 24.0


def coordinates(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Pixel coordinates x, y as a float tensor (2, height, width)."""
    y = torch.arange(height, dtype=torch.float32, device=device)
    x = torch.arange(width, dtype=torch.float32, device=device)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)])


def embed(raw_geometry: Tensor) -> Tensor:
    """Embeddings e = o + x in px.

    Parameters
    ----------
    raw_geometry : tensor (B, 4, H, W)
        Raw offset x, y and sigma x, y.

    Returns
    -------
    tensor (B, 2, H, W)
    """
    offset = MAX_OFFSET_PX * torch.tanh(raw_geometry[:, :2].float() * (OFFSET_GAIN / MAX_OFFSET_PX))
    height, width = raw_geometry.shape[-2:]
    return offset + coordinates(height, width, raw_geometry.device)


def bandwidth(raw_sigma: Tensor) -> Tensor:
    """S of φ in 1/px², from raw sigma: positive, and a raw step of 1 scales the radius by e."""
    limited = 6.0 * torch.tanh(raw_sigma.float() / 6.0)  # exp must not overflow early in training
    return torch.exp(2.0 * limited) / BANDWIDTH_PX**2
