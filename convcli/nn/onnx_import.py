"""An ONNX network as ours: its nodes in our layers' words, with our layouts of weights. Nothing is run or unpickled.

Values in ONNX are (N, C, *spatial); ours have the channels last. Two transpositions, as exporters put them around a
network whose ends have channels last, only change what a value's axes are called. A value that was made flat from
(C, *spatial) has another order than ours: that goes into the weights of the dense layer behind it.

Source: the ONNX operators, https://onnx.ai/onnx/operators.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from convcli.architectures import plan_network, read_text
from convcli.errors import ModelError, shortened
from convcli.extras import install
from convcli.nn.imported import INPUT, Array, Graph, build
from convcli.nn.model import Model

_MOST_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Value:
    """What one of ONNX's names stands for: a value of ours, and how it lies there.

    ``layout`` is ``first`` or ``last`` (channels), ``flat``, or ``groups`` between a group norm's two reshapes.
    ``order`` is where each of our flat numbers stands in theirs; None where it is the same place.
    """

    name: str
    layout: str
    order: Array | None = None
    groups: int = 0


def read_onnx(path: Path, size: tuple[int, ...] | None = None) -> tuple[Model, Mapping[str, str]]:
    """The model of an ONNX file, and the texts of its metadata.

    Parameters
    ----------
    path : Path
        The file.
    size : tuple of int, optional
        Of one input, (*spatial, C), where the file leaves it open.

    Raises
    ------
    ModelError
        If ``onnx`` is not installed, the file is none, or holds what we have no words for: the operator is named.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise ModelError(f"import: the onnx library is not installed; {install('onnx')}") from None
    content = path.read_bytes()
    if len(content) > _MOST_BYTES:
        raise ModelError(f"{path}: got {len(content):,} bytes, expected at most {_MOST_BYTES:,}")
    try:
        proto = onnx.load_model_from_string(content)
    except (DecodeError, ValueError):
        proto = onnx.ModelProto()
    if not proto.graph.node:
        raise ModelError(f"{path}: is no ONNX network, expected one with nodes")
    told = {each.key: each.value for each in proto.metadata_props}
    if proto.producer_name == "convcli" and "architecture" in told:
        return _own(proto, told, path), told
    try:
        return _Reader(proto, path, size).model(), told
    except (KeyError, IndexError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ModelError(f"{path}: its nodes do not go together ({shortened(str(error))})") from None


def _own(proto: Any, told: Mapping[str, str], path: Path) -> Model:
    """A network that we wrote: its architecture is in its metadata, its weights have our names."""
    model = Model(plan_network(read_text(told["architecture"], f"{path}: architecture")), heads=False)
    arrays = {each.name: _array(each, path) for each in proto.graph.initializer}
    for name, parameter in model.parameters.items():
        array, shape = arrays.get(name), parameter.value.shape
        if array is None:
            if parameter.name in ("gamma", "beta"):
                continue
            raise ModelError(f"{path}: got no {shortened(name)}, expected the weights of its architecture")
        if name.endswith("kernel") and array.ndim > 2:
            array = np.moveaxis(array, (0, 1), (-1, -2))
        elif parameter.name == "alpha" and len(shape) > 1:
            array = np.moveaxis(array, 0, -1)
        parameter.assign(array.reshape(shape) if array.size == prod(shape) else array)
    return model


def _array(tensor: Any, path: Path) -> Array:
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL:
        raise ModelError(f"{path}: its weights lie in another file, expected one whole .onnx; export it so")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path}: {shortened(tensor.name)}: cannot be read ({error})") from None


class _Reader:
    def __init__(self, proto: Any, path: Path, size: tuple[int, ...] | None) -> None:
        self.path = path
        self.graph = Graph()
        self.constants: dict[str, Array] = {each.name: _array(each, path) for each in proto.graph.initializer}
        self.nodes = list(proto.graph.node)
        self.consumers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        inputs = [each for each in proto.graph.input if each.name not in self.constants]
        if len(inputs) != 1 or len(proto.graph.output) != 1:
            raise ModelError(
                f"{path}: got {len(inputs)} inputs and {len(proto.graph.output)} outputs, expected one of each"
            )
        self.output = proto.graph.output[0].name
        self.size, layout = self._input(inputs[0], size)
        self.values = {inputs[0].name: Value(INPUT, layout)}
        self.shapes = self._shapes(proto, inputs[0].name)
        self.name = path.stem if proto.graph.name in ("", "main_graph", "torch_jit") else proto.graph.name
        self._gelus, self._parts = self._find_gelus()

    def _input(self, given: Any, size: tuple[int, ...] | None) -> tuple[tuple[int, ...], str]:
        dims = [each.dim_value for each in given.type.tensor_type.shape.dim][1:]
        uses = [node for node in self.nodes if given.name in node.input]
        turned = uses and all(
            node.op_type == "Transpose" and list(_words(node).get("perm", [])) == [0, len(dims), *range(1, len(dims))]
            for node in uses
        )
        layout = "flat" if len(dims) == 1 else "last" if turned else "first"
        own = tuple(dims) if layout != "first" else (*dims[1:], dims[0])
        if size is not None and (len(size) != len(own) or any(n not in (0, s) for n, s in zip(own, size, strict=True))):
            raise ModelError(f"input: got {size}, expected {own or 'what the file says'} (0 is any)")
        own = size or own
        if not own or 0 in own:
            raise ModelError(f"{self.path}: leaves its input's size open; say it with --input HxWxC")
        return own, layout

    def _shapes(self, proto: Any, name: str) -> dict[str, tuple[int, ...]]:
        """What ONNX can tell of the shapes between the nodes, for one input."""
        import onnx

        copy = onnx.ModelProto()
        copy.CopyFrom(proto)
        for each in copy.graph.input:
            if each.name == name:
                layout = self.values[name].layout
                sizes = (1, *self.size) if layout != "first" else (1, self.size[-1], *self.size[:-1])
                for dim, n in zip(each.type.tensor_type.shape.dim, sizes, strict=True):
                    dim.dim_value = n
        try:
            inferred = onnx.shape_inference.infer_shapes(copy, data_prop=True)
        except onnx.shape_inference.InferenceError as error:
            raise ModelError(f"{self.path}: its shapes do not go together ({str(error).splitlines()[-1]})") from None
        infos = (*inferred.graph.value_info, *inferred.graph.input)
        return {
            each.name: tuple(dim.dim_value for dim in each.type.tensor_type.shape.dim)
            for each in infos if each.type.HasField("tensor_type")
        }  # fmt: skip

    def _find_gelus(self) -> tuple[dict[str, str], set[str]]:
        """x/2 * (1 + erf(x / root 2)), as exporters write gelu: its last value and x, and the values between."""
        makers = {name: node for node in self.nodes for name in node.output}
        fixed = {*self.constants, *(node.output[0] for node in self.nodes if node.op_type == "Constant")}

        def computed(node: Any) -> list[str]:
            return [name for name in node.input if name not in fixed]

        def only(name: str, operator: str) -> Any:
            users = self.consumers.get(name, [])
            return users[0] if len(users) == 1 and users[0].op_type == operator else None

        found: dict[str, str] = {}
        parts: set[str] = set()
        for node in self.nodes:
            scaled = makers.get(node.input[0]) if node.op_type == "Erf" else None
            if scaled is None or scaled.op_type not in ("Div", "Mul") or len(computed(scaled)) != 1:
                continue
            (x,) = computed(scaled)
            added = only(node.output[0], "Add")
            product = None if added is None else only(added.output[0], "Mul")
            others = [] if product is None else [name for name in product.input if name != added.output[0]]
            if not others:
                continue
            end, half = product, makers.get(others[0])
            if others[0] == x:
                end = only(product.output[0], "Mul")
            elif half is None or half.op_type != "Mul" or computed(half) != [x]:
                continue
            if end is not None:
                found[end.output[0]] = x
                between = (scaled, node, added, product, *([half] if half is not None and others[0] != x else ()))
                parts |= {each.output[0] for each in between} - {end.output[0]}
        return found, parts

    def model(self) -> Model:
        """All nodes, one after the other, then the layers."""
        for node in self.nodes:
            if node.op_type == "Constant":
                words = _words(node)
                value = next((words[key] for key in ("value", "value_float", "value_int", "value_floats", "value_ints")
                              if key in words), None)  # fmt: skip
                if value is None:
                    raise self.lack(node, "a constant of texts")
                self.constants[node.output[0]] = _array(value, self.path) if hasattr(value, "dims") else np.array(value)
            elif node.input and node.input[0] in self.constants and node.op_type == "Identity":
                self.constants[node.output[0]] = self.constants[node.input[0]]
            elif node.output[0] in self._gelus:
                source = self.values[self._gelus[node.output[0]]]
                self.values[node.output[0]] = self.one(node, "activation", source, None, activation="gelu")
            elif node.output[0] in self._parts or node.op_type == "Shape":
                continue
            elif any(name in self.values for name in node.input):
                read = _READ.get(node.op_type)
                if read is None:
                    raise self.lack(node)
                self.values[node.output[0]] = read(self, node, _words(node))
        found = self.values.get(self.output)
        if found is None or found.order is not None or found.layout == "groups":
            raise ModelError(f"{self.path}: its output has an order of numbers that we have no layer for")
        return build(self.graph, found.name, self.size, self.name, str(self.path))

    def lack(self, node: Any, what: str = "") -> ModelError:
        """What is said of a node that we have no words for."""
        name = f" ({shortened(node.name)})" if node.name else ""
        return ModelError(
            f"{self.path}: holds {node.op_type}{name}{f' with {what}' if what else ''}, which convcli lacks"
        )

    def value(self, node: Any, place: int = 0) -> Value:
        """An input that is computed."""
        if place >= len(node.input) or node.input[place] not in self.values:
            raise self.lack(node, "an input that is not computed")
        return self.values[node.input[place]]

    def maps(self, node: Any) -> Value:
        """An input with channels first, which a window slides over."""
        value = self.value(node)
        if value.layout != "first":
            raise self.lack(node, "channels last" if value.layout == "last" else "no spatial axes")
        return value

    def constant(self, node: Any, place: int) -> Array | None:
        """An input that is a constant; None if there is none."""
        if place >= len(node.input) or not node.input[place]:
            return None
        if node.input[place] not in self.constants:
            raise self.lack(node, "weights that are computed")
        return self.constants[node.input[place]]

    def weights(self, node: Any, place: int) -> Array:
        """An input that has to be a constant."""
        found = self.constant(node, place)
        if found is None:
            raise self.lack(node, "an input that is missing")
        return found

    def shape(self, name: str, node: Any) -> tuple[int, ...]:
        """Of a value, with N; raises `ModelError` if ONNX cannot tell it."""
        shape = self.shapes.get(name, ())
        if not shape or 0 in shape:
            raise self.lack(node, "a shape that is computed")
        return shape

    def one(self, node: Any, kind: str, value: Value, numbers: Mapping[str, Array] | None = None, **keys: Any) -> Value:
        """A layer that changes no layout."""
        return replace(value, name=self.graph.layer(value.name, kind, numbers, **keys))


def _words(node: Any) -> dict[str, Any]:
    from onnx import helper

    words = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return {key: value.decode() if isinstance(value, bytes) else value for key, value in words.items()}


def _windows(reader: _Reader, node: Any, words: dict[str, Any], kernel: list[int]) -> dict[str, Any]:
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


def _conv(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
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


def _dense(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    value, kernel, bias = reader.value(node), reader.constant(node, 1), reader.constant(node, 2)
    plain = words.get("alpha", 1) == 1 and words.get("beta", 1) == 1 and not words.get("transA", 0)
    if not plain or value.layout != "flat" or kernel is None or kernel.ndim != 2:
        raise reader.lack(node, "values that are not flat" if value.layout != "flat" else "other factors than 1")
    kernel = kernel.T if words.get("transB", 0) else kernel
    kernel = kernel if value.order is None else kernel[value.order]
    numbers = {"kernel": kernel} | ({} if bias is None else {"bias": np.broadcast_to(bias, kernel.shape[1:])})
    made = reader.graph.layer(value.name, "dense", numbers, units=kernel.shape[1], use_bias=bias is not None)
    return Value(made, "flat")


def _norm(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    value = reader.value(node)
    arrays = [reader.constant(node, place) for place in range(1, 5)]
    if value.layout == "last" or any(each is None for each in arrays):
        raise reader.lack(node, "channels last")
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    numbers = {name: _ordered(each, value) for name, each in zip(names, arrays, strict=True) if each is not None}
    return reader.one(node, "batch_norm", value, numbers, epsilon=float(words.get("epsilon", 1e-5)))


def _ordered(array: Array, value: Value) -> Array:
    return array if value.order is None else array[value.order]


def _layer_norm(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    value, gamma, beta = reader.value(node), reader.constant(node, 1), reader.constant(node, 2)
    axis, rank = int(words.get("axis", -1)), 2 if value.layout == "flat" else 1 + len(reader.size)
    if value.layout not in ("flat", "last") or axis not in (-1, rank - 1) or gamma is None:
        raise reader.lack(node, "other axes than the channels")
    numbers = {"gamma": _ordered(gamma, value)} | ({} if beta is None else {"beta": _ordered(beta, value)})
    keys = {"epsilon": float(words.get("epsilon", 1e-5)), "center": beta is not None}
    return reader.one(node, "layer_norm", value, numbers, **keys)


def _group_norm(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
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


def _pool(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    value, mode = reader.maps(node), "max" if node.op_type == "MaxPool" else "average"
    if len(node.output) > 1 and node.output[1]:
        raise reader.lack(node, "indices")
    keys = _windows(reader, node, words, list(words["kernel_shape"]))
    keys |= {"mode": mode, "ceil_mode": bool(words.get("ceil_mode", 0))}
    keys |= {"count_include_pad": True} if mode == "average" and words.get("count_include_pad", 0) else {}
    return reader.one(node, "pool", value, None, **keys)


_FLATTENING = ("Flatten", "Reshape", "Squeeze")


def _global(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
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


def _flatten(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    """Flat values; or PyTorch's way into and out of groups of channels."""
    value = reader.value(node)
    target = reader.constants.get(node.input[1]) if node.op_type == "Reshape" and len(node.input) > 1 else None
    if value.layout == "groups":
        return replace(value, layout="first", groups=0)
    if value.layout == "first" and target is not None and target.tolist()[::2] == [0, -1] and len(target) == 3:
        return replace(value, layout="groups", groups=int(target[1]))
    if value.layout == "flat":
        return value
    shape = reader.shape(node.input[0], node)
    to = tuple(target.tolist()) if target is not None else reader.shapes.get(node.output[0], ())
    if node.op_type == "Flatten":
        to = (1, prod(shape[1:])) if words.get("axis", 1) == 1 else ()
    if len(to) != 2 or to[1] not in (-1, prod(shape[1:])):
        raise reader.lack(node, "a shape that is not flat")
    order = None
    if value.layout == "first" and shape[1] > 1 and prod(shape[2:]) > 1:
        order = np.moveaxis(np.arange(prod(shape[1:])).reshape(shape[1:]), 0, -1).reshape(-1)
    return Value(reader.graph.layer(value.name, "flatten"), "flat", order)


def _transpose(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    value, perm = reader.value(node), list(words.get("perm", []))
    rank = len(perm)
    if value.layout == "last" and perm == [0, rank - 1, *range(1, rank - 1)]:
        return replace(value, layout="first")
    if value.layout == "first" and perm == [0, *range(2, rank), 1]:
        return replace(value, layout="last")
    raise reader.lack(node, f"the axes {perm}")


def _activation(name: str, **defaults: float) -> Callable[[_Reader, Any, dict[str, Any]], Value]:
    def read(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
        given = {key: float(words.get(key, value)) for key, value in defaults.items()}
        word = name
        if name in ("leaky_relu", "elu"):
            word = f"{name}:{given['alpha']!r}"
        elif name == "selu" and abs(given["alpha"] * given["gamma"] - 1.7580993408473766) > 1e-4:
            raise reader.lack(node, "other constants than the paper's")
        elif name == "hard_sigmoid" and abs(given["alpha"] - 1 / 6) > 1e-4:
            raise reader.lack(node, f"alpha {given['alpha']:g}")
        return reader.one(node, "activation", reader.value(node), None, activation=word)

    return read


def _softmax(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    value, axis = reader.value(node), int(words.get("axis", -1))
    rank = 2 if value.layout == "flat" else 1 + len(reader.size)
    channels = 1 if value.layout in ("first", "flat") else rank - 1
    if axis % rank != channels:
        raise reader.lack(node, f"axis {axis}")
    return reader.one(node, "activation", value, None, activation="softmax")


def _clip(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    low, high = (
        words.get(key) if (found := reader.constant(node, place)) is None else float(found.reshape(-1)[0])
        for place, key in ((1, "min"), (2, "max"))
    )
    if low == 0 and (high is None or high > 1e30 or high == 6):
        name = "relu6" if high == 6 else "relu"
        return reader.one(node, "activation", reader.value(node), None, activation=name)
    raise reader.lack(node, f"limits {low} and {high}")


def _prelu(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    value, slope = reader.value(node), reader.weights(node, 1)
    channels = reader.shape(node.input[0], node)[1 if value.layout != "last" else -1]
    if slope.size == 1:
        return reader.one(node, "prelu", value, {"alpha": slope.reshape(1)}, share="all")
    if slope.size != channels or slope.shape[0] not in (1, channels):
        raise reader.lack(node, "a slope for each place")
    return reader.one(node, "prelu", value, {"alpha": _ordered(slope.reshape(-1), value)}, share="positions")


def _upsample(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    value = reader.maps(node)
    before = reader.shape(node.input[0], node)[2:]
    scales = reader.constant(node, 2 if node.op_type == "Resize" else 1)
    if scales is not None and scales.size:
        sizes = [float(each) for each in scales[2:]]
    else:
        sizes = [made / n for made, n in zip(reader.shape(node.output[0], node)[2:], before, strict=True)]
    mode, place = words.get("mode", "nearest"), words.get("coordinate_transformation_mode", "half_pixel")
    whole = all(each == int(each) and each >= 1 for each in sizes)
    simple = mode == "nearest" and (place in ("asymmetric", "half_pixel"))
    if not whole or not (simple or (mode in ("linear", "bilinear") and place in ("half_pixel", "pytorch_half_pixel"))):
        raise reader.lack(node, f"mode {mode}, {place}, scales {sizes}")
    made = "nearest" if mode == "nearest" else "bilinear"
    return reader.one(node, "upsample", value, None, size=[int(each) for each in sizes], mode=made)


def _pad(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
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


def _lrn(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    """ONNX divides alpha by the size, and looks further up where ours looks down if that is even."""
    size = int(words["size"])
    if size % 2 == 0:
        raise reader.lack(node, f"the even size {size}")
    keys = {"alpha": float(words.get("alpha", 1e-4)) / size, "beta": float(words.get("beta", 0.75))}
    return reader.one(node, "lrn", reader.maps(node), None, size=size, k=float(words.get("bias", 1.0)), **keys)


def _join(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
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


def _affine(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
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
    alone = len(reader.consumers.get(computed[0], [])) == 1
    if operator == "Add" and alone and made is not None and made.table.get("use_bias") is False:
        made.table["use_bias"], made.numbers["bias"] = True, each
        return value
    zero, one = np.zeros(shape[axis]), np.ones(shape[axis])
    gamma = {"Mul": each, "Div": 1 / np.where(each == 0, np.nan, each)}.get(operator, one)
    beta = {"Add": each, "Sub": -each}.get(operator, zero)
    numbers = {"gamma": gamma, "beta": beta, "moving_mean": zero, "moving_variance": one}
    return reader.one(node, "batch_norm", value, numbers, epsilon=0.0)


def _gated(reader: _Reader, node: Any) -> Value:
    """x * sigmoid(x) is swish; other products of two values are none of our layers."""
    for value, gate in ((node.input[0], node.input[1]), (node.input[1], node.input[0])):
        made = reader.graph.values.get(reader.values[gate].name)
        source = reader.values[value]
        if made is not None and made.inputs == (source.name,) and made.table.get("activation") == "sigmoid":
            return reader.one(node, "activation", source, None, activation="swish")
    raise reader.lack(node, "two computed values")


def _same(reader: _Reader, node: Any, words: dict[str, Any]) -> Value:
    return reader.value(node)


_READ: dict[str, Callable[[_Reader, Any, dict[str, Any]], Value]] = {
    "Conv": _conv, "ConvTranspose": _conv, "Gemm": _dense, "MatMul": _dense, "BatchNormalization": _norm,
    "LayerNormalization": _layer_norm, "InstanceNormalization": _group_norm, "GroupNormalization": _group_norm,
    "MaxPool": _pool, "AveragePool": _pool, "GlobalAveragePool": _global, "GlobalMaxPool": _global,
    "ReduceMean": _global, "ReduceMax": _global, "Flatten": _flatten, "Reshape": _flatten, "Squeeze": _flatten,
    "Transpose": _transpose, "Relu": _activation("relu"), "LeakyRelu": _activation("leaky_relu", alpha=0.01),
    "Elu": _activation("elu", alpha=1.0), "Selu": _activation("selu", alpha=1.67326319, gamma=1.05070102),
    "Sigmoid": _activation("sigmoid"), "HardSigmoid": _activation("hard_sigmoid", alpha=0.2),
    "Tanh": _activation("tanh"), "Gelu": _activation("gelu"), "Swish": _activation("swish"), "Softmax": _softmax,
    "Clip": _clip, "PRelu": _prelu, "Resize": _upsample, "Upsample": _upsample, "Pad": _pad, "LRN": _lrn,
    "Concat": _join, "Sum": _join, "Add": _affine, "Sub": _affine, "Mul": _affine, "Div": _affine,
    "Identity": _same, "Dropout": _same, "Cast": _same,
}  # fmt: skip
