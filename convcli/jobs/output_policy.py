"""What becomes of pixels around an operation: alpha, grey, and how signed responses become pixels again."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.errors import FileError, ImageError
from convcli.images import Image, holds
from convcli.images.depth import in_numbers, limits_of
from convcli.images.model import white_of
from convcli.ops.arguments import Array
from convcli.ops.responses import store_pixels
from convcli.ops.sums import Store

CHANNELS = ("each", "gray", "sum")
RANGES = ("auto", "clip", "abs", "offset", "minmax", "raw")
ALPHA = ("premultiply", "independent", "keep", "drop")
DEPTHS = ("same", "8", "16", "float")

# Share of clipped pixels from which it is worth a warning.
WORTH_SAYING = 0.0005
# Below this much alpha (of white) a colour divided by it would be noise; such pixels are invisible and become black.
INVISIBLE = 1e-6
# Grey as Rec. ITU-R BT.601 weighs encoded red, green and blue, and as BT.709 weighs light.
_LUMA = (0.299, 0.587, 0.114)
_LUMINANCE = (0.2126, 0.7152, 0.0722)


def split_alpha(image: Image, policy: str) -> tuple[Array, Array | None]:
    """Colour (H, W, C) and alpha (H, W, 1), or None where there is none or it is treated as one more channel."""
    if not image.has_alpha or policy == "independent":
        return image.pixels, None
    colour = np.ascontiguousarray(image.pixels[..., :-1])
    return colour, None if policy == "drop" else np.ascontiguousarray(image.pixels[..., -1:])


def choose_colour(colour: Array, channels: str, *, linear: bool = False) -> Array:
    """Colour (H, W, C) as it is, as grey (H, W, 1), or as the sum of its channels (H, W, 1)."""
    if channels == "each" or colour.shape[-1] == 1:
        return colour
    working = np.float64 if colour.dtype == np.float64 else np.float32
    if channels == "sum":
        return np.asarray(np.sum(colour, axis=-1, keepdims=True, dtype=working))
    if colour.shape[-1] != 3:
        return np.asarray(np.mean(colour, axis=-1, keepdims=True, dtype=working))
    gray = np.zeros((*colour.shape[:2], 1), working)
    for channel, weight in enumerate(_LUMINANCE if linear else _LUMA):
        gray[..., 0] += colour[..., channel] * working(weight)
    return gray


def premultiplied(colour: Array, alpha: Array, dtype: Any = None) -> Array:
    """Colour (H, W, C) times alpha (H, W, 1): both in pixel units, so that products of integers stay exact."""
    return np.asarray(np.multiply(colour, alpha, dtype=dtype))


def unpremultiplied(response: Array, coverage: Array, white: float) -> Array:
    """The response to weighted colour (OH, OW, C) divided by the response to the weights (OH, OW, 1).

    A colour that is the same wherever it can be seen comes out the same; where nothing is seen the result is 0.
    """
    visible = coverage > INVISIBLE * white
    return np.divide(response, coverage, out=np.zeros_like(response), where=visible)


@dataclass(frozen=True)
class OutputPolicy:
    """How responses in input units become pixels; made by `output_policy`."""

    range: str  # clip, abs, offset, minmax or raw
    dtype: np.dtype[Any]  # of the output
    working: Any  # float dtype for what lies between
    white_in: float
    gain: float  # output units per input unit
    offset: float  # added before clipping, in input units
    format: str | None
    is_angle: bool
    warnings: tuple[str, ...] = ()

    @property
    def store(self) -> Store:
        """The store in input units; to be used where gain is 1."""
        low, high = self.limits
        dtype = self.dtype
        if dtype.kind in "biu" and dtype not in (np.uint8, np.uint16):  # which loops do not write: see `as_written`
            dtype = np.dtype(np.uint8 if dtype.kind == "b" else np.float64)
        return Store(dtype) if self.range == "raw" else Store(dtype, low, high, self.range == "abs")

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest number of the output, unless the range is raw; of floats black and white."""
        return limits_of(self.dtype) if self.dtype.kind != "f" else (0.0, self.white_in * self.gain)

    def as_written(self, pixels: Array) -> Array:
        """What was brought into the limits, in the output's own numbers."""
        return pixels if pixels.dtype == self.dtype else in_numbers(pixels, self.dtype)

    def converted_alpha(self, alpha: Array) -> Array:
        """Alpha in input units (any dtype) in the output's depth."""
        if alpha.dtype == self.dtype:
            return alpha
        scaled = np.multiply(alpha, self.gain, dtype=self.working)
        return self.as_written(store_pixels(scaled, replace(self.store, low=0.0, high=self.limits[1], fold=False))[0])

    def check(self, channels: int, has_alpha: bool) -> None:
        """Raise `ImageError` with the fix if the output's format cannot hold the result."""
        reason = self.format and holds(self.format, self.dtype, channels, has_alpha)
        if reason:
            raise FileError(f"{reason}; {_fix(self.format, self.dtype, has_alpha)}")

    def clipping_warning(self, share: float, *, has_range: bool = True) -> tuple[str, ...]:
        """One sentence if a share of clipped numbers is worth saying, else none; ``has_range``: --range can help."""
        if share < WORTH_SAYING or self.range == "raw" or self.dtype.kind == "b":
            return ()
        if self.range == "minmax":
            became = "infinite ones became black or white" if self.dtype.kind == "f" else "they became black or white"
            return (f"{share:.1%} of the values are infinite or no numbers: {became}",)
        low, high = self.limits
        numbers = "the numbers, as .tiff or .npy)"
        fix = (
            f" (--range minmax shows them all; --range raw writes {numbers}"
            if has_range
            else f" (--depth float keeps {numbers}"
        )
        return (f"{share:.1%} of the values lay outside {low:g}..{high:g} and were clipped{fix}",)


def output_policy(
    image: Image, format: str | None, depth: str, range: str = "auto", *, zero_sum: bool = False, is_angle: bool = False
) -> OutputPolicy:
    """Decide depth and range; refuses before any work what ``format`` cannot hold, whatever the channels.

    ``zero_sum`` tells that responses are signed, ``is_angle`` that they are directions in radians.
    """
    source = image.pixels.dtype if image.numbers is None else image.numbers
    dtype, warnings = _depth(source, format, "float" if range == "raw" and depth == "same" else depth)
    if range == "raw" and dtype.kind != "f":
        raise ImageError(f"range: got raw with depth {depth}, expected depth float: raw numbers are not pixels")
    if range == "raw" and format is not None and holds(format, dtype, 3, False):
        raise FileError(f"range: got raw for {format}, expected a format that holds any number: write .tiff or .npy")
    if range == "auto":
        open_ended = dtype.kind == "f" and (source.kind == "f" or (image.numbers is not None and source.kind in "iu"))
        folds = zero_sum and dtype.kind != "i"  # integers with a sign hold both sides of an edge
        range = "clip" if is_angle else "raw" if open_ended else "abs" if folds else "clip"
    if format is not None and holds(format, dtype, 1, False) and holds(format, dtype, 3, False):
        raise FileError(f"{holds(format, dtype, 3, False)}; {_fix(format, dtype, False)}")
    gain = 1.0 if range == "raw" or dtype == source else white_of(dtype) / image.white
    middle = 0.5 if source.kind == "f" else 0 if dtype.kind == "i" else (image.white + 1) // 2
    return OutputPolicy(
        range=range,
        dtype=dtype,
        working=np.float64
        if source == np.float64 or (image.numbers is not None and source.kind != "b")
        else np.float32,
        white_in=image.white,
        gain=gain,
        offset=float(middle) if range == "offset" else 0.0,
        format=format,
        is_angle=is_angle,
        warnings=warnings,
    )


def _depth(source: np.dtype[Any], format: str | None, depth: str) -> tuple[np.dtype[Any], tuple[str, ...]]:
    if depth == "same" and source.kind == "b" and format and holds(format, source, 1, False):
        return np.dtype(np.uint8), ()
    if depth == "same":
        if source == np.uint16 and format and holds(format, source, 3, False) and not holds(format, np.uint8, 3, False):
            return np.dtype(np.uint8), (f"{format} holds 8-bit pixels: the 16-bit input was written with 8 bits",)
        return source, ()
    if depth == "float":
        return np.dtype(source if source.kind == "f" else np.float32 if source.itemsize <= 2 else np.float64), ()
    return np.dtype(np.uint8 if depth == "8" else np.uint16), ()


def _fix(format: str | None, dtype: np.dtype[Any], has_alpha: bool) -> str:
    if has_alpha:
        return "add --background white or --alpha drop, or write .png"
    is_deep = format is None or holds(format, np.uint16, 1, False) is None
    if dtype.kind == "f":
        return f"add --depth 8{' or 16' * is_deep}, or write .tiff or .npy"
    if dtype.kind in "biu" and dtype not in (np.uint8, np.uint16):
        depths = f"8{' (or 16)' * is_deep}"
        return "add --depth 8" if dtype.kind == "b" else f"add --range minmax --depth {depths}, or write .tiff or .npy"
    return "add --depth 8, or write .png or .tiff" if dtype == np.uint16 else "write .png, .tiff or .npy"


@np.errstate(over="ignore", invalid="ignore")  # numbers beyond the range, and none at all, are the store's to decide
def finish(
    response: Array, policy: OutputPolicy, seen: Array | None = None, between: tuple[float, float] | None = None
) -> tuple[Array, int]:
    """A response in input units (an angle in radians) as output pixels, and how many numbers were clipped.

    ``seen`` (OH, OW) bool: the pixels that ``minmax`` looks at, all of them without it; ``between``: what it found.
    Of ``minmax`` those are counted that are infinite or no numbers.
    """
    number = response.dtype.type
    if policy.is_angle and policy.range != "raw":
        # -pi..pi fills the pixel range: black is to the left, middle grey to the right.
        response = (response + number(np.pi)) * number(policy.white_in / (2 * np.pi))
    strange = 0
    if policy.range == "minmax":
        strange = response.size - int(np.count_nonzero(np.isfinite(response)))
        between = between or extremes(response if seen is None else response[seen])
        response = stretched(response, between, policy.white_in)
    if policy.offset:
        response = response + number(policy.offset)
    if policy.gain != 1:
        response = response * number(policy.gain)
    pixels, clipped = store_pixels(response, policy.store)
    return policy.as_written(pixels), strange if policy.range == "minmax" else clipped


def stored(response: Array, policy: OutputPolicy) -> tuple[Array, int]:
    """A response in input units as output pixels, and how many numbers were clipped; pixels stay as they are."""
    if policy.gain == 1 and response.dtype == (np.uint8 if policy.dtype.kind == "b" else policy.dtype):
        return policy.as_written(response), 0
    return finish(response.astype(policy.working, copy=False), policy)


def extremes(response: Array) -> tuple[float, float]:
    """The smallest and the largest finite number; of none, infinity and minus infinity."""
    finite = response[np.isfinite(response)]
    return float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))


def stretched(response: Array, between: tuple[float, float], white: float) -> Array:
    """The smallest number to black, the largest to white; a constant response becomes black."""
    low, high = between
    if high <= low:
        return np.zeros_like(response)
    number = response.dtype.type
    return np.asarray((response - number(low)) * number(white / (high - low)), response.dtype)
