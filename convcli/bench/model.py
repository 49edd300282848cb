"""What is measured and what comes out: plain records without any timing, printing or peer in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_QUICK_MEGAPIXELS = 0.06
FULL_MEGAPIXELS = 24.0


@dataclass(frozen=True)
class Setting:
    """How much is measured, with what.

    Attributes
    ----------
    threads : int
        For every side.
    peers : frozenset of str
        Keys of `convcli.bench.peers.PEERS` that are installed and wanted.
    megapixels : float
        The size of pictures; volumes shrink with it.
    repeats : int or None
        Times per side and case; None: at least 9, more for short cases, fewer for slow peers.
    quick : bool
        Everything small, to see that it works; the numbers then say little.
    isa : str or None
        One of `convcli.bench.instructions.INSTRUCTION_SETS`, beyond which no side goes; None: whatever is here.
    """

    threads: int
    peers: frozenset[str] = frozenset()
    megapixels: float = FULL_MEGAPIXELS
    repeats: int | None = None
    quick: bool = False
    isa: str | None = None

    @property
    def picture_size(self) -> tuple[int, int]:
        """Height and width of pictures, two to three: 4000 and 6000 for 24 megapixels."""
        height = max(round(((_QUICK_MEGAPIXELS if self.quick else self.megapixels) * 1e6 / 1.5) ** 0.5), 16)
        return height, height * 3 // 2

    @property
    def volume_side(self) -> int:
        """The side of the volume: 256 where pictures have 24 megapixels, in proportion for others."""
        return 24 if self.quick else max(round(256 * (self.megapixels / FULL_MEGAPIXELS) ** (1 / 3)), 8)


@dataclass(frozen=True)
class Tolerance:
    """How far apart two results may be and still count as equal.

    ``largest`` is the largest difference, ``relative`` that divided by the largest number of ours, ``mean`` the mean.
    """

    limit: float
    kind: Literal["largest", "relative", "mean"] = "largest"

    def __str__(self) -> str:
        words = {"largest": "", "relative": " of the largest number", "mean": " on average"}
        return f"{self.limit:g}{words[self.kind]}"


@dataclass(frozen=True, eq=False)
class Side:
    """One of those that are measured: ``run`` is what is timed.

    ``check`` gives what is compared (an array, or a tuple of them) where that is not what ``run`` returns. ``margin``
    is how many pixels at the border are left out of the comparison, since this side treats the border differently.
    """

    name: str
    run: Callable[[], Any]
    peer: str = ""
    check: Callable[[], Any] | None = None
    margin: int = 0


@dataclass(frozen=True)
class Work:
    """What any program would have to do: bytes read and written once, and multiply-adds of numbers."""

    bytes: float
    multiply_adds: float = 0


@dataclass(frozen=True, eq=False)
class Contest:
    """A case with its arrays made: our side, the peers', and when their results are equal.

    ``alone`` checks our result by itself where there may be no peer; it raises `ConvcliError` if that is wrong.
    ``note`` is asked after the check; ``plan`` is how ours goes about it, and why; ``close`` gives back
    what was made.
    """

    ours: Side
    peers: tuple[Side, ...]
    tolerance: Tolerance
    work: Work | None = None
    alone: Callable[[], None] | None = None
    note: Callable[[], str] = field(default=lambda: "")
    plan: Any = None
    close: Callable[[], None] = field(default=lambda: None)


@dataclass(frozen=True, eq=False)
class Case:
    """One row of the table, not built yet: ``build`` makes the arrays.

    ``column`` is what the means are taken over; ``images`` turns times into images per second.
    """

    group: str
    column: str
    name: str
    peers: tuple[str, ...]
    build: Callable[[], Contest]
    images: int = 0


@dataclass(frozen=True)
class Times:
    """Every single time of one side, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The shortest and the longest."""
        return min(self.seconds), max(self.seconds)


@dataclass(frozen=True)
class Compared:
    """A peer in a case: how far its result is from ours, and its times if that is near enough.

    ``difference`` is None where the peer failed, and ``failure`` then says how.
    """

    peer: str
    name: str
    difference: float | None
    times: Times | None
    failure: str = ""

    @property
    def equal(self) -> bool:
        """Whether there is a number that may be shown."""
        return self.times is not None


@dataclass(frozen=True)
class Share:
    """How much of what the machine can do at most was reached, and which of its limits is the nearer one."""

    part: float
    of: Literal["copying", "multiply-adds"]


@dataclass(frozen=True)
class Limits:
    """What this machine does at most with these threads: bytes copied (read + written) and multiply-adds, a second."""

    bytes: float
    multiply_adds: float

    def share(self, work: Work, seconds: float) -> Share:
        """The nearer limit, and which part of it was reached.

        >>> Limits(bytes=100, multiply_adds=10).share(Work(bytes=50, multiply_adds=20), seconds=4)
        Share(part=0.5, of='multiply-adds')
        """
        copying, adding = work.bytes / self.bytes / seconds, work.multiply_adds / self.multiply_adds / seconds
        return Share(copying, "copying") if copying >= adding else Share(adding, "multiply-adds")


@dataclass(frozen=True)
class Measurement:
    """What came out of a case; ``times`` are ours, None where nothing showed that our result is right."""

    group: str
    column: str
    name: str
    tolerance: str
    times: Times | None
    peers: tuple[Compared, ...]
    share: Share | None = None
    images: int = 0
    note: str = ""
    plan: Any = None

    def ratio(self, peer: Compared) -> float | None:
        """The peer's median time divided by ours: above 1 we are faster. None without two equal results."""
        return None if self.times is None or peer.times is None else peer.times.median / self.times.median

    @property
    def best(self) -> Compared | None:
        """The fastest of the peers with an equal result."""
        return min((each for each in self.peers if each.times), key=_median, default=None)


def _median(peer: Compared) -> float:
    assert peer.times is not None
    return peer.times.median


@dataclass(frozen=True)
class Mean:
    """The geometric mean of a column's ratios against a peer, its faster side where it has two."""

    group: str
    column: str
    against: str
    ratio: float
    cases: int


def means(measurements: list[Measurement]) -> list[Mean]:
    """A mean for each column and peer that two or more of its cases were measured against, then for the best peer."""
    found = []
    for group, column in dict.fromkeys((each.group, each.column) for each in measurements):
        rows = [each for each in measurements if (each.group, each.column) == (group, column)]
        peers = list(dict.fromkeys(peer.peer for row in rows for peer in row.peers if peer.equal))
        ratios: Mapping[str, list[float]] = {
            peer: [_best(row, peer) for row in rows if _has(row, peer)] for peer in peers
        }
        if len(peers) > 1:
            ratios = {**ratios, "the best of them": [_best(row) for row in rows if _has(row)]}
        for against, values in ratios.items():
            if len(values) > 1:
                mean = float(np.exp(np.mean(np.log(values))))
                found.append(Mean(group, column, against, mean, len(values)))
    return found


def _has(row: Measurement, peer: str = "") -> bool:
    return any(each.equal and peer in ("", each.peer) for each in row.peers)


def _best(row: Measurement, peer: str = "") -> float:
    ratios = (row.ratio(each) for each in row.peers if each.equal and peer in ("", each.peer))
    return min(ratio for ratio in ratios if ratio is not None)
