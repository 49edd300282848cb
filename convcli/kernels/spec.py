"""Reads a kernel SPEC: what a user writes after ``--kernel``.

::

    name                      gaussian            sobel-x
    name:param=value,...      gaussian:sigma=2    box:size=3x5    log:sigma=1/2
    name:value,...            gaussian:2          box:3x5         bilateral:4,sigma_color=22
    matrix                    0 -1 0; -1 5 -1; 0 -1 0             1/9 1/9 1/9, ...
    planes of a 3-D matrix    0 1; 1 0 | 2 3; 3 2
    file                      mine.txt  mine.csv  mine.json  mine.npy

Which of these a text is, is decided in this order:

1. It ends in ``.txt``, ``.csv``, ``.json`` or ``.npy``: a file.
2. It starts with a digit, a sign, a point or ``[``: a matrix (see `convcli.kernels.matrices`). So is what starts with
   something else but contains ``;``, ``|``, a line break or a number between spaces, unless it starts with a name of
   the library. What starts with ``/``, ``./`` or ``../`` is never a matrix.
3. The part before ``:`` names an entry of the library: that entry. A file of the same name needs ``./``.
4. It is the path of something that exists, or contains a ``/``: a file, read as text.
5. Anything else is a name that the library does not know; the nearest one is suggested.

Names may be written in capitals and with ``_`` for ``-``. The first parameter may be given without its name.
"""

import difflib
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.entry import Entry, Kernel, KernelArray, Weights, as_planes, is_zero_sum
from convcli.kernels.files import SUFFIXES, file_stem, read_kernel_file
from convcli.kernels.library import ALIASES, LIBRARY
from convcli.kernels.matrices import check_weights, format_matrix, read_matrix
from convcli.kernels.parameters import NUMBER, Value, format_value, shortened

# What people look for among kernels, and where it is.
_OTHERWISE = {
    ("gray", "grey", "grayscale", "greyscale", "desaturate"): "--channels gray makes grey of colour",
    ("invert", "negative", "negate"): "-k identity --scale -1 --bias 255 turns light and dark about",
    ("brightness", "contrast", "brighten", "darken"): "-k identity with --scale (contrast) and --bias does it",
    ("dilate", "erode", "open", "close", "opening", "closing"): "convcli morph does it",
    ("pad", "border", "pool"): "convcli pad and convcli pool are commands of their own",
}
_BEGINS_NUMBER = re.compile(r"[+\-−.]?[0-9]", re.ASCII)


def parse_kernel(spec: str, *, files: bool = True) -> Kernel:
    """Read a kernel SPEC.

    Parameters
    ----------
    spec : str
        A name, a name with parameters, a matrix or a file, as described at the top of this module.
    files : bool
        Whether it may be a file; without, no file is looked at, whatever the text is.

    Returns
    -------
    Kernel
        Its planes are float64 correlation weights, (KH, KW) or (KD, KH, KW).

    Raises
    ------
    KernelError
        One line that points at the row, column or parameter.

    Examples
    --------
    >>> parse_kernel("gaussian:sigma=2").spec
    'gaussian:sigma=2,size=17'
    >>> parse_kernel("1 0 -1").weights.shape
    (1, 3)
    """
    if not isinstance(spec, str):
        raise KernelError(
            f"kernel: got {type(spec).__name__}, expected a text such as 'sharpen' or '0 -1 0; -1 5 -1; 0 -1 0'"
        )
    text = spec.strip()
    if not text:
        raise KernelError("kernel is empty: expected a name, a matrix or a file; see: convcli kernel list")
    if files and text.lower().endswith(SUFFIXES):
        return _from_file(text)
    if _looks_like_matrix(text):
        weights = read_matrix(text)
        return Kernel("matrix", format_matrix(weights), (weights,))
    name, colon, parameters = text.partition(":")
    entry = _find(name)
    if entry:
        return _from_library(entry, parameters, bool(colon))
    if files and ("/" in text or _exists(text)):
        return _from_file(text)
    raise KernelError(_unknown(name))


def kernel(spec: str) -> Weights:
    """Give the weights of a kernel as a new array.

    The weights are those of cross-correlation: ``sobel-x`` is positive where brightness rises to the right.

    Parameters
    ----------
    spec : str
        A name (``"sharpen"``), a name with parameters (``"gaussian:sigma=2"``), a matrix
        (``"0 -1 0; -1 5 -1; 0 -1 0"``) or a file (``"mine.csv"``). ``convcli kernel list`` prints the names.

    Returns
    -------
    ndarray
        float64, (KH, KW), or (KD, KH, KW) for a 3-D kernel. It is yours to change, and a notebook draws it.

    Raises
    ------
    KernelError
        If the SPEC cannot be read, or if it names several kernels at once as ``sobel`` does (ask for ``sobel-x``).

    Examples
    --------
    >>> kernel("sobel-x")
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]])
    """
    return parse_kernel(spec).weights.copy().view(KernelArray)


def flipped(kernel: Kernel) -> Kernel:
    """Reverse every axis of every plane: correlating with the result is convolving with ``kernel``.

    Name and spec stay those of the kernel that was asked for.
    """
    return replace(kernel, planes=tuple(np.flip(plane) for plane in kernel.planes))


def normalized(kernel: Kernel, how: Literal["none", "sum", "abs"]) -> Kernel:
    """Divide each plane by its sum (``"sum"``) or by the sum of its magnitudes (``"abs"``).

    A plane that sums to zero is never divided by its sum, and one that is zero everywhere is never divided at all.
    Name and spec stay those of the kernel that was asked for.
    """
    if how == "none":
        return kernel
    if how not in ("sum", "abs"):
        raise KernelError(f"normalize: got {how!r}, expected none, sum or abs")

    def divided(plane: Weights) -> Weights:
        divisor = float(np.abs(plane).sum()) if how == "abs" else 1.0 if is_zero_sum(plane) else float(plane.sum())
        return plane / divisor if divisor else plane

    return replace(kernel, planes=tuple(divided(plane) for plane in kernel.planes))


def _looks_like_matrix(text: str) -> bool:
    if text.startswith(("./", "../", "/")):
        return False
    if text[0] in "0123456789+-−.[":
        return True
    if _find(re.split(r"[\s:;|,=]", text, maxsplit=1)[0]):
        return False  # "gaussian;sigma=2" is a name and a slip, not a matrix
    if any(each in text for each in ";|\n"):
        return True
    return ":" not in text and any(NUMBER.fullmatch(word) for word in re.split(r"[\s,]+", text))


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        return False


def _from_file(path: str) -> Kernel:
    return Kernel(file_stem(path), path, (read_kernel_file(path),))


def _find(name: str) -> Entry | None:
    plain = name.strip().lower().replace("_", "-")
    return LIBRARY.get(ALIASES.get(plain, plain))


def _unknown(name: str) -> str:
    plain = re.sub(r"[\s_]+", "-", name.strip().lower())
    near = difflib.get_close_matches(plain, [*LIBRARY, *ALIASES], n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else "."
    hint = next((f"; {fix}." for words, fix in _OTHERWISE.items() if plain in words), hint)
    head = re.split(r"[\s;|,=]", name.strip(), maxsplit=1)[0]
    entry = _find(head)
    if entry and entry.parameters:
        hint += f" Parameters follow a colon: {head}:{entry.parameters[0].name}=VALUE."
    return f"kernel: no kernel or file is named '{shortened(name.strip())}'{hint} All names: convcli kernel list"


def _from_library(entry: Entry, parameters: str, has_colon: bool) -> Kernel:
    given = _read_parameters(entry, parameters) if has_colon else {}
    if "size" in given and "truncate" in given:
        raise KernelError(f"kernel {entry.name}: truncate sets the size, so give one of size and truncate, not both")
    values = {each.name: given.get(each.name, each.default_value(entry.dim)) for each in entry.parameters}
    if entry.complete:
        values = entry.complete(values)
    words = ",".join(f"{name}={format_value(value)}" for name, value in values.items())
    size = values.get("size")
    if isinstance(size, tuple):
        check_weights(math.prod(int(n) for n in size), f"kernel {entry.name}: size={format_value(size)}")
    planes = as_planes(entry.build(**values))
    if not any(plane.any() for plane in planes):
        raise KernelError(f"kernel {entry.name}: every weight is zero for {words}; choose other parameters")
    return Kernel(entry.name, f"{entry.name}:{words}" if words else entry.name, planes, entry.combine, entry, values)


def _read_parameters(entry: Entry, text: str) -> dict[str, Value]:
    allowed = ", ".join(f"{each.name}={each.default_text}" for each in entry.parameters)
    takes = f"{entry.name} takes {allowed}" if allowed else f"{entry.name} takes no parameters"
    values: dict[str, Value] = {}
    for position, item in enumerate(text.split(","), 1):
        name, equals, value = (part.strip() for part in item.partition("="))
        if position == 1 and not equals and entry.parameters and _BEGINS_NUMBER.match(name):
            is_share = name.endswith("%") and entry.parameter("scale")
            name, equals, value = "scale" if is_share else entry.parameters[0].name, "=", name
        if not equals or not name or not value:
            got = f"parameter {position}: got '{shortened(item.strip())}'"
            is_axis = position > 1 and NUMBER.fullmatch(item.strip())
            fix = " (values per axis are written 3x5)" if is_axis else ""
            raise KernelError(f"kernel {entry.name}, {got}, expected param=value{fix}; {takes}")
        parameter = entry.parameter(name.lower().replace("-", "_"))
        if parameter is None:
            raise KernelError(f"kernel {entry.name}: unknown parameter '{shortened(name)}'; {takes}")
        if parameter.name in values:
            raise KernelError(f"kernel {entry.name}: {parameter.name} is given twice")
        values[parameter.name] = parameter.read(value, entry.name, entry.dim)
    return values
