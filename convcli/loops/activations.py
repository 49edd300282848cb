"""Loops of the network's gradients that look at one number at a time. All arrays are flat."""

import math

from numba import prange

from convcli.loops.compiler import loop

CHUNK = 16 * 1024  # numbers a thread owns at a time


@loop
def relu_gradient(gradient, activated, out):
    """``gradient`` where ``activated`` is above zero, else 0 (n); checked arguments. Each index owns one chunk."""
    for chunk in prange((out.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, out.shape[0])):
            out[i] = gradient[i] if activated[i] > 0 else out.dtype.type(0)


@loop
def gelu_gradient(gradient, values, out):
    """``gradient * (Phi(x) + x * phi(x))`` (n), of the normal distribution; checked; each index owns one chunk."""
    for chunk in prange((out.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, out.shape[0])):
            x = values[i]
            share = 0.5 * (1 + math.erf(x * math.sqrt(0.5)))
            density = math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
            out[i] = gradient[i] * (share + x * density)
