"""Shared by all tests: pictures made on the spot, and the command line in this process."""

import contextlib
import gc
import io
import signal
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest

from convcli.cli import run

# The same cases in every run, whatever the clock says.
hypothesis.settings.register_profile("the same", derandomize=True, deadline=None)
hypothesis.settings.load_profile("the same")


# Files of tests that take longest, in this order: they begin first, so that no process has one left in the end.
LONGEST = (
    "bench/test_cases.py", "test_documentation.py", "jobs/test_predict_shipped.py", "loops/test_kept.py",
    "test_style.py", "cli/test_train.py", "views/test_explain_page.py", "datasets/test_digit.py", "ops/test_volumes.py",
    "datasets/test_digit_pages.py", "lab/test_rooms.py", "ops/test_convolution.py", "cli/test_bombs.py",
    "jobs/test_addresses.py", "bench/test_instructions.py", "cli/test_cache.py", "views/test_animation.py",
    "test_start_up.py", "cli/test_filter_volumes.py", "cli/test_stacks.py", "loops/test_wanted.py", "cli/test_bench.py",
    "cli/test_filter.py", "cli/test_gradcheck.py", "engines/test_dask.py", "cli/test_training_honesty.py",
    "loops/test_waiting.py", "loops/test_prebuilt.py", "fuzz/test_share.py", "cli/test_manners.py",
)  # fmt: skip


def pytest_configure(config):
    config.option.loadscopereorder = False  # by the number of tests
    gc.set_threshold(100_000, 50, 50)  # to look for garbage among all that is imported, over and over, took long


def pytest_collection_finish(session):
    gc.freeze()  # the tests themselves stay


def pytest_collection_modifyitems(items):
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard():
    """Shells start background jobs deaf to Ctrl-C, and our children would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def no_notice_of_compilation():
    """Which test compiles a loop first depends on the cache; the line about it is `tests/cli/test_cache.py`'s."""
    from convcli.cli import options
    from convcli.loops.compiling.compiler import on_compiling

    on_compiling(lambda state: None)
    options._SAID.append("commands have said it")


@pytest.fixture(scope="session", autouse=True)
def no_loop_is_left_to_numba():
    """Numba gives the same results, only late, and again in each process: nothing else would show it."""
    from convcli.loops.compiling import compiler

    def fail(line):
        raise AssertionError(line)

    compiler.tell = fail


@pytest.fixture
def rng():
    """The same random numbers in every run."""
    return np.random.default_rng(20240607)


@pytest.fixture
def convcli(capfd):
    """Call the command line: ``convcli("filter", path, "-k", "box")`` -> exit code, stdout, stderr."""

    def call(*arguments):
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return call


@pytest.fixture
def done(convcli):
    """Call the command line, which has to succeed; gives what it said besides."""

    def call(*words):
        result = convcli(*words)
        assert result.code == 0, result.err
        return result.err

    return call


# A cluster's processes look at themselves a hundred times a second: idle, they took a tenth of a core.
CALM = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
}


@pytest.fixture(scope="module")
def cluster():
    """The scheduler's address of two processes, which the tests of a file share: they take seconds to begin."""
    distributed = pytest.importorskip("distributed")
    import dask

    from convcli.engines import dask as engine

    with pytest.MonkeyPatch.context() as patch, dask.config.set(CALM):
        patch.setattr(engine, "_DEATHS", 1)  # each costs a second
        with engine._hushed(), engine._local(distributed, 2) as made:
            yield made.scheduler_address


@pytest.fixture
def quiet_stream():
    """A binary stream that remembers what was written to it."""
    with contextlib.closing(io.BytesIO()) as stream:
        yield stream
