"""What is done of a work that is cut into blocks, on disk: so that another process can go on where one was killed.

A ledger is a folder: ``plan.json`` says of which plan the blocks are, and each process that writes has a bitmap of its
own, of one bit for each block. A bit is set after the block's chunks have been written, by the driver alone.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convcli.errors import FileError
from convcli.images.model import shown
from convcli.stores.growing import alone, busy

PLAN = "plan.json"
_WORDS = {
    "operation": "of another operation",
    "source": "of another source, or of one that has changed",
    "versions": "of other versions or another processor, which may give other bits",
    "target": "of another shape, type or packing",
    "grid": "of other blocks",
}


def digest(value: Any) -> str:
    """A short name of a value that is the same in every process: of what it holds, not where."""
    return hashlib.blake2b(_text(value).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype.str}{value.shape}{hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    if is_dataclass(value) and not isinstance(value, type):
        # A kernel's weights are all of it: other processes have no entry of the library for it.
        words = (f"{each.name}={_text(getattr(value, each.name))}" for each in fields(value) if each.name != "entry")
        return f"{type(value).__name__}({','.join(words)})"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_text(key)}:{_text(value[key])}" for key in sorted(value, key=str)) + "}"
    if isinstance(value, tuple | list):
        return "[" + ",".join(map(_text, value)) + "]"
    return getattr(value, "__qualname__", None) or repr(value)


class Ledger:
    """The ledger in a folder, of one plan.

    ``plan`` maps words to what they stand for; raises `FileError` where the folder has another. ``notes`` are kept
    with it from `begin` on.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        self.folder = folder
        wanted = {name: digest(value) for name, value in plan.items()}
        path = folder / PLAN
        try:
            known = json.loads(path.read_text()) if path.exists() else None
        except ValueError:
            raise FileError(f"{shown(folder)}: its {PLAN} cannot be read; --overwrite starts anew") from None
        self.is_new = known is None
        if known is None:
            known = {"plan": wanted, "notes": {}}
        self.notes: dict[str, Any] = known["notes"]
        for name, value in wanted.items():
            if known["plan"].get(name) != value:
                raise FileError(
                    f"{shown(folder.parent)}: is {_WORDS.get(name, f'of another {name}')}; say what was said before, "
                    "or --overwrite to start anew"
                )
        self._known = known

    def begin(self) -> None:
        """Write the plan, once all that it speaks of is there."""
        part = self.folder / f"{PLAN}.{os.getpid()}"
        part.write_text(json.dumps(self._known))
        part.replace(self.folder / PLAN)

    def bits(self, name: str, count: int, part: str = "1-of-1") -> "Bits":
        """The bitmap of some blocks that this process writes; raises `FileError` if another does."""
        return Bits(self.folder, name, count, part)


def is_of(folder: Path, plan: Mapping[str, Any]) -> bool:
    """Whether a ledger, or what is left of one that has ended, is of a plan."""
    try:
        known = json.loads((folder / PLAN).read_text())["plan"]
    except (OSError, ValueError, LookupError):
        return False
    return bool(known == {name: digest(value) for name, value in plan.items()})


class Bits:
    """Which of ``count`` blocks are done, by all processes; a context in which this one may set bits."""

    def __init__(self, folder: Path, name: str, count: int, part: str) -> None:
        self._folder, self._name, self._count = folder, name, count
        self._path = folder / f"{name}.{part}"
        self._stack, self._handle = ExitStack(), -1
        self._own = np.zeros(-(-count // 8), np.uint8)

    def __enter__(self) -> "Bits":
        self._handle = self._stack.enter_context(alone(self._path, busy(self._folder.parent)))
        own = np.frombuffer(os.pread(self._handle, len(self._own), 0), np.uint8)
        self._own[: len(own)] = own
        if len(own) < len(self._own):
            os.pwrite(self._handle, self._own.tobytes(), 0)
            with suppress(AttributeError, OSError):  # a full disk must not stop what is noted later
                os.posix_fallocate(self._handle, 0, len(self._own))
        return self

    def __exit__(self, *reason: object) -> None:
        self._stack.close()

    def add(self, block: int) -> None:
        """Note that a block's chunks are written."""
        byte = block // 8
        self._own[byte] |= np.uint8(1 << block % 8)
        os.pwrite(self._handle, self._own[byte : byte + 1].tobytes(), byte)

    def done(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """(count,): which blocks are done."""
        all_ = self._own.copy()
        for path in self._folder.glob(f"{self._name}.*"):
            other = np.frombuffer(path.read_bytes(), np.uint8)[: len(all_)]
            all_[: len(other)] |= other
        return np.unpackbits(all_, count=self._count, bitorder="little").astype(np.bool_)
