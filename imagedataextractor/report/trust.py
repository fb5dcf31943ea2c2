"""How far the numbers of a panel can be trusted without looking, and why not further."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PanelFacts", "Trust", "trust_of"]

#: Accepted particles below which a mean is an anecdote, and from which its standard error is a fifth of the spread.
FEW, ENOUGH = 5, 30
#: Share of the particles inside the panel that the filter rejected.
MANY_REJECTED = 0.3
#: Chance that the scale is right, below which it must not, and below which it should not be used unseen.
BAD_SCALE, DOUBTFUL_SCALE = 0.5, 0.9
#: Stated and measured size apart, as a share of the stated one: what the query stated-and-measured calls a conflict,
#: and what is another kind of particle, or another scale.
APART, FAR_APART = 0.25, 0.5


@dataclass(frozen=True)
class PanelFacts:
    """What a grade is made of."""

    n_particles: int
    n_accepted: int
    n_border: int
    n_uncertain: int
    nm_per_px: float | None
    scale_confidence: float | None = None
    scale_doubt: str | None = None
    stated_size_nm: float | None = None
    ecd_mean_nm: float | None = None


@dataclass(frozen=True)
class Trust:
    """A: nothing speaks against the numbers. B: something does. C: look before use."""

    grade: str
    reasons: tuple[str, ...]


def trust_of(facts: PanelFacts) -> Trust:
    """The grade of a panel: C if any reason is grave, B if there is any, else A."""
    grave: list[str] = []
    slight: list[str] = []
    if facts.n_accepted < ENOUGH:
        (grave if facts.n_accepted < FEW else slight).append(f"few particles ({facts.n_accepted})")
    inside = facts.n_particles - facts.n_border
    if inside > 0 and facts.n_uncertain > MANY_REJECTED * inside:
        slight.append(f"many rejected ({facts.n_uncertain} of {inside})")
    if facts.nm_per_px is None:
        grave.append("no scale")
    elif facts.scale_confidence is not None and facts.scale_confidence < DOUBTFUL_SCALE:
        low = facts.scale_confidence < BAD_SCALE
        (grave if low else slight).append(f"scale unsure ({facts.scale_confidence:.2f})")
    if facts.nm_per_px is not None and facts.scale_doubt:
        slight.append(f"scale in doubt: {facts.scale_doubt}")
    if facts.stated_size_nm and facts.ecd_mean_nm is not None:
        apart = abs(facts.ecd_mean_nm - facts.stated_size_nm) / facts.stated_size_nm
        if apart > APART:
            words = f"stated {facts.stated_size_nm:.3g} nm, measured {facts.ecd_mean_nm:.3g} nm"
            (grave if apart > FAR_APART else slight).append(words)
    return Trust("C" if grave else "B" if slight else "A", (*grave, *slight))
