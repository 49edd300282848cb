"""The examples in the docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

import convcli.kernels
from convcli.jobs import kernel as job
from convcli.views import matrix

MODULES = [f"convcli.kernels.{each.name}" for each in pkgutil.iter_modules(convcli.kernels.__path__)]


@pytest.mark.parametrize("name", [*MODULES, job.__name__, matrix.__name__])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
