"""Mutated pictures and label maps through their readers: each must give pixels, or one line of an `IdeError`.

    python benchmarks/fuzz_inputs.py [--count N] [--seed S]

Drawn pictures of many formats get bytes flipped, cut, repeated and blown up. An exception of another class, a line
break in the message, or more than 20 s for one input is a finding.
"""

from __future__ import annotations

import argparse
import collections
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from imagedataextractor.errors import IdeError
from imagedataextractor.images import read_picture
from imagedataextractor.images.labels import read_label_map
from imagedataextractor.scalebar import read_file_scale
from imagedataextractor.written import is_written_here

#: Seconds that one input may take.
LIMIT_S = 20.0


def samples(folder: Path) -> list[Path]:
    """Small pictures of every kind that is read."""
    grey = np.random.default_rng(0).integers(0, 255, (40, 50)).astype(np.uint8)
    for suffix in ("png", "jpg", "bmp", "gif", "webp"):
        Image.fromarray(np.dstack([grey, grey.T.reshape(40, 50), grey])).save(folder / f"colour.{suffix}")
    Image.fromarray(grey.astype(np.uint16) * 99).save(folder / "deep.png")
    for kind in ("uint8", "uint16", "int32", "int64", "float16", "float64"):
        tifffile.imwrite(folder / f"{kind}.tif", np.stack([grey, grey]).astype(kind), photometric="minisblack")
        tifffile.imwrite(folder / f"{kind}_packed.tif", grey.astype(kind), compression="zlib")
    np.save(folder / "labels.npy", grey.astype(np.int32))
    return sorted(folder.iterdir())


def mutated(rng: np.random.Generator, data: bytes) -> bytes:
    """The bytes with a few of them changed, or a part cut out or repeated."""
    body = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at, length = int(rng.integers(len(body))), int(rng.integers(1, 64))
        what = int(rng.integers(5))
        if what == 0:
            body[at] = int(rng.integers(256))
        elif what == 1:
            body[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"])
        elif what == 2:
            del body[at : at + length]
        elif what == 3:
            body[at:at] = body[at : at + length]
        else:
            del body[max(1, at) :]
        body = body or bytearray(b"\0")
    return bytes(body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    outcomes: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole"
        whole.mkdir()
        files = samples(whole)
        for number in range(arguments.count):
            rng = np.random.default_rng((arguments.seed, number))
            sample = files[number % len(files)]
            path = Path(name) / f"input{sample.suffix}"
            path.write_bytes(mutated(rng, sample.read_bytes()))
            for use in (read_picture, read_label_map, read_file_scale, is_written_here):
                began = time.monotonic()
                try:
                    use(path)
                    outcome = "read"
                except IdeError as error:
                    outcome = "refused" if "\n" not in str(error) else "finding: a line break"
                except Exception as error:
                    outcome = f"finding: {type(error).__name__}: {str(error)[:80]}"
                if time.monotonic() - began > LIMIT_S:
                    outcome = "finding: too slow"
                outcomes[outcome] += 1
                if outcome.startswith("finding"):
                    print(f"--seed {arguments.seed} input {number} {sample.name} {use.__name__}: {outcome}")
    for outcome, count in outcomes.most_common():
        print(f"{count:8d}  {outcome}")


if __name__ == "__main__":
    main()
