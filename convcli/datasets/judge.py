"""Whether what was found in a picture is a digit: a small network looks at it and at what lies around it.

Rules find strokes; they cannot tell a one from a crease, a nought from the ring of a cup, or an eight from two drops,
since what tells them apart is how they stand on the paper. The network sees four pictures of 28x28: the strokes as a
digit, the strokes among what surrounds them, those surroundings as they are, and the whole picture, all with the paper
0.25 and the ink 0.75, so that no lighting and no polarity is a reason. It is trained on scenes put together at random
by ``tests/digit_judge.py``, which writes the file; of the candidates in them those are digits that cover the ink.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convcli.datasets.pictures import resize
from convcli.datasets.strokes import Strokes

Floats = npt.NDArray[np.float32]

SIDE = 28  # pixels of each view
JUDGE = Path(__file__).parent.parent / "models" / "digit-judge.safetensors"
CONVOLUTIONS = ("conv_1", "conv_2", "conv_3")  # each of stride 2, with ReLU

_FILLED = 20  # pixels of the strokes' longer side, as MNIST has them


def views(strokes: Strokes, grey: Floats, whole: Floats) -> npt.NDArray[np.uint8]:
    """What the network sees of a candidate: (28, 28, 4) bytes.

    ``grey`` is the picture in which the strokes were found, ``whole`` all of which that is a part.
    """
    top, left, bottom, right = strokes.box
    side = max(bottom - top, right - left)
    around = (top + bottom) // 2 - side, (left + right) // 2 - side, 2 * side
    scale = _FILLED / side
    height, width = (max(1, round(scale * length)) for length in (bottom - top, right - left))
    form = np.zeros((SIDE, SIDE), np.float32)
    start, first = (SIDE - height) // 2, (SIDE - width) // 2
    form[start : start + height, first : first + width] = resize(strokes.amount[top:bottom, left:right], height, width)
    near = _window(grey, *around, np.nan)
    marked = _window(strokes.amount, *around, 0.0)
    ink, paper = _levels(near, marked)
    longer = max(whole.shape)
    corner = (whole.shape[0] - longer) // 2, (whole.shape[1] - longer) // 2
    everything = _between(_window(whole, *corner, longer, np.nan), ink, paper)
    planes = [form, *(resize(each, SIDE, SIDE) for each in (marked, _between(near, ink, paper), everything))]
    seen: npt.NDArray[np.uint8] = np.rint(np.clip(np.stack(planes, axis=-1), 0, 1) * 255).astype(np.uint8)
    return seen


def judge(seen: Sequence[npt.NDArray[np.uint8]]) -> Floats:
    """How likely each candidate is a digit, 0..1, by its `views`."""
    from convcli.ops.convolution import conv2d

    weights = _weights()
    values = np.divide(np.stack(seen), np.float32(255), dtype=np.float32)
    for name in CONVOLUTIONS:
        values = np.maximum(
            conv2d(values, weights[f"{name}/kernel"], weights[f"{name}/bias"], stride=2, padding="same"), 0
        )
    # Not by a matrix product, whose order of sums is the library's.
    sums = (values.reshape(len(values), -1) * weights["dense_1/kernel"][:, 0]).sum(axis=1) + weights["dense_1/bias"][0]
    likely: Floats = 1 / (1 + np.exp(-np.clip(sums, -50, 50)))
    return likely


@lru_cache(maxsize=1)
def _weights() -> dict[str, Floats]:
    from safetensors.numpy import load_file

    return {name: values.astype(np.float32) for name, values in load_file(JUDGE).items()}


def _window(plane: Floats, top: int, left: int, side: int, outside: float) -> Floats:
    """A square of a plane that may reach beyond it."""
    found = np.full((side, side), outside, np.float32)
    height, width = plane.shape
    rows, columns = slice(max(top, 0), min(top + side, height)), slice(max(left, 0), min(left + side, width))
    inside = plane[rows, columns]
    found[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = inside
    return found


def _levels(near: Floats, marked: Floats) -> tuple[float, float]:
    """How light ink is, and paper around it."""
    inside = ~np.isnan(near)
    values, shares = near[inside], marked[inside].astype(np.float64)
    ink = float((values * shares**2).sum() / max((shares**2).sum(), 1e-6))
    empty = values[shares == 0]
    if len(empty) < 10:  # of a digit that was cut out without a margin
        empty = values[shares <= np.percentile(shares, 20)]
    return ink, float(np.median(empty))


def _between(values: Floats, ink: float, paper: float) -> Floats:
    """Paper as 0.25, ink as 0.75, what is outside the picture as 0."""
    span = paper - ink if abs(paper - ink) > 0.02 else (0.02 if paper >= ink else -0.02)
    scaled = np.clip(0.25 + 0.5 * (paper - values) / np.float32(span), 0, 1)
    found: Floats = np.nan_to_num(scaled, nan=0.0).astype(np.float32)
    return found
