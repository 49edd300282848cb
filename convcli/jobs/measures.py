"""What probabilities tell beside the likeliest class: top-k, F1, calibration, and a table of every sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.jobs.documents import table_text

BINS = 10  # of probabilities, each as broad
_RANKS = (2, 3, 5)


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network answered.

    Parameters
    ----------
    labels, taken:
        (N,) the true class of each sample, and the one it was taken for.
    shares:
        (N, K) the probability of each class.
    names:
        The files of the samples, where they come from files.
    """

    labels: NDArray[np.int64]
    taken: NDArray[np.int64]
    shares: NDArray[np.float64]
    names: tuple[str, ...] = ()

    @property
    def ranks(self) -> NDArray[np.int64]:
        """(N,) how many classes seemed likelier than the true one; ties count half the classes that share it."""
        truth = self.shares[np.arange(len(self.labels)), self.labels][:, np.newaxis]
        above = (self.shares > truth).sum(axis=1)
        ties = (self.shares == truth).sum(axis=1) - 1
        ranks: NDArray[np.int64] = np.where(self.taken == self.labels, 0, np.maximum(above + ties // 2, 1))
        return ranks

    def top(self, k: int) -> float:
        """The share of samples whose class is among the k likeliest."""
        return float(np.mean(self.ranks < k))

    @property
    def usual_ranks(self) -> tuple[int, ...]:
        """For which k `top` is told if nobody asks: some below the number of classes."""
        return tuple(k for k in _RANKS if k < self.shares.shape[1])

    @property
    def calibration(self) -> tuple["Bin", ...]:
        """How often the answers of each range of probability are right; ranges without any are left out."""
        sure = self.shares[np.arange(len(self.taken)), self.taken]
        right = self.taken == self.labels
        place = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
        return tuple(
            Bin(each / BINS, int((place == each).sum()), float(sure[place == each].mean()),
                float(right[place == each].mean()))
            for each in np.unique(place).tolist()
        )  # fmt: skip

    @property
    def calibration_error(self) -> float:
        """The mean distance between how sure answers are and how often they are right, by ranges of probability.

        Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
        equation 3, with ten ranges.
        """
        total = sum(each.count for each in self.calibration)
        return sum(each.count * abs(each.accuracy - each.probability) for each in self.calibration) / max(total, 1)

    def as_table(self, classes: Sequence[str]) -> bytes:
        """A row for each sample: its file or place, its class, what it was taken for, and all probabilities."""
        head, rows = ["file" if self.names else "place", "label", "predicted", "right", "probability", *classes], []
        for place, (label, taken) in enumerate(zip(self.labels.tolist(), self.taken.tolist(), strict=True)):
            shares = self.shares[place].tolist()
            name = self.names[place] if self.names else place
            rows.append([name, classes[label], classes[taken], int(label == taken), shares[taken], *shares])
        return table_text(head, rows)

    def as_dict(self, *more: int) -> dict[str, Any]:
        """Plain values for JSON, with `top` of ``more`` numbers of answers."""
        return {
            "top": [{"answers": k, "accuracy": self.top(k)} for k in sorted({*self.usual_ranks, *more})],
            "calibration_error": self.calibration_error,
            "calibration": [vars(each) for each in self.calibration],
        }


@dataclass(frozen=True)
class Bin:
    """Answers of one range of probability, which begins at ``start``: how many, how sure, how often right."""

    start: float
    count: int
    probability: float
    accuracy: float


def f1_of(precision: float | None, recall: float | None) -> float | None:
    """The harmonic mean of precision and recall; None without either, 0 where both are.

    >>> f1_of(0.5, 1.0), f1_of(None, 0.0)
    (0.6666666666666666, None)
    """
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
