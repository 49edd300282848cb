"""Filtering a float volume: general and Gaussian kernels, beside SciPy and torch."""

from functools import partial
from typing import Any

import numpy as np

from convcli import correlate3d
from convcli.bench.model import Array, Case, Contest, Setting, Side, Tolerance, Work
from convcli.bench.pictures import float_volume
from convcli.kernels import kernel
from convcli.ops.plan import plan_correlation

_SIZES = (3, 5, 7)
_SIGMA = 1.0
_TOLERANCE = Tolerance(1e-5, "relative")


def head(setting: Setting) -> str:
    """What is measured and how."""
    side = setting.volume_side
    return (
        f"{side}x{side}x{side} float32, zeros beyond the border, same size out. convcli: correlate3d. "
        "A Gaussian is three passes in SciPy too; torch (conv3d) tries both ways"
    )


def cases(setting: Setting) -> list[Case]:
    """The group volume."""
    return [
        *(Case("volume", "general", f"{n}^3", ("scipy", "torch"), partial(_general, setting, n)) for n in _SIZES),
        *(Case("volume", "Gaussian", f"{n}^3", ("scipy", "torch"), partial(_gaussian, setting, n)) for n in _SIZES),
    ]


def _general(setting: Setting, size: int) -> Contest:
    weights = np.random.default_rng(size).random((size, size, size)).astype(np.float32)
    sides = []
    volume = float_volume(setting.volume_side)
    if "scipy" in setting.peers:
        from scipy import ndimage

        sides.append(Side("SciPy", lambda: ndimage.correlate(volume, weights, mode="constant"), "scipy"))
    if "torch" in setting.peers:
        sides.append(_torch("torch", volume, [weights]))
    return _contest(volume, weights, sides)


def _gaussian(setting: Setting, size: int) -> Contest:
    weights = kernel(f"gaussian3d:sigma={_SIGMA},size={size}")
    volume = float_volume(setting.volume_side)
    sides = []
    if "scipy" in setting.peers:
        from scipy import ndimage

        sides.append(
            Side(
                "SciPy",
                lambda: ndimage.gaussian_filter(volume, _SIGMA, mode="constant", radius=size // 2),
                "scipy",
            )
        )
    if "torch" in setting.peers:
        line = weights.sum(axis=(1, 2)).astype(np.float32)
        passes = [line[:, None, None], line[None, :, None], line[None, None, :]]
        sides.append(_torch("torch one kernel", volume, [weights.astype(np.float32)]))
        sides.append(_torch("torch three passes", volume, passes))
    return _contest(volume, weights, sides)


def _contest(volume: Array, weights: Array, sides: list[Side]) -> Contest:
    ours = Side("convcli", lambda: correlate3d(volume, weights, padding="same"))
    plan = plan_correlation(np.asarray(weights, np.float64), volume.dtype)
    return Contest(ours, tuple(sides), _TOLERANCE, Work(2 * volume.nbytes, plan.multiply_adds * volume.size))


def _torch(name: str, volume: Array, passes: list[Array]) -> Side:
    import torch

    source = torch.from_numpy(volume)[None, None]
    weights = [torch.from_numpy(np.ascontiguousarray(each))[None, None] for each in passes]

    def run() -> Any:
        values = source
        for each in weights:
            padding = tuple(n // 2 for n in each.shape[2:])
            values = torch.nn.functional.conv3d(values, each, padding=padding)
        return values

    return Side(name, run, "torch", lambda: run().numpy())
