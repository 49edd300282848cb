"""What a checkpoint says, compared with the training that is to go on from it: a file may hold anything.

Loops trust the shapes they are given, so that an array of another shape must never reach one.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ModelError, shortened

Array = NDArray[Any]
_MOST_STEPS = 10**15


def check_arrays(got: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    """Refuse arrays of other names, shapes or types than expected, and numbers that are not finite.

    Counters, integers of no axes, have to be 0 or more.

    Raises
    ------
    ModelError
        Naming the first array that is wrong.
    """
    for name in (*expected, *got):
        if name not in got or name not in expected:
            which = f"got no {name}" if name not in got else f"got an unknown {shortened(name)}"
            raise ModelError(f"checkpoint: {which}, expected the {len(expected)} arrays of its network and recipe")
        array, wanted = got[name], expected[name]
        if array.shape != wanted.shape or array.dtype != wanted.dtype:
            raise ModelError(
                f"checkpoint: {name}: got {array.dtype} of shape {shortened(array.shape)}, expected {wanted.dtype} of "
                f"shape {wanted.shape}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"checkpoint: {name}: got numbers that are NaN or infinite, expected finite ones")
        if array.dtype.kind == "i" and array.ndim == 0 and not 0 <= array < _MOST_STEPS:
            raise ModelError(f"checkpoint: {name}: got {array}, expected a count of 0 or more")


def check_numbers(values: Mapping[str, Any], *, counts: Iterable[str], optional: Sequence[str] = ()) -> None:
    """Refuse what is no number; ``counts`` are whole and 0 or more, ``optional`` may be None or NaN."""
    for name in counts:
        if type(values[name]) is not int or not 0 <= values[name] < _MOST_STEPS:
            raise ModelError(f"checkpoint: got {name}={shortened(values[name])}, expected a whole number of 0 or more")
    for name, value in values.items():
        if value is None and name in optional:
            continue
        if type(value) not in (int, float) or not (isfinite(value) or name in optional):
            raise ModelError(f"checkpoint: got {name}={shortened(value)}, expected a number")


def check_below(name: str, value: int, limit: int) -> None:
    """Refuse a count that is larger than it can be."""
    if value > limit:
        raise ModelError(f"checkpoint: got {name} {value:,}, expected at most {limit:,}")
