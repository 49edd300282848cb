"""One step of an optimizer on one array of weights, in a single pass. All arrays are flat (n).

Every loop first makes the gradient what clipping says (``clipping``: a scale, then the largest size) and shrinks the
weights (``shrink``: learning rate times weight decay). A NaN stays a NaN. The loops named ``..._run`` take slices: only
indices that cannot be negative become vectors. So does `np.divide`, which does not look for zeros as ``/`` does.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.costs import CHUNK


@loop(parallel=False)
def _clipped(gradient, clipping):
    """The gradient scaled, then cut off; arguments are already checked."""
    scale, limit = clipping
    g = gradient * scale
    if g > limit:
        return limit
    return -limit if g < -limit else g


@loop(parallel=False)
def _sgd_run(value, gradient, slots, clipping, shrink, numbers, begin, end):
    """Stochastic gradient descent, Keras's form, for a run of (n) numbers; arguments are already checked.

    ``slots``: velocity, unused (1) at momentum 0; ``numbers``: rate, momentum, Nesterov (0 or 1).
    """
    (velocity,) = slots
    rate, momentum, nesterov = numbers
    value, gradient = value[begin:end], gradient[begin:end]
    if momentum != 0:
        velocity = velocity[begin:end]
    for i in range(len(value)):
        step = rate * _clipped(gradient[i], clipping)
        kept = value[i] - value[i] * shrink
        if momentum == 0:
            value[i] = kept - step
        else:
            velocity[i] = momentum * velocity[i] - step
            value[i] = kept + (velocity[i] if nesterov == 0 else momentum * velocity[i] - step)


@loop(parallel=False)
def _rmsprop_run(value, gradient, slots, clipping, shrink, numbers, begin, end):
    """RMSprop, Keras's form, for a run of (n) numbers; arguments are already checked.

    ``slots``: square, and velocity, unused (1) at momentum 0; ``numbers``: rate, rho, momentum, epsilon.
    """
    square, velocity = slots
    rate, rho, momentum, epsilon = numbers
    rest = value.dtype.type(1) - rho
    value, gradient, square = value[begin:end], gradient[begin:end], square[begin:end]
    if momentum != 0:
        velocity = velocity[begin:end]
    for i in range(len(value)):
        g = _clipped(gradient[i], clipping)
        square[i] = rho * square[i] + rest * g * g
        step = np.divide(rate * g, np.sqrt(square[i] + epsilon))
        kept = value[i] - value[i] * shrink
        if momentum != 0:
            velocity[i] = momentum * velocity[i] + step
            step = velocity[i]
        value[i] = kept - step


@loop(parallel=False)
def _adam_run(value, gradient, slots, clipping, shrink, numbers, begin, end):
    """Adam, Keras's form, for a run of (n) numbers; arguments are already checked.

    ``slots``: mean, square; ``numbers``: rate with the bias corrections in it, beta_1, beta_2, epsilon.
    """
    mean, square = slots
    rate, beta_1, beta_2, epsilon = numbers
    rest_1, rest_2 = value.dtype.type(1) - beta_1, value.dtype.type(1) - beta_2
    value, gradient, mean, square = value[begin:end], gradient[begin:end], mean[begin:end], square[begin:end]
    for i in range(len(value)):
        g = _clipped(gradient[i], clipping)
        mean[i] += rest_1 * (g - mean[i])
        square[i] += rest_2 * (g * g - square[i])
        value[i] = value[i] - value[i] * shrink - np.divide(rate * mean[i], np.sqrt(square[i]) + epsilon)


@loop(parallel=False)
def _approach_run(average, value, share, begin, end):
    """``average += share * (value - average)`` for a run of (n) numbers; arguments are already checked."""
    average, value = average[begin:end], value[begin:end]
    for i in range(len(average)):
        average[i] += share * (value[i] - average[i])


@loop
def sgd(value, gradient, slots, clipping, shrink, numbers):
    """`_sgd_run` over (n); arguments are already checked. Each index of the parallel loop owns one chunk."""
    for chunk in prange((value.shape[0] + CHUNK - 1) // CHUNK):
        end = min((chunk + 1) * CHUNK, value.shape[0])
        _sgd_run(value, gradient, slots, clipping, shrink, numbers, chunk * CHUNK, end)


@loop
def rmsprop(value, gradient, slots, clipping, shrink, numbers):
    """`_rmsprop_run` over (n); arguments are already checked. Each index of the parallel loop owns one chunk."""
    for chunk in prange((value.shape[0] + CHUNK - 1) // CHUNK):
        end = min((chunk + 1) * CHUNK, value.shape[0])
        _rmsprop_run(value, gradient, slots, clipping, shrink, numbers, chunk * CHUNK, end)


@loop
def adam(value, gradient, slots, clipping, shrink, numbers):
    """`_adam_run` over (n); arguments are already checked. Each index of the parallel loop owns one chunk."""
    for chunk in prange((value.shape[0] + CHUNK - 1) // CHUNK):
        end = min((chunk + 1) * CHUNK, value.shape[0])
        _adam_run(value, gradient, slots, clipping, shrink, numbers, chunk * CHUNK, end)


@loop
def approach(average, value, share):
    """`_approach_run` over (n); arguments are already checked. Each index of the parallel loop owns one chunk."""
    for chunk in prange((average.shape[0] + CHUNK - 1) // CHUNK):
        _approach_run(average, value, share, chunk * CHUNK, min((chunk + 1) * CHUNK, average.shape[0]))
