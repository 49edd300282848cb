"""Constraints: where weights are brought back to after each step of the optimizer. Keras's names and defaults.

The norm is that of all weights of one filter or unit. This is Keras's default for a dense kernel, and what its
documentation recommends for convolutions (``axis=[0, 1, 2]``). A bias is one vector.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import Named

# Keras's backend.epsilon(): no division by zero.
_EPSILON = 1e-7
_LARGEST_NORM = 2.0


@dataclass(frozen=True)
class Constraint:
    """``non_neg`` cuts negative weights off, ``max_norm`` shortens what is longer, ``unit_norm`` makes all norms 1.

    ``axes`` are summed over for the norm.
    """

    name: str
    axes: tuple[int, ...]
    max_value: float = _LARGEST_NORM

    def apply(self, values: NDArray[Any]) -> None:
        """Change the weights in place."""
        if self.name == "non_neg":
            np.maximum(values, 0, out=values)
            return
        norms = np.sqrt(np.square(values, dtype=np.float64).sum(axis=self.axes, keepdims=True))
        wanted = np.minimum(norms, self.max_value) if self.name == "max_norm" else 1.0
        values *= np.asarray(wanted / (norms + _EPSILON), values.dtype)


def make_constraint(named: Named | None, rank: int, filter_axis: int) -> Constraint | None:
    """A constraint from its name in the grammar, for weights of ``rank`` whose filters lie along ``filter_axis``."""
    if named is None:
        return None
    axes = tuple(axis for axis in range(rank) if axis != filter_axis % rank) if rank > 1 else (0,)
    return Constraint(named.name, axes, **dict(named.arguments))
