"""Convolution layers, forward and back, as networks run them; beside torch in both of its layouts."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from convcli.bench.model import Case, Contest, Setting, Side, Tolerance, Work
from convcli.geometry import windows_of
from convcli.ops.convolution import conv2d
from convcli.ops.convolution_passes import conv_forward, conv_input_gradient, conv_weight_gradient

# Winograd's transforms may be used by both; the error of ours is some 4e-6 of the largest number.
_TOLERANCE = Tolerance(5e-5, "relative")

PASSES = ("forward", "input gradient", "weight gradient", "conv2d")
_IN_GROUPS = "in groups"


class Layer(NamedTuple):
    """A 3x3 convolution of stride 1, perhaps in groups: as many as channels are depthwise."""

    batch: int
    side: int
    channels: int
    filters: int
    padding: int
    groups: int = 1

    @property
    def name(self) -> str:
        """The input, and the filters or, of as many filters as channels, the groups."""
        name = f"{self.side}x{self.side}x{self.channels}"
        return f"{name}-{self.filters}" if self.groups == 1 else f"{name}/{self.groups}"


LAYERS = (
    Layer(64, 28, 1, 32, 0),
    Layer(64, 13, 32, 64, 0),
    Layer(64, 5, 64, 64, 0),
    Layer(16, 56, 64, 64, 1),
    Layer(16, 28, 128, 128, 1),
    Layer(16, 14, 256, 256, 1),
)


LAYERS_IN_GROUPS = (
    Layer(16, 56, 64, 64, 1, 64),
    Layer(16, 112, 32, 32, 1, 32),
    Layer(16, 28, 128, 128, 1, 32),
)


def head(setting: Setting) -> str:
    """What is measured and how."""
    batches = "batch 2" if setting.quick else "batch 64 for the MNIST network's three, 16 for the others"
    return (
        f"3x3, float32, {batches}. convcli: ops.convolution_passes as Model calls it (NHWC, Winograd allowed: the "
        "count of multiply-adds is that of plain sums); the rows conv2d: the public function; in groups: forward, "
        "with as many filters as channels, depthwise where groups are as many too. "
        "torch: conv2d and aten.convolution_backward"
    )


def cases(setting: Setting) -> list[Case]:
    """The group conv."""
    rows = [(which, layer) for which in PASSES for layer in LAYERS]
    rows += [(_IN_GROUPS, layer) for layer in LAYERS_IN_GROUPS]
    layers = [(which, layer._replace(batch=2) if setting.quick else layer) for which, layer in rows]
    return [
        Case("conv", which, layer.name, ("torch",), partial(_contest, setting, layer, which)) for which, layer in layers
    ]


def _contest(setting: Setting, layer: Layer, which: str) -> Contest:
    generator = np.random.default_rng(layer.side)
    size = (layer.side, layer.side)
    windows = windows_of(size, (3, 3), padding=layer.padding)
    out = layer.side + 2 * layer.padding - 2
    x = generator.standard_normal((layer.batch, *size, layer.channels), dtype=np.float32)
    weight = generator.standard_normal((3, 3, layer.channels // layer.groups, layer.filters), dtype=np.float32)
    bias = generator.standard_normal(layer.filters, dtype=np.float32)
    gradient = generator.standard_normal((layer.batch, out, out, layer.filters), dtype=np.float32)
    runs: dict[str, Callable[[], Any]] = {
        "forward": lambda: conv_forward(x, weight, bias, windows, winograd=True),
        _IN_GROUPS: lambda: conv_forward(x, weight, bias, windows, groups=layer.groups),
        "input gradient": lambda: conv_input_gradient(gradient, weight, size, windows, winograd=True),
        "weight gradient": lambda: conv_weight_gradient(x, gradient, windows, winograd=True),
        "conv2d": lambda: conv2d(x, weight, bias, padding=layer.padding),
    }
    sides = []
    if "torch" in setting.peers:
        arrays = (x, weight, bias, gradient)
        sides = [_torch(arrays, layer, which, last) for last in (False, True)]
    work = Work(x.nbytes + weight.nbytes + gradient.nbytes, gradient.size * 9 * weight.shape[2])
    return Contest(Side("convcli", runs[which]), tuple(sides), _TOLERANCE, work)


def _torch(arrays: tuple[Any, ...], layer: Layer, which: str, channels_last: bool) -> Side:
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    x, gradient = (torch.from_numpy(each).permute(0, 3, 1, 2).contiguous(memory_format=layout) for each in arrays[::3])
    weight = torch.from_numpy(arrays[1]).permute(3, 2, 0, 1).contiguous(memory_format=layout)
    bias = torch.from_numpy(arrays[2])

    def backward(wanted: list[bool]) -> Any:
        steps = [1, 1]
        return torch.ops.aten.convolution_backward(
            gradient, x, weight, [len(bias)], steps, [layer.padding] * 2, steps, False, [0, 0], 1, wanted
        )

    def forward() -> Any:
        return torch.nn.functional.conv2d(x, weight, bias, padding=layer.padding, groups=layer.groups)

    runs: dict[str, Callable[[], Any]] = {
        "forward": forward,
        _IN_GROUPS: forward,
        "conv2d": forward,
        "input gradient": lambda: backward([True, False, False])[0],
        "weight gradient": lambda: backward([False, True, False])[1],
    }
    run, order = runs[which], (2, 3, 1, 0) if which == "weight gradient" else (0, 2, 3, 1)
    name = "torch channels-last" if channels_last else "torch contiguous"
    return Side(name, run, "torch", lambda: run().permute(*order).numpy())
