"""Array functions: check the arguments, ask the geometry, run a loop. numba is loaded by the first call, not before."""

from convcli.ops.correlation import convolve2d, correlate2d

__all__ = ["convolve2d", "correlate2d"]
