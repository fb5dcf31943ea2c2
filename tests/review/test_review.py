"""`ide review`: the queue, a panel, corrections that are posted, and who may."""

from __future__ import annotations

import re

import numpy as np
import pytest
from served import SHAPE

from imagedataextractor.errors import InputError
from imagedataextractor.report.trust import PanelFacts, trust_of
from imagedataextractor.review.emps import export_emps
from imagedataextractor.review.queue import read_queue
from imagedataextractor.store import Store
from imagedataextractor.training.segmentation.dataset import load_emps

PANEL = "/-/review/panel/1"


@pytest.fixture
def review(sites, own_database):
    return sites(own_database, review=True)


def say(site, action: str, panel: str = PANEL, **given: str) -> str:
    """Post a correction as the page does; the words that come back."""
    token = re.search(r'name="csrftoken" value="([^"]+)"', site.get(panel).text)[1]
    answer = site.post(
        f"{panel}/correct", data={"csrftoken": token, "action": action, **given}, cookies={"ds_csrftoken": token}
    )
    assert answer.status_code == 303, answer.text
    return re.search(r'id="message" role="status">([^<]*)<', site.get(answer.headers["location"]).text)[1]


def accepted(database: str) -> dict:
    with Store.open(database, read_only=True) as store:
        sql = "SELECT panel, count(*) FROM measured_particles WHERE accepted GROUP BY panel"
        return dict(store.query(sql)[1])


def test_the_queue_puts_what_needs_a_look_first(review):
    text = review.get("/-/review").text
    first, second = re.findall(r'class="open" href="([^"]+)"', text)
    assert (first, second) == ("/-/review/panel/2", "/-/review/panel/1")
    assert "no scale" in text


def test_every_correction_is_posted_and_undone(review, own_database):
    before = accepted(own_database)
    with Store.open(own_database, read_only=True) as store:
        sql = "SELECT particle, x_px, y_px FROM measured_particles WHERE accepted AND panel = 'a' ORDER BY ecd_px DESC"
        (largest, x, y), (other, *_) = store.query(sql)[1][:2]
    for action, given, change in (
        ("reject", {"numbers": str(largest)}, -1),
        ("merge", {"numbers": f"{largest},{other}"}, -1),
        ("split", {"numbers": str(largest), "points": f"{x - 50},{y} {x + 50},{y}"}, 1),
        ("draw", {"points": f"{x - 3},{y - 3} {x + 3},{y - 3} {x + 3},{y + 3}"}, 1),
    ):
        assert say(review, action, why="test", **given) == action
        assert accepted(own_database)["a"] == before["a"] + change, action
        with Store.open(own_database, read_only=True) as store:
            last = store.corrections()[-1]
        assert (last.why, last.undone_at) == ("test", None)
        assert say(review, "undo", correction=str(last.id)) == f"taken back: {action}"
        assert accepted(own_database) == before


def test_the_scale_in_every_way(review, own_database):
    for given, scale in (
        ({"as": "nm_per_px", "value": "0.5"}, 0.5),
        ({"as": "bar", "value": "0.2 um", "bar_px": "100"}, 2.0),
        ({"as": "field", "value": "1.2 um"}, 3.0),
    ):
        assert say(review, "scale", panel="/-/review/panel/2", **given) == "scale"
        with Store.open(own_database, read_only=True) as store:
            sql = "SELECT DISTINCT nm_per_px FROM measured_particles WHERE panel = 'b'"
            assert store.query(sql)[1] == [(pytest.approx(scale),)]


def test_nonsense_is_told_and_changes_nothing(review, own_database):
    before = accepted(own_database)
    assert "there is no particle 9999" in say(review, "reject", numbers="9999")
    assert "is no number" in say(review, "reject", numbers="&lt;b&gt;")
    assert "two particles" in say(review, "merge", numbers="1")
    assert "no correction is called" in say(review, "shred")
    assert "is no point" in say(review, "draw", points="1 2 3")
    assert "lies outside" in say(review, "draw", points="9000,9000 9010,9000 9010,9010")
    assert "takes a length" in say(review, "scale", **{"as": "bar", "value": "wide"})
    assert accepted(own_database) == before
    assert review.get("/-/review/panel/99").status_code == 404


@pytest.mark.parametrize("cookies", [{}, {"ds_csrftoken": "x"}])
@pytest.mark.parametrize("kind", ["form", "json"])
def test_a_foreign_page_cannot_correct(review, own_database, cookies, kind):
    before = accepted(own_database)
    body = {"csrftoken": "x", "action": "not-em"}
    sent = {"data": body} if kind == "form" else {"json": body}
    assert review.post(f"{PANEL}/correct", cookies=cookies, **sent).status_code == 403
    assert accepted(own_database) == before


def test_the_pages_are_for_this_machine(review):
    for path in ("/-/review", PANEL, f"{PANEL}/image.png"):
        assert review.get(path, headers={"host": "evil.example:8002"}).status_code == 403
        assert review.get(path, headers={"host": "127.0.0.1:8002"}).status_code == 200


def test_hostile_words_stay_words(review):
    for path in ("/-/review", PANEL, f'{PANEL}?message=<script>1</script>&at="><script>1</script>'):
        answer = review.get(path)
        assert answer.status_code == 200
        assert not re.search(r"<script(?! defer src=\"/-/static-plugins/)", answer.text)
        assert "<img" not in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_scripts_and_styles_are_served_from_here(review):
    links = re.findall(
        r'(?:src|href)="(/-/static-plugins/[^"]+)"', review.get("/-/review").text + review.get(PANEL).text
    )
    assert len(set(links)) == 3
    for link in links:
        assert review.get(link).status_code == 200


def test_serving_alone_corrects_nothing(sites, own_database):
    site = sites(own_database)
    assert site.get("/-/review").status_code == 404
    assert site.post(f"{PANEL}/correct", data={"action": "not-em"}).status_code in (403, 404)


def test_what_was_put_aside_can_be_taken_back(review, own_database):
    assert say(review, "not-em") == "not-em"
    assert "a" not in accepted(own_database)
    assert "put aside" in review.get(PANEL).text
    assert say(review, "em") == "em"
    assert "a" in accepted(own_database)


def test_reviewed_panels_are_training_data(review, own_database, tmp_path):
    with Store.open(own_database, read_only=True) as store, pytest.raises(InputError, match="ide review"):
        export_emps(store, tmp_path / "none")
    assert say(review, "looked") == "noted as looked at"
    assert say(review, "reject", numbers="1") == "reject"
    with Store.open(own_database, read_only=True) as store:
        assert [panel.reviewed for panel in read_queue(store)] == [False, True]
        assert export_emps(store, tmp_path / "emps") == (1, [])
        sql = "SELECT count(*) FROM measured_particles WHERE panel = 'a' AND (accepted OR reason = 'border')"
        (expected,) = store.query(sql)[1][0]
        sql = "SELECT area_px FROM measured_particles WHERE panel = 'a' AND accepted"
        areas = sorted(area for (area,) in store.query(sql)[1])
    (example,) = load_emps(tmp_path / "emps")
    assert example.image.shape == example.labels.shape == SHAPE
    sizes = np.bincount(example.labels.ravel())[1:]
    assert len(sizes) == expected > 5
    assert sizes.max() >= 0.95 * areas[-1]


FACTS = {
    "n_particles": 60,
    "n_accepted": 50,
    "n_border": 5,
    "n_uncertain": 5,
    "nm_per_px": 1.0,
    "scale_confidence": 0.99,
}


@pytest.mark.parametrize(
    ("changed", "grade", "word"),
    [
        ({}, "A", None),
        ({"n_accepted": 20}, "B", "few particles"),
        ({"n_accepted": 3}, "C", "few particles"),
        ({"n_uncertain": 30}, "B", "many rejected"),
        ({"nm_per_px": None}, "C", "no scale"),
        ({"scale_confidence": 0.8}, "B", "unsure"),
        ({"scale_confidence": 0.3}, "C", "unsure"),
        ({"scale_doubt": "the caption says 20 nm"}, "B", "the caption says"),
        ({"stated_size_nm": 10.0, "ecd_mean_nm": 11.0}, "A", None),
        ({"stated_size_nm": 10.0, "ecd_mean_nm": 14.0}, "B", "stated 10 nm"),
        ({"stated_size_nm": 10.0, "ecd_mean_nm": 25.0}, "C", "measured 25 nm"),
    ],
)
def test_the_grade_says_why(changed, grade, word):
    trust = trust_of(PanelFacts(**{**FACTS, **changed}))
    assert trust.grade == grade
    assert (word is None) == (trust.reasons == ())
    assert word is None or word in trust.reasons[0]
