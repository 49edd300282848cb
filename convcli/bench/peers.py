"""The libraries and programs convcli is measured beside: which are here, which version, how to get the others."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from convcli.errors import ConvcliError
from convcli.extras import install

_EXTRA = install("bench")


@dataclass(frozen=True)
class Peer:
    """A library (``module`` of the ``distribution``) or a program (the first of ``programs`` on the PATH)."""

    title: str
    install: str
    module: str = ""
    distributions: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


PEERS = {
    "opencv": Peer("OpenCV", _EXTRA, "cv2", ("opencv-python-headless", "opencv-python", "opencv-contrib-python")),
    "scipy": Peer("SciPy", _EXTRA, "scipy", ("scipy",)),
    "skimage": Peer("scikit-image", _EXTRA, "skimage", ("scikit-image",)),
    "pillow": Peer("Pillow", "pip install pillow", "PIL", ("pillow",)),
    "torch": Peer(
        "PyTorch",
        "pip install torch --index-url https://download.pytorch.org/whl/cpu (large: not in the extra bench)",
        "torch",
        ("torch",),
    ),
    "imagemagick": Peer("ImageMagick", "apt install imagemagick", programs=("magick", "convert")),
    "graphicsmagick": Peer("GraphicsMagick", "apt install graphicsmagick", programs=("gm",)),
    "vips": Peer("vips", "apt install libvips-tools", programs=("vips",)),
}

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "VIPS_CONCURRENCY",
    "MAGICK_THREAD_LIMIT",
)  # fmt: skip


def program(key: str) -> str | None:
    """The path of a peer's program. A script of that name is passed over: its interpreter would be timed with it."""
    for name in PEERS[key].programs:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            found = shutil.which(name, path=folder)
            if folder and found is not None and not _is_script(found):
                return found
    return None


def _is_script(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return True


def version(key: str) -> str | None:
    """A peer's version, or None where it is not installed; nothing is imported."""
    peer = PEERS[key]
    if peer.programs:
        path = program(key)
        return None if path is None else _program_version(key, path)
    if find_spec(peer.module) is None:
        return None
    for distribution in peer.distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "unknown version"


def _program_version(key: str, path: str) -> str | None:
    try:
        told = subprocess.run([path, "-version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Windows has a program of its own called convert.
    words = {"imagemagick": "ImageMagick", "graphicsmagick": "GraphicsMagick", "vips": "vips"}
    found = re.search(words[key] + r"[ -](\S+)", told.stdout + told.stderr)
    return None if found is None else found.group(1)


def usable_cores() -> int:
    """Cores this process may use."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() or 1 if affinity is None else len(affinity(0))


def thread_variables(threads: int) -> dict[str, str]:
    """What tells so many threads to libraries and programs.

    OpenBLAS and OpenMP read their variables when they are loaded: before numpy is imported.
    """
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


@contextmanager
def variables(told: Mapping[str, str]) -> Iterator[None]:
    """The environment with these, for libraries that are loaded inside and programs started there."""
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def library_threads(threads: int, peers: frozenset[str]) -> Iterator[None]:
    """Give OpenCV and torch so many threads, and in the end those they had.

    To be entered after our loops are loaded: torch then shares their OpenMP, in which idle threads soon sleep. With
    OpenMP's own setting they spin, and another program on the machine made both ten times slower than needed.
    """
    undo: list[Callable[[], None]] = []
    try:
        if "opencv" in peers:
            import cv2

            had = cv2.getNumThreads()
            cv2.setNumThreads(threads)
            undo.append(lambda: cv2.setNumThreads(had))
        if "torch" in peers:
            import torch

            torch_had = torch.get_num_threads()
            torch.set_num_threads(threads)
            undo.append(lambda: torch.set_num_threads(torch_had))
        yield
    finally:
        for each in undo:
            each()


def run_program(arguments: list[str]) -> str:
    """Run a whole process and wait for it; its standard output. Raises `ConvcliError` if it fails."""
    # What our loops have set for this process is no program's own habit; and a second run finds bytecode on most
    # machines, which took 0.09 s of a filter's start where this one's Python was told to write none.
    foreign = ("GOMP_SPINCOUNT", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    done = subprocess.run(
        arguments, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConvcliError(f"{Path(arguments[0]).name}: exit code {done.returncode} ({reason[:200]})")
    return done.stdout


def convcli_command(*arguments: str) -> list[str]:
    """How this convcli is called as a process of its own."""
    return [sys.executable, "-m", "convcli", *arguments]
