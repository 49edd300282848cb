"""Gradients proven: of one layer, of a chain of layers, of a whole network, or of one layer of every kind."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convcli.architectures import GrammarError, NetworkPlan, NetworkSpec, load, parse_words, plan_network
from convcli.architectures.files import find_shipped, is_file_name
from convcli.architectures.grammar import LayerSpec
from convcli.architectures.values import ACTIVATIONS, Named
from convcli.architectures.vocabulary import LAYERS, PAD_MODES, POOL_MODES, REQUIRED, SHARINGS, UPSAMPLE_MODES
from convcli.errors import ShapeError

if TYPE_CHECKING:
    from convcli.nn.gradcheck import Check

# One layer of every kind, awkward on purpose: even kernels, remainders, strides with dilation, groups. What the
# vocabulary has beside these is added by `every_kind`.
_AWKWARD = (
    ("conv:3,kernel=3x2,stride=2x1,same", (7, 6, 4)),
    ("conv:4,kernel=3,dilation=2,stride=2,padding=2,groups=2,tanh", (7, 6, 4)),
    ("conv:3,kernel=4,stride=3,gelu", (11, 4)),
    ("conv:6,kernel=2x3x2,padding=0:1x1x0,elu", (5, 3, 4, 2)),
    ("conv_transpose:4,kernel=3,stride=2,same,groups=2,relu", (4, 5, 2)),
    ("depthwise:3,depth_multiplier=2,sigmoid", (7, 6, 4)),
    ("separable_conv:5,kernel=3x2,stride=2,depth_multiplier=2,swish", (7, 6, 4)),
    ("dense:5,leaky_relu", (7,)),
    ("max_pool:3,stride=2,same", (7, 8, 2)),
    ("min_pool:2x3", (7, 6, 4)),
    ("average_pool:3,stride=2,ceil", (8, 7, 2)),
    ("weighted_pool:3,stride=1,padding=1", (7, 6, 4)),
    ("lp_pool:2,p=3", (7, 6, 4)),
    ("adaptive_max_pool:3x2", (7, 5, 2)),
    ("adaptive_average_pool:3", (7, 5, 2)),
    ("global_average_pool", (5, 4, 3)),
    ("global_max_pool", (5, 4, 3)),
    ("batch_norm", (5, 4, 3)),
    ("layer_norm", (4, 3, 5)),
    ("group_norm:2", (4, 3, 6)),
    ("lrn:5,alpha=0.3", (3, 4, 7)),
    ("dropout:0.4", (5, 5, 2)),
    ("spatial_dropout:0.4", (3, 2, 6)),
    ("upsample:3x2,bilinear", (3, 2, 2)),
    ("prelu", (5, 4, 3)),
    ("pad:1x2,mode=reflect", (5, 5, 2)),
    ("softmax", (5, 4, 3)),
    ("[ conv:3,same | max_pool:3,stride=1,same ]", (5, 4, 3)),
    ("[ conv:3,same,relu batch_norm + ]", (5, 4, 3)),
)
# What the grammar knows and no network can train.
_UNTRAINED_MODES = ("median", "stochastic")
# A head has gradients only from a loss of its own.
_HEADED = "{ flatten dense:3,softmax } global_pool dense:3,softmax"
# A value for the keys that have to be given.
_GIVEN = {"filters": 3, "units": 5, "output_size": 3, "activation": "relu"}
# The input of a layer that is given without one, by the axes its word says.
_INPUTS = {1: (9, 4), 2: (7, 6, 4), 3: (5, 4, 4, 2)}


@dataclass(frozen=True)
class Row:
    """A layer's check, with what it is called: its word, in a network its name and word."""

    label: str
    check: "Check"


@dataclass(frozen=True)
class GradcheckReport:
    """All checks, in the order of computation."""

    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        """Whether every gradient is proven."""
        return all(row.check.passed for row in self.rows)

    @property
    def worst(self) -> float:
        """The largest relative error."""
        return max(row.check.error for row in self.rows)


def is_network(words: Sequence[str]) -> bool:
    """Whether the words name a network, shipped or a file, and not layers."""
    (word, *more) = words
    return not more and (is_file_name(word) or find_shipped(word) is not None or Path(word).is_file())


def gradcheck(
    words: Sequence[str] = (), *, input: Sequence[int] | None = None, seed: int = 0, batch: int = 2
) -> GradcheckReport:
    """Compare gradients with finite differences, in float64.

    Parameters
    ----------
    words : sequence of str
        The layers of a chain (each is checked by itself, on random input of its size), or one name or file of a network
        (checked as a whole, through its loss). Without any, one layer of every kind is checked.
    input : sequence of int, optional
        Spatial sizes and channels. A network has its own; a layer has a small one of its rank.
    seed : int
        Of the weights, the input, the cotangent and the directions.
    batch : int
        Images in the batch.

    Raises
    ------
    ModelError
        If there is no such layer or network, or it cannot be trained.
    ShapeError
        If a layer does not fit its input.

    Examples
    --------
    >>> gradcheck(["global_max_pool"]).passed
    True
    """
    if not words:
        rows = [row for word, size in every_kind() for row in _layers(word, size, seed, batch)]
        rows += _network(plan_network(NetworkSpec(_INPUTS[2], parse_words(_HEADED))), seed, batch)
    elif is_network(words):
        spec = load(words[0])
        rows = _network(plan_network(spec if input is None else _resized(spec, input)), seed, batch)
    else:
        text = " ".join(words)
        rows = _layers(text, tuple(input) if input else _usual_input(text), seed, batch)
    if not rows:
        raise GrammarError(f"layers: got {' '.join(words)!r}, expected some, such as conv:8,kernel=3 pool:2")
    return GradcheckReport(tuple(rows))


def every_kind() -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Words and inputs that go through every kind, pooling mode, way of padding and activation of the vocabulary.

    Heads are left out: they need a loss.

    >>> set(LAYERS) - {layer.type for word, _ in every_kind() for layer in parse_words(word)}
    {'head'}
    """
    seen: set[tuple[str, Any]] = {("head", None)}
    for word, _ in _AWKWARD:
        for layer in parse_words(word):
            seen |= {part for each in (layer, *(inner for branch in layer.branches for inner in branch))
                     for part in _covers(each)}  # fmt: skip
    more = []
    for kind, rule in LAYERS.items():
        key = _VARIED.get(kind)
        for choice in _CHOICES[kind] if key is not None else (None,):
            if (kind, choice) in seen:
                continue
            given = {name: _GIVEN[name] for name, each in rule.keys.items() if each.default is REQUIRED}
            options = {**given, **({key: choice} if key is not None else {})}
            word = ",".join([kind, *(f"{name}={value}" for name, value in options.items())])
            more.append((word, _INPUTS[2]))
    return (*_AWKWARD, *more)


# The key of a kind whose every choice is a way of computing by itself.
_VARIED = {"pool": "mode", "adaptive_pool": "mode", "global_pool": "mode", "pad": "mode",
           "upsample": "mode", "prelu": "share", "activation": "activation"}  # fmt: skip
_CHOICES: dict[str, tuple[str, ...]] = {
    "pool": tuple(each for each in POOL_MODES if each not in _UNTRAINED_MODES),
    "adaptive_pool": tuple(each for each in POOL_MODES if each not in _UNTRAINED_MODES),
    "global_pool": ("average", "max", "min"),
    "pad": PAD_MODES,
    "upsample": UPSAMPLE_MODES,
    "prelu": SHARINGS,
    "activation": tuple(ACTIVATIONS),
}


def _covers(layer: LayerSpec) -> Iterator[tuple[str, Any]]:
    key = _VARIED.get(layer.type)
    value = None if key is None else layer.settings.get(key, LAYERS[layer.type].keys[key].default)
    yield layer.type, value.name if isinstance(value, Named) else value


def _layers(words: str, size: tuple[int, ...], seed: int, batch: int) -> list[Row]:
    import numpy as np

    from convcli.nn.build import Builder
    from convcli.nn.gradcheck import check_layer
    from convcli.nn.room import check_batch, check_parameters

    plan = plan_network(NetworkSpec(size, parse_words(words)))
    check_parameters(plan, 8)
    check_batch(plan, batch, 8, training=True)
    layers = Builder(seed, np.float64).chain(plan.layers)
    words_of = {layer.name: words if len(layers) == 1 else layer.plan.word for layer in layers}
    return [
        Row(words_of.get(check.layer, check.layer), check)
        for layer in layers
        for check in check_layer(layer, seed=seed, batch=batch)
    ]


def _network(plan: NetworkPlan, seed: int, batch: int) -> list[Row]:
    import numpy as np

    from convcli.nn.gradcheck import check_model
    from convcli.nn.model import Model

    model = Model(plan, seed=seed, dtype=np.float64)
    labels = {layer.name: f"{layer.name}  {layer.plan.word}" for layer in model.walk()}
    checks = check_model(model, seed=seed, batch=batch)
    return [Row(labels.get(check.layer, check.layer), check) for check in checks]


def _resized(spec: NetworkSpec, size: Sequence[int]) -> NetworkSpec:
    numbers = (*size, spec.input[-1]) if len(size) == len(spec.input) - 1 else tuple(size)
    if len(numbers) != len(spec.input):
        raise ShapeError(f"input: got {len(size)} numbers, expected as many as the network's {len(spec.input)}")
    return replace(spec, input=numbers)


def _usual_input(words: str) -> tuple[int, ...]:
    return next((_INPUTS[layer.dimensions] for layer in parse_words(words) if layer.dimensions), _INPUTS[2])
