"""What building a wheel adds to it: loops compiled beforehand, so that whoever installs it waits for no compiler.

`CONVCLI_PREBUILD` says which: ``common`` (without it), ``all`` or ``none``. `CONVCLI_PREBUILD_FOR` says for which
processors: without it that of this machine; else levels, as in ``x86-64-v3 x86-64-v4``, for a wheel that travels.

A build that cannot compile makes a wheel without machine code, for every machine, and says why: here, and in `convcli
doctor`. If levels were asked for it fails.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_CHOICES = ("common", "all", "none")
_NEEDED = ("numba", "numpy", "safetensors")  # of what convcli needs, what compiling does
_RUN = "import sys; from convcli.jobs.prebuilding import prebuild; prebuild(*sys.argv[1:])"


class Prebuild(BuildHookInterface[Any]):
    """Compiles loops into a folder of the wheel."""

    def dependencies(self) -> list[str]:
        """What the build needs, asked for in the same words as what is installed: other releases would not fit."""
        if _choice() == "none" or self.target_name != "wheel":
            return []
        return [each for each in self.metadata.core.dependencies if each.startswith(_NEEDED)]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the wheel include what came of it. An editable installation compiles as it goes along."""
        which, levels = _choice(), os.environ.get("CONVCLI_PREBUILD_FOR", "").split()
        if which == "none" or self.target_name != "wheel" or version == "editable":
            return
        self._made = tempfile.TemporaryDirectory()  # there until the wheel is written, or this process ends
        self._folder = Path(self._made.name)
        reason = self._compile(which, levels)
        if reason and levels:
            self._made.cleanup()
            raise SystemExit(f"convcli: loops could not be compiled: {reason}")
        if reason:
            shutil.rmtree(self._folder)
            self._folder.mkdir()
            about = {"made": [], "note": f"its build could not compile loops: {reason}"}
            (self._folder / "about.json").write_text(json.dumps(about))
            self.app.display_warning(f"convcli: loops could not be compiled, so this wheel has none: {reason}")
        else:
            build_data |= {"pure_python": False, "tag": _tag(travels=bool(levels))}
        build_data["force_include"][str(self._folder)] = "convcli/_prebuilt"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled, which is in the wheel now."""
        if hasattr(self, "_made"):
            self._made.cleanup()

    def _compile(self, which: str, levels: list[str]) -> str:
        """Compile; returns why that did not work, or nothing."""
        ours = ("NUMBA_", "CONVCLI_")  # settings would be on the stamp, and whoever installs has none
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        for level in levels or [""]:
            command = [sys.executable, "-c", _RUN, str(self._folder), which, level]
            try:
                done = subprocess.run(
                    command, cwd=self.root, env=environment, capture_output=True, text=True, errors="replace"
                )
            except OSError as error:
                return str(error)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
                return last.removeprefix("convcli.errors.ConvcliError: ")
        return ""


def _choice() -> str:
    choice = os.environ.get("CONVCLI_PREBUILD", "common")
    if choice not in _CHOICES:
        raise SystemExit(f"CONVCLI_PREBUILD: got {choice!r}, expected {', '.join(_CHOICES)}")
    return choice


def _tag(*, travels: bool) -> str:
    """For which Python and system the wheel is; if it travels, as Numba's own wheel: its loops need nothing else."""
    from packaging.tags import sys_tags

    said = (metadata.distribution("numba").read_text("WHEEL") or "") if travels else ""
    tags = [line.rpartition("-")[2] for line in said.splitlines() if line.startswith("Tag: ")]
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{python}-{python}-{'.'.join(tags) or next(iter(sys_tags())).platform}"
