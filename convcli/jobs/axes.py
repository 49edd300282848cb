"""What an operation's words mean on pictures (yx), volumes (zyx) and signals (x), and which make no sense there."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.errors import ConvcliError, KernelError
from convcli.geometry import PaddingSpec, is_integer, per_axis
from convcli.jobs.background import Colour, check_background
from convcli.jobs.output_policy import ALPHA, CHANNELS, DEPTHS, RANGES
from convcli.kernels import LIBRARY, Kernel
from convcli.kernels.entry import RESHAPING
from convcli.ops.arguments import as_number

AXES = ("yx", "zyx", "x")
_NAMES = {"yx": "a picture", "zyx": "a volume", "x": "a signal"}


# Words that make no sense on volumes and signals are left out.
_POLICIES = {
    "yx": {"alpha": ALPHA, "depth": DEPTHS, "range": RANGES, "channels": CHANNELS},
    "zyx": {"alpha": ("premultiply", "drop"), "channels": ("each",)},
    "x": {
        "alpha": ("premultiply",),
        "channels": ("each", "sum"),
        "range": ("auto", "clip", "abs", "raw"),
        "depth": ("same",),
    },
}


@dataclass(frozen=True, kw_only=True)
class OperationPlan(ABC):
    """What the plans of all operations on files have: along which axes they act, and what becomes of the pixels.

    Attributes
    ----------
    axes : str
        One of `AXES`: ``yx`` for pictures, ``zyx`` for volumes, ``x`` for signals, which are pictures one row high.
    alpha, depth : str
        One of `ALPHA`, `DEPTHS`.
    background : three floats, optional
        What the result is laid on instead of keeping its alpha: red, green and blue, 0..1.
    """

    axes: str = "yx"
    alpha: str = "premultiply"
    depth: str = "same"
    background: Colour | None = None

    @property
    @abstractmethod
    def name(self) -> str:
        """For file names."""

    @property
    def alpha_fix(self) -> str | None:
        """What is to be done about a volume with alpha; None where the plan says what becomes of it."""
        if self.background is not None or self.alpha == "drop":
            return None
        return "add --background white" + ("" if self.alpha == "keep" else " or --alpha drop")


def check_policies(plan: OperationPlan, **others: str) -> None:
    """Raise `ConvcliError` for words that are no policies, or none for volumes or signals; ``others``: range, channels.

    A word is looked at along the plan's axes, which are checked first.
    """
    check_word("axes", plan.axes, AXES)
    words = {"alpha": plan.alpha, "depth": plan.depth, **others}
    for name, word in words.items():
        check_word(name, word, _POLICIES["yx"][name])
    check_background(plan.background, plan.alpha, plan.axes)
    for name, word in words.items():
        allowed = _POLICIES[plan.axes].get(name, (word,))
        if word not in allowed:
            raise ConvcliError(f"{name}: got {word} for {_NAMES[plan.axes]}, expected {' or '.join(allowed)}")


def check_word(name: str, word: str, known: Sequence[str]) -> None:
    """Raise `ConvcliError` for a word that is not among those known."""
    if word not in known:
        raise ConvcliError(f"{name}: got {word!r}, expected one of {', '.join(known)}")


def check_finite(**numbers: float) -> None:
    """Raise `ConvcliError` for what is no number, or not finite."""
    for name, number in numbers.items():
        if not math.isfinite(as_number(name, number)):
            raise ConvcliError(f"{name}: got {number}, expected a finite number")


def kernel_for(axes: str, kernel: Kernel) -> Kernel:
    """The kernel as it acts along the axes; raises `KernelError` with the fix for one of other axes.

    A kernel of the library acts on a signal as on a picture whose rows are all the signal: its columns are summed.
    """
    if kernel.combine in RESHAPING and axes != "yx":
        fix = "add --each-plane" if axes == "zyx" else "leave it out"
        raise KernelError(f"{kernel.name}: is for pictures, got {_NAMES[axes]}; {fix}")
    if kernel.combine == "edges" and axes != "yx":
        fix = "add --each-plane" if axes == "zyx" else "sobel-x marks steps of a signal"
        raise KernelError(f"{kernel.name}: finds the outlines of pictures, expected a kernel for {_NAMES[axes]}; {fix}")
    if axes == "zyx":
        if kernel.ndim == 3:
            return kernel
        sibling = f"{kernel.entry.name}3d" if kernel.entry else ""
        fix = f"try {sibling}, or " if sibling in LIBRARY else ""
        raise KernelError(
            f"{kernel.name}: is a 2-D kernel, expected a 3-D one for a volume; {fix}filter each plane with --each-plane"
        )
    if kernel.ndim == 3:
        fix = "; --axes zyx filters volumes" if axes == "yx" else ""
        raise KernelError(f"{kernel.name}: is a 3-D kernel, expected a {len(axes)}-D one for {_NAMES[axes]}{fix}")
    return kernel if axes == "yx" else _along_time(kernel)


def _window_in_time(kernel: Kernel) -> Kernel:
    """A window on a picture whose rows are all the signal: each value is there once for each row."""
    height, width = kernel.planes[0].shape
    rank = {"rank": int(kernel.parameters["rank"]) // height} if "rank" in kernel.parameters else {}  # type: ignore[arg-type]
    return replace(kernel, planes=(np.ones((1, width)),), parameters=kernel.parameters | rank)


def _along_time(kernel: Kernel) -> Kernel:
    height, width = kernel.planes[0].shape
    if height == 1:
        return kernel
    if not kernel.has_matrix and kernel.combine != "bilateral":
        return _window_in_time(kernel)
    if kernel.entry is None:
        if width > 1:
            raise KernelError(
                f"{kernel.name}: got {height}x{width} weights, expected one row for a signal, such as '1 2 1'"
            )
        return replace(kernel, planes=tuple(np.ascontiguousarray(plane.T) for plane in kernel.planes))
    # fsum rounds once: nine times 1/81 is 1/9 again.
    planes = tuple(np.array([[math.fsum(column) for column in plane.T]]) for plane in kernel.planes)
    if not any(plane.any() for plane in planes):
        raise KernelError(f"{kernel.name}: every weight is zero along a signal; it looks across rows only")
    if not all(plane.any() for plane in planes):
        sibling = f"{kernel.name.removesuffix('-angle')}-x"
        fix = f"; try {sibling}" if sibling in LIBRARY else ""
        raise KernelError(f"{kernel.name}: is made of slopes along two axes, expected one for a signal{fix}")
    return replace(kernel, planes=planes)


def counts_for(axes: str, counts: int | Sequence[int], name: str) -> tuple[int, ...]:
    """Strides or dilations, one per axis; a signal is a picture one row high."""
    given = (counts,) if is_integer(counts) else tuple(counts)  # type: ignore[arg-type]
    if len(given) not in (1, len(axes)):
        raise _other_axes(axes, name, len(given))
    spread = per_axis(given[0] if len(given) == 1 else given, len(axes), name)
    return (1, *spread) if axes == "x" else spread


def _other_axes(axes: str, name: str, count: int) -> ConvcliError:
    expected = "1" if axes == "x" else f"1 or {len(axes)}"
    return ConvcliError(f"{name}: got {count} numbers for {_NAMES[axes]}, expected {expected}")


def padding_for(axes: str, padding: Any) -> PaddingSpec:
    """A padding checked for its number of axes; a signal is padded in time only."""
    if isinstance(padding, str):
        return padding
    if is_integer(padding):
        return (0, int(padding)) if axes == "x" else int(padding)
    if len(padding) != len(axes):
        raise _other_axes(axes, "padding", len(padding))
    return ((0, 0), padding[0]) if axes == "x" else padding  # type: ignore[no-any-return]
