"""Schedules: the learning rate at each step of the optimizer, the first step being 0."""

from dataclasses import dataclass
from math import cos, pi
from typing import Protocol

from convcli.errors import ModelError


class Schedule(Protocol):
    """A function from the number of the step to the learning rate."""

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""


@dataclass(frozen=True)
class Constant:
    """The same rate all the time."""

    rate: float

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        return self.rate


@dataclass(frozen=True)
class Step:
    """``rate * factor**(step // every)``."""

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check_steps("every", self.every)

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        return float(self.rate * self.factor ** (step // self.every))


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from ``rate`` at step 0 to ``final`` at step ``steps``, and ``final`` from there on.

    Source: I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5,
    without restarts.

    Examples
    --------
    >>> Cosine(1.0, 10)(5)
    0.5
    """

    rate: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        _check_steps("steps", self.steps)

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        return _between(self.rate, self.final, step / self.steps)


@dataclass(frozen=True)
class OneCycle:
    """Up from ``start = peak / start_divisor`` to ``peak`` for a share ``warm`` of the steps, then far down.

    Both ways are half a cosine, and with ``warm`` 0 there is but the second; the last step, ``steps - 1``, has the
    lowest rate, ``start / end_divisor``.

    Source: L. Smith, N. Topin, "Super-Convergence", 2018, section 3; shape and divisors are those of PyTorch's
    ``OneCycleLR``.
    """

    peak: float
    steps: int
    warm: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4

    def __post_init__(self) -> None:
        _check_steps("steps", self.steps)
        if not 0 <= self.warm <= 1:
            raise ModelError(f"warm: got {self.warm}, expected a share from 0 to 1")

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        start, top = self.peak / self.start_divisor, self.warm * self.steps - 1
        if step < top:
            return _between(start, self.peak, step / top)
        rest = max(self.steps - 1 - max(top, 0), 1)
        return _between(self.peak, start / self.end_divisor, (step - max(top, 0)) / rest)


@dataclass(frozen=True)
class WarmUp:
    """The first ``steps`` steps go up in a straight line to the rate that ``after`` begins with; then it follows.

    Source: P. Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.2 (gradual warm-up).
    """

    after: Schedule
    steps: int

    def __post_init__(self) -> None:
        _check_steps("steps", self.steps)

    def __call__(self, step: int) -> float:
        """The learning rate of a step."""
        if step < self.steps:
            return self.after(0) * (step + 1) / (self.steps + 1)
        return self.after(step - self.steps)


SCHEDULES = ("constant", "step", "cosine", "one_cycle")


def make_schedule(name: str, rate: float, steps: int, *, warm_up: int | None = None) -> Schedule:
    """A schedule over ``steps`` steps from its name: constant, step (a tenth at each third), cosine, one_cycle.

    ``warm_up`` steps of them go up: in a straight line before the schedule, or in ``one_cycle``'s own first part, which
    has three tenths of them unless it is given.
    """
    if name not in SCHEDULES:
        raise ModelError(f"schedule: got {name!r}, expected one of {', '.join(SCHEDULES)}")
    steps = max(steps, 1)
    if name == "one_cycle":
        return OneCycle(rate, steps) if warm_up is None else OneCycle(rate, steps, min(warm_up / steps, 1))
    rest = max(steps - (warm_up or 0), 1)
    plain: dict[str, Schedule] = {
        "constant": Constant(rate),
        "step": Step(rate, -(-rest // 3)),
        "cosine": Cosine(rate, rest),
    }
    return WarmUp(plain[name], warm_up) if warm_up else plain[name]


def _between(first: float, last: float, share: float) -> float:
    """From first to last along half a cosine."""
    return last + (first - last) * (1 + cos(pi * min(max(share, 0.0), 1.0))) / 2


def _check_steps(name: str, steps: int) -> None:
    if steps < 1:
        raise ModelError(f"{name}: got {steps}, expected at least 1")
