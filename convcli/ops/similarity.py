"""How alike two pictures are: the structural similarity index, on the same correlation that filters images."""

import numpy as np

from convcli.errors import ShapeError
from convcli.ops.arguments import Array
from convcli.ops.correlation import correlate2d

WINDOW, SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
_BAND = 1 << 19  # numbers of a picture at a time: there are a dozen float64 maps of each in between
_FEWEST = 64  # rows at a time, since ten more are read


def ssim(first: Array, second: Array, white: float) -> float:
    """The mean structural similarity of two pictures: 1 where they are equal, less the less they have in common.

    ``(2*m1*m2 + C1) * (2*v12 + C2) / ((m1**2 + m2**2 + C1) * (v1 + v2 + C2))`` with the means ``m``, variances ``v``
    and covariance ``v12`` under a Gaussian window of 11x11 pixels and sigma 1.5, ``C1 = (0.01 * white)**2`` and
    ``C2 = (0.03 * white)**2``: averaged over all windows that lie wholly inside, and over the channels.

    Parameters
    ----------
    first, second : ndarray
        (H, W) or (H, W, C) of one shape, at least 11x11 pixels.
    white : float
        The full scale of the pixels: 255, 65535, 1.

    Returns
    -------
    float
        -1..1; NaN if a pixel is not finite.

    Raises
    ------
    ShapeError
        If the shapes differ, or a side is shorter than the window.

    Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality Assessment: From Error Visibility to
    Structural Similarity", IEEE Transactions on Image Processing 13(4), 2004, equation 13 and section III-C.

    Examples
    --------
    >>> ramp = np.arange(256.0).reshape(16, 16)
    >>> ssim(ramp, ramp, 255), round(ssim(ramp, 255 - ramp, 255), 3)
    (1.0, -0.826)
    """
    if first.shape != second.shape:
        raise ShapeError(f"second: got shape {second.shape}, expected {first.shape}")
    if min(first.shape[:2]) < WINDOW:
        raise ShapeError(f"picture: got {first.shape[0]}x{first.shape[1]}, expected at least {WINDOW}x{WINDOW} pixels")
    total, count = 0.0, 0
    windows = first.shape[0] - WINDOW + 1
    band = max(_BAND // (first.size // first.shape[0]), _FEWEST)
    for start in range(0, windows, band):
        rows = slice(start, min(start + band, windows) + WINDOW - 1)
        alike = _map(first[rows].astype(np.float64), second[rows].astype(np.float64), white)
        total, count = total + float(alike.sum()), count + alike.size
    return total / count


def _map(first: Array, second: Array, white: float) -> Array:
    """The index of every window (OH, OW[, C])."""

    def mean(values: Array) -> Array:
        return correlate2d(values, f"gaussian:sigma={SIGMA},size={WINDOW}")

    with np.errstate(invalid="ignore"):
        mean1, mean2 = mean(first), mean(second)
        variance1 = mean(first * first) - mean1 * mean1
        variance2 = mean(second * second) - mean2 * mean2
        covariance = mean(first * second) - mean1 * mean2
        c1, c2 = (_K1 * white) ** 2, (_K2 * white) ** 2
        alike = (2 * mean1 * mean2 + c1) * (2 * covariance + c2)
        return np.asarray(alike / ((mean1 * mean1 + mean2 * mean2 + c1) * (variance1 + variance2 + c2)))
