"""Edges in every direction: what kernels of several planes make of an image, as `convcli filter -k sobel` shows it.

Outlines, which take more steps, are `convcli.ops.canny`'s.
"""

from typing import Any

import numpy.typing as npt
from numpy.typing import NDArray

from convcli.kernels import parse_kernel
from convcli.ops.arguments import as_array, as_number, as_stack, result_dtype
from convcli.ops.borders import resolve_border
from convcli.ops.correlation import correlation_windows
from convcli.ops.responses import respond
from convcli.ops.signatures import BorderWord
from convcli.ops.sums import Border


def sobel(image: npt.ArrayLike, *, border: BorderWord = "reflect", value: float = 0.0) -> NDArray[Any]:
    """The slope of an image by Sobel's kernels: ``sqrt(sobel-x**2 + sobel-y**2)``, each channel by itself.

    These are the numbers that ``convcli filter -k sobel`` has before it makes pixels of them: they are neither clipped
    nor rounded, and an image that rises by 1 per pixel gives 8. `convcli.filter` gives the pixels.

    Parameters
    ----------
    image : array_like
        (H, W), (H, W, C) or (N, H, W, C) of integers or floats.
    border : str
        What continues the image: a word of `correlate2d`'s.
    value : float
        For ``constant``.

    Returns
    -------
    ndarray
        The image's layout and size: float64 for float64, else float32.

    Raises
    ------
    ShapeError
        If an argument is not as above.

    Source: I. Sobel, G. Feldman, A 3x3 isotropic gradient operator for image processing, talk, Stanford, 1968.

    Examples
    --------
    >>> sobel([[0, 0, 9], [0, 0, 9], [0, 0, 9]])
    array([[ 0., 36.,  0.],
           [ 0., 36.,  0.],
           [ 0., 36.,  0.]], dtype=float32)
    """
    return _edges(image, "sobel", border, value)


def scharr(image: npt.ArrayLike, *, border: BorderWord = "reflect", value: float = 0.0) -> NDArray[Any]:
    """The slope by Scharr's kernels, best for directions; arguments as in `sobel`, 32 for a rise of 1 per pixel.

    Source: H. Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung, dissertation, Heidelberg, 2000.

    Examples
    --------
    >>> scharr([[0, 0, 9]], border="edge")
    array([[  0., 144., 144.]], dtype=float32)
    """
    return _edges(image, "scharr", border, value)


def prewitt(image: npt.ArrayLike, *, border: BorderWord = "reflect", value: float = 0.0) -> NDArray[Any]:
    """The slope by Prewitt's kernels; arguments as in `sobel`, 6 for a rise of 1 per pixel.

    Source: J. M. S. Prewitt, Object enhancement and extraction, in: Picture Processing and Psychopictorics, 1970.

    Examples
    --------
    >>> prewitt([[0, 0, 9]], border="edge")
    array([[ 0., 27., 27.]], dtype=float32)
    """
    return _edges(image, "prewitt", border, value)


def roberts(image: npt.ArrayLike, *, border: BorderWord = "reflect", value: float = 0.0) -> NDArray[Any]:
    """The slope by the two diagonal differences of 2x2 pixels; arguments as in `sobel`.

    Source: L. G. Roberts, Machine perception of three-dimensional solids, MIT, 1963.

    Examples
    --------
    >>> roberts([[0, 0], [4, 3]])[0, 0]
    np.float32(5.0)
    """
    return _edges(image, "roberts", border, value)


def farid(image: npt.ArrayLike, *, border: BorderWord = "reflect", value: float = 0.0) -> NDArray[Any]:
    """The slope by matched filters of 5 taps; arguments as in `sobel`, 0.9918 for a rise of 1 per pixel.

    Source: H. Farid, E. P. Simoncelli, Differentiation of discrete multidimensional signals, IEEE Trans. Image
    Processing 13(4), 2004, 496-508.

    Examples
    --------
    >>> farid([[0, 1, 2, 3, 4]])[0, 2].round(4)
    np.float32(0.9918)
    """
    return _edges(image, "farid", border, value)


def frei_chen(image: npt.ArrayLike, *, border: BorderWord = "reflect", value: float = 0.0) -> NDArray[Any]:
    """The slope by Frei and Chen's kernels; arguments as in `sobel`, 6.828 for a rise of 1 per pixel.

    Source: W. Frei, C.-C. Chen, Fast boundary detection: a generalization and a new algorithm, IEEE Trans. Computers
    C-26(10), 1977, 988-998.

    Examples
    --------
    >>> frei_chen([[0, 1, 2]])[0, 1].round(3)
    np.float32(6.828)
    """
    return _edges(image, "frei-chen", border, value)


def kirsch(image: npt.ArrayLike, *, border: BorderWord = "reflect", value: float = 0.0) -> NDArray[Any]:
    """The largest response of Kirsch's eight kernels, one per direction; arguments as in `sobel`.

    Source: R. A. Kirsch, Computer determination of the constituent structure of biological images, Computers and
    Biomedical Research 4, 1971, 315-328.

    Examples
    --------
    >>> kirsch([[0, 0, 9]], border="edge")
    array([[  0., 135.,  81.]], dtype=float32)
    """
    return _edges(image, "kirsch", border, value)


def robinson(image: npt.ArrayLike, *, border: BorderWord = "reflect", value: float = 0.0) -> NDArray[Any]:
    """The largest response of Robinson's eight kernels, one per direction; arguments as in `sobel`.

    Source: G. S. Robinson, Edge detection by compass gradient masks, Computer Graphics and Image Processing 6, 1977,
    492-501.

    Examples
    --------
    >>> robinson([[0, 0, 9]], border="edge")
    array([[ 0., 36., 36.]], dtype=float32)
    """
    return _edges(image, "robinson", border, value)


def sobel3d(volume: npt.ArrayLike, *, border: BorderWord = "reflect", value: float = 0.0) -> NDArray[Any]:
    """The slope of a volume by three Sobel kernels: `sobel` with an axis more; 32 for a rise of 1 per voxel.

    Parameters
    ----------
    volume : array_like
        (D, H, W), (D, H, W, C) or (N, D, H, W, C) of integers or floats.
    border, value
        As in `sobel`.

    Examples
    --------
    >>> sobel3d([[[0, 1, 2]]])[0, 0, 1]
    np.float32(32.0)
    """
    return _edges(volume, "sobel3d", border, value, axes=3)


def _edges(image: Any, name: str, border: str, value: float, axes: int = 2) -> NDArray[Any]:
    argument = "image" if axes == 2 else "volume"
    array = as_array(argument, image)
    stack = as_stack(array, axes, name=argument)
    kernel = parse_kernel(name)
    windows = correlation_windows(stack.array.shape[4 - axes : 4], kernel.planes[0].shape, padding="same")
    beyond = Border(resolve_border(border), as_number("value", value))
    return stack.restore(respond(stack.array, kernel, windows, beyond, result_dtype(array.dtype)))
