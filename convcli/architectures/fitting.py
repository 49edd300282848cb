"""A network made to fit a data set: its input, its last layer, and a frame of zeros where its windows need one."""

from collections.abc import Sequence
from dataclasses import replace

from convcli.architectures.grammar import LayerSpec, NetworkSpec
from convcli.architectures.output import find_output
from convcli.architectures.plan import NetworkPlan, plan_network
from convcli.architectures.rules import shape_text
from convcli.architectures.values import Named
from convcli.errors import ModelError, ShapeError

# A frame may add at most one part in so many of the input's longest side: LeNet-5's adds 4 to 28.
_WIDEST = 4
_SLIDING = ("conv", "depthwise", "separable_conv", "pool")


def fitted(network: NetworkSpec, shape: Sequence[int], classes: int) -> NetworkPlan:
    """The network for inputs of this shape and this many classes.

    The last dense layer gets one unit for each class (a single unit may stay where there are two classes; where there
    are more, its sigmoid becomes a softmax). If windows
    do not fit an input that is smaller than the network's own, it gets a frame of zeros up to that size, as the digits
    of MNIST had in LeNet-5.

    Parameters
    ----------
    network : NetworkSpec
        With any input.
    shape : sequence of int
        Spatial sizes, then channels.
    classes : int
        At least 2.

    Raises
    ------
    ShapeError
        If the network cannot take the shape.
    ModelError
        If it does not end with one value for each class.

    Examples
    --------
    >>> from convcli.architectures import load
    >>> fitted(load("lenet5"), (28, 28, 1), 10).params
    61706
    """
    size = tuple(shape)
    layers = _with_classes(network.layers, classes)
    try:
        plan = plan_network(replace(network, input=size, layers=layers))
    except ShapeError:
        missing = [own - given for own, given in zip(network.input[:-1], size[:-1], strict=False)]
        if len(network.input) != len(size) or min(missing) < 0 or not 0 < max(missing) <= max(size) // _WIDEST:
            raise
        amount = tuple((each // 2, each - each // 2) for each in missing)
        frame = LayerSpec("pad", {"amount": amount}, word=f"pad to {shape_text(network.input[:-1])}")
        plan = plan_network(replace(network, input=size, layers=(frame, *layers)))
    single = plan.output == (1,) and classes == 2 and _final_of(plan) == "sigmoid"
    if plan.output != (classes,) and not single:
        raise ModelError(
            f"{network.name}: ends with {shape_text(plan.output)}, expected one value for each of {classes} classes; "
            f"let it end with dense:{classes},softmax"
        )
    if _final_of(plan) == "sigmoid" and not single:
        raise ModelError(
            f"{network.name}: ends with {classes} sigmoids, expected a softmax, since a picture is of one class; "
            f"let it end with dense:{classes},softmax"
        )
    return plan


def fitted_to(network: NetworkSpec, shape: Sequence[int], output: Sequence[int], final: str) -> NetworkPlan:
    """The network for inputs and outputs of these shapes, ending with ``final``: softmax, sigmoid or linear.

    Its last layer with weights, in branches that are added the last of each, gets as many channels or units as the
    outputs have. Of an ending with another activation than these, such as tanh, nothing is changed where ``linear`` is
    asked for. A network for maps whose branches do not meet in an odd size gets a frame of copied edges, which its last
    layer cuts off.

    Raises
    ------
    ShapeError
        If the network cannot take the shape.
    ModelError
        If it does not end with outputs of that shape.
    """
    spec = replace(network, input=tuple(shape), layers=_ending(network.layers, output[-1], final))
    try:
        plan = plan_network(spec)
    except ShapeError:
        framed = _framed(spec, tuple(output))
        if framed is None:
            raise
        plan = framed
    if plan.output != tuple(output):
        each = "each place" if len(output) > 1 else "each sample"
        raise ModelError(
            f"{network.name}: ends with {shape_text(plan.output)} for {shape_text(shape)}, expected "
            f"{shape_text(output)}: {output[-1]} number{'s' * (output[-1] != 1)} for {each}"
        )
    return plan


def _ending(layers: tuple[LayerSpec, ...], count: int, final: str) -> tuple[LayerSpec, ...]:
    """The layers with so many outputs, and this activation behind them."""
    place = len(layers) - 1
    while place > 0 and layers[place].type in _BEHIND:
        place -= 1
    behind = [each for each in layers[place + 1 :] if _activation(each) not in ("softmax", "sigmoid", "linear")]
    last = _widened(layers[place], count)
    if last.type in _WIDTHS and _activation(last) in ("softmax", "sigmoid", "linear") and not behind:
        last = replace(last, settings={**last.settings, "activation": Named(final)}, word=f"{last.word},{final}")
    elif final != "linear":
        behind.append(LayerSpec("activation", {"activation": Named(final)}, word=final))
    return (*layers[:place], last, *behind)


def _framed(spec: NetworkSpec, output: tuple[int, ...]) -> NetworkPlan | None:
    """The network with a frame up to a size that its poolings halve evenly; None if its end cannot cut that off again.

    A transposed convolution of size 1 is a convolution of size 1 that leaves cells at the ends out.
    """
    last = spec.layers[-1]
    if len(output) == 1 or last.type != "conv" or last.settings.get("kernel_size") != 1 or "stride" in last.settings:
        return None
    settings = {key: value for key, value in last.settings.items() if key != "connections"}
    for step in _STEPS:
        amount = tuple((0, -n % step) for n in spec.input[:-1])
        frame = LayerSpec("pad", {"amount": amount, "mode": "edge"}, word=f"pad to multiples of {step}")
        end = replace(last, type="conv_transpose", settings={**settings, "padding": amount}, word=f"{last.word},cut")
        try:
            plan = plan_network(replace(spec, layers=(frame, *spec.layers[:-1], end)))
        except ShapeError:
            continue
        if plan.output == output:
            return plan
    return None


_STEPS = (2, 4, 8, 16, 32)
_BEHIND = ("activation", "dropout", "spatial_dropout", "flatten", "head")
_WIDTHS = {"dense": "units", "conv": "filters", "conv_transpose": "filters", "separable_conv": "filters"}


def _activation(layer: LayerSpec) -> str:
    """The name of a layer's activation, ``linear`` unless it says one; nothing for what has none."""
    if layer.type not in (*_WIDTHS, "activation"):
        return ""
    return str(getattr(layer.settings.get("activation"), "name", "linear"))


def _widened(layer: LayerSpec, count: int) -> LayerSpec:
    if layer.type == "add":
        branches = tuple((*branch[:-1], _widened(branch[-1], count)) if branch else branch for branch in layer.branches)
        return replace(layer, branches=branches)
    key = _WIDTHS.get(layer.type)
    if key is None or layer.settings[key] == count:
        return layer
    return replace(layer, settings={**layer.settings, key: count}, word=f"{layer.type}:{count}")


def with_padded_windows(network: NetworkSpec) -> NetworkSpec:
    """The network with ``same`` padding everywhere on its main chain, so that no picture is too small for it."""
    return replace(network, layers=tuple(
        replace(layer, settings={**layer.settings, "padding": "same"}, word=f"{layer.word},same")
        if layer.type in _SLIDING and layer.settings.get("padding") != "same" else layer
        for layer in network.layers
    ))  # fmt: skip


def _final_of(plan: NetworkPlan) -> str:
    """The name of the activation that the outputs come from."""
    return find_output(plan.layers).activation


def _with_classes(layers: tuple[LayerSpec, ...], classes: int) -> tuple[LayerSpec, ...]:
    """The layers with the last dense one, if only an activation follows it, as wide as there are classes."""
    place = len(layers) - 1
    while place > 0 and layers[place].type in _BEHIND:
        place -= 1
    last = layers[place]
    if last.type != "dense" or last.settings["units"] == classes or (last.settings["units"] == 1 and classes == 2):
        return layers
    wide = replace(last, settings={**last.settings, "units": classes}, word=f"dense:{classes}")
    made = (*layers[:place], wide, *layers[place + 1 :])
    if last.settings["units"] > 1:
        return made
    return tuple(_softmax(each) if number >= place else each for number, each in enumerate(made))


def _softmax(layer: LayerSpec) -> LayerSpec:
    """A layer with softmax instead of sigmoid."""
    if str(layer.settings.get("activation")) != "sigmoid":
        return layer
    return replace(layer, settings={**layer.settings, "activation": Named("softmax")}, word=f"{layer.word},softmax")
