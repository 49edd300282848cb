"""Does a shift of the input shift the output? f(shift x) against shift f(x), for kernels, strides, pooling, networks.

Shifts go round: what leaves at one side enters at the other, so that no number is invented. Which output cells that
seam, or the border, can have touched follows from the receptive fields of `convcli.geometry`; the others are the
interior.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ConvcliError, KernelError, ShapeError
from convcli.geometry import ReceptiveField, windows_of
from convcli.images import Image, convert_depth
from convcli.jobs.classifier import Classifier
from convcli.jobs.filter import FilterPlan, filter_image, plan_filter
from convcli.jobs.output_policy import choose_colour, split_alpha
from convcli.kernels.entry import RESHAPING
from convcli.ops.correlation import correlation_windows
from convcli.ops.pooling import pool2d

Array = NDArray[np.floating]
Fields = tuple[ReceptiveField, ReceptiveField]


@dataclass(frozen=True, eq=False)
class Step:
    """f(shift x) against shift f(x) after one step.

    Attributes
    ----------
    name : str
        What f is.
    shape : tuple of int
        Of f(x): (OH, OW, C), or (K,) for a row of values.
    wanted : (float, float) or None
        Rows and columns by which f(x) should move; None for a row of values, which should not change.
    moved : (int, int) or None
        By how much it was moved to be compared: the best whole numbers beside ``wanted``.
    interior : (float, float) or None
        Largest and mean difference over the interior, relative to the largest and to the mean size of f(x); None where
        there is no interior.
    whole : (float, float)
        The same over all cells, borders included.
    expected, got : ndarray
        Shift f(x) and f(shift x), of one shape.
    frame : (int, int, int, int) or None
        The interior: first row and column, rows and columns.
    """

    name: str
    shape: tuple[int, ...]
    wanted: tuple[float, float] | None
    moved: tuple[int, int] | None
    interior: tuple[float, float] | None
    whole: tuple[float, float]
    expected: Array
    got: Array
    frame: tuple[int, int, int, int] | None


@dataclass(frozen=True, eq=False)
class Equivariance:
    """What was measured: every step, and the input before and after the shift, (H, W, C) of 0..1."""

    shift: tuple[int, int]
    before: Array
    after: Array
    steps: tuple[Step, ...]


def plan_steps(specs: Sequence[str], border: str) -> FilterPlan:
    """The chain of kernels as one plan; raises `ConvcliError` for kernels that look further than their windows."""
    plan = plan_filter(specs, border=border, range="raw", depth="float")
    for kernel in plan.kernels:
        if kernel.combine == "edges":
            raise KernelError("kernel: canny follows edges through the whole picture, expected kernels with windows")
        if kernel.combine in RESHAPING:
            raise KernelError(f"kernel: {kernel.name} makes pictures of another size, expected kernels with windows")
    return plan


def of_filter(
    image: Image,
    specs: Sequence[str],
    shift: tuple[int, int],
    *,
    border: str = "reflect",
    stride: int = 2,
    pool: int = 2,
) -> Equivariance:
    """Measure a chain of kernels: by itself, with a stride, and followed by max pooling.

    Parameters
    ----------
    image : Image
        Taken as grey, in float64.
    specs : sequence of str
        Kernel SPECs.
    shift : (int, int)
        Rows and columns, down and to the right; smaller than the picture.
    border : str
        What lies beyond the border; with ``wrap`` borders are nothing special.
    stride, pool : int
        Of the second and the third step.

    Raises
    ------
    ConvcliError
        If the picture is too small, or a word cannot be used.
    """
    plan = plan_steps(specs, border)
    colour, _ = split_alpha(image, "drop")
    before = np.asarray(choose_colour(convert_depth(colour, np.float64), "gray"), np.float64)
    after = shifted(before, _checked(shift, before))
    fields, strided = _fields(plan, before.shape[:2], 1), _fields(plan, before.shape[:2], stride)

    def respond(x: Array, step: int) -> Array:
        chain = plan_filter(plan.kernels, border=border, range="raw", depth="float", stride=step)
        return filter_image(Image(x), chain).image.pixels

    plain = respond(before, 1), respond(after, 1)
    sizes = plain[0].shape[:2]
    if min(sizes) < pool:
        raise ShapeError(f"pool: got windows of {pool}, expected at most the picture's {min(sizes)}")
    windows = windows_of(sizes, pool, stride=pool)
    pooled = (windows[0].field(fields[0]), windows[1].field(fields[1]))
    name, inside = plan.name, before.shape[:2]
    steps = (
        measure(name, *plain, shift, fields, inside),
        measure(f"{name}, stride {stride}", respond(before, stride), respond(after, stride), shift, strided, inside),
        measure(f"{name}, max pool {pool}", pool2d(plain[0], pool), pool2d(plain[1], pool), shift, pooled, inside),
    )
    return Equivariance(shift, before, after, steps)


def of_model(classifier: Classifier, image: Image, shift: tuple[int, int]) -> Equivariance:
    """Measure a network, layer by layer; the shift is in pixels of its input.

    Raises
    ------
    ConvcliError
        If the picture cannot be prepared for the network, or the shift is not smaller than its input.
    """
    before = np.asarray(classifier.rule.apply(image), np.float32)
    after = shifted(before, _checked(shift, before))
    model = classifier.trained.model
    batches = [x[None] for x in (before, after)]
    if model.data_format == "channels_first":
        batches = [np.moveaxis(x, -1, 1) for x in batches]
    plans = {layer.name: layer for layer in model.plan.layers}
    last = model.plan.layers[-1]
    steps = []
    for (name, first), (_, second) in zip(*(model.trace(batch) for batch in batches), strict=True):
        plan = plans.get(name, last)
        fields = plan.field if len(plan.output) == 3 else None
        pair = None if fields is None else (fields[0], fields[1])
        steps.append(measure(name, first[0], second[0], shift, pair, before.shape[:2]))
    return Equivariance(shift, before, after, tuple(steps))


def shifted(x: Array, shift: tuple[int, int]) -> Array:
    """(H, W, C) moved down and to the right; what leaves at one side enters at the other."""
    return np.ascontiguousarray(np.roll(x, shift, axis=(0, 1)))


def measure(
    name: str,
    plain: Array,
    got: Array,
    shift: tuple[int, int],
    fields: Fields | None,
    inside: tuple[int, ...],
) -> Step:
    """Compare f(shift x) with f(x) moved, given the receptive fields of its cells; without fields, with f(x) itself.

    Where the output's step does not divide the shift, the whole numbers on both sides are tried and the best is taken.
    """
    if fields is None or any(not field.jump for field in fields):
        return Step(name, plain.shape, None, None, None, _differences(plain, got, plain), plain, got, None)
    wanted = (float(shift[0] / fields[0].jump), float(shift[1] / fields[1].jump))
    down, right = ({math.floor(each), math.ceil(each)} for each in wanted)
    steps = []
    for moved in product(down, right):
        expected = shifted(plain, moved)
        rows, columns = (
            _interior(field, count, n, way, step)
            for field, count, n, way, step in zip(fields, plain.shape, inside, shift, moved, strict=False)
        )
        frame = part = None
        if rows.size and columns.size:
            region = np.ix_(rows, columns)
            part = _differences(expected[region], got[region], plain[region])
            frame = (int(rows[0]), int(columns[0]), len(rows), len(columns))
        whole = _differences(expected, got, plain)
        steps.append(Step(name, plain.shape, wanted, moved, part, whole, expected, got, frame))
    return min(steps, key=_order)


def _order(step: Step) -> tuple[float, float]:
    return (step.interior or step.whole)[1], step.whole[1]


def _interior(field: ReceptiveField, count: int, n: int, shift: int, moved: int) -> NDArray[np.int64]:
    """Output cells of one axis whose input lies inside in both pictures, clear of the border and of the seam."""
    cells = np.arange(count)
    clear = np.ones(count, bool)
    # The cell in f(shift x), the same pixels before they moved, and the cell of f(x) that comes to lie there.
    for place, back in ((cells, 0), (cells, shift), (cells - moved, 0)):
        start = np.floor(field.start + place * float(field.jump)).astype(np.int64) - back
        clear &= (start >= 0) & (start + field.size <= n) & (place >= 0) & (place < count)
    return np.flatnonzero(clear)


def _differences(expected: Array, got: Array, plain: Array) -> tuple[float, float]:
    """The largest and the mean difference, as shares of the largest and the mean size of what was not shifted."""
    gaps, sizes = np.abs(got.astype(np.float64) - expected), np.abs(plain.astype(np.float64))
    return _share(float(gaps.max()), float(sizes.max())), _share(float(gaps.mean()), float(sizes.mean()))


def _share(gap: float, size: float) -> float:
    return gap / size if size else math.inf if gap else 0.0


def _fields(plan: FilterPlan, sizes: tuple[int, ...], stride: int) -> Fields:
    """The receptive fields of a chain, whose last kernel has the stride."""
    fields = [ReceptiveField(), ReceptiveField()]
    for index, kernel in enumerate(plan.kernels):
        step = stride if index == len(plan.kernels) - 1 else 1
        windows = correlation_windows(sizes, kernel.planes[0].shape, step, "same")
        fields = [window.field(field) for window, field in zip(windows, fields, strict=True)]
        sizes = tuple(window.output(n) for window, n in zip(windows, sizes, strict=True))
    return fields[0], fields[1]


def _checked(shift: tuple[int, int], x: Array) -> tuple[int, int]:
    if not np.isfinite(x).all():
        raise ConvcliError("picture: got numbers that are not finite, expected finite ones: NaN differs from itself")
    for amount, n, word in zip(shift, x.shape[:2], ("rows", "columns"), strict=True):
        if abs(amount) >= n:
            raise ConvcliError(f"shift: got {amount} {word}, expected less than the input's {n}")
    return shift


_MOST_ROWS = 8


def picture(found: Equivariance, *, title: str) -> Image:
    """A figure with a row for each step that has cells to show: shift f(x), f(shift x), and their difference."""
    from convcli.views.equivariance import Compared, draw_equivariance

    rows = [
        Compared(
            step.name,
            *_strongest_channel(step),
            step.frame,
            tuple(_notes(step)),
            _moved(step),
        )
        for step in found.steps
        if step.wanted is not None
    ]
    return Image(draw_equivariance(found.before, found.after, found.shift, rows[:_MOST_ROWS], title=title))


def _strongest_channel(step: Step) -> tuple[Array, Array]:
    """Of several maps the one whose two sides differ most; of those that agree, the strongest."""
    gaps = np.abs(step.got - step.expected).mean(axis=(0, 1))
    sizes = np.abs(step.got).mean(axis=(0, 1))
    channel = int(gaps.argmax() if gaps.max() > 1e-5 * max(float(sizes.max()), 1e-30) else sizes.argmax())
    return step.expected[..., channel], step.got[..., channel]


def _notes(step: Step) -> Iterator[str]:
    if step.interior is not None:
        yield f"inside the frame: largest {relative(step.interior[0])}, mean {relative(step.interior[1])}"
    else:
        yield "no cell is clear of border and seam"
    yield f"with borders: largest {relative(step.whole[0])}, mean {relative(step.whole[1])}"


def _moved(step: Step) -> str:
    """How far f(x) was moved, and how far it should have been."""
    wanted, moved = (",".join(f"{each:.3g}" for each in pair) for pair in (step.wanted or (), step.moved or ()))
    return f"moved by {moved} cells" + ("" if wanted == moved else f"; {wanted} would be right")


def relative(share: float) -> str:
    """A relative difference as people read it: percent, or a power of ten where it is rounding only.

    >>> relative(0.0), relative(2.2e-16), relative(0.1234)
    ('0', '2e-16', '12.3%')
    """
    if share == 0:
        return "0"
    return f"{share:.1%}" if 0.0005 <= share < math.inf else f"{share:.0e}" if share < math.inf else "inf"
