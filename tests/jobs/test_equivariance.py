"""Shifted inputs and shifted outputs: exact where theory says so, and different where it says that too."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcli
from convcli.errors import ConvcliError, KernelError
from convcli.geometry import ReceptiveField
from convcli.images import Image
from convcli.jobs import equivariance as module
from convcli.jobs.classifier import load_classifier
from convcli.jobs.equivariance import measure, of_filter, of_model, picture, shifted
from convcli.nn.model import Model
from convcli.nn.weights import ModelCard, save_model


def gray(rng, height, width):
    return Image(rng.random((height, width, 1)))


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(12, 24), st.integers(12, 24)),
    shift=st.tuples(st.integers(-6, 6), st.integers(-6, 6)),
    step=st.integers(1, 3),
    border=st.sampled_from(["reflect", "constant", "edge", "wrap"]),
    specs=st.sampled_from([["sobel-x"], ["1 2 3 4"], ["gaussian:sigma=1,size=3", "sobel"]]),
)
def test_inside_shifts_that_the_step_divides_commute_exactly(size, shift, step, border, specs):
    rng = np.random.default_rng(7)
    shift = (shift[0] * step, shift[1] * step)
    if any(abs(amount) >= n for amount, n in zip(shift, size, strict=True)):
        return
    found = of_filter(gray(rng, *size), specs, shift, border=border, stride=step, pool=step)
    for step_found in found.steps:
        assert step_found.moved == step_found.wanted
        assert step_found.interior is None or step_found.interior[0] < 1e-12


def test_the_interior_is_as_large_as_it_can_be(rng):
    found = of_filter(gray(rng, 20, 30), ["1 2 3; 4 5 6; 7 8 9"], (3, -5)).steps[0]
    # A row less at each end for the kernel, three for the shift.
    assert found.frame == (4, 1, 20 - 2 - 3, 30 - 2 - 5)
    gaps = np.abs(found.got - found.expected)[..., 0]
    assert gaps[4:19, 1:24].max() == 0
    for edge in (gaps[3], gaps[19], gaps[:, 0], gaps[:, 24]):
        assert edge.max() > 0


def test_wrap_leaves_no_border(rng):
    found = of_filter(gray(rng, 16, 20), ["sobel-x"], (4, 6), border="wrap")
    assert [step.whole[0] for step in found.steps] == [0, 0, 0]


def test_what_a_stride_does_not_divide_does_not_commute(rng):
    found = of_filter(gray(rng, 30, 30), ["box"], (1, 2))
    plain, strided, pooled = found.steps
    assert plain.interior[0] < 1e-12
    assert strided.wanted == pooled.wanted == (0.5, 1.0)
    assert strided.interior[1] > 0.01
    assert pooled.interior[1] > 0.01
    # Half a cell: the best of no row and one row was taken.
    others = []
    image = found.before[..., 0]
    kernel = convcli.kernel("box")
    a = convcli.correlate2d(image, kernel, stride=2, padding="same", border="reflect")
    b = convcli.correlate2d(np.roll(image, (1, 2), (0, 1)), kernel, stride=2, padding="same", border="reflect")
    row, column, rows, columns = strided.frame
    inside = np.s_[row : row + rows, column : column + columns]
    for moved in (0, 1):
        others.append(np.abs(b - np.roll(a, (moved, 1), (0, 1)))[inside].mean())
    assert strided.interior[1] == pytest.approx(min(others) / np.abs(a).mean(), rel=0.2)


def test_differences_are_shares():
    plain = np.full((8, 8, 1), 2.0)
    plain[0, 0] = 4
    got = plain.copy()
    got[4, 4] += 1
    fields = (ReceptiveField(), ReceptiveField())
    step = measure("f", plain, got, (0, 0), fields, (8, 8))
    assert step.whole == (1 / 4, pytest.approx(1 / plain.sum()))
    assert step.interior == step.whole
    assert measure("f", plain, got, (0, 0), None, (8, 8)).wanted is None
    silent = np.zeros((8, 8, 1))
    assert measure("f", silent, silent, (1, 1), fields, (8, 8)).whole == (0, 0)


def model_of(path, layers):
    rule = {"kind": "picture", "height": 20, "width": 20, "channels": 1}
    model = Model.from_layers(layers, (20, 20, 1), seed=3)
    save_model(path, model, ModelCard("made", ("a", "b", "c"), rule, 0, {}, {}, ()))
    return load_classifier(path)


def test_a_network_layer_by_layer(tmp_path, rng):
    layers = ["conv:4,kernel=3,same,relu", "pool:2", "conv:5,kernel=3,relu", "flatten", "dense:3,softmax"]
    classifier = model_of(tmp_path / "m.safetensors", layers)
    image = Image(rng.integers(0, 256, (20, 20, 1), np.uint8))
    even = of_model(classifier, image, (2, -4))
    assert [step.name for step in even.steps] == ["conv_1", "pool_1", "conv_2", "flatten_1", "dense_1", "output"]
    assert [step.wanted for step in even.steps[:3]] == [(2, -4), (1, -2), (1, -2)]
    assert all(step.interior[0] < 1e-5 for step in even.steps[:3])
    assert all(step.wanted is None and step.interior is None for step in even.steps[3:])
    assert even.steps[-1].whole[0] > 0
    odd = of_model(classifier, image, (1, 0))
    assert odd.steps[0].interior[0] < 1e-5
    assert odd.steps[1].interior[1] > 0.01
    assert picture(odd, title="t").pixels.shape[2] == 3


def test_a_global_pool_does_not_care_for_shifts(tmp_path, rng):
    classifier = model_of(
        tmp_path / "m.safetensors", ["conv:4,kernel=1,relu", "global_pool:average", "dense:3,softmax"]
    )
    found = of_model(classifier, Image(rng.integers(0, 256, (20, 20, 1), np.uint8)), (3, 7))
    assert found.steps[1].wanted is None
    assert all(step.whole[0] < 1e-5 for step in found.steps)


def test_shifts_go_round():
    x = np.arange(6.0).reshape(2, 3, 1)
    assert shifted(x, (1, -1))[..., 0].tolist() == [[4, 5, 3], [1, 2, 0]]


def test_refusals(rng):
    with pytest.raises(ConvcliError, match="not finite"):
        of_filter(Image(np.full((9, 9, 1), np.nan)), ["box"], (1, 1))
    for shift in ((12, 0), (0, -13)):
        with pytest.raises(ConvcliError, match="less than the input's 1"):
            of_filter(gray(rng, 12, 13), ["box"], shift)
    with pytest.raises(KernelError, match="canny"):
        of_filter(gray(rng, 12, 13), ["canny"], (1, 1))
    with pytest.raises(ConvcliError, match="pool"):
        of_filter(gray(rng, 12, 13), ["box"], (1, 1), pool=13)


def test_the_example():
    assert doctest.testmod(module) == (0, 1)
