"""The panels that a person may look at, those that need it most first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagedataextractor.records import Box
from imagedataextractor.report.trust import PanelFacts, Trust, trust_of
from imagedataextractor.store import Correction, Store
from imagedataextractor.store.corrections import SAME_PANEL_IOU

__all__ = ["QueuedPanel", "corrections_of", "read_queue"]

_QUEUE = """
SELECT n.id, a.key, f.label, n.label, n.panel_index, f.image_sha256, n.x0, n.y0, n.x1, n.y1, s.is_current,
       s.n_particles, s.n_accepted, s.n_border, s.n_uncertain, s.nm_per_px, b.confidence, b.reason,
       n.stated_size_nm, s.ecd_mean_nm
FROM segmentations s
JOIN panels n ON n.id = s.panel_id
JOIN figures f ON f.id = n.figure_id
JOIN articles a ON a.id = f.article_id
LEFT JOIN scalebars b ON b.panel_id = n.id AND b.is_current
WHERE s.is_latest AND f.image_sha256 IS NOT NULL
ORDER BY n.id
"""


@dataclass(frozen=True)
class QueuedPanel:
    """A segmented panel, with its grade and what people said of it."""

    id: int
    article: str
    figure: str
    panel: str | None
    panel_index: int
    image_sha256: str
    box: Box
    is_current: bool
    facts: PanelFacts
    trust: Trust
    corrections: tuple[Correction, ...]

    @property
    def name(self) -> str:
        """Figure and panel, as people call it."""
        if self.panel:
            return f"{self.figure}{self.panel}"
        return self.figure if self.panel_index == 0 else f"{self.figure} [{self.panel_index + 1}]"

    @property
    def reviewed(self) -> bool:
        """Whether a person said anything of this very panel that stands."""
        return any(c.box is not None for c in self.corrections)


def read_queue(store: Store) -> list[QueuedPanel]:
    """All segmented panels: grade C before B before A, those with more reasons first."""
    standing = [c for c in store.corrections() if c.undone_at is None]
    by_picture: dict[str, list[Correction]] = {}
    for correction in standing:
        by_picture.setdefault(correction.image_sha256, []).append(correction)
    found = []
    for row in store.query(_QUEUE)[1]:
        panel_id, article, figure, panel, panel_index, sha256 = row[:6]
        box = Box(*row[6:10])
        facts = PanelFacts(*row[11:20])
        said = corrections_of(by_picture.get(sha256, []), box)
        found.append(
            QueuedPanel(
                panel_id, article, figure, panel, panel_index, sha256, box, bool(row[10]), facts, trust_of(facts), said
            )
        )
    return sorted(found, key=lambda panel: ("CBA".index(panel.trust.grade), -len(panel.trust.reasons), panel.id))


def corrections_of(corrections: Sequence[Correction], box: Box) -> tuple[Correction, ...]:
    """Those that are of one panel, or of its whole picture."""
    return tuple(c for c in corrections if c.box is None or c.box.iou(box) >= SAME_PANEL_IOU)
