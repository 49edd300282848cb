"""What is done of a work that is cut into blocks, on disk: so that another process can go on where one was killed.

A ledger is a folder: ``plan.json`` says of which plan the blocks are, and each process that writes has a bitmap of its
own, of one bit for each block. A bit is set after the block's chunks have been written, by the driver alone.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from convcli.errors import FileError
from convcli.images.model import shown
from convcli.stores.growing import busy
from convcli.stores.places import Shelf

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
    """The ledger on a shelf, of one plan, for what becomes of a ``store``.

    ``plan`` maps words to what they stand for; raises `FileError` where there is another. ``notes`` are kept
    with it from `begin` on.
    """

    def __init__(self, shelf: Shelf, plan: Mapping[str, Any], store: str) -> None:
        self._shelf, self._store = shelf, store
        wanted = {name: digest(value) for name, value in plan.items()}
        try:
            content = shelf.read(PLAN)
            known = json.loads(content) if content is not None else None
            if known is not None and not (known["plan"].keys() and known["notes"]["block"]):
                raise ValueError
        except (ValueError, LookupError, TypeError, AttributeError):
            raise FileError(f"{shown(store)}: its {PLAN} cannot be read; --overwrite starts anew") from None
        self.is_new = known is None
        if known is None:
            known = {"plan": wanted, "notes": {}}
        self.notes: dict[str, Any] = known["notes"]
        for name, value in wanted.items():
            if known["plan"].get(name) != value:
                raise FileError(
                    f"{shown(store)}: is {_WORDS.get(name, f'of another {name}')}; say what was said before, "
                    "or --overwrite to start anew"
                )
        self._known = known

    def begin(self) -> None:
        """Write the plan, once all that it speaks of is there."""
        self._shelf.write(PLAN, json.dumps(self._known).encode())

    def bits(self, name: str, count: int, part: str = "1-of-1") -> "Bits":
        """The bitmap of some blocks that this process writes; raises `FileError` if another does."""
        return Bits(self._shelf, name, count, part, busy(self._store))


def is_of(content: bytes | None, plan: Mapping[str, Any]) -> bool:
    """Whether what is left of a ledger that has ended, its plan, is of a plan."""
    try:
        known = json.loads(content or b"")["plan"]
    except (ValueError, LookupError):
        return False
    return bool(known == {name: digest(value) for name, value in plan.items()})


class Bits:
    """Which of ``count`` blocks are done, by all processes; a context in which this one may set bits."""

    def __init__(self, shelf: Shelf, name: str, count: int, part: str, said: str) -> None:
        self._shelf, self._name, self._count, self._said = shelf, name, count, said
        self._own_name = f"{name}.{part}"
        self._stack = ExitStack()
        self._own = np.zeros(-(-count // 8), np.uint8)
        self._is_new = False  # whether bits were set that may not be written yet

    def __enter__(self) -> "Bits":
        self._stack.enter_context(self._shelf.hold(self._own_name, self._said))
        own = np.frombuffer(self._shelf.read(self._own_name) or b"", np.uint8)[: len(self._own)]
        self._own[: len(own)] = own
        self._shelf.begin(self._own_name, self._own.tobytes())
        return self

    def __exit__(self, *reason: object) -> None:
        with self._stack:
            self._write_all()

    def _write_all(self) -> None:
        if self._is_new:  # else another part may have ended, and the ledger with it
            self._shelf.change(self._own_name, self._own.tobytes(), 0, last=True)
        self._is_new = False

    def add(self, block: int) -> None:
        """Note that a block's chunks are written."""
        byte = block // 8
        self._own[byte] |= np.uint8(1 << block % 8)
        self._is_new = True
        self._shelf.change(self._own_name, self._own.data, byte)

    def done(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """(count,): which blocks are done.

        What this process has done is written before: of two that end together one at least sees all.
        """
        self._write_all()
        all_ = self._own.copy()
        for name in self._shelf.names(f"{self._name}."):
            other = np.frombuffer(self._shelf.read(name) or b"", np.uint8)[: len(all_)]
            all_[: len(other)] |= other
        return np.unpackbits(all_, count=self._count, bitorder="little").astype(np.bool_)
