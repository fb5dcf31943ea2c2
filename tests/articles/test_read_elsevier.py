"""Elsevier's full-text XML, built as the service sends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagedataextractor.articles.licences import THIRD_PARTY
from imagedataextractor.articles.read import read_article
from imagedataextractor.articles.read.markup import parse_xml
from imagedataextractor.errors import InputError
from imagedataextractor.records import Article

EID = "1-s2.0-S0000000019300001"
NAMESPACES = (
    'xmlns="http://www.elsevier.com/xml/svapi/article/dtd" xmlns:ce="http://www.elsevier.com/xml/common/dtd" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/" '
    'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xocs="http://www.elsevier.com/xml/xocs/dtd" '
    'xmlns:ja="http://www.elsevier.com/xml/ja/dtd"'
)


def picture(reference: str, category: str, suffix: str, width: int) -> str:
    kinds = {"thumbnail": "IMAGE-THUMBNAIL", "standard": "IMAGE-DOWNSAMPLED", "high": "IMAGE-HIGH-RES"}
    return (
        f'<object ref="{reference}" category="{category}" type="{kinds[category]}" mimetype="image/jpeg" '
        f'width="{width}" height="{width}" size="{width * 30}">https://api.elsevier.com/content/object/eid/'
        f"{EID}-{reference}{suffix}?httpAccept=%2A%2F%2A</object>"
    )


def objects(*references: str) -> str:
    return "".join(
        picture(r, "thumbnail", ".sml", 160)
        + picture(r, "standard", ".jpg", 390)
        + picture(r, "high", "_lrg.jpg", 1700)
        for r in references
    )


def figure(identifier: str, label: str, caption: str, locator: str) -> str:
    return (
        f'<ce:figure id="{identifier}"><ce:label>{label}</ce:label><ce:caption><ce:simple-para view="all">{caption}'
        f'</ce:simple-para></ce:caption><ce:alt-text role="short">{label}</ce:alt-text><ce:link locator="{locator}" '
        f'xlink:type="simple" xlink:href="pii:S0000000019300001/{locator}"/></ce:figure>'
    )


def full_text(floats: str, listed: str, *, licence: str = "http://creativecommons.org/licenses/by/4.0/") -> str:
    return (
        f"<full-text-retrieval-response {NAMESPACES}><coredata>"
        f"<prism:url>https://api.elsevier.com/content/article/pii/S0000000019300001</prism:url><eid>{EID}</eid>"
        "<prism:doi>10.1016/J.TEST.2019.01.001</prism:doi><dc:title> On particles </dc:title>"
        "<prism:publicationName>Journal of"
        " Particles</prism:publicationName><prism:coverDate>2019-09-01</prism:coverDate>"
        f"<dc:creator>Curie, M.</dc:creator><openaccessUserLicense>{licence}</openaccessUserLicense></coredata>"
        f"<objects>{listed}</objects><originalText><xocs:doc><xocs:serial-item><ja:article><ce:floats>{floats}</ce:floats>"
        "</ja:article></xocs:serial-item></xocs:doc></originalText></full-text-retrieval-response>"
    )


def read(tmp_path: Path, text: str) -> Article:
    path = tmp_path / "article.xml"
    path.write_text(text, encoding="utf-8")
    return read_article(path)


def test_article_and_its_figures(tmp_path: Path) -> None:
    floats = figure(
        "f0005",
        "Fig. 1",
        'SEM images of Ca<ce:inf loc="post">50</ce:inf>Mg (a), a layer of'
        ' 0.5<ce:hsp sp="0.25"/>nm (b)\n   and rods (c).',
        "gr1",
    ) + figure("f0010", "Scheme 1", "Route to Ti<ce:glyph name='dbnd'/>O, see <ce:cross-ref>[1]</ce:cross-ref>.", "sc1")
    article = read(tmp_path, full_text(floats, objects("gr1", "sc1")))
    assert article.doi == "10.1016/j.test.2019.01.001"
    assert (article.title, article.authors) == ("On particles", ("M. Curie",))
    assert (article.journal, article.year, article.licence) == ("Journal of Particles", 2019, "CC BY 4.0")
    first, second = article.figures
    assert first.label == "Fig. 1"
    assert first.caption == "SEM images of Ca50Mg (a), a layer of 0.5 nm (b) and rods (c)."
    assert first.facts.is_em
    assert list(first.facts.subcaptions) == ["a", "b", "c"]
    assert first.graphics == (f"https://api.elsevier.com/content/object/eid/{EID}-gr1_lrg.jpg?httpAccept=%2A%2F%2A",)
    assert second.label == "Scheme 1"
    assert second.caption == "Route to Ti=O, see [1]."


@pytest.mark.parametrize(
    "names",
    [[f"{EID}-gr1_lrg.jpg", f"{EID}-gr1.jpg"], ["gr1_lrg.jpg", "gr1.jpg"], ["gr1.jpg"], ["GR1.JPG"]],
)
def test_saved_files_are_found_and_the_largest_is_taken(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    article = read(tmp_path, full_text(figure("f1", "Fig. 1", "TEM.", "gr1"), objects("gr1")))
    assert [Path(g).name for g in article.figures[0].graphics] == [names[0]]
    assert article.figures[0].missing == ()


def test_pictures_by_attachment_where_no_objects_are_listed(tmp_path: Path) -> None:
    attachments = "".join(
        f"<xocs:attachment><xocs:attachment-eid>{EID}-gr1{end}</xocs:attachment-eid><xocs:file-basename>gr1"
        f"</xocs:file-basename><xocs:attachment-type>{kind}</xocs:attachment-type></xocs:attachment>"
        for end, kind in [(".sml", "IMAGE-THUMBNAIL"), (".jpg", "IMAGE-DOWNSAMPLED"), ("_lrg.jpg", "IMAGE-HIGH-RES")]
    )
    article = read(tmp_path, full_text(figure("f1", "Fig. 1", "TEM.", "gr1") + attachments, ""))
    assert article.figures[0].graphics == (f"{EID}-gr1_lrg.jpg",)


def test_graphical_abstracts_films_and_languages(tmp_path: Path) -> None:
    floats = (
        '<ce:abstract class="graphical"><ce:figure id="a"><ce:link locator="fx1"/></ce:figure></ce:abstract>'
        '<ce:figure id="b"><ce:label>Fig. 1</ce:label><ce:caption xml:lang="en"><ce:simple-para>TEM.</ce:simple-para>'
        '</ce:caption><ce:caption xml:lang="fr"><ce:simple-para>MET.</ce:simple-para></ce:caption>'
        '<ce:link locator="gr1a"/><ce:link locator="gr1b"/><ce:e-component><ce:link locator="mmc1"/></ce:e-component>'
        "</ce:figure>"
    )
    article = read(tmp_path, full_text(floats, objects("fx1", "gr1a", "gr1b")))
    assert [f.label for f in article.figures] == ["Graphical abstract", "Fig. 1"]
    assert not article.figures[0].facts.is_em
    assert article.figures[1].caption == "TEM."
    assert [g.rpartition("-")[2].split("?")[0] for g in article.figures[1].graphics] == ["gr1a_lrg.jpg", "gr1b_lrg.jpg"]


def test_figure_in_parts(tmp_path: Path) -> None:
    floats = (
        '<ce:figure id="f"><ce:label>Fig. 2</ce:label><ce:caption><ce:simple-para>TEM'
        " images.</ce:simple-para></ce:caption>"
        '<ce:figure id="p"><ce:label>(a)</ce:label><ce:caption><ce:simple-para>Rods.</ce:simple-para></ce:caption>'
        '<ce:link locator="gr2a"/></ce:figure><ce:figure id="q"><ce:label>(b)</ce:label><ce:caption><ce:simple-para>'
        'Cubes.</ce:simple-para></ce:caption><ce:link locator="gr2b"/></ce:figure></ce:figure>'
    )
    article = read(tmp_path, full_text(floats, objects("gr2a", "gr2b")))
    assert len(article.figures) == 1
    assert len(article.figures[0].graphics) == 2
    assert dict(article.figures[0].facts.subcaptions) == {"a": "Rods", "b": "Cubes"}


#: Where figures stand in articles: `floats` comes before the head; what is not floating is in `display`.
PLACES = {
    "in the text": "<ce:sections><ce:section><ce:para>See <ce:cross-ref refid='f'>Fig. 1</ce:cross-ref>.<ce:display>{}"
    "</ce:display></ce:para></ce:section></ce:sections>",
    "appendix": "<ce:appendices><ce:section role='appendix'><ce:section-title>Sizes</ce:section-title><ce:para>"
    "<ce:display>{}</ce:display></ce:para></ce:section></ce:appendices>",
    "box": "<ce:textbox><ce:label>Box 1</ce:label><ce:caption><ce:simple-para>Why.</ce:simple-para></ce:caption>"
    "<ce:textbox-body><ce:sections><ce:para><ce:display>{}</ce:display></ce:para></ce:sections></ce:textbox-body>"
    "</ce:textbox>",
    "converted article": "<ja:converted-article><ce:floats>{}</ce:floats></ja:converted-article>",
    "exam": "<ja:simple-article><ja:body>{}</ja:body></ja:simple-article>",
}


@pytest.mark.parametrize("place", PLACES)
def test_figures_wherever_they_stand(tmp_path: Path, place: str) -> None:
    inner = figure("f", "Fig. A.1", "TEM image of <ce:italic>a</ce:italic> rod.", "gr1")
    (found,) = read(tmp_path, full_text(PLACES[place].format(inner), objects("gr1"))).figures
    assert (found.label, found.caption, found.id) == ("Fig. A.1", "TEM image of a rod.", "f")
    assert found.graphics[0].endswith("gr1_lrg.jpg?httpAccept=%2A%2F%2A")


def test_caption_of_several_paragraphs_with_a_formula_and_a_footnote(tmp_path: Path) -> None:
    caption = (
        "(a) TEM image</ce:simple-para><ce:simple-para>(b) Fit to <mml:math altimg='si1.gif'><mml:mi>d</mml:mi>"
        "<mml:mo>=</mml:mo><mml:mn>5</mml:mn></mml:math><ce:hsp sp='0.25'/>nm<ce:footnote><ce:label>1</ce:label>"
        "<ce:note-para>Wrong.</ce:note-para></ce:footnote>."
    )
    text = full_text(figure("f", "Fig. 1", caption, "gr1"), objects("gr1"))
    namespace = 'xmlns:mml="http://www.w3.org/1998/Math/MathML"'
    article = read(
        tmp_path, text.replace("<full-text-retrieval-response", f"<full-text-retrieval-response {namespace}")
    )
    assert article.figures[0].caption == "(a) TEM image (b) Fit to d=5 nm."
    assert list(article.figures[0].facts.subcaptions) == ["a", "b"]


def test_picture_listed_in_one_size_and_another_format(tmp_path: Path) -> None:
    listed = (
        '<object ref="gr1" category="thumbnail" type="IMAGE-THUMBNAIL" mimetype="image/gif" width="125" height="93">'
        'https://api.elsevier.com/x-gr1.sml</object><object ref="gr1" category="standard" type="IMAGE-DOWNSAMPLED" '
        'mimetype="image/gif" width="372" height="292">https://api.elsevier.com/x-gr1.gif</object>'
        '<object ref="mmc1" category="standard" type="VIDEO" mimetype="video/mp4">https://api.elsevier.com/x.mp4</object>'
    )
    article = read(tmp_path, full_text(figure("f", "Fig. 1", "TEM.", "gr1"), listed))
    assert article.figures[0].graphics == ("https://api.elsevier.com/x-gr1.gif",)


def test_the_same_picture_for_print_and_screen_is_one(tmp_path: Path) -> None:
    twice = figure("f", "Fig. 1", "TEM.", "gr1").replace("<ce:link", '<ce:link locator="gr1"/><ce:link')
    assert len(read(tmp_path, full_text(twice, objects("gr1"))).figures[0].graphics) == 1


def test_figure_with_a_source_of_its_own_is_not_under_the_articles_licence(tmp_path: Path) -> None:
    own, taken = (figure("f1", "Fig. 1", "TEM.", "gr1"), figure("f2", "Fig. 2", "SEM.", "gr2"))
    source = "<ce:source>Reprinted from Ref. [5] with permission of the publisher.</ce:source><ce:link"
    article = read(tmp_path, full_text(own + taken.replace("<ce:link", source), objects("gr1", "gr2")))
    assert [f.licence for f in article.figures] == ["CC BY 4.0", THIRD_PARTY]
    assert article.figures[1].caption == "SEM."


def test_article_without_an_open_licence(tmp_path: Path) -> None:
    article = read(tmp_path, full_text(figure("f", "Fig. 1", "TEM.", "gr1"), "", licence=""))
    assert article.licence is None or not article.licence.startswith("CC")


def test_other_xml_is_refused() -> None:
    from imagedataextractor.articles.read.elsevier_xml import read_elsevier

    with pytest.raises(InputError, match="no Elsevier article"):
        read_elsevier(parse_xml(b"<x/>", Path("x.xml")), Path("x.xml"))
