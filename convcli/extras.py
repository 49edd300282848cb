"""What only some commands need, the extras of the project: imported where needed, or how to install it.

Standard library only.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

_CHECKOUT = Path(__file__).parents[1]


def install(extra: str) -> str:
    """The command that installs an extra here: by convcli's name if it is installed, else from these sources.

    Python packages cannot be fetched by the name of what runs from a folder of sources.
    """
    from importlib import metadata  # which takes as long to import as all that a small picture needs of ours

    try:
        metadata.distribution("convcli")
        return f"pip install 'convcli[{extra}]'"
    except metadata.PackageNotFoundError:
        return f"pip install '{_CHECKOUT}[{extra}]'"


def needed(library: str, extra: str, problem: str, error: type[Exception]) -> Any:
    """A library that an extra brings; without it the error is the ``problem``, and how to install the extra."""
    try:
        return import_module(library)
    except ImportError:
        raise error(f"{problem}{install(extra)}") from None
