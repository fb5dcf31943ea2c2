"""Opening databases: new, old, newer, foreign, locked, read-only, full."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade
from alembic.migration import MigrationContext
from small_disk import enlarge, small_disk
from store_results import all_rows, make_result, make_run

from imagedataextractor.errors import StoreError
from imagedataextractor.records import Failure
from imagedataextractor.report.rows import read_rows
from imagedataextractor.store import Store, status_of, tables
from imagedataextractor.store.session import _alembic, open_engine, parse_url


def one_line(error: pytest.ExceptionInfo[StoreError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def downgraded(url: str, revision: str) -> None:
    """Bring a database back to an older schema, as an older program would have left it."""
    engine = open_engine(parse_url(url), create=False)
    config = _alembic()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        downgrade(config, revision)
    engine.dispose()


def set_revision(url: str, revision: str) -> None:
    with open_engine(parse_url(url), create=False).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


# ---------------------------------------------------------------- schema


def test_migrations_make_the_tables_that_the_program_writes(url):
    Store.open(url).close()
    engine = open_engine(parse_url(url), create=False)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, tables.metadata) == []
        inspector = sa.inspect(connection)
        assert inspector.get_view_names() == [tables.MEASURED_PARTICLES]
    engine.dispose()


def test_an_older_schema_is_brought_up_to_date_and_keeps_its_rows(url, run):
    with Store.open(url) as store:
        store.start_run(run)
        store.write_article(make_result(), run.id)
        before = all_rows(store)
    downgraded(url, "0001")
    with pytest.raises(StoreError) as error:
        Store.open(url, read_only=True)
    assert "is older than" in one_line(error)
    assert "ide status --migrate" in str(error.value)
    with Store.open(url) as store:
        assert all_rows(store) == before
        assert store.query("SELECT count(*) FROM measured_particles")[1] == [(40,)]


def test_names_that_were_no_file_are_no_open_failures_of_an_older_database(url, run):
    with Store.open(url) as store:
        store.start_run(run)
        store.record_failure(
            Failure("input", "nowhere.png", "InputError", "nowhere.png: no such file or folder"), run.id
        )
        store.record_failure(Failure("articles", "cut.png", "InputError", "cut.png: ends in the middle"), run.id)
        assert status_of(store).open_failures == 2
    downgraded(url, "0008")
    with Store.open(url) as store:
        found = status_of(store)
        assert (found.open_failures, [target for _, target, *_ in found.failures]) == (1, ["cut.png"])
        assert store.query("SELECT count(*) FROM failures")[1] == [(2,)]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_schema_is_refused(url, read_only):
    Store.open(url).close()
    set_revision(url, "9999")
    with pytest.raises(StoreError) as error:
        Store.open(url, read_only=read_only)
    assert "newer than" in one_line(error)
    assert "upgrade imagedataextractor" in str(error.value)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_database_of_something_else_is_refused_and_left_alone(url, read_only):
    engine = open_engine(parse_url(url), create=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreError, match="not"):
        Store.open(url, read_only=read_only)
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["recipes"]
    engine.dispose()


def test_many_processes_may_make_the_same_database_at_once(tmp_path):
    program = f"from imagedataextractor.store import Store; Store.open('{tmp_path}/p.db').close()"
    python = shutil.which("python3", path=str(Path(os.sys.executable).parent)) or os.sys.executable
    started = [subprocess.Popen([python, "-c", program], stderr=subprocess.PIPE) for _ in range(4)]
    assert [(process.communicate()[1], process.returncode) for process in started] == [(b"", 0)] * 4


# ---------------------------------------------------------------- files


def test_a_plain_path_is_an_sqlite_file(tmp_path):
    Store.open(str(tmp_path / "a b%20c?.db")).close()
    assert (tmp_path / "a b%20c?.db").is_file()
    with Store.open(str(tmp_path / "a b%20c?.db"), read_only=True) as store:
        assert store.query("SELECT count(*) FROM runs")[1] == [(0,)]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_not_there(tmp_path, read_only):
    with pytest.raises(StoreError) as error:
        Store.open(f"sqlite:///{tmp_path}/none.db", create=False, read_only=read_only)
    assert "no such database" in one_line(error)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StoreError) as error:
        Store.open(f"sqlite:///{tmp_path}/nowhere/p.db")
    assert f"{tmp_path}/nowhere does not exist" in one_line(error)


def test_a_folder_is_no_database(tmp_path):
    with pytest.raises(StoreError, match="is a folder"):
        Store.open(str(tmp_path))


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_no_database(tmp_path, read_only):
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but long enough to be looked at " * 50)
    with pytest.raises(StoreError) as error:
        Store.open(str(file), read_only=read_only)
    assert "is not an SQLite database" in one_line(error)
    assert file.read_text().startswith("not a database")


def test_a_damaged_file_is_said_to_be_damaged(tmp_path, run):
    file = tmp_path / "p.db"
    with Store.open(str(file)) as store:
        store.start_run(run)
        store.write_article(make_result(), run.id)
    content = bytearray(file.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(StoreError) as error, Store.open(str(file)) as store:
        store.query("SELECT * FROM particles")
    assert "damaged" in one_line(error)


@pytest.mark.parametrize("address", ["mysql://h/d", "sqlite://", "sqlite:///:memory:", "postgresql://h:port/d"])
def test_addresses_that_cannot_be_used(address):
    with pytest.raises(StoreError) as error:
        Store.open(address)
    one_line(error)


def test_no_server_and_no_password_in_the_message():
    with pytest.raises(StoreError) as error:
        Store.open("postgresql://me:secret@127.0.0.1:1/particles", timeout_s=2)
    assert "cannot be reached" in one_line(error)
    assert "secret" not in str(error.value)


# ---------------------------------------------------------------- locks and disks


def test_a_locked_database_is_waited_for_and_then_said_to_be_locked(tmp_path, run):
    file = tmp_path / "p.db"
    with Store.open(str(file), timeout_s=0.2) as store:
        store.start_run(run)
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as error:
            store.write_article(make_result(), run.id)
        assert "locked by another program" in one_line(error)
        assert store.query("SELECT count(*) FROM articles")[1] == [(0,)]
        other.execute("ROLLBACK")
        other.close()
        store.write_article(make_result(), run.id)
        assert store.query("SELECT count(*) FROM articles")[1] == [(1,)]


def test_a_reader_does_not_hold_up_the_writer_nor_see_it_half_way(url, run):
    with Store.open(url) as writer, Store.open(url, read_only=True) as reader:
        writer.start_run(run)
        writer.write_article(make_result(1), run.id)
        _, rows = reader.iterate("SELECT * FROM particles")
        next(rows)
        for number in range(2, 12):
            writer.write_article(make_result(number), run.id)
        assert sum(1 for _ in rows) == 40 - 1
        assert reader.query("SELECT count(*) FROM particles")[1] == [(440,)]


def test_read_only_cannot_write(url, run):
    Store.open(url).close()
    with Store.open(url, read_only=True) as store, pytest.raises(StoreError, match="opened read-only"):
        store.start_run(run)


@pytest.fixture
def two_megabytes(tmp_path):
    with small_disk(tmp_path / "disk", "2m") as folder:
        yield folder


def test_a_full_disk_loses_nothing_that_was_committed(two_megabytes, run):
    file = two_megabytes / "p.db"
    written = 0

    def fill() -> None:
        nonlocal written
        with Store.open(str(file)) as store:
            store.start_run(run)
            for number in range(1000):
                store.write_article(make_result(number, particles=200), run.id)
                written += 1

    with pytest.raises(StoreError) as error:
        fill()
    assert "disk is full" in one_line(error)
    assert written > 0
    enlarge(two_megabytes, "64m")
    with Store.open(str(file)) as store:
        assert store.query("SELECT count(*) FROM articles")[1] == [(written,)]
        assert store.query("SELECT count(*) FROM particles")[1] == [(written * 800,)]
        store.write_article(make_result(written, particles=200), run.id)
        assert store.query("SELECT count(*) FROM articles")[1] == [(written + 1,)]


def test_a_read_only_disk_is_read_but_not_written(two_megabytes, run):
    file = two_megabytes / "p.db"
    with Store.open(str(file)) as store:
        store.start_run(run)
        store.write_article(make_result(), run.id)
    subprocess.run(["mount", "-o", "remount,ro", str(two_megabytes)], check=True)
    with Store.open(str(file), read_only=True) as store:
        assert store.query("SELECT count(*) FROM particles")[1] == [(40,)]
    with pytest.raises(StoreError) as error, Store.open(str(file)) as store:
        store.start_run(make_run("run-2"))
    assert "written" in one_line(error)
    with pytest.raises(StoreError) as error:
        Store.open(str(two_megabytes / "new.db"))
    one_line(error)


def test_a_server_that_goes_away_is_one_clear_line(postgresql_url, run):
    with Store.open(postgresql_url) as store, Store.open(postgresql_url) as other:
        store.start_run(run)
        with other._writing() as jobs:
            jobs.articles._execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()",
                (),
            )
        with pytest.raises(StoreError) as error:
            store.write_article(make_result(), run.id)
        one_line(error)


@pytest.mark.parametrize(
    ("statement", "lost"),
    [
        ("DROP VIEW measured_particles", "the table measured_particles"),
        ("DROP TABLE corrections", "the table corrections"),
        ("ALTER TABLE scalebars RENAME COLUMN witnesses TO other", "the column scalebars.witnesses"),
    ],
)
def test_a_database_that_lost_a_part_is_one_clear_line(tmp_path, statement, lost):
    path = str(tmp_path / "p.db")
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    with pytest.raises(StoreError) as error:
        Store.open(path, read_only=True)
    assert f"is damaged: {lost} is not there" in one_line(error)


@pytest.mark.parametrize(
    ("statement", "what", "read"),
    [
        ("UPDATE particles SET area_px = 'words'", "could not convert", read_rows),
        ("UPDATE segmentations SET n_particles = 9e999", "infinity", read_rows),
        ("UPDATE segmentations SET n_particles = 9e999", "infinity", status_of),
        ("UPDATE panels SET insets = 'no JSON'", "Expecting value", read_rows),
    ],
)
def test_values_that_another_program_wrote_are_one_clear_line(tmp_path, run, statement, what, read):
    path = str(tmp_path / "p.db")
    with Store.open(path) as store:
        store.start_run(run)
        store.write_article(make_result(), run.id)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    with Store.open(path, read_only=True) as store, pytest.raises(StoreError) as error:
        read(store)
    assert "holds values that this program did not write" in one_line(error)
    assert what in str(error.value)
