"""The examples in the docstrings run."""

import doctest
from importlib import import_module

import pytest

NAMES = "components digit idx loading model naming picture_files preprocessing reading ruling several shapes"


@pytest.mark.parametrize("name", NAMES.split())
def test_examples_run(name):
    result = doctest.testmod(import_module(f"convcli.datasets.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
