"""Convolution in one place: filter an image, print a shape, train a network.

The public functions are resolved on first use (PEP 562), so ``import convcli`` loads neither numpy nor numba.
Images are (H, W), (H, W, C) or (N, H, W, C); ``correlate*`` computes cross-correlation, ``convolve*`` flips the kernel.
"""

from typing import TYPE_CHECKING, Any

from convcli.errors import (
    ConvcliError,
    DataError,
    FileError,
    ImageError,
    KernelError,
    ModelError,
    ShapeError,
    suggestion,
)

__version__ = "0.1.0"

if TYPE_CHECKING:
    from convcli.jobs.arrays import explain, filter, read, write
    from convcli.jobs.compiling import on_compiling
    from convcli.jobs.summary import summary
    from convcli.kernels import kernel
    from convcli.nn.weights import TrainedModel, load_model
    from convcli.ops.canny import canny
    from convcli.ops.convolution import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
    from convcli.ops.correlation import convolve2d, convolve3d, correlate2d, correlate3d
    from convcli.ops.dilation import dilate2d, dilate3d
    from convcli.ops.edges import farid, frei_chen, kirsch, prewitt, roberts, robinson, scharr, sobel, sobel3d
    from convcli.ops.morphology import morph2d, morph3d
    from convcli.ops.padding import pad2d, pad3d
    from convcli.ops.pooling import adaptive_pool1d, adaptive_pool2d, adaptive_pool3d, pool1d, pool2d, pool3d

# The module that defines a public function -> the functions; each is imported when it is first asked for.
_HOMES = {
    "convcli.jobs.arrays": (
        "explain",
        "filter",
        "read",
        "write",
    ),
    "convcli.jobs.compiling": ("on_compiling",),
    "convcli.jobs.summary": ("summary",),
    "convcli.kernels": ("kernel",),
    "convcli.nn.weights": (
        "TrainedModel",
        "load_model",
    ),
    "convcli.ops.canny": ("canny",),
    "convcli.ops.convolution": (
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
    ),
    "convcli.ops.correlation": (
        "convolve2d",
        "convolve3d",
        "correlate2d",
        "correlate3d",
    ),
    "convcli.ops.dilation": (
        "dilate2d",
        "dilate3d",
    ),
    "convcli.ops.edges": (
        "farid",
        "frei_chen",
        "kirsch",
        "prewitt",
        "roberts",
        "robinson",
        "scharr",
        "sobel",
        "sobel3d",
    ),
    "convcli.ops.morphology": (
        "morph2d",
        "morph3d",
    ),
    "convcli.ops.padding": (
        "pad2d",
        "pad3d",
    ),
    "convcli.ops.pooling": (
        "adaptive_pool1d",
        "adaptive_pool2d",
        "adaptive_pool3d",
        "pool1d",
        "pool2d",
        "pool3d",
    ),
}

# Rooms whose functions call loops: somebody is told when one of these is compiled.
_COMPUTING = ("convcli.jobs.arrays", "convcli.nn", "convcli.ops")

__all__ = [
    "ConvcliError",
    "DataError",
    "FileError",
    "ImageError",
    "KernelError",
    "ModelError",
    "ShapeError",
    "TrainedModel",
    "__version__",
    "adaptive_pool1d",
    "adaptive_pool2d",
    "adaptive_pool3d",
    "canny",
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
    "explain",
    "farid",
    "filter",
    "frei_chen",
    "kernel",
    "kirsch",
    "load_model",
    "morph2d",
    "morph3d",
    "on_compiling",
    "pad2d",
    "pad3d",
    "pool1d",
    "pool2d",
    "pool3d",
    "prewitt",
    "read",
    "roberts",
    "robinson",
    "scharr",
    "sobel",
    "sobel3d",
    "summary",
    "write",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            globals()[name] = value = getattr(import_module(home), name)
            if home.startswith(_COMPUTING):
                import_module("convcli.jobs.compiling").listen()
            return value
    raise _UnknownNameError(name)


class _UnknownNameError(AttributeError):
    """A name that is not ours; what may be meant is looked for when somebody reads of it, since imports ask too."""

    def __str__(self) -> str:
        from convcli.kernels import LIBRARY

        name = str(self.args[0])
        near = suggestion(name, __all__)
        if (spec := name.replace("_", "-")) in LIBRARY:
            near = f"; convcli.filter(image, '{spec}') filters with it"
        return f"module 'convcli' has no attribute {name!r}{near}"


def __dir__() -> list[str]:
    return sorted(__all__)
