"""Tell which character a small blob of ink is.

Panel letters are single characters, which engines made for lines of text read badly. A network of
this project's own looks at each candidate blob, scaled to a fixed frame.
"""

from __future__ import annotations

import string

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.network import forward, load_weights, softmax
from imagedataextractor.records import Box

__all__ = ["CLASSES", "FRAME", "frame_of", "read_glyphs"]

#: What a blob can be; the last class is everything else.
CLASSES: tuple[str, ...] = (*string.ascii_lowercase, *string.ascii_uppercase, *string.digits, "(", ")", "")
#: Side of the frame a blob is scaled to, px.
FRAME = 24
#: Paper around the blob inside the frame, px on each side.
MARGIN = 3
WEIGHTS = "glyphs.safetensors"
#: What is taken off the logit of "everything else". The network was trained to doubt; whoever asks knows more, since
#: the letters of a figure must make a sequence. Measured with benchmarks/letters.py (part "tune").
DOUBT = 3.0


def frame_of(grey: npt.NDArray[np.uint8], box: Box, *, bright: bool) -> npt.NDArray[np.float32]:
    """The blob in `box`, centred in a square frame, ink 1 on paper 0.

    Parameters
    ----------
    grey : uint8 array, shape (H, W)
    box : Box
        Tight around the blob.
    bright : bool
        The blob is brighter than what is around it.

    Returns
    -------
    float32 array, shape (FRAME, FRAME)
    """
    side = max(box.width, box.height) * FRAME / (FRAME - 2 * MARGIN)
    x0 = (box.x0 + box.x1) / 2 - side / 2
    y0 = (box.y0 + box.y1) / 2 - side / 2
    step = side / FRAME
    reduced, origin = grey, (0.0, 0.0)
    if step > 1.0:  # average over the area that one frame pixel covers, or thin strokes are missed
        pad = int(side) + 2
        a, b = max(0, box.x0 - pad), max(0, box.y0 - pad)
        reduced = grey[b : box.y1 + pad, a : box.x1 + pad]
        width = max(1, round(step))
        reduced = np.asarray(cv2.blur(reduced, (width, width)), np.uint8)
        origin = (float(a), float(b))
    transform = np.array(
        [[step, 0, x0 - origin[0] + step / 2 - 0.5], [0, step, y0 - origin[1] + step / 2 - 0.5]], np.float32
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    frame = cv2.warpAffine(reduced, transform, (FRAME, FRAME), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    values = frame.astype(np.float32)
    rim = np.sort(np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]]))
    paper = 0.5 * float(rim[rim.size // 2 - 1] + rim[rim.size // 2])
    inner = np.sort(values[MARGIN : FRAME - MARGIN, MARGIN : FRAME - MARGIN], axis=None)
    ink = _quantile(inner, 0.97 if bright else 0.03)
    span = ink - paper
    if (span > 0) != bright or abs(span) < 1.0:
        return np.zeros((FRAME, FRAME), np.float32)
    return np.asarray(np.clip((values - paper) / span, -0.5, 1.5), np.float32)


def _quantile(ordered: npt.NDArray[np.float32], share: float) -> float:
    """Of sorted values, between neighbours by proportion; NumPy's own takes ten times as long for a few hundred."""
    place = share * (ordered.size - 1)
    low = int(place)
    step = float(ordered[min(low + 1, ordered.size - 1)] - ordered[low])
    return float(ordered[low]) + (place - low) * step


def read_glyphs(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Probability of every class for every frame.

    Parameters
    ----------
    frames : float32 array, shape (N, FRAME, FRAME)

    Returns
    -------
    float32 array, shape (N, len(CLASSES))
    """
    logits = forward(load_weights(WEIGHTS), frames[:, None])
    logits[:, -1] -= DOUBT
    return softmax(logits)
