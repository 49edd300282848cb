"""An ONNX network as ours: its nodes in our layers' words, with our layouts of weights. Nothing is run or unpickled.

Values in ONNX are (N, C, *spatial); ours have the channels last. Two transpositions, as exporters put them around a
network whose ends have channels last, only change what a value's axes are called. A value that was made flat from
(C, *spatial) has another order than ours: that goes into the weights of the dense layer behind it. What each operator
is to us says `convcli.nn.onnx_operators`.
"""

from collections.abc import Mapping
from math import isclose, prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from convcli.architectures import plan_network, read_text
from convcli.errors import ConvcliError, ModelError, shortened
from convcli.extras import needed
from convcli.nn.imported import build
from convcli.nn.model import Model
from convcli.nn.onnx_constants import FOLDED, take_constants
from convcli.nn.onnx_operators import READ
from convcli.nn.onnx_values import Reader, array_of, words_of

_MOST_BYTES = 2_000_000_000
_NEAR = 1e-3  # of the constants of gelu, which half precision rounds


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
    onnx = needed("onnx", "onnx", "import: the onnx library is not installed; ", ModelError)
    from google.protobuf.message import DecodeError  # which onnx brings

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
        return _model(Reader(proto, path, size)), told
    except ConvcliError:
        raise
    except (KeyError, IndexError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise ModelError(f"{path}: its nodes do not go together ({shortened(str(error))})") from None


def _own(proto: Any, told: Mapping[str, str], path: Path) -> Model:
    """A network that we wrote: its architecture is in its metadata, its weights have our names."""
    model = Model(plan_network(read_text(told["architecture"], f"{path}: architecture")), heads=False)
    arrays = {each.name: array_of(each, path) for each in proto.graph.initializer}
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


def _model(reader: Reader) -> Model:
    """All nodes, one after the other, then the layers."""
    take_constants(reader)
    if reader.learn_shapes():
        take_constants(reader)
    gelus, parts = _find_gelus(reader)
    known = {*READ, *FOLDED, "Constant", "Shape"}
    for node in reader.nodes:  # what is lacking is told before what stands around it
        if node.op_type not in known and node.output[0] not in parts:
            raise reader.lack(node)
    for node in reader.nodes:
        if node.output[0] in reader.constants or node.output[0] in parts:
            continue
        if node.output[0] in gelus:
            source = reader.values[gelus[node.output[0]]]
            reader.values[node.output[0]] = reader.one(node, "activation", source, None, activation="gelu")
        elif node.op_type != "Shape" and any(name in reader.values for name in node.input):
            read = READ.get(node.op_type)
            if read is None:
                raise reader.lack(node)
            reader.values[node.output[0]] = read(reader, node, words_of(node))
    found = reader.values.get(reader.output)
    if found is None or found.order is not None or found.layout == "groups":
        raise ModelError(f"{reader.path}: its output has an order of numbers that we have no layer for")
    return build(reader.graph, found.name, reader.size, reader.name, str(reader.path))


def _find_gelus(reader: Reader) -> tuple[dict[str, str], set[str]]:
    """x/2 * (1 + erf(x / root 2)), as exporters write gelu: its last value and x, and the values between."""
    makers = {name: node for node in reader.nodes for name in node.output}

    def computed(node: Any) -> list[str]:
        return [name for name in node.input if name not in reader.constants]

    def only(name: str, operator: str) -> Any:
        users = reader.consumers.get(name, [])
        return users[0] if len(users) == 1 and users[0].op_type == operator else None

    def holds(node: Any, number: float) -> bool:
        """Whether the one constant of a node is this number; of a division its inverse."""
        constants = [reader.constants[name] for name in node.input if name in reader.constants]
        if (
            len(constants) != 1
            or constants[0].size != 1
            or (node.op_type == "Div" and node.input[0] in reader.constants)
        ):
            return False
        found = float(constants[0].reshape(-1)[0])
        return isclose(1 / found if node.op_type == "Div" and found else found, number, rel_tol=_NEAR)

    found: dict[str, str] = {}
    parts: set[str] = set()
    for node in reader.nodes:
        scaled = makers.get(node.input[0]) if node.op_type == "Erf" else None
        if scaled is None or scaled.op_type not in ("Div", "Mul") or len(computed(scaled)) != 1:
            continue
        (x,) = computed(scaled)
        added = only(node.output[0], "Add")
        product = None if added is None else only(added.output[0], "Mul")
        others = [] if product is None else [name for name in product.input if name != added.output[0]]
        if product is None or not others or not (holds(scaled, sqrt(0.5)) and holds(added, 1.0)):
            continue
        end, half, halved = product, makers.get(others[0]), None
        if others[0] == x:
            end = halved = only(product.output[0], "Mul") or only(product.output[0], "Div")
        elif half is not None and half.op_type in ("Mul", "Div") and computed(half) == [x]:
            halved = half
        if halved is not None and holds(halved, 0.5):
            found[end.output[0]] = x
            between = (scaled, node, added, product, *([half] if half is not None and others[0] != x else ()))
            parts |= {each.output[0] for each in between} - {end.output[0]}
    return found, parts
