"""Array functions: check the arguments, ask the geometry, run a loop. numba is loaded by the first call, not before."""

from convcli.ops.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from convcli.ops.correlation import convolve2d, convolve3d, correlate2d, correlate3d
from convcli.ops.dilation import dilate2d, dilate3d
from convcli.ops.morphology import morph2d, morph3d
from convcli.ops.padding import pad2d, pad3d
from convcli.ops.pooling import adaptive_pool1d, adaptive_pool2d, adaptive_pool3d, pool1d, pool2d, pool3d

__all__ = [
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
    "morph2d",
    "morph3d",
    "pad2d",
    "pad3d",
    "pool1d",
    "pool2d",
    "pool3d",
]
