"""Names of files that are being written, and what becomes of those whose process was killed.

A name tells which process writes it: ``.MACHINE-PID-START-TOKEN.convcli-part``. MACHINE stands for a host since it was
booted, and its view of processes; a container has another. START is when the process began, so that a later one with
the same number is not taken for it. What another machine writes is never touched, nor anything with another name.
"""

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
from pathlib import Path

SUFFIX = ".convcli-part"
_NAME = re.compile(rf"\.([0-9a-f]{{12}})-([0-9]{{1,10}})-([0-9]{{1,20}})-[0-9a-f]{{8}}{re.escape(SUFFIX)}", re.ASCII)


def unfinished_name() -> str:
    """A hidden name that nobody else has, of bearable length whatever the target is called."""
    process = os.getpid()
    return f".{_machine()}-{process}-{_start_of(process) or 0}-{secrets.token_hex(4)}{SUFFIX}"


def sweep(folder: Path) -> None:
    """Remove what processes of this machine that are gone left unfinished; what cannot be read or removed stays."""
    if os.name != "posix":  # elsewhere asking for a process may end it
        return
    with contextlib.suppress(OSError, ValueError), os.scandir(folder) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name) if entry.name.endswith(SUFFIX) else None
            if found and found[1] == _machine() and _is_gone(int(found[2]), int(found[3])):
                with contextlib.suppress(OSError):
                    if entry.is_file(follow_symlinks=False):
                        os.unlink(entry.path)  # noqa: PTH108 (an entry's path is text)
                    elif entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path)


def is_left_over(name: str) -> bool:
    """Whether a name of `unfinished_name` is that of a process of this machine which is gone."""
    found = _NAME.fullmatch(name) if os.name == "posix" else None
    return found is not None and found[1] == _machine() and _is_gone(int(found[2]), int(found[3]))


def _is_gone(process: int, start: int) -> bool:
    """Whether no process has this number, or one that began at another time."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # somebody else's, or no number of a process
        return False
    now = _start_of(process)
    return bool(start and now and now != start)


def _start_of(process: int) -> int | None:
    """When a process began, in ticks since the machine's boot, where the system tells."""
    try:
        # The second field is the program's name, which may hold blanks and brackets.
        return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


@functools.cache
def _machine() -> str:
    """The same for all processes that see each other's numbers, and another after the next boot."""
    known = [platform.node()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            known.append(Path(path).readlink().name if path.endswith("pid") else Path(path).read_text())
    return hashlib.sha256("\n".join(known).encode("utf-8", "surrogateescape")).hexdigest()[:12]
