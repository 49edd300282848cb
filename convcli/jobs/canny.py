"""Canny in a chain of kernels: a Gaussian, then the kernel that finds ridges; and words that mean nothing to some."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from convcli.errors import ConvcliError
from convcli.kernels import Kernel, parse_kernel
from convcli.kernels.entry import RESHAPING


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


def check_words(kernels: Sequence[Kernel], words: dict[str, Any]) -> None:
    """Raise `ConvcliError` for words that do nothing sensible to what has no matrix, or to outlines, white or black.

    Stride, scale, bias, activation and range act on the chain's last kernel, the others on each.
    """
    last = kernels[-1]
    if last.combine in RESHAPING:
        _check_plain(words, last, {"stride": (1,)})
    windows = [kernel for kernel in kernels if not kernel.has_matrix and kernel.combine not in RESHAPING]
    outlines = [kernel for kernel in kernels if kernel.combine == "edges"]
    for kernel in (*outlines[:1], *windows[:1]):
        _check_plain(words, kernel, {"convolve": (False,), "normalize": ("none",), "dilation": (1,)})
    if not outlines:
        return
    name = outlines[0].name
    if last.combine == "edges":
        _check_plain(words, last, {"stride": (1,), "scale": (1,), "bias": (0,), "activation": ("none", "linear")})
    if words["alpha"] == "independent":
        raise ConvcliError(f"alpha: got independent with {name}, expected premultiply, keep or drop")
    if words["range"] == "offset" and last.combine == "edges":
        raise ConvcliError(f"range: got offset with {name}, whose edges are white on black; leave --range out")


def _check_plain(words: dict[str, Any], kernel: Kernel, plain: dict[str, tuple[Any, ...]]) -> None:
    for word, allowed in plain.items():
        given = words[word]
        each = given if isinstance(given, (tuple, list)) else (given,)
        if any(one not in allowed for one in each):
            got = "x".join(map(str, each)) if word != "convolve" else "it"
            raise ConvcliError(f"{word}: got {got} with {kernel.name}, which has no matrix; leave --{word} out")
