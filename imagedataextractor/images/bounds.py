"""How large a picture may be, and in what portions it is converted."""

from __future__ import annotations

from pathlib import Path

from imagedataextractor.errors import InputError

__all__ = ["MAX_PIXELS", "STRIP_PIXELS", "require_size"]

#: Largest picture that is opened, in pixels: 20,000 x 20,000. Above it the float arrays of the
#: later stages would not fit the memory of an ordinary machine.
MAX_PIXELS = 400_000_000
#: Pixels that are converted together: some 30 MB of 8-bit colour, 80 MB of floats.
STRIP_PIXELS = 10_000_000


def require_size(path: Path, width: int, height: int) -> None:
    """See that a picture has pixels, and not too many.

    Raises
    ------
    InputError
    """
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: {width} x {height} pixels is more than the limit of {MAX_PIXELS:,}; crop it or scale it down"
        )
    if width < 1 or height < 1:
        raise InputError(f"{path}: the image has no pixels")
