"""Whole short commands, each a process of its own, beside other programs; and what the imports of ours cost."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from convcli.bench.model import Array, Case, Contest, Setting, Side, Tolerance
from convcli.bench.peers import convcli_command, program, run_program
from convcli.bench.pictures import photograph
from convcli.errors import ConvcliError

SPEC = "1/16 2/16 1/16; 2/16 4/16 2/16; 1/16 2/16 1/16"
_TAPS = (1, 2, 1, 2, 4, 2, 1, 2, 1)
PROGRAMS = ("vips", "graphicsmagick", "imagemagick")
# Fixed point in vips and Q16 in the two Magicks round now and then to the neighbouring value.
_TOLERANCE = Tolerance(2)


def head(setting: Setting) -> str:
    """What is measured and how."""
    return (
        "whole processes, second and later runs (loops compiled, bytecode written, files in memory), output unread. "
        "The filter: 3x3 weights 1 2 1, 2 4 2, 1 2 1, repeated edge, 512x512 RGB PNG to PNG"
    )


def cases(setting: Setting) -> list[Case]:
    """The group start."""
    shape = ("shape", "--input", "7x7x3", "--filters", "4")
    return [
        Case("start", "alone", "--help", (), partial(_alone, ("--help",), "Usage: convcli")),
        Case("start", "alone", "shape", (), partial(_alone, shape, "5x5x4")),
        Case("start", "filter", "PNG 512x512", PROGRAMS, partial(_filter, setting)),
    ]


def _alone(arguments: Sequence[str], first_line: str) -> Contest:
    command = convcli_command(*arguments)

    def check() -> None:
        if not run_program(command).startswith(first_line):
            raise ConvcliError(f"{' '.join(arguments)}: got other output, expected it to begin with {first_line}")

    return Contest(Side("convcli", lambda: run_program(command), check=lambda: 0), (), Tolerance(0), alone=check)


def _filter(setting: Setting) -> Contest:
    folder = tempfile.TemporaryDirectory(prefix="convcli-bench-")
    source = Path(folder.name, "picture.png")
    Image.fromarray(photograph(512, 512)).save(source)
    return picture_contest(setting, folder, source, _TOLERANCE, threads=setting.threads)


def picture_contest(
    setting: Setting, folder: "tempfile.TemporaryDirectory[str]", source: Path, tolerance: Tolerance, *, threads: int,
    quality: int | None = None,
) -> Contest:  # fmt: skip
    """One file through the 3x3 filter, each side a whole process that writes a file of its own."""
    mask = write_mask(Path(folder.name))
    targets = {key: source.with_name(f"{key}{source.suffix}") for key in ("convcli", *PROGRAMS)}
    commands = {"convcli": filter_command(source, targets["convcli"], threads)}
    for key in PROGRAMS:
        if key in setting.peers:
            commands[key] = peer_command(key, str(source), str(targets[key]), mask, quality)
    sides = {key: _side(key, command, targets[key]) for key, command in commands.items()}
    ours = sides.pop("convcli")

    def note() -> str:
        sizes = (f"{key} {targets[key].stat().st_size / 1e6:.2f}" for key in commands if targets[key].exists())
        return f"MB written: {', '.join(sizes)}"

    return Contest(ours, tuple(sides.values()), tolerance, note=note, close=folder.cleanup)


def _side(key: str, command: list[str], target: Path) -> Side:
    return writing_side(key, lambda: run_program(command), key if key != "convcli" else "", target)


def writing_side(name: str, run: Callable[[], object], peer: str, target: Path) -> Side:
    """A side that writes a picture file, in which its result is."""

    def check() -> Array:
        run()
        return read_picture(target)

    return Side(name, run, peer, check)


def filter_command(source: Path, target: Path, threads: int) -> list[str]:
    """Ours, for a file or a folder of them."""
    options = ("--border", "edge", "--overwrite", "--quiet", "--threads", str(threads))
    return convcli_command("filter", str(source), "-k", SPEC, "-o", str(target), *options)


def peer_command(key: str, source: str, target: str, mask: Path, quality: int | None) -> list[str]:
    """Theirs, at the quality of the source; the names may be a shell's variables."""
    path = program(key)
    assert path is not None  # it would not be among the setting's peers
    if key == "vips":
        suffix = "" if quality is None else f"[Q={quality}]"
        return [path, "conv", source, f"{target}{suffix}", str(mask), "--precision", "integer"]
    jpeg = [] if quality is None else ["-quality", str(quality), "-sampling-factor", "2x2"]
    if key == "graphicsmagick":
        return [path, "convert", source, "-convolve", ",".join(map(str, _TAPS)), *jpeg, target]
    taps = "3x3:" + ",".join(str(each / 16) for each in _TAPS)
    return [path, source, "-morphology", "Convolve", taps, *jpeg, target]


def write_mask(folder: Path) -> Path:
    """The kernel as a file for vips."""
    mask = folder / "taps.mat"
    rows = "\n".join(" ".join(map(str, _TAPS[start : start + 3])) for start in (0, 3, 6))
    mask.write_text(f"3 3 16 0\n{rows}\n")
    return mask


def read_picture(path: Path) -> Array:
    """(H, W, 3) uint8."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@dataclass(frozen=True)
class ImportCost:
    """What a package cost when a command imported it: all of its modules, without those of other packages."""

    package: str
    seconds: float


def import_costs() -> dict[str, tuple[ImportCost, ...]]:
    """The packages that the three commands import, the slowest first, from ``python -X importtime``.

    Importing under that flag takes longer than without; the order is what counts.
    """
    with tempfile.TemporaryDirectory(prefix="convcli-bench-") as name:
        source = Path(name, "picture.png")
        Image.fromarray(photograph(64, 64)).save(source)
        commands = {
            "--help": convcli_command("--help"),
            "shape": convcli_command("shape", "--input", "7x7x3", "--filters", "4"),
            "filter": filter_command(source, Path(name, "out.png"), 1),
        }
        return {word: _imports_of(command) for word, command in commands.items()}


def _imports_of(command: list[str]) -> tuple[ImportCost, ...]:
    timed = [command[0], "-X", "importtime", *command[1:]]
    done = subprocess.run(timed, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return parse_import_times(done.stderr)


def parse_import_times(text: str) -> tuple[ImportCost, ...]:
    """Add up the lines ``import time: self | cumulative | module`` by package; the standard library is one of them.

    >>> parse_import_times("import time:  10 |  10 |   a.b\\nimport time:  30 |  40 | a\\nimport time: 7 | 7 | os")
    (ImportCost(package='a', seconds=4e-05), ImportCost(package='standard library', seconds=7e-06))
    """
    sums: dict[str, int] = {}
    for own, module in re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)", text, re.M):
        package = module.split(".")[0]
        if package in sys.stdlib_module_names or package in ("__main__", "site", "sitecustomize"):
            package = "standard library"
        sums[package] = sums.get(package, 0) + int(own)
    ordered = sorted(sums.items(), key=lambda pair: -pair[1])
    return tuple(ImportCost(package, microseconds / 1e6) for package, microseconds in ordered)
