"""A user's first minute: commands in fresh processes with an empty cache, beside other programs and another convcli.

Seconds of the processor (user and system, of all processes that a command starts) and by the clock, of the first run
and of the second, which finds what the first has compiled.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convcli.bench.model import Setting
from convcli.bench.peers import convcli_command
from convcli.bench.pictures import photograph
from convcli.bench.programs import PROGRAMS, SPEC, peer_command, write_mask
from convcli.errors import ConvcliError
from convcli.images import Image, write

_SIDE = 512  # pixels


@dataclass(frozen=True)
class ColdCase:
    """A command: its words, with ``{folder}`` for where its files are, and the programs that do the same."""

    name: str
    words: tuple[str, ...]
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seconds:
    """Of one run: of the processor, None where the system does not say, and by the clock."""

    processor: float | None
    clock: float


@dataclass(frozen=True)
class ColdRun:
    """A side of a case: its first run and its second; a program has one."""

    side: str  # convcli, other, or a peer's key
    first: Seconds
    second: Seconds | None = None


def cases() -> list[ColdCase]:
    """All cases."""
    filters = [
        ColdCase(f"{kernel.partition(':')[0]} {kind}", _filter(kernel, f"{kind}.png"))
        for kernel in ("sharpen", "gaussian:sigma=2", "sobel")
        for kind in ("RGB", "RGBA", "uint16")
    ]
    return [
        ColdCase("3x3 RGB", _filter(SPEC, "RGB.png"), PROGRAMS),
        *filters,
        ColdCase("canny RGB", _filter("canny", "RGB.png")),
        ColdCase("pool RGB", ("pool", "{folder}/RGB.png", "--size", "2", "-o", "{folder}/out.png", "--overwrite")),
        ColdCase("pad RGB", ("pad", "{folder}/RGB.png", "--amount", "9", "-o", "{folder}/out.png", "--overwrite")),
        ColdCase(
            "morph RGB", ("morph", "open", "{folder}/RGB.png", "--size", "3", "-o", "{folder}/out.png", "--overwrite")
        ),
        ColdCase("predict", ("predict", "{folder}/digit.png")),
        ColdCase("train digits", ("train", "digits", "-o", "{folder}/digits.safetensors", "--overwrite")),
        ColdCase("gallery RGB", ("gallery", "{folder}/RGB.png", "-o", "{folder}/out.png", "--overwrite")),
    ]


def _filter(kernel: str, name: str) -> tuple[str, ...]:
    return "filter", f"{{folder}}/{name}", "-k", kernel, "-o", "{folder}/out.png", "--overwrite"


def measure_cold(
    chosen: Sequence[ColdCase],
    setting: Setting,
    other: Sequence[str] = (),
    on_case: Callable[[ColdCase], object] = lambda case: None,
) -> Iterator[tuple[ColdCase, list[ColdRun]]]:
    """Each case with the runs of its sides: ours, ``other`` (the words that start another convcli), then programs.

    Raises `ConvcliError` where a command fails.
    """
    with tempfile.TemporaryDirectory(prefix="convcli-bench-") as folder:
        _write_inputs(Path(folder))
        for case in chosen:
            on_case(case)
            words = [word.format(folder=folder) for word in case.words]
            sides = {"convcli": convcli_command()} | ({"other": list(other)} if other else {})
            runs = [_cold(side, [*command, *words]) for side, command in sides.items()]
            for key in (key for key in case.peers if key in setting.peers):
                source, target, mask = f"{folder}/RGB.png", f"{folder}/out.png", write_mask(Path(folder))
                command = peer_command(key, source, target, mask, None)
                runs.append(ColdRun(key, run_timed(command, dict(os.environ))))
            yield case, runs


def _cold(side: str, command: list[str]) -> ColdRun:
    with tempfile.TemporaryDirectory(prefix="convcli-cold-") as cache:
        foreign = ("GOMP_SPINCOUNT", "PYTHONDONTWRITEBYTECODE")
        environment = {name: value for name, value in os.environ.items() if name not in foreign}
        environment["NUMBA_CACHE_DIR"] = cache
        first = run_timed(command, environment)
        return ColdRun(side, first, run_timed(command, environment))


def run_timed(command: Sequence[str], environment: dict[str, str]) -> Seconds:
    """Run a command to its end; raises `ConvcliError` if it fails."""
    before, started = _processor_seconds(), time.perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment
        )
    except OSError as error:
        raise ConvcliError(f"{command[0]}: {error.strerror}") from None
    clock, after = time.perf_counter() - started, _processor_seconds()
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConvcliError(f"{' '.join(command[:4])}: exit code {done.returncode} ({reason[:200]})")
    return Seconds(None if before is None or after is None else after - before, clock)


def _processor_seconds() -> float | None:
    """Of all processes that this one started and that have ended."""
    if sys.platform == "win32":
        return None
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _write_inputs(folder: Path) -> None:
    picture = photograph(_SIDE, _SIDE)
    alpha = np.broadcast_to(np.linspace(0, 255, _SIDE).astype(np.uint8)[:, None], (_SIDE, _SIDE))
    digit = np.zeros((28, 28, 1), np.uint8)
    digit[4:24, 13:15] = 255
    write(Image(picture), folder / "RGB.png")
    write(Image(np.dstack([picture, alpha]), has_alpha=True), folder / "RGBA.png")
    write(Image(picture.astype(np.uint16) * 257), folder / "uint16.png")
    write(Image(digit), folder / "digit.png")
