"""Mutated pictures, label maps, training sets, databases, TOML files and tables through the real commands.

    python benchmarks/fuzz_commands.py [--count N] [--seed S] [--only NUMBER] [--kind KIND]

Each input goes through `ide extract`, `measure`, `train`, `query`, `report` or another command that takes its kind, as
`main()` of the command line runs it, in a child process that reads a batch of them; every `FRESH`th in a process of
its own. Drawn pictures are small, so that most of the time goes into reading.

Nothing but the exit codes 0, 1 and 2 with a word about why may come of it. An exception that leaves `main`, a
"Traceback" or a warning of Python's on stderr, silence with an error's exit code, more than 20 s of CPU time for one
input, or a process of more than 2 GB is a finding, printed with the number that makes it again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import queue
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.cli import main as ide_main

#: CPU time that one input may take, seconds; and wall time after which its process is ended, on a busy machine.
CPU_LIMIT_S, WALL_LIMIT_S = 20.0, 240.0
#: Memory that a process may take at its peak, bytes.
MEMORY_LIMIT = 2_000_000_000
#: Inputs that one child process gets, and one in how many is run in a process of its own.
BATCH, FRESH = 250, 250
#: Kind of input → its share.
SHARES = {"picture": 0.15, "labelmap": 0.2, "train": 0.08, "database": 0.3, "toml": 0.15, "table": 0.12}

Rng = np.random.Generator


# ---------------------------------------------------------------- samples


@dataclass(frozen=True)
class Samples:
    """Whole inputs of each kind, in a folder."""

    folder: Path

    @property
    def pictures(self) -> list[Path]:
        return sorted((self.folder / "pictures").iterdir())

    @property
    def label_maps(self) -> list[Path]:
        return sorted((self.folder / "maps").iterdir())

    @property
    def databases(self) -> list[Path]:
        return sorted((self.folder / "databases").iterdir())


def draw_samples(folder: Path) -> Samples:
    """Small inputs of every kind; the databases are made by the program itself, and taken back to each older schema."""
    for name in ("pictures", "maps", "databases", "set/images", "set/segmaps"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    seen = draw_micrograph(rng, shape=(72, 96), kind="tem", median_diameter_px=12, info_bar=None, letter=None)
    _write_pictures(folder / "pictures", seen.image[:40, :50])
    Image.fromarray(seen.image[:56, :64]).save(folder / "pictures" / "measured.png")
    tifffile.imwrite(folder / "pictures" / "measured.tif", seen.image[:56, :64], photometric="minisblack")
    _write_maps(folder / "maps", seen.label_map)
    Image.fromarray(seen.image).save(folder / "micrograph.png")
    for name in "abc":
        Image.fromarray(seen.image).save(folder / "set/images" / f"{name}.png")
        Image.fromarray(seen.label_map.astype(np.uint16)).save(folder / "set/segmaps" / f"{name}.png")
    (folder / "set/split.csv").write_text("name,split\na,train\nb,train\nc,val\n")
    newest = folder / "databases" / "newest.db"
    code, words, _ = in_process(["extract", str(folder / "micrograph.png"), "--db", str(newest), "--samples", "2"])
    if code != 0:
        raise SystemExit(f"the sample database could not be made: {words}")
    _older_databases(newest)
    _foreign_databases(folder / "databases")
    return Samples(folder)


def _write_pictures(folder: Path, grey: Any) -> None:
    colour = np.dstack([grey, grey[::-1], grey])
    for suffix in ("png", "jpg", "bmp", "gif", "webp"):
        Image.fromarray(colour).save(folder / f"colour.{suffix}")
    Image.fromarray(grey).convert("P").save(folder / "palette.png")
    Image.fromarray(grey).convert("1").save(folder / "bits.png")
    Image.fromarray(grey.astype(np.uint16) * 99).save(folder / "deep.png")
    for kind in ("uint8", "uint16", "int32", "float32", "float64"):
        pages = np.stack([grey, grey]).astype(kind)
        tifffile.imwrite(folder / f"{kind}.tif", pages, photometric="minisblack")
        tifffile.imwrite(folder / f"{kind}-packed.tif", pages, photometric="minisblack", compression="zlib")
    unit = {"ImageJ": "1.53t", "unit": "nm", "spacing": 1.0}
    tifffile.imwrite(folder / "imagej.tif", grey, imagej=True, resolution=(2.0, 2.0), metadata=unit)
    tifffile.imwrite(folder / "tiles.tif", grey, tile=(16, 16), photometric="minisblack")


def _write_maps(folder: Path, labels: Any) -> None:
    np.save(folder / "labels.npy", labels.astype(np.int32))
    np.save(folder / "floats.npy", labels.astype(np.float64))
    for suffix in ("png", "tif"):
        Image.fromarray(labels.astype(np.uint16)).save(folder / f"labels.{suffix}")
    mask = (labels > 0).astype(np.uint8) * 255
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(mask).convert("1").save(folder / "bits.png")
    colours = np.random.default_rng(1).integers(1, 255, (int(labels.max()) + 1, 3)).astype(np.uint8)
    colours[0] = 0
    Image.fromarray(colours[labels]).save(folder / "colours.png")
    tifffile.imwrite(folder / "packed.tif", labels.astype(np.int32), compression="zlib")


def _older_databases(newest: Path) -> None:
    from alembic import command

    from imagedataextractor.store.session import _alembic, known_revisions, open_engine, parse_url

    for revision in sorted(known_revisions()):
        older = newest.with_name(f"{revision}.db")
        shutil.copy(newest, older)
        config = _alembic()
        with open_engine(parse_url(str(older)), create=False).begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, revision)


def _foreign_databases(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "other.db")) as other, other:
        other.execute("CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT)")
        other.execute("CREATE TABLE particles (id INTEGER PRIMARY KEY, colour TEXT)")
    (folder / "text.db").write_text("file,size\na.tif,12\n" * 50)
    (folder / "empty.db").write_bytes(b"")
    (folder / "zip.db").write_bytes(b"PK\x03\x04" + bytes(300))


# ---------------------------------------------------------------- mutations


def mutated(rng: Rng, data: bytes) -> bytes:
    """The bytes with a few of them changed, or a part cut out or repeated."""
    body = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at, length = int(rng.integers(len(body))), int(rng.integers(1, 64))
        what = int(rng.integers(6))
        if what == 0:
            body[at] = int(rng.integers(256))
        elif what == 1:
            body[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"])
        elif what == 2:
            del body[at : at + length]
        elif what == 3:
            body[at:at] = body[at : at + length]
        elif what == 4:
            body[at] ^= 1 << int(rng.integers(8))
        else:
            del body[max(1, at) :]
        body = body or bytearray(b"\0")
    return bytes(body)


#: Values that no column of the program's tables expects everywhere.
_ODD_SQL = (
    *("NULL", "-1", "0", "9223372036854775807", "1e308", "9e999", "-9e999", "0.5", "'text'", "''", "'nan'"),
    *("x'ff00'", "CAST(x'ff' AS TEXT)", "CAST(x'00' AS TEXT)", "'<script>alert(1)</script>'", "zeroblob(100)"),
    *("'{\"a\": 1}'", "'[]'", "char(55296)", "printf('%.5000c', 'a')", "'/no/such/file.png'", "'2024-99-99'"),
)


def mutate_rows(rng: Rng, path: Path) -> None:
    """A database whose rows, tables or revision are not what the program wrote."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for _ in range(int(rng.integers(1, 6))):
            table = str(rng.choice(tables)) if tables else "none"
            columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')] or ["none"]
            column, odd = str(rng.choice(columns)), str(rng.choice(_ODD_SQL))
            some = "" if rng.random() < 0.5 else " WHERE rowid % 3 = 0"
            statement = (
                f'UPDATE "{table}" SET "{column}" = {odd}{some}',
                f'UPDATE "{table}" SET "{column}" = {odd}{some}',
                f'UPDATE "{table}" SET "{column}" = {odd}{some}',
                f'DELETE FROM "{table}"{some}',
                f'ALTER TABLE "{table}" DROP COLUMN "{column}"',
                f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO other',
                f'DROP TABLE "{table}"',
                "DROP VIEW measured_particles",
                "UPDATE alembic_version SET version_num = 'ff00'",
            )[int(rng.integers(9))]
            with contextlib.suppress(sqlite3.Error):
                connection.execute(statement)
                connection.commit()


_TOML_VALUES = (
    *("true", "0", "-1", "1e400", "nan", "inf", "99999999999999999999999", "0x7f", '""', '"x"', '"∑é"', "[]", "[1]"),
    *('["a", 1]', "{}", "{a = 1}", "1979-05-27", "07:32:00", '"""\na\n"""', "'\\'", "[[[[[[]]]]]]", '"\\u0000"', "1_0"),
    *('"\\ud800"', '"' + "a" * 3000 + '"', "[" * 500 + "]" * 500),
)
_SETTINGS = """
db = "sqlite:///other.db"
[services]
timeout_s = 30.0
attempts = 4
contact = "a@b.example"
[articles]
licences = ["CC BY"]
[figures]
min_panel_px = 48
em_threshold = 0.5
[scalebar]
ocr = "rapidocr"
threshold = 0.7
[segmentation]
model = "default"
mode = "filtered"
samples = 4
seed = 0
[mining]
workers = 1
disk_budget_bytes = 1000000
"""
_DEFINITION = """
title = "Gold"
description = "Of gold"
database = "sqlite:///gold.db"
[corpus]
dois = ["10.5555/a", "10.5555/b"]
years = [2015, 2024]
licences = ["CC BY", "CC0"]
open_access = true
limit = 10
[settings.segmentation]
mode = "filtered"
[settings.scalebar]
threshold = 0.5
"""
_TABLES = (
    "file,panel,nm_per_px,bar,bar_px,field_width\nmicrograph.png,,0.42,,,\nother.png,a,,200 nm,156,\n",
    "file;sample\nmicrograph.png;A\nother.png;B\n",
    'Title;DOI;Year\n"A, b";10.5555/abc;2020\nC;n/a;2021\n',
    "TY  - JOUR\nTI  - A title\nDO  - 10.5555/abc\nER  - \n\nTY  - JOUR\nUR  - https://doi.org/10.5555/d\nER  - \n",
    '@article{a, title = {T {B}}, doi = {10.5555/abc}}\n@book{b, url = "https://doi.org/10.5555/d"}\n',
    '[{"DOI": "10.5555/abc", "title": "a"}, {"URL": "https://doi.org/10.5555/d"}]',
    "10.5555/abc\nhttps://doi.org/10.5555/d\n# note\n",
)
_ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252", "utf-32")


def mutated_text(rng: Rng, text: str, values: tuple[str, ...]) -> bytes:
    """Lines doubled, moved, lost, with other values; then in one of the encodings that people save in."""
    lines = text.strip().split("\n")
    for _ in range(int(rng.integers(1, 5))):
        at, to, what = int(rng.integers(len(lines))), int(rng.integers(len(lines))), int(rng.integers(7))
        if what <= 2:
            lines[at] = re.sub(r"(?<=[=,;:])[^,;]*", lambda _: f" {rng.choice(values)}", lines[at], count=1)
        elif what == 3:
            lines.insert(to, lines[at])
        elif what == 4 and len(lines) > 1:
            del lines[at]
        elif what == 5:
            cut = int(rng.integers(len(lines[at]) + 1))
            lines[at] = lines[at][:cut] + str(
                rng.choice(['"', "'", "[", "]", "\0", "\u2028", "é", "\\", ",", "=", "\t"])
            )
        else:
            lines[at] = lines[at] * int(rng.integers(2, 200))
    ending = str(rng.choice(["\n", "\r\n", "\r"]))
    body = ending.join(lines).encode(str(rng.choice(_ENCODINGS)), errors="replace")
    return mutated(rng, body) if body and rng.random() < 0.3 else body


# ---------------------------------------------------------------- inputs


@dataclass(frozen=True)
class Input:
    """What one command gets."""

    kind: str
    name: str
    arguments: list[str]
    environment: dict[str, str]


Maker = Callable[[Rng, Samples, Path], Input]


def picture(rng: Rng, samples: Samples, folder: Path) -> Input:
    sample = samples.pictures[rng.integers(len(samples.pictures))]
    path = folder / f"input{sample.suffix}"
    path.write_bytes(mutated(rng, sample.read_bytes()))
    how = [[], ["--whole"], ["--figure"], ["--nm-per-px", "0.5"], ["--page", "2"]][int(rng.integers(5))]
    arguments = ["extract", str(path), "--db", str(folder / "out.db"), "--samples", "1", *how]
    return Input("picture", sample.name, arguments, {})


def labelmap(rng: Rng, samples: Samples, folder: Path) -> Input:
    sample = samples.label_maps[rng.integers(len(samples.label_maps))]
    path = folder / f"input{sample.suffix}"
    path.write_bytes(mutated(rng, sample.read_bytes()))
    how = [[], ["--json"], ["--json", "--contours"], ["--image", str(samples.folder / "micrograph.png")]]
    return Input("labelmap", sample.name, ["measure", str(path), "--nm-per-px", "0.5", *how[int(rng.integers(4))]], {})


def train(rng: Rng, samples: Samples, folder: Path) -> Input:
    data = folder / "set"
    shutil.copytree(samples.folder / "set", data)
    victims = [data / "split.csv", *(data / part / f"{n}.png" for part in ("images", "segmaps") for n in "ab")]
    victim = victims[rng.integers(len(victims))]
    if victim.suffix == ".csv":
        victim.write_bytes(mutated_text(rng, victim.read_text(), ("train", "val", "a", "../a", "")))
    elif rng.random() < 0.3:
        maps = [path for path in samples.label_maps if path.suffix == ".png"]
        victim.write_bytes(maps[rng.integers(len(maps))].read_bytes())
    else:
        victim.write_bytes(mutated(rng, victim.read_bytes()))
    small = ["--steps", "1", "--crops", "64x1", "--validate", ""]
    return Input(
        "train",
        str(victim.relative_to(data)),
        ["train", "segmentation", str(data), "--out", str(folder / "run"), *small],
        {},
    )


def database(rng: Rng, samples: Samples, folder: Path) -> Input:
    sample = samples.databases[rng.integers(len(samples.databases))]
    sample = samples.folder / "databases" / "newest.db" if rng.random() < 0.5 else sample
    path = folder / "input.db"
    shutil.copy(sample, path)
    if rng.random() < 0.6 and sample.stem not in ("text", "empty", "zip"):
        mutate_rows(rng, path)
    if path.stat().st_size and rng.random() < 0.4:
        path.write_bytes(mutated(rng, path.read_bytes()))
    micrograph = str(samples.folder / "micrograph.png")
    report = ["report", "--out", str(folder / "report.html")]
    asked = (
        *(["query", "SELECT * FROM measured_particles LIMIT 5"], ["query", "SELECT * FROM runs", "--json"]),
        *(["query", "--named", name] for name in ("articles", "panels", "failures", "runs", "size-distribution")),
        *(report, report, ["status"], ["status", "--migrate"], ["summary"], ["correct", "--list"], ["export"]),
        *(
            ["export", "--format", "coco"],
            ["plot", "--out", str(folder / "plot.pdf")],
            ["compare", micrograph, micrograph],
        ),
        *(["screen", micrograph, "--out", str(folder / "page.html")], ["correct", micrograph, "--reject", "1"]),
        ["extract", micrograph, "--samples", "1", "--nm-per-px", "1"],
    )
    arguments = asked[int(rng.integers(len(asked)))]
    return Input("database", sample.name, [*arguments, "--db", str(path)], {})


def toml(rng: Rng, samples: Samples, folder: Path) -> Input:
    path = folder / "input.toml"
    if rng.random() < 0.5:
        path.write_bytes(mutated_text(rng, _SETTINGS, _TOML_VALUES))
        arguments = [["doctor"], ["status"], ["extract", str(folder / "none.png")]][int(rng.integers(3))]
        return Input("toml", "settings", arguments, {"IDE_CONFIG": str(path)})
    way = ["dois", 'folder = "."', 'dois_file = "list.txt"', 'query = "gold"'][int(rng.integers(4))]
    text = _DEFINITION if way == "dois" else _DEFINITION.replace('dois = ["10.5555/a", "10.5555/b"]', way)
    (folder / "list.txt").write_text("10.5555/a\n")
    path.write_bytes(mutated_text(rng, text, _TOML_VALUES))
    offline = {"IDE_EUROPEPMC_URL": "http://127.0.0.1:9", "IDE_CONFIG": os.devnull}
    return Input("toml", "definition", ["mine", str(path), "--dry-run"], offline | {"IDE_CONFIG": ""})


def table(rng: Rng, samples: Samples, folder: Path) -> Input:
    which = int(rng.integers(len(_TABLES)))
    path = folder / "input.csv"
    path.write_bytes(
        mutated_text(rng, _TABLES[which], ("", "n/a", "1,5", "-3", "1e999", "０", "10.1/", "<b>", "=1+1", "é"))
    )
    shutil.copy(samples.folder / "databases" / "newest.db", folder / "out.db")
    db = ["--db", str(folder / "out.db")]
    if which == 0:
        return Input("table", "scales", ["extract", str(folder / "none.png"), "--scales", str(path), *db], {})
    if which == 1:
        return Input("table", "groups", ["summary", "--groups", str(path), "--group-by", "sample", *db], {})
    return Input("table", f"DOI list {which}", ["mine", "--dois", str(path), "--dry-run", *db], {})


MAKERS: dict[str, Maker] = {
    "picture": picture,
    "labelmap": labelmap,
    "train": train,
    "database": database,
    "toml": toml,
    "table": table,
}


def make(samples: Samples, folder: Path, seed: int, number: int, kind: str | None) -> Input:
    """Input `number` of a run, in a folder of its own."""
    rng = np.random.default_rng((seed, number))
    chosen = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    return MAKERS[kind or chosen](rng, samples, folder)


# ---------------------------------------------------------------- running


def in_process(arguments: list[str]) -> tuple[int, str, bool]:
    """Exit code and stderr of a command run by `main` in this process, and whether it printed something on stdout."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    kept = sys.argv, sys.stdout, sys.stderr
    sys.argv, sys.stdout, sys.stderr = ["ide", *arguments], out, err
    code: Any = 0
    try:
        ide_main()
    except SystemExit as leaving:
        code = leaving.code
    finally:
        sys.argv, sys.stdout, sys.stderr = kept
    for stream in (out, err):
        stream.flush()
    said: bytes = err.buffer.getvalue()  # type: ignore[attr-defined]
    return (code if isinstance(code, int) else 1), said.decode(errors="replace"), out.tell() > 0


def in_fresh_process(arguments: list[str]) -> tuple[int, str, bool]:
    """The same in a process of its own, with whatever libraries print below Python."""
    program = "from imagedataextractor.cli import main; main()"
    words = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(words, capture_output=True, timeout=WALL_LIMIT_S, check=False)
    return done.returncode, done.stderr.decode(errors="replace"), bool(done.stdout.strip())


def judged(code: int, words: str, printed: bool) -> str:
    """What became of an input, in words."""
    if code not in (0, 1, 2):
        return f"finding: exit code {code}: {words[-200:]}"
    if "Traceback" in words or re.search(r"\w+Warning: ", words):
        return f"finding: {' / '.join(words.strip().splitlines()[-3:])[:300]}"
    if code and not words.strip() and not printed:
        return f"finding: exit code {code} without a word"
    return ("done", "refused", "usage")[code]


def run_one(given: Input, *, fresh: bool) -> str:
    began = cpu_s()
    kept = {name: os.environ.get(name) for name in given.environment}
    os.environ.update(given.environment)
    try:
        outcome = judged(*(in_fresh_process if fresh else in_process)(given.arguments))
    except Exception as error:
        outcome = f"finding: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
    spent = cpu_s() - began
    return outcome if spent <= CPU_LIMIT_S else f"finding: took {spent:.0f} s ({outcome})"


def cpu_s() -> float:
    """CPU time of this process and of those that it has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def run_batch(samples: Samples, seed: int, numbers: range, kind: str | None, out: Any) -> None:
    """Run a batch in this process; its number is told before each input, its outcome and the peak of memory after."""
    for number in numbers:
        with tempfile.TemporaryDirectory() as name:
            os.chdir(name)
            given = make(samples, Path(name), seed, number, kind)
            out.put(("start", number, f"{given.kind} {given.name}: {' '.join(given.arguments[:1])}"))
            began = cpu_s()
            outcome = run_one(given, fresh=number % FRESH == FRESH - 1)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            if peak > MEMORY_LIMIT and not outcome.startswith("finding"):
                outcome = f"finding: {peak / 1e9:.1f} GB ({outcome})"
            out.put(("end", number, outcome, given.kind, peak, cpu_s() - began))
            os.chdir("/")


def fuzz(
    samples: Samples, seed: int, numbers: range, kind: str | None
) -> tuple[Counter[tuple[str, str]], list[str], int]:
    """Outcomes by kind of input, the findings, and the largest peak of memory, bytes."""
    outcomes: Counter[tuple[str, str]] = Counter()
    findings: list[str] = []
    largest = 0
    cost: dict[str, float] = dict.fromkeys(MAKERS, 0.0)
    context = multiprocessing.get_context("fork")
    at = numbers.start
    while at < numbers.stop:
        channel: Any = context.Queue()
        batch = range(at, min(at + BATCH, numbers.stop))
        child = context.Process(target=run_batch, args=(samples, seed, batch, kind, channel))
        child.start()
        name = ""
        for told in _messages(child, channel):
            if told is None:
                findings.append(f"{at} {name}: the process ended or hung (code {child.exitcode})")
                outcomes[name.partition(" ")[0], "finding"] += 1
                at += 1
                break
            if told[0] == "start":
                at, name = told[1], told[2]
                continue
            _, number, outcome, of_kind, peak, spent = told
            cost[of_kind] += spent
            at, largest = number + 1, max(largest, peak)
            outcomes[of_kind, outcome.split(":")[0]] += 1
            if outcome.startswith("finding"):
                findings.append(f"{number} {name}: {outcome}")
                print(f"--only {findings[-1]}", file=sys.stderr, flush=True)
        child.join()
        seconds = " ".join(f"{kind} {spent:.0f} s" for kind, spent in cost.items())
        print(
            f"{at} of {numbers.stop}, {len(findings)} findings, {largest / 1e9:.2f} GB, {seconds}",
            file=sys.stderr,
            flush=True,
        )
    return outcomes, findings, largest


def _messages(child: Any, channel: Any) -> Iterator[Any]:
    """What a child tells; None where it died, or had to be ended, in the middle of an input."""
    is_open, since = False, time.monotonic()
    while True:
        try:
            told = channel.get(timeout=1.0)
        except queue.Empty:
            if not child.is_alive():
                if is_open:
                    yield None
                return
            if time.monotonic() - since > WALL_LIMIT_S:
                os.kill(child.pid, signal.SIGKILL)
                child.join()
                yield None
                return
            continue
        is_open, since = told[0] == "start", time.monotonic()
        yield told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="inputs (default: %(default)s)")
    parser.add_argument("--start", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=sorted(MAKERS))
    parser.add_argument("--only", type=int, help="run just this input, in this process, in ./fuzz-input")
    given = parser.parse_args()
    os.environ |= {"IDE_CONFIG": "", "IDE_DB": "", "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        samples = draw_samples(Path(name))
        if given.only is not None:
            folder = Path("fuzz-input").resolve()
            folder.mkdir()
            one = make(samples, folder, given.seed, given.only, given.kind)
            print(json.dumps([one.kind, one.name, one.arguments, one.environment]))
            os.environ.update(one.environment)
            sys.argv = ["ide", *one.arguments]
            ide_main()
        numbers = range(given.start, given.start + given.count)
        outcomes, findings, largest = fuzz(samples, given.seed, numbers, given.kind)
    print(
        f"seed {given.seed}, {given.count:,} inputs, {time.monotonic() - began:.0f} s, at most {largest / 1e9:.2f} GB"
    )
    for (kind, outcome), count in sorted(outcomes.items()):
        print(f"{count:8,d}  {kind:10s} {outcome}")
    for finding in findings:
        print(f"--seed {given.seed} --only {finding}")


if __name__ == "__main__":
    main()
