"""The loops' surroundings: how many threads, the notice of a first compilation, the cache, and a report on them."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from convcli import __version__
from convcli.errors import ConvcliError


def request_threads(threads: int | None) -> None:
    """Ask for a number of threads before numba is loaded, so that more than the machine's cores are possible too.

    Files are encoded by as many.
    """
    from convcli.images.bands import limit_threads

    limit_threads(threads)
    if threads is not None and not _threads_started():
        set_already = os.environ.get("NUMBA_NUM_THREADS", "")
        most = max(threads, os.cpu_count() or 1, int(set_already) if set_already.isdecimal() else 1)
        os.environ["NUMBA_NUM_THREADS"] = str(most)


def _threads_started() -> bool:
    """Whether it is too late to ask for more threads: numba, or what runs kept loops, has read how many."""
    kept = sys.modules.get("convcli.loops.kept")
    return "numba" in sys.modules or (kept is not None and kept.threads_started() > 0)


def prepare_loops(threads: int | None, on_first_compile: Callable[[], None]) -> None:
    """Get ready to run loops for the command line: threads, the notice of the first compilation, and perhaps numba.

    Where loops' machine code was kept, numba is imported only if some of it is missing after all; otherwise now, as
    pictures are being decoded.
    """
    from convcli.loops import compiler, kept

    compiler.forgo_linear_algebra()
    compiler.on_first_compile(on_first_compile)
    if threads is not None:
        compiler.set_threads(threads)
    if not kept.has_any():
        compiler.load_numba()


@dataclass(frozen=True)
class CacheReport:
    """Where compiled loops are kept; ``folder`` is None where nothing can be kept."""

    folder: str | None
    reason: str
    files: int
    bytes: int


def cache_report() -> CacheReport:
    """Look at the cache of compiled loops."""
    from convcli.loops import cache

    folder, reason = cache.cache_place()
    files, size = cache.cache_size()
    return CacheReport(None if folder is None else str(folder), reason, files, size)


def clear_cache() -> int:
    """Delete the compiled loops; returns how many files that were."""
    from convcli.loops import cache

    return cache.clear_cache()


def warm_cache(on_step: Callable[[str], None]) -> int:
    """Compile the loops that the commands use; returns how many files the cache then has.

    ``on_step`` is called with a word or two before each kind of picture.
    """
    import numpy as np

    from convcli.images import Image
    from convcli.jobs.filter import filter_image, plan_filter

    for dtype in (np.uint8, np.uint16, np.float32):
        on_step(f"filters for {np.dtype(dtype).name}")
        image = Image(np.zeros((24, 24, 3), dtype))
        for spec in ("sharpen", "sobel", "gaussian:sigma=2", "box:size=15", "sobel-angle", "kirsch", "canny"):
            filter_image(image, plan_filter([spec]))
        for words in ({"linear": True}, {"channels": "gray"}):
            filter_image(image, plan_filter(["sharpen"], **words))
    return cache_report().files


@dataclass(frozen=True)
class Doctor:
    """What a bug report needs."""

    versions: dict[str, str]
    machine: dict[str, str]
    threads: dict[str, str]
    loops: dict[str, str]
    cache: CacheReport


_LIBRARIES = ("numpy", "numba", "llvmlite", "click", "pillow", "imagecodecs", "tifffile", "platformdirs", "rich")


def examine() -> Doctor:
    """Collect versions, processor, threads and cache place; runs one small loop to learn the threading layer."""
    import platform

    from convcli.loops import compiler, kept, prebuilt

    versions = {"convcli": __version__, "python": platform.python_version()}
    versions |= {name: _version(name) for name in _LIBRARIES}
    machine = {"system": platform.platform(), **compiler.processor(), "cores": str(os.cpu_count())}
    count, why = prebuilt.why(kept.why_not())
    loops = {"in use": f"{count} prebuilt, others are compiled here" if count else "compiled here", "why": why}
    return Doctor(versions, machine, compiler.threads(), loops, cache_report())


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def check_threads(threads: int | None) -> None:
    """Raise `ConvcliError` for a number of threads below 1 or absurdly high."""
    if threads is not None and not 1 <= threads <= 1024:
        raise ConvcliError(f"threads: got {threads}, expected 1 to 1024")
