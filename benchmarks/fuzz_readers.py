"""Fuzz the article readers: mutations of real and made documents, read in a child process with limits.

Each input must give an `Article` or an `InputError`, within 5 s of CPU time and 1 GiB of memory. Anything
else is a finding: it is printed with the seed that makes it again, and its input is kept.

    python benchmarks/fuzz_readers.py --count 20000
    python benchmarks/fuzz_readers.py --seed 7 --only 1234     # one input again
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagedataextractor.articles.read import read_article
from imagedataextractor.errors import InputError

#: Limits of one input: CPU time in seconds, and address space in bytes above what the start takes.
CPU_LIMIT_S = 5.0
MEMORY_LIMIT = 1 << 30
#: Inputs that one child process reads before it is replaced, so that memory is measured afresh.
BATCH = 200

ELSEVIER = (
    b'<full-text-retrieval-response xmlns="http://www.elsevier.com/xml/svapi/article/dtd" '
    b'xmlns:ce="http://www.elsevier.com/xml/common/dtd"><coredata><eid>1-s2.0-S1</eid></coredata><objects>'
    b'<object ref="gr1" category="high" mimetype="image/jpeg">https://api.elsevier.com/x-gr1_lrg.jpg</object>'
    b"</objects><originalText><ce:figure><ce:label>Fig. 1</ce:label><ce:caption><ce:simple-para>TEM images of (a) rods "
    b'and (b) cubes. Scale bars: 50 nm.</ce:simple-para></ce:caption><ce:link locator="gr1"/></ce:figure>'
    b"</originalText></full-text-retrieval-response>"
)
#: Pieces of text that leave a document well-formed.
WORDS = (
    *(
        b"(a) ",
        b"(b), ",
        b"a, b ",
        b"c) ",
        b"A. ",
        b"Scale bars: ",
        b"5 nm ",
        b"SEM ",
        b"TEM image of ",
        b"mean size 4 ",
        b"; ",
    ),
    *(
        b". ",
        b"&#x2013;",
        b"&#0169;",
        b"respectively",
        b"in (b) ",
        b"(a-z) ",
        b"a" * 3000,
        b"(" * 500,
        b"a, " * 2000,
        b" " * 4000,
    ),
)
TOKENS = (
    *(
        b"<fig>",
        b"</fig>",
        b"<caption>",
        b"<graphic/>",
        b"<p>",
        b"</p>",
        b"&amp;",
        b"&nbsp;",
        b"&x;",
        b"<![CDATA[",
        b"]]>",
    ),
    *(
        b"<!DOCTYPE a [<!ENTITY x 'y'>]>",
        b"\0",
        b"\xff\xfe",
        b"(a)",
        b"(b), ",
        b"Scale bar ",
        b"5 nm",
        b"SEM ",
        b"<b>a</b>",
    ),
    *(
        b"<figure>",
        b"<figcaption>",
        b"obj",
        b"endobj",
        b"stream\n",
        b"/Length 99999999",
        b"<<",
        b">>",
        b"/Kids [1 0 R]",
    ),
    *(b"-1", b"4294967296", b"1e308", b"a" * 5000, b"(" * 3000, b"<sec>" * 400, b"%PDF-1.7", b"\xed\xa0\x80", b"\xc2"),
)


@dataclass(frozen=True)
class Finding:
    """An input that did what no input may."""

    number: int
    sample: str
    what: str


def load_samples(data: Path) -> list[tuple[str, bytes]]:
    """Real documents, and small made ones that get through many mutations a second."""
    folder = data / "samples"
    samples = [(p.name, p.read_bytes()) for p in sorted([*folder.rglob("*.xml"), *folder.rglob("*.html")])]
    samples += [("elsevier.xml", ELSEVIER)]
    samples += [(f"page of {p.name}", page) for p in sorted(folder.rglob("*.pdf")) for page in _single_pages(p)]
    return [(name, body) for name, body in samples if body]


def _single_pages(path: Path) -> Iterator[bytes]:
    """The smallest page with a figure, as a PDF of its own: reading whole ones takes a second each."""
    import pypdfium2 as pdfium

    document = pdfium.PdfDocument(path)
    sizes = []
    for number in range(1, min(len(document), 6)):
        single = pdfium.PdfDocument.new()
        single.import_pages(document, [number])
        stream = io.BytesIO()
        single.save(stream)
        sizes.append(stream.getvalue())
    yield from sorted(sizes, key=len)[:2]


def mutate(samples: list[tuple[str, bytes]], seed: int, number: int) -> tuple[str, bytes]:
    """Input `number` of a run: a sample after one to eight random changes."""
    rng = random.Random(f"{seed}/{number}")
    name, body = rng.choice(samples)
    # Long documents are cut down first, half of the time: what is near the figures matters.
    if len(body) > 30_000 and not body.startswith(b"%PDF") and rng.random() < 0.5:
        body = _shortened(body, rng)
    changed = bytearray(body)
    # Half of the inputs stay well-formed, so that they get past the parser.
    whole = rng.random() < 0.5 and not body.startswith(b"%PDF")
    for _ in range(rng.randint(1, 8)):
        if whole:
            _change_well_formed(changed, rng)
        else:
            _change(changed, samples, rng)
    return name, bytes(changed)


def _shortened(body: bytes, rng: random.Random) -> bytes:
    """The beginning, a stretch with a figure, and the end."""
    figures = [m.start() for m in re.finditer(rb"<fig[ >]|<figure|image_table", body)] or [len(body) // 2]
    at = rng.choice(figures)
    return body[:4000] + body[at : at + 8000] + body[-3000:]


def _change_well_formed(body: bytearray, rng: random.Random) -> None:
    """A change that leaves markup whole: words put in, an element without children doubled, moved or taken out."""
    text = bytes(body[:300_000])
    if rng.random() < 0.5:
        ends = [m.end() for m in re.finditer(rb"</?[a-z][^<>]{0,80}>(?=[^<]*<)", text)]
        if ends:
            at = rng.choice(ends)
            body[at:at] = rng.choice(WORDS)
        return
    elements = [
        m.span() for m in re.finditer(rb"<([a-zA-Z:-]+)(?: [^<>]*)?>[^<>]*</\1>|<[a-zA-Z:-]+(?: [^<>]*)?/>", text)
    ]
    if elements:
        (start, end), (to, _) = rng.choice(elements), rng.choice(elements)
        piece = text[start:end]
        if rng.random() < 0.5:
            del body[start:end]
        else:
            body[to:to] = piece * rng.randint(1, 10)


def _change(body: bytearray, samples: list[tuple[str, bytes]], rng: random.Random) -> None:
    at = rng.randrange(len(body) + 1)
    length = min(int(rng.expovariate(1 / 40)) + 1, 5000)
    kind = rng.randrange(9)
    if kind == 0 and at < len(body):
        body[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del body[at : at + length]
    elif kind == 2:
        body[at:at] = rng.choice(TOKENS)
    elif kind == 3:
        body[at:at] = bytes(rng.randrange(256) for _ in range(min(length, 200)))
    elif kind == 4:
        body[at:at] = body[at : at + length] * rng.randint(1, 20)
    elif kind == 5:
        other = rng.choice(samples)[1]
        start = rng.randrange(len(other))
        body[at:at] = other[start : start + length * 10]
    elif kind == 6:
        del body[at:]
    elif kind == 7:
        tags = [m.span() for m in re.finditer(rb"<[^<>]{1,80}>", bytes(body[:200_000]))]
        if tags:
            a, b = rng.choice(tags), rng.choice(tags)
            body[a[0] : a[1]] = body[b[0] : b[1]]
    else:
        numbers = [m.span() for m in re.finditer(rb"\d+", bytes(body[:200_000]))]
        if numbers:
            start, end = rng.choice(numbers)
            body[start:end] = rng.choice((b"0", b"-1", b"99999999999", b"1.5e9", b""))


def read_one(body: bytes, folder: Path) -> str:
    """What became of an input: "article", "error", or a finding in words."""
    path = folder / "input"
    path.write_bytes(body)
    before = time.process_time()
    try:
        article = read_article(path)
        outcome = "article" if article.figures else "article without figures"
    except InputError as error:
        outcome = "error" if "\n" not in str(error) else f"error of several lines: {error}"
    except MemoryError:
        outcome = "out of memory"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"[:300]
    spent = time.process_time() - before
    return outcome if spent <= CPU_LIMIT_S else f"took {spent:.1f} s ({outcome})"


def run_batch(samples: list[tuple[str, bytes]], seed: int, numbers: range, queue: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    """Read a batch in this process, under its limits; the number is sent before, the outcome after."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * 4096 if Path("/proc/self/statm").exists() else 0
    limit = max(used, mapped) + MEMORY_LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            name, body = mutate(samples, seed, number)
            queue.put(("start", number, name))
            # The limit ends the process, so that a hang inside a library is seen, too.
            spent = int(time.process_time())
            resource.setrlimit(resource.RLIMIT_CPU, (spent + 4 * int(CPU_LIMIT_S), resource.RLIM_INFINITY))
            queue.put(("end", number, read_one(body, Path(folder))))


def fuzz(samples: list[tuple[str, bytes]], seed: int, count: int) -> tuple[Counter[str], list[Finding]]:
    """Read `count` inputs; how many ended how, and the findings."""
    outcomes: Counter[str] = Counter()
    findings: list[Finding] = []
    context = multiprocessing.get_context("fork")
    next_number = 0
    while next_number < count:
        queue: multiprocessing.Queue = context.Queue()  # type: ignore[type-arg]
        batch = range(next_number, min(next_number + BATCH, count))
        child = context.Process(target=run_batch, args=(samples, seed, batch, queue))
        child.start()
        open_number, open_name = -1, ""
        while child.is_alive() or not queue.empty():
            try:
                kind, number, text = queue.get(timeout=0.2)
            except Exception:  # nothing came: the child is busy, or gone
                continue
            if kind == "start":
                open_number, open_name = number, text
                continue
            next_number = number + 1
            open_number = -1
            known = text in {"article", "article without figures", "error"}
            outcomes[text if known else "finding"] += 1
            if not known:
                findings.append(Finding(number, open_name, text))
        child.join()
        if next_number % 1000 < BATCH:
            print(f"{next_number} of {count}, {len(findings)} findings", file=sys.stderr, flush=True)
        if open_number >= 0:  # the child died in the middle of an input
            findings.append(Finding(open_number, open_name, f"the process ended with code {child.exitcode}"))
            outcomes["finding"] += 1
            next_number = open_number + 1
        elif child.exitcode:
            findings.append(Finding(next_number, "", f"the process ended with code {child.exitcode}"))
            next_number += 1
    return outcomes, findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared"), help="folder with samples/ (default: %(default)s)"
    )
    parser.add_argument("--count", type=int, default=20_000, help="inputs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="read just this input, in this process, and write it to ./fuzz-input")
    arguments = parser.parse_args()
    samples = load_samples(arguments.data)
    if arguments.only is not None:
        name, body = mutate(samples, arguments.seed, arguments.only)
        Path("fuzz-input").write_bytes(body)
        print(name, len(body), "bytes:", read_article(Path("fuzz-input")))
        return
    started = time.monotonic()
    outcomes, findings = fuzz(samples, arguments.seed, arguments.count)
    print(f"{len(samples)} samples, seed {arguments.seed}, {time.monotonic() - started:.0f} s")
    for outcome, number in outcomes.most_common():
        print(f"{number:8d}  {outcome}")
    for finding in findings:
        print(f"--seed {arguments.seed} --only {finding.number}  {finding.sample}: {finding.what}")


if __name__ == "__main__":
    main()
