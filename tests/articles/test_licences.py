"""Licences: one name each, whatever the document writes."""

from __future__ import annotations

import pytest

from imagedataextractor.articles.licences import THIRD_PARTY, figure_licence, licence_allowed, normalise_licence


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (["https://creativecommons.org/licenses/by/4.0/"], "CC BY 4.0"),
        (["http://creativecommons.org/licenses/by-nc-nd/4.0/legalcode"], "CC BY-NC-ND 4.0"),
        (["https://creativecommons.org/publicdomain/zero/1.0/"], "CC0 1.0"),
        (["cc by"], "CC BY"),
        (["CC BY-NC"], "CC BY-NC"),
        (["cc-by-nc-sa"], "CC BY-NC-SA"),
        (["CC0"], "CC0"),
        (
            ["This is an open access article under the Creative Commons Attribution 4.0 International License"],
            "CC BY 4.0",
        ),
        (["Creative Commons Attribution-NonCommercial-NoDerivs License"], "CC BY-NC-ND"),
        (["distributed under the Creative Commons Attribution (CC BY) license"], "CC BY"),
        (["", None, "© 2019 Elsevier B.V. All rights reserved."], "© 2019 Elsevier B.V. All rights reserved."),
        (["", None], None),
    ],
)
def test_name_of_a_licence(texts: list[str | None], name: str | None) -> None:
    assert normalise_licence(*texts) == name


@pytest.mark.parametrize(
    ("licence", "wanted", "allowed"),
    [
        ("CC BY 4.0", ["CC BY"], True),
        ("CC BY 4.0", ["cc-by"], True),
        ("CC BY-NC 4.0", ["CC BY"], False),
        ("CC BY-NC 4.0", ["CC"], True),
        ("CC0 1.0", ["CC BY", "CC0"], True),
        ("© 2019 Elsevier", ["CC"], False),
        (None, ["CC BY"], False),
        (None, [], True),
        (THIRD_PARTY, ["CC BY"], False),
    ],
)
def test_filter(licence: str | None, wanted: list[str], allowed: bool) -> None:
    assert licence_allowed(licence, wanted) is allowed


@pytest.mark.parametrize(
    "caption",
    [
        "SEM image. Reproduced with permission. Copyright 2018, Elsevier.",
        "TEM image (reprinted with permission from ref. 5).",
        "Adapted with permission from Springer Nature.",
        "TEM image. © 2015 American Chemical Society",
    ],
)
def test_reprinted_figures(caption: str) -> None:
    assert figure_licence(None, caption, "CC BY 4.0") == THIRD_PARTY
    assert figure_licence("CC BY 3.0", caption, "CC BY 4.0") == "CC BY 3.0"


def test_own_figures() -> None:
    assert figure_licence(None, "TEM image modified after heating.", "CC BY 4.0") == "CC BY 4.0"
