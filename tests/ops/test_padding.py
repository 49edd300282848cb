import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcli
from convcli.errors import ShapeError

pytestmark = pytest.mark.without_jit

MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
DTYPES = ("bool", "int8", "uint8", "int16", "uint16", "float16", "int32", "float32", "int64", "uint64", "float64", "g")

sizes = st.integers(1, 5)
amounts = st.tuples(st.integers(0, 12), st.integers(0, 12))


def numbers(shape, dtype, seed=0):
    return np.random.default_rng(seed).integers(0, 120, shape).astype(dtype)


@settings(deadline=None, max_examples=150)
@given(
    shape=st.tuples(sizes, sizes, sizes),
    pads=st.tuples(amounts, amounts, amounts),
    mode=st.sampled_from(MODES),
    dtype=st.sampled_from(DTYPES),
    channels=st.integers(0, 3),
)
def test_pad3d_equals_numpy_pad(shape, pads, mode, dtype, channels):
    image = numbers(shape + (channels,) * bool(channels), dtype)
    expected = np.pad(image, pads + ((0, 0),) * bool(channels), mode)
    result = convcli.pad3d(image, pads, mode=mode)
    assert result.dtype == image.dtype
    assert np.array_equal(result, expected)


@settings(deadline=None, max_examples=100)
@given(
    shape=st.tuples(sizes, sizes, sizes, st.integers(1, 4)),
    pads=st.tuples(amounts, amounts),
    mode=st.sampled_from(MODES),
    dtype=st.sampled_from(DTYPES),
)
def test_pad2d_of_a_batch_equals_numpy_pad(shape, pads, mode, dtype):
    image = numbers(shape, dtype)
    assert np.array_equal(convcli.pad2d(image, pads, mode=mode), np.pad(image, ((0, 0), *pads, (0, 0)), mode))


def test_the_lecture_sizes():
    image = np.ones((32, 32, 3), np.float32)
    assert convcli.pad2d(image, 1).shape == (34, 34, 3)
    assert convcli.pad2d(image, 2).shape == (36, 36, 3)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(1, (4, 5)), ((1, 2), (4, 7)), (((0, 1), (2, 3)), (3, 8)), (np.array([[0, 1], [2, 3]]), (3, 8)), (0, (2, 3))],
)
def test_amounts(amount, expected):
    assert convcli.pad2d(np.ones((2, 3)), amount).shape == expected


@pytest.mark.parametrize(
    ("value", "dtype"), [(7, "uint8"), (-3, "int16"), (2.5, "float16"), (1, "bool"), (2**64 - 1, "u8")]
)
def test_the_constant(value, dtype):
    result = convcli.pad2d(np.zeros((1, 1), dtype), 1, value=value)
    assert result[0, 0] == value
    assert result[1, 1] == 0
    assert result.dtype == dtype


def test_a_constant_per_channel():
    image = numbers((2, 3, 3), "uint16")
    result = convcli.pad2d(image, 2, value=(1, 20, 65535))
    assert (result[:2] == (1, 20, 65535)).all()
    assert (result[:, 5:] == (1, 20, 65535)).all()
    assert np.array_equal(result[2:4, 2:5], image)


def test_the_constant_may_be_nan_in_floats():
    assert np.isnan(convcli.pad2d(np.zeros((1, 1), "float16"), 1, value=np.nan)[0]).all()


@pytest.mark.parametrize("value", [256, -1, 0.5, float("nan"), float("inf"), "1", [1, 2], []])
def test_a_value_the_dtype_cannot_hold(value):
    with pytest.raises(ShapeError, match=r"^value: got .*, expected "):
        convcli.pad2d(np.zeros((1, 1), np.uint8), 1, value=value)


@pytest.mark.parametrize(
    ("image", "amount", "mode", "name"),
    [
        (np.ones(3), 1, "edge", "image"),
        (np.ones((0, 3)), 1, "edge", "image"),
        (np.ones((2, 3), complex), 1, "edge", "image"),
        (np.ones((2, 3)), -1, "edge", "amount"),
        (np.ones((2, 3)), "same", "edge", "amount"),
        (np.ones((2, 3)), (1, 2, 3), "edge", "amount"),
        (np.ones((2, 3)), 1.5, "edge", "amount"),
        (np.ones((2, 3)), True, "edge", "amount"),
        (np.ones((2, 3)), 1, "middle", "mode"),
        (np.ones((2, 3)), 10**12, "constant", "result"),
    ],
)
def test_errors_name_the_argument(image, amount, mode, name):
    with pytest.raises(ShapeError, match=rf"^{name}: got [^\n]*$"):
        convcli.pad2d(image, amount, mode=mode)


def test_other_libraries_names():
    image = numbers((3, 4), "uint8")
    assert np.array_equal(convcli.pad2d(image, 2, mode="replicate"), np.pad(image, 2, "edge"))


def test_the_source_is_left_alone():
    image = numbers((1, 2, 3, 4, 2), "float32")
    convcli.pad3d(image, 1)
    assert image.flags.writeable
    image.flags.writeable = False
    swapped = image.transpose(0, 3, 2, 1, 4)[:, ::-1].astype(">f4")
    result = convcli.pad3d(swapped, 1, mode="edge")
    assert result.dtype == np.float32
    assert np.array_equal(result, np.pad(swapped, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)), "edge"))
