"""Pictures changed at random while a network learns: moved, turned, scaled, bent, cropped, lightened, partly erased.

What a picture undergoes is drawn on the calling thread, so many numbers for each image in a fixed order; the pixels
are then moved in one parallel loop that samples each of them once. Random numbers are the caller's `Generator`.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ConvcliError, ShapeError
from convcli.kernels.parameters import format_number, read_number, shortened
from convcli.ops.words import read_only

Floats = NDArray[np.float32]
Draws = NDArray[np.float64]

DRAWS = 8  # raw numbers per image, drawn whether used or not: a result does not depend on the other settings
MORE = 9  # and so many more, if one of what came later is asked for: crop, brightness, contrast, erase
_TAPS = 8  # knots that reach a pixel, per axis: all that lie within 4 sigma
# A setting's largest value. Beyond it nothing of a picture is left, or it is a slip of the keyboard.
_LARGEST = {"shift": 4096, "rotation": 180, "scale": 0.9, "shear": 60, "elastic": 1000, "elastic_sigma": 1000,
            "crop": 0.9, "brightness": 1, "contrast": 1, "erase": 1}  # fmt: skip
_OF_PLANES = ("rotation", "shear", "elastic", "stretch")  # which series have not
_SMALLEST_SIGMA = 0.5
_YES, _NO = ("", "true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class Augmentation:
    """How far pictures are moved and changed; every picture by amounts of its own. The default is not at all.

    Parameters
    ----------
    shift:
        Pixels, along each axis evenly from minus to plus this many.
    rotation:
        Degrees about the picture's centre, evenly to both sides; positive is counter-clockwise.
    scale:
        A share: sizes are multiplied by 1 - scale to 1 + scale, both axes alike unless ``stretch``.
    shear:
        Degrees that upright lines are slanted by, evenly to both sides; positive leans to the right.
    elastic:
        Pixels: the standard deviation of a smooth displacement, along each axis.
    elastic_sigma:
        Pixels: how smooth it is, the standard deviation of the Gaussian that smooths the noise.
    flip:
        Whether every other picture, on average, is mirrored left to right.
    stretch:
        Whether each axis is scaled by a factor of its own.
    crop:
        A share: of each side as much is cut off at most, anywhere, and the rest brought to the picture's size.
    brightness:
        A share of full scale: as much is added or taken away at most.
    contrast:
        A share: differences from the picture's mean are multiplied by 1 - contrast to 1 + contrast.
    erase:
        A share of the sides: a rectangle as long at most gets the mean of each channel, anywhere in the picture.

    Raises
    ------
    ConvcliError
        For a value out of range.

    Source: P. Simard, D. Steinkraus, J. Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis", 2003, section 2 (there the noise is scaled by alpha; here the displacement has the standard
    deviation that is asked for); Z. Zhong et al., "Random Erasing Data Augmentation", AAAI 2020, for ``erase``.
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    elastic_sigma: float = 4.0
    flip: bool = False
    stretch: bool = False
    crop: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0

    def __post_init__(self) -> None:
        for name, largest in _LARGEST.items():
            smallest = _SMALLEST_SIGMA if name == "elastic_sigma" else 0
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not smallest <= value <= largest:
                got = shortened(str(value))
                raise ConvcliError(f"augmentation: got {name}={got}, expected a number from {smallest} to {largest}")
        for name in ("flip", "stretch"):
            if not isinstance(getattr(self, name), bool):
                got = shortened(str(getattr(self, name)))
                raise ConvcliError(f"augmentation: got {name}={got}, expected true or false")

    def check_size(self, height: int, width: int) -> None:
        """Raise `ConvcliError` for moves after which nothing may be left of a picture of this size."""
        side = min(height, width)
        for name in ("shift", "elastic"):
            if getattr(self, name) >= side:
                raise ConvcliError(
                    f"augmentation: got {name}={format_number(getattr(self, name))} for pictures of {height}x{width}, "
                    f"which moves them out of sight, expected less than {side}"
                )
        if self.scale and side * (1 - self.scale) < 0.5:
            raise ConvcliError(
                f"augmentation: got scale={format_number(self.scale)} for pictures of {height}x{width}, which may "
                "shrink them to nothing, expected a smaller share"
            )

    @property
    def is_nothing(self) -> bool:
        """Whether pictures stay as they are."""
        return not (self.moves or self.brightness or self.contrast or self.erase)

    @property
    def moves(self) -> bool:
        """Whether pixels go elsewhere."""
        moved = self.shift or self.rotation or self.scale or self.shear or self.elastic or self.flip or self.crop
        return bool(moved)

    def check_samples(self, shape: tuple[int, ...]) -> None:
        """Raise `ConvcliError` for what samples (*spatial, C) cannot undergo, or after which nothing may be left."""
        if self.is_nothing:
            return
        if len(shape) == 1:
            raise ConvcliError("augmentation: got plain features, expected pictures, volumes or series; leave it out")
        if len(shape) == 2:
            turning = next((name for name in _OF_PLANES if getattr(self, name)), None)
            if turning is not None:
                raise ConvcliError(
                    f"augmentation: got {turning} for series, expected some of shift, scale, crop, flip, brightness, "
                    "contrast and erase"
                )
            shape = (shape[0], *shape)
        self.check_size(*shape[-3:-1])

    @property
    def draws_more(self) -> bool:
        """Whether more random numbers are needed than were drawn when there were fewer words."""
        return bool(self.crop or self.brightness or self.contrast or self.erase)

    @classmethod
    def from_words(cls, text: str) -> "Augmentation":
        """Read ``shift=2,rotation=10,flip``; ``none`` and nothing at all mean no augmentation.

        Raises `ConvcliError` for a name or a value that is not known.

        >>> Augmentation.from_words("shift=2, rotation=10").rotation
        10.0
        """
        values: dict[str, Any] = {}
        known = {field.name: isinstance(field.default, bool) for field in fields(cls)}
        for word in text.split(",") if text.strip() not in ("", "none") else ():
            name, _, value = word.strip().partition("=")
            name, value = name.strip().lower().replace("-", "_"), value.strip()
            if name not in known:
                raise ConvcliError(f"augmentation: got {shortened(word.strip())!r}, expected {_EXAMPLE}")
            if name in values:
                raise ConvcliError(f"augmentation: got {name} twice, expected it once")
            if known[name]:
                values[name] = _read_flag(word.strip(), value.lower())
                continue
            number = read_number(value)
            if number is None:
                raise ConvcliError(f"augmentation: got {shortened(word.strip())!r}, expected a number as in {name}=1")
            values[name] = number
        return cls(**values)

    def as_words(self) -> str:
        """What `from_words` reads; ``none`` for no augmentation."""
        if self.is_nothing:
            return "none"
        words = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                words.append(field.name if value is True else f"{field.name}={format_number(value)}")
        return ",".join(words)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file; ``Augmentation(**values)`` reads them back."""
        return asdict(self)


_EXAMPLE = f"none, or {', '.join(field.name for field in fields(Augmentation))}, as in shift=2,rotation=10,scale=0.1"


def augment(
    images: Floats, augmentation: Augmentation, generator: np.random.Generator, *, out: Floats | None = None
) -> Floats:
    """Change every picture of a batch at random.

    A picture is mirrored, scaled, sheared and turned about its centre, then shifted, and bent where ``elastic`` says
    so. Values are bilinear, outside a picture they are 0. Then come contrast, brightness and what is erased. Eight
    random numbers are drawn for each image, always, and nine more for crop, brightness, contrast or erase; the result
    does not depend on the number of threads, to the bit.

    Parameters
    ----------
    images : ndarray
        (N, H, W, C) float32.
    augmentation : Augmentation
        How far.
    generator : numpy.random.Generator
        Where the random numbers come from.
    out : ndarray, optional
        (N, H, W, C) float32, C-contiguous, for the result; ``images`` itself is allowed.

    Returns
    -------
    ndarray
        (N, H, W, C) float32.

    Raises
    ------
    ShapeError
        For images or ``out`` that are not as above.

    Examples
    --------
    >>> images = np.ones((2, 4, 4, 1), np.float32)
    >>> augment(images, Augmentation(shift=1), np.random.default_rng(0)).shape
    (2, 4, 4, 1)
    """
    if images.ndim != 4 or images.dtype != np.float32:
        raise ShapeError(
            f"images: got {images.dtype} of shape {images.shape}, expected float32 of (N, H, W, C)"
            + ("; one image is a batch as image[None]" if images.ndim == 3 else "")
        )
    if out is None:
        out = np.empty(images.shape, np.float32)
    elif out.shape != images.shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ShapeError(
            f"out: got {out.dtype} of shape {out.shape}, expected C-contiguous float32 of shape {images.shape}"
        )
    draws = generator.random((len(images), DRAWS))
    more = generator.random((len(images), MORE)) if augmentation.draws_more else np.zeros((len(images), MORE))
    if augmentation.is_nothing or images.size == 0:
        out[:] = images
        return out
    if augmentation.moves:
        move(images, augmentation, (draws, more), out)
    else:
        out[:] = images
    shade(out, augmentation, more)
    erase(out, augmentation, more)
    return out


def move(images: Floats, augmentation: Augmentation, draws: tuple[Draws, Draws], out: Floats) -> None:
    """Let each pixel of the result come from where its picture's map says."""
    height, width = images.shape[1:3]
    maps = _maps(*draws, augmentation, height, width)
    images = np.ascontiguousarray(images)
    if np.may_share_memory(images, out) and images.ctypes.data != out.ctypes.data:
        images = images.copy()  # a result that overlaps a later image would be read as that image
    if not augmentation.elastic:
        from convcli.loops.networks.warp import warp

        warp(read_only(images), maps, out)
        return
    from convcli.loops.networks.warp import warp_elastic

    seeds = (draws[0][:, 7] * 2.0**53).astype(np.uint64)
    warp_elastic(read_only(images), maps, seeds, *_elastic_tables(augmentation, height, width), out)


def shade(out: Floats, augmentation: Augmentation, draws: Draws, means: Floats | None = None) -> None:
    """Make pictures lighter or darker, and their differences from a mean, their own unless it is given, change."""
    sides = (2 * draws - 1).astype(np.float32)[:, :, None, None, None]
    if augmentation.contrast:
        if means is None:
            means = out.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64).astype(np.float32)
        out -= means
        out *= 1 + np.float32(augmentation.contrast) * sides[:, 3]
        out += means
    if augmentation.brightness:
        out += np.float32(augmentation.brightness) * sides[:, 4]


def erase(out: Floats, augmentation: Augmentation, draws: Draws) -> None:
    """Put a rectangle of the picture's mean over a part of it, which may reach beyond its border."""
    if not augmentation.erase:
        return
    height, width = out.shape[1:3]
    for picture, (tall, wide, down, across) in zip(out, draws[:, 5:9].tolist(), strict=True):
        rows, columns = (round(augmentation.erase * share * size) for share, size in ((tall, height), (wide, width)))
        top, left = round(down * height - rows / 2), round(across * width - columns / 2)
        place = (slice(max(top, 0), max(top + rows, 0)), slice(max(left, 0), max(left + columns, 0)))
        picture[place] = picture.mean(axis=(0, 1), dtype=np.float64)


def _maps(draws: Draws, more: Draws, augmentation: Augmentation, height: int, width: int) -> Floats:
    """(N, 6): where each pixel of the result comes from, as `loops.warp` wants it; ``draws`` are 0..1."""
    sides = 2 * draws - 1
    shifts = augmentation.shift * sides[:, 0:2]
    angles = np.radians(augmentation.rotation * sides[:, 2])
    grow_y = 1 + augmentation.scale * sides[:, 3]
    grow_x = 1 + augmentation.scale * sides[:, 4 if augmentation.stretch else 3]
    slants = np.tan(np.radians(augmentation.shear * sides[:, 5]))
    mirrors = np.where(augmentation.flip & (draws[:, 6] < 0.5), -1.0, 1.0)
    cosine, sine = np.cos(angles), np.sin(angles)
    # Backwards from the result, rows pointing down: unshift, turn back, straighten, shrink, mirror.
    # y = cos*v + sin*u, x = cos*u - sin*v (the inverse turn); then x += slant * y; then both by their factors.
    from_v = np.stack([cosine, slants * cosine - sine])
    from_u = np.stack([sine, slants * sine + cosine])
    # Cropped to a part, which is brought to the size of the whole.
    parts = 1 - augmentation.crop * more[:, 0]
    corners = (1 - parts) * (2 * more[:, 1] - 1) / 2, (1 - parts) * (2 * more[:, 2] - 1) / 2
    factors = np.stack([parts / grow_y, parts * mirrors / grow_x])
    from_v, from_u = from_v * factors, from_u * factors
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    ends_v, ends_u = centre[0] + shifts[:, 0], centre[1] + shifts[:, 1]
    starts = centre[:, None] - from_v * ends_v - from_u * ends_u
    starts = starts + np.stack([corners[0] * (height - 1), corners[1] * (width - 1)])
    maps = np.stack([from_v[0], from_u[0], starts[0], from_v[1], from_u[1], starts[1]], axis=1)
    return maps.astype(np.float32)


def _elastic_tables(augmentation: Augmentation, height: int, width: int) -> tuple[Any, Any]:
    """Weights that spread random knots over rows and columns, as `loops.warp` wants them.

    Knots lie one sigma apart. White noise on such a grid, weighted by a Gaussian of sigma, has the covariance of
    smoothed white noise on the pixels: off by 2 exp(-pi^2), 1e-4. The squares of each pixel's weights sum to 1, so the
    displacement's standard deviation is exact.
    """
    row_weights, row_first, knot_rows = _spread(height, augmentation.elastic_sigma)
    column_weights, column_first, knot_columns = _spread(width, augmentation.elastic_sigma)
    dense = np.zeros((knot_columns, width), np.float32)
    for tap in range(_TAPS):
        dense[column_first + tap, np.arange(width)] = column_weights[:, tap]
    # Knots ascend with the columns, so those that a knot reaches lie side by side.
    knots = np.arange(knot_columns)
    reach = np.stack(
        [np.searchsorted(column_first, knots - _TAPS + 1), np.searchsorted(column_first, knots, side="right")], axis=1
    )
    rows = (row_weights * augmentation.elastic).astype(np.float32)
    return (rows, row_first, knot_rows), (dense, reach)


def _spread(size: int, sigma: float) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """(size, taps) weights of the knots from each pixel's first one on, those firsts, and the number of knots."""
    places = np.arange(size) / sigma
    first = np.floor(places).astype(np.int64)
    # Knot 0 lies three sigma before the first pixel.
    distances = first[:, None] + np.arange(_TAPS) - (_TAPS // 2 - 1) - places[:, None]
    weights = np.exp(-(distances**2) / 2)
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    return weights, first, int(first[-1]) + _TAPS


def _read_flag(word: str, value: str) -> bool:
    if value not in _YES + _NO:
        raise ConvcliError(f"augmentation: got {shortened(word)!r}, expected true or false")
    return value in _YES
