"""What a scale says about the picture, and how likely that is: its width, its magnification, its particles.

Each function answers with log-odds, to be added to those of the reading itself: the logarithm of how
much more often a right scale gives such a picture than a wrong one does (a naive Bayes step). The
numbers of the distributions lie in data/scalebar/model.json, fitted on the labelled images called
"train" by training/scalebar/judge.py. What no micrograph can be is a conflict and has words for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from imagedataextractor.records import Conflict, ScaleBar, Witness

__all__ = [
    "FIELD_NM",
    "PARTICLE_NM",
    "FieldPrior",
    "MagnificationPrior",
    "Printed",
    "contradiction",
    "photo_width_mm",
    "with_particle_sizes",
]

#: Decades by which a wrong scale is off, as a standard deviation: a lost decimal is one, a unit three,
#: another bar a third.
WRONG_DECADES = 1.0
#: Log-odds that each takes and gives, at most: they are independent of the reading only in part, and the
#: labelled images hold few of the lowest and the highest magnifications.
FIELD_ODDS = (-1.5, 0.5)
MAGNIFICATION_ODDS = (-3.0, 2.0)
#: Width of a picture that an electron microscope takes, nm: a few lattice planes … the whole stage.
FIELD_NM = (1.0, 3e7)
#: Size of what is taken for a particle, nm: an atom … a millimetre.
PARTICLE_NM = (0.3, 1e6)
#: Width, mm, of the print (or screen, or film) that a printed magnification speaks of: a stamp … a wall.
PHOTO_MM = (5.0, 2000.0)


@dataclass(frozen=True)
class FieldPrior:
    """The width of a micrograph's field: its decimal logarithm (nm) is normal with `mean` and `spread`."""

    mean: float
    spread: float

    def log_odds(self, field_nm: float) -> float:
        """For a scale that makes the picture `field_nm` wide."""
        wide = self.spread**2 + WRONG_DECADES**2
        away = (math.log10(field_nm) - self.mean) ** 2
        odds = 0.5 * math.log(wide / self.spread**2) - 0.5 * away * (1 / self.spread**2 - 1 / wide)
        return min(max(odds, FIELD_ODDS[0]), FIELD_ODDS[1])


@dataclass(frozen=True)
class MagnificationPrior:
    """The width of the photograph that printed magnifications speak of.

    Instruments refer their magnification to a print, mostly of 127 x 95 mm, whatever the size at which
    the picture is shown. So magnification x field width is near `width_mm` for a `share` of whole
    frames (normal in its natural logarithm, with `spread`), and anywhere else in `PHOTO_MM` for the
    others: screens, films, and pictures of which a part was cut out.
    """

    width_mm: float
    spread: float
    share: float

    def log_odds(self, width_mm: float) -> float:
        """For a scale by which the photograph is `width_mm` wide."""
        if not PHOTO_MM[0] <= width_mm <= PHOTO_MM[1]:
            return MAGNIFICATION_ODDS[0]
        everywhere = 1.0 / math.log(PHOTO_MM[1] / PHOTO_MM[0])
        z = math.log(width_mm / self.width_mm) / self.spread
        peak = math.exp(-0.5 * z * z) / (self.spread * math.sqrt(2 * math.pi))
        # A wrong scale may fall anywhere, within those bounds or out of them.
        wrong = 0.5 * everywhere
        odds = math.log((self.share * peak + (1 - self.share) * everywhere) / wrong)
        return min(max(odds, MAGNIFICATION_ODDS[0]), MAGNIFICATION_ODDS[1])


#: A scale goes with a printed field width within this share, and contradicts it from the second on: a bar is
#: measured to a pixel or two, and a picture that is cut a little at its sides is narrower than what it prints.
FIELD_WIDTH_SAME, FIELD_WIDTH_DIFFERS = 0.04, 0.12
#: Log-odds that a printed field width takes and gives. Few of the labelled pictures print one, so they are
#: set, not measured: one digit more is read in it than in a magnification, and cuts are as frequent.
FIELD_WIDTH_ODDS = (-3.0, 2.5)
#: Log-odds from which a printed magnification counts as a witness.
MAGNIFICATION_WITNESS = 0.5


@dataclass(frozen=True)
class Printed:
    """What a picture `width_px` wide prints of itself, where it does."""

    width_px: int
    magnification: float | None = None
    field_width_nm: float | None = None

    def log_odds(self, nm_per_px: float, magnifications: MagnificationPrior) -> float:
        """What it says for a scale."""
        return self._of_magnification(nm_per_px, magnifications) + self._of_field_width(nm_per_px)

    def witnesses(self, nm_per_px: float, magnifications: MagnificationPrior) -> tuple[Witness, ...]:
        """What of it agrees with a scale."""
        agrees = {
            Witness.MAGNIFICATION: self._of_magnification(nm_per_px, magnifications) >= MAGNIFICATION_WITNESS,
            Witness.FIELD_WIDTH: self._of_field_width(nm_per_px) > 0,
        }
        return tuple(witness for witness, is_so in agrees.items() if is_so)

    def _of_magnification(self, nm_per_px: float, prior: MagnificationPrior) -> float:
        if self.magnification is None:
            return 0.0
        return prior.log_odds(photo_width_mm(self.magnification, nm_per_px, self.width_px))

    def _of_field_width(self, nm_per_px: float) -> float:
        if self.field_width_nm is None:
            return 0.0
        ratio = nm_per_px * self.width_px / self.field_width_nm
        if 1 / (1 + FIELD_WIDTH_SAME) <= ratio <= 1 + FIELD_WIDTH_SAME:
            return FIELD_WIDTH_ODDS[1]
        return FIELD_WIDTH_ODDS[0] if max(ratio, 1 / ratio) >= 1 + FIELD_WIDTH_DIFFERS else 0.0


def photo_width_mm(magnification: float, nm_per_px: float, width_px: float) -> float:
    """The width, mm, of a photograph of the picture at its printed magnification."""
    return magnification * nm_per_px * width_px * 1e-6


def contradiction(
    nm_per_px: float, width_px: float, magnification: float | None, field_width_nm: float | None = None
) -> str | None:
    """Why a scale cannot be that of an electron micrograph, or None where it can.

    Parameters
    ----------
    nm_per_px : float
    width_px : float
        Width of the picture.
    magnification, field_width_nm : float or None
        As printed in it. A picture narrower than the field that it prints may have been cut; a wider one cannot be.
    """
    field = nm_per_px * width_px
    if not FIELD_NM[0] <= field <= FIELD_NM[1]:
        return f"conflict: by the scale bar the picture is {_length(field)} wide"
    if field_width_nm is not None and field > (1 + FIELD_WIDTH_DIFFERS) * field_width_nm:
        return (
            f"conflict: by the scale bar the picture is {_length(field)} wide, "
            f"but it prints a field width of {_length(field_width_nm)}"
        )
    if magnification is None:
        return None
    width = photo_width_mm(magnification, nm_per_px, width_px)
    if PHOTO_MM[0] <= width <= PHOTO_MM[1]:
        return None
    return (
        f"conflict: by the scale bar the picture is {_length(field)} wide, "
        f"which does not go with the printed magnification x{magnification:,.0f}"
    )


def with_particle_sizes(bar: ScaleBar, diameters_px: Sequence[float]) -> ScaleBar:
    """The scale, unless the particles would then be smaller than an atom or larger than a millimetre.

    Parameters
    ----------
    bar : ScaleBar
        A scale given by hand is never taken away, unless it rests on a bar that was found in the picture.
    diameters_px : sequence of float
        Of the particles found in the panel, px.

    Returns
    -------
    ScaleBar
        ``nm_per_px`` None and the conflict as ``reason`` where half of them or more are such.
    """
    by_hand = bar.source == "user" and (not bar.length_px or bar.confidence >= 1)
    if bar.nm_per_px is None or by_hand or not len(diameters_px):
        return bar
    middle = float(np.median(diameters_px)) * bar.nm_per_px
    if PARTICLE_NM[0] <= middle <= PARTICLE_NM[1]:
        return bar
    by = "file's tags" if bar.source == "file" else "scale bar"
    reason = f"conflict: by the {by} the median particle measures {_length(middle)}"
    return replace(bar, nm_per_px=None, reason=reason, conflict=Conflict.PARTICLES)


def _length(nm: float) -> str:
    for unit, size in (("m", 1e9), ("mm", 1e6), ("µm", 1e3), ("nm", 1.0)):
        if nm >= size:
            return f"{nm / size:.3g} {unit}"
    return f"{nm:.2g} nm"
