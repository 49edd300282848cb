"""Loops compiled before the package is installed, for whoever builds it: `hatch_build.py` runs this in its own process.

For each processor a new process, since the width of tiles is decided when a loop's module is imported.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.budget import memory_limit
from convcli.errors import ConvcliError

if TYPE_CHECKING:
    from convcli.jobs.warming import Piece
    from convcli.loops.compiling.wanted import Wanted

# General, the root of two squared, separable, and boxes by each of the ways in which they are computed.
_KERNELS = ("sharpen", "sobel", "gaussian:sigma=2", "box:size=3", "box:size=5", "box:size=15")
_KINDS = ("uint8", "uint16")
_MEMORY = 400_000_000  # bytes that a process which compiles may need; 230 MB were seen


def prebuild(folder: str, which: str, level: str = "") -> int:
    """Compile loops into this folder and note there with what; returns how many there are.

    Parameters
    ----------
    folder : str
        Where the package looks for them: `convcli.loops.compiling.prebuilt`.
    which : str
        ``common``: those of the usual filters, pooling, morphology and `predict` on 8- and 16-bit pictures; ``all``.
    level : str
        One of `convcli.loops.compiling.processor.LEVELS`, else for this machine's processor.

    Raises
    ------
    ConvcliError
        If this machine, or its Numba, makes no code that can be kept, or not for such a processor; or if not all
        loops could be compiled.
    """
    from convcli.loops.compiling import kept, making, prebuilt, processor

    if level and level not in processor.levels():
        expected = " or ".join(processor.levels()) or "none"
        raise ConvcliError(f"processor: got {level!r}, expected {expected}, which this machine can make")
    if kept.why_not():
        raise ConvcliError(kept.why_not())
    if level:
        processor.make_for(level)
    place = Path(folder)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["NUMBA_CACHE_DIR"] = cache
        wanted = _wanted(which)
        processes = max(1, min(making.cores(), memory_limit() // _MEMORY))
        making.make_all(wanted, processes, on_made=lambda _: None, level=level)
        for each in wanted:
            each.make()  # it is there, or what keeps it from being there is raised
        made = sorted(Path(cache).rglob("*.code"))
        for file in made:
            (place / file.name).write_bytes(file.read_bytes())
    target = processor.processor()
    _note(place / prebuilt.ABOUT, prebuilt.facts(target), prebuilt.stamp_for(target), len(made))
    if len(made) != len(wanted):
        raise ConvcliError(f"{len(made)} of {len(wanted)} loops could be compiled")
    return len(made)


def _note(path: Path, facts: dict[str, str], stamp: str, loops: int) -> None:
    made = json.loads(path.read_text())["made"] if path.exists() else []
    made.append({"facts": facts, "stamp": stamp, "loops": loops})
    path.write_text(json.dumps({"made": made, "note": ""}, indent=1))


def _wanted(which: str) -> "list[Wanted]":
    from convcli.jobs.warming import pieces, wanted_by

    return list(wanted_by(pieces() if which == "all" else list(_common())))


def _common() -> "Iterator[Piece]":
    """The work that most people will do first."""
    from convcli.images import Image
    from convcli.jobs.filter import filter_image, plan_filter
    from convcli.jobs.morph import morph_image, plan_morph
    from convcli.jobs.pool import plan_pool, pool_image
    from convcli.jobs.warming import Piece, pieces

    work: list[tuple[Any, Any]] = [(filter_image, plan_filter([spec])) for spec in _KERNELS]
    work += [(pool_image, plan_pool(2, mode=mode)) for mode in ("max", "average")]
    work += [(morph_image, plan_morph(operation, size=3)) for operation in ("open", "gradient")]
    for kind in _KINDS:
        for channels in (1, 3, 4):
            image = Image(np.zeros((64, 64, channels), kind), has_alpha=channels == 4)
            for act, plan in work:
                yield Piece("", kind, "", partial(act, image, plan))
    yield from pieces(["predict"])
