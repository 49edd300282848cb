"""Grey-value morphology with flat elements: the largest and smallest values around each pixel, and what they make."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convcli.errors import ShapeError, suggestion
from convcli.geometry import Pair
from convcli.kernels.parameters import shortened
from convcli.loops import costs
from convcli.ops.arguments import Array, as_stack
from convcli.ops.borders import border_table, resolve_border
from convcli.ops.elements import Element, as_element, runs_of
from convcli.ops.ordering import as_ordered, highest, lowest
from convcli.ops.pooling_axes import Counts
from convcli.ops.signatures import OperationWord, OutsideWord
from convcli.ops.words import new_array, read_only, value_words

if TYPE_CHECKING:
    from convcli.loops.pooling.morphology import Block


@dataclass(frozen=True)
class Operation:
    """An operation as extrema one after the other, each ``dilate`` or ``erode``; none of them: the image as it is.

    The result is what comes out ``upper``, or of differences that less what comes out ``lower``.
    """

    upper: tuple[str, ...]
    lower: tuple[str, ...] | None = None


_OPEN, _CLOSE = ("erode", "dilate"), ("dilate", "erode")
OPERATIONS = {
    "dilate": Operation(("dilate",)),
    "erode": Operation(("erode",)),
    "open": Operation(_OPEN),
    "close": Operation(_CLOSE),
    "gradient": Operation(("dilate",), ("erode",)),
    "tophat": Operation((), _OPEN),
    "blackhat": Operation(_CLOSE, ()),
}


@dataclass(frozen=True)
class Beyond:
    """What lies beyond the border, and the constant as an ordered value; None stands for what never wins."""

    border: str
    fill: Any

    def value(self, dtype: np.dtype[Any], largest: bool) -> Any:
        """The constant of an ordered dtype, where the ``largest`` wins or the smallest."""
        return (lowest if largest else highest)(dtype) if self.fill is None else self.fill


def morph2d(
    image: npt.ArrayLike,
    operation: OperationWord,
    *,
    size: Counts | None = None,
    element: str | npt.ArrayLike | None = None,
    border: OutsideWord = "none",
    value: float = 0.0,
) -> Array:
    """Apply a grey-value morphological operation with a flat element, each channel by itself.

    With b running over the element's pixels, counted from its centre (pixel ``k // 2`` of an even side):

    - ``dilate``: ``out[p] = max over b of image[p - b]``
    - ``erode``: ``out[p] = min over b of image[p + b]``
    - ``open``: dilate(erode(image)); ``close``: erode(dilate(image))
    - ``gradient``: dilate(image) - erode(image)
    - ``tophat``: image - open(image); ``blackhat``: close(image) - image

    A window with NaN gives NaN. Differences of integers do not wrap: they stop at the dtype's limits.
    Source: J. Serra, "Image Analysis and Mathematical Morphology", 1982, chapters 2 and 12.

    Parameters
    ----------
    image : array_like
        (H, W), (H, W, C) or (N, H, W, C) of integers, floats or booleans.
    operation : str
        One of the operations above. (`dilate2d` is something else: zeros between pixels.)
    size : int or (int, int)
        The sides of a box, of any size; 3 where neither it nor ``element`` is given. Its cost grows with the logarithm
        of the size.
    element : str or array_like
        Instead of ``size``: ``"disk:radius=3"``, ``"cross:radius=1"``, ``"diamond:radius=2"``,
        ``"line:length=9,angle=45"``, ``"box:size=3"``, a matrix ``"0 1 0; 1 1 1; 0 1 0"``, or a (KH, KW) array of truth
        values.
    border : str
        ``"none"``: the element is cut off at the border, as in OpenCV, so nothing outside ever wins. Or ``constant``
        (``value``), ``edge``, ``reflect``, ``symmetric``, ``wrap``, in numpy.pad's words, or another library's name for
        one of them.
    value : float
        The constant, in pixel units.

    Returns
    -------
    ndarray
        The image's shape and dtype.

    Raises
    ------
    ShapeError
        If an argument is not as above.
    KernelError
        If the element cannot be used.

    Examples
    --------
    >>> morph2d([[0, 0, 0, 0], [0, 5, 0, 0], [0, 0, 0, 0]], "dilate", element="cross")
    array([[0, 5, 0, 0],
           [5, 5, 5, 0],
           [0, 5, 0, 0]])
    """
    return _morph(image, operation, 2, size, element, border, value)


def morph3d(
    image: npt.ArrayLike,
    operation: OperationWord,
    *,
    size: Counts | None = None,
    element: str | npt.ArrayLike | None = None,
    border: OutsideWord = "none",
    value: float = 0.0,
) -> Array:
    """Apply a grey-value morphological operation to a volume: `morph2d` with an axis more.

    Parameters
    ----------
    image : array_like
        (D, H, W), (D, H, W, C) or (N, D, H, W, C) of integers, floats or booleans.
    operation, border, value
        As in `morph2d`.
    size : int or (int, int, int)
        The sides of a box; 3 where neither it nor ``element`` is given.
    element : str or array_like
        As in `morph2d`; ``disk`` is a ball, ``diamond`` an octahedron, and there is no ``line``.

    Returns
    -------
    ndarray
        The volume's shape and dtype.

    Raises
    ------
    ShapeError, KernelError
        As `morph2d`.

    Examples
    --------
    >>> morph3d([[[1, 2, 3]], [[4, 5, 6]]], "erode", size=(2, 1, 1))
    array([[[1, 2, 3]],
    <BLANKLINE>
           [[1, 2, 3]]])
    """
    return _morph(image, operation, 3, size, element, border, value)


def resolve_operation(operation: str) -> str:
    """One of `OPERATIONS`, in any case; raises `ShapeError` for others."""
    word = str(operation).lower()
    if word not in OPERATIONS:
        near = suggestion(word, OPERATIONS) or f", expected {', '.join(OPERATIONS)}"
        raise ShapeError(f"operation: got {shortened(repr(operation))}{near}")
    return word


def reach(kernel_size: int, largest: bool) -> Pair:
    """Pixels before and after its own that a pixel's window covers along an axis.

    The largest is taken under the reflected element, whose centre is the other of an even side's two middle pixels.
    """
    return ((kernel_size - 1) // 2, kernel_size // 2) if largest else (kernel_size // 2, (kernel_size - 1) // 2)


def resolve_outside(border: str, shape: Element | tuple[int, ...]) -> str:
    """``none`` or a word of numpy.pad's, from its own name or another library's.

    Raises `ShapeError` for others, and for ``none`` with an element whose window may be empty.
    """
    if str(border).lower() == "none":
        if not isinstance(shape, tuple) and not shape[tuple(k // 2 for k in shape.shape)]:
            raise ShapeError("border: got 'none' with an element without its centre: a window may be empty; use 'edge'")
        return "none"
    try:
        return resolve_border(border)
    except ShapeError as error:
        raise ShapeError(str(error).replace("expected ", "expected none, ", 1)) from None


def morph_stack(source: Array, operation: str, shape: Element | tuple[int, ...], border: str, value: float) -> Array:
    """Morphology of a stack (N, D, H, W, C); ``shape`` is what `as_element` gives, of two or three dimensions.

    Raises `ShapeError` for an unknown operation or border, and for a value that the dtype does not hold.
    """
    operation = resolve_operation(operation)
    missing = 3 - (len(shape) if isinstance(shape, tuple) else shape.ndim)
    shape = (1,) * missing + shape if isinstance(shape, tuple) else shape[(None,) * missing]
    ordered, restore = as_ordered(source)
    beyond = beyond_border(resolve_outside(border, shape), value, source.dtype)

    def through(stages: tuple[str, ...]) -> Array:
        result = ordered
        for stage in stages:
            result = slide(result, shape, stage == "dilate", beyond)
        return result

    stages = OPERATIONS[operation]
    upper = through(stages.upper)
    return restore(upper) if stages.lower is None else difference(upper, through(stages.lower), source.dtype)


def _morph(
    image: Any, operation: str, axes: int, size: Counts | None, element: Any, border: str, value: float
) -> Array:
    stack = as_stack(image, axes, keep_dtype=True)
    shape = as_element(size, element, axes)
    return stack.restore(morph_stack(stack.array, operation, shape, border, value))


def beyond_border(border: str, value: float, dtype: np.dtype[Any]) -> Beyond:
    """What lies beyond the border of an ordered array made of ``dtype``; ``border`` is what `resolve_outside` gives."""
    if border == "none":
        return Beyond("constant", None)
    fill = value_words(value, dtype).view(dtype) if border == "constant" else np.zeros(1, dtype)
    return Beyond(border, as_ordered(fill)[0][0])


def difference(upper: Array, lower: Array, dtype: np.dtype[Any]) -> Array:
    """``upper - lower`` of ordered arrays as ``dtype``, stopping at its limits."""
    if dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            return (upper - lower).astype(dtype, copy=False)
    result = np.maximum(upper, lower)
    result -= lower
    if dtype.kind == "i":
        np.minimum(result, result.dtype.type(np.iinfo(dtype).max), out=result)
    return result.view(dtype)


def slide(source: Array, shape: Element | tuple[int, ...], largest: bool, beyond: Beyond) -> Array:
    """Extrema of ordered (N, D, H, W, C) under a box or an element (KD, KH, KW), reflected for the largest."""
    identity = (lowest if largest else highest)(source.dtype)
    fill = beyond.value(source.dtype, largest)
    sizes = shape if isinstance(shape, tuple) else shape.shape
    pads = tuple(reach(k, largest) for k in sizes)
    if isinstance(shape, tuple):
        return _slide_box(source, pads, largest, beyond.border, fill)
    from convcli.loops.pooling.morphology import slide_runs

    runs, begins = runs_of(np.flip(shape) if largest else shape)
    out = new_array(source.shape, source.dtype)
    tables = tuple(border_table(n, pad, beyond.border) for n, pad in zip(source.shape[1:4], pads, strict=True))
    flat = source.reshape(*source.shape[:3], -1)
    block = _block(source.shape[4], sizes, pads[2][0], flat, source.shape[0] * source.shape[1])
    slide_runs(
        read_only(flat), tables, runs, begins, block, fill, identity, None if largest else True, out.reshape(flat.shape)
    )
    return out


def _slide_box(source: Array, pads: tuple[Pair, ...], largest: bool, border: str, fill: Any) -> Array:
    """A box is done plane by plane, then, if it has a depth, with each plane as one long row."""
    images, depth, height, width, channels = source.shape
    # What is two image sizes away has been seen before, in any border: a box of any size costs no memory.
    z, y, x = (
        (min(before, 2 * n), min(after, 2 * n)) for (before, after), n in zip(pads, source.shape[1:4], strict=True)
    )
    result = source
    if any(y) or any(x) or not any(z):
        flat = result.reshape(images * depth, height, width * channels)
        result = _slide_planes(flat, channels, y, x, largest, border, fill)
    if any(z):
        flat = result.reshape(images, depth, height * width * channels)
        result = _slide_planes(flat, 1, z, (0, 0), largest, border, fill)
    return result.reshape(source.shape)


def _slide_planes(source: Array, channels: int, y: Pair, x: Pair, largest: bool, border: str, fill: Any) -> Array:
    from convcli.loops.pooling.morphology import slide_box

    out = new_array(source.shape, source.dtype)
    planes, height, numbers = source.shape
    tables = border_table(height, y, border), border_table(numbers // channels, x, border)
    block = _block(channels, (1, sum(y) + 1, sum(x) + 1), x[0], source, planes)
    slide_box(read_only(source), tables, block, fill, None if largest else True, out)
    return out


def _block(channels: int, sizes: tuple[int, ...], left: int, flat: Array, planes: int) -> "Block":
    from convcli.loops.pooling.morphology import Block

    kernel_z, kernel_y, kernel_x = sizes
    height, width = flat.shape[-2], flat.shape[-1] // channels
    row_bytes = min(costs.MORPH_ROW_BYTES, max(costs.MORPH_BLOCK_BYTES // kernel_y, 1024))
    # A block should not be less than what hangs over it.
    tile = max(row_bytes // (channels * flat.dtype.itemsize), min(kernel_x, width // 2), 1)
    tiles = -(-width // tile)
    band = max(-(-height * planes * tiles // costs.PARTS), min(kernel_y, -(-height // 8)))
    return Block(channels, kernel_z, kernel_y, kernel_x, left, -(-width // tiles), band)
