"""Convolution layers tap by tap, as sums of shifted products; shares no code with convcli."""

from itertools import product

import numpy as np


def naive_convolution(x, weight, bias=None, *, stride, padding, dilation, groups=1):
    """(N, *spatial, C), (*kernel, C/groups, O); one stride, dilation and (before, after) for each spatial axis."""
    padded = np.pad(x, [(0, 0), *padding, (0, 0)])
    *kernel, channels, filters = weight.shape
    steps = list(zip(padded.shape[1:], kernel, stride, dilation, strict=False))
    sizes = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in steps]
    out = np.zeros((x.shape[0], *sizes, filters), x.dtype)
    for tap, group in product(np.ndindex(*kernel), range(groups)):
        seen = [slice(t * d, t * d + (n - 1) * s + 1, s) for t, n, (_, _, s, d) in zip(tap, sizes, steps, strict=True)]
        mine = slice(group * channels, (group + 1) * channels)
        own = slice(group * filters // groups, (group + 1) * filters // groups)
        out[..., own] += padded[:, *seen, mine] @ weight[*tap, :, own]
    return out if bias is None else out + bias


def naive_transposed(x, weight, bias=None, *, stride, padding, output_padding, dilation, groups=1):
    """(N, *spatial, C), (*kernel, O/groups, C): each number is laid down once per tap; then edges are cut."""
    *kernel, filters, channels = weight.shape
    steps = list(zip(x.shape[1:], kernel, stride, dilation, output_padding, strict=False))
    full = [(n - 1) * s + d * (k - 1) + 1 + extra for n, k, s, d, extra in steps]
    out = np.zeros((x.shape[0], *full, filters * groups), x.dtype)
    for tap, group in product(np.ndindex(*kernel), range(groups)):
        laid = [slice(t * d, t * d + (n - 1) * s + 1, s) for t, (n, _, s, d, _) in zip(tap, steps, strict=True)]
        mine = slice(group * channels // groups, (group + 1) * channels // groups)
        own = slice(group * filters, (group + 1) * filters)
        out[:, *laid, own] += x[..., mine] @ weight[*tap, :, mine].T
    cut = tuple(slice(before, size - after) for (before, after), size in zip(padding, full, strict=True))
    out = out[:, *cut]
    return out if bias is None else out + bias


def finite_difference(function, array, direction, step=1e-6):
    """The derivative of a scalar function of an array along a direction, by central differences in float64."""
    return (function(array + step * direction) - function(array - step * direction)) / (2 * step)
