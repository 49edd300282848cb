"""What each kind of layer makes of its input: the shape that flows on, parameters, multiply-adds, receptive field.

One function per kind. A layer that does not fit raises `ShapeError` with what was got, what was expected and what would
fit; `plan` puts the layer's number and word in front.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, gcd, prod
from typing import Any, TypeAlias

from convcli import geometry
from convcli.errors import ShapeError
from convcli.geometry import AdaptiveWindow, ReceptiveField, TransposedWindow, Window

Shape: TypeAlias = tuple[int, ...]
_AXES: Mapping[int, tuple[str, ...]] = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclass(frozen=True)
class Flow:
    """What runs between two layers. ``positions``: spatial sizes, kept as they were when the values became a row."""

    shape: Shape
    field: tuple[ReceptiveField, ...]
    positions: Shape

    @property
    def channels(self) -> int:
        """Channels of a volume, or values of a row."""
        return self.shape[-1]

    @property
    def spatial(self) -> Shape:
        """The sizes without the channels."""
        return self.shape[:-1]


@dataclass(frozen=True)
class Made:
    """What a layer makes of its input: what flows on, and what it costs."""

    flow: Flow
    windows: tuple[Window | TransposedWindow, ...] = ()
    params: int = 0
    macs: int = 0
    groups: int = 1
    untrained: int = 0


def shape_text(shape: Sequence[int]) -> str:
    """``28x28x1``."""
    return "x".join(map(str, shape))


def axis_names(axes: int) -> tuple[str, ...]:
    """``height, width``; for the messages."""
    return _AXES.get(axes, tuple(f"axis {axis + 1}" for axis in range(axes)))


def _conv(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    spatial = _spatial(flow)
    groups, filters, table = settings["groups"], settings["filters"], settings["connections"]
    _check_groups(groups, flow.channels, filters)
    windows = geometry.windows_of(spatial, settings["kernel_size"], **_window_words(settings, len(spatial)))
    sizes = _slide(windows, flow)
    kernel_sizes, params = _kernels(windows, flow, settings)
    macs = geometry.convolution_macs(sizes, kernel_sizes, flow.channels, filters, groups=groups)
    if table is not None:
        seen = _connected(table, flow.channels, filters, groups)
        params = prod(kernel_sizes) * seen + (filters if settings["use_bias"] else 0)
        macs = prod(sizes) * prod(kernel_sizes) * seen
    return Made(_slid(flow, windows, sizes, filters), windows, params, macs, groups)


def _conv_transpose(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    spatial = _spatial(flow)
    groups, filters = settings["groups"], settings["filters"]
    _check_groups(groups, flow.channels, filters)
    words = _window_words(settings, len(spatial)) | {"output_padding": settings["output_padding"]}
    windows = geometry.transposed_windows_of(spatial, settings["kernel_size"], **words)
    sizes = tuple(window.output(n) for window, n in zip(windows, spatial, strict=True))
    for axis, (size, window, n) in enumerate(zip(sizes, windows, spatial, strict=True)):
        if size < 1:
            full = (n - 1) * window.stride + window.effective
            raise ShapeError(
                f"padding cuts {window.before + window.after} of {full} cells of {axis_names(len(sizes))[axis]}, "
                f"expected at most {full - 1}; try padding={(full - 1) // 2}"
            )
    kernel_sizes, params = _kernels(windows, flow, settings)
    macs = geometry.transposed_macs(spatial, kernel_sizes, flow.channels, filters, groups=groups)
    return Made(_slid(flow, windows, sizes, filters), windows, params, macs, groups)


def _kernels(
    windows: Sequence[Window | TransposedWindow], flow: Flow, settings: Mapping[str, Any]
) -> tuple[list[int], int]:
    """The sizes of a convolution's kernels, and its parameters."""
    sizes = [window.kernel_size for window in windows]
    words = {"groups": settings["groups"], "bias": settings["use_bias"]}
    return sizes, geometry.convolution_parameters(sizes, flow.channels, settings["filters"], **words)


def _depthwise(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    filters = flow.channels * settings["depth_multiplier"]
    grouped = {**settings, "filters": filters, "groups": flow.channels, "connections": None}
    return _conv(flow, grouped, whole)


def _separable(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    """Costs and windows of the depthwise convolution without a bias, then those of the 1x1 convolution."""
    first = _depthwise(flow, {**settings, "use_bias": False}, whole)
    plain = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "connections": None}
    last = _conv(first.flow, {**settings, **plain}, whole)
    return Made(last.flow, first.windows, first.params + last.params, first.macs + last.macs)


def _pool(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    spatial = _spatial(flow)
    words = _window_words({**settings, "stride": settings["stride"] or settings["kernel_size"]}, len(spatial))
    windows = geometry.windows_of(spatial, settings["kernel_size"], ceil_mode=settings["ceil_mode"], **words)
    for window, axis in zip(windows, axis_names(len(spatial)), strict=True):
        if settings["padding"] != "full" and max(window.before, window.after) >= window.effective:
            raise ShapeError(
                f"padding: got {max(window.before, window.after)} cells along {axis}, expected less than the window's "
                f"{window.effective}: a window would see padding only"
            )
    sizes = _slide(windows, flow)
    return Made(_slid(flow, windows, sizes, flow.channels), windows)


def _global_pool(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    _spatial(flow)
    seen = all_positions(flow, whole)
    return Made(replace(seen, shape=(flow.channels,)))


def _adaptive_pool(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    spatial = _spatial(flow)
    sizes = geometry.per_axis(settings["output_size"], len(spatial), "output_size")
    windows = [AdaptiveWindow(count) for count in sizes]
    field = tuple(window.field(n, each) for window, n, each in zip(windows, spatial, flow.field, strict=True))
    return Made(Flow((*sizes, flow.channels), field, sizes))


def _flatten(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    return Made(replace(flow, shape=(prod(flow.shape),)))


def _dense(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    units = settings["units"]
    params = geometry.dense_parameters(flow.channels, units, bias=settings["use_bias"])
    return Made(replace(all_positions(flow, whole), shape=(units,)), (), params, flow.channels * units)


def _batch_norm(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    params = flow.channels * (2 + settings["center"] + settings["scale"])
    return Made(flow, params=params, untrained=2 * flow.channels)


def _layer_norm(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    return Made(flow, params=flow.channels * (settings["center"] + settings["scale"]))


def _group_norm(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    """Depends on all positions; the field is told as if mean and variance were known."""
    _check_groups(settings["groups"], flow.channels, flow.channels)
    return _layer_norm(flow, settings, whole)


def _prelu(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    return Made(flow, params=prod(slope_shape(flow.shape, settings["share"])))


def slope_shape(shape: Shape, share: str) -> Shape:
    """The shape of a prelu's slopes: what is shared has one."""
    return {"positions": shape[-1:], "all": (1,), "none": shape}[share]


def _upsample(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    """Nearest is a transposed convolution of ones as wide as its stride; bilinear one with a tent twice as wide."""
    spatial = _spatial(flow)
    sizes = geometry.per_axis(settings["size"], len(spatial), "size")
    windows = tuple(
        TransposedWindow(2 * size - size % 2, size, size // 2, size // 2)
        if settings["mode"] == "bilinear" else TransposedWindow(size, size)
        for size in sizes
    )  # fmt: skip
    made = tuple(n * size for n, size in zip(spatial, sizes, strict=True))
    return Made(_slid(flow, windows, made, flow.channels), windows)


def _pad(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    spatial = _spatial(flow)
    windows = geometry.windows_of(spatial, 1, padding=_for_all_axes(settings["amount"], len(spatial)))
    sizes = tuple(window.output(n) for window, n in zip(windows, spatial, strict=True))
    return Made(_slid(flow, windows, sizes, flow.channels), windows)


def _with_axes(flow: Flow) -> Made:
    _spatial(flow)
    return Made(flow)


def _unchanged(flow: Flow, settings: Mapping[str, Any], whole: Shape) -> Made:
    return Made(flow)


RULES: Mapping[str, Callable[[Flow, Mapping[str, Any], Shape], Made]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "depthwise": _depthwise,
    "separable_conv": _separable,
    "pool": _pool,
    "global_pool": _global_pool,
    "adaptive_pool": _adaptive_pool,
    "flatten": _flatten,
    "dense": _dense,
    "dropout": _unchanged,
    "spatial_dropout": lambda flow, settings, whole: _with_axes(flow),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "upsample": _upsample,
    "prelu": _prelu,
    "lrn": _unchanged,
    "pad": _pad,
    "activation": _unchanged,
}


def _spatial(flow: Flow) -> Shape:
    if len(flow.shape) < 2:
        raise ShapeError(f"got a row of {flow.shape[0]} values, expected spatial axes; put it before flatten or dense")
    return flow.spatial


def _check_groups(groups: int, channels: int, filters: int) -> None:
    for count, what in ((channels, "input channels"), (filters, "filters")):
        if count % groups:
            fitting = [
                each for each in range(1, min(channels, filters, 4096) + 1) if gcd(channels, filters) % each == 0
            ]
            near = min(fitting, key=lambda each: abs(each - groups))
            raise ShapeError(f"groups: got {groups}, expected a divisor of the {count} {what}; try groups={near}")


def _connected(table: Sequence[Sequence[int]], channels: int, filters: int, groups: int) -> int:
    """How many (channel, filter) pairs a connection table joins, once it is known to fit."""
    if len(table) != filters or groups != 1:
        raise ShapeError(
            f"connections: got {len(table)} lists for {filters} filters and {groups} groups, expected one each"
        )
    highest = max(max(row) for row in table)
    if highest >= channels:
        raise ShapeError(f"connections: got channel {highest}, expected 0 to {channels - 1}")
    return sum(len(row) for row in table)


def _window_words(settings: Mapping[str, Any], axes: int) -> dict[str, Any]:
    padding = _for_all_axes(settings["padding"], axes)
    return {"stride": settings["stride"], "dilation": settings["dilation"], "padding": padding}


def _slide(windows: Sequence[Window], flow: Flow) -> Shape:
    """The output sizes; an axis that no window fits is an error that says what would fit."""
    sizes = tuple(window.output(n) for window, n in zip(windows, flow.spatial, strict=True))
    for axis, (window, n, size) in enumerate(zip(windows, flow.spatial, sizes, strict=True)):
        if size < 1:
            name = axis_names(len(sizes))[axis]
            padded = n + window.before + window.after
            around = f" + {padded - n} of padding" if padded > n else ""
            spread = f" ({window.effective} cells with dilation {window.dilation})" if window.dilation > 1 else ""
            raise ShapeError(
                f"got {shape_text(flow.shape)} with {name} {n}{around}, expected at least {window.effective} "
                f"for kernel_size={window.kernel_size}{spread}; try kernel_size={(padded - 1) // window.dilation + 1} "
                f"or padding={-(-(window.effective - n) // 2)}"
            )
    return sizes


def _slid(flow: Flow, windows: Sequence[Window | TransposedWindow], sizes: Shape, channels: int) -> Flow:
    field = tuple(window.field(earlier) for window, earlier in zip(windows, flow.field, strict=True))
    return Flow((*sizes, channels), field, sizes)


def all_positions(flow: Flow, whole: Shape) -> Flow:
    """The flow with the field of a value that depends on every position: at most the network's whole input."""
    sizes = whole[:-1] or whole
    fields = []
    for field, positions, n in zip(flow.field, flow.positions, sizes, strict=True):
        start = max(field.start, 0)
        end = min(field.start + field.size + ceil((positions - 1) * field.jump), n)
        fields.append(ReceptiveField(max(end - start, 1), 0, start))
    return Flow(flow.shape, tuple(fields), (1,) * len(sizes))


def _for_all_axes(padding: Any, axes: int) -> Any:
    """A lone (before, after) pair counts for every axis."""
    return padding * axes if isinstance(padding, tuple) and len(padding) == 1 else padding
