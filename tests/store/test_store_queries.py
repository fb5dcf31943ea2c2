"""Questions: named, read-only, wrong."""

from __future__ import annotations

import pytest
from store_results import make_result, make_run

from imagedataextractor.errors import UsageError
from imagedataextractor.records import Failure
from imagedataextractor.store import Store, load_named_queries, named_queries, status_of

GIVEN = {"doi": "10.1000/EXAMPLE.3", "low_nm": "20", "high_nm": "40"}


@pytest.fixture
def filled(store, run):
    for number in range(1, 6):
        store.write_article(make_result(number), run.id)
    store.record_failure(Failure("articles", "bad.xml", "InputError", "bad.xml: not XML"), run.id)
    stale = make_run("run-2", threshold=0.7)
    store.start_run(stale)
    store.write_article(make_result(1), stale.id)  # article 1 under two settings: counted once everywhere
    return store


def ask(store: Store, name: str, **given: str) -> list[dict]:
    query = load_named_queries()[name]
    chosen = {k: v for k, v in {**GIVEN, **given}.items() if k in query.parameters}
    columns, rows = store.query(query.sql, query.bind(chosen))
    return [dict(zip(columns, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", sorted(named_queries()))
def test_every_named_query_runs_and_says_what_it_answers(filled, name):
    ask(filled, name)
    assert load_named_queries()[name].description.endswith(".")


@pytest.mark.parametrize("name", sorted(named_queries()))
def test_no_named_query_reads_all_particles(tmp_path, name, run):
    with Store.open(str(tmp_path / "p.db")) as store:
        store.start_run(run)
        store.write_article(make_result(), run.id)
        query = load_named_queries()[name]
        bound = query.bind({k: v for k, v in GIVEN.items() if k in query.parameters})
    import sqlite3

    plan = sqlite3.connect(tmp_path / "p.db").execute(f"EXPLAIN QUERY PLAN {query.sql}", bound).fetchall()
    steps = [row[3] for row in plan]
    assert steps
    assert not [step for step in steps if step.startswith(("SCAN p ", "SCAN particles")) or step == "SCAN p"]


def test_articles_are_counted_once_whatever_the_settings(filled):
    rows = ask(filled, "articles")
    assert {(row["doi"], row["panels"], row["panels_with_scale"], row["particles"]) for row in rows} == {
        (f"10.1000/example.{n}", 4, 4, 32) for n in range(1, 6)
    }


def test_mean_of_an_article_is_that_of_its_particles(filled):
    _, rows = filled.query("SELECT doi, avg(ecd_nm) FROM measured_particles WHERE accepted GROUP BY doi")
    assert {row["doi"]: row["ecd_mean_nm"] for row in ask(filled, "articles")} == pytest.approx(dict(rows))


def test_sizes_of_an_article_add_up(filled):
    rows = ask(filled, "size-distribution", bin_nm="7")
    assert sum(row["particles"] for row in rows) == 32
    _, sizes = filled.query(
        "SELECT ecd_nm FROM measured_particles WHERE accepted AND doi = :doi", {"doi": GIVEN["doi"].lower()}
    )
    for row in rows:
        assert row["particles"] == sum(row["from_nm"] <= size < row["to_nm"] for (size,) in sizes)


def test_particles_of_a_size_are_all_found(filled):
    _, expected = filled.query("SELECT count(*) FROM measured_particles WHERE accepted AND ecd_nm BETWEEN 20 AND 40")
    assert len(ask(filled, "particles-of-size")) == expected[0][0] > 0


def test_the_largest_particles_are_the_largest(filled):
    _, expected = filled.query("SELECT ecd_nm FROM measured_particles WHERE accepted ORDER BY ecd_nm DESC LIMIT 7")
    assert [(row["ecd_nm"],) for row in ask(filled, "largest-particles", limit="7")] == expected


def test_panels_without_a_scale_are_listed_with_the_reason(store, run):
    store.write_article(make_result(nm_per_px=None, figures=1), run.id)
    assert [(row["panel"], row["reason"]) for row in ask(store, "without-scale")] == [
        ("a", "no bar found"),
        ("b", "no bar found"),
    ]


def test_failures_are_counted_by_kind(filled):
    assert [(row["stage"], row["failures"]) for row in ask(filled, "failures-by-kind")] == [("articles", 1)]


def test_a_parameter_that_is_missing_or_unknown():
    query = load_named_queries()["particles-of-size"]
    with pytest.raises(UsageError, match="low_nm"):
        query.bind({"high_nm": "3"})
    with pytest.raises(UsageError, match="'size'"):
        query.bind({"size": "3"})


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM particles",
        "UPDATE articles SET title = ''",
        "DROP VIEW measured_particles",
        "CREATE TABLE mine (a INTEGER)",
        "INSERT INTO runs (id) VALUES ('x')",
    ],
)
def test_nothing_can_be_changed_by_asking(filled, sql):
    for _ in range(2):  # nor is the connection spoilt by trying
        with pytest.raises(UsageError):
            filled.query(sql)
    assert filled.query("SELECT count(*) FROM articles")[1] == [(5,)]


@pytest.mark.parametrize(
    "sql", ["ATTACH '{}/x.db' AS x", "VACUUM INTO '{}/x.db'", "PRAGMA query_only = OFF", "PRAGMA journal_mode = DELETE"]
)
def test_sqlite_offers_no_way_around(tmp_path, sql):
    Store.open(str(tmp_path / "p.db")).close()
    with Store.open(str(tmp_path / "p.db"), read_only=True) as store, pytest.raises(UsageError):
        store.query(sql.format(tmp_path))
    assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    "sql", ["COMMIT; DELETE FROM runs", "SELECT 1; DELETE FROM runs", "SET TRANSACTION READ WRITE; DELETE FROM runs"]
)
def test_postgresql_offers_no_way_around(postgresql_url, run, sql):
    with Store.open(postgresql_url) as store:
        store.start_run(run)
        with pytest.raises(UsageError):
            store.query(sql)
        assert store.query("SELECT count(*) FROM runs")[1] == [(1,)]


@pytest.mark.parametrize(
    ("sql", "says"), [("SELEC 1", "SELEC"), ("SELECT nothing FROM runs", "nothing"), ("SELECT * FROM pears", "pears")]
)
def test_a_wrong_question_is_one_clear_line(store, sql, says):
    with pytest.raises(UsageError, match=says) as error:
        store.query(sql)
    assert "\n" not in str(error.value)
    assert store.query("SELECT 1")[1] == [(1,)]


def test_a_percent_sign_and_a_colon_are_what_they_are(store):
    assert store.query("SELECT 'a%b' LIKE 'a%', '12:30'")[1] == [(True, "12:30")]
    assert store.query("SELECT 'a%b' LIKE :like", {"like": "a%"})[1] == [(True,)]


def test_status_tells_of_the_last_run_and_of_any(filled, run):
    filled.update_run(run.id, targets_total=10, targets_done=5, targets_failed=1)
    status = status_of(filled, run.id)
    assert status.run["targets_done"] == 5
    assert status.rows["articles"] == 5
    assert status.rows["accepted particles"] == 5 * 32
    assert status.open_failures == 1
    assert status.failures[0][:3] == ("articles", "bad.xml", "InputError")
    assert status_of(filled, "no such run").run is None


def test_median_and_sd_in_sqlite(tmp_path):
    with Store.open(str(tmp_path / "p.db")) as store:
        sql = "SELECT median(x), sd(x) FROM (SELECT {} AS x UNION ALL SELECT {} UNION ALL SELECT 9 UNION ALL SELECT 4)"
        assert store.query(sql.format("1", "2"))[1] == [(3.0, pytest.approx(3.559026))]
        assert store.query(sql.format("NULL", "NULL"))[1] == [(6.5, pytest.approx(3.535534))]
        assert store.query("SELECT median(x), sd(x) FROM (SELECT 1 AS x WHERE 0)")[1] == [(None, None)]
        assert store.query("SELECT median(x), sd(x) FROM (SELECT 7 AS x)")[1] == [(7.0, None)]
