"""Kept memory: reused, grown, one for each thread, and never kept when it is large."""

import threading

import numpy as np

from convcli.loops import costs
from convcli.ops.scratch import aligned, given_back, lent, scratch


def test_the_same_memory_comes_back_smaller_or_grown():
    first = scratch("test", (3, 4), np.float32)
    assert first.shape == (3, 4) and first.dtype == np.float32
    assert np.shares_memory(first, scratch("test", 5, np.float32))
    assert not np.shares_memory(first, scratch("other", 5, np.float32))
    assert not np.shares_memory(first, scratch("test", 5, np.float64))
    grown = scratch("test", 100, np.float32)
    assert grown.size == 100 and not np.shares_memory(first, grown)


def test_it_begins_with_a_cache_line():
    for shape in ((3, 5), (1 << 21,), (0, 4)):
        assert aligned(shape, np.float64).shape == shape
        assert scratch("lines", shape, np.float32).ctypes.data % 64 == aligned(shape, np.float32).ctypes.data % 64 == 0


def test_threads_do_not_share_it():
    mine, others = scratch("test", 5, np.float32), []
    thread = threading.Thread(target=lambda: others.append(scratch("test", 5, np.float32)))
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, others[0])


def test_large_memory_is_given_back(monkeypatch):
    monkeypatch.setattr(costs, "KEPT_BYTES", 16)
    assert not np.shares_memory(scratch("large", 5, np.float32), scratch("large", 5, np.float32))


def test_memory_is_lent_for_results_of_its_size_and_not_after():
    memory = np.zeros((3, 4), np.float32)
    with lent(memory[1:]):
        assert given_back(48) is None  # of another size
        assert np.shares_memory(given_back(32), memory)
        assert given_back(32) is None  # nobody else gets it
    with lent(memory), lent(None):
        pass
    assert given_back(48) is None
