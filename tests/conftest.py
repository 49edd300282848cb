"""Shared by all tests: pictures made on the spot, and the command line in this process."""

import contextlib
import io
from types import SimpleNamespace

import numpy as np
import pytest

from convcli.cli import run


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
def quiet_stream():
    """A binary stream that remembers what was written to it."""
    with contextlib.closing(io.BytesIO()) as stream:
        yield stream
