"""Random numbers that can be saved: generators from a seed and a place, and their states as arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ModelError

_WORD = 2**64


def generator_for(seed: int, *place: int) -> np.random.Generator:
    """A generator of its own for each place, so that none depends on how much another has drawn."""
    return np.random.Generator(np.random.PCG64([seed, *place]))


def state_of(generator: np.random.Generator) -> NDArray[np.uint64]:
    """The state of a PCG64 generator as six numbers: what a checkpoint can hold.

    Examples
    --------
    >>> generator = generator_for(0)
    >>> state = state_of(generator)
    >>> first = generator.random()
    >>> restore(generator, state)
    >>> generator.random() == first
    True
    """
    whole: Any = generator.bit_generator.state
    state, increment = whole["state"]["state"], whole["state"]["inc"]
    words = [*divmod(state, _WORD), *divmod(increment, _WORD), whole["has_uint32"], whole["uinteger"]]
    return np.array(words, np.uint64)


def restore(generator: np.random.Generator, state: NDArray[Any]) -> None:
    """Bring a generator back to a state that `state_of` gave; raises `ModelError` for anything else."""
    if state.shape != (6,) or state.dtype != np.uint64:
        raise ModelError(f"random state: got {state.dtype} of shape {state.shape}, expected six numbers of uint64")
    words = [int(each) for each in state]
    if words[4] > 1 or words[5] >= 2**32 or not words[3] % 2:
        raise ModelError("random state: got numbers that no PCG64 generator can have")
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": words[0] * _WORD + words[1], "inc": words[2] * _WORD + words[3]},
        "has_uint32": words[4],
        "uinteger": words[5],
    }
