"""Loops that look at one number at a time: combining responses, and writing them as pixels. All arrays are flat."""

import math

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.costs import CHUNK
from convcli.loops.filtering.correlation import store_row


@loop
def add_squares(total, response):
    """``total += response**2`` for (n) floats; arguments are already checked. Each index owns one chunk."""
    for chunk in prange((total.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, total.shape[0])):
            total[i] += response[i] * response[i]


@loop
def root_of_squares(total, response):
    """``total = sqrt(total + response**2)`` for (n) floats; checked arguments. Each index owns one chunk."""
    for chunk in prange((total.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, total.shape[0])):
            total[i] = np.sqrt(total[i] + response[i] * response[i])


@loop
def keep_largest(total, response):
    """``total = max(total, response)`` for (n) floats, NaN wins; checked arguments. Each index owns one chunk."""
    for chunk in prange((total.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, total.shape[0])):
            if not response[i] <= total[i] and total[i] == total[i]:
                total[i] = response[i]


@loop
def direction(x, y):
    """``x = atan2(y, x)`` in radians for (n) floats; arguments are already checked. Each index owns one chunk."""
    for chunk in prange((x.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, x.shape[0])):
            x[i] = np.arctan2(y[i], x[i])


@loop
def encode_srgb(values, white):
    """Linear light (n), 0..white, to sRGB's curve in place, odd about 0; checked arguments. Each index owns a chunk."""
    for chunk in prange((values.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, values.shape[0])):
            light = abs(values[i]) / white
            curve = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
            values[i] = np.copysign(curve * white, values[i])


@loop
def gelu(values):
    """``x * Phi(x)``, Phi the normal distribution function, (n) in place; checked arguments; an index owns a chunk."""
    for chunk in prange((values.shape[0] + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, values.shape[0])):
            values[i] *= 0.5 * (1 + math.erf(values[i] * math.sqrt(0.5)))


@loop
def store(values, numbers, outside, out):
    """Write (n) floats as pixels (n), see `store_row`; arguments are already checked.

    Each index of the parallel loop owns one chunk, and one cell of ``outside``.
    """
    for chunk in prange((values.shape[0] + CHUNK - 1) // CHUNK):
        end = min((chunk + 1) * CHUNK, values.shape[0])
        outside[chunk] = store_row(values[chunk * CHUNK : end], out[chunk * CHUNK : end], numbers)
