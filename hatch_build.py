"""What building a wheel adds to it: loops compiled beforehand, so that whoever installs it waits for no compiler.

`CONVCLI_PREBUILD` says which: ``common`` (without it), ``all`` or ``none``. `CONVCLI_PREBUILD_FOR` says for which
processors: without it that of this machine; else levels, as in ``x86-64-v3 x86-64-v4``, for wheels that travel.

A build that cannot compile makes a wheel without machine code, as it is for every machine, and says why: here, and in
`convcli doctor`.
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
_NEEDED = ("numba", "numpy", "platformdirs", "safetensors")  # of what convcli needs, what compiling does
_RUN = "import sys; from convcli.jobs.prebuilding import prebuild; prebuild(*sys.argv[1:])"


class Prebuild(BuildHookInterface[Any]):
    """Compiles loops into a folder of the wheel."""

    def dependencies(self) -> list[str]:
        """What the build needs, as installing will: the same releases, or the loops are of no use."""
        if _choice() == "none" or self.target_name != "wheel":
            return []
        return [each for each in self.metadata.core.dependencies if each.startswith(_NEEDED)]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the wheel include what came of it. An editable installation compiles as it goes along."""
        which = _choice()
        if which == "none" or self.target_name != "wheel" or version == "editable":
            return
        self._folder = Path(tempfile.mkdtemp())
        levels = os.environ.get("CONVCLI_PREBUILD_FOR", "").split()
        reason = self._compile(which, levels)
        if reason:
            shutil.rmtree(self._folder)
            self._folder.mkdir()
            about = {"made": [], "note": f"its build could not compile loops: {reason}"}
            (self._folder / "about.json").write_text(json.dumps(about))
            self.app.display_warning(f"convcli: loops could not be compiled ({reason}); this wheel has none")
        else:
            build_data |= {"pure_python": False, "tag": _tag(travels=bool(levels))}
        build_data["force_include"][str(self._folder)] = "convcli/_prebuilt"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled."""
        if hasattr(self, "_folder"):
            shutil.rmtree(self._folder, ignore_errors=True)

    def _compile(self, which: str, levels: list[str]) -> str:
        """Compile; returns why that did not work, or nothing."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "CONVCLI_"))}
        for level in levels or [""]:
            command = [sys.executable, "-c", _RUN, str(self._folder), which, level]
            try:
                done = subprocess.run(
                    command, cwd=self.root, env=environment, stderr=subprocess.PIPE, text=True, errors="replace"
                )
            except OSError as error:
                return str(error)
            if done.returncode:
                return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return ""


def _choice() -> str:
    choice = os.environ.get("CONVCLI_PREBUILD", "common")
    if choice not in _CHOICES:
        raise ValueError(f"CONVCLI_PREBUILD: got {choice!r}, expected {', '.join(_CHOICES)}")
    return choice


def _tag(*, travels: bool) -> str:
    """For which Python and system the wheel is; if it travels, as Numba's own wheel: its loops need nothing else."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    said = (metadata.distribution("numba").read_text("WHEEL") or "") if travels else ""
    tags = [line.split("-")[-1] for line in said.splitlines() if line.startswith("Tag: ")]
    from packaging.tags import sys_tags

    return f"{python}-{python}-{'.'.join(tags) or next(iter(sys_tags())).platform}"
