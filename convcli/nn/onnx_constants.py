"""What of an ONNX network is known before any input: constants, and the sizes and amounts that nodes make of them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convcli.nn.imported import Array
from convcli.nn.onnx_values import Reader, array_of, words_of

_MOST_MADE = 1_000_000  # numbers that a constant may be made of a shape
_GIVEN = ("value", "value_float", "value_int", "value_floats", "value_ints")
_TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64}
Words = Mapping[str, Any]


def take_constants(reader: Reader) -> None:
    """Give a reader the values of all names that do not depend on the input's numbers.

    Of the input's shape only the batch is unknown, which is 1 here, as in all shapes that a reader knows.
    """
    for node in reader.nodes:
        if node.op_type == "Constant":
            words = words_of(node)
            value = next((words[key] for key in _GIVEN if key in words), None)
            if value is None:
                raise reader.lack(node, "a constant of texts")
            made = array_of(value, reader.path) if hasattr(value, "dims") else np.array(value)
        elif node.op_type == "Shape":
            shape = reader.shapes.get(node.input[0], ())
            if not shape or 0 in shape or node.attribute:
                continue
            made = np.array(shape, np.int64)
        elif node.op_type in FOLDED and all(name in reader.constants for name in node.input if name):
            arrays = [reader.constants[name] if name else None for name in node.input]
            made = np.asarray(FOLDED[node.op_type](words_of(node), *arrays))
        else:
            continue
        reader.constants[node.output[0]] = made


def _of_shape(words: Words, shape: Array) -> Array:
    sizes = shape.astype(np.int64)
    if np.prod(sizes.astype(np.float64)) > _MOST_MADE:
        raise ValueError(f"a constant of {sizes.tolist()}")
    filling = words.get("value")
    from onnx import numpy_helper

    return np.full(sizes, np.float32(0) if filling is None else numpy_helper.to_array(filling).reshape(-1)[0])


def _reshaped(words: Words, array: Array, shape: Array) -> Array:
    sizes = [array.shape[place] if n == 0 else int(n) for place, n in enumerate(shape.tolist())]
    return array.reshape(sizes)


def _sliced(words: Words, array: Array, *places: Array | None) -> Array:
    if not places:  # of the first opsets
        places = tuple(np.array(words[key]) if key in words else None for key in ("starts", "ends", "axes"))
    starts, ends, axes, steps = (*places, None, None)[:4]
    assert starts is not None and ends is not None
    cut = [slice(None)] * array.ndim
    for place, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        step, axis = 1 if steps is None else int(steps[place]), place if axes is None else int(axes[place])
        # An end far before the first one means all, where a negative one would count from the last.
        last = None if step < 0 and end < -array.shape[axis] else int(end)
        cut[axis] = slice(int(start), last, step)
    made: Array = array[tuple(cut)]
    return made


def _axes(words: Words, given: Array | None) -> tuple[int, ...] | None:
    axes = given.tolist() if given is not None else words.get("axes")
    return None if axes is None else tuple(int(each) for each in np.atleast_1d(axes))


def _divided(words: Words, one: Array, two: Array) -> Array:
    if one.dtype.kind in "iu":  # towards 0, where Python's goes down
        quotient = np.abs(one) // np.abs(two)
        return np.where((one < 0) == (two < 0), quotient, -quotient)
    made: Array = one / two
    return made


FOLDED: dict[str, Callable[..., Any]] = {
    "ConstantOfShape": _of_shape,
    "Concat": lambda words, *arrays: np.concatenate(arrays, axis=words["axis"]),
    "Reshape": _reshaped,
    "Slice": _sliced,
    "Transpose": lambda words, array: array.transpose(words.get("perm")),
    "Cast": lambda words, array: array.astype(_TYPES[words["to"]]),
    "Unsqueeze": lambda words, array, axes=None: np.expand_dims(array, _axes(words, axes) or ()),
    "Squeeze": lambda words, array, axes=None: np.squeeze(array, _axes(words, axes)),
    "Gather": lambda words, array, places: np.take(array, places.astype(np.int64), axis=words.get("axis", 0)),
    "Add": lambda words, one, two: one + two,
    "Sub": lambda words, one, two: one - two,
    "Mul": lambda words, one, two: one * two,
    "Div": _divided,
    "Floor": lambda words, array: np.floor(array),
    "Identity": lambda words, array: array,
}
