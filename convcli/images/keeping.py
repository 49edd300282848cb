"""What metadata is, and what happens to each kind of it: the one place that decides.

Twice: `incoming` when a picture has been read, which takes out what speaks of other pictures or is damaged, and
`outgoing` before it is written, which makes the rest true of the pixels that are written and drops what the format has
no place for. What goes at either place has a name, and `outgoing` returns these names.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from convcli.geometry import Placement
from convcli.images import exif, exif_tiff, icc, jxl, photoshop, png_colour, resolution, tga, tiff_description, xmp
from convcli.images.geotiff import TAGS as GEOTIFF
from convcli.images.geotiff import placed as placed_geotiff
from convcli.images.model import Image, Metadata, Own, Pixels
from convcli.images.orientation import TURNED

# What the formats have a place for, by the fields of `Metadata`, and what messages call it.
_BOXED = ("JP2", "JXL", "AVIF", "HEIC")
_PLACES = {
    "icc": ("colour profile", ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "JP2", "AVIF", "HEIC")),
    "exif": ("EXIF", ("PNG", "JPEG", "TIFF", "WEBP", *_BOXED)),
    "xmp": ("XMP", ("PNG", "JPEG", "TIFF", "WEBP", "GIF", *_BOXED)),
    "dpi": ("resolution", ("PNG", "JPEG", "TIFF", "WEBP", "BMP", *_BOXED)),
    "aspect": ("pixel aspect ratio", ("PNG", "JPEG", "TIFF", "GIF", "TGA")),
    "texts": ("", ("PNG", "JPEG", "TIFF", "GIF", "PPM", "PGM", "TGA")),
    "photoshop": ("", ("PNG", "JPEG", "TIFF")),
    "description": ("pixel size", ("TIFF",)),
    "png_colour": ("", ("PNG", "AVIF", "JXL")),
    "own": ("", ()),
}
_LONGEST_DENSITY = 65535  # of a JPEG


def incoming(metadata: Metadata, pixels: Pixels, orientation: int) -> Metadata:
    """The metadata of a picture that was read and turned upright, without what no output can hold truthfully.

    ``pixels`` are upright, ``orientation`` is what the file said.
    """
    lost = list(metadata.lost)
    fields: dict[str, Any] = {"kind": (*pixels.shape, pixels.dtype.name)}
    turned = orientation in TURNED
    if turned:
        fields |= {name: pair and pair[::-1] for name in ("dpi", "aspect") if (pair := getattr(metadata, name))}
    if metadata.icc is not None:
        fields["icc"] = icc.whole(metadata.icc)
        lost += [] if fields["icc"] else ["damaged colour profile"]
    fields |= _texts_incoming(metadata, orientation, lost)
    if metadata.photoshop is not None:
        fields["photoshop"], names = photoshop.cleaned(metadata.photoshop, turned=turned)
        lost += names
    if orientation != 1 and any(_is_place(each) for each in metadata.own):
        fields["own"] = tuple(each for each in metadata.own if not _is_place(each))
        lost.append("GeoTIFF tags")
    return replace(metadata, **fields, lost=tuple(dict.fromkeys(lost)))


def _texts_incoming(metadata: Metadata, orientation: int, lost: list[str]) -> dict[str, Any]:
    """EXIF, the description in it, and XMP with its extension."""
    fields: dict[str, Any] = {}
    if metadata.exif is not None:
        block, names = exif.cleaned(metadata.exif, orientation)
        lost += names
        description, name = tiff_description.read(exif.description(block)) if block else (None, None)
        if block and name is not None:
            block = exif.without_description(block)
            fields["description"] = description and (
                tiff_description.turned(description) if orientation in TURNED else description
            )
            lost += [name] if name else []
        fields["exif"] = block
    if metadata.xmp is not None:
        extended = any(each.name == "extended XMP" for each in metadata.own)
        fields["xmp"], names = xmp.cleaned(metadata.xmp, turned=orientation in range(2, 9), extended=extended)
        lost += names
    return fields


def outgoing(image: Image, format: str) -> tuple[Metadata, tuple[str, ...]]:
    """The metadata as they are true of the pixels that are written, and names of what is not kept.

    A profile for other pixels is not named: see `strange_profile`.
    """
    metadata, placement = image.metadata, image.placement
    height, width, channels = image.pixels.shape
    kind = (height, width, channels, image.pixels.dtype.name)
    moved = placement != (Placement(), Placement()) or (metadata.kind is not None and metadata.kind[:2] != kind[:2])
    lost = list(metadata.lost)
    fields: dict[str, Any] = {name: resolution.placed(getattr(metadata, name), placement) for name in ("dpi", "aspect")}
    if metadata.exif:
        fields["exif"], names = exif.placed(metadata.exif, width, height, placement, moved=moved)
        lost += names
    if metadata.xmp:
        fields["xmp"], names = xmp.placed(metadata.xmp, width, height, placement, moved=moved)
        lost += names
        if format != "JPEG" and any(each.name == "extended XMP" for each in metadata.own):
            fields["xmp"] = xmp.cleaned(fields["xmp"], turned=False, extended=False)[0]
    if metadata.photoshop:
        fields["photoshop"] = photoshop.placed(metadata.photoshop, placement)
    if metadata.description:
        fields["description"] = tiff_description.placed(metadata.description, placement)
    if strange_profile(image):
        fields["icc"] = None
    fields["own"], others = _own_outgoing(metadata, format, kind, placement, moved=moved)
    kept, homeless = _with_places(replace(metadata, **fields), format)
    return kept, tuple(dict.fromkeys((*lost, *others, *homeless)))


def strange_profile(image: Image) -> str | None:
    """What a picture's colour profile speaks of (grey, RGB, CMYK ...) if that is not what its pixels are."""
    profile = image.metadata.icc
    return None if profile is None or icc.fits(profile, image.pixels.shape[2]) else icc.space(profile)


def _with_places(metadata: Metadata, format: str) -> tuple[Metadata, list[str]]:
    """The metadata that a format has a place for, and names of the rest."""
    fields: dict[str, Any] = {}
    lost = []
    for field, (name, formats) in _PLACES.items():
        value = getattr(metadata, field)
        if not value or format in formats or field == "own":
            continue
        fields[field] = () if field in ("texts", "png_colour") else None
        if field == "png_colour":
            lost += png_colour.names_of_what_matters(value)
        elif field == "photoshop":
            lost += ["IPTC"] if photoshop.iptc_of(value) else []
        elif field == "texts":
            lost.append(_texts_name(metadata))
        elif field == "exif" and metadata.format == "TIFF" and not exif_tiff.has_directories(value):
            lost.append("TIFF's text tags")
        elif field != "aspect" or not resolution.is_square(value):
            lost.append(name)
    if format == "TIFF" and metadata.texts and not _description_is_free(metadata):
        fields["texts"] = ()
        lost.append(_texts_name(metadata))
    if format == "TGA":
        fields["texts"] = tga.fitting(metadata.texts)
        lost += (
            [_texts_name(replace(metadata, texts=rest))] if (rest := _without(metadata.texts, fields["texts"])) else []
        )
    if format in ("AVIF", "JXL"):
        fields["png_colour"] = tuple(each for each in metadata.png_colour if _is_code(each, format, metadata.kind))
        lost += png_colour.names_of_what_matters(_without(metadata.png_colour, fields["png_colour"]))
    if format == "JPEG" and metadata.dpi and not 0.5 < min(metadata.dpi) <= max(metadata.dpi) < _LONGEST_DENSITY:
        lost.append("resolution")
    return replace(metadata, **fields), lost


def _without(all_of: Sequence[tuple[Any, Any]], kept: Sequence[tuple[Any, Any]]) -> tuple[tuple[Any, Any], ...]:
    return tuple(each for each in all_of if each not in kept)


def _is_code(chunk: tuple[bytes, bytes], format: str, kind: tuple[int, int, int, str] | None) -> bool:
    """Whether a PNG's chunk is a code for colours that the format can tell: of deep JPEG XL that light is linear."""
    name, content = chunk
    return name == b"cICP" and (format == "AVIF" or (content == jxl.LINEAR and kind is not None and kind[3] != "uint8"))


def _texts_name(metadata: Metadata) -> str:
    return f"texts ({', '.join(dict.fromkeys(keyword for keyword, _ in metadata.texts))})"


def _description_is_free(metadata: Metadata) -> bool:
    """Whether texts may become a TIFF's description: there is none, and none of them would be taken for a program's."""
    taken = metadata.description is not None or bool(metadata.exif and exif.description(metadata.exif))
    return not taken and all(tiff_description.read(text)[1] is None for _, text in metadata.texts)


def _own_outgoing(
    metadata: Metadata,
    format: str,
    kind: tuple[int, int, int, str],
    placement: tuple[Placement, Placement],
    *,
    moved: bool,
) -> tuple[tuple[Own, ...], list[str]]:
    """What only the input's format holds, as far as the output is of that format and the pixels are of that kind."""
    same = [each for each in metadata.own if each.format == format]
    lost = ["GeoTIFF tags" if _is_place(each) else each.name for each in metadata.own if each.format != format]
    if moved:
        same, names = placed_geotiff(same, placement)
        lost += names
    before = metadata.kind or kind
    kept = []
    for each in same:
        fits = each.format != "PNG" or png_colour.fits(each, before[2:], kind[2:])
        if each.name in ("WhitePoint", "PrimaryChromaticities"):
            fits = before[2] >= 3 and kind[2] >= 3
        kept += [each] if fits else []
        lost += [] if fits else [each.name]
    return tuple(kept), [each for each in lost if each]  # what only says how a file was stored has no name


def _is_place(own: Own) -> bool:
    return own.format == "TIFF" and own.code in GEOTIFF
