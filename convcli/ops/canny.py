"""Canny's edge detector: outlines one pixel wide."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ShapeError
from convcli.ops.arguments import as_stack
from convcli.ops.correlation import correlate2d
from convcli.ops.words import read_only

# Sobel's kernel divided by 8: the slope, in pixel values per pixel.
_SLOPE = np.outer([1, 2, 1], [-1, 0, 1]) / 8


def canny(
    image: Any, sigma: float = 1.0, low: float = 4.0, high: float = 10.0, *, border: str = "reflect"
) -> NDArray[np.bool_]:
    """Find the edges of an image: smooth, take the gradient, thin it to ridges, follow them from where they are strong.

    1. A Gaussian of ``sigma``.
    2. The gradient by Sobel's kernels over 8; ``slope = sqrt(gx**2 + gy**2)``.
    3. A pixel stays if its slope is larger than the interpolated one a step up the gradient, and no smaller than the
       one a step down.
    4. Of these, pixels with ``slope >= high`` are edges, and so are those with ``slope >= low`` that they reach through
       others of the kind, by eight neighbours.

    Pixels under whose windows there is NaN are no edges.

    Parameters
    ----------
    image : array_like
        (H, W) of integers or floats.
    sigma : float
        Standard deviation of the Gaussian, in pixels; 0 for no smoothing.
    low, high : float
        Slopes, in pixel values per pixel: a straight step of height h, smoothed, has about ``h / (2.5 * sigma)``.
        OpenCV's and scikit-image's thresholds are 8 times these, since they do not divide Sobel's kernels. The defaults
        are for pixels from 0 to 255.
    border : str
        What continues the image for the first two steps: a word of `correlate2d`'s.

    Returns
    -------
    ndarray
        (H, W) bool.

    Raises
    ------
    ShapeError
        If an argument is not as above.

    Source: J. Canny, "A Computational Approach to Edge Detection", 1986, sections VI to VIII.

    Examples
    --------
    >>> canny([[0, 0, 0, 255, 255, 255]] * 3, sigma=0).astype(int)
    array([[0, 0, 0, 1, 0, 0],
           [0, 0, 0, 1, 0, 0],
           [0, 0, 0, 1, 0, 0]])
    """
    stack = as_stack(image, 2, keep_dtype=True)
    if stack.ndim != 2:
        raise ShapeError(f"image: got shape {np.shape(image)}, expected (H, W): one channel")
    pixels = stack.array[0, 0, :, :, 0]
    for name, number in (("sigma", sigma), ("low", low), ("high", high)):
        if not isinstance(number, (int, float, np.integer, np.floating)) or not 0 <= number < np.inf:
            raise ShapeError(f"{name}: got {number!r}, expected a finite number of at least 0")
    if low > high:
        raise ShapeError(f"low: got {low!r}, expected at most high, {high!r}")
    if sigma:
        pixels = correlate2d(pixels, f"gaussian:sigma={float(sigma)!r}", padding="same", border=border)
    across, down = (correlate2d(pixels, kernel, padding="same", border=border) for kernel in (_SLOPE, _SLOPE.T))
    from convcli.loops.edges import follow, thin

    marks = np.empty(across.shape, np.uint8)
    of = across.dtype.type
    thin(read_only(across), read_only(down), of(low), of(high), marks)
    follow(marks, np.empty(np.count_nonzero(marks), np.int64))
    return np.asarray(marks == 3)
