"""Samples of any axes changed at random, and what is to be learned of each of their places with them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.ops.augmentation import DRAWS, MORE, Augmentation, Draws, Floats, erase, move, shade


def augment_pairs(
    samples: Floats, targets: NDArray[Any] | None, augmentation: Augmentation, generator: np.random.Generator
) -> tuple[Floats, NDArray[Any] | None]:
    """Change every sample of a batch at random, and what is to be learned of each of its places with it.

    The numbers that are drawn, and the samples of pictures that come of them, are those of `augment`. The planes of a
    volume, or the frames of a film, are all moved alike; series are moved along their one axis.

    Parameters
    ----------
    samples : ndarray
        (N, H, W, C), (N, D, H, W, C) or (N, W, C) float32.
    targets : ndarray, optional
        Masks: (N, *spatial) whole numbers, which get the nearest class, and 0 beyond the border. Arrays:
        (N, *spatial, K) float32, which are made lighter or darker as their sample is; only the sample is erased. Their
        planes may be more or fewer than the samples'.
    augmentation : Augmentation
        How far; of series nothing that turns or bends.
    generator : numpy.random.Generator
        Where the random numbers come from.

    Examples
    --------
    >>> x = np.zeros((1, 1, 4, 1), np.float32); x[0, 0, 1] = 1
    >>> mask = (x[..., 0] > 0).astype(np.uint8)
    >>> moved, mask = augment_pairs(x, mask, Augmentation(flip=True), np.random.default_rng(2))
    >>> moved[0, 0, :, 0].tolist(), mask[0, 0].tolist()
    ([0.0, 0.0, 1.0, 0.0], [0, 0, 1, 0])
    """
    draws = generator.random((len(samples), DRAWS))
    more = generator.random((len(samples), MORE)) if augmentation.draws_more else np.zeros((len(samples), MORE))
    is_series = samples.ndim == 3
    if is_series:
        draws[:, 0] = 0.5  # not across the one row
    made = _moved(_as_planes(samples), augmentation, (draws, more))
    means = None
    if augmentation.contrast:
        means = made.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64).astype(np.float32)
    answers = targets
    if targets is not None and targets.dtype.kind in "iub":
        answers = _moved_masks(targets, augmentation, (draws, more)) if augmentation.moves else targets
    elif targets is not None:
        moved = _moved(_as_planes(targets.astype(np.float32, copy=False)), augmentation, (draws, more))
        shade(moved, augmentation, more, means)
        answers = _as_samples(moved, targets.shape)
    shade(made, augmentation, more, means)
    if is_series and augmentation.erase:
        more[:, 5] = 1 / augmentation.erase  # the whole of its one row
        more[:, 7] = 0.5
    erase(made, augmentation, more)
    return _as_samples(made, samples.shape), answers


def _moved(planes: Floats, augmentation: Augmentation, draws: tuple[Draws, Draws]) -> Floats:
    out = np.empty(planes.shape, np.float32)
    if augmentation.moves:
        move(planes, augmentation, draws, out)
    else:
        out[:] = planes
    return out


def _moved_masks(masks: NDArray[Any], augmentation: Augmentation, draws: tuple[Draws, Draws]) -> NDArray[Any]:
    """Masks, by the shares that each class has at each place."""
    classes = np.arange(1, int(masks.max()) + 1)
    if not len(classes):
        return masks
    shares = _moved(_as_planes((masks[..., np.newaxis] == classes).astype(np.float32)), augmentation, draws)
    shares = _as_samples(shares, (*masks.shape, len(classes)))
    rest = 1 - shares.sum(axis=-1, keepdims=True)
    made: NDArray[Any] = np.concatenate([rest, shares], axis=-1).argmax(axis=-1).astype(masks.dtype)
    return made


def _as_planes(samples: Floats) -> Floats:
    """Samples as pictures: series of one row, the planes of volumes among the channels."""
    if samples.ndim == 5:
        count, depth, height, width, channels = samples.shape
        return np.moveaxis(samples, 1, 3).reshape(count, height, width, depth * channels)
    return samples[:, np.newaxis] if samples.ndim == 3 else samples


def _as_samples(planes: Floats, shape: tuple[int, ...]) -> Floats:
    """The inverse of `_as_planes`."""
    if len(shape) == 5:
        parted = planes.reshape(shape[0], shape[2], shape[3], shape[1], shape[4])
        return np.ascontiguousarray(np.moveaxis(parted, 3, 1))
    return planes.reshape(shape)
