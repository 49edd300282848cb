"""A trained model in the format of other programs: ONNX."""

from dataclasses import dataclass
from math import prod
from pathlib import Path

from convcli.atomic import check_target, write_whole
from convcli.errors import ModelError
from convcli.nn.onnx_model import OPSET, onnx_model, require_onnx
from convcli.nn.weights import load_model


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Attributes
    ----------
    path : Path
        The ONNX file.
    layout : str
        ``nhwc`` or ``nchw``.
    input, output : tuple of int
        The shapes of one input and one output, without N, as the file has them.
    operators, params : int
        How many nodes and how many numbers it holds.
    opset : int
        The version of the operators.
    """

    path: Path
    layout: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    operators: int
    params: int
    opset: int = OPSET


def export(source: str, target: str | None = None, *, layout: str | None = None, overwrite: bool = False
           ) -> ExportReport:  # fmt: skip
    """Write a model as an ONNX network that takes what its ``predict`` takes: floats (N, H, W, C).

    Parameters
    ----------
    source : str
        A ``.safetensors`` file that convcli wrote.
    target : str, optional
        An ``.onnx`` file; beside the model and with its name unless given.
    layout : str, optional
        ``nhwc`` or ``nchw``; that of the network unless given.
    overwrite : bool
        Whether the target may exist.

    Raises
    ------
    ModelError
        If ``onnx`` is not installed, the model cannot be read, a layer cannot be said in ONNX, or the target exists.
    OSError
        If the model cannot be opened.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from convcli.nn.weights import Model, ModelCard, save_model
    >>> path = Path(mkdtemp()) / "tiny.safetensors"
    >>> save_model(path, Model.from_layers(["dense:2,softmax"], (4,)), ModelCard("tiny", (), None, 0, {}, {}, ()))
    >>> export(str(path)).path.name
    'tiny.onnx'
    """
    if not Path(source).name:
        raise ModelError(f"model: got {source!r}, expected the name of a .safetensors file")
    path = Path(source).with_suffix(".onnx") if target is None else Path(target)
    if path.suffix.lower() != ".onnx":
        raise ModelError(f"{path}: got the suffix {path.suffix!r}, expected a name that ends in .onnx")
    check_target(path, overwrite=overwrite)
    require_onnx()
    proto = onnx_model(load_model(source), layout)
    write_whole(path, proto.SerializeToString(deterministic=True), overwrite=overwrite)
    shapes = [
        tuple(each.dim_value for each in end.type.tensor_type.shape.dim[1:])
        for end in (proto.graph.input[0], proto.graph.output[0])
    ]
    told = {each.key: each.value for each in proto.metadata_props}
    numbers = sum(prod(each.dims) for each in proto.graph.initializer)
    return ExportReport(path, told["layout"], shapes[0], shapes[1], len(proto.graph.node), numbers)
