"""Rows for PostgreSQL's COPY, read back by the rules of its format and by the server."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from store_results import make_result

from imagedataextractor.measurement.columns import NUMBERS
from imagedataextractor.records import ParticleTable
from imagedataextractor.store import Store
from imagedataextractor.store.copying import COLUMNS, HEADER, TRAILER, binary_rows


def read_back(data: bytes) -> list[dict[str, object]]:
    """The rows of a COPY in binary, field by field."""
    kinds = {"segmentation_id": ">i", "label": ">i", "touches_border": "?", "accepted": "?", "edge_refined": "?"}
    rows, place = [], 0
    while place < len(data):
        (count,) = struct.unpack_from(">h", data, place)
        assert count == len(COLUMNS)
        place += 2
        row: dict[str, object] = {}
        for name in COLUMNS:
            (length,) = struct.unpack_from(">i", data, place)
            place += 4
            value = None if length < 0 else data[place : place + length]
            place += max(length, 0)
            kind = kinds.get(name, ">d" if name in NUMBERS else None)
            row[name] = struct.unpack(kind, value)[0] if kind and value is not None else value
        rows.append(row)
    return rows


@pytest.fixture
def particles() -> ParticleTable:
    """Ten particles; two do without some numbers, one without an outline."""
    found = make_result(1).figures[0].panels[0].particles
    perimeter, score = found["perimeter_px"].copy(), found["score"].copy()
    perimeter[[3, 7]] = score[7] = np.nan
    outlines = [None, *(found.outline(row) for row in range(1, len(found)))]
    return found.replaced(perimeter_px=perimeter, score=score, contour=outlines)


def test_every_value_comes_back(particles):
    rows = sorted(read_back(binary_rows(17, particles)), key=lambda row: row["label"])
    assert [row["label"] for row in rows] == particles["label"].tolist() == list(range(1, 11))
    assert {row["segmentation_id"] for row in rows} == {17}
    assert [row["accepted"] for row in rows] == particles["accepted"].tolist()
    assert [row["touches_border"] for row in rows] == particles["touches_border"].tolist()
    assert [row["contour"] for row in rows] == particles["contour"].tolist()
    assert rows[0]["contour"] is None
    assert [row["reason"] for row in rows] == [r.encode() if r else None for r in particles["reason"]]
    got = np.array([[row[name] for name in NUMBERS] for row in rows], dtype=float)
    assert np.array_equal(got, particles.numbers(), equal_nan=True)
    unknown = {name: int(np.isnan(column).sum()) for name, column in zip(NUMBERS, got.T, strict=True)}
    assert (unknown["perimeter_px"], unknown["perimeter_nm"], unknown["score"], unknown["ecd_px"]) == (2, 2, 1, 0)


def test_no_particles_are_no_rows():
    assert binary_rows(1, ParticleTable({})) == b""


def test_the_server_reads_the_same(particles, postgresql_url):
    import psycopg

    with Store.open(postgresql_url):
        pass
    with psycopg.connect(postgresql_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE copied AS SELECT * FROM particles")
        with cursor.copy(f"COPY copied ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(HEADER + binary_rows(17, particles) + TRAILER)
        rows = cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM copied ORDER BY label").fetchall()
    expected = sorted(read_back(binary_rows(17, particles)), key=lambda row: row["label"])
    assert [row[:-4] for row in rows] == [tuple(row.values())[:-4] for row in expected]
    last = zip(*(particles[name] for name in ("shape", "reason", "contour", "reason")), strict=True)
    assert [row[-4:] for row in rows] == list(last)
