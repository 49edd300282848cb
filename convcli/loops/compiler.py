"""How loops are compiled and where the machine code is kept: one decorator, the cache place, the number of threads.

The cache is never allowed to be fatal: without a writable place loops are compiled for this process alone.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import llvmlite.binding as llvm
import numba
from numba.core import event

from convcli import __version__

# How long a thread of GNU's OpenMP spins before it sleeps, unless the user has said so. Its own answer, milliseconds,
# lets idle threads eat the time of the busy ones as soon as another program wants a core: with two such programs on two
# cores a training step took 177 ms, with this 37 ms; alone 10.3 and 10.4 ms. Read when the first loop runs.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# What LLVM may do to our arithmetic. `contract` fuses a*b+c (measured: 1.6x on the filter loops); `nsz` lets it ignore
# the sign of zero. `nnan`, `ninf` and `reassoc` stay off: NaN tests keep working and the bits do not depend on how a
# row was cut into vectors.
_ARITHMETIC = {"contract", "nsz"}


def cache_place() -> tuple[Path | None, str]:
    """The folder for compiled loops and why it is that one; None where no folder can be written.

    `NUMBA_CACHE_DIR` wins; otherwise the user's cache folder, by convcli's, numba's and Python's version, since Numba
    does not notice when a function in another file has changed.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        place, reason = Path(chosen), "NUMBA_CACHE_DIR"
    else:
        from platformdirs import user_cache_path

        python = f"py{sys.version_info.major}{sys.version_info.minor}"
        place = user_cache_path("convcli") / "loops" / f"{__version__}-numba{numba.__version__}-{python}"
        reason = "the user's cache folder"
    if _writable(place):
        return place, reason
    return None, f"{place} cannot be written: loops are compiled anew by each process (set NUMBA_CACHE_DIR)"


def _writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def clear_cache() -> int:
    """Delete the compiled loops of every convcli version; returns the number of files deleted."""
    place, _ = cache_place()
    if place is None:
        return 0
    root = place if os.environ.get("NUMBA_CACHE_DIR") else place.parent
    mine = [file for file in root.rglob("*.nb[ic]") if _is_ours(file, root)]
    for file in mine:
        file.unlink(missing_ok=True)
    if root == place.parent:
        shutil.rmtree(root, ignore_errors=True)
    return len(mine)


def cache_size() -> tuple[int, int]:
    """The number of compiled files of every convcli version, and their bytes."""
    place, _ = cache_place()
    if place is None:
        return 0, 0
    root = place if os.environ.get("NUMBA_CACHE_DIR") else place.parent
    sizes = [file.stat().st_size for file in root.rglob("*.nb[ic]") if _is_ours(file, root)]
    return len(sizes), sum(sizes)


def _is_ours(file: Path, root: Path) -> bool:
    # NUMBA_CACHE_DIR may be shared with other programs; Numba names its sub-folders after the source's folder.
    return root.name != "" and (not os.environ.get("NUMBA_CACHE_DIR") or file.parent.name.startswith("loops_"))


_PLACE, _ = cache_place()
if _PLACE is not None:
    numba.config.CACHE_DIR = str(_PLACE)


def loop(function=None, *, parallel=True):
    """Compile a function on its first call for each set of argument types, and keep the machine code.

    Parallel over its `prange`; `parallel=False` for helpers and for loops that own no index. Signatures are lazy: an
    eager one compiles at import and refuses read-only arrays.
    """
    if function is None:
        return lambda inner: loop(inner, parallel=parallel)
    return numba.njit(function, parallel=parallel, cache=_PLACE is not None, fastmath=_ARITHMETIC, nogil=True)


def set_threads(threads: int) -> None:
    """Use this many threads in loops from now on; results do not depend on it, to the bit."""
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))


def forgo_linear_algebra() -> None:
    """Spare the process the import of scipy.linalg (0.1 s), which numba does only to learn whether it has a BLAS.

    Our loops need none; others' might, so this is for processes that are ours: the command line's.
    """
    if "scipy.linalg" in sys.modules:
        return
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
    try:
        import numba.np.arraymath  # noqa: F401
    except ImportError:
        pass
    finally:
        del sys.modules["scipy.linalg"]


def threads() -> dict[str, str]:
    """How loops are spread over threads: how many they use, how many they could, and what runs them."""

    @numba.njit(parallel=True)
    def nothing(n):
        total = 0
        for i in numba.prange(n):
            total += i
        return total

    nothing(4)
    return {
        "loops use": str(numba.get_num_threads()),
        "at most": str(numba.config.NUMBA_NUM_THREADS),
        "layer": numba.threading_layer(),
    }


def processor() -> dict[str, str]:
    """The processor as LLVM sees it, and which of the instructions that matter to loops it has."""
    features = llvm.get_host_cpu_features()
    present = [name for name in ("sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve") if features.get(name)]
    return {"processor": llvm.get_host_cpu_name(), "features": " ".join(present) or "none known"}


class CompileNotice(event.Listener):
    """Calls back once, when the first loop is really compiled (not when it comes from the cache)."""

    def __init__(self, notify):
        self._notify = notify

    def on_start(self, event):
        """Numba begins to compile something."""
        if self._notify is not None:
            notify, self._notify = self._notify, None
            notify()

    def on_end(self, event):
        """Numba has compiled something."""


_NOTICES: list[CompileNotice] = []


def on_first_compile(notify) -> None:
    """Have ``notify()`` called when a loop is compiled, once; what is asked for later in the process is ignored."""
    if not _NOTICES:
        _NOTICES.append(CompileNotice(notify))
        event.register("numba:compile", _NOTICES[0])
