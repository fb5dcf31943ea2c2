"""A printable page on one sample: its sizes, and what the European definition of a nanomaterial says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from imagedataextractor import __version__
from imagedataextractor.errors import UsageError
from imagedataextractor.files import write_atomically
from imagedataextractor.measurement.distributions import (
    FEWEST,
    NANO_NM,
    Description,
    Nanomaterial,
    describe,
    nanomaterial,
)
from imagedataextractor.report.graphs import histogram_svg
from imagedataextractor.report.samples import Sample

__all__ = ["Screening", "screen", "write_screening"]

#: Share of outlines that should lie at an edge, and expanded relative uncertainty, beyond which a page warns.
WANTED_REFINED, LARGEST_UNCERTAINTY = 0.5, 0.25

_VERDICTS = {
    "yes": "Nanomaterial by number: half or more of the particles have a minimum Feret diameter of 100 nm or less.",
    "no": "No nanomaterial by number: fewer than half have a minimum Feret diameter of 100 nm or less.",
    "too few": "Undecided: the particles are too few, or too near to the limit, for a verdict.",
}
#: Height on the printed page, as a share of it, below which no further picture is listed: the note stands there.
_LIST_ENDS = 0.13


@dataclass(frozen=True, eq=False)
class Screening:
    """What the page says of a sample."""

    sample: Sample
    ecd: Description
    feret_min: Description
    verdict: Nanomaterial
    checks: tuple[tuple[bool, str], ...]


def screen(sample: Sample) -> Screening:
    """Statistics, verdict and checks of a sample."""
    weights = sample.column("weights")
    ecd, feret = describe(sample.column("ecd_nm"), weights), describe(sample.column("feret_min_nm"), weights)
    verdict = nanomaterial(sample.column("feret_min_nm"), weights, relative_uncertainty=sample.relative_uncertainty)
    refined = sum(picture.refined for picture in sample.pictures)
    needed = max((picture.budget.needed or 0 for picture in sample.pictures), default=0)
    pooled = sample.pooled()
    wide = pooled.expanded_nm / pooled.value_nm if pooled.expanded_nm and pooled.value_nm else None
    checks = (
        (ecd.n >= max(needed, FEWEST), f"{ecd.n} particles; ± 5 % of the mean by sampling alone needs {needed or '?'}"),
        (refined >= WANTED_REFINED * max(ecd.n, 1), f"{refined} of {ecd.n} outlines lie at an edge of the image"),
        (
            wide is not None and wide <= LARGEST_UNCERTAINTY,
            "expanded uncertainty of the mean: " + ("unknown" if wide is None else f"{100 * wide:.1f} %"),
        ),
        (sample.without_scale == 0, f"{sample.without_scale} pictures without a scale are left out"),
        (len(sample.pictures) > 1, f"{len(sample.pictures)} picture(s); more places of the sample make it firmer"),
    )
    return Screening(sample, ecd, feret, verdict, checks)


def write_screening(sample: Sample, out: Path) -> Screening:
    """Write the page, as HTML or PDF by the file's suffix.

    Raises
    ------
    UsageError
        The suffix is neither .html nor .pdf.
    """
    suffix = out.suffix.lower()
    if suffix not in (".html", ".pdf"):
        raise UsageError(f"{out}: a screening page is .html or .pdf")
    found = screen(sample)
    if suffix == ".html":
        write_atomically(out, _html(found).encode())
    else:
        _pdf(found, out)
    return found


def _rows(found: Screening) -> list[tuple[str, str, str]]:
    """Quantity, value with interval for the ECD, and for the minimum Feret diameter."""
    names = {
        "mean": "mean, nm", "sd": "standard deviation, nm", "d10": "D10 by number, nm", "d50": "D50 by number, nm",
        "d90": "D90 by number, nm", "d50_volume": "D50 by volume, nm", "span": "span", "gsd": "geometric SD",
    }  # fmt: skip
    rows = []
    for key, label in names.items():
        cells = []
        for description in (found.ecd, found.feret_min):
            estimate = description.estimates.get(key)
            cells.append(
                "–" if estimate is None else f"{estimate.value:.4g} ({estimate.low:.4g} … {estimate.high:.4g})"
            )
        rows.append((label, cells[0], cells[1]))
    return rows


def _share(found: Screening) -> str:
    verdict = found.verdict
    if verdict.share is None or verdict.low is None or verdict.high is None:
        return f"n = {verdict.n}; nothing is estimated from fewer than {FEWEST} particles"
    low, high = 100 * verdict.low, 100 * verdict.high
    return f"{100 * verdict.share:.1f} % at or below {NANO_NM:g} nm (95 %: {low:.1f} … {high:.1f} %), n = {verdict.n}"


def _sentences(found: Screening) -> list[str]:
    return [
        f"Mean equivalent circular diameter: {found.sample.pooled().sentence()}",
        f"D50 by number: {found.sample.pooled('d50').sentence()}",
    ]


def _values(found: Screening) -> str:
    return ", ".join(f"{value:.4g}" for value in found.ecd.values)


def _note(found: Screening) -> str:
    framed = bool((found.sample.column("weights") > 1).any())
    border = "corrected for the border after Miles and Lantuéjoul" if framed else "not corrected for the border"
    return (
        f"By number, {border}. Intervals are 95 %; the verdict's includes the uncertainty of scale and edge. Screening "
        "after Commission Recommendation 2022/C 229/01; a legal classification needs a validated procedure."
    )


def _html(found: Screening) -> str:
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    graph = ""
    if len(found.feret_min.edges):
        edges, counts = found.feret_min.edges.tolist(), [round(count) for count in found.feret_min.counts]
        mark = NANO_NM if edges[0] < NANO_NM < edges[-1] else None
        graph = histogram_svg(edges, counts, "minimum Feret diameter, nm", mark)
    table = "".join(f"<tr><td>{a}</td><td>{b}</td><td>{c}</td></tr>" for a, b, c in _rows(found))
    if not found.ecd.estimates:
        table = f"<tr><td>values, nm</td><td colspan='2'>{_values(found)}</td></tr>"
    checks = "".join(f"<li>{'✓' if good else '!'} {escape(text)}</li>" for good, text in found.checks)
    pictures = "".join(
        f"<li>{escape(p.name)}: {escape(p.budget.sentence())}; {escape(p.scale)}; left out: "
        f"{escape(', '.join(f'{n} {reason}' for reason, n in p.left_out.items()) or 'none')}<br>"
        f"<small>{escape(p.source)}</small></li>"
        for p in found.sample.pictures
    )
    quotes = "".join(f"<p>{escape(sentence)}</p>" for sentence in _sentences(found))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Screening: {escape(found.sample.name)}</title>
<style>{style}
@page {{ size: A4; margin: 14mm; }} body {{ max-width: 190mm; padding: 8mm 0; font-size: 13px; }}
h2 {{ margin: 14px 0 4px; padding-top: 6px; font-size: 16px; }} .graph {{ max-width: 110mm; }} p {{ margin: 3px 0; }}
</style></head><body>
<h1>{escape(found.sample.name)}</h1>
<p class="soft">Size screening by electron microscopy · imagedataextractor {__version__} · {_today()}</p>
<h2>{escape(_VERDICTS[found.verdict.verdict])}</h2>
<p>{escape(_share(found))}</p>
{quotes}
{graph}
<h2>Sizes</h2>
<table><tr><th></th><th>equivalent circular diameter</th><th>minimum Feret diameter</th></tr>{table}</table>
<h2>Checks</h2><ul>{checks}</ul>
<h2>Where it comes from</h2><ul>{pictures}</ul>
<p class="caption">{escape(_note(found))}</p>
</body></html>
"""


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _pdf(found: Screening, out: Path) -> None:
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    page = Figure(figsize=(8.27, 11.69))
    FigureCanvasPdf(page)
    top = [0.955]

    def line(text: str, size: float = 9, *, bold: bool = False, gap: float = 0.0) -> None:
        for part in _wrapped(text, int((850 if bold else 1050) / size)):
            page.text(0.08, top[0] - gap, part, size=size, weight="bold" if bold else "normal", va="top")
            top[0] -= size / 700 + gap
            gap = 0.0

    line(found.sample.name, 16, bold=True)
    line(f"Size screening by electron microscopy · imagedataextractor {__version__} · {_today()}", 8)
    line(_VERDICTS[found.verdict.verdict], 11, bold=True, gap=0.012)
    for text in (_share(found), *_sentences(found)):
        line(text)
    if len(found.feret_min.edges):
        axes = page.add_axes((0.12, top[0] - 0.24, 0.55, 0.2))
        axes.stairs(found.feret_min.counts, found.feret_min.edges, fill=True, color="#9fc5d8")
        if found.feret_min.edges[0] < NANO_NM < found.feret_min.edges[-1]:
            axes.axvline(NANO_NM, color="black", linestyle="--", linewidth=0.8)
        axes.set_xlabel("minimum Feret diameter, nm", size=8)
        axes.set_ylabel("particles", size=8)
        axes.tick_params(labelsize=7)
        top[0] -= 0.285
    line("Sizes: equivalent circular diameter; minimum Feret diameter", 11, bold=True, gap=0.008)
    for name, ecd, feret in _rows(found) if found.ecd.estimates else [("values, nm", _values(found), "")]:
        page.text(0.08, top[0], name, size=8, va="top")
        page.text(0.36, top[0], ecd, size=8, va="top")
        page.text(0.66, top[0], feret, size=8, va="top")
        top[0] -= 0.0145
    line("Checks", 11, bold=True, gap=0.008)
    for good, text in found.checks:
        line(f"{'ok' if good else '!'}   {text}", 8)
    line("Where it comes from", 11, bold=True, gap=0.008)
    for picture in found.sample.pictures:
        left_out = ", ".join(f"{n} {reason}" for reason, n in picture.left_out.items()) or "none"
        if top[0] < _LIST_ENDS:
            line("… and more; the HTML page has all", 8)
            break
        line(f"{picture.name}: {picture.budget.sentence()}; {picture.scale}; left out: {left_out}", 8)
        line(picture.source, 6)
    for number, part in enumerate(_wrapped(_note(found), 150)):
        page.text(0.08, 0.06 - 0.011 * number, part, size=7, color="#5b6b77")
    page.savefig(out, format="pdf")


def _wrapped(text: str, width: int) -> Sequence[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]
