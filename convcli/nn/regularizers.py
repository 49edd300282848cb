"""Regularizers: what large weights, or large outputs, add to the loss. Keras's names and defaults."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import Named

_DEFAULT = 0.01


@dataclass(frozen=True)
class Regularizer:
    """``l1 * sum(|w|) + l2 * sum(w**2)``."""

    l1: float = 0.0
    l2: float = 0.0

    def penalty(self, values: NDArray[Any]) -> float:
        """What is added to the loss."""
        total = 0.0
        if self.l1:
            total += self.l1 * float(np.abs(values).sum(dtype=np.float64))
        if self.l2:
            total += self.l2 * float(np.square(values, dtype=np.float64).sum())
        return total

    def gradient(self, values: NDArray[Any]) -> NDArray[Any]:
        """The gradient of the penalty; 0 where ``l1`` meets a zero."""
        return np.asarray(self.l1 * np.sign(values) + 2 * self.l2 * values, values.dtype)


def make_regularizer(named: Named | None) -> Regularizer | None:
    """A regularizer from its name in the grammar: ``l1``, ``l2`` (0.01 unless given) or ``l1_l2`` (0 unless given)."""
    if named is None:
        return None
    usual = {} if named.name == "l1_l2" else {named.name: _DEFAULT}
    return Regularizer(**(usual | dict(named.arguments)))
