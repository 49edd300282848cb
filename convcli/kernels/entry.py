"""What a kernel is, and what an entry of the kernel library is. The entries live in the modules beside this."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from convcli.errors import KernelError
from convcli.kernels.parameters import Parameter, Value
from convcli.notebooks import matrices, signed

Weights: TypeAlias = npt.NDArray[np.float64]

ZERO_SUM_TOLERANCE = 1e-6

# How the responses of several planes become one value per pixel.
COMBINATIONS = {
    "single": "the response of one kernel",
    "magnitude": "the root of the sum of squares of the responses",
    "angle": "the direction atan2(second response, first response), in radians",
    "maximum": "the largest of the responses",
    "edges": "white where the responses' magnitude has a ridge, else black",
    "rank": "one of the window's values, by its rank; not linear",
    "bilateral": "a mean whose weights depend on the values; not linear",
    "guided": "a mean of lines through the values; not linear",
    "nlmeans": "a mean whose weights depend on the values; not linear",
    "resize": "a picture of another size",
    "crop": "a part of the picture",
}

# What has a window but no weights. Planes are ones where it looks.
MATRIXLESS = ("rank", "bilateral", "guided", "nlmeans", "resize", "crop")
RESHAPING = ("resize", "crop")


@dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """A named kernel of the library and everything `convcli kernel show` says about it.

    ``build`` takes the parameters by name and returns one array, or for a compound kernel a tuple of arrays, whose
    names are ``parts`` where each is an entry itself; ``complete`` fills in the parameters whose default depends on
    others (a Gaussian's size). ``family`` is the entry under which `convcli kernel list` shows this one; ``dim``
    counts the axes. ``steps`` is what is done where that is more than correlating: such an entry has no matrix.
    """

    name: str
    group: str
    summary: str
    formula: str
    sign: str
    scale: str
    source: str
    build: Callable[..., Weights | tuple[Weights, ...]]
    parameters: tuple[Parameter, ...] = ()
    complete: Callable[[dict[str, Value]], dict[str, Value]] | None = None
    combine: str = "single"
    parts: tuple[str, ...] = ()
    dim: int = 2
    family: str = ""
    steps: tuple[str, ...] = ()

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of this name, or None."""
        return next((each for each in self.parameters if each.name == name), None)


@dataclass(frozen=True, eq=False)
class Kernel:
    """Weights ready to be correlated with an image, and where they came from.

    Attributes
    ----------
    name : str
        Safe in a file name: ``"gaussian"``, ``"sobel-x"``; ``"matrix"`` for an inline matrix, the stem for a file.
    spec : str
        Canonical text with every parameter's value: ``"gaussian:sigma=2,size=17"``. Parsing it gives the kernel again.
    planes : tuple of ndarray
        float64, read-only, all of one shape (KH, KW) or (KD, KH, KW): correlation weights. One for a linear kernel.
    combine : str
        ``"single"``, ``"magnitude"`` (root of the sum of squares), ``"angle"`` (atan2(plane 1, plane 0) in radians),
        ``"maximum"`` (the largest response), ``"edges"`` (Canny's), or one of `MATRIXLESS`: its planes are no weights.
    entry : Entry or None
        The entry of the library; None for matrices and files.
    parameters : dict
        The values the entry was built with; empty for matrices and files.
    """

    name: str
    spec: str
    planes: tuple[Weights, ...]
    combine: str = "single"
    entry: Entry | None = None
    parameters: dict[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frozen = tuple(_read_only(plane) for plane in self.planes)
        object.__setattr__(self, "planes", frozen)

    def __reduce__(self) -> tuple[Any, ...]:
        # For other processes, which need what it does, not what the library says of it: entries hold functions.
        return Kernel, (self.name, self.spec, self.planes, self.combine, None, self.parameters)

    @property
    def weights(self) -> Weights:
        """The one plane of a linear kernel; raises `KernelError` for a compound one."""
        if self.combine == "single":
            return self.planes[0]
        if self.combine == "edges":
            raise KernelError(
                f"{self.name} has no matrix: it smooths, takes slopes, thins and follows them; filter pictures with "
                f"-k {self.name}, arrays with convcli.{self.name}(image)"
            )
        if self.combine in MATRIXLESS:
            raise KernelError(
                f"{self.name} has no matrix: {COMBINATIONS[self.combine]}; filter pictures with -k {self.name}, "
                f"arrays with convcli.filter(image, '{self.spec}'); here weights are needed"
            )
        parts = self.entry.parts if self.entry else ()
        fix = f"; ask for {_either(parts)}" if parts else "; here one linear kernel is needed"
        raise KernelError(f"{self.name} is the {self.combine} of {len(self.planes)} kernels{fix}")

    def _repr_html_(self) -> str:
        """What a notebook shows: the weights, and what one has to know about them."""
        entry = self.entry
        names = entry.parts if entry and len(entry.parts) == len(self.planes) else ()
        notes = [COMBINATIONS[self.combine]] if self.combine != "single" else []
        notes += [f"{entry.summary}; sign: {entry.sign}; scale: {entry.scale}"] if entry else []
        if self.combine in MATRIXLESS:
            return matrices(self.spec, [], (), notes)
        return _drawn_in_html(self.planes, self.spec if entry else self.name, names, notes)

    @property
    def ndim(self) -> int:
        """Axes the kernel slides over: 2 for (KH, KW), 3 for (KD, KH, KW)."""
        return self.planes[0].ndim

    @property
    def has_matrix(self) -> bool:
        """Whether its planes are weights."""
        return self.combine not in MATRIXLESS

    @property
    def is_zero_sum(self) -> bool:
        """Whether a constant image gives 0: every plane's \\|sum\\| is at most 1e-6 of its sum of \\|weights\\|."""
        return all(is_zero_sum(plane) for plane in self.planes)


class KernelArray(np.ndarray[tuple[int, ...], np.dtype[np.float64]]):
    """Weights that a notebook draws; all else is an ndarray's, and what is computed from them is one."""

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else np.asarray(array)

    def __repr__(self) -> str:
        return repr(np.asarray(self))

    def _repr_html_(self) -> str | None:
        """The matrix, or None for what is none (a number taken out of it, a stack of many axes)."""
        return _drawn_in_html([np.atleast_2d(self)], "", (), []) if 1 <= self.ndim <= 3 and self.size else None


def _drawn_in_html(planes: Sequence[Weights], title: str, names: Sequence[str], notes: Sequence[str]) -> str:
    flat = [plane for each in planes for plane in (each if each.ndim == 3 else each[None])]
    sums = ", ".join(dict.fromkeys(f"{0.0 if is_zero_sum(each) else float(each.sum()):.6g}" for each in planes))
    sizes = "x".join(map(str, planes[0].shape))
    named = names if len(names) == len(flat) else [f"plane {index}" for index in range(len(flat))] * (len(flat) > 1)
    return matrices(title, [plane.tolist() for plane in flat], named, [f"{sizes}, sum {signed(sums)}", *notes])


def is_zero_sum(weights: npt.ArrayLike) -> bool:
    """Whether weights sum to zero, up to rounding: ``|sum w| <= 1e-6 * sum |w|``."""
    array = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(array).all():
        return False
    array = array / max(np.abs(array).max(initial=0.0), 1.0)  # sums of the largest numbers would be infinite
    return bool(abs(array.sum()) <= ZERO_SUM_TOLERANCE * np.abs(array).sum())


def matrix(text: str) -> Weights:
    """Build a matrix drawn in the source: numbers in rows, the rows ended by ``;``.

    >>> matrix("0 1; 2 3").tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    return np.array([[float(number) for number in row.split()] for row in text.split(";")])


def drawn(drawing: str, note: str = "", **words: Any) -> Entry:
    """The entry of one matrix, whose formula is its drawing, with a note behind it."""
    return Entry(formula=f"{drawing}{note}", build=lambda: matrix(drawing), **words)


def _read_only(plane: npt.ArrayLike) -> Weights:
    # A copy, so that freezing never reaches into an array the caller still owns; adding 0.0 turns -0.0 into 0.0.
    frozen = np.array(plane, dtype=np.float64, order="C") + 0.0
    frozen.flags.writeable = False
    return frozen


def _either(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def as_planes(built: Any) -> tuple[Weights, ...]:
    """What a build function returned, always as a tuple."""
    return built if isinstance(built, tuple) else (built,)
