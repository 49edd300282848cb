"""Which pages of a TIFF file are its pictures: neither smaller copies nor transparency masks, on any level.

Directories are walked here, because tifffile follows those that go round for ever. No pixels are touched.

Source: TIFF 6.0, Adobe, 1992, section 8 (NewSubfileType, SubfileType); Adobe PageMaker 6.0 TIFF Technical Notes, 1995,
"TIFF Trees" (SubIFDs).
"""

import mmap
import struct
from dataclasses import dataclass, replace
from typing import Any

from convcli.errors import ImageError
from convcli.images.tiff_directories import check_entry

_SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_PAGES = 254, 255, 256, 257, 262, 330
_WANTED = frozenset({_SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_PAGES})
_SMALLER_COPY, _MASK = 1, 4  # bits of a page's subfile type
_OLD_SMALLER_COPY = 2
_SHOWS_MASK = 4  # as a photometric interpretation
_CODES = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_VALUES = 64  # sub-pages of one page

Source = bytes | mmap.mmap


@dataclass(frozen=True)
class Page:
    """One page, as far as its directory tells what it is for.

    Parameters
    ----------
    offset:
        Where its directory stands, which also names it.
    is_copy, is_mask:
        Whether it is a smaller copy of another page, or says which pixels of another are seen.
    children:
        The offsets of its sub-pages.
    parent:
        The offset of the main page that this is a sub-page of.
    mask:
        The mask that speaks of this page.
    """

    offset: int
    width: int
    height: int
    is_copy: bool = False
    is_mask: bool = False
    children: tuple[int, ...] = ()
    parent: int | None = None
    mask: "Page | None" = None


def find_pages(data: Source, *, alike: bool = False) -> tuple[tuple[Page, ...], tuple[str, ...]]:
    """The pages that are pictures, at least one, and what there is to say about their choice.

    They are the main pages of full size; where every main page is a smaller copy, as cameras and scanners write them,
    the sub-pages of full size; and where nothing is called full size, the largest page of all.
    Where pages have to be ``alike``, the first main one of another size is the last that is looked for.

    Raises `ImageError` for a list of pages that goes round, is cut off or is empty.
    """
    layout = _Layout(data)
    main = layout.chain(alike=alike)
    found = _with_masks(main)
    if found:
        return found, ()
    below = [replace(layout.page(child), parent=page.offset) for page in main for child in page.children]
    found = _with_masks(below)
    if found:
        return found, ()
    largest = max((*main, *below), key=lambda page: (not page.is_mask, page.width * page.height))
    return (largest,), ("TIFF whose pages are all called smaller copies: its largest was read",)


def has_copies(data: Source) -> bool:
    """Whether any main page is a smaller copy of another."""
    return any(page.is_copy for page in _Layout(data).chain())


def _with_masks(pages: list[Page]) -> tuple[Page, ...]:
    """Those of full size; a mask speaks of the page before it, and is a picture if there is none."""
    found: list[Page] = []
    for page in pages:
        if page.is_copy:
            continue
        if not page.is_mask or not found:
            found.append(page)
        elif found[-1].mask is None:
            found[-1] = replace(found[-1], mask=page)
    return tuple(found)


def opened(file: Any, offset: int) -> Any:
    """The page of an open `tifffile.TiffFile` whose directory stands at an offset, on whatever level it lies."""
    import tifffile

    file.filehandle.seek(offset)
    return tifffile.TiffPage(file, 0)


class _Layout:
    """A file's directories, classic or BigTIFF, in either byte order."""

    def __init__(self, data: Source) -> None:
        self.data = data
        self.order = "<" if data[:2] == b"II" else ">"
        self.big = 43 in data[2:4]
        self.count_code, self.pointer_code, self.entry_size = ("Q", "Q", 20) if self.big else ("H", "I", 12)

    def chain(self, *, alike: bool = False) -> list[Page]:
        """The main pages, each linked to the next; see `find_pages`."""
        found: dict[int, Page] = {}
        sizes: set[tuple[int, int]] = set()
        offset = self._number(self.pointer_code, 8 if self.big else 4)
        while offset:
            if offset in found:
                raise ImageError("damaged TIFF: its list of pages goes round in a circle; get a fresh copy")
            page = found[offset] = self.page(offset)
            if alike and not page.is_copy and not page.is_mask:
                sizes.add((page.width, page.height))
                if len(sizes) > 1:
                    break
            offset = self._number(self.pointer_code, self._bounds(offset)[1])
        if not found:
            raise ImageError("damaged TIFF: it holds no page; get a fresh copy")
        return list(found.values())

    def page(self, offset: int) -> Page:
        """What the directory at an offset says."""
        first, end = self._bounds(offset)
        said: dict[int, tuple[int, ...]] = {}
        for position in range(first, end, self.entry_size):
            tag, kind, number = struct.unpack_from(f"{self.order}HH{self.pointer_code}", self.data, position)
            check_entry(tag, kind, number)
            if tag in _WANTED and kind in _CODES:
                said[tag] = self._values(position, _CODES[kind])
        subfile, old, width, height, shows = (
            (said.get(tag) or (0,))[0]
            for tag in (_SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _WIDTH, _HEIGHT, _PHOTOMETRIC)
        )  # fmt: skip
        return Page(
            offset,
            width,
            height,
            is_copy=bool(subfile & _SMALLER_COPY) or old == _OLD_SMALLER_COPY,
            is_mask=bool(subfile & _MASK) or shows == _SHOWS_MASK,
            children=tuple(child for child in said.get(_SUB_PAGES, ()) if child),
        )

    def _bounds(self, offset: int) -> tuple[int, int]:
        """Where a directory's entries begin and end."""
        start = offset + struct.calcsize(self.count_code)
        count = self._number(self.count_code, offset) if start <= len(self.data) else 0
        end = start + count * self.entry_size
        if end + struct.calcsize(self.pointer_code) > len(self.data):
            raise ImageError(
                f"truncated TIFF: it has {len(self.data)} bytes, expected more than {end}; get a fresh copy"
            )
        return start, end

    def _values(self, position: int, code: str) -> tuple[int, ...]:
        """The first values of the entry at a position; none of those that lie outside the file."""
        room = 8 if self.big else 4
        count = min(self._number("Q" if self.big else "I", position + 4), _MOST_VALUES)
        place = position + self.entry_size - room
        size = count * struct.calcsize("=" + code)
        if size > room:
            place = self._number(self.pointer_code, place)
        if place + size > len(self.data):
            return ()
        return struct.unpack_from(f"{self.order}{count}{code}", self.data, place)

    def _number(self, code: str, position: int) -> int:
        return int(struct.unpack_from(self.order + code, self.data, position)[0])
