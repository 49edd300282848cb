"""Parts of an array of Zarr, read and written straight from and to the files of its chunks where these are plain.

Plain is a chunk that is a file here and holds its numbers in rows, one behind the other, packed as a whole or not at
all. zarr does this and much more, for which it copies each chunk several times: of 512 MB in chunks of 1 MB filtered
and written again it took 2 s of CPU, and what is here takes 0.7. All else goes through zarr: stores at addresses and
in archives, shards, filters, other orders.

Source: the Zarr specifications, versions 2 and 3 (chunk keys; the codecs bytes, blosc, gzip, zstd).
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from math import prod
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np

_NUMBERS = "biuf"  # kinds
_THREADS = 4  # that read, unpack, pack and write: some of them wait for disks
_SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")
_SCRATCH = threading.local()

Box = Sequence[range]


@dataclass(frozen=True)
class _Plain:
    """An array whose chunks are plain.

    Attributes
    ----------
    path : callable
        Where the chunk of an index along each axis lies.
    shape, chunks : tuple of int
        Of the array and of each chunk.
    dtype : numpy.dtype
        Of the numbers in the files.
    fill : Any
        What lies where there is no chunk.
    packers : tuple
        Of numcodecs, in the order in which they pack.
    typed : bool
        Whether what packs first is told what numbers it packs.
    """

    path: Callable[[tuple[int, ...]], Path]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: Any
    packers: tuple[Any, ...]
    typed: bool

    @cached_property
    def size(self) -> int:
        """Of a chunk that is not packed, in bytes."""
        return prod(self.chunks) * self.dtype.itemsize

    def parts(self, box: Box) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...], tuple[slice, ...]]]:
        """The chunks that a box meets: index, where in the chunk, and where in the box."""
        along = []
        for run, side in zip(box, self.chunks, strict=True):
            met = range(run.start // side, -(-run.stop // side))
            spans = ((max(run.start, at * side), min(run.stop, at * side + side), at) for at in met)
            along.append(
                [
                    (at, slice(first - at * side, end - at * side), slice(first - run.start, end - run.start))
                    for first, end, at in spans
                ]
            )
        for each in product(*along):
            index, inside, outside = zip(*each, strict=True)
            yield index, inside, outside

    def read(self, index: tuple[int, ...], inside: tuple[slice, ...], out: Any) -> bool:
        """Put a part of a chunk into an array; False for a file of another length, of which zarr says what is wrong."""
        try:
            if self.packers:
                return self._unpack(self.path(index).read_bytes(), inside, out)
            return self._read_numbers(self.path(index), inside, out)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            out[...] = self.fill
            return True

    def _unpack(self, content: Any, inside: tuple[slice, ...], out: Any) -> bool:
        for packer in reversed(self.packers):
            content = packer.decode(content)
        numbers = np.frombuffer(content, np.uint8)
        if len(numbers) == self.size:
            out[...] = numbers.view(self.dtype).reshape(self.chunks)[inside]
        return len(numbers) == self.size

    def _read_numbers(self, path: Path, inside: tuple[slice, ...], out: Any) -> bool:
        """Read what lies between the first and the last number wanted along the slowest axis that has several."""
        axis = next((axis for axis, each in enumerate(inside) if each.stop - each.start > 1), len(inside) - 1)
        steps = [prod(self.chunks[at + 1 :]) * self.dtype.itemsize for at in range(axis + 1)]
        count, behind = inside[axis].stop - inside[axis].start, self.chunks[axis + 1 :]
        wanted = count * steps[axis]
        is_whole = out.dtype == self.dtype and out.flags.c_contiguous and out.nbytes == wanted
        memory = out.reshape(-1).view(np.uint8) if is_whole else _scratch(wanted)
        with path.open("rb", buffering=0) as file:
            if file.seek(0, 2) != self.size:
                return False
            file.seek(sum(each.start * step for each, step in zip(inside, steps, strict=False)))
            if file.readinto(memory) != wanted:
                return False
        if not is_whole:
            numbers = memory.view(self.dtype).reshape(*(1,) * axis, count, *behind)
            out[...] = numbers[(*(slice(None),) * (axis + 1), *inside[axis + 1 :])]
        return True

    def write(self, index: tuple[int, ...], inside: tuple[slice, ...], numbers: Any) -> None:
        """Write a chunk of which all that lies in the array is given; it is there as a whole, or not at all."""
        if numbers.shape != self.chunks or numbers.dtype != self.dtype or not numbers.flags.c_contiguous:
            chunk = _scratch(self.size).view(self.dtype).reshape(self.chunks)
            if numbers.shape != self.chunks:
                chunk[...] = self.fill
            chunk[inside] = numbers
            numbers = chunk
        content = numbers if self.typed else numbers.reshape(-1).view(np.uint8)
        for packer in self.packers:
            content = packer.encode(content)
        path = self.path(index)
        part = path.with_name(f"{path.name}.{token_hex(8)}.partial")
        try:
            try:
                file = part.open("wb", buffering=0)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                file = part.open("wb", buffering=0)
            with file:
                left = memoryview(content).cast("B")
                while left:
                    left = left[file.write(left) :]
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def read_part(array: Any, box: Box, out: Any) -> None:
    """Put a box of an array of Zarr into another of its shape and type."""
    plain = _plain(array)
    if plain is None:
        _through_zarr(array, box, out)
        return

    def read(part: tuple[tuple[int, ...], tuple[slice, ...], tuple[slice, ...]]) -> None:
        index, inside, outside = part
        if not plain.read(index, inside, out[outside]):
            within = [
                range(run.start + each.start, run.start + each.stop) for run, each in zip(box, outside, strict=True)
            ]
            _through_zarr(array, within, out[outside])

    _each(read, list(plain.parts(box)))


def write_part(array: Any, box: Box, numbers: Any) -> None:
    """Write a box, which is whole chunks, to an array of Zarr."""
    plain = _plain(array)
    is_whole = plain is not None and all(
        run.start % side == 0 and (run.stop % side == 0 or run.stop == n)
        for run, side, n in zip(box, plain.chunks, plain.shape, strict=True)
    )
    if plain is None or not is_whole:
        array[tuple(slice(each.start, each.stop) for each in box)] = numbers
        return

    def write(part: tuple[tuple[int, ...], tuple[slice, ...], tuple[slice, ...]]) -> None:
        index, inside, outside = part
        plain.write(index, inside, numbers[outside])

    _each(write, list(plain.parts(box)))


def reads_in_part(array: Any) -> bool:
    """Whether a part of a chunk costs no more than its share: of chunks that are not packed."""
    plain = _plain(array)
    return plain is not None and not plain.packers


def _each(act: Callable[[Any], None], parts: list[Any]) -> None:
    if len(parts) == 1:
        act(parts[0])
    else:
        for _ in _threads().map(act, parts):
            pass


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, "chunks")


def _scratch(size: int) -> Any:
    """So many bytes that are this thread's until it asks again."""
    known = getattr(_SCRATCH, "memory", None)
    if known is None or known.size < size:
        known = _SCRATCH.memory = np.empty(size, np.uint8)
    return known[:size]


def _through_zarr(array: Any, box: Box, out: Any) -> None:
    from zarr.buffer.cpu import NDBuffer

    array.get_basic_selection(tuple(slice(each.start, each.stop) for each in box), out=NDBuffer(out))


def _plain(array: Any) -> _Plain | None:
    """How an array's chunks are plain, or None."""
    from zarr.storage import LocalStore

    if type(array.store) is not LocalStore or array.shards or array.filters or array.dtype.kind not in _NUMBERS:
        return None
    metadata, dtype = array.metadata, array.dtype
    typed = metadata.zarr_format == 2
    if typed:
        packers = list(array.compressors) if metadata.order == "C" else [None]
    else:
        said = array.serializer.to_dict()
        order = said.get("configuration", {}).get("endian", "little")
        dtype = dtype.newbyteorder("<" if order == "little" else ">")
        packers = [_packer(each.to_dict()) for each in array.compressors] if said["name"] == "bytes" else [None]
    if None in packers:
        return None
    root = array.store.root / array.path if array.path else array.store.root
    fill = 0 if array.fill_value is None else array.fill_value
    return _Plain(
        lambda index: root / metadata.encode_chunk_key(index),
        tuple(array.shape), tuple(array.chunks), dtype, fill, tuple(packers), typed,
    )  # fmt: skip


def _packer(said: dict[str, Any]) -> Any:
    """What packs as a codec of Zarr 3 says; None for others."""
    import numcodecs

    words = dict(said.get("configuration", {}))
    if said["name"] not in ("blosc", "gzip", "zstd"):
        return None
    if said["name"] == "blosc":
        words["shuffle"] = _SHUFFLES.index(words["shuffle"])
    try:
        return numcodecs.get_codec({"id": said["name"], **words})
    except TypeError:  # a version that knows less
        return None
