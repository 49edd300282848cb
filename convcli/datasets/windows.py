"""Windows cut from longer series, and frames from longer films: which overlap, and where each lies in time.

Two windows that share moments are nearly the same sample: one to learn and the other held out would say how well a
network remembers. Found are windows that share an eighth of their length at least, to the bit, whatever their order.
"""

from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Places = npt.NDArray[np.int64]

_SERIES, _FILMS = 3, 5  # axes of all samples together
_SHORTEST = 8  # moments of a series
_BITS = 40  # of what is shared: less may be so by chance
_PART = 8  # of a window's length, that is looked for in others
_SHARE = 0.5  # of windows that go on in another, from which on they are said to overlap
_LARGEST = 400_000_000  # numbers
_CHUNK = 1 << 22
_LOOK = 1 << 18  # numbers that tell how many different ones there are


@dataclass(frozen=True, eq=False)
class Windows:
    """Of each window the series it is from and its place there, both in moments of unknown beginning."""

    series: Places
    places: Places
    length: int

    @property
    def order(self) -> Places:
        """The windows by series and time."""
        return np.lexsort((self.places, self.series))

    def touching(self, chosen: Places, reach: int) -> npt.NDArray[np.bool_]:
        """(N,) whether a window shares moments with one of these, or lies nearer than ``reach``."""
        far = max(reach, self.length)
        apart = int(self.places.max() - self.places.min()) + 2 * far
        line = self.series * apart + self.places - self.places.min()
        there = np.sort(line[chosen])
        after = np.searchsorted(there, line - far, side="right")
        near: npt.NDArray[np.bool_] = there[np.minimum(after, len(there) - 1)] < line + far
        near[after == len(there)] = False
        return near


def find_windows(samples: Any) -> Windows | None:
    """Where samples (N, ..., C) lie in time, if they are windows that overlap; None if not."""
    if not isinstance(samples, np.ndarray) or samples.ndim not in (_SERIES, _FILMS) or samples.size > _LARGEST:
        return None
    count, length = samples.shape[:2]
    if count < 2 or length < 2:
        return None
    marks, is_dull = _marks(samples)
    first = np.where(is_dull[:, 0], np.uint64(0), marks[:, 0])
    order = np.argsort(first, kind="stable")
    following, steps = np.full(count, -1), np.zeros(count, np.int64)
    for step in range(1, marks.shape[1]):
        open_ones = np.flatnonzero((following < 0) & ~is_dull[:, step])
        found = np.searchsorted(first[order], marks[open_ones, step])
        found = order[np.minimum(found, count - 1)]
        same = (first[found] == marks[open_ones, step]) & (found != open_ones)
        for one, two in zip(open_ones[same].tolist(), found[same].tolist(), strict=True):
            if np.array_equal(samples[one, step:], samples[two, : length - step]):
                following[one], steps[one] = two, step
    if np.count_nonzero(following >= 0) < _SHARE * count:
        return None
    return Windows(*_along(following, steps), length)


def shared_with(samples: Any, others: Any) -> int:
    """How many samples are windows that share moments with others."""
    both = [each for each in (samples, others) if isinstance(each, np.ndarray) and each.ndim in (_SERIES, _FILMS)]
    if len(both) < 2 or samples.shape[1:] != others.shape[1:] or samples.dtype != others.dtype:
        return 0
    if samples.shape[1] < 2 or max(samples.size, others.size) > _LARGEST:
        return 0
    (mine, my_dull), (theirs, their_dull) = _marks(samples), _marks(others)
    goes_on = (np.isin(mine, theirs[~their_dull[:, 0], 0]) & ~my_dull).any(axis=1)
    comes_from = np.isin(mine[:, 0], theirs[~their_dull]) & ~my_dull[:, 0]
    return int(np.count_nonzero(goes_on | comes_from))


def _marks(samples: Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """(N, places) a number for what a window shows from each of its moments on, and whether it is the same throughout.

    Whole numbers modulo 2 ** 64, so that the same bits give the same number.
    """
    count, length = samples.shape[:2]
    rows = samples.reshape(count, length, -1)
    part = max(min(_SHORTEST, length // 2), length // _PART) if samples.ndim == _SERIES else 1
    levels = len(np.unique(rows.reshape(-1)[:_LOOK]))
    part = min(max(part, ceil(_BITS / (log2(max(levels, 2)) * (rows.shape[2] if part == 1 else 1)))), length)
    random = np.random.PCG64(1)
    weights = random.random_raw(rows.shape[2]) | np.uint64(1)
    moments = np.empty((count, length), np.uint64)
    flat = np.zeros((count, length), bool)
    step = max(_CHUNK // rows[:1].size, 1)
    for begin in range(0, count, step):
        some = np.ascontiguousarray(rows[begin : begin + step])
        bits = some if some.dtype == np.uint8 else some.view(f"u{some.dtype.itemsize}")
        moments[begin : begin + step] = (bits.astype(np.uint64) * weights).sum(axis=2)
        flat[begin : begin + step] = (some == some[..., :1]).all(axis=2)
    moments ^= moments >> np.uint64(29)
    moments *= np.uint64(0xBF58476D1CE4E5B9)
    seen = np.lib.stride_tricks.sliding_window_view(moments, part, axis=1)
    marks = (seen * (random.random_raw(part) | np.uint64(1))).sum(axis=2)
    is_dull = (seen == seen[..., :1]).all(axis=2) if part > 1 else flat[:, : marks.shape[1]]
    return marks, is_dull


def _along(following: Places, steps: Places) -> tuple[Places, Places]:
    """The series and the place of each window, from which one each goes on in, and how far on."""
    count = len(following)
    series, places = np.full(count, -1), np.zeros(count, np.int64)
    has_one_before = np.zeros(count, bool)
    has_one_before[following[following >= 0]] = True
    begins = [*np.flatnonzero(~has_one_before).tolist(), *range(count)]  # the rest are rings
    known = 0
    for begin in begins:
        run: list[int] = []
        at = begin
        while at >= 0 and series[at] < 0:
            series[at], places[at] = known, places[run[-1]] + steps[run[-1]] if run else 0
            run.append(at)
            at = int(following[at])
        if run and at >= 0 and series[at] != known:  # runs into another series: it is that one
            series[run] = series[at]
            places[run] += places[at] - (places[run[-1]] + steps[run[-1]])
        elif run:
            known += 1
    return series, places
