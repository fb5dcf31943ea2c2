"""Publishers' pages: two real ones of Nature, and the figure markup of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagedataextractor.articles.read import read_article
from imagedataextractor.records import Article


def test_nature_page_with_files_beside_it(shared: Path) -> None:
    folder = shared / "samples/html/nature_s41467-018-06211-3"
    article = read_article(folder / "s41467-018-06211-3.html")
    assert article.doi == "10.1038/s41467-018-06211-3"
    assert article.licence == "CC BY 4.0"
    assert (article.journal, article.year) == ("Nature Communications", 2018)
    assert article.authors[0] == "Jaechan Ryu"
    ends = {
        "Fig. 1": ("Formation of the stripe pattern", "4 nm (g), and 1 nm (h, i)"),
        "Fig. 2": ("Atomically resolved electron microscopy", "0.2 nm (c, d), and 50 nm (f)"),
        "Fig. 3": ("Electrocatalytic activities for oxygen", "good stability of SMNp compared with Pt/C"),
        "Fig. 4": ("Electrochemical performance of aluminum", "electrolyte were replaced every cycle"),
        "Fig. 5": ("Comparison of electrode properties", "with the SMNp at 100 mA cm−2"),
    }
    assert [figure.label for figure in article.figures] == list(ends)
    for figure in article.figures:
        start, end = ends[figure.label]
        assert figure.caption.startswith(start)
        assert figure.caption.endswith(end)
        number = figure.label.split()[-1]
        assert [Path(g).name for g in figure.graphics] == [f"s41467-018-06211-3_fig{number}.jpg"]
    assert [figure.facts.is_em for figure in article.figures] == [True, True, False, False, False]
    scales = {p: s.length_nm for s in article.figures[0].facts.scale_statements for p in s.panels}
    assert scales == {"c": 5000, "d": 500, "e": 200, "f": 100, "g": 4, "h": 1, "i": 1}


def test_nature_page_without_files(shared: Path) -> None:
    article = read_article(shared / "samples/html/nature_s41598-020-77062-6/s41598-020-77062-6.html")
    assert [f.label for f in article.figures] == [
        "Scheme 1",
        "Figure 1",
        "Figure 2",
        "Figure 3",
        "Figure 4",
        "Scheme 2",
    ]
    first = article.figures[1]
    assert first.caption.startswith("TEM images of the metal NPs")
    assert first.caption.endswith("size distribution of metal particles.")
    assert list(first.facts.subcaptions) == ["a", "b", "c"]
    assert first.graphics[0].startswith("https://media.springernature.com/full/springer-static/image/")
    assert all(f.missing == f.graphics for f in article.figures)


RSC = """<div class="image_table"><table><tr><td colspan="3" class="imgHolder" id="imgfig1">
<a href="/services/images/Articleimage/2017/TA/c7ta0/c7ta0-f1_hi-res.gif" title="Select to open image in new window">
<img alt="image file: c7ta0-f1.tif" src="/services/images/Articleimage/2017/TA/c7ta0/c7ta0-f1.gif"/></a></td></tr>
<tr><td class="pushTitleRight"> </td><td class="image_title"><b>Fig. 1 </b> <span id="fig1"><span class="graphic_title">
(a) X-ray diffraction of Ni<small><sub>12</sub></small>P in 7<img class="charmap"
src="https://www.rsc.org/images/entities/char_2009.gif" alt="[thin space]"/>:<img class="charmap"
src="https://www.rsc.org/images/entities/char_2009.gif" alt="[thin space]"/>3. (b) SEM image of the composite.
</span></span>
</td><td class="pushTitleLeft"> </td></tr></table></div>"""
ACS = """<figure id="fig1" class="article__inlineFigure"><h2 class="fig-label">Figure 1</h2>
<img src="/cms/10.1021/x/asset/images/medium/nn-2019-0001.gif" alt="" class="inline-fig internalNav"
data-lg-src="/cms/10.1021/x/asset/images/large/nn-2019-0001.jpeg" height="300" width="400"/>
<figcaption class="hlFld-FigureCaption"><p class="first last"><strong>Figure 1</strong>. (A) TEM image of rods.
(B) SEM image.</p></figcaption><div class="figure-viewer-links"><a href="#">Open in figure viewer</a></div>
<ul class="figure-links"><li><a class="download-jpg" href="#">Download MS PowerPoint Slide</a></li></ul></figure>"""
OLD_ACS = """<div class="figure" id="fig1"><a title="Open Figure Viewer" href="#" class="thumbnail showFiguresEvent">
<img alt="figure" src="/appl/literatum/jm/20160901/images/small/jm-2016-1_0005.gif"/><span class="overlay"></span></a>
<div class="caption hlFld-FigureCaption"><p class="first last">Figure 1. (a) TEM image of rods. (b) Yield.</p>
</div></div><div class="NLM_table-wrap">
<div class="hlFld-FigureCaption"><div class="NLM_caption">Table 2. Values</div></div>
<img src="/appl/literatum/jm/20160901/images/medium/jm-2016-1_0009.gif"/></div>"""
WILEY = """<section class="article-section__inline-figure" id="f1"><figure class="figure">
<a href="/cms/asset/1/adma1-fig-0001-m.jpg" target="_blank"><picture><source srcset="/cms/asset/1/adma1-fig-0001-m.jpg"
media="(min-width: 1650px)"/><img class="figure__image" src="/cms/asset/2/adma1-fig-0001-m.png"
data-lg-src="/cms/asset/1/adma1-fig-0001-m.jpg" alt="image" loading="lazy"/></picture></a>
<figcaption class="figure__caption"><div class="figure__caption__header"><strong class="figure__title">Figure 1</strong>
<div class="figure-extra"><a href="#" class="open-figure-link">Open in figure viewer</a>
<a class="ppt-figure-link" href="#">
PowerPoint</a></div></div><div class="figure__caption figure__caption-text">a) TEM image of rods. b) Histogram.</div>
</figcaption></figure></section>"""
SCIENCEDIRECT = """<figure class="figure text-xs" id="fig1"><span>
<img src="https://ars.els-cdn.com/content/image/1-s2.0-S0008-gr1.jpg" height="300" alt="Fig. 1"/>
<ol class="links-for-figure"><li><a class="anchor download-link"
href="https://ars.els-cdn.com/content/image/1-s2.0-S0008-gr1_lrg.jpg" title="Download high-res image (300KB)">
<span>Download: <span>Download high-res image (300KB)</span></span></a></li><li><a class="anchor download-link"
href="https://ars.els-cdn.com/content/image/1-s2.0-S0008-gr1.jpg"><span>Download full-size image</span></a></li>
</ol></span>
<span class="captions text-s"><span id="cap0005"><p id="sp0005"><span class="label">Fig. 1</span>. SEM images of
(a) rods and (b) cubes.</p></span></span></figure>"""
SPRINGER = """<div class="c-article-section__figure"><figure><figcaption>
<b data-test="figure-caption-text">Fig. 1: Rods.</b>
</figcaption><div class="c-article-section__figure-content"><picture><source type="image/webp"
srcset="//media.springernature.com/lw685/springer-static/image/art%3A10.1007%2Fx/MediaObjects/1_Fig1_HTML.png?as=webp"/>
<img src="//media.springernature.com/lw685/springer-static/image/art%3A10.1007%2Fx/MediaObjects/1_Fig1_HTML.png"/>
</picture>
<div data-test="bottom-caption"><p><b>a</b> TEM image. <b>b</b> SEM image.</p></div></div>
<div class="u-text-right u-hide-print"><a class="c-article__pill-button">Full size image</a></div></figure></div>"""
MDPI = """<div class="html-fig-wrap" id="f1"><div class="html-fig_img"><div class="html-figpopup html-figpopup-link">
<img alt="Materials 13 00560 g001 550" data-large="/materials/g001.png" data-original="/materials/materials-13-g001.png"
src="/materials/materials-13-g001-550.jpg"/></div></div><div class="html-fig_description">
<b>Figure 1.</b> TEM images of (<b>a</b>) rods and (<b>b</b>) cubes. <!-- <p><a>Click here</a></p> --></div></div>"""

PAGES = [
    (
        "rsc",
        RSC,
        "Fig. 1",
        "(a) X-ray diffraction of Ni12P in 7 : 3. (b) SEM image of the composite.",
        "https://pubs.org/services/images/Articleimage/2017/TA/c7ta0/c7ta0-f1_hi-res.gif",
        ["a", "b"],
    ),
    (
        "acs",
        ACS,
        "Figure 1",
        "(A) TEM image of rods. (B) SEM image.",
        "https://pubs.org/cms/10.1021/x/asset/images/large/nn-2019-0001.jpeg",
        ["A", "B"],
    ),
    (
        "older acs",
        OLD_ACS,
        "Figure 1",
        "(a) TEM image of rods. (b) Yield.",
        "https://pubs.org/appl/literatum/jm/20160901/images/large/jm-2016-1_0005.jpeg",
        ["a", "b"],
    ),
    (
        "wiley",
        WILEY,
        "Figure 1",
        "a) TEM image of rods. b) Histogram.",
        "https://pubs.org/cms/asset/1/adma1-fig-0001-m.jpg",
        ["a", "b"],
    ),
    (
        "sciencedirect",
        SCIENCEDIRECT,
        "Fig. 1",
        "SEM images of (a) rods and (b) cubes.",
        "https://ars.els-cdn.com/content/image/1-s2.0-S0008-gr1_lrg.jpg",
        ["a", "b"],
    ),
    (
        "springer",
        SPRINGER,
        "Fig. 1",
        "Rods. a TEM image. b SEM image.",
        "https://media.springernature.com/full/springer-static/image/art%3A10.1007%2Fx/MediaObjects/1_Fig1_HTML.png",
        ["a", "b"],
    ),
    (
        "mdpi",
        MDPI,
        "Figure 1",
        "TEM images of (a) rods and (b) cubes.",
        "https://pubs.org/materials/materials-13-g001.png",
        ["a", "b"],
    ),
]


def page(*figures: str) -> str:
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"/><title>T</title>'
        '<meta name="citation_title" content="On particles"/><meta name="citation_doi" content="10.1234/X.5"/>'
        '<meta name="citation_author" content="Curie, Marie"/><meta'
        ' name="citation_publication_date" content="2019/05/01"/>'
        '<link rel="canonical" href="https://pubs.org/article/1"/></head><body><img src="/logo.png"/>'
        '<p>As <a href="#fig1">Figure 1</a> shows …</p>' + "".join(figures) + "</body></html>"
    )


def read(tmp_path: Path, text: str) -> Article:
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    return read_article(path)


@pytest.mark.parametrize(
    ("markup", "label", "caption", "graphic", "letters"), [row[1:] for row in PAGES], ids=[row[0] for row in PAGES]
)
def test_figure_of_a_publisher(
    tmp_path: Path, markup: str, label: str, caption: str, graphic: str, letters: list[str]
) -> None:
    article = read(tmp_path, page(markup))
    assert (article.doi, article.title, article.authors) == ("10.1234/x.5", "On particles", ("Marie Curie",))
    assert article.year == 2019
    assert len(article.figures) == 1
    figure = article.figures[0]
    assert (figure.label, figure.caption) == (label, caption)
    assert figure.graphics == (graphic,)
    assert figure.facts.is_em
    assert list(figure.facts.subcaptions) == letters


def test_caption_beside_the_title_and_pictures_that_come_late(tmp_path: Path) -> None:
    """PLOS keeps the description beside the title; Wiley fills the picture in by script; PMC links to a viewer."""
    path = tmp_path / "page.html"
    path.write_text(
        """<div class="figure"><div class="img-box"><a href="https://x.org/viewer.html?p=1_f1.jpg">
<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" data-lg-src="https://x.org/f1-m.jpg" alt=""></a></div>
<div class="figcaption"><span>Fig 1. </span> SEM images.</div>
<p class="caption_target">(A) Rods. (B) Cubes.</p></div>""",
        encoding="utf-8",
    )
    (figure,) = read_article(path).figures
    assert (figure.label, figure.caption) == ("Fig 1", "SEM images. (A) Rods. (B) Cubes.")
    assert figure.graphics == ("https://x.org/f1-m.jpg",)


def test_saved_page_finds_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "page_files").mkdir()
    (tmp_path / "page_files" / "1-s2.0-S0008-gr1.jpg").write_bytes(b"x")
    markup = SCIENCEDIRECT.replace("https://ars.els-cdn.com/content/image/", "./page_files/")
    figure = read(tmp_path, page(markup)).figures[0]
    assert [Path(g).name for g in figure.graphics] == ["1-s2.0-S0008-gr1.jpg"]
    assert figure.missing == ()


def test_a_figure_shown_twice_is_read_once(tmp_path: Path) -> None:
    assert len(read(tmp_path, page(WILEY, WILEY.replace('id="f1"', 'id="popup"'))).figures) == 1


@pytest.mark.parametrize("name", ["mml:\x01math", "a:", "x:1", "o:\x7fp", "b:\u00e9\x02"])
def test_elements_of_other_languages_whose_names_are_damaged(tmp_path: Path, name: str) -> None:
    path = tmp_path / "page.html"
    path.write_text(f"<html><body><{name}>Odd</{name}>{RSC}</body></html>", encoding="utf-8")
    assert len(read_article(path).figures) == 1


def test_pictures_without_a_label_are_no_figures(tmp_path: Path) -> None:
    portrait = '<figure><img src="/me.jpg"/><figcaption>The author at work.</figcaption></figure>'
    table = "<figure><figcaption><b>Table 1</b> Values.</figcaption></figure>"
    assert read(tmp_path, page(portrait, table)).figures == ()


def test_page_that_is_none(tmp_path: Path) -> None:
    article = read(tmp_path, "<html><body><form>Please log in</form></body></html>")
    assert article.figures == ()
    assert article.doi is None


def test_symbols_drawn_as_pictures_in_a_caption_are_no_graphics(tmp_path: Path) -> None:
    symbols = (
        '<img class="charmap" src="/images/entities/i_char_e001.gif" alt="[small alpha, Greek]"/>',
        '<img src="/image/article/2017/TA/c7ta0/c7ta0-t1.gif" alt="image file: c7ta0-t1.gif"/>',
        '<img src="/images/entities/char_e001.gif" alt="[double bond, length as m-dash]"/>',
    )
    page = RSC.replace(
        "SEM image of the composite", f"SEM image of {symbols[0]}-Fe at {symbols[1]} with C{symbols[2]}O"
    )
    path = tmp_path / "page.html"
    path.write_text(f"<html><body>{page}</body></html>", encoding="utf-8")
    (figure,) = read_article(path).figures
    assert len(figure.graphics) == len(figure.missing) == 1
    assert "c7ta0-f1" in figure.graphics[0]
    assert "\u03b1-Fe" in figure.caption
    assert "C=O" in figure.caption


def test_abstract_and_paragraphs(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    body = "<p>The particles of Figure 1 have a mean diameter of 12 ± 2 nm, as we measured on many of them.</p>"
    words = "Nickel phosphide (NP1) of a new kind was made and looked at."
    abstract = f'<section id="Abs1"><h2>Abstract</h2><p>{words}</p></section>'
    path.write_text(f"<html><body>{abstract}{body}{RSC.replace('SEM image of', 'SEM image of NP1 in')}</body></html>")
    article = read_article(path)
    assert article.abstract == words
    (figure,) = article.figures
    assert [(each.mean_nm, each.spread_nm, each.source) for each in figure.facts.size_statements] == [(12, 2, "text")]
    assert figure.facts.materials["b"].name == "nickel phosphide"
