"""Boxes: the shared frame of JPEG 2000, JPEG XL, AVIF and HEIC files. A length, a name of four letters, the content.

Source: ISO/IEC 14496-12, "ISO base media file format", section 4.2; ISO/IEC 15444-1, annex I.4.
"""

import struct
from collections.abc import Iterator

from convcli.budget import Allowance
from convcli.errors import ImageError

_MOST = 100_000


def boxes_in(content: bytes | memoryview, format: str) -> Iterator[tuple[bytes, memoryview]]:
    """(name, content) of every box, not copied; raises `ImageError` for one that is cut off."""
    view, position = memoryview(content), 0
    room = Allowance(_MOST, f"damaged {format}: got more than {_MOST:,} boxes; get a fresh copy", ImageError)
    while position + 8 <= len(view):
        room.spend(1)
        length, name = struct.unpack_from(">I4s", view, position)
        head = 8
        if length == 1 and position + 16 <= len(view):
            length, head = struct.unpack_from(">Q", view, position + 8)[0], 16
        end = position + length if length else len(view)
        if end > len(view) or (length and length < head):
            raise ImageError(
                f"truncated {format}: the box '{name.decode('latin-1')}' at byte {position} is cut off; "
                "get a fresh copy"
            )
        yield name, view[position + head : end]
        position = end


def box(name: bytes, *contents: bytes | memoryview) -> bytes:
    """A box of its contents."""
    return struct.pack(">I4s", 8 + sum(map(len, contents)), name) + b"".join(contents)
