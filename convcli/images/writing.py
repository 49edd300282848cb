"""Writing a picture file: check that the format holds it, encode it, and let it appear complete or not at all."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from convcli import addresses
from convcli.atomic import check_target, replacing
from convcli.errors import ImageError, shortened
from convcli.geometry import is_integer
from convcli.images.formats import BY_NAME, format_named, format_of, holds, is_ome_name
from convcli.images.keeping import outgoing
from convcli.images.model import Image, Metadata, shown

Value = TypeVar("Value")
_BEST = 100  # quality

# What makes a file's bytes, when it is called: at once, or piece by piece.
Encode = Callable[[], bytes | Iterator[bytes]]


def write(
    image: Image,
    target: str | Path | BinaryIO,
    *,
    format: str | None = None,
    overwrite: bool = False,
    strip: bool = False,
    keep_profile: bool = False,
    quality: int | None = None,
    compression: str | None = None,
) -> tuple[str, ...]:
    """Write one picture; a file appears under its name complete or not at all.

    Parameters
    ----------
    image:
        (H, W, C) pixels that the format holds (see `holds`); nothing is converted silently.
    target:
        A file name, or a binary stream (standard output).
    format:
        ``"png"``, ``"jpeg"`` and so on; without it the suffix decides, for a stream the input's format.
    overwrite:
        Whether an existing file may be replaced. A symbolic link stays and the file it names is replaced.
    strip:
        Whether to drop all metadata. JPEG tables are kept: they are quality, not metadata.
    keep_profile:
        Whether ``strip`` leaves what says which colours the numbers mean.
    quality:
        1 to 100 for JPEG, WebP, AVIF, JPEG 2000 and JPEG XL, of which the last three lose nothing at 100; without it,
        the input's.
    compression:
        PNG: a zlib level, ``"0"`` to ``"9"``. TIFF: ``none, lzw, deflate, packbits, zstd``. WebP, AVIF, JPEG 2000 and
        JPEG XL: ``lossless, lossy``.

    Returns
    -------
    tuple of str
        Names of what the input held besides pixels and the file does not; none with ``strip``.

    Raises
    ------
    ImageError
        One line naming the target and the fix; nothing is left behind then, not even a temporary file.
    """
    name = shown(target if isinstance(target, str | Path) else getattr(target, "name", "<stream>"))
    chosen = _choose(image, target, format)
    try:
        metadata, lost = outgoing(image, chosen) if keep_profile or not strip else (image.metadata, ())
        metadata, lost = (_stripped(metadata, keep_profile), ()) if strip else (metadata, lost)
        if chosen == "TIFF" and is_ome_name(target):
            from convcli.images.tiff import speaking_ome

            metadata = speaking_ome(metadata)
        encode = _encoder(replace(image, metadata=metadata), chosen, quality=quality, compression=compression)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__
    if isinstance(target, str) and addresses.is_address(target):
        addresses.write_whole(target, b"".join(_run(encode, name, chosen)), overwrite=overwrite)
    elif isinstance(target, str | Path):
        check_target(Path(target), overwrite=overwrite)
        with replacing(Path(target), overwrite=overwrite) as stream:
            stream.writelines(_run(encode, name, chosen))
    else:
        target.write(b"".join(_run(encode, name, chosen)))  # nothing is half-written here either
        target.flush()
    return lost


def _choose(image: Image, target: str | Path | BinaryIO, format: str | None) -> str:
    if format is not None:
        return format_named(format)
    if isinstance(target, str | Path):
        return format_of(target)
    if image.metadata.format is None:
        raise ImageError("writing to a stream: got no format, expected one; name it with --format png")
    return image.metadata.format


def _run(encode: Encode, name: str, chosen: str) -> Iterator[bytes]:
    try:
        content = encode()
        yield from (content,) if isinstance(content, bytes) else content
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__
    except MemoryError as error:
        raise ImageError(f"{name}: encoding does not fit into memory") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: cannot be written as {chosen} ({reason[:200]})") from error


def _encoder(image: Image, chosen: str, *, quality: int | None, compression: str | None) -> Encode:
    """Check everything that can be checked before work starts, and return what makes the file's bytes."""
    height, width, channels = image.pixels.shape
    if min(height, width) < 1:
        raise ImageError(f"got a picture of {width}x{height}, expected at least 1x1")
    reason = holds(chosen, image.pixels.dtype, channels, image.has_alpha)
    if reason:
        raise ImageError(reason)
    longest = BY_NAME[chosen].longest_side
    if max(height, width) > longest:
        raise ImageError(f"got {width}x{height} pixels, expected at most {longest} a side in a {chosen}; write a PNG")
    if quality is not None and not (is_integer(quality) and 1 <= quality <= 100):
        raise ImageError(f"quality: got {shortened(quality)}, expected 1 to 100")
    return ENCODERS[chosen](image, quality, compression)


def _stripped(metadata: Metadata, keep_profile: bool) -> Metadata:
    """How the pixels were stored, perhaps what colours they mean, and nothing else."""
    return Metadata(
        icc=metadata.icc if keep_profile else None,
        png_colour=metadata.png_colour if keep_profile else (),
        format=metadata.format,
        jpeg=metadata.jpeg,
        lossless=metadata.lossless,
        bits=metadata.bits,
        tiff_compression=metadata.tiff_compression,
    )


def _png(image: Image, quality: int | None, compression: str | None) -> Encode:
    from convcli.images import png

    level = _one_of("PNG", compression, {str(level): level for level in range(10)}) if compression else None
    return lambda: png.encode(image, level=level)


def _jpeg(image: Image, quality: int | None, compression: str | None) -> Encode:
    from convcli.images import jpeg

    return lambda: jpeg.pieces_of(image, quality=quality)


def _tiff(image: Image, quality: int | None, compression: str | None) -> Encode:
    from convcli.images import tiff

    chosen = _one_of("TIFF", compression, {each: each for each in tiff.COMPRESSIONS}) if compression else None
    return lambda: tiff.encode(image, compression=chosen)


def _webp(image: Image, quality: int | None, compression: str | None) -> Encode:
    from convcli.images import webp

    lossless = _is_lossless("WEBP", compression)
    return lambda: webp.encode(image, quality=quality, lossless=lossless)


def _with_or_without_loss(name: str, *, by_itself: bool) -> Callable[[Image, int | None, str | None], Encode]:
    """A format that loses nothing at a quality of 100; ``by_itself``: whether it does so if nothing is said.

    What was compressed with loss is so again.
    """

    def encoder(image: Image, quality: int | None, compression: str | None) -> Encode:
        codec = import_module(f"convcli.images.{BY_NAME[name].module}")
        lossless = _is_lossless(name, compression)
        if lossless is None:
            before = False if image.metadata.jpeg else image.metadata.lossless
            lossless = quality == _BEST if quality else by_itself if before is None else before
        return lambda: cast(bytes, codec.encode(image, quality=quality, lossless=lossless))

    return encoder


def _heic(image: Image, quality: int | None, compression: str | None) -> Encode:
    from convcli.images import heic

    return lambda: heic.encode(image, quality=quality)


def _is_lossless(format: str, compression: str | None) -> bool | None:
    return _one_of(format, compression, {"lossless": True, "lossy": False}) if compression else None


def _plain(module: str) -> Callable[[Image, int | None, str | None], Encode]:
    """A format without settings."""

    def encoder(image: Image, quality: int | None, compression: str | None) -> Encode:
        codec = import_module(f"convcli.images.{module}")
        return lambda: cast(bytes, codec.encode(image))

    return encoder


def _one_of(format: str, got: str, known: dict[str, Value]) -> Value:
    if got.lower() not in known:
        raise ImageError(f"compression of {format}: got {got!r}, expected one of {' '.join(known)}")
    return known[got.lower()]


ENCODERS: dict[str, Callable[[Image, int | None, str | None], Encode]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "TIFF": _tiff,
    "WEBP": _webp,
    "BMP": _plain("bmp"),
    "GIF": _plain("gif"),
    "PPM": _plain("netpbm"),
    "PGM": _plain("netpbm"),
    "NPY": _plain("npy"),
    "NPZ": _plain("npz"),
    "QOI": _plain("qoi"),
    "TGA": _plain("tga"),
    "HEIC": _heic,
    "JP2": _with_or_without_loss("JP2", by_itself=True),
    "JXL": _with_or_without_loss("JXL", by_itself=True),
    "AVIF": _with_or_without_loss("AVIF", by_itself=False),
}
