"""Canny's edge detector: outlines one pixel wide."""

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from convcli.errors import ShapeError
from convcli.kernels import kernel
from convcli.ops.arguments import Array, as_number, as_stack, in_type
from convcli.ops.correlation import correlate2d
from convcli.ops.signatures import BorderWord
from convcli.ops.words import read_only


def canny(
    image: npt.ArrayLike, sigma: float = 1.4, low: float = 30.0, high: float = 80.0, *, border: BorderWord = "reflect"
) -> NDArray[np.bool_]:
    """Find the edges of an image: smooth, take the gradient, thin it to ridges, follow them from where they are strong.

    1. A Gaussian of ``sigma``.
    2. The gradient by Sobel's kernels; ``slope = sqrt(gx**2 + gy**2)``. Of several channels the one with the largest
       slope counts, pixel by pixel.
    3. A pixel stays if its slope is larger than the interpolated one a step up the gradient, and no smaller than the
       one a step down.
    4. Of these, pixels with ``slope >= high`` are edges, and so are those with ``slope >= low`` that they reach through
       others of the kind, by eight neighbours.

    Pixels under whose windows there is NaN are no edges.

    Parameters
    ----------
    image : array_like
        (H, W), (H, W, C) or (N, H, W, C) of integers or floats.
    sigma : float
        Standard deviation of the Gaussian, in pixels; 0 for no smoothing.
    low, high : float
        Slopes, as Sobel's kernels give them (8 for an image that rises by 1 per pixel), the unit of OpenCV and
        scikit-image too: a straight step of height h, smoothed, has about ``3.2 * h / sigma``. The defaults are for
        pixels from 0 to 255.
    border : str
        What continues the image for the first two steps: a word of `correlate2d`'s.

    Returns
    -------
    ndarray
        (H, W) or (N, H, W) bool.

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
    pixels = stack.array[:, 0]
    for name, number in (("sigma", sigma), ("low", low), ("high", high)):
        if not 0 <= as_number(name, number) < np.inf:
            raise ShapeError(f"{name}: got {number!r}, expected a finite number of at least 0")
    if low > high:
        raise ShapeError(f"low: got {low!r}, expected at most high, {high!r}")
    if sigma:
        pixels = correlate2d(pixels, f"gaussian:sigma={float(sigma)!r}", padding="same", border=border)
    across, down = (correlate2d(pixels, kernel(f"sobel-{axis}"), padding="same", border=border) for axis in ("x", "y"))
    edges = outline(across, down, low, high)[..., 0]
    return edges if stack.ndim == 4 else np.asarray(edges[0])


def outline(across: Array, down: Array, low: float, high: float) -> NDArray[np.bool_]:
    """Steps 3 and 4 on slopes (..., H, W, C), to the right and downward, in floats: (..., H, W, 1), where edges are."""
    from convcli.loops.filtering.edges import follow, thin

    first, second = _steepest(across, down)
    limits = in_type(first.dtype, low), in_type(first.dtype, high)
    marks = np.empty(first.shape, np.uint8)
    for index in np.ndindex(*first.shape[:-2]):
        thin(read_only(first[index]), read_only(second[index]), *limits, marks[index])
        follow(marks[index], np.empty(np.count_nonzero(marks[index]), np.int64))
    return np.asarray(marks == 3)[..., None]


def _steepest(across: Array, down: Array) -> tuple[Array, Array]:
    """The slopes (..., H, W) of the channel that is steepest at each pixel, as OpenCV chooses it."""
    first, second = (np.ascontiguousarray(slope[..., 0]) for slope in (across, down))
    size = first * first + second * second
    for channel in range(1, across.shape[-1]):
        right, below = across[..., channel], down[..., channel]
        other = right * right + below * below
        steeper = other > size
        for kept, new in ((first, right), (second, below), (size, other)):
            np.copyto(kept, new, where=steeper)
    return first, second
