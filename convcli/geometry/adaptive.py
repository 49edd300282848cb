"""Windows that share an axis out: adaptive pooling, where the number of windows is given and not their size."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd

from convcli.geometry.windows import ReceptiveField


@dataclass(frozen=True, slots=True)
class AdaptiveWindow:
    """``count`` windows on an axis of n cells: window i reaches from ``floor(i*n/count)`` to ``ceil((i+1)*n/count)``.

    Where the count does not divide n, windows overlap by a cell and differ by one in size; this is PyTorch's rule.

    >>> AdaptiveWindow(3).sizes(7), AdaptiveWindow(5).sizes(7)
    ((3, 3), (2, 3))
    """

    count: int

    def output(self, n: int) -> int:
        """How many windows there are, whatever the number of cells."""
        return self.count

    def sizes(self, n: int) -> tuple[int, int]:
        """The fewest and the most cells of a window on ``n`` cells."""
        whole, rest = divmod(n, self.count)
        if not rest:
            return whole, whole
        # Windows begin at multiples of gcd / count: the one that begins latest in its first cell is the widest.
        return whole + 1, whole + 1 + (rest > gcd(n, self.count))

    def field(self, n: int, earlier: ReceptiveField) -> ReceptiveField:
        """The receptive field after these windows on ``n`` cells: that of the widest, and the mean jump.

        An upper bound where windows differ in size.
        """
        jump = Fraction(earlier.jump) * n / self.count
        return ReceptiveField(
            earlier.size + ceil((self.sizes(n)[1] - 1) * earlier.jump),
            int(jump) if jump == int(jump) else jump,
            earlier.start,
        )

    def formula(self, n: int) -> str:
        """The windows with their numbers: ``5 windows of 2 to 3 cells, floor(i*7/5) to ceil((i + 1)*7/5)``."""
        least, most = self.sizes(n)
        windows = "1 window" if self.count == 1 else f"{self.count} windows"
        if least < most:
            return f"{windows} of {least} to {most} cells, floor(i*{n}/{self.count}) to ceil((i + 1)*{n}/{self.count})"
        return f"{windows} of {most} cell{'s' if most > 1 else ''}"
