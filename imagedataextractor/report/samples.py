"""Samples, as people name them: pictures of a database, or a file of particles; and what is known of their sizes."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError
from imagedataextractor.measurement.border_weights import border_weights, extents
from imagedataextractor.measurement.budget import Budget, Pooled, budget_of, pool, scale_uncertainty
from imagedataextractor.report.rows import ReportPanel, read_rows
from imagedataextractor.store import Store
from imagedataextractor.summaries import members_of

__all__ = ["Picture", "Sample", "read_sample"]

Reals = npt.NDArray[np.float64]

#: Pictures with a printed magnification from which on it tells the size of the display.
LEAST_DISPLAYS = 3
#: Share within which two pictures were printed for one display; beyond it they are cut, or of another instrument.
SAME_DISPLAY = 0.1
#: Files of particles that are read: what `ide measure --json` and `ide export` write.
PARTICLE_FILES = (".csv", ".json")
#: Groups that are named where there is none of a name.
MOST_NAMED = 12


@dataclass(frozen=True, eq=False)
class Picture:
    """The particles of one micrograph that count.

    Attributes
    ----------
    name : str
    ecd_nm, feret_min_nm : float arrays, shape (n,)
    weights : float array, shape (n,)
        For the border; 1 where the frame is not known.
    budget : Budget
    scale : str
        Where the scale comes from.
    refined : int
        Outlines that lie at an edge of the image.
    left_out : mapping
        Reason → number of particles that do not count.
    source : str
        File and SHA-256, article, run and model: how to find and repeat it.
    """

    name: str
    ecd_nm: Reals
    feret_min_nm: Reals
    weights: Reals
    budget: Budget
    scale: str
    refined: int
    left_out: Mapping[str, int]
    source: str


@dataclass(frozen=True, eq=False)
class Sample:
    """One or more micrographs of one sample."""

    name: str
    pictures: tuple[Picture, ...]
    without_scale: int = 0

    def column(self, name: str) -> Reals:
        """A column of all pictures' particles."""
        return np.concatenate([getattr(picture, name) for picture in self.pictures] or [np.zeros(0)])

    @property
    def relative_uncertainty(self) -> float:
        """Of all sizes alike, standard: scale, edge and segmentation of the pictures, particle by particle."""
        n = sum(picture.budget.n for picture in self.pictures if picture.budget.mean_nm)
        total = 0.0
        for picture in self.pictures:
            mean = picture.budget.mean_nm
            if mean:
                shared = (s.on_mean_nm for s in picture.budget.sources if s.name in ("scale", "edge", "segmentation"))
                total += picture.budget.n * sum(part**2 for part in shared) / mean**2
        return float(np.sqrt(total / n)) if n else 0.0

    def pooled(self, what: str = "mean") -> Pooled:
        """Mean or D50 ("d50") of the pictures together, by one-way random effects."""
        known = [picture.budget for picture in self.pictures if picture.budget.mean_nm is not None]
        values = [(b.mean_nm if what == "mean" else b.d50_nm) or 0.0 for b in known]
        within = [((b.expanded_mean_nm if what == "mean" else b.expanded_d50_nm) or 0.0) / 2 for b in known]
        return pool(values, within, [b.n for b in known])


def read_sample(name: str, db: str, *, group_by: str | None = None, groups: str | Path | None = None) -> Sample:
    """The sample of that name.

    Parameters
    ----------
    name : str
        A file of particles (.csv, .json), or what the database knows: a DOI or article key, the path or file
        name of a picture, a folder of pictures, or a group, as `summaries.groups_of` names them.
    db : str
        URL of the database.
    group_by, groups
        As in `summaries.groups_of`: the name is that of such a group. Without them a name that is nothing else is
        looked for among samples and materials.

    Raises
    ------
    InputError
        Nothing of that name is there, or nothing of it has a scale.
    """
    path = Path(name)
    if path.suffix.lower() in PARTICLE_FILES:
        return Sample(name, (_from_file(path),))
    with Store.open(db, read_only=True) as store:
        known = read_rows(store).panels
        if group_by is None and groups is None:
            panels = [panel for panel in known if _belongs(panel, name)] or _of_group(store, known, name)
        else:
            members = members_of(store, group_by=group_by, groups=groups)
            if name not in members:
                raise InputError(f"{name}: no such group; there are: {', '.join(list(members)[:MOST_NAMED])}")
            panels = [panel for panel in known if panel.segmentation_id in set(members[name])]
    if not panels:
        raise InputError(
            f"{name}: neither a file of particles (.csv, .json) nor an article, picture, folder or group in {db}"
        )
    scaled = [panel for panel in panels if panel.nm_per_px is not None]
    if not scaled:
        raise InputError(f"{name}: none of its {len(panels)} pictures has a scale; give one with `ide correct`")
    others = _other_readings(scaled)
    pictures = tuple(_from_panel(panel, other) for panel, other in zip(scaled, others, strict=True))
    return Sample(name, pictures, len(panels) - len(scaled))


def _of_group(store: Store, panels: Sequence[ReportPanel], name: str) -> list[ReportPanel]:
    """The panels of the sample or material of that name."""
    for grouping in ("sample", "material") if panels else ():
        wanted = set(members_of(store, group_by=grouping).get(name, ()))
        if wanted:
            return [panel for panel in panels if panel.segmentation_id in wanted]
    return []


def _belongs(panel: ReportPanel, name: str) -> bool:
    if name.lower() in ((panel.doi or "").lower(), panel.article.lower()):
        return True
    if panel.image_path is None:
        return False
    image = Path(panel.image_path)
    wanted = Path(name).absolute()
    return wanted == image.absolute() or wanted in image.absolute().parents or name == image.name


def _other_readings(panels: Sequence[ReportPanel]) -> list[list[float]]:
    """Other readings of each panel's scale over the one that is used.

    The file's own pixel size, where the scale is not from there. And the printed magnifications: one instrument
    prints them for one size of display, so that magnification times the picture's width in nm is the same for
    all its pictures; of three or more pictures the median is believed, where a picture is near it at all.
    """
    displays = np.array(
        [
            p.magnification * p.nm_per_px * p.picture_px if p.magnification and p.nm_per_px and p.picture_px else np.nan
            for p in panels
        ]
    )
    known = np.isfinite(displays)
    usual = float(np.median(displays[known])) if known.sum() >= LEAST_DISPLAYS else float("nan")
    found: list[list[float]] = []
    for panel, display in zip(panels, displays.tolist(), strict=True):
        ratios = []
        if panel.file_nm_per_px and panel.nm_per_px and panel.scale_source not in ("file", "user"):
            ratios.append(panel.file_nm_per_px / panel.nm_per_px)
        if abs(display / usual - 1) < SAME_DISPLAY:
            ratios.append(usual / display)
        found.append(ratios)
    return found


def _from_panel(panel: ReportPanel, other: Sequence[float] = ()) -> Picture:
    assert panel.nm_per_px is not None
    table = panel.particles
    counted = table.accepted
    width, height = extents([counted.outline(row) for row in range(len(counted))])
    ends = panel.bar_ends
    length = abs(ends[1] - ends[0]) if ends and panel.scale_source in ("bar", "caption") else None
    reasons = [str(reason) for reason in table["reason"] if reason is not None]
    scale = scale_uncertainty(length, other=other)
    left_out = table.where(table["reason"] == "uncertain")
    weights = border_weights(width, height, (panel.measured.width, panel.measured.height))
    return Picture(
        name=f"{panel.title or panel.article} / {panel.name}",
        ecd_nm=counted["ecd_nm"],
        feret_min_nm=counted["feret_min_nm"],
        weights=weights,
        budget=budget_of(
            counted["ecd_nm"],
            nm_per_px=panel.nm_per_px,
            scale=scale,
            edge_uncertainty_px=counted["edge_uncertainty_px"],
            weights=weights,
            rejected_nm=left_out["ecd_nm"],
            rejected_score=left_out["score"],
        ),
        scale=f"{panel.nm_per_px:.4g} nm/px from {panel.scale_source or 'unknown'}"
        + (f" “{panel.scale_text}”" if panel.scale_text else ""),
        refined=int(counted["edge_refined"].sum()),
        left_out={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        source=f"{panel.image_path or panel.article}; SHA-256 {(panel.image_sha256 or 'unknown')[:16]}; model "
        f"{panel.model}, {panel.mode}, T = {panel.samples}, seed {panel.seed}; run {panel.run_id}",
    )


def _from_file(path: Path) -> Picture:
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows: Sequence[Mapping[str, Any]] = (
            json.loads(text) if path.suffix.lower() == ".json" else list(csv.DictReader(text.splitlines()))
        )
        counted = [row for row in rows if str(row.get("accepted", True)).lower() in ("true", "1", "t")]
        ecd = _numbers(counted, "ecd_nm")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{path}: no table of particles ({error}); `ide measure --json` writes one") from None
    if not len(ecd) or np.isnan(ecd).any():
        raise InputError(f"{path}: its particles have no ecd_nm; measure them with a scale (--nm-per-px)")
    feret, edges = _numbers(counted, "feret_min_nm"), _numbers(counted, "edge_uncertainty_px")
    lengths, scale_px = _numbers(counted, "ecd_px"), 1.0
    if not np.isnan(lengths).any():
        scale_px = float(np.median(ecd / lengths))
    scale = scale_uncertainty(None)
    return Picture(
        name=path.name,
        ecd_nm=ecd,
        feret_min_nm=feret,
        weights=np.ones(len(ecd)),
        budget=budget_of(ecd, nm_per_px=scale_px, scale=scale, edge_uncertainty_px=edges),
        scale=f"{scale_px:.4g} nm/px as the file has it",
        refined=int(np.isfinite(edges).sum()),
        left_out={"of the file's rows": len(rows) - len(counted)} if len(rows) > len(counted) else {},
        source=str(path),
    )


def _numbers(rows: Sequence[Mapping[str, Any]], name: str) -> Reals:
    return np.array([float("nan") if row.get(name) in (None, "") else float(row[name]) for row in rows], float)
