"""Networks of comparisons that bring one rank of some numbers to a known place.

Built by merging: columns of a window are sorted first, which neighbouring windows share. Then either these are merged
two by two, or rows are sorted too: columns stay so, and in a window sorted both ways many cells are known to lie above
the wanted rank or below it, and only the others are merged, shortest runs first. What the wanted rank does not depend
on is left out again. Source: K. E. Batcher, "Sorting networks and their applications", AFIPS Spring Joint Computer
Conference 1968, section on odd-even merging, for runs of any length.
"""

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Comparisons: TypeAlias = list[tuple[int, int]]  # the smaller number goes to the first place, the larger to the second
Steps: TypeAlias = NDArray[np.int64]  # (n, 3): lower place, upper place, and which of both is needed later


@cache
def rank_network(lines: int, columns: int, rank: int) -> tuple[Steps, Steps, int]:
    """For windows of ``lines`` x ``columns`` cells: the steps that sort a column, those across, and the final place.

    A cell's place is ``column * lines + line``. The third number of a step is 0 where both of its results are needed, 1
    where the smaller is, 2 where the larger is.

    >>> [len(steps) for steps in rank_network(3, 3, 4)[:2]]
    [3, 11]
    """
    first: Comparisons = []
    order = _sorted(list(range(lines)), first)
    columns_of = [[column * lines + line for line in order] for column in range(columns)]
    ways = [_merging(columns_of, rank), _sorting(columns_of, rank)]
    across, wanted = min(ways, key=lambda way: _cost(way[0]))
    return _steps(first, range(lines) if columns > 1 else [wanted]), across, wanted


def _merging(runs: list[list[int]], rank: int) -> tuple[Steps, int]:
    """Steps from sorted columns on that merge them, and where the rank then is."""
    made: Comparisons = []
    while len(runs) > 1:
        pairs = [runs[i : i + 2] for i in range(0, len(runs), 2)]
        runs = [_merged(pair[0], pair[1], made) if len(pair) == 2 else pair[0] for pair in pairs]
    return _steps(made, [runs[0][rank]]), runs[0][rank]


def _sorting(columns: list[list[int]], rank: int) -> tuple[Steps, int]:
    """Steps from sorted columns on that sort rows and merge what may have the rank, and where it then is."""
    made: Comparisons = []
    lines, cells = len(columns[0]), len(columns) * len(columns[0])
    runs, below = [], 0
    for i in range(lines):
        row, kept = _sorted([column[i] for column in columns], made), []
        for j, place in enumerate(row):
            if (lines - i) * (len(row) - j) > cells - rank:
                below += 1  # so many are at least as large that it is not needed
            elif (i + 1) * (j + 1) <= rank + 1:
                kept.append(place)
        runs.append(kept)
    while len(runs) > 1:
        runs.sort(key=len)
        runs[:2] = [_merged(runs[0], runs[1], made)]
    return _steps(made, [runs[0][rank - below]]), runs[0][rank - below]


def _cost(steps: Steps) -> int:
    """How many smaller and larger numbers are looked for."""
    return int(np.where(steps[:, 2] == 0, 2, 1).sum())


def _sorted(places: list[int], made: Comparisons) -> list[int]:
    """The places in the order that their numbers have after what is added to ``made``."""
    if len(places) < 2:
        return places
    middle = len(places) // 2
    return _merged(_sorted(places[:middle], made), _sorted(places[middle:], made), made)


def _merged(first: list[int], second: list[int], made: Comparisons) -> list[int]:
    """The places of two sorted runs as one sorted run, after what is added to ``made``."""
    if not first or not second:
        return first or second
    if len(first) == len(second) == 1:
        made.append((first[0], second[0]))
        return first + second
    even, odd = _merged(first[::2], second[::2], made), _merged(first[1::2], second[1::2], made)
    merged = even[:1]
    for lower, upper in zip(odd, even[1:], strict=False):
        made.append((lower, upper))
        merged += [lower, upper]
    common = min(len(odd), len(even) - 1)
    return merged + odd[common:] + even[1 + common :]


def _steps(made: Comparisons, wanted: Sequence[int]) -> Steps:
    """The comparisons that the wanted places depend on."""
    needed, steps = set(wanted), []
    for lower, upper in reversed(made):
        if lower in needed or upper in needed:
            steps.append((lower, upper, 0 if {lower, upper} <= needed else 1 if lower in needed else 2))
            needed |= {lower, upper}
    return np.array(steps[::-1], np.int64).reshape(-1, 3)
