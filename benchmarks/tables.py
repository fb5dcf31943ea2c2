"""The tables of docs/evaluation in one command, with machine and date.

    make benchmarks                              # hours on a CPU; what a table needs and is not there is said
    make benchmarks QUICK=1                      # minutes, on a few drawn micrographs: to see that it works
    python benchmarks/tables.py --only segmentation store

Each table is made by a script of its own, run as it stands in the table's heading. The segmentation table holds the
peers in the same run: Otsu's threshold, a Gaussian mixture, contours and ellipses as in ImageDataExtractor 1, and the
published network (released 2.0.4) where `ide model fetch bpartis-2021` has brought its weights.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.errors import IdeError
from imagedataextractor.segmentation import Segmenter

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"

#: Networks of the segmentation table; those that are not installed are left out, and that is said.
MODELS = ("default", "bpartis", "bpartis-2021", "bpartis-2021-native")

#: Micrographs drawn for `--quick`.
DRAWN = 3


@dataclass(frozen=True)
class Table:
    name: str
    #: Script and arguments; {data} is the folder in the EMPS layout, {shared} that of the real data.
    full: tuple[str, ...]
    #: The same on little data; None: there is nothing shorter.
    quick: tuple[str, ...] | None = None
    #: What must be there, below the real data.
    needs: tuple[str, ...] = ()


_SEGMENTATION = (
    "segmentation_table.py",
    "--data",
    "{data}",
    "--split",
    "val",
    "--keep",
    "{keep}",
    "--models",
    "{models}",
)
TABLES = (
    Table("segmentation", _SEGMENTATION, (*_SEGMENTATION, "--modes", "discriminative"), ("emps-train",)),
    Table(
        "derived measures",
        ("derived_measures.py", "--data", "{data}", "--split", "val", "--keep", "{keep}"),
        needs=("emps-train",),
    ),
    Table("scale bars", ("scalebar.py", "--data", "{shared}"), needs=("emps-train", "scalebars")),
    Table("figures", ("figures.py", "--data", "{shared}"), ("figures.py", "--synthetic", "2"), ("figures",)),
    Table("letters", ("letters.py", "--data", "{shared}"), needs=("emps-train",)),
    Table("kinds", ("kinds.py", "--data", "{shared}"), needs=("figures",)),
    Table("materials", ("materials.py", "--half", "held out"), ("materials.py",)),
    Table("articles", ("articles.py",), needs=("samples",)),
    Table("measurement", ("measurement.py",), ("measurement.py", "--shapes", "5")),
    Table("edges", ("edge.py", "bias"), ("edge.py", "bias", "--images", "2")),
    Table("store", ("store.py", "write"), ("store.py", "write", "--articles", "20")),
    Table("mining", ("mining.py", "overhead"), ("mining.py", "overhead", "--articles", "200")),
)


def main() -> None:
    """Print every table that can be made here; exit with 1 if one of them broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[t.name for t in TABLES], help="these alone")
    parser.add_argument("--quick", action="store_true", help="little data, drawn here: to see that it works")
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the real data")
    arguments = parser.parse_args()
    print(f"{date.today()}, imagedataextractor {version('imagedataextractor')}, {machine()}", flush=True)
    if arguments.quick:
        print("QUICK: a few drawn micrographs; these figures say nothing of how good anything is", flush=True)
    broken = []
    with tempfile.TemporaryDirectory() as folder:
        for table in TABLES:
            if arguments.only and table.name not in arguments.only:
                continue
            command = _command(table, arguments.data, Path(folder), quick=arguments.quick)
            if command and not _made(table.name, command):
                broken.append(table.name)
    if broken:
        sys.exit(f"broken: {', '.join(broken)}")


def machine() -> str:
    """Processor, cores, load and system, for the head of a table."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{name}, {os.cpu_count()} cores{load}, {platform.system()}, Python {platform.python_version()}"


def _command(table: Table, shared: Path, folder: Path, *, quick: bool) -> list[str] | None:
    """Script and arguments; None, with a line that says why, where the table cannot be made."""
    if quick and table.quick is None:
        print(f"\n## {table.name}\nleft out: it has no quick form")
        return None
    missing = [name for name in table.needs if not (shared / name).is_dir()]
    if missing and not quick:
        print(f"\n## {table.name}\nleft out: no {', '.join(missing)} in {shared}")
        return None
    data = _draw_data(folder / "drawn") if quick else shared / "emps-train"
    places = {
        "{data}": [str(data)],
        "{shared}": [str(shared)],
        "{keep}": [str(folder if quick else HERE.parent / "runs" / "predictions")],
    }
    command: list[str] = []
    for word in (table.quick or ()) if quick else table.full:
        command += _installed() if word == "{models}" else places.get(word, [word])
    return command


def _installed() -> list[str]:
    """Those of `MODELS` that are here."""
    found = []
    for name in MODELS:
        try:
            Segmenter.load(name)
            found.append(name)
        except IdeError as error:
            print(f"without {name}: {error}")
    return found


def _draw_data(folder: Path) -> Path:
    """A few micrographs in the EMPS layout."""
    if folder.is_dir():
        return folder
    for part in ("images", "segmaps"):
        (folder / part).mkdir(parents=True)
    with (folder / "split.csv").open("w", newline="", encoding="utf-8") as file:
        split = csv.writer(file)
        split.writerow(("name", "split"))
        for number in range(DRAWN):
            drawn = draw_micrograph(np.random.default_rng(number), shape=(256, 320), kind="tem")
            Image.fromarray(drawn.image).save(folder / "images" / f"{number}.png")
            Image.fromarray(drawn.label_map.astype(np.uint16)).save(folder / "segmaps" / f"{number}.png")
            split.writerow((number, "val"))
    return folder


def _made(name: str, command: Sequence[str]) -> bool:
    """Run one script and show what it prints; whether it ended well."""
    print(f"\n## {name}\npython benchmarks/{' '.join(command)}", flush=True)
    began = time.perf_counter()
    done = subprocess.run([sys.executable, HERE / command[0], *command[1:]], cwd=HERE.parent, check=False)
    print(f"({time.perf_counter() - began:.0f} s)", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    main()
