"""DOIs as people paste them."""

from __future__ import annotations

import pytest

from imagedataextractor.articles.dois import clean_doi, plain_doi, plain_dois
from imagedataextractor.errors import InputError

SICI = "10.1002/(sici)1097-4628(19960425)60:4<531::aid-app6>3.0.co;2-p"


@pytest.mark.parametrize(
    "text",
    [
        "10.1016/J.X.2019",
        "doi:10.1016/j.x.2019",
        "DOI 10.1016/j.x.2019",
        "DOI: 10.1016/j.x.2019.",
        "DOI10.1016/j.x.2019",
        "DOI\uff1a10.1016/j.x.2019",
        "Digital Object Identifier (DOI): 10.1016/j.x.2019",
        "doi.org/10.1016/j.x.2019",
        "www.doi.org/10.1016/j.x.2019",
        "http://dx.doi.org/10.1016%2Fj.x.2019",
        "https://doi.org/10.1016/j.x.2019?via%3Dihub#sec1",
        "https://doi-org.proxy.example.edu/10.1016/j.x.2019",
        "info:doi/10.1016/j.x.2019",
        "10.1016%2Fj.x.2019 ",
        "<10.1016/j.x.2019>",
        "\u201c10.1016/j.x.2019\u201d,",
        "(10.1016/j.x.2019)",
        "\ufeff10.1016/j.\u200bx.2019\u200b",
        "https://pubs.example.org/doi/full/10.1016/j.x.2019?casa_token=a",
        "https://example.org/articles/10.1016/j.x.2019/full",
        "https://example.org/content/pdf/10.1016/j.x.2019.pdf",
        "https://example.org/article?id=10.1016/j.x.2019&type=printable",
        "https://doi.org/10.1016/j.x.2019/",
        "https://doi.org/ 10.1016/j.x.2019 .",
        "10.1016/j.x.2019 [doi]",
        "10.1016/j.x.2019?ref=pdf",
        "DOI number: 10.1016/j.x.2019",
        "https://example.org/doi/suppl/10.1016/j.x.2019/suppl_file/si_001.pdf",
        "https://example.org/article/10.1016/j.x.2019/fulltext.html",
    ],
)
def test_forms_of_a_doi(text: str) -> None:
    assert clean_doi(text) == "10.1016/j.x.2019"


@pytest.mark.parametrize(
    "text",
    [
        "10.1002/(SICI)1097-4628(19960425)60:4<531::AID-APP6>3.0.CO;2-P",
        "10.1002/(SICI)1097-4628%2819960425%2960:4%3C531::AID-APP6%3E3.0.CO%3B2-P",
        "https://doi.org/10.1002%2F%28SICI%291097-4628%2819960425%2960%3A4%3C531%3A%3AAID-APP6%3E3.0.CO%3B2-P",
        "10.1002/(SICI)1097\u20104628(19960425)60:4&lt;531::AID\u2011APP6&gt;3.0.CO;2\u2013P",
    ],
)
def test_old_dois_with_angle_brackets(text: str) -> None:
    assert clean_doi(text) == SICI


@pytest.mark.parametrize(
    "text",
    [
        *("", "PMC7058583", "10.1234", "http://example.org/x", "10.1/ab", "doi", "n/a", "10.1016/j .x"),
        *("see 10.1016/j.x", "v10.1016/j.x", "10.1016/j.x,10.1016/j.y"),
    ],
)
def test_what_is_no_doi(text: str) -> None:
    with pytest.raises(InputError, match="is no DOI"):
        clean_doi(text)


def test_dois_in_a_text() -> None:
    assert plain_doi("As we showed (see doi: 10.1016/s0022(99)12-5), it grows.") == "10.1016/s0022(99)12-5"
    assert plain_dois("10.1234/a, 10.1234/b;10.1234/A and https://doi.org/10.1234/c.") == [
        *("10.1234/a", "10.1234/b", "10.1234/c")
    ]
    assert plain_doi("version 110.1234/5") is None
