"""What `convcli kernel` answers: a description of one kernel, and the list of the library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convcli.geometry import Window
from convcli.jobs.documents import named
from convcli.kernels import ALIASES, LIBRARY, Entry, Kernel, parse_kernel
from convcli.kernels.analysis import separable_factors
from convcli.kernels.entry import Weights
from convcli.ops.correlation import correlation_windows
from convcli.ops.plan import plan_correlation
from convcli.ops.stacks import Choice, choice_of
from convcli.ops.sums import Border, Correlation, Store


@dataclass(frozen=True, eq=False)
class KernelDescription:
    """A kernel and what can be said about it; sums, sums of magnitudes, factors and plans have an item per plane.

    What has no matrix has none of these.
    """

    kernel: Kernel
    sums: tuple[float, ...]
    sums_of_magnitudes: tuple[float, ...]
    factors: tuple[tuple[Weights, ...] | None, ...]
    choices: tuple[Choice, ...]  # how large pictures of 8 bits are correlated with each plane

    @property
    def size(self) -> tuple[int, ...]:
        """(KH, KW) or (KD, KH, KW)."""
        return self.kernel.planes[0].shape

    @property
    def anchor(self) -> tuple[int, ...]:
        """The weight that lies on the output pixel, counted from 0 along each axis: ``(k - 1) // 2``."""
        return tuple((n - 1) // 2 for n in self.size)

    @property
    def plans(self) -> tuple[str, ...]:
        """The choices in words."""
        return tuple(map(_sentence, self.choices))

    @property
    def is_separable(self) -> bool:
        """Whether every plane is an outer product of 1-D factors."""
        return bool(self.factors) and all(each is not None for each in self.factors)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON. For a compound kernel weights, sums and factors are lists with one item per plane.

        What has no matrix has null there.
        """
        kernel, entry = self.kernel, self.kernel.entry
        is_single = kernel.combine == "single"
        weights = [plane.tolist() for plane in kernel.planes]
        factors = [None if each is None else [factor.tolist() for factor in each] for each in self.factors]

        def each_plane(values: Sequence[Any]) -> Any:
            return (values[0] if is_single else list(values)) if kernel.has_matrix else None

        choices = [vars(choice) for choice in self.choices]
        return {
            "name": kernel.name,
            "spec": kernel.spec,
            "size": list(self.size),
            "anchor": list(self.anchor),
            "combine": kernel.combine,
            "linear": is_single,
            "weights": each_plane(weights),
            "sum": each_plane(self.sums),
            "sum_abs": each_plane(self.sums_of_magnitudes),
            "zero_sum": kernel.is_zero_sum,
            "separable": self.is_separable,
            "factors": each_plane(factors),
            "plan": each_plane(self.plans),
            "choice": each_plane(choices),
            "parts": list(entry.parts) if entry else [],
            "steps": list(entry.steps) if entry else [],
            "parameters": dict(kernel.parameters),
            **{word: getattr(entry, word, None) for word in ("summary", "formula", "sign", "scale", "source")},
        }


def describe(spec: str) -> KernelDescription:
    """Read a kernel SPEC and work out what can be said about it.

    Raises `KernelError` if the SPEC cannot be read.

    >>> describe("sobel-x").is_separable
    True
    """
    kernel = parse_kernel(spec)
    if not kernel.has_matrix:
        return KernelDescription(kernel, (), (), (), ())
    planes = [plane.ravel().tolist() for plane in kernel.planes]
    return KernelDescription(
        kernel,
        tuple(math.fsum(plane) for plane in planes),
        tuple(math.fsum(map(abs, plane)) for plane in planes),
        tuple(separable_factors(plane) for plane in kernel.planes),
        tuple(_choice_for(plane) for plane in kernel.planes),
    )


# Rows and columns of a picture that is large enough for every way.
_LARGE = 4000, 6000


def _choice_for(plane: Weights) -> Choice:
    """How large pictures (volumes) of 8 bits are correlated with a plane of a kernel."""
    sizes = (*plane.shape, *_LARGE)[-plane.ndim :] if plane.ndim == 2 else (256, 256, 256)
    source = np.broadcast_to(np.uint8(0), (1, *(1,) * (3 - plane.ndim), *sizes, 1))
    windows = correlation_windows(sizes, plane.shape, padding="same")
    windows = (Window(1),) * (3 - plane.ndim) + windows
    store = Store(np.dtype(np.uint8), 0.0, 255.0)
    return choice_of(Correlation(source, plan_correlation(plane), windows, Border("reflect"), store))


def _sentence(choice: Choice) -> str:
    """A choice in words."""
    others = {way: taps for way, taps in choice.costs.items() if way != choice.way}
    faster = "; in large pictures faster, by Fourier transforms of blocks" if choice.way == "fourier" else ""
    said = choice.why + faster
    if choice.way not in choice.costs or not others:
        return said
    compared = ", ".join(f"{taps:g} by {_NAMES[way]}" for way, taps in others.items())
    return f"{said} (costs as much as {choice.costs[choice.way]:g} taps; {compared})"


_NAMES = {"taps": "taps", "separable": "two passes", "sum": "a sum of kernels", "fourier": "Fourier transforms"}


@dataclass(frozen=True)
class LibraryGroup:
    """Entries of one kind; each family is its head and the members shown beneath it."""

    title: str
    families: tuple[tuple[Entry, ...], ...]


def library() -> tuple[LibraryGroup, ...]:
    """The kernel library in groups, in the order of its modules."""
    groups: dict[str, dict[str, list[Entry]]] = {}
    for entry in LIBRARY.values():
        groups.setdefault(entry.group, {}).setdefault(entry.family or entry.name, []).append(entry)
    return tuple(
        LibraryGroup(title, tuple(tuple(members) for members in families.values()))
        for title, families in groups.items()
    )


def aliases_of(entry: Entry) -> tuple[str, ...]:
    """The other names of an entry."""
    return tuple(alias for alias, name in ALIASES.items() if name == entry.name)


def entry_as_dict(entry: Entry) -> dict[str, Any]:
    """One entry of the library as plain values for JSON."""
    return {
        "name": entry.name,
        "aliases": list(aliases_of(entry)),
        "group": entry.group,
        "axes": entry.dim,
        "combine": entry.combine,
        "linear": entry.combine == "single",
        "parts": list(entry.parts),
        "steps": list(entry.steps),
        "summary": entry.summary,
        "parameters": [
            named(each, "name", "default", "minimum", "maximum", "integer", "per_axis", "meaning")
            | {"automatic": each.automatic or None}
            for each in entry.parameters
        ],
        **named(entry, "formula", "sign", "scale", "source"),
    }
