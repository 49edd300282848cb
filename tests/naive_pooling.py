"""Pooling as nested loops over one axis-product window at a time: nothing of convcli in it."""

import itertools
import math

import numpy as np


def starts_of(n, kernel, stride, before, after, dilation, ceil_mode):
    span, end = dilation * (kernel - 1) + 1, n + after
    starts = [-before]
    while starts[-1] + span <= end or (ceil_mode and starts[-1] + span - end < stride):
        starts.append(starts[-1] + stride)
    starts.pop()
    if ceil_mode and starts and starts[-1] >= n:
        starts.pop()
    return starts


def windows(n, kernel, stride, before, after, dilation, ceil_mode):
    """For each output: [(position, weight, is it in the padded image)] of all taps."""
    sigma = kernel / 4
    result = []
    for start in starts_of(n, kernel, stride, before, after, dilation, ceil_mode):
        taps = []
        for tap in range(kernel):
            position = start + dilation * tap
            weight = math.exp(-((tap - (kernel - 1) / 2) ** 2) / (2 * sigma**2))
            taps.append((position, weight, -before <= position < n + after))
        result.append(taps)
    return result


def adaptive_windows(n, out):
    result = []
    for i in range(out):
        first, end = math.floor(i * n / out), math.ceil((i + 1) * n / out)
        kernel = end - first
        taps = [
            (p, math.exp(-((p - first - (kernel - 1) / 2) ** 2) / (2 * (kernel / 4) ** 2)), True)
            for p in range(first, end)
        ]
        result.append(taps)
    return result


def pool(volume, axes, mode, count_include_pad=False, p=2.0):
    """``volume`` (*spatial) and for each axis its windows; one float or exact value per output cell."""
    sizes = volume.shape
    out = np.empty([len(axis) for axis in axes], volume.dtype if mode in ("max", "min", "median") else float)
    for cell in itertools.product(*(range(n) for n in out.shape)):
        values, weights, padded_weights = [], [], []
        for taps in itertools.product(*(axis[i] for axis, i in zip(axes, cell, strict=True))):
            place = tuple(position for position, _, _ in taps)
            weight = math.prod(w for _, w, _ in taps) if mode == "weighted" else 1.0
            if all(0 <= position < n for position, n in zip(place, sizes, strict=True)):
                values.append(volume[place])
                weights.append(weight)
            if all(inside for _, _, inside in taps):
                padded_weights.append(weight)
        assert values, "a window without a pixel"
        out[cell] = reduce(values, weights, padded_weights if count_include_pad else weights, mode, p)
    return out


def reduce(values, weights, divisor, mode, p):
    if mode in ("max", "min", "median"):
        for value in values:
            if value != value:
                return value
        return pick(sorted(values), mode)
    if mode == "lp":
        return math.fsum(abs(float(v)) ** p for v in values) ** (1 / p)
    return math.fsum(float(v) * w for v, w in zip(values, weights, strict=True)) / math.fsum(divisor)


def pick(ordered, mode):
    return {"max": ordered[-1], "min": ordered[0], "median": ordered[(len(ordered) - 1) // 2]}[mode]
