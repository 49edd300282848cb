"""conv1d/2d/3d and conv_transpose1d/2d/3d against nested loops, torch, and what must hold of any convolution."""

import doctest
import importlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from naive_convolution import naive_convolution, naive_transposed

import convcli
from convcli import ShapeError

CONV = {1: convcli.conv1d, 2: convcli.conv2d, 3: convcli.conv3d}
TRANSPOSED = {1: convcli.conv_transpose1d, 2: convcli.conv_transpose2d, 3: convcli.conv_transpose3d}


@st.composite
def layers(draw):
    """The shapes and words of a layer; windows may hang over, strides may skip, any number may be one."""
    axes = draw(st.sampled_from([1, 2, 2, 3]))
    groups = draw(st.sampled_from([1, 1, 2, 3]))

    def per_axis(strategy):
        return tuple(draw(strategy) for _ in range(axes))

    return {
        "images": draw(st.integers(1, 3)),
        "sizes": per_axis(st.integers(1, 7 if axes < 3 else 4)),
        "kernel": per_axis(st.integers(1, 4 if axes < 3 else 3)),
        "channels": groups * draw(st.sampled_from([1, 1, 2, 3, 8])),
        "filters": groups * draw(st.sampled_from([1, 1, 2, 5, 9, 17])),
        "groups": groups,
        "stride": per_axis(st.integers(1, 3)),
        "dilation": per_axis(st.integers(1, 3)),
        "padding": per_axis(st.tuples(st.integers(0, 3), st.integers(0, 3))),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


def draw_arrays(case, transposed=False):
    rng = np.random.default_rng(case["seed"])
    x = rng.standard_normal((case["images"], *case["sizes"], case["channels"]))
    shape = case["channels"] // case["groups"], case["filters"]
    if transposed:
        shape = case["filters"] // case["groups"], case["channels"]
    weight = rng.standard_normal((*case["kernel"], *shape))
    return x, weight, rng.standard_normal(case["filters"])


def words(case):
    return {name: case[name] for name in ("stride", "padding", "dilation", "groups")}


def assert_close(got, expected, tolerance=1e-12):
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= tolerance * max(np.abs(expected).max(), 1)


many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@many
@given(layers())
def test_convolution_equals_the_naive_loops(case):
    reach = [d * (k - 1) + 1 for k, d in zip(case["kernel"], case["dilation"], strict=True)]
    assume(all(n + sum(p) >= e for n, p, e in zip(case["sizes"], case["padding"], reach, strict=True)))
    x, weight, bias = draw_arrays(case)
    assert_close(CONV[len(reach)](x, weight, bias, **words(case)), naive_convolution(x, weight, bias, **words(case)))


@many
@given(layers(), st.data())
def test_transposed_convolution_equals_the_naive_loops(case, data):
    limits = [max(s, d) for s, d in zip(case["stride"], case["dilation"], strict=True)]
    extra = tuple(data.draw(st.integers(0, limit - 1)) for limit in limits)
    numbers = zip(case["sizes"], case["stride"], case["kernel"], case["dilation"], case["padding"], extra, strict=True)
    assume(all((n - 1) * s + d * (k - 1) + 1 - sum(p) + e > 0 for n, s, k, d, p, e in numbers))
    x, weight, bias = draw_arrays(case, transposed=True)
    got = TRANSPOSED[len(extra)](x, weight, bias, output_padding=extra, **words(case))
    assert_close(got, naive_transposed(x, weight, bias, output_padding=extra, **words(case)))


@pytest.mark.parametrize(
    ("channels", "filters", "groups"),
    [
        (3, 33, 1),
        (1, 32, 1),
        (64, 1, 1),
        (32, 3, 1),
        (5, 5, 5),
        (32, 32, 32),
        (37, 37, 37),
        (6, 12, 6),
        (64, 128, 2),
        (34, 34, 17),
        (28, 28, 7),
    ],
)
@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.every_processor), np.float64])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_every_kind_of_tile_equals_the_naive_loops(channels, filters, groups, dtype, padding):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 5, 6, channels)).astype(dtype)
    weight = rng.standard_normal((3, 3, channels // groups, filters)).astype(dtype)
    pads = [(1, 1), (1, 1)] if padding == "same" else [(0, 0), (0, 0)]
    got = convcli.conv2d(x, weight, padding=padding, groups=groups)
    assert got.dtype == dtype
    expected = naive_convolution(
        x.astype(np.float64), weight.astype(np.float64), stride=(1, 1), padding=pads, dilation=(1, 1), groups=groups
    )
    assert_close(got, expected, 1e-12 if dtype == np.float64 else 2e-5)


@pytest.mark.parametrize(
    ("shape", "kernel", "filters", "words", "expected"),
    [
        ((7, 7, 3), (3, 3), 4, {}, (5, 5, 4)),
        ((5, 5, 3), (3, 3), 2, {"padding": 1, "stride": 2}, (3, 3, 2)),
        ((32, 32, 3), (5, 5), 6, {}, (28, 28, 6)),
        ((5, 5, 1), (3, 3), 1, {"padding": "same"}, (5, 5, 1)),
        ((28, 28, 1), (3, 3), 32, {}, (26, 26, 32)),
        ((9, 10, 2), (2, 5), 3, {"padding": "full", "dilation": 2}, (11, 18, 3)),
    ],
)
def test_lecture_shapes(shape, kernel, filters, words, expected):
    x = np.ones((1, *shape))
    assert convcli.conv2d(x, np.ones((*kernel, shape[-1], filters)), **words).shape == (1, *expected)


@pytest.mark.without_jit
def test_lecture_numbers():
    rows = "1 2 3 1 3 5; 2 2 5 4 2 5; 0 6 9 6 2 2; 2 0 1 9 4 0; 5 5 4 6 7 6; 6 1 3 7 1 5"
    image = np.array([[int(number) for number in row.split()] for row in rows.split(";")])
    kernel = np.array([[1, 0, -1]] * 3)[:, :, None, None]
    got = convcli.conv2d(image[None, :, :, None], kernel)
    assert got.dtype == np.float32
    assert got[0, :, :, 0].tolist() == [[-14, -1, 10, -1], [-11, -11, 7, 12], [-7, -10, 1, 13], [5, -16, -4, 11]]
    assert convcli.conv2d(image[None, :, :, None], kernel, stride=2)[0, :, :, 0].tolist() == [[-14, 10], [-7, 1]]


@pytest.mark.parametrize(
    ("given", "result"),
    [("f4", "f4"), ("f8", "f8"), ("u1", "f4"), ("i8", "f4"), ("?", "f4"), ("f2", "f4"), (">f8", "f8")],
)
def test_dtypes(given, result):
    x = np.ones((1, 3, 3, 1)).astype(given)
    assert convcli.conv2d(x, np.ones((2, 2, 1, 1))).dtype == np.dtype(result)
    assert convcli.conv_transpose2d(x, np.ones((2, 2, 1, 1))).dtype == np.dtype(result)


def test_arrays_of_any_layout_and_read_only_ones():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 5, 8, 6))
    weight = rng.standard_normal((3, 3, 8, 4))
    expected = convcli.conv2d(np.ascontiguousarray(x.transpose(0, 1, 3, 2)), weight)
    x.flags.writeable = False
    weight.flags.writeable = False
    np.testing.assert_array_equal(convcli.conv2d(x.transpose(0, 1, 3, 2), weight), expected)
    np.testing.assert_array_equal(convcli.conv2d(x[:, ::-1].transpose(0, 1, 3, 2)[:, ::-1], weight), expected)
    assert weight.flags.writeable is False


@pytest.mark.without_jit
def test_groups_are_split_and_concat():
    rng = np.random.default_rng(2)
    x, weight = rng.standard_normal((2, 7, 6, 12)), rng.standard_normal((3, 2, 4, 21))
    parts = [convcli.conv2d(x[..., 4 * g : 4 * g + 4], weight[..., 7 * g : 7 * g + 7], padding=1) for g in range(3)]
    assert_close(convcli.conv2d(x, weight, padding=1, groups=3), np.concatenate(parts, axis=-1))
    parts = [convcli.conv_transpose2d(x[..., 4 * g : 4 * g + 4], weight[:, :, :2, 4 * g : 4 * g + 4]) for g in range(3)]
    assert_close(convcli.conv_transpose2d(x, weight[:, :, :2, :12], groups=3), np.concatenate(parts, axis=-1))


def test_linear_in_both_arrays():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 2, 6, 6, 5))
    v, w = rng.standard_normal((2, 3, 3, 5, 4))
    assert_close(convcli.conv2d(2 * x - y, w), 2 * convcli.conv2d(x, w) - convcli.conv2d(y, w))
    assert_close(convcli.conv2d(x, 2 * v - w), 2 * convcli.conv2d(x, v) - convcli.conv2d(x, w))


def test_shift_equivariant():
    rng = np.random.default_rng(4)
    x, weight = rng.standard_normal((1, 12, 12, 3)), rng.standard_normal((3, 3, 3, 4))
    moved = np.roll(x, (1, 2), axis=(1, 2))
    np.testing.assert_array_equal(convcli.conv2d(moved, weight)[:, 1:, 2:], convcli.conv2d(x, weight)[:, :-1, :-2])


@pytest.mark.without_jit
def test_transposed_is_the_adjoint():
    rng = np.random.default_rng(5)
    x, weight = rng.standard_normal((2, 8, 9, 6)), rng.standard_normal((3, 4, 3, 10))
    how = {"stride": (2, 3), "padding": ((1, 0), (2, 1)), "dilation": (1, 2), "groups": 2}
    out = convcli.conv2d(x, weight, **how)
    g = rng.standard_normal(out.shape)
    back = convcli.conv_transpose2d(g, weight, output_padding=(0, 2), **how)
    assert back.shape == x.shape
    assert np.isclose((out * g).sum(), (back * x).sum(), rtol=1e-12)


def test_a_stride_beyond_the_kernel_leaves_only_the_bias():
    out = convcli.conv_transpose2d(np.ones((1, 2, 2, 1)), np.ones((1, 1, 1, 1)), [7.0], stride=3)
    assert out[0, :, :, 0].tolist() == [[8, 7, 7, 8], [7] * 4, [7] * 4, [8, 7, 7, 8]]


def test_same_padding_of_the_transposed_enlarges_by_the_stride():
    for kernel, stride in ((3, 2), (2, 2), (1, 3), (5, 2)):
        out = convcli.conv_transpose2d(
            np.ones((1, 4, 5, 2)), np.ones((kernel, kernel, 3, 2)), stride=stride, padding="same"
        )
        assert out.shape == (1, 4 * stride, 5 * stride, 3)


def test_kernels_larger_than_the_image_and_many_phases():
    rng = np.random.default_rng(9)
    x, weight = rng.standard_normal((1, 9, 8, 2)), rng.standard_normal((15, 17, 2, 3))
    pads = [(7, 7), (8, 8)]
    expected = naive_convolution(x, weight, stride=(1, 1), padding=pads, dilation=(1, 1))
    assert_close(convcli.conv2d(x, weight, padding=pads), expected)
    weight = rng.standard_normal((8, 8, 3, 2))
    expected = naive_transposed(
        x[:, :2, :3], weight, stride=(8, 8), padding=[(0, 0)] * 2, output_padding=(0, 0), dilation=(1, 1)
    )
    assert_close(convcli.conv_transpose2d(x[:, :2, :3], weight, stride=8), expected)


@pytest.mark.without_jit
def test_nan_stays_where_windows_see_it():
    x = np.zeros((1, 9, 9, 20), np.float32)
    x[0, 4, 4, 19] = np.nan
    for groups, filters in ((1, 33), (20, 20), (5, 20)):
        out = convcli.conv2d(x, np.ones((3, 3, 20 // groups, filters)), groups=groups)
        seen = np.zeros((7, 7), bool)
        seen[2:5, 2:5] = True
        assert (np.isnan(out[0, :, :, -1]) == seen).all()
        assert groups == 1 or not np.isnan(out[..., : -20 // groups]).any()


CASES = [
    (2, (1, 26, 26, 32), (3, 3, 32, 64), {}),
    (64, (5, 5, 64), (3, 3, 64, 64), {}),
    (3, (40, 300, 3), (5, 5, 3, 20), {"padding": "same"}),
    (2, (9, 9, 48), (3, 3, 1, 48), {"padding": "same", "groups": 48}),
    (2, (9, 9, 24), (3, 3, 4, 24), {"padding": "same", "groups": 6}),
    (1, (3000, 2), (7, 2, 3), {"stride": 2, "dilation": 3}),
    (1, (64, 64, 32), (3, 3, 32, 1), {"padding": "same"}),
    (1, (30, 30, 3), (15, 15, 3, 4), {"padding": "same"}),
    (5, (9, 30, 10), (2, 3, 10, 6), {"stride": 3, "padding": 1}),
]

THREADS = """
import hashlib, sys, numpy as np, convcli
from convcli.loops.compiling.compiler import set_threads
from convcli.geometry import windows_of
from convcli.ops import convolution_passes as passes
for threads in (1, 3, 7):
    set_threads(threads)
    sha = hashlib.sha256()
    for images, shape, kernel, words in {cases!r}:
        rng = np.random.default_rng(0)
        axes = len(kernel) - 2
        shape = shape[-axes - 1:]
        x = rng.standard_normal((images, *shape), dtype=np.float32)
        weight = rng.standard_normal(kernel, dtype=np.float32)
        groups = words.get("groups", 1)
        windows = windows_of(shape[:-1], kernel[:-2], **{{k: v for k, v in words.items() if k != "groups"}})
        out = passes.conv_forward(x, weight, None, windows, groups)
        for result in (
            out,
            passes.conv_input_gradient(out, weight, shape[:-1], windows, groups),
            passes.conv_weight_gradient(x, out, windows, groups),
            passes.conv_bias_gradient(out),
        ):
            sha.update(result.tobytes())
    print(sha.hexdigest())
"""


@pytest.mark.every_processor
def test_the_same_bits_at_any_number_of_threads():
    command, environment = [sys.executable, "-c", THREADS.format(cases=CASES)], os.environ | {"NUMBA_NUM_THREADS": "7"}
    digests = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.split()
    assert len(digests) == 3 and len(set(digests)) == 1


WRONG = [
    ((5, 5, 3), (3, 3, 3, 4), {}, "x: got shape (5, 5, 3), expected (N, H, W, C); x[None] adds the batch axis"),
    ((1, 5, 5, 3), (3, 3, 4), {}, "weight: got shape (3, 3, 4), expected (KH, KW, C/groups, O)"),
    ((1, 0, 5, 3), (3, 3, 3, 4), {}, "x: got shape (1, 0, 5, 3), expected at least one element along every axis"),
    ((1, 5, 5, 3), (3, 0, 3, 4), {}, "weight: got shape (3, 0, 3, 4), expected at least one element along every axis"),
    ((1, 5, 5, 3), (3, 3, 2, 4), {}, "weight: got shape (3, 3, 2, 4), expected 3 along its last but one axis: x has 3"),
    ((1, 5, 5, 4), (3, 3, 4, 4), {"groups": 2}, "weight: got shape (3, 3, 4, 4), expected 2 along its last but one"),
    ((1, 5, 5, 3), (3, 3, 3, 4), {"groups": 2}, "groups: got 2, expected an integer that divides x's 3 channels and"),
    ((1, 5, 5, 4), (3, 3, 2, 3), {"groups": 2}, "groups: got 2, expected an integer that divides x's 4 channels and"),
    ((1, 5, 5, 4), (3, 3, 2, 4), {"groups": 0}, "groups: got 0, expected an integer that divides x's 4 channels and"),
    ((1, 5, 5, 4), (3, 3, 2, 4), {"groups": 2.0}, "groups: got 2.0, expected an integer that divides"),
    ((1, 5, 5, 3), (3, 3, 3, 4), {"bias": [1, 2]}, "bias: got shape (2,), expected (4,): one number per filter"),
    (
        (1, 2, 5, 3),
        (3, 3, 3, 4),
        {},
        "weight: spans 3 along spatial axis 0, expected at most x's 2 + 0 padded",
    ),
    ((1, 5, 5, 3), (3, 3, 3, 4), {"padding": "some"}, "padding: got 'some', expected valid, same, full"),
    ((1, 5, 5, 3), (3, 3, 3, 4), {"stride": 0}, "stride: got 0, expected an integer of at least 1"),
    ((1, 5, 5, 3), (3, 3, 3, 4), {"dilation": (1, 1, 1)}, "dilation: got 3 values (1, 1, 1), expected one, or one per"),
]
WRONG_TRANSPOSED = [
    (
        {"padding": 3},
        (2, 2, 3, 4),
        "padding: got 3 + 3 along spatial axis 0, expected less than the 6 pixels it is",
    ),
    ({"output_padding": 1}, (2, 2, 3, 4), "output_padding: got 1, expected an integer from 0 to 0"),
    ({}, (2, 2, 3, 5), "weight: got shape (2, 2, 3, 5), expected 4 along its last axis: x has 4 channels"),
    ({"groups": 3}, (2, 2, 3, 4), "groups: got 3, expected an integer that divides x's 4 channels"),
    ({"bias": [1, 2]}, (2, 2, 3, 4), "bias: got shape (2,), expected (3,): one number per filter"),
]


@pytest.mark.parametrize(("shape", "kernel", "words", "message"), WRONG)
def test_wrong_arguments(shape, kernel, words, message):
    with pytest.raises(ShapeError) as caught:
        convcli.conv2d(np.ones(shape), np.ones(kernel), **words)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("words", "kernel", "message"), WRONG_TRANSPOSED)
def test_wrong_arguments_of_the_transposed(words, kernel, message):
    with pytest.raises(ShapeError) as caught:
        convcli.conv_transpose2d(np.ones((1, 5, 5, 4)), np.ones(kernel), **words)
    assert str(caught.value).startswith(message)


def test_arrays_that_are_none():
    weight = np.ones((3, 3, 3, 4))
    with pytest.raises(ShapeError, match=r"^x: got dtype complex128, expected real numbers$"):
        convcli.conv2d(np.ones((1, 5, 5, 3), complex), weight)
    with pytest.raises(ShapeError, match=r"^x: got rows of different lengths, expected a full array \(N, H, W, C\)$"):
        convcli.conv2d([[[1, 2], [3]]], weight)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_agrees_with_torch(axes, groups):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(axes)
    sizes = (9, 8, 7)[:axes]
    x = rng.standard_normal((2, *sizes, 6))
    weight, bias = rng.standard_normal((*(3, 2, 3)[:axes], 6 // groups, 8)), rng.standard_normal(8)
    first = torch.from_numpy(np.moveaxis(x, -1, 1).copy())
    kernel = torch.from_numpy(np.moveaxis(weight, (-1, -2), (0, 1)).copy())
    how = {"stride": 2, "padding": 1, "dilation": 2, "groups": groups}
    expected = getattr(torch, f"conv{axes}d")(first, kernel, torch.from_numpy(bias), **how).numpy()
    assert_close(CONV[axes](x, weight, bias, **how), np.moveaxis(expected, 1, -1))
    y = rng.standard_normal((2, *sizes, 8))
    expected = getattr(torch, f"conv_transpose{axes}d")(
        torch.from_numpy(np.moveaxis(y, -1, 1).copy()), kernel, output_padding=1, **how
    )
    assert_close(TRANSPOSED[axes](y, weight, output_padding=1, **how), np.moveaxis(expected.numpy(), 1, -1))


def test_importing_the_functions_loads_no_numba():
    code = "import convcli, sys; convcli.conv2d; convcli.conv_transpose3d; print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "False\n"


def test_the_examples_run():
    result = doctest.testmod(importlib.import_module("convcli.ops.convolution"))
    assert result.attempted >= 6
    assert result.failed == 0
