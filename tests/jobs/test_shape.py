"""The job behind `convcli shape`: how inputs are read, and what a Python caller gets."""

import pytest

from convcli.architectures import GrammarError, LayerSpec, parse_words
from convcli.jobs.shape import read_input, shape


@pytest.mark.parametrize(
    ("text", "words", "dimensions", "expected"),
    [
        ("7x7x3", "conv:4", None, (7, 7, 3)),
        ("16x32x32x1", "conv:4", None, (16, 32, 32, 1)),
        ("6x6", "conv:4", None, (6, 6, 1)),
        ("100x8", "conv:4", 1, (100, 8)),
        ("100x8", "conv1d:4", None, (100, 8)),
        ("100", "conv:4", None, (100, 1)),
        ("100", "conv:4", 1, (100, 1)),
        ("784", "dense:10", None, (784,)),
        ("784", "relu", None, (784,)),
        ("16x32x32", "conv:4", 3, (16, 32, 32, 1)),
        ("16x32x32", "conv3d:4", None, (16, 32, 32, 1)),
        ("200x200", "dense:500", None, (200, 200, 1)),
        ((28, 28, 1), "conv:4", None, (28, 28, 1)),
        ([28], "dense:4", None, (28,)),
        ("7×7X3", "conv:4", None, (7, 7, 3)),
    ],
)
def test_how_an_input_is_read(text, words, dimensions, expected):
    assert read_input(text, parse_words(words), dimensions) == expected


@pytest.mark.parametrize(
    ("text", "dimensions"),
    [
        *[(text, None) for text in ("0x5", "-1x5", "axb", "", "1x2x3x4x5", "9" * 31, "7x", "1_0x2", "٣x٣")],
        *[((1.5, 2), None), ((), None), ("7x7x3", 1), ("7", 2)],
    ],
)
def test_inputs_that_cannot_be_read(text, dimensions):
    with pytest.raises(GrammarError, match="input: got"):
        read_input(text, parse_words("conv:1"), dimensions)


def test_words_and_layers_are_the_same():
    result = shape([LayerSpec("conv", {"filters": 4}, word="conv:4")], (7, 7, 3))
    assert result.plan.output == shape("conv:4", "7x7x3").plan.output == shape(["conv:4"], "7x7x3").plan.output
    assert result.layer is result.plan.layers[0]
    assert shape("conv:4 relu", "7x7x3").layer is None


def test_nothing_asked_is_refused():
    with pytest.raises(GrammarError, match="layers: got none"):
        shape("", "7x7x3")
