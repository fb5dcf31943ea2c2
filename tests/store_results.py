"""Made-up results, as the pipeline would return them, repeatable from a seed."""

from __future__ import annotations

import hashlib
import math

import numpy as np

from imagedataextractor.records import (
    Article,
    ArticleResult,
    Box,
    CaptionFacts,
    Failure,
    Figure,
    FigureResult,
    InfoBar,
    Panel,
    PanelResult,
    ParticleTable,
    Reason,
    Run,
    ScaleBar,
    Segmentation,
    SizeStatement,
)

WEIGHTS = "ab" * 32


def make_run(run_id: str = "run-1", *, seed: int = 0, threshold: float = 0.1, device: str = "cpu") -> Run:
    settings = {
        "figures": {"em_threshold": 0.5},
        "scalebar": {"ocr": "rapidocr"},
        "segmentation": {"mode": "filtered", "threshold": threshold, "device": device},
        "services": {"timeout_s": 30.0},
    }
    return Run(run_id, "2026-01-01T00:00:00+00:00", "ide extract", settings, {"imagedataextractor": "3"}, WEIGHTS, seed)


def make_particle(label: int, rng: np.random.Generator) -> dict[str, object]:
    """A round particle as a row for `ParticleTable.from_rows`."""
    radius = float(rng.uniform(5, 20))
    x, y = (float(v) for v in rng.uniform(20, 200, 2))
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    kept = label % 5 != 0
    widths = ("ecd_px", "feret_max_px", "feret_min_px", "major_axis_px", "minor_axis_px")
    return {
        "label": label, "x_px": x, "y_px": y, "area_px": math.pi * radius**2, "perimeter_px": 2 * math.pi * radius,
        **dict.fromkeys(widths, 2 * radius), "aspect_ratio": 1.0, "circularity": 1.0, "solidity": 0.98,
        "orientation_deg": 0.0, "touches_border": not kept, "uncertainty": 0.02, "score": 0.9,
        "reason": None if kept else Reason.BORDER,
        "contour": tuple((round(x + radius * math.cos(a)), round(y + radius * math.sin(a))) for a in angles),
    }  # fmt: skip


def make_panel(
    index: int, rng: np.random.Generator, particles: int = 10, nm_per_px: float | None = 2.0, run: Run | None = None
) -> PanelResult:
    run = run or make_run()
    labels = np.zeros((220, 220), np.int32)
    segmentation = Segmentation(
        labels, np.full(particles, 0.02), np.full(particles, 0.9), np.zeros(particles, bool), None, "default",
        run.weights_sha256, "filtered", 8, 0.1, run.seed,
    )  # fmt: skip
    box = Box(0, 230 * index, 220, 230 * index + 220)
    return PanelResult(
        Panel(index, box, "abcdef"[index], "em", 0.97, "TEM", subcaption=f"TEM of sample {index}.",
              info_bar=InfoBar(Box(0, 200, 220, 220), "200 kV", voltage_kv=200.0)),
        ScaleBar(100, "nm", 50.0, 10.0, 60.0, 210.5, nm_per_px, 0.9, "100 nm", "bar")
        if nm_per_px else ScaleBar(reason="no bar found"),
        segmentation,
        ParticleTable.from_rows((make_particle(i + 1, rng) for i in range(particles)), nm_per_px=nm_per_px),
        {"ecd_mean_nm": np.float64(20.0), "cv": float("nan")},
    )  # fmt: skip


def make_result(
    number: int = 1, *, figures: int = 2, panels: int = 2, particles: int = 10, nm_per_px: float | None = 2.0,
    failures: tuple[Failure, ...] = (), run: Run | None = None,
) -> ArticleResult:  # fmt: skip
    """Article `number`; the same arguments give the same result."""
    rng = np.random.default_rng(number)
    facts = CaptionFacts(
        is_em=True, techniques=("TEM",), size_statements=(SizeStatement(40.0, 5.0, ("a",), "40 ± 5 nm", 0, 9),)
    )
    described = tuple(
        Figure(f"Figure {i + 1}", f"TEM of silica, 40 ± 5 nm ({i}).", (f"f{i}.png",), facts=facts)
        for i in range(figures)
    )
    plot = Figure(f"Figure {figures + 1}", "Absorption spectra.")
    article = Article(
        f"key-{number}", f"10.1000/Example.{number}", f"Article {number}", ("A. Author",), "Journal", 2020 + number % 5,
        "CC-BY-4.0", (*described, plot), source="jats",
    )  # fmt: skip
    return ArticleResult(
        article,
        tuple(
            FigureResult(
                figure, figure.label, f"/somewhere/{number}/f{i}.png",
                hashlib.sha256(f"{number}/{i}".encode()).hexdigest(), 220, 230 * panels,
                tuple(make_panel(p, rng, particles, nm_per_px, run) for p in range(panels)),
            )
            for i, figure in enumerate(described)
        ),
        failures,
    )  # fmt: skip


#: Tables and what of them must be the same however often, and in however many attempts, a result was written.
SAME = {
    "articles": "SELECT key, doi, title, authors, journal, year, licence, source, path FROM articles",
    "figures": "SELECT a.key, f.label, f.caption, f.is_em, f.image_path, f.image_sha256, f.width_px, f.height_px "
    "FROM figures f JOIN articles a ON a.id = f.article_id",
    "panels": "SELECT f.image_sha256, f.label, n.panel_index, n.label, n.kind, n.x0, n.y0, n.x1, n.y1, n.subcaption "
    "FROM panels n JOIN figures f ON f.id = n.figure_id",
    "scalebars": "SELECT f.image_sha256, f.label, n.panel_index, b.settings_digest, b.is_current, b.nm_per_px "
    "FROM scalebars b JOIN panels n ON n.id = b.panel_id JOIN figures f ON f.id = n.figure_id",
    "segmentations": "SELECT f.image_sha256, f.label, n.panel_index, s.settings_digest, s.is_current, s.n_particles, "
    "s.ecd_mean_nm FROM segmentations s JOIN panels n ON n.id = s.panel_id JOIN figures f ON f.id = n.figure_id",
    "particles": "SELECT f.image_sha256, f.label, n.panel_index, s.settings_digest, p.label, p.x_px, p.y_px, "
    "p.area_px, p.ecd_nm, p.accepted, p.reason, p.contour "
    "FROM particles p JOIN segmentations s ON s.id = p.segmentation_id "
    "JOIN panels n ON n.id = s.panel_id JOIN figures f ON f.id = n.figure_id",
    "targets": "SELECT key, settings_digest, state, fingerprint FROM targets",
    "failures": "SELECT target_key, stage, target, error_class, message, resolved_at IS NULL FROM failures",
}


def all_rows(store) -> dict[str, list[tuple]]:
    """Every row of every table, without ids, run ids and times, in a fixed order."""
    return {name: sorted(store.query(sql)[1], key=repr) for name, sql in SAME.items()}
