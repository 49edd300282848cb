"""The examples in the engine's docstrings run."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "architectures.card",
        "nn.initializers",
        "nn.losses",
        "nn.model",
        "nn.randomness",
        "nn.schedules",
        "nn.tensors",
        "nn.weights",
        "jobs.gradcheck",
    ],
)
def test_examples_run(name):
    module = import_module(f"convcli.{name}")
    result = doctest.testmod(module, extraglobs={"np": import_module("numpy")})
    assert result.attempted > 0 and result.failed == 0
