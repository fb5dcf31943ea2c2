"""Correct what was found: what a user names becomes corrections of the store.

A picture is named by its file, its path in the database, its SHA-256, or a DOI and a figure's label; a panel by its
letter or its number from 1; particles by their numbers in the panel as it is now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imagedataextractor.articles.dois import plain_dois
from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.images import sha256_of
from imagedataextractor.quantities import NM_PER_UNIT, parse_length
from imagedataextractor.records import Box, ParticleTable
from imagedataextractor.store import Correction, CorrectionKind, StatedScale, Store, read_particles
from imagedataextractor.store.corrections import user_name

__all__ = ["Said", "correct", "correct_panel", "stated_scale", "undo"]

Points = npt.NDArray[np.float64]
Outline = Sequence[Sequence[float]]

#: Hexadecimal digits by which a picture may be named at least.
_SHORTEST_SHA256 = 8
#: Points of a line that cuts, and particles from which there is something to merge.
_ENDS_OF_LINE, _LEAST_TO_MERGE = 2, 2


@dataclass(frozen=True)
class Said:
    """What is to be corrected in one panel or picture.

    Attributes
    ----------
    reject, restore : sequences of int
        Numbers of particles that shall not count, and that shall.
    merge : sequence of int
        Numbers of particles that are one.
    split : int or None
        Number of a particle that is two, along the line through the two points `along`, (x, y) in pixels of the panel.
    draw : sequence of outlines
        Particles that are missing, (x, y) vertices in pixels of the panel.
    scale : StatedScale or None
    is_em : bool or None
        Whether it is an electron micrograph of particles.
    forget : bool
        Leave the whole picture out of everything.
    """

    reject: Sequence[int] = ()
    restore: Sequence[int] = ()
    merge: Sequence[int] = ()
    split: int | None = None
    along: Outline = ()
    draw: Sequence[Outline] = ()
    scale: StatedScale | None = None
    is_em: bool | None = None
    forget: bool = False

    @property
    def needs_particles(self) -> bool:
        return bool(self.reject or self.restore or self.merge or self.split is not None or self.draw)


def correct(
    store: Store,
    picture: str | Path,
    said: Said,
    *,
    figure: str | None = None,
    panel: str | None = None,
    why: str = "",
    by: str | None = None,
) -> list[Correction]:
    """Correct one picture, or one panel of it; everything that is asked of the database obeys from then on.

    Parameters
    ----------
    store : Store
    picture : str or path
        A file, a path as the database has it, a SHA-256 or its beginning, or a DOI.
    said : Said
    figure : str, optional
        Label of the figure, where `picture` is a DOI.
    panel : str, optional
        Its letter, or its number from 1. Without it a scale, `is_em` and `forget` hold for the whole picture, and
        particles are those of the only measured panel.
    why : str
    by : str, optional
        Who says so; by default the user's name.

    Returns
    -------
    list of Correction
        As they were written, with their ids.

    Raises
    ------
    InputError
        There is no such picture, panel or particle in the database, or several.
    UsageError
        Nothing is said, or what is said makes no sense.
    """
    return _keep(store, _place(store, picture, figure, panel, said.needs_particles), said, why, by)


def correct_panel(store: Store, panel_id: int, said: Said, *, why: str = "", by: str | None = None) -> list[Correction]:
    """The same for one panel that is named by its row in the database.

    Raises
    ------
    InputError, UsageError
        As `correct`.
    """
    _, rows = store.query(
        "SELECT f.image_sha256, n.x0, n.y0, n.x1, n.y1, s.id, s.nm_per_px, b.length_px "
        "FROM panels n JOIN figures f ON f.id = n.figure_id "
        "LEFT JOIN segmentations s ON s.panel_id = n.id AND s.is_latest "
        "LEFT JOIN scalebars b ON b.panel_id = n.id AND b.is_latest "
        "WHERE n.id = :id AND f.image_sha256 IS NOT NULL",
        {"id": panel_id},
    )
    if not rows:
        raise InputError(f"there is no panel {panel_id} with a picture")
    sha256, *corners, segmentation_id, nm_per_px, bar_px = rows[0]
    if segmentation_id is None and said.needs_particles:
        raise InputError(f"no particles were measured in panel {panel_id}")
    particles = ParticleTable({}) if segmentation_id is None else read_particles(store, segmentation_id, nm_per_px)
    return _keep(store, _Place(sha256, Box(*corners), particles, bar_px), said, why, by)


def _keep(store: Store, place: _Place, said: Said, why: str, by: str | None) -> list[Correction]:
    made = [
        Correction(kind, place.image_sha256, place.box, why=why, made_by=by or user_name(), **content)  # type: ignore[arg-type]
        for kind, content in _contents(said, place)
    ]
    if not made:
        raise UsageError("correct: nothing is said; see `ide correct --help`")
    with store.transaction():
        return [store.correct(correction) for correction in made]


def undo(store: Store, correction_id: int, *, by: str | None = None) -> Correction:
    """Take a correction back; its row stays, with who did so and when.

    Raises
    ------
    InputError
        There is no such correction, or it was taken back before.
    """
    return store.take_back(correction_id, by or user_name())


def stated_scale(
    nm_per_px: float | None = None,
    scalebar: str | None = None,
    bar_px: float | None = None,
    field_width: str | None = None,
) -> StatedScale | None:
    """A scale in the words of the command line; None where nothing is said.

    Parameters
    ----------
    nm_per_px : float, optional
    scalebar : str, optional
        Length of the scale bar, as "200 nm", over `bar_px` pixels or as many as were measured.
    bar_px : float, optional
    field_width : str, optional
        Width of the whole panel, as "1.8 um".

    Raises
    ------
    UsageError
        Several of them are given, or what is given is no length.
    """
    if sum(value is not None for value in (nm_per_px, scalebar, field_width)) > 1:
        raise UsageError("correct: nm-per-px, scalebar and field-width all give the scale; use one of them")
    if bar_px is not None and scalebar is None:
        raise UsageError("correct: bar-px goes with scalebar")
    if nm_per_px is None and scalebar is None and field_width is None:
        return None
    return StatedScale(nm_per_px, _in_nm("scalebar", scalebar), bar_px, _in_nm("field-width", field_width))


def _in_nm(option: str, given: str | None) -> float | None:
    if given is None:
        return None
    length = parse_length(given)
    if length is None:
        raise UsageError(f"correct: {option} takes a length as '200 nm' (pm, nm, um, µm, mm, Å), not {given!r}")
    return length[0] * NM_PER_UNIT[length[1]]


# ---------------------------------------------------------------- what is meant


@dataclass(frozen=True)
class _Place:
    """A picture or a panel of it, with its particles where they are asked for."""

    image_sha256: str
    box: Box | None
    particles: ParticleTable = field(default_factory=lambda: ParticleTable({}))
    bar_px: float | None = None

    @property
    def shape(self) -> tuple[int, int]:
        assert self.box is not None
        return self.box.height, self.box.width

    def in_picture(self, outline: Outline | Points) -> Points:
        """An outline of the panel in pixels of the picture."""
        assert self.box is not None
        points: Points = np.add(np.asarray(outline, float).reshape(-1, 2), (self.box.x0, self.box.y0))
        return points

    def outline(self, number: int) -> Points:
        """The outline of a particle, in pixels of the panel."""
        rows = np.flatnonzero(self.particles["label"] == number)
        if not len(rows):
            known = self.particles["label"]
            span = f"numbers {known.min()} to {known.max()}" if len(known) else "no particles"
            raise InputError(f"correct: there is no particle {number} in this panel; it has {span}")
        return self.particles.outline(int(rows[0]))


def _contents(said: Said, place: _Place) -> list[tuple[CorrectionKind, dict[str, object]]]:
    """Kinds and contents of the corrections, checked."""
    from imagedataextractor.measurement.drawn import cut_outline, measure_outlines, united_outline

    found: list[tuple[CorrectionKind, dict[str, object]]] = []

    def note(kind: CorrectionKind, meant: Sequence[Points] = (), drawn: Sequence[Points] = ()) -> None:
        if drawn:
            measure_outlines(drawn, place.shape)  # what cannot be measured is refused now
        outlines = {"outlines": tuple(map(place.in_picture, meant)), "drawn": tuple(map(place.in_picture, drawn))}
        found.append((kind, dict(outlines)))

    if said.reject:
        note(CorrectionKind.REJECT, [place.outline(number) for number in said.reject])
    if said.restore:
        note(CorrectionKind.RESTORE, [place.outline(number) for number in said.restore])
    if said.merge:
        if len(set(said.merge)) < _LEAST_TO_MERGE:
            raise UsageError("correct: a merge takes the numbers of two particles or more")
        meant = [place.outline(number) for number in said.merge]
        note(CorrectionKind.MERGE, meant, [united_outline(meant, place.shape)])
    if said.split is not None:
        if len(said.along) != _ENDS_OF_LINE or said.along[0] == said.along[1]:
            raise UsageError("correct: a split takes the line to cut along, as two points: --along 'x,y x,y'")
        whole = place.outline(said.split)
        note(CorrectionKind.SPLIT, [whole], cut_outline(whole, said.along[0], said.along[1], place.shape))
    for outline in said.draw:
        note(CorrectionKind.DRAW, (), [np.asarray(outline, float).reshape(-1, 2)])
    if said.scale is not None:
        _check_scale(said.scale, place)
        found.append((CorrectionKind.SCALE, {"scale": said.scale}))
    if said.is_em is not None:
        found.append((CorrectionKind.EM if said.is_em else CorrectionKind.NOT_EM, {}))
    if said.forget:
        found.append((CorrectionKind.FORGET, {}))
    return found


def _check_scale(scale: StatedScale, place: _Place) -> None:
    numbers = [value for name, value in vars(scale).items() if value is not None and name != "confidence"]
    if not numbers or not all(np.isfinite(value) and value > 0 for value in numbers):
        raise UsageError("correct: a scale is a positive number")
    if scale.bar_nm is not None and scale.bar_px is None and place.bar_px is None:
        raise UsageError("correct: no scale bar was measured here; give its length in pixels with --bar-px")


def _place(store: Store, picture: str | Path, figure: str | None, panel: str | None, needs_particles: bool) -> _Place:
    sha256 = _picture(store, picture, figure)
    _, rows = store.query(
        "SELECT n.label, n.panel_index, n.x0, n.y0, n.x1, n.y1, n.kind, s.id, s.nm_per_px, b.length_px "
        "FROM panels n JOIN figures f ON f.id = n.figure_id "
        "LEFT JOIN segmentations s ON s.panel_id = n.id AND s.is_latest "
        "LEFT JOIN scalebars b ON b.panel_id = n.id AND b.is_latest "
        "WHERE f.image_sha256 = :sha256 ORDER BY f.id, n.panel_index",
        {"sha256": sha256},
    )
    chosen = [row for row in rows if panel is None or panel.lower() in ((row[0] or "").lower(), str(row[1] + 1))]
    measured = [row for row in chosen if row[7] is not None]
    names = ", ".join(dict.fromkeys(row[0] or str(row[1] + 1) for row in rows)) or "none"
    if panel is not None and not chosen:
        raise InputError(f"{picture}: there is no panel {panel}; there are: {names}")
    if panel is None and not needs_particles:
        bars = [row[9] for row in rows if row[9] is not None]
        return _Place(sha256, None, bar_px=bars[0] if bars else None)
    if needs_particles and not measured:
        raise InputError(f"{picture}: no particles were measured there")
    # The same picture may be in the database several times; each of its rows says the same.
    boxes = list(dict.fromkeys(row[2:6] for row in (measured if needs_particles else chosen)))
    if len(boxes) > 1:
        raise UsageError(f"{picture}: has several panels; choose one with --panel: {names}")
    row = measured[0] if measured else chosen[0]
    particles = read_particles(store, row[7], row[8]) if row[7] is not None else ParticleTable({})
    return _Place(sha256, Box(*row[2:6]), particles, row[9])


def _picture(store: Store, picture: str | Path, figure: str | None) -> str:
    """The SHA-256 of a picture that the database has."""
    name = str(picture)
    found: list[tuple[str, str]] = []
    for look in (_by_file, _by_path, _by_sha256, _by_doi):
        found = look(store, name, figure)
        if found:
            break
    if not found:
        raise InputError(f"{name}: no such picture in {store.name}; `ide extract` measures it first")
    if len({sha256 for sha256, _ in found}) > 1:
        raise InputError(f"{name}: is several pictures, choose one: {', '.join(sorted({path for _, path in found}))}")
    return found[0][0]


_Found = list[tuple[str, str]]
_PICTURES = "SELECT DISTINCT image_sha256, image_path FROM figures WHERE image_sha256 IS NOT NULL AND "


def _by_file(store: Store, name: str, _figure: str | None) -> _Found:
    if not Path(name).is_file():
        return []
    return _ask(store, _PICTURES + "image_sha256 = :name", sha256_of(Path(name)))


def _by_path(store: Store, name: str, _figure: str | None) -> _Found:
    ending = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    sql = _PICTURES + "(image_path = :name OR image_path LIKE :ending ESCAPE '\\')"
    _, rows = store.query(sql, {"name": name, "ending": f"%/{ending}"})
    return [(sha256, path) for sha256, path in rows]


def _by_sha256(store: Store, name: str, _figure: str | None) -> _Found:
    if len(name) < _SHORTEST_SHA256 or not set(name.lower()) <= set("0123456789abcdef"):
        return []
    return _ask(store, _PICTURES + "image_sha256 LIKE :name", f"{name.lower()}%")


def _by_doi(store: Store, name: str, figure: str | None) -> _Found:
    dois = plain_dois(name)
    if not dois:
        return []
    given = {"doi": dois[0], "figure": figure}
    _, rows = store.query(
        "SELECT DISTINCT f.image_sha256, a.doi || ' / ' || f.label FROM figures f "
        "JOIN articles a ON a.id = f.article_id WHERE f.image_sha256 IS NOT NULL AND a.doi = :doi"
        + ("" if figure is None else " AND lower(f.label) = lower(:figure)"),
        {name: value for name, value in given.items() if value is not None},
    )
    return [(sha256, label) for sha256, label in rows]


def _ask(store: Store, sql: str, name: str) -> _Found:
    return [(sha256, path) for sha256, path in store.query(sql, {"name": name})[1]]
