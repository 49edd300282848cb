"""Pictures and volumes laid on a background of one colour, for files that hold no alpha."""

import re
from dataclasses import replace

import numpy as np

from convcli.errors import ConvcliError
from convcli.images import Image
from convcli.images.volume_model import Volume
from convcli.kernels.parameters import shortened
from convcli.ops.arguments import Array
from convcli.ops.responses import to_linear, to_srgb

# Red, green and blue, 0..1.
Colour = tuple[float, float, float]

_ROWS = 256


def parse_colour(text: str, of: str = "background", others: str = "") -> Colour:
    """Parse a colour: one of CSS's names, ``#rgb``, ``#rrggbb``, or three numbers of 0 to 255, ``r,g,b``.

    Raises `ConvcliError` for anything else.

    >>> parse_colour("white"), parse_colour("#f00"), parse_colour("0,255,51")
    ((1.0, 1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.2))
    """
    from PIL.ImageColor import colormap

    word = text.strip().lower()
    # Pillow's table of names gives #rrggbb, a colour that was added by a program perhaps three numbers.
    digits = str(colormap.get(word, word))
    if re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", digits):
        size = len(digits) // 3
        parts = [int((digits[1 + size * at : 1 + size * (at + 1)] * 2)[:2], 16) for at in range(3)]
    else:
        parts = [int(each) if re.fullmatch(r"\s*\d{1,3}\s*", each) else 256 for each in word.split(",")]
    if len(parts) != 3 or max(parts) > 255:
        raise ConvcliError(
            f"{of}: got {text!r}, expected {others}a name such as white, #rgb, #rrggbb or r,g,b of 0 to 255"
        )
    red, green, blue = (each / 255 for each in parts)
    return red, green, blue


def check_background(background: Colour | None, alpha: str, axes: str = "yx") -> None:
    """Raise `ConvcliError` for what is no colour, and where a background has nothing to show through."""
    if background is not None and not (np.shape(background) == (3,) and all(0 <= each <= 1 for each in background)):
        got = shortened(repr(background))
        raise ConvcliError(f"background: got {got}, expected a name as 'white', '#rgb', or three numbers of 0 to 1")
    if background is not None and axes == "x":
        raise ConvcliError("background: a signal has no alpha; leave --background out")
    if background is not None and alpha == "drop":
        raise ConvcliError("background: got one with alpha drop, which shows hidden colours; expected one of them")


def on_background(image: Image, background: Colour | None, *, linear: bool = False) -> Image:
    """The picture as it looks on a background, without alpha; as it is where there is no alpha, or no background.

    ``colour * alpha + background * (1 - alpha)``, of the numbers as they are, as browsers and editors do it, or with
    ``linear`` of the light they stand for. Grey stays grey on grey.
    """
    if background is None or not image.has_alpha:
        return image
    return replace(image, pixels=_blended(image.pixels, background, image.white, linear=linear), has_alpha=False)


def volume_on_background(volume: Volume, background: Colour | None) -> Volume:
    """The same of every plane, as planes are read."""
    if background is None or not volume.has_alpha:
        return volume
    colour, read = background, volume.read_run

    def read_run(first: int, end: int) -> Array:
        return np.stack([_blended(plane, colour, volume.white) for plane in read(first, end)])

    channels = _channels(volume.shape[3], colour)
    return replace(volume, shape=(*volume.shape[:3], channels), read_run=read_run, has_alpha=False)


def _channels(stored: int, background: Colour) -> int:
    return 1 if stored == 2 and len(set(background)) == 1 else 3


def _blended(pixels: Array, background: Colour, white: float, *, linear: bool = False) -> Array:
    channels = _channels(pixels.shape[2], background)
    behind = np.array(background[:channels])
    if linear:
        behind = to_linear(behind, 1.0, np.float64)
    result = np.empty((*pixels.shape[:2], channels), pixels.dtype)
    for start in range(0, len(pixels), _ROWS):  # in blocks, so that the wide floats stay few
        block = pixels[start : start + _ROWS]
        alpha = np.clip(block[..., -1:].astype(np.float64) / white, 0, 1)
        colour = to_linear(block[..., :-1], white, np.float64) if linear else block[..., :-1].astype(np.float64)
        # A hidden colour has no say, not even one that is no number.
        mixed = np.multiply(colour, alpha, out=np.zeros_like(colour), where=alpha > 0)
        mixed = mixed + behind * white * (1 - alpha)
        if linear:
            to_srgb(mixed, white)
        result[start : start + _ROWS] = np.rint(mixed) if pixels.dtype.kind in "iu" else mixed
    return result
