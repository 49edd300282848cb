"""Canny in a chain of kernels: a Gaussian, then the kernel that finds ridges; and the words that mean nothing to it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from convcli.errors import ConvcliError
from convcli.kernels import Kernel, parse_kernel


def unfolded(kernel: Kernel) -> tuple[Kernel, ...]:
    """A kernel as the chain filters with it: canny's smoothing is a kernel of its own, without a name."""
    sigma = kernel.parameters.get("sigma")
    if kernel.combine != "edges" or not sigma:
        return (kernel,)
    assert isinstance(sigma, float)
    return replace(parse_kernel(f"gaussian:sigma={sigma!r}"), name=""), kernel


def is_preparation(kernel: Kernel) -> bool:
    """Whether this is the smoothing that belongs to the kernel after it, and so leaves alpha alone."""
    return not kernel.name


def check_outlines(kernels: Sequence[Kernel], words: dict[str, Any]) -> None:
    """Raise `ConvcliError` for words that do nothing sensible to outlines: they are white or black, and have no matrix.

    Stride, scale, bias, activation and range act on the chain's last kernel, the others on each.
    """
    outlines = [kernel for kernel in kernels if kernel.combine == "edges"]
    if not outlines:
        return
    name = outlines[0].name
    plain: dict[str, tuple[Any, ...]] = {"convolve": (False,), "normalize": ("none",), "dilation": (1,)}
    if kernels[-1].combine == "edges":
        plain |= {"stride": (1,), "scale": (1,), "bias": (0,), "activation": ("none", "linear")}
    for word, allowed in plain.items():
        given = words[word]
        each = given if isinstance(given, (tuple, list)) else (given,)
        if any(one not in allowed for one in each):
            got = "x".join(map(str, each)) if word != "convolve" else "it"
            raise ConvcliError(f"{word}: got {got} with {name}, which has no matrix; leave --{word} out")
    if words["alpha"] == "independent":
        raise ConvcliError(f"alpha: got independent with {name}, expected premultiply, keep or drop")
    if words["range"] == "offset" and kernels[-1].combine == "edges":
        raise ConvcliError(f"range: got offset with {name}, whose edges are white on black; leave --range out")
