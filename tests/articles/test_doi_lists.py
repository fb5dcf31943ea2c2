"""Lists of DOIs in the forms in which programs and people write them."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from imagedataextractor.articles.doi_lists import iterate_doi_list, read_doi_list
from imagedataextractor.errors import InputError

SICI = "10.1002/(SICI)1097-4628(19960425)60:4<531::AID-APP6>3.0.CO;2-P"

ZOTERO = (
    '"Key","Item Type","Publication Year","Author","Title","ISSN","DOI","Url","Abstract Note"\r\n'
    '"AB1","journalArticle","2019","Roe, Jo; Poe, Al","Gold, silver and ""copper""","1234-5678","10.1234/a",'
    '"https://example.org/1","First line\n# second, line; of 10.9999/other\nthird"\r\n'
    '"AB2","book","2020","Poe, Al","No DOI, really","","","",""\r\n'
    '"AB3","journalArticle","2020","Poe, Al","By its address","","","https://doi.org/10.1234/B",""\r\n'
)
SCOPUS = (
    '"Authors","Title","Year","Source title","Cited by","DOI","Link","References","EID"\n'
    '"Roe J.","Sizes, shapes","2019","J. Particles",3,"10.1234/a",'
    '"https://scopus.example/uri?eid=1&doi=10.1234%2fa","Poe (1999) 10.9999/cited","2-s2"\n'
    '"Poe A.","Other","2020","J. Particles",,"n/a","","Poe (1999) 10.9999/cited","2-s2"\n'
    '"Poe A.","Third","2020","J. Particles",,"10.1234/B","","","2-s2"\n'
)
WEB_OF_SCIENCE = (
    "PT\tAU\tTI\tSO\tCR\tDI\tD2\tUT\n"
    'J\tRoe, J\t5" wafers, "thin"\tJ PART\tPoe A, DOI 10.9999/cited\t10.1234/a\t\tWOS:1\n'
    'J\tPoe, A\t"Quoted" first\tJ PART\t\t\t10.9999/book\tWOS:2\n'
    'J\tPoe, A\t"Open mark\tJ PART\t\t10.1234/b\t\tWOS:3\n'
)
RIS = (
    "TY  - JOUR\nAU  - Roe, J.\nTI  - Sizes\nDO  - 10.1234/a\nER  - \n\n"
    "TY  - BOOK\nTI  - A book\nER  -\n\nTY  - JOUR\nT1  - Other\nUR  - https://doi.org/10.1234/B\nER  - \n"
)
PUBMED = (
    "PMID- 1\nTI  - Sizes\nLID - S0022(99)1 [pii]\nLID - 10.1234/a [doi]\n\n"
    "PMID- 2\nTI  - None\n\nPMID- 3\nTI  - Long\n      title\nAID - 10.1234/b [doi]\n"
)
TAGGED_WOS = (
    "FN Clarivate Analytics Web of Science\nVR 1.0\nPT J\nAU Roe, J\nTI Sizes\nCR Poe A, DOI 10.9999/cited\n"
    "DI 10.1234/a\nER\n\nPT J\nTI None\nER\n\nPT J\nTI Third\nDI 10.1234/b\nER\n\nEF\n"
)
BIBTEX = (
    "@comment{made by hand, 10.9999/x}\n@article{roe,\n  title = {Sizes of {Au} rods},\n  doi = {10.1234/a},\n}\n"
    '@book{poe2000, title = "A book", year = 2000}\n'
    '@Article{poe,\n  DOI="10.1234\\slash",\n url = {https://doi.org/10.1234/b},\n doi = {10.1234/B},\n}\n'
).replace('DOI="10.1234\\slash",\n', "")


ENDNOTE = "%0 Journal Article\n%T Sizes\n%R 10.1234/a\n\n%0 Book\n%T A book\n\n%0 Journal Article\n%U https://doi.org/10.1234/b\n"
REFWORKS = (
    "RT Journal Article\nT1 Sizes\nDO 10.1234/a\n\nRT Book, Whole\nT1 A book\n\nRT Journal Article\nDO 10.1234/b\n"
)
DIMENSIONS = (
    "\"About the data: Exported on Jan 01, 2024. Criteria: 'gold' in title.\"\n"
    'Rank,Publication ID,DOI,Title\n1,pub.1,10.1234/a,"Sizes, shapes"\n2,pub.2,,None\n3,pub.3,10.1234/b,Third\n'
)


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("10.1234/a\n10.1234/B\n\n# a comment\n10.1234/a\n", []),
        ("https://doi.org/10.1234/a\nn/a\ndoi:10.1234/b", [2]),
        ("DOI\n10.1234/a\n10.1234/b", []),
        ("doi\ttitle\n10.1234/a\tOne\n10.1234/b\tTwo", []),
        ("title,doi\nOne,10.1234/a\nThree, four,\nTwo,10.1234/b", [3]),
        ("10.1234/a,One\n10.1234/b,Two", []),
        ("One;2019;10.1234/a\nThree;2019;\nTwo;2019;10.1234/b", [2]),
        ("sep=;\nTitel;DOI\nEins, zwei;10.1234/a\n;10.1234/b\n", []),
        ("title,link\nOne,https://doi.org/10.1234/a\nTwo,https://doi.org/10.1234/b\n", []),
        ("Roe, J. (2019), J. Particles 3, 4. doi:10.1234/a.\nPoe, A., 2020. https://doi.org/10.1234/b", []),
        ("10.1234/a, 10.1234/b", []),
        ('{"doi": "10.1234/a"}\n{"title": "none"}\n{"DOI": "10.1234/b"}', [2]),
        ('[{"title": "One", "DOI": "10.1234/a"},\n {"URL": "https://doi.org/10.1234/b"}, {"title": "x"}]', [3]),
        (ZOTERO, [5]),
        (SCOPUS, [3]),
        (WEB_OF_SCIENCE, [3]),
        (RIS, [7]),
        (PUBMED, [6]),
        (TAGGED_WOS, [10]),
        (BIBTEX, [6]),
        (ENDNOTE, [5]),
        (REFWORKS, [5]),
        (DIMENSIONS, [4]),
        ("TY  - JOUR\nDOI - 10.1234/a\nER  - \nTY  - JOUR\nL3  - 10.1234/b\nER  - \n", []),
        ("DOI,DOI,Title\n10.1234/a,,One\n,10.1234/b,Two\n", []),
        ("10.1234/a, n/a; 10.1234/b", []),
        ("<li>10.1234/a</li><li><a href='https://doi.org/10.1234/b'>b</a></li>", []),
        ("\\href{https://doi.org/10.1234/a}{One} and \\doi{10.1234/b}", []),
        ("{{doi|10.1234/a}} [[10.1234/b]](x)", []),
        (
            '{"status": "ok", "message": {"items": [{"DOI": "10.1234/a", "reference": [{"DOI": "10.9999/cited"}]}, '
            '{"title": "x"},\n{"DOI": "10.1234/b"}]}}',
            [2],
        ),
        ('{"data": [{"externalIds": {"DOI": "10.1234/a"}}, {"ids": {"doi": "https://doi.org/10.1234/b"}}]}', []),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_forms_of_a_list(tmp_path: Path, text: str, without: list[int], encoding: str) -> None:
    path = tmp_path / "list"
    path.write_bytes(text.encode(encoding))
    missing: list[int] = []
    found = list(dict.fromkeys(iterate_doi_list(path, lambda line, _: missing.append(line))))
    assert found == ["10.1234/a", "10.1234/b"]
    assert missing == without


def test_excel_writes_utf16_with_semicolons_or_tabs_and_old_letters(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    text = f"Titel;Jahr;DOI\r\nGröße;2019;10.1234/a\r\nAlt;1996;{SICI}\r\n"
    for data in (
        codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        text.encode("utf-16-le"),
        text.replace(";", "\t").replace("CO\t2", "CO;2").encode("utf-16"),
        text.encode("windows-1252"),
        text.replace(SICI, f'"{SICI}"').encode(),
    ):
        path.write_bytes(data)
        assert read_doi_list(path) == ["10.1234/a", SICI.lower()]


def test_a_plain_list_of_old_dois_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"{SICI}\n{SICI.replace('531', '532')}\n")
    assert read_doi_list(path) == [SICI.lower(), SICI.replace("531", "532").lower()]


def test_tex_in_bibtex(tmp_path: Path) -> None:
    path = tmp_path / "library.bib"
    path.write_text(
        "@article{a, doi = {10.1007/978-3-030-1\\_2}}\n"
        "@article{b, doi = {10.1002/1521-3773(20000117)39:2$<$310::AID-ANIE310$>$3.0.CO;2-K}}\n"
        "@article{c, doi = {https://doi.org/10.1234/{A}b}}\n"
    )
    assert read_doi_list(path) == [
        "10.1007/978-3-030-1_2",
        "10.1002/1521-3773(20000117)39:2<310::aid-anie310>3.0.co;2-k",
        "10.1234/ab",
    ]


def test_what_is_no_list_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "list"
    for data, says in (
        (b"none\nat all\n", "no DOI in any of its 2 lines"),
        (b"title,doi\nOne,\n", "no DOI in any of its 1 lines"),
        (b"PK\x03\x04\0\0", "an Excel or zip file; save it as CSV"),
        (b"[1,", "broken JSON"),
    ):
        path.write_bytes(data)
        with pytest.raises(InputError, match=says):
            read_doi_list(path)
    for nothing in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_doi_list(nothing)


def test_an_empty_result_is_an_empty_list(tmp_path: Path) -> None:
    path = tmp_path / "found.tsv"
    path.write_text("doi\ttitle\tyear\n")
    assert read_doi_list(path) == []
