"""Receptive fields against brute force: each input cell is changed, and what changes at the unit is its field."""

import doctest
from itertools import pairwise

import numpy as np
import pytest

from convcli.architectures import NetworkSpec, load, parse_words, plan_network
from convcli.errors import ConvcliError, ModelError, ShapeError
from convcli.geometry import ReceptiveField
from convcli.jobs import receptive as module
from convcli.jobs.receptive import answer, draw, fields_of, growing, receptive, span_of
from convcli.nn.model import Model

EXACT = [
    ("conv:2,kernel=3", (9, 9)),
    ("conv:2,kernel=3,same conv:2,kernel=3,same", (9, 10)),
    ("conv:2,kernel=4,stride=2,padding=1,relu pool:2", (16, 13)),
    ("conv:2,kernel=3,relu pool:2 conv:3,kernel=3,relu pool:2", (18, 18)),
    ("conv:2,kernel=3x1 pool:3,stride=2,padding=1 conv:2,kernel=1x3,same", (13, 12)),
    ("pool:2,mode=average batch_norm conv:2,kernel=2 depthwise:3", (14, 14)),
    ("pad:2 conv:2,kernel=5 conv:1,kernel=1", (8, 9)),
]
BOUNDS = [
    ("conv:2,kernel=3,dilation=2 conv:2,kernel=2,dilation=3,same", (14, 14)),
    ("conv:2,kernel=2,stride=3 pool:2", (17, 17)),
    ("conv_transpose:2,kernel=3,stride=2 conv:2,kernel=3", (6, 7)),
    ("conv_transpose:2,kernel=4,stride=3,padding=1 conv_transpose:1,kernel=2,stride=2", (4, 5)),
    ("adaptive_pool:3 conv:2,kernel=2", (8, 10)),
]


def network(words, sizes):
    return plan_network(NetworkSpec((*sizes, 1), parse_words(words)))


def touched(plan, layer, unit):
    """Which input cells change a unit, (H, W) bool: with positive weights and inputs nothing cancels."""
    model = Model(plan, dtype=np.float64)
    rng = np.random.default_rng(5)
    for name, parameter in model.parameters.items():
        if name.endswith("kernel"):
            parameter.assign(rng.uniform(0.5, 1.5, parameter.value.shape))
    height, width = plan.input[:2]
    pictures = np.zeros((1 + height * width, height, width, 1))
    pictures[1:].reshape(height * width, -1)[np.arange(height * width), np.arange(height * width)] = 1
    outputs = next(values for name, values in model.trace(pictures) if name == layer)
    values = outputs[:, unit[0], unit[1]]
    return (values[1:] != values[0]).any(axis=1).reshape(height, width)


def units_of(layer):
    rows, columns = layer.output[:2]
    return {(0, 0), (rows // 2, columns // 2), (rows - 1, 0), (rows // 2, columns - 1), (1 % rows, 1 % columns)}


@pytest.mark.parametrize(("words", "sizes"), EXACT)
def test_fields_are_what_a_unit_depends_on(words, sizes):
    plan = network(words, sizes)
    for layer in plan.layers:
        for unit in units_of(layer):
            seen = touched(plan, layer.name, unit)
            rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
            found = fields_of(plan, layer=layer.name, unit=unit).chosen
            if not seen.any():
                assert found.inside is None, (layer.name, unit)
                continue
            assert found.inside == ((rows[0], rows[-1]), (columns[0], columns[-1])), (layer.name, unit)
            assert seen[np.ix_(rows, columns)].all()


@pytest.mark.parametrize(("words", "sizes"), BOUNDS)
def test_fields_with_gaps_and_enlarging_layers_are_bounds(words, sizes):
    plan = network(words, sizes)
    for layer in plan.layers:
        for unit in units_of(layer):
            seen = touched(plan, layer.name, unit)
            (top, bottom), (left, right) = fields_of(plan, layer=layer.name, unit=unit).chosen.inside or ((0, -1),) * 2
            seen[top : bottom + 1, left : right + 1] = False
            assert not seen.any(), (layer.name, unit)


@pytest.mark.parametrize(("words", "sizes"), EXACT)
def test_each_layers_unit_is_one_that_the_next_looks_at(words, sizes):
    plan = network(words, sizes)
    for unit in units_of(plan.layers[-1]):
        rows = fields_of(plan, unit=unit).rows
        assert [row.layer.name for row in rows] == [layer.name for layer in plan.layers]
        for inner, outer in pairwise(rows):
            for (first, last), (low, high) in zip(inner.spans, outer.spans, strict=True):
                assert low <= first
                assert last <= high


def test_shipped_networks_and_their_middle():
    found = receptive("vgg16")
    assert (found.chosen.layer.name, found.chosen.unit, found.chosen.sizes) == ("pool_5", (3, 3), (212, 212))
    assert [row.layer.name for row in growing(receptive("googlenet"))][:3] == ["conv1", "pool_1", "conv2"]
    beyond = receptive("googlenet").chosen
    assert beyond.inside == ((0, 223), (0, 223))
    assert beyond.sizes == (715, 715)
    assert receptive("mnist", layer="flatten_1").chosen.unit is None


def test_series_and_volumes():
    series = plan_network(NetworkSpec((30, 1), parse_words(["conv1d:2,kernel=5", "pool:2"])))
    assert fields_of(series, unit=(4,)).chosen.spans == ((8, 13),)
    volume = plan_network(NetworkSpec((9, 9, 9, 1), parse_words(["conv3d:2,kernel=3"])))
    assert fields_of(volume).chosen.sizes == (3, 3, 3)


def test_a_unit_that_sees_padding_only():
    found = fields_of(network("pad:2", (4, 4)), unit=(0, 3))
    assert found.chosen.inside is None
    assert "sees none of the input's 4x4 pixels" in answer(found)


def test_spans_between_cells_count_both_sides():
    from fractions import Fraction

    assert span_of(ReceptiveField(2, Fraction(1, 2), -1), 1) == (-1, 1)
    assert span_of(ReceptiveField(3, 2, -1), 4) == (7, 9)


def test_refusals(tmp_path):
    plan = plan_network(load("mnist"))
    with pytest.raises(ModelError, match="layer: got 'nothing', expected one of conv"):
        fields_of(plan, layer="nothing")
    for unit in ((99, 0), (0,), (-1, 0)):
        with pytest.raises(ShapeError, match="unit"):
            fields_of(plan, unit=unit)
    with pytest.raises(ShapeError, match="row of values"):
        fields_of(plan, layer="flatten_1", unit=(0, 0))
    with pytest.raises(ShapeError, match="no layer with a map"):
        fields_of(network("flatten dense:3", (4, 4)))
    volume = plan_network(NetworkSpec((9, 9, 9, 1), parse_words(["conv3d:2,kernel=3"])))
    for found, name in ((fields_of(volume), "a.png"), (fields_of(plan), "a.txt")):
        with pytest.raises(ConvcliError, match="output"):
            draw(found, str(tmp_path / name))


def test_the_example():
    assert doctest.testmod(module) == (0, 3)
