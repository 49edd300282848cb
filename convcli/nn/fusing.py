"""Which layers of a network do part of their neighbours' work, so that a batch is read and written less often.

- A ReLU behind a batch normalisation is done in the passes of the normalisation.
- Batch normalisation behind a layer without activation is a line for each filter: where a network only predicts, it is
  folded into the weights, see `BatchNorm.fold`.
- The gradient of a ReLU before max or min pooling is done in the pooling's, where there are fewer numbers; so is that
  of the bias before the ReLU.

The outputs and gradients are what they would be, of what is folded up to rounding; `Layer.alone` gives a layer's own
output all the same.
"""

from collections.abc import Sequence
from itertools import pairwise

from convcli.nn.layer import Layer
from convcli.nn.normalization import BatchNorm
from convcli.nn.pooling import ExtremaPool
from convcli.nn.shaping import ActivationLayer
from convcli.nn.weighted import Conv, Dense, Weighted


def fuse(layers: Sequence[Layer]) -> None:
    """Share the work out among layers of a chain, and those of the chains inside them."""
    for layer in layers:
        for branch in layer.branches:
            fuse(branch)
    for before, layer in pairwise(layers):
        if isinstance(before, BatchNorm) and isinstance(layer, ActivationLayer) and layer.activation.name == "relu":
            before.relu = layer.idle = True
        if isinstance(before, Conv | Dense) and before.activation.name == "linear" and isinstance(layer, BatchNorm):
            layer.source = before
    for place, layer in enumerate(layers):
        source = _rectifier(layers[:place])
        if isinstance(layer, ExtremaPool) and source is not None:
            layer.masks = source.masked = True
            if isinstance(source, Weighted):
                layer.bias, source.sums_elsewhere = source.bias, True


def _rectifier(layers: Sequence[Layer]) -> BatchNorm | ActivationLayer | Weighted | None:
    """The layer that does the ReLU at the end of a chain, if there is one and nothing else adds to its gradient."""
    last = layers[-1] if layers else None
    if isinstance(last, ActivationLayer) and last.idle:
        last = layers[-2]
        return last if isinstance(last, BatchNorm) else None
    if isinstance(last, ActivationLayer | Weighted) and last.activation.name == "relu":
        return None if isinstance(last, Weighted) and last.activity is not None else last
    return None
