"""The types of public signatures: what editors complete and type checkers hold.

The words are those of the tables that read them, where capitals and other spellings are understood too; a test holds
that none is missing here.
"""

from typing import Literal, TypeAlias

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
