"""Arrays to measure on, made from a seed: noise, where the values do not matter, and something like a photograph."""

from functools import lru_cache

import numpy as np

from convcli.bench.model import Array


@lru_cache(maxsize=1)
def noise(height: int, width: int, channels: int) -> Array:
    """(H, W, C) uint8, every value as likely as any other; read-only, the last one kept for the next case."""
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, channels), dtype=np.uint8)
    pixels.flags.writeable = False
    return pixels


@lru_cache(maxsize=1)
def float_plane(height: int, width: int) -> Array:
    """(H, W) float32 in 0..1."""
    return np.random.default_rng(2).random((height, width), dtype=np.float32)


@lru_cache(maxsize=1)
def float_volume(side: int) -> Array:
    """(D, H, W) float32 in 0..1, a cube."""
    return np.random.default_rng(3).random((side, side, side), dtype=np.float32)


def photograph(height: int, width: int) -> Array:
    """(H, W, 3) uint8: soft shapes of all sizes under a little grain.

    24 megapixels are some 38 MB as PNG and 3 MB as JPEG of quality 85: between a calm photograph and a busy one.
    """
    generator = np.random.default_rng(4)
    y, x = (np.linspace(0, 1, n, dtype=np.float32) for n in (height, width))
    picture = np.empty((height, width, 3), np.uint8)
    for channel in range(3):
        plane = np.full((height, width), 128, np.float32)
        for octave in range(7):
            waves, phases = generator.uniform(2, 7, 2) * 2**octave, generator.uniform(0, 6, 2)
            plane += np.outer(np.sin(waves[0] * y + phases[0]), np.sin(waves[1] * x + phases[1])) * (60 / 1.6**octave)
        plane += 0.7 * _grain(generator, height, width)
        picture[..., channel] = np.clip(plane, 0, 255)
    return picture


def _grain(generator: np.random.Generator, height: int, width: int) -> Array:
    """Noise whose neighbours are alike, as a camera's is once its colours have been filled in."""
    grain = generator.standard_normal((height + 2, width + 2), dtype=np.float32)
    for _ in range(2):
        grain = grain[1:] + grain[:-1]
        grain = grain[:, 1:] + grain[:, :-1]
    return grain
