"""Pictures of any kind brought to the form data sets have: bytes, no alpha, grey or RGB, one size."""

import numpy as np
import numpy.typing as npt

from convcli.errors import DataError
from convcli.images import Image, convert_depth

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Rec. 601: the weights of JPEG's luma and of Pillow's mode L, so grey means the same wherever a data set came from.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


# Floats beyond this are no lightness of 0..1, but bytes or other integers that became floats on the way.
_MOST_OVERSHOOT = 1.0

# Integers that go this part of the way to white only are of another scale: bytes, 12 bits, 0 to 16, masks of 0 and 1.
NEARLY_BLACK = 12


def check_values(image: Image) -> tuple[str, ...]:
    """What is to be said about a picture's numbers before they become bytes.

    Raises `DataError` for numbers that are no lightness: NaN, infinite, or far outside 0..1.
    """
    if image.pixels.dtype.kind != "f":
        largest, white = int(image.pixels.max()), int(image.white)
        if not 0 < largest <= white // NEARLY_BLACK:
            return ()
        dtype = image.pixels.dtype.name
        return (f"its largest value is {largest} and {dtype}'s white {white}: it is nearly black; scale it if not",)
    # Brought to bytes they would be 0 or 255: a picture of something that was not there.
    if not np.isfinite(image.pixels).all():
        raise DataError("picture: got NaN or infinite pixels, expected finite ones")
    low, high = float(image.pixels.min()), float(image.pixels.max())
    if low < -_MOST_OVERSHOOT or high > 1 + _MOST_OVERSHOOT:
        raise DataError(
            f"picture: got values from {low:.4g} to {high:.4g}, expected floats of 0 to 1; save 0 to 255 as uint8, "
            "0 to 65535 as uint16, or divide them"
        )
    if low >= 0 and high <= 1:
        return ()
    share = np.count_nonzero((image.pixels < 0) | (image.pixels > 1)) / image.pixels.size
    return (f"{share:.1%} of its values lie outside 0 to 1 and are cut off there",)


def on_white(image: Image) -> Bytes:
    """A picture as (H, W, 1 or 3) bytes; what is transparent shows white paper.

    Raises `DataError` for a number of channels that is neither grey nor RGB.
    """
    pixels = convert_depth(image.pixels, np.uint8)
    colours = pixels.shape[2] - image.has_alpha
    if colours not in (1, 3):
        raise DataError(f"got {colours} channels, expected 1 (grey) or 3 (RGB)")
    if not image.has_alpha:
        return pixels
    alpha = pixels[:, :, -1:].astype(np.uint32)
    # 255 + 127 rounds the division by 255 to the nearest.
    blended: Bytes = ((pixels[:, :, :-1] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return blended


def is_grey(pixels: Bytes) -> bool:
    """Whether a picture shows no colour: one channel, or three that are equal everywhere."""
    if pixels.shape[2] == 1:
        return True
    first = pixels[:, :, 0]
    return bool((first == pixels[:, :, 1]).all() and (first == pixels[:, :, 2]).all())


def to_channels(pixels: Bytes, channels: int) -> Bytes:
    """(H, W, 1 or 3) bytes as grey (1) or RGB (3)."""
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    grey: Bytes = np.rint(pixels @ LUMA).astype(np.uint8)
    return grey[:, :, np.newaxis]


def fill(pixels: Bytes, height: int, width: int) -> Bytes:
    """Scale a picture until it fills height x width, with antialiasing, and cut off what stands over at both sides."""
    if pixels.shape[:2] == (height, width):
        return pixels
    from PIL import Image as Pillow

    had = pixels.shape[:2]
    scale = min(had[0] / height, had[1] / width)
    top, left = (had[0] - scale * height) / 2, (had[1] - scale * width) / 2
    box = (left, top, min(left + scale * width, had[1]), min(top + scale * height, had[0]))
    picture = Pillow.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))
    scaled = picture.resize((width, height), Pillow.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    return np.array(scaled).reshape(height, width, -1)


def resize(plane: Floats, height: int, width: int) -> Floats:
    """Scale one (H, W) float32 plane with antialiasing: the mean over a pixel's area, or linear when enlarging."""
    from PIL import Image as Pillow

    larger = height > plane.shape[0] or width > plane.shape[1]
    filter = Pillow.Resampling.BILINEAR if larger else Pillow.Resampling.BOX
    return np.array(Pillow.fromarray(np.ascontiguousarray(plane)).resize((width, height), filter))
