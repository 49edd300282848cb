"""Who works: this process, others of this machine, or a cluster; and what they have to agree on to give one result."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from convcli import __version__
from convcli.engines import Engine
from convcli.engines.here import Here
from convcli.errors import ConvcliError


@dataclass(frozen=True)
class Scaling:
    """How work is cut and shared out.

    Attributes
    ----------
    workers : int
        Processes on this machine; 0 for none but this.
    cluster : str
        The address of a scheduler instead.
    block : tuple of int
        The least sides of blocks; without them they are chosen.
    resume : bool
        Whether to go on with what is there.
    part : (int, int), optional
        Which share of all blocks, counted from 1, and of how many.
    levels : str or int
        Of an image: the ``same`` coarser levels, ``none``, or how many in all.
    """

    workers: int = 0
    cluster: str = ""
    block: tuple[int, ...] = ()
    resume: bool = False
    part: tuple[int, int] | None = None
    levels: str | int = "same"

    @property
    def goes_on(self) -> bool:
        """Whether what is unfinished may be joined."""
        return self.resume or self.part is not None

    @property
    def is_plain(self) -> bool:
        """Whether all is done here and now, or not at all."""
        return not (self.workers or self.cluster or self.goes_on)

    @contextmanager
    def engine(self, tell: Callable[[str], object]) -> Iterator[Engine]:
        """Who works; ``tell`` hears where they can be watched. Raises `ConvcliError` where there is nobody."""
        if not self.workers and not self.cluster:
            yield Here()
            return
        from convcli.engines.dask import dask_engine

        with dask_engine(self.workers, self.cluster, versions, tell) as engine:
            yield engine


def versions(threads: int | None = None) -> dict[str, str]:
    """What results depend on to the bit: versions and the processor's instructions. Gets loops ready for ``threads``.

    Runs in every process that works.
    """
    from importlib import metadata

    from convcli.jobs.runtime import prepare_loops, request_threads
    from convcli.loops.compiling import compiler

    if threads is not None:
        request_threads(threads)
        prepare_loops(threads, None)
    found = {"convcli": __version__}
    for name in ("numpy", "numba", "zarr"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found | {"instructions": compiler.processor()["features"]}


def read_part(text: str) -> tuple[int, int]:
    """``3/100`` as numbers; raises `ConvcliError`."""
    words = text.split("/")
    if len(words) == 2 and all(word.isdecimal() and len(word) < 8 for word in words):
        part, parts = map(int, words)
        if 1 <= part <= parts:
            return part, parts
    raise ConvcliError(f"part: got {text!r}, expected K/N such as 3/100: the third of a hundred shares")


def read_levels(text: str) -> Any:
    """``same``, ``none``, or a number from 1; raises `ConvcliError`."""
    if text in ("same", "none"):
        return text
    if text.isdecimal() and 1 <= int(text[:3]) <= 32:
        return int(text)
    raise ConvcliError(f"levels: got {text!r}, expected same, none, or how many in all, from 1 to 32")
