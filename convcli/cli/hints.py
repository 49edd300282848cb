"""What may have been meant by words that are wrong usage; looked for only once something is wrong."""

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import click

_TURNS = ("rotate", "flip", "flop", "mirror", "transpose")


def hint(error: click.ClickException, words: Sequence[str]) -> str:
    """A sentence to be put behind an error's own, with a space before it; empty if nothing is known."""
    return next((f" {each}" for each in _hints(error, words)), "")


def _hints(error: click.ClickException, words: Sequence[str]) -> Iterator[str]:
    for word in words:
        with suppress(OSError):  # longer than a name can be
            if word.startswith("-") and word.strip("-") and Path(word).exists():
                yield f"The file of that name is ./{word}"
    context = getattr(error, "ctx", None)
    name = context.info_name if context else ""
    if isinstance(error, click.NoSuchOption) and name == "filter":
        yield from _kernels_as_options(words)
    if isinstance(error, click.NoSuchOption) and context and isinstance(context.command, click.Group):
        below = context.command.commands.items()
        owners = [word for word, each in below if any(error.option_name in option.opts for option in each.params)]
        if owners:
            yield f"It is an option of {' and '.join(f'{context.command_path} {word}' for word in owners)}."
    if isinstance(error, click.MissingParameter) and error.param is not None:
        if error.param.name in ("inputs", "images") and _is_piped():
            yield "To read standard input, write - in its place."
        if error.param.name == "kernels" and name == "filter":
            yield "Or name a --recipe; -k identity converts a file to another format and changes no pixel."


def _kernels_as_options(words: Sequence[str]) -> Iterator[str]:
    """``--resize 50%`` and ``-blur``, as other programs have them."""
    for word in words:
        name = word.lstrip("-").partition("=")[0].lower()
        if word.startswith("--") and (spec := _parameter_of(words, name)):
            yield f"It is a parameter of the kernel: -k {spec}"
        if word.startswith("-") and (spec := kernel_named(name)):
            yield f"It is a kernel here: -k {spec}"
        if word.startswith("-") and name in _TURNS:
            yield "Pictures are turned by what their EXIF says, and not otherwise."


def _parameter_of(words: Sequence[str], name: str) -> str | None:
    """Where ``--sigma 2`` stands beside ``-k gaussian``: how the two are said."""
    from convcli.kernels.library import ALIASES, LIBRARY

    for before, spec in pairwise(words):
        kernel = spec.partition(":")[0].lower()
        entry = LIBRARY.get(ALIASES.get(kernel, kernel)) if before in ("-k", "--kernel") else None
        if entry is not None and (found := entry.parameter(name.replace("-", "_"))):
            return f"{entry.name}:{found.name}={'VALUE' if found.default is None else found.default_text}"
    return None


def _is_piped() -> bool:
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def kernel_named(name: str) -> str | None:
    """How a kernel of that name is asked for, with an example where it needs a number; None if there is none."""
    from convcli.kernels.library import ALIASES, LIBRARY

    entry = LIBRARY.get(ALIASES.get(name, name))
    if entry is None:
        return None
    needs = {"resize": ":width=800", "crop": ":width=400,height=300"}
    return f"{entry.name}{needs.get(entry.name, '')}"


def unknown_command(word: str) -> str | None:
    """What is said of a word that is no command but a kernel's name, or a file's."""
    from convcli.images.formats import READABLE_SUFFIXES, suffix_of

    if spec := kernel_named(word.lower()):
        return f"command: got the kernel {word!r}; write convcli filter PICTURE -k {spec}"
    with suppress(OSError, ValueError):
        if suffix_of(word).lower() in READABLE_SUFFIXES or Path(word).is_file():
            return f"command: got the file {word!r}, expected a command before it, as convcli filter {word}"
    return None


def missing_file(name: str) -> str:
    """What is said of a file that is not there, where a model's or a network's may be meant."""
    from convcli.architectures.files import shipped
    from convcli.errors import missing, suggestion

    said = missing(name)
    if Path(name).suffix or Path(name).name != name:
        return said
    model = f"{name}.safetensors"
    if Path(model).is_file():
        return f"{said}; did you mean {model}?"
    if name in shipped():
        return f"{said}; it is a network without weights: convcli train makes a model of it; shipped is one"
    return f"{said}{suggestion(name, ['shipped'])}"
