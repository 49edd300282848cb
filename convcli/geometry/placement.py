"""Where the cells of a result lie on the axis of what it was made from."""

from dataclasses import dataclass

from convcli.geometry.windows import Window


@dataclass(frozen=True, slots=True)
class Placement:
    """The cells of a result on the axis it was made from: a point at ``v`` of the result lies there at
    ``start + step * v``, where 0 is the outer edge of the first cell and 1 the edge between the first and the second.

    >>> Placement.of(Window(2, stride=2))
    Placement(step=2, start=0.0)
    >>> Placement.of(Window(3, before=1, after=1)).then(Placement(start=-5))
    Placement(step=1, start=-5.0)
    """

    step: float = 1
    start: float = 0

    @staticmethod
    def of(window: Window) -> "Placement":
        """Each cell of the result in the middle of its window."""
        return Placement(window.stride, (window.effective - window.stride) / 2 - window.before)

    def then(self, later: "Placement") -> "Placement":
        """The placement after a second operation on the result of this one."""
        return Placement(self.step * later.step, self.start + self.step * later.start)
