"""Volumes whose planes are pictures: the frames of a GIF or WebP animation, or one picture file per plane."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from convcli.budget import check_count
from convcli.errors import ImageError
from convcli.images.model import Image, Pixels, check_size, shown
from convcli.images.reading import MAX_PIXELS, read, read_all
from convcli.images.volumes import Volume, VolumeMetadata, one_by_one

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST_FRAMES = 50_000  # an hour of 10 a second has 36,000; each is composed by itself
_OPAQUE = 255


def open_animation(path: Path, name: str, format: str, max_pixels: int) -> Volume:
    """Decode all frames of an animation, composed as they are shown; to grey where every frame is grey."""
    with path.open("rb") as stream:
        data = read_all(stream, name)
    picture, count = _open_gif(data) if format == "GIF" else _open_webp(data, max_pixels)
    with picture:
        check_count(count, MOST_FRAMES, f"got a {format} of {{}} frames", "split it", ImageError)
        check_size(picture.width, picture.height * count, max_pixels, 8)  # RGBA and the voxels made of it
        frames = np.empty((count, picture.height, picture.width, 4), np.uint8)
        durations = []
        for index in range(count):
            picture.seek(index)
            frames[index] = np.asarray(picture.convert("RGBA"))
            durations.append(int(picture.info.get("duration", 0)))
    has_alpha = bool((frames[..., 3] < _OPAQUE).any())
    grey = bool((frames[..., :1] == frames[..., 1:3]).all())
    columns = ([0] if grey else [0, 1, 2]) + ([3] if has_alpha else [])
    voxels = np.ascontiguousarray(frames[..., columns])
    metadata = VolumeMetadata(format, axis="T", durations=tuple(durations))
    return Volume(
        name, voxels.shape, voxels.dtype, metadata, lambda first, end: voxels[first:end], True, has_alpha, _one(count)
    )  # fmt: skip


def _open_gif(data: bytes) -> tuple["Picture", int]:
    from PIL.GifImagePlugin import GifImageFile

    from convcli.images.gif import frames_in

    return GifImageFile(io.BytesIO(data)), len(frames_in(data))


def _open_webp(data: bytes, max_pixels: int) -> tuple["Picture", int]:
    from PIL.WebPImagePlugin import WebPImageFile

    from convcli.images.webp import check_work, chunks_in

    chunks = list(chunks_in(data))
    check_work(chunks, max_pixels)
    count = sum(kind == b"ANMF" for kind, _ in chunks)
    return WebPImageFile(io.BytesIO(data)), max(count, 1)


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
        resolution=first.metadata.dpi,
        resolution_unit=2 if first.metadata.dpi else 1,
        compression=first.metadata.tiff_compression,
        icc=first.metadata.icc,
    )
    height, width, channels = first.pixels.shape
    shape = (len(paths), height, width, channels)
    warnings = first.warnings + _order(paths)
    read_run = one_by_one(decode)
    return Volume(
        shown(paths[0]), shape, first.pixels.dtype, metadata, read_run, channels > 1, first.has_alpha, warnings
    )  # fmt: skip


def _kind(image: Image) -> str:
    height, width, channels = image.pixels.shape
    colour = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGB with alpha"}.get(channels, f"{channels} channels")
    return f"{width}x{height} pixels, {image.pixels.dtype.name}, {colour}"


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
