"""The report: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from markupsafe import Markup

from imagedataextractor import __version__
from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.images.channels import is_flat
from imagedataextractor.measurement import panel_statistics, radial_distribution_function, size_distribution
from imagedataextractor.records import Particle, Reason
from imagedataextractor.report.graphs import curve_svg, histogram_svg, ranges_svg
from imagedataextractor.report.pictures import COLOURS, panel_pixels, state_of
from imagedataextractor.report.plots import mean_and_sd
from imagedataextractor.report.rows import ReportPanel, ReportRows, ReportRun, read_rows
from imagedataextractor.store import Store
from imagedataextractor.written import GENERATOR_META

if TYPE_CHECKING:
    from imagedataextractor.summaries import Group

__all__ = ["MAX_PANELS", "render_report", "write_report"]

#: Panels of a report unless more are asked for: each adds about 100 kB to the page.
MAX_PANELS = 100

#: Embedded pictures are scaled down to this width, px, and compressed at this JPEG quality.
_PICTURE_WIDTH = 1000
#: In a report of more panels than this, pictures are this wide, outlines of a kind are one shape, sizes the
#: only graph, and there is no overview: a browser opens a thousand panels in seconds.
DETAILED_PANELS, _SMALL_WIDTH = 100, 480
#: Groups that the tables of pooled sizes show.
_SHOWN_GROUPS = 30
_PICTURE_QUALITY = 80

#: Particles from which a radial distribution function is more than noise.
_ORDER_FROM = 50
#: Accepted particles from which the distribution of their aspect ratios is drawn: of fewer it shows nothing.
_LEAST_RATIOS = 5


def write_report(
    source: str | ReportRows,
    out_path: str | Path,
    *,
    names: Sequence[str | Path] = (),
    max_panels: int = MAX_PANELS,
) -> ReportRows:
    """Write a self-contained HTML report.

    Parameters
    ----------
    source : str or ReportRows
        URL of a database (opened read-only), or rows already read.
    out_path : path
        The HTML file; an existing one is replaced.
    names : sequence of str or path
        Only these pictures, folders and DOIs; with rows already read, leave it empty.
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
        The file cannot be written, or the database has nothing of a name.
    """
    if isinstance(source, str):
        with Store.open(source, create=False, read_only=True) as store:
            rows = read_rows(store, names=names, pooled=True, max_panels=max_panels)
    elif names:
        raise UsageError("pictures are chosen when rows are read, not when they are shown")
    else:
        rows = source
    target = Path(out_path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(render_report(rows), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{target}: the report cannot be written ({error.strerror or error})") from error
    return rows


def render_report(rows: ReportRows) -> str:
    """The page as text. What comes from articles and file names is escaped by the template, drawings when drawn."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("imagedataextractor.report", ""), autoescape=True, undefined=StrictUndefined
    )
    style = files("imagedataextractor.report").joinpath("report.css").read_text(encoding="utf-8")
    detailed = len(rows.panels) <= DETAILED_PANELS
    own = [panel for panel in rows.panels if panel.source == "image"]
    published = [panel for panel in rows.panels if panel.source != "image"]
    return templates.get_template("report.html").render(
        rows=rows,
        version=__version__,
        generator=Markup(GENERATOR_META),
        style=Markup(style),
        tiles=_tiles(rows),
        pooled=[_pooled(name, groups) for name, groups in rows.pooled.items() if groups],
        overview=Markup(_overview(rows.panels)),
        parts=[
            {"name": name, "own": panels is own, "articles": _articles(panels, detailed=detailed)}
            for name, panels in (("Articles", published), ("Own pictures", own))
            if panels
        ],
        missing=rows.measured_panels - len(rows.panels),
        runs=[_run(run) for run in rows.runs],
    )


def _tiles(rows: ReportRows) -> list[tuple[int, str]]:
    found = [
        (rows.articles, "articles"),
        (rows.pictures, "own pictures"),
        (rows.figures, "figures"),
        (rows.em_panels, "EM panels"),
        (rows.scaled_panels, "with a scale"),
        (rows.particles, "particles found"),
        (rows.accepted, "accepted"),
    ]
    return [(number, name) for number, name in found if number or name not in ("articles", "own pictures")]


def _pooled(name: str, groups: Sequence[Group]) -> tuple[str, list[dict[str, Any]], int]:
    """The largest groups in words and as small graphs, and how many more there are."""
    largest = sorted(groups, key=lambda group: -len(group.values))[:_SHOWN_GROUPS]
    return name, [_group(group) for group in groups if group in largest], len(groups) - len(largest)


def _group(group: Group) -> dict[str, Any]:
    found = group.describe()
    words: dict[str, Any] = {"name": group.name, "pictures": group.pictures, "n": found.n}
    words |= dict.fromkeys(("mean", "median", "range"), "–")
    words["graph"] = ""
    if found.estimates:
        mean, median = found.estimates["mean"], found.estimates["median"]
        words["mean"] = f"{mean_and_sd(mean.value, found.estimates['sd'].value)} ({mean.low:.4g} – {mean.high:.4g})"
        words["median"] = f"{median.value:.4g} ({median.low:.4g} – {median.high:.4g})"
        words["range"] = f"{found.estimates['d10'].value:.4g} – {found.estimates['d90'].value:.4g}"
        words["graph"] = Markup(
            histogram_svg(found.edges.tolist(), np.rint(found.counts).astype(int).tolist(), "ECD / nm", median.value)
        )
    return words


def _anchor(panel: ReportPanel) -> str:
    words = f"{panel.article}-{panel.figure}-{panel.panel_index}"
    return "".join(c if c.isalnum() else "-" for c in words)


def _overview(panels: Sequence[ReportPanel]) -> str:
    """Sizes of all panels with a scale, on one axis; empty where there are none, or more than can be read."""
    lines = []
    for panel in panels:
        sizes = panel.particles.accepted["ecd_nm"]
        if len(sizes) and panel.nm_per_px is not None:
            found = size_distribution(sizes)
            lines.append((panel.name, _anchor(panel), found.d10, found.median, found.d90))
    return ranges_svg(lines, "ECD / nm") if lines and len(lines) <= DETAILED_PANELS else ""


def _articles(panels: Sequence[ReportPanel], *, detailed: bool) -> list[dict[str, Any]]:
    found = []
    for _, of_article in itertools.groupby(panels, key=lambda panel: panel.article):
        members = list(of_article)
        first = members[0]
        figures = []
        for name, of_figure in itertools.groupby(members, key=lambda panel: panel.figure):
            shown = list(of_figure)
            figures.append(
                {"name": name, "caption": shown[0].caption, "panels": [_panel(p, detailed=detailed) for p in shown]}
            )
        title = first.title or first.article
        found.append({"title": title, "doi": first.doi, "licence": first.licence, "figures": figures})
    return found


def _panel(panel: ReportPanel, *, detailed: bool) -> dict[str, Any]:
    return {
        "anchor": _anchor(panel),
        "name": panel.name,
        "notes": " · ".join(word for word in (panel.technique, panel.material, panel.subcaption) if word),
        "overlay": Markup(_overlay(panel, detailed=detailed)),
        "numbers": _numbers(panel),
        "graphs": Markup(_graphs(panel, detailed=detailed)),
        "whence": _whence(panel),
    }


def _whence(panel: ReportPanel) -> str:
    """Where the numbers come from, in one line."""
    digest = f" (SHA-256 {panel.image_sha256[:12]}…)" if panel.image_sha256 else ""
    page = f", page {panel.page} of {panel.pages}" if (panel.pages or 1) > 1 else ""
    return (
        f"{panel.image_path or 'picture not kept'}{page}{digest} · model {panel.model}, {panel.mode}, "
        f"T = {panel.samples}, seed {panel.seed} · run {panel.run_id[:12]}"
    )


# ---------------------------------------------------------------- overlay


def _overlay(panel: ReportPanel, *, detailed: bool) -> str:
    """The panel with its particles' outlines; in detail, as shapes that tell their numbers when pointed at."""
    picture, note = _picture(panel, _PICTURE_WIDTH if detailed else _SMALL_WIDTH)
    width, height = panel.box.width, panel.box.height
    parts = [f'<svg class="overlay" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(panel.name)}">']
    if picture:
        parts.append(f'<image href="{picture}" width="{width}" height="{height}" preserveAspectRatio="none"/>')
    counts: dict[str, int] = {}
    together: dict[str, str] = {}
    for particle in panel.particles:
        state = state_of(particle)
        counts[state] = counts.get(state, 0) + 1
        if particle.contour and not detailed:
            together[state] = together.get(state, "") + _path(particle)
        elif particle.contour:
            parts.append(
                f'<path stroke="{COLOURS[state]}" d="{_path(particle)}"><title>{escape(_tip(particle))}</title></path>'
            )
    parts += [f'<path stroke="{COLOURS[state]}" d="{path}"/>' for state, path in together.items()]
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


def _picture(panel: ReportPanel, most_px: int) -> tuple[str | None, str]:
    """The panel as a data URL, or None and why there is none."""
    try:
        image = panel_pixels(panel)
    except InputError as error:
        return None, str(error)
    if image.shape[1] > most_px:
        height = max(1, round(image.shape[0] * most_px / image.shape[1]))
        image = np.asarray(cv2.resize(image, (most_px, height), interpolation=cv2.INTER_AREA), np.uint8)
    ordered = image if is_flat(image) else image[..., ::-1]
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


def _numbers(panel: ReportPanel) -> list[tuple[str, str]]:
    shape = (panel.measured.height, panel.measured.width)
    found = panel_statistics(
        panel.particles, panel.nm_per_px, shape=shape, excluded_px=panel.excluded_px, detailed=False
    )
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
    lines += _distribution_lines(panel.statistics.get("distribution"), unit)
    known = panel.statistics
    ends = known.get("coverage_low"), known.get("coverage_high")
    lines.append(("coverage", f"{100 * found['coverage']:.1f} %{_between(*ends, 100)}"))
    if found["density_um2"] is not None:
        ends = known.get("density_um2_low"), known.get("density_um2_high")
        lines.append(("density", f"{found['density_um2']:.4g} µm⁻²{_between(*ends)}"))
    if known.get("hexatic"):
        value, low, high = known["hexatic"]
        lines.append(("hexatic order |ψ6|", f"{value:.3g}{_between(low, high)}"))
    return lines


def _distribution_lines(found: Mapping[str, Any] | None, unit: str) -> list[tuple[str, str]]:
    """Sizes corrected for the border, beside those as counted; and what they are distributed like."""
    if not found or found["unit"] != unit:
        return []
    lines = []
    for key, name in (("mean", "mean ECD"), ("d50", "D50")):
        if found["corrected"]:
            value, low, high = found["corrected"][key]
            counted = found["as_counted"][key][0]
            words = f"{value:.4g} {unit}{_between(low, high)}; as counted {counted:.4g} {unit}"
            lines.append((f"{name}, corrected for the border", words))
    best = found["corrected"] or found["as_counted"]
    volume = " – ".join(f"{best[name][0]:.4g}" for name in ("d10_volume", "d50_volume", "d90_volume"))
    lines.append(("D10 – D50 – D90 by volume", f"{volume} {unit}"))
    lines.append(("span; GSD", f"{best['span'][0]:.3g}; {best['gsd'][0]:.3g}"))
    lines.append(("fits", "; ".join(f"{fit['name']} p = {fit['p']:.2g}" for fit in found["fits"])))
    if len(found["modes"]) > 1:
        lines.append(("modes", ", ".join(f"{mode:.4g}" for mode in found["modes"]) + f" {unit}"))
    return lines


def _between(low: float | None, high: float | None, factor: float = 1.0) -> str:
    return "" if low is None or high is None else f" (95 %: {factor * low:.4g} – {factor * high:.4g})"


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


def _graphs(panel: ReportPanel, *, detailed: bool) -> str:
    accepted = panel.particles.accepted
    if not len(accepted):
        return ""
    scale, unit = (panel.nm_per_px, "nm") if panel.nm_per_px is not None else (1.0, "px")
    sizes = size_distribution(accepted["ecd_px"] * scale)
    graphs = [histogram_svg(sizes.edges.tolist(), sizes.counts.tolist(), f"ECD / {unit}", sizes.median)]
    if not detailed:
        return graphs[0]
    if len(accepted) >= _LEAST_RATIOS:
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


def _run(run: ReportRun) -> dict[str, str]:
    facts = {
        "versions": run.versions,
        "settings": run.settings,
        "weights_sha256": run.weights_sha256,
        "models": run.models,
    }
    return {
        "id": run.id,
        "line": f"{run.started_at} · {run.command} · {run.state} · seed {run.seed}",
        "facts": json.dumps(facts, indent=1, ensure_ascii=False),
    }
