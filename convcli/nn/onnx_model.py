"""A model as an ONNX network: the graph around the layers, its ends, and what its metadata says.

How each layer is said in ONNX is in `convcli.nn.onnx_layers`. Inside, data are (N, C, *spatial), as ONNX's operators
want them; the ends are as `TrainedModel.predict` takes them unless another layout is asked for. The ``onnx`` library is
an extra, imported when a model is exported.

Source: the ONNX operators, https://onnx.ai/onnx/operators (opset 17).
"""

import json
import re
from typing import Any

from convcli import __version__
from convcli.architectures import write_text
from convcli.architectures.card import card_text
from convcli.errors import ModelError
from convcli.extras import needed
from convcli.nn.activations import SOFTMAX
from convcli.nn.layer import Shape
from convcli.nn.onnx_graph import Graph
from convcli.nn.onnx_layers import activate, express_chain
from convcli.nn.weights import TrainedModel

# Of 2022: young enough for all that is needed, old enough for every runtime.
OPSET = 17
IR_VERSION = 8
LAYOUTS = ("nhwc", "nchw")
# Where a file of protocol buffers ends; ONNX needs a second file beyond.
_MOST_BYTES = 2_000_000_000


def onnx_model(trained: TrainedModel, layout: str | None = None) -> Any:
    """An ``onnx.ModelProto`` that computes what ``trained.predict`` does for floats.

    Parameters
    ----------
    trained : TrainedModel
        Its dropout and heads vanish.
    layout : str, optional
        ``nhwc`` or ``nchw``, of input and output; that of ``predict`` unless given.

    Raises
    ------
    ModelError
        If ``onnx`` is not installed, or a layer cannot be said in ONNX; the layer is named.
    """
    require_onnx()
    from onnx import checker, helper

    model = trained.model
    if layout is None:
        layout = "nchw" if model.data_format == "channels_first" else "nhwc"
    if layout not in LAYOUTS:
        raise ModelError(f"layout: got {layout!r}, expected {' or '.join(LAYOUTS)}")
    graph = Graph(model.dtype)
    last = layout == "nhwc"
    values = to_channels_first(graph, "input", model.plan.input) if last else "input"
    values = express_chain(graph, model.layers, values)
    graph.layer = "output"
    values = activate(graph, model.final, values)
    size = model.plan.output
    if trained.makes_shares:
        values = activate(graph, SOFTMAX, values)
    if trained.is_single:
        rest = graph.node("Sub", graph.constant(1.0, "one"), values)
        values, size = graph.node("Concat", rest, values, axis=1), (2,)
    if last and len(model.plan.output) > 1:
        values = graph.node("Transpose", values, perm=[0, *range(2, len(model.plan.output) + 1), 1])
    graph.node("Identity", values, output="output")
    stored = sum(len(each.raw_data) for each in graph.constants)
    if stored > _MOST_BYTES:
        raise ModelError(
            f"weights: got {stored:,} bytes, expected at most {_MOST_BYTES:,}: an .onnx file holds no more"
        )
    ends = [_end(graph, "input", model.plan.input, last), _end(graph, "output", size, last)]
    name = re.sub(r"[^A-Za-z0-9]", "_", model.plan.spec.name) or "network"
    proto = helper.make_model(
        helper.make_graph(graph.nodes, name, [ends[0]], [ends[1]], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="convcli",
        producer_version=__version__,
        doc_string=model.plan.spec.title,
    )
    helper.set_model_props(proto, _metadata(trained, layout))
    checker.check_model(proto, full_check=True)
    return proto


def require_onnx() -> None:
    """Say how to install the library if it is missing."""
    needed("onnx", "onnx", "export: the onnx library is not installed; ", ModelError)


def to_channels_first(graph: Graph, values: str, size: Shape) -> str:
    """(N, *spatial, C) as (N, C, *spatial)."""
    return values if len(size) == 1 else graph.node("Transpose", values, perm=[0, len(size), *range(1, len(size))])


def _end(graph: Graph, name: str, size: Shape, last: bool) -> Any:
    from onnx import helper

    shape = size if last else (size[-1], *size[:-1])
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(graph.dtype), ["N", *shape])


def _metadata(trained: TrainedModel, layout: str) -> dict[str, str]:
    card: Any = trained.card
    told = {
        "classes": json.dumps(list(card.classes)),
        "preprocessing": json.dumps(card.preprocessing),
        "layout": layout,
        "values": "floats as in training; pixels are 0 to 1",
        "architecture": write_text(trained.model.plan.spec),
        "convcli": card_text(card),
    }
    return {key: text for key, text in told.items() if text != "null"}
