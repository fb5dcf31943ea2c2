"""Two networks for one picture: the second is asked where the first sees little of what there is.

A network that learnt metal particles on a support sees them on clouds of silica or carbon, where one
that learnt from particles alone sees next to nothing; elsewhere it is the worse of the two. So the first
one's answer stands, unless the second finds far more, is sure of it, and finds many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imagedataextractor.records import Mode, Segmentation
from imagedataextractor.segmentation.pyramid import Pyramid

__all__ = ["WithCompanion", "sees_more"]

#: The second network finds at least so many particles, expects so many times as many to be real as the first
#: does, and gives them this P(real) on average. Chosen on the 77 validation images of EMPS (none of which may
#: change) and six of supported metals, which neither network has seen; any ratio from 1.3 to 2 does the same.
LEAST_PARTICLES, TIMES_AS_MANY, LEAST_MEAN_SCORE = 20, 2.0, 0.6


@dataclass(frozen=True, eq=False)
class WithCompanion:
    """The rules of a network, and those of its companion.

    A glance of the companion, one pass without dropout, tells whether it is wanted: about half the
    time of a segmentation.
    """

    first: Pyramid
    companion: Pyramid

    def segment(
        self,
        image: npt.NDArray[np.uint8],
        *,
        mode: Mode = "filtered",
        samples: int = 8,
        threshold: float = 0.0125,
        seed: int = 0,
        exclude: npt.NDArray[np.bool_] | None = None,
        supported: bool | None = None,
    ) -> Segmentation:
        """Segment one micrograph, whatever its size; see `Segmenter.segment`."""

        def by(rules: Pyramid, how: Mode) -> Segmentation:
            return rules.segment(
                image,
                mode=how,
                samples=samples,
                threshold=threshold,
                seed=seed,
                exclude=exclude,
                supported=supported,
            )

        found = by(self.first, mode)
        if not sees_more(by(self.companion, "discriminative"), found):
            return found
        return by(self.companion, mode)


def sees_more(glance: Segmentation, found: Segmentation) -> bool:
    """Whether a companion's particles are so many more, and so sure, that its answer is to be taken."""
    theirs, ours = _accepted_scores(glance), _accepted_scores(found)
    return bool(
        len(theirs) >= LEAST_PARTICLES
        and theirs.mean() >= LEAST_MEAN_SCORE
        and theirs.sum() >= TIMES_AS_MANY * ours.sum()
    )


def _accepted_scores(found: Segmentation) -> npt.NDArray[np.float64]:
    """P(real) of the particles that are accepted; none where P(real) is not known."""
    if found.score is None:
        return np.empty(0)
    return found.score[~found.rejected]
