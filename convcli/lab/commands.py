"""The line to copy: the command that makes what the page shows."""

import shlex
from collections.abc import Mapping
from typing import Any

from convcli.kernels.parameters import format_number


def line(
    command: str, *words: str, options: Mapping[str, Any] | None = None, usual: Mapping[str, Any] | None = None
) -> str:
    """A command line for a shell: words, then the options that are not what they usually are.

    >>> line("filter", "my cat.jpg", options={"stride": 2, "range": "auto"}, usual={"range": "auto"})
    "convcli filter 'my cat.jpg' --stride 2"
    """
    parts = ["convcli", command, *words]
    for name, value in (options or {}).items():
        if value is None or value is False or (usual and name in usual and usual[name] == value):
            continue
        parts.append(f"--{name.replace('_', '-')}")
        if value is not True:
            parts.append(format_number(value) if isinstance(value, float) else str(value))
    return shlex.join(parts)


def quoted(*words: str) -> str:
    """Words as a shell takes them."""
    return shlex.join(words)
