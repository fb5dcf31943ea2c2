"""``python -m imagedataextractor.report.demo``: what was measured of the sample article, beside its truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from imagedataextractor.errors import IdeError, InputError
from imagedataextractor.records import Box
from imagedataextractor.report.plots import plot_sizes
from imagedataextractor.report.truth import MeasuredPanel, compare_with_truth, format_comparison
from imagedataextractor.resources import resource_path
from imagedataextractor.settings import load_settings
from imagedataextractor.store import Store

__all__ = ["measured_panels"]


def measured_panels(store: Store, doi: str) -> list[MeasuredPanel]:
    """The panels of one article, as the database has them."""
    _, rows = store.query(
        """
        SELECT n.id, f.label, n.label, n.x0, n.y0, n.x1, n.y1, n.kind, b.nm_per_px
        FROM articles a
        JOIN figures f ON f.article_id = a.id
        JOIN panels n ON n.figure_id = f.id
        LEFT JOIN scalebars b ON b.panel_id = n.id AND b.is_current
        WHERE a.doi = :doi
        ORDER BY f.id, n.panel_index
        """,
        {"doi": doi.lower()},
    )
    _, particles = store.query(
        """
        SELECT s.panel_id, p.x_px, p.y_px, p.ecd_px, p.accepted
        FROM articles a
        JOIN figures f ON f.article_id = a.id
        JOIN panels n ON n.figure_id = f.id
        JOIN segmentations s ON s.panel_id = n.id AND s.is_current
        JOIN particles p ON p.segmentation_id = s.id
        WHERE a.doi = :doi
        """,
        {"doi": doi.lower()},
    )
    of_panel: dict[int, list[tuple[float, float, float, bool]]] = {}
    for panel_id, x, y, ecd, accepted in particles:
        of_panel.setdefault(panel_id, []).append((x, y, ecd, bool(accepted)))
    return [
        MeasuredPanel(figure, label, Box(x0, y0, x1, y1), kind, scale, tuple(of_panel.get(panel_id, ())))
        for panel_id, figure, label, x0, y0, x1, y1, kind, scale in rows
    ]


def accepted_sizes(panels: Sequence[MeasuredPanel]) -> dict[str, list[float]]:
    """ECDs in nm of the accepted particles, by panel; panels of unknown scale are left out."""
    return {
        f"{panel.figure}{panel.panel or ''}": [p[2] * panel.nm_per_px for p in panel.particles if p[3]]
        for panel in panels
        if panel.nm_per_px is not None
    }


def _truth(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a truth file ({error})") from error
    return content


@click.command()
@click.option("--db", help="The database [default: $IDE_DB or sqlite:///particles.db].")
@click.option("--truth", type=click.Path(path_type=Path), help="truth.json [default: that of the bundled article].")
@click.option("--plot", type=click.Path(path_type=Path), help="Also plot the size distributions of the panels there.")
def _main(db: str | None, truth: Path | None, plot: Path | None) -> None:
    """Print what was measured of the sample article beside what was drawn."""
    try:
        known = _truth(truth or resource_path("data", "sample", "truth.json"))
        with Store.open(db or load_settings().db, read_only=True) as store:
            panels = measured_panels(store, known["doi"])
            rows = compare_with_truth(panels, known)
            if plot is not None:
                plot_sizes(accepted_sizes(panels), plot, title="Equivalent circular diameters of the sample article")
    except IdeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(format_comparison(rows))


if __name__ == "__main__":
    _main()
