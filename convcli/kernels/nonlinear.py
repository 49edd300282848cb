"""What filters like a kernel but has no weights: ranks of windows, means of what looks alike, resize and crop.

A plane stands for the window: ones where it looks (a bilateral filter's are its weights in space). What is done with
it is `convcli.ops.nonlinear`'s and `convcli.ops.resampling`'s.
"""

import math
from functools import partial
from typing import Any

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.entry import Entry, Weights
from convcli.kernels.matrices import check_weights
from convcli.kernels.parameters import MAX_WEIGHTS, Parameter, Value, format_value

RANKS = "Values of the window by their rank (not linear, no matrix)"
MEANS = "Smoothing that keeps edges (not linear, no matrix)"
SHAPES = "Other sizes, as steps of a chain (no matrix)"

_LONGEST = 1_000_000  # pixels of a side

_VALUES = "a value of the picture, so none is new"
_PIXELS = (
    "for pixels 0 to 255; for 16-bit and float pixels (0 to 1) it is brought to that range; volumes and signals are "
)
_PIXELS += "taken in the numbers they hold"
_SIZE = Parameter("size", 3, 1, MAX_WEIGHTS, "width of the window in pixels", integer=True, per_axis=True)
_WIDE = "2*floor(2*sigma + 0.5) + 1"
_MIDDLE = "the middle one, of an even number the lower"


def _ones(size: tuple[int, ...], **others: Value) -> Weights:
    return np.ones(size)


def _complete_rank(values: dict[str, Value]) -> dict[str, Value]:
    """Let the rank follow from percent, as scipy.ndimage's percentile_filter has it."""
    size, rank, percent = values["size"], values["rank"], values["percent"]
    assert isinstance(size, tuple)
    cells = math.prod(int(n) for n in size)
    if rank is not None and percent is not None:
        raise KernelError("kernel rank: got both rank and percent, expected one of them")
    if rank is None:
        share = 50.0 if percent is None else percent
        assert isinstance(share, float)
        rank = min(int(cells * share / 100), cells - 1)
    assert isinstance(rank, int)
    if not -cells <= rank < cells:
        raise KernelError(f"kernel rank: rank={rank} is out of range: expected 0 to {cells - 1} for {cells} pixels")
    return {"size": size, "rank": rank % cells}


def _check_odd(name: str, values: dict[str, Value], *names: str) -> None:
    for each in names:
        value = values[each]
        sides = value if isinstance(value, tuple) else (value,)
        if any(side is not None and side % 2 == 0 for side in sides):
            raise KernelError(
                f"kernel {name}: {each}={format_value(value)} is even; expected odd numbers, which have a middle"
            )


def _complete_bilateral(axes: int, values: dict[str, Value]) -> dict[str, Value]:
    """Let the size follow from sigma: two of them at either side."""
    sigma, size = values["sigma"], values["size"]
    assert isinstance(sigma, float)
    _check_odd("bilateral", values, "size")
    size = 2 * math.floor(2 * sigma + 0.5) + 1 if size is None else size
    assert isinstance(size, int)
    check_weights(size**axes, "kernel bilateral")
    return values | {"size": size}


def _near(axes: int, sigma: float, sigma_color: float, size: int) -> Weights:
    """A Gaussian of the places in a circle or ball, 1 in the middle."""
    offsets = np.indices((size,) * axes) - size // 2
    squares = np.sum(offsets**2, axis=0)
    # The smallest double above 0 is a weight still; 0 would be a place outside.
    bell = np.maximum(np.exp(-squares / (2 * sigma**2)), np.finfo(np.float64).tiny)
    return np.where(squares <= (size // 2) ** 2, bell, 0.0)


def _complete_guided(values: dict[str, Value]) -> dict[str, Value]:
    _check_odd("guided", values, "size")
    return values


def _complete_nlmeans(values: dict[str, Value]) -> dict[str, Value]:
    _check_odd("nlmeans", values, "patch", "search")
    return values


def _complete_resize(values: dict[str, Value]) -> dict[str, Value]:
    given: dict[str, Value] = {name: value for name, value in values.items() if value is not None}
    if len(given) > 1 and set(given) != {"width", "height"}:
        got = " and ".join(given)
        raise KernelError(
            f"kernel resize: got {got}, expected width, height, both of these, longest, within or scale: "
            "resize:width=800"
        )
    return given


def _complete_crop(values: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value is not None}


def _nothing(**others: Value) -> Weights:
    return np.ones((1, 1))


def _ranked(name: str, dim: int, which: str, summary: str, **words: Any) -> Entry:
    return Entry(
        name=name + "3d" * (dim == 3),
        group=RANKS,
        family=name,
        summary=summary + " of voxels" * (dim == 3),
        formula=f"of the values under the window {which}",
        sign=_VALUES,
        scale="1: a constant picture stays as it is",
        build=_ones,
        combine="rank",
        dim=dim,
        steps=(
            "puts the values under the window in order",
            f"takes {which}",
            "where a window has NaN the result is NaN",
        ),
        **{"parameters": (_SIZE,), **words},
    )


_TUKEY = "J. W. Tukey, Exploratory Data Analysis, 1977, chapter 7 (running medians)"
_SERRA = "J. Serra, Image Analysis and Mathematical Morphology, 1982, chapter 12"
_RANK = (
    _SIZE,
    Parameter("rank", None, -MAX_WEIGHTS, MAX_WEIGHTS, "0 the smallest, 1 the next ...; -1 the largest", integer=True),
    Parameter("percent", None, 0, 100, "instead of rank: how many of the values lie below; 50 if neither is given"),
)
_BY_RANK: dict[str, Any] = {"source": _TUKEY, "parameters": _RANK, "complete": _complete_rank}


def _bilateral(dim: int) -> Entry:
    return Entry(
        name="bilateral" + "3d" * (dim == 3),
        group=MEANS,
        family="bilateral",
        summary="Smooth surfaces, sharp edges: a mean of near pixels that look alike" + " in volumes" * (dim == 3),
        formula="sum(w * value) / sum(w), w = exp(-distance^2/(2*sigma^2)) * exp(-difference^2/(2*sigma_color^2))",
        sign="positive: the result lies among the values of the window",
        scale=f"sigma_color is {_PIXELS}",
        source="C. Tomasi, R. Manduchi, Bilateral filtering for gray and color images, ICCV 1998, 839-846",
        build=partial(_near, dim),
        combine="bilateral",
        dim=dim,
        parameters=(
            Parameter("sigma", 3, 0.1, 250, "standard deviation in space, in pixels"),
            Parameter("sigma_color", 30, 0.01, 10_000, "standard deviation of differences in value"),
            Parameter("size", None, 1, 501, "diameter of the window in pixels, odd", True, False, _WIDE),
        ),
        complete=partial(_complete_bilateral, dim),
        steps=(
            f"looks at the pixels of a {'ball' if dim == 3 else 'circle'} of this diameter",
            "weighs each by how near it is, and by how little it differs, all channels together",
            "takes the mean by these weights",
        ),
    )  # fmt: skip


ENTRIES = (
    *(
        entry
        for dim in (2, 3)
        for entry in (
            _ranked("median", dim, _MIDDLE, "Removes specks, keeps edges: the median", source=_TUKEY),
            _ranked("max", dim, "the largest", "The largest value: bright areas grow", source=_SERRA),
            _ranked("min", dim, "the smallest", "The smallest value: bright areas shrink", source=_SERRA),
            _ranked("rank", dim, "the one of this rank", "A value by its rank, or by percent", **_BY_RANK),
        )
    ),
    _bilateral(2),
    _bilateral(3),
    Entry(
        name="guided",
        group=MEANS,
        summary="Smooth surfaces, edges without halos: the guided filter, each channel its own guide",
        formula="mean(a) * value + mean(b), a = variance/(variance + contrast^2), b = (1 - a) * mean",
        sign="positive where a window is flat; edges keep their slope",
        scale=f"contrast is {_PIXELS}",
        source="K. He, J. Sun, X. Tang, Guided image filtering, IEEE Trans. PAMI 35(6), 2013, 1397-1409",
        build=lambda size, contrast: np.ones(tuple(2 * n - 1 for n in size)),
        combine="guided",
        parameters=(
            Parameter("size", 9, 1, 999, "width of each of two windows in pixels, odd", integer=True, per_axis=True),
            Parameter("contrast", 20, 0.01, 10_000, "deviations in a window that count as an edge"),
        ),
        complete=_complete_guided,
        steps=(
            "takes mean and variance of each window; their cost does not depend on its size",
            "fits a line: steep where the variance is large against contrast^2, flat where it is small",
            "takes the mean of the lines of all windows that hold a pixel",
        ),
    ),
    Entry(
        name="nlmeans",
        group=MEANS,
        summary="Removes noise, keeps texture: non-local means",
        formula="sum(w * value) / sum(w), w = exp(-d^2/strength^2), d^2 the mean of squared differences of patches",
        sign="positive: the result lies among the values that are searched",
        scale=f"strength is {_PIXELS}; about the standard deviation of the noise",
        source="A. Buades, B. Coll, J.-M. Morel, A non-local algorithm for image denoising, CVPR 2005, 60-65",
        build=lambda strength, patch, search: np.ones((patch + search - 1,) * 2),
        combine="nlmeans",
        parameters=(
            Parameter("strength", 10, 0.01, 10_000, "difference between patches that are still alike"),
            Parameter("patch", 7, 1, 99, "width of the patches that are compared, odd", integer=True),
            Parameter("search", 21, 1, 499, "width of the area whose patches are compared, odd", integer=True),
        ),
        complete=_complete_nlmeans,
        steps=(
            "compares the patch around a pixel with those around all pixels of the search area",
            "weighs each of them by how little the patches differ",
            "takes the mean by these weights",
        ),
    ),
    Entry(
        name="resize",
        group=SHAPES,
        summary="Another size, antialiased: Lanczos's window of 3 lobes, as Pillow's LANCZOS",
        formula="sum(w * value) / sum(w), w = sinc(x) * sinc(x/3), x in the coarser of old and new pixels",
        sign="positive in the middle; negative lobes sharpen",
        scale="1: a constant picture stays as it is; the border is cut off, not continued",
        source="C. E. Duchon, Lanczos filtering in one and two dimensions, J. Applied Meteorology 18, 1979, 1016-1022",
        build=_nothing,
        combine="resize",
        parameters=(
            Parameter("width", None, 1, _LONGEST, "in pixels; the height follows unless it is given", integer=True),
            Parameter("height", None, 1, _LONGEST, "in pixels; the width follows unless it is given", integer=True),
            Parameter("longest", None, 1, _LONGEST, "the longer side in pixels", integer=True),
            Parameter("within", None, 1, _LONGEST, "it too, but nothing is made larger", integer=True),
            Parameter("scale", None, 0.0001, 1000, "what both sides are multiplied by: 1/2 halves them"),
        ),
        complete=_complete_resize,
        steps=("weighs the pixels under a window that grows as pixels are left out, along each axis",),
    ),
    Entry(
        name="crop",
        group=SHAPES,
        summary="A part of the picture",
        formula="the pixels from column x and row y on, counted from 0",
        sign="as the picture",
        scale="1: pixels stay as they are",
        source="a part; nothing is computed",
        build=_nothing,
        combine="crop",
        parameters=(
            Parameter("width", None, 1, _LONGEST, "in pixels; without it to the right edge", integer=True),
            Parameter("height", None, 1, _LONGEST, "in pixels; without it to the lower edge", integer=True),
            Parameter("x", None, 0, _LONGEST, "the first column; without it the middle", integer=True),
            Parameter("y", None, 0, _LONGEST, "the first row; without it the middle", integer=True),
        ),
        complete=_complete_crop,
        steps=("takes width x height pixels from x, y on",),
    ),
)  # fmt: skip
