"""A database with pictures that Datasette can draw, and hostile words in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.images import sha256_of
from imagedataextractor.measurement import measure_particles
from imagedataextractor.records import (
    Article,
    ArticleResult,
    Box,
    Failure,
    Figure,
    FigureResult,
    Panel,
    PanelResult,
    Run,
    Segmentation,
)
from imagedataextractor.store import Store

HOSTILE = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">\"'{{7*7}}"
DOI = "10.5555/served.1"
RUN = Run("run-1", "2026-01-02T03:04:05Z", "ide extract x", {"samples": 4}, {"torch": "2"}, "0" * 64, 7)
SHAPE = (300, 400)


def make_database(folder: Path) -> str:
    """One article with a figure of two panels, the second without a scale; its address."""
    micrograph = draw_micrograph(
        np.random.default_rng(3), shape=SHAPE, kind="sem", family="sphere", arrangement="scattered",
        median_diameter_px=24.0, coverage=0.2, scale_bar="plain", info_bar=None, letter=None,
    )  # fmt: skip
    path = folder / "figure <b>&'\" 1.png"
    Image.fromarray(np.hstack([micrograph.image, micrograph.image])).save(path)
    count = int(micrograph.label_map.max())
    segmentation = Segmentation(
        label_map=micrograph.label_map,
        uncertainty=np.linspace(0, 0.02, count),
        score=np.full(count, 0.9),
        filtered=np.arange(count) == 1,
        model="default",
        weights_sha256="0" * 64,
    )
    panels = []
    for index, bar in enumerate([micrograph.scale_bar, None]):
        particles = measure_particles(
            micrograph.label_map,
            nm_per_px=bar.nm_per_px if bar else None,
            uncertainty=segmentation.uncertainty,
            filtered=segmentation.filtered,
        )
        box = Box(400 * index, 0, 400 * index + 400, 300)
        panels.append(
            PanelResult(
                Panel(index, box, "ab"[index], "em", 0.9, "SEM", subcaption=f"Spheres {HOSTILE}"),
                bar,
                segmentation,
                particles,
            )
        )
    figure = Figure("Figure 1", f"SEM images {HOSTILE}")
    done = FigureResult(figure, "Figure 1", str(path), sha256_of(path), 800, 300, tuple(panels))
    article = Article(
        key=DOI, doi=DOI, title=f"Spheres {HOSTILE}", journal="Journal of Spheres", year=2024, figures=(figure,)
    )
    failure = Failure("figures", f"{DOI} / Figure 2", "InputError", f"figure.tif: {HOSTILE}")
    address = f"sqlite:///{folder / 'my particles.db'}"
    with Store.open(address) as store:
        store.start_run(RUN)
        store.write_article(ArticleResult(article, (done,), (failure,)), RUN.id)
    return address
