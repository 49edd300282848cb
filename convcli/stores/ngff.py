"""What OME-Zarr says of an image, from OME's words and into them: axes, distances, names and colours of channels.

Source: the OME-NGFF specification, versions 0.4 and 0.5 (multiscales, axes, omero).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convcli.errors import FileError
from convcli.images.distances import (
    NOTES,
    Distance,
    channels_of,
    colour_in_hex,
    colour_in_number,
    distances_of,
    in_ome_words,
    notes_of,
    unit_named,
)
from convcli.images.volume_axes import UNNAMED, Axes, letters_of
from convcli.images.volume_model import VolumeMetadata

ORDER = "TCZ"  # of the axes before a plane's, as the specification has them
_NEW = "0.5"
_TYPES = {"t": "time", "c": "channel"}
_AXES = re.compile("t?c?z?yx")
_DIMENSIONS = "_ARRAY_DIMENSIONS"
_SAID = ("multiscales", "omero", "version", "ome")


def is_image_name(name: str) -> bool:
    """Whether a store's name promises OME-Zarr: ``cells.ome.zarr``."""
    return name.lower().rstrip("/").endswith(".ome.zarr")


def axis_of(letter: str, said: Any = None) -> dict[str, Any]:
    """An axis as the specification wants it, with what is ``said`` of one of another name, its type aside."""
    kept = {name: value for name, value in said.items() if name != "type"} if isinstance(said, Mapping) else {}
    return {**kept, "name": letter, "type": _TYPES.get(letter, "space")}


def omero_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is said of the look of channels; it stands beside the multiscales."""
    found = attributes.get("ome", attributes)
    found = found.get("omero") if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def with_omero(attributes: Mapping[str, Any], omero: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes with something else said of the look of channels."""
    if "ome" in attributes:
        return {**attributes, "ome": {**attributes["ome"], "omero": dict(omero)}}
    return {**attributes, "omero": dict(omero)}


def one_channel(attributes: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    """The attributes of an image of which one channel was taken."""
    omero = omero_of(attributes)
    channels = omero.get("channels")
    if not isinstance(channels, list) or index >= len(channels):
        return attributes
    return with_omero(attributes, {**omero, "channels": channels[index : index + 1]})


def metadata_of(
    axes: str, image: Mapping[str, Any] | None, attributes: Mapping[str, Any], level: Any, *, has_labels: bool
) -> VolumeMetadata:
    """What travels from a store to files of other formats; ``level`` is the one that is read, of an image."""
    axis = "T" if "t" in axes and "z" not in axes else "Z"
    if image is None or level is None:
        return VolumeMetadata("ZARR", axis=axis, lost=("attributes",) * any(name != _DIMENSIONS for name in attributes))
    found = {}
    for letter, said, size in zip(axes, image["axes"], level.scale, strict=True):
        unit = unit_named(said.get("unit")) if isinstance(said, Mapping) else ""
        if letter in NOTES and np.isfinite(size) and size > 0:
            found[letter] = Distance(float(size), unit)
    notes = notes_of(found)
    if isinstance(image.get("name"), str) and image["name"]:
        notes["Name"] = image["name"]
    channels = [_channel(each) for each in omero_of(attributes).get("channels") or () if isinstance(each, Mapping)]
    if any(channels):
        notes["Channel"] = channels if len(channels) > 1 else channels[0]
    begins = any(at for letter, at in zip(axes, level.translation, strict=True) if letter != "c")
    others = [name for name in {**attributes, **dict(attributes.get("ome") or {})} if name not in _SAID]
    lost = ("translation",) * begins + ("labels",) * has_labels + tuple(f"attribute {name}" for name in others)
    return VolumeMetadata("ZARR", "ome", axis, notes=notes, lost=lost)


def _channel(said: Mapping[str, Any]) -> dict[str, str]:
    colour = colour_in_number(said.get("color", "")) if said.get("color") else None
    found = {"Name": said.get("label"), "Color": colour}
    return {name: str(value) for name, value in found.items() if value}


def is_image(metadata: VolumeMetadata, name: str) -> bool:
    """Whether a new store of this name is an image: it promises one, or an array could not say all that is known."""
    notes = in_ome_words(metadata)[0].notes
    return is_image_name(name) or bool(distances_of(notes)) or any(map(_channel_is_said, channels_of(notes)))


def _channel_is_said(channel: Mapping[str, Any]) -> bool:
    return bool(channel.get("Name") or channel.get("Color"))


def image_of(
    metadata: VolumeMetadata, leading: Axes, name: str
) -> tuple[str, tuple[float, ...], dict[str, Any], dict[str, Any]]:
    """Axes, scale, image and attributes of a new OME-Zarr image that says what ``metadata`` does, in OME's words.

    Raises `FileError` where the axes are not an image's.
    """
    distances, channels = distances_of(metadata.notes), channels_of(metadata.notes)
    axes = letters_of(leading).replace(UNNAMED, "Z", 1).lower() + "yx"
    if not _AXES.fullmatch(axes):
        raise FileError(f"{name}: got axes {axes} for OME-Zarr, expected some of t, c, z in this order, then yx")
    image: dict[str, Any] = {"axes": [axis_of(letter, _unit(distances.get(letter))) for letter in axes]}
    if metadata.notes.get("Name"):
        image["name"] = str(metadata.notes["Name"])
    scale = tuple(distances[letter].size if letter in distances else 1.0 for letter in axes)
    said: dict[str, Any] = {"version": _NEW}
    if any(map(_channel_is_said, channels)):
        said["omero"] = {
            "channels": [
                {"label": str(each.get("Name", "")), "color": colour_in_hex(each.get("Color"))} for each in channels
            ]
        }
    return axes, scale, image, {"ome": said}


def _unit(distance: Distance | None) -> dict[str, str]:
    return {"unit": distance.unit} if distance and distance.unit else {}


def true_of(attributes: Mapping[str, Any], array: Any, axes: str, *, new_numbers: bool) -> Mapping[str, Any]:
    """The attributes as they are true of an array: the range of each channel where none is said, or of other numbers.

    What is to be seen of it is that of the chunk in the middle. A plane to be shown first is one that there is.
    """
    omero = dict(omero_of(attributes))
    channels, shown = omero.get("channels"), omero.get("rdefs")
    sizes = dict(zip(axes, array.shape, strict=True))
    if isinstance(shown, Mapping):
        first = {f"default{letter.upper()}": sizes.get(letter, 1) for letter in "zt"}
        omero["rdefs"] = {
            name: each if name not in first or each < first[name] else first[name] // 2 for name, each in shown.items()
        }
    if isinstance(channels, list):
        omero["channels"] = [
            {**each, "window": _window(array, axes, number)}
            if isinstance(each, Mapping) and (new_numbers or "window" not in each)
            else each
            for number, each in enumerate(channels)
        ]
    return with_omero(attributes, omero) if omero else attributes


def _window(array: Any, axes: str, channel: int) -> dict[str, float]:
    where: list[Any] = []
    for letter, n, chunk in zip(axes, array.shape, array.chunks, strict=True):
        first = n // 2 // chunk * chunk
        where.append(min(channel, n - 1) if letter == "c" else slice(first, min(first + chunk, n)))
    seen = np.asarray(array[tuple(where)])
    seen = seen[np.isfinite(seen)] if seen.dtype.kind == "f" else seen
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    limits: Sequence[float] = (low, high)
    if array.dtype.kind in "iu":
        limits = float(np.iinfo(array.dtype).min), float(np.iinfo(array.dtype).max)
    return {"min": limits[0], "max": limits[1], "start": low, "end": high}
