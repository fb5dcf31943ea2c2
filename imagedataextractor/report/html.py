"""The report: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from imagedataextractor import __version__
from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.measurement import panel_statistics, radial_distribution_function, size_distribution
from imagedataextractor.records import Particle, Reason
from imagedataextractor.report.graphs import curve_svg, histogram_svg, ranges_svg
from imagedataextractor.report.pictures import COLOURS, panel_pixels, state_of
from imagedataextractor.report.rows import ReportFailure, ReportPanel, ReportRows, ReportRun, read_rows
from imagedataextractor.store import Store
from imagedataextractor.written import GENERATOR_META

__all__ = ["MAX_PANELS", "render_report", "write_report"]

#: Panels of a report unless more are asked for: each adds about 100 kB to the page.
MAX_PANELS = 100

#: Embedded pictures are scaled down to this width, px, and compressed at this JPEG quality.
_PICTURE_WIDTH = 1000
_PICTURE_QUALITY = 80

#: Particles from which a radial distribution function is more than noise.
_ORDER_FROM = 50


def write_report(
    source: str | ReportRows,
    out_path: str | Path,
    *,
    dois: Sequence[str] = (),
    max_panels: int = MAX_PANELS,
) -> ReportRows:
    """Write a self-contained HTML report.

    Parameters
    ----------
    source : str or ReportRows
        URL of a database (opened read-only), or rows already read.
    out_path : path
        The HTML file; an existing one is replaced.
    dois : sequence of str
        Only these articles; with rows already read, leave it empty.
    max_panels : int
        Panels that are shown; the totals are of all.

    Returns
    -------
    ReportRows
        What the report shows.

    Raises
    ------
    StoreError
        The database cannot be opened or read.
    InputError
        The file cannot be written, or none of the articles asked for is in the database.
    """
    if isinstance(source, str):
        with Store.open(source, create=False, read_only=True) as store:
            rows = read_rows(store, dois=dois, max_panels=max_panels)
    elif dois:
        raise UsageError("articles are chosen when rows are read, not when they are shown")
    else:
        rows = source
    if dois and rows.articles == 0:
        raise InputError(f"{rows.database}: holds none of {', '.join(dois)}")
    target = Path(out_path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(render_report(rows), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{target}: the report cannot be written ({error.strerror or error})") from error
    return rows


def render_report(rows: ReportRows) -> str:
    """The page as text."""
    style = files("imagedataextractor.report").joinpath("report.css").read_text(encoding="utf-8")
    body = "\n".join(
        [
            "<h1>Measured particles</h1>",
            f'<p class="soft">{escape(rows.database)} · ImageDataExtractor {escape(__version__)}</p>',
            _tiles(rows),
            _overview(rows.panels),
            *_articles(rows.panels),
            _left_out(rows),
            _failures(rows.failures),
            _runs(rows.runs),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"{GENERATOR_META}\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Measured particles</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _tiles(rows: ReportRows) -> str:
    numbers = [
        (rows.articles, "articles"),
        (rows.figures, "figures"),
        (rows.em_panels, "EM panels"),
        (rows.scaled_panels, "with a scale"),
        (rows.particles, "particles found"),
        (rows.accepted, "accepted"),
    ]
    tiles = "".join(f'<div class="tile"><b>{number:,}</b>{name}</div>' for number, name in numbers)
    return f'<div class="tiles">{tiles}</div>'


def _anchor(panel: ReportPanel) -> str:
    words = f"{panel.article}-{panel.figure}-{panel.panel_index}"
    return "".join(c if c.isalnum() else "-" for c in words)


def _overview(panels: Sequence[ReportPanel]) -> str:
    """Sizes of all panels with a scale, on one axis."""
    lines = []
    for panel in panels:
        sizes = panel.particles.accepted["ecd_nm"]
        if len(sizes) and panel.nm_per_px is not None:
            found = size_distribution(sizes)
            lines.append((panel.name, _anchor(panel), found.d10, found.median, found.d90))
    if not lines:
        return ""
    return (
        "<h2>Sizes</h2><p class=soft>Equivalent circular diameter of the accepted particles of each panel: "
        f"median, and from the 10th to the 90th percentile.</p>{ranges_svg(lines, 'ECD / nm')}"
    )


def _articles(panels: Sequence[ReportPanel]) -> Iterable[str]:
    for _, of_article in itertools.groupby(panels, key=lambda panel: panel.article):
        members = list(of_article)
        first = members[0]
        link = f'<a href="https://doi.org/{escape(first.doi)}">{escape(first.doi)}</a>' if first.doi else ""
        licence = f" · {escape(first.licence)}" if first.licence else ""
        yield f"<h2>{escape(first.title or first.article)}</h2><p class=soft>{link}{licence}</p>"
        for _, of_figure in itertools.groupby(members, key=lambda panel: panel.figure):
            shown = list(of_figure)
            yield f'<h3>{escape(shown[0].figure)}</h3><p class="caption">{escape(shown[0].caption)}</p>'
            yield from (_panel(panel) for panel in shown)


def _panel(panel: ReportPanel) -> str:
    notes = " · ".join(escape(word) for word in (panel.technique, panel.subcaption) if word)
    return (
        f'<section class="panel" id="{_anchor(panel)}"><h4>{escape(panel.name)} <small>{notes}</small></h4>'
        f'<div>{_overlay(panel)}</div><div>{_numbers(panel)}</div><div class="graphs">{_graphs(panel)}</div></section>'
    )


# ---------------------------------------------------------------- overlay


def _overlay(panel: ReportPanel) -> str:
    """The panel with its particles' outlines as shapes that tell their numbers when pointed at."""
    picture, note = _picture(panel)
    width, height = panel.box.width, panel.box.height
    parts = [f'<svg class="overlay" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(panel.name)}">']
    if picture:
        parts.append(f'<image href="{picture}" width="{width}" height="{height}" preserveAspectRatio="none"/>')
    counts: dict[str, int] = {}
    for particle in panel.particles:
        state = state_of(particle)
        counts[state] = counts.get(state, 0) + 1
        if particle.contour:
            parts.append(
                f'<path stroke="{COLOURS[state]}" d="{_path(particle)}"><title>{escape(_tip(particle))}</title></path>'
            )
    if panel.bar_ends is not None:
        x0, x1, y = panel.bar_ends
        tick = 0.012 * height
        parts.append(
            f'<path class="ruler" stroke="{COLOURS["scale bar"]}" '
            f'd="M{x0:g} {y - tick:g}v{2 * tick:g}m0 {-tick:g}H{x1:g}m0 {-tick:g}v{2 * tick:g}"/>'
        )
    parts.append("</svg>")
    legend = "".join(
        f'<span><i style="background:{COLOURS[state]}"></i>{counts[state]} {state}</span>'
        for state in COLOURS
        if state in counts
    )
    return "".join(parts) + f'<p class="legend">{legend}{escape(note)}</p>'


def _picture(panel: ReportPanel) -> tuple[str | None, str]:
    """The panel as a data URL, or None and why there is none."""
    try:
        image = panel_pixels(panel)
    except InputError as error:
        return None, str(error)
    if image.shape[1] > _PICTURE_WIDTH:
        height = max(1, round(image.shape[0] * _PICTURE_WIDTH / image.shape[1]))
        image = np.asarray(cv2.resize(image, (_PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA), np.uint8)
    ordered = image if image.ndim == 2 else image[..., ::-1]
    done, packed = cv2.imencode(".jpg", np.ascontiguousarray(ordered), [cv2.IMWRITE_JPEG_QUALITY, _PICTURE_QUALITY])
    if not done:
        return None, "picture cannot be embedded"
    return "data:image/jpeg;base64," + base64.b64encode(packed.tobytes()).decode("ascii"), ""


def _path(particle: Particle) -> str:
    """SVG path of a contour; steps along pixel edges are written by their length alone."""
    (x, y), *rest = particle.contour
    parts = [f"M{x:g} {y:g}"]
    for a, b in rest:
        parts.append(f"h{a - x:g}" if b == y else f"v{b - y:g}" if a == x else f"L{a:g} {b:g}")
        x, y = a, b
    return "".join(parts) + "Z"


def _tip(particle: Particle) -> str:
    size = f"{particle.ecd_px:.4g} px" if particle.ecd_nm is None else f"{particle.ecd_nm:.4g} nm"
    words = [f"{particle.label}: ECD {size}", f"aspect ratio {particle.aspect_ratio:.2f}"]
    if particle.uncertainty is not None:
        words.append(f"uncertainty {particle.uncertainty:.4f}")
    if particle.reason is not None:
        words.append(f"rejected: {particle.reason}")
    return ", ".join(words)


# ---------------------------------------------------------------- numbers


def _numbers(panel: ReportPanel) -> str:
    shape = (panel.measured.height, panel.measured.width)
    found = panel_statistics(panel.particles, panel.nm_per_px, shape=shape, excluded_px=panel.excluded_px)
    size, unit = (found["ecd_nm"], "nm") if panel.nm_per_px is not None else (found["ecd_px"], "px")
    lines: list[tuple[str, str]] = [("scale", _scale_words(panel))]
    lines.append(("trust", _trust_words(panel)))
    lines.append(("accepted", f"{found['accepted']} of {found['count']}"))
    if size is not None:
        lines += [
            ("median ECD", f"{size['median']:.4g} {unit}{_interval(size, 'median')}"),
            ("mean ECD", f"{size['mean']:.4g} {unit}{_interval(size, 'mean')}"),
            ("standard deviation", _or_dash(size["std"], f" {unit}")),
            ("10 % – 90 %", f"{size['d10']:.4g} – {size['d90']:.4g} {unit}"),
            ("aspect ratio", f"{found['aspect_ratio']['median']:.3g} (median)"),
            ("circularity", f"{found['circularity']['median']:.3g} (median)"),
        ]
    lines.append(("coverage", f"{100 * found['coverage']:.1f} %"))
    if found["density_um2"] is not None:
        lines.append(("density", f"{found['density_um2']:.4g} µm⁻²"))
    lines.append(("segmentation", f"{panel.model}, {panel.mode}, T = {panel.samples}, seed {panel.seed}"))
    cells = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in lines)
    return f"<table>{cells}</table>"


def _trust_words(panel: ReportPanel) -> str:
    """The grade and why; docs/review.md says what it means."""
    return ": ".join(filter(None, (panel.trust.grade, "; ".join(panel.trust.reasons))))


def _scale_words(panel: ReportPanel) -> str:
    if panel.nm_per_px is None:
        return f"unknown{': ' + panel.scale_reason if panel.scale_reason else ''}"
    how = [word for word in (panel.scale_text, panel.scale_source) if word]
    if panel.scale_confidence is not None:
        how.append(f"confidence {panel.scale_confidence:.2f}")
    scale = f"{panel.nm_per_px:.4g} nm/px ({', '.join(how)})" if how else f"{panel.nm_per_px:.4g} nm/px"
    return f"{scale}; {panel.scale_reason}" if panel.scale_reason else scale


def _interval(size: dict[str, Any], name: str) -> str:
    low, high = size[f"{name}_low"], size[f"{name}_high"]
    return "" if low is None else f" (95 %: {low:.4g} – {high:.4g})"


def _or_dash(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.4g}{unit}"


def _graphs(panel: ReportPanel) -> str:
    accepted = panel.particles.accepted
    if not len(accepted):
        return ""
    scale, unit = (panel.nm_per_px, "nm") if panel.nm_per_px is not None else (1.0, "px")
    sizes = size_distribution(accepted["ecd_px"] * scale)
    graphs = [histogram_svg(sizes.edges.tolist(), sizes.counts.tolist(), f"ECD / {unit}", sizes.median)]
    if len(accepted) >= 5:
        ratios = size_distribution(accepted["aspect_ratio"])
        graphs.append(histogram_svg(ratios.edges.tolist(), ratios.counts.tolist(), "aspect ratio", ratios.median))
    present = panel.particles.where(panel.particles["accepted"] | (panel.particles["reason"] == Reason.BORDER))
    if len(present) >= _ORDER_FROM:
        frame = panel.measured
        centres = np.stack([present["x_px"] - frame.x0, present["y_px"] - frame.y0], axis=1) * scale
        order = radial_distribution_function(centres, (frame.width * scale, frame.height * scale), bins=40)
        graphs.append(
            curve_svg(order.r.tolist(), order.g.tolist(), f"r / {unit}: radial distribution g(r)", "g(r)", 1.0)
        )
    return "".join(graphs)


# ---------------------------------------------------------------- the rest


def _left_out(rows: ReportRows) -> str:
    missing = rows.measured_panels - len(rows.panels)
    return f"<p>{missing:,} more measured panels are not shown.</p>" if missing > 0 else ""


def _failures(failures: Sequence[ReportFailure]) -> str:
    if not failures:
        return "<h2>Failures</h2><p>None.</p>"
    lines = "".join(
        f"<tr><td>{escape(f.target)}</td><td>{escape(f.stage)}</td>"
        f'<td class="message">{escape(f.error_class)}: {escape(f.message)}</td>'
        f'<td class="number">{f.attempt}</td><td>{"resolved" if f.resolved_at else "open"}</td></tr>'
        for f in failures
    )
    head = "<tr><th>target</th><th>stage</th><th>what</th><th class=number>attempts</th><th>state</th></tr>"
    return f"<h2>Failures</h2><table>{head}{lines}</table>"


def _runs(runs: Sequence[ReportRun]) -> str:
    parts = ["<h2>Provenance</h2>"]
    for run in runs:
        facts = {
            "versions": run.versions,
            "settings": run.settings,
            "weights_sha256": run.weights_sha256,
            "models": run.models,
        }
        detail = escape(json.dumps(facts, indent=1, ensure_ascii=False))
        parts.append(
            f"<details><summary>{escape(run.started_at)} · {escape(run.command)} · {escape(run.state)} · "
            f"seed {run.seed}</summary><pre>run {escape(run.id)}\n{detail}</pre></details>"
        )
    return "".join(parts)
