"""Initializers: the numbers that weights start from. Keras's names, formulas and defaults.

Numbers are drawn in float64 and rounded once, so that a float64 model starts where its float32 twin does.
"""

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import Named
from convcli.errors import ModelError

_DEFAULTS = {
    "random_uniform": {"minval": -0.05, "maxval": 0.05},
    "random_normal": {"mean": 0.0, "stddev": 0.05},
    "truncated_normal": {"mean": 0.0, "stddev": 0.05},
    "constant": {"value": 0.0},
    "orthogonal": {"gain": 1.0},
}
# The standard deviation of a standard normal distribution cut off at two.
_TRUNCATED_DEVIATION = 0.87962566103423978


def initial(named: Named, shape: Sequence[int], generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw the initial values of an array of weights.

    ``glorot`` has variance ``2 / (fan_in + fan_out)``, ``he`` ``2 / fan_in``, ``lecun`` ``1 / fan_in``; ``_uniform``
    draws from ``+-sqrt(3 * variance)``, ``_normal`` from a normal distribution cut off at two standard deviations.
    ``orthogonal`` makes the columns of the weights, flattened to (all others, filters), orthonormal.

    Parameters
    ----------
    named : Named
        An initializer of the grammar.
    shape : sequence of int
        (*kernel, channels / groups, filters), or (inputs, units), or (n,).
    generator : numpy.random.Generator
        Where random numbers come from.

    Returns
    -------
    ndarray
        float64, of that shape.

    Raises
    ------
    ModelError
        If ``orthogonal`` is asked for a single axis, or ``random_uniform`` for a range that ends before it begins.

    Source: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS
    2010, equation 16; K. He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 10; Y. LeCun et al., "Efficient
    BackProp", 1998, equation 16; A. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", ICLR 2014.

    Examples
    --------
    >>> initial(Named("constant", (("value", 0.5),)), (2,), np.random.default_rng(0))
    array([0.5, 0.5])
    """
    name, shape = named.name, tuple(shape)
    values = _DEFAULTS.get(name, {}) | dict(named.arguments)
    if name in ("zeros", "ones", "constant"):
        return np.full(shape, {"zeros": 0.0, "ones": 1.0}.get(name, values.get("value", 0.0)))
    if name == "random_uniform":
        if values["minval"] > values["maxval"]:
            raise ModelError(
                f"random_uniform: got minval={values['minval']:g}, expected at most maxval={values['maxval']:g}"
            )
        return generator.uniform(values["minval"], values["maxval"], shape)
    if name == "random_normal":
        return generator.normal(values["mean"], values["stddev"], shape)
    if name == "truncated_normal":
        return values["mean"] + values["stddev"] * _truncated(shape, generator)
    if name == "orthogonal":
        return values["gain"] * _orthogonal(shape, generator)
    family, distribution = name.split("_")
    fan_in, fan_out = fans(shape)
    variance = {"glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in, "lecun": 1 / fan_in}[family]
    if distribution == "uniform":
        limit = sqrt(3 * variance)
        return generator.uniform(-limit, limit, shape)
    return sqrt(variance) / _TRUNCATED_DEVIATION * _truncated(shape, generator)


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many numbers meet in one output (fan in), and how many outputs one input reaches (fan out): Keras's rule."""
    if len(shape) < 2:
        return shape[0], shape[0]
    taps = prod(shape[:-2])
    return taps * shape[-2], taps * shape[-1]


def _truncated(shape: Sequence[int], generator: np.random.Generator) -> NDArray[np.float64]:
    """Standard normal numbers of at most two, by drawing the others again."""
    values: NDArray[Any] = generator.standard_normal(prod(shape))
    outside = np.flatnonzero(np.abs(values) > 2)
    while outside.size:
        values[outside] = generator.standard_normal(outside.size)
        outside = outside[np.abs(values[outside]) > 2]
    return values.reshape(shape)


def _orthogonal(shape: Sequence[int], generator: np.random.Generator) -> NDArray[np.float64]:
    if len(shape) < 2:
        raise ModelError(f"orthogonal: got weights of shape {tuple(shape)}, expected two axes or more")
    rows, columns = prod(shape[:-1]), shape[-1]
    normal = generator.standard_normal((max(rows, columns), min(rows, columns)))
    square, triangle = np.linalg.qr(normal)
    # The signs make the distribution uniform over the orthogonal matrices.
    square = square * np.sign(np.diag(triangle))
    return np.asarray((square if rows >= columns else square.T).reshape(shape))
