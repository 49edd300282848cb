"""Markers of a JPEG: walked along, written, and the tables among them as Pillow reads them."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.images import jpeg_markers as markers


def jpeg(**options):
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (70, 50, 3), dtype=np.uint8)
    Pillow.fromarray(noise).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_the_walk_ends_at_the_end_of_the_image(options):
    data = jpeg(**options)
    found = list(markers.segments(data + b"more"))
    assert found[0][0] == 0xE0 and found[-1] == (markers.END_OF_IMAGE, len(data), len(data))
    assert [start <= end for _, start, end in found] == [True] * len(found)


def test_the_walk_stops_where_the_data_do():
    data = jpeg()
    for length in range(2, len(data)):
        assert all(marker != markers.END_OF_IMAGE for marker, _, _ in markers.segments(data[:length]))


def test_a_segment_is_found_again():
    data = b"\xff\xd8" + markers.segment(0xE5, b"content") + markers.segment(0xE6, b"") + b"\xff\xd9"
    assert [(each[0], data[each[1] : each[2]]) for each in markers.segments(data)][:2] == [
        (0xE5, b"content"),
        (0xE6, b""),
    ]


@pytest.mark.parametrize("quality", [1, 60, 100])
def test_tables(quality):
    data = jpeg(quality=quality)
    found = {}
    for marker, start, end in markers.segments(data):
        if marker == markers.TABLES:
            found |= markers.tables_in(data[start:end])
    expected = Pillow.open(io.BytesIO(data)).quantization
    assert found == {number: tuple(table) for number, table in expected.items()}


def test_wide_tables():
    body = b"\x11" + b"".join((300 + number).to_bytes(2, "big") for number in range(64))
    table = markers.tables_in(body)[1]
    assert table[:3] == (300, 301, 305) and table[8] == 302 and sorted(table) == list(range(300, 364))
