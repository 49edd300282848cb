"""The examples in the docstrings of convcli.images run as written."""

import doctest
import importlib
import pkgutil

import pytest

import convcli.images

MODULES = [f"convcli.images.{each.name}" for each in pkgutil.iter_modules(convcli.images.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
