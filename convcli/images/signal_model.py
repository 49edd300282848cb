"""What a signal is in memory; `convcli.images.signals` reads and writes it."""

from collections.abc import Callable
from dataclasses import dataclass

from convcli.images.model import Pixels

EXACT = 2**53  # whole numbers up to here are floats of 64 bits
MOST_CHANNELS = 4096

# Makes a file of samples (W, C). The second argument tells for each of them which sample of the input it stands at, the
# third is the stride between those, the fourth whether to drop what is not needed to read the file.
Encode = Callable[[Pixels, Pixels, float, bool], bytes]


@dataclass(frozen=True, eq=False)
class Signal:
    """A signal in memory.

    Parameters
    ----------
    samples:
        (W, C) float32 or float64: W moments, C channels or columns. Integers of a WAV are whole numbers around 0. Of an
        NPY or CSV with whole numbers beyond 2**53, which floats do not hold, int64 or uint64: these may be chosen and
        copied, not computed with.
    format:
        ``WAV``, ``CSV``, ``NPY`` or ``NPZ``.
    encode:
        Makes a file like the one that was read; see `Encode`.
    limits:
        Lowest and highest number that an integer WAV holds; None for floats.
    full_scale:
        What a float WAV plays without distortion, 1.0; None where nothing is known about the scale.
    has_channels:
        Whether the file has an axis of channels.
    kept:
        Names of columns that are not filtered.
    """

    samples: Pixels
    format: str
    encode: Encode
    limits: tuple[float, float] | None = None
    full_scale: float | None = None
    has_channels: bool = True
    kept: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def sample_type(self) -> str:
        """The numbers as the file has them: ``int16``, ``float64``."""
        return f"int{int(self.limits[1]).bit_length() + 1}" if self.limits else self.samples.dtype.name
