"""What is known while an ONNX network is read: constants, shapes, and which value of ours each name stands for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convcli.errors import ModelError, shortened
from convcli.nn.imported import INPUT, Array, Graph


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


def array_of(tensor: Any, path: Path) -> Array:
    """A constant of the file; raises `ModelError` for one that lies elsewhere."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL:
        raise ModelError(f"{path}: its weights lie in another file, expected one whole .onnx; export it so")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path}: {shortened(tensor.name)}: cannot be read ({error})") from None


class Reader:
    """A network being read: its nodes, and what has been made of them so far."""

    def __init__(self, proto: Any, path: Path, size: tuple[int, ...] | None) -> None:
        self.path = path
        self.graph = Graph()
        self.constants: dict[str, Array] = {each.name: array_of(each, path) for each in proto.graph.initializer}
        self.nodes = list(proto.graph.node)
        self.opset = max((each.version for each in proto.opset_import if each.domain in ("", "ai.onnx")), default=1)
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
        self._proto, self._input_name = proto, inputs[0].name
        self.shapes = self._shapes()
        self.name = path.stem if proto.graph.name in ("", "main_graph", "torch_jit") else proto.graph.name

    def _input(self, given: Any, size: tuple[int, ...] | None) -> tuple[tuple[int, ...], str]:
        dims = [each.dim_value for each in given.type.tensor_type.shape.dim][1:]
        uses = [node for node in self.nodes if given.name in node.input]
        turned = uses and all(
            node.op_type == "Transpose" and list(words_of(node).get("perm", [])) == [0, len(dims), *range(1, len(dims))]
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

    def learn_shapes(self) -> bool:
        """Ask ONNX once more for shapes that hung on constants which are known by now; whether there were any."""
        before = self.shapes
        if any(0 in before.get(node.output[0], (0,)) for node in self.nodes if node.output[0] != self.output):
            self.shapes = self._shapes()
        return self.shapes != before

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """What ONNX can tell of the shapes between the nodes, for one input."""
        import onnx

        copy, name = onnx.ModelProto(), self._input_name
        copy.CopyFrom(self._proto)
        for node in copy.graph.node:
            if node.op_type != "Constant" and node.output[0] in self.constants:
                value = onnx.numpy_helper.from_array(self.constants[node.output[0]])
                node.CopyFrom(onnx.helper.make_node("Constant", [], node.output[:1], value=value))
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

    def one(
        self, node: Any, kind: str, value: Value, numbers: Mapping[str, Array] | None = None, /, **keys: Any
    ) -> Value:
        """A layer that changes no layout."""
        return replace(value, name=self.graph.layer(value.name, kind, numbers, **keys))


def words_of(node: Any) -> dict[str, Any]:
    """A node's attributes by name."""
    from onnx import helper

    words = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return {key: value.decode() if isinstance(value, bytes) else value for key, value in words.items()}
