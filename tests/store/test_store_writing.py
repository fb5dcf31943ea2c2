"""Writing results and finding them again, in SQLite and in PostgreSQL."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from store_results import all_rows, make_result, make_run

from imagedataextractor.errors import StoreError
from imagedataextractor.measurement.columns import COLUMNS
from imagedataextractor.records import (
    ArticleResult,
    Box,
    CaptionFacts,
    Conflict,
    Failure,
    MaterialStatement,
    ParticleTable,
    ScaleBar,
    SizeStatement,
    Witness,
)
from imagedataextractor.store import Store, decode_contour, load_named_queries


def count(store: Store, table: str) -> int:
    return store.query(f"SELECT count(*) FROM {table}")[1][0][0]


def test_every_value_of_a_particle_comes_back(store, run):
    result = make_result(figures=1, panels=1, particles=6)
    store.write_article(result, run.id)
    columns, rows = store.query("SELECT * FROM particles ORDER BY label")
    assert len(rows) == 6
    for particle, values in zip(result.figures[0].panels[0].particles, rows, strict=True):
        row = dict(zip(columns, values, strict=True))
        for name in columns:
            if name not in ("segmentation_id", "contour", "found_reason", "correction_id"):
                assert row[name] == getattr(particle, name), name
        assert (row["found_reason"], row["correction_id"]) == (particle.reason, None)
        assert np.array_equal(decode_contour(row["contour"]), np.array(particle.contour))


def test_the_view_joins_what_is_asked_for(store, run):
    store.write_article(make_result(figures=1, panels=2, particles=5), run.id)
    _, rows = store.query(
        "SELECT doi, figure, panel, subcaption, ecd_nm, aspect_ratio, uncertainty FROM measured_particles "
        "WHERE accepted ORDER BY panel, particle"
    )
    assert len(rows) == 8  # every fifth touches the border
    assert rows[0][:4] == ("10.1000/example.1", "Figure 1", "a", "TEM of sample 0.")
    assert rows[-1][2] == "b"


def test_without_a_scale_every_length_in_nm_is_null_and_no_guess(store, run):
    store.write_article(make_result(figures=1, panels=1, nm_per_px=None), run.id)
    columns, rows = store.query("SELECT * FROM particles")
    in_nm = [i for i, name in enumerate(columns) if name.endswith(("_nm", "_nm2"))]
    assert len(in_nm) == sum(column.scaled_from is not None for column in COLUMNS)
    assert {row[i] for row in rows for i in in_nm} == {None}
    assert store.query("SELECT nm_per_px, reason FROM scalebars")[1] == [(None, "no bar found")]
    assert store.query("SELECT ecd_mean_nm, ecd_mean_px IS NULL, n_accepted FROM segmentations")[1] == [
        (None, False, 8)
    ]


def test_not_a_number_and_numpy_scalars_become_what_a_database_takes(store, run):
    result = make_result(figures=1, panels=1, particles=2)
    panel = result.figures[0].panels[0]
    odd = panel.particles.replaced(
        circularity=[float("nan"), 1.0], solidity=np.array([0.5, 0.9], np.float32), label=[np.int64(7), 2]
    )
    changed = dataclasses.replace(panel, particles=odd)
    figure = dataclasses.replace(result.figures[0], panels=(changed,))
    store.write_article(dataclasses.replace(result, figures=(figure,)), run.id)
    _, rows = store.query("SELECT label, circularity, solidity, accepted FROM particles ORDER BY label DESC")
    assert rows[0] == (7, None, 0.5, True)


def test_text_with_nul_and_lone_surrogates_is_taken(store, run):
    result = make_result()
    article = dataclasses.replace(result.article, title="A\0B \ud800 µ – 金")
    store.write_article(dataclasses.replace(result, article=article), run.id)
    assert store.query("SELECT title FROM articles")[1] == [("AB � µ – 金",)]


def test_the_same_result_twice_leaves_the_same_rows(store, run):
    for _ in range(2):
        for number in (1, 2):
            store.write_article(make_result(number), run.id)
        seen = all_rows(store)
    assert len(seen["particles"]) == 2 * 2 * 2 * 10
    assert len(seen["figures"]) == 6  # the plots, too
    again = make_run("run-2", device="cuda")  # another device is no other setting
    store.start_run(again)
    for number in (1, 2):
        store.write_article(make_result(number), again.id)
    assert all_rows(store) == seen


def test_other_settings_are_kept_apart_and_the_view_shows_the_last(store, run):
    store.write_article(make_result(particles=10), run.id)
    other = make_run("run-2", threshold=0.3)
    store.start_run(other)
    store.write_article(make_result(particles=4), other.id)
    assert count(store, "segmentations") == 8
    assert count(store, "particles") == 4 * 10 + 4 * 4
    assert count(store, "measured_particles") == 4 * 4
    assert count(store, "scalebars") == 8
    store.write_article(make_result(particles=10), run.id)
    assert count(store, "measured_particles") == 4 * 10
    assert count(store, "particles") == 4 * 10 + 4 * 4


def test_fewer_particles_the_second_time_leave_no_old_ones(store, run):
    store.write_article(make_result(particles=10), run.id)
    store.write_article(make_result(particles=3), run.id)
    assert count(store, "particles") == 4 * 3


def test_a_panel_that_moved_is_another_panel(store, run):
    result = make_result(figures=1, panels=2)
    store.write_article(result, run.id)
    first, second = result.figures[0].panels
    moved = dataclasses.replace(second, panel=dataclasses.replace(second.panel, box=Box(1, 2, 3, 4)), segmentation=None)
    figure = dataclasses.replace(result.figures[0], panels=(first, moved))
    store.write_article(dataclasses.replace(result, figures=(figure,)), run.id)
    assert store.query("SELECT panel_index, x0 FROM panels ORDER BY 1")[1] == [(0, 0), (1, 1)]
    assert count(store, "segmentations") == 1


def test_another_picture_under_the_same_label_replaces_its_panels(store, run):
    result = make_result(figures=1)
    store.write_article(result, run.id)
    figure = dataclasses.replace(result.figures[0], image_sha256="0" * 64, panels=())
    store.write_article(dataclasses.replace(result, figures=(figure,)), run.id)
    assert store.query("SELECT image_sha256 FROM figures WHERE image_sha256 IS NOT NULL")[1] == [("0" * 64,)]
    assert [count(store, table) for table in ("panels", "scalebars", "segmentations", "particles")] == [0, 0, 0, 0]


def test_a_failed_attempt_erases_nothing_that_an_earlier_one_found(store, run):
    result = make_result()
    store.write_article(result, run.id)
    before = all_rows(store)
    failure = Failure("segmentation", "10.1000/example.1 / Figure 1", "MemoryError", "not enough memory", "Figure 1")
    first = result.figures[0]
    bare = tuple(dataclasses.replace(panel, segmentation=None, particles=ParticleTable({})) for panel in first.panels)
    figures = (dataclasses.replace(first, panels=bare), result.figures[1])
    store.write_article(dataclasses.replace(result, figures=figures, failures=(failure,)), run.id)
    after = all_rows(store)
    assert {name: rows for name, rows in after.items() if name not in ("targets", "failures")} == {
        name: rows for name, rows in before.items() if name not in ("targets", "failures")
    }
    assert not store.is_done("10.1000/example.1", store.digest_of(run.id))


def test_a_later_success_resolves_failures(store, run):
    digest = store.digest_of(run.id)
    failures = (Failure("figures", "10.1000/example.1 / Figure 9", "InputError", "f9.png: no such file"),)
    for attempt in (1, 2):
        store.write_article(make_result(failures=failures), run.id)
        assert store.query("SELECT attempt, resolved_at FROM failures")[1] == [(attempt, None)]
        assert not store.is_done("10.1000/example.1", digest)
    store.write_article(make_result(), run.id)
    assert store.query("SELECT resolved_at IS NULL, resolved_run_id FROM failures")[1] == [(False, run.id)]
    assert store.is_done("10.1000/example.1", digest)


def test_a_target_that_could_not_be_read_is_resolved_when_it_can(store, run):
    store.record_failure(Failure("articles", "/in/one.xml", "InputError", "/in/one.xml: not XML"), run.id)
    assert store.target_states(["/in/one.xml"], store.digest_of(run.id))["/in/one.xml"].state == "failed"
    store.write_article(make_result(), run.id, target="/in/one.xml", fingerprint="12 34")
    assert store.query("SELECT resolved_at IS NULL FROM failures")[1] == [(False,)]
    assert store.is_done("/in/one.xml", store.digest_of(run.id), fingerprint="12 34")
    assert not store.is_done("/in/one.xml", store.digest_of(run.id), fingerprint="12 35")


def test_done_means_these_settings_and_these_pictures(store, run):
    result = make_result()
    store.write_article(result, run.id)
    digest = store.digest_of(run.id)
    pictures = [figure.image_sha256 for figure in result.figures]
    assert store.is_done("10.1000/example.1", digest, pictures)
    assert not store.is_done("10.1000/example.1", digest, [*pictures, "f" * 64])
    assert not store.is_done("10.1000/example.1", "another digest")
    assert not store.is_done("10.1000/example.2", digest)


def test_states_of_many_targets_at_once(store, run):
    with store.transaction():
        for number in range(1, 6):
            store.write_article(make_result(number, figures=1, panels=1, particles=1), run.id)
    keys = [f"10.1000/example.{number}" for number in range(1, 1300)]
    assert sorted(store.target_states(keys, store.digest_of(run.id))) == keys[:5]


def test_a_target_is_done_only_while_its_rows_are_the_current_ones(store, run):
    other = make_run("run-2", threshold=0.7)
    store.start_run(other)
    first, second = store.digest_of(run.id), store.digest_of(other.id)
    assert first != second
    for run_id in (run.id, other.id):
        store.write_article(make_result(), run_id, target="a.xml")
    assert (store.is_done("a.xml", first), store.is_done("a.xml", second)) == (False, True)
    store.write_article(make_result(), run.id, target="a.xml")
    assert (store.is_done("a.xml", first), store.is_done("a.xml", second)) == (True, False)
    assert store.query("SELECT DISTINCT settings_digest FROM segmentations WHERE is_current")[1] == [(first,)]
    store.record_failure(Failure("articles", "a.xml", "InputError", "a.xml: not XML"), other.id, target="a.xml")
    assert store.is_done("a.xml", first)  # nothing was written: what is shown is still what the first found


def test_same_named_pictures_are_told_apart_by_their_path(store, run):
    result = make_result(figures=1, panels=1)
    for number, folder in enumerate(("/in/a", "/in/b")):
        picture = dataclasses.replace(result.figures[0], image_path=f"{folder}/one.png", image_sha256=f"{number:064d}")
        article = dataclasses.replace(result.article, key=f"image:{number}", doi=None, title="one.png")
        store.write_article(ArticleResult(article, (picture,)), run.id)
    _, rows = store.query("SELECT title, image_path, count(*) FROM measured_particles GROUP BY 1, 2 ORDER BY 2")
    assert rows == [("one.png", "/in/a/one.png", 10), ("one.png", "/in/b/one.png", 10)]


def test_what_contradicts_a_scale_and_the_magnification_are_kept(store, run):
    result = make_result(figures=1, panels=1)
    panel = result.figures[0].panels[0]
    bar = ScaleBar(confidence=0.9, reason="conflict: …", conflict=Conflict.CAPTION, magnification=50_000.0)
    bar = dataclasses.replace(bar, witnesses=(Witness.FIELD_WIDTH, Witness.FILE))
    figure = dataclasses.replace(result.figures[0], panels=(dataclasses.replace(panel, scalebar=bar),))
    store.write_article(dataclasses.replace(result, figures=(figure,)), run.id)
    kept = store.query("SELECT conflict, magnification, witnesses FROM scalebars")[1]
    assert kept == [("caption", 50_000.0, "field width, file")]
    assert store.query("SELECT DISTINCT magnification FROM measured_particles")[1] == [(50_000.0,)]


def test_a_target_finished_under_other_settings_is_stale(store, run):
    store.write_article(make_result(), run.id, target="a")
    other = make_run("run-2", threshold=0.5)
    store.start_run(other)
    store.write_article(make_result(2), other.id, target="b")
    states = store.target_states(["a", "b", "c"], store.digest_of(other.id))
    assert {key: found.state for key, found in states.items()} == {"a": "stale", "b": "done"}


def test_the_pictures_that_are_finished_are_known(store, run):
    result = make_result(
        failures=(Failure("segmentation", "10.1000/Example.1 / Figure 1 / panel a", "E", "no", "Figure 1", "a"),)
    )
    store.write_article(result, run.id, target="t")
    digest = store.digest_of(run.id)
    assert store.finished_figures("t", digest) == {("Figure 2", result.figures[1].image_sha256)}
    assert store.finished_figures("t", "other") == frozenset()
    # The rest, as a second attempt does it: without the figure that was finished.
    rest = dataclasses.replace(result, figures=result.figures[:1], failures=())
    store.write_article(rest, run.id, target="t")
    assert store.finished_figures("t", digest) == {(f.label, f.image_sha256) for f in result.figures}
    assert count(store, "particles") == 40


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_an_article_at_hand_twice_the_better_format_holds_whatever_the_order(store, run, order):
    as_xml = make_result(1, figures=2)
    as_xml = dataclasses.replace(as_xml, article=dataclasses.replace(as_xml.article, path=Path("/in/z.xml")))
    as_pdf = make_result(1, figures=1, particles=3)
    as_pdf = dataclasses.replace(as_pdf, article=dataclasses.replace(as_pdf.article, path=Path("/in/a.pdf")))
    both = [(as_xml, "/in/z.xml"), (as_pdf, "/in/a.pdf")]
    for index in order:
        store.write_article(both[index][0], run.id, target=both[index][1])
    assert store.query("SELECT path FROM articles")[1] == [("/in/z.xml",)]
    assert count(store, "measured_particles") == 40
    assert all(store.is_done(name, store.digest_of(run.id)) for _, name in both)


def test_an_error_half_way_leaves_nothing_of_the_article(store, run):
    result = make_result()
    store.write_article(make_result(2), run.id)
    before = all_rows(store)
    broken = dataclasses.replace(result.figures[1].panels[1], scalebar=ScaleBar(confidence="high"))
    figure = dataclasses.replace(result.figures[1], panels=(result.figures[1].panels[0], broken))
    with pytest.raises(ValueError, match="high"):
        store.write_article(dataclasses.replace(result, figures=(result.figures[0], figure)), run.id)
    assert all_rows(store) == before
    store.write_article(result, run.id)
    assert count(store, "articles") == 2


def test_an_article_without_doi_or_figures_is_a_row(store, run):
    result = make_result()
    article = dataclasses.replace(result.article, doi=None, figures=())
    store.write_article(ArticleResult(article), run.id)
    assert store.query("SELECT key, doi FROM articles")[1] == [("key-1", None)]
    assert store.is_done("key-1", store.digest_of(run.id))


def test_figures_without_labels_are_all_kept(store, run):
    result = make_result(figures=0)
    unnamed = tuple(dataclasses.replace(result.article.figures[0], label="", caption=text) for text in ("one", "two"))
    for _ in range(2):
        store.write_article(ArticleResult(dataclasses.replace(result.article, figures=unnamed)), run.id)
    assert store.query("SELECT label, caption FROM figures ORDER BY id")[1] == [
        ("(no label)", "one"),
        ("(no label) [2]", "two"),
    ]


def test_the_size_that_the_caption_states_stands_beside_the_measured_one(store, run):
    store.write_article(make_result(figures=1), run.id)
    _, rows = store.query("SELECT label, stated_size_nm, stated_spread_nm FROM panels ORDER BY label")
    assert rows == [("a", 40.0, 5.0), ("b", None, None)]


def with_facts(result: ArticleResult, facts: CaptionFacts) -> ArticleResult:
    figures = tuple(
        dataclasses.replace(figure, figure=dataclasses.replace(figure.figure, facts=facts)) for figure in result.figures
    )
    return dataclasses.replace(result, figures=figures)


def test_a_panel_says_what_it_is_made_of_and_which_words_say_so(store, run):
    materials = {
        "A": MaterialStatement("Au@SiO2", "silica-coated gold", "sub-caption", 7, 25, 0.95),
        "": MaterialStatement("SiO2", "silica", "title", 0, 6, 0.85),
    }
    result = with_facts(make_result(figures=1), CaptionFacts(materials=materials))
    result = dataclasses.replace(result, article=dataclasses.replace(result.article, abstract="Of silica."))
    store.write_article(result, run.id)
    _, rows = store.query(
        "SELECT label, material, material_text, material_source, material_start, material_end, material_confidence "
        "FROM panels ORDER BY label"
    )
    assert rows == [
        ("a", "Au@SiO2", "silica-coated gold", "sub-caption", 7, 25, 0.95),
        ("b", "SiO2", "silica", "title", 0, 6, 0.85),
    ]
    assert store.query("SELECT abstract FROM articles")[1] == [("Of silica.",)]
    assert store.query("SELECT DISTINCT material FROM measured_particles ORDER BY 1")[1] == [("Au@SiO2",), ("SiO2",)]


def test_a_size_of_the_text_comes_with_its_sentence(store, run):
    sentence = "S2 is 29 ± 6 nm."
    of_text = SizeStatement(29.0, 6.0, ("b",), "29 ± 6 nm", 6, 15, "text", sentence, "S2")
    of_caption = SizeStatement(40.0, None, ("a",), "40 nm", 3, 8)
    again = dataclasses.replace(of_text, panels=("a",))
    store.write_article(
        with_facts(make_result(figures=1), CaptionFacts(size_statements=(of_caption, of_text, again))), run.id
    )
    _, rows = store.query(
        "SELECT label, stated_size_nm, stated_source, stated_text, stated_start, stated_end, stated_sample "
        "FROM panels ORDER BY label"
    )
    assert rows == [("a", 40.0, "caption", "40 nm", 3, 8, None), ("b", 29.0, "text", sentence, 6, 15, "S2")]


def test_stated_and_measured_sizes_agree_or_not_or_nothing_is_stated(store, run):
    store.write_article(make_result(figures=1), run.id)
    sql = "SELECT s.ecd_mean_nm FROM segmentations s JOIN panels n ON n.id = s.panel_id WHERE n.label = 'a'"
    ((measured,),) = store.query(sql)[1]
    query = load_named_queries()["stated-and-measured"]
    for stated, verdict in ((1.1 * measured, "agreement"), (2 * measured, "conflict")):
        said = CaptionFacts(size_statements=(SizeStatement(stated, None, ("a",), "", 0, 0),))
        store.write_article(with_facts(make_result(figures=1), said), run.id)
        columns, rows = store.query(query.sql, query.bind({"min_particles": "1"}))
        found = [(row[columns.index("panel")], row[columns.index("verdict")]) for row in rows]
        assert found == [("a", verdict), ("b", "silence")]


def test_a_run_is_traced_and_its_end_noted(store, run):
    store.update_run(run.id, targets_total=3, targets_done=1)
    store.finish_run(run.id, state="failed", exit_code=1)
    _, rows = store.query("SELECT id, state, exit_code, targets_total, targets_done, weights_sha256, command FROM runs")
    assert rows == [("run-1", "failed", 1, 3, 1, run.weights_sha256, "ide extract")]


def test_a_run_whose_process_died_is_noted_by_the_next(store, run):
    with store._writing() as jobs:
        jobs.ledger.update_run(run.id, {"pid": 2**22 + 1})  # above the largest process id of Linux
    store.start_run(make_run("run-2"))
    assert dict(store.query("SELECT id, state FROM runs")[1]) == {"run-1": "interrupted", "run-2": "running"}


def test_a_result_of_no_run_is_refused(store):
    with pytest.raises(StoreError, match="no run 'nobody'"):
        store.write_article(make_result(), "nobody")
