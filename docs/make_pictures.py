"""Draw the pictures of README and tutorials from the sample, whose particles are all synthetic.

python docs/example_files.py examples
(cd examples && ide extract data/sample my-micrographs micrograph.png --scales scales.csv --pictures overlays)
python docs/make_pictures.py examples
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import imagedataextractor as ide

PICTURES = Path(__file__).parent / "pictures"

#: Colours of a PNG's palette: enough for grey micrographs with coloured outlines, a third of the bytes.
COLOURS = 192

CAPTION = (
    "Figure 1. Scanning electron micrographs of silica\n"
    "spheres made with (a) 2.0 mL and (b) 4.0 mL of\n"
    "ammonia, (c) TEM image of a third batch, and (d)\n"
    "size distribution of the spheres in (a)."
)

ROWS = """
SELECT panel, particle, printf('%.1f', ecd_nm) AS ecd_nm, printf('%.2f', aspect_ratio) AS aspect,
    printf('%.3f', score) AS score, CASE WHEN accepted THEN 'yes' ELSE reason END AS counts
FROM measured_particles WHERE doi = '10.5555/ide-sample.1' AND figure = 'Figure 1' AND panel IN ('a', 'c')
ORDER BY panel_index, particle LIMIT 9
"""

SIZES = """
SELECT panel, ecd_nm FROM measured_particles
WHERE doi = '10.5555/ide-sample.1' AND figure = 'Figure 1' AND panel IN ('a', 'b', 'c') AND accepted
"""


def draw_in_and_out(folder: Path) -> Figure:
    """What goes in, what is found, what comes out."""
    with ide.open_database(folder / "particles.db") as db:
        rows, sizes = db.query(ROWS).to_pandas(), db.query(SIZES).to_pandas()
    figure = plt.figure(figsize=(10.5, 4.2), dpi=130)
    grid = figure.add_gridspec(2, 3, width_ratios=(1.25, 0.82, 1.15), height_ratios=(1.15, 1), wspace=0.12, hspace=0.16)
    whole = figure.add_subplot(grid[:, 0])
    _show(whole, folder / "data/sample/ide-sample-1-g001.jpg", "in: articles, figures, micrographs")
    whole.text(0, -0.03, CAPTION, transform=whole.transAxes, fontsize=7.5, va="top")
    _show(
        figure.add_subplot(grid[0, 1]),
        folder / "overlays/10.5555_ide-sample.1_Figure_1a.png",
        "found: scale and particles",
    )
    _show(figure.add_subplot(grid[1, 1]), folder / "overlays/10.5555_ide-sample.1_Figure_1c.png")
    table = figure.add_subplot(grid[0, 2])
    table.set_title("out: a row a particle", fontsize=10)
    table.axis("off")
    cells = table.table(
        cellText=rows.astype(str).values, colLabels=list(rows.columns), loc="center", edges="horizontal"
    )
    cells.auto_set_font_size(False)
    cells.set_fontsize(7.5)
    cells.scale(1, 1.02)
    _histogram(figure.add_subplot(grid[1, 2]), sizes)
    return figure


def _show(axes: Axes, path: Path, title: str = "") -> None:
    axes.imshow(np.asarray(Image.open(path).convert("RGB")))
    axes.set_title(title, fontsize=10)
    axes.axis("off")


def _histogram(axes: Axes, sizes: object) -> None:
    for panel, colour in (("a", "#3b6fb6"), ("b", "#d9822b"), ("c", "#4a9a6d")):
        chosen = sizes[sizes.panel == panel].ecd_nm  # type: ignore[index]
        axes.hist(chosen, bins=np.arange(280, 1320, 40), color=colour, alpha=0.7, label=f"{panel}: n = {len(chosen)}")
    axes.set_xlabel("equivalent circular diameter (nm)", fontsize=8)
    axes.set_ylabel("particles", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def write_png(figure: Figure, path: Path) -> None:
    """With a palette, which keeps the repository small."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", bbox_inches="tight", facecolor="white")
    Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Write them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="example files with particles.db and overlays/")
    folder = parser.parse_args().folder
    PICTURES.mkdir(exist_ok=True)
    write_png(draw_in_and_out(folder), PICTURES / "in-and-out.png")
    overlay = Image.open(folder / "overlays" / "micrograph.png").convert("RGB")
    overlay.quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURES / "overlay.png", optimize=True)
    ide.plot(folder / "my-micrographs", db=folder / "particles.db", group_by="folder", out=PICTURES / "sizes.svg")


if __name__ == "__main__":
    main()
