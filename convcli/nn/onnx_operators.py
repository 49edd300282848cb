"""ONNX's operators in our layers' words: one function for each kind, from a node to the value that it makes.

Source: the ONNX operators, https://onnx.ai/onnx/operators.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from convcli.nn.activations import GATES
from convcli.nn.imported import INPUT, Array
from convcli.nn.onnx_values import Reader, Value


def _windows(reader: Reader, node: Any, words: dict[str, Any], kernel: list[int]) -> dict[str, Any]:
    rank = len(kernel)
    auto, pads = words.get("auto_pad", "NOTSET"), words.get("pads", [0] * 2 * rank)
    if auto == "SAME_LOWER":
        raise reader.lack(node, "auto_pad SAME_LOWER")
    padding: Any = [[int(pads[axis]), int(pads[axis + rank])] for axis in range(rank)]
    padding = {"SAME_UPPER": "same", "VALID": "valid"}.get(auto, padding)
    return {
        "kernel_size": list(kernel), "stride": list(words.get("strides", [1] * rank)), "padding": padding,
        "dilation": list(words.get("dilations", [1] * rank)),
    }  # fmt: skip


def _conv(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    """(O, C/groups, *kernel) as (*kernel, C/groups, O); transposed (C, O/groups, *kernel) as (*kernel, O/groups, C)."""
    value, kernel, bias = reader.maps(node), reader.weights(node, 1), reader.constant(node, 2)
    groups, transposed = int(words.get("group", 1)), node.op_type == "ConvTranspose"
    keys = _windows(reader, node, words, list(kernel.shape[2:]))
    numbers = {"kernel": np.moveaxis(kernel, (0, 1), (-1, -2))} | ({} if bias is None else {"bias": bias})
    keys |= {"use_bias": bias is not None, "groups": groups}
    if not transposed:
        return reader.one(node, "conv", value, numbers, filters=kernel.shape[0], **keys)
    if "output_shape" in words:
        raise reader.lack(node, "output_shape")
    extra = list(words.get("output_padding", []))
    keys |= {"output_padding": extra} if any(extra) else {}
    return reader.one(node, "conv_transpose", value, numbers, filters=kernel.shape[1] * groups, **keys)


def _dense(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    value, kernel, bias = reader.value(node), reader.constant(node, 1), reader.constant(node, 2)
    plain = words.get("alpha", 1) == 1 and words.get("beta", 1) == 1 and not words.get("transA", 0)
    if not plain or value.layout != "flat" or kernel is None or kernel.ndim != 2:
        raise reader.lack(node, "values that are not flat" if value.layout != "flat" else "other factors than 1")
    kernel = kernel.T if words.get("transB", 0) else kernel
    kernel = kernel if value.order is None else kernel[value.order]
    numbers = {"kernel": kernel} | ({} if bias is None else {"bias": np.broadcast_to(bias, kernel.shape[1:])})
    made = reader.graph.layer(value.name, "dense", numbers, units=kernel.shape[1], use_bias=bias is not None)
    return Value(made, "flat")


def _norm(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    value = reader.value(node)
    arrays = [reader.constant(node, place) for place in range(1, 5)]
    if value.layout == "last" or any(each is None for each in arrays):
        raise reader.lack(node, "channels last")
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    numbers = {name: _ordered(each, value) for name, each in zip(names, arrays, strict=True) if each is not None}
    return reader.one(node, "batch_norm", value, numbers, epsilon=float(words.get("epsilon", 1e-5)))


def _ordered(array: Array, value: Value) -> Array:
    return array if value.order is None else array[value.order]


def _layer_norm(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    value, gamma, beta = reader.value(node), reader.constant(node, 1), reader.constant(node, 2)
    axis, rank = int(words.get("axis", -1)), 2 if value.layout == "flat" else 1 + len(reader.size)
    if value.layout not in ("flat", "last") or axis not in (-1, rank - 1) or gamma is None:
        raise reader.lack(node, "other axes than the channels")
    numbers = {"gamma": _ordered(gamma, value)} | ({} if beta is None else {"beta": _ordered(beta, value)})
    keys = {"epsilon": float(words.get("epsilon", 1e-5)), "center": beta is not None}
    return reader.one(node, "layer_norm", value, numbers, **keys)


def _group_norm(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    """Of each channel, or between two reshapes of groups of channels, as PyTorch writes it."""
    value, gamma, beta = reader.value(node), reader.weights(node, 1), reader.weights(node, 2)
    keys = {"epsilon": float(words.get("epsilon", 1e-5))}
    if node.op_type == "GroupNormalization":
        groups, channels = int(words["num_groups"]), reader.shape(node.input[0], node)[1]
        numbers = {"gamma": np.repeat(gamma, channels // len(gamma)), "beta": np.repeat(beta, channels // len(beta))}
        return reader.one(node, "group_norm", reader.maps(node), numbers, groups=groups, **keys)
    if value.layout == "groups":
        if not ((gamma == 1).all() and (beta == 0).all()):
            raise reader.lack(node, "weights of groups")
        return reader.one(node, "group_norm", value, {}, groups=value.groups, **keys)
    numbers = {"gamma": gamma, "beta": beta}
    return reader.one(node, "group_norm", reader.maps(node), numbers, groups=len(gamma), **keys)


def _pool(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    value, mode = reader.maps(node), "max" if node.op_type == "MaxPool" else "average"
    if len(node.output) > 1 and node.output[1]:
        raise reader.lack(node, "indices")
    keys = _windows(reader, node, words, list(words["kernel_shape"]))
    keys |= {"mode": mode, "ceil_mode": bool(words.get("ceil_mode", 0))}
    keys |= {"count_include_pad": True} if mode == "average" and words.get("count_include_pad", 0) else {}
    return reader.one(node, "pool", value, None, **keys)


_FLOATS = (1, 10, 11, 16)  # float32, float16, float64, bfloat16
_FLATTENING = ("Flatten", "Reshape", "Squeeze")


def _global(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    value = reader.maps(node)
    mode = "max" if "Max" in node.op_type else "average"
    if node.op_type.startswith("Reduce"):
        axes = reader.constant(node, 1) if len(node.input) > 1 else words.get("axes")
        rank = 1 + len(reader.shape(node.input[0], node)[1:])
        given = sorted(int(each) % rank for each in (axes if axes is not None else ()))
        if given != list(range(2, rank)):
            raise reader.lack(node, "other axes than all spatial ones")
        flat = not words.get("keepdims", 1)
    else:
        flat = False
    behind = reader.consumers.get(node.output[0], [])
    if flat or (behind and all(each.op_type in _FLATTENING for each in behind)):
        return Value(reader.graph.layer(value.name, "global_pool", mode=mode), "flat")
    return reader.one(node, "adaptive_pool", value, None, output_size=1, mode=mode)


def _flatten(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    """Flat values; or PyTorch's way into and out of groups of channels."""
    value = reader.value(node)
    target = reader.constants.get(node.input[1]) if node.op_type == "Reshape" and len(node.input) > 1 else None
    if value.layout == "groups":
        return replace(value, layout="first", groups=0)
    if value.layout == "first" and target is not None and target.tolist()[::2] == [0, -1] and len(target) == 3:
        return replace(value, layout="groups", groups=int(target[1]))
    shape = reader.shape(node.input[0], node)
    to = tuple(target.tolist()) if target is not None else reader.shapes.get(node.output[0], ())
    if node.op_type == "Flatten":
        to = (1, prod(shape[1:])) if words.get("axis", 1) == 1 else ()
    if len(to) != 2 or to[1] not in (-1, prod(shape[1:])):
        raise reader.lack(node, "a shape that is not flat")
    if value.layout == "flat":
        return value
    order = None
    if value.layout == "first" and shape[1] > 1 and prod(shape[2:]) > 1:
        order = np.moveaxis(np.arange(prod(shape[1:])).reshape(shape[1:]), 0, -1).reshape(-1)
    return Value(reader.graph.layer(value.name, "flatten"), "flat", order)


def _transpose(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    value, perm = reader.value(node), list(words.get("perm", []))
    rank = len(perm)
    if value.layout == "last" and perm == [0, rank - 1, *range(1, rank - 1)]:
        return replace(value, layout="first")
    if value.layout == "first" and perm == [0, *range(2, rank), 1]:
        return replace(value, layout="last")
    raise reader.lack(node, f"the axes {perm}")


def _activation(name: str, **defaults: float) -> Callable[[Reader, Any, dict[str, Any]], Value]:
    def read(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
        given = {key: float(words.get(key, value)) for key, value in defaults.items()}
        word = name
        if name in ("leaky_relu", "elu"):
            word = f"{name}:{given['alpha']!r}"
        elif name == "selu" and abs(given["alpha"] * given["gamma"] - 1.7580993408473766) > 1e-4:
            raise reader.lack(node, "other constants than the paper's")
        elif name == "gelu" and words.get("approximate", "none") != "none":
            raise reader.lack(node, f"approximate={words['approximate']}")
        elif name == "hard_sigmoid" and max(abs(given["alpha"] - 1 / 6), abs(given["beta"] - 0.5)) > 1e-4:
            raise reader.lack(node, f"alpha {given['alpha']:g} and beta {given['beta']:g}")
        return reader.one(node, "activation", reader.value(node), None, activation=word)

    return read


def _softmax(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    value, axis = reader.value(node), int(words.get("axis", -1))
    rank = 2 if value.layout == "flat" else 1 + len(reader.size)
    channels = 1 if value.layout in ("first", "flat") else rank - 1
    if axis % rank != channels or value.layout == "groups":
        raise reader.lack(node, f"axis {axis}")
    if rank > 2 and reader.opset < 13:  # where it is of all numbers from that axis on
        raise reader.lack(node, f"maps in opset {reader.opset}")
    return reader.one(node, "activation", value, None, activation="softmax")


def _clip(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    low, high = (
        words.get(key) if (found := reader.constant(node, place)) is None else float(found.reshape(-1)[0])
        for place, key in ((1, "min"), (2, "max"))
    )
    if low == 0 and (high is None or high > 1e30 or high == 6):
        name = "relu6" if high == 6 else "relu"
        return reader.one(node, "activation", reader.value(node), None, activation=name)
    raise reader.lack(node, f"limits {low} and {high}")


def _prelu(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    value, slope = reader.value(node), reader.weights(node, 1)
    channels = reader.shape(node.input[0], node)[1 if value.layout != "last" else -1]
    if slope.size == 1:
        return reader.one(node, "prelu", value, {"alpha": slope.reshape(1)}, share="all")
    if slope.size != channels or slope.shape[0] not in (1, channels):
        raise reader.lack(node, "a slope for each place")
    return reader.one(node, "prelu", value, {"alpha": _ordered(slope.reshape(-1), value)}, share="positions")


def _upsample(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    value = reader.maps(node)
    before = reader.shape(node.input[0], node)[2:]
    scales = reader.constant(node, 2 if node.op_type == "Resize" else 1)
    if scales is not None and scales.size:
        sizes = [float(each) for each in scales[2:]]
    else:
        wanted = reader.constants.get(node.input[3]) if len(node.input) > 3 else None
        made_of = reader.shape(node.output[0], node) if wanted is None else tuple(wanted.tolist())
        sizes = [made / n for made, n in zip(made_of[2:], before, strict=True)]
    mode, place = words.get("mode", "nearest"), words.get("coordinate_transformation_mode", "half_pixel")
    rounding = words.get("nearest_mode", "round_prefer_floor")
    whole = all(each == int(each) and each >= 1 for each in sizes)
    if node.op_type == "Upsample":
        place, rounding = "asymmetric", "floor"
    if mode == "nearest":  # each number as often as the scale says
        simple = (place, rounding) == ("asymmetric", "floor") or (place == "half_pixel" and "prefer" in rounding)
        simple |= (place, rounding) == ("asymmetric", "round_prefer_floor") and max(sizes) <= 2
    else:
        simple = mode in ("linear", "bilinear") and place in ("half_pixel", "pytorch_half_pixel")
    if not whole or not simple:
        raise reader.lack(node, f"mode {mode}, {place}, {rounding}, scales {sizes}")
    made = "nearest" if mode == "nearest" else "bilinear"
    return reader.one(node, "upsample", value, None, size=[int(each) for each in sizes], mode=made)


def _pad(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    value, mode = reader.maps(node), words.get("mode", "constant")
    amounts, filling = reader.constant(node, 1), reader.constant(node, 2)
    if amounts is None:
        amounts = np.array(words.get("pads", ()))
    half = len(amounts) // 2
    ends = [[int(amounts[axis]), int(amounts[axis + half])] for axis in range(half)]
    if mode not in ("constant", "edge", "reflect", "wrap") or ends[:2] != [[0, 0]] * 2 or amounts.min() < 0:
        raise reader.lack(node, f"mode {mode} of {ends}")
    keys: dict[str, Any] = {"amount": ends[2:], "mode": mode}
    if mode == "constant":
        keys["value"] = float(words.get("value", 0.0)) if filling is None else float(filling.reshape(-1)[0])
    return reader.one(node, "pad", value, None, **keys)


def _lrn(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    """ONNX divides alpha by the size, and looks further up where ours looks down if that is even."""
    size = int(words["size"])
    if size % 2 == 0:
        raise reader.lack(node, f"the even size {size}")
    keys = {"alpha": float(words.get("alpha", 1e-4)) / size, "beta": float(words.get("beta", 0.75))}
    return reader.one(node, "lrn", reader.maps(node), None, size=size, k=float(words.get("bias", 1.0)), **keys)


def _join(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    values = [reader.value(node, place) for place in range(len(node.input))]
    first = values[0]
    if any(each.layout != first.layout or each.order is not None for each in values):
        raise reader.lack(node, "values of several layouts")
    if node.op_type == "Concat":
        rank = 2 if first.layout == "flat" else 1 + len(reader.size)
        if int(words["axis"]) % rank != (rank - 1 if first.layout == "last" else 1):
            raise reader.lack(node, f"axis {words['axis']}")
    kind = "parallel" if node.op_type == "Concat" else "add"
    return replace(first, name=reader.graph.join(kind, [each.name for each in values]))


def _affine(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    """Sums and products: of two values, of a value and its own sigmoid (swish), or with a constant for each channel."""
    computed = [name for name in node.input if name in reader.values]
    if len(computed) == 2:
        if node.op_type == "Add":
            return _join(reader, node, words)
        return _gated(reader, node)
    value, place = reader.values[computed[0]], list(node.input).index(computed[0])
    constant = reader.weights(node, 1 - place)
    operator = node.op_type
    if operator in ("Sub", "Div") and place == 1:
        raise reader.lack(node, "a constant before it")
    shape = reader.shape(computed[0], node)
    axis = 1 if value.layout in ("first", "flat") else len(shape) - 1
    full = np.ones(len(shape), int)
    full[len(shape) - constant.ndim :] = constant.shape if constant.ndim else 1
    if constant.ndim > len(shape) or prod(full) != full[axis] or value.layout == "groups":
        raise reader.lack(node, f"a constant of shape {constant.shape}")
    each = _ordered(np.broadcast_to(constant.astype(np.float64).reshape(-1), (shape[axis],)), value)
    made = reader.graph.values[value.name] if value.name != INPUT else None
    same = [name for name, other in reader.values.items() if other.name == value.name]
    alone = sum(len(reader.consumers.get(name, [])) for name in same) == len(same)  # each but the last makes the next
    if operator == "Add" and alone and made is not None and made.table.get("use_bias") is False:
        made.table["use_bias"], made.numbers["bias"] = True, each
        return value
    zero, one = np.zeros(shape[axis]), np.ones(shape[axis])
    gamma = {"Mul": each, "Div": 1 / np.where(each == 0, np.nan, each)}.get(operator, one)
    beta = {"Add": each, "Sub": -each}.get(operator, zero)
    numbers = {"gamma": gamma, "beta": beta, "moving_mean": zero, "moving_variance": one}
    return reader.one(node, "batch_norm", value, numbers, epsilon=0.0)


def _gated(reader: Reader, node: Any) -> Value:
    """x * sigmoid(x) is swish, and so of its hard sister; other products of two values are none of our layers."""
    weighed = {gate: name for name, gate in GATES.items()}
    for value, gate in ((node.input[0], node.input[1]), (node.input[1], node.input[0])):
        made = reader.graph.values.get(reader.values[gate].name)
        source = reader.values[value]
        if made is not None and made.inputs == (source.name,) and made.table.get("activation") in weighed:
            return reader.one(node, "activation", source, None, activation=weighed[made.table["activation"]])
    raise reader.lack(node, "two computed values")


def _same(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    return reader.value(node)


def _cast(reader: Reader, node: Any, words: dict[str, Any]) -> Value:
    if words.get("to") not in _FLOATS:
        raise reader.lack(node, "a type without fractions")
    return reader.value(node)


READ: dict[str, Callable[[Reader, Any, dict[str, Any]], Value]] = {
    "Conv": _conv, "ConvTranspose": _conv, "Gemm": _dense, "MatMul": _dense, "BatchNormalization": _norm,
    "LayerNormalization": _layer_norm, "InstanceNormalization": _group_norm, "GroupNormalization": _group_norm,
    "MaxPool": _pool, "AveragePool": _pool, "GlobalAveragePool": _global, "GlobalMaxPool": _global,
    "ReduceMean": _global, "ReduceMax": _global, "Flatten": _flatten, "Reshape": _flatten, "Squeeze": _flatten,
    "Transpose": _transpose, "Relu": _activation("relu"), "LeakyRelu": _activation("leaky_relu", alpha=0.01),
    "Elu": _activation("elu", alpha=1.0), "Selu": _activation("selu", alpha=1.67326319, gamma=1.05070102),
    "Sigmoid": _activation("sigmoid"), "HardSigmoid": _activation("hard_sigmoid", alpha=0.2, beta=0.5),
    "Tanh": _activation("tanh"), "Gelu": _activation("gelu"), "Swish": _activation("swish"), "Softmax": _softmax,
    "HardSwish": _activation("hard_swish"), "Softplus": _activation("softplus"),
    "Clip": _clip, "PRelu": _prelu, "Resize": _upsample, "Upsample": _upsample, "Pad": _pad, "LRN": _lrn,
    "Concat": _join, "Sum": _join, "Add": _affine, "Sub": _affine, "Mul": _affine, "Div": _affine,
    "Identity": _same, "Dropout": _same, "Cast": _cast,
}  # fmt: skip
