"""Writing a volume plane by plane: memory stays flat, and the file appears complete or not at all."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from convcli.atomic import replacing
from convcli.errors import ConvcliError, FileError, ImageError
from convcli.geometry import Placement
from convcli.images import exif_tiff, resolution
from convcli.images.animation_writing import ANIMATED, frame_times, lossy_durations, write_animation
from convcli.images.distances import distances_of, in_ome_words, others_than
from convcli.images.formats import is_ome_name
from convcli.images.geotiff import TAGS as GEOTIFF
from convcli.images.keeping import outgoing, strange_profile
from convcli.images.model import Image, Metadata, Pixels, shown
from convcli.images.nifti import check_axes, write_nifti
from convcli.images.npz import writing
from convcli.images.tiff import COMPRESSIONS
from convcli.images.volume_axes import Axes
from convcli.images.volume_model import PLANES_LOST, VolumeMetadata

VOLUME_FORMATS = ("TIFF", "NPY", "NPZ", "NIFTI")
_CHANNELS = {"TIFF": (1, 3), "GIF": (1, 3), "WEBP": (1, 3), "PNG": (1, 3), "NIFTI": (1, 3)}  # alpha aside
_INCH = 2
_TAKE_DISTANCES = ("NIFTI", "ZARR")
_STYLES = {"plain": "TIFF's", "shaped": "tifffile's", "imagej": "ImageJ's", "ome": "OME's"}


def check_volume_format(format: str, channels: int, *, has_frames: bool = False) -> None:
    """Raise `ImageError` with the fix if a volume of so many channels, none of them alpha, cannot be written so.

    ``has_frames``: it is an animation or pictures in a row, which may become an animation.
    """
    if format not in VOLUME_FORMATS + (ANIMATED if has_frames else ()):
        more = ", or of frames an animation: .gif, .webp, .png" if has_frames else ""
        raise FileError(
            f"got {format} for a volume, expected .tiff, .npy, .npz or .nii{more}; name the output with -o volume.tiff"
        )
    if format in _CHANNELS and channels not in _CHANNELS[format]:
        raise FileError(f"got {channels} channels for {format}, expected 1 or 3; write .npy")


def write_volume(
    planes: Iterator[Pixels],
    target: str | Path,
    shape: tuple[int, int, int, int],
    dtype: np.dtype[Any],
    metadata: VolumeMetadata,
    *,
    format: str,
    axes: Axes | None = None,
    has_channels: bool = False,
    has_alpha: bool = False,
    overwrite: bool = False,
    strip: bool = False,
    keep_profile: bool = False,
    compression: str | None = None,
    quality: int | None = None,
) -> tuple[str, ...]:
    """Write planes (H, W, C) as they come.

    Parameters
    ----------
    planes:
        D arrays of ``dtype`` and of shape ``shape[1:]``, in order.
    shape:
        (D, H, W, C).
    metadata:
        What the volume keeps of the one it was made from.
    format:
        ``TIFF``, ``NPY`` or, of frames, ``GIF``, ``WEBP`` or ``PNG``: checked by `check_volume_format`.
    axes:
        Those that the D planes lie along; without them, the metadata's one.
    has_channels:
        Whether an .npy gets an axis of channels even for one channel.
    has_alpha:
        Whether the last channel is alpha, which animations hold.
    strip:
        Whether to drop resolution, profile (but with ``keep_profile``) and what ImageJ or OME say.
    quality:
        1 to 100 for WebP that loses something; without it, the input's.

    Returns
    -------
    tuple of str
        Names of what the input held besides voxels and the file does not; none with ``strip``.

    Raises
    ------
    ImageError
        One line naming the target; nothing is left behind then.
    """
    if compression is not None and compression.lower() not in COMPRESSIONS:
        raise ImageError(f"compression of TIFF: got {compression!r}, expected one of {' '.join(COMPRESSIONS)}")
    leading = ((metadata.axis, shape[0]),) if axes is None else axes
    kept, lost = (
        (_stripped(metadata, keep_profile), ()) if strip else outgoing_of(metadata, shape, dtype, format, has_alpha)
    )
    if format == "NIFTI":
        check_axes(leading, shape[3])
    if format == "TIFF":
        from convcli.images.volume_tiff import spoken, write_tiff

        kept, unsaid = spoken(kept, leading, dtype, shape[3], is_ome=is_ome_name(target))
        lost = lost if strip else (*lost, *unsaid)
    with replacing(Path(target), overwrite=overwrite) as stream:
        if format in ("NPY", "NPZ"):
            whole = (*(size for _, size in leading), *shape[1:])
            with writing(stream, kept.picture.own) if format == "NPZ" else nullcontext(stream) as array:
                _write_npy(planes, array, whole if has_channels or shape[3] > 1 else whole[:-1], dtype)
            return lost
        if format == "NIFTI":
            write_nifti(planes, stream, shape, dtype, kept, leading, packed=str(target).lower().endswith(".gz"))
            return lost
        if format in ANIMATED:
            picture = replace(kept.picture, icc=kept.icc)
            times = frame_times(kept.durations, shape[0])
            write_animation(planes, stream, format, times, kept.plays, picture, quality, has_alpha=has_alpha)
            return lost
        try:
            write_tiff(planes, stream, shape, dtype, kept, compression and compression.lower(), leading)
        except (ValueError, TypeError, RuntimeError) as error:
            if isinstance(error, ConvcliError):
                raise
            reason = " ".join(str(error).split())[:200]
            raise ImageError(f"{shown(target)}: cannot be written as TIFF ({reason})") from error
    return lost


def _stripped(metadata: VolumeMetadata, keep_profile: bool) -> VolumeMetadata:
    """What a file needs to hold the same voxels in the same way, at the same places and times."""
    return VolumeMetadata(
        metadata.format,
        compression=metadata.compression,
        durations=metadata.durations,
        plays=metadata.plays,
        header=metadata.header,
        places=metadata.places,
        picture=Metadata(lossless=metadata.picture.lossless),
        icc=metadata.icc if keep_profile else None,
    )


def outgoing_of(
    metadata: VolumeMetadata, shape: tuple[int, int, int, int], dtype: np.dtype[Any], format: str, has_alpha: bool
) -> tuple[VolumeMetadata, tuple[str, ...]]:
    """The metadata as they are true of the planes that are written, and names of what is not kept.

    ``format`` may also be ZARR, which is written elsewhere.
    """
    metadata, unsaid = in_ome_words(metadata) if format in _TAKE_DISTANCES else (metadata, ())
    plane = np.broadcast_to(np.zeros(1, dtype), shape[1:])
    before = metadata.picture
    picture = replace(before, icc=metadata.icc, description=None, texts=() if format == "TIFF" else before.texts)
    if format in ANIMATED and metadata.resolution and metadata.resolution_unit == _INCH:
        picture = replace(picture, dpi=metadata.resolution)
    lost: list[str] = []
    if format == "TIFF" and before.texts:
        lost.append("texts")
    own = () if metadata.placement != (Placement(), Placement()) else before.own
    if own != before.own or (before.kind and before.kind[:2] != shape[1:3]):
        own = tuple(each for each in before.own if each.format != "TIFF" or each.code not in GEOTIFF)
        lost += ["GeoTIFF tags"] if len(own) < len(before.own) else []
    image = Image(plane, has_alpha, replace(picture, own=own), placement=metadata.placement)
    strange = strange_profile(image)
    lost += [f"colour profile for {strange}"] if strange else []
    picture, names = outgoing(image, format)
    lost += names
    if picture.exif and format == "TIFF" and exif_tiff.has_directories(picture.exif):
        lost.append("EXIF")
    lost += metadata.lost
    if metadata.header is not None and format != "NIFTI":
        lost.append("NIfTI's header")
    lost += unsaid
    if format not in ("TIFF", *ANIMATED):
        lost += _homeless(metadata, format)
    if any(metadata.durations) and (format not in ANIMATED or lossy_durations(metadata.durations, shape[0], format)):
        lost.append("durations of frames")
    notes = dict(metadata.notes)
    for name, word in PLANES_LOST.items():
        if len(notes.get(name, ())) not in (0, shape[0]):  # planes were put before them, or left out
            del notes[name]
            lost.append(word)
    kept = replace(metadata, icc=picture.icc, notes=notes, picture=replace(picture, icc=None))
    return kept, tuple(dict.fromkeys(lost))


def _homeless(metadata: VolumeMetadata, format: str) -> list[str]:
    """Names of what files that are no TIFF do not say of distances, channels and planes."""
    said = metadata.resolution is not None and not (
        metadata.resolution_unit == 1 and resolution.is_square(metadata.resolution) and metadata.style != "imagej"
    )
    if format in _TAKE_DISTANCES:
        said = said and not distances_of(metadata.notes)
        others = others_than(metadata.notes, channels=format == "ZARR")
        return ["resolution"] * said + [name for name in others if metadata.header is None]
    has_notes = metadata.notes and metadata.header is None  # else the header says the same
    return ["resolution"] * said + [f"{_STYLES[metadata.style]} notes"] * bool(has_notes)


def _write_npy(planes: Iterator[Pixels], stream: IO[bytes], whole: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": whole}
    np.lib.format.write_array_header_1_0(stream, header)
    for plane in planes:
        stream.write(np.ascontiguousarray(plane).reshape(-1).view(np.uint8).data)
