"""What is written about the schema is what the schema is."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from imagedataextractor.measurement.columns import COLUMNS, Kind
from imagedataextractor.resources import resource_path
from imagedataextractor.review.serving import datasette_metadata
from imagedataextractor.store import Store
from imagedataextractor.store.schema import column_page, schema_picture
from imagedataextractor.store.tables import MEASURED_PARTICLES
from imagedataextractor.store.view import VIEW

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def database(tmp_path):
    """The names of the columns of every table and of the view, as the migrations make them."""
    Store.open(str(tmp_path / "p.db")).close()
    engine = sa.create_engine(f"sqlite:///{tmp_path}/p.db")
    inspector = sa.inspect(engine)
    tables = [name for name in inspector.get_table_names() if name != "alembic_version"]
    yield {name: [c["name"] for c in inspector.get_columns(name)] for name in [*tables, MEASURED_PARTICLES]}
    engine.dispose()


def test_the_picture_shows_what_the_migrations_make(database):
    lines = resource_path("db", "schema.md").read_text(encoding="utf-8").splitlines()
    drawn, table = {}, ""
    for line in lines:
        words = line.split()
        if line.endswith(" {"):
            table = words[0]
            drawn[table] = []
        elif line.startswith("        "):
            drawn[table].append(words[1])
    del database[MEASURED_PARTICLES]
    assert {name: sorted(columns) for name, columns in drawn.items()} == {
        name: sorted(columns) for name, columns in database.items()
    }


def test_the_columns_are_those_of_the_database(database):
    own = {"segmentation_id", "found_reason", "correction_id"}
    assert set(database["particles"]) == own | {column.name for column in COLUMNS}
    assert sorted(database[MEASURED_PARTICLES]) == sorted(column.name for column in VIEW)


def test_the_pages_are_up_to_date():
    assert resource_path("db", "schema.md").read_text(encoding="utf-8") == schema_picture()
    assert (CHECKOUT / "docs" / "columns.md").read_text(encoding="utf-8") == column_page()


def test_datasette_says_what_every_column_is(database):
    tables = datasette_metadata("p")["databases"]["p"]["tables"]
    assert set(tables[MEASURED_PARTICLES]["columns"]) == set(database[MEASURED_PARTICLES])
    assert tables["particles"]["columns"]["area_nm2"].endswith("nm²")


def test_a_length_in_nm_has_its_twin_in_px():
    names = {column.name for column in COLUMNS}
    scaled = [column for column in COLUMNS if column.scaled_from is not None]
    assert {column.scaled_from for column in scaled} <= names
    in_nm = {c.name for c in COLUMNS if c.kind is Kind.NUMBER and c.unit in ("nm", "nm²")}
    assert {column.name for column in scaled} == in_nm
