"""What an image file becomes in memory: pixels, whether they have alpha, and what travels along to the output.

No file is touched here and nothing but numpy is imported; `reading` makes these values and `writing` consumes them.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.budget import check_count, check_memory
from convcli.errors import ImageError
from convcli.errors import shown as shown
from convcli.geometry import Placement
from convcli.images.turns import take

Pixels = npt.NDArray[Any]

_EMPTY, _MOST_EMPTY = 1 << 22, 64  # pixels of a canvas that may be empty, and as a multiple of its largest frame
MOST_FRAMES = 50_000  # an hour of 10 a second has 36,000; each is composed by itself

# Of animations whose frames are not read, and of a file without planes, behind what it is.
FIRST_ALONE = "only the first frame was read; as an animated PNG, WebP or GIF all are"
FLAT = (
    "a flat picture; expected a volume: a multi-page TIFF, .npy, .npz, NIfTI, an animation, or several pictures with "
    "--stack"
)


@dataclass(frozen=True)
class JpegSettings:
    """How a JPEG was compressed, so that the same loss (and no other) is applied when it is written again.

    Parameters
    ----------
    tables:
        One quantisation table of 64 divisors per component, in reading order of an 8x8 block (not zigzag).
    subsampling:
        ``"4:4:4"``, ``"4:2:2"``, ``"4:2:0"``, or None for grey and for layouts that the encoder does not offer.
    progressive:
        Whether the picture was stored as progressively finer scans.
    """

    tables: tuple[tuple[int, ...], ...]
    subsampling: str | None
    progressive: bool


@dataclass(frozen=True)
class Own:
    """Something that only files of one format hold: a PNG chunk, a TIFF tag, a JPEG segment.

    Parameters
    ----------
    format:
        Whose it is, such as ``"PNG"``.
    name:
        What messages call it.
    code:
        The chunk's type, the tag's number, the segment's marker.
    content:
        What stands there; of a TIFF tag little-endian.
    type:
        TIFF's number of the values' type.
    """

    format: str
    name: str
    code: Any
    content: bytes
    type: int = 0


@dataclass(frozen=True)
class Description:
    """What OME-XML or ImageJ's text says of one picture: ``style`` is ``ome`` or ``imagej``, ``notes`` as tifffile
    names them (``PhysicalSizeX``, ``unit`` ...)."""

    style: str
    notes: dict[str, Any]


@dataclass(frozen=True)
class Metadata:
    """What travels from input to output besides pixels; everything is optional.

    Codecs fill it in as the file says; `convcli.images.keeping` makes it true, once when a picture has been read and
    once before it is written, and tells what cannot travel.

    Parameters
    ----------
    format:
        The format the file really had (by content, not by name), such as ``"PNG"``.
    icc:
        The ICC colour profile, uncompressed; empty, as a codec says it, if the file's is too damaged to be found.
    exif:
        The EXIF block from its TIFF header on, without ``Exif\\0\\0``; its orientation is 1, its thumbnail gone.
    xmp:
        The XMP packet; a ``tiff:Orientation`` in it says 1.
    dpi:
        Pixels per inch along x and along y.
    aspect:
        Pixels along x and along y in the same length, where the file does not say which length; without ``dpi``.
    texts:
        (keyword, text): PNG's texts, the comments of JPEG, GIF and PPM; keywords are PNG's, ``"Comment"`` for most.
    photoshop:
        Photoshop's image resources, the IPTC record among them.
    description:
        What a TIFF says in OME's or ImageJ's language.
    jpeg:
        How the input JPEG was compressed.
    lossless:
        Whether the input was compressed without loss, of a format that knows both: WebP, JPEG 2000, JPEG XL.
    bits:
        How many bits of a sample the input had, of a format whose deep pixels have 10 or 12: AVIF, HEIC.
    tiff_compression:
        The input TIFF's compression if convcli can write it: ``none, lzw, deflate, packbits, zstd``.
    png_colour:
        (type, content) of the PNG chunks that say what the numbers mean: ``gAMA, cHRM, sRGB, cICP, mDCV, cLLI``.
    own:
        What only the input's own format holds.
    lost:
        Names of what the file held and no output can.
    kind:
        (H, W, C, type) of the pixels that all this was said about.
    """

    format: str | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    aspect: tuple[float, float] | None = None
    texts: tuple[tuple[str, str], ...] = ()
    photoshop: bytes | None = None
    description: Description | None = None
    jpeg: JpegSettings | None = None
    lossless: bool | None = None
    bits: int | None = None
    tiff_compression: str | None = None
    png_colour: tuple[tuple[bytes, bytes], ...] = ()
    own: tuple[Own, ...] = ()
    lost: tuple[str, ...] = ()
    kind: tuple[int, int, int, str] | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class Image:
    """One picture in memory.

    Parameters
    ----------
    pixels:
        (H, W, C), C-contiguous, uint8, uint16, float32 or float64, native byte order. C is 1 (grey), 2 (grey, alpha),
        3 (RGB) or 4 (RGB, alpha); a .npy file may hold any C. May be read-only. Floats are 0..1 by convention.
    has_alpha:
        Whether the last channel is alpha: straight, never premultiplied.
    metadata:
        What travels to the output besides pixels.
    warnings:
        One sentence each about what the file held and the pixels do not, such as further frames.
    placement:
        Along y and along x, where the pixels lie on the picture that the metadata speak of.
    numbers:
        The type of the file's numbers where pixels hold them in another: `convcli.images.depth.own_numbers`. What is
        made to be written is in that type itself, and has none here.
    """

    pixels: Pixels
    has_alpha: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    warnings: tuple[str, ...] = ()
    placement: tuple[Placement, Placement] = (Placement(), Placement())
    numbers: np.dtype[Any] | None = None

    @property
    def white(self) -> float:
        """Full scale of the pixels: see `white_of`."""
        return white_of(self.pixels.dtype, self.numbers)


def white_of(dtype: np.dtype[Any], numbers: np.dtype[Any] | None = None) -> float:
    """Full scale of pixels: 255, 65535, the largest of other integers, or 1.0 for floats."""
    scale = numbers if numbers is not None and numbers.kind in "iu" else dtype
    return float(np.iinfo(scale).max) if scale.kind in "iu" else 1.0


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a codec hands to `reading`: an image as stored, and how it has to be turned to stand upright.

    Parameters
    ----------
    image:
        The picture in the order of its rows in the file.
    orientation:
        The EXIF/TIFF orientation, 1 to 8; 1 is upright.
    """

    image: Image
    orientation: int = 1


KINDS = {"uint8": "8-bit", "uint16": "16-bit", "float32": "float"}  # of pixels
COLOURS = {1: "gray", 2: "gray with alpha", 3: "RGB", 4: "RGBA"}


def pictures_of(pixels: npt.NDArray[Any]) -> str:
    """What pictures like this one (H, W, C) are called: ``16-bit RGB pictures``."""
    depth = KINDS.get(pixels.dtype.name, pixels.dtype.name)
    return f"{depth} {COLOURS.get(pixels.shape[2], f'{pixels.shape[2]}-channel')} pictures"


def check_size(width: int, height: int, max_pixels: int, pixel_bytes: int = 6) -> None:
    """Refuse a picture whose header announces more than allowed, before any of it is decoded.

    Among pictures that are decoded at once, wait until there is room for it.

    ``pixel_bytes`` is the memory that a pixel takes, decoded and once more in the result.

    Raises `ImageError` naming the size, the limit and the flag that raises the limit.
    """
    if width < 1 or height < 1:
        raise ImageError(f"damaged header: got a size of {width}x{height}, expected at least 1x1")
    if width * height > max_pixels:
        raise ImageError(
            f"got {width}x{height} = {width * height} pixels, expected at most {max_pixels}; "
            f"raise the limit with --max-pixels {width * height} if the file is trusted"
        )
    check_memory(
        width * height * pixel_bytes,
        f"got {width}x{height} pixels, {pixel_bytes} bytes each with the result",
        ImageError,
    )
    take(width * height * pixel_bytes)


def check_frames(count: int, width: int, height: int, max_pixels: int, pixel_bytes: int = 12) -> None:
    """Refuse an animation of too many frames, or of too many pixels in all of them; as `check_size`.

    ``pixel_bytes`` is RGBA twice, as it is composed and collected, and the voxels made of it.
    """
    check_count(count, MOST_FRAMES, "got {} frames", "split the animation", ImageError)
    check_size(width, height * count, max_pixels, pixel_bytes)


def check_canvas(format: str, width: int, height: int, largest: int) -> None:
    """Refuse the canvas of an animation that is nearly all empty: a few bytes make one of any size.

    ``largest`` is the number of pixels of its largest frame.
    """
    if width * height > _EMPTY + _MOST_EMPTY * largest:
        raise ImageError(
            f"damaged {format}: its canvas has {width * height:,} pixels and its largest frame {largest:,}, expected "
            f"at least one in {_MOST_EMPTY}; get a fresh copy"
        )


def bytes_with_result(channels: int, sample: int, has_alpha: bool = False) -> int:
    """The memory that a pixel of ``channels`` numbers of ``sample`` bytes takes, with what becomes of it.

    Without alpha it goes in and comes out. Under alpha colours are multiplied by it and divided again, as floats of
    several steps: measured on 20 million pixels, 100 bytes for 16-bit RGBA and 52 for 8-bit.
    """
    return channels * sample * (12 if has_alpha else 2)
