"""Checking and timing a case: results are compared first, then the sides take turns, and every time is kept."""

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from convcli.bench.model import Array, Case, Compared, Contest, Limits, Measurement, Side, Times, Tolerance

# Without a number of repeats: at least so many times, up to so many for what is over sooner than these seconds.
_REPEATS, _MOST_REPEATS, _SHORT = 9, 49, 0.4
# A side that has had so many times and so many seconds sits out: ours and the others go on.
_FEW_REPEATS, _LONG = 3, 4.0
# Idle threads of OpenMP spin for some milliseconds before they sleep: nobody's turn begins while another's do.
PAUSE = 0.02
# Calls shorter than this come right after an untimed one, so that no side pays for waking its threads, for its data
# having left the cache while the others ran, or for memory that the machine must find anew: where a virtual machine's
# host takes back what was free for some seconds, 64 MB took 0.1 s then, and 0.007 s at once.
_WARM = 0.5

Clock = Callable[[], float]


def measure(
    case: Case, contest: Contest, limits: Limits | None, *, repeats: int | None = None, pause: float = PAUSE,
    clock: Clock = time.perf_counter,
) -> Measurement:  # fmt: skip
    """Check a case's sides against ours, then time those that are equal, in turns.

    Raises whatever our own side raises; a peer that fails is reported.
    """
    expected = _outcome(contest.ours)
    if contest.alone is not None:
        contest.alone()
    verdicts = [_judge(side, expected, contest.tolerance) for side in contest.peers]
    del expected
    equal = [side for side, verdict in zip(contest.peers, verdicts, strict=True) if verdict[1]]
    shown = bool(equal) or contest.alone is not None
    times = time_in_turns([contest.ours, *equal], repeats=repeats, pause=pause, clock=clock) if shown else {}
    ours = times.get(id(contest.ours))
    return Measurement(
        case.group,
        case.column,
        case.name,
        str(contest.tolerance),
        ours,
        tuple(
            Compared(side.peer, side.name, difference, times.get(id(side)), failure)
            for side, (difference, _, failure) in zip(contest.peers, verdicts, strict=True)
        ),
        limits.share(contest.work, ours.median) if limits and contest.work and ours else None,
        case.images,
        contest.note(),
        contest.plan,
    )


def time_in_turns(
    sides: list[Side], *, repeats: int | None, pause: float = 0.0, clock: Clock = time.perf_counter
) -> dict[int, Times]:
    """Times of each side by its `id`: one call of every side after the other, over and over.

    ``pause`` is how many seconds are waited before each side's turn.
    """
    found: dict[int, list[float]] = {id(side): [] for side in sides}
    typical = {id(side): _timed(side, clock) for side in sides}  # not counted: the first call of all
    going = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        while any(_wants_more(found[id(side)], repeats) for side in sides[1:] or sides):
            for side in sides:
                mine = found[id(side)]
                if side is not sides[0] and not _wants_more(mine, repeats):
                    continue
                time.sleep(pause)
                if typical[id(side)] < _WARM:
                    side.run()
                mine.append(_timed(side, clock))
    finally:
        if going:
            gc.enable()
    return {key: Times(tuple(values)) for key, values in found.items()}


def _timed(side: Side, clock: Clock) -> float:
    start = clock()
    result = side.run()
    seconds = clock() - start
    del result  # giving the memory back is not timed
    return seconds


def _wants_more(times: list[float], repeats: int | None) -> bool:
    if repeats is not None:
        return len(times) < repeats
    total = sum(times)
    if len(times) >= _FEW_REPEATS and total > _LONG:
        return False
    return len(times) < _REPEATS or (total < _SHORT and len(times) < _MOST_REPEATS)


def _outcome(side: Side) -> tuple[Array, ...]:
    result = side.run() if side.check is None else side.check()
    return tuple(np.asarray(each) for each in result) if isinstance(result, tuple) else (np.asarray(result),)


def _judge(side: Side, expected: tuple[Array, ...], tolerance: Tolerance) -> tuple[float | None, bool, str]:
    """How far a peer is from ours, whether that is near enough, and what went wrong if it did not get that far."""
    try:
        result = _outcome(side)
    except Exception as error:  # a peer's failure, of whatever kind, must not end the others' measurement
        return None, False, f"failed: {' '.join(str(error).split())[:200] or type(error).__name__}"
    shapes, wanted = ([_shape(each) for each in arrays] for arrays in (result, expected))
    if shapes != wanted:
        return None, False, f"gave shape {shapes}, expected {wanted}"[:200]
    apart = max(
        distance(_inner(ours, side.margin), _inner(theirs, side.margin), tolerance.kind)
        for ours, theirs in zip(expected, result, strict=True)
    )
    return apart, apart <= tolerance.limit, ""


def distance(ours: Array, theirs: Array, kind: str) -> float:
    """How far apart two arrays of as many numbers are, in the words of `Tolerance`; NaN anywhere is infinitely far.

    >>> distance(np.array([1, 4], np.uint8), np.array([3, 4], np.uint8), "relative")
    0.5
    """
    working: Any = np.int16 if ours.dtype == theirs.dtype == np.uint8 else np.float64
    if working == np.float64 and ours.dtype == theirs.dtype == np.float32:
        working = np.float32
    apart = np.abs(np.subtract(ours.reshape(-1), theirs.reshape(-1), dtype=working))
    value = float(apart.mean(dtype=np.float64) if kind == "mean" else apart.max(initial=0))
    if kind == "relative":
        value /= float(np.abs(ours).max(initial=0)) or 1.0
    return value if np.isfinite(value) else float("inf")


def _shape(array: Array) -> tuple[int, ...]:
    """The shape without axes of one: a grey picture has a channel here and none there."""
    return tuple(n for n in array.shape if n != 1)


def _inner(array: Array, margin: int) -> Array:
    if not margin:
        return array
    squeezed = array.reshape(_shape(array))
    return squeezed[margin:-margin, margin:-margin]
