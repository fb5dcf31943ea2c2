"""JATS: real articles figure by figure, and the dialects that they do not show."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lxml import etree

from imagedataextractor.articles.read import find_articles, is_article_file, read_article, stated_doi
from imagedataextractor.errors import InputError
from imagedataextractor.records import Article, Figure

REAL = [
    # file, DOI, licence, figures, graphics, figures with micrographs
    ("jats/PMC7052380/PMC7052380.xml", "10.3389/fchem.2020.00104", "CC BY 4.0", 11, 11, ["Figure 4"]),
    ("jats/PMC7058583/PMC7058583.xml", "10.3389/fchem.2020.00094", "CC BY 4.0", 6, 6, ["Figure 2"]),
    ("jats/PMC7067258/PMC7067258.xml", "10.1039/c9sc04175c", "CC BY 3.0", 4, 4, ["Fig. 3"]),
    ("jats/PMC7070767/PMC7070767.xml", "10.3390/molecules25040891", "CC BY 4.0", 13, 14, ["Figure 3"]),
    ("jats/encoda_plosone-0178565/main.jats.xml", "10.1371/journal.pone.0178565", "CC BY 4.0", 6, 6, []),
    ("jats/encoda_ijm-00202/main.jats.xml", "10.34196/ijm.00202", "CC BY 4.0", 6, 6, []),
    (
        "jats/springer_api_spr_test1.xml",
        "10.1186/s11671-021-03631-x",
        "CC BY 4.0",
        28,
        28,
        ["Fig. 5", "Fig. 6", "Fig. 7", "Fig. 26"],
    ),
    ("jats_xml_only/PMC5344628.xml", "10.3390/ma10010045", "CC BY 4.0", 12, 12, ["Figure 12"]),
    ("jats_xml_only/PMC7040616.xml", "10.3390/ma13030560", "CC BY 4.0", 7, 7, ["Figure 2", "Figure 6"]),
    ("jats_xml_only/PMC7040742.xml", "10.3390/ma13030801", "CC BY 4.0", 20, 20, []),
    ("jats_xml_only/PMC7052225.xml", "10.1038/s41598-020-60633-y", "CC BY 4.0", 20, 20, ["Figure 6", "Figure 7"]),
    ("jats_xml_only/PMC7055568.xml", "10.1002/advs.201903088", "CC BY 4.0", 13, 13, []),
    ("jats_xml_only/PMC7055569.xml", "10.1002/advs.201902866", "CC BY 4.0", 12, 12, ["Figure 4", "Figure 6"]),
    (
        "jats_xml_only/PMC7080552.xml",
        "10.1002/advs.201902643",
        "CC BY 4.0",
        7,
        7,
        ["Figure 2", "Figure 3", "Figure 6"],
    ),
    ("jats_xml_only/PMC7407240.xml", "10.3390/polym12071544", "CC BY 4.0", 11, 11, ["Figure 6"]),
    ("jats_xml_only/PMC7823779.xml", "10.3390/nano11010058", "CC BY 4.0", 8, 8, ["Figure 4"]),
]


@pytest.mark.parametrize(("name", "doi", "licence", "figures", "graphics", "em"), REAL, ids=[row[0] for row in REAL])
def test_real_article(
    shared: Path, name: str, doi: str, licence: str, figures: int, graphics: int, em: list[str]
) -> None:
    article = read_article(shared / "samples" / name)
    assert article.doi == doi
    assert article.licence == licence
    assert article.title
    assert article.authors
    assert article.journal
    assert article.year is not None
    assert len(article.figures) == figures
    assert sum(len(figure.graphics) for figure in article.figures) == graphics
    assert [figure.label for figure in article.figures if figure.facts.is_em] == em


@pytest.mark.parametrize("name", [row[0] for row in REAL])
def test_real_captions_are_whole(shared: Path, name: str) -> None:
    """Every word of every label and caption, in order, as an independent walk over the file finds them."""
    path = shared / "samples" / name
    tree = etree.parse(path, etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True))
    figures = {figure.id: figure for figure in read_article(path).figures}
    for element in tree.iter("{*}fig"):
        figure = figures[element.get("id")]
        assert figure.label == element.findtext("{*}label")
        words = "".join("".join(element.find("{*}caption").itertext()).split())
        assert "".join(figure.caption.split()) == words
        hrefs = [g.get("{http://www.w3.org/1999/xlink}href") for g in element.iter("{*}graphic")]
        assert len(figure.graphics) == len(hrefs)
        for href, graphic in zip(hrefs, figure.graphics, strict=True):
            assert Path(graphic).stem == Path(href).stem or Path(graphic).stem == Path(href).name


def test_files_beside_the_article_are_found(shared: Path) -> None:
    article = read_article(shared / "samples/jats/PMC7070767/PMC7070767.xml")
    third = article.figures[2]
    assert [Path(graphic).name for graphic in third.graphics] == [
        "molecules-25-00891-g003a.jpg",
        "molecules-25-00891-g003b.jpg",
    ]
    assert all(Path(graphic).is_absolute() for graphic in third.graphics)
    assert article.figures[3].missing == ("molecules-25-00891-g004",)


# ---------------------------------------------------------------- dialects


def jats(body: str, meta: str = "", outside: str = "") -> str:
    return (
        '<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML">'
        "<front><journal-meta><journal-title-group><journal-title>J. Tests</journal-title></journal-title-group>"
        '</journal-meta><article-meta><article-id pub-id-type="doi">10.1234/TEST.5</article-id>'
        f"<title-group><article-title>On <italic>tests</italic></article-title></title-group>{meta}</article-meta>"
        f"</front><body>{body}</body>{outside}</article>"
    )


def read(tmp_path: Path, text: str) -> Article:
    path = tmp_path / "article.xml"
    path.write_text(text, encoding="utf-8")
    return read_article(path)


def only(article: Article) -> Figure:
    assert len(article.figures) == 1
    return article.figures[0]


def test_metadata(tmp_path: Path) -> None:
    meta = (
        '<contrib-group><contrib contrib-type="author"><name><surname>Curie</surname><given-names>Marie</given-names>'
        "</name></contrib><contrib"
        ' contrib-type="editor"><name><surname>Not</surname><given-names>Me</given-names></name>'
        '</contrib></contrib-group><pub-date pub-type="epub"><year>2019</year></pub-date>'
        '<pub-date pub-type="collection"><year>2020</year></pub-date><permissions><license '
        'xlink:href="https://creativecommons.org/licenses/by-nc/4.0/"><license-p>Some words.</license-p></license>'
        "</permissions>"
    )
    article = read(tmp_path, jats("<p/>", meta))
    assert (article.doi, article.key) == ("10.1234/test.5", "10.1234/test.5")
    assert article.title == "On tests"
    assert article.authors == ("Marie Curie",)
    assert (article.journal, article.year, article.licence) == ("J. Tests", 2019, "CC BY-NC 4.0")


def test_caption_in_title_and_paragraphs(tmp_path: Path) -> None:
    figure = only(
        read(
            tmp_path,
            jats(
                '<fig id="f"><label>Fig 1</label><caption><title>Rods.</title><p>(A) Short. (B) Long.</p>'
                '<p>Bars: 5 nm.</p></caption><graphic xlink:href="f1.tif"/></fig>'
            ),
        )
    )
    assert figure.caption == "Rods. (A) Short. (B) Long. Bars: 5 nm."
    assert dict(figure.facts.subcaptions) == {"A": "Short", "B": "Long"}


def test_alternatives_are_one_graphic_and_thumbnails_none(tmp_path: Path) -> None:
    body = (
        '<fig id="f"><label>Figure 1</label><caption><p>TEM.</p></caption><alternatives>'
        '<graphic specific-use="thumbnail" xlink:href="f1.gif"/><graphic xlink:href="f1.tif"/></alternatives></fig>'
        '<fig id="g"><label>Figure 2</label><caption><p>SEM.</p></caption><graphic xlink:href="f2.jpg"/>'
        '<graphic content-type="thumbnail" xlink:href="f2-small.jpg"/></fig>'
    )
    first, second = read(tmp_path, jats(body)).figures
    assert first.graphics == ("f1.tif",)
    assert second.graphics == ("f2.jpg",)


def test_several_graphics_in_a_paragraph(tmp_path: Path) -> None:
    body = (
        '<p><fig id="f"><label>Fig. 1</label><caption><p>TEM.</p></caption><p><graphic xlink:href="a.png"/>'
        '<graphic xlink:href="b.png"/></p></fig></p>'
    )
    assert only(read(tmp_path, jats(body))).graphics == ("a.png", "b.png")


def test_group_of_numbered_figures_and_group_of_panels(tmp_path: Path) -> None:
    body = (
        '<fig-group><fig id="a"><label>Figure'
        ' 1</label><caption><p>One.</p></caption><graphic xlink:href="1.jpg"/></fig>'
        '<fig id="b"><label>Figure 1—figure supplement 1.</label><caption><p>More.</p></caption>'
        '<graphic xlink:href="1s.jpg"/></fig></fig-group>'
        '<fig-group id="g"><label>Figure 2</label><caption><p>TEM images.</p></caption>'
        '<fig id="c"><label>(a)</label><caption><p>Rods.</p></caption><graphic xlink:href="2a.jpg"/></fig>'
        '<fig id="d"><label>(b)</label><caption><p>Cubes.</p></caption><graphic xlink:href="2b.jpg"/></fig></fig-group>'
    )
    article = read(tmp_path, jats(body))
    assert [f.label for f in article.figures] == ["Figure 1", "Figure 1—figure supplement 1.", "Figure 2"]
    assert article.figures[2].graphics == ("2a.jpg", "2b.jpg")
    assert dict(article.figures[2].facts.subcaptions) == {"a": "Rods", "b": "Cubes"}


def test_floats_group_and_figures_of_reviews(tmp_path: Path) -> None:
    outside = (
        '<floats-group><fig id="f"><label>Figure 1</label><caption><p>TEM.</p></caption></fig></floats-group>'
        '<sub-article><body><fig id="r"><label>Author response image 1</label></fig></body></sub-article>'
    )
    assert only(read(tmp_path, jats("<p/>", outside=outside))).label == "Figure 1"


def test_pictures_of_tables_and_formulae_are_no_graphics(tmp_path: Path) -> None:
    body = (
        '<table-wrap><label>Table 1</label><graphic xlink:href="t1.png"/></table-wrap>'
        '<fig id="f"><label>Scheme 1.</label><caption><p>Route'
        " <inline-formula><alternatives><mml:math><mml:mi>x</mml:mi>"
        r"</mml:math><tex-math>\documentclass{x}</tex-math></alternatives></inline-formula> at 5"
        '<inline-graphic xlink:href="i.gif"/> K.</p></caption><disp-formula><graphic'
        ' xlink:href="e1.png"/></disp-formula>'
        '<graphic xlink:href="s1.png"/></fig>'
    )
    figure = only(read(tmp_path, jats(body)))
    assert (figure.label, figure.caption, figure.graphics) == ("Scheme 1.", "Route x at 5 K.", ("s1.png",))


def test_label_absent(tmp_path: Path) -> None:
    body = (
        '<fig id="a"><caption><p>Fig. 3. TEM of rods.</p></caption></fig>'
        '<fig id="b"><caption><p>Portrait.</p></caption></fig>'
    )
    assert [f.label for f in read(tmp_path, jats(body)).figures] == ["Fig. 3", "unnumbered figure 1"]


def test_bold_panel_letters(tmp_path: Path) -> None:
    body = (
        '<fig id="f"><label>Fig. 1</label><caption><p><bold>a</bold> TEM image. <bold>b</bold>, <bold>c</bold> SEM '
        "images of a film, as in <bold>a</bold>.</p></caption></fig>"
    )
    facts = only(read(tmp_path, jats(body))).facts
    assert dict(facts.subcaptions) == {
        "a": "TEM image",
        "b": "SEM images of a film, as in a",
        "c": "SEM images of a film, as in a",
    }


def test_reprinted_figure_is_not_under_the_articles_licence(tmp_path: Path) -> None:
    meta = '<permissions><license xlink:href="http://creativecommons.org/licenses/by/4.0/"/></permissions>'
    body = (
        '<fig id="a"><label>Fig. 1</label><caption><p>TEM.</p></caption></fig>'
        '<fig id="b"><label>Fig. 2</label><caption><p>SEM. Reproduced with permission. Copyright 2018, Elsevier.</p>'
        "</caption></fig>"
    )
    own, reprinted = read(tmp_path, jats(body, meta)).figures
    assert own.licence == "CC BY 4.0"
    assert reprinted.licence is not None
    assert not reprinted.licence.startswith("CC")


def test_named_characters_and_thin_spaces(tmp_path: Path) -> None:
    text = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS//EN" "JATS.dtd">' + jats(
        '<fig id="f"><label>Fig.&nbsp;1</label><caption><p>5&#x2009;&micro;m,<sup>2</sup> '
        "Ti<sub>2</sub>O</p></caption></fig>"
    )
    figure = only(read(tmp_path, text))
    assert (figure.label, figure.caption) == ("Fig. 1", "5 µm,2 Ti2O")


# ---------------------------------------------------------------- what is broken or hostile


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x00\x01\x02", "neither XML, HTML nor PDF, and no text"),
        (b"<article><front>", "broken XML"),
        (b"<metadata/>", "no article"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><article><p>&x;</p></article>', "entities"),
        (
            b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY c'
            b' "&b;&b;&b;">]><article><p>&c;</p></article>',
            "entities",
        ),
        (b"<article>" + b"<sec>" * 5000 + b"</sec>" * 5000 + b"</article>", ""),
    ],
    ids=["empty", "binary", "broken", "other", "xxe", "laughs", "deep"],
)
def test_bad_document_gives_one_clear_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bad.xml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_article(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.xml", tmp_path):
        with pytest.raises(InputError):
            read_article(path)


def test_references_do_not_reach_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "article"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    body = "".join(
        f'<fig id="f{i}"><label>Figure {i}</label><caption><p>TEM.</p></caption><graphic xlink:href="{href}"/></fig>'
        for i, href in enumerate(["../secret.png", str(tmp_path / "secret.png"), "file:///etc/passwd", "link.png"])
    )
    article = read(folder, jats(body))
    for figure in article.figures:
        assert len(figure.missing) == 1
        assert not Path(figure.graphics[0]).is_absolute()
        assert ".." not in figure.graphics[0]


def test_file_names_in_other_case_suffix_and_folder(tmp_path: Path) -> None:
    (tmp_path / "MediaObjects").mkdir()
    for name in ("FIG1.JPG", "fig2.png", "fig2.jpg", "MediaObjects/12_Fig3_HTML.jpg"):
        (tmp_path / name).write_bytes(b"x")
    hrefs = ["fig1", "fig2.tif", "MediaObjects/12_Fig3_HTML.png"]
    body = "".join(
        f'<fig id="f{i}"><label>Figure {i}</label><graphic xlink:href="{href}"/></fig>' for i, href in enumerate(hrefs)
    )
    found = [Path(f.graphics[0]).name for f in read(tmp_path, jats(body)).figures]
    assert found == ["FIG1.JPG", "fig2.png", "12_Fig3_HTML.jpg"]


def test_figures_may_lie_elsewhere(tmp_path: Path, shared: Path) -> None:
    path = tmp_path / "PMC7058583.xml"
    shutil.copy(shared / "samples/jats/PMC7058583/PMC7058583.xml", path)
    assert all(figure.missing for figure in read_article(path).figures)
    figures = read_article(path, figure_dir=shared / "samples/jats/PMC7058583").figures
    assert not any(figure.missing for figure in figures)


# ---------------------------------------------------------------- finding article files


def test_article_files_are_told_from_other_xml(tmp_path: Path) -> None:
    files = {
        "a.xml": '<?xml version="1.0"?>\n<!-- x --><article/>',
        "b.nxml": "<!DOCTYPE article PUBLIC 'x' 'y'><article/>",
        "c.xml": "<settings/>",
        "d.xml": "",
        "e.txt": "<article/>",
        "f.html": "<html/>",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert {name for name in files if is_article_file(tmp_path / name)} == {"a.xml", "b.nxml", "d.xml", "f.html"}


def test_of_one_article_in_several_formats_the_richest_is_taken(tmp_path: Path) -> None:
    for name in ("x/PMC1.xml", "x/PMC1.pdf", "y/PMC2.pdf", "y/other.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("<article/>")
    found = [str(path.relative_to(tmp_path)) for path in find_articles(tmp_path)]
    assert found == ["x/PMC1.xml", "y/PMC2.pdf", "y/other.html"]
    with pytest.raises(InputError):
        find_articles(tmp_path / "none")


def test_an_xml_and_a_pdf_of_one_doi_are_one_article(tmp_path: Path, shared: Path) -> None:
    samples = shared / "samples"
    shutil.copy(samples / "jats/PMC7067258/PMC7067258.xml", tmp_path / "full text.xml")
    shutil.copy(samples / "pdf/PMC7067258.pdf", tmp_path / "c9sc04175c.pdf")
    shutil.copy(samples / "pdf/PMC7052380.pdf", tmp_path / "another.pdf")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    assert [path.name for path in find_articles(tmp_path)] == ["another.pdf", "broken.pdf", "full text.xml"]


@pytest.mark.parametrize(
    "text",
    [
        "<article><front><article-id pub-id-type='doi'>10.1234/AB.5</article-id></front></article>",
        "<full-text-retrieval-response><coredata><prism:doi>10.1234/ab.5</prism:doi></coredata></full-text-retrieval-response>",
        '<html><head><meta content="doi:10.1234/ab.5" name="citation_doi"></head></html>',
    ],
)
def test_doi_that_a_document_states(tmp_path: Path, text: str) -> None:
    path = tmp_path / "article.xml"
    path.write_text(text)
    assert stated_doi(path) == "10.1234/ab.5"


def test_pictures_amid_the_words_of_a_caption_are_no_graphics(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        '<article xmlns:xlink="http://www.w3.org/1999/xlink"><body><fig><label>Fig. 1</label><caption><p>TEM of '
        '<graphic xlink:href="t1.gif"/>-Fe<inline-graphic xlink:href="t2.gif"/>.</p></caption>'
        '<graphic xlink:href="f1.tif"/></fig><fig><label>Fig. 2</label><caption><graphic xlink:href="f2.tif"/>'
        "<p>SEM.</p></caption></fig></body></article>"
    )
    assert [figure.graphics for figure in read_article(path).figures] == [("f1.tif",), ("f2.tif",)]


def test_raised_digits_are_kept_apart_from_the_number_before_them(tmp_path: Path) -> None:
    path = tmp_path / "article.xml"
    path.write_text(
        '<article><front><article-meta><article-id pub-id-type="doi">10.1/x</article-id></article-meta></front><body>'
        '<fig id="a"><label>Figure 1</label><caption><p>SEM image. Scale bar: 1 × 10<sup>3</sup> nm.</p></caption>'
        '<graphic href="a.jpg"/></fig></body></article>',
        encoding="utf-8",
    )
    (figure,) = read_article(path).figures
    assert figure.caption.endswith("1 × 10³ nm.")
    assert [s.length_nm for s in figure.facts.scale_statements] == [1000]
