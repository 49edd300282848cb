"""Whatever the public functions are given: the right result, or one line that begins with the argument's name."""

import inspect
import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcli
from convcli import ConvcliError
from convcli.loops.compiling.compiler import noting


class Unready:
    """As torch's tensors that need a gradient."""

    def __array__(self, *arguments, **words):
        raise RuntimeError("use detach()")


class Place:
    """Has an index, and nothing else of a number."""

    def __index__(self):
        return 2


NO_ARRAYS = [
    None,
    "a text",
    b"bytes",
    object(),
    {"a": 1},
    [[1, 2], [3]],
    [[1, "a"], [2, 3]],
    [np.zeros((2, 2)), np.zeros((2, 3))],
    np.array([[1, None]], object),
    np.array([["1", "2"]]),
    np.zeros((2, 2), "M8[s]"),
    np.zeros((2, 2), "c8"),
    np.zeros((2, 2), [("a", "u1")]),
    np.zeros((2, 2), "V3"),
    np.ma.masked_array(np.ones((3, 3)), mask=np.eye(3)),
    np.zeros(()),
    np.zeros((0, 3)),
    np.zeros((1,) * 7),
    [[10**30, 1]],
    np.broadcast_to(np.float16(1), (10**6, 10**6)),
    itertools.count(),
    Unready(),
]
NO_COUNTS = [
    "2",
    b"2",
    1.5,
    np.float64(2),
    float("nan"),
    float("inf"),
    1j,
    True,
    (),
    (1, 2, 3, 4),
    -1,
    10**30,
    10**400,
    object(),
    {},
    np.array([]),
    np.zeros((2**40, 0)),
    np.broadcast_to(np.uint8(1), (10**6, 10**6)),
    range(2**80),
    Place(),
    "a" * 5000,
    itertools.count(),
]
NO_NUMBERS = [
    "2",
    b"2",
    None,
    1j,
    True,
    (1, 2),
    10**400,
    object(),
    {},
    np.zeros(3),
    itertools.count(1),
    np.timedelta64(3, "s"),
]
NO_WORDS = [None, 3, "", "maximun", "\x1b[2J\n", b"max", object(), ["max"], np.zeros(3), "a" * 5000, np.zeros((9, 9))]
ARRAYS = {"image", "volume", "signal", "x", "weight"}
COUNTS = {
    "stride",
    "size",
    "output_size",
    "dilation",
    "rate",
    "groups",
    "output_padding",
    "padding",
    "amount",
    "anchor",
}
NO_FLAGS = ["yes", None, 2, np.zeros(3), np.array([]), object()]
FLAGS = ("ceil_mode", "count_include_pad", "exact", "overwrite")
ODD = {
    **dict.fromkeys(ARRAYS, NO_ARRAYS),
    "kernel": [each for each in NO_ARRAYS if not isinstance(each, str)],
    "bias": [each for each in NO_ARRAYS if each is not None],
    "element": [each for each in NO_ARRAYS if each is not None and not isinstance(each, str)],
    **dict.fromkeys(COUNTS, NO_COUNTS),
    **dict.fromkeys(("p", "low", "high", "sigma"), NO_NUMBERS),
    "value": [each for each in NO_NUMBERS if each is not True],
    **dict.fromkeys(("mode", "operation", "border"), NO_WORDS),
    **dict.fromkeys(FLAGS, NO_FLAGS),
    "seed": [-1, 1.5, "1", None, 2**64, True, (1,), 10**400, Place()],
    "path": [None, 3, b"a.png", ["a.png"], np.zeros((3, 3)), "", "a\0b.png", object()],
    "spec": [None, 3, b"box", ["box"], np.zeros((3, 3)), "", "no.npy", "a\0b.txt", "\udcff.csv", "/", "\x1b[2J"],
}
NO_ARRAYS_HERE = {"explain", "load_model", "on_compiling", "summary"}  # which have tests of their own
NAMES = sorted(
    each for each in convcli.__all__ if inspect.isfunction(getattr(convcli, each)) and each not in NO_ARRAYS_HERE
)


def right(name):
    """Arguments that fit."""
    rank = next((int(digit) for digit in "123" if f"{digit}d" in name), 2)
    space, sides = (4,) * rank, (2,) * rank
    if "conv" in name and "volve" not in name:
        order = (3, 2) if "transpose" in name else (2, 3)
        return {"x": np.ones((1, *space, 2)), "weight": np.ones((*sides, *order))}
    if name == "kernel":
        return {"spec": "box"}
    if name in ("read", "write"):
        return {"path": io.BytesIO()} | ({"format": "png", "image": np.ones(space)} if name == "write" else {})
    first = next(iter(inspect.signature(getattr(convcli, name)).parameters))
    shape = (1, *space, 1) if name.endswith("1d") else space
    others = {
        "kernel": np.ones(sides),
        "size": 2,
        "output_size": 2,
        "amount": 1,
        "rate": 2,
        "operation": "dilate",
    }
    known = inspect.signature(getattr(convcli, name)).parameters
    found = {first: np.ones(shape), **{key: value for key, value in others.items() if key in known}}
    if "correlate" in name or "convolve" in name:
        found["padding"] = "same"  # the only one that an anchor goes with
    return found


CASES = [
    (name, argument, value)
    for name in NAMES
    for argument in inspect.signature(getattr(convcli, name)).parameters
    for value in ODD.get(argument, ())
    if not (value is None and inspect.signature(getattr(convcli, name)).parameters[argument].default is None)
    and not (value is None and argument == "border" and name.startswith("morph"))  # "none" has this name
]


@pytest.mark.filterwarnings("error")
@settings(max_examples=800)
@given(st.sampled_from(CASES))
def test_what_does_not_fit_is_one_line_that_begins_with_the_name(case):
    name, argument, value = case
    arguments = right(name)
    if argument == "element":
        del arguments["size"]
    if argument == "count_include_pad":
        arguments["mode"] = "average"
    if argument == "value" and name.startswith("morph"):
        arguments["border"] = "constant"
    arguments[argument] = value
    with pytest.raises(ConvcliError) as caught:
        getattr(convcli, name)(**arguments)
    said = str(caught.value)
    assert said.startswith({"spec": "kernel"}.get(argument, argument)), f"{name}({argument}={value!r}): {said}"
    assert said.isprintable() and len(said) < 500


VIEWS = [
    np.asfortranarray,
    lambda array: array[::-1].copy()[::-1],
    lambda array: array.astype(array.dtype.newbyteorder(">")),
    lambda array: np.matrix(array.tolist(), array.dtype) if array.ndim == 2 else array,
    lambda array: np.ma.masked_array(array),
    lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    lambda array: array.view(np.recarray),
    memoryview,
]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_the_same_numbers_in_another_order_give_the_same(view):
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    image.flags.writeable = False
    odd = view(image)
    for call in (
        lambda given: convcli.pool2d(given, 2),
        lambda given: convcli.pad2d(given, 1, mode="edge"),
        lambda given: convcli.dilate2d(given, 2),
        lambda given: convcli.correlate2d(given, [[1, 2]]),
    ):
        result = call(odd)
        assert type(result) is np.ndarray and result.dtype == np.float32
        np.testing.assert_array_equal(result, call(image))


@pytest.mark.parametrize("number", [np.int64, np.uint8, np.int8, np.array])
def test_whole_numbers_of_any_type_count(number):
    x, weight = np.ones((1, 4, 4, 2), np.float32), np.ones((2, 2, 1, 2), np.float32)
    plain = convcli.conv2d(x, weight, stride=2, groups=2, padding=1)
    np.testing.assert_array_equal(
        convcli.conv2d(x, weight, stride=number(2), groups=number(2), padding=number(1)), plain
    )
    for value in (number(2), [number(2), 2]):
        np.testing.assert_array_equal(convcli.pool2d(x, value), convcli.pool2d(x, 2))
        np.testing.assert_array_equal(convcli.pad2d(x, value), convcli.pad2d(x, 2))


@pytest.mark.filterwarnings("error")
def test_the_largest_numbers_give_infinity_without_a_warning():
    huge = np.full((4, 4), np.finfo(np.longdouble).max)
    for mode in ("average", "weighted", "lp"):
        assert np.isinf(convcli.pool2d(huge, 2, mode=mode)).all()
    assert (convcli.pool2d(huge, 2, mode="stochastic") == huge[:2, :2]).all()
    assert np.isinf(convcli.convolve2d(np.full((3, 3), 9.0), np.full((3, 3), 1e308))).all()


def test_a_model_names_what_it_cannot_take(tmp_path):
    from convcli.nn.weights import shipped_model

    model = convcli.load_model(shipped_model())
    for value in NO_ARRAYS:
        with pytest.raises(ConvcliError, match=r"^x: "):
            model.predict(value)
    for value in (0, -1, 1.5, "2", None, True, (1,)):
        with pytest.raises(ConvcliError, match=r"^batch_size: "):
            model.predict(np.zeros((1, *model.input_shape), np.float32), value)
    for value in (None, 3, b"m.safetensors", ["m"], "a\0b"):
        with pytest.raises(ConvcliError, match=r"^path: "):
            convcli.load_model(value)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: convcli.pool2d(x, 2),
        lambda x: convcli.pad2d(x, 1),
        lambda x: convcli.correlate2d(x, np.ones((3, 3))),
        lambda x: convcli.morph2d(x, "dilate", size=3),
    ],
)
def test_arrays_at_odd_places_come_aligned_to_the_loops(call, rng):
    image = rng.random((9, 12), np.float32)
    odd = np.frombuffer(b"\0" + image.tobytes(), np.float32, offset=1).reshape(9, 12)
    np.testing.assert_array_equal(call(odd), call(image))
    heard = []
    with noting(lambda _, arguments: heard.extend(arguments)):
        call(odd)
    arrays = [each for each in heard if isinstance(each, np.ndarray)]
    assert arrays and all(each.flags.aligned for each in arrays)


def test_a_border_value_beyond_the_type_is_infinite():
    result = convcli.convolve2d(np.ones((5, 8), np.float32), np.ones((3, 3)), padding="same", value=1e300)
    assert result.dtype == np.float32
    assert np.isinf(result[0]).all() and (result[1:-1, 1:-1] == 9).all()


def test_weights_and_thresholds_beyond_the_type_are_infinite():
    image = np.ones((5, 8, 1), np.float32)
    assert np.isinf(convcli.correlate2d(image, np.full((3, 3), 1e300))).all()
    assert not convcli.canny(image, low=1e299, high=1e300).any()


def test_every_flag_of_a_public_function_is_among_these():
    for name in NAMES:
        for each in inspect.signature(getattr(convcli, name)).parameters.values():
            assert (each.annotation in (bool, "bool")) == (each.name in FLAGS)
