"""The examples in the docstrings run."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["components", "digit", "folder", "idx", "loading", "model"])
def test_examples_run(name):
    result = doctest.testmod(import_module(f"convcli.datasets.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
