"""The arithmetic of sliding windows: padding, output sizes, receptive fields, counts. Standard library only.

This is the one place where an output size is computed; operations, layers, `convcli shape` and the animations all ask
here. `sizes` works on one axis, `windows` and `adaptive` carry resolved axes about, `counts` counts parameters and
multiply-adds.
"""

from convcli.geometry.adaptive import AdaptiveWindow
from convcli.geometry.counts import convolution_macs, convolution_parameters, dense_parameters, transposed_macs
from convcli.geometry.placement import Placement
from convcli.geometry.resizing import LOBES, Resized, cropped, resized
from convcli.geometry.sizes import (
    PaddingSpec,
    Pair,
    effective_kernel_size,
    is_integer,
    listed,
    output_size,
    per_axis,
    pooled_size,
    reached_cells,
    resolve_padding,
    transposed_size,
)
from convcli.geometry.windows import ReceptiveField, TransposedWindow, Window, transposed_windows_of, windows_of

__all__ = [
    "LOBES",
    "AdaptiveWindow",
    "PaddingSpec",
    "Pair",
    "Placement",
    "ReceptiveField",
    "Resized",
    "TransposedWindow",
    "Window",
    "convolution_macs",
    "convolution_parameters",
    "cropped",
    "dense_parameters",
    "effective_kernel_size",
    "is_integer",
    "listed",
    "output_size",
    "per_axis",
    "pooled_size",
    "reached_cells",
    "resized",
    "resolve_padding",
    "transposed_macs",
    "transposed_size",
    "transposed_windows_of",
    "windows_of",
]
