"""Networks of other programs as models of ours: ONNX, Keras, and PyTorch's weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convcli.architectures import load, plan_network, shipped
from convcli.architectures.card import ModelCard, card_of
from convcli.atomic import check_target
from convcli.errors import ModelError
from convcli.nn.model import Model
from convcli.nn.weights import save_model

SUFFIXES = (".onnx", ".keras", ".h5", ".safetensors")
_PICKLES = (".pt", ".pth", ".pkl", ".bin")


@dataclass(frozen=True)
class ImportReport:
    """What was read and written.

    Attributes
    ----------
    path : Path
        The model's file.
    network : str
        What it is called.
    input, output : tuple of int
        Of one sample, channels last.
    params : int
        How many numbers it has.
    task : str
        What ``convcli predict`` takes it to do.
    matched : tuple of (str, str)
        Of a file of weights: our layers, and the modules whose weights they got.
    notes : tuple of str
        What the reader should know.
    """

    path: Path
    network: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    params: int
    task: str
    matched: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def import_model(
    source: str, target: str | None = None, *, network: str | None = None, size: tuple[int, ...] | None = None,
    classes: Sequence[str] = (), overwrite: bool = False,
) -> ImportReport:  # fmt: skip
    """Read a network of another program and write it as a model.

    Parameters
    ----------
    source : str
        An ``.onnx``, ``.keras`` or whole-model ``.h5`` file, or a ``.safetensors`` file of PyTorch's weights.
    target : str, optional
        A ``.safetensors`` file; beside the source unless given, which it has to be for weights.
    network : str, optional
        For weights: the architecture they are of, a name or a file.
    size : tuple of int, optional
        Of one input, (*spatial, C), where the file leaves it open, or another than the architecture's.
    classes : sequence of str
        The names of the outputs; a network that ends without softmax then tells classes apart all the same.

    Raises
    ------
    ModelError
        If the source cannot be read or holds what we lack, which is named; or the target exists.
    OSError
        If the source cannot be opened.
    """
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise ModelError(
            f"{path}: is a pickle, and nothing is ever unpickled; save it there with safetensors.torch.save_file, or "
            "export it as ONNX"
        )
    if suffix not in SUFFIXES:
        raise ModelError(f"{path}: got the suffix {path.suffix or 'none'!r}, expected one of {', '.join(SUFFIXES)}")
    goal = path.with_suffix(".safetensors") if target is None else Path(target)
    if goal.suffix.lower() != ".safetensors":
        raise ModelError(f"{goal}: got the suffix {goal.suffix!r}, expected a name that ends in .safetensors")
    if goal == path:
        raise ModelError(f"{path}: is a file of weights; say with -o where the model goes")
    if network is not None and suffix != ".safetensors":
        raise ModelError(f"model: got {network}, but {path} brings its own network; leave it out")
    check_target(goal, overwrite=overwrite)
    told: Mapping[str, str] = {}
    matched: tuple[tuple[str, str], ...] = ()
    notes: list[str] = []
    if suffix == ".onnx":
        from convcli.nn.onnx_import import read_onnx

        model, told = read_onnx(path, size)
    elif suffix == ".safetensors":
        model, matched, notes = _of_weights(path, network, size)
    else:
        from convcli.nn.keras_import import read_keras

        model = read_keras(path)
        if size is not None and size != model.plan.input:
            raise ModelError(f"input: got {size}, expected {model.plan.input} as the file says")
    card = _card(path, model, tuple(classes), told)
    save_model(goal, model, card, overwrite=overwrite)
    task = str(card.recipe.get("task", "classify"))
    if task == "regress" and len(model.plan.output) == 1:
        notes.append("it ends without softmax: predict prints its numbers; --classes cat,dog,... makes them chances")
    return ImportReport(
        goal, model.plan.spec.name, model.plan.input, model.plan.output, model.parameter_count, task, matched,
        tuple(notes),
    )  # fmt: skip


def _of_weights(
    path: Path, network: str | None, size: tuple[int, ...] | None
) -> tuple[Model, tuple[tuple[str, str], ...], list[str]]:
    """A file of weights put into the network that was named, or into the one shipped network that they fit."""
    from convcli.nn import torch_weights

    modules = torch_weights.read_modules(path)
    if network is None:
        params = sum(array.size for module in modules.values() for array in module.values())
        fitting = [name for name in shipped() if (plan := plan_network(load(name))).params == params
                   and torch_weights.fits(Model(plan, heads=False), modules)]  # fmt: skip
        if len(fitting) != 1:
            raise ModelError(
                f"{path}: holds weights without a network, expected --model NAME|FILE.toml to say which it is"
            )
        network = fitting[0]
    spec = load(network)
    model = Model(plan_network(spec if size is None else replace(spec, input=size)), heads=False)
    found = torch_weights.assign(model, modules, str(path))
    notes = []
    if found.doubtful:
        few = ", ".join(found.doubtful[:6]) + (" ..." if len(found.doubtful) > 6 else "")
        notes.append(
            f"shapes alone do not tell these modules apart, so they were taken in the order of their names: {few}; to "
            "be sure call the network's layers as in the file (name=enc1.0)"
        )
    return model, found.pairs, notes


def _card(path: Path, model: Model, classes: tuple[str, ...], told: Mapping[str, str]) -> ModelCard:
    """What is known: of a file of our own all, of others the classes that were said, and what the ending means."""
    if "convcli" in told and not classes:
        return card_of(told["convcli"], f"{path}: card")
    outputs, spatial = model.plan.output[-1], len(model.plan.output) > 1
    single = outputs == 1 and model.ending == "sigmoid" and len(classes) == 2
    if classes and len(classes) != outputs and not single:
        raise ModelError(f"classes: got {len(classes)}, expected {outputs}, one for each output")
    task = "classify"
    if spatial:
        task = "segment" if model.ending == "softmax" or classes else "regress"
        if task == "regress" and len(model.plan.input) == 3 and model.plan.output == model.plan.input:
            task = "denoise"
    elif model.ending == "sigmoid" and not single:
        task = "multi-label"
    elif not classes and (model.ending != "softmax" or outputs < 2):
        task = "regress"
    if task not in ("regress", "denoise") and not classes:
        classes = tuple(map(str, range(outputs)))
    recipe: dict[str, Any] = {"imported": path.name} | ({} if task == "classify" else {"task": task})
    return ModelCard(path.stem, classes, None, 0, recipe, {}, ())
