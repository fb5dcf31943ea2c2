"""What a person says of a picture holds, whatever is run afterwards."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sqlalchemy as sa
from store_results import make_result, make_run

from imagedataextractor.corrections import Said, correct, undo
from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.measurement import measure_particles
from imagedataextractor.records import ArticleResult, Box, ScaleBar
from imagedataextractor.store import StatedScale, Store, load_named_queries, status_of
from imagedataextractor.store.session import open_engine, parse_url
from imagedataextractor.store.tables import metadata

SCALE = 2.0
#: Rows of three squares of 20 px, 10 px apart, from (20, 20) on; numbered along the rows, from 1.
SIDE, PITCH, FIRST = 20, 30, 20


def labels_of(numbering: str = "rows", *, shift: int = 0, missing: int | None = None) -> np.ndarray:
    """A label map of nine squares, as one model or another would have them."""
    labels = np.zeros((220, 220), np.int32)
    for number in range(9):
        row, column = divmod(number, 3)
        y, x = FIRST + PITCH * row + shift, FIRST + PITCH * column
        if number + 1 != missing:
            labels[y : y + SIDE, x : x + SIDE] = number + 1 if numbering == "rows" else 9 - number
    return labels


def picture(labels: np.ndarray, *, box: Box | None = None, run=None, nm_per_px: float | None = SCALE) -> ArticleResult:
    """One picture with one panel that shows the squares."""
    result = make_result(figures=1, panels=1, nm_per_px=nm_per_px, run=run)
    figure = result.figures[0]
    panel = figure.panels[0]
    found = dataclasses.replace(
        panel,
        panel=dataclasses.replace(panel.panel, box=box or panel.panel.box, info_bar=None),
        particles=measure_particles(labels, nm_per_px=nm_per_px),
    )
    return dataclasses.replace(result, figures=(dataclasses.replace(figure, panels=(found,)),))


@pytest.fixture
def filled(store, run):
    store.write_article(picture(labels_of()), run.id)
    return store


SHA256 = make_result().figures[0].image_sha256


def view(store: Store, what: str = "count(*), sum(ecd_nm)") -> tuple:
    return store.query(f"SELECT {what} FROM measured_particles WHERE accepted")[1][0]


def summary(store: Store) -> dict:
    columns, rows = store.query("SELECT * FROM segmentations WHERE is_current")
    return dict(zip(columns, rows[0], strict=True)) if rows else {}


def everything(store: Store) -> list:
    """All that is shown of the picture, without ids and times."""
    sql = (
        "SELECT particle, accepted, reason, ecd_nm, area_nm2, x_px, nm_per_px, scale_source FROM measured_particles "
        "ORDER BY y_px, x_px, particle"
    )
    found = summary(store)
    kept = ("n_particles", "n_accepted", "ecd_mean_nm", "ecd_sd_nm", "ecd_max_nm", "nm_per_px", "statistics")
    return [*store.query(sql)[1], {name: found.get(name) for name in kept}]


SAID = {
    "reject": (Said(reject=[1, 2]), {"n_accepted": 7, "n_particles": 9}),
    "merge": (Said(merge=[1, 2]), {"n_accepted": 8, "n_particles": 10}),
    "split": (Said(split=5, along=[(60, 0), (60, 200)]), {"n_accepted": 10, "n_particles": 11}),
    "draw": (Said(draw=[[(150, 150), (190, 150), (190, 190), (150, 190)]]), {"n_accepted": 10, "n_particles": 10}),
    "scale": (Said(scale=StatedScale(nm_per_px=0.5)), {"n_accepted": 9, "nm_per_px": 0.5}),
    "bar": (Said(scale=StatedScale(bar_nm=200)), {"nm_per_px": 4.0}),  # the bar measures 50 px
    "bar in px": (Said(scale=StatedScale(bar_nm=200, bar_px=100)), {"nm_per_px": 2.0}),
    "field": (Said(scale=StatedScale(field_width_nm=1100)), {"nm_per_px": 5.0}),
}


@pytest.mark.parametrize("name", SAID)
def test_a_correction_changes_the_numbers_and_going_back_restores_them(filled, name):
    said, expected = SAID[name]
    before = everything(filled)
    (made,) = correct(filled, SHA256, said, panel="a", why="seen", by="ann")
    found = summary(filled)
    assert {key: found[key] for key in expected} == pytest.approx(expected)
    shown = filled.query("SELECT count(*), sum(CASE WHEN accepted THEN 1 ELSE 0 END) FROM measured_particles")[1][0]
    assert shown == (found["n_particles"], found["n_accepted"])
    assert view(filled, "avg(ecd_nm)")[0] == pytest.approx(found["ecd_mean_nm"])
    assert status_of(filled).rows["accepted particles"] == found["n_accepted"]
    query = load_named_queries()["panels"]
    columns, rows = filled.query(query.sql, query.bind({"doi": "10.1000/example.1"}))
    assert rows[0][columns.index("n_accepted")] == found["n_accepted"]
    assert everything(filled) != before or name == "bar in px"

    taken = undo(filled, made.id, by="bob")
    assert (taken.why, taken.made_by, taken.undone_by) == ("seen", "ann", "bob")
    after = everything(filled)
    assert after[:-1] == before[:-1]
    assert {k: v for k, v in after[-1].items() if k != "statistics"} == pytest.approx(
        {k: v for k, v in before[-1].items() if k != "statistics"}
    )


@pytest.mark.parametrize("name", SAID)
def test_it_survives_a_run_over_it_and_another_model_that_numbers_and_outlines_otherwise(filled, run, name):
    said, expected = SAID[name]
    correct(filled, SHA256, said, panel="a")
    before = everything(filled)
    filled.write_article(picture(labels_of()), run.id)  # --again
    assert everything(filled) == before

    other = dataclasses.replace(make_run("run-2"), weights_sha256="cd" * 32)
    filled.start_run(other)
    filled.write_article(picture(labels_of("backwards", shift=2), run=other), other.id)
    found = summary(filled)
    assert found["weights_sha256"] == "cd" * 32
    assert {key: found[key] for key in expected} == pytest.approx(expected)
    filled.write_article(picture(labels_of(), box=Box(3, 2, 223, 222)), run.id)  # the panel was cut otherwise
    if said.needs_particles:
        assert summary(filled)["n_accepted"] >= expected["n_accepted"] - 1


def test_a_rejected_particle_is_found_again_by_its_outline(filled, run):
    correct(filled, SHA256, Said(reject=[1]), panel="a")
    filled.write_article(picture(labels_of("backwards")), run.id)
    _, rows = filled.query("SELECT particle, x_px, y_px FROM measured_particles WHERE reason = 'corrected'")
    assert rows == [(9, 30.0, 30.0)]


def test_a_restored_particle_counts_even_where_a_model_does_not_find_it(store, run):
    labels = labels_of()
    at_border = np.zeros_like(labels)
    at_border[0:15, 190:210] = 10
    store.write_article(picture(labels + at_border), run.id)
    assert summary(store)["n_accepted"] == 9
    correct(store, SHA256, Said(restore=[10]))
    assert summary(store)["n_accepted"] == 10
    store.write_article(picture(labels), run.id)
    assert (summary(store)["n_accepted"], summary(store)["n_particles"]) == (10, 10)
    assert view(store, "max(particle), max(x_px)") == (10, 200.0)


def test_later_words_hold_over_earlier_ones(filled):
    correct(filled, SHA256, Said(reject=[4]))
    correct(filled, SHA256, Said(restore=[4]))
    assert summary(filled)["n_accepted"] == 9
    first, second = (correct(filled, SHA256, Said(scale=StatedScale(nm_per_px=scale)))[0] for scale in (99.0, 1.0))
    assert summary(filled)["nm_per_px"] == 1.0
    undo(filled, second.id)
    assert summary(filled)["nm_per_px"] == 99.0
    assert view(filled, "min(scale_source), max(ecd_nm / ecd_px)") == ("user", pytest.approx(99.0))
    undo(filled, first.id)
    assert (summary(filled)["nm_per_px"], view(filled, "min(scale_source)")) == (SCALE, ("bar",))


@pytest.mark.parametrize("said", [Said(is_em=False), Said(forget=True)])
def test_what_is_put_aside_is_nowhere(filled, run, said):
    (made,) = correct(filled, SHA256, said)
    assert view(filled)[0] == 0
    assert summary(filled) == {}
    filled.write_article(picture(labels_of()), run.id)
    assert view(filled)[0] == 0
    assert status_of(filled).rows["measured panels"] == 0
    undo(filled, made.id)
    assert view(filled)[0] == 9


def test_what_is_a_micrograph_after_all_is_done_again(filled, run):
    digest = filled.digest_of(run.id)
    assert filled.is_done("10.1000/example.1", digest)
    correct(filled, SHA256, Said(is_em=True))
    assert not filled.is_done("10.1000/example.1", digest)
    assert filled.em_places() == frozenset({(SHA256, None)})


def test_a_scale_helps_where_none_was_read(store, run):
    store.write_article(picture(labels_of(), nm_per_px=None), run.id)
    assert view(store)[1] is None
    correct(store, SHA256, Said(scale=StatedScale(field_width_nm=440)))
    assert view(store, "sum(area_nm2)")[0] == pytest.approx(9 * SIDE**2 * 4)
    with pytest.raises(UsageError, match="--bar-px"):
        correct(store, SHA256, Said(scale=StatedScale(bar_nm=100)), panel="a")


def test_the_same_picture_in_another_article_is_corrected_too(filled, run):
    result = picture(labels_of())
    other = dataclasses.replace(result.article, key="other", doi="10.1000/other")
    correct(filled, SHA256, Said(reject=[1]))
    filled.write_article(dataclasses.replace(result, article=other), run.id)
    _, rows = filled.query("SELECT doi, count(*) FROM measured_particles WHERE accepted GROUP BY doi ORDER BY doi")
    assert rows == [("10.1000/example.1", 8), ("10.1000/other", 8)]


def test_it_survives_a_copy_into_another_kind_of_database(tmp_path, postgresql_url, run):
    with Store.open(str(tmp_path / "p.db")) as store:
        store.start_run(run)
        store.write_article(picture(labels_of()), run.id)
        for said in (Said(reject=[9]), Said(merge=[1, 2]), Said(scale=StatedScale(nm_per_px=3.0))):
            correct(store, SHA256, said)
        before = everything(store)
    Store.open(postgresql_url).close()
    source, target = (open_engine(parse_url(url), create=False) for url in (str(tmp_path / "p.db"), postgresql_url))
    with source.begin() as reading, target.begin() as writing:
        for table in metadata.sorted_tables:
            rows = [dict(row._mapping) for row in reading.execute(sa.select(table))]
            if rows:
                writing.execute(table.insert(), rows)
            if "id" in table.c and isinstance(table.c.id.type, sa.Integer):
                reset = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {len(rows) + 1000})"
                writing.exec_driver_sql(reset)
    source.dispose()
    target.dispose()
    with Store.open(postgresql_url) as store:
        assert everything(store) == before
        again = dataclasses.replace(run, id="run-2")
        store.start_run(again)
        store.write_article(picture(labels_of("backwards")), again.id)
        found = summary(store)
        assert (found["n_accepted"], found["n_particles"], found["nm_per_px"]) == (7, 10, 3.0)


@pytest.mark.parametrize(
    ("picture_name", "said", "options", "says"),
    [
        ("nowhere.png", Said(forget=True), {}, "no such picture"),
        (SHA256, Said(reject=[77]), {}, "no particle 77"),
        (SHA256, Said(forget=True), {"panel": "q"}, "no panel q; there are: a"),
        (SHA256, Said(), {}, "nothing is said"),
        (SHA256, Said(merge=[1]), {}, "two particles or more"),
        (SHA256, Said(split=1), {}, "--along"),
        (SHA256, Said(split=1, along=[(0, 0), (1, 0)]), {}, "does not cut"),
        (SHA256, Said(draw=[[(500, 500), (510, 500), (510, 510)]]), {}, "outside the panel"),
        (SHA256, Said(scale=StatedScale(nm_per_px=-1.0)), {}, "positive number"),
    ],
)
def test_what_cannot_be_corrected_is_said_in_a_line(filled, picture_name, said, options, says):
    before = everything(filled)
    with pytest.raises((InputError, UsageError), match=says) as error:
        correct(filled, picture_name, said, **options)
    assert "\n" not in str(error.value)
    assert everything(filled) == before
    with pytest.raises(InputError, match="no correction 5"):
        undo(filled, 5)


@pytest.mark.parametrize("name", [SHA256[:12], "f0.png", "/somewhere/1/f0.png", "https://doi.org/10.1000/EXAMPLE.1"])
def test_a_picture_is_named_as_people_name_it(filled, name):
    correct(filled, name, Said(forget=True))
    assert view(filled)[0] == 0


def by_hand(result: ArticleResult, nm_per_px: float) -> ArticleResult:
    """The result of a run with --nm-per-px."""
    figure = result.figures[0]
    panel = figure.panels[0]
    bar = ScaleBar(nm_per_px=nm_per_px, confidence=1.0, source="user")
    given = dataclasses.replace(panel, scalebar=bar, particles=panel.particles.scaled(nm_per_px))
    return dataclasses.replace(result, figures=(dataclasses.replace(figure, panels=(given,)),))


def test_a_scale_given_with_a_run_holds_in_later_runs_until_it_is_taken_back(store, run):
    with_scale, without, more_samples = run, make_run("run-2", threshold=0.3), make_run("run-3", threshold=0.4)
    for each in (without, more_samples):
        store.start_run(each)
    for _ in range(2):  # given twice, it is one correction
        assert store.write_article(by_hand(picture(labels_of()), 99.0), with_scale.id, target="a.png") == 1
    (said,) = store.corrections()
    assert (said.kind, said.why) == ("scale", "given with run run-1")
    assert not store.is_done("a.png", store.digest_of(without.id))
    for each in (without, more_samples):
        assert store.write_article(picture(labels_of()), each.id, target="a.png") == 1
        assert (summary(store)["nm_per_px"], view(store, "min(scale_source)")[0]) == (99.0, "user")
    undo(store, said.id)
    assert (summary(store)["nm_per_px"], view(store, "min(scale_source)")[0]) == (SCALE, "bar")


def test_a_wrong_scale_that_is_taken_back_is_read_by_the_next_run(store, run):
    store.write_article(by_hand(picture(labels_of()), 99.0), run.id, target="a.png")
    undo(store, store.corrections()[0].id)
    assert summary(store)["nm_per_px"] is None
    assert view(store)[1] is None
    assert not store.is_done("a.png", store.digest_of(run.id))
    store.write_article(picture(labels_of()), run.id, target="a.png")
    assert summary(store)["nm_per_px"] == SCALE
