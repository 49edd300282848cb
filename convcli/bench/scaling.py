"""How cost grows with the work: time and memory of one operation at several sizes, and the slopes between them.

On logarithmic axes a cost that is proportional to the work is a line of slope 1.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from convcli import correlate2d, correlate3d
from convcli.bench.model import Setting
from convcli.bench.pictures import float_plane, float_volume, noise
from convcli.kernels import kernel
from convcli.loops.compiling import compiler
from convcli.nn.losses import make_loss
from convcli.nn.model import Model
from convcli.nn.optimizers import make_optimizer

Work = Callable[[], object]
_ENOUGH, _FEWEST, _MOST = 0.4, 3, 200  # seconds, and times, that one size is measured
_FAR = 1.5  # sizes nearer to each other say nothing about a slope: noise does


@dataclass(frozen=True)
class Growth:
    """One operation at several sizes.

    ``build`` makes the arrays for an amount and returns what is timed; ``slope`` is what a cost in proportion has:
    1, and -1 for threads, which share the work.
    """

    name: str
    unit: str
    amounts: tuple[float, ...]
    build: Callable[[float], Work]
    slope: float = 1.0


@dataclass(frozen=True)
class Point:
    """What one size costs: the shortest time, and bytes of memory at its peak beyond what was there before."""

    amount: float
    seconds: float
    bytes: int | None  # None where the system does not say


@dataclass(frozen=True)
class Step:
    """The slope from one size to a larger one."""

    slope: float
    start: float
    end: float


def growths(setting: Setting) -> list[Growth]:
    """All operations, those of ``setting.quick`` tiny."""
    quick = setting.quick
    pixels = (0.01, 0.02, 0.04) if quick else (1.0, 2.0, 5.0, 10.0, 24.0, 50.0, 100.0)
    sides = (3, 5, 9) if quick else (3, 5, 9, 15, 21, 31, 51, 75, 101)
    cubes = (8, 12, 16) if quick else (64, 128, 256, 512)
    batches = (1, 2, 4) if quick else (1, 4, 16, 64, 256, 1024)
    threads = sorted({1, setting.threads, *(2**n for n in range(setting.threads.bit_length()))} - {0})
    largest = 0.04 if quick else 24.0
    return [
        Growth("sharpen, 8-bit RGB", "megapixels", pixels, partial(_filter, "sharpen")),
        Growth("Gaussian sigma 2, 8-bit RGB", "megapixels", pixels, partial(_filter, "gaussian:sigma=2")),
        Growth("general kernel, float plane", "taps", tuple(float(n * n) for n in sides), _taps),
        Growth("Gaussian sigma 1, float volume", "megavoxels", tuple(n**3 / 1e6 for n in cubes), _volume),
        Growth("predict, the MNIST network", "images", tuple(map(float, batches)), _predict),
        Growth("training step, the MNIST network", "images", tuple(map(float, batches)), _train),
        Growth("sharpen, 8-bit RGB", "threads", tuple(map(float, threads)), lambda n: _shared(largest, round(n)), -1.0),
    ]


def measure_growth(growth: Growth, clock: Callable[[], float] = time.perf_counter) -> Iterator[Point]:
    """The points of one operation, one after the other."""
    for amount in growth.amounts:
        run = growth.build(amount)
        run()  # loops are linked, memory is found
        memory = peak_beyond(run)
        times: list[float] = []
        while len(times) < _FEWEST or (sum(times) < _ENOUGH and len(times) < _MOST):
            start = clock()
            result = run()
            times.append(clock() - start)
            del result  # giving memory back is not timed
        yield Point(amount, min(times), memory)


def slope(points: Sequence[Point]) -> float | None:
    """The slope of all points on logarithmic axes, by least squares; None for fewer than two.

    >>> slope([Point(1, 0.5, None), Point(10, 5, None), Point(100, 50, None)])
    1.0
    """
    if len(points) < 2:
        return None
    across, up = (np.log([getattr(each, name) for each in points]) for name in ("amount", "seconds"))
    return round(float(np.polyfit(across, up, 1)[0]), 6)


def steepest(points: Sequence[Point]) -> Step | None:
    """The step at which the cost grows fastest, of those between sizes that are well apart."""
    steps = []
    for first in points:
        later = next((each for each in points if each.amount >= _FAR * first.amount), None)
        if later is not None:
            rise = math.log(later.seconds / first.seconds) / math.log(later.amount / first.amount)
            steps.append(Step(rise, first.amount, later.amount))
    return max(steps, key=lambda step: step.slope, default=None)


def peak_beyond(run: Work) -> int | None:
    """How many bytes more this process held at its peak while ``run()`` ran, its result among them."""
    status, marks = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    try:
        marks.write_text("5")  # the peak begins anew
        before = _kilobytes(status, "VmRSS")
    except (OSError, StopIteration):
        return None
    result = run()
    peak = _kilobytes(status, "VmHWM")
    del result
    return max(peak - before, 0) * 1024


def _kilobytes(status: Path, field: str) -> int:
    return int(next(line for line in status.read_text().splitlines() if line.startswith(field)).split()[1])


def _filter(spec: str, megapixels: float) -> Work:
    picture, weights = noise(*Setting(1, megapixels=megapixels).picture_size, 3), kernel(spec)
    return lambda: correlate2d(picture, weights, padding="same")


def _taps(taps: float) -> Work:
    side = math.isqrt(round(taps))
    plane = float_plane(1000, 1000)
    weights = np.random.default_rng(side).random((side, side))
    return lambda: correlate2d(plane, weights, padding="same")


def _volume(megavoxels: float) -> Work:
    volume, weights = float_volume(round((megavoxels * 1e6) ** (1 / 3))), kernel("gaussian3d:sigma=1")
    return lambda: correlate3d(volume, weights, padding="same")


def _predict(images: float) -> Work:
    count = round(images)
    x, model = np.random.default_rng(6).random((count, 28, 28, 1), np.float32), Model.from_architecture("mnist", seed=1)
    return lambda: model.predict(x, count)


def _train(images: float) -> Work:
    generator = np.random.default_rng(5)
    x, labels = generator.random((round(images), 28, 28, 1), np.float32), generator.integers(0, 10, round(images))
    model = Model.from_architecture("mnist", seed=1)
    loss, optimizer = make_loss("softmax_cross_entropy"), make_optimizer("rmsprop", learning_rate=1e-3)

    def run() -> None:
        model.loss_and_gradients(x, labels, loss)
        optimizer.step(model.parameters)

    return run


def _shared(megapixels: float, threads: int) -> Work:
    compiler.set_threads(threads)
    return _filter("sharpen", megapixels)
