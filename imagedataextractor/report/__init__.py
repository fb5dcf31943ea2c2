"""Reports: pictures, plots and a self-contained HTML page of what was measured.

In: rows of the database, or tables of particles, and the pictures where they lie. Out: overlays, figures, pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagedataextractor.report.pictures import COLOURS, draw_overlay
from imagedataextractor.report.plots import plot_sizes
from imagedataextractor.report.truth import compare_with_truth

if TYPE_CHECKING:
    from imagedataextractor.report.html import write_report

__all__ = ["COLOURS", "compare_with_truth", "draw_overlay", "plot_sizes", "write_report"]


def __getattr__(name: str) -> Any:
    """Only the HTML report asks the database, so only it loads what that needs."""
    if name == "write_report":
        from imagedataextractor.report.html import write_report

        return write_report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
