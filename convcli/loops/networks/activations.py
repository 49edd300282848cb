"""Loops of networks that look at one number at a time: gradients, and whether all are finite. All arrays are flat."""

import math

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.costs import CHUNK


@loop(parallel=False)
def _relu_run(gradient, activated, out, begin, end):
    """``gradient`` where ``activated`` is above zero, else 0, for a run of (n); arguments are already checked."""
    nothing = out.dtype.type(0)
    # Slices, whose indices cannot be negative, and a share that is read whatever comes: 14 times as fast.
    shares, values, target = gradient[begin:end], activated[begin:end], out[begin:end]
    for i in range(len(target)):
        share = shares[i]
        target[i] = share if values[i] > 0 else nothing


@loop(parallel=False)
def _gelu_run(gradient, values, out, begin, end):
    """``gradient * (Phi(x) + x * phi(x))``, of the normal distribution, for a run of (n); checked arguments."""
    for i in range(begin, end):
        x = values[i]
        share = 0.5 * (1 + math.erf(x * math.sqrt(0.5)))
        density = math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        out[i] = gradient[i] * (share + x * density)


@loop
def relu_gradient(gradient, activated, out):
    """`_relu_run` over (n); arguments are already checked. Each index of the parallel loop owns one chunk."""
    for chunk in prange((out.shape[0] + CHUNK - 1) // CHUNK):
        _relu_run(gradient, activated, out, chunk * CHUNK, min((chunk + 1) * CHUNK, out.shape[0]))


@loop
def gelu_gradient(gradient, values, out):
    """`_gelu_run` over (n); arguments are already checked. Each index of the parallel loop owns one chunk."""
    for chunk in prange((out.shape[0] + CHUNK - 1) // CHUNK):
        _gelu_run(gradient, values, out, chunk * CHUNK, min((chunk + 1) * CHUNK, out.shape[0]))


@loop
def find_largest(bits, largest):
    """The largest size in each of equal ``largest`` (chunks) parts of ``bits`` (n), those of float32 as int32.

    Sizes of floats are in the order of their bits but for the first, infinity and what is no number last. Arguments are
    already checked; each index of the parallel loop owns one chunk.
    """
    chunks = largest.shape[0]
    for index in prange(chunks):
        chunk = np.int64(index)
        numbers = bits[len(bits) * chunk // chunks : len(bits) * (chunk + 1) // chunks]
        most = np.int32(0)
        for i in range(len(numbers)):
            most = max(most, np.int32(numbers[i] & np.int32(0x7FFFFFFF)))
        largest[chunk] = most
