"""What a layer costs: parameters and multiply-adds.

A multiply-add is one weight times one value, added. Biases, activations, pooling and normalisation are not counted,
and taps that fall on padding are: the numbers papers print are made this way.
"""

from collections.abc import Sequence
from math import prod


def convolution_parameters(
    kernel_sizes: Sequence[int], channels: int, filters: int, *, groups: int = 1, bias: bool = True
) -> int:
    """Weights of a convolution, ``prod(kernel) * channels / groups * filters``, and one bias per filter.

    Also right for a transposed convolution. ``groups`` divides ``channels`` and ``filters``.
    """
    return prod(kernel_sizes) * (channels // groups) * filters + (filters if bias else 0)


def convolution_macs(
    output_sizes: Sequence[int], kernel_sizes: Sequence[int], channels: int, filters: int, *, groups: int = 1
) -> int:
    """Multiply-adds of a convolution: ``prod(output) * filters * prod(kernel) * channels / groups``."""
    return prod(output_sizes) * filters * prod(kernel_sizes) * (channels // groups)


def transposed_macs(
    input_sizes: Sequence[int], kernel_sizes: Sequence[int], channels: int, filters: int, *, groups: int = 1
) -> int:
    """Multiply-adds of a transposed convolution: each input value meets each weight of its group once."""
    return prod(input_sizes) * channels * prod(kernel_sizes) * (filters // groups)


def dense_parameters(inputs: int, units: int, *, bias: bool = True) -> int:
    """Weights of a fully connected layer, ``inputs * units``, and one bias per unit."""
    return inputs * units + (units if bias else 0)
