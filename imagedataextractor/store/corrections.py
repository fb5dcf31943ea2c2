"""What people say of pictures, and what becomes of the rows.

A correction is a row of its own, bound to the content of a picture (SHA-256) and a place in it, and never deleted:
who takes it back is noted beside it. The rows of panels, scale bars, segmentations and particles hold what follows
from what the program found and from the corrections that stand, in the order in which they were made, so that every
question, statistic and export obeys them without knowing of them. What the program found stays beside it:
`panels.found_kind`, `particles.found_reason`, `is_latest`. Whenever a run writes a picture again, with whatever
model, and whenever a correction is made or taken back, the picture's rows are made anew from both.

A particle is meant by its outline in pixels of the picture, not by its number, which is another one with another
model.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.measurement.columns import COLUMNS, STORED
from imagedataextractor.records import Box, ParticleTable, Reason, ScaleBar
from imagedataextractor.store.packing import summary_of
from imagedataextractor.store.values import as_json, now, text

if TYPE_CHECKING:
    from imagedataextractor.store.statements import Statements

__all__ = ["CORRECTION_COLUMNS", "Correction", "Corrections", "Kind", "StatedScale", "read_correction", "user_name"]

Points = npt.NDArray[np.float64]

#: Two boxes are the same panel if they have half of their union in common.
SAME_PANEL_IOU = 0.5
CORRECTION_COLUMNS = "id, image_sha256, x0, y0, x1, y1, kind, details, made_by, made_at, why, undone_by, undone_at"
#: Stands for the settings digest in the row of a scale that a person gave.
_DIGEST = "correction"


class Kind(StrEnum):
    """What a person says."""

    REJECT = "reject"
    RESTORE = "restore"
    DRAW = "draw"
    MERGE = "merge"
    SPLIT = "split"
    SCALE = "scale"
    NOT_EM = "not-em"
    EM = "em"
    FORGET = "forget"


def user_name() -> str:
    """Who says so, where nobody is named."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


@dataclass(frozen=True)
class StatedScale:
    """A scale in one of the ways in which people know it.

    Attributes
    ----------
    nm_per_px : float or None
    bar_nm : float or None
        Length of the scale bar, over `bar_px` pixels, or over as many as the program measured.
    bar_px : float or None
    field_width_nm : float or None
        Width of the whole panel.
    confidence : float
        1 for what a person knows; less where they gave a length and the program found the line.
    """

    nm_per_px: float | None = None
    bar_nm: float | None = None
    bar_px: float | None = None
    field_width_nm: float | None = None
    confidence: float = 1.0

    def of(self, panel_width_px: int, measured_bar_px: float | None) -> float | None:
        """Nanometres a pixel; None where the bar's length in pixels is not known."""
        if self.nm_per_px is not None:
            return self.nm_per_px
        if self.field_width_nm is not None:
            return self.field_width_nm / panel_width_px
        bar_px = self.bar_px or measured_bar_px
        return None if self.bar_nm is None or not bar_px else self.bar_nm / bar_px

    def words(self) -> str:
        """As people say it."""
        if self.nm_per_px is not None:
            return f"{self.nm_per_px:g} nm/px"
        if self.field_width_nm is not None:
            return f"field width {self.field_width_nm:g} nm"
        over = "" if self.bar_px is None else f" over {self.bar_px:g} px"
        return f"bar {self.bar_nm:g} nm{over}"


@dataclass(frozen=True)
class Correction:
    """What one person said of one picture.

    Attributes
    ----------
    kind : Kind
    image_sha256 : str
    box : Box or None
        The panel, in pixels of the picture; None for the whole picture.
    outlines : tuple of arrays, shape (n, 2)
        The particles that are meant, in pixels of the picture.
    drawn : tuple of arrays, shape (n, 2)
        What is there instead.
    scale : StatedScale or None
    why, made_by, made_at, undone_by, undone_at : str
    id : int or None
        None before it is written.
    """

    kind: Kind
    image_sha256: str
    box: Box | None = None
    # Hundreds of vertices: nobody reads them at a prompt.
    outlines: tuple[Points, ...] = field(default=(), repr=False)
    drawn: tuple[Points, ...] = field(default=(), repr=False)
    scale: StatedScale | None = None
    why: str = ""
    made_by: str = ""
    made_at: str = field(default_factory=now)
    undone_by: str | None = None
    undone_at: str | None = None
    id: int | None = None

    def details(self) -> dict[str, Any]:
        """What the kind alone does not say, as JSON holds it."""
        said: dict[str, Any] = {}
        if self.outlines:
            said["outlines"] = [outline.tolist() for outline in self.outlines]
        if self.drawn:
            said["drawn"] = [outline.tolist() for outline in self.drawn]
        if self.scale is not None:
            said["scale"] = {name: value for name, value in vars(self.scale).items() if value is not None}
        return said


# ---------------------------------------------------------------- what follows from them


def corrected(
    found: ParticleTable, corrections: Iterable[Correction], origin: tuple[int, int], shape: tuple[int, int]
) -> tuple[ParticleTable, list[int | None]]:
    """Particles after what was said of them.

    Parameters
    ----------
    found : ParticleTable
        As the program found them.
    corrections : iterable of Correction
        In the order in which they were made.
    origin : tuple of int
        Column and row of the panel's upper left pixel in its picture.
    shape : tuple of int
        Height and width of the panel.

    Returns
    -------
    particles : ParticleTable
        All of `found`, then those that were drawn.
    drawn_by : list of (int or None)
        For each particle the id of the correction that drew it.
    """
    from imagedataextractor.measurement.drawn import covered_rows, matching_row, measure_outlines

    particles = found
    drawn_by: list[int | None] = [None] * len(found)
    for correction in corrections:
        meant = [outline - origin for outline in correction.outlines]
        new = [outline - origin for outline in correction.drawn]
        reasons = list(particles["reason"])
        rows = [matching_row(outline, particles) for outline in meant]
        match correction.kind:
            case Kind.REJECT:
                for row in rows:
                    if row is not None:
                        reasons[row] = Reason.CORRECTED
            case Kind.RESTORE:
                # What another model does not find is there all the same.
                new = [outline for outline, row in zip(meant, rows, strict=True) if row is None]
                for row in rows:
                    if row is not None:
                        reasons[row] = None
            case Kind.DRAW | Kind.MERGE | Kind.SPLIT:
                gone = {row for outline in new for row in covered_rows(outline, particles)}
                for row in gone | {row for row in rows if row is not None}:
                    reasons[row] = Reason.REPLACED
        particles = particles.replaced(reason=reasons)
        if new:
            first = int(particles["label"].max(initial=0)) + 1
            measured = measure_outlines(new, shape, first_label=first, nm_per_px=found.nm_per_px)
            if correction.kind is Kind.RESTORE:
                measured = measured.replaced(reason=[None] * len(measured))
            particles = particles.joined(measured)
            drawn_by += [correction.id] * len(new)
    return particles, drawn_by


# ---------------------------------------------------------------- rows


@dataclass(frozen=True)
class _Panel:
    """A panel's row, as far as corrections go."""

    id: int
    box: Box
    found_kind: str
    insets: str
    info_bar_box: str | None
    run_id: str


class Corrections:
    """Writes corrections and what follows from them, within its caller's transaction."""

    def __init__(self, statements: Statements) -> None:
        self._execute, self._upsert = statements.execute, statements.upsert
        self._execute_many = statements.execute_many

    def add(self, correction: Correction) -> int:
        """A new row, and what follows from it; its id."""
        correction_id = self._insert(correction)
        self.apply(correction.image_sha256)
        if correction.kind is Kind.EM:
            self._look_again(correction.image_sha256)
        return correction_id

    def _insert(self, correction: Correction) -> int:
        box = correction.box
        values = (
            correction.image_sha256,
            *((None,) * 4 if box is None else (box.x0, box.y0, box.x1, box.y1)),
            str(correction.kind),
            as_json(correction.details()),
            text(correction.made_by),
            correction.made_at,
            text(correction.why),
        )
        rows = self._execute(
            "INSERT INTO corrections (image_sha256, x0, y0, x1, y1, kind, details, made_by, made_at, why) "
            f"VALUES ({', '.join('?' * len(values))}) RETURNING id",
            values,
        )
        return int(rows[0][0])

    def keep_scale(self, image_sha256: str, box: Box, bar: ScaleBar, run_id: str) -> None:
        """Keep a scale that was given by hand with a run, so that later runs do not lose it; once."""
        if bar.source != "user" or bar.nm_per_px is None:
            return
        said = [
            c for c in self.standing(image_sha256) if c.scale and (c.box is None or box.iou(c.box) >= SAME_PANEL_IOU)
        ]
        if said and said[-1].scale is not None and said[-1].scale.of(box.width, bar.length_px) == bar.nm_per_px:
            return
        scale = StatedScale(nm_per_px=float(bar.nm_per_px), confidence=float(bar.confidence))
        self._insert(
            Correction(Kind.SCALE, image_sha256, box, scale=scale, why=f"given with run {run_id}", made_by=user_name())
        )

    def take_back(self, correction: Correction, by: str) -> None:
        """Note a correction as undone, and make the rows what they are without it."""
        self._execute(
            "UPDATE corrections SET undone_by = ?, undone_at = ? WHERE id = ?", (text(by), now(), correction.id)
        )
        of_picture = (
            "panel_id IN (SELECT n.id FROM panels n JOIN figures f ON f.id = n.figure_id WHERE f.image_sha256 = ?)"
        )
        given = self._execute(
            f"SELECT id FROM scalebars WHERE source = 'user' AND settings_digest <> '{_DIGEST}' AND {of_picture}",
            (correction.image_sha256,),
        )
        if correction.kind is Kind.SCALE and given:
            # Nothing was read in its place: the next run does so.
            self._execute(
                f"UPDATE scalebars SET is_latest = ?, is_current = ? WHERE source = 'user' AND {of_picture}",
                (False, False, correction.image_sha256),
            )
            self._look_again(correction.image_sha256)
        if correction.kind is Kind.EM:
            self._look_again(correction.image_sha256)
        self.apply(correction.image_sha256)

    def _look_again(self, image_sha256: str) -> None:
        """Let the next run do a picture's article again."""
        self._execute(
            "DELETE FROM targets WHERE article_id IN (SELECT article_id FROM figures WHERE image_sha256 = ?)",
            (image_sha256,),
        )

    def standing(self, image_sha256: str) -> list[Correction]:
        """The corrections of a picture that were not taken back, in order."""
        sql = f"SELECT {CORRECTION_COLUMNS} FROM corrections WHERE image_sha256 = ? AND undone_at IS NULL ORDER BY id"
        return [read_correction(row) for row in self._execute(sql, (image_sha256,))]

    def apply(self, image_sha256: str) -> None:
        """Make the rows of all figures of a picture what follows from what was found and what was said."""
        corrections = self.standing(image_sha256)
        for (figure_id,) in self._execute("SELECT id FROM figures WHERE image_sha256 = ?", (image_sha256,)):
            self._apply_to_figure(figure_id, corrections)

    def apply_to_written(self, figure_id: int, image_sha256: str) -> int:
        """The same for a figure that was just written; how many corrections stand."""
        corrections = self.standing(image_sha256)
        if corrections:
            self._apply_to_figure(figure_id, corrections)
        return len(corrections)

    def _apply_to_figure(self, figure_id: int, corrections: Sequence[Correction]) -> None:
        sql = (
            "SELECT id, x0, y0, x1, y1, found_kind, insets, info_bar_box, run_id FROM panels "
            "WHERE figure_id = ? ORDER BY panel_index"
        )
        panels = [_Panel(row[0], Box(*row[1:5]), *row[5:]) for row in self._execute(sql, (figure_id,))]
        for panel in panels:
            self._apply_to_panel(panel, [c for c in corrections if _is_of(c, panel, panels)])

    def _apply_to_panel(self, panel: _Panel, corrections: Sequence[Correction]) -> None:
        said = [c.kind for c in corrections if c.kind in (Kind.EM, Kind.NOT_EM)]
        kind = {Kind.EM: "em", Kind.NOT_EM: "other"}[said[-1]] if said else panel.found_kind
        self._execute("UPDATE panels SET kind = ? WHERE id = ?", (kind, panel.id))
        aside = said[-1:] == [Kind.NOT_EM] or any(c.kind is Kind.FORGET for c in corrections)
        scale = self._set_scale(panel, [c for c in corrections if c.scale is not None], aside)
        rows = self._execute("SELECT id FROM segmentations WHERE panel_id = ? AND is_latest", (panel.id,))
        self._execute("UPDATE segmentations SET is_current = is_latest AND ? WHERE panel_id = ?", (not aside, panel.id))
        for (segmentation_id,) in rows:
            self._set_particles(panel, segmentation_id, scale, corrections)

    def _set_scale(self, panel: _Panel, corrections: Sequence[Correction], aside: bool) -> float | None:
        """The row of the scale that holds; the scale."""
        self._execute("DELETE FROM scalebars WHERE panel_id = ? AND settings_digest = ?", (panel.id, _DIGEST))
        read = self._execute("SELECT nm_per_px, length_px FROM scalebars WHERE panel_id = ? AND is_latest", (panel.id,))
        measured, bar_px = read[0] if read else (None, None)
        stated = corrections[-1].scale.of(panel.box.width, bar_px) if corrections and corrections[-1].scale else None
        self._execute(
            "UPDATE scalebars SET is_current = is_latest AND ? WHERE panel_id = ?",
            (not aside and stated is None, panel.id),
        )
        if stated is None:
            return None if measured is None else float(measured)
        last = corrections[-1]
        assert last.scale is not None
        self._upsert(
            "scalebars",
            ("panel_id", "settings_digest"),
            panel_id=panel.id,
            settings_digest=_DIGEST,
            is_current=not aside,
            is_latest=False,
            nm_per_px=stated,
            confidence=last.scale.confidence,
            text=text(last.scale.words()),
            source="user",
            run_id=panel.run_id,
        )
        return stated

    def _set_particles(
        self, panel: _Panel, segmentation_id: int, scale: float | None, corrections: Sequence[Correction]
    ) -> None:
        from imagedataextractor.measurement.statistics import panel_statistics

        self._execute(
            "DELETE FROM particles WHERE segmentation_id = ? AND correction_id IS NOT NULL", (segmentation_id,)
        )
        names = ["found_reason" if name == "reason" else name for name in STORED]
        rows = self._execute(
            f"SELECT {', '.join(names)} FROM particles WHERE segmentation_id = ? ORDER BY label", (segmentation_id,)
        )
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(STORED)
        found = ParticleTable(dict(zip(STORED, columns, strict=True)), nm_per_px=scale)
        shape = (panel.box.height, panel.box.width)
        particles, drawn_by = corrected(found, corrections, (panel.box.x0, panel.box.y0), shape)
        scaled = ", ".join(
            f"{c.name} = {c.scaled_from}" + f" * {_SCALE_MARK}" * c.power for c in COLUMNS if c.scaled_from is not None
        )
        marks = scaled.count(_SCALE_MARK)
        self._execute(
            f"UPDATE particles SET {scaled.replace(_SCALE_MARK, _AS_DOUBLE)} WHERE segmentation_id = ?",
            (*(scale,) * marks, segmentation_id),
        )
        self._execute_many(
            "UPDATE particles SET accepted = ?, reason = ? WHERE segmentation_id = ? AND label = ?",
            [(p.accepted, p.reason, segmentation_id, p.label) for p in particles[: len(found)]],
        )
        self._insert_drawn(segmentation_id, particles, drawn_by)
        measured = panel.box.without_info_bar(_box(panel.info_bar_box))
        excluded = sum(measured.intersection(Box(*box)).area for box in json.loads(panel.insets))
        summary: Mapping[str, Any] = {
            **summary_of(particles),
            "nm_per_px": scale,
            "statistics": as_json(
                panel_statistics(particles, scale, shape=(measured.height, measured.width), excluded_px=excluded)
            ),
        }
        changes = ", ".join(f"{name} = ?" for name in summary)
        self._execute(f"UPDATE segmentations SET {changes} WHERE id = ?", (*summary.values(), segmentation_id))

    def _insert_drawn(self, segmentation_id: int, particles: ParticleTable, drawn_by: Sequence[int | None]) -> None:
        names = [column.name for column in COLUMNS]
        rows = []
        for row, (particle, correction_id) in enumerate(zip(particles, drawn_by, strict=True)):
            if correction_id is not None:
                blob = particles["contour"][row]
                values = (blob if name == "contour" else getattr(particle, name) for name in names)
                rows.append((segmentation_id, *values, correction_id))
        if rows:
            columns = ("segmentation_id", *names, "correction_id")
            self._execute_many(
                f"INSERT INTO particles ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows
            )


_SCALE_MARK = "SCALE"
#: A bare NULL has no type for PostgreSQL.
_AS_DOUBLE = "CAST(? AS DOUBLE PRECISION)"


def _box(corners: str | None) -> Box | None:
    return Box(*json.loads(corners)) if corners else None


def _is_of(correction: Correction, panel: _Panel, panels: Sequence[_Panel]) -> bool:
    """Whether a correction is of a panel: of the whole picture, or of the panel that its box shows best."""
    if correction.box is None:
        return True
    box = correction.box
    best = max(panels, key=lambda other: box.iou(other.box))
    return best is panel and box.iou(panel.box) >= SAME_PANEL_IOU


def read_correction(row: Sequence[Any]) -> Correction:
    """A correction of its row: id, picture, box, kind, details, who, when, why, undone by whom and when."""
    details = json.loads(row[7])
    scale = details.get("scale")
    return Correction(
        kind=Kind(row[6]),
        image_sha256=row[1],
        box=None if row[2] is None else Box(*row[2:6]),
        outlines=tuple(np.array(outline, float) for outline in details.get("outlines", ())),
        drawn=tuple(np.array(outline, float) for outline in details.get("drawn", ())),
        scale=None if scale is None else StatedScale(**scale),
        made_by=row[8],
        made_at=row[9],
        why=row[10],
        undone_by=row[11],
        undone_at=row[12],
        id=row[0],
    )
