"""How to install what only some commands need: the extras of the project. Standard library only."""

from pathlib import Path

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
