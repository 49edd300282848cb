"""Machine code that came with the package: made when it was built, so that nobody waits for a compiler.

It is kept code like that of `kept`, in a folder of the package and only read: for the processor of the machine that
built the package, or for levels that many processors reach. What it was made from and with is its stamp, which is part
of each file's name. A file of another stamp is not found; loops are then compiled as ever.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from convcli import __version__
from convcli.loops.compiling.cache import numba_version
from convcli.loops.compiling.processor import Processor, here, level_here, processor

PLACE = Path(__file__).parents[2] / "_prebuilt"
ABOUT = "about.json"  # what was made, for people: {"made": [{"facts", "stamp", "loops"}], "note"}
_IRRELEVANT = {"NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR"}  # settings that change no code


def facts(target: Processor) -> dict[str, str]:
    """What kept code depends on, its arguments apart."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_")}
    return {
        "convcli": __version__,
        "loops": _sources(),
        "numba": numba_version(),
        "llvmlite": llvmlite.__version__,
        "numpy": np.__version__,
        "python": f"{sys.version.split()[0]}{sys.abiflags}",
        "system": llvm.get_process_triple(),
        "processor": target.name,
        "features": target.told,
        "settings": " ".join(f"{name}={settings[name]}" for name in sorted(settings.keys() - _IRRELEVANT)),
    }


@cache
def _sources() -> str:
    made = hashlib.sha256()
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        made.update(source.read_bytes())
    return made.hexdigest()[:20]


@cache
def stamp_for(target: Processor) -> str:
    """A digest of those facts."""
    return hashlib.sha256(repr(facts(target)).encode()).hexdigest()[:20]


def _targets() -> list[Processor]:
    """What code that came with the package may be made for, to be used here; the best first."""
    level = level_here()
    return [processor()] + ([level] if level and processor() == here() else [])


def stamps() -> list[str]:
    """The stamps of code that may be used here, the best first."""
    return [stamp_for(target) for target in _targets()]


def paths(name: str, types: str) -> Iterator[tuple[Path, str]]:
    """Where the code of a loop may have come with the package, and its stamp; ``types`` is a digest."""
    for stamp in stamps():
        yield PLACE / f"{name}-{stamp}-{types}.code", stamp


def how_many() -> int:
    """How many loops came with the package that may be used here."""
    return max(sum(1 for _ in PLACE.glob(f"*-{stamp}-*.code")) for stamp in stamps())


def why(off: str) -> tuple[int, str]:
    """How many loops that came with the package are in use, and why those, or why none.

    ``off`` is the reason for which no code at all is kept or used; empty if there is none.
    """
    made, note = _about()
    if off or not made:
        return 0, off or note
    for target in _targets():
        loops = sum(1 for _ in PLACE.glob(f"*-{stamp_for(target)}-*.code"))
        if loops:
            return loops, f"made for {target.name} with {_versions(facts(target))}"
    closest = min((_differences(each) for each in made), key=len)
    return 0, "the prebuilt code is " + ", ".join(closest)


def _about() -> tuple[list[dict[str, str]], str]:
    """The facts of what was prebuilt, and, if there is nothing, why."""
    try:
        said = json.loads((PLACE / ABOUT).read_text())
        return [dict(each["facts"]) for each in said["made"]], str(said["note"])
    except FileNotFoundError:
        return [], "nothing was prebuilt with this installation"
    except (OSError, ValueError, TypeError, KeyError):
        return [], f"{PLACE / ABOUT} cannot be read"


def _versions(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {found[name]}" for name in ("numba", "llvmlite", "numpy", "python"))


def _differences(made: dict[str, str]) -> list[str]:
    """In what code of these facts differs from what can be used here, in words."""
    found = []
    mine = [facts(target) for target in _targets()]
    if made.get("processor") not in [each["processor"] for each in mine]:
        found.append(f"for {made.get('processor')}, this is {' or '.join(each['processor'] for each in mine)}")
    for name in ("numba", "llvmlite", "numpy", "python", "convcli", "system"):
        if made.get(name) != mine[0][name]:
            found.append(f"of {name} {made.get(name)}, here is {mine[0][name]}")
    if made.get("loops") != mine[0]["loops"]:
        found.append("of other sources")
    if made.get("settings") != mine[0]["settings"]:
        found.append(f"of settings {made.get('settings') or '(none)'}, here are {mine[0]['settings'] or '(none)'}")
    return found or ["for other features of this processor, or damaged"]
