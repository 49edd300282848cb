"""What an ONNX network is put together in: nodes and constants. What they say is `convcli.nn.onnx_layers`'s."""

from collections import Counter
from typing import Any

import numpy as np


class Graph:
    """Nodes and constants in the order of computation; values are known by their names."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.layer = ""
        self._names: Counter[str] = Counter()

    def constant(self, array: Any, name: str, dtype: Any = None) -> str:
        """An array in the file; floats of the network's type unless another is given."""
        from onnx import numpy_helper

        unique = self._unique(f"{self.layer}/{name}" if self.layer else name)
        values = np.ascontiguousarray(array, dtype or self.dtype).reshape(np.shape(array))
        self.constants.append(numpy_helper.from_array(values, unique))
        return unique

    def integers(self, values: Any, name: str) -> str:
        """Shapes, axes and indices."""
        return self.constant(values, name, np.int64)

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """One operator with one output, whose name is given back."""
        from onnx import helper

        name = output or self._unique(f"{self.layer}/{operator}" if self.layer else operator)
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def _unique(self, name: str) -> str:
        self._names[name] += 1
        return name if self._names[name] == 1 else f"{name}_{self._names[name]}"
