"""What a report shows, read from the database into plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagedataextractor.records import Box, ParticleTable
from imagedataextractor.report.trust import PanelFacts, Trust, trust_of
from imagedataextractor.store import Store, expected_values, read_particles

if TYPE_CHECKING:
    from imagedataextractor.summaries import Group

__all__ = ["ReportFailure", "ReportPanel", "ReportRows", "ReportRun", "read_panel", "read_rows"]


@dataclass(frozen=True)
class ReportPanel:
    """One measured panel with the article and figure it belongs to.

    ``measured`` is the part of the panel beside its data bar, in panel coordinates, ``excluded_px`` the
    pixels of insets in it. ``statistics`` is what `measurement.panel_statistics` said when it was measured,
    ``magnification`` the printed one, ``picture_px`` the width of the whole picture.
    """

    segmentation_id: int
    doi: str | None
    article: str
    title: str
    licence: str | None
    figure: str
    caption: str
    panel: str | None
    panel_index: int
    subcaption: str
    technique: str | None
    material: str | None
    source: str
    image_path: str | None
    image_sha256: str | None
    page: int | None
    pages: int | None
    box: Box
    nm_per_px: float | None
    scale_text: str | None
    scale_source: str | None
    scale_confidence: float | None
    scale_reason: str | None
    bar_ends: tuple[float, float, float] | None
    model: str
    mode: str
    samples: int
    seed: int
    run_id: str
    measured: Box
    excluded_px: int
    trust: Trust
    statistics: Mapping[str, Any]
    file_nm_per_px: float | None
    magnification: float | None
    picture_px: int | None
    particles: ParticleTable

    @property
    def name(self) -> str:
        """As an author would call it: "Figure 2b"; panels without a letter by their number."""
        if self.panel:
            return f"{self.figure}{' ' if self.source == 'image' else ''}{self.panel}"
        return self.figure if self.panel_index == 0 else f"{self.figure} [{self.panel_index + 1}]"


@dataclass(frozen=True)
class ReportFailure:
    """One thing that could not be done."""

    stage: str
    target: str
    error_class: str
    message: str
    attempt: int
    last_seen_at: str
    resolved_at: str | None


@dataclass(frozen=True)
class ReportRun:
    """One invocation."""

    id: str
    started_at: str
    finished_at: str | None
    state: str
    command: str
    settings: dict[str, Any]
    versions: dict[str, str]
    weights_sha256: str
    models: dict[str, str]
    seed: int


@dataclass(frozen=True)
class ReportRows:
    """Everything a report shows. The counts are of the whole database (or of what was named), the panels as many
    as were asked for. ``pooled`` has the sizes by "sample" and by "material".
    """

    database: str
    articles: int
    pictures: int
    figures: int
    em_panels: int
    scaled_panels: int
    measured_panels: int
    particles: int
    accepted: int
    panels: tuple[ReportPanel, ...]
    failures: tuple[ReportFailure, ...]
    runs: tuple[ReportRun, ...]
    pooled: Mapping[str, Sequence[Group]] = field(default_factory=dict)


_JOINED = """
FROM articles a
LEFT JOIN figures f ON f.article_id = a.id
LEFT JOIN panels n ON n.figure_id = f.id
LEFT JOIN scalebars b ON b.panel_id = n.id AND b.is_current
LEFT JOIN segmentations s ON s.panel_id = n.id AND s.is_current
"""

_COUNTS = (
    """
SELECT count(DISTINCT CASE WHEN a.source <> 'image' THEN a.id END),
       count(DISTINCT CASE WHEN a.source = 'image' THEN a.id END), count(DISTINCT f.id),
       count(DISTINCT CASE WHEN n.kind = 'em' THEN n.id END),
       count(DISTINCT CASE WHEN b.nm_per_px IS NOT NULL THEN n.id END),
       count(DISTINCT s.id), coalesce(sum(s.n_particles), 0), coalesce(sum(s.n_accepted), 0)
"""
    + _JOINED
)

_PANELS = (
    """
SELECT s.id, a.doi, a.key, a.title, coalesce(f.licence, a.licence), f.label, f.caption, n.label, n.panel_index,
       n.subcaption, n.technique, f.image_path, f.image_sha256, n.x0, n.y0, n.x1, n.y1, s.nm_per_px, b.text, b.source,
       b.confidence, b.reason, b.x0, b.x1, b.y, s.model, s.mode, s.samples, s.seed, s.run_id,
       n.insets, n.info_bar_box,
       s.n_particles, s.n_accepted, s.n_border, s.n_uncertain, n.stated_size_nm, s.ecd_mean_nm,
       n.material, a.source, f.page, f.pages, s.statistics, f.file_nm_per_px, b.magnification, f.width_px
"""
    + _JOINED
)


def read_rows(
    store: Store, *, names: Sequence[str | Path] = (), pooled: bool = False, max_panels: int | None = None
) -> ReportRows:
    """Read what a report shows.

    Parameters
    ----------
    store : Store
        Opened read-only.
    names : sequence of str or path
        Only these pictures, folders and DOIs; by default all.
    pooled : bool
        The sizes by sample and by material, too.
    max_panels : int, optional
        At most so many panels with their particles, in the order of articles and figures.

    Raises
    ------
    InputError
        The database has nothing of a name.
    """
    from imagedataextractor.pictures import figures_named

    chosen = sorted({figure.figure_id for name in names for figure in figures_named(store, name)})
    only = f"WHERE f.id IN ({', '.join(map(str, chosen))})" if chosen else ""
    ((articles, pictures, figures, em, scaled, measured, particles, accepted),) = store.query(f"{_COUNTS} {only}")[1]
    measured_only = f"{only} {'AND' if only else 'WHERE'} s.id IS NOT NULL"
    limit = "" if max_panels is None else f"LIMIT {int(max_panels)}"
    _, rows = store.query(f"{_PANELS} {measured_only} ORDER BY a.id, f.id, n.panel_index {limit}")
    with expected_values(store):
        return ReportRows(
            database=store.name,
            articles=articles,
            pictures=pictures,
            figures=figures,
            em_panels=em,
            scaled_panels=scaled,
            measured_panels=measured,
            particles=int(particles),
            accepted=int(accepted),
            panels=tuple(_panel(row, read_particles(store, row[0], row[17])) for row in rows),
            failures=_failures(store),
            runs=_runs(store),
            pooled=_pooled(store, names) if pooled and measured else {},
        )


def read_panel(store: Store, panel_id: int, segmentation_id: int | None = None) -> ReportPanel | None:
    """One panel that was segmented, by its row's id; None where there is none.

    Parameters
    ----------
    store : Store
    panel_id : int
    segmentation_id : int, optional
        By default the segmentation that holds, or, where the panel was put aside, the last one.
    """
    latest = "SELECT id FROM segmentations WHERE panel_id = :panel ORDER BY is_current DESC, is_latest DESC, id DESC"
    chosen = f"({latest} LIMIT 1)" if segmentation_id is None else ":segmentation"
    joined = _JOINED.replace("s.is_current", f"s.id = {chosen}")
    given = {"panel": panel_id} | ({} if segmentation_id is None else {"segmentation": segmentation_id})
    _, rows = store.query(
        _PANELS.replace(_JOINED, joined) + " WHERE n.id = :panel AND s.id IS NOT NULL ORDER BY b.id LIMIT 1", given
    )
    with expected_values(store):
        return _panel(rows[0], read_particles(store, rows[0][0], rows[0][17])) if rows else None


def _pooled(store: Store, names: Sequence[str | Path]) -> dict[str, list[Group]]:
    from imagedataextractor.summaries import groups_of

    found = {name: groups_of(store, names, group_by=name) for name in ("sample", "material")}
    kept = {name: [group for group in groups if len(group.values)] for name, groups in found.items()}
    if not any(group.name != "(none)" for group in kept["material"]):
        del kept["material"]  # nobody says what anything is made of
    return kept


def _panel(row: Sequence[Any], particles: ParticleTable) -> ReportPanel:
    bar_x0, bar_x1, bar_y = row[22:25]
    box = Box(*row[13:17])
    measured = box.without_info_bar(Box(*json.loads(row[31])) if row[31] else None)
    return ReportPanel(
        segmentation_id=row[0],
        doi=row[1],
        article=row[2],
        title=row[3],
        licence=row[4],
        figure=row[5],
        caption=row[6],
        panel=row[7],
        panel_index=int(row[8]),
        subcaption=row[9],
        technique=row[10],
        material=row[38],
        source=row[39],
        image_path=row[11],
        image_sha256=row[12],
        page=row[40],
        pages=row[41],
        box=box,
        nm_per_px=row[17],
        scale_text=row[18],
        scale_source=row[19],
        scale_confidence=row[20],
        scale_reason=row[21],
        bar_ends=None if None in (bar_x0, bar_x1, bar_y) else (bar_x0, bar_x1, bar_y),
        model=row[25],
        mode=row[26],
        samples=row[27],
        seed=row[28],
        run_id=row[29],
        measured=measured,
        excluded_px=_inset_pixels(row[30], measured),
        trust=trust_of(PanelFacts(row[32], row[33], row[34], row[35], row[17], row[20], row[21], row[36], row[37])),
        statistics=json.loads(row[42]),
        file_nm_per_px=row[43],
        magnification=row[44],
        picture_px=row[45],
        particles=particles,
    )


def _inset_pixels(insets: str | None, within: Box) -> int:
    return sum(within.intersection(Box(*corners)).area for corners in json.loads(insets or "[]"))


def _failures(store: Store) -> tuple[ReportFailure, ...]:
    _, rows = store.query(
        "SELECT stage, target, error_class, message, attempt, last_seen_at, resolved_at FROM failures "
        "ORDER BY resolved_at IS NOT NULL, target, stage"
    )
    return tuple(ReportFailure(*row) for row in rows)


def _runs(store: Store) -> tuple[ReportRun, ...]:
    _, rows = store.query(
        "SELECT id, started_at, finished_at, state, command, settings, versions, weights_sha256, models, seed "
        "FROM runs ORDER BY started_at"
    )
    as_json = {"settings", "versions", "models"}
    names = [column.name for column in fields(ReportRun)]
    return tuple(
        ReportRun(**{name: json.loads(v) if name in as_json else v for name, v in zip(names, row, strict=True)})
        for row in rows
    )
