"""How far apart voxels lie and what channels are called, from the words of one format into those of another.

OME's words are the ones that are shared: what NIfTI, ImageJ and OME-Zarr say is put into them, and read out of them.

Source: Open Microscopy Environment, "OME-XML schema, 2016-06" (UnitsLength, UnitsTime, Color); OME-NGFF 0.5 (axes).
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from convcli.images.volume_model import VolumeMetadata

# By OME-Zarr's names: OME-XML's sign, and how many metres or seconds it is.
_UNITS = {
    "picometer": ("pm", 1e-12), "angstrom": ("Å", 1e-10), "nanometer": ("nm", 1e-9), "micrometer": ("µm", 1e-6),
    "millimeter": ("mm", 1e-3), "centimeter": ("cm", 1e-2), "decimeter": ("dm", 1e-1), "meter": ("m", 1.0),
    "kilometer": ("km", 1e3), "inch": ("in", 0.0254), "foot": ("ft", 0.3048), "yard": ("yd", 0.9144),
    "mile": ("mi", 1609.344), "nanosecond": ("ns", 1e-9), "microsecond": ("µs", 1e-6), "millisecond": ("ms", 1e-3),
    "second": ("s", 1.0), "minute": ("min", 60.0), "hour": ("h", 3600.0), "day": ("d", 86400.0),
}  # fmt: skip
_NAMES = {sign: name for name, (sign, _) in _UNITS.items()}
_NAMES |= {"μm": "micrometer", "μs": "microsecond"}  # the Greek letter, not the sign that OME has
_IMAGEJ_UNITS = {
    "micron": "µm", "microns": "µm", "um": "µm", "µm": "µm", "μm": "µm", "\\u00B5m": "µm", "nm": "nm", "mm": "mm",
    "cm": "cm", "inch": "in", "m": "m", "pm": "pm", "Å": "Å",
    **{name: sign for name, (sign, _) in _UNITS.items()},
}  # fmt: skip
UNKNOWN = "reference frame"  # OME's word for lengths in a unit that nobody knows
NOTES = {"z": "PhysicalSizeZ", "y": "PhysicalSizeY", "x": "PhysicalSizeX", "t": "TimeIncrement"}
_USUAL = {"t": "second"}  # where OME-XML names no unit; of the others
_USUAL_LENGTH = "micrometer"
_LOOKS = ("mode", "loop", "min", "max", "hyperstack")  # how ImageJ shows a stack, which no other format has
# What is read out of the notes, besides what channels say that only OME holds.
_HELD = {*NOTES.values(), *(f"{name}Unit" for name in NOTES.values())}
_HELD_OF_CHANNEL = {"Name", "Color"}


class Distance(NamedTuple):
    """From one voxel to the next, or one moment; ``unit`` is OME-Zarr's name for it, empty where nobody knows."""

    size: float
    unit: str

    @property
    def base(self) -> float | None:
        """In metres or seconds."""
        return self.size * _UNITS[self.unit][1] if self.unit else None


def distances_of(notes: dict[str, Any]) -> dict[str, Distance]:
    """What OME's words say of distances along t, z, y and x."""
    found = {}
    for letter, name in NOTES.items():
        size = notes.get(name)
        if isinstance(size, int | float) and math.isfinite(size) and size > 0:
            sign = notes.get(f"{name}Unit")
            usual = _USUAL.get(letter, _USUAL_LENGTH)
            found[letter] = Distance(float(size), usual if sign is None else _NAMES.get(str(sign), ""))
    return found


def notes_of(distances: dict[str, Distance]) -> dict[str, Any]:
    """The same in OME's words; distances of 1 in no known unit say nothing."""
    notes: dict[str, Any] = {}
    if all(each == Distance(1.0, "") for each in distances.values()):
        return notes
    for letter, each in distances.items():
        if letter == "t" and not each.unit:
            continue  # OME has no word for such moments
        notes[NOTES[letter]] = each.size
        notes[f"{NOTES[letter]}Unit"] = _UNITS[each.unit][0] if each.unit else UNKNOWN
    return notes


def unit_named(name: Any) -> str:
    """A unit by OME-Zarr's name if it is one that is known, else empty."""
    return name if isinstance(name, str) and name in _UNITS else ""


def channels_of(notes: dict[str, Any]) -> list[dict[str, Any]]:
    """What is said of channels, one after the other."""
    said = notes.get("Channel", [])
    if isinstance(said, dict) and any(isinstance(each, list | tuple) for each in said.values()):
        count = max(len(each) for each in said.values() if isinstance(each, list | tuple))
        return [{name: each[at] for name, each in said.items() if len(each) > at} for at in range(count)]
    return [said] if isinstance(said, dict) else list(said)


def colour_in_hex(colour: Any) -> str:
    """OME-XML's colour, red, green, blue and alpha in a signed number, as OME-Zarr writes it; white if it is none."""
    try:
        return f"{(int(colour) & 0xFFFFFFFF) >> 8:06X}"
    except (TypeError, ValueError):
        return "FFFFFF"


def colour_in_number(colour: Any) -> str | None:
    """The other way round; None for what is no colour."""
    try:
        number = (int(str(colour).lstrip("#")[:6], 16) << 8) | 0xFF
    except ValueError:
        return None
    return str(number - (1 << 32) if number >= 1 << 31 else number)


def in_ome_words(metadata: "VolumeMetadata") -> tuple["VolumeMetadata", tuple[str, ...]]:
    """What a volume says, in OME's words, and names of what these cannot tell."""
    if metadata.style == "ome":
        return metadata, ()
    notes: dict[str, Any] = {}
    lost: tuple[str, ...] = ()
    if metadata.style == "imagej":
        notes = imagej_distances(metadata.notes, metadata.resolution)
        known = {"unit", "spacing", "finterval", "fps", *_LOOKS} if notes else set(_LOOKS)
        others = [name for name in metadata.notes if name not in known and not name.endswith("unit")]
        lost = tuple(f"ImageJ's {name}" for name in others)
    elif metadata.notes:
        lost = ("tifffile's notes",)
    return replace(metadata, style="ome", notes=notes), lost


def imagej_distances(said: dict[str, Any], resolution: tuple[float, float] | None) -> dict[str, Any]:
    """What ImageJ says of distances, with the pixels per unit along x and y that stand beside it, in OME's words."""
    notes: dict[str, Any] = {}
    sign = _IMAGEJ_UNITS.get(str(said.get("unit")))
    if sign and resolution and min(resolution) > 0:
        notes |= {"PhysicalSizeX": 1 / resolution[0], "PhysicalSizeY": 1 / resolution[1]}
    if sign and isinstance(said.get("spacing"), int | float) and said["spacing"] > 0:
        notes["PhysicalSizeZ"] = said["spacing"]
    notes |= {f"{name}Unit": sign for name in tuple(notes)}
    moment = said.get("finterval")
    if isinstance(moment, int | float) and moment > 0 and said.get("tunit", "sec") in ("sec", "s", "second", "seconds"):
        notes |= {"TimeIncrement": moment, "TimeIncrementUnit": "s"}
    return notes


def others_than(notes: dict[str, Any], *, channels: bool) -> list[str]:
    """Names of what OME's words say besides distances and, perhaps, the names and colours of channels."""
    found = [f"OME's {name}" for name in notes if name not in _HELD and name not in ("Channel", "Name")]
    known = _HELD_OF_CHANNEL if channels else set()
    if any(set(each) - known for each in channels_of(notes)):
        found.append("what OME says of channels")
    return found
