"""Between Pillow's pictures and our pixels, for the formats that Pillow decodes (BMP, GIF, WebP).

Formats are opened through their own classes and not through ``PIL.Image.open``: its pixel limit is a process-wide
setting that warns instead of refusing; ours is checked by the caller once the header is read.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convcli.errors import ImageError
from convcli.images.depth import look_up

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Bytes = npt.NDArray[np.uint8]


def to_pixels(picture: "Picture") -> tuple[Bytes, bool]:
    """Load a picture and return its (H, W, C) uint8 pixels and whether the last channel is alpha."""
    picture.load()
    if picture.mode == "P":
        return _expand_palette(picture)
    if picture.mode == "1":
        picture = picture.convert("L")
    if picture.mode not in ("L", "LA", "RGB", "RGBA"):
        raise ImageError(f"got pixels of kind {picture.mode}, expected grey or RGB of 8 bits; convert it to PNG first")
    pixels = np.array(picture)
    return pixels.reshape(picture.height, picture.width, -1), picture.mode in ("LA", "RGBA")


def from_pixels(pixels: Bytes) -> "Picture":
    """Make a picture of (H, W, C) uint8 pixels of 1 to 4 channels."""
    from PIL import Image

    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def to_colour(pixels: Bytes) -> Bytes:
    """Repeat grey into red, green and blue, keeping an alpha channel."""
    channels = pixels.shape[2]
    return np.ascontiguousarray(pixels[:, :, [0, 0, 0, 1][: channels + 2]]) if channels <= 2 else pixels


def _expand_palette(picture: "Picture") -> tuple[Bytes, bool]:
    indices = np.array(picture)
    palette = np.frombuffer(bytes(picture.getpalette("RGBA") or ()), np.uint8).reshape(-1, 4).copy()
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int) and transparent < len(palette):
        palette[transparent, 3] = 0
    elif isinstance(transparent, bytes):
        palette[: len(transparent), 3] = np.frombuffer(transparent, np.uint8)[: len(palette)]
    used = int(indices.max())
    if used >= len(palette):
        raise ImageError(f"damaged: it uses colour {used} of a palette of {len(palette)}; get a fresh copy")
    has_alpha = bool((palette[: used + 1, 3] < 255).any())
    grey = bool((palette[:, :1] == palette[:, 1:3]).all())
    columns = ([0] if grey else [0, 1, 2]) + ([3] if has_alpha else [])
    return look_up(np.ascontiguousarray(palette[:, columns]), indices), has_alpha
