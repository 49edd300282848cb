"""Bands: cut without gaps, worked on in order, by as many threads as allowed."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.images import bands


@pytest.fixture(autouse=True)
def threads():
    yield bands.limit_threads
    bands.limit_threads(None)


@given(st.integers(1, 500), st.integers(1, 200))
def test_bands_follow_each_other(height, rows):
    cuts = bands.cut(height, rows)
    assert [row for start, stop in cuts for row in range(start, stop)] == list(range(height))
    assert all(stop - start == rows for start, stop in cuts[:-1])


@pytest.mark.parametrize("count", [1, 2, 5, None])
def test_results_come_in_order(threads, count):
    threads(count)
    names = list(bands.spread(lambda each: (each, threading.current_thread().name), range(40)))
    assert [each for each, _ in names] == list(range(40))
    if count == 1:
        assert {name for _, name in names} == {threading.current_thread().name}
    assert len({name for _, name in names}) <= (count or 1000)


def test_an_error_reaches_the_caller(threads):
    threads(2)
    with pytest.raises(ZeroDivisionError):
        list(bands.spread(lambda each: 1 / each, [1, 0, 1]))
    assert list(bands.spread(str, [1, 2])) == ["1", "2"]


def test_one_item_and_none_start_no_thread(threads):
    threads(7)
    before = threading.active_count()
    assert list(bands.spread(str, [])) == [] and list(bands.spread(str, [3])) == ["3"]
    assert threading.active_count() == before
