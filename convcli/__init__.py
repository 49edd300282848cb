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
        convolve3d,
        correlate2d,
        correlate3d,
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

# Errors are here already; every other public name is resolved when it is first asked for.
_HOMES = {"kernel": "convcli.kernels"}
_USUAL_HOME = "convcli.ops"

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
    "convolve3d",
    "correlate2d",
    "correlate3d",
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
    if name not in __all__:
        raise AttributeError(f"module 'convcli' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES.get(name, _USUAL_HOME)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
