"""Convolution layers as nested loops over single numbers; shares no code with convcli."""

from itertools import product

import numpy as np


def naive_convolution(x, weight, bias=None, *, stride, padding, dilation, groups=1):
    """(N, *spatial, C), (*kernel, C/groups, O); one stride, dilation and (before, after) for each spatial axis."""
    axes = x.ndim - 2
    padded = np.pad(x, [(0, 0), *padding, (0, 0)])
    kernel = weight.shape[:axes]
    out_sizes = [(padded.shape[1 + a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in range(axes)]
    channels, filters = weight.shape[-2], weight.shape[-1]
    out = np.zeros((x.shape[0], *out_sizes, filters), x.dtype)
    for n, *at, o in product(*map(range, out.shape)):
        group = o // (filters // groups)
        total = 0.0 if bias is None else bias[o]
        for *tap, c in product(*map(range, kernel), range(channels)):
            place = [at[a] * stride[a] + tap[a] * dilation[a] for a in range(axes)]
            total += padded[n, *place, group * channels + c] * weight[*tap, c, o]
        out[n, *at, o] = total
    return out


def naive_transposed(x, weight, bias=None, *, stride, padding, output_padding, dilation, groups=1):
    """(N, *spatial, C), (*kernel, O/groups, C): each number is laid down once per tap; then edges are cut."""
    axes = x.ndim - 2
    kernel = weight.shape[:axes]
    channels = x.shape[-1]
    group_filters = weight.shape[-2]
    full = [
        (x.shape[1 + a] - 1) * stride[a] + dilation[a] * (kernel[a] - 1) + 1 + output_padding[a] for a in range(axes)
    ]
    out = np.zeros((x.shape[0], *full, group_filters * groups), x.dtype)
    for n, *at, c in product(*map(range, x.shape)):
        group = c // (channels // groups)
        for *tap, o in product(*map(range, kernel), range(group_filters)):
            place = [at[a] * stride[a] + tap[a] * dilation[a] for a in range(axes)]
            out[n, *place, group * group_filters + o] += x[n, *at, c] * weight[*tap, o, c]
    cut = tuple(slice(before, size - after) for (before, after), size in zip(padding, full, strict=True))
    out = out[:, *cut]
    return out if bias is None else out + bias


def finite_difference(function, array, direction, step=1e-6):
    """The derivative of a scalar function of an array along a direction, by central differences in float64."""
    return (function(array + step * direction) - function(array - step * direction)) / (2 * step)
