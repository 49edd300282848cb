"""A recording for tests of signals: written and read by Python's own wave module."""

import wave

import numpy as np

RATE = 8000


def write_recording(name, rng, length):
    """A 16-bit stereo WAV of noise; returns its samples (length, 2)."""
    samples = rng.integers(-30000, 30000, (length, 2)).astype("<i2")
    with wave.open(str(name), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return samples


def read_recording(name, rate=RATE):
    """The samples (length, 2) of such a file, which has this rate."""
    with wave.open(str(name), "rb") as file:
        assert file.getframerate() == rate
        return np.frombuffer(file.readframes(10**6), "<i2").reshape(-1, 2)
