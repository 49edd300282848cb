"""What a data set is in memory: samples, their targets, class names; and how some are held out, by seed."""

import hashlib
import heapq
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from convcli.datasets.preprocessing import Preprocessing
from convcli.datasets.rows import rows_of
from convcli.datasets.windows import Windows, find_windows
from convcli.errors import DataError

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# What a network is to say of a sample, and how `Split.labels` hold it.
Targets = Literal["classes", "numbers", "marks", "masks", "arrays"]


@dataclass(frozen=True, eq=False)
class Split:
    """Samples and what is to be said of them.

    Parameters
    ----------
    images:
        (N, *spatial, C), C-contiguous: pictures (N, H, W, C), series (N, W, C), volumes (N, D, H, W, C), or plain
        features (N, C). uint8 of 0..255, which networks see as 0..1, or float32 as they are. May be read-only; those of
        a file that is larger than memory are `Rows`, which are read when they are asked for.
    labels:
        As the data set's ``targets`` say. ``classes``: (N,) int64, places in its ``classes``. ``numbers``: (N, K)
        float32. ``marks``: (N, K) float32 of 0 and 1, one for each class, any of which may hold. ``masks``:
        (N, *spatial) uint8, a class at each place. ``arrays``: (N, *spatial, K) float32, pixels as 0..1.
    names:
        The file of each sample, where each has one.
    """

    images: Array
    labels: Array
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: npt.NDArray[np.int64]) -> "Split":
        """The samples and targets at these places, in this order."""
        names = tuple(self.names[place] for place in indices.tolist()) if self.names else ()
        return Split(rows_of(self.images, indices), self.labels[indices], names)

    @property
    def strata(self) -> Labels:
        """(N,) what shares are taken of, so that each has its own: the classes, or one for all."""
        plain = self.labels.ndim == 1 and self.labels.dtype.kind == "i"
        return self.labels if plain else np.zeros(len(self.labels), np.int64)

    @cached_property
    def windows(self) -> Windows | None:
        """Where samples lie in time, if they are windows of longer series that overlap."""
        return find_windows(self.images)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: what to train on, what to test on, and what its labels mean.

    Parameters
    ----------
    name:
        ``"mnist"`` and the like, or the name of a folder or a file.
    train, test:
        The two splits; a folder of classes without ``train`` and ``test`` inside has no test split.
    classes:
        The name of each label, of each mark, or of each value of a mask; of each number where they have names.
    preprocessing:
        How a sample from outside becomes what ``train`` holds; belongs into the metadata of a model.
    origin:
        The folder or the file that was read.
    notes:
        One sentence each about what the reader should know, such as files that no checksum is known for.
    validation:
        The split to measure by while training, where the data have one of their own.
    targets:
        What the labels are.
    """

    name: str
    train: Split
    test: Split | None
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    origin: str = ""
    notes: tuple[str, ...] = ()
    validation: Split | None = None
    targets: Targets = "classes"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: spatial sizes, then channels."""
        return self.train.images.shape[1:]

    @property
    def digest(self) -> str:
        """A fingerprint of the training images and labels."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.train.images, self.train.labels):
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def parted(train: Split, held_out: int | float, limit: int = 0) -> tuple[Split, Split]:
    """What a training learns from and what it holds out, which may be none; the seed of a training has no say in it.

    Of windows that overlap the last ones are held out, and those that share moments with them are in neither.

    Parameters
    ----------
    train : Split
        N images.
    held_out : int or float
        As for `hold_out`.
    limit : int
        Use so many images, of each class its share; 0 for all.

    Raises
    ------
    DataError
        As `hold_out` does, and for a limit that leaves a class out.
    """
    present = np.count_nonzero(np.bincount(train.strata))
    if 0 < limit < present:
        raise DataError(f"limit: got {limit}, expected at least {present}, an image of each class")
    chosen = sample(train, limit) if limit else train
    windows = chosen.windows if held_out else None
    return hold_out(chosen, held_out) if windows is None else _hold_out_last(chosen, held_out, windows)


def hold_out(split: Split, amount: int | float, seed: int = 0) -> tuple[Split, Split]:
    """Part a split into what is trained on and what is held out to choose by; call it on ``train``, never on ``test``.

    The same split, amount and seed give the same parts on every machine. Each class gives its share, and keeps an image
    to train on; it gives one at least if it has two and there are enough to hold out. Within the parts, images keep
    their order.

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
        For an amount that leaves a class without an image to train on, or a share that is less than an image.

    Examples
    --------
    >>> split = Split(np.zeros((10, 8, 8, 1), np.uint8), np.arange(10) % 2)
    >>> [len(part) for part in hold_out(split, 0.2)]
    [8, 2]
    """
    if not amount:
        return split, split.take(np.arange(0))
    count, spare = _count_of(split, amount)
    chosen = _choose(split.strata, count, seed, np.minimum(spare, 1), spare)
    rest = np.ones(len(split), bool)
    rest[chosen] = False
    return split.take(np.flatnonzero(rest)), split.take(chosen)


def _hold_out_last(split: Split, amount: int | float, windows: Windows) -> tuple[Split, Split]:
    """Part windows that overlap: of each class the last ones are held out, and what shares moments with them is left.

    A class that would lose all of its windows so keeps them.
    """
    count, spare = _count_of(split, amount)
    labels, order = split.strata, windows.order
    shares = _shares(labels, count, np.minimum(spare, 1), spare)
    held = np.zeros(len(split), bool)
    for each in np.flatnonzero(shares).tolist():
        held[order[labels[order] == each][-int(shares[each]) :]] = True
    forecast = split.labels.shape[1] if split.labels.ndim == split.images.ndim else 0
    near = windows.touching(np.flatnonzero(held), windows.length + forecast) & ~held
    left = np.bincount(labels[~held & ~near], minlength=len(shares))
    near &= left[labels] > 0
    return split.take(np.flatnonzero(~held & ~near)), split.take(np.flatnonzero(held))


def _count_of(split: Split, amount: int | float) -> tuple[int, Labels]:
    """How many are held out, and how many each class can spare; raises `DataError` if that does not go."""
    count = round(amount * len(split)) if isinstance(amount, float) and math.isfinite(amount) else amount
    if not 0 <= count < len(split):
        raise DataError(f"held-out images: got {amount} of {len(split)}, expected at least 0 and fewer than all")
    if not count:
        raise DataError(
            f"held-out images: got {amount} of {len(split)}, which is none, expected 0 or at least {1 / len(split):.2g}"
        )
    sizes = np.bincount(split.strata)
    spare = np.maximum(sizes - 1, 0)
    if count > spare.sum():
        raise DataError(
            f"held-out images: got {amount} of {len(split)}, expected at most {spare.sum()}, so that each of "
            f"{np.count_nonzero(sizes)} classes keeps an image to train on"
        )
    return int(count), spare


def sample(split: Split, count: int, seed: int = 0) -> Split:
    """At most ``count`` images of a split, of each class its share, chosen by seed, in the split's order.

    Every class gives one at least, if there are enough for all.

    >>> len(sample(Split(np.zeros((10, 8, 8, 1), np.uint8), np.arange(10)), 5))
    5
    """
    if count < 1:
        raise DataError(f"number of images: got {count}, expected at least 1")
    if count >= len(split):
        return split
    sizes = np.bincount(split.strata)
    return split.take(_choose(split.strata, count, seed, np.minimum(sizes, 1), sizes))


def _choose(labels: Labels, count: int, seed: int, least: Labels, most: Labels) -> npt.NDArray[np.int64]:
    """Places of ``count`` images: every class gives its share, the largest remainders one more.

    No class gives more than its ``most``, nor, if there are enough for all, less than its ``least``.
    """
    # Raw numbers of a bit generator stay the same in every numpy release; Generator.permutation promises no such thing.
    keys: npt.NDArray[Any] = np.random.PCG64(seed).random_raw(len(labels))
    order = np.argsort(keys, kind="stable")
    sizes = np.bincount(labels)
    shares = _shares(labels, count, least, most)
    by_class = order[np.argsort(labels[order], kind="stable")]
    place_in_class = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(by_class[place_in_class < np.repeat(shares, sizes)])


def _shares(labels: Labels, count: int, least: Labels, most: Labels) -> Labels:
    """How many of ``count`` each class gives."""
    sizes = np.bincount(labels)
    exact = sizes * (count / len(labels))
    shares = np.floor(exact).astype(np.int64)
    missing = count - int(shares.sum())
    shares[np.argsort(shares - exact, kind="stable")[:missing]] += 1
    least = least if least.sum() <= count else np.zeros_like(least)
    return _corrected(np.clip(shares, least, most), count, exact, least, most)


def _corrected(shares: Labels, count: int, exact: npt.NDArray[np.floating[Any]], least: Labels, most: Labels) -> Labels:
    """The shares with a sum of ``count``: changed by one at a time, where it is most wanted or most easily spared."""
    wrong = count - int(shares.sum())
    step = 1 if wrong > 0 else -1
    limit = most if wrong > 0 else least
    wanted = [(float(step * (shares[each] - exact[each])), each) for each in np.flatnonzero(shares != limit).tolist()]
    heapq.heapify(wanted)
    for _ in range(abs(wrong)):
        _, each = heapq.heappop(wanted)
        shares[each] += step
        if shares[each] != limit[each]:
            heapq.heappush(wanted, (float(step * (shares[each] - exact[each])), each))
    return shares
