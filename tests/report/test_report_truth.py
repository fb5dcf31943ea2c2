"""Measured beside true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagedataextractor.records import Box
from imagedataextractor.report.truth import MeasuredPanel, compare_with_truth, format_comparison
from imagedataextractor.resources import resource_path


@pytest.fixture
def truth() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(resource_path("data", "sample", "truth.json").read_text(encoding="utf-8"))
    return content


def perfect(truth: dict[str, Any]) -> list[MeasuredPanel]:
    return [
        MeasuredPanel(
            figure["label"],
            panel["letter"],
            Box(*panel["box"]),
            panel["kind"],
            panel["nm_per_px"],
            tuple((p["x_px"], p["y_px"], p["ecd_px"], p["whole"]) for p in panel["particles"]),
        )
        for figure in truth["figures"]
        for panel in figure["panels"]
    ]


def test_a_perfect_measurement_has_no_errors(truth: dict[str, Any]) -> None:
    rows = compare_with_truth(perfect(truth), truth)

    assert len(rows) == len(perfect(truth))
    for row in rows:
        assert row.seen
        assert row.count == row.found == row.true_count
        assert row.false == 0
        assert row.scale_error in (0, None)
        assert row.size_error is None or abs(row.size_error) < 1e-4
    text = format_comparison(rows)
    total = sum(row.true_count for row in rows)
    assert f"{total} of {total} found, 0 of {total} accepted ones false" in text


def test_missing_shifted_and_invented_particles_are_told_apart(truth: dict[str, Any]) -> None:
    first = perfect(truth)[0]
    whole = [p for p in first.particles if p[3]]
    x, y, ecd, _ = whole[0]
    measured = MeasuredPanel(
        first.figure,
        first.panel,
        Box(first.box.x0 + 3, first.box.y0 - 2, first.box.x1, first.box.y1),
        "em",
        1.1 * (first.nm_per_px or 0),
        (
            (x - 3, y + 2, ecd, True),  # the same place, seen from the other box
            (x - 3, y + 2, ecd, True),  # the same particle once more
            (whole[1][0] - 3, whole[1][1] + 2, 2 * ecd, True),  # twice too wide
            (whole[2][0] - 3, whole[2][1] + 2, ecd, False),  # found, but rejected
        ),
    )
    row = compare_with_truth([measured], truth)[0]

    assert (row.found, row.count, row.false) == (2, 3, 2)
    assert row.scale_error == pytest.approx(0.1)


def test_a_panel_that_was_not_seen(truth: dict[str, Any]) -> None:
    rows = compare_with_truth([], truth)

    assert not any(row.seen for row in rows)
    assert "(not seen)" in format_comparison(rows)
    assert "0 of" in format_comparison(rows)


def test_particles_in_a_plot_are_reported(truth: dict[str, Any]) -> None:
    measured = [
        panel if panel.kind == "em" else MeasuredPanel(panel.figure, None, panel.box, "em", None, ((50, 50, 9, True),))
        for panel in perfect(truth)
    ]

    assert "panels that show none: 3" in format_comparison(compare_with_truth(measured, truth))


def test_the_command_reads_the_database(tmp_path: Path) -> None:
    import subprocess
    import sys

    absent = subprocess.run(
        [sys.executable, "-m", "imagedataextractor.report.demo", "--db", f"sqlite:///{tmp_path / 'absent.db'}"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert absent.returncode == 1
    assert absent.stderr.startswith("Error: ")
    assert len(absent.stderr.strip().splitlines()) == 1
