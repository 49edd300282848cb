"""The engine's tests use one thread: their arrays are tiny, and waking a second thread takes longer than the work.

That any number of threads gives the same bits has a test of its own, in processes of its own.
"""

import os

import pytest

from convcli.loops.compiling.compiler import set_threads


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    set_threads(1)
    yield
    set_threads(os.cpu_count() or 1)
