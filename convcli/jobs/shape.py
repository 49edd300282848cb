"""What comes out of a layer or a chain of layers: words or specs in, a resolved plan out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convcli.architectures import (
    GrammarError,
    LayerPlan,
    LayerSpec,
    NetworkPlan,
    NetworkSpec,
    parse_words,
    plan_network,
)
from convcli.architectures.values import shape as read_numbers
from convcli.architectures.vocabulary import KEEP_SHAPE
from convcli.errors import shortened

# Layers that do not slide along axes: before them, a lone number is a row of values.
_WITHOUT_AXES = KEEP_SHAPE - {"spatial_dropout", "lrn"} | {"flatten", "dense"}


@dataclass(frozen=True)
class ShapeResult:
    """A plan, and the one layer that was asked for if it is not a chain."""

    plan: NetworkPlan
    layer: LayerPlan | None


def shape(
    layers: str | Sequence[str] | Sequence[LayerSpec],
    input: str | Sequence[int],
    *,
    dimensions: int | None = None,
) -> ShapeResult:
    """Resolve a layer or a chain of layers for an input.

    Parameters
    ----------
    layers : str, list of str, or list of LayerSpec
        Words of the grammar, as in ``"conv:32,kernel=3,relu pool:2 flatten dense:10"``, or layers already read.
    input : str or sequence of int
        Spatial sizes, then channels: ``"28x28x1"`` or ``(28, 28, 1)``. How fewer numbers are read: `read_input`.
    dimensions : int, optional
        The number of spatial axes, where the input leaves it open.

    Raises
    ------
    GrammarError
        If a word or the input cannot be read.
    ShapeError
        If a layer does not fit what flows into it.

    Examples
    --------
    >>> shape("conv:4,kernel=3", "7x7x3").plan.output
    (5, 5, 4)
    """
    words = [layers] if isinstance(layers, str) else [layer for layer in layers if isinstance(layer, str)]
    specs = parse_words(words) or tuple(layer for layer in layers if isinstance(layer, LayerSpec))
    if not specs:
        raise GrammarError("layers: got none, expected a layer as in conv:32,kernel=3")
    plan = plan_network(NetworkSpec(read_input(input, specs, dimensions), specs))
    return ShapeResult(plan, plan.layers[-1] if len(specs) == 1 and not specs[0].branches else None)


def numbers_of(input: str | int | Sequence[int]) -> tuple[int, ...]:
    """The numbers of an input as they are given; raises `GrammarError` for what is none."""
    try:
        return read_numbers(list(input) if isinstance(input, Iterable) and not isinstance(input, str) else input)
    except ValueError as error:
        raise GrammarError(f"input: got {shortened(input)}, expected {error}") from None


def read_input(
    input: str | Sequence[int], layers: Sequence[LayerSpec] = (), dimensions: int | None = None
) -> tuple[int, ...]:
    """The spatial sizes and channels that an input means: always sizes first, channels last.

    Where the number of axes is open, because neither ``dimensions`` nor the first layer (``conv1d``) says it:
    two numbers are the height and width of a picture with one channel; one number is a row of values for a layer
    without axes (dense) and else a series with one channel. With it said, channels that are missing are one.
    """
    numbers = numbers_of(input)
    if dimensions is None:
        dimensions = next((layer.dimensions for layer in layers[:1]), None)
    if dimensions is None:
        if len(numbers) == 1 and (not layers or layers[0].type in _WITHOUT_AXES):
            return numbers
        dimensions = {1: 1, 2: 2, 3: 2, 4: 3}[len(numbers)]
    if len(numbers) not in (dimensions, dimensions + 1):
        raise GrammarError(
            f"input: got {len(numbers)} numbers, expected {dimensions} sizes and the channels ({dimensions} dimensions)"
        )
    return numbers if len(numbers) == dimensions + 1 else (*numbers, 1)
