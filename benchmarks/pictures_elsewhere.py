"""Take the pictures that benchmarks/pictures_elsewhere.json labels out of the packages that hold them.

    python benchmarks/pictures_elsewhere.py PACKAGES --out FOLDER
    python benchmarks/kinds.py --labels benchmarks/pictures_elsewhere.json --data FOLDER --half kept

Sample pictures of light microscopy, fluorescence, tissue, X-rays, magnetic resonance, scanning tunnelling, stars and
everyday things. PACKAGES is a folder with the archives that the labels name (docs/evaluation/figures.md says how to
fetch them).
Nothing in them is run or installed. Some are arrays rather than pictures; of these the labels give the layout ("raw")
and which plane is meant ("take"), and their values are stretched to 256 levels.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import zlib
from pathlib import Path
from typing import Any

import click
import figures_elsewhere
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageSequence

LABELS = Path(__file__).with_name("pictures_elsewhere.json")
#: Shares of the values that become black and white.
DARKEST, BRIGHTEST = 0.5, 99.7


@functools.cache
def unpacked(package: Path) -> tarfile.TarFile:
    """The files of a Debian package."""
    shown = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], check=True, capture_output=True)
    return tarfile.open(fileobj=io.BytesIO(shown.stdout))


def member(archive: Path, path: str) -> bytes:
    """The bytes of one file of an archive."""
    if archive.suffix != ".deb":
        return figures_elsewhere.member(archive, path)
    file = unpacked(archive).extractfile("./" + path)
    if file is None:
        raise KeyError(path)
    return file.read()


def array(data: bytes, layout: dict[str, Any]) -> npt.NDArray[Any]:
    """The array that a layout says the bytes hold: packing, offset, type and shape."""
    offset = int(layout.get("offset", 0))
    match layout.get("packed"):
        case "gzip":
            data = gzip.decompress(data)
        case "bz2":
            data = bz2.decompress(data)
        case "gzip after offset":  # as in NRRD, below its header
            data, offset = zlib.decompress(data[offset:], 47), 0
    shape = layout["shape"]
    return np.frombuffer(data, layout["dtype"], int(np.prod(shape)), offset).reshape(shape)


def picture(data: bytes, entry: dict[str, Any]) -> npt.NDArray[np.uint8]:
    """One labelled picture out of the bytes of its file, grey or RGB."""
    take = tuple(slice(None) if i is None else int(i) for i in entry.get("take", ()))
    if "raw" in entry:
        values = array(data, entry["raw"])
    elif entry["path"].endswith(".npy"):
        values = np.load(io.BytesIO(data))
    elif take:
        values = np.stack([np.asarray(page) for page in ImageSequence.Iterator(Image.open(io.BytesIO(data)))])
    else:
        image = Image.open(io.BytesIO(data))
        values = np.asarray(image if image.mode[:2] in ("L", "I;", "I", "F") else image.convert("RGB"))
    values = values[take] if take else values
    if entry.get("upside_down"):
        values = values[::-1]
    left, top, right, bottom = entry.get("crop", (0, 0, values.shape[1], values.shape[0]))
    values = values[top:bottom, left:right]
    return values if values.dtype == np.uint8 and not entry.get("stretch") else stretched(values)


def stretched(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Values of any range on 256 levels."""
    values = np.nan_to_num(values.astype(np.float64), nan=float(np.nanmin(values)))
    low, high = np.percentile(values, (DARKEST, BRIGHTEST))
    return np.asarray(np.clip((values - low) / ((high - low) or 1.0), 0, 1) * 255, np.uint8)


@click.command()
@click.argument("packages", type=click.Path(exists=True, path_type=Path, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="For the pictures.")
def main(packages: Path, out: Path) -> None:
    """Write the labelled pictures into a folder, as PNG."""
    out.mkdir(parents=True, exist_ok=True)
    for entry in json.loads(LABELS.read_text()):
        if not (packages / entry["archive"]).exists():
            click.echo(f"{entry['file']}: {entry['archive']} is not there", err=True)
            continue
        data = member(packages / entry["archive"], entry["path"])
        found = hashlib.sha256(data).hexdigest()
        if found != entry["sha256"]:
            raise ValueError(f"{entry['path']} in {entry['archive']} is another file: {found}")
        Image.fromarray(picture(data, entry)).save(out / entry["file"])


if __name__ == "__main__":
    main()
