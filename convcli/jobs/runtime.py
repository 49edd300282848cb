"""The loops' surroundings: how many threads, the notice of a first compilation, the cache, and a report on them."""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from convcli import __version__
from convcli.errors import ConvcliError

if TYPE_CHECKING:
    from convcli.loops.compiling.waiting import Compiling
    from convcli.loops.compiling.wanted import Wanted


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
    kept = sys.modules.get("convcli.loops.compiling.kept")
    return "numba" in sys.modules or (kept is not None and kept.threads_started() > 0)


def prepare_loops(threads: int | None, tell: "Callable[[Compiling], object] | None") -> None:
    """Get ready to run loops for the command line: threads, whom to tell of compilation, and perhaps numba.

    Where loops' machine code is kept, numba is imported only if some of it is missing, and often in other processes;
    otherwise now, as pictures are being decoded.
    """
    from convcli.jobs.compiling import tell_only
    from convcli.loops.compiling import compiler, kept

    compiler.forgo_linear_algebra()
    tell_only(tell or _ignore)
    if threads is not None:
        compiler.set_threads(threads)
    if kept.stamp() is None:
        compiler.load_numba()


def _ignore(state: object) -> None:
    pass


@dataclass(frozen=True)
class CacheReport:
    """Where compiled loops are kept; ``folder`` is None where nothing can be kept."""

    folder: str | None
    reason: str
    files: int
    bytes: int


def cache_report() -> CacheReport:
    """Look at the cache of compiled loops."""
    from convcli.loops.compiling import cache

    folder, reason = cache.cache_place()
    files, size = cache.cache_size()
    return CacheReport(None if folder is None else str(folder), reason, files, size)


@dataclass(frozen=True)
class Cleared:
    """What was deleted: files and bytes of compiled loops and of downloads; the folders that are empty and gone."""

    loops: int
    loops_bytes: int
    data: int = 0
    data_bytes: int = 0
    folders: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()  # what else lies in the cache folder, and is not ours

    @property
    def files(self) -> int:
        """All files."""
        return self.loops + self.data

    @property
    def bytes(self) -> int:
        """All bytes."""
        return self.loops_bytes + self.data_bytes


def clear_cache() -> Cleared:
    """Delete the compiled loops of every version."""
    from convcli.loops.compiling import cache

    _, size = cache.cache_size()
    return Cleared(cache.clear_cache(), size)


def clear_everything() -> Cleared:
    """Delete all that convcli keeps in the user's cache: loops, also where NUMBA_CACHE_DIR has them, and downloads.

    Data that were put elsewhere (CONVCLI_DATA_DIR, ``--data-dir``) stay, and so does what others have put there.
    """
    from platformdirs import user_cache_path

    from convcli.datasets.places import cache_folder

    chosen, root = os.environ.get("NUMBA_CACHE_DIR"), user_cache_path("convcli")
    loops, folders = clear_cache(), []
    # What is kept when NUMBA_CACHE_DIR is not set, too.
    others, others_bytes, gone = _delete(root / "loops")
    data, data_bytes, gone_too = _delete(cache_folder())
    folders += [*gone, *gone_too]
    emptied = sorted(Path(chosen).glob("loops_*/**/"), reverse=True) if chosen else []
    for folder in (*emptied, root):
        with suppress(OSError):  # missing, or not empty
            folder.rmdir()
            folders.append(str(folder))
    kept = tuple(str(each) for each in sorted(root.iterdir())) if root.is_dir() else ()
    return Cleared(loops.loops + others, loops.loops_bytes + others_bytes, data, data_bytes, tuple(folders), kept)


def _delete(folder: Path) -> tuple[int, int, list[str]]:
    """Delete a folder with all in it: files and bytes that were there, and the folder if it is gone."""
    files = [each for each in folder.rglob("*") if each.is_file() and not each.is_symlink()]
    size = sum(each.stat().st_size for each in files)
    existed = folder.is_dir()
    shutil.rmtree(folder, ignore_errors=True)
    left = sum(each.is_file() for each in folder.rglob("*"))
    return len(files) - left, size, [str(folder)] if existed and not folder.exists() else []


def warm_cache(commands: Sequence[str], on_made: Callable[[str, int, int], object]) -> int:
    """Compile the loops that these commands use, or all commands, in as many processes as there are cores.

    ``on_made(what, done, total)`` is called before the first and after each. Returns how many were compiled.

    Raises `ConvcliError` for a name that is no command's, or where nothing can be kept.
    """
    from convcli.jobs.warming import pieces, wanted_by
    from convcli.loops.compiling import cache, kept, making

    work = pieces(commands)
    if kept.stamp() is None or cache.cache_place()[0] is None:
        raise ConvcliError(f"cache: {kept.why_not() or cache.cache_place()[1]}; nothing can be compiled beforehand")
    wanted = {each: what for each, what in wanted_by(work).items() if not kept.has(each.name, each.example)}
    done = 0

    def made(each: "Wanted") -> None:
        nonlocal done
        done += 1
        on_made(wanted[each], done, len(wanted))

    on_made("", 0, len(wanted))
    making.make_all(wanted, making.cores(), made)
    left = [each for each in wanted if not kept.has(each.name, each.example)]
    if left:
        raise ConvcliError(f"cache: {len(left)} of {len(wanted)} loops could not be kept, {left[0].name} among them")
    return done


@dataclass(frozen=True)
class Doctor:
    """What a bug report needs."""

    versions: dict[str, str]
    machine: dict[str, str | int | None]
    threads: dict[str, str | int]
    loops: dict[str, str]
    cache: CacheReport


_LIBRARIES = ("numpy", "numba", "llvmlite", "click", "pillow", "imagecodecs", "tifffile", "platformdirs", "rich")


def examine() -> Doctor:
    """Collect versions, processor, threads and cache place; runs one small loop to learn the threading layer."""
    import platform

    from convcli.loops.compiling import compiler

    versions = {"convcli": __version__, "python": platform.python_version()}
    versions |= {name: _version(name) for name in _LIBRARIES}
    machine = {"system": platform.platform(), **compiler.processor(), "cores": os.cpu_count()}
    threads = {
        name.replace(" ", "_"): int(value) if value.isdecimal() else value for name, value in compiler.threads().items()
    }
    return Doctor(versions, machine, threads, _loops(), cache_report())


def _loops() -> dict[str, str]:
    """Where machine code comes from in this process, and why."""
    from convcli.loops.compiling import kept, prebuilt

    prepared, why = prebuilt.why(kept.why_not())
    in_use = f"{prepared} prebuilt, others are compiled here" if prepared else "compiled here"
    cached = "by Numba alone" if kept.why_not() else f"{kept.count()} of these sources and this processor in the cache"
    return {"in_use": in_use, "why": why, "kept": cached}


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"
