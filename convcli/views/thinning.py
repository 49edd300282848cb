"""Fewer where there are too many to show: the strongest number of each block, a few places of many."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def strongest(values: NDArray[Any], block: int | tuple[int, int]) -> NDArray[Any]:
    """The number of largest magnitude in every block of so many rows and columns of (H, W), so that none gets lost.

    >>> strongest(np.array([[1, 0, 0], [0, -3, 2]]), 2).tolist()
    [[-3, 2]]
    """
    down, across = (block, block) if isinstance(block, int) else block
    if down == across == 1:
        return values
    height, width = -(-values.shape[0] // down), -(-values.shape[1] // across)
    padded = np.zeros((height * down, width * across), values.dtype)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(height, down, width, across).swapaxes(1, 2).reshape(height, width, down * across)
    sizes = np.abs(blocks)
    # What is not a number is the strongest of all.
    picked = np.where(np.isnan(sizes), np.inf, sizes).argmax(axis=2) if blocks.dtype.kind == "f" else sizes.argmax(2)
    return np.asarray(np.take_along_axis(blocks, picked[..., None], axis=2)[..., 0])


def spread(count: int, most: int) -> list[int]:
    """At most some of ``count`` indices, evenly spread from first to last.

    >>> spread(5, 3)
    [0, 2, 4]
    """
    return list(range(count)) if count <= most else [round(index * (count - 1) / (most - 1)) for index in range(most)]
