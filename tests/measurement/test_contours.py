"""Contours come back as they went in, in as few bytes as they allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagedataextractor.measurement.contours import decode_contour, encode_contours
from imagedataextractor.measurement.outlines import trace_outlines

whole = st.integers(-16000, 16000).map(float)
half = st.integers(-32000, 32000).map(lambda n: n / 2)
single = st.floats(-30000, 30000, width=32)
small_step = st.integers(1, 127).flatmap(lambda n: st.sampled_from([float(n), -float(n)]))


@st.composite
def right_angled(draw):
    """Vertices joined by runs along x and y in turn."""
    x, y = draw(st.integers(-500, 500)), draw(st.integers(-500, 500))
    along_x = draw(st.booleans())
    points = [(float(x), float(y))]
    for run in draw(st.lists(small_step, max_size=20)):
        px, py = points[-1]
        points.append((px + run, py) if along_x else (px, py + run))
        along_x = not along_x
    return tuple(points)


def contours_of(number):
    return st.lists(st.tuples(number, number), max_size=12).map(tuple)


@settings(deadline=None)
@given(st.lists(st.one_of(contours_of(whole), contours_of(half), right_angled()), max_size=6))
def test_whole_and_half_pixels_come_back_exactly(contours):
    for contour, blob in zip(contours, encode_contours(contours), strict=True):
        assert [tuple(point) for point in decode_contour(blob).tolist()] == list(contour)


@settings(deadline=None)
@given(st.lists(contours_of(single), max_size=4))
def test_single_precision_comes_back_exactly(contours):
    for contour, blob in zip(contours, encode_contours(contours), strict=True):
        assert [tuple(point) for point in decode_contour(blob).tolist()] == list(contour)


@settings(deadline=None)
@given(right_angled())
def test_a_right_angled_outline_takes_a_byte_a_vertex(contour):
    (blob,) = encode_contours([contour])
    assert len(blob) == 4 + len(contour) if len(contour) > 1 else 5


def test_traced_outlines_take_a_byte_a_vertex():
    y, x = np.mgrid[:120, :200]
    labels = np.zeros((120, 200), np.int32)
    for label, (cx, cy, r) in enumerate([(40, 40, 20), (120, 60, 35), (180, 20, 8)], 1):
        labels[(x - cx) ** 2 + (y - cy) ** 2 <= r**2] = label
    outlines = list(trace_outlines(labels).values())
    for contour, blob in zip(outlines, encode_contours(outlines), strict=True):
        assert len(blob) == len(contour) + 4
        assert np.array_equal(decode_contour(blob), contour)


def test_long_edges_and_few_vertices():
    contours = [((0.0, 0.0), (300.0, 0.0), (300.0, 200.0), (0.0, 200.0)), ((5.0, 6.0),), (), ((0.0, 0.0), (0.0, 1.0))]
    blobs = encode_contours(contours)
    assert blobs[2] is None
    assert [decode_contour(blob).tolist() for blob in blobs] == [[list(p) for p in c] for c in contours]


def test_an_unknown_format_is_said():
    with pytest.raises(ValueError, match="unknown format"):
        decode_contour(b"\x09abcd")
