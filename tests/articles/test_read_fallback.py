"""What no reader of ours claims: plain text, patents, unknown publishers' pages and XML, through ChemDataExtractor."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagedataextractor.articles.read import fallback, find_articles, read_article
from imagedataextractor.errors import InputError
from imagedataextractor.targets import find_targets

TEXT = """\
Growth of zinc oxide rods

DOI: 10.1234/rods.5

Abstract
Rods of ZnO were grown. Figure 1 shows them.

Figure 1 shows that the rods are straight, which we discuss.

Figure 1. (a) TEM image of ZnO rods. (b) SEM image
of the same sample. Scale bar 200 nm.

Fig. 2: XRD pattern of ZnO.
"""
PATENT = """<?xml version="1.0" encoding="UTF-8"?>
<us-patent-grant lang="EN" country="US"><us-bibliographic-data-grant>
<invention-title id="d1">Particles of silver</invention-title></us-bibliographic-data-grant>
<drawings id="DRAWINGS"><figure id="Fig-EMI-D00000" num="00000"><img id="e0" file="US1-D00000.TIF"/></figure>
<figure id="Fig-EMI-D00001" num="00001"><img id="e1" file="US1-D00001.TIF"/></figure>
<figure id="Fig-EMI-D00002" num="00002"><img id="e2" file="US1-D00002.TIF"/></figure></drawings>
<description><heading id="h-1" level="1">BACKGROUND</heading><p id="p-1" num="1">FIG. 9 of another patent.</p>
<heading id="h-2" level="1">BRIEF DESCRIPTION OF THE DRAWINGS</heading>
<p id="p-2" num="2"><figref idref="DRAWINGS">FIG. 1</figref> shows a TEM image of silver particles; and</p>
<p id="p-3" num="3"><figref idref="DRAWINGS">FIG. 2</figref> is an SEM image of a film.</p>
<heading id="h-3" level="1">DETAILED DESCRIPTION</heading><p id="p-4" num="4">Silver was reduced.</p>
</description></us-patent-grant>"""
PAGE = """<html><head><title>Some Press</title><meta name="citation_doi" content="10.1234/page"/></head><body>
<h1>Particles</h1><p>We made ZnO.</p><div class="abbildung"><img src="a.png"/>
<p class="unterschrift">Figure 1: TEM image of ZnO.</p></div></body></html>"""
XML = """<?xml version="1.0"?><paper><title>Odd house</title><sec><p>We made TiO2.</p>
<figure id="f1"><img href="f1.png"/><caption>Figure 1. SEM image of TiO2.</caption></figure></sec></paper>"""


def read(tmp_path: Path, name: str, text: str):
    pytest.importorskip("chemdataextractor")
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_article(path)


def test_plain_text(tmp_path: Path) -> None:
    article = read(tmp_path, "a.txt", TEXT)
    assert (article.doi, article.title, article.source) == ("10.1234/rods.5", "Growth of zinc oxide rods", "text")
    assert [figure.label for figure in article.figures] == ["Figure 1", "Fig. 2"]
    rods, pattern = article.figures
    assert rods.facts.subcaptions == {"a": "TEM image of ZnO rods", "b": "SEM image of the same sample"}
    assert rods.facts.scale_statements[0].length_nm == 200
    assert rods.facts.is_em
    assert not pattern.facts.is_em


def test_a_patent_with_its_sheets(tmp_path: Path) -> None:
    (tmp_path / "US1-D00001.TIF").touch()
    article = read(tmp_path, "p.xml", PATENT)
    assert article.title == "Particles of silver"
    assert [(f.label, f.caption) for f in article.figures] == [
        ("FIG. 1", "A TEM image of silver particles; and"),
        ("FIG. 2", "An SEM image of a film."),
    ]
    assert article.figures[0].graphics == (str(tmp_path / "US1-D00001.TIF"),)
    assert article.figures[1].missing == ("US1-D00002.TIF",)


def test_a_page_of_an_unknown_publisher(tmp_path: Path) -> None:
    article = read(tmp_path, "p.html", PAGE)
    assert article.doi == "10.1234/page"
    assert [(f.label, f.caption) for f in article.figures] == [("Figure 1", "TEM image of ZnO.")]


def test_xml_of_an_unknown_kind(tmp_path: Path) -> None:
    article = read(tmp_path, "x.xml", XML)
    assert [(f.label, f.caption) for f in article.figures] == [("Figure 1", "SEM image of TiO2.")]


def test_text_counts_as_an_article_only_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "p.xml").write_text(PATENT)
    assert [path.name for path in find_articles(tmp_path)] == ["p.xml"]
    targets, failures = find_targets([tmp_path / "a.txt"])
    assert [target.kind for target in targets] == ["article"]
    assert failures == []


def test_text_without_captions_is_no_article(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without the caption of a figure"):
        read(tmp_path, "notes.txt", "Buy milk.\n\nCall the workshop.\n")


def test_without_the_extra_one_line_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "chemdataextractor", None)
    monkeypatch.setattr("imagedataextractor.articles.read.is_installed", lambda: False)
    for name, text in (("a.txt", TEXT), ("p.xml", PATENT)):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=r"pip install 'imagedataextractor\[chemdataextractor\]'"):
            read_article(tmp_path / name)
    assert fallback.EXTRA_NEEDED.startswith("pip install")
