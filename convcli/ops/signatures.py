"""The types of public signatures: what editors complete and type checkers hold.

The words are those of the tables that read them, where capitals and other spellings are understood too; a test holds
that none is missing here.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypedDict

from convcli.geometry import PaddingSpec

BorderWord: TypeAlias = Literal[
    "reflect", "symmetric", "edge", "wrap", "constant",
    "mirror", "nearest", "grid-mirror", "grid-wrap", "grid-constant",
    "reflect101", "reflect-101", "default", "replicate", "border-default", "border-reflect101", "border-reflect-101",
    "border-reflect", "border-replicate", "border-wrap", "border-constant",
    "circular", "zeros", "zero",
]  # fmt: skip
PoolMode: TypeAlias = Literal[
    "max", "min", "average", "weighted", "lp", "median", "stochastic", "avg", "mean", "maximum", "minimum"
]
OutsideWord: TypeAlias = BorderWord | Literal["none"]
OperationWord: TypeAlias = Literal["dilate", "erode", "open", "close", "gradient", "tophat", "blackhat"]


class ExplainWords(TypedDict, total=False):
    """What `convcli.explain` takes besides: the options of ``convcli filter``, by their names there."""

    border: BorderWord
    border_value: float
    padding: PaddingSpec
    stride: int | Sequence[int]
    dilation: int | Sequence[int]
    convolve: bool
    normalize: Literal["none", "sum", "abs"]
    scale: float
    activation: Literal[
        "none", "linear", "relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "softmax", "swish", "selu",
        "hard_sigmoid", "relu6", "hard_swish", "softplus",
    ]  # fmt: skip
    channels: Literal["each", "gray", "sum"]
    range: Literal["auto", "clip", "abs", "offset", "minmax", "raw"]
    depth: Literal["same", "8", "16", "float"]


class FilterWords(ExplainWords, total=False):
    """What `convcli.filter` takes besides."""

    bias: float
    alpha: Literal["premultiply", "independent", "keep", "drop"]
    background: str | tuple[float, float, float]
    linear: bool
