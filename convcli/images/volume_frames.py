"""Volumes whose planes are pictures: the frames of a GIF, WebP or PNG animation, or one picture file per plane."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from convcli.errors import ImageError
from convcli.images.formats import NAMES
from convcli.images.keeping import incoming
from convcli.images.model import Image, Metadata, Pixels, check_canvas, check_frames, check_size, shown
from convcli.images.orientation import upright
from convcli.images.pillow import is_seen_through, without_excess
from convcli.images.reading import MAX_PIXELS, read, read_all
from convcli.images.volume_model import Volume, VolumeMetadata, one_by_one, with_alpha

# Called with the pixels (..., 4) of each frame as soon as they are known; raises `ImageError` for what is not wanted.
Look = Callable[[Pixels], None]


def open_animation(path: Path, name: str, format: str, max_pixels: int, alpha_fix: str | None = None) -> Volume:
    """Decode all frames of an animation, composed as they are shown; to grey where every frame is grey.

    With ``alpha_fix`` the first frame that has alpha is refused, see `open_volume`.
    """

    def look(colours: Pixels) -> None:
        if alpha_fix is not None and is_seen_through(colours):
            raise with_alpha(alpha_fix)

    with path.open("rb") as stream:
        data = read_all(stream, name)
    frames, durations = {"GIF": _gif, "WEBP": _webp, "PNG": _png}[format](data, max_pixels, look)
    described, orientation = _described(data, format)
    if orientation != 1:
        frames = np.stack([upright(each, orientation) for each in frames])
    voxels, has_alpha = without_excess(frames)
    found = incoming(described, frames[0], orientation)
    metadata = VolumeMetadata(
        format,
        axis="T",
        resolution=found.dpi or found.aspect,
        resolution_unit=2 if found.dpi else 1,
        icc=found.icc,
        durations=durations,
        plays=_plays(data, format),
        picture=replace(found, icc=None, dpi=None, aspect=None),
    )
    return Volume(
        name, voxels.shape, voxels.dtype, metadata, lambda first, end: voxels[first:end], True, has_alpha,
        _one(len(voxels)),
    )  # fmt: skip


def _described(data: bytes, format: str) -> tuple[Metadata, int]:
    """What the file says besides frames, and how they have to be turned."""
    from convcli.images import gif_blocks, png, png_chunks, webp

    if format == "GIF":
        return gif_blocks.describe(data), 1
    if format == "PNG":
        return png_chunks.describe(png.chunks_in(data))
    return webp.describe(list(webp.chunks_in(data)))


def _plays(data: bytes, format: str) -> int:
    """How often an animation is to be shown, 0 for ever."""
    from convcli.images import gif_blocks, png, webp

    if format == "GIF":
        return gif_blocks.plays(data)
    chunks = dict(png.chunks_in(data) if format == "PNG" else webp.chunks_in(data))
    if format == "PNG":
        return int.from_bytes(bytes(chunks.get(b"acTL", b""))[4:8], "big")
    return int.from_bytes(bytes(chunks.get(b"ANIM", b""))[4:6], "little")


def _gif(data: bytes, max_pixels: int, look: Look) -> tuple[Pixels, tuple[int, ...]]:
    """All frames (count, H, W, 4), and the milliseconds that each is shown."""
    from convcli.images.gif import canvas_size, composed, frames_in

    frames = frames_in(data)
    width, height = canvas_size(data, frames)
    check_frames(len(frames), width, height, max_pixels)
    check_canvas("GIF", width, height, max(each.width * each.height for each in frames))
    for each in frames[1:]:
        check_size(max(each.width, 1), max(each.height, 1), max_pixels)  # it may be larger than the canvas
    work = sum(each.width * each.height for each in frames)
    if work > max_pixels:
        raise ImageError(
            f"got {len(frames)} frames of {work:,} pixels, larger than their canvas, expected at "
            f"most {max_pixels:,} in all; raise the limit with --max-pixels {work} if the file is trusted"
        )
    shown = np.empty((len(frames), height, width, 4), np.uint8)
    for index, canvas in enumerate(composed(frames, width, height)):
        look(canvas)
        shown[index] = canvas
    return shown, tuple(each.duration for each in frames)


def _png(data: bytes, max_pixels: int, look: Look) -> tuple[Pixels, tuple[int, ...]]:
    from convcli.images.png_frames import decode_frames

    return decode_frames(data, max_pixels, look)


def _webp(data: bytes, max_pixels: int, look: Look) -> tuple[Pixels, tuple[int, ...]]:
    """All frames (count, H, W, 4), and the milliseconds that each is shown."""
    from convcli.images.webp import check_work, chunks_in, opened

    durations = []
    chunks = list(chunks_in(data))
    check_work(chunks, max_pixels)
    with opened(data, chunks) as picture:
        count = picture.n_frames
        check_frames(count, picture.width, picture.height, max_pixels)
        shown = np.empty((count, picture.height, picture.width, 4), np.uint8)
        for index in range(count):
            picture.seek(index)
            shown[index] = np.asarray(picture.convert("RGBA"))
            look(shown[index])
            durations.append(int(picture.info.get("duration", 0)))
    return shown, tuple(durations)


def _one(count: int) -> tuple[str, ...]:
    return ("holds a single frame: the volume is one plane deep",) if count == 1 else ()


def open_sequence(paths: Sequence[str], *, max_pixels: int = MAX_PIXELS) -> Volume:
    """Open picture files as the planes of one volume, in the order given.

    Each file is decoded when its plane is read; one whose size, depth or channels differ from the first's is an error
    then. Raises `ImageError` for a first file that cannot be read.
    """
    first = read(paths[0], max_pixels=max_pixels)

    def decode(index: int) -> Pixels:
        path = paths[index]
        image = read(path, max_pixels=max_pixels)
        if _kind(image) != _kind(first):
            raise ImageError(f"{shown(path)}: got {_kind(image)}, expected {_kind(first)} as in {shown(paths[0])}")
        return image.pixels

    metadata = VolumeMetadata(
        first.metadata.format or "",
        resolution=first.metadata.dpi or first.metadata.aspect,
        resolution_unit=2 if first.metadata.dpi else 1,
        compression=first.metadata.tiff_compression,
        icc=first.metadata.icc,
        picture=replace(first.metadata, icc=None, dpi=None, aspect=None),
    )
    height, width, channels = first.pixels.shape
    shape = (len(paths), height, width, channels)
    warnings = first.warnings + _order(paths)
    read_run = one_by_one(decode)
    return Volume(
        shown(paths[0]), shape, first.pixels.dtype, metadata, read_run, channels > 1, first.has_alpha, warnings,
        first.numbers,
    )  # fmt: skip


def _kind(image: Image) -> str:
    height, width, channels = image.pixels.shape
    colour = NAMES.get(channels, f"{channels} channels")
    return f"{width}x{height} pixels, {(image.numbers or image.pixels.dtype).name}, {colour}"


def _order(paths: Sequence[str]) -> tuple[str, ...]:
    """A warning where the order given is not that of the numbers in the names: frame10 before frame2."""
    numbered = sorted(
        paths, key=lambda path: [int(each) if each.isdigit() else each for each in re.split(r"(\d+)", path)]
    )
    if list(paths) == numbered or sorted(paths) != list(paths):
        return ()
    wrong = next(i for i, (got, better) in enumerate(zip(paths, numbered, strict=True)) if got != better)
    return (
        f"planes are in the order given, {shown(paths[wrong])} before {shown(numbered[wrong])}; number them 01, 02 ...",
    )
