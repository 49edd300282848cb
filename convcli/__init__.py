"""Convolution in one place: filter an image, print a shape, train a network.

The public functions are resolved on first use (PEP 562), so ``import convcli`` loads neither numpy nor numba.
Images are (H, W), (H, W, C) or (N, H, W, C); ``correlate*`` computes cross-correlation, ``convolve*`` flips the kernel.
"""

from typing import TYPE_CHECKING, Any

from convcli.errors import ConvcliError, DataError, ImageError, KernelError, ModelError, ShapeError

__version__ = "0.1.0"

if TYPE_CHECKING:
    from convcli.kernels import kernel
    from convcli.ops import (
        adaptive_pool1d,
        adaptive_pool2d,
        adaptive_pool3d,
        conv1d,
        conv2d,
        conv3d,
        conv_transpose1d,
        conv_transpose2d,
        conv_transpose3d,
        convolve2d,
        correlate2d,
        dilate2d,
        dilate3d,
        morph2d,
        morph3d,
        pad2d,
        pad3d,
        pool1d,
        pool2d,
        pool3d,
    )

# Public name -> the module that defines it.
_HOMES = {
    "kernel": "convcli.kernels",
    "correlate2d": "convcli.ops",
    "convolve2d": "convcli.ops",
    "conv1d": "convcli.ops",
    "conv2d": "convcli.ops",
    "conv3d": "convcli.ops",
    "conv_transpose1d": "convcli.ops",
    "conv_transpose2d": "convcli.ops",
    "conv_transpose3d": "convcli.ops",
    "pad2d": "convcli.ops",
    "dilate2d": "convcli.ops",
    "pad3d": "convcli.ops",
    "dilate3d": "convcli.ops",
    "pool1d": "convcli.ops",
    "pool2d": "convcli.ops",
    "pool3d": "convcli.ops",
    "adaptive_pool1d": "convcli.ops",
    "adaptive_pool2d": "convcli.ops",
    "adaptive_pool3d": "convcli.ops",
    "morph2d": "convcli.ops",
    "morph3d": "convcli.ops",
}

__all__ = [
    "ConvcliError",
    "DataError",
    "ImageError",
    "KernelError",
    "ModelError",
    "ShapeError",
    "__version__",
    "adaptive_pool1d",
    "adaptive_pool2d",
    "adaptive_pool3d",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "convolve2d",
    "correlate2d",
    "dilate2d",
    "dilate3d",
    "kernel",
    "morph2d",
    "morph3d",
    "pad2d",
    "pad3d",
    "pool1d",
    "pool2d",
    "pool3d",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'convcli' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
