"""Explaining a filter cell by cell: the numbers of `convcli explain`'s page, taken from the filter's own code.

An explanation holds a region of the input with its padding, the weights, and the output pixels exactly as
`filter_image` gives them. The page repeats the arithmetic in between; how it looks is `convcli.views.explain_page`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convcli.architectures import shape_text
from convcli.atomic import check_target, write_whole
from convcli.errors import ConvcliError, KernelError, ShapeError
from convcli.geometry import Window
from convcli.images import Image
from convcli.jobs.documents import named
from convcli.jobs.explain_region import Region, Span, choose_region, spans_of
from convcli.jobs.filter import FilterPlan, filter_image, plan_filter, shaped
from convcli.jobs.output_policy import OutputPolicy, choose_colour, extremes, finish, output_policy, split_alpha
from convcli.kernels import Kernel, normalized, parse_kernel
from convcli.kernels.matrices import read_matrix
from convcli.notebooks import frame
from convcli.ops.arguments import Array
from convcli.ops.correlation import correlation_windows
from convcli.ops.responses import respond
from convcli.views.explain_page import page

# What the page's script can repeat.
ACTIVATIONS = ("none", "relu", "leaky_relu", "sigmoid", "tanh")
_COMBINATIONS = ("single", "magnitude", "angle", "maximum")
MOST_WEIGHTS = 4096  # of one filter over all its channels: as many products are listed
MOST_FILTERS = 16
MOST_CHANNELS = 16


@dataclass(frozen=True, repr=False)
class Explanation:
    """What there is to see and to say; made by `explain`.

    Attributes
    ----------
    document : dict
        Everything the page shows, as plain values for JSON.
    shape : tuple of int
        (OH, OW, maps) of the whole output.
    region : Region
        The part of the input that is shown.
    warnings : tuple of str
        One sentence each.
    """

    document: dict[str, Any]
    shape: tuple[int, int, int]
    region: Region
    warnings: tuple[str, ...]

    def _repr_html_(self) -> str:
        """What a notebook shows: the page, in a frame."""
        return frame(page(self.document))

    def __repr__(self) -> str:
        return f"Explanation({self.document['title']}, {self.region} of the input, output {shape_text(self.shape)})"


def matrix_image(text: str, *, as_pixels: bool = False) -> Image:
    """Read ``"1 2; 3 4"`` as an input of numbers, with ``|`` between its channels.

    Parameters
    ----------
    text : str
        Rows end with ``;``, channels with ``|``.
    as_pixels : bool
        Whether the numbers are 8-bit pixels, so that rounding and clipping apply.

    Returns
    -------
    Image
        (H, W, C) float64, or uint8.

    Raises
    ------
    KernelError, ShapeError
        If it cannot be read, or holds numbers that are no pixels.

    >>> matrix_image("1 2; 3 4 | 5 6; 7 8").pixels.shape
    (2, 2, 2)
    """
    numbers = read_matrix(text, "matrix")
    numbers = np.ascontiguousarray(np.moveaxis(numbers, 0, -1)) if numbers.ndim == 3 else numbers[..., None]
    if not as_pixels:
        return Image(numbers)
    wrong = numbers[(numbers != np.rint(numbers)) | (numbers < 0) | (numbers > 255)]
    if wrong.size:
        raise ShapeError(
            f"matrix: got {wrong[0]:g}, expected whole numbers from 0 to 255: with --range they are 8-bit pixels"
        )
    return Image(numbers.astype(np.uint8))


def plan_filters(specs: Sequence[str | Kernel], biases: Sequence[float] = (), **words: Any) -> tuple[FilterPlan, ...]:
    """One plan for each filter of a layer.

    Parameters
    ----------
    specs : sequence of str or Kernel
        Kernels of one size, or their SPECs. One with several planes has one for each channel of the input and sums over
        them.
    biases : sequence of float
        None, one for all filters, or one each.
    words
        As `plan_filter` takes them.

    Raises
    ------
    ConvcliError
        For a SPEC or a word that cannot be used, or filters that do not go together.
    """
    if len(specs) > MOST_FILTERS:
        raise ConvcliError(f"kernel: got {len(specs)} filters, expected at most {MOST_FILTERS}")
    if len(biases) not in (0, 1, len(specs)):
        raise ConvcliError(f"bias: got {len(biases)} numbers, expected one, or one for each filter ({len(specs)})")
    if words.get("activation", "none") not in ACTIVATIONS:
        raise ConvcliError(f"activation: got {words['activation']!r}, expected one of {', '.join(ACTIVATIONS)}")
    spread = list(biases) * len(specs) if len(biases) == 1 else list(biases) or [0.0] * len(specs)
    kernels = [parse_kernel(spec) if isinstance(spec, str) else spec for spec in specs]
    plans = [_plan(kernel, bias, dict(words)) for kernel, bias in zip(kernels, spread, strict=True)]
    if not plans:
        raise KernelError("kernel: got none, expected at least one; convcli kernel list shows the library")
    sizes = [plan.kernels[0].planes[0].shape[-2:] for plan in plans]
    for number, size in enumerate(sizes, 1):
        if size != sizes[0]:
            raise KernelError(
                f"kernel: filter {number} is {shape_text(size)}, expected {shape_text(sizes[0])} as the first: "
                "the filters of a layer are of one size"
            )
    return tuple(plans)


def _plan(kernel: Kernel, bias: float, words: dict[str, Any]) -> FilterPlan:
    if not kernel.has_matrix:
        raise KernelError(f"{kernel.name}: has no weights to show, expected a kernel with a matrix, such as gaussian")
    if kernel.combine not in _COMBINATIONS:
        raise KernelError(
            f"{kernel.name}: looks further than one window, expected a kernel whose output is made from one; "
            "sobel shows its first step"
        )
    if kernel.ndim == 2:
        return plan_filter([kernel], bias=bias, **words)
    if kernel.combine != "single":
        raise KernelError(f"{kernel.name}: is the {kernel.combine} of 3-D kernels, expected planes for channels")
    if words.get("channels") == "gray":
        raise KernelError(f"{kernel.name}: has a plane for each channel, expected one plane for channels gray")
    # `plan_filter` is for one plane: it checks the words, and the planes of all channels take its place.
    first = replace(kernel, planes=(kernel.planes[0][0],))
    convolve, how = words.pop("convolve", False), words.pop("normalize", "none")
    plan = plan_filter([first], bias=bias, **{**words, "channels": "sum"})
    # Convolution turns each plane; the order of the channels stays.
    planes = tuple(np.flip(plane, (-2, -1)) if convolve else plane for plane in kernel.planes)
    return replace(plan, kernels=(normalized(replace(kernel, planes=planes), how),))


def explain(image: Image, plans: Sequence[FilterPlan], *, title: str, region: Region | None = None) -> Explanation:
    """Work out everything a page about these filters on this picture shows.

    Parameters
    ----------
    image : Image
        Alpha is left out, as with ``--alpha drop``.
    plans : sequence of FilterPlan
        From `plan_filters`.
    title : str
        What the input is called.
    region : Region, optional
        The part to show; without it the whole of a small picture, or the middle of a larger one.

    Raises
    ------
    ConvcliError
        If no window fits, planes and channels do not match, or more would be shown than a page holds.
    """
    colour, _ = split_alpha(image, "drop")
    warnings = list(image.warnings)
    if image.has_alpha and bool((image.pixels[..., -1] != image.white).any()):
        warnings.append("alpha is left out: explained as convcli filter --alpha drop computes it")
    opaque = replace(image, pixels=np.ascontiguousarray(colour), has_alpha=False, numbers=None, warnings=())
    height, width, channels = opaque.pixels.shape
    kernel_size = plans[0].kernels[0].planes[0].shape[-2:]
    _check_counts(plans, channels)
    windows = correlation_windows((height, width), kernel_size, plans[0].stride, plans[0].padding, plans[0].dilation)
    region, is_cut = choose_region(height, width, region)
    if is_cut:
        warnings.append(f"of {height} rows and {width} columns the page shows the middle, --region {region}")
    spans = spans_of((height, width), windows, region)
    shown = choose_colour(opaque.pixels, plans[0].channels) if plans[0].channels == "gray" else opaque.pixels
    filtered = [_filtered(opaque, plan, windows) for plan in plans]
    warnings += dict.fromkeys(warning for each in filtered for warning in each.warnings)
    output_size = [window.output(n) for window, n in zip(windows, (height, width), strict=True)]
    document = {
        "title": title,
        "input": _describe_input(opaque, shown, title),
        "region": [region.column, region.row, region.width, region.height],
        "border": {"name": plans[0].border.name, "value": plans[0].border.value},
        "window": _describe_windows(windows, (height, width)),
        "stage": _stage(shown, windows, spans, plans[0]),
        "output": {
            "size": output_size,
            "first": [span.first for span in spans],
            "rows": spans[0].count,
            "columns": spans[1].count,
        },
        "filters": [_describe_filter(plan, each, spans) for plan, each in zip(plans, filtered, strict=True)],
    }
    maps = sum(each.pixels.shape[2] for each in filtered)
    return Explanation(document, (output_size[0], output_size[1], maps), region, tuple(warnings))


def write_page(explanation: Explanation, target: str, *, overwrite: bool = False) -> None:
    """Write the page, complete or not at all; raises `ImageError` for a target that may not be written."""
    check_target(Path(target), overwrite=overwrite)
    write_whole(Path(target), page(explanation.document), overwrite=overwrite)


@dataclass(frozen=True, eq=False)
class _Filtered:
    pixels: Array  # (OH, OW, C): what the filter writes
    policy: OutputPolicy
    between: tuple[float, float]  # smallest and largest response, for minmax
    warnings: tuple[str, ...]


def _filtered(image: Image, plan: FilterPlan, windows: tuple[Window, ...]) -> _Filtered:
    kernel = plan.kernels[0]
    policy = output_policy(image, None, plan.depth, plan.range, **plan.signs)
    if kernel.ndim == 2:
        result = filter_image(image, plan)
        between = (0.0, 0.0)
        if policy.range == "minmax":
            source = choose_colour(image.pixels, plan.channels)
            between = extremes(_as_finished(shaped(_respond(source, kernel, windows, plan, policy), plan), policy))
        return _Filtered(result.image.pixels, policy, between, result.warnings)
    total: Any = 0.0
    for channel in range(image.pixels.shape[2]):
        single = replace(kernel, planes=(kernel.planes[0][channel],))
        source = np.ascontiguousarray(image.pixels[..., channel : channel + 1])
        total = total + _respond(source, single, windows, plan, policy)
    response = shaped(np.ascontiguousarray(total), plan)
    between = extremes(response)
    pixels, clipped = finish(response, policy)
    return _Filtered(pixels, policy, between, policy.clipping_warning(clipped / pixels.size))


def _respond(
    source: Array, kernel: Kernel, windows: tuple[Window, ...], plan: FilterPlan, policy: OutputPolicy
) -> Array:
    return np.asarray(respond(source[None, None], kernel, windows, plan.border, policy.working)[0, 0])


def _as_finished(response: Array, policy: OutputPolicy) -> Array:
    """An angle is made to fill the pixel range before `minmax` looks at it."""
    return (response + np.pi) * (policy.white_in / (2 * np.pi)) if policy.is_angle else response


def _check_counts(plans: Sequence[FilterPlan], channels: int) -> None:
    if channels > MOST_CHANNELS:
        raise ShapeError(f"explain: got {channels} channels, expected at most {MOST_CHANNELS}")
    for plan in plans:
        kernel = plan.kernels[0]
        if kernel.ndim == 3 and len(kernel.planes[0]) != channels:
            got = len(kernel.planes[0])
            raise KernelError(f"{kernel.name}: has {got} planes, expected {channels}: one for each channel")
        count = kernel.planes[0].shape[-1] * kernel.planes[0].shape[-2] * len(kernel.planes)
        count *= channels if plan.channels == "sum" else 1
        if count > MOST_WEIGHTS:
            raise KernelError(
                f"{kernel.name}: got {count} products for each output, expected at most {MOST_WEIGHTS}: "
                "more cannot be read one by one"
            )


def _describe_input(image: Image, shown: Array, title: str) -> dict[str, Any]:
    channels = shown.shape[2]
    is_colour = channels == 3 and image.pixels.dtype.kind == "u"
    names = ["red", "green", "blue"] if is_colour else [f"channel {index}" for index in range(channels)]
    return {
        "name": title,
        "size": list(image.pixels.shape),
        "channels": ["grey"] if shown is not image.pixels and channels == 1 else names,
        "pixels": image.pixels.dtype.kind == "u",
        "white": image.white,
        "type": str(image.pixels.dtype),
    }


def _describe_windows(windows: tuple[Window, ...], sizes: tuple[int, int]) -> dict[str, Any]:
    words = {"kernel": "kernel_size"} | {word: word for word in ("stride", "dilation", "before", "after")}
    return {
        **{word: [getattr(window, name) for window in windows] for word, name in words.items()},
        "formula": [window.formula(n) for window, n in zip(windows, sizes, strict=True)],
        "leftover": [window.leftover(n) for window, n in zip(windows, sizes, strict=True)],
    }


def _stage(shown: Array, windows: tuple[Window, ...], spans: tuple[Span, Span], plan: FilterPlan) -> dict[str, Any]:
    """The cells that are shown, with the numbers the windows find there: one row-major list for each channel."""
    tables = [
        plan.border.table(1 + axis, n, window)[span.start + window.before :][: span.cells]
        for axis, (n, window, span) in enumerate(zip(shown.shape[:2], windows, spans, strict=True))
    ]
    inside = np.logical_and.outer(tables[0] >= 0, tables[1] >= 0)
    cells = shown[np.ix_(*tables)].astype(np.float64)
    # The loops hold the constant in the type of their sums.
    cells[~inside] = np.float32(plan.border.value) if shown.dtype != np.float64 else plan.border.value
    return {
        "top": spans[0].start,
        "left": spans[1].start,
        "rows": spans[0].cells,
        "columns": spans[1].cells,
        "values": [_plain(cells[..., channel]) for channel in range(cells.shape[2])],
    }


def _describe_filter(plan: FilterPlan, filtered: _Filtered, spans: tuple[Span, Span]) -> dict[str, Any]:
    kernel, policy = plan.kernels[0], filtered.policy
    parts = kernel.entry.parts if kernel.entry and len(kernel.entry.parts) == len(kernel.planes) else ()
    rows = slice(spans[0].first, spans[0].first + spans[0].count)
    columns = slice(spans[1].first, spans[1].first + spans[1].count)
    chosen = filtered.pixels[rows, columns].astype(np.float64)
    is_raw = policy.range == "raw"
    return {
        "name": kernel.name if kernel.name != "matrix" else "",
        **named(kernel, "spec", "combine"),
        "parts": list(parts) or [f"part {index}" for index in range(len(kernel.planes))],
        # [part][plane][row][column]; a single plane serves every channel.
        "weights": [(plane if plane.ndim == 3 else plane[None]).tolist() for plane in kernel.planes],
        "sums_channels": plan.channels == "sum",
        **named(plan, "scale", "bias"),
        "activation": "none" if plan.activation == "linear" else plan.activation,
        "range": policy.range,
        "is_angle": policy.is_angle and not is_raw,
        "between": _plain(np.array(filtered.between)),
        "offset": policy.offset,
        "white": policy.white_in,
        "fold": policy.range == "abs",
        "clips": not is_raw,
        "rounds": policy.dtype.kind == "u",
        "pixels": [_plain(chosen[..., channel]) for channel in range(chosen.shape[2])],
    }


def _plain(numbers: Array) -> list[float | int | str]:
    """Numbers for JSON, row by row: whole ones as integers, and words for those that JSON lacks."""
    return [_plain_number(number) for number in numbers.ravel().tolist()]


def _plain_number(number: float) -> float | int | str:
    if not np.isfinite(number):
        return {np.inf: "Infinity", -np.inf: "-Infinity"}.get(number, "NaN")
    return int(number) if number == int(number) and abs(number) < 2**53 else number
