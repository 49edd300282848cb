"""What a data set is in memory: images, labels, class names; and how some of its images are held out, by seed."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.datasets.preprocessing import Preprocessing
from convcli.errors import DataError

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Images and what they show.

    Parameters
    ----------
    images:
        (N, H, W, C) uint8, C-contiguous; C is 1 (grey) or 3 (RGB). May be read-only.
    labels:
        (N,) int64: places in the data set's ``classes``.
    """

    images: Bytes
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: npt.NDArray[np.int64]) -> "Split":
        """The images and labels at these places, in this order."""
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: what to train on, what to test on, and what its labels mean.

    Parameters
    ----------
    name:
        ``"mnist"`` and the like, or the folder's name.
    train, test:
        The two splits; a folder of classes without ``train`` and ``test`` inside has no test split.
    classes:
        The name of each label.
    preprocessing:
        How a picture from outside becomes what ``train`` holds; belongs into the metadata of a model.
    origin:
        The folder that the files were read from.
    notes:
        One sentence each about what the reader should know, such as files that no checksum is known for.
    """

    name: str
    train: Split
    test: Split | None
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    origin: str = ""
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels


def hold_out(split: Split, amount: int | float, seed: int = 0) -> tuple[Split, Split]:
    """Part a split into what is trained on and what is held out to choose by; call it on ``train``, never on ``test``.

    The same split, amount and seed give the same parts on every machine. Each class gives its share; within the
    parts, images keep their order.

    Parameters
    ----------
    split : Split
        N images.
    amount : int or float
        How many are held out, 0 to N-1, or which share of them, at least 0 and below 1.
    seed : int
        Chooses which.

    Returns
    -------
    (Split, Split)
        The images that stay, and those held out.

    Raises
    ------
    DataError
        For an amount that leaves nothing to train on.

    Examples
    --------
    >>> split = Split(np.zeros((10, 8, 8, 1), np.uint8), np.arange(10) % 2)
    >>> [len(part) for part in hold_out(split, 0.2)]
    [8, 2]
    """
    count = round(amount * len(split)) if isinstance(amount, float) and math.isfinite(amount) else amount
    if not 0 <= count < len(split):
        raise DataError(f"held-out images: got {amount} of {len(split)}, expected at least 0 and fewer than all")
    chosen = _choose(split.labels, int(count), seed)
    rest = np.ones(len(split), bool)
    rest[chosen] = False
    return split.take(np.flatnonzero(rest)), split.take(chosen)


def sample(split: Split, count: int, seed: int = 0) -> Split:
    """At most ``count`` images of a split, of each class its share, chosen by seed, in the split's order.

    >>> len(sample(Split(np.zeros((10, 8, 8, 1), np.uint8), np.arange(10)), 5))
    5
    """
    if count < 1:
        raise DataError(f"number of images: got {count}, expected at least 1")
    return split if count >= len(split) else split.take(_choose(split.labels, count, seed))


def _choose(labels: Labels, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Places of ``count`` images: every class gives its share, the largest remainders one more."""
    # Raw numbers of a bit generator stay the same in every numpy release; Generator.permutation promises no such thing.
    keys: npt.NDArray[Any] = np.random.PCG64(seed).random_raw(len(labels))
    order = np.argsort(keys, kind="stable")
    sizes = np.bincount(labels)
    exact = sizes * (count / len(labels))
    shares = np.floor(exact).astype(np.int64)
    missing = count - int(shares.sum())
    shares[np.argsort(shares - exact, kind="stable")[:missing]] += 1
    parts = [order[labels[order] == label][:share] for label, share in enumerate(shares)]
    return np.sort(np.concatenate(parts))
