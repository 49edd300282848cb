"""Loops compiled once: every share of the range is done, once, by whatever threads; what a share raises is heard."""

import numpy as np
import pytest

from convcli.loops.compiling import kept
from convcli.loops.compiling.compiler import loop, prange, runs_python, set_threads, thread_count

pytestmark = pytest.mark.skipif(kept.stamp() is None or runs_python(), reason="loops are left to Numba here")


@loop(parallel=False)
def _visited(count, times):
    """A helper that is called with a number written down and with one that is not."""
    return count + times


@loop
def visit(times, out):
    """Each index owns one number of ``out``; arguments are already checked."""
    step = times * 1
    for index in prange(out.shape[0]):
        out[index] = _visited(out[index], 1) + _visited(out[index], step) + index


@loop
def take_room(numbers, out):
    """Each index owns one number of ``out``, and takes room of its own; arguments are already checked."""
    for index in prange(out.shape[0]):
        room = np.empty(numbers * (index + 1), np.float64)
        room[:3] = index
        out[index] = room[2]


@loop
def divide(numbers, out):
    """Each index owns one number of ``out``; arguments are already checked."""
    for index in prange(out.shape[0]):
        out[index] = 1.0 / numbers[index]


@loop(parallel=False)
def both(numbers):
    """The sum of two numbers, to Python; arguments are already checked."""
    return numbers[0] + numbers[1]


@loop(parallel=False)
def pick_and_place(cube, line, flags, first, back, out):
    """Numbers from places of every kind, and to some; arguments are already checked."""
    out[0] = cube[first, back, 1]
    out[1] = cube[-1, 0, -2]
    out[2] = line[back]
    out[3] = line[np.uint8(first)]
    out[4] = flags[first]
    cube[back, first, -1] = 7
    line[-1] = cube[first, 0, 0] > 0
    flags[back] = line[0]


@pytest.fixture(autouse=True)
def as_many_threads_as_before():
    before = thread_count()
    yield
    set_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 64])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 1000])
def test_every_index_is_visited_once(threads, count):
    set_threads(threads)
    out = np.full(count, 5)
    visit(2, out)
    assert np.array_equal(out, 13 + np.arange(count))


def test_a_share_that_finds_no_room_raises_and_the_next_call_is_well():
    out = np.zeros(9)
    with pytest.raises(MemoryError, match="not enough memory for what a loop keeps beside its pictures"):
        take_room(1 << 50, out)
    take_room(4, out)
    assert np.array_equal(out, np.arange(9))


def test_division_by_zero_is_that_of_numbers_not_of_python():
    out = np.zeros(3)
    divide(np.array([0.0, -0.0, 2.0]), out)
    assert out.tolist() == [np.inf, -np.inf, 0.5]


def test_a_number_comes_back():
    assert both(np.array([1.5, 2.0])) == 3.5


def test_helpers_are_compiled_for_types_not_for_numbers():
    visit(2, np.zeros(3, np.int64))
    from convcli.loops.compiling.native import _part

    part = _part(_visited)
    assert len(part.overloads) <= 1  # none, if this process found the code kept


def test_numbers_are_read_and_written_where_python_would(rng):
    cube, line = rng.standard_normal((3, 4, 5)).astype(np.float32), np.arange(6, dtype=np.int16)
    flags, out = np.array([True, False, False]), np.zeros(5)
    expected = [each.copy() for each in (cube, line, flags)]
    pick_and_place.py_func(*expected, 1, -2, wanted := np.zeros(5))
    pick_and_place(cube, line, flags, 1, -2, out)
    np.testing.assert_array_equal(out, wanted)
    for got, should in zip((cube, line, flags), expected, strict=True):
        np.testing.assert_array_equal(got, should)


def test_what_the_calling_thread_does_alone_raises_too():
    with pytest.raises(MemoryError):
        take_room(2**60, np.zeros(1))
    out = np.zeros(1)
    take_room(5, out)
    assert out[0] == 0
