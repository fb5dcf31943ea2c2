"""`ide serve`: every page opens, every query runs with its defaults, pictures are drawn."""

from __future__ import annotations

import re
from io import BytesIO
from urllib.parse import unquote

import pytest
from PIL import Image
from served import DOI

from imagedataextractor.review.named import canned_queries, served_name
from imagedataextractor.store import load_named_queries
from imagedataextractor.store.tables import metadata

DATABASE = "/my~20particles"
TABLES = [*metadata.tables, "measured_particles"]


def rows_of(site, path: str) -> list[dict]:
    answer = site.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("name", sorted(load_named_queries()))
def test_every_query_runs_with_its_defaults(site, name):
    page = site.get(f"{DATABASE}/{served_name(name)}")
    assert page.status_code == 200
    assert 'class="message-error"' not in page.text
    for parameter, default in load_named_queries()[name].parameters.items():
        shown = re.search(rf'name="{parameter}" value="([^"]*)"', page.text)
        assert shown is not None
        assert shown[1] == str(default) if default is not None else shown[1]
    answer = rows_of(site, f"{DATABASE}/{served_name(name)}.json")
    assert answer["error"] is None if "error" in answer else answer["ok"]
    silent = {"same-picture", "monodisperse", "materials", "stated-and-measured"}
    assert answer["rows"] or name in silent


@pytest.mark.parametrize("name", sorted(load_named_queries()))
def test_an_emptied_field_means_the_default(site, name):
    query = load_named_queries()[name]
    emptied = "&".join(f"{p}=" for p, default in query.parameters.items() if default is not None)
    path = f"{DATABASE}/{served_name(name)}.json?_shape=array"
    assert rows_of(site, f"{path}&{emptied}") == rows_of(site, path)


def test_numbers_are_compared_as_numbers(site):
    few = rows_of(site, f"{DATABASE}/particles-of-size.json?_shape=array&low_nm=9&high_nm=100000")
    none = rows_of(site, f"{DATABASE}/particles-of-size.json?_shape=array&low_nm=100000&high_nm=9")
    assert few
    assert none == []
    assert len(rows_of(site, f"{DATABASE}/largest-particles.json?_shape=array&limit=2")) == 2


def test_no_query_hides_a_table(site):
    assert not set(canned_queries()) & set(TABLES)
    for table in TABLES:
        page = site.get(f"{DATABASE}/{table}")
        assert page.status_code == 200
        assert "rows-and-columns" in page.text or "0 records" in page.text, table


@pytest.mark.parametrize("page", ["/", DATABASE, "/-/metadata", f"{DATABASE}/panels/1", f"{DATABASE}/particles/1,1"])
def test_pages_open_and_hostile_words_stay_words(site, page):
    answer = site.get(page)
    assert answer.status_code == 200
    assert "<script>document.title" not in answer.text
    assert "<img src=x" not in answer.text


@pytest.mark.parametrize("table", ["articles", "figures", "panels", "failures", "measured_particles"])
def test_hostile_words_in_tables_stay_words(site, table):
    text = site.get(f"{DATABASE}/{table}").text
    assert "document.title" in text
    assert "<script>document.title" not in text
    assert "<img src=x" not in text


def picture(site, path: str) -> Image.Image:
    answer = site.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text
    return Image.open(BytesIO(answer.content))


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("measured_particles", r"/-/picture/particle/\d+/\d+\.png"),
        ("measured_particles", r"/-/picture/segmentation/\d+\.png"),
        ("particles", r"/-/picture/particle/\d+/\d+\.png"),
        ("panels", r"/-/picture/panel/\d+\.png"),
        ("figures", r"/-/picture/figure/\d+\.png"),
        ("segmentations", r"/-/picture/segmentation/\d+\.png"),
        ("largest-particles", r"/-/picture/particle/\d+/\d+\.png"),
        ("panels-query", r"/-/picture/segmentation/\d+\.png"),
    ],
)
def test_rows_lead_to_pictures(site, page, link):
    found = re.search(f'href="({link})"', site.get(f"{DATABASE}/{page}").text)
    assert found is not None
    assert picture(site, found[1]).size > (50, 50)


def test_the_overlay_shows_outlines_and_the_crop_its_particle(site):
    overlay = picture(site, "/-/picture/panel/1.png")
    assert overlay.width == 800  # the panel of 400 px, enlarged by a whole factor
    coloured = sum(count for count, (r, g, b) in overlay.getcolors(1 << 24) if max(r, g, b) - min(r, g, b) > 60)
    assert coloured > 1000
    assert max(picture(site, "/-/picture/particle/1/1.png").size) <= 520


@pytest.mark.parametrize("path", ["panel/999.png", "segmentation/999.png", "particle/1/9999.png", "figure/99.png"])
def test_what_is_not_there_is_told_in_a_line(site, path):
    answer = site.get(f"/-/picture/{path}")
    assert (answer.status_code, answer.text.count("\n")) == (404, 0)
    assert answer.text.startswith("there is no ")


def test_a_picture_that_changed_is_not_drawn_over(sites, own_database):
    site = sites(own_database)
    file = next(iter(rows_of(site, f"{DATABASE}/figures.json?_shape=array")))["image_path"]
    Image.new("L", (800, 300)).save(file)
    answer = site.get("/-/picture/panel/1.png")
    assert answer.status_code == 404
    assert "has changed since" in answer.text


def test_facets(site):
    text = site.get(f"{DATABASE}/measured_particles").text
    for facet in ("technique", "journal", "year"):
        assert f'data-column="{facet}"' in text or f"facet-{facet}" in text


def test_median_and_sd(site):
    sql = "select median(ecd_nm) as m, sd(ecd_nm) as s, avg(ecd_nm) as a from measured_particles where accepted"
    (row,) = rows_of(site, f"{DATABASE}.json?_shape=array&sql={sql}")
    (panel,) = rows_of(site, f"{DATABASE}/panels-query.json?_shape=array&doi={DOI}&_nofacet=1")[:1]
    assert row["m"] == pytest.approx(panel["ecd_median_nm"])
    assert row["s"] == pytest.approx(panel["ecd_sd_nm"])


def test_all_links_of_the_front_pages_open(site):
    seen = set()
    for page in ("/", DATABASE):
        for link in re.findall(r'href="(/[^"#?]*)"', site.get(page).text):
            if link not in seen and not link.endswith((".db", ".css")):
                seen.add(link)
                assert site.get(unquote(link) if "%" in link else link).status_code == 200, link
    assert len(seen) > len(TABLES)
