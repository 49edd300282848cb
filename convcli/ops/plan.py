"""How a correlation will be carried out, decided once from the weights: no image is looked at, numba is not loaded.

`convcli kernel show` prints a plan; `convcli.ops.correlation` follows it.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convcli.kernels.analysis import is_uniform, separable_factors, separable_terms
from convcli.loops import costs
from convcli.ops.remembering import remembered

Weights = NDArray[np.float64]
Method = Literal["taps", "separable", "sum", "box"]

_EXACT = 2.0**16  # weights are multiples of one part in so many, and float32 holds their sums


@dataclass(frozen=True, eq=False)
class CorrelationPlan:
    """The way a kernel's sums are computed.

    Attributes
    ----------
    method : str
        ``"taps"``: one multiply-add per weight that is not zero. ``"separable"``: one pass per axis with that axis's
        factor. ``"sum"``: the same for each of a few terms, added up. ``"box"``: running sums, whose cost does not
        depend on the size.
    weights : ndarray
        (KD, KH, KW) float64; a 2-D kernel has KD = 1.
    factors : tuple of ndarray
        One 1-D float64 factor per axis of ``weights`` if it is separable, else empty.
    terms : tuple of (ndarray, ndarray)
        Of a sum: columns (KH) and rows (KW), float64.
    multiply_adds : int
        Per output number.
    why : str
        One sentence for people.
    """

    method: Method
    weights: Weights
    factors: tuple[Weights, ...]
    multiply_adds: int
    why: str
    terms: tuple[tuple[Weights, Weights], ...] = ()

    @property
    def through_depth(self) -> bool:
        """Whether there is a pass along the depth of a volume."""
        return self.method == "separable" and self.weights.shape[0] > 1

    @property
    def cost(self) -> int:
        """Of a plan by taps or a sum, in taps of a general kernel."""
        return self.multiply_adds + costs.PASS_TAPS * len(self.terms)

    @property
    def magnitude(self) -> float:
        """The sum of the magnitudes of all weights, or of all terms' weights: what rounding errors grow with."""
        if not self.terms:
            return float(np.abs(self.weights).sum())
        return float(sum(np.abs(column).sum() * np.abs(row).sum() for column, row in self.terms))


@remembered
def plan_correlation(weights: Weights, dtype: Any = np.uint8) -> CorrelationPlan:
    """Choose the fastest way to correlate images of ``dtype`` with weights of shape (KH, KW) or (KD, KH, KW).

    >>> plan_correlation(np.ones((5, 5)) / 25, np.float32).method
    'separable'
    """
    volume = weights if weights.ndim == 3 else weights[None]
    taps = int(np.count_nonzero(volume))
    factors = separable_factors(volume) if taps > 2 else None
    if factors is None:
        terms = _terms(volume, taps)
        added = sum(int(np.count_nonzero(line)) for term in terms for line in term)
        why = f"the sum of {len(terms)} separable kernels: {added} multiply-adds instead of {taps}"
        plan = CorrelationPlan("sum", volume, (), added, why, terms)
        if terms and plan.cost < taps:
            return plan
        found = "rank above 1: no separable factors" if taps > 2 else "nothing to separate"
        return CorrelationPlan("taps", volume, (), taps, f"{taps} taps that are not zero ({found})")
    passes = sum(int(np.count_nonzero(factor)) for factor in factors if factor.size > 1)
    size = "x".join(str(n) for n in weights.shape)
    runs = np.dtype(dtype) == np.uint8 or (np.dtype(dtype).kind == "u" and passes > costs.BOX_TAPS)
    if runs and volume.shape[0] == 1 and is_uniform(volume) and volume.flat[0] != 0:
        return CorrelationPlan("box", volume, factors, 1, f"equal weights: running sums, the same cost for any {size}")
    if passes + (costs.PASS_TAPS if volume.shape[0] == 1 else 0) < taps:
        why = f"separable: {passes} multiply-adds in one pass per axis instead of {taps}"
        return CorrelationPlan("separable", volume, factors, passes, why)
    return CorrelationPlan("taps", volume, factors, taps, f"{taps} taps that are not zero: too few for separate passes")


def as_taps(plan: CorrelationPlan) -> CorrelationPlan:
    """The plan of a sum without its terms: one multiply-add per weight."""
    taps = int(np.count_nonzero(plan.weights))
    return CorrelationPlan("taps", plan.weights, (), taps, f"{taps} taps that are not zero")


def has_exact_sums(weights: Weights) -> bool:
    """Whether sums of 8-bit pixels, tap by tap, are exact: those right between two pixels go to the even one."""
    return bool((weights * _EXACT == np.rint(weights * _EXACT)).all())


def _terms(volume: Weights, taps: int) -> tuple[tuple[Weights, Weights], ...]:
    """The terms of a 2-D kernel that is not small; sums that are exact in float32 tap by tap are to stay so."""
    if volume.shape[0] > 1 or taps < costs.FEWEST_SUMMED or has_exact_sums(volume):
        return ()
    return separable_terms(volume[0])


def is_small(plan: CorrelationPlan) -> bool:
    """Whether a box is so small that running its sums pays only where they become 8-bit means."""
    return sum(factor.size for factor in plan.factors if factor.size > 1) <= costs.BOX_TAPS


def sums_dtype(
    source: Any, plan: CorrelationPlan, *, whole: bool, scale: float = 1.0, bias: float = 0.0, border_value: float = 0.0
) -> np.dtype[Any]:
    """The dtype of sums ``bias + scale * correlation``: float32 unless pixels are float64 or would be rounded wrongly.

    The error of a float32 sum is at most ``terms * 2**-24 * (|bias| + |scale| * sum|w| * largest pixel)``. Where that
    could move an integer pixel (16 bits, many taps) the sums are float64.
    """
    source = np.dtype(source)
    if source == np.float64:
        return np.dtype(np.float64)
    if whole and source.kind == "u":
        largest = max(float(np.iinfo(source).max), abs(border_value))
        size = abs(bias) + abs(scale) * plan.magnitude * largest
        return np.dtype(np.float32 if plan.multiply_adds * 2.0**-24 * size < 0.05 else np.float64)
    return np.dtype(np.float32)
