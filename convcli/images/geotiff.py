"""The tags by which a GeoTIFF says where on earth its pixels lie, after pixels have been placed elsewhere.

Source: Open Geospatial Consortium, "OGC GeoTIFF Standard 1.1", 2019, section 7 and annex C.
"""

import struct
from collections.abc import Sequence

from convcli.geometry import Placement
from convcli.images.model import Own

PIXEL_SCALE, TIEPOINTS, TRANSFORMATION, _KEYS = 33550, 33922, 34264, 34735
_DOUBLE_PARAMETERS, _TEXT_PARAMETERS = 34736, 34737
_MATRIX, _RATIONAL_COEFFICIENTS = 33920, 50844
TAGS = frozenset(
    {
        PIXEL_SCALE,
        TIEPOINTS,
        TRANSFORMATION,
        _KEYS,
        _DOUBLE_PARAMETERS,
        _TEXT_PARAMETERS,
        _MATRIX,
        _RATIONAL_COEFFICIENTS,
    }
)
_RASTER_TYPE, _IS_POINT = 1025, 2


def placed(tags: Sequence[Own], placement: tuple[Placement, Placement]) -> tuple[list[Own], list[str]]:
    """A file's tags, GeoTIFF's as they are true of pixels placed (along y, along x) elsewhere, others as they are.

    And names of what cannot be made true.
    """
    down, across = placement
    if _is_point(tags):  # coordinates count from the middle of the first pixel instead of its corner
        down, across = (Placement(each.step, each.start + (each.step - 1) / 2) for each in placement)
    kept, lost = [], []
    for tag in tags:
        values = _doubles(tag) if tag.code in (PIXEL_SCALE, TIEPOINTS, TRANSFORMATION) else []
        if tag.code in (_MATRIX, _RATIONAL_COEFFICIENTS) or (values and not _is_whole(tag.code, values)):
            lost.append("GeoTIFF tags")
            continue
        if tag.code == PIXEL_SCALE:
            values[0] *= across.step
            values[1] *= down.step
        elif tag.code == TIEPOINTS:
            for start in range(0, len(values), 6):
                values[start] = (values[start] - across.start) / across.step
                values[start + 1] = (values[start + 1] - down.start) / down.step
        elif tag.code == TRANSFORMATION:
            for row in range(0, 12, 4):
                values[row + 3] += values[row] * across.start + values[row + 1] * down.start
                values[row] *= across.step
                values[row + 1] *= down.step
        content = struct.pack(f"<{len(values)}d", *values) if values else tag.content
        kept.append(Own(tag.format, tag.name, tag.code, content, tag.type))
    return kept, lost


def _doubles(tag: Own) -> list[float]:
    return list(struct.unpack(f"<{len(tag.content) // 8}d", tag.content[: len(tag.content) // 8 * 8]))


def _is_whole(code: int, values: Sequence[float]) -> bool:
    return {PIXEL_SCALE: len(values) == 3, TIEPOINTS: len(values) % 6 == 0, TRANSFORMATION: len(values) == 16}[code]


def _is_point(tags: Sequence[Own]) -> bool:
    keys = next((each.content for each in tags if each.code == _KEYS), b"")
    numbers = struct.unpack(f"<{len(keys) // 2}H", keys[: len(keys) // 2 * 2])
    return any(
        numbers[at] == _RASTER_TYPE and numbers[at + 1] == 0 and numbers[at + 3] == _IS_POINT
        for at in range(4, len(numbers) - 3, 4)
    )
