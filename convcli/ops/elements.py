"""Flat structuring elements: which pixels around a pixel a morphological operation looks at."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError, ShapeError, suggestion
from convcli.geometry import per_axis
from convcli.kernels.files import SUFFIXES, read_kernel_file
from convcli.kernels.matrices import read_matrix
from convcli.kernels.parameters import read_number, shortened
from convcli.ops.arguments import as_array

Element = NDArray[np.bool_]

# Beyond this an element is a slip of the keyboard; boxes are not held in memory and know no limit.
_MOST_CELLS = 16_000_000
USUAL_SIZE = 3  # the side of the box that is taken where nothing is said


def disk(axes: int, radius: float) -> Element:
    """Pixels no further than ``radius`` from the centre; a ball in three dimensions."""
    return _by_distance(axes, radius, lambda offsets: np.sum(offsets**2, axis=0) <= radius**2)


def diamond(axes: int, radius: float) -> Element:
    """Pixels at most ``radius`` steps along the axes from the centre; an octahedron in three dimensions."""
    return _by_distance(axes, radius, lambda offsets: np.sum(abs(offsets), axis=0) <= radius)


def cross(axes: int, radius: float) -> Element:
    """Pixels on the axes through the centre, up to ``radius`` from it."""
    return _by_distance(axes, radius, lambda offsets: np.count_nonzero(offsets, axis=0) <= 1)


def line(axes: int, length: float, angle: float) -> Element:
    """A line of odd ``length`` in pixels through the centre, ``angle`` degrees counter-clockwise from the row.

    Its pixels are one per step along the axis it is nearer to, so that a slanted line has fewer than ``length``.
    """
    if axes != 2:
        raise KernelError("element: got a line for a volume, expected box, disk, cross or diamond, or an array")
    if length != int(length) or int(length) % 2 == 0 or length < 1:
        raise KernelError(f"element line: got length={length:g}, expected an odd whole number")
    rise, run = -math.sin(math.radians(angle)), math.cos(math.radians(angle))
    longer = max(abs(rise), abs(run))
    half = round((int(length) - 1) / 2 * longer)
    _check_cells((2 * half + 1) ** 2)
    steps = np.arange(-half, half + 1)
    offsets = [np.rint(steps * part / longer).astype(int) for part in (rise, run)]
    reach = [int(abs(each).max()) for each in offsets]
    element = np.zeros([2 * each + 1 for each in reach], bool)
    element[offsets[0] + reach[0], offsets[1] + reach[1]] = True
    return element


def box(axes: int, size: float) -> Element:
    """All pixels of a square or cube."""
    if size != int(size) or size < 1:
        raise KernelError(f"element box: got size={size:g}, expected a whole number of at least 1")
    _check_cells(int(size) ** axes)
    return np.ones((int(size),) * axes, bool)


# Name -> how it is built, and its parameters with their defaults.
ELEMENTS: dict[str, tuple[Callable[..., Element], dict[str, float]]] = {
    "box": (box, {"size": 3}),
    "disk": (disk, {"radius": 1}),
    "cross": (cross, {"radius": 1}),
    "diamond": (diamond, {"radius": 1}),
    "line": (line, {"length": 3, "angle": 0}),
}
_ALIASES = {"ball": "disk", "square": "box", "rectangle": "box", "circle": "disk", "ellipse": "disk"}


def as_element(size: Any, element: Any, axes: int) -> Element | tuple[int, ...]:
    """The sizes of a box, or an array (KH, KW) or (KD, KH, KW) of truth values that is not a box; from either argument.

    Without both it is a box of three cells along each axis. Raises `ShapeError` or `KernelError` if both are given, or
    they cannot be used.
    """
    if size is not None and element is not None:
        raise ShapeError("size, element: got both, expected one: size=3 for a box, or element='disk:radius=3'")
    if element is None:
        return per_axis(USUAL_SIZE if size is None else size, axes, "size")
    if isinstance(element, str):
        array = parse_element(element, axes)
    else:
        array = as_array("element", element, "a full matrix", KernelError)
        _check_cells(array.size)
        if array.dtype.kind == "f" and np.isin(array, (0, 1)).all():
            array = array.astype(bool)  # as numpy.ones makes them
    if array.ndim != axes and isinstance(element, str):
        planes = "; planes are set apart by |, as in '0 1; 1 1 | 1 1; 1 0'" if axes == 3 else ""
        raise KernelError(f"element: got {array.ndim} dimensions, expected {axes}{planes}")
    if array.ndim != axes or array.dtype.kind not in "bui" or not array.any():
        raise KernelError(
            f"element: got {array.dtype} of shape {array.shape}, expected truth values or integers, not all zero, "
            f"of {axes} dimensions"
        )
    array = array.astype(bool)
    return array.shape if array.all() else array


def parse_element(spec: str, axes: int) -> Element:
    """Read ``disk:radius=3``, ``disk:3``, ``cross``, ``line:9,angle=45`` or a matrix such as ``0 1 0; 1 1 1; 0 1 0``.

    >>> parse_element("cross", 2).astype(int)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]])
    """
    text = spec.strip()
    if text.lower().endswith(SUFFIXES):
        try:
            return np.asarray(read_kernel_file(text) != 0)
        except KernelError as error:
            raise KernelError(str(error).replace("kernel", "element", 1)) from None
    if text[:1].isdigit() or text[:1] == "[":
        try:
            return np.asarray(read_matrix(text) != 0)
        except KernelError as error:
            raise KernelError(str(error).replace("kernel", "element", 1)) from None
    name, colon, rest = text.partition(":")
    name = name.strip().lower()
    name = _ALIASES.get(name, name)
    if name not in ELEMENTS:
        near = suggestion(name, [*ELEMENTS, *_ALIASES]) or f", expected {', '.join(ELEMENTS)}, or a matrix"
        raise KernelError(f"element: got {shortened(spec)!r}{near}")
    build, defaults = ELEMENTS[name]
    values = dict(defaults)
    for index, word in enumerate(rest.split(",") if colon else ()):
        key, equals, number = (part.strip() for part in word.partition("="))
        if index == 0 and not equals:  # the first one may do without its name, as a kernel's
            key, number = next(iter(defaults)), key
        value = read_number(number)
        if key not in defaults or value is None:
            example = ",".join(f"{each}={default:g}" for each, default in defaults.items())
            raise KernelError(f"element {name}: got {shortened(word)!r}, expected as in {name}:{example}")
        values[key] = value
    return build(axes, **values)


def runs_of(element: Element) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The runs (row, first column, length) of an element (KD, KH, KW), shorter ones first; and where planes begin.

    The second array has KD + 1 entries.
    """
    found, begins = [], [0]
    for plane in element:
        edges = np.diff(np.pad(plane.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        rows, first = np.nonzero(edges == 1)
        _, end = np.nonzero(edges == -1)
        runs = np.stack([rows, first, end - first], axis=1).astype(np.int64)
        found.append(runs[np.argsort(runs[:, 2], kind="stable")])
        begins.append(begins[-1] + len(runs))
    return np.concatenate(found), np.array(begins, np.int64)


def _by_distance(axes: int, radius: float, inside: Callable[[Any], Any]) -> Element:
    if not 0 <= radius < math.inf:
        raise KernelError(f"element: got radius={radius:g}, expected a number of at least 0")
    reach = int(radius)
    _check_cells((2 * reach + 1) ** axes)
    offsets = np.indices((2 * reach + 1,) * axes) - reach
    return np.asarray(inside(offsets))


def _check_cells(cells: int) -> None:
    if cells > _MOST_CELLS:
        raise KernelError(
            f"element: got {cells} pixels, expected at most {_MOST_CELLS}; size=N makes a box of any size"
        )
