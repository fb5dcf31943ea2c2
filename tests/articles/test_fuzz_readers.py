"""Whatever bytes and words come: an article, or one clear error. `benchmarks/fuzz_readers.py` tries many more."""

from __future__ import annotations

import io
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from imagedataextractor.articles.captions import parse_caption
from imagedataextractor.articles.dois import plain_doi
from imagedataextractor.articles.licences import licence_allowed, normalise_licence
from imagedataextractor.articles.read import read_article
from imagedataextractor.articles.read.graphics import GraphicsFolder
from imagedataextractor.articles.subcaptions import split_caption
from imagedataextractor.errors import InputError
from imagedataextractor.records import Article

JATS = (
    b'<?xml version="1.0"?><article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta><article-id '
    b'pub-id-type="doi">10.1234/x</article-id><title-group><article-title>T</article-title></title-group>'
    b"<pub-date><year>2019</year></pub-date></article-meta></front><body><fig-group><label>Figure 2</label>"
    b'<fig id="a"><label>(a)</label><caption><title>T</title><p>TEM <bold>a</bold></p></caption></fig></fig-group>'
    b'<fig id="f"><label>Fig. 1</label><caption><p>SEM images of (a) rods, (b) cubes. Scale bars, 5 nm (a).</p>'
    b'</caption><alternatives><graphic xlink:href="f.tif"/></alternatives></fig></body></article>'
)
ELSEVIER = (
    b"<full-text-retrieval-response><coredata><eid>E</eid></coredata><objects><object ref='gr1'>http://x/1.jpg"
    b"</object></objects><originalText>"
    b"<figure><label>Fig. 1</label><caption><simple-para>TEM of<hsp/>rods</simple-para>"
    b"</caption><link locator='gr1'/></figure></originalText></full-text-retrieval-response>"
)
HTML = (
    b"<!DOCTYPE html><html><head><meta name='citation_doi' content='10.1/x'></head><body><figure><img src='a.jpg'>"
    b"<figcaption><b>Fig. 1</b> (a) TEM, (b) SEM.</figcaption></figure><div class='image_table'><img src='b.gif'>"
    b"<span class='graphic_title'>Fig. 2 XRD</span></div></body></html>"
)


def made_pdf() -> bytes:
    stream = io.BytesIO()
    canvas = Figure(figsize=(4, 4))
    canvas.text(0.1, 0.2, "Figure 1. TEM image of rods.", fontsize=7)
    canvas.text(0.1, 0.1, "Some text of the article itself, which goes on and on.", fontsize=9)
    canvas.add_axes((0.1, 0.3, 0.8, 0.5)).plot([1, 2])
    with PdfPages(stream) as pages:
        pages.savefig(canvas)
    return stream.getvalue()


SAMPLES = {"jats": JATS, "elsevier": ELSEVIER, "html": HTML, "pdf": made_pdf()}
INSERTS = (b"<", b">", b"</fig>", b"&x;", b"\0", b"\xff", b"<fig>", b"(a)" * 50, b"1e9", b"/Kids", b"<p>" * 300, b"]]>")


def mutated(body: bytes, seed: int) -> bytes:
    rng = random.Random(seed)
    changed = bytearray(body)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(changed) + 1)
        kind = rng.randrange(5)
        if kind == 0 and at < len(changed):
            changed[at] = rng.randrange(256)
        elif kind == 1:
            del changed[at : at + rng.randrange(60)]
        elif kind == 2:
            changed[at:at] = rng.choice(INSERTS)
        elif kind == 3:
            changed[at:at] = changed[at : at + rng.randrange(200)] * rng.randrange(5)
        else:
            other = rng.choice(list(SAMPLES.values()))
            start = rng.randrange(len(other))
            changed[at:at] = other[start : start + 100]
    return bytes(changed)


def attempt(path: Path) -> Article | str:
    """The article, or the error's words."""
    try:
        return read_article(path)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize(("name", "count"), [("jats", 250), ("elsevier", 150), ("html", 250), ("pdf", 60)])
def test_mutated_documents(name: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / "document"
    read = 0
    for seed in range(count):
        path.write_bytes(mutated(SAMPLES[name], seed))
        found = attempt(path)
        if isinstance(found, str):
            assert "\n" not in found
            assert str(path) in found
        else:
            read += len(found.figures) > 0
    assert read > 0  # the mutations leave something to read


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document"
        path.write_bytes(body)
        found = attempt(path)
    assert not isinstance(found, str) or "\n" not in found


PIECES = st.sampled_from(
    [
        *(
            "(a) ",
            "(b), ",
            "(a–c) ",
            "a) ",
            "B. ",
            "a, b ",
            "TEM image of ",
            "SEM ",
            "Scale bar: ",
            "5 nm",
            " and ",
            "; ",
        ),
        *(
            "in (b) ",
            "left",
            "(right)",
            "mean diameter of ",
            "12 ± 3 nm",
            "respectively",
            "inset",
            "(",
            ")",
            "Fig. 2a",
            "i",
        ),
        *("\u2009", ". "),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=120), st.lists(PIECES, max_size=25).map("".join)))
def test_any_caption(caption: str) -> None:
    facts = parse_caption(caption, "Figure 1", emphasised=[(0, 1)])
    for statement in (*facts.scale_statements, *facts.size_statements):
        assert caption[statement.start : statement.end] == statement.text
    for segment in split_caption(caption):
        assert caption[segment.start : segment.end] == segment.text
        assert segment.letters


@pytest.mark.parametrize(
    "piece", ["a, ", "(", "a) ", "(a) ", "abc. ", " ", "-", "a and ", "Scale bar 5 nm ", "1, ", "[", "SEM "]
)
def test_long_repetitions_end(piece: str) -> None:
    """Patterns that go back and forth over such a caption would take hours."""
    assert parse_caption((piece * 200_000)[:200_000]).subcaptions is not None


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_any_reference_licence_and_doi(text: str) -> None:
    assert GraphicsFolder(Path(__file__).parent).find([text]) is None  # there are no pictures here
    licence = normalise_licence(text)
    assert licence is None or len(licence) <= 120
    assert licence_allowed(licence, [])
    doi = plain_doi(text)
    assert doi is None or doi.startswith("10.")
