"""The names of very many files: packed, so that ten million of them take little more than their letters."""

import os
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from convcli.addresses import below, folder_of, is_address
from convcli.images.folders import Found


@dataclass(frozen=True)
class _Packed:
    """The names of one folder: in one text, of which each name's end is known."""

    place: str
    deeper: str
    ends: "array[int]"
    text: bytes
    is_far: bool

    def whole(self, name: str) -> str:
        """A file's name with its folder."""
        return below(self.place, name) if self.is_far else os.path.join(self.place, name)  # noqa: PTH118

    def __getitem__(self, index: int) -> str:
        begin = self.ends[index - 1] if index else 0
        return self.whole(self.text[begin : self.ends[index]].decode("utf-8", "surrogateescape"))

    def __iter__(self) -> Iterator[str]:
        begin = 0
        for end in self.ends:
            yield self.whole(self.text[begin:end].decode("utf-8", "surrogateescape"))
            begin = end


class Names(Sequence[str]):
    """The files of a folder and of those below it, in the order in which they were found."""

    def __init__(self, base: str, found: Iterable[Found]) -> None:
        self.base, self.has_links = base, False
        self._folders: list[_Packed] = []
        self._starts = [0]
        for each in found:
            if not each.names:
                continue
            parts = [name.encode("utf-8", "surrogateescape") for name in each.names]
            ends = array("Q", accumulate(map(len, parts)))
            self._folders.append(_Packed(each.place, each.deeper, ends, b"".join(parts), is_address(each.place)))
            self._starts.append(self._starts[-1] + len(parts))
            self.has_links = self.has_links or each.has_links

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        folder, place = self._at(index)
        return folder[place]

    def __iter__(self) -> Iterator[str]:
        for folder in self._folders:
            yield from folder

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return id(self)

    def deeper(self, index: int) -> str:
        """Below the folder that was named, the folder in which a file lies."""
        return self._at(index)[0].deeper

    def by_folder(self) -> Iterator[tuple[str, Iterator[str]]]:
        """The files of each folder, and where it lies below the one that was named."""
        return ((folder.deeper, iter(folder)) for folder in self._folders)

    def folders(self) -> Iterator[tuple[str, str, range]]:
        """Each folder, where it lies below the one that was named, and which of the files are in it."""
        for folder, first, end in zip(self._folders, self._starts, self._starts[1:], strict=False):
            yield folder.place, folder.deeper, range(first, end)

    def _at(self, index: int) -> tuple[_Packed, int]:
        index = range(len(self))[index]
        number = bisect_right(self._starts, index) - 1
        return self._folders[number], index - self._starts[number]


class Deeper(Mapping[str, str]):
    """Of files that lie deeper than the folder that was named, in which folder; by their names."""

    def __init__(self, names: Names) -> None:
        self._of = {
            folder: deeper.replace("/", os.sep) if not is_address(folder) else deeper
            for folder, deeper, _ in names.folders()
            if deeper
        }
        self._names = names

    def __getitem__(self, name: str) -> str:
        return self._of[_folder(name)]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names if _folder(name) in self._of)

    def __len__(self) -> int:
        return sum(len(run) for folder, _, run in self._names.folders() if folder in self._of)


def _folder(name: str) -> str:
    return folder_of(name) if is_address(name) else os.path.dirname(name)  # noqa: PTH120
