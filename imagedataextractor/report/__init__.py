"""Reports: pictures, plots and a self-contained HTML page of what was measured."""

from imagedataextractor.report.pictures import COLOURS, draw_overlay, plot_sizes

__all__ = ["COLOURS", "draw_overlay", "plot_sizes"]
