"""The picture of the schema shows the schema."""

from __future__ import annotations

from imagedataextractor.resources import resource_path
from imagedataextractor.store.schema import schema_picture
from imagedataextractor.store.tables import metadata


def test_the_picture_is_up_to_date():
    assert resource_path("db", "schema.md").read_text(encoding="utf-8") == schema_picture()


def test_every_column_is_in_it():
    words = schema_picture().split()
    assert all(column.name in words for table in metadata.tables.values() for column in table.columns)
