"""Between Pillow's pictures and our pixels, for the formats that Pillow decodes (WebP, the frames of a GIF).

Formats are opened through their own classes and not through ``PIL.Image.open``: its pixel limit is a process-wide
setting that warns instead of refusing; ours is checked by the caller once the header is read.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convcli.errors import ImageError
from convcli.images.model import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Bytes = npt.NDArray[np.uint8]
_BLOCK = 1 << 20  # pixels


def to_pixels(picture: "Picture") -> tuple[Bytes, bool]:
    """Load a picture without a palette: its (H, W, C) uint8 pixels and whether the last channel is alpha."""
    picture.load()
    if picture.mode not in ("L", "LA", "RGB", "RGBA"):
        raise ImageError(f"got pixels of kind {picture.mode}, expected grey or RGB of 8 bits; convert it to PNG first")
    pixels = np.array(picture)
    return pixels.reshape(picture.height, picture.width, -1), picture.mode in ("LA", "RGBA")


def without_excess(colours: Pixels) -> tuple[Pixels, bool]:
    """(..., 4) RGBA without alpha that hides nothing or colours that are all grey, and whether alpha is left."""
    has_alpha, flat = is_seen_through(colours), colours.reshape(-1, 4)
    blocks = (flat[start : start + _BLOCK] for start in range(0, len(flat), _BLOCK))  # what is compared takes memory
    grey = all((each[:, :1] == each[:, 1:3]).all() for each in blocks)
    kept = slice(0, 4, 3 if grey else 1) if has_alpha else slice(1 if grey else 3)
    return np.ascontiguousarray(colours[..., kept]), has_alpha


def is_seen_through(colours: Pixels) -> bool:
    """Whether any pixel of (..., 4) RGBA is not opaque."""
    return bool(colours[..., 3].min() < np.iinfo(colours.dtype).max)


def divided(colours: Pixels, alpha: Pixels) -> Pixels:
    """Colours (H, W, C) that were multiplied by alpha (H, W, 1), as they are without it; none where nothing is seen."""
    result = np.zeros_like(colours)
    for row, colour, shade in zip(result, colours, alpha, strict=True):
        if colours.dtype.kind == "f":
            np.divide(colour, shade, out=row, where=shade > 0)
            continue
        white, wide = np.iinfo(colours.dtype).max, shade.astype(np.uint64)
        np.minimum(
            (colour.astype(np.uint64) * white + wide // 2) // np.maximum(wide, 1), white, out=row, casting="unsafe"
        )
    return result


def from_pixels(pixels: Bytes) -> "Picture":
    """Make a picture of (H, W, C) uint8 pixels of 1 to 4 channels."""
    from PIL import Image

    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def to_colour(pixels: Bytes) -> Bytes:
    """Repeat grey into red, green and blue, keeping an alpha channel."""
    channels = pixels.shape[2]
    return np.ascontiguousarray(pixels[:, :, [0, 0, 0, 1][: channels + 2]]) if channels <= 2 else pixels
