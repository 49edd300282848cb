"""The layers of the grammar: their words, their keys, defaults and one line on each. All help is made from here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convcli.architectures.values import (
    ACTIVATIONS,
    ALSO_CALLED,
    CONSTRAINTS,
    INITIALIZERS,
    REGULARIZERS,
    Named,
    Reader,
    cells,
    connections,
    count,
    flag,
    named,
    number,
    one_of,
    optional,
    padding,
    sizes,
)

POOL_MODES = ("max", "average", "min", "weighted", "lp", "median", "stochastic")
PAD_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
UPSAMPLE_MODES = ("nearest", "bilinear")
SHARINGS = ("positions", "all", "none")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a layer: how its value is read, and its value if it is not given (`REQUIRED`: it has to be).

    ``used_if`` is another key, and those of its values with which this one does something.
    """

    read: Reader
    default: Any
    used_if: tuple[str, tuple[Any, ...]] | None = None


@dataclass(frozen=True, slots=True)
class LayerType:
    """A kind of layer. ``first`` is the key whose value stands behind the colon: ``conv:32`` is ``filters=32``.

    ``keeps_shape`` says that what flows out has the shape of what flows in, whatever its keys.
    """

    meaning: str
    first: str | None = None
    keys: Mapping[str, Key] = field(default_factory=dict)
    keeps_shape: bool = False

    def defaults(self) -> dict[str, Any]:
        """The value of every key that need not be given."""
        return {name: key.default for name, key in self.keys.items() if key.default is not REQUIRED}


REQUIRED = object()
_LINEAR = Named("linear")
_BIASED = ("use_bias", (True,))
_POWER = Key(number(1), 2.0, ("mode", ("lp",)))

_WEIGHTS = {
    "activation": Key(named(ACTIVATIONS), _LINEAR),
    "use_bias": Key(flag, True),
    "kernel_initializer": Key(named(INITIALIZERS), Named("glorot_uniform")),
    "bias_initializer": Key(named(INITIALIZERS), Named("zeros"), _BIASED),
    "kernel_regularizer": Key(optional(named(REGULARIZERS)), None),
    "bias_regularizer": Key(optional(named(REGULARIZERS)), None, _BIASED),
    "activity_regularizer": Key(optional(named(REGULARIZERS)), None),
    "kernel_constraint": Key(optional(named(CONSTRAINTS)), None),
    "bias_constraint": Key(optional(named(CONSTRAINTS)), None, _BIASED),
}
_PADDING = Key(padding, "valid")
_SLIDES = {"kernel_size": Key(sizes(), 3), "stride": Key(sizes(), 1), "padding": _PADDING}
_DILATION = Key(sizes(), 1)
_GROUPS = Key(count(), 1)
_FILTERS = Key(count(), REQUIRED)
_RATE = {"rate": Key(number(0, 1), 0.5)}
_NORM = {
    "epsilon": Key(number(0), 1e-3),
    "center": Key(flag, True),
    "scale": Key(flag, True),
    "beta_initializer": Key(named(INITIALIZERS), Named("zeros"), ("center", (True,))),
    "gamma_initializer": Key(named(INITIALIZERS), Named("ones"), ("scale", (True,))),
}

LAYERS: Mapping[str, LayerType] = {
    "conv": LayerType(
        "convolution with FILTERS filters",
        "filters",
        {
            "filters": _FILTERS,
            **_SLIDES,
            "dilation": _DILATION,
            "groups": _GROUPS,
            "connections": Key(optional(connections), None),
            **_WEIGHTS,
        },
    ),
    "conv_transpose": LayerType(
        "transposed convolution; the padding is cut off",
        "filters",
        {
            "filters": _FILTERS,
            **_SLIDES,
            "output_padding": Key(optional(sizes(0)), None),
            "dilation": _DILATION,
            "groups": _GROUPS,
            **_WEIGHTS,
        },
    ),
    "depthwise": LayerType(
        "convolution of each channel by itself",
        "kernel_size",
        {
            "kernel_size": _SLIDES["kernel_size"],
            "depth_multiplier": Key(count(), 1),
            **_SLIDES,
            "dilation": _DILATION,
            **_WEIGHTS,
        },
    ),
    "separable_conv": LayerType(
        "depthwise, then a convolution of kernel size 1",
        "filters",
        {
            "filters": _FILTERS,
            **_SLIDES,
            "dilation": _DILATION,
            "depth_multiplier": Key(count(), 1),
            **_WEIGHTS,
        },
    ),
    "pool": LayerType(
        "pooling; the stride is the size unless given",
        "kernel_size",
        {
            "kernel_size": Key(sizes(), 2),
            "mode": Key(one_of(POOL_MODES), "max"),
            "stride": Key(optional(sizes()), None),
            "padding": _PADDING,
            "dilation": _DILATION,
            "ceil_mode": Key(flag, False),
            "count_include_pad": Key(flag, False, ("mode", ("average", "weighted"))),
            "p": _POWER,
        },
    ),
    "global_pool": LayerType(
        "one value per channel", "mode", {"mode": Key(one_of(("average", "max", "min")), "average")}
    ),
    "adaptive_pool": LayerType(
        "so many windows, whatever the input's size",
        "output_size",
        {
            "output_size": Key(sizes(), REQUIRED),
            "mode": Key(one_of(POOL_MODES), "max"),
            "p": _POWER,
        },
    ),
    "flatten": LayerType("all values in one row"),
    "dense": LayerType("every value to each of UNITS units", "units", {"units": Key(count(), REQUIRED), **_WEIGHTS}),
    "dropout": LayerType("silences a share while training", "rate", _RATE, True),
    "spatial_dropout": LayerType("silences a share of whole channels while training", "rate", _RATE, True),
    "batch_norm": LayerType(
        "batch normalisation, 4 numbers a channel", None, {"momentum": Key(number(0, 1), 0.99), **_NORM}, True
    ),
    "layer_norm": LayerType("normalisation of each position over its channels", None, _NORM, True),
    "group_norm": LayerType(
        "normalisation over GROUPS groups of channels", "groups", {"groups": Key(count(), 32), **_NORM}, True
    ),
    "lrn": LayerType(
        "AlexNet's local response normalisation",
        "size",
        {
            "size": Key(count(), 5),
            "alpha": Key(number(0), 1e-4),
            "beta": Key(number(0), 0.75),
            "k": Key(number(0), 2.0),
        },
        True,
    ),
    "pad": LayerType(
        "zeros, or MODE's values, around the edges",
        "amount",
        {
            "amount": Key(cells, 1),
            "mode": Key(one_of(PAD_MODES), "constant"),
            "value": Key(number(), 0.0, ("mode", ("constant",))),
        },
    ),
    "upsample": LayerType(
        "enlarges: cells repeated, or lines between them",
        "size",
        {"size": Key(sizes(), 2), "mode": Key(one_of(UPSAMPLE_MODES), "nearest")},
    ),
    "prelu": LayerType(
        "relu with a learnt slope below 0, one a channel",
        "share",
        {
            "share": Key(one_of(SHARINGS), "positions"),
            "alpha_initializer": Key(named(INITIALIZERS), Named("constant", (("value", 0.25),))),
        },
        True,
    ),
    "activation": LayerType(
        "an activation by itself: relu, leaky_relu:0.3",
        "activation",
        {"activation": Key(named(ACTIVATIONS), REQUIRED)},
        True,
    ),
    "parallel": LayerType("branches whose channels are concatenated"),
    "add": LayerType("branches whose values are added"),
    "head": LayerType("a side output for training; dropped afterwards", None, {"weight": Key(number(0), 0.3)}),
}
_POOLS = ("pool", "pooling")
# Kinds that are treated alike somewhere: what learns begins somewhere, and has a key that says where.
KEEP_SHAPE = frozenset(kind for kind, each in LAYERS.items() if each.keeps_shape)
LEARNING = frozenset(kind for kind, each in LAYERS.items() if any(key.endswith("_initializer") for key in each.keys))
WITH_KERNEL = frozenset(kind for kind, each in LAYERS.items() if "kernel_initializer" in each.keys)
WITH_BRANCHES = ("parallel", "add", "head")

# Other names of a layer, in small letters without _ and without 1d, 2d, 3d -> (layer, keys that the name sets).
_OTHER_NAMES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    **{name.replace("_", ""): (name, {}) for name in LAYERS},
    **{name.replace("_", ""): ("activation", {"activation": name}) for name in ACTIVATIONS},
    **{name.replace("_", ""): ("activation", {"activation": meant}) for name, meant in ALSO_CALLED.items()},
    "convolution": ("conv", {}),
    "transposedconv": ("conv_transpose", {}),
    "convtransposed": ("conv_transpose", {}),
    "depthwiseconv": ("depthwise", {}),
    "separable": ("separable_conv", {}),
    "batchnormalization": ("batch_norm", {}),
    "layernormalization": ("layer_norm", {}),
    "groupnormalization": ("group_norm", {}),
    "upsampling": ("upsample", {}),
    "localresponsenorm": ("lrn", {}),
    "zeropad": ("pad", {}),
    "zeropadding": ("pad", {}),
    "concatenate": ("parallel", {}),
    "concat": ("parallel", {}),
    "auxiliary": ("head", {}),
    **{
        f"{which}{word}": (f"{which}_pool".lstrip("_"), {"mode": mode})
        for which in ("", "global", "adaptive")
        for word, mode in (*((f"{mode}{end}", mode) for mode in POOL_MODES for end in _POOLS), ("avgpool", "average"))
    },
}
KNOWN_WORDS = (
    *LAYERS,
    *(name for name in ACTIVATIONS),
    *(f"{mode}_pool" for mode in POOL_MODES),
    "global_average_pool",
    "global_max_pool",
    "adaptive_average_pool",
    "adaptive_max_pool",
    "zero_pad",
    *(f"{name}{rank}d" for name in ("conv", "conv_transpose") for rank in (1, 2, 3)),
)

# Other names of a key; they count where the layer has no such key itself.
OTHER_KEYS = {
    "kernel": "kernel_size",
    "size": "kernel_size",
    "pool_size": "kernel_size",
    "strides": "stride",
    "dilation_rate": "dilation",
    "bias": "use_bias",
    "ceil": "ceil_mode",
    "interpolation": "mode",
    "scale_factor": "size",
    "num_groups": "groups",
    "eps": "epsilon",
}


def find_layer(word: str) -> tuple[str, Mapping[str, str], int | None] | None:
    """The layer a word names, the keys the word sets, and its number of axes if it says one (``conv2d``)."""
    plain = re.sub(r"[_-]", "", word.lower())
    ranks = re.findall(r"([123])d", plain)
    found = _OTHER_NAMES.get(re.sub(r"[123]d", "", plain, count=1))
    if found is None or (ranks and found[0] not in _RANKED):
        return None
    return found[0], found[1], int(ranks[0]) if ranks else None


_RANKED = (
    "conv", "conv_transpose", "depthwise", "separable_conv", "pool", "global_pool", "adaptive_pool", "pad", "upsample",
    "spatial_dropout",
)  # fmt: skip

GRAMMAR = """\
A layer is a word: TYPE:VALUE,key=value,...  VALUE is the key that matters
most. Sizes: 3 for all axes, or 3x5, one per axis. Paddings: valid, same,
full, 1, 1x2, or before and after as in 0:1. A word without a key is an
activation (relu, leaky_relu:0.2), a padding (same), a pool mode (average)
or a switch (ceil_mode).

{layers}

  [ A B | C | D ]   branches side by side, concatenated along channels
  [ A B + ]         branches added; an empty branch is the input itself
  {{ A B }}           a head: a side output, used in training only

conv, conv_transpose, depthwise, separable_conv (for both of its kernels) and
dense also take activation, use_bias, kernel_initializer, bias_initializer,
kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
bias_constraint; all layers a name.
Activations: {activations}.
leaky_relu has the slope 0.2 unless given (Keras's function; its layer
LeakyReLU has 0.3: write LeakyReLU:0.3), elu has alpha 1, silu is swish.
Short keys: kernel or size for kernel_size, bias for use_bias, ceil for
ceil_mode. conv1d, conv2d, conv3d, max_pool, average_pool and other names
of Keras are understood. dense flattens what is not flat.

A TOML file has input = [28, 28, 1] and layers = ["conv:32,relu", ...], or
a [[layers]] table for each layer, with type = "conv" and the same keys;
the types parallel, add and head have branches = [["conv:64,kernel=1"],
["conv:96,kernel=1", "conv:128,same"]]."""


def grammar() -> str:
    """The grammar of layers, for people: what `convcli shape --help` prints."""
    lines = []
    for name, layer in LAYERS.items():
        if name in WITH_BRANCHES:
            continue
        keys = [key for key in layer.keys if key not in _WEIGHTS and key not in (layer.first, "connections")]
        word = name if layer.first is None or name == "activation" else f"{name}:{layer.first.upper()}"
        lines.append(f"  {word:<27}{layer.meaning}")
        if keys:
            lines.append(f"  {'':<6}{', '.join(keys)}")
    names = list(ACTIVATIONS)
    activations = f"{', '.join(names[:7])},\n{', '.join(names[7:])}"
    return GRAMMAR.format(layers="\n".join(lines), activations=activations)
