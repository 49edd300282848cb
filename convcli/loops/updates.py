"""One step of an optimizer on one array of weights, in a single pass. All arrays are flat (n).

Every loop first makes the gradient what clipping says (``scale``, then at most ``limit`` in size) and shrinks the
weights (``shrink``: learning rate times weight decay). A NaN stays a NaN.
"""

import numpy as np
from numba import prange

from convcli.loops.compiler import loop

CHUNK = 16 * 1024  # numbers a thread owns at a time


@loop(parallel=False)
def _clipped(gradient, scale, limit):
    """The gradient scaled, then cut off at ``limit``; arguments are already checked."""
    g = gradient * scale
    if g > limit:
        return limit
    return -limit if g < -limit else g


@loop
def sgd(value, gradient, velocity, clipping, shrink, rate, momentum, nesterov):
    """Stochastic gradient descent, Keras's form; ``velocity`` is unused (1) at momentum 0.

    Arguments are already checked. Each index of the parallel loop owns one chunk.
    """
    scale, limit = clipping
    for chunk in prange((value.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, value.shape[0])):
            step = rate * _clipped(gradient[i], scale, limit)
            kept = value[i] - value[i] * shrink
            if momentum == 0:
                value[i] = kept - step
            else:
                velocity[i] = momentum * velocity[i] - step
                value[i] = kept + (momentum * velocity[i] - step if nesterov else velocity[i])


@loop
def rmsprop(value, gradient, square, velocity, clipping, shrink, rate, rho, momentum, epsilon):
    """RMSprop, Keras's form; ``velocity`` is unused (1) at momentum 0. Checked arguments; each index owns a chunk."""
    scale, limit = clipping
    rest = value.dtype.type(1) - rho
    for chunk in prange((value.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, value.shape[0])):
            g = _clipped(gradient[i], scale, limit)
            square[i] = rho * square[i] + rest * g * g
            step = rate * g / np.sqrt(square[i] + epsilon)
            kept = value[i] - value[i] * shrink
            if momentum != 0:
                velocity[i] = momentum * velocity[i] + step
                step = velocity[i]
            value[i] = kept - step


@loop
def adam(value, gradient, mean, square, clipping, shrink, rate, beta_1, beta_2, epsilon):
    """Adam, Keras's form: ``rate`` has the bias corrections in it. Checked arguments; each index owns a chunk."""
    scale, limit = clipping
    rest_1, rest_2 = value.dtype.type(1) - beta_1, value.dtype.type(1) - beta_2
    for chunk in prange((value.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, value.shape[0])):
            g = _clipped(gradient[i], scale, limit)
            mean[i] += rest_1 * (g - mean[i])
            square[i] += rest_2 * (g * g - square[i])
            value[i] = value[i] - value[i] * shrink - rate * mean[i] / (np.sqrt(square[i]) + epsilon)


@loop
def approach(average, value, share):
    """``average += share * (value - average)``; arguments are already checked. Each index owns one chunk."""
    for chunk in prange((average.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, average.shape[0])):
            average[i] += share * (value[i] - average[i])
