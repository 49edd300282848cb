"""What TIFF files say of their pixels in a text tag: OME-XML, ImageJ's lines, tifffile's shapes, and other programs.

Such a text speaks of the shape of the file it stands in, so it is never copied. What OME and ImageJ say of names and
of the size of a pixel is taken out, to be written anew; a text that people wrote is none of these and is kept.

Source: Open Microscopy Environment, "OME-TIFF specification"; ImageJ, `ij.io.TiffEncoder`.
"""

import re
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from convcli.geometry import Placement
from convcli.images.model import Description

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_STEPS = ("PhysicalSizeX", "PhysicalSizeY", "PhysicalSizeZ", "TimeIncrement")
_TEXTS = ("AcquisitionDate", "Description")
_OF_CHANNEL = (
    "Name", "AcquisitionMode", "Color", "ContrastMethod", "EmissionWavelength", "EmissionWavelengthUnit",
    "ExcitationWavelength", "ExcitationWavelengthUnit", "Fluor", "IlluminationType", "NDFilter", "PinholeSize",
    "PinholeSizeUnit", "PockelCellSetting",
)  # fmt: skip
_PLANE = re.compile(r"<(\w+:)?Plane\b")
_OF_PLANE = ("DeltaT", "ExposureTime", "Position")
_OF_A_PLANE = (*_TEXTS, "Name", "Channel", "PhysicalSizeX", "PhysicalSizeXUnit", "PhysicalSizeY", "PhysicalSizeYUnit")
# What ImageJ counts anew, or says of the look of a stack.
_IMAGEJ_SHAPE = (
    "ImageJ",
    "images",
    "channels",
    "slices",
    "frames",
    "hyperstack",
    "order",
    "mode",
    "loop",
    "min",
    "max",
)
# Of one description, whatever the file; to parse so many takes four seconds and half a gigabyte.
MOST_PARTS = 500_000
_KNOWN_PARTS = {"OME", "Image", "Pixels", "Channel", "TiffData", "UUID", "LightPath", "Plane", *_TEXTS}
# Whose sizes and places they tell: tifffile's, those of slide scanners and microscopes, and any XML or JSON.
_OTHERS = re.compile(
    r"shape=|\s*[{<]|Aperio |state\.|SI\.|scanimage\.|\[Image Parameters\]|\[(Acquisition|Version) Info", re.IGNORECASE
)


def parts_of(text: str) -> int:
    """How many lines, elements or values a description has that a program wrote to be parsed; 0 for other texts."""
    sign = "\n" if text.startswith("ImageJ=") else {"<": "<", "{": ","}.get(text[:1000].lstrip()[:1])
    return text.count(sign) if sign else 0


def read(text: str) -> tuple[Description | None, str | None]:
    """What a description says of one plane, and, if the text cannot be kept as it is, a name for what is lost with it.

    (None, None) for a text that can be kept.
    """
    if parts_of(text) > MOST_PARTS:
        return None, "a description of too many parts"
    if text.startswith("ImageJ="):
        return _imagej(text)
    if is_ome(text):
        try:
            notes = {name: value for name, value in ome_notes(text).items() if name in _OF_A_PLANE}
        except ValueError:
            return None, "damaged OME-XML"
        return Description("ome", notes), "OME-XML other than names and pixel sizes" if _says_more(text) else ""
    if _OTHERS.match(text):
        return None, "a program's description of the stored pixels"
    return None, None


def is_ome(text: str) -> bool:
    """Whether a description is OME-XML."""
    # A comment ends at its first mark: else a row of them could be read in 2**n ways.
    comments = r"(<!--(?:(?!-->).)*-->\s*)*"
    return re.match(rf"\s*(<\?xml[^>]*>\s*)?{comments}<(\w+:)?OME\b", text, re.DOTALL) is not None


def ome_notes(text: str) -> dict[str, Any]:
    """What OME-XML says about distances and names, in the words that tifffile writes."""
    root = _parsed(text)
    notes: dict[str, Any] = {}
    image = root.find("{*}Image")
    pixels = None if image is None else image.find("{*}Pixels")
    if image is None or pixels is None:
        return notes
    if image.get("Name"):
        notes["Name"] = image.get("Name")
    for name in _STEPS:
        if pixels.get(name):
            notes[name] = float(pixels.get(name, ""))
        if pixels.get(f"{name}Unit"):
            notes[f"{name}Unit"] = pixels.get(f"{name}Unit")
    for name in _TEXTS:
        element = image.find(f"{{*}}{name}")
        if element is not None and element.text:
            notes[name] = element.text
    channels = [
        {name: channel.get(name) for name in _OF_CHANNEL if channel.get(name)}
        for channel in pixels.findall("{*}Channel")
    ]
    if any(channels):
        notes["Channel"] = channels if len(channels) > 1 else channels[0]
    return notes


def ome_planes(text: str, axes: Sequence[tuple[str, int]]) -> list[dict[str, str]]:
    """What OME-XML says of single planes, in their order along these axes.

    An empty list if it says nothing of any; raises `ValueError` if it does so of some of them only.
    """
    said: dict[tuple[str, ...], dict[str, str]] = {}
    if not _PLANE.search(text):
        return []
    for plane in _parsed(text).findall(".//{*}Plane"):
        said[tuple(plane.get(f"The{letter}", "0") for letter, _ in axes)] = {
            name: value for name, value in plane.attrib.items() if name.startswith(_OF_PLANE)
        }
    places = product(*(range(size) for _, size in axes))
    found = [said.get(tuple(map(str, place)), {}) for place in places] if any(said.values()) else []
    if not all(found):
        raise ValueError("OME-XML that speaks of some planes only")
    return found


def more_than_notes(text: str) -> bool:
    """Whether OME-XML of a whole volume says more than `ome_notes` finds, such as instruments and annotations."""
    root = _parsed(text)
    return len(root.findall("{*}Image")) > 1 or {_local(each.tag) for each in root.iter()} - _KNOWN_PARTS != set()


def _parsed(text: str) -> "Element":
    """OME-XML's outermost element; raises `ValueError` for what is no XML."""
    from xml.etree import ElementTree  # 10 ms that only such files cost

    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"damaged OME-XML: {error}") from error


def _says_more(text: str) -> bool:
    root = _parsed(text)
    sizes = [each.get(f"Size{axis}", "1") for each in root.iter() if _local(each.tag) == "Pixels" for axis in "ZT"]
    return more_than_notes(text) or set(sizes) != {"1"} or root.find(".//{*}Plane") is not None


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _imagej(text: str) -> tuple[Description | None, str]:
    pairs = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
    notes: dict[str, Any] = {name: pairs[name] for name in ("unit", "yunit") if name in pairs}
    others = [name for name in pairs if name not in _IMAGEJ_SHAPE and name not in notes]
    return Description("imagej", notes) if notes else None, f"ImageJ's {' '.join(others)}" if others else ""


def placed(description: Description, placement: tuple[Placement, Placement]) -> Description:
    """A description as it is true of pixels placed (along y, along x) elsewhere."""
    notes = dict(description.notes)
    for name, axis in (("PhysicalSizeY", placement[0]), ("PhysicalSizeX", placement[1])):
        if name in notes:
            notes[name] = notes[name] * axis.step
    return Description(description.style, notes)


def turned(description: Description) -> Description:
    """A description after x and y were exchanged."""
    notes = dict(description.notes)
    for ending in ("", "Unit"):
        names = f"PhysicalSizeX{ending}", f"PhysicalSizeY{ending}"
        values = [notes.pop(name, None) for name in names]
        notes |= {name: value for name, value in zip(names, values[::-1], strict=True) if value is not None}
    return Description(description.style, notes)


def imagej_text(notes: dict[str, Any]) -> str:
    """ImageJ's description of a single picture."""
    return "".join(f"{name}={value}\n" for name, value in {"ImageJ": "1.53", "images": 1, **notes}.items())
